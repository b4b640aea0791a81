"""The ranking of border segments, and how much of what came later lay behind those ranked first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from scipy.sparse import csr_matrix

from borderrisk.errors import ConfigError, DataError
from borderrisk.grid import Grid
from borderrisk.scores import DAYS_PER_YEAR, PART_SIZE, count_bounds, risk_percentile, tails

# Features are read along a segment at about this spacing.
_SAMPLE_M = 1_000.0
_TERRAIN = ("slope_mean", "ruggedness", "hidden_share")
_INLAND = "hours_to_home_settlement"
LEVELS = ("low", "medium", "high", "critical")
# Stretches of the same id are the same if their ends agree to this many kilometres.
_SAME_KM = 0.5
LENGTH = "length"
_STEP_KM = 10.0
_RESAMPLES = 2000


@dataclass(frozen=True)
class Levels:
    """Where each level above the lowest begins.

    ``rates`` are expected reported incidents a year per 100 km; without them ``shares`` are per
    cent of the border's length that has a lower rate.
    """

    shares: tuple[float, float, float] = (50.0, 75.0, 90.0)
    rates: tuple[float, float, float] | None = None

    def of(self, rate_per_km: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Return a word of :data:`LEVELS` for each segment.

        Examples
        --------
        >>> Levels(rates=(1, 2, 5)).of(np.array([0.005, 0.02, 0.3]), np.ones(3)).tolist()
        ['low', 'high', 'critical']
        """
        if self.rates is not None:
            which = np.searchsorted(self.rates, 100 * rate_per_km, side="right")
        else:
            which = np.searchsorted(self.shares, risk_percentile(rate_per_km, length), side="right")
        return np.array(LEVELS, dtype=object)[which]


def segment_table(
    segments: gpd.GeoDataFrame,
    attribution: csr_matrix,
    cells: xr.Dataset,
    grid: Grid,
    *,
    replicates: np.ndarray | None = None,
    level: float = 0.9,
    horizon_days: float = DAYS_PER_YEAR,
    crossings: np.ndarray | None = None,
    previous: pd.DataFrame | None = None,
    levels: Levels | None = None,
) -> gpd.GeoDataFrame:
    """Rank the segments by the incidents expected behind them.

    Segments are from :func:`cut_border`, ``attribution`` from :func:`attribute_cells`. ``cells``
    have ``intensity`` and ``exposure``, and features where there are any. ``replicates`` are
    bootstrap intensities, (replicates, cells with exposure in row-major order); ``crossings`` the
    share of randomised routes that cross each segment; ``previous`` an earlier run's table, joined
    by ``segment_id``; ``levels`` the classes of the rate.

    Adds ``expected_per_year`` (these sum to the study area's total), ``share``, ``rate_per_km``,
    ``level``, ``rank`` (1 = highest rate) with bounds; ``expected`` within the horizon with the
    bounds of its mean, and its predictive interval, ``count_low`` and ``count_high``; and what is
    known along each segment.
    """
    expected, scored = expected_incidents(cells, grid)
    flow = csr_matrix(attribution[np.flatnonzero(scored)])
    length = segments.length_km.to_numpy()
    per_year = flow.T @ expected
    within = per_year * horizon_days / DAYS_PER_YEAR
    fewest, most = count_bounds(within, level, PART_SIZE)
    out = segments.assign(
        expected_per_year=per_year,
        share=per_year / max(per_year.sum(), np.finfo(float).tiny),
        rate_per_km=per_year / length,
        level=(levels or Levels()).of(per_year / length, length),
        rank=rank_of(per_year / length),
        expected=within,
        count_low=fewest.astype(int),
        count_high=most.astype(int),
    )
    if replicates is not None and len(replicates):
        area = _scored_area(cells, grid)[scored]
        years = horizon_days / DAYS_PER_YEAR
        out = out.assign(**_intervals(out, flow, replicates * area, level, years))
    if crossings is not None:
        out["crossing_density"] = crossings / length
    out = out.assign(**_along(segments, cells, grid))
    return out if previous is None else against_earlier(out, previous)


def expected_incidents(cells: xr.Dataset, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected reported incidents per year of the scored cells, and their mask."""
    exposure = np.nan_to_num(cells.exposure.to_numpy())
    scored = ((exposure > 0) & np.isfinite(cells.intensity.to_numpy())).ravel()
    if not scored.any():
        raise DataError("No cell of the study area has an intensity; there is nothing to rank.")
    intensity = cells.intensity.to_numpy().ravel().astype(float)
    return (intensity * _scored_area(cells, grid))[scored], scored


def _scored_area(cells: xr.Dataset, grid: Grid) -> np.ndarray:
    """Scored area of each cell in units of 100 km²."""
    return cells.exposure.to_numpy().ravel().astype(float) * grid.cell_area_km2 / 100


def rank_of(rate: np.ndarray) -> np.ndarray:
    """Rank along the last axis, 1 for the highest; ties go to the earlier segment."""
    order = np.argsort(-np.asarray(rate), axis=-1, kind="stable")
    return np.argsort(order, axis=-1, kind="stable") + 1


def _intervals(
    out: gpd.GeoDataFrame, flow: csr_matrix, replicates: np.ndarray, level: float, years: float
) -> dict[str, np.ndarray]:
    length = out.length_km.to_numpy()
    per_year = replicates @ flow
    lowest, highest = tails(level)
    low, high = np.quantile(per_year * years, (lowest, highest), axis=0)
    ranks, own = rank_of(per_year / length), out["rank"].to_numpy()
    best = np.quantile(ranks, lowest, axis=0, method="lower").astype(int)
    worst = np.quantile(ranks, highest, axis=0, method="higher").astype(int)
    return {
        "expected_low": np.minimum(low, out["expected"]),
        "expected_high": np.maximum(high, out["expected"]),
        "rank_low": np.minimum(best, own),
        "rank_high": np.maximum(worst, own),
    }


def _along(segments: gpd.GeoDataFrame, cells: xr.Dataset, grid: Grid) -> dict[str, np.ndarray]:
    """Terrain and nearest target along each segment."""
    owner, row, col = _sample(segments, grid)

    def mean(name: str) -> np.ndarray:
        values = cells[name].to_numpy()[row, col]
        return pd.Series(values).groupby(owner).mean().reindex(range(len(segments))).to_numpy()

    known = {name: mean(name) for name in _TERRAIN if name in cells}
    if _INLAND in cells:
        known["hours_inland"] = mean(_INLAND)
    names = (str(n) for n in cells.data_vars)
    targets = [n for n in names if n.startswith("hours_to_") and n != _INLAND]
    if not targets:
        return known
    hours = np.stack([mean(name) for name in targets])
    nearest = np.argmin(np.where(np.isnan(hours), np.inf, hours), axis=0)
    best = hours[nearest, np.arange(len(segments))]
    called = np.array([name.removeprefix("hours_to_") for name in targets], dtype=object)
    target = np.where(np.isnan(best), "", called[nearest])
    return known | {"hours_to_target": best, "nearest_target": target}


def _sample(segments: gpd.GeoDataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segment, row and column of evenly spaced points along the segments, on the grid."""
    lines = np.asarray(segments.geometry.to_crs(grid.crs), dtype=object)
    counts = np.maximum(1, np.round(shapely.length(lines) / _SAMPLE_M)).astype(int)
    owner = np.repeat(np.arange(len(lines)), counts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    part = (number + 0.5) / counts[owner]
    points = shapely.line_interpolate_point(lines[owner], part, normalized=True)
    row, col = grid.rowcol(shapely.get_x(points), shapely.get_y(points))
    return owner[row >= 0], row[row >= 0], col[row >= 0]


def against_earlier(table: gpd.GeoDataFrame, previous: pd.DataFrame) -> gpd.GeoDataFrame:
    """Say what changed since an earlier table of a border; ConfigError if it was cut differently.

    Adds ``expected_before``, ``change_per_year``, ``rank_before`` (NaN for segments the earlier one
    lacks) and ``change``: ``rose`` or ``fell`` where the intervals of the ranks do not meet,
    ``within intervals`` where they do, ``no intervals`` without any.
    """
    before, ends = previous.set_index("segment_id").reindex(table.segment_id), ["from_km", "to_km"]
    apart = np.abs(table[ends].to_numpy(float) - before[ends].to_numpy(float)).max(axis=1)
    if np.isnan(apart).all() or np.nanmax(apart) > _SAME_KM:
        raise ConfigError(
            "The two runs cut the border differently, so their segments cannot be compared; give "
            "both the same border lines, study_area.window and segments.segment_km."
        )
    expected = before.expected_per_year.to_numpy(float)
    return table.assign(
        expected_before=expected,
        change_per_year=table.expected_per_year.to_numpy() - expected,
        rank_before=before["rank"].astype("Int64").array,
        change=_beyond_intervals(table, before),
    )


def _beyond_intervals(table: pd.DataFrame, before: pd.DataFrame) -> np.ndarray:
    if any(name not in part for part in (table, before) for name in ("rank_low", "rank_high")):
        return np.full(len(table), "no intervals", dtype=object)
    (best, worst), (best_before, worst_before) = (
        part[["rank_low", "rank_high"]].to_numpy(float).T for part in (table, before)
    )
    cases = [np.isnan(best_before), worst < best_before, best > worst_before]
    words = np.array(["no intervals", "rose", "fell", "within intervals"], dtype=object)
    return np.asarray(words[np.select(cases, [0, 1, 2], 3)])


def top(table: gpd.GeoDataFrame, n: int) -> gpd.GeoDataFrame:
    """Return the ``n`` segments of highest rank, best first."""
    return table.sort_values("rank").head(n).reset_index(drop=True)


# What an index cannot say of a segment.
_FORECAST = ("expected_per_year", "share", "rate_per_km", "expected", "count_low", "count_high")


def index_table(
    segments: gpd.GeoDataFrame, attribution: csr_matrix, cells: xr.Dataset, grid: Grid, *,
    crossings: np.ndarray | None = None,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Rank the segments by the mean index of the ground behind them, ``risk`` of the cells.

    Columns are those of :func:`segment_table`; what only a forecast says is empty. Segments without
    any ground behind them come last.
    """
    scored = ((cells.exposure.to_numpy() > 0) & np.isfinite(cells.risk.to_numpy())).ravel()
    flow = csr_matrix(attribution[np.flatnonzero(scored)])
    area, risk = _scored_area(cells, grid)[scored], cells.risk.to_numpy().ravel()[scored]
    behind = flow.T @ area
    mean = np.divide(flow.T @ (area * risk), behind, out=np.zeros(len(behind)), where=behind > 0)
    out = segments.assign(**dict.fromkeys(_FORECAST, np.nan), rank=rank_of(mean))
    if crossings is not None:
        out["crossing_density"] = crossings / segments.length_km.to_numpy()
    known = _along(segments, cells, grid)
    return out.assign(**known | {"trust": cells["trust"].attrs["flag_meanings"]})


def capture_curve(
    rate: np.ndarray, length_km: np.ndarray, observed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of later incidents behind the k kilometres of border with the highest rate.

    By segment: ``rate`` is what is watched first, made without the observed incidents (constant:
    the length-only baseline; equal rates are watched in proportion to their length), ``observed``
    the later incidents attributed to it, see :func:`observed_by_segment`. Returns kilometres and
    shares at the corners of the curve, from (0, 0) to (whole border, 1); NaN shares without
    incidents.
    """
    _, group = np.unique(-np.asarray(rate, float), return_inverse=True)
    km = np.cumsum(np.bincount(group, weights=length_km))
    caught = np.cumsum(np.bincount(group, weights=observed))
    share = caught / caught[-1] if caught[-1] > 0 else np.full(len(caught), np.nan)
    return np.concatenate([[0.0], km]), np.concatenate([share[:1] * 0, share])


def border_capture(
    rate: np.ndarray, length_km: np.ndarray, observed: np.ndarray, share: float = 0.1
) -> float:
    """Share of later incidents behind the given share of border length with the highest rate."""
    km, captured = capture_curve(rate, length_km, observed)
    return float(np.interp(share * km[-1], km, captured))


def observed_by_segment(attribution: csr_matrix, mass: np.ndarray) -> np.ndarray:
    """Incidents behind each segment from the incident mass of each grid cell (row-major)."""
    return np.asarray(attribution.T @ np.asarray(mass, float).ravel())


@dataclass(frozen=True)
class Outlook:
    """Incidents that models expected in each cell at one origin, and those reported there later."""

    expected: Mapping[str, np.ndarray]
    happened: np.ndarray


@dataclass(frozen=True)
class BorderCapture:
    """Share of later incidents behind the first kilometres of border, as each model ranks them.

    ``km`` watched go in steps of 10 up to the whole ``border_km``; ``captured`` is by model, and by
    ``length`` alone; ``low`` and ``high`` are about ``model``. ``incidents`` followed the
    ``origins``; ``subsets`` are the same of some of them.
    """

    border_km: float
    origins: int
    incidents: float
    km: list[float]
    captured: dict[str, list[float]]
    model: str
    low: list[float]
    high: list[float]
    subsets: dict[str, BorderCapture] = field(default_factory=dict)


def prospective_curves(
    outlooks: Sequence[Outlook], attribution: csr_matrix, length_km: np.ndarray, model: str, *,
    level: float = 0.9, seed: int = 0,
) -> BorderCapture | None:  # fmt: skip
    """Return how much of the next period's incidents lay behind the k kilometres ranked first.

    At each origin every model ranks the segments by what it expects behind them; curves are means
    over all later incidents. Watching by length alone, ``length``, is the straight line.

    All outlooks have the same models; ``attribution`` is the share of each cell (row) that belongs
    to each segment. The curve of ``model`` gets an interval from a bootstrap over origins. None
    without incidents.
    """
    weight = np.array([outlook.happened.sum() for outlook in outlooks])
    if not weight.sum() > 0:
        return None
    total = float(np.sum(length_km))
    km = np.append(np.arange(0, total, _STEP_KM), total)
    curves = {
        name: np.stack([_curve(o, name, attribution, length_km, km) for o in outlooks])
        for name in outlooks[0].expected
    }
    means = {name: np.average(each, axis=0, weights=weight) for name, each in curves.items()}
    low, high = _bounds(curves[model], weight, level, seed)
    captured = {**means, LENGTH: km / total}
    return BorderCapture(
        border_km=total, origins=len(outlooks), incidents=float(weight.sum()),
        km=km.round(3).tolist(), model=model,
        captured={name: values.round(4).tolist() for name, values in captured.items()},
        low=low.round(4).tolist(), high=high.round(4).tolist(),
    )  # fmt: skip


def _curve(
    outlook: Outlook, name: str, attribution: csr_matrix, length_km: np.ndarray, km: np.ndarray
) -> np.ndarray:
    """Share captured at each of ``km``; 0 where nothing happened, which then has no weight."""
    rate = observed_by_segment(attribution, outlook.expected[name]) / length_km
    observed = observed_by_segment(attribution, outlook.happened)
    corners, captured = capture_curve(rate, length_km, observed)
    return np.interp(km, corners, np.nan_to_num(captured))


def _bounds(
    curves: np.ndarray, weight: np.ndarray, level: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(weight), (_RESAMPLES, len(weight)))
    times = np.stack([np.bincount(row, minlength=len(weight)) for row in drawn]) * weight
    times = times[times.sum(axis=1) > 0]
    means = (times / times.sum(axis=1, keepdims=True)) @ curves
    low, high = np.quantile(means, tails(level), axis=0)
    return low, high
