"""Labels, estimators, baselines, validation and everything else about the risk model."""
