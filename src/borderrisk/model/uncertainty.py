"""Intervals of probability and rank from a bootstrap of the incidents and their locations."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from borderrisk.compute import map_parallel, one_thread
from borderrisk.errors import ConfigError
from borderrisk.model.cells import CellTable
from borderrisk.model.level import possible_means
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Fitted, Settings, require_past
from borderrisk.model.rehearsal import (
    Errors,
    contrasts,
    coupled,
    log_relative,
    pilots,
    sharp,
    sharpened,
    simulate,
    with_middle,
)
from borderrisk.scores import expected_count, probability, risk_percentile, tails

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Job = Callable[[], np.ndarray]
_FILE = "intervals.npz"
# Rounds of short rehearsals that find the contrast of the pilots, then one long one.
ROUNDS, SHORT, LONG = 2, 6, 24
# Refits should reach this times the model's own contrast, broad and local. What is local in a pilot
# is what the model could find, so refits find more of it than they would of a truth as sharp (how
# much more, on worlds of known truth); of what is broad a model finds nearly all.
FOUND_MORE = np.array([1.0, 1.25])
# Refits of one task, and cells worked on at a time.
_BATCH, _CHUNK = 5, 20_000


@dataclass(frozen=True)
class Intervals:
    """Bounds of every scored cell, in the order of ``cells.study``.

    Attributes
    ----------
    probability_low, probability_high : ndarray of float64, shape (study cells,)
        Bounds of the chance of an incident within the horizon; the estimate lies between them.
    expected_low, expected_high : ndarray of float64, shape (study cells,)
        Bounds of the incidents to expect within the horizon.
    rank_low, rank_high : ndarray of int32, shape (study cells,)
        Best and worst rank of the intensity, 1 = highest; the estimate's rank lies between them.
    replicates : ndarray of float32, shape (replicates, study cells)
        Possible intensities, incidents per 100 km² per year.
    level : float
        Probability that an interval aims to cover.
    """

    probability_low: np.ndarray
    probability_high: np.ndarray
    expected_low: np.ndarray
    expected_high: np.ndarray
    rank_low: np.ndarray
    rank_high: np.ndarray
    replicates: np.ndarray
    level: float


def bootstrap_intervals(
    fitted: Fitted,
    cells: CellTable,
    panel: Panel,
    origin: Any,
    *,
    replicates: int,
    level: float,
    horizon_days: float,
    seed: int,
    scheduler: str = "threads",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Intervals:
    """Refit a model on resampled incidents at redrawn locations.

    Parameters
    ----------
    fitted : Fitted
        The fit on all incidents of the panel before the origin.
    cells : CellTable
        Cells of the domain.
    panel : Panel
        Incidents; only those wholly before the origin are used.
    origin : date
        Date of the forecast.
    replicates : int
        Number of refits.
    level : float
        Probability that each interval aims to cover, such as 0.9.
    horizon_days : float
        Length of the forecast.
    seed : int
        Same seed, same intervals, however many workers.
    scheduler, workers
        As for :func:`borderrisk.compute.map_parallel`.
    progress : callable, optional
        Told ``(done, total)`` refits, rehearsals included.

    Raises
    ------
    ConfigError
        If ``replicates`` is below 2 or ``level`` not between 0 and 1.
    DataError
        If no incident lies before the origin.

    Notes
    -----
    A replicate is one possible truth. It has a Poisson number of incidents drawn with replacement
    (Cowling, Hall & Phillips 1996, JASA 91), each at a place drawn from its disc and from then on
    taken as known, so that the average over replicates is the mass the model was given. What the
    full fit chose, such as the weights of a pool, is kept.

    The spread of such replicates leaves out the bias of smoothing and penalties. They are
    therefore moved apart, on log-intensity and around the estimate, to the quantiles of the errors
    made in rehearsals (:mod:`borderrisk.model.rehearsal`), pooled over cells of like rank; nowhere
    do they come closer than they were. The level, the mean intensity of the study area, is drawn
    from its posterior (:func:`borderrisk.model.level.possible_means`). Intervals are thus not
    centred on the estimate: where the model draws a high cell to the mean they reach further up
    than down. They are widened to hold the estimate where they would not.

    What they do not know: a change of pace or of tactics after the origin, a predictor that is
    missing, incidents that were never reported, and incidents that set off others.
    """
    _check(replicates, level)
    origin = pd.Timestamp(origin)
    refit = Refit(fitted.settings, cells, require_past(panel, origin), origin)
    seeds = np.random.SeedSequence(seed).spawn(3 + ROUNDS)
    total = replicates + ROUNDS * SHORT + LONG
    crew = _Crew(scheduler, workers, replicates, _Counter(progress, total))
    everywhere = fitted.intensity(cells)
    point, area = everywhere[cells.study], cells.study_area_100km2[cells.study]
    refits = _refits(pilots(fitted, cells), point, refit, seeds, crew)
    means = possible_means(
        cells, refit.past, origin, fitted.settings.horizon_days, replicates,
        np.random.default_rng(seeds[-1]),
    )  # fmt: skip
    drawn = calibrated(point, refits, means * np.average(point, weights=area), area, level)
    return summarise(point, drawn, area, level, horizon_days)


def _check(replicates: int, level: float) -> None:
    if replicates < 2:
        raise ConfigError(f"uncertainty.replicates must be at least 2 (got {replicates}).")
    if not 0 < level < 1:
        raise ConfigError(f"uncertainty.level must lie between 0 and 1 (got {level}).")


@dataclass(frozen=True)
class Refit:
    """Everything a refit needs but its incidents and seed."""

    settings: Settings
    cells: CellTable
    past: Panel
    origin: pd.Timestamp

    def __call__(self, sample: Panel, seed: int) -> np.ndarray:
        """Return the intensity of the study cells, float32."""
        model = self.settings.fit(self.cells, sample, self.origin, seed)
        return model.intensity(self.cells)[self.cells.study].astype(np.float32)


def replicate(refit: Refit, seed: np.random.SeedSequence, number: int) -> np.ndarray:
    """Return the intensity of the study cells from resampled incidents, float32."""
    # The seed that spawn() would give to this number, whoever asks first.
    own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))
    rng = np.random.default_rng(own)
    sample = one_truth(refit.past, rng)
    return refit(sample, _whole(rng))


def rehearse(refit: Refit, pilot: np.ndarray, seed: np.random.SeedSequence) -> np.ndarray:
    """Return the intensity of the study cells from incidents simulated from a pilot, float32."""
    rng = np.random.default_rng(seed)
    sample = simulate(refit.past, pilot, refit.cells, rng)
    return refit(sample, _whole(rng))


def _whole(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


class Refits(NamedTuple):
    """Intensities of the study cells under every refit, and what the rehearsed ones should find.

    Attributes
    ----------
    drawn : ndarray of float32, shape (replicates, study cells)
        From resampled incidents.
    found : ndarray of float32, shape (rehearsals, study cells)
        From simulated incidents.
    truth : ndarray, shape (rehearsals, study cells)
        What those were simulated from, in relative units.
    pilot : ndarray of int, shape (rehearsals,)
        The number of the pilot that it is of.
    """

    drawn: np.ndarray
    found: np.ndarray
    truth: np.ndarray
    pilot: np.ndarray


def _refits(
    truths: Sequence[np.ndarray],
    own: np.ndarray,
    refit: Refit,
    seeds: Sequence[np.random.SeedSequence],
    crew: _Crew,
) -> Refits:
    """Refit on everything; each round of rehearsals shares its workers with some replicates."""
    cells, exponents = refit.cells, [np.ones(2)] * len(truths)
    drawn: list[np.ndarray] = []
    wanted = FOUND_MORE * contrasts(own, cells)
    sizes = [*[SHORT] * ROUNDS, LONG]
    shares = np.array_split(np.arange(crew.replicates), len(sizes))
    for k, (size, share) in enumerate(zip(sizes, shares, strict=True)):
        worlds = [sharp(t, cells, e) for t, e in zip(truths, exponents, strict=True)]
        turn = np.arange(size) % len(worlds)
        practice = zip(turn, seeds[1 + k].spawn(size), strict=True)
        jobs = [partial(rehearse, refit, worlds[i], seed) for i, seed in practice]
        rows = crew.map(jobs + [partial(replicate, refit, seeds[0], int(i)) for i in share])
        found = np.stack(rows[:size])
        drawn += rows[size:]
        if k < ROUNDS:
            reached = np.stack([contrasts(row, cells) for row in found])
            exponents = [sharpened(e, wanted, reached[turn == n]) for n, e in enumerate(exponents)]
    powers = ", ".join(f"{broad:.2f} broadly, {local:.2f} locally" for broad, local in exponents)
    log.debug("intervals: pilots to the power %s", powers)
    truth = np.stack([worlds[i][cells.study] for i in turn])
    return Refits(np.stack(drawn), found, truth, turn)


def calibrated(
    point: np.ndarray, refits: Refits, means: np.ndarray, area: np.ndarray, level: float
) -> np.ndarray:
    """Move replicates to the quantiles of rehearsed errors, but never closer together.

    Nothing says which pilot is like the truth: the widest errors count.

    Parameters
    ----------
    point : ndarray, shape (study cells,)
        Intensity of the estimate.
    refits : Refits
        Replicates and rehearsals.
    means : ndarray, shape (replicates,)
        Mean intensity that each replicate is given.
    area : ndarray, shape (study cells,)
        Scored area of each cell.
    level : float
        Probability that an interval aims to cover.

    Returns
    -------
    ndarray of float32, shape (replicates, study cells)
        Intensities.
    """
    log_point = log_relative(point, area)
    truth, found = _shapes(refits.truth, area), _shapes(refits.found, area)
    rank = risk_percentile(log_point, area)
    each = [
        Errors.fit(truth[refits.pilot == k], found[refits.pilot == k], area, level).at(rank)
        for k in np.unique(refits.pilot)
    ]
    lowest, middles, highest = np.stack(each, axis=1)
    rehearsed = np.stack([lowest.min(axis=0), middles.mean(axis=0), highest.max(axis=0)])
    shapes = _shapes(refits.drawn, area) - log_point
    out = np.empty_like(refits.drawn)
    for start in range(0, out.shape[1], _CHUNK):
        part = slice(start, start + _CHUNK)
        plain = np.quantile(shapes[:, part], with_middle(level), axis=0)
        low, middle, high = rehearsed[:, part]
        wide = np.stack([np.minimum(low, plain[0]), middle, np.maximum(high, plain[2])])
        moved = log_point[part] + coupled(shapes[:, part], wide, level)
        out[:, part] = np.exp(moved)
    out *= (means * area.sum() / (out @ area))[:, None].astype(np.float32)
    return out


def _shapes(rows: np.ndarray, area: np.ndarray) -> np.ndarray:
    return np.stack([log_relative(row, area) for row in rows])


def one_truth(past: Panel, rng: np.random.Generator) -> Panel:
    """Return a Poisson number of incidents drawn with replacement, each at one known place."""
    count = max(1, int(rng.poisson(len(past))))
    sample = past.take(rng.integers(0, len(past), count)).redraw(rng)
    return replace(sample, incidents=sample.incidents.assign(radius_km=0.0))


@dataclass
class _Counter:
    """Tells how many refits are done, from any thread."""

    report: Progress | None
    total: int
    done: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        with self.lock:
            self.done += count
            if self.report is not None:
                self.report(self.done, self.total)


def _batch(counter: _Counter | None, jobs: Sequence[Job]) -> list[np.ndarray]:
    found = []
    with one_thread():
        for job in jobs:
            found.append(job())
            if counter is not None:
                counter.add(1)
    return found


@dataclass(frozen=True)
class _Crew:
    """Where refits are done, and who hears of it."""

    scheduler: str
    workers: int | None
    replicates: int
    counter: _Counter

    def map(self, jobs: Sequence[Job]) -> list[np.ndarray]:
        """Return one row for each job, in their order."""
        batches = [jobs[k : k + _BATCH] for k in range(0, len(jobs), _BATCH)]
        inside = self.scheduler == "threads"
        work = partial(_batch, self.counter if inside else None)
        found = map_parallel(
            work,
            batches,
            scheduler=self.scheduler,
            workers=self.workers,
            # Other processes cannot count: they are heard of a batch at a time.
            progress=None if inside else lambda n, _: self.counter.add(len(batches[n - 1])),
        )
        return [row for rows in found for row in rows]


def summarise(
    point: np.ndarray, drawn: np.ndarray, area: np.ndarray, level: float, horizon_days: float
) -> Intervals:
    """Turn replicates into bounds that hold the estimate."""
    lowest, highest = tails(level)
    # The scores that :func:`coupled` gives to replicates are those of these quantiles.
    low, high = np.quantile(drawn, [lowest, highest], axis=0, method="hazen").astype(float)
    ranks = np.stack([rank(row) for row in drawn])
    best = np.quantile(ranks, lowest, axis=0, method="lower")
    worst = np.quantile(ranks, highest, axis=0, method="higher")
    own = rank(point)
    low, high = np.minimum(low, point), np.maximum(high, point)
    return Intervals(
        probability(low, area, horizon_days),
        probability(high, area, horizon_days),
        expected_count(low, area, horizon_days),
        expected_count(high, area, horizon_days),
        np.minimum(best, own).astype(np.int32),
        np.maximum(worst, own).astype(np.int32),
        drawn,
        level,
    )


def rank(intensity: np.ndarray) -> np.ndarray:
    """Rank of each cell, 1 for the highest; ties in order, int32."""
    out = np.empty(len(intensity), np.int32)
    out[np.argsort(-intensity, kind="stable")] = np.arange(1, len(intensity) + 1)
    return out


def save_intervals(intervals: Intervals, folder: Path) -> None:
    """Write intervals into a folder."""
    np.savez(folder / _FILE, **vars(intervals))


def load_intervals(folder: Path) -> Intervals:
    """Read intervals that :func:`save_intervals` wrote."""
    with np.load(folder / _FILE, allow_pickle=False) as stored:
        parts = {name: stored[name] for name in stored.files}
    return Intervals(**{**parts, "level": float(parts["level"])})
