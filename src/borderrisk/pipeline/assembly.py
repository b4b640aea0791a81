"""Put one finished scoring and its surroundings together: the scene that outputs draw from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from rasterio.warp import transform_bounds

from borderrisk.area import reproject
from borderrisk.border.ranking import Levels, index_table, segment_table
from borderrisk.config.whole import mapped_focus
from borderrisk.evaluation.scorecard import Scorecard
from borderrisk.grid import WGS84, Grid
from borderrisk.model.behind import incidents_behind
from borderrisk.model.cells import CellTable
from borderrisk.model.drivers import by_decile
from borderrisk.model.modelfile import ModelFile
from borderrisk.model.uncertainty import Intervals
from borderrisk.outputs.headline import explained
from borderrisk.outputs.scene import (
    AreaTotal,
    Focus,
    Rejected,
    Relief,
    Scene,
    SceneMeta,
    is_index,
)
from borderrisk.pipeline import scoring, steps
from borderrisk.pipeline.inputs import Study
from borderrisk.pipeline.stages import Stages
from borderrisk.runs.manifest import shown_path
from borderrisk.sources.elevation import Elevation
from borderrisk.sources.overlays import roads_to_draw

STATEMENT = (
    "Relative intensity of reported incidents, with uncertainty: an area-level estimate from open "
    "data. It says nothing about persons, and it inherits what was and was not reported."
)
INDEX_STATEMENT = (
    "An index, not a forecast: no incidents were given, so nothing was learned or tested. It "
    "weighs slope, elevation and distances as experts do, and says nothing of how many incidents "
    "to expect, how likely they are, or of persons."
)
RELIEF_PIXELS = 2_000_000


@dataclass(frozen=True)
class Scored:
    """The cells with features and scores, and what the scores came from."""

    cells: xr.Dataset
    model: ModelFile
    intervals: Intervals | None
    effects: dict[str, dict[str, list[float]]]
    totals: list[AreaTotal]


def score_cells(
    stages: Stages, carried: ModelFile | None = None, *, elsewhere: bool = True
) -> Scored:
    """Apply the config's own model to its cells, or one carried here from ``elsewhere``.

    Without incidents, here or where it was made, it is an index: of risk, class and rank only.
    """
    # The border right after the features: both need the travel times, which are not kept for long.
    ds, border = stages[steps.features], stages[steps.border]
    stages.forget(steps.ground)
    config, model = stages.config, carried or stages[steps.model]
    cells = stages[steps.cells]
    if carried is not None:
        cells = CellTable.from_dataset(ds, carried.features, missing="median")
    if carried is not None and elsewhere:
        model = _taken_here(carried, cells, stages[steps.incidents])
    index = model.extra.get("index", False) and not stages[steps.incidents].given
    refitted = carried is None and not index and config.uncertainty.replicates > 0
    intervals = stages[steps.intervals] if refitted else None
    if index:
        variables = scoring.index_variables(cells, model.model)
    else:
        variables = scoring.score_variables(
            cells, model.model, config.outputs.horizon_days, config.uncertainty.level
        )
    if intervals is not None:
        variables |= scoring.interval_variables(cells, intervals)
    parts = model.model.drivers(cells)
    variables |= scoring.driver_variables(cells, parts)
    if not index:
        variables |= _behind(stages, cells, model)
    if model.trust is not None:
        codes = scoring.trust_codes(
            cells, ds, stages[steps.incidents].panel, model.trust, config.study_area.halo_km,
            leans=scoring.leans_on_ground(cells, model.model),
            trained_here=carried is None or not elsewhere,
        )  # fmt: skip
        variables |= scoring.trust_variable(cells, codes)
    curves = by_decile(parts, cells.x, cells.study_area_100km2)
    totals = []
    if not index:
        totals = scoring.area_totals(
            cells, model.model, intervals, focuses(config), config.outputs.horizon_days,
            config.uncertainty.level,
        )  # fmt: skip
    done = ds.assign(variables).assign(border.slack.data_vars)
    return Scored(done, model, intervals, curves, totals)


def focuses(config: Any) -> tuple[Focus, ...]:
    """Return the windows that a run maps, exports and sums over."""
    mapped = mapped_focus(config).items()
    return tuple(Focus(n, f.bounds, f.title or n, f.title_fa) for n, f in mapped)


def _behind(stages: Stages, cells: CellTable, model: ModelFile) -> dict[str, xr.DataArray]:
    """Earlier incidents behind each cell, by their place among those that the scene shows."""
    record = stages[steps.incidents]
    found = incidents_behind(model.model, cells, record.panel, record.origin)
    shown = {name: k for k, name in enumerate(_placed(stages)["incident_id"])}
    past = record.panel.before(record.origin).incidents["incident_id"]
    return scoring.incident_variables(cells, found, np.array([shown[name] for name in past], int))


def _taken_here(model: ModelFile, cells: CellTable, record: steps.Record) -> ModelFile:
    """Give a model of elsewhere the earlier incidents and the level of this place."""
    fitted = model.model.carried(cells, record.panel, record.origin)
    extra = {
        **model.extra,
        "facts": fitted.facts(),
        "carried_from": model.extra.get("carried_from", model.origin),
    }
    return replace(model, model=fitted, origin=record.day or model.origin, extra=extra)


def make_scene(
    stages: Stages, scored: Scored, run_id: str, scorecard: Scorecard | None,
    previous: gpd.GeoDataFrame | None = None,
) -> Scene:  # fmt: skip
    """Build the scene of a run; segments are compared with ``previous`` where given."""
    study = stages[steps.area]
    named = stages[steps.named]
    scene = Scene(
        area=study.area,
        cells=scored.cells.assign(named.variables()),
        borders=study.borders,
        settlements=_within_halo(stages.inputs.settlements, study),
        incidents=_placed(stages),
        relief=relief(stages.inputs.elevation, study.grid),
        focuses=focuses(stages.config),
        meta=_meta(stages, scored, run_id, scorecard),
    )
    scene = replace(scene, cells=scene.cells.assign_attrs(scene.stamp))
    segments, border = ranked_segments(stages, scored, previous), stages[steps.border]
    if not scene.is_index:
        segments = explained(scene, segments, border.attribution)
    layers = {"segments": segments, **border.layers, **named.layers()}
    if stages.inputs.roads is not None:
        speeds = stages.config.features.travel.road_speeds_kmh
        layers["roads"] = roads_to_draw(stages.inputs.roads, speeds, study.halo_bounds)
    if stages.inputs.posts is not None:
        layers["posts"] = _within_halo(stages.inputs.posts, study)
    return replace(scene, layers=layers)


def ranked_segments(
    stages: Stages, scored: Scored, previous: gpd.GeoDataFrame | None = None
) -> gpd.GeoDataFrame:
    """Return the border's segments, ranked by what reaches inland through them.

    With an earlier ranking they show how they changed since.
    """
    border, intervals, config = stages[steps.border], scored.intervals, stages.config
    given = border.segments, border.attribution, scored.cells, stages[steps.area].grid
    if is_index(scored.cells):
        table = index_table(*given, crossings=border.crossings)
    else:
        table = segment_table(
            *given,
            replicates=None if intervals is None else intervals.replicates,
            level=config.uncertainty.level,
            horizon_days=config.outputs.horizon_days,
            crossings=border.crossings,
            previous=previous,
            levels=Levels(config.segments.level_shares, config.segments.level_rates),
        )
    return table.assign(**stages[steps.named].along(border.segments))


def segment_replicates(stages: Stages, scored: Scored) -> np.ndarray | None:
    """Return bootstrap expected incidents per year of each segment, (replicates, segments)."""
    if scored.intervals is None:
        return None
    cells = stages[steps.cells]
    rows = np.flatnonzero(cells.mask.ravel())[cells.study]
    area = cells.study_area_100km2[cells.study]
    drawn = scored.intervals.replicates * area.astype("float32")
    return np.asarray(drawn @ stages[steps.border].attribution[rows])


def counts(stages: Stages) -> dict[str, int]:
    """Numbers of cells, features and incidents."""
    cells, record = stages[steps.cells], stages[steps.incidents]
    read, used = record.table, record.panel.incidents
    inside = shapely.contains_xy(stages[steps.area].area.polygon, used["x"], used["y"])
    return {
        "cells scored": int(cells.study.sum()),
        "cells read": len(cells),
        "features": len(cells.features),
        "incidents read": len(read.incidents) + len(read.rejected),
        "incidents used": len(record.panel),
        "incidents in the study area": int(inside.sum()),
        "incidents after the origin": len(record.everything) - len(record.known),
        "rows rejected": len(record.rejected()),
    }


def _placed(stages: Stages) -> gpd.GeoDataFrame:
    """Incidents the model was trained on, as they were read, and their share in the study area."""
    record = stages[steps.incidents]
    table = record.table.incidents
    home = record.panel.incidents.set_index("incident_id")["home"]
    table = table[table["incident_id"].isin(home.index)].reset_index(drop=True)
    return table.assign(home=table["incident_id"].map(home))


def _within_halo(points: gpd.GeoDataFrame, study: Study) -> gpd.GeoDataFrame:
    halo = reproject(study.area.halo, study.grid.crs, WGS84)
    return points[points.within(halo)].reset_index(drop=True)


def _meta(stages: Stages, scored: Scored, run_id: str, scorecard: Scorecard | None) -> SceneMeta:
    config, record = stages.config, stages[steps.incidents]
    rejected = record.rejected().astype(object).fillna("").astype(str)
    index, extra = is_index(scored.cells), scored.model.extra
    facts = {key: extra.get(key) for key in ("estimator", "parameters", "incidents")}
    title, title_fa = config.title or config.name, config.title_fa or ""
    if index:
        title, title_fa = f"{title}: an index, not a forecast", f"{title_fa}: شاخص، نه پیش‌بینی"
    return SceneMeta(
        title=title, title_fa=title_fa.removeprefix(": "), run_id=run_id, config_name=config.name,
        origin=scored.model.origin, level=config.uncertainty.level, seed=config.seed,
        horizon_days=None if index else config.outputs.horizon_days,
        language=config.outputs.language, statement=INDEX_STATEMENT if index else STATEMENT,
        sources=[
            replace(source, path=shown_path(Path(source.path), stages.project))
            for source in stages.inputs.sources
        ],
        incident_counts=counts(stages),
        rejected=[Rejected(*row) for row in rejected.itertuples(index=False)],
        model=facts | {"origin": scored.model.origin, **extra.get("facts", {})},
        notes=list(record.table.notes), effects=scored.effects, totals=scored.totals,
        scorecard=scorecard, config_text=config.dump_yaml(),
    )  # fmt: skip


def relief(source: Elevation, grid: Grid) -> Relief | None:
    """Elevation around the study area, thinned to what a map can show."""
    west, south, east, north = transform_bounds(
        grid.crs.to_wkt(), source.crs.to_wkt(), *grid.bounds, densify_pts=101
    )
    t, shape = source.transform, source.shape
    rows = _span((north - t.f) / t.e, (south - t.f) / t.e, shape[0])
    cols = _span((west - t.c) / t.a, (east - t.c) / t.a, shape[1])
    pixels = (rows.stop - rows.start) * (cols.stop - cols.start)
    if pixels <= 0:
        return None
    step = max(1, round(np.sqrt(pixels / RELIEF_PIXELS)))
    tall = step * max(1, -(-getattr(source, "block_rows", 1) // step))
    strips = [
        _thinned(source.read(slice(row, min(row + tall, rows.stop)), cols), step)
        for row in range(rows.start, rows.stop, tall)
    ]
    corner = t @ t.translation(cols.start, rows.start)
    return Relief(np.concatenate(strips), corner @ corner.scale(step), source.crs)


def _thinned(values: np.ndarray, step: int) -> np.ndarray:
    """Mean of each square of pixels, float32; those at the far edges may be cut off."""
    if step == 1:
        return values
    rows, cols = (-(-n // step) for n in values.shape)
    missing = ((0, rows * step - values.shape[0]), (0, cols * step - values.shape[1]))
    whole = np.pad(values, missing, constant_values=np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # squares without any elevation
        mean = np.nanmean(whole.reshape(rows, step, cols, step), axis=(1, 3), dtype=np.float32)
    return np.asarray(mean)


def _span(first: float, last: float, size: int) -> slice:
    low, high = sorted((first, last))
    return slice(int(np.clip(np.floor(low), 0, size)), int(np.clip(np.ceil(high), 0, size)))
