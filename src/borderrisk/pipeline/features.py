"""Second stage: every feature of every cell, as the config asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from borderrisk.config import Config
from borderrisk.errors import DataError
from borderrisk.features import catalogue, proximity
from borderrisk.features.terrain import terrain_features
from borderrisk.grid import Grid
from borderrisk.pipeline.inputs import Inputs, Movement, movement_features
from borderrisk.sources.overlays import read_feature_table


def compute_features(config: Config, inputs: Inputs, movement: Movement) -> xr.Dataset:
    """Return all features with ``exposure`` and ``domain``, on the grid."""
    parts = [
        terrain_features(
            inputs.elevation,
            inputs.grid,
            tpi_radii_km=config.features.terrain.tpi_radii_km,
            scheduler=config.compute.scheduler,
            threads=config.compute.workers,
            needed=inputs.base["exposure"].to_numpy() > 0,
        ),
        proximity.border_features(inputs.grid, inputs.lines, inputs.home),
        _settlements(config, inputs),
        *movement_features(movement),
    ]
    ds = inputs.base
    for part in parts:
        ds = ds.assign(part.data_vars)
    ds = catalogue.annotate(ds)
    if config.features.table is not None:
        ds = ds.assign(_brought(config.features.table, config.features.columns, inputs.grid))
    return ds


def _brought(path: Path, columns: Sequence[str], grid: Grid) -> dict[str, xr.DataArray]:
    """Return the user's own features, which the catalogue does not know."""
    return {
        name: xr.DataArray(
            values, dims=("y", "x"), attrs={"units": "1", "long_name": name, "source": path.name}
        )
        for name, values in read_feature_table(path, columns, grid).items()
    }


# Says how well a cell is known, or is the same all over the study area: nothing to learn from.
_NOT_PREDICTORS = {"terrain_valid_share", "border_side"}


def _settlements(config: Config, inputs: Inputs) -> xr.Dataset:
    towns = inputs.settlements
    x, y = inputs.grid.project(towns.geometry.x, towns.geometry.y)
    ds = proximity.settlement_features(
        inputs.grid,
        x,
        y,
        towns["population"].to_numpy(),
        config.features.proximity.settlement_thresholds,
        scale_km=config.features.proximity.potential_scale_km,
    )
    empty = [str(name) for name in ds.data_vars if np.isnan(ds[name]).all()]
    if empty:
        raise DataError(
            f"{config.data.settlements}: no settlement is large enough for {', '.join(empty)}; "
            "lower features.proximity.settlement_thresholds."
        )
    return ds


def model_features(config: Config, ds: xr.Dataset) -> list[str]:
    """Names of the features a model may use, exclusions applied."""
    excluded = _NOT_PREDICTORS.union(config.features.exclude)
    declared = [
        name
        for name in catalogue.feature_names(ds)
        if name not in excluded and catalogue.feature(name).group not in excluded
    ]
    return declared + [name for name in config.features.columns if name not in excluded]
