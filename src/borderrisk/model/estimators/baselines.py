"""Baselines that know no terrain: ``uniform`` and ``border_distance``."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression

from borderrisk.errors import DataError
from borderrisk.model.estimator import IntensityEstimator, Training, is_unnamed
from borderrisk.model.estimators.parameters import Positive

_BINS = 40


class Uniform(IntensityEstimator):
    """The same intensity everywhere."""

    def _fit(self, training: Training) -> None:
        self.mean_rate_ = training.mean_rate

    def _relative(self, table: pd.DataFrame) -> np.ndarray:
        return np.ones(len(table))


class BorderDistance(IntensityEstimator):
    """Intensity that only falls with the distance to the border.

    A falling step function of distance (isotonic regression on bins of equal exposure), each bin
    shrunk to the mean by ``prior_events``; straight lines between bin middles.

    Parameters
    ----------
    column : str
        Column of distances; the first of an unnamed array.
    prior_events : float
        Events at the mean rate that are added to each bin.
    """

    def __init__(self, column: str = "border_distance_km", prior_events: Positive = 1.0):
        self.column = column
        self.prior_events = prior_events

    def _fit(self, training: Training) -> None:
        self.mean_rate_ = training.mean_rate
        distance = self._distance(training.table)
        order = np.argsort(distance, kind="stable")
        position = np.cumsum(training.weight[order]) / training.events
        bins = np.minimum((position * _BINS - 1e-9).astype(int), _BINS - 1)
        weight = np.bincount(bins, training.weight[order], _BINS)
        events = np.bincount(bins, training.presence[order], _BINS)
        middle = np.bincount(bins, (distance * training.weight)[order], _BINS)
        used = weight > 0
        rate = (events + self.prior_events)[used] / (weight + self.prior_events)[used]
        falling = IsotonicRegression(increasing=False).fit_transform(
            np.arange(used.sum()), rate, sample_weight=weight[used] + self.prior_events
        )
        self.distance_, self.relative_ = middle[used] / weight[used], falling

    def _distance(self, table: pd.DataFrame) -> np.ndarray:
        if self.column not in table and not is_unnamed(table):
            raise DataError(
                f"Column {self.column!r} is needed "
                f"(the table has {', '.join(map(str, table.columns))})."
            )
        values = table[self.column if self.column in table else table.columns[0]]
        distance = values.to_numpy(dtype=np.float64)
        if not np.all(np.isfinite(distance)):
            raise ValueError("Input X contains NaN: distances cannot be missing.")
        return distance

    def _relative(self, table: pd.DataFrame) -> np.ndarray:
        return np.interp(self._distance(table), self.distance_, self.relative_)

    def __sklearn_tags__(self):  # type: ignore[no-untyped-def]
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags
