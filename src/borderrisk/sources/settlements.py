"""Populated places: a CSV table with name, position, population and country."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.errors import DataError
from borderrisk.grid import WGS84
from borderrisk.sources.csvfile import read_header, read_text_table
from borderrisk.sources.files import did_you_mean

REQUIRED = ("name", "latitude", "longitude", "population", "country")
OPTIONAL = ("name_fa",)


def check_settlements_header(path: str | Path) -> None:
    """Raise ``DataError`` if the file is missing or lacks a column."""
    header = read_header(path, "settlements")
    for name in REQUIRED:
        if name not in header:
            raise DataError(
                f"settlements: {path} has no column {name}.{did_you_mean(name, header)}"
            )


def read_settlements(path: str | Path) -> gpd.GeoDataFrame:
    """Return places as points.

    Parameters
    ----------
    path : str or Path
        CSV with ``name, latitude, longitude, population, country`` (ISO 3166-1 alpha-3) and, where
        known, ``name_fa``. A blank population counts as 0.

    Returns
    -------
    geopandas.GeoDataFrame
        ``name, name_fa, country, population, geometry``, WGS84.

    Raises
    ------
    DataError
        If a column is missing or a number cannot be read or is out of range.
    """
    check_settlements_header(path)
    table = read_text_table(path, "settlements", wanted=lambda c: c in (*REQUIRED, *OPTIONAL))
    latitude = _numbers(table["latitude"], path, -90, 90)
    longitude = _numbers(table["longitude"], path, -180, 180)
    population = _numbers(table["population"].replace("", "0"), path, 0, 1e9)
    columns = {
        "name": table["name"],
        "name_fa": table.get("name_fa", ""),
        "country": table["country"],
        "population": population.round().astype("int64"),
    }
    frame = pd.DataFrame(columns).reset_index(drop=True)
    points = gpd.points_from_xy(longitude.to_numpy(), latitude.to_numpy())
    return gpd.GeoDataFrame(frame, geometry=points, crs=WGS84)


def _numbers(column: pd.Series, path: str | Path, low: float, high: float) -> pd.Series:
    values = pd.to_numeric(column, errors="coerce")
    wrong = ~np.asarray(values.between(low, high))
    if wrong.any():
        row = column.index[wrong][0]
        raise DataError(
            f"settlements: {path}, row {row}: {column.name} is {column[row]!r}; "
            f"expected a number from {low:g} to {high:g}."
        )
    return values.astype(float)
