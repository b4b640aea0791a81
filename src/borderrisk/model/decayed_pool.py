"""The decayed pool: places of earlier incidents that fade, what the ground explains, and even.

A linear pool of relative densities: earlier incidents, faded by several half-lives and smoothed by
two widths; a forest of the features; an even share. How much each counts is learned on the years
before the origin, each seen from what was known at its beginning.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.base import BaseEstimator

from borderrisk.errors import ConfigError
from borderrisk.model.cells import CellTable
from borderrisk.model.densities import Learned, Memory
from borderrisk.model.lessons import Made, School
from borderrisk.model.level import YEAR_DAYS, expected_level
from borderrisk.model.loglinear import Glm
from borderrisk.model.panel import Panel
from borderrisk.model.pool import Pool
from borderrisk.model.protocol import Count, Memo, NotNegative, Settings, model
from borderrisk.model.susceptibility import (
    FOREST,
    NONE,
    SHORT_RECORD,
    Evidence,
    age_years,
    check_ground,
    confidence,
    learned_ground,
    learned_loglinear,
)

# Pseudo-incidents of the parts: the first width and the others times the shares of the usual
# half-lives; the ground's forest and log-linear model; even.
FIRST_WIDTH, OTHER_WIDTHS, HALF_LIFE_SHARES = 5.0, 1.0, (0.4, 0.25, 0.2, 0.15)
GROUND_PRIOR, LOGLINEAR_PRIOR, EVEN_PRIOR = 4.0, 2.0, 0.5
# An incident that fades as fast as this is recent, years.
RECENT = 1.0
# A lesson needs so many incidents before it. Lessons reach back so many years, within bounds.
MIN_PAST, LESSON_YEARS, FEWEST_LESSONS, MOST_LESSONS = 8, 3, 5, 24


@model("decayed_pool")
class DecayedPool(Settings):
    """Parameters of the decayed pool.

    ``horizon_days`` is the length of the forecast; up to a year, lessons and the level are learned
    on periods as long. ``widths_km`` smooth earlier incidents besides their own radius (standard
    deviations), ``half_lives_years`` say how fast they fade (infinite: never). ``ground`` is
    ``forest`` (of ``n_estimators`` trees), ``none``, the name of a regressor among the entry points
    ``borderrisk.regressors``, or a scikit-learn regressor that takes sample weights. ``weights``
    are the shares of the parts, in the order of the fitted model, and ``penalty`` is the ridge
    penalty of the log-linear part; learned when None.
    """

    widths_km: Annotated[tuple[NotNegative, ...], Field(min_length=1)] = (3.0, 30.0)
    half_lives_years: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (
        np.inf, 3.0, 1.0, 0.25,
    )  # fmt: skip
    ground: str | BaseEstimator = FOREST
    n_estimators: Count = 100
    weights: tuple[NotNegative, ...] | None = None
    penalty: NotNegative | None = None

    def __post_init__(self) -> None:
        check_ground(self.ground)

    def learn(
        self, cells: CellTable, past: Panel, origin: pd.Timestamp, seed: int, memo: Memo
    ) -> Pool:
        """Fit on incidents that all lie before the origin."""
        evidence, weights = Evidence.of(cells, past, origin), self.weights
        # A refit has the parts of the fit that its weights are from, however many incidents it has.
        short = len(evidence) <= SHORT_RECORD
        if weights is not None:
            short = len(weights) == self._remembered + len(("ground", "loglinear", "even"))
        kinds = self._kinds(short)
        prior = self._prior(kinds)
        ground = _Ground(self, cells, kinds, seed, memo)
        if weights is None:
            school = School(
                cells, past, self.horizon_days, lessons_wanted(self.horizon_days), MIN_PAST,
                prior, ground.parts, seed, memo, ground.key,
            )  # fmt: skip
            weights = tuple(school.weights(origin).tolist())
        elif len(weights) != len(prior):
            raise ConfigError(
                f"Parameter weights of model {self.name}: one number is needed for each of its "
                f"{len(prior)} parts (got {len(weights)})."
            )
        level = expected_level(cells, past, origin, self.horizon_days)
        memory, learned = self.remember(cells, past, origin), ground.at(origin, evidence)
        fits = (part.estimator for part in learned)
        penalty = next((fit.alpha_ for fit in fits if isinstance(fit, Glm)), None)
        chosen = type(self)(**{**self.values(), "weights": weights, "penalty": penalty})
        return Pool.make(chosen, cells, level, weights, memory, learned)

    def remember(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> tuple[Memory, ...]:
        """Return earlier incidents, faded by every half-life."""
        weight, age = confidence(past), age_years(past, origin)
        faded = [past.mass.T @ (weight * 0.5 ** (age / life)) for life in self.half_lives_years]
        groups = tuple("recent" if t <= RECENT else "history" for t in self.half_lives_years)
        return (Memory(cells.grid, cells.mask, np.array(faded), tuple(self.widths_km), groups),)

    @property
    def _remembered(self) -> int:
        return len(self.widths_km) * len(self.half_lives_years)

    def _kinds(self, short: bool) -> tuple[str, ...]:
        """Models of the ground: one, and a log-linear one besides while the record is short."""
        if isinstance(self.ground, str) and self.ground == NONE:
            return ()
        return ("ground", "loglinear") if short else ("ground",)

    def _prior(self, kinds: tuple[str, ...]) -> np.ndarray:
        """Pseudo-incidents of every part."""
        lives = len(self.half_lives_years)
        shares = HALF_LIFE_SHARES if lives == len(HALF_LIFE_SHARES) else np.full(lives, 1 / lives)
        widths = [FIRST_WIDTH] + [OTHER_WIDTHS] * (len(self.widths_km) - 1)
        ground = {"ground": GROUND_PRIOR, "loglinear": LOGLINEAR_PRIOR}
        return np.array(
            [*np.outer(widths, shares).ravel(), *[ground[kind] for kind in kinds], EVEN_PRIOR]
        )


class _Ground:
    """Models of the ground by the day they were learned, kept in the memo."""

    def __init__(
        self, settings: DecayedPool, cells: CellTable, kinds: tuple[str, ...], seed: int, memo: Memo
    ):
        self.settings, self.cells, self.kinds = settings, cells, kinds
        self.seed, self.memo = seed, memo
        named = isinstance(settings.ground, str)
        self.called = settings.ground if named else id(settings.ground)
        self.key = (settings.widths_km, settings.half_lives_years, self.called,
                    settings.n_estimators, settings.penalty, seed, kinds)  # fmt: skip

    def parts(
        self, known: Panel, at: pd.Timestamp, learned_on: Panel, learned: pd.Timestamp
    ) -> Made:
        """Parts at the start of a lesson."""
        memory = self.settings.remember(self.cells, known, at)
        return memory, self.at(learned, Evidence.of(self.cells, learned_on, learned))

    def at(self, day: pd.Timestamp, evidence: Evidence) -> tuple[Learned, ...]:
        """Models of what was known on a day."""
        return tuple(self._kept(kind, day, evidence) for kind in self.kinds)

    def _kept(self, kind: str, day: pd.Timestamp, evidence: Evidence) -> Learned:
        own, called = self.settings, self.called if kind == "ground" else None
        key = (kind, called, own.n_estimators, own.penalty, self.seed, day)
        if key not in self.memo:
            if kind == "loglinear":
                found = learned_loglinear(self.cells, evidence, self.seed, own.penalty)
            else:
                found = learned_ground(
                    self.cells, evidence, own.ground, own.n_estimators, self.seed
                )
            self.memo[key] = found
        return self.memo[key]  # type: ignore[no-any-return]


def lessons_wanted(days: int) -> int:
    """How many periods before an origin teach its weights.

    Examples
    --------
    >>> lessons_wanted(30), lessons_wanted(90), lessons_wanted(365)
    (24, 12, 5)
    """
    return int(np.clip(round(LESSON_YEARS * YEAR_DAYS / days), FEWEST_LESSONS, MOST_LESSONS))
