"""Intensity estimators by name, each with scikit-learn's contract."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from borderrisk.errors import ConfigError
from borderrisk.model.estimator import IntensityEstimator
from borderrisk.model.estimators.baselines import BorderDistance, Uniform
from borderrisk.model.estimators.parameters import checked, choices
from borderrisk.model.estimators.spatial import History, Kde
from borderrisk.model.forest import HistGradientBoosting, RandomForest
from borderrisk.model.loglinear import AdditivePoisson, Gam, Glm

__all__ = [
    "ESTIMATORS",
    "AdditivePoisson",
    "BorderDistance",
    "Gam",
    "Glm",
    "HistGradientBoosting",
    "History",
    "IntensityEstimator",
    "Kde",
    "RandomForest",
    "Uniform",
    "make_estimator",
]

ESTIMATORS: dict[str, Callable[..., IntensityEstimator]] = {
    "gam": Gam,
    "hist_gradient_boosting": HistGradientBoosting,
    "random_forest": RandomForest,
    "glm": Glm,
    "kde": Kde,
    "history": History,
    "border_distance": BorderDistance,
    "uniform": Uniform,
}


def make_estimator(
    name: str, parameters: Mapping[str, Any] | None = None, seed: int | None = 0
) -> IntensityEstimator:
    """Return an unfitted estimator by its name in the config.

    Parameters
    ----------
    name : str
        A key of ``ESTIMATORS``.
    parameters : mapping, optional
        Arguments of the estimator.
    seed : int, optional
        Random state, for the estimators that have one and unless ``parameters`` gives it.

    Raises
    ------
    ConfigError
        If the name or a parameter is unknown (the message names the choices), or a value cannot be.

    Examples
    --------
    >>> make_estimator("kde", {"bandwidth_km": 30})
    Kde(bandwidth_km=30)
    """
    if name not in ESTIMATORS:
        raise ConfigError(f"Unknown estimator {choices(name, ESTIMATORS)}")
    factory, given = ESTIMATORS[name], dict(parameters or {})
    checked(name, factory, given)
    if "random_state" in inspect.signature(factory).parameters:
        given.setdefault("random_state", seed)
    return factory(**given)
