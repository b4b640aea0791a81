"""Points a user supplies, such as posts: CSV with latitude and longitude, or a vector file."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.errors import DataError
from borderrisk.grid import WGS84
from borderrisk.sources.csvfile import read_text_table
from borderrisk.sources.vectors import VECTOR_SUFFIXES, check_kind, read_vector

LATITUDE_NAMES = ("latitude", "lat", "y")
LONGITUDE_NAMES = ("longitude", "lon", "long", "lng", "x")


def read_points(path: str | Path, what: str = "posts") -> gpd.GeoDataFrame:
    """Return named points.

    Parameters
    ----------
    path : str or Path
        CSV with latitude and longitude columns, or GeoJSON, GeoPackage and the like with points.
        A ``name`` column is used where there is one.
    what : str
        Role of the file in messages.

    Returns
    -------
    geopandas.GeoDataFrame
        ``name`` (empty where unknown), ``geometry``, WGS84.

    Raises
    ------
    DataError
        If a position is missing or impossible, or a geometry is not a point.
    """
    if Path(path).suffix.lower() in VECTOR_SUFFIXES:
        frame = read_vector(path, what)
        labels = [f"feature {number}" for number in range(1, len(frame) + 1)]
        check_kind(frame, ("Point",), labels, f"{what}: {path}")
        return _named(frame, frame.geometry)
    table = read_text_table(path, what)
    lat = _coordinate(table, LATITUDE_NAMES, 90, f"{what}: {path}")
    lon = _coordinate(table, LONGITUDE_NAMES, 180, f"{what}: {path}")
    return _named(table, gpd.GeoSeries(gpd.points_from_xy(lon, lat), crs=WGS84))


def _named(table: pd.DataFrame, points: gpd.GeoSeries) -> gpd.GeoDataFrame:
    by_lower = {str(column).lower(): column for column in table.columns}
    names = table[by_lower["name"]].fillna("").astype(str) if "name" in by_lower else ""
    frame = pd.DataFrame({"name": names}, index=table.index).reset_index(drop=True)
    return gpd.GeoDataFrame(frame, geometry=points.to_numpy(), crs=WGS84)


def _coordinate(
    table: pd.DataFrame, names: tuple[str, ...], limit: float, where: str
) -> np.ndarray:
    by_lower = {str(column).lower(): str(column) for column in table.columns}
    found = [by_lower[name] for name in names if name in by_lower]
    if not found:
        raise DataError(
            f"{where} has no column {' or '.join(names)} (it has: {', '.join(by_lower.values())})."
        )
    values = pd.to_numeric(table[found[0]], errors="coerce")
    wrong = ~np.asarray(values.between(-limit, limit))
    if wrong.any():
        row = table.index[wrong][0]
        raise DataError(
            f"{where}, row {row}: {found[0]} is {table.loc[row, found[0]]!r}; "
            f"expected degrees from {-limit:g} to {limit:g}."
        )
    return values.to_numpy(dtype=float)
