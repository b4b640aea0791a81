"""Vector files that fail cleanly: GeoJSON as RFC 7946 wants it, GeoPackage, styles for QGIS."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
import shapely

from borderrisk.features import catalogue
from borderrisk.grid import WGS84, transformer
from borderrisk.outputs.atomic import write_text, writing
from borderrisk.outputs.palette import (
    BORDER_COLOUR,
    INCIDENT_COLOUR,
    RISK_COLOURS,
    RISK_LABELS,
    rgb,
)
from borderrisk.outputs.scene import STATEMENT
from borderrisk.scores import CLASS_EDGES, by_name, shown

STYLES = {
    "cells": "Risk class by share of the study area",
    "incidents": "Reported incidents",
    "border": "Border lines",
    "segments": "Border segments by rank",
}
CORNERS = 5  # of a closed square
_CHUNK = 50_000
# What JSON text, which is UTF-8, cannot hold as it is.
_ESCAPED = r'["\\\x00-\x1f]'
# The table QGIS itself makes on "save style in data source"; it looks styles up by these columns.
_STYLE_TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT,
  styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
  owner TEXT, ui TEXT, update_time DATETIME
)"""
# OGC 12-128r15, annex F.9: what GIS show instead of the name of a column.
_COLUMN_TABLE = """
CREATE TABLE gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name)
)"""
_EXTENSION = (
    "INSERT INTO gpkg_extensions VALUES ('gpkg_data_columns', NULL, 'gpkg_schema',"
    " 'http://www.geopackage.org/spec121/#extension_schema', 'read-write')"
)
# Names of columns that are no scores, with their units.
COLUMNS = {
    "radius_km": ("Place known to", "km"),
    "date": ("Date", ""),
    "date_end": ("Latest date", ""),
    "date_precision": ("Date known to the", ""),
    "kind": ("Kind", ""),
    "place": ("Place as reported", ""),
    "segment_id": ("Section", ""),
    "pair": ("Border", ""),
    "from_km": ("From", "km"),
    "to_km": ("To", "km"),
    "length_km": ("Length", "km"),
    "level": ("Level", ""),
    "expected": ("Expected reported incidents within the period", ""),
    "expected_per_year": ("Expected reported incidents", "a year"),
    "rate_per_km": ("Expected reported incidents", "a year and km"),
    "share": ("Share of the whole area", ""),
    "trust": ("Rely on it", ""),
    "share_not_ok": ("Share of the area behind not to rely on", ""),
    "rely_en": ("Rely on it, in a sentence", ""),
    "rely_fa": ("Rely on it, in a sentence in Persian", ""),
    "town": ("Nearest town", ""),
    "town_km": ("Distance of the nearest town", "km"),
    "crossing": ("Nearest crossing", ""),
    "crossing_km": ("Distance of the nearest crossing", "km"),
    "hours_inland": ("On foot to the nearest town inland", "h"),
    "slope_mean": ("Mean slope along it", "degree"),
    "ruggedness": ("Ruggedness along it", "m"),
}
# Newer versions bring nothing needed here, and make older QGIS doubt the file.
_VERSION = "1.2"
# GeoPackage stores when a layer was last changed; a fixed time keeps equal content equal bytes.
_TIME = "2000-01-01T00:00:00.000Z"


def write_squares(cells: gpd.GeoDataFrame, path: Path) -> None:
    """Write cells as GeoJSON in WGS84 with six decimals, counter-clockwise, with ids and boxes.

    The cells are squares, closed and counter-clockwise, in any CRS. By RFC 7946 (Butler et al.
    2016) there is no ``crs`` member; the collection and each feature have a ``bbox``; the id of a
    feature is its ``cell_id``; numbers have six significant digits. The same table gives the same
    bytes. Text is put together by column, four times as fast as GDAL's driver does it by feature.
    """
    # Adding zero turns -0.0 into 0.0.
    corners = _lonlat_corners(cells).round(6) + 0.0
    plain = pd.DataFrame(cells.drop(columns=cells.geometry.name))
    with path.open("wb") as stream:
        stream.write(_head(corners, cells.attrs))
        for start in range(0, len(plain), _CHUNK):
            part = slice(start, start + _CHUNK)
            lines = ",\n".join(_features(plain.iloc[part], corners[part]))
            stream.write(((",\n" if start else "") + lines).encode())
        stream.write(b"\n]\n}\n")


def _lonlat_corners(cells: gpd.GeoDataFrame) -> np.ndarray:
    """Corners in WGS84 degrees, shape (cells, 5, 2); the last is the first again."""
    metres = shapely.get_coordinates(cells.geometry).reshape(len(cells), CORNERS, 2)
    return np.stack(transformer(cells.crs, WGS84).transform(*metres.T), axis=-1).swapaxes(0, 1)


def _head(corners: np.ndarray, stamp: Mapping[Any, Any]) -> bytes:
    members: dict[str, Any] = {
        "type": "FeatureCollection",
        "name": "cells",
        "description": STATEMENT,
        **{str(key): str(text) for key, text in stamp.items()},
    }
    if len(corners):
        flat = corners.reshape(-1, 2)
        members["bbox"] = [*flat.min(axis=0).tolist(), *flat.max(axis=0).tolist()]
    return (json.dumps(members, indent=0)[:-2] + ',\n"features": [\n').encode()


def _features(plain: pd.DataFrame, corners: np.ndarray) -> list[str]:
    """Text of each feature."""
    pieces: list[Any] = ['{"type":"Feature","id":', _json_column(plain["cell_id"])]
    for index, name in enumerate(plain.columns):
        start = "," if index else ',"properties":{'
        pieces += [start + json.dumps(name) + ":", _json_column(plain[name])]
    for index, edge in enumerate((*corners.min(axis=1).T, *corners.max(axis=1).T)):
        pieces += ["," if index else '},"bbox":[', _numbers(edge)]
    for index in range(CORNERS):
        start = "],[" if index else '],"geometry":{"type":"Polygon","coordinates":[[['
        pieces += [start, _numbers(corners[:, index, 0]), ",", _numbers(corners[:, index, 1])]
    return list(pc.binary_join_element_wise(*pieces, "]]]}}", "").to_pylist())


def _json_column(column: pd.Series) -> pa.Array:
    """JSON text of each value; ``null`` for missing ones."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return pa.array(np.where(column.to_numpy(), "true", "false"))
    if pd.api.types.is_integer_dtype(column.dtype):
        return pa.array(column.to_numpy()).cast(pa.string())
    if pd.api.types.is_float_dtype(column.dtype):
        return _numbers(round_significant(column.to_numpy()))
    texts = pa.array(column, pa.string(), from_pandas=True)
    if pc.any(pc.match_substring_regex(texts, _ESCAPED)).as_py():
        texts = pa.array([None if t is None else json.dumps(t, ensure_ascii=False)[1:-1]
                          for t in texts.to_pylist()])  # fmt: skip
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    return pc.fill_null(quoted, "null")


def _numbers(values: np.ndarray) -> pa.Array:
    """Shortest text that reads back as the same number; ``null`` for NaN and infinities."""
    finite = np.isfinite(values)
    text = pa.array(np.where(finite, values, 0.0)).cast(pa.string())
    return text if finite.all() else pc.if_else(pa.array(finite), text, "null")


def round_significant(values: np.ndarray, digits: int = 6) -> np.ndarray:
    """Round to so many significant digits, as float64, for text formats.

    Examples
    --------
    >>> round_significant(np.array([0.00012345678, 98765432.0]), 3)
    array([1.23e-04, 9.88e+07])
    """
    values = np.asarray(values, dtype="float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        power = digits - 1 - np.floor(np.log10(np.abs(values)))
    power = np.where(np.isfinite(power), power, 0)
    # Powers of ten up to 22 are exact, so multiplying and dividing by them (never by an inverse)
    # gives the double nearest to the decimal.
    up, down = 10.0 ** np.maximum(power, 0), 10.0 ** np.maximum(-power, 0)
    return np.round(values * up / down) / up * down


def write_layer(table: gpd.GeoDataFrame, path: Path, layer: str = "layer") -> Path:
    """Write a small layer of any geometry (segments, corridors) as RFC 7946 with GDAL.

    Raises ``OutputError`` if the file cannot be written.
    """
    with writing(Path(path)) as partial:
        write_vector(
            table, partial, layer, "GeoJSON", RFC7946="YES", WRITE_BBOX="YES",
            COORDINATE_PRECISION="6", SIGNIFICANT_FIGURES="6", DESCRIPTION=described(table),
        )  # fmt: skip
    return Path(path)


def described(table: gpd.GeoDataFrame) -> str:
    """Say what a table is, and of which run and period."""
    stamp = [f"{str(key).replace('_', ' ')} {text}" for key, text in table.attrs.items()]
    return "; ".join([STATEMENT, *stamp])


def write_vector(
    table: gpd.GeoDataFrame, path: Path, layer: str, driver: str, **options: Any
) -> None:
    """Write one layer with a GDAL driver and its creation options; add it if the file is there.

    Raises ``OSError`` if fewer features can be read back than were written: GDAL reports a full
    disk only in part of its drivers.
    """
    pyogrio.write_dataframe(
        table.rename_geometry("geom"), path, layer=layer, driver=driver, **options
    )
    stored = pyogrio.read_info(path, layer=layer, force_feature_count=True)["features"]
    if stored != len(table):
        raise OSError(f"only {stored} of {len(table)} features were stored; is the disk full?")


def write_geopackage(layers: Mapping[str, gpd.GeoDataFrame], path: Path) -> None:
    """Write layers in this order to a new file, with the styles QGIS applies when it opens them.

    Those in :data:`STYLES` have one. By OGC 12-128r15, GeoPackage Encoding Standard 1.2.1.
    """
    for name, table in layers.items():
        fresh = {} if path.exists() else {"VERSION": _VERSION}
        write_vector(table, path, name, "GPKG", GEOMETRY_NAME="geom", append=path.exists(), **fresh)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(_STYLE_TABLE)
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles', 'Styles for QGIS')"
        )
        for name in filter(STYLES.get, layers):
            database.execute(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,"
                " f_geometry_column, styleName, styleQML, useAsDefault, description, owner,"
                " update_time) VALUES ('', '', ?, 'geom', ?, ?, 1, ?, '', ?)",
                (name, name, qml(name), STYLES[name], _TIME),
            )
        _name_columns(database, layers)
        database.execute("UPDATE gpkg_contents SET last_change = ?", (_TIME,))
        database.executemany(
            "UPDATE gpkg_contents SET description = ? WHERE table_name = ?",
            [(described(table), name) for name, table in layers.items()],
        )


def _name_columns(database: sqlite3.Connection, layers: Mapping[str, gpd.GeoDataFrame]) -> None:
    """Give the columns the names that GIS show, with their units."""
    database.execute(_COLUMN_TABLE)
    database.execute(_EXTENSION)
    for layer, table in layers.items():
        named: dict[str, str] = {}
        for column in map(str, table.columns.drop(table.geometry.name)):
            named.setdefault(column_alias(column, scores=layer == "cells"), column)
        database.executemany(
            "INSERT INTO gpkg_data_columns VALUES (?, ?, ?, ?, ?, NULL, NULL)",
            [(layer, column, alias, alias, alias) for alias, column in named.items() if alias],
        )


def column_alias(column: str, *, scores: bool) -> str:
    """Name of a column of the cells (``scores``) or another layer, with its unit.

    Examples
    --------
    >>> column_alias("radius_km", scores=False), column_alias("risk", scores=True)
    ('Place known to (km)', 'Percentile rank of intensity by area in the study area (%)')
    """
    score = by_name().get(column)
    if score is not None and (scores or column not in COLUMNS):
        name, unit = score.long_name, score.unit
    elif column in COLUMNS:
        name, unit = COLUMNS[column]
    elif catalogue.is_feature(column):
        feature = catalogue.feature(column)
        name, unit = feature.long_name, feature.units
    else:
        words = column.removesuffix("_km").replace("_", " ").strip() or column
        name, unit = words[:1].upper() + words[1:], "km" if column.endswith("_km") else ""
    return name if unit in ("", "1") else f"{name} ({unit})"


def qml(name: str) -> str:
    """Text of the QGIS style ``risk`` of the raster, or of a layer in :data:`STYLES`.

    Cells that are not to be relied on are hatched; incidents have a circle as wide as their place
    is uncertain.
    """
    words = {
        "border": _qgis(BORDER_COLOUR), "incident": _qgis(INCIDENT_COLOUR),
        "fields": _cell_aliases(),
    }  # fmt: skip
    for k, (colour, label) in enumerate(zip(RISK_COLOURS, RISK_LABELS, strict=True), start=1):
        words |= {f"risk_{k}": _qgis(colour), f"hex_{k}": colour}
        words |= {f"label_{k}": f"{k} ({label})", f"share_{k}": label}
    for k, edge in enumerate(CLASS_EDGES, start=1):
        # QGIS counts the upper end to a class, scores the lower one: take the number just below it.
        words[f"edge_{k}"] = str(np.nextafter(np.float32(edge), np.float32(0)))
    for part in ("hatch", "circle"):
        words[part] = _filled(part, words)
    return _filled(name, words)


def _filled(name: str, words: Mapping[str, str]) -> str:
    text = (files("borderrisk.outputs") / "styles" / f"{name}.qml").read_text(encoding="utf-8")
    return Template(text).substitute(words)


def _cell_aliases() -> str:
    """Name the columns of the cells, and show the sentence that says why under the pointer."""
    named = {score.name: column_alias(score.name, scores=True) for score in shown("table")}
    lines = (f"    <alias field={quoteattr(k)} name={quoteattr(v)}/>" for k, v in named.items())
    tip = '  <mapTip>[% "why_en" %]</mapTip>'
    return "\n".join((tip, "  <aliases>", *lines, "  </aliases>"))


def write_qml(path: Path) -> Path:
    """Write the style for the layer or raster the file is named after: ``risk.qml``, ...

    QGIS applies ``risk.qml`` by itself to a ``risk.tif`` beside it, and so on.
    """
    return write_text(qml(Path(path).stem), path)


def _qgis(colour: str) -> str:
    return ",".join(str(part) for part in (*rgb(colour), 255))
