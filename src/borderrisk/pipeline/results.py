"""Commands on finished runs: maps, exports, comparison, segments and watch planning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from borderrisk.errors import DataError
from borderrisk.model.allocation import Allocation, allocate
from borderrisk.model.segment_table import top
from borderrisk.outputs.cells import cells_table, find_focus
from borderrisk.outputs.compare import compare, write_comparison
from borderrisk.outputs.export import SUFFIXES, export
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.webmap import write_map
from borderrisk.pipeline.result import open_run
from borderrisk.pipeline.writing import SEGMENT_REPLICATES, map_name, records

_SHOWN = (
    "rank", "rank_low", "rank_high", "segment_id", "from_km", "length_km", "expected_per_year",
    "rate_per_km", "trust",
)  # fmt: skip


def write_maps(
    run_path: str | Path,
    *,
    focus: str | None = None,
    language: str | None = None,
    tiles: str | None = None,
    out: str | Path | None = None,
) -> list[Path]:
    """Rebuild the maps of a run; return the files, the asked-for one first."""
    result = open_run(run_path)
    scene, folder = result.scene, Path(out) if out else result.folder
    if focus is not None:
        find_focus(scene, focus)
    names = [focus] if focus else [*(f.name for f in scene.focuses), None]
    paths = []
    for name in names:
        path = folder / map_name(name)
        speech = language or scene.meta.get("language", "en")
        write_map(scene, path, focus=name, language=speech, tiles=tiles)
        paths.append(path)
    return paths


def export_cells(
    run_path: str | Path,
    format_: str,
    *,
    focus: str | None = None,
    top: int | None = None,
    min_risk: float | None = None,
    out: str | Path | None = None,
) -> tuple[Path, int]:
    """Export scored cells; return the file and how many cells it holds."""
    result = open_run(run_path)
    name = "-".join(["export", *([focus] if focus else [])]) + SUFFIXES[format_]
    path = Path(out) if out else result.folder / name
    export(result.scene, path, format_, focus=focus, top=top, min_risk=min_risk)
    return path, len(cells_table(result.scene, focus, top, min_risk))


def compare_runs(
    run_a: str | Path, run_b: str | Path, *, out: str | Path | None = None
) -> dict[str, Any]:
    """Write what changed between two runs; return the counts."""
    a, b = open_run(run_a), open_run(run_b)
    folder = Path(out) if out else b.folder.parent / f"compare-{a.folder.name}-{b.folder.name}"
    found = compare(a.scene, b.scene)
    write_comparison(found, folder)
    return {"folder": str(folder), "cells": len(found.table), **found.counts}


def _segments(scene: Scene) -> Any:
    segments = scene.layers.get("segments")
    if segments is None or segments.empty:
        raise DataError("This run holds no border segments; make it again with `borderrisk run`.")
    return segments


def top_segments(run_path: str | Path, count: int) -> list[dict[str, Any]]:
    """Rank the border's segments; return the first rows."""
    table = top(_segments(open_run(run_path).scene), count)
    shown = [name for name in _SHOWN if name in table]
    return records(table[shown])


@dataclass(frozen=True)
class Plan:
    """Which segments to watch, and what that is expected to cover."""

    payload: dict[str, Any]
    rows: list[dict[str, Any]]
    text: str


def allocate_segments(
    run_path: str | Path,
    *,
    km: float,
    spacing_km: float = 0.0,
    randomise: bool = False,
    days: int = 30,
    seed: int | None = None,
) -> Plan:
    """Choose border segments within a length budget."""
    result = open_run(run_path)
    segments = _segments(result.scene)
    replicates = result.folder / SEGMENT_REPLICATES
    found = allocate(
        segments,
        km,
        spacing_km=spacing_km,
        randomise=randomise,
        draws=days,
        seed=result.scene.meta["seed"] if seed is None else seed,
        replicates=np.load(replicates) if replicates.exists() else None,
        level=result.scene.meta["level"],
    )
    rows = records(found.segments)
    payload = {
        "km": found.km,
        "capture": found.capture,
        "capture_low": found.capture_low,
        "capture_high": found.capture_high,
        "segments": rows,
        "schedule": None if found.schedule is None else records(found.schedule),
    }
    return Plan(payload, rows, _plan_text(found))


def _plan_text(found: Allocation) -> str:
    bounds = ""
    if np.isfinite(found.capture_low):
        bounds = f" ({found.capture_low:.0%} to {found.capture_high:.0%})"
    lines = [
        f"{found.km:.0f} km watched at a time; expected share of the reported incidents behind "
        f"them: {found.capture:.0%}{bounds}"
    ]
    if found.schedule is not None:
        for day, part in found.schedule.groupby("day"):
            lines.append(f"day {day}: {', '.join(part['segment_id'])}")
    return "\n".join(lines)
