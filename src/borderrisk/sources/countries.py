"""Country outlines: one polygon per ISO code."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import DataError
from borderrisk.sources.files import did_you_mean
from borderrisk.sources.vectors import check_kind, find_column, read_vector

CODE_COLUMNS = ("iso_a3", "adm0_a3", "iso3", "shapegroup")
NAME_COLUMNS = ("name", "name_en", "shapename", "admin")


def read_countries(path: str | Path) -> gpd.GeoDataFrame:
    """Return country polygons, valid and one row per country.

    Returns
    -------
    geopandas.GeoDataFrame
        ``iso_a3, name, geometry``, WGS84, in the order of the file.

    Raises
    ------
    DataError
        If the file, its code column or a polygon cannot be used.
    """
    where = f"countries: {path}"
    frame = read_vector(path, "countries")
    code = find_column(frame, CODE_COLUMNS, where)
    name = find_column(frame, (*NAME_COLUMNS, code.lower()), where)
    check_kind(frame, ("Polygon", "MultiPolygon"), frame[code].astype(str), where)
    tidy = gpd.GeoDataFrame(
        {"iso_a3": frame[code].astype(str), "name": frame[name].astype(str)},
        geometry=shapely.make_valid(frame.geometry.to_numpy()),
        crs=frame.crs,
    )
    if tidy["iso_a3"].is_unique:
        return tidy
    merged = tidy.dissolve("iso_a3", aggfunc="first", sort=False).reset_index()
    return merged[["iso_a3", "name", "geometry"]]


def outline(countries: gpd.GeoDataFrame, code: str) -> BaseGeometry:
    """Return the polygon of one country.

    Raises
    ------
    DataError
        If the code is not among the countries.
    """
    match = countries["iso_a3"] == code
    if not match.any():
        hint = did_you_mean(code, countries["iso_a3"])
        raise DataError(f"countries: there is no country {code}.{hint}")
    return countries.geometry[match].iloc[0]
