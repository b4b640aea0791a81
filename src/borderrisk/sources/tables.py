"""Files as they are: vector files brought to WGS84, and tables as text, exactly as written."""

from __future__ import annotations

import csv
import logging
import re
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyarrow import ArrowException
from pyogrio.core import _register_drivers
from pyproj.exceptions import CRSError, ProjError

from borderrisk.errors import DataError, listed
from borderrisk.grid import WGS84
from borderrisk.sources._tiles import crs_name
from borderrisk.sources.files import OFFLINE, TABLES, VECTORS, Header, opened, utf16_of

log = logging.getLogger(__name__)

_DIMENSION = {"line": 1, "polygon": 2}
# The points that the lines of a GPX file are made of.
_REPEATED = ("route_points", "track_points")
_LISTED = 5
# Columns and geometry of a row that are nearer, degrees, say the same place.
_SAME_DEG = 0.01
# What a GeoJSON has somewhere if its CRS is a link. Letters may be written as their codes.
_LINK = [re.compile(mark, re.I) for mark in (rb'"crs"\s*:', rb'"type"\s*:\s*"link', rb'"href"\s*:')]
_LETTER = re.compile(rb"\\u00([2-7][0-9a-f])", re.I)
# Drivers that read nothing but the file they are given; two that rasters may need, too.
_DRIVERS = {
    "GeoJSON", "GPKG", "FlatGeobuf", "ESRI Shapefile", "KML", "LIBKML", "GPX", "XLSX", "ODS",
    "netCDF", "JP2OpenJPEG",
}  # fmt: skip
# The last is pyogrio's, of a CRS with bytes that are no text.
_UNREADABLE = (
    pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError, ArrowException,
    CRSError, shapely.errors.ShapelyError, OSError, UnboundLocalError,
)  # fmt: skip
_registry = threading.RLock()

_SEPARATORS = ",;\t|"
_SPREADSHEETS = {
    f"OGR_{kind}_{key}": value
    for kind in ("XLSX", "ODS")
    for key, value in (("FIELD_TYPES", "STRING"), ("HEADERS", "DISABLE"))
}


def read_vector(path: str | Path, what: str) -> gpd.GeoDataFrame:
    """Return the features of all layers of a file in WGS84, on a fresh index; moments stay text.

    GeoJSON, GeoPackage, FlatGeobuf, Shapefile, GeoParquet, KML, KMZ or GPX, also as .gz or .zip. A
    declared CRS is transformed. Without one (GeoJSON always means WGS84) the coordinates must be
    possible longitudes and latitudes. ``what`` is the role of the file in messages. DataError if it
    cannot be read, has no features, or coordinates that are not degrees.
    """
    where = f"{what}: {path}"
    try:
        with opened(path, what, VECTORS) as (file, found), local_files():
            layers = _layers(file, found, where)
    except _UNREADABLE as error:
        raise DataError(f"{where} cannot be read as a vector file ({_why(error)}).") from error
    layers = {name: frame for name, frame in layers.items() if len(frame)}
    if not layers:
        raise DataError(f"{where} has no features with geometry.")
    frames = [_in_degrees(frame, where) for frame in layers.values()]
    if len(layers) > 1:
        each = ", ".join(f"{name} ({len(frame):,})" for name, frame in layers.items())
        log.warning("%s: all %d layers are read as one: %s", where, len(layers), each)
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    check_degrees(frame.geometry.array, where)
    return frame.reset_index(drop=True)


def _why(error: Exception) -> str:
    """Say why a file cannot be read, without advice for programmers, or names of our own copies."""
    if isinstance(error, UnboundLocalError):
        return "the name of its CRS is no text"
    return re.sub(r"'[^']*borderrisk-[^']*'", "it is", str(error).split("; It might help")[0])


def describe_vector(path: Path, what: str) -> Header:
    """Return what a table or vector file says of itself; a table has longitude and latitude.

    DataError if it cannot be read.
    """
    with opened(path, what, (*VECTORS, *TABLES)) as (file, found), local_files():
        if found in TABLES:
            return Header("CSV text" if found == "text" else found, crs="longitude and latitude")
        if found == "GeoParquet":
            return Header(found)
        try:
            layers = [str(name) for name, kind in pyogrio.list_layers(file) if kind is not None]
            info = pyogrio.read_info(file, layer=layers[0]) if layers else {}
        except _UNREADABLE as error:
            raise DataError(f"{what}: {path} cannot be read ({_why(error)}).") from error
    return Header(found, listed(layers, _LISTED), crs_name(info.get("crs")))


def check_degrees(geometries: Iterable[shapely.Geometry], where: str) -> None:
    """Raise ``DataError`` if any coordinate cannot be a longitude and latitude."""
    xy = shapely.get_coordinates(np.asarray(geometries, dtype=object))
    wrong = ~(np.isfinite(xy).all(axis=1) & (np.abs(xy) <= (180, 90)).all(axis=1))
    if wrong.any():
        x, y = xy[wrong][0]
        raise DataError(
            f"{where} has coordinates that are not longitude and latitude ({x:g}, {y:g}) and "
            "declares no projection that explains them; declare the CRS or reproject to WGS84."
        )


def only_kind(geometries: Iterable[Any], kind: str, labels: Iterable[str], where: str) -> list[Any]:
    """Return the lines or polygons of geometries; refuse the first that is empty or has none."""
    found = []
    for label, shape in zip(labels, geometries, strict=True):
        if shape is None or shape.is_empty:
            raise DataError(f"{where}: the geometry of {label} is empty.")
        part = parts_of_kind(shape, kind)
        if part.is_empty:
            raise DataError(
                f"{where}: the geometry of {label} is a {shape.geom_type}; expected {kind}s."
            )
        found.append(part)
    return found


def parts_of_kind(shape: Any, kind: str) -> Any:
    """Return the lines or polygons of a geometry, collections taken apart, as one geometry."""
    wanted = _DIMENSION[kind]
    if shape.geom_type != "GeometryCollection":
        return shape if shapely.get_dimensions(shape) == wanted else shapely.GeometryCollection()
    inner = [parts_of_kind(part, kind) for part in shape.geoms]
    parts = [p for part in inner for p in shapely.get_parts(part)]
    if len(parts) == 1:
        return parts[0]
    return shapely.union_all(parts) if kind == "polygon" else shapely.MultiLineString(parts)


def find_column(frame: gpd.GeoDataFrame, names: tuple[str, ...], where: str) -> str:
    """Return the first column called one of ``names``, upper and lower case alike."""
    by_lower = {str(column).lower(): str(column) for column in frame.columns}
    for name in names:
        if name in by_lower:
            return by_lower[name]
    have = ", ".join(str(c) for c in frame.columns if c != frame.geometry.name)
    raise DataError(f"{where} has no column {' or '.join(names)} (it has: {have}).")


def _layers(file: Path, found: str, where: str) -> dict[str, gpd.GeoDataFrame]:
    if found == "GeoParquet":
        return {"": gpd.read_parquet(file)}
    if found == "GeoJSON":
        _check_json(file, where)
    kinds = pyogrio.list_layers(file)
    names = [str(n) for n, kind in kinds if kind is not None and str(n) not in _REPEATED]
    frames = {n: pyogrio.read_dataframe(file, layer=n, datetime_as_string=True) for n in names}
    return {n: frame for n, frame in frames.items() if isinstance(frame, gpd.GeoDataFrame)}


def _check_json(file: Path, where: str) -> None:
    """Refuse a CRS that is a link: the reader would follow it."""
    marks, before = set(_LINK), b""
    with file.open("rb") as text:
        while marks and (chunk := text.read(1 << 24)):
            plain = _LETTER.sub(lambda m: bytes([int(m[1], 16)]), before + chunk)
            marks -= {mark for mark in marks if mark.search(plain)}
            before = chunk[-200:]
    if not marks:
        raise DataError(f"{where} takes its CRS from outside the file; save it as plain GeoJSON.")


def _in_degrees(frame: gpd.GeoDataFrame, where: str) -> gpd.GeoDataFrame:
    try:
        crs = frame.crs
        if crs is None or not (crs.is_geographic or crs.is_projected):
            log.warning("%s declares no CRS; taken as WGS84 longitude and latitude", where)
            return frame.set_crs(WGS84, allow_override=True)
        return frame if crs == WGS84 else frame.to_crs(WGS84)
    except (ProjError, CRSError) as error:
        raise DataError(
            f"{where}: its CRS cannot be brought to longitude and latitude ({error})."
        ) from error


@contextmanager
def local_files(options: Mapping[str, str] | None = None) -> Iterator[None]:
    """Let the vector library read what lies in the file it is given, and set its options.

    Many of its drivers know their files by a word anywhere in them, whatever else they are, and go
    on to read what these name: other files, or a server.
    """
    with _registry:
        others = ",".join(set(pyogrio.list_drivers()) - _DRIVERS)
        options = {**OFFLINE, **(options or {}), "GDAL_SKIP": others}
        before = {key: pyogrio.get_gdal_config_option(key) for key in options}
        pyogrio.set_gdal_config_options(options)
        _register_drivers()
        try:
            yield
        finally:
            pyogrio.set_gdal_config_options(before)
            _register_drivers()


def read_text_table(
    path: str | Path,
    what: str,
    *,
    names: list[str] | None = None,
    wanted: Callable[[str], bool] | None = None,
) -> pd.DataFrame:
    """Return all cells as stripped text; blank cells are empty strings, blank rows are no rows.

    Text separated by comma, semicolon, tab or bar, in UTF-8 or UTF-16 (another encoding is guessed,
    and said); XLSX, ODS, Parquet; or a vector file, whose points become ``latitude`` and
    ``longitude``; each also as .gz or .zip. The index is the row number in the file: the header is
    row 1, in a vector file the first feature. ``names`` are the columns of a file without a header.
    DataError if the file is missing, no table, has no rows, or rows that do not fit the header.
    """
    where = f"{what}: {path}"
    rows: list[int] = []
    cells: list[list[str]] = []
    with _records(path, what) as (records, header_row):
        header = names or _names(next(records, []), where)
        chosen = [i for i, name in enumerate(header) if wanted is None or wanted(name)]
        for row, record in enumerate(records, 1 if names else header_row + 1):
            full = [cell.strip() for cell in record]
            if any(full):
                if any(full[len(header) :]):
                    n = len(full)
                    raise DataError(f"{where}: row {row} has {n} cells, the header {len(header)}.")
                full += [""] * (len(header) - len(full))
                rows.append(row)
                cells.append([full[i] for i in chosen])
    if not rows:
        raise DataError(f"{where} has a header but no rows; add them, or leave the file out.")
    return pd.DataFrame(cells, columns=[header[i] for i in chosen], index=rows, dtype=str)


def read_header(path: str | Path, what: str) -> list[str]:
    """Return the column names, or raise ``DataError`` if they cannot be column names."""
    return _names(first_record(path, what), f"{what}: {path}")


def first_record(path: str | Path, what: str) -> list[str]:
    """Return the stripped cells of the first record, whether they are column names or not."""
    with _records(path, what) as (records, _):
        return [cell.strip() for cell in next(records, [])]


def _names(record: list[str], where: str) -> list[str]:
    names = [cell.strip() for cell in record]
    if not any(names):
        raise DataError(f"{where}: the first line of the file is blank; it must name the columns.")
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise DataError(f"{where} has two columns named {', '.join(doubled)}.")
    return [name or f"unnamed_{number}" for number, name in enumerate(names, 1)]


@contextmanager
def _records(path: str | Path, what: str) -> Iterator[tuple[Iterator[list[str]], int]]:
    """Give the cells of each record, the header first, and the row that this one is."""
    where = f"{what}: {path}"
    with opened(path, what, (*TABLES, *VECTORS)) as (file, found):
        try:
            if found in VECTORS:
                yield iter(_cells(_with_points(read_vector(path, what), where))), 0
            elif found == "text":
                with file.open(encoding=_encoding(file, where), newline="") as lines:
                    separator = max(_SEPARATORS, key=lines.readline().count)
                    lines.seek(0)
                    yield csv.reader(lines, delimiter=separator, strict=True), 1
            elif found == "Parquet":
                yield iter(_cells(pd.read_parquet(file))), 1
            else:
                yield _sheet(file, where), 1
        except UnicodeDecodeError as error:
            raise DataError(f"{where} cannot be decoded ({error}); save it as UTF-8.") from error
        except csv.Error as error:
            raise DataError(f"{where} is not a regular CSV file ({error}).") from error
        except (pyogrio.errors.DataSourceError, ArrowException, OSError, ValueError,
                LookupError, TypeError) as error:  # fmt: skip
            raise DataError(f"{where} cannot be read as {found} ({error}).") from error


def _cells(frame: pd.DataFrame) -> list[list[str]]:
    """Return header and cells as text, missing ones blank; whole numbers without a fraction."""

    def text(value: Any) -> str:
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else str(value)

    filled = frame.astype(object).where(frame.notna(), "")
    rows = pd.DataFrame({name: filled[name].map(text) for name in filled}, dtype=object)
    return [list(map(str, frame.columns)), *rows.to_numpy().tolist()]


def _with_points(frame: gpd.GeoDataFrame, where: str) -> pd.DataFrame:
    """Return attributes with latitude and longitude, or what the geometry is instead."""

    def place(shape: Any) -> tuple[Any, Any]:
        parts: Any = [] if shape is None else shapely.get_parts(shape)
        if len(parts) == 1 and parts[0].geom_type == "Point" and not parts[0].is_empty:
            return parts[0].y, parts[0].x
        kind = "" if len(parts) == 0 else shape.geom_type
        return (f"{kind} of {len(parts)}" if len(parts) > 1 else kind,) * 2

    places = pd.DataFrame(
        map(place, frame.geometry), columns=["latitude", "longitude"], dtype=object
    )
    attributes = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    both = list(places.columns.intersection(attributes.columns))
    written, drawn = (frame[both].apply(pd.to_numeric, errors="coerce").to_numpy(float)
                      for frame in (attributes, places))  # fmt: skip
    apart = int((np.abs(written - drawn) > _SAME_DEG).any(axis=1).sum())
    if apart:
        log.warning(
            "%s: %d row(s) have another latitude or longitude in their columns than in their "
            "geometry, which is used", where, apart,
        )  # fmt: skip
    return attributes.drop(columns=list(places), errors="ignore").join(places.astype(str))


def _sheet(file: Path, where: str) -> Iterator[list[str]]:
    with local_files(_SPREADSHEETS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, *others = (str(name) for name, _ in pyogrio.list_layers(file))
        if others:
            log.warning(
                "%s: the first sheet, %s, is read; left out: %s", where, first, ", ".join(others)
            )
        frame = pyogrio.read_dataframe(file, layer=0, datetime_as_string=True)
    return iter(frame.fillna("").astype(str).to_numpy().tolist())


def _encoding(path: Path, where: str) -> str:
    """Tell the encoding of a text, aloud where it had to be guessed."""
    with path.open("rb") as file:
        if wide := utf16_of(file.read(4096)):
            return wide
    try:
        with path.open(encoding="utf-8") as lines:
            deque(lines, maxlen=0)
        return "utf-8-sig"
    except UnicodeDecodeError:
        high = [byte >= 0x80 for byte in path.read_bytes()]
    # Words of Arabic letters have them in rows; of Latin letters few carry an accent.
    guess = "cp1256" if sum(a and b for a, b in pairwise(high)) > sum(high) / 2 else "cp1252"
    log.warning(
        "%s is not UTF-8; it is read as %s. Look at the names in it, and save it as CSV UTF-8 if "
        "they are wrong.",
        *(where, guess),
    )
    return guess
