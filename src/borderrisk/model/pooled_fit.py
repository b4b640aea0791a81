"""The pooled model at one origin: what is fitted there, and what earlier years choose."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.errors import ConfigError
from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.estimators import Glm, RandomForest
from borderrisk.model.estimators.kernel import kernel_sum
from borderrisk.model.panel import Panel
from borderrisk.model.pooled_parts import first_occurrence, mixture_weights, own_sigma_km

PARTS = ("history", "recent", "susceptibility", "even")
# Pseudo-incidents of each part: what the weights are before anything was learned.
PRIOR = (3.0, 0.5, 3.0, 0.5)
# What may be chosen, the usual first.
HISTORY_KM = (5.0, 2.5, 10.0, 20.0)
MODELS = {"both": ("glm", "forest"), "glm": ("glm",), "forest": ("forest",)}
RECENT_DAYS = 365.0
# Log of the Bayes factor from which evidence is very strong (Kass & Raftery 1995, JASA 90). On
# synthetic worlds 31-42 (200 incidents) choosing without it lost 0.021 bits against the usual
# choice, with it 0.009; intervals held the truth in 89 % of cells, as with the usual choice, in
# 88 % with a factor of 3.
VERY_STRONG = 5.0
_LOWEST = 1e-300


@dataclass(frozen=True)
class Settings:
    """Parameters of :class:`borderrisk.model.pooled.Pooled` that its parts are fitted with."""

    reach_km: float
    alpha: float | None
    n_estimators: int
    random_state: Any
    models: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """What the years before an origin choose.

    Attributes
    ----------
    bandwidth_km : float
        Smoothing of the history besides the location radius.
    models : str
        Which models make the susceptibility, a key of ``MODELS``.
    weights : ndarray, shape (parts,)
        Share of each of ``PARTS``.
    """

    bandwidth_km: float
    models: str
    weights: np.ndarray


def fit_models(
    settings: Settings, table: pd.DataFrame, counts: np.ndarray, area: np.ndarray
) -> dict[str, Any]:
    """Fit the models of the susceptibility."""
    seed = settings.random_state
    makers = {
        "glm": lambda: Glm(settings.alpha, random_state=seed),
        "forest": lambda: RandomForest(settings.n_estimators, random_state=seed),
    }
    return {name: makers[name]().fit(table, counts, area) for name in settings.models}


def geometric_mean(models: Sequence[Any], table: pd.DataFrame) -> np.ndarray:
    """Geometric mean of what some models predict for each row."""
    return np.asarray(np.exp(np.mean([log_prediction(m, table) for m in models], axis=0)))


def log_prediction(model: Any, table: pd.DataFrame) -> np.ndarray:
    """Logarithm of what a model predicts for each row."""
    return np.log(np.maximum(model.predict(table), _LOWEST))


def models_called(name: str) -> tuple[str, ...]:
    """Return the models of a choice.

    Raises
    ------
    ConfigError
        If there is no such choice.
    """
    if name not in MODELS:
        raise ConfigError(f"models of pooled must be one of {', '.join(MODELS)} (got {name!r}).")
    return MODELS[name]


@dataclass
class Moment:
    """Everything fitted on the incidents before one origin; densities are made when asked for.

    Attributes
    ----------
    cells : CellTable
        Cells of the domain.
    past : Panel
        Incidents before the origin.
    origin : Timestamp
        Date of the forecast.
    settings : Settings
        How to fit.
    fitted : dict
        The models of the susceptibility by name.
    """

    cells: CellTable
    past: Panel
    origin: pd.Timestamp
    settings: Settings
    fitted: dict[str, Any] = field(default_factory=dict)
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = self.weight * first_occurrence(self.past, self.settings.reach_km)
        counts = np.asarray(self.past.mass.T @ first).ravel()
        self.fitted = fit_models(self.settings, self.cells.x, counts, self.cells.area_100km2)

    @property
    def weight(self) -> np.ndarray:
        """Weight of each incident."""
        return self.past.incidents["weight"].to_numpy(float)

    @property
    def recent(self) -> np.ndarray:
        """Weight of each incident of the last year, 0 of the others."""
        since = self.origin - pd.Timedelta(days=RECENT_DAYS)
        return np.where(self.past.incidents["date"] >= since, self.weight, 0.0)

    @property
    def source(self) -> np.ndarray:
        """Places of the incidents, km, shape (incidents, 2)."""
        return self.past.incidents[["x", "y"]].to_numpy() / 1000

    def densities(self, bandwidth_km: float, models: str) -> np.ndarray:
        """Density of each of ``PARTS`` in every cell, mean 1, float32 of shape (cells, parts)."""
        parts = [
            self.history(bandwidth_km)[0],
            self.history(bandwidth_km, recent=True)[0],
            self.susceptibility(models)[0],
        ]
        return np.column_stack([*parts, np.ones(len(self.cells), np.float32)])

    def history(self, bandwidth_km: float, *, recent: bool = False) -> tuple[np.ndarray, float]:
        """Relative density of the incidents, and the mean it was divided by."""

        def work() -> np.ndarray:
            xy = self.cells.x[list(COORDINATES)].to_numpy(float)
            mass = self.recent if recent else self.weight
            return kernel_sum(self.source, mass, own_sigma_km(self.past, bandwidth_km), xy)

        return self._once(("history", bandwidth_km, recent), work)

    def susceptibility(self, models: str) -> tuple[np.ndarray, float]:
        """Relative susceptibility, and the mean it was divided by."""
        return self._once(models, lambda: np.exp(np.mean(self._logs(models), axis=0)))

    def _logs(self, models: str) -> list[np.ndarray]:
        """Log-prediction of each model of a choice."""
        for name in models_called(models):
            if ("log", name) not in self._kept:
                self._kept["log", name] = log_prediction(self.fitted[name], self.cells.x)
        return [self._kept["log", name] for name in models_called(models)]

    def _once(self, key: Hashable, work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
        if key not in self._kept:
            self._kept[key] = relative(work(), self.cells.area_100km2)
        return self._kept[key]


def relative(values: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, float]:
    """Values over their area-weighted mean, float32, and that mean; nothing stays nothing."""
    mean = float(np.average(values, weights=area))
    mean = mean if mean > 0 else 1.0
    return (values / mean).astype(np.float32), mean


@dataclass(frozen=True)
class Lesson:
    """One earlier year: the moment before it, and the soft counts of what happened in it."""

    moment: Moment
    counts: np.ndarray

    def densities(self, bandwidth_km: float, models: str) -> np.ndarray:
        """Densities where something happened."""
        return self.moment.densities(bandwidth_km, models)[self.counts > 0].astype(float)


def choose(lessons: Sequence[Lesson], bandwidths: Sequence[float], models: Sequence[str]) -> Choice:
    """Take what would have foreseen the earlier years best, each from its own past.

    Every pair of bandwidth and models gets the pooling weights that suit it (posterior mode, see
    :func:`borderrisk.model.pooled_parts.mixture_weights`). The pair whose pool makes the years
    most likely is taken if the evidence against the first pair, the usual one, is very strong.

    Parameters
    ----------
    lessons : sequence of Lesson
        The earlier years.
    bandwidths, models : sequence
        What to choose from, the usual first.
    """
    prior = np.array(PRIOR)
    happened = [lesson.counts[lesson.counts > 0] for lesson in lessons]
    counts = np.concatenate([np.zeros(0), *happened])
    scores, choices = [], []
    for pair in product(bandwidths, models):
        each = [np.zeros((0, len(PARTS))), *(lesson.densities(*pair) for lesson in lessons)]
        densities = np.concatenate(each)
        weights = mixture_weights(densities, counts, prior)
        likelihood = counts @ np.log(np.maximum(densities @ weights, _LOWEST))
        scores.append(float(likelihood + prior @ np.log(weights)))
        choices.append(Choice(*pair, weights))
    scores[0] += VERY_STRONG
    return choices[int(np.argmax(scores))]


def given_choice(bandwidth_km: float, models: str, weights: Mapping[str, float]) -> Choice:
    """Return a choice that was made before."""
    return Choice(bandwidth_km, models, np.array([weights[name] for name in PARTS]))
