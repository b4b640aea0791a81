"""Config sections for corridors, segments, scenarios, outputs and computing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from borderrisk.config.base import (
    SCHEDULER,
    InputPath,
    OutputPath,
    Positive,
    PositiveCount,
    Section,
    Slug,
)

# Texts, as in a file: they become paths when the folder of the config is known.
_PROCESSED: Any = "../data/processed"
_CACHE: Any = "../.cache"


class CorridorsConfig(Section):
    """Corridors between far-side sources and the targets of features.travel."""

    enabled: bool = Field(default=True, description="Compute corridors and routes.")
    slack_hours: tuple[Positive, ...] = Field(
        default=(2, 6, 12), min_length=1,
        description="Corridor classes: at most this much longer than the best route, hours.",
    )  # fmt: skip
    routes: int = Field(
        default=50, ge=0, description="Randomised routes per target for the crossing density."
    )
    cost_spread: float = Field(
        default=0.3, ge=0, lt=2, description="Log standard deviation of the perturbed costs."
    )


class SegmentsConfig(Section):
    """Stretches of the border line that are ranked."""

    segment_km: Positive = Field(default=10, description="Length of a segment, km.")
    against: InputPath | None = Field(
        default=None,
        description="Folder of an earlier run: segments show how they changed since.",
    )


class ScenarioConfig(Section):
    """A named what-if: the same config with some values changed."""

    title: str = Field(default="", description="Title of the scenario, English.")
    title_fa: str = Field(default="", description="Title of the scenario, Persian.")
    changes: dict[str, Any] = Field(
        description="Partial config laid over this one; null takes a key back to its default."
    )


class OutputsConfig(Section):
    """What a run writes."""

    folder: OutputPath = Field(default=_PROCESSED, description="Parent folder of the runs.")
    focus: tuple[Slug, ...] | None = Field(
        default=None, description="Focus windows to map and export; null: all that are defined."
    )
    language: Literal["en", "fa"] = Field(default="en", description="Language of the maps.")
    horizon_days: Annotated[int, Field(gt=0, le=3660)] = Field(
        default=365, description="Period of the risk probability, days."
    )
    features_format: Literal["nc", "zarr"] = Field(
        default="nc", description="Format of the feature dataset: NetCDF or Zarr."
    )
    figures: tuple[Literal["png", "svg", "pdf"], ...] = Field(
        default=("png", "svg"), description="Formats of the figures; empty for none."
    )


class ComputeConfig(Section):
    """Where the work runs; changes no result."""

    scheduler: Annotated[str, Field(pattern=SCHEDULER)] = Field(
        default="threads", description="'threads', 'processes' or a Dask address tcp://host:port."
    )
    workers: PositiveCount | None = Field(
        default=None, description="Number of workers; null: one per core."
    )
    cache: OutputPath = Field(default=_CACHE, description="Folder of cached stages.")
    cache_max_gb: Positive = Field(
        default=5, description="Oldest cached stages are removed above this size, GB."
    )
