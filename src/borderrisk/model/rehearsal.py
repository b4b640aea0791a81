"""Rehearsals: how far a model lands from a truth it was handed, and what that says about bounds.

A bootstrap of a smoothed, penalised model varies around the model's own bias, so its intervals are
too narrow and sit in the wrong place: high cells are drawn down to the mean and low cells up to it
(Hall 1992, Annals of Statistics 20(2)). The bias is visible where the truth is known. Incidents are
therefore simulated from a *pilot*, a possible truth built from the fitted model alone; the model is
refitted; and the quantiles of the refits' errors calibrate the interval (Loh 1987, JASA 82; Efron &
Tibshirani 1993, An Introduction to the Bootstrap, ch. 18). No incident is scored, and none after
the origin is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix
from scipy.special import ndtri

from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Fitted
from borderrisk.scores import risk_percentile, tails

# Lowest relative intensity: below it logarithms mean nothing.
TINY = 1e-9
# Percentiles of area between which errors are pooled; finer where the map is read most closely.
STRATA = (0, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 93, 95, 97, 98.5, 100)
MOST_SHARPENED = 3.0
# What is wider than this is broad.
BROAD_KM = 30.0


def log_relative(intensity: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Log of the intensity over its area-weighted mean, shape (cells,)."""
    mean = float(np.average(intensity, weights=area))
    return np.log(np.maximum(intensity / mean, TINY)) if mean > 0 else np.zeros(len(intensity))


def two_scales(log_intensity: np.ndarray, cells: CellTable, inside: np.ndarray) -> np.ndarray:
    """Split the log-intensity of some cells into what varies broadly, and what is left.

    Parameters
    ----------
    log_intensity : ndarray, shape (cells inside,)
        Log-intensity.
    cells : CellTable
        Cells of the domain.
    inside : ndarray of bool, shape (cells,)
        Which of them it is of.

    Returns
    -------
    ndarray, shape (2, cells inside)
        Means over a Gaussian of ``BROAD_KM``, and differences from them.
    """
    where = cells.mask.copy()
    where[cells.mask] = inside

    def smooth(values: np.ndarray | float) -> np.ndarray:
        grid = np.zeros(where.shape)
        grid[where] = values
        sigma = BROAD_KM * 1000 / cells.grid.cell_size_m
        return np.asarray(gaussian_filter(grid, sigma, mode="constant")[where])

    broad = smooth(log_intensity) / smooth(1.0)
    return np.stack([broad, log_intensity - broad])


def contrasts(intensity: np.ndarray, cells: CellTable) -> np.ndarray:
    """Contrast of the study cells' intensity, broad and local.

    Area-weighted standard deviations of log-intensity.
    """
    area = cells.study_area_100km2[cells.study]
    scales = two_scales(log_relative(intensity, area), cells, cells.study)
    mean = np.average(scales, axis=1, weights=area)
    return np.asarray(np.sqrt(np.average((scales.T - mean) ** 2, axis=0, weights=area)))


def sharpened(exponents: np.ndarray, own: np.ndarray, refitted: np.ndarray) -> np.ndarray:
    """Exponents of the pilot after one more round, broad and local.

    The truth has more contrast than the model; how much more is such that a refit on incidents
    simulated from it has the contrast the model has (indirect inference: Gourieroux, Monfort &
    Renault 1993, Journal of Applied Econometrics 8).

    Parameters
    ----------
    exponents : ndarray, shape (2,)
        Powers of the model's intensity that the incidents were simulated from.
    own : ndarray, shape (2,)
        Contrasts of the model.
    refitted : ndarray, shape (refits, 2)
        Contrasts of each refit.

    Examples
    --------
    >>> sharpened(np.ones(2), np.array([1.5, 0.5]), np.array([[1.25, 1.0]]))
    array([1.2, 1. ])
    """
    mean = refitted.mean(axis=0)
    ratio = np.divide(own, mean, out=np.ones(len(own)), where=(mean > 0) & (own > 0))
    return np.clip(exponents * ratio, 1.0, MOST_SHARPENED)


def pilots(fitted: Fitted, cells: CellTable) -> list[np.ndarray]:
    """Possible truths: the intensity, and what the ground alone explains, if it explains any.

    Earlier incidents and the even share of a pool stand for what is not known of the ground. Where
    the ground explains all there is, they hold the intensity away from the truth: up where next to
    nothing happens, and around places that were hit by chance.
    """
    ground = fitted.susceptibility(cells)
    flat = np.ptp(ground) <= TINY * np.max(ground)
    return [fitted.intensity(cells)] + ([] if flat else [ground])


def sharp(intensity: np.ndarray, cells: CellTable, exponents: np.ndarray) -> np.ndarray:
    """Return a possible truth, with mean 1 over the domain: a model's intensity to two powers.

    One is of its broad part, one of the local: what a model misses is mostly local.
    """
    log = log_relative(intensity, cells.area_100km2)
    scales = two_scales(log, cells, np.ones(len(cells), bool))
    return _mean_one(np.exp(exponents @ scales), cells.area_100km2)


def _mean_one(values: np.ndarray, area: np.ndarray) -> np.ndarray:
    return np.maximum(values / np.average(values, weights=area), TINY)


def simulate(past: Panel, pilot: np.ndarray, cells: CellTable, rng: np.random.Generator) -> Panel:
    """Draw incidents from a pilot and report them as incidents are reported.

    Dates, radii and weights are those of incidents drawn from the past; places follow the pilot,
    and each report is displaced by an error of its own radius.

    Returns
    -------
    Panel
        A Poisson number of incidents (at least one), as many as before on average.
    """
    count = max(1, int(rng.poisson(len(past))))
    sample = past.take(rng.integers(0, len(past), count))
    running = np.cumsum(pilot * cells.area_100km2)
    cell = np.searchsorted(running, rng.uniform(size=count) * running[-1], side="right")
    cell = np.minimum(cell, len(pilot) - 1)
    place = csr_matrix(
        (np.ones(count), cell, np.arange(count + 1)), shape=(count, past.mass.shape[1])
    )
    # Drawing from a point mass puts the coordinates somewhere in its cell.
    true = replace(sample, mass=place).redraw(rng)
    return true.respread().redraw(rng, kind="disc")


@dataclass(frozen=True)
class Errors:
    """Quantiles of the error of log-intensity, by how high a cell ranks.

    Attributes
    ----------
    percentile : ndarray, shape (strata,)
        Middle of each stratum, share of the area with a lower intensity, 0-100.
    quantiles : ndarray, shape (3, strata)
        Lower, middle and upper quantile of truth − estimate.
    """

    percentile: np.ndarray
    quantiles: np.ndarray

    @classmethod
    def fit(cls, truth: np.ndarray, found: np.ndarray, area: np.ndarray, level: float) -> Errors:
        """Compare refits with the pilots they were simulated from.

        Parameters
        ----------
        truth, found : ndarray, shape (rehearsals, cells)
            Log of the relative intensity: of the pilot, and of the refit.
        area : ndarray, shape (cells,)
            Scored area of each cell.
        level : float
            Share of errors between the outer quantiles.
        """
        rank = np.stack([risk_percentile(row, area) for row in found])
        error = truth - found
        inside = [(rank >= low) & (rank <= high) for low, high in pairwise(STRATA)]
        used = [part for part in inside if part.any()]
        middle = np.array([rank[part].mean() for part in used])
        quantiles = np.array([np.quantile(error[part], with_middle(level)) for part in used]).T
        return cls(middle, quantiles)

    def at(self, percentile: np.ndarray) -> np.ndarray:
        """Quantiles at given ranks, shape (3, cells)."""
        return np.stack([np.interp(percentile, self.percentile, row) for row in self.quantiles])


def with_middle(level: float) -> tuple[float, float, float]:
    """Lower, middle and upper quantile of a level."""
    low, high = tails(level)
    return low, 0.5, high


def coupled(deviation: np.ndarray, quantiles: np.ndarray, level: float) -> np.ndarray:
    """Give replicates other quantiles and keep their order in every cell.

    The smallest replicate of a cell stays the smallest, so which cells are high together is as in
    the bootstrap (ensemble copula coupling: Schefzik, Thorarinsdottir & Gneiting 2013, Statistical
    Science 28(4)). New values follow two half-normal distributions that meet in the middle.

    Parameters
    ----------
    deviation : ndarray, shape (replicates, cells)
        Log-intensity of each replicate minus that of the estimate.
    quantiles : ndarray, shape (3, cells)
        Lower, middle and upper quantile to have.
    level : float
        Share of replicates between the outer quantiles.

    Returns
    -------
    ndarray, shape (replicates, cells)
        New deviations.
    """
    n = len(deviation)
    order = np.argsort(np.argsort(deviation, axis=0, kind="stable"), axis=0, kind="stable")
    low, middle, high = quantiles
    score = ndtri((np.arange(n) + 0.5) / n) / ndtri((1 + level) / 2)
    z = score[order]
    return middle + z * np.where(z > 0, high - middle, middle - low)
