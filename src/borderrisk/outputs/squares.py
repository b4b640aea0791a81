"""Cells of a grid with their values: squares that need no geometry object each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from borderrisk.grid import Grid

CORNERS = 5  # of a closed square
# East and south of a cell's own corner, counter-clockwise from the south-east.
_EAST = np.array([1, 1, 0, 0, 1])
_SOUTH = np.array([1, 0, 0, 1, 1])


@dataclass(frozen=True)
class Squares:
    """Some cells of a grid, and a table of what is known of each.

    Attributes
    ----------
    grid : Grid
        Whose cells they are.
    row, col : ndarray of int, shape (cells,)
        Where each lies.
    table : pandas.DataFrame
        One row per cell, ``cell_id`` among the columns.
    """

    grid: Grid
    row: np.ndarray
    col: np.ndarray
    table: pd.DataFrame

    @classmethod
    def of(cls, grid: Grid, mask: np.ndarray, table: pd.DataFrame) -> Squares:
        """Return the cells where ``mask`` is true; ``table`` has them in row-major order."""
        row, col = np.nonzero(mask)
        return cls(grid, row, col, table)

    def __len__(self) -> int:
        return len(self.row)

    def take(self, order: np.ndarray) -> Squares:
        """Return some of the cells, by position."""
        table = self.table.iloc[order].reset_index(drop=True)
        return replace(self, row=self.row[order], col=self.col[order], table=table)

    def corners(self) -> np.ndarray:
        """Corners in metres of the grid, shape (cells, 5, 2): closed and counter-clockwise."""
        col, row = self._lattice()
        t, size = self.grid.transform, self.grid.cell_size_m
        return np.stack([t.c + col * size, t.f - row * size], axis=-1)

    def lonlat_corners(self) -> np.ndarray:
        """Corners in WGS84 degrees, shape (cells, 5, 2); each point is projected only once."""
        col, row = self._lattice()
        rows, cols = self.grid.shape
        used = np.zeros((rows + 1, cols + 1), bool)
        used[row, col] = True
        place = np.cumsum(used.ravel()).reshape(used.shape) - 1
        t, size = self.grid.transform, self.grid.cell_size_m
        y, x = np.nonzero(used)
        lonlat = np.column_stack(self.grid.unproject(t.c + x * size, t.f - y * size))
        return lonlat[place[row, col]]

    def lonlat_centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude (WGS84) of the centres."""
        return self.grid.unproject(self.grid.x[self.col], self.grid.y[self.row])

    def frame(self) -> gpd.GeoDataFrame:
        """Return the table with one polygon per cell, in the CRS of the grid."""
        polygons = shapely.polygons(self.corners())
        return gpd.GeoDataFrame(self.table, geometry=polygons, crs=self.grid.crs)

    def _lattice(self) -> tuple[np.ndarray, np.ndarray]:
        return self.col[:, None] + _EAST, self.row[:, None] + _SOUTH
