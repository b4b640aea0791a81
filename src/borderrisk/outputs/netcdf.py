"""NetCDF-4 files that fail cleanly, and come back as they were."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import xarray as xr


def write_netcdf(ds: xr.Dataset, path: Path) -> None:
    """Write a dataset, gridded variables compressed.

    The file is built in memory and written at once: when HDF5 itself runs out of disk space it
    leaves a state behind that crashes the process later.

    Raises
    ------
    OSError
        If the file cannot be written.
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
    """Read a dataset written by :func:`write_netcdf` into memory, its projection a coordinate."""
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        ds = stored.load()
    return ds.set_coords("spatial_ref") if "spatial_ref" in ds.data_vars else ds
