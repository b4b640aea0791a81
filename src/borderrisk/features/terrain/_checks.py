"""The raster a terrain pass reads, and whether it is the right one: place, coverage, range."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import numpy as np
from affine import Affine
from pyproj import CRS

from borderrisk.errors import DataError
from borderrisk.grid import Grid, transformer

log = logging.getLogger(__name__)

# No land is higher than Everest; below the Dead Sea it is a void or another unit.
PLAUSIBLE_M = (-500.0, 8_900.0)
# What a sample of pixels is judged by. Of elevation, neighbours differ by up to a tenth or so of
# what any two pixels do.
_WINDOWS, _WINDOW_SIZE = 8, 64
_ROUGH = 0.12
_FAR_FROM_0_M = 50.0
# Cells as long as a pixel, or half as long, still differ in their ground.
_CELLS_ALONG_PIXEL = 2.0


class RasterWindow(Protocol):
    """A north-up elevation raster read window by window, in a geographic or projected CRS.

    ``transform`` takes pixels (column, row) to CRS units, x first, without rotation; ``shape`` is
    (rows, columns), rows from north to south; ``bounds`` are west, south, east, north in CRS units.
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
    """A north-up elevation raster held in memory: metres, NaN where missing.

    ``transform`` takes pixels to units of the CRS, geographic or projected; messages use ``name``.
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


def refuse_elsewhere(source: RasterWindow, grid: Grid) -> NoReturn:
    """Raise the error for a raster that does not touch the grid."""
    west, south, east, north = source.bounds
    to_raster = transformer(grid.crs, source.crs)
    x0, y0, x1, y1 = to_raster.transform_bounds(*grid.bounds, densify_pts=21)
    swapped = west < y1 and east > y0 and south < x1 and north > x0
    advice = (
        "its axes look swapped: re-create it with x = longitude, y = latitude"
        if swapped
        else "give the elevation of the region"
    )
    raise DataError(
        f"{name_of(source)} does not cover the study area at all (100 % of it lies outside): the "
        f"raster spans x {west:g} to {east:g}, y {south:g} to {north:g}, the area x {x0:g} to "
        f"{x1:g}, y {y0:g} to {y1:g} in {source.crs.name}; {advice}."
    )


def refuse_empty(source: RasterWindow, counts: np.ndarray) -> None:
    """Refuse a raster without a single elevation in the grid; ``counts`` per cell."""
    if not counts.any():
        raise DataError(
            f"{name_of(source)} holds no elevation in the study area: every pixel there is "
            "missing (nodata). Check that the file is complete and covers the region."
        )


def check_coverage(
    source: RasterWindow,
    grid: Grid,
    elevation: np.ndarray | None = None,
    needed: np.ndarray | None = None,
) -> None:
    """Refuse a raster that ends short of cells that are needed, warn if it does of others.

    Cells of the mask ``needed`` must lie within the raster's bounds; voids inside it are allowed.
    ``elevation`` is the mean of each cell, NaN where missing; before it is known every cell counts.
    """
    wanted = np.ones(grid.shape, bool) if needed is None else needed
    missing = wanted if elevation is None else np.isnan(elevation) & wanted
    outside = _outside(source, grid, missing)
    if not outside:
        return
    share = 100 * outside / wanted.sum()
    west, south, east, north = source.bounds
    span = f"x {west:g} to {east:g}, y {south:g} to {north:g} in {source.crs.name}"
    if needed is not None:
        raise DataError(
            f"{name_of(source)} does not cover {share:.3g} % of the study area: it spans {span}. "
            "Give elevation of the whole region, or make the study area smaller."
        )
    log.warning(
        "%s does not cover %.3g %% of the area: it spans %s; elevation is missing there.",
        *(name_of(source), share, span),
    )


def _outside(source: RasterWindow, grid: Grid, cells: np.ndarray) -> int:
    """Count the cells whose centre lies outside the raster's bounds."""
    if not cells.any():
        return 0
    rows, cols = np.nonzero(cells)
    to_raster = transformer(grid.crs, source.crs)
    x, y = to_raster.transform(grid.x[cols], grid.y[rows])
    west, south, east, north = source.bounds
    return int((~((x >= west) & (x <= east) & (y >= south) & (y <= north))).sum())


def check_range(source: RasterWindow, low: np.ndarray, high: np.ndarray) -> None:
    """Warn of elevations that no place has."""
    lowest, highest = float(np.nanmin(low)), float(np.nanmax(high))
    if lowest < PLAUSIBLE_M[0] or highest > PLAUSIBLE_M[1]:
        log.warning(
            "%s: elevations of %.0f to %.0f m are implausible; if it is in feet, set its units "
            "to ft; if these are voids, give their value as a bad value.",
            *(name_of(source), lowest, highest),
        )


def doubts(source: RasterWindow, grid: Grid) -> list[str]:
    """Say why a raster may be no elevation, from a sample of the pixels that the grid lies on."""
    sample = [source.read(rows, cols).astype(float) for rows, cols in _spread(source, grid)]
    values = np.concatenate([np.empty(0), *(part.ravel() for part in sample)])
    values = values[np.isfinite(values)]
    if values.size < 2:
        return []
    low, high, found = float(values.min()), float(values.max()), _coarse(source, grid)
    if low == high:
        return [*found, f"flat: it has the same value everywhere, {low:g} m"]
    if np.unique(values).size <= 3:
        found.append(f"only {np.unique(values).size} values, {low:g} to {high:g}: a mask?")
    elif low >= -360 and high <= 360 and _roughness(sample) > _ROUGH:
        found.append(
            f"values of {low:g} to {high:g} that jump from pixel to pixel: it looks like a "
            "hillshade, slope or aspect, not elevation"
        )
    zeros, others = (values == 0).mean(), values[values != 0]
    if zeros > 0.005 and np.percentile(np.abs(others), 1) > _FAR_FROM_0_M:
        found.append(
            f"{zeros:.1%} of the pixels are exactly 0 m, all others far from it: voids? If so, set "
            "data.elevation.bad_values: [0]"
        )
    return found


def _coarse(source: RasterWindow, grid: Grid) -> list[str]:
    """Say that many cells lie on one pixel, whose ground they then share."""
    (top, bottom), (left, right) = _span(source, grid)
    along = (grid.shape[0] * grid.shape[1] / max((bottom - top) * (right - left), 1e-9)) ** 0.5
    if along <= _CELLS_ALONG_PIXEL:
        return []
    km = grid.cell_size_m / 1000
    return [
        f"its pixels are {along * km:.2g} km wide and cells {km:.2g} km: terrain is the same in "
        "neighbouring cells; give finer elevation, or a larger grid.cell_size_m"
    ]


def _span(source: RasterWindow, grid: Grid) -> tuple[tuple[float, float], tuple[float, float]]:
    """Rows and columns of a raster, from and to, that a grid lies on."""
    to_raster = transformer(grid.crs, source.crs)
    west, south, east, north = to_raster.transform_bounds(*grid.bounds, densify_pts=21)
    left, top = ~source.transform @ (west, north)
    right, bottom = ~source.transform @ (east, south)
    return (top, bottom), (left, right)


def _spread(source: RasterWindow, grid: Grid) -> list[tuple[slice, slice]]:
    """Windows spread over the pixels that a grid lies on, all of them if they are few."""
    axes = []
    for (low, high), size in zip(_span(source, grid), source.shape, strict=True):
        start, stop = np.clip([int(low), int(high) + 1], 0, size)
        if stop - start <= _WINDOWS * _WINDOW_SIZE:
            axes.append([slice(start, stop)] if stop > start else [])
            continue
        starts = np.linspace(start, stop - _WINDOW_SIZE, _WINDOWS).astype(int)
        axes.append([slice(int(first), int(first) + _WINDOW_SIZE) for first in starts])
    return [(rows, cols) for rows in axes[0] for cols in axes[1]]


def _roughness(sample: list[np.ndarray]) -> float:
    """How much neighbours differ, as a share of how much any two pixels differ."""
    steps = [np.diff(part, axis=axis).ravel() for part in sample for axis in (0, 1)]
    every = np.concatenate([part.ravel() for part in sample])
    return float(np.nanmean(np.concatenate(steps) ** 2) / (2 * np.nanvar(every)))
