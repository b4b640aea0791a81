"""Ways from the far side to each target: corridors, best routes, randomised routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from rasterio.features import shapes
from scipy.ndimage import gaussian_filter
from shapely.geometry.base import BaseGeometry

from borderrisk.compute import map_parallel
from borderrisk.errors import ConfigError, DataError
from borderrisk.features.travel import (
    FarSide,
    FineTerrain,
    Places,
    Solves,
    Travel,
    Walking,
    dijkstra,
)
from borderrisk.features.travel.ground import block_mean, mask_of, target_cell
from borderrisk.features.travel.measures import cells_of_settlements
from borderrisk.grid import Grid
from borderrisk.words import spoken

SLACK_HOURS = (2.0, 6.0, 12.0)
ROUTES = 3
SEPARATION_KM = 30.0
# Neighbours from which the way is more than so many times as long have no corridor.
_WORTHWHILE = 3.0
DRAWS = 50
COST_SPREAD = 0.3
# Perturbed ground varies over about this distance, as valleys, weather and patrols do.
_CORRELATION_KM = 10.0
# Routes count by the inverse square of their hours, as in gravity models of movement.
_DECAY = 2.0
# Draws differ more from each other than their means do from those on finer pixels.
MAX_DRAW_PIXELS = 200_000


@dataclass(frozen=True)
class Corridors:
    """Where the quick ways from each neighbour to the targets lie.

    ``cells``, on the analysis grid, hold ``slack_<target>``: hours by which the best way through a
    cell exceeds the best way from the same neighbour; the least of the neighbours. WGS84 polygons
    ``corridors`` have ``target, neighbour, slack_from_hours, slack_to_hours, best_hours``; WGS84
    lines ``routes``, in walking order, ``target, neighbour, route`` (1 = quickest), ``hours``,
    ``slack_hours``, ``length_km``.
    """

    cells: xr.Dataset
    corridors: gpd.GeoDataFrame
    routes: gpd.GeoDataFrame


def find_corridors(
    grid: Grid,
    solves: Solves,
    home: BaseGeometry,
    *,
    slack_hours: Sequence[float] = SLACK_HOURS,
    routes: int = ROUTES,
    separation_km: float = SEPARATION_KM,
    workers: int | None = None,
) -> Corridors:
    """Find corridors and best routes from each neighbour's settlements over its border to targets.

    Neighbours more than three times as far from a target as the nearest one have none to it.
    ``home`` is in grid metres; ``slack_hours`` are the upper edges of the slack classes; there are
    ``routes`` at most per neighbour and target, none beyond the largest slack, whose border
    crossings are at least ``separation_km`` apart. ``workers`` solves run at the same time
    (default: each core); results do not depend on it. ConfigError if the slack classes do not
    increase from above 0, or there is no target; DataError if no path leads over the border to a
    target.
    """
    edges = np.asarray(slack_hours, float)
    if not len(edges) or edges[0] <= 0 or np.any(np.diff(edges) <= 0):
        raise ConfigError(
            f"corridors.slack_hours must increase from above 0 (got {list(slack_hours)})."
        )
    if not solves.targets:
        raise ConfigError("Corridors need a target; name some in features.travel.targets.")
    at_home = mask_of(home, solves.fine.grid)
    layers, polygons, lines = {}, [], []
    for name, to in solves.targets.items():
        best = _worthwhile(name, to, solves.far_sides)
        between = partial(Way.between, solves, name, at_home)
        ways = map_parallel(between, best.items(), workers=workers)
        least = block_mean(np.minimum.reduce([way.slack for way in ways]), grid).astype("float32")
        said = f"Slack of the way from the far side to {spoken('target', name)['en']}"
        layers[f"slack_{name}"] = (("y", "x"), least, {"units": "h", "long_name": said})
        polygons += [way.polygons(edges, solves.fine.grid) for way in ways]
        lines += [way.routes(edges[-1], routes, separation_km, solves.fine.grid) for way in ways]
    return Corridors(grid.dataset().assign(layers), _joined(polygons), _joined(lines))


@dataclass(frozen=True, eq=False)
class Way:
    """All ways from one neighbour to one target.

    ``slack`` is hours by which the best way through each fine cell exceeds the best of all.
    """

    target: str
    neighbour: str
    far: FarSide
    to: Travel
    slack: np.ndarray
    best_hours: float

    @classmethod
    def between(
        cls, solves: Solves, target: str, at_home: np.ndarray, fewest: tuple[str, float]
    ) -> Way:
        """Add the hours from the far side to the hours to the target, over the border between."""
        neighbour, best = fewest
        far, to = solves.far_sides[neighbour], solves.targets[target]
        border = far.through.is_source
        cells = np.flatnonzero(border)
        over = solves.ground.solve((cells, to.hours.ravel()[cells]), "to")
        beyond = ~(at_home | border)
        hours = far.through.hours + to.hours
        hours[beyond] = far.anywhere.hours[beyond] + over.hours[beyond]
        slack = np.subtract(hours, best, out=hours, where=np.isfinite(hours))
        return cls(target, neighbour, far, to, slack, best)

    def polygons(self, edges: np.ndarray, grid: Grid) -> gpd.GeoDataFrame:
        """One multipolygon per slack class, bands that do not overlap."""
        slack = np.nan_to_num(self.slack, nan=np.inf, posinf=np.inf)
        band = np.digitize(slack, edges, right=True).astype(np.uint8)
        parts: dict[int, list[Any]] = {k: [] for k in range(len(edges))}
        for geometry, value in shapes(band, mask=band < len(edges), transform=grid.transform):
            parts[int(value)].append(shapely.geometry.shape(geometry))
        low = np.concatenate([[0.0], edges[:-1]])
        found = [k for k, members in parts.items() if members]
        return gpd.GeoDataFrame(
            {
                "target": self.target,
                "neighbour": self.neighbour,
                "slack_from_hours": low[found],
                "slack_to_hours": edges[found],
                "best_hours": self.best_hours,
            },
            geometry=[shapely.MultiPolygon(parts[k]) for k in found],
            crs=grid.crs,
        ).to_crs(4326)

    def routes(self, most: float, count: int, separation_km: float, grid: Grid) -> gpd.GeoDataFrame:
        """Quickest routes that cross the border apart from each other."""
        gap = separation_km * 1000 / grid.cell_size_m
        gates = self._gates(most, count, gap)
        paths = [self._path(row, col) for row, col in gates]
        lines = [shapely.LineString(np.column_stack([grid.x[p[:, 1]], grid.y[p[:, 0]]]))
                 for p in paths]  # fmt: skip
        slack = np.array([self.slack[gate] for gate in gates], float)
        return gpd.GeoDataFrame(
            {
                "target": self.target,
                "neighbour": self.neighbour,
                "route": np.arange(1, len(gates) + 1),
                "hours": self.best_hours + slack,
                "slack_hours": slack,
                "length_km": [line.length / 1000 for line in lines],
            },
            geometry=lines,
            crs=grid.crs,
        ).to_crs(4326)

    def _gates(self, most: float, count: int, gap: float) -> list[tuple[int, int]]:
        """Border cells of the quickest routes, each some cells from the ones before it."""
        row, col = np.nonzero(self.far.through.is_source & (self.slack <= most))
        order = np.argsort(self.slack[row, col], kind="stable")
        chosen: list[tuple[int, int]] = []
        for r, c in zip(row[order].tolist(), col[order].tolist(), strict=True):
            if len(chosen) == count:
                break
            if all(np.hypot(r - a, c - b) >= gap for a, b in chosen):
                chosen.append((r, c))
        return chosen

    def _path(self, row: int, col: int) -> np.ndarray:
        """Cells from the settlement over a border cell to the target."""
        before = self.far.anywhere.path(row, col)
        return np.concatenate([before[:-1], self.to.path(row, col)])


def _worthwhile(name: str, to: Travel, far_sides: Mapping[str, FarSide]) -> dict[str, float]:
    """Fewest hours from each neighbour that is not far more distant than the nearest."""
    hours = {
        code: float((far.through.hours + to.hours)[far.through.is_source].min())
        for code, far in far_sides.items()
    }
    best = min(hours.values())
    if not np.isfinite(best):
        raise DataError(
            f"No path leads from the far side over the border to {name}; it may lie on an island, "
            "or barriers close every way."
        )
    return {code: h for code, h in hours.items() if h <= _WORTHWHILE * best}


def _joined(frames: list[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=4326)


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
    seed: int = 0,
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
    ground, at_home = fine.ground(walking), mask_of(home, fine.grid)
    starts = cells_of_settlements(places, fine, ground.open, "far")
    goals = {name: target_cell(name, at, fine, ground.open) for name, at in places.targets.items()}
    sigma = _CORRELATION_KM * 1000 / fine.grid.cell_size_m

    def draw(seed: np.random.SeedSequence) -> tuple[pd.DataFrame, np.ndarray]:
        """Perturb the ground once and follow the routes to every target."""
        slowed = ground.slowed(_perturbation(fine.grid.shape, sigma, cost_spread, seed))
        passed, frames = np.zeros(grid.shape), []
        for name, goal in goals.items():
            to = slowed.solve((np.array([goal]), np.zeros(1)), "to")
            frames.append(_follow(to, starts, at_home, fine.grid, passed).assign(target=name))
        return pd.concat(frames, ignore_index=True), passed

    results = map_parallel(draw, np.random.SeedSequence(seed).spawn(draws), workers=workers)
    frames = [found.assign(draw=k) for k, (found, _) in enumerate(results)]
    crossings = pd.concat(frames, ignore_index=True)
    if missing := set(places.targets) - set(crossings.target):
        raise DataError(
            f"No route from the far side reaches {', '.join(sorted(missing))}; every way is closed."
        )
    total = crossings.groupby("target").weight.transform("sum")
    order = ["target", "draw", "x", "y", "hours", "weight"]
    crossings = crossings.assign(weight=crossings.weight / total)[order]
    passed = np.sum([passed for _, passed in results], axis=0)
    return RandomRoutes(crossings, passed / (draws * len(places.targets)))


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
