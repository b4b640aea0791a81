"""Config sections for features, training, uncertainty and evaluation."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from borderrisk.config.base import (
    Bounds,
    InputPath,
    Latitude,
    Longitude,
    Positive,
    PositiveCount,
    Section,
    Slug,
)

ESTIMATOR_NAMES = (
    "pooled", "gam", "glm", "hist_gradient_boosting", "random_forest", "history", "kde",
    "border_distance", "uniform",
)  # fmt: skip
EstimatorName = Literal[
    "pooled", "gam", "glm", "hist_gradient_boosting", "random_forest", "history", "kde",
    "border_distance", "uniform",
]  # fmt: skip


class TerrainConfig(Section):
    """Terrain features."""

    tpi_radii_km: tuple[PositiveCount, ...] = Field(
        default=(10, 50), description="Radii of the topographic position index, km."
    )


class ProximityConfig(Section):
    """Distances to borders and settlements."""

    settlement_thresholds: tuple[PositiveCount, ...] = Field(
        default=(1_000, 10_000, 100_000),
        description="Distance to the nearest settlement of at least this many people, persons.",
    )
    potential_scale_km: Positive = Field(
        default=50, description="Distance over which population potential decays by 1/e, km."
    )


class TravelConfig(Section):
    """Travel time over the terrain."""

    enabled: bool = Field(default=True, description="Compute the travel features.")
    off_path_factor: float = Field(
        default=0.6, gt=0, le=1, description="Walking speed off paths, share of that on paths."
    )
    slope_limit_deg: float = Field(
        default=45, gt=0, lt=90, description="Steeper ground cannot be walked, degrees."
    )
    far_settlement_population: PositiveCount = Field(
        default=10_000, description="Far-side settlements of at least this many people, persons."
    )
    home_settlement_population: PositiveCount = Field(
        default=10_000, description="Home-side settlements of at least this many people, persons."
    )
    targets: dict[Slug, tuple[Longitude, Latitude]] = Field(
        default_factory=dict,
        description="Named places people travel to: name -> [longitude, latitude], degrees.",
    )
    road_speeds_kmh: dict[str, Positive] = Field(
        default_factory=dict, description="Speed by road class, km/h; used where data.roads is set."
    )
    land_cover_factors: dict[str, Annotated[float, Field(ge=0, le=10)]] = Field(
        default_factory=dict,
        description="Walking speed factor by land-cover code (0 = cannot be crossed), share.",
    )
    water_speed_factor: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Walking speed where data.water lies (0 = roads only), share of that on land.",
    )
    closed: tuple[Bounds, ...] = Field(
        default=(),
        description="Boxes [west, south, east, north], degrees, in which the border is closed.",
    )
    blocked_above_m: float | None = Field(
        default=None, description="Ground above this height cannot be crossed (snow), metres."
    )


class ConcealmentConfig(Section):
    """Ground hidden from settlements, roads and posts."""

    enabled: bool = Field(default=True, description="Compute the concealment features.")
    observers: tuple[Literal["settlements", "roads", "posts"], ...] = Field(
        default=("settlements", "roads", "posts"),
        min_length=1,
        description="Who sees: people in settlements, on data.roads, at data.posts.",
    )
    radius_km: Positive = Field(default=20, description="How far an observer sees, km.")
    observer_height_m: Positive = Field(
        default=2, description="Height of an observer's eyes above the ground, metres."
    )


class FeaturesConfig(Section):
    """What is computed for each cell."""

    terrain: TerrainConfig = Field(default=TerrainConfig(), description="Terrain features.")
    proximity: ProximityConfig = Field(
        default=ProximityConfig(), description="Distances to borders and settlements."
    )
    travel: TravelConfig = Field(default=TravelConfig(), description="Travel time over terrain.")
    concealment: ConcealmentConfig = Field(
        default=ConcealmentConfig(), description="Ground hidden from observers."
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="Features (or whole groups) left out of the model, by name."
    )
    table: InputPath | None = Field(
        default=None,
        description="CSV or Parquet with a cell_id column and further features per cell.",
    )
    columns: tuple[str, ...] = Field(
        default=(),
        description="Columns of features.table that the model uses. Columns about ethnicity, "
        "religion or identity are refused.",
    )


class TrainConfig(Section):
    """What the model is trained on."""

    area: Literal["study_area", "focus"] = Field(
        default="study_area",
        description="'study_area': the whole border strip; 'focus': only the mapped windows.",
    )
    start: date | None = Field(
        default=None, description="First day of the training period; null: the first incident."
    )
    origin: date | None = Field(
        default=None,
        description="Nothing dated on or after it is used; null: the day after the last incident.",
    )


class ModelConfig(Section):
    """The estimator."""

    estimator: EstimatorName = Field(default="pooled", description="Which estimator is fitted.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Parameters of the estimator, by its own names."
    )


class UncertaintyConfig(Section):
    """Intervals from a bootstrap of incidents and their locations."""

    replicates: int = Field(
        default=200, ge=0, description="Number of bootstrap refits; 0: no intervals."
    )
    level: float = Field(default=0.9, gt=0, lt=1, description="Coverage of the intervals, share.")


class EvaluationConfig(Section):
    """Tests on incidents the model has not seen."""

    enabled: bool = Field(default=True, description="Evaluate as part of a run.")
    first_origin: date = Field(
        default=date(2014, 1, 1), description="First forecast origin; then yearly, ISO date."
    )
    last_origin: date = Field(
        default=date(2024, 1, 1), description="Last forecast origin, ISO date."
    )
    horizons_years: tuple[PositiveCount, ...] = Field(
        default=(1, 2), min_length=1, description="How far the forecasts reach, years."
    )
    min_past_incidents: PositiveCount = Field(
        default=10, description="An origin with fewer earlier incidents is an error."
    )
    near_km: Positive = Field(
        default=15, description="An incident this near to an earlier one is a repeat place, km."
    )
    spatial: bool = Field(default=True, description="Also cross-validate in space.")
    planted: bool = Field(
        default=True, description="Also test on a synthetic world whose intensity is known."
    )
    ablation: bool = Field(default=True, description="Also score without each feature group.")
    robustness_cell_km: tuple[Positive, ...] = Field(
        default=(5, 10, 20), description="Cell sizes of the robustness report, km; []: none."
    )
