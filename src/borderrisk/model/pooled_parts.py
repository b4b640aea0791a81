"""Steps of the pooled model: level, recurrence, bandwidth, weights, reporting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, diags_array
from scipy.special import xlogy

from borderrisk.errors import DataError
from borderrisk.features.catalogue import feature, is_feature
from borderrisk.model.cells import CellTable
from borderrisk.model.estimator import chances
from borderrisk.model.panel import RADIUS_PER_SIGMA, Panel

DAYS_PER_YEAR = 365.25
WINDOWS_YEARS = (1, 2, 3, 5, 8, 12)
BANDWIDTHS_KM = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 60.0, 80.0, 120.0)
KDE_FLOOR = 0.02
REPORTING_GROUP = "settlement"
_MOST_SCORED = 500


def years_before(origin: pd.Timestamp, dates: pd.Series) -> np.ndarray:
    """Age of each date at the origin, in years."""
    return np.asarray((origin - dates).dt.total_seconds() / (86_400 * DAYS_PER_YEAR))


def annual_rate(panel: Panel, origin: pd.Timestamp) -> float:
    """Incidents per year to expect after the origin, from those before it.

    The mean of the last few years; how many is chosen by how well it would have forecast each
    earlier year (Poisson likelihood), since records grow and conflicts change pace.

    Parameters
    ----------
    panel : Panel
        Incidents before the origin.
    origin : pandas.Timestamp
        Date of the forecast.
    """
    age = years_before(origin, panel.incidents["date"])
    if not len(age):
        return 0.0
    record = max(float(age.max()), 1.0)
    per_year = np.bincount(np.maximum(np.ceil(age).astype(int) - 1, 0))[: int(record)]
    scores = {}
    for window in WINDOWS_YEARS:
        if window <= record:
            scores[window] = _forecast_score(per_year, window)
    best = max(scores, key=lambda w: (scores[w], w)) if len(per_year) > 3 else record
    return max(float((age <= best).sum() / best), 0.5 / record)


def _forecast_score(per_year: np.ndarray, window: int) -> float:
    """Poisson log-likelihood of each year given the mean of the ones before it (0 = latest)."""
    total = 0.0
    for k in range(len(per_year) - 1):
        past = per_year[k + 1 : k + 1 + window]
        mean = (past.sum() + 0.5) / len(past)
        total += float(xlogy(per_year[k], mean) - mean)
    return total


def first_occurrence(panel: Panel, reach_km: float) -> np.ndarray:
    """Weight of each incident as evidence about places, not about recurrence.

    One over one plus the number of earlier incidents around it (a Gaussian count), so that a town
    with twenty incidents says little more about what makes a place likely than one with two. A
    simple form of the stochastic declustering of Zhuang, Ogata & Vere-Jones 2002, JASA 97(458).

    Returns
    -------
    ndarray of float64, shape (incidents,)
    """
    table = panel.incidents
    xy = table[["x", "y"]].to_numpy() / 1000
    date = table["date"].to_numpy()
    square = ((xy[:, None, :] - xy[None, :, :]) ** 2).sum(axis=-1)
    earlier = date[None, :] < date[:, None]
    return 1 / (1 + (np.exp(-square / (2 * reach_km**2)) * earlier).sum(axis=1))


def own_sigma_km(panel: Panel, bandwidth_km: float) -> np.ndarray:
    """Bandwidth of each incident: its own location error and a fixed part, in km."""
    own = panel.incidents["radius_km"].to_numpy(float) / RADIUS_PER_SIGMA
    floor = max(bandwidth_km, panel.grid.cell_size_m / 2000)
    return np.hypot(own, floor)


def best_bandwidth(cells: CellTable, panel: Panel) -> float:
    """Bandwidth of a one-bandwidth KDE under which each incident is best foreseen by the others.

    Leave-one-out likelihood on the soft mass (Habbema, Hermans & van den Broek 1974).

    Parameters
    ----------
    cells : CellTable
        Where the density is read.
    panel : Panel
        Incidents before the origin.

    Returns
    -------
    float
        One of ``BANDWIDTHS_KM``; the middle one with fewer than three incidents.
    """
    if len(panel) < 3:
        return BANDWIDTHS_KM[len(BANDWIDTHS_KM) // 2]
    if len(panel) > _MOST_SCORED:
        panel = panel.take(np.linspace(0, len(panel) - 1, _MOST_SCORED).astype(int))
    mass = panel.mass.tocoo()
    xy = cells.x[["x_km", "y_km"]].to_numpy()
    source = panel.incidents[["x", "y"]].to_numpy() / 1000
    weight = panel.incidents["weight"].to_numpy(float)
    cell, place = np.unique(mass.col, return_inverse=True)
    square = ((xy[cell][:, None, :] - source[None]) ** 2).sum(axis=-1)
    scores = []
    for bandwidth in BANDWIDTHS_KM:
        kernel = np.exp(-square / (2 * bandwidth**2)) / (2 * np.pi * bandwidth**2)
        others = kernel @ weight
        density = others[place] - kernel[place, mass.row] * weight[mass.row]
        even = weight.sum() / (cells.area_100km2.sum() * 100)
        score = np.log((1 - KDE_FLOOR) * density + KDE_FLOOR * even)
        scores.append(float((weight[mass.row] * mass.data) @ score))
    return BANDWIDTHS_KM[int(np.argmax(scores))]


def thinned(
    cells: CellTable, panel: Panel, most: int, random_state: Any
) -> tuple[CellTable, Panel]:
    """Keep about ``most`` cells, most of them where incidents may have been.

    What is kept counts for more by the inverse of its chance, so that areas and counts are unbiased
    (as in :func:`borderrisk.model.estimator.thin`).

    Returns
    -------
    CellTable, Panel
        As given if there are few cells. Otherwise the table's mask still holds all of them, and
        rows of the mass sum to 1 on average only.
    """
    if len(cells) <= most:
        return cells, panel
    keep = chances(cells.area_100km2, panel.counts(), most)
    index = np.flatnonzero(np.random.default_rng(random_state).uniform(size=len(keep)) < keep)
    part = replace(
        cells,
        x=cells.x.iloc[index].reset_index(drop=True),
        area_100km2=cells.area_100km2[index] / keep[index],
        exposure=cells.exposure[index],
    )
    mass = csr_matrix(panel.mass[:, index] @ diags_array(1 / keep[index]))
    return part, replace(panel, mass=mass)


def mixture_weights(
    densities: np.ndarray, counts: np.ndarray, prior: np.ndarray, iterations: int = 200
) -> np.ndarray:
    """Shares of a linear pool that best explain what happened next.

    Parameters
    ----------
    densities : ndarray, shape (events, parts)
        Relative density of each part where something happened, from before it happened.
    counts : ndarray, shape (events,)
        How much each of them counts.
    prior : ndarray, shape (parts,)
        Pseudo-incidents of each part.

    Returns
    -------
    ndarray, shape (parts,)
        Sum to 1; the posterior mode by expectation-maximisation (Dempster, Laird & Rubin 1977,
        JRSS B 39(1); linear pooling: Stone 1961).

    Examples
    --------
    >>> mixture_weights(np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([3.0, 1.0]), np.zeros(2))
    array([0.75, 0.25])
    """
    share = prior / prior.sum() if prior.sum() > 0 else np.full(len(prior), 1 / len(prior))
    for _ in range(iterations):
        new = share * (densities.T @ (counts / np.maximum(densities @ share, 1e-300))) + prior
        new /= new.sum()
        if np.abs(new - share).max() < 1e-6:
            return new
        share = new
    return share


def learning_origins(
    panel: Panel, origin: pd.Timestamp, most: int, min_past: int
) -> list[pd.Timestamp]:
    """Anniversaries before the origin with enough incidents before each, oldest first."""
    found = []
    for k in range(1, most + 1):
        earlier = origin - pd.DateOffset(years=k)
        if (panel.incidents["date_end"] < earlier).sum() < min_past:
            break
        found.append(earlier)
    return found[::-1]


def reporting_columns(table: pd.DataFrame) -> list[str]:
    """Columns that stand for reporting effort: settlements and the people around."""
    names = [str(name) for name in table.columns]
    return [n for n in names if is_feature(n) and feature(n).group == REPORTING_GROUP]


def require_past(panel: Panel, origin: pd.Timestamp, least: int = 1) -> Panel:
    """Return the incidents before an origin.

    Raises
    ------
    DataError
        If there are fewer than ``least``.
    """
    past = panel.before(origin)
    if len(past) < least:
        raise DataError(
            f"Origin {origin:%Y-%m-%d} has {len(past)} incident(s) before it, at least {least} "
            "needed; choose a later origin or lower min_past_incidents."
        )
    return past
