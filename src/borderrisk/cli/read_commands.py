"""Commands that read a finished run: map, brief, export, info, compare, segments, allocate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from borderrisk.cli import common


@click.command(name="map")
@common.run_argument()
@click.option("--focus", help="Only this window (default: each of the run, and the whole area).")
@click.option("--lang", type=click.Choice(["en", "fa"]), help="Language the map opens in.")
@click.option(
    "--tiles", metavar="URL", help="Add an online base layer; the map is offline without."
)
@click.option("--open", "open_", is_flag=True, help="Open the map in the browser.")
@common.out_option("Folder for the maps (default: the run's).")
@common.printed
def map_(
    run_path: Path,
    focus: str | None,
    lang: str | None,
    tiles: str | None,
    open_: bool,
    out: Path | None,
) -> tuple[Any, ...]:
    """Rebuild the maps of a run without training.

    Example: borderrisk map data/processed/eastern-border --focus mashhad --lang fa --open
    """
    from borderrisk.pipeline import result

    paths = result.write_maps(run_path, focus=focus, language=lang, tiles=tiles, out=out)
    if open_:
        click.launch(paths[0].resolve().as_uri())
    return {"maps": [str(path) for path in paths]}, *map(str, paths)


@click.command()
@common.run_argument()
@click.option("--focus", help="Only this window (default: the whole area and each of the run).")
@click.option("--lang", type=click.Choice(["en", "fa"]), help="Language (default: the run's).")
@common.out_option("Folder for the briefs (default: the run's).")
@common.printed
def brief(run_path: Path, focus: str | None, lang: str | None, out: Path | None) -> tuple[Any, ...]:
    """Write a brief for a meeting: HTML that prints to two A4 pages.

    Example: borderrisk brief data/processed/eastern-border --focus mashhad
    """
    from borderrisk.pipeline import result

    paths = result.write_briefs(run_path, focus=focus, language=lang, out=out)
    return {"briefs": [str(path) for path in paths]}, *map(str, paths)


@click.command()
@common.run_argument()
@click.option(
    "--format", "format_", default="geojson", help="geojson, geoparquet, gpkg, flatgeobuf or csv."
)
@click.option("--focus", help="Only cells of this window.")
@click.option("--top", type=click.IntRange(min=1), help="Only the N cells of highest risk.")
@click.option("--min-risk", type=click.FloatRange(0, 100), help="Only cells of at least this risk.")
@common.out_option("File to write (default: beside the run's own files).")
@common.printed
def export(run_path: Path, format_: str, **chosen: Any) -> tuple[Any, ...]:
    """Write scored cells for a GIS.

    Example: borderrisk export data/processed/eastern-border --format gpkg --focus mashhad --top 100
    """
    from borderrisk.pipeline import result

    path, count = result.export_cells(run_path, format_, **chosen)
    return {"path": str(path), "cells": count}, f"wrote {path} ({count} cells)"


@click.command()
@common.run_argument()
@common.printed
def info(run_path: Path) -> tuple[Any, ...]:
    """Show what a run holds: inputs, counts, skill and timings.

    Example: borderrisk info data/processed/eastern-border
    """
    from borderrisk.pipeline import result

    found = result.open_run(run_path)
    return found.summary(), found.describe()


@click.command()
@common.run_argument("run_a", "RUN_A")
@common.run_argument("run_b", "RUN_B")
@common.out_option("Folder to write (default: compare-<A>-<B> beside RUN_B).")
@common.printed
def compare(run_a: Path, run_b: Path, out: Path | None) -> tuple[Any, ...]:
    """Write a difference map and table of two runs: what rose or fell beyond its interval, and why.

    Every change is split into older incidents fading, corrected rows, new incidents, and the model
    learned anew; the parts add up to it.

    Example: borderrisk compare results/2024 results/2025 --out change
    """
    from borderrisk.pipeline import changes

    facts = changes.compare_runs(run_a, run_b, out=out)
    return facts, common.facts_text(facts)


@click.command()
@common.run_argument()
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True)
@click.option(
    "--against", metavar="EARLIER_RUN", type=common.PathArgument, help="Show what changed since."
)
@common.out_option("File for all segments: .geojson, .csv or .parquet.")
@common.printed
def segments(run_path: Path, top: int, against: Path | None, out: Path | None) -> tuple[Any, ...]:
    """Rank the stretches of the border, or show how they changed since an earlier run.

    Example: borderrisk segments data/processed/eastern-border --top 20
    """
    from borderrisk.pipeline import result

    if against is None and not common.prints_json():
        return {}, result.told_segments(run_path, top, out=out)
    rows = result.top_segments(run_path, top, against=against, out=out)
    named = [{k: v for k, v in row.items() if k not in ("segment_id", "near")} for row in rows]
    return {"segments": rows}, common.table_text(named)


@click.command()
@common.run_argument()
@click.option("--km", type=float, required=True, help="Length that can be watched.")
@click.option("--spacing-km", type=float, default=0.0, help="Least distance between choices.")
@click.option("--randomise", is_flag=True, help="A schedule that cannot be predicted.")
@click.option("--days", type=click.IntRange(min=1), default=30, help="Days of the schedule.")
@click.option("--seed", type=int, help="Seed of the schedule (default: the run's).")
@common.printed
def allocate(run_path: Path, **asked: Any) -> tuple[Any, ...]:
    """Choose border segments within a length budget, with the expected capture.

    Example: borderrisk allocate data/processed/eastern-border --km 100 --randomise
    """
    from borderrisk.pipeline import result

    plan = result.allocate_segments(run_path, **asked)
    return plan.payload, common.table_text(plan.rows), plan.text


COMMANDS = (map_, brief, export, info, compare, segments, allocate)
