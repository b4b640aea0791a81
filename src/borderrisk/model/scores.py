"""From intensity to the numbers a user reads: probability, risk and risk class."""

from __future__ import annotations

import numpy as np
from scipy.stats import nbinom

DAYS_PER_YEAR = 365.25
# Shape of the clustering of incidents in a cell: a mean of m has the variance m + m² / KAPPA.
KAPPA = 0.5
# Class k + 1 begins where this share of the area has a lower risk.
CLASS_EDGES = (50.0, 75.0, 90.0, 97.0)


def tails(level: float) -> tuple[float, float]:
    """Lower and upper quantile of a central interval, such as 0.05 and 0.95 of a level of 0.9."""
    return (1 - level) / 2, (1 + level) / 2


def probability(intensity: np.ndarray, area_100km2: np.ndarray, horizon_days: float) -> np.ndarray:
    """Chance of at least one reported incident in a cell within the horizon.

    Parameters
    ----------
    intensity : ndarray
        Expected reported incidents per 100 km² per year.
    area_100km2 : ndarray
        Scored area of each cell, in units of 100 km².
    horizon_days : float
        Length of the forecast.

    Returns
    -------
    ndarray
        ``1 - (1 + m/KAPPA)^-KAPPA`` of an expected count m: the negative binomial chance of a count
        above zero. Incidents cluster, so it is lower than the Poisson chance ``1 - exp(-m)``.

    Examples
    --------
    >>> probability(np.array([1.5]), np.array([1.0]), DAYS_PER_YEAR)
    array([0.5])
    """
    expected = expected_count(intensity, area_100km2, horizon_days)
    return -np.expm1(-KAPPA * np.log1p(expected / KAPPA))


def expected_count(
    intensity: np.ndarray, area_100km2: np.ndarray, horizon_days: float
) -> np.ndarray:
    """Incidents expected in each cell within the horizon."""
    return np.asarray(intensity * area_100km2 * (horizon_days / DAYS_PER_YEAR))


def count_bounds(expected: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Predictive interval of the incidents of each cell, allowing for clustering.

    Examples
    --------
    >>> [bound.tolist() for bound in count_bounds(np.array([0.0, 0.1, 2.0]), 0.9)]
    [[0.0, 0.0, 0.0], [0.0, 1.0, 8.0]]
    """
    chance = KAPPA / (KAPPA + np.asarray(expected))
    low, high = (nbinom.ppf(q, KAPPA, chance) for q in tails(level))
    return np.maximum(low, 0.0), np.maximum(high, 0.0)


def risk_percentile(intensity: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Rank of each cell by intensity: the share of the study area that lies lower, 0-100.

    Parameters
    ----------
    intensity, area : ndarray, shape (cells,)
        Finite intensities and the scored area of each cell (any unit).

    Returns
    -------
    ndarray of float64, shape (cells,)
        Cells of equal intensity share the middle of the area they take up together.
    """
    if not len(intensity):
        return np.zeros(0)
    _, group = np.unique(intensity, return_inverse=True)
    area_of_group = np.bincount(group, weights=area)
    below = np.concatenate([[0.0], np.cumsum(area_of_group)[:-1]])
    return 100 * (below + area_of_group / 2)[group] / area_of_group.sum()


def risk_class(risk: np.ndarray) -> np.ndarray:
    """Class 1-5 of a risk percentile; class 5 is the top 3 % of the area.

    Examples
    --------
    >>> risk_class(np.array([10, 50, 80, 96.9, 99]))
    array([1, 2, 3, 4, 5], dtype=uint8)
    """
    return (1 + np.searchsorted(CLASS_EDGES, risk, side="right")).astype(np.uint8)
