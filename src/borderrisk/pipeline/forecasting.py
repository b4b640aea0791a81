"""Frozen forecasts, and what became of them."""

from __future__ import annotations

import os
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.config import Config
from borderrisk.errors import DataError
from borderrisk.model import forecast as frozen
from borderrisk.model import ledger, scores, verification
from borderrisk.model.backtest import BASELINES
from borderrisk.model.panel import Panel
from borderrisk.model.persistence import save_model
from borderrisk.model.pooled import fit_spatial
from borderrisk.pipeline.border import border_line
from borderrisk.pipeline.jobs import MODEL
from borderrisk.pipeline.stages import Stages
from borderrisk.pipeline.writing import records, write_json
from borderrisk.runs import RunFolder
from borderrisk.sources.incidents import read_incidents

LEDGER = "forecasts.jsonl"


def forecast(
    config: Config, *, origin: date | datetime | str, horizon_days: int, out: str | Path | None
) -> dict[str, Any]:
    """Freeze a forecast made with what was known at an origin, and record it in the ledger.

    Raises
    ------
    DataError
        If too few incidents lie before the origin, or the ledger does not hold together; nothing
        is written then.
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
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / MODEL
        save_model(model, stages.model)
        facts = frozen.freeze(
            final,
            _cells(stages, horizon_days),
            grid=stages.cells.grid,
            origin=day,
            horizon_days=horizon_days,
            model_file=model,
            past=stages.panel.incidents,
            line=border_line(stages.border),
            baselines=BASELINES,
            meta=_meta(stages) | {"ledger": _relative(record, final)},
        )
    entry = ledger.append(record, {"forecast": facts["hash"], "origin": day})
    return {
        "folder": str(final), "origin": day, "horizon_days": horizon_days, "hash": facts["hash"],
        "incidents": len(stages.panel), "ledger": str(record), "entry": entry["index"],
    }  # fmt: skip


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
    }
    for name in BASELINES:
        fitted = fit_spatial(name, None, cells, stages.panel, stages.origin, stages.config.seed)
        table[name] = fitted.intensity(cells)
    return pd.DataFrame(table)


def _meta(stages: Stages) -> dict[str, Any]:
    config = stages.config
    return {
        "config": {"name": config.name, "sha256": config.hash},
        "seed": config.seed,
        "counts": stages.counts(),
        "layout": config.data.incidents.layout,
        "columns": dict(config.data.incidents.columns),
        "default_radius_km": config.data.incidents.default_radius_km,
        "max_radius_km": config.data.incidents.max_radius_km,
    }


def verify(
    forecast_path: str | Path,
    incidents_path: str | Path,
    *,
    out: str | Path | None = None,
    ledger_path: str | Path | None = None,
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

    Raises
    ------
    DataError
        If the forecast was changed, its ledger was or does not know it, the file is not in the
        forecast's incident layout, an incident is dated before the origin, or none lies in the
        study area within the horizon. Nothing is written then.
    """
    opened = frozen.open_forecast(forecast_path)
    entry = _recorded(opened, Path(forecast_path), ledger_path)
    meta = opened.facts["meta"]
    table = read_incidents(
        incidents_path,
        layout=meta["layout"],
        columns=meta["columns"] or None,
        default_radius_km=meta["default_radius_km"],
        max_radius_km=meta["max_radius_km"],
    )
    verification.check_dates(table.incidents, opened)
    panel = Panel.build(table.incidents, opened.grid, opened.domain)
    found = verification.verify(opened, panel)
    notes = [_record_note(entry), *found.notes]
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
    with RunFolder(final) as folder:
        curves = {"capture_curve": found.capture_curve, "calibration": found.calibration}
        write_json({"kind": "verification"} | facts | curves, folder.path / "manifest.json")
        found.table.to_csv(folder.path / "scores.csv", index=False, lineterminator="\n")
        found.missed.to_csv(folder.path / "missed.csv", index=False, lineterminator="\n")
        _curves(found).to_csv(folder.path / "capture.csv", index=False, lineterminator="\n")
    return facts, _text(found, notes)


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
