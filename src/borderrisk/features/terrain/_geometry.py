"""Where pixels fall on the grid, and how large they are on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from affine import Affine
from pyproj import CRS, Geod, Transformer

from borderrisk.grid import WGS84, Grid, transformer

# Largest error of an interpolated position, in cells. Pixels that near a cell's edge may be
# counted next door.
_TOLERANCE = 1e-3
# At most the kernels' segment.
_STEPS = (64, 32, 16, 8, 4, 2, 1)
# Samples per cell and axis that large pixels are split into.
_SAMPLES_PER_CELL = 4
_MAX_SPLIT = 64


@dataclass(frozen=True, eq=False)
class PixelMap:
    """Positions of a window of pixels on a grid.

    ``transform`` takes the window's pixels (column, row) to units of ``crs``.
    """

    crs: CRS
    transform: Affine
    shape: tuple[int, int]
    grid: Grid

    @cached_property
    def _to_grid(self) -> Transformer:
        return transformer(self.crs, self.grid.crs)

    def exact(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Grid column and row (fractional) of every crossing of pixel-edge rows and columns."""
        t, g = self.transform, self.grid
        x = np.broadcast_to(t.c + cols * t.a, (rows.size, cols.size))
        y = np.broadcast_to((t.f + rows * t.e)[:, None], (rows.size, cols.size))
        gx, gy = self._to_grid.transform(x, y)
        return (
            (np.asarray(gx) - g.transform.c) / g.cell_size_m,
            (g.transform.f - np.asarray(gy)) / g.cell_size_m,
        )

    @cached_property
    def step(self) -> int:
        """Largest spacing of control points (pixels) at which bilinear positions hold."""
        return next((s for s in _STEPS if self._error(s) <= _TOLERANCE), 1)

    def _error(self, step: int) -> float:
        """Largest distance (cells) of interpolated from exact positions, mid control cells."""
        last_row, last_col = (max(n // step, 1) for n in self.shape)
        at = [np.unique(np.linspace(0, n - 1, 24).round()) for n in (last_row, last_col)]
        u00, v00 = self.exact(at[0] * step, at[1] * step)
        u01, v01 = self.exact(at[0] * step, (at[1] + 1) * step)
        u10, v10 = self.exact((at[0] + 1) * step, at[1] * step)
        u11, v11 = self.exact((at[0] + 1) * step, (at[1] + 1) * step)
        u, v = self.exact((at[0] + 0.5) * step, (at[1] + 0.5) * step)
        error = np.hypot((u00 + u01 + u10 + u11) / 4 - u, (v00 + v01 + v10 + v11) / 4 - v)
        return float(np.nan_to_num(error, nan=np.inf).max())

    @cached_property
    def _control_cols(self) -> np.ndarray:
        return np.arange(-(-self.shape[1] // self.step) + 1) * self.step

    def control(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Control points around the pixel rows ``first`` to ``last``: u, v, number of the first."""
        rows = np.arange(first // self.step, (last - 1) // self.step + 2)
        u, v = self.exact(rows * self.step, self._control_cols)
        return u, v, int(rows[0])

    @cached_property
    def cells_per_pixel(self) -> float:
        """Edge of a pixel in cells, the larger of both axes, mid window."""
        middle = np.array([self.shape[0] / 2, self.shape[0] / 2 + 1])
        centre = np.array([self.shape[1] / 2, self.shape[1] / 2 + 1])
        u, v = self.exact(middle, centre)
        across = np.hypot(u[0, 1] - u[0, 0], v[0, 1] - v[0, 0])
        down = np.hypot(u[1, 0] - u[0, 0], v[1, 0] - v[0, 0])
        return float(max(across, down))

    @cached_property
    def split(self) -> int:
        """Samples per pixel and axis: 1, more where a cell holds only a few pixels."""
        return int(np.clip(np.ceil(self.cells_per_pixel * _SAMPLES_PER_CELL), 1, _MAX_SPLIT))

    def ground_size(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Measure ground width and height of pixels, m: (rows, 1) or (rows, segments).

        From the ellipsoid: along parallel and meridian for a geographic raster; for a projected one
        at the control points, interpolated along the columns.
        """
        if self.crs.is_geographic:
            return self._geographic_size(np.arange(first, last) + 0.5)
        return self._projected_size(first, last)

    def _geographic_size(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, e2 = _ellipsoid(self.crs)
        unit = self.crs.axis_info[0].unit_conversion_factor
        phi = (self.transform.f + rows * self.transform.e) * unit
        w2 = 1 - e2 * np.sin(phi) ** 2
        dx = a / np.sqrt(w2) * np.cos(phi) * abs(self.transform.a) * unit
        dy = a * (1 - e2) / w2**1.5 * abs(self.transform.e) * unit
        return dx[:, None], dy[:, None]

    def _projected_size(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.arange(first // self.step, (last - 1) // self.step + 2) * self.step
        centre = (self._control_cols[:-1] + self._control_cols[1:]) / 2
        at = (np.arange(first, last) + 0.5 - rows[0]) / self.step
        low = at.astype(int)
        share = (at - low)[:, None]
        width, height = self._measured(rows, centre)
        return (
            (1 - share) * width[low] + share * width[low + 1],
            (1 - share) * height[low] + share * height[low + 1],
        )

    def _measured(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Geodesic length of one pixel step along each axis at some pixel positions."""
        a, e2 = _ellipsoid(self.crs)
        geod = Geod(a=a, es=e2)
        to_lonlat = transformer(self.crs, self.crs.geodetic_crs or WGS84)
        c, r = np.meshgrid(cols, rows)

        def length(dc: float, dr: float) -> np.ndarray:
            ends = [
                to_lonlat.transform(*(self.transform @ (c + s * dc, r + s * dr))) for s in (-1, 1)
            ]
            return np.asarray(geod.inv(*ends[0], *ends[1])[2]).reshape(c.shape)

        return length(0.5, 0.0), length(0.0, 0.5)


def _ellipsoid(crs: CRS) -> tuple[float, float]:
    """Semi-major axis (metres) and squared eccentricity."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None:
        return _ellipsoid(WGS84)
    a, b = ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre
    return a, 1 - (b / a) ** 2


def window_over(
    crs: CRS, transform: Affine, shape: tuple[int, int], grid: Grid
) -> tuple[slice, slice]:
    """Rows and columns of a raster that may fall into a grid, cut to the raster; maybe empty."""
    to_raster = transformer(grid.crs, crs)
    west, south, east, north = to_raster.transform_bounds(*grid.bounds, densify_pts=101)
    left, top = ~transform @ (west, north)
    right, bottom = ~transform @ (east, south)
    rows = np.clip([np.floor(top) - 2, np.ceil(bottom) + 2], 0, shape[0]).astype(int)
    cols = np.clip([np.floor(left) - 2, np.ceil(right) + 2], 0, shape[1]).astype(int)
    return slice(int(rows[0]), int(rows[1])), slice(int(cols[0]), int(cols[1]))
