"""Border lines: one row per pair of countries, the home country first."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import geopandas as gpd
import shapely
from shapely.geometry import MultiLineString
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import DataError
from borderrisk.sources.vectors import check_kind, find_column, read_vector

Bounds = tuple[float, float, float, float]


def read_all_borders(path: str | Path) -> gpd.GeoDataFrame:
    """Return every border of the file.

    Returns
    -------
    geopandas.GeoDataFrame
        ``pair, country_a, country_b, geometry`` (lines), WGS84.

    Raises
    ------
    DataError
        If a geometry is empty, no line, or not in degrees.
    """
    where = f"borders: {path}"
    frame = read_vector(path, "borders")
    pair = frame[find_column(frame, ("pair",), where)].astype(str)
    check_kind(frame, ("LineString", "MultiLineString"), pair, where)
    codes = pair.str.split("-", expand=True)
    if codes.shape[1] != 2 or codes.isna().any(axis=None):
        raise DataError(f"{where}: pair must join two country codes, as in IRN-AFG.")
    columns = {"pair": pair, "country_a": codes[0], "country_b": codes[1]}
    return gpd.GeoDataFrame(columns, geometry=frame.geometry, crs=frame.crs)


def read_borders(
    path: str | Path,
    home: str,
    neighbours: Iterable[str],
    window: Bounds | None = None,
) -> gpd.GeoDataFrame:
    """Return the home country's borders with the given neighbours.

    Parameters
    ----------
    path : str or Path
        Vector file with a ``pair`` column; pairs may be written either way round.
    home : str
        ISO 3166-1 alpha-3 code.
    neighbours : iterable of str
        Codes, in the order of the result.
    window : tuple of float, optional
        ``(west, south, east, north)`` in degrees; lines are cut to it, and pairs entirely outside
        are left out.

    Returns
    -------
    geopandas.GeoDataFrame
        ``pair`` ("IRN-AFG"), ``country_a`` (home), ``country_b``, ``geometry``.

    Raises
    ------
    DataError
        If a pair is missing, or no line is left in the window.
    """
    everything = read_all_borders(path)
    whole = {code: _one_border(everything, home, code, path) for code in neighbours}
    lines = [(code, _cut(line, window) if window else line) for code, line in whole.items()]
    kept = [(code, line) for code, line in lines if not line.is_empty]
    if not kept:
        raise DataError(f"borders: no border of {home} lies in the window {window} of {path}.")
    return gpd.GeoDataFrame(
        {
            "pair": [f"{home}-{code}" for code, _ in kept],
            "country_a": home,
            "country_b": [code for code, _ in kept],
        },
        geometry=[line for _, line in kept],
        crs=everything.crs,
    )


def all_lines(borders: gpd.GeoDataFrame) -> MultiLineString:
    """Return the lines of all rows as one geometry."""
    parts = shapely.get_parts(borders.geometry.to_numpy())
    return MultiLineString([line for line in parts if line.geom_type == "LineString"])


def _one_border(borders: gpd.GeoDataFrame, home: str, code: str, path: str | Path) -> BaseGeometry:
    match = borders["pair"].isin([f"{home}-{code}", f"{code}-{home}"])
    if not match.any():
        available = ", ".join(borders["pair"])
        raise DataError(
            f"borders: {path} has no border between {home} and {code} (available: {available})."
        )
    parts = shapely.get_parts(borders.geometry[match].to_numpy())
    return parts[0] if len(parts) == 1 else MultiLineString(list(parts))


def _cut(line: BaseGeometry, window: Bounds) -> BaseGeometry:
    """Return the part of a line inside a window; points where it only touches are dropped."""
    parts = shapely.get_parts(shapely.intersection(line, shapely.box(*window)))
    lines = [part for part in parts if part.geom_type == "LineString" and part.length > 0]
    return lines[0] if len(lines) == 1 else MultiLineString(lines)
