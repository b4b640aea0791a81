"""What a model reaches, beside what is wanted of it and what could be had with hindsight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from benchmarks.studies import common
from borderrisk.evaluation import metrics
from borderrisk.evaluation import summary as sc
from borderrisk.evaluation.backtest import (
    BASELINES,
    MIN_LATER,
<<<<<<< HEAD
=======
    SUBSETS,
>>>>>>> main
    Forecasts,
    backtest,
    origin_rows,
    yearly_origins,
)
from borderrisk.evaluation.scorecard import GROUNDS, REFERENCE
from borderrisk.model.baselines import BANDWIDTHS_KM
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.pool import learn_weights
from borderrisk.model.registry import make_model

POOL = "a pool of the model and every other estimator, with the weights that suit each period best"
# What was wanted of a model before it was measured: least gain and capture, by subset.
WANTED = {"all": (0.30, 0.75), "new": (0.25, 0.45)}
WORST_ORIGIN = -0.15


def oracle_kde_bits(
    cells: CellTable, panel: Panel, forecasts: Sequence[Forecasts], years: int
) -> float:
    """Bits of a KDE that is given the bandwidth which suits each scored period best.

    No forecast could have it: a ceiling for what smoothing earlier incidents can reach.
    """
    area = cells.study_area_100km2[cells.study]
    total, count = 0.0, 0
    for forecast in forecasts:
        mass = forecast.tests[years].mass
        gains = []
        for bandwidth in BANDWIDTHS_KM:
            kde = make_model("kde", bandwidth_km=bandwidth)
            model = kde.fit(cells, panel, forecast.origin)
            intensity = model.intensity(cells)[cells.study]
            gains.append(metrics.information_gain(intensity, area, mass).sum())
        total, count = total + max(gains), count + mass.shape[0]
    return float(total / count) if count else float("nan")


def oracle_pools(
    cells: CellTable, forecasts: Sequence[Forecasts], years: int, baseline: str
) -> list[dict[str, Any]]:
    """Score a pool of all models whose weights are fitted to the incidents it is scored on.

    What the estimators say stays as it was at each origin; only their shares are chosen with
    hindsight, separately for each origin and subset. No way of pooling them can have more bits; of
    the captures it is what this pool has, not their bound.

    Parameters
    ----------
    cells : CellTable
        Cells of the domain.
    forecasts : sequence of Forecasts
        Origins with enough later incidents.
    years : int
        Horizon.
    baseline : str
        What the gain is measured against.

    Returns
    -------
    list of dict
        For each subset with incidents ``subset, incidents, bits, capture_10, gain`` (means over
        incidents) and ``worst_origin`` (least mean gain of an origin).
    """
    area = cells.study_area_100km2[cells.study]
    rows = []
<<<<<<< HEAD
    for subset in GROUNDS:
        found: dict[str, list[np.ndarray]] = {}
        for forecast, surfaces in zip(forecasts, maps, strict=True):
            _, mass = forecast.scored(years, subset)
            if not mass.shape[0]:
                continue
            said = forecast.intensity
            pool = best_pool(_densities(forecast, area), mass)
            each = {"reference": said[REFERENCE], "model": said[model], "pool": pool}
            bits = {k: metrics.information_gain(v, area, mass) for k, v in each.items()}
            heat = [metrics.information_gain(v, area, mass) for v in surfaces]
            bits["heat_map"] = max(heat, key=lambda b: float(b.sum()))
            for name, values in bits.items():
                found.setdefault(name, []).append(values)
        if found:
            means = {name: np.concatenate(values) for name, values in found.items()}
            row = {name: float(values.mean()) for name, values in means.items()}
            rows.append({"subset": subset, "incidents": len(means["model"]), **row})
=======
    for subset in SUBSETS:
        parts = [_scored(f, area, years, subset, baseline) for f in forecasts]
        parts = [part for part in parts if part.size]
        if parts:
            bits, capture, gain = np.concatenate(parts).mean(axis=0).tolist()
            worst = min(float(part[:, 2].mean()) for part in parts)
            row = {"subset": subset, "incidents": sum(map(len, parts)), "bits": bits}
            rows.append(row | {"capture_10": capture, "gain": gain, "worst_origin": worst})
>>>>>>> main
    return rows


def _scored(
    forecast: Forecasts, area: np.ndarray, years: int, subset: str, baseline: str
) -> np.ndarray:
    """Bits, capture and gain of every incident of a subset under its best pool, shape (n, 3)."""
    test = forecast.tests[years]
    mass = test.mass[test.subset(subset)]
    if not mass.shape[0]:
        return np.zeros((0, 3))
    pooled = best_pool(_densities(forecast, area), mass)
    bits = metrics.information_gain(pooled, area, mass)
    other = metrics.information_gain(forecast.intensity[baseline], area, mass)
    return np.column_stack([bits, metrics.capture(pooled, area, mass, 0.1), bits - other])


def _densities(forecast: Forecasts, area: np.ndarray) -> np.ndarray:
    """Relative density of every estimator and of an even one, shape (study cells, models)."""
    used = [v for name, v in forecast.intensity.items() if name not in BASELINES]
    return np.column_stack([v / np.average(v, weights=area) for v in [*used, np.ones_like(area)]])


def best_pool(densities: np.ndarray, mass: csr_matrix) -> np.ndarray:
    """Linear pool with most bits on given incidents, shape (cells,).

    Examples
    --------
    >>> best_pool(np.array([[1.5, 0.5], [0.5, 1.5]]), csr_matrix([[1.0, 0.0]])).round(3)
    array([1.5, 0.5])
    """
    counts = np.asarray(mass.sum(axis=0)).ravel()
    hit = counts > 0
    next_to_none = np.full(densities.shape[1], 1e-9)
    return densities @ learn_weights(densities[hit], counts[hit], next_to_none)


def worst_origin(part: dict[str, Any], model: str, years: int) -> tuple[str, float] | None:
    """Origin at which the model falls furthest behind the overall best baseline, and by how much.

    The baseline is the one of the summary, not the best of each origin in hindsight.
    """
    row = sc.pick(part, model, "all", years)
    if row is None or row["gain"] is None:
        return None
    table = pd.DataFrame(part["rows"])
    table = table[(table["horizon_years"] == years) & (table["subset"] == "all")]
    wide = table[table["incidents"] >= MIN_LATER].pivot_table(
        index="origin", columns="model", values="bits"
    )
    difference = wide[model] - wide[row["gain"]["baseline"]]
    return str(difference.idxmin()), float(difference.min())


def main(arguments: Sequence[str]) -> None:
    """Score a config's model one year ahead, beside what is wanted and what hindsight reaches."""
    case = common.Case(common.stages_of("hindsight", __doc__, arguments))
    section, panel, cells = case.config.evaluation, case.record.known, case.cells
    name, years = case.config.model.estimator, min(section.horizons_years)
    forecasts = backtest(
        cells, panel, yearly_origins(section.first_origin, section.last_origin), [years],
        case.tested, near_km=section.near_km, least=section.min_past_incidents,
        seed=case.config.seed, workers=case.config.compute.workers,
    )  # fmt: skip
    part = sc.prospective(forecasts, origin_rows(forecasts, cells), cells, name)
    used = sc.used_origins(forecasts, years)
    kde = oracle_kde_bits(cells, panel, used, years)
    print(f"kde with the best bandwidth of each period: {kde:.2f} bits")
    row = sc.pick(part, name, "all", years)
    if row is None or row["gain"] is None:
        print("No origin is followed by enough incidents.")
        return
    baseline = row["gain"]["baseline"]
    pools = {pool["subset"]: pool for pool in oracle_pools(cells, used, years, baseline)}
    print(f"with hindsight: {POOL}")
    print(f"{'':52}{'wanted':>10}{'reached':>10}{'with hindsight':>16}")
    for text, wanted, reached, most in _rows(part, name, years, pools):
        print(f"{text:52}{wanted:10.2f}{reached:10.2f}{most:16.2f}")


def _rows(
    part: dict[str, Any], name: str, years: int, pools: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, float, float, float]]:
    """Yield what is judged, the least wanted, what was reached and what hindsight reaches."""
    for subset, (gain, captured) in WANTED.items():
        row = sc.pick(part, name, subset, years)
        if row is None or row["gain"] is None or subset not in pools:
            continue
        baseline = row["bits"] - row["gain"]["bits"]
        most, label = pools[subset]["bits"] - baseline, f"{subset} incidents: "
        yield f"{label}bits over the best baseline", gain, row["gain"]["bits"], most
        captures = captured, row["capture_10"], pools[subset]["capture_10"]
        yield f"{label}captured in a tenth of the area", *captures
    worst = worst_origin(part, name, years)
    if worst:
        reached = pools["all"]["worst_origin"]
        yield f"worst origin ({worst[0]}): bits over the baseline", WORST_ORIGIN, worst[1], reached
