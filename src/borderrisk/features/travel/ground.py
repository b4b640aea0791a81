"""The fine grid that travel is computed on: elevation, land, and where things lie on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from rasterio.enums import Resampling
from rasterio.features import rasterize
from rasterio.warp import reproject, transform_bounds
from scipy.ndimage import binary_opening
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import ConfigError, DataError
from borderrisk.features.terrain import RasterWindow
from borderrisk.features.travel.solver import Ground, Walking
from borderrisk.grid import Grid

# A dozen solves are held at a time: some 80 bytes per pixel in all.
MAX_PIXELS = 16_000_000
# The source is warped in blocks of rows of about so many of its pixels, some 100 MB at a time.
_WARP_PIXELS = 16_000_000
# A cell is 5 to 10 pixels wide: enough for the shape of borders and valleys, no more than needed.
_COARSEST, _FINEST = 5, 10
# No finer than this, metres: from 100 to 200 m the hours of 1 km cells move by half a percent.
_FINEST_M = 190.0


@dataclass(frozen=True, eq=False)
class FineTerrain:
    """What people walk over, on pixels several times finer than the cells.

    ``grid`` is an analysis grid refined; ``elevation`` in metres (float32, NaN where missing);
    ``barrier`` marks what cannot be crossed: sea, lakes, closed stretches. ``multiplier`` and
    ``road_kmh`` are as :class:`Ground` takes them.
    """

    grid: Grid
    elevation: np.ndarray
    barrier: np.ndarray | None = None
    multiplier: np.ndarray | None = None
    road_kmh: np.ndarray | None = None

    @classmethod
    def read(
        cls,
        source: RasterWindow,
        grid: Grid,
        *,
        land: BaseGeometry | None = None,
        factor: int | None = None,
    ) -> FineTerrain:
        """Warp an elevation raster to pixels of an analysis grid.

        A cell's edge has ``factor`` of them, by default :func:`pixels_per_cell`. All that is not
        ``land`` (polygons in grid metres) becomes a barrier.
        """
        fine = grid.refine(factor or pixels_per_cell(source, grid))
        barrier = None if land is None else ~mask_of(land, fine)
        return cls(fine, resample(source, fine), barrier)

    def closed(self, geometry: BaseGeometry) -> FineTerrain:
        """Return the terrain with lines or polygons (grid metres) that cannot be crossed."""
        shut = _touched(geometry, self.grid)
        return replace(self, barrier=shut if self.barrier is None else self.barrier | shut)

    def slowed(self, geometry: BaseGeometry, factor: float) -> FineTerrain:
        """Return the terrain with walking ``factor`` times as slow on a geometry (grid metres)."""
        if not factor > 0:
            raise ConfigError(f"A travel-time multiplier must be above 0 (got {factor:g}).")
        there = np.where(_touched(geometry, self.grid), np.float32(factor), np.float32(1))
        return replace(
            self, multiplier=there if self.multiplier is None else self.multiplier * there
        )

    def at_most(self, pixels: int, grid: Grid) -> FineTerrain:
        """Return the terrain averaged to fewer pixels, still a refinement of ``grid``.

        A pixel has the fastest of its roads, and is a barrier if half of it is or if it holds a
        part of a barrier narrower than itself, so that closed lines stay closed.
        """
        factor = self.grid.shape[0] // grid.shape[0]
        fits = [f for f in _divisors(factor) if self.grid.size / f**2 <= pixels]
        by = fits[0] if fits else factor
        if by == 1:
            return self
        fine = grid.refine(factor // by)

        def mean(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else block_mean(values, fine).astype(np.float32)

        barrier = None if self.barrier is None else _coarser_barrier(self.barrier, fine, by)
        road = None if self.road_kmh is None else _block_max(self.road_kmh, fine)
        elevation = block_mean(self.elevation, fine).astype(np.float32)
        return FineTerrain(fine, elevation, barrier, mean(self.multiplier), road)

    def ground(self, walking: Walking | None = None) -> Ground:
        """Return the terrain made ready for solves."""
        return Ground(
            self.elevation,
            self.grid.cell_size_m,
            walking,
            barrier=self.barrier,
            multiplier=self.multiplier,
            road_kmh=self.road_kmh,
        )


def pixels_per_cell(source: RasterWindow, grid: Grid) -> int:
    """Pixels along the edge of a cell: 5 to 10, near the source's resolution or 190 m."""
    return pixels_along(grid.cell_size_m, grid.size, pixel_size_m(source))


def pixels_along(cell_size_m: float, cells: float, pixel_m: float) -> int:
    """Pixels along the edge of each of so many cells, from elevation of so large pixels."""
    factor = int(np.clip(round(cell_size_m / max(pixel_m, _FINEST_M)), _COARSEST, _FINEST))
    return max(1, min(factor, int(np.sqrt(MAX_PIXELS / cells))))


def resample(source: RasterWindow, grid: Grid) -> np.ndarray:
    """Return the elevation on the cells of a grid, float32, NaN where the source has none.

    Cells larger than the source's pixels take their average, smaller ones interpolate between them
    (bilinear). DataError if the source does not touch the grid.
    """
    rows, cols = _window(source, grid)
    if rows.start >= rows.stop or cols.start >= cols.stop:
        raise DataError(
            f"The elevation raster covers {_box(source)} ({source.crs.name}) and does not touch "
            "the grid; check the elevation file and the study area."
        )
    out = np.full(grid.shape, np.nan, np.float32)
    pixels = (rows.stop - rows.start) * (cols.stop - cols.start)
    blocks = max(1, -(-pixels // _WARP_PIXELS))
    height = -(-grid.shape[0] // blocks)
    for first in range(0, grid.shape[0], height):
        part = out[first : first + height]
        t = grid.transform @ grid.transform.translation(0, first)
        _warp(source, Grid(grid.crs, t, (part.shape[0], part.shape[1])), part)
    return out


def _warp(source: RasterWindow, grid: Grid, out: np.ndarray) -> None:
    """Fill ``out`` with the elevation on some rows of a grid; leave what the source lacks."""
    rows, cols = _window(source, grid)
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return
    t = source.transform
    finer = pixel_size_m(source) < grid.cell_size_m / 1.5
    reproject(
        source.read(rows, cols),
        out,
        src_transform=t @ t.translation(cols.start, rows.start),
        src_crs=source.crs.to_wkt(),
        src_nodata=np.nan,
        dst_transform=grid.transform,
        dst_crs=grid.crs.to_wkt(),
        dst_nodata=np.nan,
        resampling=Resampling.average if finer else Resampling.bilinear,
        num_threads=2,
    )


def _window(source: RasterWindow, grid: Grid) -> tuple[slice, slice]:
    """Rows and columns of the source under the grid, two pixels wider."""
    west, south, east, north = transform_bounds(
        grid.crs.to_wkt(), source.crs.to_wkt(), *grid.bounds, densify_pts=101
    )
    t, (rows, cols) = source.transform, source.shape
    first_col, last_col = (west - t.c) / t.a - 2, (east - t.c) / t.a + 2
    first_row, last_row = (north - t.f) / t.e - 2, (south - t.f) / t.e + 2
    row = np.clip([np.floor(first_row), np.ceil(last_row)], 0, rows).astype(int)
    col = np.clip([np.floor(first_col), np.ceil(last_col)], 0, cols).astype(int)
    return slice(int(row[0]), int(row[1])), slice(int(col[0]), int(col[1]))


def pixel_size_m(source: RasterWindow) -> float:
    """Height of a pixel in metres."""
    size = abs(source.transform.e)
    return size * 111_320 if source.crs.is_geographic else size


def _box(source: RasterWindow) -> str:
    return ", ".join(f"{value:g}" for value in source.bounds)


def mask_of(geometry: BaseGeometry, grid: Grid) -> np.ndarray:
    """Cells whose centre lies in a polygon (grid metres)."""
    if geometry.is_empty:
        return np.zeros(grid.shape, bool)
    return rasterize([geometry], grid.shape, transform=grid.transform, dtype="uint8") == 1


def _touched(geometry: BaseGeometry, grid: Grid) -> np.ndarray:
    """Mask of the cells that a geometry (grid metres) touches."""
    if geometry.is_empty:
        return np.zeros(grid.shape, bool)
    burned = rasterize(
        [geometry], grid.shape, transform=grid.transform, all_touched=True, dtype="uint8"
    )
    return burned == 1


def cells_of_lines(lines: BaseGeometry, grid: Grid) -> np.ndarray:
    """Mask of the cells that lines (grid metres) run through."""
    return _touched(lines, grid)


def cells_of_points(
    x: np.ndarray, y: np.ndarray, grid: Grid, passable: np.ndarray | None = None
) -> np.ndarray:
    """Flat cell index of points in grid metres; −1 outside the grid.

    A point on an impassable cell moves to a passable one beside it, if there is one: towns on a
    coast or a lake shore may fall on the wrong side of a pixel.
    """
    row, col = grid.rowcol(np.atleast_1d(x), np.atleast_1d(y))
    cells = np.where(row >= 0, row * grid.shape[1] + col, -1)
    if passable is None:
        return cells
    for i in np.flatnonzero(cells >= 0):
        if not passable[row[i], col[i]]:
            cells[i] = _beside(int(row[i]), int(col[i]), passable)
    return cells


def _beside(row: int, col: int, passable: np.ndarray) -> int:
    top, left = max(row - 2, 0), max(col - 2, 0)
    rows, cols = np.nonzero(passable[top : row + 3, left : col + 3])
    if not len(rows):
        return -1
    nearest = int(np.argmin((rows + top - row) ** 2 + (cols + left - col) ** 2))
    return int((rows[nearest] + top) * passable.shape[1] + cols[nearest] + left)


def target_cell(
    name: str, lonlat: tuple[float, float], fine: FineTerrain, open_: np.ndarray
) -> int:
    """Flat cell index of a named target; ConfigError where nobody can walk."""
    x, y = fine.grid.project(*lonlat)
    lon, lat = lonlat
    row, _ = fine.grid.rowcol(x, y)
    if row < 0:
        raise ConfigError(
            f"Target {name} ({lon:g} E, {lat:g} N) lies outside the grid; take it out of "
            "features.travel.targets or widen study_area.halo_km."
        )
    cell = int(cells_of_points(x, y, fine.grid, open_)[0])
    if cell < 0:
        raise ConfigError(
            f"Target {name} ({lon:g} E, {lat:g} N) lies in water, on ground that is closed "
            "(barriers, features.travel.blocked_above_m) or where elevation is missing; check its "
            "order (longitude first) and position."
        )
    return cell


def block_mean(values: np.ndarray, grid: Grid) -> np.ndarray:
    """Mean in each cell of the finite values on a refinement of ``grid``; NaN without any."""
    rows, cols = grid.shape
    k = values.shape[0] // rows
    blocks = values.reshape(rows, k, cols, k)
    finite = np.isfinite(blocks)
    total = np.where(finite, blocks, 0).sum(axis=(1, 3), dtype=np.float64)
    count = finite.sum(axis=(1, 3))
    return np.divide(total, count, out=np.full(grid.shape, np.nan), where=count > 0)


def _coarser_barrier(barrier: np.ndarray, grid: Grid, by: int) -> np.ndarray:
    lines = barrier & ~binary_opening(barrier, np.ones((by, by)))
    return (block_mean(barrier, grid) >= 0.5) | (_block_max(lines.astype(float), grid) > 0)


def _block_max(values: np.ndarray, grid: Grid) -> np.ndarray:
    rows, cols = grid.shape
    k = values.shape[0] // rows
    return np.nan_to_num(values).reshape(rows, k, cols, k).max(axis=(1, 3))


def _divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]
