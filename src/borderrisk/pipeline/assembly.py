"""Put one finished scoring and its surroundings together: the scene that outputs draw from."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import xarray as xr
from rasterio.warp import transform_bounds

from borderrisk.area import reproject
from borderrisk.border.ranking import segment_table
from borderrisk.errors import DataError
from borderrisk.grid import WGS84
from borderrisk.model import drivers
from borderrisk.model.fitting import decompose
from borderrisk.model.modelfile import ModelFile
from borderrisk.model.uncertainty import Intervals
from borderrisk.outputs.scene import Focus, Relief, Scene
from borderrisk.outputs.store import load_scene
from borderrisk.pipeline import scoring
from borderrisk.pipeline.inputs import Inputs
from borderrisk.pipeline.result import SCENE_FOLDER
from borderrisk.pipeline.stages import Stages
from borderrisk.runs import find_run, shown_path

log = logging.getLogger(__name__)

STATEMENT = (
    "Relative intensity of reported incidents, with uncertainty: an area-level estimate from open "
    "data. It says nothing about persons, and it inherits what was and was not reported."
)
RELIEF_PIXELS = 2_000_000


@dataclass(frozen=True)
class Scored:
    """The cells with features and scores, what the scores came from, effects by decile."""

    cells: xr.Dataset
    model: ModelFile
    intervals: Intervals | None
    effects: dict[str, dict[str, list[float]]]


def score_cells(
    stages: Stages, replicates: int, carried: ModelFile | None = None, *, elsewhere: bool = True
) -> Scored:
    """Apply the config's own model to its cells, or one carried here from ``elsewhere``."""
    # The border right after the features: both need the travel times, which are not kept for long.
    ds, border = stages.features, stages.border
    model = carried or stages.model
    cells = stages.cells if carried is None else stages.cells_for(carried)
    parts = decompose(model.model, cells.x)
    intervals = stages.intervals(replicates)
    variables = scoring.score_variables(cells, parts, stages.config.outputs.horizon_days)
    if intervals is not None:
        variables |= scoring.interval_variables(cells, intervals)
    area = cells.study_area_100km2
    found = drivers.effects(model.model, cells.x, area)
    variables |= scoring.driver_variables(cells, found)
    if model.trust is not None:
        halo_km = stages.config.study_area.halo_km
        codes = scoring.trust_codes(
            cells,
            ds,
            stages.panel,
            model.trust,
            halo_km,
            trained_here=carried is None or not elsewhere,
        )
        variables |= scoring.trust_variable(cells, codes)
    scored = ds.assign(variables).assign(border.slack.data_vars)
    return Scored(scored, model, intervals, drivers.by_decile(found, cells.x, area))


def make_scene(
    stages: Stages,
    scored: Scored,
    run_id: str,
    scorecard: dict[str, Any] | None,
    previous: gpd.GeoDataFrame | None = None,
) -> Scene:
    """Build the scene of a run; segments are compared with ``previous`` where given."""
    config, inputs = stages.config, stages.inputs
    mapped = config.mapped_focus.items()
    focuses = tuple(Focus(n, f.bounds, f.title or n, f.title_fa) for n, f in mapped)
    return Scene(
        area=inputs.area,
        cells=scored.cells,
        borders=inputs.borders,
        settlements=_within_halo(inputs.settlements, inputs),
        incidents=_placed(stages),
        relief=relief(inputs),
        focuses=focuses,
        meta=_meta(stages, scored, run_id, scorecard),
        layers={"segments": ranked_segments(stages, scored, previous), **stages.border.layers},
    )


def ranked_segments(
    stages: Stages, scored: Scored, previous: gpd.GeoDataFrame | None = None
) -> gpd.GeoDataFrame:
    """Return the border's segments, ranked by what reaches inland through them.

    With an earlier ranking they show how they changed since.
    """
    border, intervals = stages.border, scored.intervals
    return segment_table(
        border.segments,
        border.attribution,
        scored.cells,
        stages.inputs.grid,
        replicates=None if intervals is None else intervals.replicates,
        level=stages.config.uncertainty.level,
        crossings=border.crossings,
        previous=previous,
    )


def earlier_segments(run: Path) -> gpd.GeoDataFrame:
    """Read the ranked segments of a finished run."""
    return segments_of(load_scene(find_run(run) / SCENE_FOLDER))


def segments_of(scene: Scene) -> gpd.GeoDataFrame:
    """Return the ranked segments of a scene.

    Raises
    ------
    DataError
        If it has none.
    """
    segments = scene.layers.get("segments")
    if segments is None or segments.empty:
        raise DataError("This run holds no border segments; make it again with `borderrisk run`.")
    return segments


def segment_replicates(stages: Stages, scored: Scored) -> np.ndarray | None:
    """Return bootstrap expected incidents per year of each segment, (replicates, segments)."""
    if scored.intervals is None:
        return None
    cells = stages.cells
    rows = np.flatnonzero(cells.mask.ravel())[cells.study]
    area = cells.study_area_100km2[cells.study]
    drawn = scored.intervals.replicates * area.astype("float32")
    return np.asarray(drawn @ stages.border.attribution[rows])


def _placed(stages: Stages) -> gpd.GeoDataFrame:
    """Incidents the model was trained on, as they were read."""
    table = stages.inputs.incidents.incidents
    used = table["incident_id"].isin(stages.panel.incidents["incident_id"])
    return table[used].reset_index(drop=True)


def _within_halo(points: gpd.GeoDataFrame, inputs: Inputs) -> gpd.GeoDataFrame:
    halo = reproject(inputs.area.halo, inputs.grid.crs, WGS84)
    return points[points.within(halo)].reset_index(drop=True)


def _meta(
    stages: Stages, scored: Scored, run_id: str, scorecard: dict[str, Any] | None
) -> dict[str, Any]:
    config, inputs = stages.config, stages.inputs
    rejected = stages.rejected()
    return {
        "title": config.title or config.name,
        "title_fa": config.title_fa,
        "run_id": run_id,
        "config_name": config.name,
        "origin": scored.model.origin,
        "horizon_days": config.outputs.horizon_days,
        "level": config.uncertainty.level,
        "language": config.outputs.language,
        "seed": config.seed,
        "statement": STATEMENT,
        "sources": [_source(source, stages.project) for source in inputs.sources],
        "incident_counts": stages.counts(),
        "rejected": rejected.astype(object).fillna("").astype(str).to_dict("records"),
        "notes": list(inputs.incidents.notes),
        "model": _model_facts(scored.model),
        "effects": scored.effects,
        "scorecard": scorecard,
        "config_text": config.dump_yaml(),
    }


def _source(source: Any, project: Path) -> dict[str, Any]:
    names = ("title", "version", "licence", "attribution", "sha256", "bytes")
    return {name: getattr(source, name) for name in names} | {
        "path": shown_path(source.path, project)
    }


def _model_facts(model: ModelFile) -> dict[str, Any]:
    facts = {key: model.extra.get(key) for key in ("estimator", "parameters", "incidents")}
    return facts | {"origin": model.origin, **model.extra.get("facts", {})}


def relief(inputs: Inputs) -> Relief | None:
    """Elevation around the study area, thinned to what a map can show."""
    source, grid = inputs.elevation, inputs.grid
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
