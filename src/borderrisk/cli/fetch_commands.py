"""The one command that uses a network: bring open data for a config."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from borderrisk.cli import common
from borderrisk.runs.folder import Stopped

if TYPE_CHECKING:
    from borderrisk.pipeline.fetching import Plan
    from borderrisk.pipeline.starting import Started

_STOPPED = "interrupted; what came is kept, and the same command goes on from there"


@click.command()
@click.argument("config_path", metavar="CONFIG", type=common.PathArgument)
@click.option(
    "--what", metavar="WORD,...",
    help="Only these: elevation, borders, zones, roads, water, crossings, posts, settlements, "
    "population, landcover, incidents (default: all that are not your own), or acled.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would come, and ask for nothing.")
@click.option(
    "--mirror", metavar="DIR|URL", envvar="BORDERRISK_MIRROR",
    help="Read a folder made by --export, or a server of one, and not the network.",
)  # fmt: skip
@click.option("--export", "out", metavar="DIR", type=common.PathArgument,
              help="Bring the files into a folder for --mirror; the config stays.")  # fmt: skip
@click.option("--accept-acled-terms", is_flag=True, help="I have read ACLED's terms and may do so.")
@common.common_options
def fetch(
    config_path: Path,
    what: str | None,
    dry_run: bool,
    mirror: str | None,
    out: Path | None,
    accept_acled_terms: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Bring elevation, borders, roads, posts, places, land cover and incidents for a border.

    Example: borderrisk fetch my-border --what elevation,roads --dry-run
    """
    common.configure_logging(verbose, as_json)
    if mirror and out and "://" not in mirror:
        raise click.UsageError("--mirror reads a folder and --export makes one; give one of them")
    from borderrisk.pipeline import fetching

    words = tuple(word.strip() for word in (what or "").split(",") if word.strip())
    planned = fetching.plan(config_path, words, accept_acled_terms=accept_acled_terms)
    if dry_run:
        facts = {"files": [vars(row) for row in planned.rows], "mb": round(planned.mb, 1)}
        common.emit(facts | {"notes": planned.notes}, as_json, *_said(planned))
        return
    if out is not None:
        with _bar(planned, as_json) as progress:
            count = fetching.export(planned, out, mirror=mirror, progress=progress)
        common.emit({"folder": str(out), "files": count}, as_json, f"wrote {out} ({count} files)")
        return
    with _bar(planned, as_json) as progress:
        notes = fetching.fetch(planned, mirror=mirror, progress=progress)
    facts = {"config": str(planned.path), "brought": [row.what for row in planned.rows]}
    ending = f"wrote {planned.path}; next: borderrisk validate {config_path}"
    common.emit(facts | {"notes": notes}, as_json, *notes, ending)


def bring(started: Started, again: Callable[..., Started], as_json: bool) -> Started:
    """Fetch open data into a folder of init; ``again`` makes it anew to fit the incidents.

    Where there are none those of UCDP come first, as the config depends on them.
    """
    from borderrisk.pipeline import fetching

    folder, mirror, record = started.folder, os.environ.get("BORDERRISK_MIRROR"), None
    if not started.ready:
        first = fetching.plan(folder, ["incidents"])
        with _bar(first, as_json) as progress:
            fetching.fetch(first, mirror=mirror, progress=progress)
        record = folder / "data" / "incidents.csv"
        started = again(incidents=folder / fetching.PLACE / "ucdp_ged.csv")
    planned = fetching.plan(folder, also=["incidents"] if record else [])
    with _bar(planned, as_json) as progress:
        notes = fetching.fetch(planned, mirror=mirror, progress=progress)
    if record:
        record.unlink(missing_ok=True)
    return replace(started, notes=started.notes + notes)


def _said(planned: Plan) -> list[str]:
    """Return what a plan brings as lines of text."""
    table = common.table_text([vars(row) for row in planned.rows])
    return [table, f"about {planned.mb:,.0f} MB in all", *planned.notes]


@contextmanager
def _bar(planned: Plan, as_json: bool) -> Iterator[Callable[[str, int], None] | None]:
    """Say what comes; yield a callback of files and their bytes that shows how far all is.

    None off a terminal. One that is stopped says that the work can be taken up again.
    """
    if not as_json:
        click.echo("\n".join(_said(planned)), err=True)
    here: dict[str, int] = {}
    start, came = monotonic(), 0.0
    try:
        with common.progress_line() as show:

            def update(name: str, size: int) -> None:
                """Show MB, the rate of what comes now, and the time that the rest takes."""
                nonlocal came
                came += (size - here.get(name, size)) / 1e6
                here[name] = size
                done = sum(here.values()) / 1e6
                rate = came / (monotonic() - start)
                minutes = max(planned.mb - done, 0) / max(rate, 1e-3) / 60
                said = f"{rate:.1f} MB/s, about {minutes:,.0f} min left; MB"
                if show:
                    show(said, round(done), round(max(planned.mb, done + 1)))

            yield update if show else None
    except (KeyboardInterrupt, Stopped) as error:
        error.add_note(_STOPPED)
        raise


COMMANDS = (fetch,)
