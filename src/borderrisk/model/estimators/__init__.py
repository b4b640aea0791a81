"""Intensity estimators by name, each with scikit-learn's contract."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from borderrisk.errors import ConfigError
from borderrisk.model.estimators.additive import AdditivePoisson, Gam, Glm
from borderrisk.model.estimators.base import IntensityEstimator
from borderrisk.model.estimators.baselines import BorderDistance, Uniform
from borderrisk.model.estimators.spatial import History, Kde
from borderrisk.model.estimators.trees import HistGradientBoosting, RandomForest

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
        If the name or a parameter is unknown; the message names the choices.

    Examples
    --------
    >>> make_estimator("kde", {"bandwidth_km": 30})
    Kde(bandwidth_km=30)
    """
    if name not in ESTIMATORS:
        raise ConfigError(f"Unknown estimator {_choices(name, ESTIMATORS)}")
    factory, given = ESTIMATORS[name], dict(parameters or {})
    accepted = inspect.signature(factory).parameters
    for key in given:
        if key not in accepted:
            raise ConfigError(f"Estimator {name} has no parameter {_choices(key, accepted)}")
    if "random_state" in accepted:
        given.setdefault("random_state", seed)
    return factory(**given)


def _choices(given: str, known: Iterable[str]) -> str:
    """Quote an unknown name, with the nearest known one and all of them."""
    names = [str(name) for name in known]
    if not names:
        return f"{given!r}; it takes none."
    near = difflib.get_close_matches(str(given), names, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return f"{given!r};{hint} choose from {', '.join(names)}."
