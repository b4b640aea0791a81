"""Config sections that say where the study area is and which files describe it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from borderrisk.config.base import (
    SCHEDULER,
    Bounds,
    CountryCode,
    InputPath,
    InputPaths,
    Latitude,
    Longitude,
    OutputPath,
    Positive,
    PositiveCount,
    Rising,
    Section,
    Slug,
)


class StudyAreaConfig(Section):
    """The strip of the home country along its border in which risk is scored."""

    home: CountryCode
    """ISO 3166-1 alpha-3 code of the home country."""
    neighbours: tuple[CountryCode, ...] = Field(min_length=1)
    """Codes of the neighbours whose border with home is studied."""
    border_strip_km: Positive = 250
    """Depth of the study area from the border inland, km."""
    halo_km: float = Field(default=100, ge=0)
    """Width of the ring around the study area that is read but not scored, km."""
    window: Bounds | None = None
    """[west, south, east, north], degrees: only border lines inside it count."""


class GridConfig(Section):
    """The analysis grid."""

    cell_size_m: Positive = 10000
    """Edge length of a cell, metres."""


class FocusConfig(Section):
    """A named window that gets its own map and export."""

    bounds: Bounds
    """[west, south, east, north], degrees."""
    title: str = ""
    """Title of the map, English."""
    title_fa: str = ""
    """Title of the map, Persian."""


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
    bad_values: tuple[float, ...] = ()
    """Values that mean 'missing' besides the nodata tag, in file units."""


INCIDENT_COLUMNS = (
    "incident_id", "id", "date", "date_end", "date_precision", "latitude", "longitude", "radius_km",
    "kind", "confidence", "place", "province", "country", "actor", "target", "deaths_reported",
    "deaths", "summary", "source",
)  # fmt: skip


class IncidentsConfig(Section):
    """Reported incidents, and which of them count."""

    path: InputPath | None = Field(
        default=None,
        description="Table or points: CSV, XLSX, GeoJSON, GeoPackage, ...; null: no incidents, and "
        "a run makes an index of expert weights, no forecast.",
    )
    layout: Literal["public_record", "table", "ucdp_ged", "acled", "gtd"] = "public_record"
    """Layout of the file; 'table' is any table whose columns are named below."""
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Layout 'table': our name -> the file's column; columns that have our "
        "name already may be left out. Our names: " + ", ".join(INCIDENT_COLUMNS) + ".",
        json_schema_extra={"propertyNames": {"enum": list(INCIDENT_COLUMNS)}},
    )
    default_radius_km: Positive | None = None
    """Radius of incidents that give none, km; null rejects them."""
    radius_km: dict[str, Positive] = Field(
        default_factory=dict,
        description="What codes of the place's precision mean, km, as in {1: 5, 2: 25}; codes of "
        "UCDP, ACLED and GTD are known.",
    )
    calendar: Literal["gregorian", "jalali"] = "gregorian"
    """'jalali' converts dates of the Iranian calendar."""
    kinds: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Keep only these kinds; null keeps all."""
    confidence: tuple[Literal["high", "medium", "low"], ...] = Field(
        default=("high", "medium", "low"), min_length=1
    )
    """Keep only reports of these confidences."""
    start: date | None = None
    """First day that counts, ISO date."""
    end: date | None = None
    """Last day that counts, ISO date."""
    max_radius_km: Positive = 100
    """Incidents known less precisely than this are rejected, km."""


class DataConfig(Section):
    """Input files; relative paths start at the folder of the config file."""

    package: InputPath | None = None
    """Frictionless datapackage.json with checksums of the inputs."""
    borders: InputPath
    """Border lines, one per pair of countries."""
    countries: InputPath
    """Country outlines."""
    elevation: ElevationConfig
    """Elevation rasters."""
    settlements: InputPath
    """Settlements with population."""
    incidents: IncidentsConfig = IncidentsConfig()
    """Reported incidents."""
    posts: InputPath | None = None
    """Points of state presence (posts), CSV or GeoJSON."""
    roads: InputPath | None = None
    """Road lines with a 'class' column, GeoJSON or GeoPackage."""
    land_cover: InputPath | None = None
    """Raster of land-cover codes, for walking speeds."""
    barriers: InputPath | None = None
    """Lines or polygons that cannot be crossed on foot (rivers in flood, walls)."""
    water: InputPath | None = None
    """Rivers and lakes, lines or polygons: slow to cross on foot."""
    zones: InputPath | None = None
    """Provinces or other named areas: polygons with a name."""
    crossings: InputPath | None = None
    """Border crossings: points with a name, table or vector file."""
    population: InputPath | None = None
    """Raster of the people in each pixel."""


EstimatorName = Literal[
    "decayed_pool", "random_forest", "glm", "even", "border_distance", "last_period", "kde",
    "radius_history", "kde_pool", "history_alone", "expert_weights", "walk_and_hide",
]  # fmt: skip
ESTIMATOR_NAMES = get_args(EstimatorName)


class TerrainConfig(Section):
    """Terrain features."""

    tpi_radii_km: tuple[PositiveCount, ...] = (10, 50)
    """Radii of the topographic position index, km."""


class ProximityConfig(Section):
    """Distances to borders and settlements."""

    settlement_thresholds: tuple[PositiveCount, ...] = (1000, 10000, 100000)
    """Distance to the nearest settlement of at least this many people, persons."""
    potential_scale_km: Positive = 50
    """Distance over which population potential decays by 1/e, km."""


class TravelConfig(Section):
    """Travel time over the terrain."""

    enabled: bool = True
    """Compute the travel features."""
    off_path_factor: float = Field(default=0.6, gt=0, le=1)
    """Walking speed off paths, share of that on paths."""
    slope_limit_deg: float = Field(default=45, gt=0, lt=90)
    """Steeper ground cannot be walked, degrees."""
    far_settlement_population: PositiveCount = 10000
    """Far-side settlements of at least this many people, persons."""
    home_settlement_population: PositiveCount = 10000
    """Home-side settlements of at least this many people, persons."""
    targets: dict[Slug, tuple[Longitude, Latitude]] = Field(default_factory=dict)
    """Named places people travel to: name -> [longitude, latitude], degrees."""
    road_speeds_kmh: dict[str, Positive] = Field(default_factory=dict)
    """Speed by road class, km/h; used where data.roads is set."""
    land_cover_factors: dict[str, Annotated[float, Field(ge=0, le=10)]] = Field(
        default_factory=dict
    )
    """Walking speed factor by land-cover code (0 = cannot be crossed), share."""
    water_speed_factor: float = Field(default=0.25, ge=0, le=1)
    """Walking speed where data.water lies (0 = roads only), share of that on land."""
    closed: tuple[Bounds, ...] = ()
    """Boxes [west, south, east, north], degrees, in which the border is closed."""
    blocked_above_m: float | None = None
    """Ground above this height cannot be crossed (snow), metres."""


class ConcealmentConfig(Section):
    """Ground hidden from settlements, roads and posts."""

    enabled: bool = True
    """Compute the concealment features."""
    observers: tuple[Literal["settlements", "roads", "posts"], ...] = Field(
        default=("settlements", "roads", "posts"), min_length=1
    )
    """Who sees: people in settlements, on data.roads, at data.posts."""
    radius_km: Positive = 20
    """How far an observer sees, km."""
    observer_height_m: Positive = 2
    """Height of an observer's eyes above the ground, metres."""


class FeaturesConfig(Section):
    """What is computed for each cell."""

    terrain: TerrainConfig = TerrainConfig()
    """Terrain features."""
    proximity: ProximityConfig = ProximityConfig()
    """Distances to borders and settlements."""
    travel: TravelConfig = TravelConfig()
    """Travel time over terrain."""
    concealment: ConcealmentConfig = ConcealmentConfig()
    """Ground hidden from observers."""
    exclude: tuple[str, ...] = ()
    """Features (or whole groups) left out of the model, by name."""
    table: InputPath | None = None
    """CSV or Parquet with a cell_id column and further features per cell."""
    columns: tuple[str, ...] = Field(
        default=(),
        description="Columns of features.table that the model uses. Columns about ethnicity, "
        "religion or identity are refused.",
    )


class TrainConfig(Section):
    """What the model is trained on."""

    area: Literal["study_area", "focus"] = "study_area"
    """'study_area': the whole border strip; 'focus': only the mapped windows."""
    start: date | None = None
    """First day of the training period; null: the first incident."""
    origin: date | None = None
    """Nothing dated on or after it is used; null: the day after the last incident."""


class ModelConfig(Section):
    """The estimator."""

    estimator: EstimatorName = "decayed_pool"
    """Which model is fitted."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the model, by its own names."""


class UncertaintyConfig(Section):
    """Intervals from a bootstrap of incidents and their locations."""

    replicates: int = Field(default=200, ge=0)
    """Number of bootstrap refits; 0: no intervals."""
    level: float = Field(default=0.9, gt=0, lt=1)
    """Coverage of the intervals, share."""


class EvaluationConfig(Section):
    """Tests on incidents the model has not seen."""

    enabled: bool = True
    """Evaluate as part of a run."""
    first_origin: date = date(2014, 1, 1)
    """First forecast origin; then yearly, ISO date."""
    last_origin: date = date(2024, 1, 1)
    """Last forecast origin, ISO date."""
    horizons_years: tuple[PositiveCount, ...] = Field(default=(1, 2), min_length=1)
    """How far the forecasts reach, years."""
    min_past_incidents: PositiveCount = 10
    """An origin with fewer earlier incidents is an error."""
    near_km: Positive = 15
    """An incident this near to an earlier one is a repeat place, km."""
    spatial: bool = True
    """Also test behind each border, left out of training in turn."""


# Texts, as in a file: they become paths when the folder of the config is known.
_PROCESSED: Any = "../data/processed"
_CACHE: Any = "../.cache"


class CorridorsConfig(Section):
    """Corridors between far-side sources and the targets of features.travel."""

    enabled: bool = True
    """Compute corridors and routes."""
    slack_hours: tuple[Positive, ...] = Field(default=(2, 6, 12), min_length=1)
    """Corridor classes: at most this much longer than the best route, hours."""
    routes: int = Field(default=50, ge=0)
    """Randomised routes per target for the crossing density."""
    cost_spread: float = Field(default=0.3, ge=0, lt=2)
    """Log standard deviation of the perturbed costs."""


class SegmentsConfig(Section):
    """Stretches of the border line that are ranked."""

    segment_km: Positive = 10
    """Length of a segment, km."""
    level_shares: Rising = (50, 75, 90)
    """Levels: % of border lower."""
    level_rates: Rising | None = None
    """Or: reports a year per 100 km."""
    against: InputPath | None = None
    """Folder of an earlier run: segments show how they changed since."""


class ScenarioConfig(Section):
    """A named what-if: the same config with some values changed."""

    title: str = ""
    """Title of the scenario, English."""
    title_fa: str = ""
    """Title of the scenario, Persian."""
    changes: dict[str, Any]
    """Partial config laid over this one; null takes a key back to its default."""


class OutputsConfig(Section):
    """What a run writes."""

    folder: OutputPath = _PROCESSED
    """Parent folder of the runs; . keeps them in runs/."""
    focus: tuple[Slug, ...] | None = None
    """Focus windows to map and export; null: all that are defined."""
    language: Literal["en", "fa"] = "en"
    """Language of the maps."""
    horizon_days: Annotated[int, Field(gt=0, le=3660)] = 365
    """Period of the risk probability, days."""
    figures: tuple[Literal["png", "svg", "pdf"], ...] = ("png", "svg")
    """Formats of the figures; empty for none."""


class ForecastsConfig(Section):
    """The forecasts that `borderrisk update` makes."""

    horizons_days: Annotated[
        tuple[Annotated[int, Field(gt=0, le=3660)], ...], Field(min_length=1)
    ] = (30, 90, 365)
    """Length of each forecast, days."""


class ComputeConfig(Section):
    """Where the work runs; changes no result."""

    scheduler: Annotated[str, Field(pattern=SCHEDULER)] = "threads"
    """'threads', 'processes' or a Dask address tcp://host:port."""
    workers: PositiveCount | None = None
    """Number of workers; null: one per core."""
    cache: OutputPath = _CACHE
    """Folder of cached stages."""
    cache_max_gb: Positive = 5
    """Oldest cached stages are removed above this size, GB."""
