"""Where incidents of uncertain place are likely to have been, given what lies within their discs.

A disc spreads an incident over slopes, distances and settlements it had nothing to do with, and a
model fitted on that is drawn to the mean. Places and model are therefore found together by
expectation-maximisation (Dempster, Laird & Rubin 1977, JRSS B 39(1)): the mass of an incident moves
within its disc to where the model thinks it more likely, and the model is fitted on the moved mass.
On synthetic worlds 31-42 this gains 0.07 bits per incident against the truth, on every one of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, diags_array

from borderrisk.model.loglinear import Glm

# Stopping early is what keeps noise out of such deconvolutions. On those worlds 3 to 12 rounds give
# the truth no more than 0.004 bits above 2, and soft masses are foreseen worse.
ROUNDS = 2
# Cells that places, penalty and features are found on; where there are more, a part of them.
# Somewhat more than weights are learned on, which are a part of all cells already.
MOST_ROWS = 12_000
# Less than this share of an incident is no move; nothing moves where places are known.
_SAME = 1e-3


def moved(mass: csr_matrix, density: np.ndarray) -> csr_matrix:
    """Move the mass of each incident to where a density is high, by Bayes' rule.

    Parameters
    ----------
    mass : csr_matrix, shape (incidents, cells)
        Where each incident may have been, by its report alone.
    density : ndarray, shape (cells,)
        Relative density of incidents.

    Returns
    -------
    csr_matrix, shape (incidents, cells)
        Rows sum to 1; one without mass, or without density where it has mass, stays as it was.

    Examples
    --------
    >>> moved(csr_matrix([[0.5, 0.5]]), np.array([3.0, 1.0])).toarray()
    array([[0.75, 0.25]])
    """
    weighted = mass @ diags_array(density)
    total = np.asarray(weighted.sum(axis=1)).ravel()
    known = total > 0
    scale = np.divide(1.0, total, out=np.zeros(len(total)), where=known)
    return csr_matrix(diags_array(scale) @ weighted + diags_array((~known).astype(float)) @ mass)


def placed(
    mass: csr_matrix,
    weight: np.ndarray,
    table: pd.DataFrame,
    area: np.ndarray,
    *,
    alpha: float | None = None,
    random_state: Any = None,
) -> tuple[csr_matrix, Glm]:
    """Find where incidents were and a log-linear model of it, each from the other.

    Parameters
    ----------
    mass : csr_matrix, shape (incidents, cells)
        Where each incident may have been, by its report alone.
    weight : ndarray, shape (incidents,)
        What each incident counts.
    table : pandas.DataFrame, shape (cells, features)
        Features of the cells.
    area : ndarray, shape (cells,)
        Area of each cell, 100 km².
    alpha : float, optional
        Penalty of the model; chosen in the first round when None.
    random_state : int, optional
        Seed of that choice, and of the part of a large table that is used.

    Returns
    -------
    csr_matrix, shape (incidents, cells)
        The mass, moved.
    Glm
        The model that they moved by, with its penalty.
    """
    now, model = mass, Glm(alpha, max_rows=MOST_ROWS, random_state=random_state)
    reached = np.unique(mass.indices)
    within = table.iloc[reached]
    for _ in range(ROUNDS):
        model.fit(table, np.asarray(now.T @ weight).ravel(), area)
        model.set_params(alpha=model.alpha_)
        density = np.zeros(len(table))
        density[reached] = model.predict(within)
        likely = moved(mass, density)
        if abs(likely - now).max() < _SAME:
            break
        now = likely
    return now, model
