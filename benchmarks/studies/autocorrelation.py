"""How far the residuals of a model are alike."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial.distance import pdist, squareform

from borderrisk.errors import DataError
from borderrisk.model.cells import COORDINATES, CellTable, square_blocks
from borderrisk.model.panel import Panel

MOST_BLOCKS = 1500
# exp(-3) = 5 % of the correlation is left at the practical range.
_PRACTICAL = 3.0
_NOISE = 5.99


def autocorrelation_range_km(cells: CellTable, panel: Panel, intensity: np.ndarray) -> float:
    """Distance at which the residuals of a model stop being alike.

    Counts and their expectation are summed over coarse blocks. For pairs of blocks at about the
    same distance, the products of their Pearson residuals are averaged with weights
    ``sqrt(E_i E_j)``: the inhomogeneous pair correlation less one (Baddeley, Møller & Waagepetersen
    2000, Statistica Neerlandica 54(3)), which few incidents do not blow up as they do the plain
    variogram of sparse counts. An incident is never paired with itself, so its location radius is
    no correlation. The range is that of the exponential curve fitted to it by weighted least
    squares: 5 % of the correlation is left there.

    Parameters
    ----------
    cells : CellTable
        Cells of the domain.
    panel : Panel
        Incidents.
    intensity : ndarray, shape (cells,)
        What the model expects, any unit; scaled to the number of incidents.

    Returns
    -------
    float
        km, at least twice the median location radius and two cells (also if nothing is
        correlated), at most a quarter of the root of the area.

    Raises
    ------
    DataError
        With fewer than two incidents.
    """
    if len(panel) < 2:
        raise DataError(
            f"The range of autocorrelation needs two incidents (got {len(panel)}); "
            "widen the study area or leave the spatial tests out."
        )
    lag, correlation, pairs = _correlogram(cells, panel, intensity)
    low, high = _range_bounds_km(cells, panel)
    return float(np.clip(_exponential_range(lag, correlation, pairs), low, high))


def _range_bounds_km(cells: CellTable, panel: Panel) -> tuple[float, float]:
    side = np.sqrt(cells.area_100km2.sum() * 100)
    cell = cells.grid.cell_size_m / 1000
    low = max(2 * float(panel.incidents["radius_km"].median()), 2 * cell)
    return low, max(side / 4, low)


def _correlogram(
    cells: CellTable, panel: Panel, intensity: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean lag (km), correlation and expected pairs of each class of distance."""
    cell = cells.grid.cell_size_m / 1000
    step = max(cell, float(np.sqrt(cells.area_100km2.sum() * 100 / MOST_BLOCKS)))
    block, _ = square_blocks(cells.x[list(COORDINATES)].to_numpy(), step)
    n = block.max() + 1
    share = np.bincount(block, cells.area_100km2)
    centre = np.column_stack(
        [np.bincount(block, cells.x[axis] * cells.area_100km2) / share for axis in COORDINATES]
    )
    gather = csr_matrix((np.ones(len(block)), (np.arange(len(block)), block)), (len(block), n))
    mass = csr_matrix(panel.mass @ gather)
    count = np.asarray(mass.sum(axis=0)).ravel()
    expected = np.bincount(block, np.asarray(intensity) * cells.area_100km2)
    expected *= len(panel) / expected.sum()
    same = (mass.T @ mass).toarray()
    together = np.outer(count, count) - same
    chance = np.outer(expected, expected) * (len(panel) - 1) / len(panel)
    lag = squareform(pdist(centre))
    classes = np.round(lag / step).astype(int).ravel()
    most = int(np.sqrt(cells.area_100km2.sum() * 100) / 2 / step)
    pairs, met, distance = (
        np.bincount(classes, value.ravel())[: most + 1]
        for value in (chance, together, lag * chance)
    )
    used = pairs > 0
    return distance[used] / pairs[used], met[used] / pairs[used] - 1, pairs[used]


def _exponential_range(lag: np.ndarray, correlation: np.ndarray, pairs: np.ndarray) -> float:
    """Practical range of the best exponential curve; 0 if none rises above nothing."""
    # Every pair is counted from both ends: the variance of the number met is twice the expectation,
    # which is the number by chance times one plus the correlation.
    weight = pairs / (2 * (1 + np.maximum(correlation, 0)))
    # Chi-squared with the curve's two parameters, 5 %: less than that is noise.
    best, found = float(weight @ correlation**2) - _NOISE, 0.0
    for candidate in np.geomspace(lag[1:].min(initial=1.0) / 2, max(lag.max(), 2.0), 60):
        curve = np.exp(-_PRACTICAL * lag / candidate)
        sill = max(float(weight @ (curve * correlation)) / float(weight @ curve**2), 0.0)
        misfit = float(weight @ (correlation - sill * curve) ** 2)
        if misfit < best:
            best, found = misfit, float(candidate)
    return found
