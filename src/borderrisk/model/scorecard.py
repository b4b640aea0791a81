"""The scorecard: every test of the model and its baselines, in one JSON-ready dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.model import metrics, scores
from borderrisk.model.backtest import BASELINES, MIN_LATER, SUBSETS, Forecasts
from borderrisk.model.cells import CellTable

PER_INCIDENT = (
    "bits", "located_bits", "capture_5", "capture_10", "capture_20", "border_capture_10",
)  # fmt: skip
PER_ORIGIN = ("pai_10", "pei_10", "auc", "average_precision", "boyce", "brier", "log_score")
_CURVE = np.linspace(0, 1, 41)
_RELIABILITY_EDGES = (0, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)


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
        From :func:`borderrisk.model.backtest.backtest`.
    rows : list of dict
        From :func:`borderrisk.model.backtest.origin_rows`.
    cells : CellTable
        Cells of the domain.
    model : str
        The config's model: calibration and reliability are about it.
    level : float
        Coverage of the intervals.
    seed : int
        Of the block bootstrap.
    """
    horizons = sorted(forecasts[0].tests)
    shortest = used_origins(forecasts, horizons[0])
    area = cells.study_area_100km2[cells.study]
    return {
        "origins": [f"{f.origin:%Y-%m-%d}" for f in forecasts],
        "horizons_years": horizons,
        "rows": rows,
        "summary": [
            row
            for years in horizons
            for subset in SUBSETS
            for row in summary_rows(forecasts, rows, area, years, subset, level=level, seed=seed)
        ],
        "capture_curve": _curves(shortest, area, horizons[0]),
        "calibration": _calibration(shortest, area, model, horizons[0], level),
        "reliability": _reliability(shortest, area, model, horizons[0]),
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
    the difference to the baseline with the most bits in the same subset, with a bootstrap interval
    over origins.
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
    bits = {name: _bits(used, area, years, subset, name) for name in used[0].intensity}
    best = max((n for n in bits if n in BASELINES), key=lambda n: bits[n][0].mean(), default=None)
    found = []
    for name, part in table.groupby("model", sort=False):
        row = {"model": name, "role": part["role"].iloc[0], "horizon_years": years}
        row |= {"subset": subset, "origins": len(part), "incidents": int(part["incidents"].sum())}
        for key in (k for k in PER_INCIDENT if k in part):
            row[key] = float(np.average(part[key], weights=part["incidents"]))
        row |= {key: _mean(part[key]) for key in PER_ORIGIN}
        found.append(row | {"gain": _gain(bits, str(name), best, level, seed)})
    return sorted(found, key=lambda row: -row["bits"])


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if values.notna().any() else None


def _bits(
    used: Sequence[Forecasts], area: np.ndarray, years: int, subset: str, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Bits of every incident, and the number of the origin each belongs to."""
    parts = []
    for forecast in used:
        test = forecast.tests[years]
        mass = test.mass[test.subset(subset)]
        parts.append(metrics.information_gain(forecast.intensity[name], area, mass))
    blocks = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return np.concatenate(parts), blocks


def _gain(
    bits: Mapping[str, tuple[np.ndarray, np.ndarray]],
    name: str,
    best: str | None,
    level: float,
    seed: int,
) -> dict[str, Any] | None:
    if best is None or name == best:
        return None
    first, (second, blocks) = bits[name][0], bits[best]
    found = metrics.paired_difference(first, second, blocks, level=level, seed=seed)
    return {"baseline": best, "bits": found.value, "low": found.low, "high": found.high}


def _curves(used: Sequence[Forecasts], area: np.ndarray, years: int) -> dict[str, Any]:
    if not used:
        return {}
    weights = [len(f.tests[years].new) for f in used]
    curves = {}
    for name in used[0].intensity:
        each = [
            metrics.capture_curve(f.intensity[name], area, f.tests[years].mass, _CURVE)
            for f in used
        ]
        mean = np.average(each, axis=0, weights=weights)
        curves[name] = {"area_share": _CURVE.tolist(), "captured": mean.tolist()}
    return curves


def _calibration(
    used: Sequence[Forecasts], area: np.ndarray, model: str, years: int, level: float
) -> list[dict[str, float]]:
    """Sum expected and observed incidents per class over the origins."""
    expected, happened, classes = [], [], []
    for forecast in used:
        intensity = forecast.intensity[model]
        expected.append(intensity * area * years)
        happened.append(np.asarray(forecast.tests[years].mass.sum(axis=0)).ravel())
        classes.append(scores.risk_class(scores.risk_percentile(intensity, area)))
    if not used:
        return []
    return metrics.calibration(
        np.concatenate(expected), np.concatenate(happened), np.concatenate(classes), level
    )


def _reliability(
    used: Sequence[Forecasts], area: np.ndarray, model: str, years: int
) -> list[dict[str, float]]:
    """Mean predicted probability and observed frequency in bins of the probability."""
    if not used:
        return []
    days = years * scores.DAYS_PER_YEAR
    chance = np.concatenate([scores.probability(f.intensity[model], area, days) for f in used])
    happened = np.concatenate([metrics.occurred(f.tests[years].mass) for f in used])
    bins = np.digitize(chance, _RELIABILITY_EDGES[1:-1])
    return [
        {
            "predicted": float(chance[bins == k].mean()),
            "observed": float(happened[bins == k].mean()),
            "cells": int((bins == k).sum()),
        }
        for k in np.unique(bins)
    ]


def pick(part: Mapping[str, Any], model: str, subset: str, years: int = 1) -> dict[str, Any] | None:
    """Return the summary row of a model, or None."""
    for row in part["summary"]:
        if (row["model"], row["subset"], row["horizon_years"]) == (model, subset, years):
            return dict(row)
    return None


def worst_origin(part: Mapping[str, Any], model: str, years: int = 1) -> tuple[str, float] | None:
    """Origin at which the model falls furthest behind the overall best baseline, and by how much.

    The baseline is the one of the summary, not the best of each origin in hindsight.
    """
    row = pick(part, model, "all", years)
    if row is None or row["gain"] is None:
        return None
    table = pd.DataFrame(part["rows"])
    table = table[(table["horizon_years"] == years) & (table["subset"] == "all")]
    wide = table[table["incidents"] >= MIN_LATER].pivot_table(
        index="origin", columns="model", values="bits"
    )
    difference = wide[model] - wide[row["gain"]["baseline"]]
    return str(difference.idxmin()), float(difference.min())


def targets(
    part: Mapping[str, Any],
    model: str,
    spatial: Mapping[str, Any] | None,
    pools: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Compare the scorecard with what the model is meant to reach, and with hindsight.

    Parameters
    ----------
    part : mapping
        From :func:`prospective`.
    model : str
        The config's model.
    spatial : mapping, optional
        From :func:`borderrisk.model.spatial.spatial_tests`.
    pools : sequence of mapping
        From :func:`borderrisk.model.ceiling.oracle_pools`, on the baseline of all incidents.

    Returns
    -------
    list of dict
        ``name, target, value, met`` and ``ceiling``, where one is known.
    """
    everything, new = (pick(part, model, subset) for subset in ("all", "new"))
    worst = worst_origin(part, model)
    best = {pool["subset"]: pool for pool in pools}
    rows: list[tuple[str, float, float | None, float | None]] = []
    if everything and everything["gain"]:
        gain = everything["gain"]
        rows += [
            (
                "all incidents: bits over the best baseline",
                0.30, gain["bits"], _known(best, "all", "gain"),
            ),
            ("all incidents: lower bound of that gain above 0", 0.0, gain["low"], None),
            (
                "all incidents: captured in the top 10 % of area",
                0.75, everything["capture_10"], _known(best, "all", "capture_10"),
            ),
        ]  # fmt: skip
    if worst:
        label = f"worst origin ({worst[0]}): bits over that baseline"
        rows.append((label, -0.15, worst[1], _known(best, "all", "worst_origin")))
    if new and new["gain"]:
        rows += [
            (
                "new places: bits over the best baseline",
                0.25, new["gain"]["bits"], _over(best, new, "new"),
            ),
            (
                "new places: captured in the top 10 % of area",
                0.45, new["capture_10"], _known(best, "new", "capture_10"),
            ),
        ]  # fmt: skip
    variants = {
        "leave_one_border_out_gain": "border left out: bits over distance to border",
        "leave_one_border_out_unnamed_gain": "the same without the columns that name that border",
    }
    for key, label in variants.items():
        left_out = (spatial or {}).get(key)
        if left_out is not None:
            rows.append((label, 0.50, left_out, None))
    return [
        {
            "name": name,
            "target": target,
            "value": value,
            "met": bool(value >= target),
            "ceiling": ceiling,
        }
        for name, target, value, ceiling in rows
        if value is not None
    ]


def _known(best: Mapping[str, Any], subset: str, key: str) -> float | None:
    return float(best[subset][key]) if subset in best else None


def _over(best: Mapping[str, Any], row: Mapping[str, Any], subset: str) -> float | None:
    """Gain of the pool over the baseline that a row is compared with."""
    bits = _known(best, subset, "bits")
    return None if bits is None else bits - (row["bits"] - row["gain"]["bits"])


def headline(part: Mapping[str, Any], model: str) -> list[str]:
    """Say in two lines how good the model is, next to the best baseline."""
    words = {"all": "all incidents", "new": "new places"}
    lines = []
    for subset, label in words.items():
        row = pick(part, model, subset)
        if row is None:
            continue
        text = f"{label} ({row['incidents']}): {row['bits']:+.2f} bits per incident over uniform"
        text += f", {row['capture_10']:.0%} in the top 10 % of area"
        if row["gain"]:
            gain = row["gain"]
            verdict = (
                "beats" if gain["low"] > 0 else "loses to" if gain["high"] < 0 else "is level with"
            )
            text += (
                f"; {verdict} the best baseline ({gain['baseline']}) by {gain['bits']:+.2f} "
                f"({gain['low']:+.2f} to {gain['high']:+.2f})"
            )
        lines.append(text)
    return lines
