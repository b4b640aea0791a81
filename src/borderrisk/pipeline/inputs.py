"""First stage: open every input a config names, check it, and lay the grid."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from shapely.geometry.base import BaseGeometry

from borderrisk.area import StudyArea, reproject
from borderrisk.config import Config
from borderrisk.errors import DataError
from borderrisk.grid import WGS84, Grid
from borderrisk.sources import borders, countries, datapackage, incidents, points, settlements
from borderrisk.sources.elevation import Elevation, open_elevation
from borderrisk.sources.parts import parts_of

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
