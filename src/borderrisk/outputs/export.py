"""The scored cells as a frame, and the formats they are written in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
import xarray as xr

from borderrisk.errors import ConfigError
from borderrisk.grid import WGS84, Grid
from borderrisk.outputs.atomic import write_rows, writing
from borderrisk.outputs.placefacts import Reader
from borderrisk.outputs.reasons import vocabularies, why
from borderrisk.outputs.scene import Scene, stamped
from borderrisk.outputs.vectorfiles import (
    round_significant,
    write_geopackage,
    write_squares,
    write_vector,
)
from borderrisk.scores import Score, decode, shown

# East and south of a cell's own corner, counter-clockwise from the south-east.
_EAST = np.array([1, 1, 0, 0, 1])
_SOUTH = np.array([1, 0, 0, 1, 1])
_CHUNK = 20_000


def cells_table(
    scene: Scene, focus: str | None = None, top: int | None = None, min_risk: float | None = None
) -> gpd.GeoDataFrame:
    """Give the scored cells as square polygons in the CRS of the grid (metres), row-major.

    Columns are ``cell_id`` and the scores of ``shown("table")``, empty where the scene has none (a
    first look has no intervals); codes are words. Only cells whose centre lies in the window
    ``focus``, of at least the risk percentile ``min_risk`` (0-100), and of these the ``top`` of
    highest rank, highest first. Raises ``ConfigError`` if a choice is unknown or out of range.
    """
    keep = _selected(scene, focus, top, min_risk)
    order_by = np.zeros(keep.shape)
    if top is not None:
        order_by = scene.cells["risk" if scene.is_index else "intensity"].to_numpy()
        highest = np.argsort(-order_by[keep], kind="stable")[:top]
        chosen = np.flatnonzero(keep)[highest]
        keep = np.isin(np.arange(keep.size).reshape(keep.shape), chosen)
    columns: dict[str, Any] = {"cell_id": _text(scene.grid.cell_ids(keep))}
    worded = _worded(scene, keep)
    for score in shown("table"):
        if score.name in scene.cells:
            columns[score.name] = _column(score, scene.cells[score.name], keep)
        else:
            nothing = "" if score.dtype == "str" else np.nan
            columns[score.name] = worded.get(score.name, nothing)
    cells = cells_frame(scene.grid, keep, columns)
    order = np.argsort(-order_by[keep], kind="stable")
    return stamped(cells.iloc[order].reset_index(drop=True), scene)


def _worded(scene: Scene, keep: np.ndarray) -> dict[str, Any]:
    """Columns of reasons of some cells; none where nothing is scored."""
    if not (scene.is_index or "intensity" in scene.cells) or not keep.any():
        return {}
    reader = Reader.of(scene)
    rows = (np.cumsum(reader.mask.ravel()).reshape(reader.mask.shape) - 1)[keep]
    ids = scene.incidents["incident_id"].astype(str).tolist()
    words = vocabularies(scene)
    texts: dict[str, list[pa.Array]] = {name: [] for name in ("why_en", "why_fa", "incidents_near")}
    for start in range(0, len(rows), _CHUNK):  # facts of all cells at once would fill the memory
        facts = reader.cells(rows[start : start + _CHUNK])
        for language, its in words.items():
            texts[f"why_{language}"].append(pa.array([why(f, its) for f in facts]))
        near = [" ".join(ids[row] for row, _ in f.incidents) for f in facts]
        texts["incidents_near"].append(pa.array(near))
    found: dict[str, Any] = {n: pa.chunked_array(parts).to_pandas() for n, parts in texts.items()}
    for k, values in enumerate(reader.driver_values[rows].T.astype("float32"), start=1):
        found[f"driver_{k}_value"] = values
    return found


def cells_frame(grid: Grid, mask: np.ndarray, columns: dict[str, Any]) -> gpd.GeoDataFrame:
    """Give columns of the cells where ``mask`` is true, row-major, the square of each cell.

    Squares are closed and counter-clockwise, from the south-east corner, in the CRS of the grid.
    """
    row, col = np.nonzero(mask)
    t, size = grid.transform, grid.cell_size_m
    x, y = t.c + (col[:, None] + _EAST) * size, t.f - (row[:, None] + _SOUTH) * size
    return gpd.GeoDataFrame(columns, geometry=shapely.polygons(np.stack([x, y], -1)), crs=grid.crs)


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
        keep &= scene.focus(focus).holds(scene.grid)
    if min_risk is not None:
        keep &= scene.cells["risk"].to_numpy() >= min_risk
    return keep


def _text(words: np.ndarray) -> pd.Series:
    """Column of words, by way of Arrow: pandas would make a Python string of each first."""
    return pa.array(words).to_pandas()


def _column(score: Score, variable: xr.DataArray, keep: np.ndarray) -> np.ndarray | pd.Series:
    if "flag_meanings" in variable.attrs:
        return _text(decode(variable)[keep])
    values = variable.to_numpy()[keep]
    whole = np.issubdtype(score.dtype, np.integer)
    if whole and not np.isfinite(values).all():
        return values.astype("float32")
    return values.astype(score.dtype)


def export(
    scene: Scene,
    path: Path,
    format: str,
    focus: str | None = None,
    top: int | None = None,
    min_risk: float | None = None,
) -> int:
    """Write the scored cells of a scene, selected as in :func:`cells_table`; return how many.

    ``format`` is a key of :data:`FORMATS`. A GeoPackage also holds incidents, border lines, further
    layers and the styles QGIS opens them with. Raises ``ConfigError`` if no cell is selected,
    ``OutputError`` if the file cannot be written.
    """
    cells = cells_table(scene, focus, top, min_risk)
    if cells.empty:
        raise ConfigError(
            f"No cell is left to export (focus {focus or 'none'}, min_risk {min_risk}); "
            "lower --min-risk or choose another focus."
        )
    if format != "gpkg":
        write_cells(cells, path, format)
        return len(cells)
    with writing(Path(path)) as partial:
        write_geopackage({"cells": cells, **_surroundings(scene, focus)}, partial)
    return len(cells)


def _surroundings(scene: Scene, focus: str | None) -> dict[str, gpd.GeoDataFrame]:
    incidents = scene.incidents.drop(columns="home", errors="ignore")
    # As ISO text: a time of day nobody reported would only mislead.
    days = {n: incidents[n].dt.strftime("%Y-%m-%d") for n in ("date", "date_end") if n in incidents}
    incidents = incidents.assign(**days)
    layers = {"incidents": incidents, "border": scene.borders, **scene.layers}
    layers = {name: stamped(layer, scene) for name, layer in layers.items()}
    if focus is None:
        return layers
    west, south, east, north = scene.focus(focus).bounds
    return {
        name: layer.to_crs(WGS84).cx[west:east, south:north].to_crs(layer.crs)
        for name, layer in layers.items()
    }


def write_cells(cells: gpd.GeoDataFrame, path: Path, format: str) -> Path:
    """Write cells such as :func:`cells_table` gives, in a format of :data:`FORMATS`.

    GeoParquet 1.1 (with a box of each cell) and the GIS formats are in the CRS of the cells;
    GeoJSON (RFC 7946) is in WGS84; CSV has the centre of each cell in WGS84 and no polygons. Raises
    ``ConfigError`` for another format, ``OutputError`` if the file cannot be written.
    """
    check_format(format)
    path = Path(path)
    with writing(path) as partial:
        FORMATS[format][1](cells, partial)
    return path


def check_format(format: str) -> str:
    """Return how files of a format end, or raise ``ConfigError`` with those there are."""
    if format not in FORMATS:
        raise ConfigError(f"Unknown format {format!r}; choose one of {', '.join(FORMATS)}.")
    return FORMATS[format][0]


def _write_geoparquet(cells: gpd.GeoDataFrame, path: Path) -> None:
    cells.to_parquet(
        path, index=False, compression="zstd", schema_version="1.1.0", write_covering_bbox=True
    )


def _write_csv(cells: gpd.GeoDataFrame, path: Path) -> None:
    plain = pd.DataFrame(cells.drop(columns=cells.geometry.name))
    for name in plain.select_dtypes("float32"):
        plain[name] = round_significant(plain[name].to_numpy())
    centres = cells.geometry.centroid.to_crs(WGS84)
    plain.insert(1, "lon", centres.x.round(6))
    plain.insert(2, "lat", centres.y.round(6))
    write_rows(plain, path)


# Format to the end of its files' names, and what writes it.
FORMATS: dict[str, tuple[str, Callable[[gpd.GeoDataFrame, Path], None]]] = {
    "geojson": (".geojson", write_squares),
    "geoparquet": (".parquet", _write_geoparquet),
    "gpkg": (".gpkg", lambda cells, path: write_geopackage({"cells": cells}, path)),
    "flatgeobuf": (".fgb", lambda cells, path: write_vector(cells, path, "cells", "FlatGeobuf")),
    "csv": (".csv", _write_csv),
}
