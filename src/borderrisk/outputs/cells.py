"""The scored cells as a table of polygons, and the formats it is written in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr

from borderrisk.errors import ConfigError
from borderrisk.grid import WGS84, Grid
from borderrisk.outputs.codes import decode
from borderrisk.outputs.files import writing
from borderrisk.outputs.geojson import write_geojson
from borderrisk.outputs.geopackage import write_geopackage
from borderrisk.outputs.rounding import round_significant
from borderrisk.outputs.scene import Focus, Scene
from borderrisk.outputs.vectors import write_vector

SCORES = ("risk", "risk_class", "intensity", "probability", "susceptibility", "history", "exposure")
DRIVERS = tuple(f"driver_{k}{part}" for k in (1, 2, 3) for part in ("", "_effect"))
FURTHER = ("rank", "rank_low", "rank_high", "probability_low", "probability_high",
           "reporting", "trust")  # fmt: skip
_COUNTED = {"risk_class": "uint8", "rank": "int32", "rank_low": "int32", "rank_high": "int32"}


def cells_table(
    scene: Scene,
    focus: str | None = None,
    top: int | None = None,
    min_risk: float | None = None,
) -> gpd.GeoDataFrame:
    """Scored cells as square polygons in the CRS of the grid.

    Parameters
    ----------
    scene : Scene
        A finished scoring.
    focus : str, optional
        Only cells whose centre lies in this window.
    top : int, optional
        Only so many cells of highest intensity, highest first (of the focus, if one is given).
    min_risk : float, optional
        Only cells of at least this risk percentile (0-100).

    Returns
    -------
    geopandas.GeoDataFrame
        ``cell_id``, the scores, the three drivers by feature name with their signed effect on
        log-intensity, then ranks, bounds and trust as far as the scene has them. Row-major order
        unless ``top`` is given.

    Raises
    ------
    ConfigError
        If the focus is unknown, or ``top`` or ``min_risk`` are out of range.
    """
    keep = _selected(scene, focus, top, min_risk)
    table = pd.DataFrame({"cell_id": scene.grid.cell_ids(keep)})
    for name in (*SCORES, *DRIVERS, *FURTHER):
        if name in scene.cells:
            table[name] = _column(scene.cells[name], keep)
    polygons = cell_polygons(scene.grid, keep)
    cells = gpd.GeoDataFrame(table, geometry=polygons, crs=scene.grid.crs)
    if top is None:
        return cells
    order = np.argsort(-scene.cells["intensity"].to_numpy()[keep], kind="stable")
    return cells.iloc[order[:top]].reset_index(drop=True)


def cell_polygons(grid: Grid, mask: np.ndarray) -> np.ndarray:
    """Squares of the cells where ``mask`` is true, counter-clockwise, row-major order."""
    rows, cols = np.nonzero(mask)
    t, size = grid.transform, grid.cell_size_m
    west, north = t.c + cols * size, t.f - rows * size
    return shapely.box(west, t.f - (rows + 1) * size, t.c + (cols + 1) * size, north)


def find_focus(scene: Scene, name: str) -> Focus:
    """Window of a scene by name.

    Raises
    ------
    ConfigError
        If there is no such window; the message lists those there are.
    """
    for focus in scene.focuses:
        if focus.name == name:
            return focus
    known = ", ".join(focus.name for focus in scene.focuses) or "none"
    raise ConfigError(f"No focus named {name!r} in this run (it has: {known}).")


def focus_mask(grid: Grid, focus: Focus) -> np.ndarray:
    """Whether the centre of each cell lies in a window, bool of shape (rows, columns)."""
    west, south, east, north = focus.bounds
    lon, lat = grid.lonlat()
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def _selected(
    scene: Scene, focus: str | None, top: int | None, min_risk: float | None
) -> np.ndarray:
    if top is not None and top < 1:
        raise ConfigError(f"--top must be at least 1 (got {top}).")
    if min_risk is not None and not 0 <= min_risk <= 100:
        raise ConfigError(f"--min-risk is a percentile, 0 to 100 (got {min_risk}).")
    keep = scene.cells["exposure"].to_numpy() > 0
    if "intensity" in scene.cells:
        keep &= np.isfinite(scene.cells["intensity"].to_numpy())
    if focus is not None:
        keep &= focus_mask(scene.grid, find_focus(scene, focus))
    if min_risk is not None:
        keep &= scene.cells["risk"].to_numpy() >= min_risk
    return keep


def _column(variable: xr.DataArray, keep: np.ndarray) -> np.ndarray:
    name = str(variable.name)
    if "flag_meanings" in variable.attrs:
        return decode(variable)[keep]
    values = variable.to_numpy()[keep]
    if name in _COUNTED and np.isfinite(values).all():
        return values.astype(_COUNTED[name])
    return values.astype("float32")


def write_cells(table: gpd.GeoDataFrame, path: Path, format: str) -> Path:
    """Write a table of cells.

    Parameters
    ----------
    table : geopandas.GeoDataFrame
        From :func:`cells_table`.
    path : Path
        File to make; replaced if it exists.
    format : {"geoparquet", "geojson", "gpkg", "flatgeobuf", "csv"}
        GeoParquet 1.1 and the GIS formats are in the CRS of the grid; GeoJSON (RFC 7946) is in
        WGS84; CSV has the centre of each cell in WGS84 and no polygons.

    Raises
    ------
    ConfigError
        If the format is unknown.
    OutputError
        If the file cannot be written.
    """
    if format not in WRITERS:
        raise ConfigError(f"Unknown format {format!r}; choose one of {', '.join(WRITERS)}.")
    path = Path(path)
    with writing(path) as partial:
        WRITERS[format](table, partial)
    return path


def _write_geoparquet(table: gpd.GeoDataFrame, path: Path) -> None:
    table.to_parquet(
        path, index=False, schema_version="1.1.0", write_covering_bbox=True, compression="zstd"
    )


def _write_gpkg(table: gpd.GeoDataFrame, path: Path) -> None:
    write_geopackage({"cells": table}, path)


def _write_flatgeobuf(table: gpd.GeoDataFrame, path: Path) -> None:
    write_vector(table, path, "cells", "FlatGeobuf")


def _write_csv(table: gpd.GeoDataFrame, path: Path) -> None:
    centres = table.geometry.centroid.to_crs(WGS84)
    plain = pd.DataFrame(table.drop(columns="geometry"))
    for name in plain.select_dtypes("float32"):
        plain[name] = round_significant(plain[name].to_numpy())
    plain.insert(1, "lon", centres.x.round(6))
    plain.insert(2, "lat", centres.y.round(6))
    plain.to_csv(path, index=False, lineterminator="\n")


WRITERS: dict[str, Callable[[gpd.GeoDataFrame, Path], None]] = {
    "geojson": write_geojson,
    "geoparquet": _write_geoparquet,
    "gpkg": _write_gpkg,
    "flatgeobuf": _write_flatgeobuf,
    "csv": _write_csv,
}
