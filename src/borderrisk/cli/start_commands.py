"""Commands that make the folder of a border: init, and fetch, the one that uses a network."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

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
@common.printed
def fetch(
    config_path: Path, what: str | None, dry_run: bool, mirror: str | None, out: Path | None,
    accept_acled_terms: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Bring elevation, borders, roads, posts, places, land cover and incidents for a border.

    Example: borderrisk fetch my-border --what elevation,roads --dry-run
    """
    if mirror and out and "://" not in mirror:
        raise click.UsageError("--mirror reads a folder and --export makes one; give one of them")
    from borderrisk.pipeline import fetching

    words = tuple(word.strip() for word in (what or "").split(",") if word.strip())
    planned = fetching.plan(config_path, words, accept_acled_terms=accept_acled_terms)
    if dry_run:
        facts = {"files": [vars(row) for row in planned.rows], "mb": round(planned.mb, 1)}
        return facts | {"notes": planned.notes}, *_said(planned)
    if out is not None:
        with _bar(planned) as progress:
            count = fetching.export(planned, out, mirror=mirror, progress=progress)
        return {"folder": str(out), "files": count}, f"wrote {out} ({count} files)"
    with _bar(planned) as progress:
        notes = fetching.fetch(planned, mirror=mirror, progress=progress)
    facts = {"config": str(planned.path), "brought": [row.what for row in planned.rows]}
    ending = f"wrote {planned.path}; next: borderrisk validate {config_path}"
    return facts | {"notes": notes}, *notes, ending


def bring(started: Started, again: Callable[..., Started]) -> Started:
    """Fetch open data into a folder of init; ``again`` makes it anew to fit the incidents.

    Where there are none those of UCDP come first, as the config depends on them.
    """
    from borderrisk.pipeline import fetching

    folder, mirror, record = started.folder, os.environ.get("BORDERRISK_MIRROR"), None
    if not started.ready:
        first = fetching.plan(folder, ["incidents"])
        with _bar(first) as progress:
            fetching.fetch(first, mirror=mirror, progress=progress)
        record = folder / "data" / "incidents.csv"
        started = again(incidents=folder / fetching.PLACE / "ucdp_ged.csv")
    planned = fetching.plan(folder, also=["incidents"] if record else [])
    with _bar(planned) as progress:
        notes = fetching.fetch(planned, mirror=mirror, progress=progress)
    if record:
        record.unlink(missing_ok=True)
    return replace(started, notes=started.notes + notes)


def _said(planned: Plan) -> list[str]:
    """Return what a plan brings as lines of text."""
    table = common.table_text([vars(row) for row in planned.rows])
    return [table, f"about {planned.mb:,.0f} MB in all", *planned.notes]


@contextmanager
def _bar(planned: Plan) -> Iterator[Callable[[str, int], None] | None]:
    """Say what comes; yield a callback of files and their bytes that shows how far all is.

    None off a terminal. One that is stopped says that the work can be taken up again.
    """
    if not common.prints_json():
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


class _Box(click.ParamType):
    """``W,S,E,N`` in degrees."""

    name = "box"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Return four numbers, or fail."""
        try:
            west, south, east, north = (float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not W,S,E,N in degrees", param, ctx)
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            self.fail(f"{value!r} is no box; the order is west,south,east,north", param, ctx)
        return west, south, east, north


def _ask(question: str, options: list[str]) -> str:
    """Ask on a terminal."""
    return str(click.prompt(question, type=click.Choice(options), default=options[0], err=True))


def _take(question: str, options: list[str]) -> str:
    """Take the likelier option and say so."""
    click.echo(
        f"{question} Taken: {options[0]} (also possible: {', '.join(options[1:])})", err=True
    )
    return options[0]


@click.command()
@click.argument("folder", metavar="[FOLDER]", type=common.PathArgument, required=False)
@click.option("--home", metavar="COUNTRY", help="Country whose side is mapped: name or ISO code.")
@click.option(
    "--neighbours",
    multiple=True,
    metavar="COUNTRY",
    help="Only the border with these; repeat it, or join them by commas (default: all).",
)
@click.option("--incidents", type=common.PathArgument, help="Your incidents; copied to data/.")
@click.option(
    "--focus",
    multiple=True,
    metavar="TOWN[:KM]",
    help="A map of its own around a town; repeatable.",
)
@click.option("--window", type=_Box(), metavar="W,S,E,N", help="Only border lines inside, degrees.")
@click.option("--fetch", is_flag=True, help="Bring open data for it, as borderrisk fetch does.")
@click.option("--force", is_flag=True, help="Replace the config and base data of an earlier init.")
@click.option("--yes", is_flag=True, help="Ask nothing; take the likelier of two columns.")
@click.option("--list", "list_of", metavar="COUNTRY", help="Show a country's neighbours and stop.")
@common.printed
def init(
    folder: Path | None, home: str | None, neighbours: tuple[str, ...], incidents: Path | None,
    focus: tuple[str, ...], window: tuple[float, float, float, float] | None, fetch: bool,
    force: bool, yes: bool, list_of: str | None,
) -> tuple[Any, ...]:  # fmt: skip
    """Make a folder with a config and data for any land border; alone: copy the example.

    Example: borderrisk init my-border --home Pakistan --neighbours Afghanistan --incidents mine.csv

    Example: borderrisk init --list Pakistan
    """
    from borderrisk.pipeline import starting, study

    if list_of is not None:
        rows = study.list_neighbours(list_of)
        return {"neighbours": rows}, common.table_text(rows)
    given = {"--neighbours": neighbours, "--incidents": incidents, "--focus": focus}
    needless = [name for name, value in (given | {"--window": window}).items() if value]
    if home is None and needless:
        raise click.UsageError(f"{' and '.join(needless)} need --home, the country to map")
    choose = _take if yes or not sys.stdin.isatty() else _ask
    make = partial(
        starting.init, home=home, neighbours=neighbours, focus=focus, window=window, choose=choose
    )
    started = make(folder, incidents=incidents, force=force)
    if fetch:
        started = bring(started, partial(make, started.folder, force=True))
    ending = f"next: borderrisk run {shlex.quote(str(started.folder))}"
    if not started.ready:
        ending += (
            "\nwithout incidents that is an index map of expert weights, not a forecast; for a "
            "forecast repeat this command with --incidents FILE --force (columns: date, latitude, "
            "longitude, radius_km)"
        )
    facts = {"folder": str(started.folder), "notes": started.notes, "ready": started.ready}
    return facts, *started.notes, f"wrote {started.folder}", ending


COMMANDS = (init, fetch)
