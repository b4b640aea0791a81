"""Estimators of earlier incidents alone, fitted on cells and dated incidents."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.estimator import IntensityEstimator
from borderrisk.model.estimators import make_estimator
from borderrisk.model.estimators.spatial import RADIUS_COLUMN
from borderrisk.model.panel import Panel
from borderrisk.model.pooled_parts import KDE_FLOOR, best_bandwidth

SPATIAL = ("kde", "history", "persistence")
PERSISTENCE_YEARS = 2
Cache = MutableMapping[Any, Any]


def fit_points(
    name: str,
    given: dict[str, Any],
    cells: CellTable,
    past: Panel,
    origin: pd.Timestamp,
    rate: float,
    cache: Cache | None,
) -> IntensityEstimator:
    """Fit an estimator of earlier incidents on their points, cells being the exposure.

    Parameters
    ----------
    name : str
        One of ``SPATIAL``.
    given : dict
        Its parameters. A KDE without ``bandwidth_km`` gets the one that is best on the past.
    cells : CellTable
        Cells of the domain.
    past : Panel
        Incidents before the origin.
    origin : Timestamp
        Date of the forecast.
    rate : float
        Incidents per year to expect.
    cache : dict, optional
        Keeps bandwidths.
    """
    if name != "history":
        key = ("bandwidth", origin, len(past))
        kept = {} if cache is None else cache
        if "bandwidth_km" not in given and key not in kept:
            kept[key] = best_bandwidth(cells, past)
        given = {"bandwidth_km": kept.get(key), "floor": KDE_FLOOR} | given
    if name == "persistence":
        recent = past.between(origin - pd.DateOffset(years=PERSISTENCE_YEARS), origin)
        past = recent if len(recent) else past
    kind = "history" if name == "history" else "kde"
    points = pd.DataFrame(past.incidents[["x", "y"]].to_numpy() / 1000, columns=list(COORDINATES))
    points[RADIUS_COLUMN] = past.incidents["radius_km"].to_numpy(float)
    table = pd.concat([points, cells.x[list(COORDINATES)]], ignore_index=True)
    weight = past.incidents["weight"].to_numpy(float)
    counts = np.concatenate([weight, np.zeros(len(cells))])
    years = weight.sum() / rate
    exposure = np.concatenate([np.full(len(points), 1e-9), cells.area_100km2 * years])
    if kind == "kde":
        table = table.drop(columns=RADIUS_COLUMN)
    return make_estimator(kind, given).fit(table, counts, exposure)
