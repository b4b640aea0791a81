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
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from borderrisk.area import StudyArea, reproject
from borderrisk.border.routes import MAX_DRAW_PIXELS
from borderrisk.config import Config
from borderrisk.errors import ConfigError, DataError, did_you_mean
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
from borderrisk.grid import WGS84, Grid, polygons
from borderrisk.sources import basedata, incidents, world
from borderrisk.sources.elevation import Elevation, doubts, open_elevation
from borderrisk.sources.files import Reading, parts_of
from borderrisk.sources.overlays import Overlays, burned, read_overlays

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
    readings: tuple[Reading, ...]
    sources: list[basedata.SourceInfo]
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
        return self.local(world.outline(self.countries, self.home_code))

    @cached_property
    def all_land(self) -> BaseGeometry:
        """Land on the grid and just around it, grid metres."""
        near = shapely.box(*self.grid.bounds).buffer(100_000)
        window = reproject(near.segmentize(50_000), self.grid.crs, WGS84).bounds
        parts = [
            shapely.make_valid(self.local(shapely.clip_by_rect(shape, *window)))
            for shape in self.countries.geometry
        ]
        return polygons(shapely.union_all(parts))

    @cached_property
    def land(self) -> BaseGeometry:
        """Land within the study area and halo, grid metres."""
        return polygons(shapely.intersection(self.all_land, self.area.halo))

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
    """Open and check every input of a config, and say what each holds.

    Raises
    ------
    DataError
        If a file is missing, damaged, or is not what the config says.
    """
    data, area = config.data, config.study_area
    sources = basedata.verify(data.package, input_files(config))
    lines = world.read_borders(
        data.borders, home=area.home, neighbours=area.neighbours, window=area.window
    )
    outlines = world.read_countries(data.countries)
    study = StudyArea.along_border(
        world.outline(outlines, area.home),
        world.all_lines(lines),
        strip_km=area.border_strip_km,
        halo_km=area.halo_km,
        cell_size_m=config.grid.cell_size_m,
    )
    _check_neighbours(data.countries, outlines, lines)
    region = reproject(study.halo, study.grid.crs, WGS84).bounds
    inputs = Inputs(
        area=study,
        borders=lines,
        countries=outlines,
        settlements=_read_settlements(config, region),
        incidents=read_incident_table(config, region),
        elevation=open_elevation(
            list(data.elevation.path),
            units=data.elevation.units,
            bad_values=data.elevation.bad_values,
        ),
        posts=None if data.posts is None else world.read_points(data.posts),
        readings=(),
        sources=sources,
        home_code=area.home,
    )
    if inputs.posts is not None:
        world.check_near(inputs.posts, region, "posts", str(data.posts))
    world.check_near(inputs.incidents.incidents, region, "incidents", data.incidents.path)
    inputs = replace(inputs, readings=_readings(config, inputs))
    for reading in inputs.readings:
        reading.tell()
    return inputs


def _check_neighbours(path: Path, outlines: gpd.GeoDataFrame, lines: gpd.GeoDataFrame) -> None:
    """Refuse a neighbour without an outline: its ground would count as sea."""
    for code in lines["country_b"]:
        if code not in set(outlines["iso_a3"]):
            raise DataError(
                f"countries: {path} has no outline of the neighbour {code}; nobody could walk on "
                f"its ground.{did_you_mean(code, outlines['iso_a3'])}"
            )


def _read_settlements(
    config: Config, region: tuple[float, float, float, float]
) -> gpd.GeoDataFrame:
    path, area = config.data.settlements, config.study_area
    places = world.read_settlements(path)
    world.check_near(places, region, "settlements", path)
    codes = {area.home, *area.neighbours}
    found = places["country"].value_counts().index[:5]
    if not places["country"].isin(codes).any():
        raise DataError(
            f"settlements: {path}: column country holds {', '.join(found)}, none of which is a "
            f"country of the study area ({', '.join(sorted(codes))}: ISO 3166-1 alpha-3)."
        )
    return places


def _readings(config: Config, inputs: Inputs) -> tuple[Reading, ...]:
    """State what each input holds, serves, and leaves to be doubted."""
    data, km = config.data, sum(line.length for line in inputs.lines.values()) / 1000
    rows, cols = inputs.elevation.shape
    towns, posts, table = inputs.settlements, inputs.posts, inputs.incidents
    near = _inside(towns, inputs.grid)
    missing = set(config.study_area.neighbours) - set(inputs.borders["country_b"])
    found = [
        Reading(
            "borders", data.borders, f"{', '.join(inputs.borders['pair'])}; {km:,.0f} km",
            "study area, distances, segments",
            f"outside study_area.window: {', '.join(sorted(missing))}" if missing else "",
        ),
        Reading("countries", data.countries, f"{len(inputs.countries)} outlines", "home and land"),
        Reading(
            "elevation", data.elevation.path[0],
            f"{rows:,} x {cols:,} pixels, {inputs.elevation.crs.name}", "terrain, walking, relief",
            warnings=tuple(doubts(inputs.elevation, *_pixels(inputs.elevation, inputs.grid))),
        ),
        Reading(
            "settlements", data.settlements, f"{len(towns):,} places",
            f"people and walking: {near:,} places on the grid",
        ),
        Reading(
            "incidents", data.incidents.path, table.notes[0], "the model and its test",
            "; ".join(table.notes[1:]), _ahead(table),
        ),
    ]  # fmt: skip
    if posts is not None:
        on_grid = f"distances: {_inside(posts, inputs.grid):,} posts on the grid"
        found.append(Reading("posts", Path(str(data.posts)), f"{len(posts)} posts", on_grid))
    return tuple(found)


def _ahead(table: incidents.IncidentTable) -> tuple[str, ...]:
    rows = table.rejected[table.rejected["reason"].str.startswith(incidents.AHEAD)]
    if rows.empty:
        return ()
    return (f"{len(rows)} row(s) left out: row {rows['row'].iloc[0]} {rows['reason'].iloc[0]}",)


def _inside(points: gpd.GeoDataFrame, grid: Grid) -> int:
    row, _ = grid.rowcol(*grid.project(points.geometry.x, points.geometry.y))
    return int((row >= 0).sum())


def _pixels(elevation: Elevation, grid: Grid) -> tuple[slice, slice]:
    """Rows and columns of the raster that the grid lies in."""
    to_raster = Transformer.from_crs(grid.crs, elevation.crs, always_xy=True)
    west, south, east, north = to_raster.transform_bounds(*grid.bounds, densify_pts=21)
    left, top = ~elevation.transform @ (west, north)
    right, bottom = ~elevation.transform @ (east, south)
    rows, cols = elevation.shape
    return (
        slice(*np.clip([int(top), int(bottom) + 1], 0, rows)),
        slice(*np.clip([int(left), int(right) + 1], 0, cols)),
    )


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
        calendar=section.calendar,
        radius_km=section.radius_km or None,
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
    if not parts:
        overlays(config, inputs)
    return parts


def _concealment(config: Config, inputs: Inputs, fine: FineTerrain) -> xr.Dataset:
    section = config.features.concealment
    towns = inputs.settlements
    return concealment_features(
        inputs.grid,
        fine,
        towns if "settlements" in section.observers else towns[:0],
        inputs.posts if "posts" in section.observers else None,
        roads=overlays(config, inputs).roads if "roads" in section.observers else None,
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
    given = overlays(config, inputs)
    fine = replace(
        fine,
        barrier=_barriers(config, inputs, fine, given),
        road_kmh=given.road_kmh(fine.grid),
        multiplier=given.walking_time(fine.grid),
    )
    if given.water is not None:
        water = inputs.local(shapely.union_all(given.water.geometry))
        slow = config.features.travel.water_speed_factor
        fine = fine.slowed(water, 1 / slow) if slow > 0 else fine.closed(water)
    return fine


def overlays(config: Config, inputs: Inputs) -> Overlays:
    """Open roads, barriers, water and land cover, and say what they do."""
    travel, data = config.features.travel, config.data
    found = read_overlays(
        inputs.grid,
        roads=data.roads,
        barriers=data.barriers,
        water=data.water,
        land_cover=data.land_cover,
        speeds=travel.road_speeds_kmh,
        factors=travel.land_cover_factors,
        idle=_idle(config),
    )
    for reading in found.readings:
        reading.tell()
    return found


def _idle(config: Config) -> set[str]:
    """Roles that nothing of this run depends on."""
    if config.features.travel.enabled:
        return set()
    concealment = config.features.concealment
    seen_from = concealment.enabled and "roads" in concealment.observers
    return {"barriers", "water", "land_cover"} | (set() if seen_from else {"roads"})


def draw_terrain(config: Config, inputs: Inputs) -> FineTerrain:
    """Return the coarser terrain that randomised routes are drawn on."""
    return fine_terrain(config, inputs, MAX_DRAW_PIXELS)


def _barriers(config: Config, inputs: Inputs, fine: FineTerrain, given: Overlays) -> np.ndarray:
    travel = config.features.travel
    barrier = fine.barrier if fine.barrier is not None else np.zeros(fine.grid.shape, bool)
    if travel.blocked_above_m is not None:
        barrier = barrier | (fine.elevation > travel.blocked_above_m)
    walls = given.walls(fine.grid)
    if walls is not None:
        barrier = barrier | walls
    if travel.closed:
        barrier = barrier | _closed_border(config, inputs, fine.grid)
    return barrier


def _closed_border(config: Config, inputs: Inputs, grid: Grid) -> np.ndarray:
    """Cells of the border line inside the closed boxes."""
    boxes = shapely.union_all([shapely.box(*box) for box in config.features.travel.closed])
    line = shapely.intersection(shapely.union_all(inputs.borders.geometry.to_numpy()), boxes)
    if line.is_empty:
        raise ConfigError("features.travel.closed: no box holds any part of the border.")
    # One cell to each side, so that no step slips past the corner of the line.
    wall = shapely.buffer(inputs.local(line), grid.cell_size_m)
    return burned([(wall, 1)], grid) > 0
