"""A penalty of its own for each feature, found along with the coefficients.

Under one ridge penalty for all, a feature that says nothing costs as much as one that matters. Here
each has a prior variance of its own, drawn to the common one (automatic relevance determination:
MacKay 1994, ASHRAE Transactions 100(2); Tipping 2001, Journal of Machine Learning Research 1).

On 20 synthetic worlds it gains the pooled model 0.014 bits per incident against the truth with 100
incidents and nothing with 400; beside 20 features of noise 0.063 and 0.018.
"""

from __future__ import annotations

import numpy as np

from borderrisk.model.estimator import MAX_LOG

ROUNDS = 6
# What the common variance counts, in coefficients: the less, the more a feature's own data say.
FREEDOM = 0.5


def scaled(
    design: np.ndarray,
    exposure: np.ndarray,
    events: np.ndarray,
    group: np.ndarray,
    start: np.ndarray,
    common: float,
) -> np.ndarray:
    """Find the scale of each coefficient under a penalty for each feature.

    Each round takes the posterior under the last scales, and one Newton step under the next ones.

    Parameters
    ----------
    design : ndarray, shape (rows, columns)
        Without the intercept.
    exposure, events : ndarray, shape (rows,)
        Exposure of each row, in any unit, and events in it.
    group : ndarray of int, shape (columns,)
        Number of the feature each column belongs to.
    start : ndarray, shape (columns,)
        Coefficients under the common penalty.
    common : float
        Prior variance of a coefficient under the common penalty.

    Returns
    -------
    ndarray, shape (columns,)
        Prior standard deviation of each coefficient over the common one. Columns times these,
        fitted under the common penalty, have a penalty for each feature.
    """
    coef, scale = start, np.ones(len(start))
    for _ in range(ROUNDS):
        rate = exposure * np.exp(np.clip(design @ coef, -MAX_LOG, MAX_LOG))
        rate *= events.sum() / rate.sum()
        bent = curvature(design, rate)
        variance = np.diag(np.linalg.inv(bent + np.diag(1 / (common * scale**2))))
        scale = scales(coef, variance, group, common)
        precision = 1 / (common * scale**2)
        slope = design.T @ (events - rate) - precision * coef
        coef = coef + np.linalg.solve(bent + np.diag(precision), slope)
    return scale


def scales(coef: np.ndarray, variance: np.ndarray, group: np.ndarray, common: float) -> np.ndarray:
    """Return the prior standard deviation of each coefficient over the common one.

    Parameters
    ----------
    coef, variance : ndarray, shape (columns,)
        Coefficients and their posterior variances.
    group : ndarray of int, shape (columns,)
        Number of the feature each column belongs to.
    common : float
        Prior variance under the common penalty.

    Examples
    --------
    >>> scales(np.array([0.0, 2.0]), np.array([0.0, 0.25]), np.array([0, 1]), 1.0).round(2)
    array([0.58, 1.78])
    """
    own = np.bincount(group, coef**2 + variance) / common
    size = np.bincount(group)
    return np.sqrt((FREEDOM + own) / (FREEDOM + size))[group]


def curvature(design: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Information of Poisson counts about coefficients, the intercept being free.

    Parameters
    ----------
    design : ndarray, shape (rows, columns)
        Without the intercept.
    rate : ndarray, shape (rows,)
        Expected events of each row.

    Returns
    -------
    ndarray, shape (columns, columns)
    """
    centred = design - (rate @ design) / rate.sum()
    return np.asarray(centred.T @ (centred * rate[:, None]))
