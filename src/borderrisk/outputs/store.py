"""Keep a scene in a folder and read it back, so that maps and exports need no retraining."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio

from borderrisk.area import StudyArea
from borderrisk.errors import DataError
from borderrisk.grid import Grid
from borderrisk.outputs.gridfiles import read_features, write_features
from borderrisk.outputs.scene import Focus, Relief, Scene, SceneMeta
from borderrisk.runs.hashing import check_plain, files_below, read_json
from borderrisk.sources._tiles import raster_header
from borderrisk.sources.files import check_size

_VECTORS = ("borders", "settlements", "incidents")
_LAYER_PREFIX = "layer-"
_CELLS = "cells.nc"
_RELIEF_PIXELS = 10**8


def save_scene(scene: Scene, folder: Path, cells: Path | None = None) -> None:
    """Write a scene: ``cells.nc``, ``area.parquet``, one GeoParquet per layer, ``scene.json``.

    ``cells`` is a NetCDF file that holds its cells already; it is linked (or copied), not written
    again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if cells is None:
        write_features(scene.cells, folder / _CELLS)
    else:
        _link(cells, folder / _CELLS)
    area = gpd.GeoDataFrame(
        {"part": ["study_area", "halo"]},
        geometry=[scene.area.polygon, scene.area.halo],
        crs=scene.grid.crs,
    )
    area.to_parquet(folder / "area.parquet")
    for name in _VECTORS:
        getattr(scene, name).to_parquet(folder / f"{name}.parquet")
    for name, layer in scene.layers.items():
        layer.to_parquet(folder / f"{_LAYER_PREFIX}{name}.parquet")
    if scene.relief is not None:
        _write_relief(scene.relief, folder / "relief.tif")
    focuses = [vars(focus) for focus in scene.focuses]
    text = json.dumps(
        {"focuses": focuses, "meta": scene.meta.to_json()}, ensure_ascii=False, indent=1
    )
    (folder / "scene.json").write_text(text, encoding="utf-8")


def load_scene(folder: Path) -> Scene:
    """Read a scene written by :func:`save_scene`, or raise ``DataError`` if it is not complete."""
    try:
        return _load(folder)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{folder}: not a complete run ({error}); give a folder written by `borderrisk run`."
        ) from error


def _load(folder: Path) -> Scene:
    check_plain(folder / name for name in files_below(folder))
    for path in folder.glob("*.parquet"):
        check_size(path, "Parquet", str(path))
    cells = read_features(folder / _CELLS)
    parts = gpd.read_parquet(folder / "area.parquet").set_index("part").geometry
    facts = read_json(folder / "scene.json")
    layers = {
        path.stem.removeprefix(_LAYER_PREFIX): gpd.read_parquet(path)
        for path in sorted(folder.glob(f"{_LAYER_PREFIX}*.parquet"))
    }
    return Scene(
        area=StudyArea(Grid.from_dataset(cells), parts["study_area"], parts["halo"]),
        cells=cells,
        relief=_read_relief(folder / "relief.tif"),
        focuses=tuple(Focus(**{**f, "bounds": tuple(f["bounds"])}) for f in facts["focuses"]),
        meta=SceneMeta.from_json(facts["meta"]),
        layers=layers,
        **{name: gpd.read_parquet(folder / f"{name}.parquet") for name in _VECTORS},
    )


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def _write_relief(relief: Relief, path: Path) -> None:
    rows, cols = relief.elevation.shape
    profile = {
        "driver": "GTiff", "width": cols, "height": rows, "count": 1, "dtype": "float32",
        "crs": relief.crs, "transform": relief.transform, "nodata": np.nan,
        "compress": "deflate", "predictor": 3,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(relief.elevation.astype("float32"), 1)


def _read_relief(path: Path) -> Relief | None:
    if not path.exists():
        return None
    with raster_header(path) as source:
        if source.width * source.height > _RELIEF_PIXELS:
            raise ValueError(f"{path.name} has {source.width:,} x {source.height:,} pixels")
        return Relief(source.read(1), source.transform, source.crs)
