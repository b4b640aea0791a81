"""Terrain of each cell, in one streaming pass over the elevation raster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from borderrisk.compute import available_workers
from borderrisk.features.catalogue import annotate
from borderrisk.features.terrain._checks import (
    ElevationArray,
    RasterWindow,
    check_coverage,
    check_range,
    doubts,
    refuse_empty,
)
from borderrisk.features.terrain._pass import Plan, Sums, sum_rows
from borderrisk.grid import Grid

__all__ = ["ElevationArray", "RasterWindow", "check_coverage", "doubts", "terrain_features"]


def terrain_features(
    source: RasterWindow,
    grid: Grid,
    *,
    tpi_radii_km: Sequence[float] = (10, 50),
    threads: int | None = None,
    window_rows: int | None = None,
    needed: np.ndarray | None = None,
) -> xr.Dataset:
    """Return the catalogue's terrain features, float32; NaN where no elevation is known.

    Every pixel whose centre lies in a cell counts for it; where a cell holds fewer than a few
    pixels, each pixel is sampled at several points of its area, so that no cell is left out between
    pixel centres. Slope and aspect follow Horn (1981), ruggedness is the mean TRI of Riley et al.
    (1999), curvature the negative Laplacian (Zevenbergen & Thorne 1987; ridges are positive),
    vector ruggedness one minus the length of the cell's mean surface normal, all with the pixel's
    size on the ellipsoid. Northness and eastness are the mean cosine and sine of the downhill
    direction, flat pixels counting as zero.

    The source is in metres, in any CRS; the radii are those of the topographic position. Results
    depend neither on ``threads`` (default: all processors) nor on ``window_rows``, the rows of the
    raster held at a time (default: some million pixels). DataError if the raster does not touch the
    grid, holds no elevation there, or ends short of a cell of the mask ``needed``; without it,
    cells beyond the raster's edge are only warned of.
    """
    plan = Plan.of(source, grid)
    threads = threads or available_workers()
    rows, box = plan.pixels.shape[0], (0, 0, *grid.shape)
    sums = sum_rows(plan, 0, rows, box, threads=threads, window_rows=window_rows)
    refuse_empty(source, sums.acc[:, 0])
    ds = _dataset(plan, sums, tpi_radii_km)
    check_coverage(source, grid, ds["elevation_mean"].values, needed)
    check_range(source, ds["elevation_min"].values, ds["elevation_max"].values)
    return ds


def _dataset(plan: Plan, sums: Sums, tpi_radii_km: Sequence[float]) -> xr.Dataset:
    from borderrisk.features.terrain import _finish

    grid, full = plan.grid, (plan.pixels.split / plan.pixels.cells_per_pixel) ** 2
    flat = _finish.cell_features(sums, plan.layout, full)
    arrays = {name: values.reshape(grid.shape) for name, values in flat.items()}
    share = arrays.pop("terrain_valid_share")
    arrays = _finish.filled_slopes(arrays)
    arrays |= _finish.topographic_position(grid, arrays["elevation_mean"], share, tpi_radii_km)
    arrays["terrain_valid_share"] = share
    return annotate(
        grid.dataset().assign(
            {name: (("y", "x"), values.astype(np.float32)) for name, values in arrays.items()}
        )
    )
