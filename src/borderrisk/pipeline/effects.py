"""How the intensity answers to each feature: partial dependence of the fitted model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from borderrisk.model.dependence import Probes
from borderrisk.model.modelfile import ModelFile
from borderrisk.model.scores import tails
from borderrisk.model.uncertainty import Intervals

if TYPE_CHECKING:
    from borderrisk.pipeline.assembly import Scored
    from borderrisk.pipeline.stages import Stages

MOST = 12


def probes(stages: Stages, model: ModelFile) -> Probes:
    """Choose where curves are read: those of the features that matter most."""
    weights = model.extra.get("importance", {})
    names = sorted(weights, key=lambda name: -weights[name])
    cells = stages.cells_for(model)
    usable = [name for name in names if name in cells.x][:MOST]
    return Probes.choose(cells, usable, seed=stages.config.seed)


def partial_dependence(stages: Stages, scored: Scored) -> dict[str, dict[str, Any]]:
    """Mean log-intensity when one feature is set to a value and the others are left.

    Returns
    -------
    dict
        For each feature ``values`` and ``effect``; with replicates also ``low`` and ``high``, the
        quantiles of the refits' curves (drawn out to the curve where it leaves them).
    """
    with stages.cache.timed("partial dependence"):
        at = probes(stages, scored.model)
        curves = at.split(at.read(scored.model.model))
    bands = _bands(at, curves, scored.intervals)
    return {
        name: {"values": values.tolist(), "effect": curve.tolist()} | band
        for name, values, curve, band in zip(at.names, at.grids, curves, bands, strict=True)
    }


def _bands(
    at: Probes, curves: Sequence[np.ndarray], intervals: Intervals | None
) -> list[dict[str, list[float]]]:
    """Bounds of each curve, or nothing where there were no replicates."""
    if intervals is None or not intervals.curves.size:
        return [{} for _ in curves]
    bounds = np.quantile(intervals.curves, tails(intervals.level), axis=0)
    low, high = (at.split(row) for row in bounds)
    return [
        {"low": np.minimum(a, curve).tolist(), "high": np.maximum(b, curve).tolist()}
        for a, b, curve in zip(low, high, curves, strict=True)
    ]
