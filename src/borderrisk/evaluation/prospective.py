"""Tests of a forecast that are fixed before its period: number, places, sections, against history.

As in prospective earthquake forecasting (Schorlemmer et al. 2007, Seismological Research Letters
78(1); Zechar, Gerstenberger & Rhoades 2010, BSSA 100(3)), with counts that may cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import nbinom

from borderrisk.border.ranking import observed_by_segment
from borderrisk.evaluation import metrics
from borderrisk.evaluation.scorecard import REFERENCE, ClassCount, Plain
from borderrisk.model.level import Level
from borderrisk.scores import DAYS_PER_YEAR, PART_SIZE, expected_count

LAST_PERIOD = "last_period"
FORECAST, REHEARSAL = "forecast", "rehearsal"
LEVEL = 0.9
_DRAWS = 1000
AFTERWARDS = "afterwards"
_WHEN = ("by its first day", "within its period", AFTERWARDS)


@dataclass(frozen=True, kw_only=True)
class Issued(Plain):
    """One forecast: ``expected`` incidents with the 90 % interval ``low`` to ``high``.

    ``made`` is the day it was frozen, blank for a rehearsal; ``source`` is its folder's name.
    """

    origin: str
    days: int
    expected: float
    low: int
    high: int
    made: str = ""
    source: str = ""

    @property
    def end(self) -> pd.Timestamp:
        """First day after the period."""
        return pd.Timestamp(self.origin) + pd.Timedelta(days=self.days)

    @property
    def frozen(self) -> str:
        """When it was frozen: ``by its first day``, ``within its period``, ``afterwards``."""
        made = pd.Timestamp(self.made or self.origin)
        return _WHEN[int(made > pd.Timestamp(self.origin)) + int(made >= self.end)]


@dataclass(frozen=True, kw_only=True)
class Period(Issued):
    """One forecast and what came of it: a row of the track record.

    ``reported`` incidents, and ``at_most``, the chance of no more than that (number test).
    ``bits`` are per incident over even, of the forecast, of history alone and of last period's
    counts; ``places`` is the share of drawn sets of as many incidents that fit the forecast no
    better (spatial test: below 0.05 says that the places were others than forecast); ``captured``
    the share of incidents in the tenth of the area ranked first. Without incidents these are None.
    ``section_score`` is the mean CRPS of the counts behind the sections of border, of the forecast
    and of history alone. ``classes`` are expected and reported incidents by risk class. ``until``
    is the day before which the record was read.
    """

    kind: str
    until: str
    reported: int
    at_most: float
    bits: float | None = None
    history_bits: float | None = None
    last_bits: float | None = None
    places: float | None = None
    captured: float | None = None
    section_score: float | None = None
    history_section_score: float | None = None
    classes: tuple[ClassCount, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the reported number lies in the interval."""
        return self.low <= self.reported <= self.high

    @property
    def over_history(self) -> float | None:
        """Bits per incident over history alone."""
        known = self.bits is not None and self.history_bits is not None
        return self.bits - self.history_bits if known else None  # type: ignore[operator]


@dataclass(frozen=True)
class Said:
    """What a forecast said, on the study cells: intensity by model, and its own level.

    ``name`` is the model that is tested; ``line`` (study cells, sections) the share of each cell
    that belongs to each section of border.
    """

    name: str
    intensity: dict[str, np.ndarray]
    level: Level
    risk_class: np.ndarray
    area: np.ndarray
    days: int
    line: csr_matrix | None = None


def judged(said: Said, mass: csr_matrix, weight: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Return what a :class:`Period` says of a forecast and the incidents of its time.

    ``mass`` (incidents, study cells) has rows that sum to 1, ``weight`` is their confidence:
    expectations are of weighted counts.
    """
    happened = np.asarray(mass.T @ weight).ravel()
    expected = said.level.mean * said.days / DAYS_PER_YEAR
    low, high = said.level.interval(said.days, LEVEL)
    reported = round(float(weight.sum()))
    own = said.intensity[said.name]
    found: dict[str, Any] = {
        "expected": expected, "low": low, "high": high, "reported": reported,
        "at_most": count_chance(reported, expected, said.level.size),
        "classes": tuple(
            metrics.class_counts(_counts(own, said), happened, said.risk_class, LEVEL)
        ),
    }  # fmt: skip
    if said.line is not None:
        observed = observed_by_segment(said.line, happened)
        for key, name in (("section_score", said.name), ("history_section_score", REFERENCE)):
            if name in said.intensity:
                found[key] = section_score(said.line.T @ _counts(said.intensity[name], said),
                                           observed)  # fmt: skip
    if mass.shape[0]:
        for key, name in (
            ("bits", said.name), ("history_bits", REFERENCE), ("last_bits", LAST_PERIOD)
        ):  # fmt: skip
            if name in said.intensity:
                bits = metrics.information_gain(said.intensity[name], said.area, mass)
                found[key] = float(bits.mean())
        found["captured"] = float(metrics.capture(own, said.area, mass, 0.1).mean())
        found["places"] = spatial_quantile(own * said.area, mass, seed)
    return found


def _counts(intensity: np.ndarray, said: Said) -> np.ndarray:
    return expected_count(intensity, said.area, said.days)


def count_chance(reported: int, expected: float, size: float) -> float:
    """Chance of no more than so many incidents, of a negative binomial count.

    Examples
    --------
    >>> round(count_chance(0, 1.0, 1.0), 3)
    0.5
    """
    return float(nbinom.cdf(reported, size, size / (size + expected)))


def section_score(expected: np.ndarray, observed: np.ndarray) -> float:
    """Mean CRPS of the counts behind the sections of border, in incidents."""
    scores = [
        metrics.count_score(seen, mean, PART_SIZE)
        for seen, mean in zip(observed, expected, strict=True)
    ]
    return float(np.mean(scores))


def spatial_quantile(expected: np.ndarray, mass: csr_matrix, seed: int = 0) -> float:
    """Share of drawn sets of incidents whose places are no likelier than the reported ones.

    As many incidents as were reported are drawn from the forecast, and each reported one from its
    own disc, as often: a place known to 25 km is no point. Incidents of the same day and place
    count as often as they were reported, so clusters lower the share.
    """
    rng = np.random.default_rng(seed)
    density = np.maximum(expected, 1e-300) / np.maximum(expected, 1e-300).sum()
    log = np.log(density)
    drawn = rng.choice(log, (_DRAWS, mass.shape[0]), p=density).sum(axis=1)
    reported = np.zeros(_DRAWS)
    for row in range(mass.shape[0]):
        part = slice(mass.indptr[row], mass.indptr[row + 1])
        share = mass.data[part]
        reported += rng.choice(log[mass.indices[part]], _DRAWS, p=share / share.sum())
    return float(np.mean(drawn <= reported))


def cumulated(periods: Sequence[Period]) -> list[float]:
    """Bits over history alone, all incidents together, after each period in order of time."""
    gains = [(p.over_history or 0.0) * p.reported for p in periods]
    return [float(total) for total in np.cumsum(gains)]
