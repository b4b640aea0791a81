"""The planted test: models on worlds whose true intensity is known.

For every number of incidents all models are tested on the first world, and the intervals of the
first model on all of them: the share of cells whose interval holds the truth, by risk class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import spearmanr

from benchmarks.studies import common
from benchmarks.studies.worlds import FIRST_DAY, make_world
from borderrisk import scores
from borderrisk.border.segments import cut_border, nearest_segment
from borderrisk.evaluation import metrics
from borderrisk.model import registry
from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.level import YEAR_DAYS
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Memo, Settings
from borderrisk.model.uncertainty import Intervals, bootstrap_intervals

# Sums over the land behind so many kilometres of border have intervals, too.
SUM_KM = 25.0


def planted_test(
    cells: CellTable,
    panel: Panel,
    truth: np.ndarray,
    origin: Any,
    models: Mapping[str, Settings],
    *,
    replicates: int,
    level: float = 0.9,
    seed: int = 0,
    parts: np.ndarray | None = None,
    scheduler: str = "threads",
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
    models : mapping of str to Settings
        What to fit, by name; the first is the one whose intervals are tested.
    replicates : int
        Refits for its intervals; none below 2.
    level : float
        Coverage that they aim for.
    seed : int
        Of the models and the bootstrap.
    parts : ndarray of int, shape (study cells,), optional
        Number of the part (such as a border segment) that each cell belongs to: sums over parts
        have intervals, too.
    scheduler : str
        Of the bootstrap.

    Returns
    -------
    dict
        ``rows``: of each model ``model, role, bits`` (expected bits per incident over uniform, if
        incidents follow the truth) and ``spearman`` (rank correlation with the truth over the
        study area's cells); ``ceiling_bits`` of the truth itself; ``incidents, cells``; and
        ``coverage``: of each risk class of the first model and of all cells ``risk_class, cells,
        covered``, the share of cells whose interval of the expected incidents holds the truth,
        with ``level`` and ``replicates``; ``sums``: ``parts, covered``, the share of parts whose
        interval does.
    """
    area, known = cells.study_area_100km2[cells.study], truth[cells.study]
    memo: Memo = {}
    fitted = {name: model.fit(cells, panel, origin, seed, memo) for name, model in models.items()}
    said = {name: one.intensity(cells)[cells.study] for name, one in fitted.items()}
    rows = [_row(name, models[name].role, values, area, known) for name, values in said.items()]
    found: dict[str, Any] = {
        "incidents": len(panel),
        "cells": len(known),
        "ceiling_bits": expected_bits(known, area, known),
        "rows": sorted(rows, key=lambda row: -row["bits"]),
    }
    if replicates >= 2:
        own = next(iter(models))
        intervals = bootstrap_intervals(
            fitted[own], cells, panel, origin, replicates=replicates, level=level,
            horizon_days=scores.DAYS_PER_YEAR, seed=seed, scheduler=scheduler,
        )  # fmt: skip
        covered = interval_coverage(said[own], intervals, area, known)
        found |= {"level": level, "replicates": replicates, "coverage": covered}
        if parts is not None:
            found["sums"] = sum_coverage(intervals, said[own], known, area, parts)
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


def _row(
    name: str, role: str, intensity: np.ndarray, area: np.ndarray, truth: np.ndarray
) -> dict[str, Any]:
    flat = np.ptp(intensity) <= 1e-9 * intensity.max()
    return {
        "model": name,
        "role": role,
        "bits": expected_bits(intensity, area, truth),
        "spearman": None if flat else float(spearmanr(intensity, truth).statistic),
    }


def expected_bits(intensity: np.ndarray, area: np.ndarray, truth: np.ndarray) -> float:
    """Bits per incident over uniform to expect of incidents that follow a known intensity.

    :func:`borderrisk.evaluation.metrics.information_gain` of one incident that is spread as the
    truth is. No forecast has more than the truth itself (Gibbs' inequality).

    Examples
    --------
    >>> expected_bits(np.array([3.0, 1.0]), np.ones(2), np.array([3.0, 1.0]))  # doctest: +ELLIPSIS
    0.188...
    """
    share = truth * area
    return float(metrics.information_gain(intensity, area, csr_matrix(share / share.sum()))[0])


def interval_coverage(
    point: np.ndarray, intervals: Intervals, area: np.ndarray, truth: np.ndarray
) -> list[dict[str, Any]]:
    """Return how often the intervals of a year's expected incidents hold the truth.

    Over all study cells, and over those of each class by the estimate; all arrays are of the
    study cells.
    """
    inside = holds(truth * area, intervals.expected_low, intervals.expected_high)
    classes = scores.risk_class(scores.risk_percentile(point, area))
    parts = [("all", np.ones(len(inside), bool)), *((str(k), classes == k) for k in range(1, 6))]
    return [
        {"risk_class": label, "cells": int(part.sum()), "covered": float(inside[part].mean())}
        for label, part in parts
        if part.any()
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
    covered = holds(known, np.minimum(low, own), np.maximum(high, own)).mean()
    return {"parts": len(known), "covered": float(covered)}


def holds(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether each truth lies within its bounds; a bound itself counts as within."""
    return np.asarray((truth >= low) & (truth <= high))


def main(arguments: Sequence[str]) -> None:
    """Test every model on one world, the intervals of the first model on all of them."""
    parser = common.parser("planted", __doc__)
    parser.add_argument("--incidents", type=int, nargs="+", default=[100, 400, 5000])
    parser.add_argument("--worlds", type=int, nargs="+", default=[11, 12, 13, 14], metavar="SEED")
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--side", type=int, default=60, help="cells along a world")
    parser.add_argument("--scheduler", default="processes", help="of the intervals")
    given = parser.parse_args(arguments)
    for incidents in given.incidents:
        found = []
        for number, seed in enumerate(given.worlds):
            names = registry.models("model")[: 1 if number else None]
            names += [] if number else registry.models("baseline")
            found.append(
                _one_world(seed, incidents, names, given.side, given.replicates, given.scheduler)
            )
        print("\n".join([*lines_of(over_worlds(found)), ""]), flush=True)


def _one_world(
    seed: int, incidents: int, names: Sequence[str], side: int, replicates: int, scheduler: str
) -> dict[str, Any]:
    world = make_world(seed, incidents, shape=(side, side))
    cells = world.cells()
    segments = cut_border(world.borders, world.grid.crs, SUM_KM)
    xy = cells.x.loc[cells.study, list(COORDINATES)].to_numpy() * 1000
    return planted_test(
        cells, world.panel(), world.intensity[cells.mask],
        FIRST_DAY + pd.DateOffset(years=int(world.years)),
        registry.usable(names, cells, YEAR_DAYS), replicates=replicates, scheduler=scheduler,
        parts=nearest_segment(segments, world.grid, *xy.T),
    )  # fmt: skip


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """Return the test as lines of text."""
    lines = [
        f"a world with {found['incidents']} incidents: expected bits per incident, and rank "
        "correlation with the truth",
        f"{'the truth itself':34}{found['ceiling_bits']:12.3f}{1:12.3f}",
    ]
    for row in found["rows"]:
        rank = "–" if row["spearman"] is None else f"{row['spearman']:.3f}"
        lines.append(f"{row['model']:24}{row['role']:10}{row['bits']:12.3f}{rank:>12}")
    if "coverage" in found:
        lines.append(
            f"{found['level']:.0%} intervals that hold the truth ({found['replicates']} "
            f"replicates, {found.get('worlds', 1)} world(s), in brackets the range over them)"
        )
        lines += [f"class {r['risk_class']:>4}: {_held(r)}" for r in found["coverage"]]
    if "sums" in found:
        lines.append(f"sums behind {SUM_KM:g} km of border: {_held(found['sums'])}")
    return lines


def _held(row: Mapping[str, Any]) -> str:
    text = f"{row['covered']:.0%}"
    return text + (f" ({row['low'] * 100:.0f}-{row['high'] * 100:.0f})" if "low" in row else "")
