"""Travel-time features of the cells."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import xarray as xr
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import DataError
from borderrisk.features.catalogue import annotate
from borderrisk.features.travel.ground import (
    FineTerrain,
    block_mean,
    cells_of_lines,
    cells_of_points,
    target_cell,
)
from borderrisk.features.travel.solver import Ground, Travel, Walking
from borderrisk.grid import Grid


@dataclass(frozen=True)
class Places:
    """Where people set out from and go to.

    Border lines by neighbour (ISO 3166 alpha-3, as is ``home``) are in grid metres. Settlements are
    WGS84 points with ``country`` and ``population``, of which the smallest that count on either
    side are ``far_population`` and ``home_population``; targets are (longitude, latitude) by name;
    posts are WGS84 points of state presence besides settlements.
    """

    lines_by_country: Mapping[str, BaseGeometry]
    settlements: gpd.GeoDataFrame
    home: str
    targets: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    posts: gpd.GeoDataFrame | None = None
    far_population: int = 10_000
    home_population: int = 10_000

    def far_settlements(self, *neighbours: str) -> gpd.GeoDataFrame:
        """Settlements of some neighbours (default: all) that are large enough."""
        s = self.settlements
        countries = neighbours or tuple(self.lines_by_country)
        return s[s.country.isin(countries) & (s.population >= self.far_population)]

    def home_settlements(self) -> gpd.GeoDataFrame:
        """Settlements of the home country that are large enough."""
        s = self.settlements
        return s[(s.country == self.home) & (s.population >= self.home_population)]


@dataclass(frozen=True, eq=False)
class FarSide:
    """Travel from the settlements of one neighbour, ``anywhere`` and continued over its border.

    The sources of ``through`` are cells of the border line, with the hours that it took to get
    there.
    """

    anywhere: Travel
    through: Travel


@dataclass(frozen=True, eq=False)
class Solves:
    """Solves over one terrain, for features and corridors alike.

    ``ground`` is ``fine`` made ready for more. By neighbour: ``border`` leads away from the border
    with it, ``far_sides`` from its settlements, if it has any on the grid, over the border. ``far``
    is the quickest of these to each cell; its sources lie on the border. ``targets`` and ``home``
    lead towards each target and the nearest home-side settlement, ``presence`` away from the
    nearest state presence.
    """

    fine: FineTerrain
    ground: Ground
    border: dict[str, Travel]
    far_sides: dict[str, FarSide]
    far: Travel
    targets: dict[str, Travel]
    home: Travel
    presence: Travel


def solve_travel(
    fine: FineTerrain, places: Places, walking: Walking | None = None, workers: int | None = None
) -> Solves:
    """Solve travel from the border and the far side, and towards home-side places.

    ``workers`` solves run at the same time (default: each core); results do not depend on it.
    ConfigError if a target lies outside the grid, in water or where elevation is missing; DataError
    if a border, the far-side or the home-side settlements are all outside the grid, or no path
    leads from the far side to the border.
    """
    ground = fine.ground(walking)
    goal = {name: target_cell(name, at, fine, ground.open) for name, at in places.targets.items()}
    lines = {c: _border_cells(c, g, fine, ground.open) for c, g in places.lines_by_country.items()}
    cells_of_settlements(places, fine, ground.open, "far")
    home = cells_of_settlements(places, fine, ground.open, "home")
    present = np.union1d(home, _posts(places, fine, ground.open))
    jobs: dict[str, Callable[[], Any]] = {
        "home": partial(ground.solve, _at(home), "to"),
        "presence": partial(ground.solve, _at(present)),
    }
    for code, mask in lines.items():
        towns = _points(places.far_settlements(code), fine, ground.open)
        jobs[f"border {code}"] = partial(ground.solve, mask)
        jobs[f"far {code}"] = partial(_far_side, ground, towns, mask)
    jobs |= {f"to {name}": partial(ground.solve, _at([cell]), "to") for name, cell in goal.items()}
    done = _run(jobs, workers)
    far_sides = {code: side for code in lines if (side := done[f"far {code}"]) is not None}
    return Solves(
        fine,
        ground,
        border={code: done[f"border {code}"] for code in lines},
        far_sides=far_sides,
        far=_quickest(far_sides),
        targets={name: done[f"to {name}"] for name in goal},
        home=done["home"],
        presence=done["presence"],
    )


def travel_features(grid: Grid, solves: Solves) -> xr.Dataset:
    """Return the mean travel time of each cell of the analysis grid, NaN where no path leads.

    ``hours_from_border`` and ``hours_from_border_<ccc>``, ``hours_from_far_settlement``,
    ``hours_to_home_settlement``, ``hours_to_<target>``, ``remoteness``.
    """
    border = {f"hours_from_border_{c.lower()}": t.hours for c, t in solves.border.items()}
    hours = {
        "hours_from_border": np.minimum.reduce(list(border.values())),
        **border,
        "hours_from_far_settlement": solves.far.hours,
        "hours_to_home_settlement": solves.home.hours,
        **{f"hours_to_{name}": t.hours for name, t in solves.targets.items()},
        "remoteness": solves.presence.hours,
    }
    arrays = {name: block_mean(h, grid).astype("float32") for name, h in hours.items()}
    return annotate(grid.dataset().assign({n: (("y", "x"), a) for n, a in arrays.items()}))


def _run(jobs: Mapping[str, Callable[[], Any]], workers: int | None) -> dict[str, Any]:
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        futures = {name: pool.submit(job) for name, job in jobs.items()}
        return {name: future.result() for name, future in futures.items()}


def _far_side(ground: Ground, towns: np.ndarray, border: np.ndarray) -> FarSide | None:
    """Travel from some towns, then on from the border; None if no town reaches it."""
    if not len(towns):
        return None
    anywhere = ground.solve(_at(towns))
    cells = np.flatnonzero(border)
    spent = anywhere.hours.ravel()[cells]
    if not np.isfinite(spent).any():
        return None
    return FarSide(anywhere, ground.solve((cells, spent)))


def _quickest(far_sides: Mapping[str, FarSide]) -> Travel:
    """To each cell, the quickest of several solves."""
    if not far_sides:
        raise DataError(
            "No path leads from the far-side settlements to the border; check that the elevation "
            "and the land outlines cover the far side."
        )
    first, *rest = (side.through for side in far_sides.values())
    hours, came = first.hours.copy(), first.came.copy()
    for other in rest:
        sooner = other.hours < hours
        hours[sooner], came[sooner] = other.hours[sooner], other.came[sooner]
    return Travel(hours, came, first.direction)


def _border_cells(
    code: str, lines: BaseGeometry, fine: FineTerrain, passable: np.ndarray
) -> np.ndarray:
    cells = cells_of_lines(lines, fine.grid)
    if not cells.any():
        raise DataError(f"The border with {code} lies outside the grid.")
    if not (cells & passable).any():
        raise DataError(
            f"The border with {code} can be crossed nowhere: it is closed, in water or without "
            "elevation along its whole length. Leave a gap, or take the neighbour out of "
            "study_area.neighbours."
        )
    return cells


def cells_of_settlements(
    places: Places, fine: FineTerrain, passable: np.ndarray, side: Literal["far", "home"]
) -> np.ndarray:
    """Flat fine cells of the settlements that count on one side; DataError if there are none."""
    far = side == "far"
    chosen = places.far_settlements() if far else places.home_settlements()
    cells = _points(chosen, fine, passable)
    if not len(cells):
        limit = places.far_population if far else places.home_population
        raise DataError(
            f"No {side}-side settlement of at least {limit:,} people lies on the grid; lower the "
            "population threshold or widen the halo."
        )
    return cells


def _posts(places: Places, fine: FineTerrain, passable: np.ndarray) -> np.ndarray:
    if places.posts is None or places.posts.empty:
        return np.empty(0, np.int64)
    return _points(places.posts, fine, passable)


def _points(points: gpd.GeoDataFrame, fine: FineTerrain, passable: np.ndarray) -> np.ndarray:
    """Distinct passable cells of some WGS84 points."""
    if points.empty:
        return np.empty(0, np.int64)
    x, y = fine.grid.project(points.geometry.x, points.geometry.y)
    cells = cells_of_points(x, y, fine.grid, passable)
    return np.unique(cells[cells >= 0])


def _at(cells: np.ndarray | list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(cells), np.zeros(len(cells))
