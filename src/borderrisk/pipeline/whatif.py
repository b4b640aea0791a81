"""Re-run a config with one of its scenarios and compare the border segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from borderrisk.config import Config
from borderrisk.pipeline.assembly import ranked_segments, score_cells
from borderrisk.pipeline.jobs import Variant, check_features, write_run
from borderrisk.pipeline.stages import Stages
from borderrisk.pipeline.writing import records

_SHOWN = ("segment_id", "expected_before", "expected_after", "displaced", "rank_before", "rank")
_TOP = 20


def scenario(
    config: Config, name: str, *, out: str | Path | None = None, force: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Compare a scenario with the config as it stands; return facts and the segments that move.

    The model of the config is kept: only where it is applied changes, so that what differs is due
    to the scenario and not to another fit. Stages that the scenario does not touch are not run
    again. What is written is a whole run of the scenario (its maps, segments with their change,
    corridors), so every command on runs takes it, `borderrisk compare` among them. It has no
    intervals: they are those of a fit, and nothing is fitted.

    Parameters
    ----------
    config : Config
        With the scenario.
    name : str
        Of the scenario.
    out : path, optional
        Folder; ``<scenario>-<run id>`` among the runs of the config by default.
    force : bool
        Replace an earlier run in ``out``.

    Raises
    ------
    ConfigError
        If there is no such scenario, or it takes away a feature that the model reads.
    """
    changed = config.with_scenario(name)
    before, after = Stages.of(config), Stages.of(changed.with_changes(_titles(config, name)))
    called = config.scenarios[name].title or name
    check_features(
        before.model, after, f"The model of {config.name}",
        f"which scenario {name} takes away; move a target or close ways instead of removing them",
    )  # fmt: skip
    base = ranked_segments(before, score_cells(before, 0))
    variant = Variant(name, called, base, _note(config, called))
    result = write_run(after, before.model, out, force=force, variant=variant)
    moved = result.scene.layers["segments"]
    facts = {
        "scenario": called,
        "folder": str(result.folder),
        "expected_before": float(moved["expected_before"].sum()),
        "expected_after": float(moved["expected_per_year"].sum()),
        "displaced": float(np.abs(moved["change_per_year"]).sum() / 2),
    }
    return facts, _most_moved(moved)


def _titles(config: Config, name: str) -> dict[str, str]:
    """Name the scenario in the titles of its maps and report."""
    own = config.scenarios[name]
    titles = {"title": f"{config.title or config.name}: {own.title or name}"}
    if config.title_fa:
        titles["title_fa"] = f"{config.title_fa}: {own.title_fa or own.title or name}"
    return titles


def _note(config: Config, called: str) -> str:
    return (
        f"What-if: {called}. The model of {config.title or config.name} was kept and applied to "
        "the changed conditions; nothing was fitted again, and there are no intervals. It shows "
        "what the model would expect, not what people would do."
    )


def _most_moved(moved: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    order = np.argsort(-np.abs(moved["change_per_year"].to_numpy()), kind="stable")[:_TOP]
    table = moved.iloc[order].rename(
        columns={"expected_per_year": "expected_after", "change_per_year": "displaced"}
    )
    return records(table[list(_SHOWN)])
