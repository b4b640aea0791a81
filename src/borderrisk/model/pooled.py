"""The pooled model, and one way to use every estimator on cells and dated incidents."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from borderrisk.compute import map_parallel
from borderrisk.errors import DataError
from borderrisk.features.catalogue import feature, is_feature
from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.estimators import Glm, RandomForest, make_estimator
from borderrisk.model.estimators.base import IntensityEstimator, Training, covariates, read_table
from borderrisk.model.estimators.kernel import kernel_sum
from borderrisk.model.estimators.spatial import RADIUS_COLUMN
from borderrisk.model.panel import RADIUS_PER_SIGMA, Panel
from borderrisk.model.pooled_parts import (
    KDE_FLOOR,
    annual_rate,
    best_bandwidth,
    first_occurrence,
    learning_origins,
    mixture_weights,
    own_sigma_km,
    thinned,
)

PARTS = ("history", "susceptibility", "even")
# Pseudo-incidents of each part: what the weights are before anything was learned.
PRIOR = (3.0, 3.0, 0.5)
MIN_PAST = 8
# Cells that weights are learned on; where there are more, a part of them.
MOST_LEARNING_CELLS = 10_000
PERSISTENCE_YEARS = 2
REPORTING_GROUP = "settlement"
SPATIAL = ("kde", "history", "persistence")
Cache = MutableMapping[Any, Any]


@dataclass(frozen=True)
class Decomposition:
    """The intensity of each cell and the three factors that multiply to it.

    Attributes
    ----------
    intensity : ndarray, shape (cells,)
        Expected reported incidents per 100 km² per year.
    susceptibility : ndarray, shape (cells,)
        Same unit: what terrain, border and access explain, with reporting effort at its median.
    history : ndarray, shape (cells,)
        Factor that earlier incidents add.
    reporting : ndarray, shape (cells,)
        Factor of reporting effort (settlements and people around), 1 at its median.
    """

    intensity: np.ndarray
    susceptibility: np.ndarray
    history: np.ndarray
    reporting: np.ndarray


class Pooled(IntensityEstimator):
    """History, susceptibility and an even share, pooled with weights learned on the past.

    *History* is the kernel density of earlier incidents, each smoothed by its own location radius.
    *Susceptibility* is the geometric mean of a log-linear Poisson model and a down-sampled random
    forest, fitted on first occurrences: incidents count less the more there were around them
    before, so that it learns about places rather than about recurrence. The linear pool keeps the
    weights that would have foreseen the years before the origin best, each from its own past.

    Parameters
    ----------
    bandwidth_km : float
        Smoothing of the history besides the location radius.
    reach_km : float
        Distance within which an incident counts as a recurrence.
    alpha : float, optional
        Penalty of the log-linear model; chosen by cross-validation on the past when None.
    n_estimators : int
        Trees of the forest.
    learning_years : int
        Most earlier years that weights are learned on.
    random_state : int, optional
        Seed.

    Notes
    -----
    ``fit(X, y)`` takes a plain table like the other estimators (``x_km, y_km`` for the history,
    ``radius_km`` of rows with events if known); it has no dates, so nothing is learned about
    weights and first occurrences. :meth:`fit_cells` uses the dates.
    """

    def __init__(
        self,
        bandwidth_km: float = 5.0,
        reach_km: float = 15.0,
        alpha: float | None = None,
        n_estimators: int = 100,
        learning_years: int = 20,
        random_state: int | None = 0,
    ):
        self.bandwidth_km = bandwidth_km
        self.reach_km = reach_km
        self.alpha = alpha
        self.n_estimators = n_estimators
        self.learning_years = learning_years
        self.random_state = random_state

    def _fit(self, training: Training) -> None:
        self.mean_rate_ = training.mean_rate
        table = training.table
        self._fit_susceptibility(table, training.presence, training.weight)
        used = training.presence > 0
        self.source_ = np.zeros((0, 2))
        if set(COORDINATES) <= set(table.columns):
            self.source_ = table.loc[used, list(COORDINATES)].to_numpy(float)
            if not np.all(np.isfinite(self.source_)):
                raise DataError("Coordinates x_km and y_km cannot be missing in rows with events.")
        self.mass_ = training.presence[used][: len(self.source_)]
        radius = table[RADIUS_COLUMN] if RADIUS_COLUMN in table else pd.Series(0.0, table.index)
        own = np.nan_to_num(radius.to_numpy(float))[used][: len(self.source_)] / RADIUS_PER_SIGMA
        self.sigma_ = np.hypot(own, self.bandwidth_km)
        self._scale_history(table, training.weight)
        self._set_weights(np.array(PRIOR))

    def fit_cells(
        self,
        cells: CellTable,
        panel: Panel,
        origin: Any,
        *,
        weights: Mapping[str, float] | None = None,
        cache: Cache | None = None,
    ) -> Pooled:
        """Fit on the incidents before an origin.

        Parameters
        ----------
        cells : CellTable
            Cells of the domain.
        panel : Panel
            Incidents; those not wholly before the origin are ignored.
        origin : date
            Date of the forecast.
        weights : mapping, optional
            Weight of each of ``PARTS``; learned on earlier origins when None.
        cache : dict, optional
            Keeps fits at earlier origins, to be shared between calls with the same cells, panel
            and parameters.

        Raises
        ------
        DataError
            If no incident lies before the origin.
        """
        self._fit_at(cells, panel, origin, weights, {} if cache is None else cache)
        return self

    def fit_predict_cells(
        self, cells: CellTable, panel: Panel, origin: Any, *, weights: Mapping[str, float]
    ) -> np.ndarray:
        """Fit as :meth:`fit_cells` does; return ``predict(cells.x)`` without computing it anew."""
        densities = self._fit_at(cells, panel, origin, weights, {})
        return self._pool(densities) * self.mean_rate_

    def _fit_at(
        self,
        cells: CellTable,
        panel: Panel,
        origin: Any,
        weights: Mapping[str, float] | None,
        cache: Cache,
    ) -> np.ndarray:
        """Fit, and return the density of each part in every cell, shape (cells, parts)."""
        origin = pd.Timestamp(origin)
        past = require_past(panel, origin)
        parts, densities = self._parts_at(cells, past, origin, cache)
        read_table(self, cells.x, reset=True)
        for name, value in vars(parts).items():
            if name.endswith("_"):
                setattr(self, name, value)
        self.mean_rate_ = annual_rate(past, origin) / float(cells.area_100km2.sum())
        if weights is None:
            found = self._learn(cells, past, origin, cache)
        else:
            found = np.array([weights[name] for name in PARTS])
        self._set_weights(found)
        return densities

    def _learn(
        self, cells: CellTable, past: Panel, origin: pd.Timestamp, cache: Cache
    ) -> np.ndarray:
        """Weights under which earlier forecasts would have foreseen their next year best."""
        if len(cells) > MOST_LEARNING_CELLS:
            cells, past = thinned(cells, past, MOST_LEARNING_CELLS, self.random_state)
            cache = {}

        def foreseen(earlier: pd.Timestamp) -> tuple[np.ndarray, np.ndarray]:
            later = past.between(earlier, earlier + pd.DateOffset(years=1)).counts()
            cell = np.flatnonzero(later)
            if not len(cell):
                return np.zeros((0, len(PARTS))), np.zeros(0)
            _, densities = self._parts_at(cells, past.before(earlier), earlier, cache)
            return densities[cell].astype(float), later[cell]

        origins = learning_origins(past, origin, self.learning_years, MIN_PAST)
        found = [(np.zeros((0, len(PARTS))), np.zeros(0)), *map_parallel(foreseen, origins)]
        densities, counts = (np.concatenate(part) for part in zip(*found, strict=True))
        return mixture_weights(densities, counts, np.array(PRIOR))

    def _parts_at(
        self, cells: CellTable, past: Panel, origin: pd.Timestamp, cache: Cache
    ) -> tuple[Pooled, np.ndarray]:
        """Return the parts fitted on the incidents before an origin (kept by origin).

        With them comes the density of each in every cell, float32, shape (cells, parts).
        """
        key = (origin, len(past))
        if key not in cache:
            parts = Pooled(**self.get_params())
            read_table(parts, cells.x, reset=True)
            first = past.incidents["weight"].to_numpy(float)
            first = first * first_occurrence(past, self.reach_km)
            counts = np.asarray(past.mass.T @ first).ravel()
            here = parts._fit_susceptibility(cells.x, counts, cells.area_100km2)
            parts.source_ = past.incidents[["x", "y"]].to_numpy() / 1000
            parts.mass_ = past.incidents["weight"].to_numpy(float)
            parts.sigma_ = own_sigma_km(past, self.bandwidth_km)
            before = parts._scale_history(cells.x, cells.area_100km2)
            densities = np.column_stack([before, here, np.ones(len(cells))])
            cache[key] = parts, densities.astype(np.float32)
        return cache[key]

    def _fit_susceptibility(
        self, table: pd.DataFrame, counts: np.ndarray, area: np.ndarray
    ) -> np.ndarray:
        """Fit both models; return the susceptibility of each row."""
        table = table.drop(columns=RADIUS_COLUMN, errors="ignore")
        self.columns_ = [str(name) for name in table.columns]
        seed = self.random_state
        self.glm_ = Glm(self.alpha, random_state=seed).fit(table, counts, area)
        forest = RandomForest(self.n_estimators, random_state=seed)
        self.forest_ = forest.fit(table, counts, area)
        self.susceptibility_scale_ = 1.0
        here = self._susceptibility(table)
        self.susceptibility_scale_ = float(np.average(here, weights=area))
        self.reporting_median_ = {
            name: float(np.nanmedian(table[name].to_numpy(float)))
            for name in reporting_columns(covariates(table))
        }
        return here / self.susceptibility_scale_

    def _susceptibility(self, table: pd.DataFrame) -> np.ndarray:
        table = table[self.columns_]
        log = np.log(np.maximum(self.glm_.predict(table), 1e-300))
        log += np.log(np.maximum(self.forest_.predict(table), 1e-300))
        return np.exp(log / 2) / self.susceptibility_scale_

    def _scale_history(self, table: pd.DataFrame, area: np.ndarray) -> np.ndarray:
        """Give the history a mean of 1; return it for each row."""
        self.history_scale_ = 1.0
        before = self._history(table)
        mean = float(np.average(before, weights=area)) if len(self.source_) else 1.0
        self.history_scale_ = mean if mean > 0 else 1.0
        return before / self.history_scale_

    def _history(self, table: pd.DataFrame) -> np.ndarray:
        if not len(self.source_):
            return np.zeros(len(table))
        xy = table[list(COORDINATES)].to_numpy(float)
        return kernel_sum(self.source_, self.mass_, self.sigma_, xy) / self.history_scale_

    def _densities(self, table: pd.DataFrame) -> np.ndarray:
        parts = [self._history(table), self._susceptibility(table), np.ones(len(table))]
        return np.column_stack(parts)

    def _set_weights(self, found: np.ndarray) -> None:
        used = np.array([len(self.source_) > 0, True, True])
        share = np.where(used, found, 0.0)
        self.weights_ = dict(zip(PARTS, (share / share.sum()).tolist(), strict=True))

    def _relative(self, table: pd.DataFrame) -> np.ndarray:
        return self._pool(self._densities(table))

    def _pool(self, densities: np.ndarray) -> np.ndarray:
        return densities @ np.array([self.weights_[name] for name in PARTS])

    def decompose(self, table: pd.DataFrame) -> Decomposition:
        """Return the intensity of each row and its factors."""
        check_is_fitted(self)
        table = read_table(self, table, reset=False)
        w = self.weights_
        here = w["susceptibility"] * self._susceptibility(table) + w["even"]
        median = table.assign(**self.reporting_median_)
        usual = w["susceptibility"] * self._susceptibility(median) + w["even"]
        history = 1 + w["history"] * self._history(table) / here
        susceptibility, reporting = usual * self.mean_rate_, here / usual
        return Decomposition(
            susceptibility * history * reporting, susceptibility, history, reporting
        )

    def explained(self, table: pd.DataFrame) -> np.ndarray:
        """Return the intensity of each row without what earlier incidents add."""
        check_is_fitted(self)
        here = self._susceptibility(read_table(self, table, reset=False))
        w = self.weights_
        return (w["susceptibility"] * here + w["even"]) * self.mean_rate_

    def contributions(self, X: Any) -> pd.DataFrame:
        """Effect of each feature on log-intensity, and of the earlier incidents (``history``).

        Features have their effect on log-susceptibility, the mean of both models' exact effects;
        ``history`` is all that pooling adds to it.

        Returns
        -------
        pandas.DataFrame, shape (rows, features + 1)
            Rows sum to ``log(predict(X))`` minus a constant.
        """
        check_is_fitted(self)
        table = read_table(self, X, reset=False)
        inputs = table[self.columns_]
        both = [self.glm_.contributions(inputs), self.forest_.contributions(inputs)]
        parts = both[0].add(both[1], fill_value=0.0) / 2
        densities = self._densities(table)
        pooled = np.log(self._pool(densities)) - np.log(densities[:, 1])
        return parts.reindex(columns=[c for c in self.columns_ if c in parts]).assign(
            history=pooled
        )


@dataclass(frozen=True)
class SpatialModel:
    """A fitted estimator and what it says about cells.

    Attributes
    ----------
    name : str
        Name in the config.
    estimator : estimator
        Fitted; predicts incidents per 100 km² per year.
    """

    name: str
    estimator: Any

    def intensity(self, cells: CellTable) -> np.ndarray:
        """Return the expected incidents per 100 km² per year, shape (cells,)."""
        return np.asarray(self.estimator.predict(_inputs(self.estimator, cells.x)))

    def predict(self, cells: CellTable) -> Decomposition:
        """Return the intensity of every cell and its factors."""
        return decompose(self.estimator, cells.x)


def decompose(estimator: Any, table: pd.DataFrame) -> Decomposition:
    """Split any fitted estimator's intensity into susceptibility, history and reporting.

    Estimators of earlier incidents have a flat susceptibility; those of features have no history.
    """
    if isinstance(estimator, Pooled):
        return estimator.decompose(table)
    table = _inputs(estimator, table)
    intensity = np.maximum(np.asarray(estimator.predict(table)), 1e-300)
    ones = np.ones(len(intensity))
    if hasattr(estimator, "source_"):
        even = estimator.mean_rate_
        return Decomposition(intensity, ones * even, intensity / even, ones)
    medians = {n: float(np.nanmedian(table[n].to_numpy(float))) for n in reporting_columns(table)}
    usual = np.maximum(np.asarray(estimator.predict(table.assign(**medians))), 1e-300)
    return Decomposition(intensity, usual, ones, intensity / usual)


def explained(estimator: Any, table: pd.DataFrame) -> np.ndarray:
    """Return the intensity that features and reporting explain: all but ``history``."""
    if isinstance(estimator, Pooled):
        return estimator.explained(table)
    if hasattr(estimator, "source_"):
        return np.full(len(table), float(estimator.mean_rate_))
    return np.asarray(estimator.predict(_inputs(estimator, table)))


def _inputs(estimator: Any, table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns an estimator was fitted on; a radius that cells do not have is missing."""
    return table.reindex(columns=list(estimator.feature_names_in_))


def reporting_columns(table: pd.DataFrame) -> list[str]:
    """Columns that stand for reporting effort: settlements and the people around."""
    names = [str(name) for name in table.columns]
    return [n for n in names if is_feature(n) and feature(n).group == REPORTING_GROUP]


def require_past(panel: Panel, origin: pd.Timestamp, least: int = 1) -> Panel:
    """Return the incidents before an origin.

    Raises
    ------
    DataError
        If there are fewer than ``least``.
    """
    past = panel.before(origin)
    if len(past) < least:
        raise DataError(
            f"Origin {origin:%Y-%m-%d} has {len(past)} incident(s) before it, at least {least} "
            "needed; choose a later origin or lower min_past_incidents."
        )
    return past


def fit_spatial(
    name: str,
    parameters: Mapping[str, Any] | None,
    cells: CellTable,
    panel: Panel,
    origin: Any,
    seed: int = 0,
    *,
    cache: Cache | None = None,
) -> SpatialModel:
    """Fit any model on the incidents before an origin: the one door for runs and evaluation.

    Parameters
    ----------
    name : str
        ``pooled``, ``persistence`` (the last two years' KDE) or a registered estimator.
    parameters : mapping or None
        Its arguments. A KDE without ``bandwidth_km`` gets the one that is best on the past.
    cells : CellTable
        Cells of the domain.
    panel : Panel
        Incidents; only those wholly before the origin are used.
    origin : date
        Date of the forecast.
    seed : int
        Seed of estimators that draw.
    cache : dict, optional
        See :meth:`Pooled.fit_cells`.

    Raises
    ------
    ConfigError
        If the name or a parameter is unknown.
    DataError
        If no incident lies before the origin.
    """
    origin, given = pd.Timestamp(origin), dict(parameters or {})
    if name == "pooled":
        model = Pooled(**({"random_state": seed} | given))
        return SpatialModel(name, model.fit_cells(cells, panel, origin, cache=cache))
    past = require_past(panel, origin)
    rate = annual_rate(past, origin)
    if name in SPATIAL:
        return SpatialModel(name, _fit_points(name, given, cells, past, origin, rate, cache))
    counts = past.counts()
    estimator = make_estimator(name, given, seed)
    # Counts over the years that give the expected annual rate: the level is the same for all.
    return SpatialModel(
        name, estimator.fit(cells.x, counts, cells.area_100km2 * (counts.sum() / rate))
    )


def _fit_points(
    name: str,
    given: dict[str, Any],
    cells: CellTable,
    past: Panel,
    origin: pd.Timestamp,
    rate: float,
    cache: Cache | None,
) -> IntensityEstimator:
    """Fit an estimator of earlier incidents on their points, cells being the exposure."""
    if name != "history":
        key = ("bandwidth", origin, len(past))
        kept = {} if cache is None else cache
        if "bandwidth_km" not in given and key not in kept:
            kept[key] = best_bandwidth(cells, past)
        given = {"bandwidth_km": kept.get(key), "floor": KDE_FLOOR} | given
    if name == "persistence":
        recent = past.between(origin - pd.DateOffset(years=PERSISTENCE_YEARS), origin)
        past = recent if len(recent) else past
    kind = "history" if name == "history" else "kde"
    points = pd.DataFrame(past.incidents[["x", "y"]].to_numpy() / 1000, columns=list(COORDINATES))
    points[RADIUS_COLUMN] = past.incidents["radius_km"].to_numpy(float)
    table = pd.concat([points, cells.x[list(COORDINATES)]], ignore_index=True)
    weight = past.incidents["weight"].to_numpy(float)
    counts = np.concatenate([weight, np.zeros(len(cells))])
    years = weight.sum() / rate
    exposure = np.concatenate([np.full(len(points), 1e-9), cells.area_100km2 * years])
    if kind == "kde":
        table = table.drop(columns=RADIUS_COLUMN)
    return make_estimator(kind, given).fit(table, counts, exposure)
