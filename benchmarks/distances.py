"""Distances to the border and to settlements, per cell."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from benchmarks.dem import Size
from benchmarks.measure import Row, interleaved
from borderrisk.area import reproject
from borderrisk.features import proximity
from borderrisk.grid import WGS84

RAW = Path(__file__).parents[1] / "data" / "raw"
THRESHOLDS = (1_000, 10_000, 100_000)


def measure(sizes: Sequence[Size], repeats: int) -> list[Row]:
    """Both steps at each size."""
    return [row for size in sizes for row in _at(size, repeats)]


def _at(size: Size, repeats: int) -> list[Row]:
    grid = size.grid()
    table = gpd.read_file(RAW / "borders.geojson").query("country_a == 'IRN'")
    lines = {row.country_b: reproject(row.geometry, WGS84, grid.crs) for row in table.itertuples()}
    towns = pd.read_csv(RAW / "settlements.csv")
    x, y = grid.project(towns.longitude, towns.latitude)
    people = np.asarray(towns.population)
    home = shapely.box(*grid.bounds)
    steps = {
        "distance to three borders": lambda: proximity.border_features(grid, lines, home),
        "distance to settlements, population potential": lambda: proximity.settlement_features(
            grid, x, y, people, THRESHOLDS
        ),
    }
    seconds = interleaved(steps, repeats)
    note = f"{grid.size:,} cells"
    return [
        Row(name, size.name, statistics.median(values), note=note)
        for name, values in seconds.items()
    ]
