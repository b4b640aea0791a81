"""Commands about skill and what-if: evaluate, forecast, verify, scenario."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from borderrisk.cli import common

if TYPE_CHECKING:
    from borderrisk.config import Config
    from borderrisk.pipeline.updating import Updated

Date = click.DateTime(formats=["%Y-%m-%d"])
NOTHING_NEW = 4


@click.command()
@common.config_argument
@common.out_option("Folder for scorecard, table and figures.")
@click.option("--force", is_flag=True, help="Recompute; replace an existing --out.")
@common.printed
def evaluate(config: Config, out: Path | None, force: bool) -> tuple[Any, ...]:
    """Score the model and every baseline on incidents that neither has seen.

    Example: borderrisk evaluate configs/eastern-border.yaml --out scorecard
    """
    from borderrisk.evaluation.findings import render_text
    from borderrisk.pipeline import run

    with common.progress_line() as progress:
        folder, card = run.evaluate(config, out=out, force=force, progress=progress)
    return {"folder": str(folder), "scorecard": card.to_json()}, render_text(card)


@click.command()
@common.config_argument
@click.option("--origin", type=Date, required=True, help="Nothing dated after it is used.")
@click.option("--horizon", type=click.IntRange(min=1), default=365, help="Days forecast.")
@common.out_option("Folder for the forecast.")
@common.printed
def forecast(config: Config, origin: datetime, horizon: int, out: Path | None) -> tuple[Any, ...]:
    """Write a run made with what was known at an origin, and freeze it.

    SHA256SUMS in its folder shows any later change of any file; note the hash that is printed.

    Example: borderrisk forecast configs/eastern-border.yaml --origin 2025-01-01 --horizon 365
    """
    from borderrisk.pipeline import forecasting

    facts = forecasting.forecast(config, origin=origin, horizon_days=horizon, out=out)
    return facts, common.facts_text(facts)


@click.command()
@click.argument("forecast_path", metavar="FORECAST", type=common.PathArgument)
@click.argument("incidents_path", metavar="INCIDENTS", type=common.PathArgument)
@common.out_option("Folder for the verification (default: beside the forecast).")
@click.option("--force", is_flag=True, help="Replace an existing --out.")
@common.printed
def verify(
    forecast_path: Path, incidents_path: Path, out: Path | None, force: bool
) -> tuple[Any, ...]:
    """Score a frozen forecast against what was reported since.

    Every row needs a readable date; rows left out for another reason are in rejected.csv.

    Example: borderrisk verify forecasts/2025-01-01 incidents-2025.csv
    """
    from borderrisk.pipeline import forecasting

    return forecasting.verify(forecast_path, incidents_path, out=out, force=force)


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=common.PathArgument)
@click.option(
    "--incidents", "incidents_path", type=common.PathArgument, help="New or corrected incidents."
)
@click.option(
    "--as-of",
    type=Date,
    help="Day to bring up to (default: after the last incident); "
    "its month's first day is where forecasts begin.",
)
@click.option(
    "--rehearse", type=Date, help="Also show what the record would have been since this day."
)
@click.option("--scheduler", default="processes", help="Of several borders: as compute.scheduler.")
@click.option("--workers", type=click.IntRange(min=1), help="Borders at a time.")
@common.common_options
def update(
    folders: tuple[Path, ...],
    incidents_path: Path | None,
    as_of: datetime | None,
    rehearse: datetime | None,
    scheduler: str,
    workers: int | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Take in incidents, forecast the next periods, verify those that are over.

    Exit code 0 if anything was new, 4 if nothing was, 1 if one of several borders failed.

    Example: borderrisk update my-border --incidents november.csv
    """
    common.configure_logging(verbose, as_json=True)
    from borderrisk.pipeline import updating

    with common.progress_line() as progress:
        done = updating.update_all(
            folders, incidents_path, as_of=as_of, rehearse=rehearse,
            scheduler=scheduler, workers=workers, progress=progress,
        )  # fmt: skip
    text = [line for border in done for line in _told(border, len(done) > 1)]
    payload = {"borders": [vars(border) | {"new": border.anything} for border in done]}
    common.emit(payload, as_json, *text)
    if any(border.error for border in done):
        raise SystemExit(1)
    if not any(border.anything for border in done):
        raise SystemExit(NOTHING_NEW)


def _told(border: Updated, several: bool) -> list[str]:
    """Lines about the update of a border."""
    head = [f"{border.title or border.folder}:"] if several else []
    if border.error:
        return [*head, f"error: {border.error}"]
    return [*head, *(border.said if border.anything else ["Nothing new."])]


@click.command()
@common.config_argument
@click.argument("name", metavar="NAME")
@common.out_option("Folder for the comparison.")
@click.option("--force", is_flag=True, help="Replace an existing --out.")
@common.printed
def scenario(config: Config, name: str, out: Path | None, force: bool) -> tuple[Any, ...]:
    """Re-run with one of the config's scenarios and show the displaced risk by segment.

    Writes a run of the scenario; `borderrisk compare RUN SCENARIO` maps what it changes.

    Example: borderrisk scenario configs/eastern-border.yaml closed-harirud
    """
    from borderrisk.pipeline import changes

    facts, rows = changes.scenario(config, name, out=out, force=force)
    named = [{k: v for k, v in row.items() if k != "segment_id"} for row in rows]
    return facts | {"segments": rows}, common.facts_text(facts), "", common.table_text(named)


COMMANDS = (evaluate, forecast, verify, update, scenario)
