"""Why expected incidents changed between two runs: a sum of parts that add up to the change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.border.ranking import against_earlier
from borderrisk.errors import ConfigError, DataError
from borderrisk.model.cells import CellTable
from borderrisk.model.modelfile import load_model
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Fitted
from borderrisk.outputs.compare import compare, write_comparison
from borderrisk.outputs.scene import Scene
from borderrisk.pipeline.result import MODEL, Result, open_run, segments_of, write_table
from borderrisk.scores import expected_count

CAUSES = {
    "fading": "older incidents fading",
    "corrected": "corrected or withdrawn rows",
    "new": "new incidents",
    "model": "the model learned anew, and changed inputs",
}


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
    kept = _corrected(old, new)

    def expected(incidents: gpd.GeoDataFrame, origin: str) -> np.ndarray:
        domain = cells.to_grid(cells.area_100km2 * 100 / cells.grid.cell_area_km2)
        panel = Panel.build(incidents, cells.grid, np.nan_to_num(domain))
        home = panel.incidents["incident_id"].map(incidents.set_index("incident_id")["home"])
        panel = replace(panel, incidents=panel.incidents.assign(home=home))
        carried = fitted.carried(cells, panel, pd.Timestamp(origin))
        return _on_grid(cells, carried, days)

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


def _corrected(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the earlier incidents as the later run has them; withdrawn ones are gone."""
    known = new[new["incident_id"].isin(old["incident_id"])]
    return known.reset_index(drop=True)


def _on_grid(cells: CellTable, fitted: Fitted, days: float) -> np.ndarray:
    found = expected_count(fitted.intensity(cells), cells.study_area_100km2, days)
    return np.asarray(cells.to_grid(np.where(cells.study, found, np.nan)))


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
