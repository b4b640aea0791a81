"""Concealment: what is hidden from places, roads and posts, and how enclosed the terrain is."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr

from borderrisk.errors import ConfigError
from borderrisk.features import _loops
from borderrisk.features.catalogue import annotate
from borderrisk.features.travel.ground import FineTerrain, block_mean
from borderrisk.features.travel.solver import in_row_blocks
from borderrisk.grid import Grid

RADIUS_KM = 20.0
OBSERVER_HEIGHT_M = 2.0
# A person standing.
TARGET_HEIGHT_M = 1.7
ENCLOSURE_RADIUS_KM = 10.0
# People on a road look around at this spacing.
ROAD_SPACING_KM = 2.0
_SAMPLES_PER_CELL = 5


def concealment_features(
    grid: Grid,
    fine: FineTerrain,
    settlements: gpd.GeoDataFrame,
    posts: gpd.GeoDataFrame | None = None,
    *,
    roads: gpd.GeoDataFrame | None = None,
    radius_km: float = RADIUS_KM,
    observer_height_m: float = OBSERVER_HEIGHT_M,
) -> xr.Dataset:
    """Return the share of each cell hidden from settlements, roads and posts, and its enclosure.

    Settlements and posts are WGS84 points; along roads, WGS84 lines, there is an observer every two
    kilometres. ``hidden_share`` is 1 where no observer is within the radius; it and ``enclosure``
    are NaN where no elevation is known. ConfigError if the radius is not positive or the height
    negative.
    """
    _check(radius_km, observer_height_m)
    along = None if roads is None else points_along(roads, fine.grid)
    rows, cols = _pixels(fine.grid, settlements, posts, along)
    seen = visible(fine.elevation, fine.grid.cell_size_m, rows, cols, radius_km, observer_height_m)
    hidden = np.where(np.isfinite(fine.elevation), ~seen, np.nan)
    arrays = {
        "hidden_share": block_mean(hidden, grid),
        "enclosure": block_mean(enclosure(fine, grid), grid),
    }
    return annotate(
        grid.dataset().assign(
            {name: (("y", "x"), values.astype("float32")) for name, values in arrays.items()}
        )
    )


def visible(
    elevation: np.ndarray,
    cell_size_m: float,
    rows: np.ndarray,
    cols: np.ndarray,
    radius_km: float = RADIUS_KM,
    observer_height_m: float = OBSERVER_HEIGHT_M,
    target_height_m: float = TARGET_HEIGHT_M,
) -> np.ndarray:
    """Mark cells in sight of an observer, on a curved Earth with standard refraction.

    ``elevation`` is in metres, NaN where missing; heights are above the ground. Observers, at cells
    ``rows`` and ``cols``, see nothing where there is no elevation (Franklin & Ray 1994, Higher
    isn't necessarily better: visibility algorithms and experiments).
    """
    z = np.ascontiguousarray(elevation, dtype=np.float32)
    seen = np.zeros(z.shape, bool)
    radius = max(1, round(radius_km * 1000 / cell_size_m))
    known = np.isfinite(z[rows, cols])

    def look(row: int, col: int) -> None:
        _loops.mark_visible(
            z, cell_size_m, row, col, radius, observer_height_m, target_height_m, seen
        )

    # threads only ever set cells to seen, so their order does not matter
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(look, rows[known], cols[known]))
    return seen


def enclosure(fine: FineTerrain, grid: Grid, radius_km: float = ENCLOSURE_RADIUS_KM) -> np.ndarray:
    """Return the mean angle of the horizon in 8 directions: 90° less the positive openness.

    Degrees, float32, at about 25 sample points per cell, on a refinement of ``grid`` as ``fine``
    is; positive in hollows, negative on peaks. The horizon lies within the radius (Yokoyama,
    Shirasawa & Pike 2002, Photogramm. Eng. Remote Sens. 68(3)).
    """
    factor = fine.grid.shape[0] // grid.shape[0]
    wanted = max(1, factor // _SAMPLES_PER_CELL)
    stride = next(s for s in range(wanted, 0, -1) if factor % s == 0)
    size = fine.grid.cell_size_m
    distances = _spaced(max(1, int(radius_km * 1000 / size)))
    z = np.ascontiguousarray(fine.elevation, dtype=np.float32)
    out = np.empty((z.shape[0] // stride, z.shape[1] // stride), np.float32)

    def rows(first: int, last: int) -> None:
        _loops.horizon_angles(z, size, distances, stride, first, last, out)

    in_row_blocks(rows, out.shape[0])
    return out


def _spaced(reach: int) -> np.ndarray:
    """Distances in pixels that grow by about a third: 1, 2, 3, 4, 6, 8, 12, 16, ..."""
    powers = 2 ** np.arange(int(np.log2(reach)) + 1)
    both = np.union1d(powers, powers[1:] * 3 // 2)
    return both[both <= reach].astype(np.int64)


def points_along(roads: gpd.GeoDataFrame, grid: Grid) -> gpd.GeoDataFrame:
    """WGS84 points along lines, at most two kilometres apart."""
    lines = shapely.get_parts(roads.geometry.to_crs(grid.crs).to_numpy())
    dense = shapely.segmentize(lines[shapely.length(lines) > 0], ROAD_SPACING_KM * 1000)
    points = shapely.points(shapely.get_coordinates(dense))
    return gpd.GeoDataFrame(geometry=gpd.GeoSeries(points, crs=grid.crs).to_crs(4326))


def _pixels(grid: Grid, *observers: gpd.GeoDataFrame | None) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pixels of the observers on the grid."""
    layers = [layer for layer in observers if layer is not None and len(layer)]
    lon = np.concatenate([layer.geometry.x for layer in layers]) if layers else np.empty(0)
    lat = np.concatenate([layer.geometry.y for layer in layers]) if layers else np.empty(0)
    row, col = grid.rowcol(*grid.project(lon, lat))
    cells = np.unique(row[row >= 0] * grid.shape[1] + col[row >= 0])
    return cells // grid.shape[1], cells % grid.shape[1]


def _check(radius_km: float, observer_height_m: float) -> None:
    if not (np.isfinite(radius_km) and radius_km > 0):
        raise ConfigError(f"concealment.radius_km must be a positive distance (got {radius_km:g}).")
    if not (np.isfinite(observer_height_m) and observer_height_m >= 0):
        raise ConfigError(
            f"concealment.observer_height_m must not be negative (got {observer_height_m:g})."
        )
