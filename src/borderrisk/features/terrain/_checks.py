"""Whether an elevation raster is the right one: the place, the coverage, the range."""

from __future__ import annotations

import logging
from typing import NoReturn

import numpy as np

from borderrisk.errors import DataError
from borderrisk.features.terrain._geometry import transformer
from borderrisk.features.terrain._raster import RasterWindow, name_of
from borderrisk.grid import Grid

log = logging.getLogger(__name__)

# No land is higher than Everest; below the Dead Sea it is a void or another unit.
PLAUSIBLE_M = (-500.0, 8_900.0)


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

    Parameters
    ----------
    source, grid
        Raster and cells.
    elevation : ndarray, shape (rows, columns), optional
        Mean elevation of the cells, NaN where missing; where it is not known yet every cell counts.
    needed : ndarray of bool, shape (rows, columns), optional
        Cells that must lie within the raster's bounds; voids inside it are allowed.
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
