"""Terrain of each cell, in one streaming pass over the elevation raster."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import xarray as xr

from borderrisk.compute import available_workers
from borderrisk.errors import DataError
from borderrisk.features.catalogue import annotate
from borderrisk.features.terrain._pass import Plan, sum_apart, sum_rows
from borderrisk.features.terrain._raster import ElevationArray, RasterWindow, name_of
from borderrisk.features.terrain._sums import Sums
from borderrisk.grid import Grid

__all__ = ["ElevationArray", "RasterWindow", "terrain_features"]

log = logging.getLogger(__name__)

# Nothing on land is higher than Everest or lower than the Dead Sea shore.
_PLAUSIBLE_M = (-500.0, 8_900.0)


def terrain_features(
    source: RasterWindow,
    grid: Grid,
    *,
    tpi_radii_km: Sequence[float] = (10, 50),
    threads: int | None = None,
    window_rows: int | None = None,
    scheduler: str = "threads",
) -> xr.Dataset:
    """Terrain features of every cell.

    Every pixel whose centre lies in a cell counts for it; where a cell holds fewer than a few
    pixels, each pixel is sampled at several points of its area, so that no cell is left out
    between pixel centres. Slope and aspect follow Horn (1981), ruggedness is the mean TRI of
    Riley et al. (1999), curvature the negative Laplacian (Zevenbergen & Thorne 1987; ridges are
    positive), vector ruggedness one minus the length of the cell's mean surface normal, all with
    the pixel's size on the ellipsoid. Northness and eastness are the mean cosine and sine of the
    downhill direction, flat pixels counting as zero.

    Parameters
    ----------
    source : RasterWindow
        Elevation in metres, in any CRS.
    grid : Grid
        Cells to describe.
    tpi_radii_km : sequence of float
        Radii of the topographic position.
    threads : int, optional
        Threads to compute with; all processors by default. Results do not depend on it.
    window_rows : int, optional
        Rows of the raster held at a time; some million pixels by default. Results do not
        depend on it.
    scheduler : str
        ``threads`` reads and computes here; ``processes`` or the address of a Dask scheduler
        share bands of rows out (see :func:`borderrisk.compute.map_parallel`), with the same
        result. Files must then have the same path everywhere.

    Returns
    -------
    xarray.Dataset
        The catalogue's terrain features, float32; NaN where no elevation is known.

    Raises
    ------
    DataError
        If the raster does not touch the grid or holds no elevation there.
    """
    plan = Plan.of(source, grid)
    threads = threads or available_workers()
    if scheduler == "threads":
        rows, box = plan.pixels.shape[0], (0, 0, *grid.shape)
        sums = sum_rows(plan, 0, rows, box, threads=threads, window_rows=window_rows)
    else:
        sums = sum_apart(plan, scheduler, threads)
    return _dataset(plan, sums, tpi_radii_km)


def _dataset(plan: Plan, sums: Sums, tpi_radii_km: Sequence[float]) -> xr.Dataset:
    from borderrisk.features.terrain import _finish

    full = (plan.pixels.split / plan.pixels.cells_per_pixel) ** 2
    flat = _finish.cell_features(sums, plan.layout, full)
    arrays = {name: values.reshape(plan.grid.shape) for name, values in flat.items()}
    _check(plan, arrays)
    share = arrays.pop("terrain_valid_share")
    arrays |= _finish.topographic_position(plan.grid, arrays["elevation_mean"], share, tpi_radii_km)
    arrays["terrain_valid_share"] = share
    return annotate(
        plan.grid.dataset().assign(
            {name: (("y", "x"), values.astype(np.float32)) for name, values in arrays.items()}
        )
    )


def _check(plan: Plan, arrays: dict[str, np.ndarray]) -> None:
    """Refuse a raster without elevation, warn of implausible ones."""
    if np.isnan(arrays["elevation_mean"]).all():
        raise DataError(
            f"{name_of(plan.source)} holds no elevation in the study area: every pixel there is "
            "missing (nodata). Check that the file is complete and covers the region."
        )
    low, high = np.nanmin(arrays["elevation_min"]), np.nanmax(arrays["elevation_max"])
    if low < _PLAUSIBLE_M[0] or high > _PLAUSIBLE_M[1]:
        log.warning(
            "%s: elevations of %.0f to %.0f m are implausible; if it is in feet, set its units "
            "to ft; if these are voids, give their value as a bad value.",
            *(name_of(plan.source), low, high),
        )
