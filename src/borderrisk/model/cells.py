"""The cells a model sees: features, coordinates and area of every cell of the domain."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from scipy.sparse import csr_matrix, diags_array

from borderrisk.errors import ConfigError, DataError, listed
from borderrisk.features.catalogue import feature_names
from borderrisk.grid import Grid

log = logging.getLogger(__name__)

COORDINATES = ("x_km", "y_km")
Missing = Literal["error", "median", "keep"]
# Columns of a table of cells that are no features.
_ABOUT_CELLS = ("cell_id", "exposure", "domain")
# Columns that a model made: features they cannot be.
_SCORES = ("intensity", "probability", "risk", "risk_class", "expected")
# Share of a cell by which its centre may miss the lattice of the others.
_OFF_LATTICE = 0.01
# Share of the scored cells that may lack a feature without being said.
_FEW = 0.01


@dataclass(frozen=True)
class CellTable:
    """Cells of the domain in row-major order, the columns of a panel's mass.

    Attributes
    ----------
    grid : Grid
        The analysis grid.
    mask : ndarray of bool, shape (rows, columns)
        Cells with any land in the study area or halo.
    x : pandas.DataFrame
        Features, then the cell centres ``x_km, y_km`` (km of the grid, or of the training
        projection for a carried model); one row per cell.
    area_100km2 : ndarray of float64, shape (cells,)
        Land area within study area and halo, in units of 100 km².
    exposure : ndarray of float64, shape (cells,)
        Share of the cell inside the study area.
    """

    grid: Grid
    mask: np.ndarray
    x: pd.DataFrame
    area_100km2: np.ndarray
    exposure: np.ndarray

    @classmethod
    def from_dataset(
        cls, ds: xr.Dataset, features: Sequence[str] | None = None, *, missing: Missing = "error"
    ) -> CellTable:
        """Read the cells of a feature dataset.

        Parameters
        ----------
        ds : xarray.Dataset
            Features with ``domain`` and ``exposure`` on the grid (``y, x``).
        features : sequence of str, optional
            Variables to use, in this order; all declared features by default.
        missing : {"error", "median", "keep"}
            What to do with missing values: refuse them, put the median over the domain in their
            place (a travel time can be unreachable in a few cells), or leave them to an estimator
            that takes them.

        Raises
        ------
        ConfigError
            If a feature is not in the dataset.
        DataError
            If a feature has missing values and ``missing="error"``, or nothing but missing values.
        """
        names = feature_names(ds) if features is None else list(features)
        absent = [name for name in names if name not in ds]
        if absent:
            raise ConfigError(
                f"Unknown feature(s) {', '.join(absent)}; "
                f"the dataset has {', '.join(feature_names(ds))}."
            )
        grid = Grid.from_dataset(ds)
        mask = ds["domain"].to_numpy() > 0
        columns = {name: ds[name].to_numpy()[mask].astype(np.float64) for name in names}
        exposure = ds["exposure"].to_numpy()[mask].astype(np.float64)
        if missing == "median":
            _say_filled(columns, exposure > 0)
        columns = {name: _complete(name, values, missing) for name, values in columns.items()}
        for name, axis in zip(COORDINATES, grid.centres(), strict=True):
            columns[name] = axis[mask] / 1000
        area = ds["domain"].to_numpy()[mask].astype(np.float64) * grid.cell_area_km2 / 100
        return cls(grid, mask, pd.DataFrame(columns), area, exposure)

    def __len__(self) -> int:
        return len(self.area_100km2)

    @property
    def features(self) -> list[str]:
        """Names of the feature columns, coordinates left out."""
        return [str(name) for name in self.x.columns if name not in COORDINATES]

    @cached_property
    def study(self) -> np.ndarray:
        """Cells with any part inside the study area, bool, shape (cells,)."""
        return self.exposure > 0

    @cached_property
    def study_area_100km2(self) -> np.ndarray:
        """Scored area of each cell, in units of 100 km², shape (cells,)."""
        return self.exposure * (self.grid.cell_area_km2 / 100)

    def inside(self, mass: csr_matrix) -> tuple[csr_matrix, np.ndarray]:
        """Cut the mass of incidents, (incidents, cells), to the study area.

        Returns the mass on study cells (of a cell on the edge, the scored share of its land) and
        the sum of each row.
        """
        scored = np.minimum(self.study_area_100km2 / np.maximum(self.area_100km2, 1e-12), 1.0)
        index = np.flatnonzero(self.study)
        cut = csr_matrix(mass[:, index] @ diags_array(scored[index]))
        return cut, np.asarray(cut.sum(axis=1)).ravel()

    def to_grid(self, values: np.ndarray) -> np.ndarray:
        """Put one value per cell back on the grid, shape (rows, columns).

        Outside the domain it is NaN, −1 for integers, False for booleans.
        """
        values = np.asarray(values)
        fill = {"f": np.nan, "b": False}.get(values.dtype.kind, -1)
        out = np.full(self.grid.shape, fill, dtype=values.dtype)
        out[self.mask] = values
        return out


def _say_filled(columns: dict[str, np.ndarray], study: np.ndarray) -> None:
    """Warn of features that more than a few scored cells lack."""
    gaps = {name: ~np.isfinite(values[study]) for name, values in columns.items()}
    lacking = [name for name, gap in gaps.items() if gap.mean() > _FEW]
    if lacking:
        count = int(np.any([gaps[name] for name in lacking], axis=0).sum())
        log.warning(
            "%s of %s scored cells have no value of %s: the median of the others stands in for it",
            f"{count:,}", f"{study.sum():,}", listed(lacking, most=3),
        )  # fmt: skip


def _complete(name: str, values: np.ndarray, missing: Missing) -> np.ndarray:
    """Apply the rule for missing values to one feature."""
    gaps = ~np.isfinite(values)
    count = int(gaps.sum())
    if count == 0:
        return values
    if count == len(values):
        raise DataError(
            f"Feature {name} has no value in any of the {count:,} cells; "
            "check its input, or leave it out with features.exclude."
        )
    if missing == "error":
        raise DataError(
            f"Feature {name} has no value in {count:,} of {len(values):,} cells; "
            "complete its input, leave the feature out, or allow filling with the median."
        )
    fill = np.nan if missing == "keep" else np.median(values[~gaps])
    return np.where(gaps, fill, values)


def as_cells(cells: CellTable | gpd.GeoDataFrame) -> tuple[CellTable, Any]:
    """Return cells as a table of their own, and how to bring its rows into the order given.

    A geodataframe holds square cells of one grid, in a projection in metres. Columns ``exposure``
    (share of the cell that is scored, 1 by default) and ``domain`` (share that is land, 1 by
    default) are about the cells; every other column of numbers is a feature. ``values[back]``, with
    the second value returned, has the order of the rows given. ``DataError`` if the cells are no
    squares of one grid, occur twice, lack a value, or hold scores.
    """
    if isinstance(cells, CellTable):
        return cells, slice(None)
    if not isinstance(cells, gpd.GeoDataFrame):
        raise DataError(f"Cells must be a GeoDataFrame of squares (got {type(cells).__name__}).")
    scores = [name for name in _SCORES if name in cells]
    if scores:
        raise DataError(
            f"Column(s) {', '.join(scores)} of the cells are scores of a model, no features; "
            "leave them out."
        )
    grid, row, col = _lattice(cells)
    place = row * grid.shape[1] + col
    order = np.argsort(place, kind="stable")
    if (np.diff(place[order]) == 0).any():
        raise DataError("A cell occurs more than once among the cells.")
    mask = np.zeros(grid.shape, bool)
    mask[row, col] = True
    part = cells.iloc[order]
    numbers = part.drop(columns=[part.geometry.name]).select_dtypes(["number", "bool"])
    columns = {
        str(name): _complete(str(name), numbers[name].to_numpy(np.float64), "error")
        for name in numbers
        if name not in (*_ABOUT_CELLS, *COORDINATES)
    }
    for name, axis in zip(COORDINATES, grid.centres(), strict=True):
        columns[name] = axis[mask] / 1000
    exposure, land = (
        part[name].to_numpy(np.float64) if name in part else np.ones(len(part))
        for name in ("exposure", "domain")
    )
    if not (((exposure >= 0) & (exposure <= 1)).all() and ((land > 0) & (land <= 1)).all()):
        raise DataError("exposure of the cells must lie between 0 and 1, domain above 0.")
    area = land * grid.cell_area_km2 / 100
    back = np.empty(len(order), np.intp)
    back[order] = np.arange(len(order))
    return CellTable(grid, mask, pd.DataFrame(columns), area, exposure), back


def _lattice(cells: gpd.GeoDataFrame) -> tuple[Grid, np.ndarray, np.ndarray]:
    """Return the grid of square cells, and the row and column of each."""
    if cells.crs is None or not cells.crs.is_projected:
        raise DataError("Cells need a projection in metres; bring them there with to_crs.")
    if not len(cells):
        raise DataError("There is no cell in the table of cells.")
    west, south, east, north = shapely.bounds(cells.geometry.to_numpy()).T
    size = float(np.median(east - west))
    x, y = (west + east) / 2, (south + north) / 2
    grid = Grid.between(x.min(), y.min(), x.max(), y.max(), size, cells.crs)
    row, col = grid.rowcol(x, y)
    off = np.maximum(np.abs(grid.x[col] - x), np.abs(grid.y[row] - y)).max()
    uneven = np.abs(np.stack([east - west, north - south]) - size).max()
    if max(off, uneven) > _OFF_LATTICE * size:
        raise DataError("The cells are not the squares of one grid.")
    return grid, row, col


def square_blocks(xy: np.ndarray, size_km: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the square block of each point, and the column and row of each block.

    Points are (points, 2) in km; the first block starts at the lowest coordinates. Blocks are
    numbered from 0, by column and row.
    """
    place = np.floor((xy - xy.min(axis=0)) / size_km + 1e-9).astype(np.intp)
    corner, block = np.unique(place, axis=0, return_inverse=True)
    return block.ravel(), corner
