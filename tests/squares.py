"""Square worlds between two borders, with incidents in clusters or evenly scattered."""

import geopandas as gpd
import numpy as np
import pandas as pd
from affine import Affine

from borderrisk.grid import Grid, laea_crs
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel

ORIGIN = pd.Timestamp("2020-01-01")
SIDE, CELL = 30, 10.0
DISTANCES = ("border_distance_aaa_km", "border_distance_bbb_km")


def make_cells(seed=0, exposure=None):
    """30 x 30 cells of 10 km: border A along the west edge, border B along the east edge."""
    grid = Grid(
        laea_crs(60, 31),
        Affine(CELL * 1000, 0, -SIDE * CELL * 500, 0, -CELL * 1000, SIDE * CELL * 500),
        (SIDE, SIDE),
    )
    x, y = (axis.ravel() / 1000 for axis in grid.centres())
    west, east = x - x.min() + CELL / 2, x.max() - x + CELL / 2
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "elevation_mean": rng.normal(size=SIDE**2),
            "border_distance_km": np.minimum(west, east),
            "border_distance_aaa_km": west,
            "border_distance_bbb_km": east,
            "x_km": x,
            "y_km": y,
        }
    )
    area = np.full(SIDE**2, CELL**2 / 100)
    exposure = np.ones(SIDE**2) if exposure is None else exposure
    return CellTable(grid, np.ones(grid.shape, bool), table, area, exposure)


def make_panel(cells, x, y, radius=5.0, seed=0):
    """Incidents at grid km, dated evenly over ten years in a random order."""
    lon, lat = cells.grid.unproject(np.asarray(x) * 1000, np.asarray(y) * 1000)
    days = np.random.default_rng(seed).permutation(np.linspace(0, 3600, len(lon)).astype(int))
    date = pd.Timestamp("2010-01-01") + pd.to_timedelta(days, unit="D")
    table = {
        "incident_id": [f"i{k}" for k in range(len(lon))],
        "date": date,
        "date_end": date,
        "radius_km": np.broadcast_to(float(radius), len(lon)) if np.isscalar(radius) else radius,
        "weight": 1.0,
    }
    points = gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(lon, lat), crs=4326)
    return Panel.build(points, cells.grid, cells.mask.astype(float))


def clustered(cells, parents, each, sigma, seed):
    """Thomas process: children around parents, inside the grid."""
    rng = np.random.default_rng(seed)
    half = SIDE * CELL / 2
    centre = np.repeat(rng.uniform(-half * 0.9, half * 0.9, (parents, 2)), each, axis=0)
    xy = centre + rng.normal(scale=sigma, size=centre.shape)
    xy = xy[(np.abs(xy) < half - 1).all(axis=1)]
    return make_panel(cells, xy[:, 0], xy[:, 1], 2.0, seed)


def scattered(cells, n, seed, radius=5.0):
    half = SIDE * CELL / 2 - 1
    x, y = np.random.default_rng(seed).uniform(-half, half, (2, n))
    return make_panel(cells, x, y, radius, seed)
