"""The scorecard: every test of the model and its baselines, in one JSON-ready dict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.evaluation import metrics
from borderrisk.evaluation.backtest import BASELINES, MIN_LATER, SUBSETS, Forecasts
from borderrisk.model import scores
from borderrisk.model.cells import CellTable
from borderrisk.model.scores import DAYS_PER_YEAR

PER_INCIDENT = (
    "bits", "located_bits", "capture_5", "capture_10", "capture_20", "border_capture_10",
)  # fmt: skip
PER_ORIGIN = ("pai_10", "pei_10", "auc", "average_precision", "boyce", "brier", "log_score")
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
        ``rows`` (of each origin), ``summary`` (over the origins) and ``choices`` (what each model
        chose at each origin, :func:`borderrisk.model.chosen.facts`); then, over all incidents of
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
        "choices": [
            {"origin": f"{f.origin:%Y-%m-%d}", "model": name} | facts
            for f in forecasts
            for name, facts in f.chosen.items()
            if facts
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
    """Difference to the baseline that is best at this; None for that one itself."""
    baselines = [n for n in rated if n in BASELINES]
    best = max(baselines, key=lambda n: rated[n][0].mean(), default=None)
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
    coverage: Sequence[Mapping[str, Any]] = (),
    level: float = 0.9,
) -> list[dict[str, Any]]:
    """Compare the scorecard with what the model is meant to reach, and with hindsight.

    Parameters
    ----------
    part : mapping
        From :func:`prospective`.
    model : str
        The config's model.
    spatial : mapping, optional
        From :func:`borderrisk.evaluation.transfer.spatial_tests`.
    pools : sequence of mapping
        From :func:`borderrisk.model.ceiling.oracle_pools`, on the baseline of all incidents.
    coverage : sequence of mapping
        From :func:`borderrisk.model.planted.planted_test`: how often intervals hold the planted
        truth, ``risk_class, covered``.
    level : float
        What those intervals should cover.

    Returns
    -------
    list of dict
        ``name, target, value, met``; ``at_most`` (of a target with two sides), ``low, high`` (the
        interval of the value) and ``ceiling``, None where there is none.
    """
    best = {pool["subset"]: pool for pool in pools}
    rows = [
        *_all_targets(part, model, best),
        *_new_targets(part, model, best),
        *_border_targets(spatial or {}, model),
        *_coverage_targets(coverage, level),
    ]
    return [row for row in rows if row is not None]


def _target(
    name: str,
    target: float,
    value: float | None,
    *,
    at_most: float | None = None,
    gain: Mapping[str, Any] | None = None,
    ceiling: float | None = None,
) -> dict[str, Any] | None:
    """One row; None if the value is not known."""
    if value is None:
        return None
    low, high = (gain.get(key) if gain else None for key in ("low", "high"))
    return {
        "name": name, "target": target, "at_most": at_most, "value": value, "low": low,
        "high": high, "met": bool(target <= value and (at_most is None or value <= at_most)),
        "ceiling": ceiling,
    }  # fmt: skip


def _all_targets(
    part: Mapping[str, Any], model: str, best: Mapping[str, Any]
) -> list[dict[str, Any] | None]:
    row, worst = pick(part, model, "all"), worst_origin(part, model)
    if row is None or not row["gain"]:
        return []
    gain = row["gain"]
    found = [
        _target("all incidents: bits over the best baseline", 0.30, gain["bits"], gain=gain,
                ceiling=_known(best, "all", "gain")),
        _target("all incidents: lower bound of that gain above 0", 0.0, gain["low"]),
        _target("all incidents: captured in the top 10 % of area", 0.75, row["capture_10"],
                ceiling=_known(best, "all", "capture_10")),
    ]  # fmt: skip
    if worst:
        label = f"worst origin ({worst[0]}): bits over that baseline"
        ceiling = _known(best, "all", "worst_origin")
        found.append(_target(label, -0.15, worst[1], ceiling=ceiling))
    return found


def _new_targets(
    part: Mapping[str, Any], model: str, best: Mapping[str, Any]
) -> list[dict[str, Any] | None]:
    row = pick(part, model, "new")
    if row is None or not row["gain"]:
        return []
    gain = row["gain"]
    return [
        _target("new places: bits over the best baseline", 0.25, gain["bits"], gain=gain,
                ceiling=_over(best, row, "new")),
        _target("new places: captured in the top 10 % of area", 0.45, row["capture_10"],
                ceiling=_known(best, "new", "capture_10")),
    ]  # fmt: skip


def _border_targets(spatial: Mapping[str, Any], model: str) -> list[dict[str, Any] | None]:
    labels = {
        "leave_one_border_out": "border left out: bits over distance to border",
        "leave_one_border_out_unnamed": "the same without the columns that name that border",
    }
    gains = {
        row["scheme"]: row.get("gain")
        for row in spatial.get("summary", [])
        if row["model"] == model
    }
    return [
        _target(label, 0.50, spatial.get(f"{scheme}_gain"), gain=gains.get(scheme))
        for scheme, label in labels.items()
    ]


def _coverage_targets(
    coverage: Sequence[Mapping[str, Any]], level: float
) -> list[dict[str, Any] | None]:
    """Intervals that hold the truth too often are as wrong as those that miss it."""
    covered = {str(row["risk_class"]): row["covered"] for row in coverage}
    classes = [name for name in covered if name != "all"]
    worst = max(classes, key=lambda name: abs(covered[name] - level), default=None)
    label = f"{level:.0%} intervals hold the planted truth"
    names = {"all": "all cells", worst: f"class furthest from it ({worst})"}
    low, high = round(level - 0.05, 6), round(min(level + 0.05, 1), 6)
    return [
        _target(f"{label}: {words}", low, covered[name], at_most=high)
        for name, words in names.items()
        if name in covered
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
