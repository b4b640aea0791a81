"""The pooled model at one origin: what is fitted there, and what earlier years choose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.errors import ConfigError
from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.combined import FOREST, GLM, combined
from borderrisk.model.estimators import Glm, RandomForest
from borderrisk.model.estimators.kernel import kernel_sum
from borderrisk.model.feature_choice import telling
from borderrisk.model.panel import Panel
from borderrisk.model.placement import placed
from borderrisk.model.pooled_parts import first_occurrence, mixture_weights, own_sigma_km

PARTS = ("history", "recent", "susceptibility", "even")
# Pseudo-incidents of each part: what the weights are before anything was learned.
PRIOR = (3.0, 0.5, 3.0, 0.5)
# What may be chosen, the usual first.
HISTORY_KM = (5.0, 2.5, 10.0, 20.0)
MODELS = {"both": (GLM, FOREST), "glm": (GLM,), "forest": (FOREST,)}
RECENT_DAYS = 365.0
# Log of the Bayes factor from which evidence is very strong (Kass & Raftery 1995, JASA 90). On
# synthetic worlds 31-42 choosing on strong evidence (3) lost 0.003 (400 incidents) to 0.008 bits
# (200) against the usual choice, on very strong evidence nothing.
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
    features: Sequence[str] | None = None


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
    settings: Settings, first: Glm, table: pd.DataFrame, counts: np.ndarray, area: np.ndarray
) -> tuple[dict[str, Any], list[str]]:
    """Fit the models of the susceptibility; return them and the columns they were fitted on.

    The penalty is that of a first log-linear model of the table. Features are those of the
    settings, or else those that tell, by that model, where the incidents were.
    """
    features = settings.features
    if features is None:
        features = telling(first, table, counts)
    columns = with_features(table, features)
    seed = settings.random_state
    makers = {
        GLM: lambda: Glm(first.alpha_, random_state=seed),
        FOREST: lambda: RandomForest(settings.n_estimators, random_state=seed),
    }
    used = table[columns]
    return {name: makers[name]().fit(used, counts, area) for name in settings.models}, columns


def with_features(table: pd.DataFrame, features: Collection[str]) -> list[str]:
    """Return the columns of some features and of the coordinates, in the order of the table.

    Raises
    ------
    ConfigError
        If there is no feature, or one that the table does not have.
    """
    absent = [name for name in features if name not in table]
    if absent or not features:
        given = f"no column {', '.join(map(repr, absent))}" if absent else "none given"
        raise ConfigError(f"features of pooled must be columns of the cells ({given}).")
    return [str(name) for name in table.columns if name in {*features, *COORDINATES}]


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
    alpha : float
        Penalty of the log-linear model.
    columns : list of str
        What the models see: the features that were chosen, and the coordinates.
    """

    cells: CellTable
    past: Panel
    origin: pd.Timestamp
    settings: Settings
    fitted: dict[str, Any] = field(default_factory=dict)
    alpha: float = 0.0
    columns: list[str] = field(default_factory=list)
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table, area, settings = self.cells.x, self.cells.area_100km2, self.settings
        if settings.features is not None:
            table = table[with_features(table, settings.features)]
        weight = self.weight * first_occurrence(self.past, settings.reach_km)
        mass, first = placed(
            self.past.mass, weight, table, area,
            alpha=settings.alpha, random_state=settings.random_state,
        )  # fmt: skip
        counts = np.asarray(mass.T @ weight).ravel()
        self.alpha = float(first.alpha_)
        self.fitted, self.columns = fit_models(settings, first, table, counts, area)

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

    def prepare(self, bandwidths: Sequence[float], models: Sequence[str]) -> None:
        """Make and keep what the densities of every pair are made of."""
        for pair in product(bandwidths, models):
            self.densities(*pair)

    def history(self, bandwidth_km: float, *, recent: bool = False) -> tuple[np.ndarray, float]:
        """Relative density of the incidents, and the mean it was divided by."""

        def work() -> np.ndarray:
            xy = self.cells.x[list(COORDINATES)].to_numpy(float)
            mass = self.recent if recent else self.weight
            return kernel_sum(self.source, mass, own_sigma_km(self.past, bandwidth_km), xy)

        return self._once(("history", bandwidth_km, recent), work)

    def susceptibility(self, models: str) -> tuple[np.ndarray, float]:
        """Relative susceptibility, and the mean it was divided by."""
        return self._once(models, lambda: np.exp(combined(self._logs(models))))

    def _logs(self, models: str) -> dict[str, np.ndarray]:
        """Log-prediction of each model of a choice."""
        for name in models_called(models):
            if ("log", name) not in self._kept:
                self._kept["log", name] = log_prediction(
                    self.fitted[name], self.cells.x[self.columns]
                )
        return {name: self._kept["log", name] for name in models_called(models)}

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
    """One earlier year: the moment before it, and the incidents of the year."""

    moment: Moment
    later: Panel

    def by_cell(self, bandwidth_km: float, models: str) -> tuple[np.ndarray, np.ndarray]:
        """Density of each part where something may have happened, and the soft counts there."""
        counts = self.later.counts()
        densities = self.moment.densities(bandwidth_km, models)
        return densities[counts > 0].astype(float), counts[counts > 0]

    def by_report(self, bandwidth_km: float, models: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean density of each part over the disc of each incident, and its weight."""
        mass = self.later.mass
        reached = np.asarray(mass.sum(axis=1)).ravel() > 0
        densities = np.asarray(mass @ self.moment.densities(bandwidth_km, models), float)
        return densities[reached], self.later.incidents["weight"].to_numpy(float)[reached]


def choose(lessons: Sequence[Lesson], bandwidths: Sequence[float], models: Sequence[str]) -> Choice:
    """Take what would have foreseen the earlier years best, each from its own past.

    Every pair of bandwidth and models gets the pooling weights that suit its soft counts (posterior
    mode, see :func:`borderrisk.model.pooled_parts.mixture_weights`). The pair whose pool makes the
    reports most likely is taken if the evidence against the first pair, the usual one, is very
    strong.

    Parameters
    ----------
    lessons : sequence of Lesson
        The earlier years.
    bandwidths, models : sequence
        What to choose from, the usual first.

    Notes
    -----
    A report is as likely as the mean density over its disc. Soft counts, which score the mean of
    log-density, reward a density for being as blurred as the reports: by them 20 km of smoothing
    was often taken on synthetic worlds 31-42 and lost up to 0.07 bits against the truth. Weights
    are learned on them all the same: the likelihood of reports favours what sits on points that
    reports use again and again, at the expense of places without a past.
    """
    prior = np.array(PRIOR)
    scores, choices = [], []
    for pair in product(bandwidths, models):
        shares = mixture_weights(*_joined([lesson.by_cell(*pair) for lesson in lessons]), prior)
        densities, weight = _joined([lesson.by_report(*pair) for lesson in lessons])
        likelihood = weight @ np.log(np.maximum(densities @ shares, _LOWEST))
        scores.append(float(likelihood + prior @ np.log(shares)))
        choices.append(Choice(*pair, shares))
    scores[0] += VERY_STRONG
    return choices[int(np.argmax(scores))]


def _joined(years: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    none = (np.zeros((0, len(PARTS))), np.zeros(0))
    densities, counts = zip(*[none, *years], strict=True)
    return np.concatenate(densities), np.concatenate(counts)


def given_choice(bandwidth_km: float, models: str, weights: Mapping[str, float]) -> Choice:
    """Return a choice that was made before."""
    return Choice(bandwidth_km, models, np.array([weights[name] for name in PARTS]))
