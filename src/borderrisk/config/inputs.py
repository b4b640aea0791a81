"""Config sections that say where the study area is and which files describe it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from borderrisk.config.base import (
    Bounds,
    CountryCode,
    InputPath,
    InputPaths,
    Positive,
    Section,
)


class StudyAreaConfig(Section):
    """The strip of the home country along its border in which risk is scored."""

    home: CountryCode = Field(description="ISO 3166-1 alpha-3 code of the home country.")
    neighbours: tuple[CountryCode, ...] = Field(
        min_length=1, description="Codes of the neighbours whose border with home is studied."
    )
    border_strip_km: Positive = Field(
        default=250, description="Depth of the study area from the border inland, km."
    )
    halo_km: float = Field(
        default=100,
        ge=0,
        description="Width of the ring around the study area that is read but not scored, km.",
    )
    window: Bounds | None = Field(
        default=None,
        description="[west, south, east, north], degrees: only border lines inside it count.",
    )


class GridConfig(Section):
    """The analysis grid."""

    cell_size_m: Positive = Field(default=10_000, description="Edge length of a cell, metres.")


class FocusConfig(Section):
    """A named window that gets its own map and export."""

    bounds: Bounds = Field(description="[west, south, east, north], degrees.")
    title: str = Field(default="", description="Title of the map, English.")
    title_fa: str = Field(default="", description="Title of the map, Persian.")


class ElevationConfig(Section):
    """Elevation rasters."""

    path: InputPaths = Field(
        description="A raster, a folder of tiles, a list of rasters, or a VRT. Where files "
        "overlap, the first in order of file name that has a value wins; within a VRT, the last "
        "it lists."
    )
    units: Literal["m", "ft"] | None = Field(
        default=None,
        description="Unit of the values in the files; null = metres, and a file that says "
        "otherwise is refused.",
    )
    bad_values: tuple[float, ...] = Field(
        default=(), description="Values that mean 'missing' besides the nodata tag, in file units."
    )


INCIDENT_COLUMNS = (
    "incident_id", "id", "date", "date_end", "date_precision", "latitude", "longitude", "radius_km",
    "kind", "confidence", "place", "province", "country", "actor", "target", "deaths_reported",
    "deaths", "summary", "source",
)  # fmt: skip


class IncidentsConfig(Section):
    """Reported incidents, and which of them count."""

    path: InputPath = Field(description="CSV, GeoJSON or GeoPackage of incidents.")
    layout: Literal["public_record", "table", "ucdp_ged"] = Field(
        default="public_record",
        description="Layout of the file; 'table' is any table whose columns are named below.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Layout 'table': our name -> the file's column; columns that have our "
        "name already may be left out. Our names: " + ", ".join(INCIDENT_COLUMNS) + ".",
        json_schema_extra={"propertyNames": {"enum": list(INCIDENT_COLUMNS)}},
    )
    default_radius_km: Positive | None = Field(
        default=None, description="Radius of incidents that give none, km; null rejects them."
    )
    kinds: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None, description="Keep only these kinds; null keeps all."
    )
    confidence: tuple[Literal["high", "medium", "low"], ...] = Field(
        default=("high", "medium", "low"),
        min_length=1,
        description="Keep only reports of these confidences.",
    )
    start: date | None = Field(default=None, description="First day that counts, ISO date.")
    end: date | None = Field(default=None, description="Last day that counts, ISO date.")
    max_radius_km: Positive = Field(
        default=100, description="Incidents known less precisely than this are rejected, km."
    )


class DataConfig(Section):
    """Input files; relative paths start at the folder of the config file."""

    package: InputPath | None = Field(
        default=None, description="Frictionless datapackage.json with checksums of the inputs."
    )
    borders: InputPath = Field(description="Border lines, one per pair of countries.")
    countries: InputPath = Field(description="Country outlines.")
    elevation: ElevationConfig = Field(description="Elevation rasters.")
    settlements: InputPath = Field(description="Settlements with population.")
    incidents: IncidentsConfig = Field(description="Reported incidents.")
    posts: InputPath | None = Field(
        default=None, description="Points of state presence (posts), CSV or GeoJSON."
    )
    roads: InputPath | None = Field(
        default=None, description="Road lines with a 'class' column, GeoJSON or GeoPackage."
    )
    land_cover: InputPath | None = Field(
        default=None, description="Raster of land-cover codes, for walking speeds."
    )
    barriers: InputPath | None = Field(
        default=None,
        description="Lines or polygons that cannot be crossed on foot (rivers in flood, walls).",
    )
    water: InputPath | None = Field(
        default=None,
        description="Rivers and lakes, lines or polygons: slow to cross on foot.",
    )
