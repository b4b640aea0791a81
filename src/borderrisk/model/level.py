"""How many incidents to expect: earlier ones that fade, and how far such forecasts were off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import gammaln
from scipy.stats import gamma

from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.scores import DAYS_PER_YEAR, count_bounds

# An incident counts as one of the study area if at least this much of its mass lies there.
MIN_IN_STUDY = 0.5
YEAR_DAYS = 365
_DAY = pd.Timedelta(days=1)
# For a forecast of a year: half-life of what an incident says of the level, days, and the size of
# the negative binomial that most borders have. The half-life goes with the root of the forecast's
# length, the size is the larger the shorter it is.
_HALF_LIFE, _SIZE = 120.0, 2.0
# A slower pace counts as so many incidents besides, so that a quiet season is no end.
_SLOW_HALF_LIFE, _SLOW_COUNT, _PSEUDO_COUNT = 730.0, 2.0, 0.25
# The size is learned from earlier periods, each counting this much less than the one after it.
_MOST_PERIODS, _KEPT, _SIZE_SPREAD = 30, 0.8, 0.5
SIZES = np.geomspace(0.5, 50, 41)


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
        low, high = count_bounds(self.mean * days / DAYS_PER_YEAR, level, self.size)
        return int(low), int(high)


def expected_level(cells: CellTable, past: Panel, origin: pd.Timestamp, days: int) -> Level:
    """Learn the level from the incidents before an origin that lie mostly in the study area.

    The shorter the forecast the shorter the memory, and the closer the last weeks are followed.
    Incidents count by their confidence.
    """
    pace = _pace(cells, past, origin, days)
    usual = _SIZE / _length(days) ** (2 / 3)
    return Level(
        DAYS_PER_YEAR * pace.rate(0.0), likely_size(list(_periods(pace, origin, days)), usual)
    )


def possible_means(
    cells: CellTable, past: Panel, origin: pd.Timestamp, days: int, count: int,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Draw means that the level may have, as multiples of :func:`expected_level`'s.

    The rate of counts that fade has a gamma posterior whose shape is their sum, the prior's
    included (West & Harrison 1997, Bayesian Forecasting and Dynamic Models, ch. 10 on discounting).
    Even quantiles in random order, shape (count,).
    """
    shape = _pace(cells, past, origin, days).known_by()
    quantiles = gamma.ppf((np.arange(count) + 0.5) / count, shape) / shape
    return rng.permutation(quantiles)


def _length(days: int) -> float:
    """Years, at most one."""
    return min(days, YEAR_DAYS) / YEAR_DAYS


def _pace(cells: CellTable, past: Panel, origin: pd.Timestamp, days: int) -> Pace:
    return Pace.of(cells, past, origin, _HALF_LIFE * np.sqrt(_length(days)))


@dataclass(frozen=True)
class Pace:
    """Incidents of a study area by their age at an origin, in days, and how long they count.

    ``known`` is the age of the record; ``half_life`` is in days, too.
    """

    age: np.ndarray
    weight: np.ndarray
    known: float
    half_life: float

    @classmethod
    def of(cls, cells: CellTable, past: Panel, origin: pd.Timestamp, half_life: float) -> Pace:
        """Read the incidents that lie mostly in the study area."""
        if not len(past):
            return cls(np.zeros(0), np.zeros(0), np.inf, half_life)
        _, inside = past.home(cells)
        counted = past.subset(inside >= MIN_IN_STUDY).incidents
        age = (origin - counted["date_end"]).dt.days.to_numpy(float)
        known = (origin - past.incidents["date"].min()) / _DAY
        return cls(age, counted["weight"].to_numpy(float), known, half_life)

    def rate(self, ago: float) -> float:
        """Incidents a day to expect, from what was known so many days before the origin.

        What an incident says fades by half with each half-life. The pace of a longer half-life is
        the mean of a gamma prior that counts as a few incidents: it decides where few are recent.
        """
        faded, memory = self._faded(ago, self.half_life)
        long_faded, long_memory = self._faded(ago, _SLOW_HALF_LIFE)
        slow = (long_faded + _PSEUDO_COUNT) / long_memory
        return (faded + _SLOW_COUNT) / (memory + _SLOW_COUNT / slow)

    def known_by(self) -> float:
        """Incidents that the rate at the origin rests on: those that count, and the prior's."""
        return self._faded(0.0, self.half_life)[0] + _SLOW_COUNT

    def _faded(self, ago: float, half_life: float) -> tuple[float, float]:
        """Incidents that still count, and the days of the record that do.

        A record shorter than the pace's half-life counts as one of that length.
        """
        fading = np.log(2) / half_life
        earlier = self.age > ago
        faded = self.weight[earlier] @ np.exp(-fading * (self.age[earlier] - ago))
        record = max(self.known - ago, self.half_life)
        return float(faded), float(-np.expm1(-fading * record) / fading)

    def count(self, first: float, last: float) -> float:
        """Incidents between two ages, the older first."""
        return float(self.weight[(self.age <= first) & (self.age > last)].sum())


def _periods(pace: Pace, origin: pd.Timestamp, days: int) -> Iterator[tuple[float, float]]:
    """Yield what was expected of each earlier period, and what it brought; the latest first."""
    last = 0.0
    for j in range(1, _MOST_PERIODS + 1):
        first = (origin - step_back(origin, days, j)) / _DAY
        # Of a record that had lasted no two periods, nothing could be expected.
        if pace.known - first < 2 * (first - last):
            return
        yield pace.rate(first) * (first - last), pace.count(first, last)
        last = first


def likely_size(periods: Sequence[tuple[float, float]], usual: float) -> float:
    """Size under which earlier periods would have been foreseen best, the last ones above all.

    The posterior mode over ``SIZES`` given what was expected of each period and what came, the
    latest first; few periods leave it at the usual one.
    """
    score = -0.5 * (np.log(SIZES / usual) / _SIZE_SPREAD) ** 2
    for j, (mean, count) in enumerate(periods):
        score += _KEPT**j * _log_chance(count, mean, SIZES)
    return float(SIZES[np.argmax(score)])


def _log_chance(count: float, mean: float, size: np.ndarray) -> np.ndarray:
    """Log of the negative binomial chance of a count, which may be a fraction."""
    total = size + mean
    chance = gammaln(count + size) - gammaln(size) - gammaln(count + 1)
    return chance + size * np.log(size / total) + count * np.log(mean / total)
