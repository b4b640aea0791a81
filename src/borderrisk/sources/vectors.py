"""Open a vector file and bring it to WGS84 longitude and latitude."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely

from borderrisk.errors import DataError
from borderrisk.grid import WGS84
from borderrisk.sources.files import existing

log = logging.getLogger(__name__)

VECTOR_SUFFIXES = (".geojson", ".json", ".gpkg", ".fgb", ".shp", ".kml")


def read_vector(path: str | Path, what: str, layer: str | None = None) -> gpd.GeoDataFrame:
    """Return the features of a file in WGS84, on a fresh index.

    A declared CRS is transformed. Without one (GeoJSON always means WGS84) the coordinates must be
    possible longitudes and latitudes.

    Parameters
    ----------
    path : str or Path
        Any format GDAL reads: GeoJSON, GeoPackage, FlatGeobuf, Shapefile.
    what : str
        Role of the file in messages.
    layer : str, optional
        Layer to read where there are several; the first by default.

    Raises
    ------
    DataError
        If the file cannot be read, has no features, or coordinates that are not degrees.
    """
    path = existing(path, what)
    try:
        frame = gpd.read_file(path, layer=layer)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise DataError(f"{what}: {path} cannot be read as a vector file ({error}).") from error
    if not isinstance(frame, gpd.GeoDataFrame) or frame.empty:
        raise DataError(f"{what}: {path} has no features with geometry.")
    if frame.crs is None:
        log.warning("%s: %s declares no CRS; taken as WGS84 longitude and latitude", what, path)
        frame = frame.set_crs(WGS84)
    elif frame.crs != WGS84:
        frame = frame.to_crs(WGS84)
    check_degrees(frame.geometry.array, f"{what}: {path}")
    return frame.reset_index(drop=True)


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


def check_kind(
    frame: gpd.GeoDataFrame, allowed: tuple[str, ...], labels: Iterable[str], where: str
) -> None:
    """Raise ``DataError`` naming the first feature whose geometry is empty or of another type."""
    for label, shape in zip(labels, frame.geometry, strict=True):
        if shape is None or shape.is_empty:
            raise DataError(f"{where}: the geometry of {label} is empty.")
        if shape.geom_type not in allowed:
            raise DataError(
                f"{where}: the geometry of {label} is a {shape.geom_type}; "
                f"expected {' or '.join(allowed)}."
            )


def find_column(frame: gpd.GeoDataFrame, names: tuple[str, ...], where: str) -> str:
    """Return the first column called one of ``names``, upper and lower case alike."""
    by_lower = {str(column).lower(): str(column) for column in frame.columns}
    for name in names:
        if name in by_lower:
            return by_lower[name]
    have = ", ".join(str(c) for c in frame.columns if c != frame.geometry.name)
    raise DataError(f"{where} has no column {' or '.join(names)} (it has: {have}).")
