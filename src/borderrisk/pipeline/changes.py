"""Runs beside each other: a model on several regions, a scenario, and why expectations changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.border.ranking import against_earlier
from borderrisk.compute import is_cluster, map_parallel
from borderrisk.config import Config
from borderrisk.errors import BorderRiskError, ConfigError, DataError, OutputError
from borderrisk.model.cells import CellTable
from borderrisk.model.modelfile import load_model
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Fitted
from borderrisk.outputs.compare import compare, write_comparison
from borderrisk.outputs.headline import section_names
from borderrisk.outputs.scene import Scene
from borderrisk.pipeline import checking, steps
from borderrisk.pipeline.assembly import ranked_segments, score_cells
from borderrisk.pipeline.carrying import check_features
from borderrisk.pipeline.result import MODEL, Result, open_run, records, segments_of, write_table
from borderrisk.pipeline.run import Variant, score, write_run
from borderrisk.pipeline.stages import Stages
from borderrisk.runs.folder import check_free
from borderrisk.runs.manifest import new_run_id
from borderrisk.scores import expected_count

CAUSES = {
    "fading": "older incidents fading",
    "corrected": "corrected or withdrawn rows",
    "new": "new incidents",
    "model": "the model learned anew, and changed inputs",
}
_SHOWN = (
    "segment_id", "section", "expected_before", "expected_after", "displaced", "rank_before",
    "rank",
)  # fmt: skip
_TOP = 20


@dataclass(frozen=True)
class Split:
    """The change of the expected incidents of each cell (rows, columns), by cause.

    ``parts`` has an array for each of :data:`CAUSES`; they sum to ``after - before``. All are for
    the horizon of the later run.
    """

    before: np.ndarray
    after: np.ndarray
    parts: dict[str, np.ndarray]

    def totals(self) -> dict[str, float]:
        """Sum of every part over the study area."""
        return {name: float(np.nansum(values)) for name, values in self.parts.items()}

    def sentence(self) -> str:
        """Say how the total changed, and why."""
        found = self.totals()
        why = ", ".join(f"{found[name]:+.2f} {said}" for name, said in CAUSES.items())
        return (
            f"Expected in the whole area: {np.nansum(self.before):.2f} -> "
            f"{np.nansum(self.after):.2f} ({why})."
        )


def split_change(a: Result, b: Result) -> Split:
    """Split the change from run A to run B into :data:`CAUSES`, one after the other.

    The model of A, its weights and what it learned of the ground kept, is taken to the origin of B
    with the incidents of A (fading), then with their corrected rows, then with all those of B
    (new); what is left to the intensity of B is the model learned anew and any other input.

    Raises ``ConfigError`` if the runs are on different grids, ``DataError`` if one is too old.
    """
    for run in (a, b):
        if len(run.scene.incidents) and "home" not in run.scene.incidents:
            raise DataError(
                f"{run.folder}: made by an earlier version of borderrisk, which did not keep where "
                "its incidents count; make it anew to compare it."
            )
    if a.scene.grid != b.scene.grid:
        raise ConfigError("The runs have different grids; a change cannot be split.")
    saved = load_model(a.folder / MODEL)
    fitted: Fitted = saved.model
    cells = CellTable.from_dataset(a.scene.cells, saved.features, missing="median")
    days = b.scene.meta.horizon_days or 365
    old, new = a.scene.incidents, b.scene.incidents
    # The earlier incidents as the later run has them; withdrawn ones are gone.
    kept = new[new["incident_id"].isin(old["incident_id"])].reset_index(drop=True)

    def expected(incidents: gpd.GeoDataFrame, origin: str) -> np.ndarray:
        domain = cells.to_grid(cells.area_100km2 * 100 / cells.grid.cell_area_km2)
        panel = Panel.build(incidents, cells.grid, np.nan_to_num(domain))
        home = panel.incidents["incident_id"].map(incidents.set_index("incident_id")["home"])
        panel = replace(panel, incidents=panel.incidents.assign(home=home))
        intensity = fitted.carried(cells, panel, pd.Timestamp(origin)).intensity(cells)
        found = expected_count(intensity, cells.study_area_100km2, days)
        return np.asarray(cells.to_grid(np.where(cells.study, found, np.nan)))

    steps = [
        expected(old, a.scene.meta.origin),
        expected(old, b.scene.meta.origin),
        expected(kept, b.scene.meta.origin),
        expected(new, b.scene.meta.origin),
        _of_run(b, days),
    ]
    first = _of_run(a, days)
    parts = dict(zip(CAUSES, np.diff(steps, axis=0), strict=True))
    # What carrying alone does to A: nothing, but for rounding of what a run keeps.
    parts["fading"] = parts["fading"] + steps[0] - first
    return Split(first, steps[-1], parts)


def _of_run(result: Result, days: float) -> np.ndarray:
    ratio = days / (result.scene.meta.horizon_days or days)
    return result.scene.cells["expected"].to_numpy().astype(float) * ratio


def compare_runs(
    run_a: str | Path, run_b: str | Path, *, out: str | Path | None = None
) -> dict[str, Any]:
    """Write what changed between two runs; return the counts."""
    a, b = open_run(run_a), open_run(run_b)
    folder = Path(out) if out else b.folder.parent / f"compare-{a.folder.name}-{b.folder.name}"
    found = compare(a.scene, b.scene)
    split = split_change(a, b)
    scored = np.isfinite(b.scene.cells["risk"].to_numpy())
    why = pd.DataFrame({f"change_{name}": part[scored] for name, part in split.parts.items()},
                       index=b.scene.grid.cell_ids(scored))  # fmt: skip
    table = found.table.join(why, on="cell_id")
    write_comparison(replace(found, table=table), folder)
    return {
        "folder": str(folder), "cells": len(found.table), **found.counts,
        "why": split.sentence(), "expected": split.totals(),
        **_segment_changes(a.scene, b.scene, folder),
    }  # fmt: skip


def _segment_changes(a: Scene, b: Scene, folder: Path) -> dict[str, Any]:
    """Write how the segments changed, where both runs have them, and say how much moved."""
    if any("segments" not in scene.layers for scene in (a, b)):
        return {}
    moved = against_earlier(segments_of(b), segments_of(a))
    for suffix in (".csv", ".geojson"):
        write_table(moved, folder / f"segments{suffix}")
    change = moved["change_per_year"].to_numpy(float)
    return {
        "segments": len(moved),
        "expected reports a year": f"{moved['expected_before'].sum():.2f} -> "
        f"{moved['expected_per_year'].sum():.2f}",
        "moved between segments": float(np.nansum(np.abs(change)) / 2),
    }


def score_regions(
    model_path: str | Path,
    configs: Iterable[Config],
    folder: str | Path | None = None,
    *,
    scheduler: str | None = None,
    force: bool = False,
) -> list[Path]:
    """Apply a trained model (a file, or a run that holds one) to the area of each config.

    Returns the runs' folders in the order of the configs: in ``folder``, called by the config's
    name, or new ones under each ``outputs.folder``. ``scheduler`` is as for
    :func:`borderrisk.compute.map_parallel`, by default the configs' ``compute.scheduler``. A
    cluster takes the regions side by side, and model, inputs and folder must have the same path on
    its workers; else they are taken one by one, each with all workers. ``force`` replaces runs that
    are there; without it that is an ``OutputError``.

    Raises ``ConfigError`` if configs share a name or differ in their scheduler. If regions fail,
    the others are scored all the same; then the error of the first, naming all that failed, is
    raised.
    """
    jobs = [(config, _place(config, folder)) for config in configs]
    names = [config.name for config, _ in jobs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"Regions need names of their own: {', '.join(twice)} occurs twice.")
    there = [str(out) for _, out in jobs if out.exists()]
    if there and not force:
        raise OutputError(f"{there[0]} exists already; give another folder, or use force.")
    named = sorted({config.compute.scheduler for config, _ in jobs})
    if scheduler is None and len(named) > 1:
        raise ConfigError(
            f"Regions scored together need one compute.scheduler (they name {', '.join(named)}); "
            "choose it with --set compute.scheduler=..."
        )
    chosen = scheduler or (named[0] if named else "threads")
    one = partial(_score_one, Path(model_path).resolve())
    if is_cluster(chosen):
        return _folders(jobs, map_parallel(one, jobs, scheduler=chosen))
    return _folders(jobs, [one(job) for job in jobs])


def _place(config: Config, folder: str | Path | None) -> Path:
    if folder is not None:
        return Path(folder) / config.name
    parent = config.runs_folder
    return parent / new_run_id(parent, config.hash)


def _folders(jobs: list[tuple[Config, Path]], found: list[Path | BorderRiskError]) -> list[Path]:
    """Return the folders, or raise what went wrong with the regions' names."""
    pairs = zip(jobs, found, strict=True)
    failed = [(config.name, error) for (config, _), error in pairs
              if isinstance(error, BorderRiskError)]  # fmt: skip
    done = [path for path in found if isinstance(path, Path)]
    if not failed:
        return done
    lines = [f"{name}: {error}" for name, error in failed]
    if done:
        lines.append(f"Scored all the same: {', '.join(map(str, done))}.")
    raise type(failed[0][1])("\n".join(lines)) from failed[0][1]


def _score_one(model_path: Path, job: tuple[Config, Path]) -> Path | BorderRiskError:
    """Score one region, or say why not; repeated without harm when a worker was lost."""
    config, out = job
    if is_cluster(config.compute.scheduler):
        # A worker that waits for other workers of its own cluster would block them.
        config = config.with_changes({"compute": {"scheduler": "threads"}})
    try:
        return score(model_path, config, out=out.absolute(), force=True).folder
    except BorderRiskError as error:
        return error


def scenario(
    config: Config, name: str, *, out: str | Path | None = None, force: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Compare a scenario with the config as it stands; return facts and the segments that move.

    The model of the config is kept: only where it is applied changes, so that what differs is due
    to the scenario and not to another fit. Stages that the scenario does not touch are not run
    again. What is written, by default to ``<scenario>-<run id>`` among the config's runs, is a
    whole run of the scenario (its maps, segments with their change, corridors), so every command on
    runs takes it, `borderrisk compare` among them. It has no intervals: they are those of a fit,
    and nothing is fitted. Raises ``ConfigError`` if there is no such scenario, or it takes away a
    feature that the model reads.
    """
    checking.require_incidents(config)
    changed = config.with_scenario(name)
    check_free(out, force)
    own = config.scenarios[name]
    called = own.title or name
    titles = {"title": f"{config.title or config.name}: {called}"}
    if config.title_fa:
        titles["title_fa"] = f"{config.title_fa}: {own.title_fa or called}"
    before, after = Stages.of(config), Stages.of(changed.with_changes(titles))
    check_features(
        before[steps.model], after, f"The model of {config.name}",
        f"which scenario {name} takes away; move a target or close ways instead of removing them",
    )  # fmt: skip
    base = ranked_segments(before, score_cells(before))
    note = (
        f"What-if: {called}. The model of {config.title or config.name} was kept and applied to "
        "the changed conditions; nothing was fitted again, and there are no intervals. It shows "
        "what the model would expect, not what people would do."
    )
    variant = Variant(name, called, base, note)
    result = write_run(after, before[steps.model], out, force=force, variant=variant)
    moved = result.scene.layers["segments"]
    facts = {
        "scenario": called, "folder": str(result.folder),
        "expected_before": float(moved["expected_before"].sum()),
        "expected_after": float(moved["expected_per_year"].sum()),
        "displaced": float(np.abs(moved["change_per_year"]).sum() / 2),
    }  # fmt: skip
    order = np.argsort(-np.abs(moved["change_per_year"].to_numpy()), kind="stable")[:_TOP]
    table = moved.iloc[order].rename(
        columns={"expected_per_year": "expected_after", "change_per_year": "displaced"}
    )
    table = table.assign(section=section_names(result.scene, table, "en"))
    return facts, records(table[list(_SHOWN)])
