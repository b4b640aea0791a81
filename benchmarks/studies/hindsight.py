"""What a model reaches, beside what could be had with hindsight.

*Pool*: all models that learn, pooled with the shares that suit each scored period best; what they
say stays as it was at each origin. *Heat map*: a kernel density with the bandwidth that suits each
period best. No forecast could have either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.studies import common
from borderrisk.evaluation import metrics
from borderrisk.evaluation.backtest import BASELINES, MIN_LATER, Forecasts, backtest
from borderrisk.evaluation.scorecard import GROUNDS, REFERENCE
from borderrisk.model.baselines import BANDWIDTHS_KM
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.pool import learn_weights
from borderrisk.model.registry import make_model

# Hardly any pseudo-incidents: the shares follow the incidents alone.
_NO_PRIOR = 1e-6


def hindsight_rows(
    cells: CellTable, panel: Panel, forecasts: Sequence[Forecasts], years: int, model: str
) -> list[dict[str, Any]]:
    """Score a model, what it has to beat, and what hindsight would reach.

    Parameters
    ----------
    cells : CellTable
        Cells of the domain.
    panel : Panel
        Incidents.
    forecasts : sequence of Forecasts
        Origins.
    years : int
        Horizon.
    model : str
        Whose bits.

    Returns
    -------
    list of dict
        For each subset with incidents ``subset, incidents`` and the mean bits per incident of
        ``reference`` (history alone), ``model``, ``pool`` and ``heat_map``.
    """
    area = cells.study_area_100km2[cells.study]
    maps = [heat_maps(cells, panel, forecast) for forecast in forecasts]
    rows = []
    for subset in GROUNDS:
        found: dict[str, list[np.ndarray]] = {}
        for forecast, surfaces in zip(forecasts, maps, strict=True):
            mass = forecast.scored(years, subset)[1]
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
    return rows


def heat_maps(cells: CellTable, panel: Panel, forecast: Forecasts) -> list[np.ndarray]:
    """Kernel densities of every bandwidth at an origin, on the study cells."""
    models = [make_model("kde", bandwidth_km=width) for width in BANDWIDTHS_KM]
    fitted = [model.fit(cells, panel, forecast.origin) for model in models]
    return [one.intensity(cells)[cells.study] for one in fitted]


def _densities(forecast: Forecasts, area: np.ndarray) -> np.ndarray:
    """Relative density of every model that learns and of an even one, (study cells, models)."""
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
    prior = np.full(densities.shape[1], _NO_PRIOR)
    return densities @ learn_weights(densities[hit], counts[hit], prior)


def main(arguments: Sequence[str]) -> None:
    """Score a config's model over its shortest horizon, beside what hindsight reaches."""
    look = common.looked_at("hindsight", __doc__, arguments)
    forecasts = backtest(
        look.cells, look.known, look.origins, [look.years], look.models,
        near_km=look.section.near_km, least=look.section.min_past_incidents,
        seed=look.seed, workers=look.workers,
    )  # fmt: skip
    used = [f for f in forecasts if len(f.tests[look.years].new) >= MIN_LATER]
    rows = hindsight_rows(look.cells, look.known, used, look.years, look.own.name)
    heads = ("history alone", look.own.name, "pool", "heat map")
    print("bits per incident; the pool and the heat map are chosen with hindsight")
    print(f"{'':12}{'incidents':>10}" + "".join(f"{head:>16}" for head in heads))
    for row in rows:
        bits = [row[key] for key in ("reference", "model", "pool", "heat_map")]
        shown = "".join(f"{value:16.2f}" for value in bits)
        print(f"{row['subset']:12}{row['incidents']:10}{shown}")
