"""What every input holds and does: told at the start of a run, and all that `validate` does."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from borderrisk.config import Config
from borderrisk.errors import ConfigError, DataError
from borderrisk.features.terrain import check_coverage, doubts
from borderrisk.grid import Grid
from borderrisk.pipeline import steps
from borderrisk.pipeline.inputs import Study
from borderrisk.pipeline.stages import Stages
from borderrisk.runs import shown_path
from borderrisk.sources import incidents, world
from borderrisk.sources.elevation import Elevation
from borderrisk.sources.files import Reading

log = logging.getLogger(__name__)
NO_INCIDENTS = (
    "No incidents are given (data.incidents): a run makes an index of expert weights, not a "
    "forecast, and has no probabilities, intervals or test."
)


def require_incidents(config: Config) -> None:
    """Raise ``ConfigError`` unless a config has incidents to learn from."""
    if config.data.incidents.path is None:
        raise ConfigError(
            f"{config.name} has no incidents to learn from or to test with; give data.incidents. "
            "`borderrisk run` makes an index map without them."
        )


def validate(config: Config) -> list[dict[str, Any]]:
    """Open every input of a config; return ``input, path, holds, left out, used for`` of each.

    Raises ``DataError`` at the first input that fails a check.
    """
    stages = Stages.of(config)
    study, elevation = stages[steps.area], stages.inputs.elevation
    check_coverage(elevation, study.grid, needed=study.base["exposure"].to_numpy() > 0)
    found = readings(stages)
    for reading in found:
        reading.tell()
    return [
        {
            "input": reading.what,
            "path": shown_path(reading.path, stages.project),
            "holds": reading.holds,
            "left out": "; ".join((*filter(None, [reading.left_out]), *reading.warnings)),
            "used for": reading.used_for,
        }
        for reading in found
    ]


def readings(stages: Stages) -> list[Reading]:
    """Open every input, check that it is of this area, and say what became of it.

    Raises ``DataError`` at the first input that fails a check.
    """
    inputs, data = stages.inputs, stages.config.data
    # A file that was changed since its checksum stops a run before any work.
    _ = inputs.sources
    study = stages[steps.area]
    towns = _settlements(stages)
    found = [
        _borders(stages, study),
        Reading("countries", data.countries, f"{len(inputs.countries)} outlines", "home and land"),
        _elevation(data.elevation.path[0], inputs.elevation, study.grid),
        Reading(
            "settlements",
            data.settlements,
            f"{len(towns):,} places",
            f"people and walking: {_inside(towns, study.grid):,} places on the grid",
        ),
        *_incidents(stages, study),
    ]
    if inputs.posts is not None and data.posts is not None:
        world.check_near(inputs.posts, study.halo_bounds, "posts", data.posts)
        on_grid = f"distances: {_inside(inputs.posts, study.grid):,} posts on the grid"
        found.append(Reading("posts", data.posts, f"{len(inputs.posts)} posts", on_grid))
    return [*found, *_overlays(stages), *_own_features(stages, study.grid)]


def tell(stages: Stages) -> None:
    """Log what every input holds and does, warnings aloud."""
    for reading in readings(stages):
        reading.tell()


def _borders(stages: Stages, study: Study) -> Reading:
    km = sum(line.length for line in study.lines.values()) / 1000
    missing = set(stages.config.study_area.neighbours) - set(study.borders["country_b"])
    return Reading(
        "borders",
        stages.config.data.borders,
        f"{', '.join(study.borders['pair'])}; {km:,.0f} km",
        "study area, distances, segments",
        f"outside study_area.window: {', '.join(sorted(missing))}" if missing else "",
    )


def _elevation(path: Path, elevation: Elevation, grid: Grid) -> Reading:
    rows, cols = elevation.shape
    narrow = "8-bit numbers: a hillshade, mask or picture rather than elevation"
    return Reading(
        "elevation",
        path,
        f"{rows:,} x {cols:,} pixels, {elevation.crs.name}",
        "terrain, walking, relief",
        warnings=(*([narrow] if elevation.is_narrow else []), *doubts(elevation, grid)),
    )


def _settlements(stages: Stages) -> gpd.GeoDataFrame:
    """Return the settlements, some of which have to be of this area and its countries."""
    path, area = stages.config.data.settlements, stages.config.study_area
    places = stages.inputs.settlements
    world.check_near(places, stages[steps.area].halo_bounds, "settlements", path)
    codes = {area.home, *area.neighbours}
    if not places["country"].isin(codes).any():
        found = ", ".join(places["country"].value_counts().index[:5])
        raise DataError(
            f"settlements: {path}: column country holds {found}, none of which is a country of "
            f"the study area ({', '.join(sorted(codes))}: ISO 3166-1 alpha-3)."
        )
    return places


def _incidents(stages: Stages, study: Study) -> list[Reading]:
    path, record = stages.config.data.incidents.path, stages[steps.incidents]
    table = record.table
    if path is None:
        log.warning(NO_INCIDENTS)
        return []
    world.check_near(table.incidents, study.halo_bounds, "incidents", path)
    ahead = table.rejected[table.rejected["reason"].str.startswith(incidents.AHEAD)]
    warnings = [
        f"{len(ahead)} row(s) left out: row {row.row} {row.reason}"
        for row in ahead.head(1).itertuples()
    ]
    return [
        Reading(
            "incidents",
            path,
            f"{len(record.everything)} incidents on the grid, {len(record.rejected())} rejected",
            "the model and its test",
            "; ".join(table.notes),
            tuple(warnings),
        )
    ]


def _overlays(stages: Stages) -> list[Reading]:
    """Roads, barriers, water and land cover; without effect where what reads them is off."""
    travel, seen = stages.config.features.travel, stages.config.features.concealment
    off = "no effect: what depends on it is switched off (features.travel.enabled)"
    idle = (
        {} if travel.enabled else dict.fromkeys(("roads", "barriers", "water", "land_cover"), off)
    )
    if seen.enabled and "roads" in seen.observers:
        idle.pop("roads", None)
    if travel.enabled and travel.water_speed_factor == 1:
        idle["water"] = "no effect: features.travel.water_speed_factor is 1"
    return [
        replace(reading, used_for=idle[reading.what], warnings=(idle[reading.what],))
        if reading.what in idle
        else reading
        for reading in stages[steps.ground].overlays.readings
    ]


def _own_features(stages: Stages, grid: Grid) -> list[Reading]:
    read, path = stages.inputs.table, stages.config.features.table
    if read is None or path is None:
        return []
    filled = {name: int(np.isfinite(values).sum()) for name, values in read(grid).items()}
    holds = ", ".join(f"{name} in {n:,} cells" for name, n in filled.items())
    return [Reading("features.table", path, holds, "features of the model")]


def _inside(points: gpd.GeoDataFrame, grid: Grid) -> int:
    row, _ = grid.rowcol(*grid.project(points.geometry.x, points.geometry.y))
    return int((row >= 0).sum())
