"""Synthetic worlds whose future is known exactly: incidents on their own, and in clusters.

Incidents on their own are also given beside columns that have nothing to do with them.

In a clustered world every incident is followed by further ones: ``BRANCHING`` of them in the mean,
each after an exponential delay with the mean ``memory`` (years), displaced by a round Gaussian of
``REACH_KM`` along each axis (Hawkes 1971, Biometrika 58(1)). Given the past, the intensity at a
place ``s`` and time ``t`` is ``background(s)`` plus, of each earlier incident ``i``,
``BRANCHING / memory * exp(-(t - t_i) / memory) * normal(s - s_i; REACH_KM)``. What would fall
outside the map is moved to its edge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.ndimage import gaussian_filter
from scipy.special import gammainc

from benchmarks.studies.moments import Record
from benchmarks.studies.worlds import DAYS_PER_YEAR, FIRST_DAY, RADII_KM, World, make_world
from borderrisk.grid import WGS84, Grid
from borderrisk.model.panel import RADIUS_PER_SIGMA, Panel, spread

_world = partial(make_world, incidents=200, shape=(40, 46), cell_size_m=15_000.0)
YEARS, HORIZON = 10.0, 1.0
BRANCHING, REACH_KM = 0.5, 7.0
SHORT, LONG = 8 / 12, 4.0
NOISE, _SMOOTH = 20, 3.0
LONG_RECORD, _HIDDEN_CELLS = 2_000, 6.0
# Years before the record starts, in means of the delay; generations that are still counted.
_BURN_IN, _GENERATIONS = 5.0, 12


@dataclass(frozen=True)
class Planted:
    """A world's incidents before an origin, and what to expect in the year after it.

    Attributes
    ----------
    record : Record
        Cells and reported incidents.
    origin : Timestamp
        End of the record.
    truth : ndarray, shape (cells,)
        Expected incidents of the next year per 100 km², given all that happened before.
    """

    record: Record
    origin: pd.Timestamp
    truth: np.ndarray


def plain(seed: int) -> Planted:
    """Return a world in which incidents do not know of each other."""
    world = _world(seed)
    cells = world.cells()
    return Planted(Record(cells, world.panel(), seed), _end(), world.intensity[cells.mask])


def noisy(seed: int) -> Planted:
    """Return the world of :func:`plain` with ``NOISE`` further, smooth columns that say nothing."""
    found = plain(seed)
    cells, rng = found.record.cells, np.random.default_rng([seed, 2])
    fields = (gaussian_filter(rng.normal(size=cells.mask.shape), _SMOOTH) for _ in range(NOISE))
    more = {f"noise_{number}": field[cells.mask] for number, field in enumerate(fields)}
    cells = replace(cells, x=cells.x.assign(**more))
    return replace(found, record=Record(cells, found.record.panel, seed))


def hidden(seed: int, strength: float) -> Planted:
    """Return a world with a smooth cause that no feature tells, and ``LONG_RECORD`` incidents.

    The northern half has as many of them as the southern, so that either can be learned from.

    Parameters
    ----------
    seed : int
        Of the world of :func:`plain`.
    strength : float
        Standard deviation of the cause on log-intensity.
    """
    world, rng = _world(seed), np.random.default_rng([seed, 3])
    cells = world.cells()
    cause = gaussian_filter(rng.normal(size=cells.mask.shape), _HIDDEN_CELLS, mode="nearest")
    truth = world.intensity * np.exp(strength * cause / cause.std())
    share = np.concatenate([half / half.sum() / 2 for half in np.array_split(truth, 2)]).ravel()
    x, y = _scattered(world.grid, share, LONG_RECORD, rng)
    table = reported(world.grid, rng.uniform(0, YEARS, LONG_RECORD), x, y, rng)
    panel = Panel.build(table, world.grid, world.dataset["domain"].to_numpy())
    return Planted(Record(cells, panel, seed), _end(), truth[cells.mask])


def clustered(seed: int, memory: float) -> Planted:
    """Return a world in which half of the incidents follow earlier ones nearby."""
    world = _world(seed)
    cells, rng = world.cells(), np.random.default_rng([seed, 1])
    background = world.intensity * (1 - BRANCHING)
    time, x, y = simulate(world.grid, background, rng, -_BURN_IN * memory, YEARS, memory)
    kept = time >= 0
    table = reported(world.grid, time[kept], x[kept], y[kept], rng)
    panel = Panel.build(table, world.grid, world.dataset["domain"].to_numpy())
    expected = expectation(world, background, (YEARS - time, x, y), memory)
    truth = expected[cells.mask] / (world.grid.cell_area_km2 / 100)
    return Planted(Record(cells, panel, seed), _end(), truth)


def _end() -> pd.Timestamp:
    return FIRST_DAY + pd.DateOffset(years=int(YEARS))


def simulate(
    grid: Grid,
    background: np.ndarray,
    rng: np.random.Generator,
    start: float,
    end: float,
    memory: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw time (years) and place (grid metres) of every incident, generation by generation."""
    per_year = background.ravel() * grid.cell_area_km2 / 100
    n = rng.poisson(per_year.sum() * (end - start))
    x, y = _scattered(grid, per_year / per_year.sum(), n, rng)
    last = rng.uniform(start, end, n), x, y
    found = [last]
    while len(last[0]):
        last = _followers(grid, last, rng, end, memory)
        found.append(last)
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))  # type: ignore[return-value]


def _scattered(
    grid: Grid, share: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw places (grid metres) from each cell's share."""
    row, col = np.unravel_index(rng.choice(share.size, n, p=share), grid.shape)
    within = rng.uniform(-0.5, 0.5, (2, n)) * grid.cell_size_m
    return grid.x[col] + within[0], grid.y[row] + within[1]


def _followers(
    grid: Grid,
    of: tuple[np.ndarray, np.ndarray, np.ndarray],
    rng: np.random.Generator,
    end: float,
    memory: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    time, x, y = of
    number = rng.poisson(BRANCHING, len(time))
    time = np.repeat(time, number) + rng.exponential(memory, number.sum())
    shift = rng.normal(size=(2, number.sum())) * REACH_KM * 1000
    x, y = inside(grid, np.repeat(x, number) + shift[0], np.repeat(y, number) + shift[1])
    kept = time < end
    return time[kept], x[kept], y[kept]


def inside(grid: Grid, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move points outside the map to its edge."""
    xmin, ymin, xmax, ymax = grid.bounds
    return np.clip(x, xmin + 1, xmax - 1), np.clip(y, ymin + 1, ymax - 1)


def expectation(
    world: World,
    background: np.ndarray,
    before: tuple[np.ndarray, np.ndarray, np.ndarray],
    memory: float,
) -> np.ndarray:
    """Incidents to expect in every cell within the horizon, given age and place of those before.

    The ``g``-th generation after an incident is spread by ``g`` times the variance and, delays
    being exponential, comes within the horizon with the chance of a Gamma(g) time; exact but for
    the map's edge and, of the smooth background, the width of a cell.

    Returns
    -------
    ndarray, shape (rows, columns)
    """
    grid, domain = world.grid, world.dataset["domain"].to_numpy()
    base = background * grid.cell_area_km2 / 100
    age, x, y = before
    total, active = base * HORIZON, np.exp(-age / memory)
    # Background incidents may come at any time of the horizon, and have what is left of it.
    steps = (np.arange(200) + 0.5) / 200 * HORIZON
    for g in range(1, _GENERATIONS + 1):
        width, size = REACH_KM * 1000 * np.sqrt(g), BRANCHING**g
        mass, _ = spread(x, y, np.full(len(x), width), grid, domain)
        after = mass.T @ (active * size * gammainc(g, HORIZON / memory))
        total[domain > 0] += np.asarray(after).ravel()
        smooth = gaussian_filter(base, width / grid.cell_size_m, mode="nearest")
        total += smooth * size * gammainc(g, steps / memory).mean() * HORIZON
    return total


def reported(
    grid: Grid, time: np.ndarray, x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> gpd.GeoDataFrame:
    """Return incidents as they would be reported: displaced by their own location error."""
    order = np.argsort(time)
    n, radius = len(time), rng.choice(RADII_KM, len(time))
    error = rng.normal(size=(2, n)) * radius * 1000 / RADIUS_PER_SIGMA
    x, y = inside(grid, x[order] + error[0], y[order] + error[1])
    date = (FIRST_DAY + pd.to_timedelta(np.floor(time[order] * DAYS_PER_YEAR), unit="D")).astype(
        "datetime64[ns]"
    )
    columns = {
        "incident_id": [f"C{i:04d}" for i in range(n)],
        "date": date,
        "date_end": date,
        "radius_km": radius,
        "weight": 1.0,
        "kind": "attack",
    }
    shapes = gpd.GeoSeries(shapely.points(x, y), crs=grid.crs).to_crs(WGS84)
    return gpd.GeoDataFrame(pd.DataFrame(columns), geometry=shapes)
