"""Every input by its role: what was read of it, what was left out, and what it does."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from borderrisk.area import reproject
from borderrisk.border.segments import CROSSING_KM, cut_border
from borderrisk.errors import DataError
from borderrisk.features import catalogue
from borderrisk.features.terrain import doubts
from borderrisk.grid import WGS84, Grid
from borderrisk.pipeline import steps
from borderrisk.pipeline.inputs import Study
from borderrisk.pipeline.stages import Stages
from borderrisk.sources import incidents, world
from borderrisk.sources._tiles import describe_raster
from borderrisk.sources.elevation import Elevation
from borderrisk.sources.files import Header, Reading
from borderrisk.sources.overlays import count_features
from borderrisk.sources.rowchecks import check_not_swapped
from borderrisk.sources.tables import describe_vector

log = logging.getLogger(__name__)

NO_INCIDENTS = (
    "No incidents are given (data.incidents): a run makes an index of expert weights, not a "
    "forecast, and has no probabilities, intervals or test."
)

# A border that is farther from the outline of home than this, m, for more than this share of its
# length is doubted: published lines differ by less.
_BESIDE_M, _AWAY = 25_000, 0.1
_RASTERS = ("elevation", "land_cover", "population")
_UNITS = {
    "elevation": "m", "settlements": "persons", "incidents": "days and km", "roads": "classes",
    "land_cover": "codes", "population": "persons a pixel",
}  # fmt: skip


def open_inputs(stages: Stages, grid: Grid) -> list[Reading]:
    """Open every input, check that it is of this area, and say what became of it.

    ``grid`` is the one that tables of features are of. Raises ``DataError`` at the first input
    that fails a check.
    """
    # A file that was changed since its checksum stops a run before any work.
    _ = stages.inputs.sources
    found = [
        *_surroundings(stages),
        *_incidents(stages),
        *_posts(stages),
        *_overlays(stages),
        *_named(stages),
        *_population(stages),
        *_own_features(stages, grid),
    ]
    for key, section in (("road_speeds_kmh", "roads"), ("land_cover_factors", "land_cover")):
        given = getattr(stages.config.features.travel, key)
        if given and getattr(stages.config.data, section) is None:
            log.warning("features.travel.%s: no effect: data.%s names no file", key, section)
    return [replace(reading, header=_header(reading)) for reading in found]


def _header(reading: Reading) -> Header:
    path, what = reading.path, reading.what
    if path.is_dir():
        return Header("folder", units=_UNITS.get(what, ""))
    header = describe_raster(path) if what in _RASTERS else describe_vector(path, what)
    return replace(header, units=header.units or _UNITS.get(reading.what, ""))


def _placed(reading: Reading, frame: gpd.GeoDataFrame, why: str = "") -> Reading:
    """Add how many rows were read, and where they lie; say ``why`` they have no effect."""
    west, south, east, north = map(float, frame.total_bounds)
    return _effect(replace(reading, rows=len(frame), extent=(west, south, east, north)), why)


def _effect(reading: Reading, why: str) -> Reading:
    """Say aloud ``why`` an input has no effect, if it has none."""
    none = f"no effect: {why}"
    return replace(reading, used_for=none, warnings=(*reading.warnings, none)) if why else reading


def _surroundings(stages: Stages) -> list[Reading]:
    """Borders, outlines, elevation and settlements."""
    study, data, inputs = stages[steps.area], stages.config.data, stages.inputs
    km = sum(line.length for line in study.lines.values()) / 1000
    pieces = max(1, round(km / stages.config.segments.segment_km))
    missing = set(stages.config.study_area.neighbours) - set(study.borders["country_b"])
    near = int(inputs.countries.intersects(shapely.box(*study.halo_bounds)).sum())
    towns = _settlements(stages)
    away = _away_km(study)
    doubt = (
        f"{away:,.0f} of {km:,.0f} km lie more than {_BESIDE_M / 1000:g} km from the outline of "
        f"{study.home_code} in {data.countries.name}: one of the two is damaged, incomplete or of "
        "another border"
    )
    borders = Reading(
        "borders", data.borders, f"{', '.join(study.borders['pair'])}; {km:,.0f} km",
        f"study area, distances, about {pieces:,} segments",
        f"outside study_area.window: {', '.join(sorted(missing))}" if missing else "",
        (doubt,) if away > _AWAY * km else (),
    )  # fmt: skip
    countries = Reading(
        "countries", data.countries, f"{len(inputs.countries)} outlines",
        f"home and land: {near} of them on the grid",
    )  # fmt: skip
    settlements = Reading(
        "settlements", data.settlements, f"{len(towns):,} places",
        f"people and walking: {_inside(towns, study.grid):,} places on the grid",
    )  # fmt: skip
    return [
        _placed(borders, study.borders),
        _placed(countries, inputs.countries),
        _elevation(data.elevation.path[0], inputs.elevation, study),
        _placed(settlements, towns),
    ]


def _away_km(study: Study) -> float:
    """How much of the border is not beside the outline of home, km."""
    beside = study.home.simplify(_BESIDE_M / 10).boundary.buffer(_BESIDE_M)
    return float(sum(line.difference(beside).length for line in study.lines.values())) / 1000


def _elevation(path: Path, elevation: Elevation, study: Study) -> Reading:
    rows, cols = elevation.shape
    box = shapely.box(*elevation.bounds).segmentize(elevation.transform.a * max(1, cols / 50))
    covered = shapely.intersection(
        reproject(box, elevation.crs, study.grid.crs), study.area.polygon
    ).area
    west, south, east, north = reproject(box, elevation.crs, WGS84).bounds
    narrow = "8-bit numbers: a hillshade, mask or picture rather than elevation"
    return Reading(
        "elevation", path, f"{rows:,} x {cols:,} pixels, {elevation.crs.name}",
        f"terrain, walking, relief: covers {covered / study.area.polygon.area:.0%} of the area",
        warnings=(*([narrow] if elevation.is_narrow else []), *doubts(elevation, study.grid)),
        extent=(west, south, east, north),
    )  # fmt: skip


def _settlements(stages: Stages) -> gpd.GeoDataFrame:
    """Return the settlements, some of which have to be of this area and its countries."""
    path, area = stages.config.data.settlements, stages.config.study_area
    places = stages.inputs.settlements
    world.check_near(places, stages[steps.area].halo_bounds, "settlements", path)
    codes = {area.home, *area.neighbours}
    own = places[places["country"] == area.home].geometry
    home = world.outline(stages.inputs.countries, area.home).bounds
    check_not_swapped(own.x, own.y, home, f"settlements: {path}")
    if not places["country"].isin(codes).any():
        found = ", ".join(places["country"].value_counts().index[:5])
        raise DataError(
            f"settlements: {path}: column country holds {found}, none of which is a country of "
            f"the study area ({', '.join(sorted(codes))}: ISO 3166-1 alpha-3)."
        )
    return places


def _incidents(stages: Stages) -> list[Reading]:
    path, record = stages.config.data.incidents.path, stages[steps.incidents]
    table = record.table
    if path is None:
        log.warning(NO_INCIDENTS)
        return []
    world.check_near(table.incidents, stages[steps.area].halo_bounds, "incidents", path)
    ahead = table.rejected[table.rejected["reason"].str.startswith(incidents.AHEAD)]
    warnings = [
        f"{len(ahead)} row(s) left out: row {row.row} {row.reason}"
        for row in ahead.head(1).itertuples()
    ]
    rejected = record.rejected()
    reading = Reading(
        "incidents",
        path,
        f"{len(record.everything)} incidents on the grid, {len(rejected)} rejected",
        f"the model and its test: {len(record.panel)} before {record.origin:%Y-%m-%d}",
        "; ".join(table.notes),
        tuple(warnings),
    )
    rows = len(table.incidents) + len(table.rejected)
    return [replace(_placed(reading, table.incidents), rows=rows)]


def _posts(stages: Stages) -> list[Reading]:
    posts, path, features = stages.inputs.posts, stages.config.data.posts, stages.config.features
    if posts is None or path is None:
        return []
    study = stages[steps.area]
    world.check_near(posts, study.halo_bounds, "posts", path)
    seen = features.concealment.enabled and "posts" in features.concealment.observers
    uses = {"distance": _counts(stages, "post"), "walking": features.travel.enabled, "sight": seen}
    used = [name for name, on in uses.items() if on]
    does = f"{' and '.join(used)}: {_inside(posts, study.grid):,} posts on the grid"
    off = "" if used else "switched off in features (exclude, travel and concealment)"
    return [_placed(Reading("posts", path, f"{len(posts)} posts", does), posts, off)]


def _counts(stages: Stages, what: str) -> bool:
    """Whether a model sees how far something is."""
    known = catalogue.feature(f"{what}_distance_km")
    return not {known.name, known.group} & {*stages.config.features.exclude}


def _overlays(stages: Stages) -> list[Reading]:
    """Roads, barriers, water and land cover; without effect where what reads them is off."""
    travel, seen = stages.config.features.travel, stages.config.features.concealment
    idle = dict[str, str]()
    if not travel.enabled:
        off = "what depends on it is switched off (features.travel.enabled)"
        idle = dict.fromkeys(("roads", "barriers", "water", "land_cover"), off)
    watched = seen.enabled and "roads" in seen.observers
    if watched or _counts(stages, "road"):
        idle.pop("roads", None)
    if travel.enabled and travel.water_speed_factor == 1:
        idle["water"] = "features.travel.water_speed_factor is 1"
    overlays = stages[steps.ground].overlays
    read = {"roads": overlays.roads, "barriers": overlays.barriers, "water": overlays.water}
    found = []
    for reading in overlays.readings:
        frame = read.get(reading.what)
        one = reading if frame is None else _placed(reading, frame)
        if reading.what == "roads" and not travel.enabled:
            uses = {"distance": _counts(stages, "road"), "seen from, for concealment": watched}
            one = replace(one, used_for=" and ".join(name for name, on in uses.items() if on))
        elif reading.what == "roads" and _counts(stages, "road"):
            one = replace(one, used_for=f"{one.used_for}; distance")
        found.append(_effect(one, idle.get(reading.what, "")))
    return found


def _named(stages: Stages) -> list[Reading]:
    """Zones and crossings, by how much of the area and how many segments they name."""
    data, inputs, found = stages.config.data, stages.inputs, list[Reading]()
    if inputs.zones is None and inputs.crossings is None:
        return found
    study, named = stages[steps.area], stages[steps.named]
    segments = cut_border(study.borders, study.grid.crs, stages.config.segments.segment_km)
    along = named.along(segments)
    if inputs.zones is not None and data.zones is not None and named.zones is not None:
        exposure = study.base["exposure"].to_numpy()
        inside = np.zeros(exposure.shape, bool) if named.zone is None else named.zone >= 0
        share = exposure[inside].sum() / exposure.sum()
        count = int((along.get("zone", np.array([])) != "").sum())
        does = f"named in {count:,} of {len(segments):,} segments; covers {share:.0%} of the area"
        why = "" if share > 0 or count > 0 else "none of the zones lies in the area"
        out = _apart(len(inputs.zones) - len(named.zones), "outside the grid")
        reading = Reading("zones", data.zones, f"{len(inputs.zones):,} zones", does, out)
        found.append(_placed(reading, inputs.zones, why))
    if inputs.crossings is not None and data.crossings is not None:
        km = along.get("crossing_km", np.array([]))
        does = f"the nearest of each of {len(segments):,} segments"
        does += f", {km.min():.0f} to {km.max():.0f} km away" if len(km) else ""
        does += "; distance" if _counts(stages, "crossing") else ""
        kept = 0 if named.crossings is None else len(named.crossings)
        far = f"farther than {CROSSING_KM:g} km from the border"
        why = "" if kept else f"all of them are {far}"
        out = _apart(len(inputs.crossings) - kept, far)
        holds = f"{len(inputs.crossings):,} crossings"
        reading = Reading("crossings", data.crossings, holds, does, out)
        found.append(_placed(reading, inputs.crossings, why))
    return found


def _apart(count: int, where: str) -> str:
    return f"{count:,} {where}" if count else ""


def _population(stages: Stages) -> list[Reading]:
    path, read = stages.config.data.population, stages.inputs.population
    if path is None or read is None:
        return []
    study = stages[steps.area]
    people, exposure = read(study.grid), study.base["exposure"].to_numpy()
    known = np.isfinite(people) & (exposure > 0)
    total = float((people * exposure)[known].sum())
    does = f"feature population of {known.sum():,} of {(exposure > 0).sum():,} cells"
    why = "" if known.any() else "the raster has no values in the area"
    if known.any() and not total:
        why = "by the raster nobody lives in the area"
    if {"population", catalogue.feature("population").group} & {*stages.config.features.exclude}:
        why = "features.exclude leaves it out of the model"
    return [_effect(Reading("population", path, f"{total:,.0f} people in the area", does), why)]


def _own_features(stages: Stages, grid: Grid) -> list[Reading]:
    features = stages.config.features
    if features.table is None:
        return []
    filled = count_features(features.table, features.columns, grid)
    holds = ", ".join(f"{name} in {n:,} cells" for name, n in filled.items())
    left = [name for name in filled if name in features.exclude]
    none = len(left) == len(filled)
    why = "features.exclude leaves its columns out of the model" if none else ""
    out = f"features.exclude: {', '.join(left)}" if left else ""
    reading = Reading("features.table", features.table, holds, "features of the model", out)
    return [_effect(reading, why)]


def _inside(points: gpd.GeoDataFrame, grid: Grid) -> int:
    row, _ = grid.rowcol(*grid.project(points.geometry.x, points.geometry.y))
    return int((row >= 0).sum())
