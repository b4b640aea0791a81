"""How many incidents to expect: discounted counts of earlier periods, and how far they scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import gammaln
from scipy.stats import nbinom

from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.scores import DAYS_PER_YEAR, tails

# An incident counts as one of the study area if at least this much of its mass lies there.
MIN_IN_STUDY = 0.5
YEAR_DAYS = 365
# What a period keeps of its weight with each one that follows, by its length in days.
_RETENTION = {30: 0.6, 90: 0.45, YEAR_DAYS: 0.4}
_PSEUDO_COUNT = 0.5
_MOST_PERIODS, _MOST_SCORED, _FIRST_SCORED = 30, 15, 2
SIZES = np.array([0.5, 0.8, 1.2, 2, 3, 5, 8, 15, 50])
_SIZE_PRIOR, _SIZE_SPREAD = 1.2, 0.8


def retention(days: float) -> float:
    """Return what a period of so many days keeps of its weight with each one that follows.

    Examples
    --------
    >>> retention(30), retention(365), retention(730)
    (0.6, 0.4, 0.4)
    """
    known = np.log(list(_RETENTION))
    return float(np.interp(np.log(days), known, list(_RETENTION.values())))


def step_back(day: pd.Timestamp, days: int, periods: int) -> pd.Timestamp:
    """Return the day so many periods before: years of the calendar, or days.

    Examples
    --------
    >>> step_back(pd.Timestamp("2021-01-01"), 365, 1).date()
    datetime.date(2020, 1, 1)
    """
    if days >= YEAR_DAYS:
        return day - pd.DateOffset(years=periods)
    return day - pd.Timedelta(days=days * periods)


def ending_between(panel: Panel, start: pd.Timestamp, end: pd.Timestamp) -> Panel:
    """Return the incidents whose last possible day lies in ``[start, end)``: each in one period."""
    last = panel.incidents["date_end"]
    return panel.subset((last >= start) & (last < end))


@dataclass(frozen=True)
class Level:
    """The incidents to expect in the whole study area: a negative binomial.

    ``mean`` is per year; ``size`` is its shape ``k``: a mean of m has the variance m + m²/k.
    """

    mean: float
    size: float

    def interval(self, days: float, level: float) -> tuple[int, int]:
        """Predictive interval of the incidents of so many days."""
        return count_interval(self.mean * days / DAYS_PER_YEAR, self.size, level)


def count_interval(mean: float, size: float, level: float) -> tuple[int, int]:
    """Central interval of a negative binomial count; 0, 0 for a mean of nought."""
    if not mean > 0:
        return 0, 0
    low, high = (int(nbinom.ppf(q, size, size / (size + mean))) for q in tails(level))
    return low, high


def expected_level(cells: CellTable, past: Panel, origin: pd.Timestamp, days: int) -> Level:
    """Learn the level from the counts of the periods that end at an origin.

    Periods are as long as the forecast, a year at most; incidents count if they lie mostly in the
    study area.
    """
    counts = period_counts(cells, past, origin, days)
    kept = retention(days)
    years = days / DAYS_PER_YEAR if days < YEAR_DAYS else 1.0
    return Level(discounted_mean(counts, kept) / years, likely_size(counts, kept))


def period_counts(cells: CellTable, past: Panel, origin: pd.Timestamp, days: int) -> np.ndarray:
    """Confidence-weighted incidents of each period, the latest last; at most 30 periods."""
    if not len(past):
        return np.zeros(0)
    _, inside = past.home(cells)
    counted = past.subset(inside >= MIN_IN_STUDY).incidents
    first, last = past.incidents["date"].min(), counted["date_end"]
    ends = [origin]
    while len(ends) <= _MOST_PERIODS and ends[-1] > first:
        ends.append(step_back(origin, days, len(ends)))
    weight = counted["weight"].to_numpy(float)
    edges = pd.DatetimeIndex(ends[::-1])
    period = edges.searchsorted(last, side="right") - 1
    known = period >= 0
    return np.bincount(period[known], weight[known], minlength=len(ends) - 1)


def discounted_mean(counts: np.ndarray, kept: float) -> float:
    """Mean count of a period, later ones weighing more; half an incident where nothing is known.

    Examples
    --------
    >>> discounted_mean(np.array([0.0, 10.0]), 0.5)
    7.0
    """
    if not len(counts):
        return _PSEUDO_COUNT
    weight = kept ** np.arange(len(counts))[::-1]
    return float((counts @ weight + _PSEUDO_COUNT) / weight.sum())


def likely_size(counts: np.ndarray, kept: float) -> float:
    """Size under which the last periods would have been foreseen best from those before each.

    The posterior mode over ``SIZES``; few periods leave it at its prior.
    """
    score = -0.5 * (np.log(SIZES / _SIZE_PRIOR) / _SIZE_SPREAD) ** 2
    for j in range(max(_FIRST_SCORED, len(counts) - _MOST_SCORED), len(counts)):
        score += _log_chance(counts[j], discounted_mean(counts[:j], kept), SIZES)
    return float(SIZES[np.argmax(score)])


def _log_chance(count: float, mean: float, size: np.ndarray) -> np.ndarray:
    """Log of the negative binomial chance of a count, which may be a fraction."""
    total = size + mean
    chance = gammaln(count + size) - gammaln(size) - gammaln(count + 1)
    return chance + size * np.log(size / total) + count * np.log(mean / total)
