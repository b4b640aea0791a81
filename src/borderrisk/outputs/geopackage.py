"""GeoPackage with the styles QGIS applies when it opens it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import geopandas as gpd

from borderrisk.outputs.styles import STYLES, qml
from borderrisk.outputs.vectors import write_vector

# The table QGIS itself makes on "save style in data source"; it looks styles up by these columns.
_STYLE_TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT,
  styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
  owner TEXT, ui TEXT, update_time DATETIME
)"""
# Newer versions bring nothing needed here, and make older QGIS doubt the file.
_VERSION = "1.2"
# GeoPackage stores when a layer was last changed; a fixed time keeps equal content equal bytes.
_TIME = "2000-01-01T00:00:00.000Z"


def write_geopackage(layers: Mapping[str, gpd.GeoDataFrame], path: Path) -> None:
    """Write layers and the styles of those that have one.

    Parameters
    ----------
    layers : mapping of str to geopandas.GeoDataFrame
        In the order they are to appear. ``cells``, ``incidents``, ``border`` and ``segments`` are
        styled.
    path : Path
        File to make; it must not exist.

    References
    ----------
    OGC 12-128r15, GeoPackage Encoding Standard 1.2.1.
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
        for name in layers:
            if name in STYLES:
                database.execute(
                    "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,"
                    " f_geometry_column, styleName, styleQML, useAsDefault, description, owner,"
                    " update_time) VALUES ('', '', ?, 'geom', ?, ?, 1, ?, '', ?)",
                    (name, name, qml(name), STYLES[name], _TIME),
                )
        database.execute("UPDATE gpkg_contents SET last_change = ?", (_TIME,))
