"""Re-run a config with one of its scenarios and compare the border segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from borderrisk.config import Config
from borderrisk.outputs.geojson import write_layer
from borderrisk.pipeline.assembly import ranked_segments, score_cells
from borderrisk.pipeline.stages import Stages
from borderrisk.pipeline.writing import records, write_json
from borderrisk.runs import RunFolder, new_run_id

_SHOWN = ("segment_id", "expected_before", "expected_after", "displaced", "rank_before", "rank")
_TOP = 20


def scenario(
    config: Config, name: str, *, out: str | Path | None = None, force: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Compare a scenario with the config as it stands; return facts and the segments that move.

    The model of the config is kept: only where it is applied changes, so that what differs is due
    to the scenario and not to another fit. Stages that the scenario does not touch are not run
    again.
    """
    before, after = Stages.of(config), Stages.of(config.with_scenario(name))
    base = ranked_segments(before, score_cells(before, 0))
    moved = _displaced(base, ranked_segments(after, score_cells(after, 0, before.model)))
    run_id = new_run_id(config.outputs.folder / config.name, config.hash)
    final = Path(out) if out else config.outputs.folder / config.name / f"{name}-{run_id}"
    facts = {
        "scenario": config.scenarios[name].title or name,
        "folder": str(final),
        "expected_before": float(moved["expected_before"].sum()),
        "expected_after": float(moved["expected_after"].sum()),
        "moved": float(np.abs(moved["displaced"]).sum() / 2),
    }
    with RunFolder(final, force=force) as folder:
        write_layer(moved, folder.path / "segments.geojson")
        moved.drop(columns="geometry").to_csv(
            folder.path / "segments.csv", index=False, lineterminator="\n"
        )
        write_json(facts, folder.path / "manifest.json")
    order = np.argsort(-np.abs(moved["displaced"].to_numpy()), kind="stable")[:_TOP]
    return facts, records(moved.iloc[order][list(_SHOWN)])


def _displaced(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    old = before.set_index("segment_id").reindex(after["segment_id"])
    expected = old["expected_per_year"].to_numpy()
    return after.assign(
        expected_before=expected,
        expected_after=after["expected_per_year"],
        displaced=after["expected_per_year"].to_numpy() - expected,
        rank_before=old["rank"].to_numpy(),
    )
