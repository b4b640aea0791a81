"""First stage: open every input a config names, check it, and lay the grid."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from borderrisk.area import StudyArea, reproject
from borderrisk.border.routes import MAX_DRAW_PIXELS
from borderrisk.config import Config
from borderrisk.errors import ConfigError, DataError
from borderrisk.features.concealment import concealment_features
from borderrisk.features.travel import (
    FineTerrain,
    Places,
    Solves,
    Walking,
    pixels_per_cell,
    solve_travel,
    travel_features,
)
from borderrisk.grid import WGS84, Grid
from borderrisk.sources import borders, countries, datapackage, incidents, points, settlements
from borderrisk.sources.elevation import Elevation, open_elevation
from borderrisk.sources.land_cover import read_land_cover
from borderrisk.sources.parts import parts_of
from borderrisk.sources.vectors import read_vector

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """What a run reads, in the normal layouts (WGS84), and the area it is about."""

    area: StudyArea
    borders: gpd.GeoDataFrame
    countries: gpd.GeoDataFrame
    settlements: gpd.GeoDataFrame
    incidents: incidents.IncidentTable
    elevation: Elevation
    posts: gpd.GeoDataFrame | None
    sources: list[datapackage.SourceInfo]
    home_code: str

    @property
    def grid(self) -> Grid:
        """The analysis grid."""
        return self.area.grid

    def local(self, geometry: BaseGeometry) -> BaseGeometry:
        """Move a WGS84 geometry to grid metres."""
        return reproject(geometry, WGS84, self.grid.crs)

    @cached_property
    def home(self) -> BaseGeometry:
        """The home country, grid metres."""
        return self.local(countries.outline(self.countries, self.home_code))

    @cached_property
    def all_land(self) -> BaseGeometry:
        """Land on the grid and just around it, grid metres."""
        near = shapely.box(*self.grid.bounds).buffer(100_000)
        window = reproject(near.segmentize(50_000), self.grid.crs, WGS84).bounds
        parts = [
            shapely.make_valid(self.local(shapely.clip_by_rect(shape, *window)))
            for shape in self.countries.geometry
        ]
        return shapely.union_all(parts)

    @cached_property
    def land(self) -> BaseGeometry:
        """Land within the study area and halo, grid metres."""
        return shapely.intersection(self.all_land, self.area.halo)

    @cached_property
    def lines(self) -> dict[str, BaseGeometry]:
        """The border with each neighbour, by its country code, grid metres."""
        return {
            row.country_b: self.local(row.geometry) for row in self.borders.itertuples(index=False)
        }

    @cached_property
    def base(self) -> xr.Dataset:
        """The grid with ``exposure`` and ``domain``."""
        return base_dataset(self.area, self.land)


def base_dataset(area: StudyArea, land: BaseGeometry) -> xr.Dataset:
    """Return the grid with the covered shares of study area and land."""
    grid = area.grid
    shares = {
        "exposure": (grid.coverage(area.polygon), "Share of the cell inside the study area"),
        "domain": (grid.coverage(land), "Share of the cell that is land of study area and halo"),
    }
    return grid.dataset().assign(
        {
            name: (("y", "x"), np.maximum(values, 0), {"units": "1", "long_name": text})
            for name, (values, text) in shares.items()
        }
    )


def read_inputs(config: Config) -> Inputs:
    """Open and check every input of a config.

    Raises
    ------
    DataError
        If a file is missing, damaged, or is not what the config says.
    """
    data, area = config.data, config.study_area
    sources = datapackage.verify(data.package, input_files(config))
    lines = borders.read_borders(
        data.borders, home=area.home, neighbours=area.neighbours, window=area.window
    )
    outlines = countries.read_countries(data.countries)
    study = StudyArea.along_border(
        countries.outline(outlines, area.home),
        borders.all_lines(lines),
        strip_km=area.border_strip_km,
        halo_km=area.halo_km,
        cell_size_m=config.grid.cell_size_m,
    )
    halo_bounds = reproject(study.halo, study.grid.crs, WGS84).bounds
    elevation = open_elevation(
        list(data.elevation.path), units=data.elevation.units, bad_values=data.elevation.bad_values
    )
    return Inputs(
        area=study,
        borders=lines,
        countries=outlines,
        settlements=settlements.read_settlements(data.settlements),
        incidents=read_incident_table(config, halo_bounds),
        elevation=elevation,
        posts=None if data.posts is None else _read_posts(data.posts, study.grid),
        sources=sources,
        home_code=area.home,
    )


def _read_posts(path: Path, grid: Grid) -> gpd.GeoDataFrame:
    posts = points.read_points(path)
    row, _ = grid.rowcol(*grid.project(posts.geometry.x, posts.geometry.y))
    if not (row >= 0).any():
        x, y = posts.geometry.x.iloc[0], posts.geometry.y.iloc[0]
        raise DataError(
            f"posts: {path}: none of the {len(posts)} lies on the grid (the first is at {x:g} E, "
            f"{y:g} N); check the order of longitude and latitude, and the CRS."
        )
    return posts


def read_incident_table(
    config: Config, region: tuple[float, float, float, float] | None, path: Path | None = None
) -> incidents.IncidentTable:
    """Read the incidents with the filters of a config.

    Parameters
    ----------
    config : Config
        Layout, columns and filters.
    region : tuple of float or None
        (west, south, east, north) in degrees, to notice swapped coordinates.
    path : Path, optional
        Another file in the same layout.
    """
    section = config.data.incidents
    return incidents.read_incidents(
        path or section.path,
        layout=section.layout,
        columns=section.columns or None,
        default_radius_km=section.default_radius_km,
        kinds=section.kinds,
        confidence=section.confidence,
        start=section.start,
        end=section.end,
        max_radius_km=section.max_radius_km,
        region=region,
    )


def input_files(config: Config) -> list[Path]:
    """Every file that the inputs are read from, in a fixed order and each once.

    Those a config names, folders expanded, and the files these refer to or cannot be read without.

    Raises
    ------
    DataError
        If a virtual raster refers to a file that does not exist.
    """
    data = config.data
    named: list[Any] = [
        data.borders, data.countries, *data.elevation.path, data.settlements, data.incidents.path,
        data.posts, data.roads, data.land_cover, data.barriers, data.water, config.features.table,
    ]  # fmt: skip
    files: list[Path] = []
    for path in named:
        if path is not None:
            files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return list(dict.fromkeys(part for file in files for part in (file, *parts_of(file))))


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
    parts = []
    if config.features.travel.enabled:
        parts.append(travel_features(inputs.grid, movement.solves))
    if config.features.concealment.enabled:
        parts.append(_concealment(config, inputs, movement.fine))
    return parts


def _concealment(config: Config, inputs: Inputs, fine: FineTerrain) -> xr.Dataset:
    section, roads = config.features.concealment, config.data.roads
    towns = inputs.settlements
    return concealment_features(
        inputs.grid,
        fine,
        towns if "settlements" in section.observers else towns[:0],
        inputs.posts if "posts" in section.observers else None,
        roads=read_vector(roads, "roads") if roads and "roads" in section.observers else None,
        radius_km=section.radius_km,
        observer_height_m=section.observer_height_m,
    )


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


def fine_terrain(config: Config, inputs: Inputs, pixels: int | None = None) -> FineTerrain:
    """Return what people move over: elevation, water, roads, land cover and closures.

    Parameters
    ----------
    config : Config
        Which of them there are.
    inputs : Inputs
        Elevation, land and border lines.
    pixels : int, optional
        At most so many, but at least one for each cell; by default as the elevation needs.
    """
    factor = pixels_per_cell(inputs.elevation, inputs.grid)
    if pixels is not None:
        factor = max(1, min(factor, int(np.sqrt(pixels / inputs.grid.size))))
    fine = FineTerrain.read(inputs.elevation, inputs.grid, land=inputs.all_land, factor=factor)
    travel, data = config.features.travel, config.data
    fine = replace(fine, barrier=_barriers(config, inputs, fine))
    if data.roads is not None:
        fine = replace(fine, road_kmh=_road_speeds(config, data.roads, fine.grid))
    if data.land_cover is not None:
        factors = travel.land_cover_factors
        fine = replace(fine, multiplier=_land_cover(data.land_cover, factors, fine.grid))
    if data.water is not None:
        water = inputs.local(shapely.union_all(read_vector(data.water, "water").geometry))
        slow = travel.water_speed_factor
        fine = fine.slowed(water, 1 / slow) if slow > 0 else fine.closed(water)
    return fine


def draw_terrain(config: Config, inputs: Inputs) -> FineTerrain:
    """Return the coarser terrain that randomised routes are drawn on."""
    return fine_terrain(config, inputs, MAX_DRAW_PIXELS)


def _barriers(config: Config, inputs: Inputs, fine: FineTerrain) -> np.ndarray:
    travel, data = config.features.travel, config.data
    barrier = fine.barrier if fine.barrier is not None else np.zeros(fine.grid.shape, bool)
    if travel.blocked_above_m is not None:
        barrier = barrier | (fine.elevation > travel.blocked_above_m)
    if data.barriers is not None:
        barrier = barrier | _burned(read_vector(data.barriers, "barriers"), fine.grid)
    if travel.closed:
        barrier = barrier | _closed_border(config, inputs, fine.grid)
    return barrier


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
    codes = read_land_cover(path, grid)
    multiplier = np.ones(grid.shape, "float32")
    for code, factor in factors.items():
        multiplier[codes == int(code)] = 1 / factor if factor > 0 else np.nan
    return multiplier
