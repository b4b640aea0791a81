"""How good a forecast of places is: scores of an intensity against incidents it has not seen.

``intensity`` is relative (any unit), one value per scored cell; ``area`` is the scored area of each
cell; ``mass`` holds where each incident may have been, incidents × cells, rows summing to 1. Every
score works on that soft mass, so that an incident known to 40 km is not credited to one cell.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import gamma, spearmanr

from borderrisk.model.scores import tails

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
    """Bits per incident over a uniform forecast.

    The mean of ``log2(intensity / mean intensity)`` over an incident's mass: the log-likelihood of
    the soft counts that models are fitted on, given how many there are. Concentrating the forecast
    in one cell of a wide disc earns that cell's share only.

    Returns
    -------
    ndarray of float64, shape (incidents,)

    Notes
    -----
    Kagan & Knopoff 1977, Phys. Earth Planet. Inter. 14; Rhoades et al. 2011, Acta Geophysica 59(4).

    Examples
    --------
    >>> information_gain(np.array([3.0, 1.0]), np.ones(2), csr_matrix([[1.0, 0.0]])).round(3)
    array([0.585])
    """
    return np.asarray(mass @ np.log2(relative_density(intensity, area)))


def located_gain(intensity: np.ndarray, area: np.ndarray, mass: csr_matrix) -> np.ndarray:
    """Bits per incident when its mass is read as the likelihood of its reported point.

    ``log2`` of the mean relative intensity over the mass (the marginal likelihood of a point with a
    known error). It rewards forecasts that are concentrated on points which reports use again and
    again, so it is shown beside :func:`information_gain`, not instead of it.

    Returns
    -------
    ndarray of float64, shape (incidents,)
    """
    return np.log2(np.asarray(mass @ relative_density(intensity, area)))


def top_area(intensity: np.ndarray, area: np.ndarray, share: float) -> np.ndarray:
    """Part of each cell that lies in the given share of the area with the highest intensity.

    Returns
    -------
    ndarray of float64, shape (cells,)
        1 above the threshold, 0 below; cells of the same intensity at it are taken in part, all to
        the same extent, so the area is exact.
    """
    _, group = np.unique(-intensity, return_inverse=True)
    size = np.bincount(group, weights=area)
    before = np.concatenate([[0.0], np.cumsum(size)[:-1]])
    part = (share * size.sum() - before) / np.maximum(size, 1e-300)
    return np.clip(part, 0, 1)[group]


def capture(
    intensity: np.ndarray, area: np.ndarray, mass: csr_matrix, share: float = 0.1
) -> np.ndarray:
    """Part of each incident's mass in the given share of the area with the highest intensity.

    Returns
    -------
    ndarray of float64, shape (incidents,)
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
    return np.interp(shares, x, y)


def prediction_accuracy_index(captured: float, share: float) -> float:
    """PAI: captured share of incidents over the share of area (Chainey et al. 2008)."""
    return captured / share


def prediction_efficiency_index(
    intensity: np.ndarray, area: np.ndarray, mass: csr_matrix, share: float = 0.1
) -> float:
    """PEI: capture over the most that the same area could have captured.

    Notes
    -----
    Hunt 2016, PhD thesis, University of Cincinnati; as used by the NIJ forecasting challenge 2017.
    """
    per_cell = np.asarray(mass.sum(axis=0)).ravel()
    density = per_cell / np.maximum(area, 1e-300)
    best = float(per_cell @ top_area(density, area, share))
    got = float(per_cell @ top_area(intensity, area, share))
    return got / best if best > 0 else float("nan")


def roc_auc(intensity: np.ndarray, area: np.ndarray, mass: csr_matrix) -> float:
    """Chance that an incident's place has a higher intensity than a random place.

    Presence against background by area, ties count half (Hanley & McNeil 1982, Radiology 143).
    """
    per_cell = np.asarray(mass.sum(axis=0)).ravel()
    _, group = np.unique(intensity, return_inverse=True)
    events, ground = (np.bincount(group, weights=w) for w in (per_cell, area))
    below = np.cumsum(ground) - ground / 2
    return float(events @ below / (events.sum() * ground.sum()))


def average_precision(intensity: np.ndarray, area: np.ndarray, mass: csr_matrix) -> float:
    """Area under the precision-recall curve of cells, each partly with and partly without incident.

    A cell counts with ``occurred`` as positive and the rest of its area (in whole cells) as
    negative. Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, ch. 8.
    """
    positive = occurred(mass)
    negative = np.maximum(area / area.max() - positive, 0)
    _, group = np.unique(-intensity, return_inverse=True)
    hits = np.bincount(group, weights=positive)
    false = np.bincount(group, weights=negative)
    precision = np.cumsum(hits) / np.maximum(np.cumsum(hits + false), 1e-300)
    return float(hits @ precision / hits.sum())


def boyce(suitability: np.ndarray, area: np.ndarray, mass: csr_matrix, windows: int = 101) -> float:
    """Continuous Boyce index: rank correlation of the predicted-to-expected ratio with suitability.

    A window of a tenth of the range moves over the suitability of the whole raster; in each, the
    share of incident mass is divided by the share of area. Equal ratios in a row count once.

    Parameters
    ----------
    suitability : ndarray, shape (cells,)
        A score on a scale that windows make sense on, such as the risk percentile.
    area, mass
        As elsewhere.
    windows : int
        Positions of the window.

    Returns
    -------
    float
        −1 to 1; NaN if the ratio is the same everywhere.

    Notes
    -----
    Hirzel et al. 2006, Ecological Modelling 199(2).
    """
    per_cell = np.asarray(mass.sum(axis=0)).ravel()
    low, high = float(suitability.min()), float(suitability.max())
    width = (high - low) / 10
    start = np.linspace(low, high - width, windows)
    order = np.argsort(suitability, kind="stable")
    value = suitability[order]
    first = np.searchsorted(value, start - 1e-9, side="left")
    last = np.searchsorted(value, start + width + 1e-9, side="right")
    events, ground = (
        np.concatenate([[0.0], np.cumsum(w[order] / w.sum())]) for w in (per_cell, area)
    )
    expected = ground[last] - ground[first]
    used = expected > 0
    ratio = ((events[last] - events[first])[used] / expected[used]).round(9)
    change = np.concatenate([[True], np.diff(ratio) != 0])
    if change.sum() < 2:
        return float("nan")
    return float(spearmanr(ratio[change], start[used][change]).statistic)


def occurred(mass: csr_matrix) -> np.ndarray:
    """Chance that at least one of the incidents was in each cell, shape (cells,)."""
    chance = mass.copy()
    chance.data = np.log1p(-np.minimum(chance.data, 1 - 1e-15))
    return -np.expm1(np.asarray(chance.sum(axis=0)).ravel())


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


def calibration(
    expected: np.ndarray, happened: np.ndarray, risk_class: np.ndarray, level: float = 0.9
) -> list[dict[str, float]]:
    """Compare expected and observed incidents per risk class, with Poisson intervals.

    Parameters
    ----------
    expected, happened : ndarray, shape (cells,)
        Expected incidents, and the sum of the mass of those that occurred.
    risk_class : ndarray of int, shape (cells,)
        1-5.
    level : float
        Level of the interval.
    """
    rows = []
    for k in range(1, 6):
        inside = risk_class == k
        observed = float(happened[inside].sum())
        low, high = poisson_interval(observed, level)
        rows.append(
            {
                "risk_class": k,
                "expected": float(expected[inside].sum()),
                "observed": observed,
                "low": low,
                "high": high,
            }
        )
    return rows


def coverage(
    truth: np.ndarray, low: np.ndarray, high: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Share of cells (by weight) whose truth lies within the bounds.

    The empirical coverage of interval forecasts (Gneiting, Balabdaoui & Raftery 2007, JRSS B
    69(2)); a bound itself counts as within.

    Examples
    --------
    >>> round(coverage(np.array([1.0, 2.0, 5.0]), np.zeros(3), np.array([1.0, 1.5, 9.0])), 3)
    0.667
    """
    return float(np.average((truth >= low) & (truth <= high), weights=weight))


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
    within one; with a single block the incidents themselves are drawn.

    Parameters
    ----------
    first, second : ndarray, shape (incidents,)
        Scores.
    blocks : ndarray, shape (incidents,)
        Block of each incident; neighbouring blocks have neighbouring numbers.
    span : int
        How many neighbouring blocks depend on each other, such as origins whose test periods
        overlap: so many are drawn together. Half of the blocks at most, or nothing would vary.
    level : float
        Coverage of the percentile interval.
    draws : int
        Bootstrap samples.
    seed : int
        Of the draws.

    Notes
    -----
    Künsch 1989, Annals of Statistics 17(3); neighbours are drawn in a circle, so that each block is
    as likely as any other: Politis & Romano 1992, in Exploring the Limits of Bootstrap.
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
