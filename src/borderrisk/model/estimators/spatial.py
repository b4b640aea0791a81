"""Estimators of where things were before: ``kde`` (one bandwidth) and ``history`` (one each)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from borderrisk.model.cells import COORDINATES
from borderrisk.model.estimator import IntensityEstimator, Training, is_unnamed
from borderrisk.model.estimators.kernel import kernel_sum
from borderrisk.model.estimators.parameters import NotNegative, Positive, Proportion
from borderrisk.model.panel import RADIUS_PER_SIGMA

RADIUS_COLUMN = "radius_km"


class _Kernel(IntensityEstimator):
    """Base: kernel density of the events, corrected at the edges, mixed with a uniform floor."""

    bandwidth_km: float
    floor: float

    def _fit(self, training: Training) -> None:
        self.mean_rate_ = training.mean_rate
        xy = coordinates(training.table)
        used = training.presence > 0
        self.source_, self.mass_ = xy[used], training.presence[used]
        self.sigma_ = self._sigma(training.table)[used]
        # Relative to uniform: events per exposure, with the exposure smoothed in the same way.
        self.scale_ = self._mean_density(xy, training.weight)

    def _sigma(self, table: pd.DataFrame) -> np.ndarray:
        raise NotImplementedError

    def _mean_density(self, xy: np.ndarray, weight: np.ndarray) -> float:
        density = kernel_sum(self.source_, self.mass_, self.sigma_, xy)
        mean = float(np.average(density, weights=weight))
        return mean if mean > 0 else 1.0

    def _relative(self, table: pd.DataFrame) -> np.ndarray:
        density = kernel_sum(self.source_, self.mass_, self.sigma_, coordinates(table))
        return (1 - self.floor) * density / self.scale_ + self.floor

    def __sklearn_tags__(self):  # type: ignore[no-untyped-def]
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags


class Kde(_Kernel):
    """Kernel density of earlier events with one Gaussian bandwidth: the analyst's heat map.

    Needs the columns ``x_km, y_km`` (the first two of an unnamed array). The intensity averages to
    the observed rate over the training exposure.

    Parameters
    ----------
    bandwidth_km : float
        Standard deviation of the kernel along each axis.
    floor : float
        Share of the intensity that is spread evenly, so that no place is impossible.
    """

    def __init__(self, bandwidth_km: Positive = 20.0, floor: Proportion = 0.02):
        self.bandwidth_km = bandwidth_km
        self.floor = floor

    def _sigma(self, table: pd.DataFrame) -> np.ndarray:
        return np.full(len(table), float(self.bandwidth_km))


class History(_Kernel):
    """Kernel density of earlier events, each with its own bandwidth.

    A row's standard deviation is ``sqrt((scale * radius_km / 2.146)² + bandwidth_km²)``, 2.146
    being the ratio of a 90 % radius to the standard deviation. Rows without a radius (no column,
    or missing) have the fixed part only. Give incidents as rows with counts of 1 and cells as rows
    with counts of 0, or cells with soft counts and no radius.

    Parameters
    ----------
    bandwidth_km : float
        Fixed part of the standard deviation.
    scale : float
        Multiplies the part that follows from the location radius.
    floor : float
        Share of the intensity that is spread evenly.
    """

    def __init__(
        self, bandwidth_km: Positive = 5.0, scale: NotNegative = 1.0, floor: Proportion = 0.02
    ):
        self.bandwidth_km = bandwidth_km
        self.scale = scale
        self.floor = floor

    def _sigma(self, table: pd.DataFrame) -> np.ndarray:
        own = np.zeros(len(table))
        if RADIUS_COLUMN in table:
            own = np.nan_to_num(table[RADIUS_COLUMN].to_numpy(float)) / RADIUS_PER_SIGMA
        return np.maximum(np.hypot(self.scale * own, self.bandwidth_km), 1e-3)


def coordinates(table: pd.DataFrame) -> np.ndarray:
    """Coordinates in km, shape (rows, 2): the named columns, or the first two of an array.

    Raises
    ------
    ValueError
        If they are missing or not numbers.
    """
    names = [name for name in COORDINATES if name in table]
    if len(names) < 2:
        if not is_unnamed(table):
            raise ValueError(
                f"Columns x_km and y_km are needed (got {', '.join(map(str, table.columns))})."
            )
        if table.shape[1] < 2:
            raise ValueError("Found array with 1 feature(s) while a minimum of 2 is required.")
        names = list(table.columns[:2])
    xy = table[names].to_numpy(dtype=np.float64)
    if not np.all(np.isfinite(xy)):
        raise ValueError("Input X contains NaN: coordinates cannot be missing.")
    return xy
