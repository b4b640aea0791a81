"""Open a vector file, all its layers, and bring it to WGS84 longitude and latitude."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
from borderrisk.sources.files import OFFLINE, TABLES, VECTORS, Header, opened

log = logging.getLogger(__name__)

_DIMENSION = {"line": 1, "polygon": 2}
# The points that the lines of a GPX file are made of.
_REPEATED = ("route_points", "track_points")
_LISTED = 5
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
