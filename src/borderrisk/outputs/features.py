"""The features of the cells as a dataset file and as a table of their ranges."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from borderrisk.errors import ConfigError
from borderrisk.features.catalogue import feature_names
from borderrisk.outputs.files import writing
from borderrisk.outputs.netcdf import read_netcdf, write_netcdf

FORMATS = ("nc", "zarr")
_TITLE = "Features"  # of a dataset without one


def write_features(ds: xr.Dataset, path: Path, format: str = "nc") -> Path:
    """Write a grid dataset by the CF conventions, with its projection as grid mapping.

    Parameters
    ----------
    ds : xarray.Dataset
        On the grid (``y, x``) with a ``spatial_ref`` coordinate.
    path : Path
        NetCDF file or Zarr folder to make.
    format : {"nc", "zarr"}
        Zarr needs the ``zarr`` package.

    Raises
    ------
    ConfigError
        If the format is unknown or its package is missing.
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    if format not in FORMATS:
        raise ConfigError(f"Unknown features format {format!r}; choose one of {FORMATS}.")
    if format == "zarr" and importlib.util.find_spec("zarr") is None:
        raise ConfigError(
            "Writing features as zarr needs the zarr package (pip install borderrisk[zarr]); "
            "or set outputs.features_format to nc."
        )
    ready = _with_grid_mapping(ds)
    with writing(path) as partial:
        if format == "zarr":
            # Version 2 is what every reader knows, and its index file is part of the standard.
            ready.to_zarr(partial, mode="w", consolidated=True, zarr_format=2)
        else:
            write_netcdf(ready, partial)
    return path


def read_features(path: Path) -> xr.Dataset:
    """Read a NetCDF file of :func:`write_features` as it was before its conventions were added."""
    ds = read_netcdf(path)
    for variable in ds.variables.values():
        variable.attrs.pop("grid_mapping", None)
    ds.attrs.pop("Conventions", None)
    if ds.attrs.get("title") == _TITLE:
        del ds.attrs["title"]
    return ds


def feature_summary(ds: xr.Dataset) -> pd.DataFrame:
    """Ranges of the features over the land of study area and halo.

    Parameters
    ----------
    ds : xarray.Dataset
        On the grid; ``domain`` tells land, where present.

    Returns
    -------
    pandas.DataFrame
        One row per feature, indexed by name: ``long_name, unit, minimum, median, maximum,
        missing_share``.
    """
    land = ds["domain"].to_numpy() > 0 if "domain" in ds else slice(None)
    rows = {name: _summary(ds[name], land) for name in feature_names(ds)}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=_SUMMARY)
    return table.rename_axis("feature")


_SUMMARY = ["long_name", "unit", "minimum", "median", "maximum", "missing_share"]


def _summary(variable: xr.DataArray, land: np.ndarray | slice) -> list[object]:
    values = variable.to_numpy()[land].ravel()
    finite = values[np.isfinite(values)]
    share = 1 - len(finite) / len(values) if len(values) else 1.0
    spread = np.quantile(finite, [0, 0.5, 1]).tolist() if len(finite) else [np.nan] * 3
    labels = [str(variable.attrs.get(key, "")) for key in ("long_name", "units")]
    return [*labels, *spread, share]


def _with_grid_mapping(ds: xr.Dataset) -> xr.Dataset:
    ready = ds.copy()
    for name in [str(key) for key in ready.data_vars if ready[key].ndim]:
        ready[name] = ready[name].assign_attrs(grid_mapping="spatial_ref")
    return ready.assign_attrs(Conventions="CF-1.11", title=ds.attrs.get("title", _TITLE))
