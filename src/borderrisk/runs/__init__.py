"""A run's folder, manifest, log and stage cache."""
