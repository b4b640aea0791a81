"""Curves of the scorecard: what the top of the ranking captures, and how well it is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from borderrisk.model import metrics, scores
from borderrisk.model.backtest import Forecasts

_CURVE = np.linspace(0, 1, 41)
_RELIABILITY_EDGES = (0, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)


def curves(
    used: Sequence[Forecasts], area: np.ndarray, model: str, years: int, subset: str, level: float
) -> dict[str, Any]:
    """Capture curve, calibration and reliability of one subset.

    Captures are those of the subset's incidents. A forecast says how many incidents to expect in
    a cell, not how many of them will be repeats; calibration and reliability are therefore those
    of the subset's *ground*: cells with an incident known at the origin near their centre
    (``repeat``), and all others (``new``). The two add up to ``all``.

    Parameters
    ----------
    used : sequence of Forecasts
        Origins with enough later incidents.
    area : ndarray, shape (study cells,)
        Scored area.
    model : str
        Whose calibration and reliability.
    years : int
        Horizon.
    subset : {"all", "repeat", "new"}
        Which incidents, and which ground.
    level : float
        Of the Poisson intervals of the counts.

    Returns
    -------
    dict
        ``incidents``, ``ground_share`` (mean share of the area), ``capture_curve`` (by model),
        ``calibration``, ``reliability``; the last three empty where there is nothing to show.
    """
    ground = [f.ground(subset) for f in used]
    shares = [float(area[g].sum() / area.sum()) for g in ground]
    return {
        "incidents": sum(len(f.tests[years].subset(subset)) for f in used),
        "ground_share": float(np.mean(shares)) if any(shares) else None,
        "capture_curve": _captured(used, area, years, subset),
        "calibration": _calibration(used, ground, area, model, years, level),
        "reliability": _reliability(used, ground, area, model, years),
    }


def _captured(
    used: Sequence[Forecasts], area: np.ndarray, years: int, subset: str
) -> dict[str, Any]:
    tests = [(f, f.tests[years].subset(subset)) for f in used]
    tests = [(f, index) for f, index in tests if len(index)]
    if not tests:
        return {}
    weights = [len(index) for _, index in tests]
    found = {}
    for name in tests[0][0].intensity:
        each = [
            metrics.capture_curve(f.intensity[name], area, f.tests[years].mass[index], _CURVE)
            for f, index in tests
        ]
        mean = np.average(each, axis=0, weights=weights)
        found[name] = {"area_share": _CURVE.tolist(), "captured": mean.tolist()}
    return found


def _calibration(
    used: Sequence[Forecasts], ground: Sequence[np.ndarray], area: np.ndarray, model: str,
    years: int, level: float,
) -> list[dict[str, float]]:  # fmt: skip
    """Sum expected and observed incidents per class over the origins, on some ground."""
    if not any(inside.any() for inside in ground):
        return []
    expected, happened, classes = [], [], []
    for forecast, inside in zip(used, ground, strict=True):
        intensity = forecast.intensity[model]
        risk = scores.risk_class(scores.risk_percentile(intensity, area))
        mass = np.asarray(forecast.tests[years].mass.sum(axis=0)).ravel()
        expected.append((intensity * area * years)[inside])
        happened.append(mass[inside])
        classes.append(risk[inside])
    return metrics.calibration(
        np.concatenate(expected), np.concatenate(happened), np.concatenate(classes), level
    )


def _reliability(
    used: Sequence[Forecasts], ground: Sequence[np.ndarray], area: np.ndarray, model: str,
    years: int,
) -> list[dict[str, float]]:  # fmt: skip
    """Mean predicted probability and observed frequency in bins of the probability."""
    if not any(inside.any() for inside in ground):
        return []
    days = years * scores.DAYS_PER_YEAR
    both = list(zip(used, ground, strict=True))
    chance = np.concatenate(
        [scores.probability(f.intensity[model], area, days)[inside] for f, inside in both]
    )
    happened = np.concatenate([metrics.occurred(f.tests[years].mass)[g] for f, g in both])
    bins = np.digitize(chance, _RELIABILITY_EDGES[1:-1])
    return [
        {
            "predicted": float(chance[bins == k].mean()),
            "observed": float(happened[bins == k].mean()),
            "cells": int((bins == k).sum()),
        }
        for k in np.unique(bins)
    ]
