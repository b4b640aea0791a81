"""Ceilings: what the best mix of the parts, chosen on the scored year itself, would reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.variants.moments import Record
from benchmarks.variants.observed import SHARE, Score, Test, scored
from benchmarks.variants.pooling import Lesson, geometric, geometric_weights, learn
from benchmarks.variants.recipes import USUAL, shipped
from borderrisk.evaluation import metrics
from borderrisk.evaluation.backtest import COSTLY
from borderrisk.model.ceiling import best_pool
from borderrisk.model.chosen import frozen
from borderrisk.model.fitting import fit_spatial

SINGLES = ("gam", "glm", "hist_gradient_boosting", "random_forest", "history")
BASELINE = "kde"
_KEPT, _GRID = 6, 12
Best = Callable[[np.ndarray, np.ndarray, csr_matrix], np.ndarray]


def own_parts(record: Record, test: Test) -> np.ndarray:
    """Return the parts of the shipped model, shape (cells, parts)."""
    pair = learn(USUAL, record, test.origin, USUAL).pair
    return shipped(record.at(test.origin), pair)


def singles(record: Record, tests: Sequence[Test]) -> dict[str, list[np.ndarray]]:
    """Intensity of every estimator by itself at each origin; costly tuning at every sixth."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*SINGLES, BASELINE)}
    given: dict[str, dict] = {}
    for k, test in enumerate(tests):
        past = record.at(test.origin).past
        for name, kept in found.items():
            model = fit_spatial(name, given.get(name), record.cells, past, test.origin, record.seed)
            if name in COSTLY and k % _KEPT == 0:
                given[name] = dict(frozen(model, {}))
            kept.append(model.intensity(record.cells))
            if k % _KEPT == _KEPT - 1:
                given.pop(name, None)
    return found


def best_bits(densities: np.ndarray, area: np.ndarray, mass: csr_matrix) -> np.ndarray:
    """Pool of the parts with most bits on given incidents, shape (cells,); exact (concave)."""
    return best_pool(densities / np.average(densities, axis=0, weights=area), mass)


def best_product(densities: np.ndarray, area: np.ndarray, mass: csr_matrix) -> np.ndarray:
    """Log-linear pool of the parts with most bits on given incidents; no prior (convex)."""
    lesson = Lesson(densities, mass, np.ones(mass.shape[0])).by_cells()
    powers = geometric_weights([lesson], np.full(densities.shape[1], 1e-9), area)
    return geometric(densities, powers)


def best_capture(densities: np.ndarray, area: np.ndarray, mass: csr_matrix) -> np.ndarray:
    """Pool of the parts that captures most in the top tenth of area, over a lattice of shares."""
    level = densities / np.average(densities, axis=0, weights=area)
    pools = [level @ share for share in lattice(level.shape[1], _GRID)]
    caught = [metrics.capture(pool, area, mass, SHARE).sum() for pool in pools]
    return pools[int(np.argmax(caught))]


@cache
def lattice(parts: int, steps: int) -> np.ndarray:
    """Return all shares of some parts in whole steps, shape (shares, parts).

    Examples
    --------
    >>> lattice(2, 2)
    array([[0. , 1. ],
           [0.5, 0.5],
           [1. , 0. ]])
    """
    whole = (np.array(c) for c in product(range(steps + 1), repeat=parts))
    return np.array([c for c in whole if c.sum() == steps]) / steps


def hindsight(
    record: Record, tests: Sequence[Test], parts: Sequence[np.ndarray], subset: str, best: Best
) -> Score:
    """Score the mix that suits each origin's incidents of a subset best.

    Parameters
    ----------
    record, tests
        The data.
    parts : sequence of ndarray, shape (cells, parts)
        Densities at each origin.
    subset : str
        Which incidents choose; the score of the others means nothing.
    best : callable
        Chooses: :func:`best_bits`, :func:`best_capture` or :func:`best_product`.
    """
    cells = record.cells
    area, pools = cells.study_area_100km2[cells.study], []
    for test, densities in zip(tests, parts, strict=True):
        mass, here = test.later.mass[test.later.subset(subset)], np.ones(len(cells))
        if mass.shape[0]:
            here[cells.study] = best(densities[cells.study], area, mass)
        pools.append(here)
    return scored(cells, tests, pools)


def best_single(single: dict[str, Score], subset: str, aim: str) -> Score:
    """Score the estimator that suits each origin's incidents of a subset best.

    Parameters
    ----------
    single : dict of str to Score
        Every estimator by itself.
    subset : str
        Which incidents choose.
    aim : {"bits", "captured"}
        By what.
    """
    first = single[SINGLES[0]]
    bits, captured, inside = np.copy(first.bits), np.copy(first.captured), first.subset(subset)
    for k in np.unique(first.block):
        own = first.block == k
        chosen = max(SINGLES, key=lambda n: getattr(single[n], aim)[own & inside].sum())
        bits[own], captured[own] = single[chosen].bits[own], single[chosen].captured[own]
    return Score(bits, captured, first.new, first.block)
