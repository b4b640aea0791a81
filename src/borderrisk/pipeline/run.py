"""The main job, and its parts as commands of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.config import Config
from borderrisk.evaluation.findings import render_text
from borderrisk.evaluation.scorecard import Scorecard
from borderrisk.model.modelfile import ModelFile, load_model, save_model
from borderrisk.outputs.atomic import check_file, write_rows, write_text, writing
from borderrisk.outputs.export import cells_table, write_cells
from borderrisk.outputs.figures import write_figures
from borderrisk.outputs.gridfiles import feature_summary, save_scene, write_risk_tif
from borderrisk.outputs.gridfiles import write_features as write_feature_file
from borderrisk.outputs.report import write_report
from borderrisk.outputs.scene import Scene, stamped
from borderrisk.outputs.trackrecord import RECORD_PAGE
from borderrisk.outputs.vectorfiles import write_layer, write_qml
from borderrisk.outputs.webmap import write_map
from borderrisk.pipeline import assembly, checking, evaluating, steps
from borderrisk.pipeline.carrying import Carriage, check_features, check_places
from borderrisk.pipeline.inputs import input_files
from borderrisk.pipeline.readings import NO_INCIDENTS
from borderrisk.pipeline.result import (
    MODEL,
    SCENE_FOLDER,
    SEGMENT_REPLICATES,
    Result,
    map_name,
    open_run,
    records,
    write_json,
    write_table,
)
from borderrisk.pipeline.stages import Progress, Stages
from borderrisk.runs.folder import RunFolder, check_free
from borderrisk.runs.manifest import LOG, Manifest, find_run, new_run_id, run_log


def run(
    config: Config,
    *,
    out: str | Path | None = None,
    force: bool = False,
    evaluate: bool | None = None,
    replicates: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Train, evaluate, score and write a run.

    Parameters
    ----------
    config : Config
        From :func:`borderrisk.load_config`.
    out : path, optional
        Folder of the results; by default a new one under ``outputs.folder``.
    force : bool
        Recompute every stage, and replace an earlier run in ``out``.
    evaluate : bool, optional
        Whether to make the scorecard; by default as the config says.
    replicates : int, optional
        Bootstrap replicates; by default as the config says, but none with ``evaluate=False``: a
        first look has neither skill nor intervals.
    progress : callable, optional
        Told ``(stage, done, total)``.

    Raises
    ------
    BorderRiskError
        If the config, an input or the output folder cannot be used; nothing is written then.
    """
    if replicates is None and evaluate is False:
        replicates = 0
    changes: dict[str, Any] = {}
    if evaluate is not None:
        changes["evaluation"] = {"enabled": evaluate}
    if replicates is not None:
        changes["uncertainty"] = {"replicates": replicates}
    stages = Stages.of(config.with_changes(changes), refresh=force, progress=progress)
    return write_run(stages, None, out, force=force)


def score(
    model_path: str | Path, config: Config, *, out: str | Path | None = None, force: bool = False
) -> Result:
    """Apply a trained model (a file, or a run that holds one) to the area of a config.

    Raises ``ConfigError`` if the config does not make a feature the model needs, or the model is
    from elsewhere and knows features that are called after places.
    """
    check_free(out, force)
    path = Path(model_path)
    saved = load_model(find_run(path) / MODEL if path.is_dir() else path)
    stages = Stages.of(config)
    check_features(
        saved, stages, path.name, f"which {config.name} does not make; use the feature settings it "
        "was trained with"
    )  # fmt: skip
    check_places(saved, stages, path.name)
    return write_run(stages, saved, out, force=force)


@dataclass(frozen=True)
class Variant:
    """What a run with a scenario differs in from one without.

    Name and title (``called``) of the scenario, the ranked segments ``before`` it, and what a
    reader of the results has to know.
    """

    name: str
    called: str
    before: gpd.GeoDataFrame
    note: str


def write_run(
    stages: Stages,
    model: ModelFile | None,
    out: str | Path | None,
    *,
    force: bool,
    variant: Variant | None = None,
    freeze: Callable[[Path, Manifest], None] | None = None,
) -> Result:
    """Score the cells and write everything a run leaves; ``model`` is one made elsewhere.

    A frozen run has what ``freeze`` adds to its folder and manifest, and is sealed.
    """
    config = stages.config
    # The earlier run that the config names is read before any work is done.
    before, against = variant.before if variant else None, config.segments.against
    if variant is None and against is not None:
        before = open_run(against).segments
    parent = config.runs_folder
    run_id = new_run_id(parent, config.hash)
    kind = "scenario" if variant else "forecast" if freeze else "run"
    manifest = _manifest(stages, run_id, kind)
    default = parent / (f"{variant.name}-{run_id}" if variant else run_id)
    final = Path(out) if out else default
    with RunFolder(final, force=force, sealed=freeze is not None) as folder:
        with run_log(folder.path / LOG, stages.project):
            uses = checking.tell(stages)
            if model is None and config.evaluation.enabled and stages[steps.incidents].given:
                evaluating.check(config.evaluation, stages[steps.incidents].known)
            scored = assembly.score_cells(stages, model, elsewhere=variant is None)
            card, said = _tested(stages, model, variant)
            scene = assembly.make_scene(stages, scored, run_id, card, before)
            # The way from a forecast of a border's own folder to the track record there.
            there = config.is_contained and final.absolute().parent == config.forecasts_folder
            record = f"../../{RECORD_PAGE}" if freeze and there else ""
            named = variant.name if variant else ""
            scene = _noted(scene, manifest, said, inputs=uses, record=record, scenario=named)
            save_model(folder.path / MODEL, scored.model)
            with stages.cache.timed("outputs"), ThreadPoolExecutor(1) as beside:
                figures = beside.submit(draw_figures, scene, config, folder.path)
                write_outputs(scene, config, folder.path)
                drawn = assembly.segment_replicates(stages, scored)
                if drawn is not None:  # for the intervals of watch plans
                    np.save(folder.path / SEGMENT_REPLICATES, drawn.astype("float32"))
                figures.result()
            scene = _with_manifest(scene, manifest, stages)
            with stages.cache.timed("report"):
                write_report(scene, folder.path)
            _write_facts(scene, scored.model, manifest, stages, folder.path)
            if freeze:
                freeze(folder.path, manifest)
        facts = dict(manifest.write(folder.path, stages.cache.records))
    stages.cache.prune()
    return Result(folder.final, scene, facts)


def _manifest(stages: Stages, run_id: str, kind: str) -> Manifest:
    config = stages.config
    manifest = Manifest(
        run_id=run_id, config_name=config.name, config_hash=config.hash, seed=config.seed,
        project=stages.project, kind=kind,
    )  # fmt: skip
    manifest.add_inputs(input_files(config), stages.cache.hashes)
    return manifest


# What a reader has to know before all else, and how the statement begins for it, in en and fa.
_Said = tuple[Sequence[str], str, str]


def _tested(
    stages: Stages, model: ModelFile | None, variant: Variant | None
) -> tuple[Scorecard | None, _Said]:
    """Make the scorecard, if there can be one, and what is to be said."""
    wanted = stages.config.evaluation.enabled
    if variant:
        return None, ([variant.note], f"What-if: {variant.called}.", "")
    if model is None and not stages[steps.incidents].given:
        return None, ([NO_INCIDENTS], "", "")
    if model is None:
        return stages[steps.scorecard] if wanted else None, ([], "", "")
    carried = Carriage(model, stages)
    card, tested = carried.scorecard() if wanted else (None, [])
    return card, ([*carried.notes(), *tested], carried.statement, carried.statement_fa)


def _noted(scene: Scene, manifest: Manifest, said: _Said, **facts: Any) -> Scene:
    notes, opening, opening_fa = said
    manifest.notes.extend(notes)
    statement = f"{opening} {scene.meta.statement}".lstrip()
    facts |= {"notes": [*notes, *scene.meta.notes], "statement": statement}
    return replace(scene, meta=replace(scene.meta, statement_fa=opening_fa, **facts))


def _with_manifest(scene: Scene, manifest: Manifest, stages: Stages) -> Scene:
    manifest.counts.update(assembly.counts(stages))
    manifest.more |= {key: scene.stamp.get(key, "") for key in ("forecast_period", "data_until")}
    manifest.notes.extend(stages[steps.incidents].table.notes)
    facts = manifest.to_dict(stages.cache.records)
    return replace(scene, meta=replace(scene.meta, manifest=facts))


def _write_facts(
    scene: Scene, model: ModelFile, manifest: Manifest, stages: Stages, folder: Path
) -> None:
    metrics: dict[str, Any] = {
        **scene.stamp,
        "model": scene.meta.model,
        "counts": manifest.counts,
        "totals": [asdict(total) for total in scene.meta.totals],
        "importance": model.extra.get("importance", {}),
    }
    if scene.meta.scorecard is not None:
        metrics["headline"] = scene.meta.scorecard.headline
        _write_card(scene.meta.scorecard, folder)
    write_json(metrics, folder / "metrics.json")
    write_rows(stages[steps.incidents].rejected(), folder / "rejected.csv")


def train(config: Config, out: str | Path | None = None) -> dict[str, Any]:
    """Fit the model of a config and save it; return what was written."""
    path = Path(out) if out else config.runs_folder / MODEL
    check_file(path)
    checking.require_incidents(config)
    stages = Stages.of(config)
    checking.tell(stages)
    model = stages[steps.model]
    with writing(path) as partial:
        save_model(partial, model)
    return {
        "model": str(path),
        "estimator": config.model.estimator,
        "origin": model.origin,
        "incidents": model.extra["incidents"],
        "features": len(model.features),
    }


def write_features(
    config: Config, out: str | Path | None = None
) -> tuple[Path, list[dict[str, Any]]]:
    """Write the features of a config; return the file and a table of their ranges."""
    path = Path(out) if out else config.runs_folder / "features.nc"
    check_file(path)
    stages = Stages.of(config)
    checking.tell(stages)
    write_feature_file(stages[steps.features], path)
    return path, records(feature_summary(stages[steps.features]).reset_index())


def evaluate(
    config: Config,
    *,
    out: str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, Scorecard]:
    """Make the scorecard of a config; return its folder and the scorecard."""
    checking.require_incidents(config)
    stages = Stages.of(
        config.with_changes({"uncertainty": {"replicates": 0}}), refresh=force, progress=progress
    )
    run_id = new_run_id(config.runs_folder, config.hash)
    final = Path(out) if out else config.runs_folder / f"evaluation-{run_id}"
    with RunFolder(final, force=force) as folder:
        checking.tell(stages)
        scorecard = stages[steps.scorecard]
        _write_card(scorecard, folder.path)
        scored = assembly.score_cells(stages)
        scene = assembly.make_scene(stages, scored, run_id, scorecard)
        draw_figures(scene, config, folder.path)
        _manifest(stages, run_id, "evaluation").write(folder.path, stages.cache.records)
    return folder.final, scorecard


def _write_card(card: Scorecard, folder: Path) -> None:
    write_json(card.to_json(), folder / "scorecard.json")
    write_text(render_text(card), folder / "scorecard.txt")


def write_outputs(scene: Scene, config: Config, folder: Path) -> None:
    """Write tables, rasters, maps, layers and the scene into a run's folder."""
    write_text(config.dump_yaml(folder), folder / "config.yaml")
    cells = cells_table(scene)
    write_cells(cells, folder / "cells.parquet", "geoparquet")
    write_cells(cells, folder / "cells.geojson", "geojson")
    write_risk_tif(scene, folder / "risk.tif")
    for name in ("risk", "cells"):
        write_qml(folder / f"{name}.qml")
    features = write_feature_file(scene.cells, folder / "features.nc")
    for name, layer in scene.layers.items():
        table = _with_routes(scene) if name == "corridors" else layer
        write_layer(stamped(table, scene), folder / f"{name}.geojson")
    for suffix in (".parquet", ".csv") if "segments" in scene.layers else ():
        write_table(stamped(scene.layers["segments"], scene), folder / f"segments{suffix}")
    for focus in (None, *(f.name for f in scene.focuses)):
        write_map(scene, folder / map_name(focus), focus=focus, language=config.outputs.language)
    save_scene(scene, folder / SCENE_FOLDER, features)


def _with_routes(scene: Scene) -> gpd.GeoDataFrame:
    """Corridors and the quickest routes in one layer, told apart by ``kind``."""
    parts = {"corridor": scene.layers["corridors"], "route": scene.layers.get("routes")}
    both = [part.assign(kind=kind) for kind, part in parts.items() if part is not None]
    table = gpd.GeoDataFrame(pd.concat(both, ignore_index=True), crs=4326)
    return table[["kind", *(name for name in table if name != "kind")]]


def draw_figures(scene: Scene, config: Config, folder: Path) -> None:
    """Draw the figures in the formats of the config."""
    if config.outputs.figures:
        write_figures(scene, folder / "figures", formats=config.outputs.figures)
