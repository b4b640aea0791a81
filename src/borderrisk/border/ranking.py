"""The ranking of border segments: rates with intervals, and what is known along each."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from scipy.sparse import csr_matrix

from borderrisk.errors import ConfigError, DataError
from borderrisk.grid import Grid
from borderrisk.scores import DAYS_PER_YEAR, PART_SIZE, count_bounds, tails

# Features are read along a segment at about this spacing.
_SAMPLE_M = 1_000.0
_TERRAIN = ("slope_mean", "ruggedness", "hidden_share")
_DRIVERS = 3
# Stretches of the same id are the same if their ends agree to this many kilometres.
_SAME_KM = 0.5


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
) -> gpd.GeoDataFrame:
    """Rank the segments by the incidents expected behind them.

    Segments are from :func:`cut_border`, ``attribution`` from :func:`attribute_cells`. ``cells``
    have ``intensity`` and ``exposure``, and features, ``driver_k`` and ``trust`` where there are
    any. ``replicates`` are bootstrap intensities, (replicates, cells with exposure in row-major
    order); ``crossings`` the share of randomised routes that cross each segment; ``previous`` an
    earlier run's table, joined by ``segment_id``.

    Adds ``expected_per_year`` (these sum to the study area's total), ``share``, ``rate_per_km``,
    ``rank`` (1 = highest rate), their ``_low`` and ``_high`` bounds; ``expected`` within the
    horizon with its predictive interval, ``count_low`` and ``count_high``; and what is known along
    each segment.
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
        rank=rank_of(per_year / length),
        expected=within,
        count_low=fewest.astype(int),
        count_high=most.astype(int),
    )
    if replicates is not None and len(replicates):
        area = _scored_area(cells, grid)[scored]
        out = out.assign(**_intervals(flow, replicates * area, length, level))
    if crossings is not None:
        out["crossing_density"] = crossings / length
    out = out.assign(**_along(segments, cells, grid), **_explained(flow, expected, cells, scored))
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
    flow: csr_matrix, replicates: np.ndarray, length: np.ndarray, level: float
) -> dict[str, np.ndarray]:
    per_year = replicates @ flow
    lowest, highest = tails(level)
    expected = np.quantile(per_year, (lowest, highest), axis=0)
    rank = rank_of(per_year / length)
    return {
        "expected_low": expected[0],
        "expected_high": expected[1],
        "rank_low": np.quantile(rank, lowest, axis=0, method="lower").astype(int),
        "rank_high": np.quantile(rank, highest, axis=0, method="higher").astype(int),
    }


def _along(segments: gpd.GeoDataFrame, cells: xr.Dataset, grid: Grid) -> dict[str, np.ndarray]:
    """Terrain and nearest target along each segment."""
    owner, row, col = _sample(segments, grid)

    def mean(name: str) -> np.ndarray:
        values = cells[name].to_numpy()[row, col]
        return pd.Series(values).groupby(owner).mean().reindex(range(len(segments))).to_numpy()

    known = {name: mean(name) for name in _TERRAIN if name in cells}
    targets = [str(n) for n in cells.data_vars if _is_target(str(n))]
    if not targets:
        return known
    hours = np.stack([mean(name) for name in targets])
    nearest = np.argmin(np.where(np.isnan(hours), np.inf, hours), axis=0)
    best = hours[nearest, np.arange(len(segments))]
    names = np.array([name.removeprefix("hours_to_") for name in targets], dtype=object)
    target = np.where(np.isnan(best), "", names[nearest])
    return known | {"hours_to_target": best, "nearest_target": target}


def _is_target(name: str) -> bool:
    return name.startswith("hours_to_") and name != "hours_to_home_settlement"


def _sample(segments: gpd.GeoDataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segment, row and column of evenly spaced points along the segments, on the grid."""
    lines = np.asarray(segments.geometry.to_crs(grid.crs), dtype=object)
    counts = np.maximum(1, np.round(shapely.length(lines) / _SAMPLE_M)).astype(int)
    owner = np.repeat(np.arange(len(lines)), counts)
    part = (np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts) + 0.5) / counts[
        owner
    ]
    points = shapely.line_interpolate_point(lines[owner], part, normalized=True)
    row, col = grid.rowcol(shapely.get_x(points), shapely.get_y(points))
    return owner[row >= 0], row[row >= 0], col[row >= 0]


def _explained(
    flow: csr_matrix, expected: np.ndarray, cells: xr.Dataset, scored: np.ndarray
) -> dict[str, np.ndarray]:
    """Top drivers and prevailing trust of the cells behind each segment, weighted by incidents."""
    weight = csr_matrix(flow.multiply(expected[:, None]))
    out: dict[str, np.ndarray] = {}
    if "driver_1" in cells and "driver_1_effect" in cells:
        out |= _drivers(weight, cells, scored)
    if "trust" in cells:
        codes, names = _flags(cells["trust"])
        mass = _mass_by_code(weight, cells["trust"].to_numpy().ravel()[scored], codes)
        out["trust"] = np.where(mass.sum(axis=1) > 0, names[mass.argmax(axis=1)], "")
    return out


def _drivers(weight: csr_matrix, cells: xr.Dataset, scored: np.ndarray) -> dict[str, np.ndarray]:
    codes, names = _flags(cells["driver_1"])
    total = np.zeros((weight.shape[1], len(codes)))
    for k in range(1, _DRIVERS + 1):
        if f"driver_{k}" not in cells:
            continue
        effect = np.nan_to_num(cells[f"driver_{k}_effect"].to_numpy().ravel()[scored].astype(float))
        code = cells[f"driver_{k}"].to_numpy().ravel()[scored]
        total += _mass_by_code(csr_matrix(weight.multiply(effect[:, None])), code, codes)
    order = np.argsort(-np.abs(total), axis=1, kind="stable")[:, :_DRIVERS]
    known = np.take_along_axis(total, order, axis=1) != 0
    text = np.where(known, names[order], "")
    return {f"driver_{k + 1}": text[:, k] for k in range(text.shape[1])}


def _mass_by_code(weight: csr_matrix, code: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Weight of each code behind each segment, shape (segments, codes)."""
    return np.column_stack([weight.T @ (code == value).astype(float) for value in codes])


def _flags(variable: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    names = np.array(str(variable.attrs["flag_meanings"]).split(), dtype=object)
    return np.atleast_1d(variable.attrs["flag_values"]), names


def against_earlier(table: gpd.GeoDataFrame, previous: pd.DataFrame) -> gpd.GeoDataFrame:
    """Say what changed since an earlier table of a border; ConfigError if it was cut differently.

    Adds ``expected_before``, ``change_per_year``, ``rank_before`` (NaN for segments the earlier one
    lacks) and ``change``: ``rose`` or ``fell`` where the intervals of the ranks do not meet,
    ``within intervals`` where they do, ``no intervals`` without any.
    """
    before = previous.set_index("segment_id").reindex(table.segment_id)
    _check_same_cut(table, before)
    expected = before.expected_per_year.to_numpy(float)
    return table.assign(
        expected_before=expected,
        change_per_year=table.expected_per_year.to_numpy() - expected,
        rank_before=before["rank"].astype("Int64").array,
        change=_beyond_intervals(table, before),
    )


def _check_same_cut(table: pd.DataFrame, before: pd.DataFrame) -> None:
    ends = ["from_km", "to_km"]
    apart = np.abs(table[ends].to_numpy(float) - before[ends].to_numpy(float)).max(axis=1)
    if np.isnan(apart).all() or np.nanmax(apart) > _SAME_KM:
        raise ConfigError(
            "The two runs cut the border differently, so their segments cannot be compared; give "
            "both the same border lines, study_area.window and segments.segment_km."
        )


def _beyond_intervals(table: pd.DataFrame, before: pd.DataFrame) -> np.ndarray:
    if any(name not in part for part in (table, before) for name in ("rank_low", "rank_high")):
        return np.full(len(table), "no intervals", dtype=object)
    best, worst = (table[name].to_numpy(float) for name in ("rank_low", "rank_high"))
    best_before, worst_before = (before[name].to_numpy(float) for name in ("rank_low", "rank_high"))
    cases = [np.isnan(best_before), worst < best_before, best > worst_before]
    words = np.array(["no intervals", "rose", "fell", "within intervals"], dtype=object)
    return np.asarray(words[np.select(cases, [0, 1, 2], 3)])


def top(table: gpd.GeoDataFrame, n: int) -> gpd.GeoDataFrame:
    """Return the ``n`` segments of highest rank, best first."""
    return table.sort_values("rank").head(n).reset_index(drop=True)


# What an index cannot say of a segment.
_FORECAST = ("expected_per_year", "share", "rate_per_km", "expected", "count_low", "count_high")


def index_table(
    segments: gpd.GeoDataFrame,
    attribution: csr_matrix,
    cells: xr.Dataset,
    grid: Grid,
    *,
    crossings: np.ndarray | None = None,
) -> gpd.GeoDataFrame:
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
    known = _along(segments, cells, grid) | _explained(flow, area, cells, scored)
    return out.assign(**known | {"trust": cells["trust"].attrs["flag_meanings"]})
