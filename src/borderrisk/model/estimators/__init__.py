"""Intensity estimators of features, each with scikit-learn's contract."""

from borderrisk.model.estimators.additive import Glm
from borderrisk.model.estimators.base import IntensityEstimator
from borderrisk.model.estimators.trees import RandomForest

__all__ = ["Glm", "IntensityEstimator", "RandomForest"]
