"""Frozen forecasts, and what became of them."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.config import Config
from borderrisk.errors import DataError
from borderrisk.evaluation import verification
from borderrisk.evaluation.backtest import BASELINES, GRACE
from borderrisk.model import forecast as frozen
from borderrisk.model import ledger, scores
from borderrisk.model.fitting import fit_spatial
from borderrisk.model.modelfile import save_model
from borderrisk.model.panel import Panel
from borderrisk.pipeline import scoring
from borderrisk.pipeline.border import border_line
from borderrisk.pipeline.inputs import input_files
from borderrisk.pipeline.run import MODEL, records, write_json
from borderrisk.pipeline.stages import Stages
from borderrisk.runs import RunFolder, file_facts
from borderrisk.runs.interrupt import stoppable
from borderrisk.sources.incidents import IncidentTable, read_incidents
from borderrisk.sources.layouts import unread_columns

log = logging.getLogger(__name__)

LEDGER = "forecasts.jsonl"
# Beginnings of the reader's reasons: a row whose day is unknown may lie before the origin.
_WRONG_DATES = ("date cannot be read", "date_end cannot be read", "unknown date_precision")
_LISTED = 10


def forecast(
    config: Config, *, origin: date | datetime | str, horizon_days: int, out: str | Path | None
) -> dict[str, Any]:
    """Freeze a forecast made with what was known at an origin, and record it in the ledger.

    Raises
    ------
    DataError
        If too few incidents lie before the origin, or the ledger does not hold together; nothing
        is written then.
    OutputError
        If the forecast or its entry in the ledger cannot be written; neither is kept then.
    """
    day = pd.Timestamp(origin).date().isoformat()
    stages = Stages.of(config.with_changes({"train": {"origin": day}}))
    least = config.evaluation.min_past_incidents
    if len(stages.panel) < least:
        raise DataError(
            f"--origin {day}: {len(stages.panel)} incidents lie before it, at least {least} are "
            "needed (evaluation.min_past_incidents); choose a later origin."
        )
    parent = config.outputs.folder / config.name
    final = Path(out) if out else parent / f"forecast-{day}-{horizon_days}d"
    record = parent / LEDGER
    if record.exists():
        ledger.check(record)
    notes = _end_of_record(stages)
    with stoppable():
        meta = _meta(stages) | {"notes": notes, "ledger": _relative(record, final)}
        facts = _freeze(stages, final, horizon_days, meta)
        with _gone_unless_recorded(final, record, facts["hash"]):
            entry = ledger.append(record, {"forecast": facts["hash"], "origin": day})
    return {
        "folder": str(final), "origin": day, "horizon_days": horizon_days, "hash": facts["hash"],
        "incidents": len(stages.panel), "ledger": str(record), "entry": entry["index"],
        "notes": notes,
    }  # fmt: skip


def _freeze(stages: Stages, final: Path, horizon_days: int, meta: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / MODEL
        save_model(model, stages.model)
        return frozen.freeze(
            final,
            _cells(stages, horizon_days),
            grid=stages.cells.grid,
            origin=stages.origin,
            horizon_days=horizon_days,
            model_file=model,
            config=stages.config.dump_yaml(final),
            past=stages.panel.incidents,
            line=border_line(stages.border),
            baselines=BASELINES,
            meta=meta,
        )


@contextmanager
def _gone_unless_recorded(folder: Path, record: Path, digest: str) -> Iterator[None]:
    """Remove a forecast that does not get into its ledger, so that it can be made again."""
    try:
        yield
    except BaseException:
        if not _holds(record, digest):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _holds(record: Path, digest: str) -> bool:
    """Whether the ledger has the forecast: an interrupt can come just after it was written."""
    try:
        ledger.entry_of(record, digest)
    except DataError:
        return False
    return True


def _end_of_record(stages: Stages) -> list[str]:
    """Say so if the incidents known at the origin end long before it."""
    last = stages.all_incidents.before(stages.origin).incidents["date_end"].max()
    gap = stages.origin - last
    if not gap > GRACE:
        return []
    note = (
        f"The last incident known at the origin {stages.origin:%Y-%m-%d} is dated "
        f"{last:%Y-%m-%d}, {gap.days} days before it. If the record ends there, the forecast does "
        "not know what happened since, and its level counts those days as quiet."
    )
    log.warning(note)
    return [note]


def _relative(path: Path, folder: Path) -> str | None:
    """Path as seen from a folder, so that both can be moved together; None on another drive."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return None


def _cells(stages: Stages, horizon_days: int) -> pd.DataFrame:
    """Return the forecast and every baseline, one row per cell of study area and halo."""
    cells = stages.cells
    area, study = cells.study_area_100km2, cells.study
    intensity = np.asarray(stages.model.model.predict(cells.x))
    risk = np.full(len(cells), np.nan)
    risk[study] = scores.risk_percentile(intensity[study], area[study])
    x, y = (axis[cells.mask] for axis in cells.grid.centres())
    table = {
        "cell_id": cells.grid.cell_ids(cells.mask),
        "x": x,
        "y": y,
        "exposure": cells.exposure,
        "domain": cells.area_100km2 / (cells.grid.cell_area_km2 / 100),
        "intensity": intensity,
        "probability": scores.probability(intensity, area, horizon_days),
        "risk": risk,
        "risk_class": np.where(study, scores.risk_class(np.nan_to_num(risk)), 0),
        "trust": scoring.trust_codes(
            cells, stages.features, stages.panel, stages.model.trust,
            stages.config.study_area.halo_km, trained_here=True,
        ),
    }  # fmt: skip
    for name in BASELINES:
        fitted = fit_spatial(name, None, cells, stages.panel, stages.origin, stages.config.seed)
        table[name] = fitted.intensity(cells)
    return pd.DataFrame(table)


def _meta(stages: Stages) -> dict[str, Any]:
    """Return what a forecast was made from; no count depends on anything after the origin."""
    config = stages.config
    section = config.data.incidents
    known = ("cells scored", "cells read", "features", "incidents used")
    return {
        "config": {"name": config.name, "sha256": config.hash},
        "inputs": [
            file_facts(path, stages.project, stages.cache.hashes) for path in input_files(config)
        ],
        "seed": config.seed,
        "counts": {name: n for name, n in stages.counts().items() if name in known},
        "layout": section.layout,
        "columns": dict(section.columns),
        "default_radius_km": section.default_radius_km,
        "max_radius_km": section.max_radius_km,
        "kinds": None if section.kinds is None else list(section.kinds),
        "confidence": None if section.confidence is None else list(section.confidence),
    }


def verify(
    forecast_path: str | Path,
    incidents_path: str | Path,
    *,
    out: str | Path | None = None,
    ledger_path: str | Path | None = None,
    force: bool = False,
) -> tuple[dict[str, Any], str]:
    """Score a frozen forecast against incidents reported since; return facts and a text.

    Parameters
    ----------
    forecast_path, incidents_path : path
        The forecast, and the incidents in the same layout.
    out : path, optional
        Folder of the verification; beside the forecast by default.
    ledger_path : path, optional
        The ledger in which the forecast was recorded; by default where it was when the forecast was
        made, or beside it. Without any, the verification says so.
    force : bool
        Replace an earlier verification in the folder.

    Raises
    ------
    DataError
        If the forecast was changed, its ledger was or does not know it, the file is not in the
        forecast's incident layout, a date cannot be read, an incident is dated before the origin,
        or none lies in the study area within the horizon. Nothing is written then.

    Notes
    -----
    Rows that are left out for another reason are counted, and listed in ``rejected.csv``. Columns
    that the layout does not have are not read; a note names them.
    """
    opened = frozen.open_forecast(forecast_path)
    entry = _recorded(opened, Path(forecast_path), ledger_path)
    meta = opened.facts["meta"]
    table = _read_later(incidents_path, meta)
    verification.check_dates(table.incidents, opened)
    panel = Panel.build(table.incidents, opened.grid, opened.domain)
    found = verification.verify(opened, panel, rejected=len(table.rejected))
    notes = [
        _record_note(entry), *meta.get("notes", ()), *found.notes,
        *_reader_notes(incidents_path, table, meta),
    ]  # fmt: skip
    source = Path(forecast_path)
    final = Path(out) if out else source.with_name(f"{source.name}-verified")
    facts: dict[str, Any] = {
        "folder": str(final),
        "forecast": opened.hash,
        "incidents": found.counts,
        "recorded": entry,
        "gain": found.gain,
        "notes": notes,
        "scores": records(found.table),
        "missed": records(found.missed.astype(str)),
    }
    with RunFolder(final, force=force) as folder:
        _write_verification(folder.path, facts, found, _left_out(table, found))
    return facts, _text(found, notes)


def _write_verification(
    folder: Path,
    facts: dict[str, Any],
    found: verification.Verification,
    left_out: pd.DataFrame,
) -> None:
    curves = {"capture_curve": found.capture_curve, "calibration": found.calibration}
    write_json({"kind": "verification"} | facts | curves, folder / "manifest.json")
    tables = {
        "scores": found.table, "missed": found.missed, "capture": _curves(found),
        "rejected": left_out,
    }  # fmt: skip
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


def _read_later(path: str | Path, meta: dict[str, Any]) -> IncidentTable:
    """Read incidents as the forecast read its own; every row must have its date."""
    table = read_incidents(
        path,
        layout=meta["layout"],
        columns=meta["columns"] or None,
        default_radius_km=meta["default_radius_km"],
        # Forecasts frozen before these were noted were verified with all of them.
        kinds=meta.get("kinds"),
        confidence=meta.get("confidence"),
        max_radius_km=meta["max_radius_km"],
    )
    wrong = table.rejected[table.rejected["reason"].str.startswith(_WRONG_DATES)]
    if len(wrong):
        shown = [f"row {row.row}: {row.reason}" for row in wrong.head(_LISTED).itertuples()]
        more = f" and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise DataError(
            f"incidents: {path}: {'; '.join(shown)}{more}. Every incident of a verification needs "
            "its date; mend the file."
        )
    return table


def _reader_notes(path: str | Path, table: IncidentTable, meta: dict[str, Any]) -> list[str]:
    """Say why rows were rejected, and which columns were not read."""
    reasons = table.rejected["reason"].str.split(": ").str[0].value_counts()
    notes = [f"{n} row(s) rejected: {reason}." for reason, n in reasons.items()]
    unread = unread_columns(path, meta["layout"], meta["columns"], meta["default_radius_km"])
    if unread:
        notes.append(f"Columns that were not read: {', '.join(unread)}.")
    return notes


def _left_out(table: IncidentTable, found: verification.Verification) -> pd.DataFrame:
    """Return every row that was not scored; only the reader knows its place in the file."""
    parts = [part for part in (table.rejected, found.left_out) if len(part)]
    rows = pd.concat(parts, ignore_index=True) if parts else table.rejected
    return rows.reindex(columns=["row", "incident_id", "reason"]).astype({"row": "Int64"})


def _curves(found: verification.Verification) -> pd.DataFrame:
    """Share of the incidents captured in the highest-ranked share of the area, by model."""
    shares = next(iter(found.capture_curve.values()))["area_share"]
    models = {name: curve["captured"] for name, curve in found.capture_curve.items()}
    return pd.DataFrame({"area_share": shares, **models})


def _recorded(
    opened: frozen.Forecast, folder: Path, given: str | Path | None
) -> dict[str, Any] | None:
    """Return the ledger's entry for a forecast, None if there is no ledger to ask."""
    noted = opened.facts["meta"].get("ledger")
    places = [folder / noted] if noted else []
    known = next((p for p in (*places, folder.parent / LEDGER) if p.is_file()), None)
    path = Path(given) if given else known
    return None if path is None else ledger.entry_of(path, opened.hash)


def _record_note(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return (
            "No ledger was found for this forecast: its own hash matches, but nothing else vouches "
            "for the day it was made."
        )
    return f"Recorded in the ledger as entry {entry['index']}, {entry['utc']}."


def _text(found: verification.Verification, notes: list[str]) -> str:
    shown = ["model", "role", "subset", "incidents", "bits", "capture_10", "auc"]
    columns = [name for name in shown if name in found.table]
    gain = found.gain
    lines = [
        *notes,
        f"{gain['bits']:+.2f} bits per incident over the best baseline ({gain['baseline']}), "
        f"{gain['low']:+.2f} to {gain['high']:+.2f}",
        found.table[columns].round(3).to_string(index=False),
        f"{len(found.missed)} incident(s) fell in class 1-2 cells"
        + "".join(
            f"\n  {row.incident_id} {row.date:%Y-%m-%d}" for row in found.missed.itertuples()
        ),
    ]
    return "\n".join(lines)
