"""Frozen forecasts: runs that show any later change, and what became of them."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj.exceptions import CRSError
from scipy.sparse import csc_matrix, csr_matrix

from borderrisk.config import Config
from borderrisk.errors import ConfigError, DataError, GridError, listed
from borderrisk.evaluation import prospective, verification
from borderrisk.evaluation.backtest import BASELINES, GRACE, BorderLine
from borderrisk.evaluation.findings import spoken
from borderrisk.evaluation.prospective import Issued
from borderrisk.evaluation.verification import FORECAST, Forecast
from borderrisk.model.cells import CellTable
from borderrisk.model.level import Level
from borderrisk.model.panel import Panel
from borderrisk.model.registry import usable
from borderrisk.outputs.atomic import write_rows
from borderrisk.outputs.figures import outcome_figure
from borderrisk.outputs.figures.style import render, style
from borderrisk.outputs.gridfiles import load_scene, read_features
from borderrisk.pipeline import checking, steps
from borderrisk.pipeline.evaluating import border_line
from borderrisk.pipeline.result import SCENE_FOLDER, records
from borderrisk.pipeline.run import write_run
from borderrisk.pipeline.stages import Stages
from borderrisk.runs.folder import RunFolder, check_free
from borderrisk.runs.hashing import check_sums, read_json, sha256_file
from borderrisk.runs.manifest import MANIFEST, Manifest, file_facts, write_manifest
from borderrisk.scores import DAYS_PER_YEAR
from borderrisk.sources.files import check_size
from borderrisk.sources.incidents import IncidentTable, read_incidents, rows_left_out
from borderrisk.sources.layouts import unread_columns

log = logging.getLogger(__name__)

KIND = "forecast"
# What a frozen run has more than another: intensities of all models, and the cells behind the
# border's segments.
INTENSITIES, BORDER = "intensities.parquet", "border.parquet"
# Picture of a verification: the forecast, and the incidents of its period.
OUTCOME = "outcome.png"
# How the incidents were read: those that came later are read the same way.
_READ = ("layout", "columns", "default_radius_km", "max_radius_km", "kinds", "confidence")
# Beginnings of the reader's reasons: a row whose day is unknown may lie before the origin.
_WRONG_DATES = ("date cannot be read", "date_end cannot be read", "unknown date_precision")
# What readers raise for content that someone has put together with matching sums.
_UNUSABLE = (OSError, KeyError, TypeError, ValueError, IndexError, OverflowError, CRSError,
             GridError)  # fmt: skip


def forecast(
    config: Config,
    *,
    origin: date | datetime | str,
    horizon_days: int,
    out: str | Path | None,
    replicates: int = 0,
) -> dict[str, Any]:
    """Freeze a run made with what was known at an origin, the first day forecast.

    The config's own origin, horizon and ``replicates`` do not matter. ``out`` is by default a
    folder under ``outputs.folder`` that says origin and horizon. Returns ``folder, origin,
    horizon_days, hash, incidents, notes``; the hash is that of the sums of all files: noted
    elsewhere, it vouches for the day the forecast was made. Raises ``ConfigError`` if the origin is
    no date or the horizon is out of range, ``DataError`` if too few incidents lie before the
    origin, ``OutputError`` if the folder is taken (a frozen forecast is never replaced) or cannot
    be written.
    """
    checking.require_incidents(config)
    try:
        day = pd.Timestamp(origin).date().isoformat()
    except (ValueError, TypeError) as error:
        raise ConfigError(f"The origin must be a date like 2025-01-01 (got {origin!r}).") from error
    check_free(out, force=False)
    changes = {
        "train": {"origin": day}, "outputs": {"horizon_days": horizon_days},
        "evaluation": {"enabled": False}, "uncertainty": {"replicates": replicates},
    }  # fmt: skip
    stages = Stages.of(config.with_changes(changes))
    least, known = config.evaluation.min_past_incidents, len(stages[steps.incidents].panel)
    if known < least:
        raise DataError(
            f"--origin {day}: {known} incidents lie before it, at least {least} are "
            "needed (evaluation.min_past_incidents); choose a later origin."
        )
    parent = config.forecasts_folder
    prefix = "" if config.is_contained else "forecast-"
    final = Path(out) if out else parent / f"{prefix}{day}-{horizon_days}d"
    notes = _end_of_record(stages)
    result = write_run(
        stages, None, final, force=False, freeze=partial(_freeze, stages, horizon_days, notes)
    )
    return {
        "folder": str(result.folder), "origin": day, "horizon_days": horizon_days,
        "hash": check_sums(result.folder), "incidents": known, "notes": notes,
    }  # fmt: skip


def _freeze(
    stages: Stages, horizon_days: int, notes: list[str], folder: Path, manifest: Manifest
) -> None:
    """Add to a run what a verification needs and no other reader."""
    cells: CellTable = stages[steps.cells]
    record: steps.Record = stages[steps.incidents]
    table = {
        "cell_id": cells.grid.cell_ids(cells.mask),
        FORECAST: stages[steps.model].model.intensity(cells),
    }
    for name, settings in usable(BASELINES, cells, horizon_days).items():
        fitted = settings.fit(cells, record.panel, record.origin, stages.config.seed)
        table[name] = fitted.intensity(cells)
    pd.DataFrame(table).to_parquet(folder / INTENSITIES, index=False)
    _line_table(border_line(stages[steps.border])).to_parquet(folder / BORDER, index=False)
    section = stages.config.data.incidents.model_dump(mode="json")
    level = stages[steps.model].model.level
    low, high = level.interval(horizon_days, prospective.LEVEL)
    manifest.notes += notes
    manifest.more = {
        "warnings": notes,
        "origin": f"{record.origin:%Y-%m-%d}",
        "horizon_days": horizon_days,
        "level": asdict(level),
        "total": {"expected": level.mean * horizon_days / DAYS_PER_YEAR, "low": low, "high": high},
        "incidents": {name: section[name] for name in _READ},
    }


def _end_of_record(stages: Stages) -> list[str]:
    """Say so if the incidents known at the origin end long before it."""
    record: steps.Record = stages[steps.incidents]
    last = record.known.incidents["date_end"].max()
    gap = record.origin - last
    if not gap > GRACE:
        return []
    note = (
        f"The last incident known at the origin {record.origin:%Y-%m-%d} is dated "
        f"{last:%Y-%m-%d}, {gap.days} days before it. If the record ends there, the forecast does "
        "not know what happened since, and its level counts those days as quiet."
    )
    log.warning(note)
    return [note]


def open_forecast(folder: str | Path) -> tuple[Forecast, dict[str, Any]]:
    """Read a frozen forecast and its manifest, if it is still what it was.

    Raises ``DataError`` if the folder holds no frozen forecast, a file in it was changed, removed
    or added, or the content is not that of a forecast.
    """
    folder = Path(folder)
    check_sums(folder)
    try:
        facts = read_json(folder / MANIFEST)
        if facts["kind"] != KIND:
            raise DataError(f"{folder}: holds a {facts['kind']}; give a folder of a forecast.")
        return _opened(folder, facts), facts
    except _UNUSABLE as error:
        raise DataError(f"{folder}: is not a complete forecast ({error}).") from error


def _opened(folder: Path, facts: dict[str, Any]) -> Forecast:
    scene = folder / SCENE_FOLDER
    ds = read_features(scene / "cells.nc")
    cells = CellTable.from_dataset(ds, ())
    for part in folder.rglob("*.parquet"):
        check_size(part, "Parquet", str(part))
    table = pd.read_parquet(folder / INTENSITIES)
    if not np.array_equal(cells.grid.cell_ids(cells.mask), table.pop("cell_id").to_numpy(str)):
        raise ValueError(f"{INTENSITIES} has other cells")
    past = gpd.read_parquet(scene / "incidents.parquet").to_crs(cells.grid.crs).geometry
    return Forecast(
        origin=pd.Timestamp(facts["origin"]),
        horizon_days=int(facts["horizon_days"]),
        made=pd.Timestamp(facts["started"]).tz_convert("UTC"),
        cells=cells,
        risk_class=ds["risk_class"].to_numpy()[cells.mask],
        intensity={str(name): table[name].to_numpy(float) for name in table},
        level=Level(**facts["level"]),
        past=np.column_stack([past.x, past.y]),
        line=_line(pd.read_parquet(folder / BORDER), cells.grid.size),
    )


def _line_table(line: BorderLine) -> pd.DataFrame:
    """One row per segment: its length, the grid cells (row-major) behind it, and their share."""
    columns = csc_matrix(line.attribution)
    columns.sort_indices()
    cut = columns.indptr[1:-1]
    cell, share = np.split(columns.indices.astype(np.int64), cut), np.split(columns.data, cut)
    return pd.DataFrame({"length_km": line.length_km, "cell": cell, "share": share})


def _line(table: pd.DataFrame, size: int) -> BorderLine:
    ends = np.concatenate([[0], np.cumsum(table["cell"].map(len))])
    parts = (np.concatenate(table[name].to_list()) for name in ("share", "cell"))
    columns = csc_matrix((*parts, ends), shape=(size, len(table)))
    return BorderLine(csr_matrix(columns), table["length_km"].to_numpy(float))


def verify(
    forecast_path: str | Path,
    incidents_path: str | Path,
    *,
    out: str | Path | None = None,
    force: bool = False,
) -> tuple[dict[str, Any], str]:
    """Score a frozen forecast against incidents reported since; return facts and a text.

    ``out`` is by default a folder beside the forecast that is called after it and the last day of
    the incidents. Raises ``DataError``, and writes nothing, if the forecast was changed, the file
    is not in its incident layout, a date cannot be read, an incident is dated before the origin, or
    none lies in the study area within the horizon. Rows left out for another reason are counted,
    and listed in ``rejected.csv``; a note names columns that the layout does not have, which are
    not read.
    """
    source, path = Path(forecast_path), Path(incidents_path)
    opened, made = open_forecast(source)
    table = _read_later(path, made["incidents"])
    verification.check_dates(table.incidents, opened)
    last, how = f"{table.incidents['date_end'].max():%Y-%m-%d}", made["incidents"]
    reasons = table.rejected["reason"].astype(str).str.split(": ").str[0].value_counts()
    unread = unread_columns(path, how["layout"], how["columns"], how["default_radius_km"])
    notes = [
        f"Verified with {path.name}, whose last incident is dated {last}.",
        *(f"{n} row(s) rejected: {reason}." for reason, n in reasons.items()),
        *([f"Columns that were not read: {', '.join(unread)}."] if unread else []),
    ]
    final = Path(out) if out else source.with_name(f"{source.resolve().name}-verified-{last}")
    record = Later(path, table, last, notes)
    return _verified(source, opened, made, record, final, force)


@dataclass(frozen=True)
class Later:
    """Incidents that a forecast is verified with: their file, the last day, what is to be said.

    ``until`` is the day that the whole record is known to reach; None if nobody says so.
    """

    path: Path
    table: IncidentTable
    last: str
    notes: list[str]
    until: pd.Timestamp | None = None


def _verified(
    source: Path, opened: Forecast, made: dict[str, Any], later: Later, final: Path, force: bool
) -> tuple[dict[str, Any], str]:
    panel = Panel.build(later.table.incidents, opened.cells.grid, opened.domain)
    rejected = later.table.rejected
    found = verification.verify(opened, panel, rejected=len(rejected), until=later.until)
    notes = [*later.notes[:1], *made["warnings"], *found.notes, *later.notes[1:]]
    facts: dict[str, Any] = {
        "folder": str(final),
        "forecast": check_sums(source),
        "run_id": made["run_id"],
        "made_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "data_until": later.last,
        "inputs": [file_facts(later.path, later.path.absolute().parent, sha256_file)],
        "incidents": found.counts,
        "gain": asdict(found.gain) if found.gain else {},
        "period": replace(found.period, source=source.name).to_json(),
        "notes": notes,
        "scores": records(found.table),
        "missed": records(found.missed.astype(str)),
    }
    with RunFolder(final, force=force) as folder:
        _draw_outcome(source, later.table, panel, found, folder.path)
        captured = {name: curve["captured"] for name, curve in found.capture_curve.items()}
        shares = [curve["area_share"] for curve in found.capture_curve.values()]
        tables = {
            "scores": found.table, "missed": found.missed,
            "capture": pd.DataFrame({"area_share": shares[0]} | captured if shares else {}),
            "rejected": rows_left_out(rejected, found.left_out),
        }  # fmt: skip
        for name, table in tables.items():
            write_rows(table, folder.path / f"{name}.csv")
        curves = {"capture_curve": found.capture_curve, "calibration": found.calibration}
        write_manifest(folder.path, {"kind": "verification"} | facts | curves)
    return facts, _text(found, notes)


def verify_record(
    source: Path, given: Issued, path: Path, table: IncidentTable, until: pd.Timestamp, parent: Path
) -> tuple[Path, bool]:
    """Score a forecast whose time is over with a whole record, as it was on the day ``until``.

    Returns the folder of the verification, below ``parent``, which is called after the forecast and
    the rows of its time, and whether it is new: there may be one for just these rows already.
    """
    rows = table.incidents
    here = (rows["date_end"] >= given.origin) & (rows["date"] < given.end)
    here &= (rows["date_end"] < until).to_numpy()
    part = rows[here].reset_index(drop=True)
    content = part.drop(columns="geometry").assign(x=part.geometry.x, y=part.geometry.y)
    digest = hashlib.sha256(content.to_csv(index=False).encode()).hexdigest()[:8]
    final = parent / f"{source.name}-{digest}"
    if (final / MANIFEST).exists():
        return final, False
    opened, made = open_forecast(source)
    note = (
        f"Verified with {path.name} as it was before {until:%Y-%m-%d}: {len(part)} incident(s) "
        "of the period."
    )
    last = f"{until - pd.Timedelta(days=1):%Y-%m-%d}"
    kept = IncidentTable(part, table.rejected.iloc[:0])
    later = Later(path, kept, last, [note], until)
    _verified(source, opened, made, later, final, force=False)
    return final, True


def _draw_outcome(
    source: Path, table: IncidentTable, panel: Panel, found: verification.Verification, folder: Path
) -> None:
    out = {*found.left_out["incident_id"], *panel.rejected["incident_id"]}
    scored = table.incidents[~table.incidents["incident_id"].isin(out)]
    scene = replace(load_scene(source / SCENE_FOLDER), incidents=scored)
    with style():
        figure = outcome_figure(scene, list(found.missed["incident_id"]))
    if figure is not None:
        (folder / OUTCOME).write_bytes(render(figure, "png"))


def _read_later(path: Path, how: dict[str, Any]) -> IncidentTable:
    """Read incidents as the forecast read its own; every row must have its date."""
    table = read_incidents(path, **{**how, "columns": how["columns"] or None})
    reasons = table.rejected["reason"].astype(str)
    wrong = table.rejected[reasons.str.startswith(_WRONG_DATES)]
    if len(wrong):
        rows = [f"row {row.row}: {row.reason}" for row in wrong.itertuples()]
        raise DataError(
            f"incidents: {path}: {listed(rows, 10, '; ')}. Every incident of a verification needs "
            "its date; mend the file."
        )
    return table


def _text(found: verification.Verification, notes: list[str]) -> str:
    shown = ["model", "role", "subset", "incidents", "bits", "capture_10", "auc"]
    columns = [name for name in shown if name in found.table]
    gain = found.gain
    lines = [
        *notes,
        *([f"{gain} bits per incident over {spoken(gain.baseline)}"] if gain else []),
        found.table[columns].round(3).to_string(index=False),
        f"{len(found.missed)} incident(s) fell in class 1-2 cells",
        *(f"  {row.incident_id} {row.date:%Y-%m-%d}" for row in found.missed.itertuples()),
    ]
    return "\n".join(lines)
