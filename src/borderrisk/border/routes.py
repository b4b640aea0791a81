"""Randomised routes from the far side to each target, and where they cross the border."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import ConfigError, DataError
from borderrisk.features.travel import FineTerrain, Places, Travel, Walking, dijkstra
from borderrisk.features.travel.ground import mask_of, target_cell
from borderrisk.features.travel.measures import cells_of_settlements
from borderrisk.grid import Grid

DRAWS = 50
COST_SPREAD = 0.3
# Perturbed ground varies over about this distance, as valleys, weather and patrols do.
_CORRELATION_KM = 10.0
# Routes count by the inverse square of their hours, as in gravity models of movement.
_DECAY = 2.0
# Draws differ more from each other than their means do from those on finer pixels.
MAX_DRAW_PIXELS = 200_000


@dataclass(frozen=True)
class RandomRoutes:
    """Routes over randomly perturbed ground.

    ``crossings`` has one row per route: ``target, draw``, ``x, y`` (last crossing into the home
    country, grid metres), ``hours`` and ``weight`` (sums to 1 for each target). ``density`` is the
    weighted share of all routes that pass each cell of the analysis grid.
    """

    crossings: pd.DataFrame
    density: np.ndarray


def random_routes(
    grid: Grid,
    fine: FineTerrain,
    places: Places,
    home: BaseGeometry,
    *,
    walking: Walking | None = None,
    draws: int = DRAWS,
    cost_spread: float = COST_SPREAD,
    seed: int | np.random.SeedSequence = 0,
    workers: int | None = None,
) -> RandomRoutes:
    """Find the quickest routes from far-side settlements to targets, over perturbed costs.

    Each draw, of ``draws`` per target, multiplies the pace by a log-normal field of log standard
    deviation ``cost_spread`` that varies over about 10 km, and follows the quickest way of each
    settlement; routes count by the inverse square of their hours.

    ``fine`` is coarsened to 200,000 pixels at most where that can be done; ``home`` is in grid
    metres. The seed fixes the draws; results do not depend on ``workers``. ConfigError if ``draws``
    is below 1 or the spread negative; DataError if no settlement reaches a target over the border.
    """
    if draws < 1 or not cost_spread >= 0:
        raise ConfigError(
            f"Randomised routes need at least 1 draw and a spread of 0 or more (got {draws} and "
            f"{cost_spread:g})."
        )
    fine = fine.at_most(MAX_DRAW_PIXELS, grid)
    draw = _drawer(grid, fine, places, home, walking, cost_spread)
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        results = list(pool.map(draw, root.spawn(draws)))
    frames = [found.assign(draw=k) for k, (found, _) in enumerate(results)]
    crossings = _weighted(pd.concat(frames, ignore_index=True), places)
    passed = np.sum([passed for _, passed in results], axis=0)
    return RandomRoutes(crossings, passed / (draws * len(places.targets)))


Draw = Callable[[np.random.SeedSequence], tuple[pd.DataFrame, np.ndarray]]


def _drawer(
    grid: Grid,
    fine: FineTerrain,
    places: Places,
    home: BaseGeometry,
    walking: Walking | None,
    cost_spread: float,
) -> Draw:
    """Make the function that perturbs the ground once and follows the routes to every target."""
    ground = fine.ground(walking)
    at_home = mask_of(home, fine.grid)
    starts = cells_of_settlements(places, fine, ground.open, "far")
    goals = {name: target_cell(name, at, fine, ground.open) for name, at in places.targets.items()}
    sigma = _CORRELATION_KM * 1000 / fine.grid.cell_size_m

    def draw(seed: np.random.SeedSequence) -> tuple[pd.DataFrame, np.ndarray]:
        slowed = ground.slowed(_perturbation(fine.grid.shape, sigma, cost_spread, seed))
        passed, frames = np.zeros(grid.shape), []
        for name, goal in goals.items():
            to = slowed.solve((np.array([goal]), np.zeros(1)), "to")
            frames.append(_follow(to, starts, at_home, fine.grid, passed).assign(target=name))
        return pd.concat(frames, ignore_index=True), passed

    return draw


def _perturbation(
    shape: tuple[int, int], sigma: float, spread: float, seed: np.random.SeedSequence
) -> np.ndarray:
    """Log-normal field of median 1, cut at 2.5 standard deviations."""
    noise = gaussian_filter(
        np.random.default_rng(seed).standard_normal(shape, np.float32), sigma, mode="wrap"
    )
    return np.exp(spread * np.clip(noise / noise.std(), -2.5, 2.5)).astype(np.float32)


def _follow(
    to: Travel, starts: np.ndarray, at_home: np.ndarray, grid: Grid, passed: np.ndarray
) -> pd.DataFrame:
    """Last crossing into the home country of each route; adds the routes to ``passed``."""
    hours = to.hours.ravel()[starts].astype(float)
    reached = starts[np.isfinite(hours) & (hours > 0)]
    hours = to.hours.ravel()[reached].astype(float)
    weight = hours**-_DECAY
    gate = np.empty((len(reached), 2), np.int64)
    dijkstra.follow(to.came, at_home, reached, weight / weight.sum(), gate, passed)
    crossed = gate[:, 0] >= 0
    row, col = np.divmod(gate[crossed], at_home.shape[1])
    return pd.DataFrame(
        {
            "x": grid.x[col].mean(axis=1),
            "y": grid.y[row].mean(axis=1),
            "hours": hours[crossed],
            "weight": weight[crossed],
        }
    )


def _weighted(crossings: pd.DataFrame, places: Places) -> pd.DataFrame:
    missing = set(places.targets) - set(crossings.target)
    if missing:
        raise DataError(
            f"No route from the far side reaches {', '.join(sorted(missing))}; every way is closed."
        )
    total = crossings.groupby("target").weight.transform("sum")
    order = ["target", "draw", "x", "y", "hours", "weight"]
    return crossings.assign(weight=crossings.weight / total)[order]
