"""The command that makes the folder of a border."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path

import click

from borderrisk.cli import common, fetch_commands


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
@common.common_options
def init(  # noqa: PLR0917 - one per option
    folder: Path | None,
    home: str | None,
    neighbours: tuple[str, ...],
    incidents: Path | None,
    focus: tuple[str, ...],
    window: tuple[float, float, float, float] | None,
    fetch: bool,
    force: bool,
    yes: bool,
    list_of: str | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Make a folder with a config and data for any land border; alone: copy the example.

    Example: borderrisk init my-border --home Pakistan --neighbours Afghanistan --incidents mine.csv

    Example: borderrisk init --list Pakistan
    """
    common.configure_logging(verbose, as_json)
    from borderrisk.pipeline import starting, study

    if list_of is not None:
        rows = study.list_neighbours(list_of)
        common.emit({"neighbours": rows}, as_json, common.table_text(rows))
        return
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
        started = fetch_commands.bring(started, partial(make, started.folder, force=True), as_json)
    ending = f"next: borderrisk run {shlex.quote(str(started.folder))}"
    if not started.ready:
        ending += (
            "\nwithout incidents that is an index map of expert weights, not a forecast; for a "
            "forecast repeat this command with --incidents FILE --force (columns: date, latitude, "
            "longitude, radius_km)"
        )
    facts = {"folder": str(started.folder), "notes": started.notes, "ready": started.ready}
    common.emit(facts, as_json, *started.notes, f"wrote {started.folder}", ending)


COMMANDS = (init,)
