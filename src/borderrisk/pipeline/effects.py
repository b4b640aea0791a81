"""How the intensity answers to each feature: partial dependence of the fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from borderrisk.model.pooled import decompose

if TYPE_CHECKING:
    from borderrisk.pipeline.assembly import Scored
    from borderrisk.pipeline.stages import Stages

POINTS = 15
MOST = 12
_SAMPLE = 400


def partial_dependence(stages: Stages, scored: Scored) -> dict[str, dict[str, Any]]:
    """Mean log-intensity when one feature is set to a value and the others are left.

    Friedman 2001, Annals of Statistics 29(5). Computed for the features that matter most, over an
    evenly spaced sample of the study area's cells.
    """
    model, cells = scored.model.model, stages.cells
    weights = scored.model.extra.get("importance", {})
    names = sorted(weights, key=lambda name: -weights[name])[:MOST]
    study = np.flatnonzero(cells.study)
    rows = study[:: max(1, len(study) // _SAMPLE)]
    table = cells.x.iloc[rows]
    curves: dict[str, dict[str, Any]] = {}
    for name in (n for n in names if n in table):
        values = np.unique(np.quantile(cells.x[name][cells.study], np.linspace(0.02, 0.98, POINTS)))
        means = [_log(model, table.assign(**{name: v})).mean() for v in values]
        effect = np.asarray(means) - np.mean(means)
        curves[name] = {"values": values.tolist(), "effect": effect.tolist()}
    return curves


def _log(model: Any, table: pd.DataFrame) -> np.ndarray:
    """Log of what terrain, border, access and reporting explain."""
    parts = decompose(model, table)
    return np.log(np.maximum(parts.susceptibility * parts.reporting, 1e-300))
