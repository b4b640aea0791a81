"""Ceilings: what could be had with hindsight, next to which a missed target can be judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from borderrisk.evaluation import metrics
from borderrisk.evaluation.backtest import BASELINES, SUBSETS, Forecasts
from borderrisk.model.cells import CellTable
from borderrisk.model.fitting import fit_spatial
from borderrisk.model.panel import Panel
from borderrisk.model.pooled_parts import BANDWIDTHS_KM, mixture_weights

POOL = "a pool of the model and every other estimator, with the weights that suit each period best"
_ROUNDS = 2_000


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
            given = {"bandwidth_km": bandwidth}
            model = fit_spatial("kde", given, cells, panel, forecast.origin)
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
    for subset in SUBSETS:
        parts = [_scored(f, area, years, subset, baseline) for f in forecasts]
        parts = [part for part in parts if part.size]
        if parts:
            bits, capture, gain = np.concatenate(parts).mean(axis=0).tolist()
            worst = min(float(part[:, 2].mean()) for part in parts)
            row = {"subset": subset, "incidents": sum(map(len, parts)), "bits": bits}
            rows.append(row | {"capture_10": capture, "gain": gain, "worst_origin": worst})
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
    none = np.zeros(densities.shape[1])
    return densities @ mixture_weights(densities[hit], counts[hit], none, _ROUNDS)
