"""The scorecard: every test of the model and its baselines, in one JSON-ready dict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from borderrisk import scores
from borderrisk.evaluation import metrics
from borderrisk.evaluation.backtest import BASELINES, MIN_LATER, REFERENCE, SUBSETS, Forecasts
from borderrisk.model.cells import CellTable
from borderrisk.scores import DAYS_PER_YEAR

PER_INCIDENT = (
    "bits", "located_bits", "capture_5", "capture_10", "capture_20", "border_capture_10",
)  # fmt: skip
PER_ORIGIN = ("auc", "brier", "log_score")
# Differences that get an interval: bits and captures of each incident, model against baseline.
Score = Callable[[np.ndarray, np.ndarray, Any], np.ndarray]
_DIFFERENCES: dict[str, tuple[str, Score]] = {
    "gain": ("bits", metrics.information_gain),
    "gain_capture_10": ("capture_10", partial(metrics.capture, share=0.1)),
}
Rated = dict[str, tuple[np.ndarray, np.ndarray]]


def used_origins(forecasts: Sequence[Forecasts], years: int) -> list[Forecasts]:
    """Forecasts followed by enough incidents to say something."""
    return [f for f in forecasts if len(f.tests[years].new) >= MIN_LATER]


def prospective(
    forecasts: Sequence[Forecasts],
    rows: list[dict[str, Any]],
    cells: CellTable,
    model: str,
    *,
    level: float = 0.9,
    seed: int = 0,
) -> dict[str, Any]:
    """Summarise a backtest.

    Parameters
    ----------
    forecasts : sequence of Forecasts
        From :func:`borderrisk.evaluation.backtest.backtest`.
    rows : list of dict
        From :func:`borderrisk.evaluation.backtest.origin_rows`.
    cells : CellTable
        Cells of the domain.
    model : str
        The config's model: calibration and reliability are about it.
    level : float
        Coverage of the intervals.
    seed : int
        Of the block bootstrap.

    Returns
    -------
    dict
        ``origins``, ``horizons_years``, ``least_incidents`` (that an origin needs to count),
        ``rows`` (of each origin) and ``summary`` (over the origins); then, over all incidents of
        the shortest horizon, ``capture_curve``, ``calibration`` and ``reliability``, and under
        ``subsets`` the same for ``repeat`` and ``new``: see
        :func:`borderrisk.evaluation.summary.curves`.
    """
    horizons = sorted(forecasts[0].tests)
    shortest = used_origins(forecasts, horizons[0])
    area = cells.study_area_100km2[cells.study]
    found = {name: curves(shortest, area, model, horizons[0], name, level) for name in SUBSETS}
    everything = found.pop("all")
    return {
        "origins": [f"{f.origin:%Y-%m-%d}" for f in forecasts],
        "horizons_years": horizons,
        "least_incidents": MIN_LATER,
        "rows": rows,
        "summary": [
            row
            for years in horizons
            for subset in SUBSETS
            for row in summary_rows(forecasts, rows, area, years, subset, level=level, seed=seed)
        ],
        **{key: everything[key] for key in ("capture_curve", "calibration", "reliability")},
        "subsets": found,
    }


def summary_rows(
    forecasts: Sequence[Forecasts],
    rows: Iterable[Mapping[str, Any]],
    area: np.ndarray,
    years: int,
    subset: str,
    *,
    level: float,
    seed: int,
) -> list[dict[str, Any]]:
    """Average every model over the origins with enough incidents, with its gain.

    Bits and captures are means over incidents, the other metrics means over origins. ``gain`` is
    the difference to the baseline with the most bits in the same subset, ``gain_capture_10`` the
    one to the baseline that captures most in a tenth of the area, each with a bootstrap interval
    over origins; origins whose test periods overlap are drawn together.
    """
    used = used_origins(forecasts, years)
    days = {f"{f.origin:%Y-%m-%d}" for f in used}
    table = pd.DataFrame(
        [
            row
            for row in rows
            if row["origin"] in days
            and (row["horizon_years"], row["subset"]) == (years, subset)
            and row["incidents"]
        ]
    )
    if table.empty:
        return []
    span = _span(forecasts, years)
    rated = {
        key: {name: _rated(used, area, years, subset, name, score) for name in used[0].intensity}
        for key, (_, score) in _DIFFERENCES.items()
    }
    found = []
    for name, part in table.groupby("model", sort=False):
        row = {"model": name, "role": part["role"].iloc[0], "horizon_years": years}
        row |= {"subset": subset, "origins": len(part), "incidents": int(part["incidents"].sum())}
        for key in (k for k in PER_INCIDENT if k in part):
            row[key] = float(np.average(part[key], weights=part["incidents"]))
        row |= {key: _mean(part[key]) for key in PER_ORIGIN}
        for key, (unit, _) in _DIFFERENCES.items():
            row[key] = _gain(rated[key], str(name), unit, span, level, seed)
        found.append(row)
    return sorted(found, key=lambda row: -row["bits"])


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if values.notna().any() else None


def _span(forecasts: Sequence[Forecasts], years: int) -> int:
    """How many origins in a row have test periods that overlap."""
    days = np.diff([f.origin.toordinal() for f in forecasts])
    # Years and their halves are not all of the same length.
    return ceil(years * DAYS_PER_YEAR / days.min() - 0.1) if len(days) else 1


def _rated(
    used: Sequence[Forecasts], area: np.ndarray, years: int, subset: str, name: str, score: Score
) -> tuple[np.ndarray, np.ndarray]:
    """Score of every incident, and the number of the origin each belongs to."""
    parts = []
    for forecast in used:
        test = forecast.tests[years]
        mass = test.mass[test.subset(subset)]
        parts.append(score(forecast.intensity[name], area, mass))
    blocks = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return np.concatenate(parts), blocks


def _gain(
    rated: Rated, name: str, unit: str, span: int, level: float, seed: int
) -> dict[str, Any] | None:
    """Difference to history alone, or to the best baseline without it; None for that one itself."""
    baselines = [n for n in rated if n in BASELINES]
    best = max(baselines, key=lambda n: rated[n][0].mean(), default=None)
    best = REFERENCE if REFERENCE in baselines else best
    if best is None or name == best:
        return None
    first, (second, blocks) = rated[name][0], rated[best]
    found = metrics.paired_difference(first, second, blocks, span=span, level=level, seed=seed)
    return {"baseline": best, unit: found.value, "low": found.low, "high": found.high}


def pick(part: Mapping[str, Any], model: str, subset: str, years: int = 1) -> dict[str, Any] | None:
    """Return the summary row of a model, or None."""
    for row in part["summary"]:
        if (row["model"], row["subset"], row["horizon_years"]) == (model, subset, years):
            return dict(row)
    return None


def headline(part: Mapping[str, Any], model: str) -> list[str]:
    """Say in two lines how good the model is, next to history alone."""
    words = {"all": "all incidents", "new": "new places"}
    rows = {label: pick(part, model, subset) for subset, label in words.items()}
    return [_said(label, row) for label, row in rows.items() if row is not None]


def _said(label: str, row: Mapping[str, Any]) -> str:
    text = f"{label} ({row['incidents']}): "
    gain = row["gain"]
    if gain:
        verdict = "better" if gain["low"] > 0 else "worse" if gain["high"] < 0 else "no better"
        text += (
            f"{verdict} than {gain['baseline'].replace('_', ' ')}, by {gain['bits']:+.2f} bits "
            f"per incident ({gain['low']:+.2f} to {gain['high']:+.2f}); "
        )
    return text + (
        f"{row['bits']:+.2f} bits per incident over even, {row['capture_10']:.0%} in the top 10 % "
        "of area"
    )


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
