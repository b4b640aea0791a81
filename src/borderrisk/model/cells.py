"""The cells a model sees: features, coordinates and area of every cell of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from borderrisk.errors import ConfigError, DataError
from borderrisk.features.catalogue import feature_names
from borderrisk.grid import Grid

COORDINATES = ("x_km", "y_km")
Missing = Literal["error", "median", "keep"]


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
        columns = {name: _complete(name, values, missing) for name, values in columns.items()}
        for name, axis in zip(COORDINATES, grid.centres(), strict=True):
            columns[name] = axis[mask] / 1000
        area = ds["domain"].to_numpy()[mask].astype(np.float64) * grid.cell_area_km2 / 100
        exposure = ds["exposure"].to_numpy()[mask].astype(np.float64)
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

    def to_grid(self, values: np.ndarray) -> np.ndarray:
        """Put one value per cell back on the grid.

        Returns
        -------
        ndarray, shape (rows, columns)
            NaN outside the domain; −1 for integers, False for booleans.
        """
        values = np.asarray(values)
        fill = {"f": np.nan, "b": False}.get(values.dtype.kind, -1)
        out = np.full(self.grid.shape, fill, dtype=values.dtype)
        out[self.mask] = values
        return out


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
