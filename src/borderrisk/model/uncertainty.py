"""Intervals of probability and rank from a bootstrap of the incidents and their locations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.compute import map_parallel
from borderrisk.model.cells import CellTable
from borderrisk.model.estimators.threads import one_thread
from borderrisk.model.panel import Panel
from borderrisk.model.pooled import Pooled, SpatialModel, fit_spatial, require_past
from borderrisk.model.scores import probability

Progress = Callable[[int, int], None]
_FILE = "intervals.npz"
_TINY = 1e-30
# Replicates of one task, and rounds of tasks where progress cannot be told from within.
_BATCH = 5
_ROUNDS = 4


@dataclass(frozen=True)
class Intervals:
    """Bounds of every scored cell, in the order of ``cells.study``.

    Attributes
    ----------
    probability_low, probability_high : ndarray of float64, shape (study cells,)
        Bounds of the chance of an incident within the horizon; the estimate lies between them.
    rank_low, rank_high : ndarray of int32, shape (study cells,)
        Best and worst rank of the intensity, 1 = highest; the estimate's rank lies between them.
    replicates : ndarray of float32, shape (replicates, study cells)
        Possible intensities, incidents per 100 km² per year.
    level : float
        Probability that an interval aims to cover.
    """

    probability_low: np.ndarray
    probability_high: np.ndarray
    rank_low: np.ndarray
    rank_high: np.ndarray
    replicates: np.ndarray
    level: float


def bootstrap_intervals(
    name: str,
    parameters: Mapping[str, Any] | None,
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
    """Refit a model on resampled incidents at redrawn locations."""
    origin = pd.Timestamp(origin)
    past = require_past(panel, origin)
    full = fit_spatial(name, parameters, cells, past, origin, seed)
    refit = Refit(name, frozen(full, parameters), cells, past, origin, _weights(full))
    seeds = np.random.SeedSequence(seed).spawn(replicates)
    drawn = _map(refit, seeds, scheduler, workers, progress)
    point = full.intensity(cells)[cells.study]
    return summarise(point, drawn, cells, level, horizon_days)


@dataclass(frozen=True)
class Refit:
    """One replicate: everything it needs but its seed."""

    name: str
    parameters: Mapping[str, Any]
    cells: CellTable
    past: Panel
    origin: pd.Timestamp
    weights: Mapping[str, float] | None = None

    def __call__(self, seed: np.random.SeedSequence) -> np.ndarray:
        """Return the intensity of the study cells, float32."""
        rng = np.random.default_rng(seed)
        sample = one_truth(self.past, rng)
        estimator_seed = int(rng.integers(2**31))
        if self.name == "pooled":
            estimator = Pooled(**{**self.parameters, "random_state": estimator_seed})
            estimator.fit_cells(self.cells, sample, self.origin, weights=self.weights)
            model = SpatialModel(self.name, estimator)
        else:
            model = fit_spatial(
                self.name, self.parameters, self.cells, sample, self.origin, estimator_seed
            )
        return model.intensity(self.cells)[self.cells.study].astype(np.float32)


def one_truth(past: Panel, rng: np.random.Generator) -> Panel:
    """Return a Poisson number of incidents drawn with replacement, each at one known place."""
    count = max(1, int(rng.poisson(len(past))))
    sample = past.take(rng.integers(0, len(past), count)).redraw(rng)
    return replace(sample, incidents=sample.incidents.assign(radius_km=0.0))


def frozen(model: SpatialModel, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters with what the full fit chose, so that a refit need not choose again."""
    given, estimator = dict(parameters or {}), model.estimator
    if isinstance(estimator, Pooled):
        return given | {"alpha": estimator.glm_.alpha_}
    if hasattr(estimator, "alpha_"):
        return given | {"alpha": estimator.alpha_}
    if hasattr(estimator, "n_iter_") and hasattr(estimator, "n_folds"):
        return given | {"max_iter": estimator.n_iter_, "n_folds": 0}
    if hasattr(estimator, "bandwidth_km"):
        return given | {"bandwidth_km": estimator.bandwidth_km}
    return given


def _weights(model: SpatialModel) -> Mapping[str, float] | None:
    return getattr(model.estimator, "weights_", None)


def _batch(refit: Refit, tell: Callable[[], None] | None, seeds: Sequence[Any]) -> list[np.ndarray]:
    found = []
    with one_thread():
        for seed in seeds:
            found.append(refit(seed))
            if tell is not None:
                tell()
    return found


def _map(
    refit: Refit,
    seeds: Sequence[Any],
    scheduler: str,
    workers: int | None,
    progress: Progress | None,
) -> np.ndarray:
    """Return the replicates, shape (replicates, study cells)."""
    batches = [seeds[k : k + _BATCH] for k in range(0, len(seeds), _BATCH)]
    found: list[np.ndarray] = []
    inside = scheduler == "threads"
    tell = _counter(progress, len(seeds)) if progress is not None and inside else None
    step = len(batches) if progress is None or inside else -(-len(batches) // _ROUNDS)
    # Held around all threads: each would otherwise set back the limit of the others.
    with one_thread():
        for k in range(0, len(batches), max(step, 1)):
            work = partial(_batch, refit, tell)
            for part in map_parallel(
                work, batches[k : k + step], scheduler=scheduler, workers=workers
            ):
                found += part
            if progress is not None and not inside:
                progress(len(found), len(seeds))
    return np.stack(found)


def _counter(progress: Progress, total: int) -> Callable[[], None]:
    lock, done = threading.Lock(), [0]

    def tell() -> None:
        with lock:
            done[0] += 1
            progress(done[0], total)

    return tell


def summarise(
    point: np.ndarray, drawn: np.ndarray, cells: CellTable, level: float, horizon_days: float
) -> Intervals:
    """Turn replicates into bounds that hold the estimate."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(drawn, tails, axis=0).astype(float)
    area = cells.study_area_100km2[cells.study]
    ranks = np.stack([rank(row) for row in drawn])
    best = np.quantile(ranks, tails[0], axis=0, method="lower")
    worst = np.quantile(ranks, tails[1], axis=0, method="higher")
    own = rank(point)
    return Intervals(
        probability(np.minimum(low, point), area, horizon_days),
        probability(np.maximum(high, point), area, horizon_days),
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
