"""How good a forecast of places is: scores of an intensity against incidents it has not seen.

``intensity`` is relative (any unit), one value per scored cell; ``area`` is the scored area of each
cell; ``mass`` holds where each incident may have been, incidents × cells, rows summing to 1. Every
score works on that soft mass, so that an incident known to 40 km is not credited to one cell.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import beta, gamma, nbinom, poisson

from borderrisk.evaluation.scorecard import ClassCount
from borderrisk.scores import tails

SHARES = (0.05, 0.10, 0.20)
_TINY = 1e-12


class Interval(NamedTuple):
    """An estimate with its bounds."""

    value: float
    low: float
    high: float


def relative_density(intensity: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Intensity over its area-weighted mean: 1 everywhere for a uniform forecast."""
    mean = float(np.average(intensity, weights=area))
    return np.maximum(intensity / max(mean, 1e-300), _TINY)


def information_gain(intensity: np.ndarray, area: np.ndarray, mass: csr_matrix) -> np.ndarray:
    """Bits over a uniform forecast, of each incident.

    The mean of ``log2(intensity / mean intensity)`` over an incident's mass: the log-likelihood of
    the soft counts that models are fitted on, given how many there are. Concentrating the forecast
    in one cell of a wide disc earns that cell's share only (Kagan & Knopoff 1977, Phys. Earth
    Planet. Inter. 14; Rhoades et al. 2011, Acta Geophysica 59(4)).

    Examples
    --------
    >>> information_gain(np.array([3.0, 1.0]), np.ones(2), csr_matrix([[1.0, 0.0]])).round(3)
    array([0.585])
    """
    return np.asarray(mass @ np.log2(relative_density(intensity, area)))


def top_area(intensity: np.ndarray, area: np.ndarray, share: float) -> np.ndarray:
    """Part of each cell that lies in the given share of the area with the highest intensity.

    It is 1 above the threshold, 0 below; cells of the same intensity at it are taken in part, all
    to the same extent, so the area is exact.
    """
    _, group = np.unique(-intensity, return_inverse=True)
    size = np.bincount(group, weights=area)
    before = np.concatenate([[0.0], np.cumsum(size)[:-1]])
    part = (share * size.sum() - before) / np.maximum(size, 1e-300)
    return np.asarray(np.clip(part, 0, 1)[group])


def capture(
    intensity: np.ndarray, area: np.ndarray, mass: csr_matrix, share: float = 0.1
) -> np.ndarray:
    """Part of each incident's mass in the given share of the area with the highest intensity.

    Its mean is the hit rate of Chainey, Tompson & Uhlig 2008, Security Journal 21.
    """
    return np.asarray(mass @ top_area(intensity, area, share))


def capture_curve(
    intensity: np.ndarray, area: np.ndarray, mass: csr_matrix, shares: np.ndarray
) -> np.ndarray:
    """Mean capture at each share of the area, shape (shares,)."""
    per_cell = np.asarray(mass.sum(axis=0)).ravel()
    _, group = np.unique(-intensity, return_inverse=True)
    size, caught = (np.bincount(group, weights=w) for w in (area, per_cell))
    x = np.concatenate([[0.0], np.cumsum(size) / size.sum()])
    y = np.concatenate([[0.0], np.cumsum(caught) / max(caught.sum(), 1e-300)])
    return np.asarray(np.interp(shares, x, y))


def roc_auc(intensity: np.ndarray, area: np.ndarray, mass: csr_matrix) -> float:
    """Chance that an incident's place has a higher intensity than a random place.

    Presence against background by area, ties count half (Hanley & McNeil 1982, Radiology 143).
    """
    per_cell = np.asarray(mass.sum(axis=0)).ravel()
    _, group = np.unique(intensity, return_inverse=True)
    events, ground = (np.bincount(group, weights=w) for w in (per_cell, area))
    below = np.cumsum(ground) - ground / 2
    return float(events @ below / (events.sum() * ground.sum()))


def occurred(mass: csr_matrix) -> np.ndarray:
    """Chance that at least one of the incidents was in each cell, shape (cells,)."""
    chance = mass.copy()
    chance.data = np.log1p(-np.minimum(chance.data, 1 - 1e-15))
    return np.asarray(-np.expm1(np.asarray(chance.sum(axis=0)).ravel()))


def brier(probability: np.ndarray, happened: np.ndarray, area: np.ndarray) -> float:
    """Mean squared error of the probability, by area (Brier 1950, Monthly Weather Review 78).

    ``happened`` is 0, 1, or the chance of it (:func:`occurred`): the mean over both outcomes.
    """
    loss = happened * (1 - probability) ** 2 + (1 - happened) * probability**2
    return float(np.average(loss, weights=area))


def log_score(probability: np.ndarray, happened: np.ndarray, area: np.ndarray) -> float:
    """Mean negative log-likelihood of the probability in nats, by area (Good 1952)."""
    p = np.clip(probability, _TINY, 1 - _TINY)
    loss = -happened * np.log(p) - (1 - happened) * np.log1p(-p)
    return float(np.average(loss, weights=area))


def poisson_interval(observed: float, level: float = 0.9) -> tuple[float, float]:
    """Exact interval of a Poisson mean, also for a soft count (Garwood 1936, Biometrika 28).

    Examples
    --------
    >>> [round(float(v), 3) for v in poisson_interval(0, 0.95)]
    [0.0, 3.689]
    """
    tail = (1 - level) / 2
    low = gamma.ppf(tail, observed) if observed > 0 else 0.0
    return float(low), float(gamma.ppf(1 - tail, observed + 1))


def class_counts(
    expected: np.ndarray, happened: np.ndarray, risk_class: np.ndarray, level: float = 0.9,
    ground: str = "all",
) -> list[ClassCount]:  # fmt: skip
    """Compare expected and observed incidents per risk class, with Poisson intervals.

    ``happened`` is the sum, per cell, of the mass of those that occurred; classes without a cell
    are left out. ``ground`` says what the cells are.
    """
    rows = []
    for k in np.unique(risk_class[risk_class > 0]):
        inside = risk_class == k
        observed = float(happened[inside].sum())
        bounds = poisson_interval(observed, level)
        rows.append(ClassCount(ground, int(k), float(expected[inside].sum()), observed, *bounds))
    return rows


def binomial_interval(held: float, count: int, level: float = 0.9) -> tuple[float, float]:
    """Exact interval of a share, also of a soft count (Clopper & Pearson 1934, Biometrika 26).

    Examples
    --------
    >>> [round(v, 3) for v in binomial_interval(9, 10)]
    [0.606, 0.995]
    """
    tail = (1 - level) / 2
    low = beta.ppf(tail, held, count - held + 1) if held > 0 else 0.0
    high = beta.ppf(1 - tail, held + 1, count - held) if held < count else 1.0
    return float(low), float(high)


def count_score(reported: float, mean: float, size: float | None = None) -> float:
    """Continuous ranked probability score of a negative binomial count, or of a Poisson one.

    The sum of ``(F(k) - 1{k >= reported})**2`` over all counts k (Epstein 1969, J. Applied
    Meteorology 8): the lower the better, in incidents.

    Examples
    --------
    >>> round(count_score(0, 1.0), 3)
    0.476
    """
    law = poisson(mean) if size is None else nbinom(size, size / (size + mean))
    k = np.arange(int(max(reported, law.ppf(1 - 1e-9))) + 2)
    return float(((law.cdf(k) - (k >= reported)) ** 2).sum())


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    blocks: np.ndarray,
    *,
    span: int = 1,
    level: float = 0.9,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Mean difference of two scores of the same incidents, with a block-bootstrap interval.

    Whole blocks (origins) are drawn with replacement, which keeps the dependence of incidents
    within one; with a single block the incidents themselves are drawn. ``span`` neighbouring blocks
    that depend on each other, such as origins whose test periods overlap, are drawn together
    (Künsch 1989, Annals of Statistics 17(3)): half of the blocks at most, or nothing would vary.
    Neighbours have neighbouring numbers and are drawn in a circle, so that each block is as likely
    as any other (Politis & Romano 1992, in Exploring the Limits of Bootstrap).
    """
    difference = np.asarray(first, float) - np.asarray(second, float)
    if not len(difference):
        return Interval(float("nan"), float("nan"), float("nan"))
    _, block = np.unique(blocks, return_inverse=True)
    if block.max() == 0:
        block, span = np.arange(len(difference)), 1
    total, size = np.bincount(block, weights=difference), np.bincount(block)
    drawn = _drawn_blocks(len(size), span, draws, seed)
    means = total[drawn].sum(axis=1) / size[drawn].sum(axis=1)
    low, high = np.quantile(means, tails(level))
    return Interval(float(difference.mean()), float(low), float(high))


def _drawn_blocks(count: int, span: int, draws: int, seed: int) -> np.ndarray:
    """Numbers of the blocks in each sample, ``span`` neighbours at a time, shape (draws, count)."""
    span = max(1, min(span, count // 2))
    rng = np.random.default_rng(seed)
    first = rng.integers(0, count, (draws, -(-count // span)))
    runs = first[:, :, None] + np.arange(span)
    return np.asarray(runs.reshape(draws, -1)[:, :count] % count)
