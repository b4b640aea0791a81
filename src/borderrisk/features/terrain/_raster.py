"""What the terrain pass reads from: any raster that gives windows of metres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from affine import Affine
from pyproj import CRS


class RasterWindow(Protocol):
    """A north-up elevation raster read window by window.

    Attributes
    ----------
    crs : pyproj.CRS
        Geographic or projected.
    transform : affine.Affine
        Pixel (column, row) to CRS units, x first; no rotation, rows run north to south.
    shape : tuple of int
        ``(rows, columns)``.
    bounds : tuple of float
        ``(west, south, east, north)`` in CRS units.
    """

    @property
    def crs(self) -> CRS: ...

    @property
    def transform(self) -> Affine: ...

    @property
    def shape(self) -> tuple[int, int]: ...

    @property
    def bounds(self) -> tuple[float, float, float, float]: ...

    def read(self, rows: slice, cols: slice) -> np.ndarray:
        """Elevation of a window, float32 metres, NaN where missing."""
        ...


@dataclass(frozen=True, eq=False)
class ElevationArray:
    """An elevation raster held in memory.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        Metres, NaN where missing.
    transform : affine.Affine
        Pixel to CRS units, north-up.
    crs : pyproj.CRS
        Geographic or projected.
    name : str
        How messages call it.
    """

    values: np.ndarray = field(repr=False)
    transform: Affine
    crs: CRS
    name: str = "the elevation array"

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)``."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``(west, south, east, north)`` in CRS units."""
        t, (rows, cols) = self.transform, self.shape
        return (t.c, t.f + rows * t.e, t.c + cols * t.a, t.f)

    def read(self, rows: slice, cols: slice) -> np.ndarray:
        """Elevation of a window, float32 metres, NaN where missing."""
        return self.values[rows, cols].astype(np.float32)


def name_of(source: RasterWindow) -> str:
    """Return what messages call a source."""
    return str(getattr(source, "name", "the elevation raster"))
