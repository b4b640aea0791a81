"""Densities that a model is pooled of: earlier incidents on the grid, and what was learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from borderrisk.compute import one_thread
from borderrisk.errors import DataError
from borderrisk.grid import Grid
from borderrisk.model.cells import CellTable

TRUNCATE = 4.0
# Incidents of a kernel density worked on at a time.
_AT_ONCE = 4096
_ELSEWHERE = "The model remembers places on another grid: take it there with `carried`."


class Smoother:
    """Densities of counts on the grid of some cells: per land area, both smoothed."""

    def __init__(self, cells: CellTable):
        self.cells = cells
        self._land: dict[float, np.ndarray] = {}

    def land(self, width_km: float) -> np.ndarray:
        """Land area around each cell, 100 km², shape (cells,)."""
        if width_km not in self._land:
            self._land[width_km] = self._smooth(self.cells.area_100km2, width_km)
        return self._land[width_km]

    def density(self, counts: np.ndarray, width_km: float) -> np.ndarray:
        """Return counts per 100 km² of land, smoothed by a Gaussian; shape (cells,)."""
        land = self.land(width_km)
        smooth = self._smooth(counts, width_km)
        return np.divide(smooth, land, out=np.zeros_like(smooth), where=land > 0)

    def _smooth(self, values: np.ndarray, width_km: float) -> np.ndarray:
        if width_km == 0:
            return np.asarray(values, float)
        cells = self.cells
        on_grid = np.zeros(cells.grid.shape)
        on_grid[cells.mask] = values
        sigma = width_km * 1000 / cells.grid.cell_size_m
        return gaussian_filter(on_grid, sigma, mode="constant", truncate=TRUNCATE)[cells.mask]


@dataclass(frozen=True)
class Memory:
    """Earlier incidents as counts on a grid: one density for every width and count.

    ``mask`` marks the cells with a count; ``counts`` is (kinds, cells), the incidents differently
    weighted. ``widths_km`` smooth them (0: not at all); ``groups`` holds ``history`` or ``recent``
    for every kind.
    """

    grid: Grid
    mask: np.ndarray
    counts: np.ndarray
    widths_km: tuple[float, ...]
    groups: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The group of each density: widths, and within each the kinds."""
        return self.groups * len(self.widths_km)

    @property
    def is_sound(self) -> bool:
        """Whether its parts fit together, as those of a file may not."""
        return self.counts.shape == (len(self.groups), self.mask.sum())

    def densities(self, smoother: Smoother) -> np.ndarray:
        """Densities in the cells of a smoother on the same grid, shape (cells, columns)."""
        cells = smoother.cells
        if cells.grid != self.grid:
            raise DataError(_ELSEWHERE)
        on_grid = np.zeros((len(self.counts), *self.grid.shape))
        on_grid[:, self.mask] = self.counts
        here = on_grid[:, cells.mask]
        found = [smoother.density(n, width) for width in self.widths_km for n in here]
        return np.column_stack(found)


@dataclass(frozen=True)
class Points:
    """Earlier incidents as points: a Gaussian kernel density for every width.

    ``xy`` is (incidents, 2) in metres of the grid, ``weight`` what each counts, ``widths_km`` the
    standard deviations; ``group`` is ``history`` or ``recent``.
    """

    grid: Grid
    xy: np.ndarray
    weight: np.ndarray
    widths_km: tuple[float, ...]
    group: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The group of each density."""
        return (self.group,) * len(self.widths_km)

    @property
    def is_sound(self) -> bool:
        """Whether its parts fit together, as those of a file may not."""
        return self.xy.shape == (len(self.weight), 2)

    def densities(self, smoother: Smoother) -> np.ndarray:
        """Densities at the centres of the cells, per 100 km², shape (cells, columns)."""
        cells = smoother.cells
        if cells.grid != self.grid:
            raise DataError(_ELSEWHERE)
        return np.column_stack([self._density(width, cells.mask) for width in self.widths_km])

    def _density(self, width_km: float, mask: np.ndarray) -> np.ndarray:
        # A round Gaussian is a product of two along the axes.
        found, sigma = np.zeros(self.grid.shape), width_km * 1000
        with one_thread():
            for first in range(0, len(self.xy), _AT_ONCE):
                some = slice(first, first + _AT_ONCE)
                x, y = self.xy[some].T
                across = np.exp(-0.5 * ((self.grid.x - x[:, None]) / sigma) ** 2)
                down = np.exp(-0.5 * ((self.grid.y - y[:, None]) / sigma) ** 2)
                found += (self.weight[some, None] * down).T @ across
        return found[mask] * (1e8 / (2 * np.pi * sigma**2))


@dataclass(frozen=True)
class Learned:
    """What an estimator makes of the columns of the cells that it was fitted on.

    It has ``predict``, and perhaps ``contributions``; None says the same of every cell.
    """

    estimator: Any
    columns: tuple[str, ...]

    def density(self, x: pd.DataFrame) -> np.ndarray:
        """Density of each row, in units of its own, shape (rows,)."""
        if self.estimator is None:
            return np.ones(len(x))
        absent = [name for name in self.columns if name not in x]
        if absent:
            raise DataError(f"The model reads {', '.join(absent)}, which these cells do not have.")
        return np.maximum(self.estimator.predict(x[list(self.columns)]), 0.0)

    @property
    def explains(self) -> bool:
        """Whether it can say what each column does."""
        return hasattr(self.estimator, "contributions")

    def effects(self, x: pd.DataFrame) -> pd.DataFrame:
        """Effects on the log-density; rows sum to it less a constant."""
        if not self.explains:
            return pd.DataFrame(index=range(len(x)))
        return self.estimator.contributions(x[list(self.columns)]).reset_index(drop=True)


# What a model remembers of earlier incidents.
Remembered: TypeAlias = tuple[Memory | Points, ...]


def densities(
    cells: CellTable,
    memory: Remembered,
    ground: tuple[Learned, ...],
    rows: np.ndarray | None = None,
) -> np.ndarray:
    """Every density of a pool in some rows of the cells, the even one last; (rows, columns)."""
    smoother, some = Smoother(cells), slice(None) if rows is None else rows
    x = cells.x if rows is None else cells.x.iloc[rows]
    remembered = [part.densities(smoother)[some] for part in memory]
    learned = [part.density(x) for part in ground]
    return np.column_stack([*remembered, *learned, np.ones(len(x))])
