"""Which segments to watch within a length budget, fixed or as a schedule nobody can predict."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix, csr_matrix

from borderrisk.errors import ConfigError
from borderrisk.scores import tails

_EPS = 1e-9


@dataclass(frozen=True)
class Allocation:
    """A choice of segments, or a schedule of choices.

    ``segments`` has ``segment_id, pair, length_km, expected_per_year, coverage`` (share of the time
    each is watched: 0 or 1 without a schedule) of those that are ever watched, highest coverage
    first, then highest rate. ``km`` is the length watched at a time, its mean for a schedule;
    ``capture`` the expected share of the incidents behind the segments while they are watched, its
    bounds NaN without replicates. A randomised ``schedule`` has ``day`` (from 1), ``segment_id``,
    ``length_km``.
    """

    segments: pd.DataFrame
    km: float
    capture: float
    capture_low: float
    capture_high: float
    schedule: pd.DataFrame | None = None


def allocate(
    segments: gpd.GeoDataFrame | pd.DataFrame,
    km: float,
    *,
    spacing_km: float = 0.0,
    randomise: bool = False,
    draws: int = 30,
    seed: int = 0,
    replicates: np.ndarray | None = None,
    level: float = 0.9,
) -> Allocation:
    """Choose the segments with the most expected incidents within a length budget.

    Without ``randomise`` the choice is optimal (a mixed-integer programme). With it, each day, of
    ``draws``, is a draw in which every segment is watched with a chance proportional to its
    expected incidents per km, as far as a chance can go (at most 1): systematic sampling (Madow
    1949, On the theory of systematic sampling II, Ann. Math. Statist. 20(3)), whose inclusion
    chances are exact. The budget then holds on average; a day may have a segment more or less.

    Segments are from :func:`borderrisk.border.ranking.segment_table`; ``spacing_km`` is the least
    distance along the border between two watched at the same time; ``replicates`` (replicates,
    segments) are bootstrap expected incidents, for the interval. ConfigError if the budget is not
    positive, exceeds the border or is shorter than every segment, the spacing is negative, or it
    leaves no room for a proportional schedule.
    """
    length = segments.length_km.to_numpy(float)
    expected = segments.expected_per_year.to_numpy(float)
    _check(km, spacing_km, length, draws)
    windows = _windows(segments, spacing_km)
    if randomise:
        coverage = proportional_coverage(expected / length, length, km)
        _check_windows(coverage, windows, segments, km)
        schedule = _schedule(segments, coverage, len(windows) > 0, draws, seed)
    else:
        coverage, schedule = _best(expected, length, km, windows), None
    low, high = _interval(coverage, replicates, level)
    return Allocation(
        _watched(segments, coverage),
        km=float(coverage @ length),
        capture=float(coverage @ expected) / max(float(expected.sum()), np.finfo(float).tiny),
        capture_low=low,
        capture_high=high,
        schedule=schedule,
    )


def proportional_coverage(rate: np.ndarray, length: np.ndarray, km: float) -> np.ndarray:
    """Return chances proportional to the rate, none above 1, whose expected length is the budget.

    If the segments with a rate above 0 are shorter than the budget, each of them is watched always.
    """
    chance = np.zeros(len(rate))
    open_ = rate > 0
    left = km
    while open_.any():
        scale = left / float(rate[open_] @ length[open_])
        full = open_ & (rate * scale >= 1)
        if not full.any():
            chance[open_] = rate[open_] * scale
            break
        chance[full] = 1.0
        left = km - float(length[chance == 1].sum())
        open_ &= ~full
        if left <= _EPS:
            break
    return chance


def madow(chance: np.ndarray, start: float) -> np.ndarray:
    """Choose the items whose stretch of the running sum of chances holds ``start`` + an integer.

    Over a ``start`` uniform in [0, 1), each item is chosen with exactly its chance, in 0-1.

    Examples
    --------
    >>> madow(np.array([0.5, 0.5, 0.25, 0.75]), 0.6).tolist()
    [False, True, False, True]
    """
    end = np.cumsum(chance)
    hits = np.floor(end - start + _EPS) - np.floor(end - chance - start + _EPS)
    return hits > 0


def _schedule(
    segments: pd.DataFrame, coverage: np.ndarray, in_order: bool, days: int, seed: int
) -> pd.DataFrame:
    """Draw the segments of each day; in a random order of the border unless spacing forbids it."""
    rng = np.random.default_rng(seed)
    along = np.lexsort((segments.from_km.to_numpy(), segments.pair.to_numpy()))
    rows = []
    for _ in range(days):
        order = along if in_order else rng.permutation(along)
        rows.append(np.sort(order[madow(coverage[order], rng.random())]))
    chosen = segments.iloc[np.concatenate(rows)]
    return pd.DataFrame(
        {
            "day": np.repeat(np.arange(1, days + 1), [len(row) for row in rows]),
            "segment_id": chosen.segment_id.to_numpy(),
            "length_km": chosen.length_km.to_numpy(),
        }
    )


def _best(
    expected: np.ndarray, length: np.ndarray, km: float, windows: list[np.ndarray]
) -> np.ndarray:
    """0/1 choice of the most expected incidents within the budget and the spacing."""
    rules = [LinearConstraint(length[None, :], ub=km + _EPS)]
    if windows:
        row = np.repeat(np.arange(len(windows)), [len(group) for group in windows])
        once = coo_matrix((np.ones(len(row)), (row, np.concatenate(windows))),
                          shape=(len(windows), len(length)))  # fmt: skip
        rules.append(LinearConstraint(csr_matrix(once), ub=1))
    # a slight price on length: of two equally good choices, the shorter
    price = 1e-9 * expected.sum() / length.sum() * length
    found = milp(price - expected, integrality=1, bounds=Bounds(0, 1), constraints=rules)
    return np.round(found.x)


def _windows(segments: pd.DataFrame, spacing_km: float) -> list[np.ndarray]:
    """Group the segments of which at most one can be watched, for a spacing along each pair."""
    if spacing_km <= 0:
        return []
    groups = []
    ordered = segments.assign(at=np.arange(len(segments))).sort_values("from_km")
    for _, part in ordered.groupby("pair", sort=False):
        begin, end, at = (part[name].to_numpy() for name in ("from_km", "to_km", "at"))
        last = np.searchsorted(begin, end + spacing_km - 1e-6, side="left")
        groups += [at[i:j] for i, j in enumerate(last) if j - i > 1]
    return groups


def _check(km: float, spacing_km: float, length: np.ndarray, draws: int) -> None:
    if not (np.isfinite(km) and km > 0):
        raise ConfigError(f"The budget must be a positive number of kilometres (got {km:g}).")
    if km > length.sum() + _EPS:
        raise ConfigError(
            f"The budget ({km:g} km) is longer than the whole border ({length.sum():,.0f} km); "
            "there is nothing to choose."
        )
    if km + _EPS < length.min():
        raise ConfigError(
            f"The budget ({km:g} km) is shorter than the shortest segment ({length.min():.1f} km); "
            "give more, or cut shorter segments (segments.segment_km)."
        )
    if not (np.isfinite(spacing_km) and spacing_km >= 0):
        raise ConfigError(f"spacing_km must not be negative (got {spacing_km:g}).")
    if draws < 1:
        raise ConfigError(f"A schedule needs at least 1 day (got {draws}).")


def _check_windows(
    coverage: np.ndarray, windows: list[np.ndarray], segments: pd.DataFrame, km: float
) -> None:
    """Systematic sampling along the border keeps the spacing if no window's chances exceed 1."""
    load = np.array([coverage[group].sum() for group in windows])
    if not len(load) or load.max() <= 1 + _EPS:
        return
    first = segments.segment_id.iloc[windows[int(load.argmax())][0]]
    raise ConfigError(
        f"With this spacing, coverage proportional to risk would watch neighbouring segments at "
        f"the same time (from {first} on). Lower the spacing, or the budget to at most "
        f"{km / load.max():.0f} km."
    )


def _interval(
    coverage: np.ndarray, replicates: np.ndarray | None, level: float
) -> tuple[float, float]:
    if replicates is None or not len(replicates):
        return float("nan"), float("nan")
    total = replicates.sum(axis=1)
    share = (replicates @ coverage)[total > 0] / total[total > 0]
    low, high = np.quantile(share, tails(level))
    return float(low), float(high)


def _watched(segments: pd.DataFrame, coverage: np.ndarray) -> pd.DataFrame:
    names = ["segment_id", "pair", "length_km", "expected_per_year"]
    table = pd.DataFrame(segments[names]).assign(
        coverage=coverage, rate=segments.expected_per_year / segments.length_km
    )
    order = table[coverage > 0].sort_values(["coverage", "rate"], ascending=False, kind="stable")
    return order.drop(columns="rate").reset_index(drop=True)
