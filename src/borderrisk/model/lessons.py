"""Lessons of earlier periods: what each part of a pool said before one, against what it brought."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from borderrisk.model.cells import CellTable
from borderrisk.model.densities import Learned, Remembered, densities
from borderrisk.model.estimator import chances
from borderrisk.model.level import MIN_IN_STUDY, YEAR_DAYS, ending_between, step_back
from borderrisk.model.panel import Panel
from borderrisk.model.pool import learn_weights
from borderrisk.model.protocol import Memo
from borderrisk.model.susceptibility import confidence

# Lessons are read on a part of the cells where there are more.
MOST_CELLS = 10_000
# Parts of a pool from what was known at a time, and from what the ground was learned on.
Made = tuple[Remembered, tuple[Learned, ...]]
Parts = Callable[[Panel, pd.Timestamp, Panel, pd.Timestamp], Made]


class Lesson(NamedTuple):
    """Relative densities where something happened then, and how much did."""

    density: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class School:
    """Learns the weights of a pool from lessons: periods before an origin and what came in them.

    A lesson is ``days`` long, a year at most; there are ``lessons`` at most, each with at least
    ``least`` incidents before it. ``prior`` are the pseudo-incidents of every part that ``parts``
    makes; ``seed`` draws the part of the cells that lessons are read on. ``memo`` keeps lessons for
    other origins, and ``key`` tells these parts from others in it.
    """

    cells: CellTable
    past: Panel
    days: int
    lessons: int
    least: int
    prior: np.ndarray
    parts: Parts
    seed: int
    memo: Memo
    key: tuple[Any, ...]

    def weights(self, origin: pd.Timestamp) -> np.ndarray:
        """Shares of the parts, learned on the periods before the origin."""
        found = []
        for k in range(1, self.lessons + 1):
            start = step_back(origin, self.days, k)
            if (self.past.incidents["date_end"] < start).sum() < self.least:
                break
            found.append(self.lesson(start, step_back(origin, self.days, k - 1)))
        return self._settled([lesson for lesson in found if len(lesson.counts)])

    def _settled(self, lessons: Sequence[Lesson]) -> np.ndarray:
        if not lessons:
            return self.prior / self.prior.sum()
        density = np.concatenate([lesson.density for lesson in lessons])
        counts = np.concatenate([lesson.counts for lesson in lessons])
        return learn_weights(density, counts, self.prior)

    def lesson(self, start: pd.Timestamp, end: pd.Timestamp) -> Lesson:
        """Return the lesson of one period."""
        key = ("lesson", *self.key, start, end)
        if key not in self.memo:
            self.memo[key] = self._lesson(start, end)
        return self.memo[key]  # type: ignore[no-any-return]

    def _lesson(self, start: pd.Timestamp, end: pd.Timestamp) -> Lesson:
        counts = arrivals(self.cells, ending_between(self.past, start, end))
        if not counts.any():
            return Lesson(np.zeros((0, len(self.prior))), np.zeros(0))
        # The lessons of a year share what was learned of the ground at its beginning.
        short = self.days < YEAR_DAYS
        learned = pd.Timestamp(year=start.year, month=1, day=1) if short else start
        known = self.past.before(start)
        memory, ground = self.parts(known, start, known.before(learned), learned)
        study = np.flatnonzero(self.cells.study)
        area = self.cells.study_area_100km2[study]
        keep = np.ones(len(study))
        if len(study) > MOST_CELLS:
            keep = chances(area, counts, MOST_CELLS)
        read = np.flatnonzero(np.random.default_rng(self.seed).uniform(size=len(keep)) < keep)
        density = densities(self.cells, memory, ground, study[read])
        weight = area[read] / keep[read]
        mean = weight @ density / weight.sum()
        relative = np.divide(density, mean, out=np.zeros_like(density), where=mean > 0)
        some = counts[read] > 0
        return Lesson(relative[some], (counts[read] / keep[read])[some])


def arrivals(cells: CellTable, panel: Panel) -> np.ndarray:
    """Soft counts of the study cells, of incidents that lie mostly there."""
    mass, inside = panel.home(cells)
    kept = np.flatnonzero(inside >= MIN_IN_STUDY)
    return np.asarray(mass[kept].T @ (confidence(panel)[kept] / inside[kept])).ravel()
