"""How people move: the fine terrain with its roads and closures, travel and concealment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
import xarray as xr
from rasterio.features import rasterize
from rasterio.warp import Resampling, reproject

from borderrisk.config import Config
from borderrisk.errors import ConfigError, DataError
from borderrisk.features.concealment import concealment_features
from borderrisk.features.travel import (
    FineTerrain,
    Places,
    Solves,
    Walking,
    solve_travel,
    travel_features,
)
from borderrisk.grid import Grid
from borderrisk.pipeline.inputs import Inputs
from borderrisk.sources.vectors import read_vector


@dataclass(frozen=True)
class Movement:
    """The fine terrain and the travel times over it, each made when it is first asked for.

    Features and border both need them. They are large, some 80 bytes per fine pixel.
    """

    config: Config
    inputs: Inputs

    @cached_property
    def fine(self) -> FineTerrain:
        """What people move over."""
        return fine_terrain(self.config, self.inputs)

    @cached_property
    def solves(self) -> Solves:
        """Travel between the far side, the border and the places of the config."""
        config = self.config
        to = places(config, self.inputs)
        return solve_travel(self.fine, to, walking(config), config.compute.workers)


def movement_features(movement: Movement) -> list[xr.Dataset]:
    """Return the travel and concealment features that the config asks for."""
    config, inputs = movement.config, movement.inputs
    travel, concealment = config.features.travel, config.features.concealment
    parts = []
    if travel.enabled:
        parts.append(travel_features(inputs.grid, movement.solves))
    if concealment.enabled:
        parts.append(
            concealment_features(
                inputs.grid,
                movement.fine,
                inputs.settlements,
                inputs.posts,
                radius_km=concealment.radius_km,
                observer_height_m=concealment.observer_height_m,
            )
        )
    return parts


def walking(config: Config) -> Walking:
    """Return the walking speed of the config."""
    travel = config.features.travel
    return Walking(travel.off_path_factor, travel.slope_limit_deg)


def places(config: Config, inputs: Inputs) -> Places:
    """Return where people set out from and go to."""
    travel = config.features.travel
    return Places(
        lines_by_country=inputs.lines,
        settlements=inputs.settlements,
        home=inputs.home_code,
        targets=travel.targets,
        posts=inputs.posts,
        far_population=travel.far_settlement_population,
        home_population=travel.home_settlement_population,
    )


def fine_terrain(config: Config, inputs: Inputs) -> FineTerrain:
    """Return what people move over: elevation, water, roads, land cover and closures."""
    fine = FineTerrain.read(inputs.elevation, inputs.grid, land=inputs.all_land)
    travel, data = config.features.travel, config.data
    barrier = fine.barrier if fine.barrier is not None else np.zeros(fine.grid.shape, bool)
    if travel.blocked_above_m is not None:
        barrier = barrier | (fine.elevation > travel.blocked_above_m)
    if data.barriers is not None:
        barrier = barrier | _burned(read_vector(data.barriers, "barriers"), fine.grid)
    if travel.closed:
        barrier = barrier | _closed_border(config, inputs, fine.grid)
    fine = replace(fine, barrier=barrier)
    if data.roads is not None:
        fine = replace(fine, road_kmh=_road_speeds(config, data.roads, fine.grid))
    if data.land_cover is not None:
        factors = config.features.travel.land_cover_factors
        fine = replace(fine, multiplier=_land_cover(data.land_cover, factors, fine.grid))
    return fine


def _burned(shapes: gpd.GeoDataFrame, grid: Grid) -> np.ndarray:
    local = shapes.to_crs(grid.crs).geometry
    return _burn([(shape, 1) for shape in local], grid) > 0


def _burn(pairs: list[tuple[object, float]], grid: Grid) -> np.ndarray:
    if not pairs:
        return np.zeros(grid.shape, "float32")
    return rasterize(pairs, grid.shape, transform=grid.transform, all_touched=True, dtype="float32")


def _closed_border(config: Config, inputs: Inputs, grid: Grid) -> np.ndarray:
    """Cells of the border line inside the closed boxes."""
    boxes = shapely.union_all([shapely.box(*box) for box in config.features.travel.closed])
    line = shapely.intersection(shapely.union_all(inputs.borders.geometry.to_numpy()), boxes)
    if line.is_empty:
        raise ConfigError("features.travel.closed: no box holds any part of the border.")
    # One cell to each side, so that no step slips past the corner of the line.
    wall = shapely.buffer(inputs.local(line), grid.cell_size_m)
    return _burn([(wall, 1)], grid) > 0


def _road_speeds(config: Config, path: Path, grid: Grid) -> np.ndarray:
    speeds = config.features.travel.road_speeds_kmh
    roads = read_vector(path, "roads").to_crs(grid.crs)
    if "class" not in roads:
        raise DataError(f"{path}: roads need a column 'class' (it has {', '.join(roads)}).")
    known = roads[roads["class"].isin(list(speeds))]
    if known.empty:
        raise ConfigError(
            f"features.travel.road_speeds_kmh names none of the classes in {path.name}: "
            f"{', '.join(sorted(set(map(str, roads['class']))))}."
        )
    # The fastest class is drawn last and wins where roads share a cell.
    ordered = known.assign(kmh=known["class"].map(speeds)).sort_values("kmh", kind="stable")
    return _burn(list(zip(ordered.geometry, ordered["kmh"], strict=True)), grid)


def _land_cover(path: Path, factors: dict[str, float], grid: Grid) -> np.ndarray:
    """Multiplier of the walking time from the speed factor of each land-cover code."""
    codes = np.full(grid.shape, -1, "int32")
    try:
        with rasterio.open(path) as source:
            reproject(
                rasterio.band(source, 1), codes, dst_transform=grid.transform,
                dst_crs=grid.crs.to_wkt(), dst_nodata=-1, resampling=Resampling.nearest,
            )  # fmt: skip
    except rasterio.errors.RasterioError as error:
        raise DataError(f"{path}: the land-cover raster cannot be read ({error}).") from error
    multiplier = np.ones(grid.shape, "float32")
    for code, factor in factors.items():
        multiplier[codes == int(code)] = 1 / factor if factor > 0 else np.nan
    return multiplier
