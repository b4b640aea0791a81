"""Every input of a config by its role, its checksum and credits, and the area they are about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from shapely.geometry.base import BaseGeometry

from borderrisk.area import StudyArea, reproject
from borderrisk.config import Config
from borderrisk.errors import ConfigError, DataError, did_you_mean
from borderrisk.grid import WGS84, Grid
from borderrisk.outputs.scene import Source
from borderrisk.runs.hashing import read_json, sha256_file
from borderrisk.sources import incidents, world
from borderrisk.sources.elevation import Elevation, open_elevation
from borderrisk.sources.files import existing, parts_of
from borderrisk.sources.overlays import read_feature_table, read_population


@dataclass(frozen=True)
class Role:
    """One kind of input: config keys, dotted, of its files and of how they are read."""

    path: str
    config: tuple[str, ...] = ()


_AREA = ("study_area.home", "study_area.neighbours", "study_area.window")
ROLES = {
    "borders": Role("data.borders", _AREA),
    "countries": Role("data.countries"),
    "elevation": Role("data.elevation.path", ("data.elevation",)),
    "settlements": Role("data.settlements"),
    "incidents": Role("data.incidents.path", ("data.incidents",)),
    "posts": Role("data.posts"),
    "roads": Role("data.roads"),
    "land_cover": Role("data.land_cover"),
    "barriers": Role("data.barriers"),
    "water": Role("data.water"),
    "zones": Role("data.zones"),
    "crossings": Role("data.crossings"),
    "population": Role("data.population"),
    "table": Role("features.table", ("features.columns",)),
}


_COARSE_M = 200_000
# How the section of the incidents says that its file is read.
_READ = (
    "layout", "columns", "default_radius_km", "kinds", "confidence", "start", "end",
    "max_radius_km", "calendar", "radius_km",
)  # fmt: skip


class Inputs:
    """Every input of a config by its role, opened and checked when it is first asked for.

    An input that the config does not name is None. Places are WGS84.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def files(self, role: str) -> list[Path]:
        """Every file a role is read from, in a fixed order: folders expanded, sidecars included.

        Raises ``DataError`` if a virtual raster refers to a file that does not exist.
        """
        named: Any = self._config
        for name in ROLES[role].path.split("."):
            named = getattr(named, name)
        paths = named if isinstance(named, tuple) else [] if named is None else [named]
        files: list[Path] = []
        for path in paths:
            files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        return list(dict.fromkeys(part for file in files for part in (file, *parts_of(file))))

    @cached_property
    def sources(self) -> list[Source]:
        """Where the files come from, their checksums verified."""
        return verify(self._config.data.package, input_files(self._config))

    @cached_property
    def outline(self) -> Study:
        """The area on the coarsest cells, for what depends on its outline alone."""
        area = along_border(self._config, self, cell_size_m=_COARSE_M)
        return Study(area, self._config.study_area.home, self.borders, self.countries)

    @cached_property
    def borders(self) -> gpd.GeoDataFrame:
        """Border lines of home with its neighbours."""
        area = self._config.study_area
        return world.read_borders(
            self._config.data.borders, area.home, area.neighbours, area.window
        )

    @cached_property
    def countries(self) -> gpd.GeoDataFrame:
        """Country outlines."""
        return world.read_countries(self._config.data.countries)

    @cached_property
    def settlements(self) -> gpd.GeoDataFrame:
        """Settlements with their population."""
        return world.read_settlements(self._config.data.settlements)

    @cached_property
    def elevation(self) -> Elevation:
        """Elevation, metres."""
        data = self._config.data.elevation
        return open_elevation(list(data.path), units=data.units, bad_values=data.bad_values)

    @cached_property
    def posts(self) -> gpd.GeoDataFrame | None:
        """Points of state presence."""
        path = self._config.data.posts
        return None if path is None else world.read_points(path)

    @property
    def roads(self) -> Path | None:
        """File of the roads."""
        return self._config.data.roads

    @property
    def water(self) -> Path | None:
        """File of rivers and lakes."""
        return self._config.data.water

    @property
    def barriers(self) -> Path | None:
        """File of what cannot be crossed on foot."""
        return self._config.data.barriers

    @property
    def land_cover(self) -> Path | None:
        """File of the land-cover codes."""
        return self._config.data.land_cover

    @cached_property
    def zones(self) -> gpd.GeoDataFrame | None:
        """Named areas."""
        path = self._config.data.zones
        return None if path is None else world.read_zones(path)

    @cached_property
    def crossings(self) -> gpd.GeoDataFrame | None:
        """Named border crossings."""
        path = self._config.data.crossings
        return None if path is None else world.read_points(path, "crossings", named=True)

    @property
    def population(self) -> Callable[[Grid], np.ndarray] | None:
        """Reader of the people in each cell of a grid."""
        path = self._config.data.population
        return None if path is None else partial(read_population, path)

    @property
    def table(self) -> Callable[[Grid], dict[str, np.ndarray]] | None:
        """Reader of the user's own features on a grid."""
        features = self._config.features
        if features.table is None:
            return None
        return partial(read_feature_table, features.table, features.columns)

    @property
    def incidents(self) -> Callable[..., incidents.IncidentTable] | None:
        """Reader of the incidents: :func:`read_incident_table` of this config."""
        if self._config.data.incidents.path is None:
            return None
        return partial(read_incident_table, self._config)


@dataclass(frozen=True)
class Study:
    """The area that is scored, and the land and lines around it.

    ``borders`` are the lines of the home country, ``countries`` outlines, both WGS84.
    """

    area: StudyArea
    home_code: str
    borders: gpd.GeoDataFrame
    countries: gpd.GeoDataFrame

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
        """The grid with ``exposure`` and ``domain``: shares of study area and land."""
        shares = {
            "exposure": (self.area.polygon, "Share of the cell inside the study area"),
            "domain": (self.land, "Share of the cell that is land of study area and halo"),
        }
        return self.grid.dataset().assign(
            {
                name: (("y", "x"), np.maximum(self.grid.coverage(shape), 0),
                       {"units": "1", "long_name": text})
                for name, (shape, text) in shares.items()
            }
        )  # fmt: skip

    @property
    def place(self) -> dict[str, Any]:
        """Where this is, for the file of a model: countries, and the outline in degrees as WKT."""
        outline = reproject(self.area.polygon, self.grid.crs, WGS84).simplify(0.05)
        return {
            "home": self.home_code,
            "neighbours": list(self.lines),
            "outline": shapely.to_wkt(outline, rounding_precision=2),
        }

    @property
    def halo_bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of study area and halo, degrees."""
        west, south, east, north = reproject(self.area.halo, self.grid.crs, WGS84).bounds
        return west, south, east, north


def lay_area(config: Any, files: Any) -> Study:
    """Lay the study area and its grid along the border.

    Raises ``DataError`` if a file is missing, damaged, or is not what the config says.
    """
    area, outlines = config.study_area, files.countries
    study = along_border(config, files, config.grid.cell_size_m)
    for code in files.borders["country_b"]:
        if code not in set(outlines["iso_a3"]):
            raise DataError(
                f"data.countries has no outline of the neighbour {code}; its ground would count as "
                f"sea.{did_you_mean(code, outlines['iso_a3'])}"
            )
    return Study(study, area.home, files.borders, outlines)


def along_border(config: Any, files: Any, cell_size_m: float) -> StudyArea:
    """Lay the study area on a grid of cells of any size."""
    return StudyArea.along_border(
        world.outline(files.countries, config.study_area.home),
        world.all_lines(files.borders),
        strip_km=config.study_area.border_strip_km,
        halo_km=config.study_area.halo_km,
        cell_size_m=cell_size_m,
    )


def read_incident_table(
    config: Config, region: tuple[float, float, float, float] | None
) -> incidents.IncidentTable:
    """Read the incidents with the filters of a config.

    ``region``, (west, south, east, north) in degrees, serves to notice swapped coordinates.
    """
    section = config.data.incidents
    if section.path is None:
        raise ConfigError("data.incidents.path: there is no file of incidents in this config.")
    how = {name: getattr(section, name) for name in _READ}
    return incidents.read_incidents(section.path, region=region, **how)


def input_files(config: Config) -> list[Path]:
    """Every file that the inputs are read from, in a fixed order and each once."""
    inputs = Inputs(config)
    return list(dict.fromkeys(path for role in ROLES for path in inputs.files(role)))


def verify(package_path: str | Path | None, files: Iterable[str | Path]) -> list[Source]:
    """Return what is known about each file, after comparing it with the package's checksum.

    Files that the Frictionless data package does not list are taken as they are. DataError if a
    file is missing, or a listed one differs from its checksum.
    """
    resources = {} if package_path is None else read_resources(package_path)
    return [
        _checked(existing(file, "data"), resources.get(Path(file).resolve(), {})) for file in files
    ]


def read_resources(package_path: str | Path) -> dict[Path, dict[str, str]]:
    """Return title, version, licence, attribution and hash of resources by absolute path."""
    path = existing(package_path, "data package")
    try:
        resources = read_json(path)["resources"]
        return {(path.parent / str(r["path"])).resolve(): _facts(r) for r in resources}
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DataError(
            f"data package: {path} is not a Frictionless data package ({error!r})."
        ) from error


def without_checksum(package_path: str | Path, file: str | Path) -> str | None:
    """Return a data package's text without checksum and size of one file; None if it has none.

    For a file that its user goes on with. ``DataError`` as for :func:`read_resources`.
    """
    read_resources(package_path)
    package = json.loads(Path(package_path).read_text("utf-8"))
    changed = False
    for resource in package["resources"]:
        if (Path(package_path).parent / resource["path"]).resolve() == Path(file).resolve():
            for name in ("hash", "bytes"):
                changed |= resource.pop(name, None) is not None
    return json.dumps(package, ensure_ascii=False, indent=1) + "\n" if changed else None


def _facts(resource: dict[str, Any]) -> dict[str, str]:
    licences = [it.get("title") or it.get("name", "") for it in resource.get("licenses", [])]
    names = ("title", "version", "attribution", "hash")
    found = {name: str(resource[name]) for name in names if name in resource}
    return {**found, "licence": "; ".join(map(str, licences))}


def _checked(path: Path, facts: Mapping[str, str]) -> Source:
    actual, expected = sha256_file(path), facts.get("hash", "").removeprefix("sha256:")
    if expected and actual != expected:
        raise DataError(
            f"data: {path} is not the file its data package describes: sha256 is {actual}, "
            f"expected {expected}. Restore it, or name your own file in the config instead."
        )
    said = {name: facts.get(name, "") for name in ("version", "licence", "attribution")}
    size = path.stat().st_size
    return Source(facts.get("title", path.name), **said, sha256=actual, bytes=size, path=str(path))
