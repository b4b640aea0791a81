"""What a model has to beat, and simple models of the features: one registry entry each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.isotonic import IsotonicRegression

from borderrisk.model.cells import CellTable
from borderrisk.model.decayed_pool import DecayedPool
from borderrisk.model.densities import Learned, Memory, Points, Remembered, Smoother
from borderrisk.model.estimator import IntensityEstimator
from borderrisk.model.forest import RandomForest
from borderrisk.model.lessons import School
from borderrisk.model.level import ending_between, expected_level, step_back
from borderrisk.model.loglinear import Glm
from borderrisk.model.panel import Panel
from borderrisk.model.pool import Pool, log_mean
from borderrisk.model.protocol import (
    Count,
    Memo,
    NotNegative,
    Positive,
    Proportion,
    Settings,
    model,
)
from borderrisk.model.susceptibility import NONE, Evidence, confidence

BANDWIDTHS_KM = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 60.0, 80.0, 120.0)
_KDE_EVEN, _HISTORY_EVEN = 0.01, 0.1
# Of the pool of kernel densities: widths, pseudo-incidents, what it learns from.
_POOL_KM, _POOL_RECENT_KM, _POOL_YEARS, _POOL_LEAST = (2.5, 5.0, 10.0, 20.0, 40.0, 80.0), 5.0, 3, 10
_POOL_PRIOR = (*[0.5] * len(_POOL_KM), 0.25, 0.5)
_BINS, _PRIOR_EVENTS, _QUANTILES = 40, 1.0, 101


class Fixed(Settings):
    """Base of models whose shares are given: memories, then models of the ground, then even."""

    def shares(self) -> tuple[float, ...]:
        """Return the weights of the parts."""
        return (1.0,)

    def ground(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> tuple[Learned, ...]:
        """Return what is learned of the features."""
        return ()

    def learn(
        self, cells: CellTable, past: Panel, origin: pd.Timestamp, seed: int, memo: Memo
    ) -> Pool:
        """Fit on incidents that all lie before the origin."""
        level = expected_level(cells, past, origin, self.horizon_days)
        memory, ground = self.remember(cells, past, origin), self.ground(cells, past, origin)
        return Pool.make(self, cells, level, self.shares(), memory, ground)


@model("even", role="baseline")
class Even(Fixed):
    """The same intensity everywhere."""

    needs_incidents = False


@model("history_alone", role="baseline")
class HistoryAlone(DecayedPool):
    """The decayed pool without what the ground explains, fitted anew: its weights are its own."""

    ground: str = NONE


@model("last_period", role="baseline")
class LastPeriod(Fixed):
    """The incidents of the last period as long as the forecast, each in its own disc."""

    def shares(self) -> tuple[float, ...]:
        """Return the weights of memory and even."""
        return (1 - _HISTORY_EVEN, _HISTORY_EVEN)

    def remember(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> Remembered:
        """Return the soft counts of the last period."""
        last = ending_between(past, step_back(origin, self.horizon_days, 1), origin)
        return (Memory(cells.grid, cells.mask, last.counts()[None], (0.0,), ("recent",)),)


@model("radius_history", role="baseline")
class RadiusHistory(Fixed):
    """All earlier incidents, each spread over its own location radius, and a tenth evenly."""

    def shares(self) -> tuple[float, ...]:
        """Return the weights of memory and even."""
        return (1 - _HISTORY_EVEN, _HISTORY_EVEN)

    def remember(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> Remembered:
        """Return all soft counts."""
        return (Memory(cells.grid, cells.mask, past.counts()[None], (0.0,), ("history",)),)


@model("kde", role="baseline")
class Kde(Fixed):
    """Kernel density of earlier incidents with one bandwidth: the analyst's heat map.

    ``bandwidth_km`` is the standard deviation of the kernel; when None the one under which each
    incident is best foreseen by the others.
    """

    bandwidth_km: Positive | None = None

    def shares(self) -> tuple[float, ...]:
        """Return the weights of memory and even."""
        return (1 - _KDE_EVEN, _KDE_EVEN)

    def learn(
        self, cells: CellTable, past: Panel, origin: pd.Timestamp, seed: int, memo: Memo
    ) -> Pool:
        """Fit on incidents that all lie before the origin."""
        width = self.bandwidth_km or best_bandwidth(cells, past)
        chosen = type(self)(**{**self.values(), "bandwidth_km": width})
        return Fixed.learn(chosen, cells, past, origin, seed, memo)

    def remember(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> Remembered:
        """Return earlier incidents as points."""
        return (_points(past, (self.bandwidth_km or BANDWIDTHS_KM[0],), "history"),)


@model("kde_pool", role="baseline")
class KdePool(Settings):
    """Pool of kernel densities of several bandwidths, of the last year's, and even.

    ``weights``, the share of every part, are learned on the three years before the origin when
    None.
    """

    weights: tuple[NotNegative, ...] | None = None

    def learn(
        self, cells: CellTable, past: Panel, origin: pd.Timestamp, seed: int, memo: Memo
    ) -> Pool:
        """Fit on incidents that all lie before the origin."""
        weights = self.weights
        if weights is None:
            school = School(
                cells, past, self.horizon_days, _POOL_YEARS, _POOL_LEAST, np.array(_POOL_PRIOR),
                lambda known, at, *_: (self.remember(cells, known, at), ()), seed, memo,
                (self.name,),
            )  # fmt: skip
            weights = tuple(school.weights(origin).tolist())
        chosen = type(self)(**{**self.values(), "weights": weights})
        level = expected_level(cells, past, origin, self.horizon_days)
        return Pool.make(chosen, cells, level, weights, self.remember(cells, past, origin))

    def remember(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> Remembered:
        """Return earlier incidents as points, and those of the last year."""
        recent = ending_between(past, origin - pd.Timedelta(days=365), origin)
        return (
            _points(past, _POOL_KM, "history"),
            _points(recent, (_POOL_RECENT_KM,), "recent"),
        )


def _points(panel: Panel, widths_km: tuple[float, ...], group: str) -> Points:
    xy = panel.incidents[["x", "y"]].to_numpy(float)
    return Points(panel.grid, xy, confidence(panel), widths_km, group)


def best_bandwidth(cells: CellTable, past: Panel) -> float:
    """Bandwidth under which each incident is best foreseen by all the others.

    Leave-one-out likelihood on the soft mass (Habbema, Hermans & van den Broek 1974).
    """
    weight, mass = confidence(past), past.mass.tocoo()
    found = _points(past, BANDWIDTHS_KM, "history")
    everyone = found.densities(Smoother(cells))
    place = np.column_stack([axis[cells.mask] for axis in cells.grid.centres()])
    square = ((place[mass.col] - found.xy[mass.row]) ** 2).sum(axis=1) / 1e6
    even = weight.sum() / cells.area_100km2.sum()
    scores = []
    for width, density in zip(BANDWIDTHS_KM, everyone.T, strict=True):
        own = np.exp(-square / (2 * width**2)) * weight[mass.row] * 100 / (2 * np.pi * width**2)
        others = np.maximum(density[mass.col] - own, 0.0)
        log = np.log((1 - _KDE_EVEN) * others + _KDE_EVEN * even)
        scores.append(float((weight[mass.row] * mass.data) @ log))
    return BANDWIDTHS_KM[int(np.argmax(scores))]


class FromColumns(Fixed):
    """Base of models of features, whose shares are all the ground's."""

    def shares(self) -> tuple[float, ...]:
        """Return the weights of ground and even."""
        return (1.0, 0.0)


class Estimated(FromColumns):
    """Base of the estimators of features: they learn from all incidents alike."""

    def estimator(self, seed: int) -> IntensityEstimator:
        """Return the estimator, unfitted."""
        raise NotImplementedError

    def learn(
        self, cells: CellTable, past: Panel, origin: pd.Timestamp, seed: int, memo: Memo
    ) -> Pool:
        """Fit on incidents that all lie before the origin."""
        level = expected_level(cells, past, origin, self.horizon_days)
        evidence = Evidence.of(cells, past, origin)
        learned = Learned(None, ())
        if len(evidence):
            x, counts = cells.x[cells.study], evidence.counts(evidence.weight)
            fitted = self.estimator(seed).fit(x, counts, cells.study_area_100km2[cells.study])
            learned = Learned(fitted, tuple(x.columns))
        return Pool.make(self, cells, level, self.shares(), (), (learned,))


@model("random_forest")
class Forest(Estimated):
    """A down-sampled random forest alone; see :class:`RandomForest`."""

    n_estimators: Count = 300
    min_samples_leaf: Count = 3
    max_features: Annotated[float, Field(gt=0, le=1, strict=True)] | Literal["sqrt", "log2"] = (
        "sqrt"
    )
    sample_size: Count | None = None

    def estimator(self, seed: int) -> IntensityEstimator:
        """Return the forest, unfitted."""
        return RandomForest(
            self.n_estimators, self.min_samples_leaf, self.max_features, self.sample_size,
            random_state=seed,
        )  # fmt: skip


@model("glm")
class Loglinear(Estimated):
    """A log-linear model alone; see :class:`Glm`."""

    alpha: NotNegative | None = None

    def estimator(self, seed: int) -> IntensityEstimator:
        """Return the model, unfitted."""
        return Glm(self.alpha, random_state=seed)


@model("border_distance", role="baseline")
class BorderDistance(FromColumns):
    """Intensity that only falls with the distance to the border, read from ``column``."""

    column: str = "border_distance_km"

    def lacking(self, cells: CellTable) -> str:
        """Return the column, if the cells do not have it."""
        return "" if self.column in cells.x else self.column

    def ground(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> tuple[Learned, ...]:
        """Return a falling step function of the distance."""
        evidence = Evidence.of(cells, past, origin)
        distance = cells.x.loc[cells.study, self.column].to_numpy(float)
        area = cells.study_area_100km2[cells.study]
        falling = Curve.falling(distance, evidence.counts(evidence.weight), area)
        return (Learned(falling, (self.column,)),)


class Curve:
    """A function of one column: straight lines between points."""

    def __init__(self, at: np.ndarray, value: np.ndarray):
        self.at, self.value = at, value

    @classmethod
    def falling(cls, x: np.ndarray, counts: np.ndarray, area: np.ndarray) -> Curve:
        """Isotonic regression of the rate on bins of equal area, each shrunk to the mean."""
        order = np.argsort(x, kind="stable")
        share = np.cumsum(area[order]) / area.sum()
        bins = np.minimum((share * _BINS - 1e-9).astype(int), _BINS - 1)
        events, size, place = (np.bincount(bins, v[order], _BINS) for v in (counts, area, x * area))
        used = size > 0
        usual = size[used] * max(counts.sum(), 1e-9) / area.sum()
        rate = (events[used] + _PRIOR_EVENTS) / (usual + _PRIOR_EVENTS)
        fit = IsotonicRegression(increasing=False).fit_transform(
            np.arange(used.sum()), rate, sample_weight=usual + _PRIOR_EVENTS
        )
        return cls(place[used] / size[used], fit)

    def predict(self, x: pd.DataFrame) -> np.ndarray:
        """Value at the first column of a table."""
        return np.interp(x.iloc[:, 0].to_numpy(float), self.at, self.value)


@model("expert_weights", role="baseline")
class ExpertWeights(FromColumns):
    """A weighted sum of criteria, as maps of border vulnerability have it; needs no incidents.

    The weights are those of an analytic hierarchy (Saaty 1980) whose comparisons agree with each
    other: each criterion's importance over the sum. A criterion counts by the percentile of its
    column in the study area. ``importance`` is by column, or by the beginning of its name (the
    first such column is taken; a criterion without one is left out), and below zero where low
    values mean danger.
    """

    importance: Mapping[str, float] = field(
        default_factory=lambda: {
            "border_distance_km": -5.0, "road_distance": -3.0, "settlement_distance": -3.0,
            "slope_mean": -3.0, "elevation_mean": -2.0, "land_cover": 1.0,
        }
    )  # fmt: skip
    needs_incidents = False

    def _criteria(self, cells: CellTable) -> dict[str, float]:
        found = {}
        for start, importance in self.importance.items():
            column = next((name for name in cells.features if name.startswith(start)), None)
            if column is not None:
                found[column] = float(importance)
        return found

    def lacking(self, cells: CellTable) -> str:
        """Return the columns, if the cells have none of them."""
        return "" if self._criteria(cells) else f"one of {', '.join(self.importance)}"

    def ground(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> tuple[Learned, ...]:
        """Return the weighted sum."""
        criteria = self._criteria(cells)
        x = cells.x.loc[cells.study, list(criteria)]
        return (Learned(Weighted.of(x, criteria), tuple(criteria)),)


class Weighted:
    """A weighted mean of the percentiles of columns."""

    def __init__(self, quantiles: np.ndarray, weights: np.ndarray):
        self.quantiles, self.weights = quantiles, weights

    @classmethod
    def of(cls, x: pd.DataFrame, importance: Mapping[str, float]) -> Weighted:
        """Take percentiles from a table."""
        at = np.linspace(0, 1, _QUANTILES)
        found = np.array([np.quantile(x[name].to_numpy(float), at) for name in importance])
        weights = np.array(list(importance.values()))
        return cls(found, weights / np.abs(weights).sum())

    def predict(self, x: pd.DataFrame) -> np.ndarray:
        """Return the weighted mean of each row, 0 to 1."""
        return self._terms(x).sum(axis=1)

    def contributions(self, x: pd.DataFrame) -> pd.DataFrame:
        """Effects on the log of the mean; rows sum to it less that of the middle percentiles.

        The difference of the logarithms is shared by the differences of the terms (Ang 2005, Energy
        Policy 33(7)).
        """
        terms, usual = self._terms(x), np.abs(self.weights) / 2
        over = terms - usual
        return pd.DataFrame(over / log_mean(terms.sum(axis=1), usual.sum())[:, None],
                            columns=list(x))  # fmt: skip

    def _terms(self, x: pd.DataFrame) -> np.ndarray:
        """Terms of the sum, (rows, columns); none is ever nothing."""
        at = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
        ranks = [np.interp(x[name].to_numpy(float), quantiles, at)
                 for name, quantiles in zip(x, self.quantiles, strict=True)]  # fmt: skip
        rank = np.column_stack(ranks)
        return np.abs(self.weights) * np.where(self.weights > 0, rank, 1 - rank)


@model("walk_and_hide", role="baseline")
class WalkAndHide(FromColumns):
    """How easily ground is reached on foot from over the border, unseen; needs no incidents.

    The intensity halves with every ``half_hours`` of walking from the border; ground in full view
    counts ``seen`` of what hidden ground does.
    """

    half_hours: Positive = 12.0
    seen: Proportion = 0.1
    needs_incidents = False

    def lacking(self, cells: CellTable) -> str:
        """Return the columns that the cells do not have."""
        return ", ".join(name for name in PERMEABLE if name not in cells.x)

    def ground(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> tuple[Learned, ...]:
        """Return the permeability."""
        return (Learned(Permeability(self.half_hours, self.seen), PERMEABLE),)


PERMEABLE = ("hours_from_border", "hidden_share")


class Permeability:
    """Halves with walking time, and grows with the share of a cell that is hidden."""

    def __init__(self, half_hours: float, seen: float):
        self.half_hours, self.seen = half_hours, seen

    def predict(self, x: pd.DataFrame) -> np.ndarray:
        """Relative permeability of each row, 0 to 1."""
        hours, hidden = (x[name].to_numpy(float) for name in PERMEABLE)
        return 0.5 ** (hours / self.half_hours) * (self.seen + (1 - self.seen) * hidden)
