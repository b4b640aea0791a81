"""Frozen forecasts, and what became of them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.config import Config
from borderrisk.errors import ConfigError
from borderrisk.model import forecast as frozen
from borderrisk.model import ledger, scores
from borderrisk.model.panel import Panel
from borderrisk.model.persistence import save_model
from borderrisk.model.pooled import fit_spatial
from borderrisk.pipeline.jobs import MODEL
from borderrisk.pipeline.stages import Stages
from borderrisk.pipeline.writing import records, write_json
from borderrisk.runs import RunFolder
from borderrisk.sources.incidents import read_incidents

BASELINES = ("uniform", "border_distance", "kde", "persistence")
LEDGER = "forecasts.jsonl"


def forecast(
    config: Config, *, origin: date | datetime | str, horizon_days: int, out: str | Path | None
) -> dict[str, Any]:
    """Freeze a forecast made with what was known at an origin, and record it in the ledger.

    Raises
    ------
    DataError
        If too few incidents lie before the origin.
    """
    day = pd.Timestamp(origin).date().isoformat()
    stages = Stages.of(config.with_changes({"train": {"origin": day}}))
    least = config.evaluation.min_past_incidents
    if len(stages.panel) < least:
        raise ConfigError(
            f"--origin {day}: {len(stages.panel)} incidents lie before it, at least {least} are "
            "needed (evaluation.min_past_incidents); choose a later origin."
        )
    parent = config.outputs.folder / config.name
    final = Path(out) if out else parent / f"forecast-{day}-{horizon_days}d"
    with RunFolder(final) as folder:
        model = folder.path / MODEL
        save_model(model, stages.model)
        facts = frozen.freeze(
            folder.path, _cells(stages, horizon_days), model, _meta(stages, day, horizon_days)
        )
        write_json({"forecast": facts}, folder.path / "manifest.json")
    entry = ledger.append(parent / LEDGER, {"forecast": facts["hash"], "origin": day})
    return {
        "folder": str(final), "origin": day, "horizon_days": horizon_days, "hash": facts["hash"],
        "incidents": len(stages.panel), "ledger": str(parent / LEDGER), "entry": entry["index"],
    }  # fmt: skip


def _cells(stages: Stages, horizon_days: int) -> pd.DataFrame:
    """The forecast and every baseline, one row per scored cell."""
    cells, study = stages.cells, stages.cells.study
    area = cells.study_area_100km2[study]
    intensity = stages.model.model.predict(cells.x)[study]
    risk = scores.risk_percentile(intensity, area)
    x, y = (axis[cells.mask][study] for axis in cells.grid.centres())
    table = {
        "cell_id": cells.grid.cell_ids(cells.mask)[study],
        "x": x,
        "y": y,
        "area_100km2": area,
        "intensity": intensity,
        "probability": scores.probability(intensity, area, horizon_days),
        "risk": risk,
        "risk_class": scores.risk_class(risk),
    }
    for name in BASELINES:
        fitted = fit_spatial(name, None, cells, stages.panel, stages.origin, stages.config.seed)
        table[name] = fitted.intensity(cells)[study]
    return pd.DataFrame(table)


def _meta(stages: Stages, day: str, horizon_days: int) -> dict[str, Any]:
    config, grid = stages.config, stages.cells.grid
    return {
        "origin": day,
        "horizon_days": horizon_days,
        "config": {"name": config.name, "sha256": config.hash, "yaml": config.dump_yaml()},
        "grid": {
            "crs": grid.crs.to_wkt(),
            "transform": list(grid.transform)[:6],
            "shape": list(grid.shape),
        },
        "seed": config.seed,
        "counts": stages.counts(),
        "baselines": list(BASELINES),
    }
