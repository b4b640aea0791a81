"""Accumulated travel time over terrain, away from sources or towards targets; pace by slope."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from borderrisk.errors import ConfigError, DataError
from borderrisk.features.travel import dijkstra

Direction = Literal["from", "to"]
Sources = np.ndarray | tuple[np.ndarray, np.ndarray]
_MAX_BUCKETS = 1 << 18
_NONE = np.empty(0, np.float32)
FASTEST_SLOPE = -0.05
OFF_PATH_FACTOR = 0.6
SLOPE_LIMIT_DEG = 45.0
# Linear interpolation over a slope step s errs by at most (3.5 s)² / 8 of the pace: 6e-8.
_TABLE_STEP = -FASTEST_SLOPE / 256


def tobler_kmh(slope: np.ndarray | float) -> np.ndarray:
    """Return the horizontal walking speed on a path by Tobler's hiking function.

    The slope is rise over horizontal distance in the direction of travel; negative is downhill
    (Tobler 1993, NCGIA Technical Report 93-1).

    Examples
    --------
    >>> tobler_kmh(np.array([-0.05, 0.0])).round(2).tolist()
    [6.0, 5.04]
    """
    return 6 * np.exp(-3.5 * np.abs(np.asarray(slope, float) - FASTEST_SLOPE))


@dataclass(frozen=True)
class Walking:
    """Walking speed and the steepest slope that is still walked, up or down.

    ``off_path_factor`` is the share of Tobler's speed kept away from paths (his own figure is 0.6).
    ConfigError unless it is a positive number and the limit lies between 0 and 80 degrees.
    """

    off_path_factor: float = OFF_PATH_FACTOR
    slope_limit_deg: float = SLOPE_LIMIT_DEG

    def __post_init__(self) -> None:
        if not (np.isfinite(self.off_path_factor) and self.off_path_factor > 0):
            raise ConfigError(
                f"off_path_factor must be a positive share of the walking speed "
                f"(got {self.off_path_factor:g}); 0.6 is Tobler's figure for open country."
            )
        if not 0 < self.slope_limit_deg <= 80:
            raise ConfigError(
                f"slope_limit_deg must be above 0 and at most 80 (got {self.slope_limit_deg:g})."
            )

    @property
    def steepest(self) -> float:
        """Limit as rise over distance."""
        return float(np.tan(np.deg2rad(self.slope_limit_deg)))

    def pace(self, slope: np.ndarray | float) -> np.ndarray:
        """Hours per km at a slope."""
        return 1 / (tobler_kmh(slope) * self.off_path_factor)

    @property
    def best_pace(self) -> float:
        """Hours per km at the best slope within the limit."""
        return float(self.pace(max(FASTEST_SLOPE, -self.steepest)))

    @property
    def worst_pace(self) -> float:
        """Hours per km at the steepest climb."""
        return float(self.pace(self.steepest))

    def table(self) -> np.ndarray:
        """Pace by slope for the solver: lowest slope, entries per unit of slope, then the paces.

        The knots include the kink of the hiking function and reach past the slope limit.
        """
        below = int(np.ceil((self.steepest + FASTEST_SLOPE) / _TABLE_STEP)) + 2
        above = int(np.ceil((self.steepest - FASTEST_SLOPE) / _TABLE_STEP)) + 2
        slopes = FASTEST_SLOPE + np.arange(-max(below, 2), above + 1) * _TABLE_STEP
        return np.concatenate([[slopes[0], 1 / _TABLE_STEP], self.pace(slopes)])


@dataclass(frozen=True)
class Travel:
    """Hours of one solve, infinite where no path leads, and how the best paths go.

    ``came`` (uint8) is the move, a row of ``dijkstra.MOVES``, by which the best path enters each
    cell, counted from the sources outward; ``dijkstra.START`` at sources and where no path leads.
    """

    hours: np.ndarray
    came: np.ndarray
    direction: Direction

    @property
    def is_source(self) -> np.ndarray:
        """Cells that a best path begins (or ends) at."""
        return (self.came == dijkstra.START) & np.isfinite(self.hours)

    def labels(self, label: np.ndarray) -> np.ndarray:
        """Carry labels of the sources (int32) along the best paths; −1 where none leads."""
        out = np.where(np.isfinite(self.hours), label, -1).astype(np.int32).ravel()
        dijkstra.carry(self.came.ravel(), self.hours.shape[1], out)
        return out.reshape(self.hours.shape)

    def path(self, row: int, col: int) -> np.ndarray:
        """Return row and column of each cell on the best path from or to a cell, as it is walked.

        DataError if no path leads there.
        """
        if not np.isfinite(self.hours[row, col]):
            raise DataError(f"No path leads to the cell in row {row}, column {col}.")
        cells = [(row, col)]
        while (move := self.came[row, col]) != dijkstra.START:
            row, col = row - dijkstra.MOVES[move, 0], col - dijkstra.MOVES[move, 1]
            cells.append((row, col))
        return np.array(cells if self.direction == "to" else cells[::-1])


class Ground:
    """Terrain made ready for any number of solves, on square cells of an equal-area grid.

    ``elevation`` is in metres; NaN cannot be crossed. A ``barrier`` cannot be crossed on foot, but
    on roads (bridges). ``multiplier`` is a factor on the walking time (2 = twice as long) for land
    cover, water, snow; NaN cannot be crossed. ``road_kmh`` is 0 or NaN where there is no road:
    between two road cells that touch, a step takes the faster of the two modes, so paths board and
    leave vehicles anywhere on a road. ConfigError if a size or speed is not positive; DataError if
    the arrays differ in shape.
    """

    def __init__(
        self,
        elevation: np.ndarray,
        cell_size_m: float,
        walking: Walking | None = None,
        *,
        barrier: np.ndarray | None = None,
        multiplier: np.ndarray | None = None,
        road_kmh: np.ndarray | None = None,
    ) -> None:
        _check_terrain(elevation, cell_size_m, barrier, multiplier, road_kmh)
        self.shape: tuple[int, int] = elevation.shape
        self.walking = walking or Walking()
        self._length = np.hypot(*dijkstra.MOVES.T) * cell_size_m / 1000
        self._road = _road_pace(road_kmh)
        self._multiplier = _NONE if multiplier is None else _float32(multiplier).ravel()
        self._elevation = _closed(_float32(elevation), barrier, multiplier, self._road)
        self._moves = self._permitted()

    def slowed(self, factor: np.ndarray) -> Ground:
        """Return the ground with walking times multiplied once more, in each cell."""
        other = copy.copy(self)
        other._multiplier = _float32(factor).ravel()
        if self._multiplier.size:
            other._multiplier = other._multiplier * self._multiplier
        return other

    @property
    def open(self) -> np.ndarray:
        """Cells that can be crossed."""
        return np.isfinite(self._elevation) | (self._road > 0 if self._road.size else False)

    def solve(
        self, sources: Sources, direction: Direction = "from", dtype: str = "float32"
    ) -> Travel:
        """Solve travel between every cell and the sources, away ``from`` them or ``to`` them.

        Sources are a mask of cells, or flat cell indices and the hours already spent there. Hours
        in float32 err by about 1e-6 of the result. DataError if there is no source, or none on
        ground that can be crossed.
        """
        cells, start = self._starts(sources)
        hours = np.full(self._moves.size, np.inf, dtype)
        hours[cells] = start
        came = np.full(hours.size, dijkstra.START, np.uint8)
        steps, ring = self._steps(direction)
        dijkstra.accumulate(
            self._elevation.ravel(), self._moves.ravel(), self._multiplier, self._road.ravel(),
            steps, self.walking.table(), ring, cells, hours, came,
        )  # fmt: skip
        return Travel(hours.reshape(self.shape), came.reshape(self.shape), direction)

    def _starts(self, sources: Sources) -> tuple[np.ndarray, np.ndarray]:
        """Distinct passable cells in the order of their hours, and these."""
        if isinstance(sources, tuple):
            cells, start = np.asarray(sources[0], np.int64), np.asarray(sources[1], float)
        else:
            cells = np.flatnonzero(sources)
            start = np.zeros(len(cells))
        if not len(cells):
            raise DataError("There is no source or target to travel from or to.")
        good = self.open.ravel()[cells] & np.isfinite(start)
        if not good.any():
            raise DataError(
                "Every source or target lies in water, beyond the elevation data or on a barrier; "
                "no path can begin there."
            )
        cells, start = cells[good], start[good]
        order = np.argsort(start, kind="stable")
        _, first = np.unique(cells[order], return_index=True)
        keep = order[np.sort(first)]
        return cells[keep], start[keep]

    def _steps(self, direction: Direction) -> tuple[np.ndarray, tuple[float, int]]:
        """Return the solver's table of moves, and the width and number of its buckets."""
        factor = self._multiplier[np.isfinite(self._multiplier)]
        best, worst = self.walking.best_pace, self.walking.worst_pace
        if factor.size:
            best, worst = best * float(factor.min()), worst * float(factor.max())
        roads = self._road[self._road > 0]
        if roads.size:
            best, worst = min(best, float(roads.min())), max(worst, float(roads.max()))
        # a hair less than the exact minimum, so that rounding never hides an improvement
        fastest = self._length * best * (1 - 1e-6)
        longest = float(self._length.max()) * worst
        width = max(float(fastest.min()), longest / (_MAX_BUCKETS - 3))
        slope_of = {"from": 1, "to": -1}[direction] / (self._length * 1000)
        offset = dijkstra.MOVES @ [self.shape[1], 1]
        steps = np.stack([self._length, fastest, slope_of, offset.astype(float)])
        return steps, (width, int(longest / width) + 3)

    def _permitted(self) -> np.ndarray:
        moves = np.zeros(self.shape, np.uint16)
        limit = (self._length * 1000 * self.walking.steepest * (1 + 1e-6)).astype(np.float64)

        def rows(first: int, last: int) -> None:
            dijkstra.permit_moves(self._elevation, self._road, limit, first, last, moves)

        in_row_blocks(rows, self.shape[0])
        return moves


def travel_time(
    elevation: np.ndarray,
    cell_size_m: float,
    sources: Sources,
    *,
    direction: Direction = "from",
    walking: Walking | None = None,
    barrier: np.ndarray | None = None,
    multiplier: np.ndarray | None = None,
    road_kmh: np.ndarray | None = None,
    dtype: str = "float32",
) -> np.ndarray:
    """Return hours between sources and every cell; see :class:`Ground` for the arguments.

    The step between two cells takes its horizontal length over Tobler's speed at its slope in the
    direction of travel, times the mean multiplier along it. Uphill and downhill differ, so ``from``
    and ``to`` differ. Hours are infinite where no path leads.

    Examples
    --------
    >>> flat = np.zeros((1, 3))
    >>> hours = travel_time(flat, 1000.0, np.array([[True, False, False]]), dtype="float64")
    >>> hours.round(3).tolist()
    [[0.0, 0.331, 0.662]]
    """
    ground = Ground(
        elevation,
        cell_size_m,
        walking,
        barrier=barrier,
        multiplier=multiplier,
        road_kmh=road_kmh,
    )
    return ground.solve(sources, direction, dtype).hours


def in_row_blocks(work: Callable[[int, int], None], rows: int) -> None:
    """Run a compiled loop that releases the lock over blocks of rows, one thread per core."""
    workers = os.cpu_count() or 1
    edges = np.linspace(0, rows, 4 * workers + 1).astype(int)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))


def _check_terrain(
    elevation: np.ndarray,
    cell_size_m: float,
    barrier: np.ndarray | None,
    multiplier: np.ndarray | None,
    road_kmh: np.ndarray | None,
) -> None:
    if not (np.isfinite(cell_size_m) and cell_size_m > 0):
        raise ConfigError(f"cell_size_m must be a positive number of metres (got {cell_size_m:g}).")
    named = {"barrier": barrier, "multiplier": multiplier, "road_kmh": road_kmh}
    for name, array in named.items():
        if array is not None and array.shape != elevation.shape:
            raise DataError(
                f"{name} has {array.shape} cells but the elevation has {elevation.shape}; "
                "put both on the same grid."
            )
    if multiplier is not None and not np.all(multiplier[~np.isnan(multiplier)] > 0):
        raise ConfigError(
            "Travel-time multipliers must be above 0; use a barrier for ground that cannot be "
            "crossed."
        )
    if road_kmh is not None and np.nanmin(road_kmh, initial=0) < 0:
        raise ConfigError("Road speeds must not be negative; use 0 where there is no road.")


def _road_pace(road_kmh: np.ndarray | None) -> np.ndarray:
    """Hours per km, 0 where there is no road."""
    if road_kmh is None:
        return np.empty((0, 0), np.float32)
    speed = np.nan_to_num(np.asarray(road_kmh, float), nan=0.0)
    return np.divide(1, speed, out=np.zeros_like(speed), where=speed > 0).astype(np.float32)


def _closed(
    elevation: np.ndarray,
    barrier: np.ndarray | None,
    multiplier: np.ndarray | None,
    road: np.ndarray,
) -> np.ndarray:
    """Elevation with NaN on barriers that no road crosses, and where the multiplier is missing."""
    if barrier is None and multiplier is None:
        return elevation
    shut = np.zeros(elevation.shape, bool) if barrier is None else barrier.copy()
    if road.size:
        shut &= ~(road > 0)
    if multiplier is not None:
        shut |= np.isnan(multiplier)
    return np.where(shut, np.float32(np.nan), elevation)


def _float32(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=np.float32)
