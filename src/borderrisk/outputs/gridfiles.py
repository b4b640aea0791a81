"""Files of values on the grid (NetCDF by the CF conventions, GeoTIFF), and of a whole scene.

A scene is kept in a folder and read back, so that maps and exports need no retraining.
"""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import xarray as xr

from borderrisk.area import StudyArea
from borderrisk.errors import DataError, GridError
from borderrisk.features.catalogue import feature_names
from borderrisk.grid import Grid
from borderrisk.outputs.atomic import writing
from borderrisk.outputs.scene import Focus, Relief, Scene, SceneMeta
from borderrisk.runs.hashing import check_plain, files_below, read_json
from borderrisk.scores import shown
from borderrisk.sources._tiles import raster_header
from borderrisk.sources.files import check_size

REQUIRED = ("intensity", "probability", "risk")
_UNPACKED_BYTES = 8 * 2**30
_TITLE = "Features"  # of a dataset without one
_VECTORS = ("borders", "settlements", "incidents")
_LAYER_PREFIX, _CELLS = "layer-", "cells.nc"
_RELIEF_PIXELS = 10**8
_SUMMARY = ["long_name", "unit", "minimum", "median", "maximum", "missing_share"]


def write_netcdf(ds: xr.Dataset, path: Path) -> None:
    """Write a dataset as NetCDF-4, gridded variables compressed, or raise ``OSError``.

    The file is built in memory and written at once: when HDF5 itself runs out of disk space it
    leaves a state behind that crashes the process later.
    """
    packed = {"zlib": True, "complevel": 4, "shuffle": True}
    encoding = {str(name): packed for name in ds.data_vars if ds[name].ndim}
    with _own_locks():
        content = ds.to_netcdf(None, engine="h5netcdf", encoding=encoding)
    path.write_bytes(content)


def _own_locks() -> AbstractContextManager[Any]:
    """Keep xarray from asking a Dask cluster for its lock, which cannot name a file in memory."""
    dask = sys.modules.get("dask")
    return nullcontext() if dask is None else dask.config.set(scheduler="threads")


def read_netcdf(path: Path) -> xr.Dataset:
    """Read a dataset written by :func:`write_netcdf` into memory, its projection a coordinate.

    Raises ``OSError`` or ``ValueError`` if it is damaged, or unpacks to more than 8 GiB.
    """
    try:
        with xr.open_dataset(path, engine="h5netcdf") as stored:
            if stored.nbytes > _UNPACKED_BYTES:
                raise ValueError(f"{path.name} unpacks to {stored.nbytes / 2**30:.0f} GiB")
            ds = stored.load()
    except RuntimeError as error:  # HDF5's, of damage inside
        raise ValueError(f"{path.name} is damaged: {error}") from error
    return _placed(ds)


def keep_grid(ds: xr.Dataset, path: Path) -> None:
    """Write a dataset for :func:`kept_grid`: NetCDF-3, ten times as fast, and twice as large."""
    with _own_locks():
        ds.to_netcdf(path, engine="scipy")


def kept_grid(path: Path) -> xr.Dataset:
    """Read a dataset of :func:`keep_grid` into memory, its projection a coordinate."""
    return _placed(xr.load_dataset(path, engine="scipy"))


def _placed(ds: xr.Dataset) -> xr.Dataset:
    return ds.set_coords("spatial_ref") if "spatial_ref" in ds.data_vars else ds


def write_features(ds: xr.Dataset, path: Path) -> Path:
    """Write a grid dataset (``y, x``, with ``spatial_ref``) by the CF conventions.

    Raises ``OutputError`` if the file cannot be written.
    """
    path = Path(path)
    ready = ds.copy()
    for name in ready.data_vars:
        if ready.variables[name].ndim:
            ready.variables[name].attrs["grid_mapping"] = "spatial_ref"
    ready = ready.assign_attrs(Conventions="CF-1.11", title=ds.attrs.get("title", _TITLE))
    with writing(path) as partial:
        write_netcdf(ready, partial)
    return path


def read_features(path: Path) -> xr.Dataset:
    """Read a file of :func:`write_features` as it was before its conventions were added."""
    ds = read_netcdf(path)
    for variable in ds.variables.values():
        variable.attrs.pop("grid_mapping", None)
    ds.attrs.pop("Conventions", None)
    if ds.attrs.get("title") == _TITLE:
        del ds.attrs["title"]
    return ds


def feature_summary(ds: xr.Dataset) -> pd.DataFrame:
    """Give ranges of the features over the land (by ``domain``, if there is one) of area and halo.

    One row each, indexed by name: ``long_name, unit, minimum, median, maximum, missing_share``.
    """
    land = ds["domain"].to_numpy() > 0 if "domain" in ds else slice(None)
    rows = {name: _summary(ds[name], land) for name in feature_names(ds)}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=_SUMMARY)
    return table.rename_axis("feature")


def _summary(variable: xr.DataArray, land: np.ndarray | slice) -> list[object]:
    values = variable.to_numpy()[land].ravel()
    finite = values[np.isfinite(values)]
    share = 1 - len(finite) / len(values) if len(values) else 1.0
    spread = np.quantile(finite, [0, 0.5, 1]).tolist() if len(finite) else [np.nan] * 3
    labels = [str(variable.attrs.get(key, "")) for key in ("long_name", "units")]
    return [*labels, *spread, share]


def write_risk_tif(scene: Scene, path: Path) -> Path:
    """Write the scores as one COG (OGC 21-026) in the CRS of the grid, one float32 band each.

    Bands are the scores of ``shown("band")`` as far as the scene has them (``intensity``,
    ``probability`` and ``risk`` first; an index has only the last), NaN outside the study area;
    then the corridors, also beyond it: ``slack_<target>`` (hours) and ``route_density``. Each has a
    description and a unit. Raises ``DataError`` if the scene has no scores, ``OutputError`` if the
    file cannot be written.
    """
    needed = REQUIRED[-1:] if scene.is_index else REQUIRED
    missing = [name for name in needed if name not in scene.cells]
    if missing:
        raise DataError(f"The run has no {', '.join(missing)}; score it before writing rasters.")
    names = [score.name for score in shown("band") if score.name in scene.cells]
    others = sorted(str(name) for name in scene.cells.data_vars)
    corridors = [name for name in others if name.startswith("slack_") or name == "route_density"]
    return write_bands(scene, [*names, *corridors], path)


def write_bands(scene: Scene, names: list[str], path: Path) -> Path:
    """Write variables of a scene as the bands of one COG (see :func:`write_risk_tif`)."""
    path = Path(path)
    bands = [scene.cells[name] for name in names]
    with writing(path) as partial:
        with rasterio.open(partial, "w", **_profile(scene, len(names))) as target:
            target.update_tags(**_tags(scene))
            target.units = tuple(str(band.attrs.get("units", "")) for band in bands)
            for index, (name, band) in enumerate(zip(names, bands, strict=True), start=1):
                target.write(band.to_numpy().astype("float32"), index)
                target.set_band_description(index, name)
                target.update_tags(index, long_name=str(band.attrs.get("long_name", name)))
        # GDAL reports a full disk on closing only as a log line: read every band back.
        with rasterio.open(partial) as stored:
            for index in stored.indexes:
                stored.checksum(index)
    return path


def _profile(scene: Scene, count: int) -> dict[str, Any]:
    rows, cols = scene.grid.shape
    return {
        "driver": "COG", "width": cols, "height": rows, "count": count, "dtype": "float32",
        "crs": scene.grid.crs, "transform": scene.grid.transform, "nodata": np.nan,
        "compress": "deflate", "predictor": "yes", "blocksize": 256,
        "overview_resampling": "average",
    }  # fmt: skip


def _tags(scene: Scene) -> dict[str, str]:
    facts = {k: getattr(scene.meta, k) for k in ("title", "run_id", "origin", "horizon_days")}
    tags = {key: str(value) for key, value in facts.items() if value not in (None, "")}
    said = {"TIFFTAG_IMAGEDESCRIPTION": scene.meta.statement, "AREA_OR_POINT": "Area"}
    return tags | scene.stamp | said


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
    parts = [scene.area.polygon, scene.area.halo]
    area = gpd.GeoDataFrame({"part": ["study_area", "halo"]}, geometry=parts, crs=scene.grid.crs)
    area.to_parquet(folder / "area.parquet")
    for name in _VECTORS:
        getattr(scene, name).to_parquet(folder / f"{name}.parquet")
    for name, layer in scene.layers.items():
        layer.to_parquet(folder / f"{_LAYER_PREFIX}{name}.parquet")
    if scene.relief is not None:
        _write_relief(scene.relief, folder / "relief.tif")
    facts = {"focuses": list(map(vars, scene.focuses)), "meta": scene.meta.to_json()}
    text = json.dumps(facts, ensure_ascii=False, indent=1)
    (folder / "scene.json").write_text(text, encoding="utf-8")


def load_scene(folder: Path) -> Scene:
    """Read a scene written by :func:`save_scene`, or raise ``DataError`` if it is not complete."""
    try:
        return _load(folder)
    except (OSError, KeyError, ValueError, TypeError, GridError) as error:
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
