"""The scored cells, and the formats they are written in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import xarray as xr

from borderrisk.errors import ConfigError
from borderrisk.grid import Grid
from borderrisk.outputs.codes import decode
from borderrisk.outputs.files import writing
from borderrisk.outputs.geojson import write_geojson
from borderrisk.outputs.geopackage import write_geopackage
from borderrisk.outputs.geoparquet import write_geoparquet
from borderrisk.outputs.rounding import round_significant
from borderrisk.outputs.scene import Focus, Scene
from borderrisk.outputs.squares import Squares
from borderrisk.outputs.vectors import write_vector

SCORES = ("risk", "risk_class", "intensity", "probability", "susceptibility", "exposure")
DRIVERS = tuple(f"driver_{k}{part}" for k in (1, 2, 3) for part in ("", "_effect"))
FURTHER = ("rank", "rank_low", "rank_high", "probability_low", "probability_high", "expected",
           "expected_low", "expected_high", "count_low", "count_high", "share_history",
           "share_recent", "share_ground", "share_even", "trust")  # fmt: skip
_COUNTED = {"risk_class": "uint8", "rank": "int32", "rank_low": "int32", "rank_high": "int32"}


def cells_table(
    scene: Scene,
    focus: str | None = None,
    top: int | None = None,
    min_risk: float | None = None,
) -> gpd.GeoDataFrame:
    """Scored cells as square polygons in the CRS of the grid.

    Parameters and errors are those of :func:`scored_squares`, whose table it gives a geometry.
    """
    return scored_squares(scene, focus, top, min_risk).frame()


def scored_squares(
    scene: Scene,
    focus: str | None = None,
    top: int | None = None,
    min_risk: float | None = None,
) -> Squares:
    """Scored cells and their values.

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
    Squares
        With ``cell_id``, the scores, the three drivers by feature name with their signed effect on
        log-intensity, then ranks, bounds and trust as far as the scene has them. Row-major order
        unless ``top`` is given.

    Raises
    ------
    ConfigError
        If the focus is unknown, or ``top`` or ``min_risk`` are out of range.
    """
    keep = _selected(scene, focus, top, min_risk)
    table = pd.DataFrame({"cell_id": _text(scene.grid.cell_ids(keep))})
    for name in (*SCORES, *DRIVERS, *FURTHER):
        if name in scene.cells:
            table[name] = _column(scene.cells[name], keep)
    squares = Squares.of(scene.grid, keep, table)
    if top is None:
        return squares
    order = np.argsort(-scene.cells["intensity"].to_numpy()[keep], kind="stable")
    return squares.take(order[:top])


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


def _text(words: np.ndarray) -> pd.Series:
    """Column of words, by way of Arrow: pandas would make a Python string of each first."""
    return pa.array(words).to_pandas()


def _column(variable: xr.DataArray, keep: np.ndarray) -> np.ndarray | pd.Series:
    name = str(variable.name)
    if "flag_meanings" in variable.attrs:
        return _text(decode(variable)[keep])
    values = variable.to_numpy()[keep]
    if name in _COUNTED and np.isfinite(values).all():
        return values.astype(_COUNTED[name])
    return values.astype("float32")


def write_cells(squares: Squares, path: Path, format: str) -> Path:
    """Write cells with their values.

    Parameters
    ----------
    squares : Squares
        Such as :func:`scored_squares` gives.
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
        WRITERS[format](squares, partial)
    return path


def _write_gpkg(squares: Squares, path: Path) -> None:
    write_geopackage({"cells": squares.frame()}, path)


def _write_flatgeobuf(squares: Squares, path: Path) -> None:
    write_vector(squares.frame(), path, "cells", "FlatGeobuf")


def _write_csv(squares: Squares, path: Path) -> None:
    plain = squares.table.copy()
    for name in plain.select_dtypes("float32"):
        plain[name] = round_significant(plain[name].to_numpy())
    for place, (name, values) in enumerate(
        zip(("lon", "lat"), squares.lonlat_centres(), strict=True)
    ):
        plain.insert(1 + place, name, values.round(6))
    plain.to_csv(path, index=False, lineterminator="\n")


WRITERS: dict[str, Callable[[Squares, Path], None]] = {
    "geojson": write_geojson,
    "geoparquet": write_geoparquet,
    "gpkg": _write_gpkg,
    "flatgeobuf": _write_flatgeobuf,
    "csv": _write_csv,
}
