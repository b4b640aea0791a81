"""The world around a border: its lines, country outlines, settlements and posts, in WGS84."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import MultiLineString
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import DataError, did_you_mean
from borderrisk.grid import WGS84, polygons
from borderrisk.sources.rowchecks import Bounds, check_not_swapped, degrees, numbers, refuse_cell
from borderrisk.sources.tables import find_column, only_kind, read_text_table, read_vector

log = logging.getLogger(__name__)

CODE_COLUMNS = ("iso_a3", "adm0_a3", "iso_a3_eh", "iso3", "shapegroup")
NAME_COLUMNS = ("name", "name_en", "shapename", "admin")
LATITUDE_NAMES = ("latitude", "lat", "y")
LONGITUDE_NAMES = ("longitude", "lon", "long", "lng", "x")
# A line so near a longer one is that line again, if it is no mere piece of it.
_BESIDE_DEG, _PIECE, _LEAST_BESIDE = 0.03, 0.2, 10
_ALONG = np.linspace(0, 1, 51)
_CODE = r"[A-Za-z][A-Za-z0-9]{2}"
_THOUSANDS = r"\d{1,3}([.,'’ ]\d{3})+"


def read_all_borders(path: str | Path) -> gpd.GeoDataFrame:
    """Return every border of the file: ``pair, country_a, country_b, geometry`` (lines), WGS84."""
    where = f"borders: {path}"
    frame = read_vector(path, "borders")
    pair = frame[find_column(frame, ("pair",), where)].astype(str)
    lines = only_kind(frame.geometry, "line", pair, where)
    codes = pair.str.split("-", expand=True)
    if codes.shape[1] != 2 or codes.isna().any(axis=None):
        raise DataError(f"{where}: pair must join two country codes, as in IRN-AFG.")
    columns = {"pair": pair, "country_a": codes[0], "country_b": codes[1]}
    return gpd.GeoDataFrame(columns, geometry=lines, crs=frame.crs)


def read_borders(
    path: str | Path,
    home: str,
    neighbours: Iterable[str],
    window: Bounds | None = None,
) -> gpd.GeoDataFrame:
    """Return the home country's borders with neighbours, in the order of their ISO 3166 codes.

    The file has a ``pair`` column; pairs may be written either way round. Lines are cut to a window
    of (west, south, east, north) degrees, and pairs entirely outside are left out. Returns ``pair``
    ("IRN-AFG"), ``country_a`` (home), ``country_b``, ``geometry``. DataError if a pair is missing,
    or no line is left in the window.
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


def read_countries(path: str | Path) -> gpd.GeoDataFrame:
    """Return valid polygons, one row per country: ``iso_a3, name, geometry``, WGS84.

    Where a code column has none (Natural Earth writes -99), the next that has one counts.
    """
    where = f"countries: {path}"
    frame = read_vector(path, "countries")
    code = _codes(frame, where)
    name = find_column(frame, (*NAME_COLUMNS, *CODE_COLUMNS), where)
    return _areas(frame, where, iso_a3=code, name=_text(frame[name]))


def outline(countries: gpd.GeoDataFrame, code: str) -> BaseGeometry:
    """Return the polygon of one country, or raise ``DataError`` if it is not among them."""
    match = countries["iso_a3"] == code
    if not match.any():
        hint = did_you_mean(code, countries["iso_a3"])
        raise DataError(f"countries: there is no country {code}.{hint}")
    return countries.geometry[match].iloc[0]


def read_settlements(path: str | Path) -> gpd.GeoDataFrame:
    """Return places: ``name, name_fa, country, population, geometry``, WGS84.

    The table or vector file has ``name, latitude, longitude, population, country`` (ISO 3166-1
    alpha-3) and, where known, ``name_fa``. A blank population counts as 0, of equal rows one.
    DataError if a column is missing or a number cannot be read or is out of range.
    """
    where = f"settlements: {path}"
    table, points = _placed(path, "settlements")
    for name in ("name", "population", "country"):
        if name not in table:
            raise DataError(f"{where} has no column {name}.{did_you_mean(name, table.columns)}")
    frame = gpd.GeoDataFrame(
        {
            "name": table["name"],
            "name_fa": table.get("name_fa", ""),
            "country": table["country"],
            "population": _population(table["population"], where),
        },
        geometry=points.to_numpy(),
        crs=WGS84,
    ).reset_index(drop=True)
    twice = frame.assign(x=points.x.to_numpy(), y=points.y.to_numpy()).drop(columns="geometry")
    twice = twice.duplicated().to_numpy()
    if twice.any():
        log.warning("%s: %d places are given twice; they count once.", where, twice.sum())
    return frame[~twice].reset_index(drop=True) if twice.any() else frame


def read_zones(path: str | Path) -> gpd.GeoDataFrame:
    """Return named areas: ``name, geometry`` (valid polygons), WGS84; one row for each name.

    DataError if a geometry is no polygon, or an area has no name.
    """
    where = f"zones: {path}"
    frame = read_vector(path, "zones")
    names = frame[find_column(frame, NAME_COLUMNS, where)]
    _check_named(names, where)
    return _areas(frame, where, name=names.astype(str))


def _areas(frame: gpd.GeoDataFrame, where: str, **columns: pd.Series) -> gpd.GeoDataFrame:
    """Return columns and valid polygons; those with the same of the first column are one."""
    first = next(iter(columns))
    shapes = only_kind(frame.geometry, "polygon", columns[first], where)
    valid = [polygons(shape) for shape in shapely.make_valid(shapes)]
    tidy = gpd.GeoDataFrame(columns, geometry=valid, crs=frame.crs)
    if tidy[first].is_unique:
        return tidy
    merged = tidy.dissolve(first, aggfunc="first", sort=False).reset_index()
    return merged[[*columns, "geometry"]]


def _check_named(names: pd.Series, where: str) -> None:
    nameless = names.isna() | (names.astype(str).str.strip() == "")
    if nameless.any():
        row = names.index[np.asarray(nameless)][0]
        raise DataError(f"{where}: the name of row {row} is empty; give each a name.")


def read_points(path: str | Path, what: str = "posts", *, named: bool = False) -> gpd.GeoDataFrame:
    """Return points of a table or vector file: ``name`` (empty where unknown), ``geometry``, WGS84.

    DataError if a position is missing or impossible, a geometry is not a point, or one that has to
    be ``named`` is not.
    """
    table, points = _placed(path, what)
    if named and "name" not in table:
        raise DataError(f"{what}: {path} has no column name.{did_you_mean('name', table.columns)}")
    if named:
        _check_named(table["name"], f"{what}: {path}")
    names = table["name"].to_numpy() if "name" in table else [""] * len(points)
    return gpd.GeoDataFrame({"name": names}, geometry=points.to_numpy(), crs=WGS84)


def check_near(frame: gpd.GeoDataFrame, region: Bounds, what: str, path: str | Path) -> None:
    """Refuse points of which none lies in a region of (west, south, east, north) degrees."""
    where = f"{what}: {path}"
    x, y = frame.geometry.x, frame.geometry.y
    check_not_swapped(x, y, region, where)
    west, south, east, north = region
    if not (x.between(west, east) & y.between(south, north)).any():
        raise DataError(
            f"{where}: none of the {len(frame)} lies in the area (the first is at {x.iloc[0]:g} E, "
            f"{y.iloc[0]:g} N); check the order of longitude and latitude, and the CRS."
        )


def _placed(path: str | Path, what: str) -> tuple[pd.DataFrame, gpd.GeoSeries]:
    """Return cells as text, with lower-case names, and a point for each row."""
    where = f"{what}: {path}"
    table = read_text_table(path, what)
    table.columns = [name.lower() for name in table.columns]
    lat = _coordinate(table, LATITUDE_NAMES, 90, where)
    lon = _coordinate(table, LONGITUDE_NAMES, 180, where)
    return table, gpd.GeoSeries(gpd.points_from_xy(lon, lat), crs=WGS84)


def _coordinate(
    table: pd.DataFrame, names: tuple[str, ...], limit: float, where: str
) -> np.ndarray:
    found = [name for name in names if name in table]
    if not found:
        hint = did_you_mean(names[0], table.columns)
        raise DataError(f"{where} has no column {' or '.join(names)}.{hint}")
    values = degrees(table[found[0]])
    expected = f"expected degrees from {-limit:g} to {limit:g}"
    refuse_cell(table[found[0]], ~values.between(-limit, limit), where, expected)
    return values.to_numpy(dtype=float)


def _population(column: pd.Series, where: str) -> pd.Series:
    """Return whole numbers; a fraction, or thousands parted by a sign, is refused."""
    values = numbers(column.replace("", "0"))
    fine = values.between(0, 1e9) & (values % 1 == 0) & ~column.str.fullmatch(_THOUSANDS)
    expected = "expected a whole number from 0 to 1,000,000,000, without signs between its digits"
    refuse_cell(column, ~fine, where, expected)
    return values.astype("int64")


def _codes(frame: gpd.GeoDataFrame, where: str) -> pd.Series:
    """Return the code of each outline from the first column that has one."""
    first = find_column(frame, CODE_COLUMNS, where)
    code = _text(frame[first])
    by_lower = {str(column).lower(): column for column in frame.columns}
    for name in CODE_COLUMNS:
        if name in by_lower:
            other = _text(frame[by_lower[name]])
            code = code.where(code.str.fullmatch(_CODE) | ~other.str.fullmatch(_CODE), other)
    return code


def _text(column: pd.Series) -> pd.Series:
    """Return a column as text, empty where there is none: what has no code is land all the same."""
    return column.astype(object).fillna("").astype(str)


def _one_border(borders: gpd.GeoDataFrame, home: str, code: str, path: str | Path) -> BaseGeometry:
    match = borders["pair"].isin([f"{home}-{code}", f"{code}-{home}"])
    if not match.any():
        available = ", ".join(borders["pair"])
        raise DataError(
            f"borders: {path} has no border between {home} and {code} (available: {available})."
        )
    parts = shapely.get_parts(borders.geometry[match].to_numpy())
    twice = _repeated(parts)
    if twice.any():
        log.warning(
            "borders: %s gives %.0f %% of the line of %s-%s twice; it counts once.", path,
            100 * shapely.length(parts[twice]).sum() / shapely.length(parts[~twice]).sum(), home,
            code,
        )  # fmt: skip
        parts = parts[~twice]
    return parts[0] if len(parts) == 1 else MultiLineString(list(parts))


def _repeated(parts: np.ndarray) -> np.ndarray:
    """Which lines run along a longer one: each side of a border may bring its own.

    Short pieces beside a longer line are meanders, or go on from it: not the line again.
    """
    length = shapely.length(parts)
    order, twice = np.argsort(-length, kind="stable"), np.zeros(len(parts), bool)
    least = max(_PIECE * length.max(), _LEAST_BESIDE * _BESIDE_DEG)
    places = shapely.line_interpolate_point(parts[:, None], _ALONG, normalized=True)
    tree, rank = shapely.STRtree(parts), np.argsort(order)
    for k in (k for k in order if length[k] >= least):
        at, other = tree.query(places[k], predicate="dwithin", distance=_BESIDE_DEG)
        longer = (rank[other] < rank[k]) & ~twice[other]
        twice[k] = len(np.unique(at[longer])) > 0.9 * len(_ALONG)
    return twice


def _cut(line: BaseGeometry, window: Bounds) -> BaseGeometry:
    """Return the part of a line inside a window; points where it only touches are dropped."""
    parts = shapely.get_parts(shapely.intersection(line, shapely.box(*window)))
    lines = [part for part in parts if part.geom_type == "LineString" and part.length > 0]
    return lines[0] if len(lines) == 1 else MultiLineString(lines)
