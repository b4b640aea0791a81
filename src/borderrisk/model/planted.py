"""The planted test: models on a world whose true intensity is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import spearmanr

from borderrisk.evaluation import metrics
from borderrisk.evaluation.backtest import role
from borderrisk.model import scores
from borderrisk.model.cells import CellTable
from borderrisk.model.fitting import SpatialModel, fit_spatial
from borderrisk.model.panel import Panel
from borderrisk.model.point_models import Cache
from borderrisk.model.uncertainty import Intervals, bootstrap_intervals

HORIZON_DAYS = 365.0
TRUTH = "the truth itself"
Progress = Callable[[int, int], None]


def planted_test(
    cells: CellTable,
    panel: Panel,
    truth: np.ndarray,
    origin: Any,
    parameters: Mapping[str, Mapping[str, Any]],
    *,
    replicates: int,
    level: float = 0.9,
    seed: int = 0,
    parts: np.ndarray | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare every model with the intensity that the incidents were drawn from.

    Parameters
    ----------
    cells, panel
        A synthetic world.
    truth : ndarray, shape (cells,)
        Its intensity, incidents per 100 km² per year.
    origin : date
        Models see what lies before it.
    parameters : mapping of str to mapping
        Models by name, and their parameters; the first is the one whose intervals are tested.
    replicates : int
        Refits for its intervals; none below 2.
    level : float
        Coverage that they aim for.
    seed : int
        Of the models and the bootstrap.
    parts : ndarray of int, shape (study cells,), optional
        Number of the part (such as a border segment) that each cell belongs to: sums over parts
        have intervals, too.
    progress : callable, optional
        Told ``(done, total)`` models, the intervals counting as one.

    Returns
    -------
    dict
        ``rows``: of each model ``model, role, bits`` (expected bits per incident over uniform, if
        incidents follow the truth) and ``spearman`` (rank correlation with the truth over the
        study area's cells); ``ceiling_bits`` of the truth itself; ``incidents, cells``; and
        ``coverage``: of each risk class of the first model and of all cells ``risk_class, cells,
        covered``, the share of cells whose interval of the probability holds the truth, with
        ``level`` and ``replicates``; ``sums``: ``parts, covered``, the share of parts whose
        interval of the expected incidents does.
    """
    area, known = cells.study_area_100km2[cells.study], truth[cells.study]
    own, total = next(iter(parameters)), len(parameters) + 1
    cache: Cache = {}
    rows, kept = [], None
    for done, (name, given) in enumerate(parameters.items(), start=1):
        model = fit_spatial(name, given, cells, panel, origin, seed, cache=cache)
        kept = model if kept is None else kept
        rows.append(_row(name, model.intensity(cells)[cells.study], area, known))
        if progress is not None:
            progress(done, total)
    found: dict[str, Any] = {
        "incidents": len(panel),
        "cells": len(known),
        "ceiling_bits": expected_bits(known, area, known),
        "rows": sorted(rows, key=lambda row: -row["bits"]),
    }
    if replicates >= 2 and kept is not None:
        intervals = bootstrap_intervals(
            own, parameters[own], cells, panel, origin, replicates=replicates, level=level,
            horizon_days=HORIZON_DAYS, seed=seed, workers=1, model=kept,
        )  # fmt: skip
        covered = interval_coverage(kept, intervals, cells, known)
        found |= {"level": level, "replicates": replicates, "coverage": covered}
        if parts is not None:
            point = kept.intensity(cells)[cells.study]
            found["sums"] = sum_coverage(intervals, point, known, area, parts)
    if progress is not None:
        progress(total, total)
    return found


def over_worlds(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Pool the coverage of several worlds; everything else is the first one's.

    The errors of one world lie in patches, so whether its cells are held is hardly more than a few
    draws, and a class of one says little.

    Parameters
    ----------
    found : sequence of dict
        From :func:`planted_test`.

    Returns
    -------
    dict
        As the first; rows of ``coverage`` and ``sums`` are over all cells and parts, with ``low,
        high``, the least and greatest share in any one world, and ``worlds`` is their number.
    """
    first = dict(found[0])
    if len(found) < 2 or "coverage" not in first:
        return first
    labels = dict.fromkeys(row["risk_class"] for one in found for row in one["coverage"])
    rows = [row for one in found for row in one["coverage"]]
    first["coverage"] = [
        {"risk_class": label, **_pooled([r for r in rows if r["risk_class"] == label], "cells")}
        for label in labels
    ]
    if all("sums" in one for one in found):
        first["sums"] = _pooled([one["sums"] for one in found], "parts")
    return first | {"worlds": len(found)}


def _pooled(rows: Sequence[Mapping[str, Any]], counted: str) -> dict[str, Any]:
    counts, covered = ([row[key] for row in rows] for key in (counted, "covered"))
    share = float(np.average(covered, weights=counts))
    return {counted: sum(counts), "covered": share, "low": min(covered), "high": max(covered)}


def _row(name: str, intensity: np.ndarray, area: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    flat = np.ptp(intensity) <= 1e-9 * intensity.max()
    return {
        "model": name,
        "role": role(name),
        "bits": expected_bits(intensity, area, truth),
        "spearman": None if flat else float(spearmanr(intensity, truth).statistic),
    }


def expected_bits(intensity: np.ndarray, area: np.ndarray, truth: np.ndarray) -> float:
    """Bits per incident over uniform to expect of incidents that follow a known intensity.

    :func:`borderrisk.evaluation.metrics.information_gain` of one incident that is spread as the truth
    is. No forecast has more than the truth itself (Gibbs' inequality).

    Examples
    --------
    >>> expected_bits(np.array([3.0, 1.0]), np.ones(2), np.array([3.0, 1.0]))  # doctest: +ELLIPSIS
    0.188...
    """
    share = truth * area
    return float(metrics.information_gain(intensity, area, csr_matrix(share / share.sum()))[0])


def interval_coverage(
    model: SpatialModel, intervals: Intervals, cells: CellTable, truth: np.ndarray
) -> list[dict[str, Any]]:
    """Return how often the intervals of the probability hold the truth, overall and per class."""
    area = cells.study_area_100km2[cells.study]
    chance = scores.probability(truth, area, HORIZON_DAYS)
    risk = scores.risk_percentile(model.intensity(cells)[cells.study], area)
    classes = scores.risk_class(risk)
    parts = [("all", np.ones(len(chance), bool)), *((str(k), classes == k) for k in range(1, 6))]
    return [
        {
            "risk_class": label,
            "cells": int(inside.sum()),
            "covered": metrics.coverage(
                chance[inside],
                intervals.probability_low[inside],
                intervals.probability_high[inside],
            ),
        }
        for label, inside in parts
        if inside.any()
    ]


def sum_coverage(
    intervals: Intervals, point: np.ndarray, truth: np.ndarray, area: np.ndarray, parts: np.ndarray
) -> dict[str, Any]:
    """Return how often intervals of the incidents expected in each part hold the truth.

    Intervals are the quantiles of the replicates' sums, widened to hold the estimate's.
    """
    _, part = np.unique(parts, return_inverse=True)
    drawn = np.stack([np.bincount(part, row * area) for row in intervals.replicates])
    own, known = (np.bincount(part, values * area) for values in (point, truth))
    low, high = np.quantile(drawn, scores.tails(intervals.level), axis=0)
    covered = metrics.coverage(known, np.minimum(low, own), np.maximum(high, own))
    return {"parts": len(known), "covered": covered}
