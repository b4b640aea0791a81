"""From a fitted model to the score variables of every cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from borderrisk import scores
from borderrisk.model import drivers, trust
from borderrisk.model.behind import Behind
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import PARTS, Fitted
from borderrisk.model.uncertainty import Intervals, rank
from borderrisk.outputs.scene import AreaTotal, Focus

_ENDS = ("low", "high")


def _variable(cells: CellTable, name: str, values: np.ndarray) -> xr.DataArray:
    """One value per domain cell as a grid variable, missing outside the study area."""
    return _declared(name, cells.to_grid(np.where(cells.study, values, np.nan)).astype("float32"))


def _declared(name: str, grid: np.ndarray, **attrs: Any) -> xr.DataArray:
    return xr.DataArray(grid, dims=("y", "x"), attrs=scores.by_name()[name].attrs | attrs)


def score_variables(
    cells: CellTable, fitted: Fitted, horizon_days: float, level: float
) -> dict[str, xr.DataArray]:
    """Intensity and its parts, counts, probability, risk, class and rank of the study's cells."""
    area = cells.study_area_100km2
    intensity, parts = fitted.intensity(cells), fitted.parts(cells)
    expected = scores.expected_count(intensity, area, horizon_days)
    low, high = scores.count_bounds(expected, level)
    whole = np.where(intensity > 0, intensity, 1.0)
    values = {
        "intensity": intensity,
        "expected": expected,
        "count_low": low,
        "count_high": high,
        "probability": scores.probability(intensity, area, horizon_days),
        "susceptibility": fitted.susceptibility(cells),
        **{f"share_{name}": parts[name] / whole for name in PARTS},
    }
    found = {name: _variable(cells, name, value) for name, value in values.items()}
    return found | _ranked(cells, intensity)


def index_variables(cells: CellTable, fitted: Fitted) -> dict[str, xr.DataArray]:
    """Risk, class, rank and trust of an index: where it is higher, and nothing else."""
    found = _ranked(cells, fitted.intensity(cells))
    found |= trust_variable(cells, np.where(cells.study, 0, -1))
    declared = scores.by_name()
    return {name: values.assign_attrs(scores.as_index(declared[name]).attrs)
            for name, values in found.items()}  # fmt: skip


def _ranked(cells: CellTable, intensity: np.ndarray) -> dict[str, xr.DataArray]:
    """Risk, rank (1 for the highest; ties in row-major order) and class of the study's cells."""
    study, area = cells.study, cells.study_area_100km2
    risk, ranks = np.zeros(len(cells)), np.zeros(len(cells))
    risk[study] = scores.risk_percentile(intensity[study], area[study])
    ranks[study] = rank(intensity[study])
    classes = cells.to_grid(np.where(study, scores.risk_class(risk), 0).astype("int16"))
    found = {name: _variable(cells, name, of) for name, of in (("risk", risk), ("rank", ranks))}
    return found | {"risk_class": _declared("risk_class", np.maximum(classes, 0).astype("uint8"))}


def interval_variables(cells: CellTable, intervals: Intervals) -> dict[str, xr.DataArray]:
    """Bounds of probability and rank."""
    found = {}
    for name in (f"{of}_{end}" for of in ("probability", "expected", "rank") for end in _ENDS):
        values = np.full(len(cells), np.nan)
        values[cells.study] = getattr(intervals, name)
        found[name] = _variable(cells, name, values)
    return found


def area_totals(
    cells: CellTable, fitted: Fitted, intervals: Intervals | None, focuses: Sequence[Focus],
    horizon_days: float, level: float,
) -> list[AreaTotal]:  # fmt: skip
    """Incidents to expect within the horizon in the study area, then in each focus.

    The study area's may be as many as the level of the fitted model says; those of a part scatter
    as on other borders.
    """
    years, area = horizon_days / scores.DAYS_PER_YEAR, cells.study_area_100km2[cells.study]
    expected = fitted.intensity(cells)[cells.study] * area * years
    windows = [("", np.ones(len(area), bool))]
    windows += [(one.name, one.holds(cells.grid)[cells.mask][cells.study]) for one in focuses]
    found = []
    for name, inside in windows:
        mean = float(expected[inside].sum())
        few, many = (int(end) for end in scores.count_bounds(mean, level, scores.PART_SIZE))
        if not name:
            few, many = fitted.level.interval(horizon_days, level)
        ends: tuple[float | None, float | None] = (None, None)
        if intervals is not None:
            drawn = intervals.replicates[:, inside] @ (area[inside] * years)
            bounds = np.quantile(drawn, scores.tails(level))
            ends = (min(float(bounds[0]), mean), max(float(bounds[1]), mean))
        found.append(AreaTotal(name, mean, *ends, few, many))
    return found


def driver_variables(cells: CellTable, parts: pd.DataFrame) -> dict[str, xr.DataArray]:
    """Return the three strongest effects of features on each cell, as codes and signed effects."""
    parts = parts.drop(columns="history", errors="ignore")
    if parts.empty or not len(parts.columns):
        return {}
    found = drivers.top_drivers(parts)
    codes = np.arange(len(found.features), dtype="int16")
    flags = {"flag_values": codes, "flag_meanings": " ".join(found.features)}
    variables = {}
    for k in range(found.codes.shape[1]):
        name = f"driver_{k + 1}"
        code = np.where(cells.study, found.codes[:, k], -1).astype("int16")
        variables[name] = _declared(name, cells.to_grid(code), **flags)
        variables[f"{name}_effect"] = _variable(cells, f"{name}_effect", found.effects[:, k])
    return variables


def incident_variables(
    cells: CellTable, found: Behind, positions: np.ndarray
) -> dict[str, xr.DataArray]:
    """Return the incidents behind each cell, their shares, and how many are reasons.

    ``positions`` are the places of the incidents in the table that the scene shows.
    """
    table = np.append(positions, -1)
    variables = {}
    for k in range(found.incident.shape[1]):
        code, name = np.where(cells.study, table[found.incident[:, k]], -1), f"incident_{k + 1}"
        variables[name] = _declared(name, cells.to_grid(code.astype("int32")))
        variables[f"{name}_share"] = _variable(cells, f"{name}_share", found.share[:, k])
    variables["incident_reasons"] = _variable(cells, "incident_reasons", found.reasons)
    return variables


def trust_codes(
    cells: CellTable, ds: xr.Dataset, panel: Panel, test: trust.Dissimilarity, halo_km: float, *,
    leans: np.ndarray, trained_here: bool,
) -> np.ndarray:  # fmt: skip
    """Return where each score can be relied on, int8, shape (cells,).

    Unknown ground matters where the score ``leans`` on it. In the region it was trained on, a cell
    is compared with the other folds only: it would otherwise be its own nearest neighbour.
    """
    near = [n for n in ds.data_vars if str(n).startswith("settlement_distance_")]
    distance = ds[near[0]].to_numpy()[cells.mask] if near else None
    # Inputs were read of cells with elevation, and of open sea.
    known = (ds["terrain_valid_share"].to_numpy() > 0) | (ds["domain"].to_numpy() == 0)
    return trust.trust_codes(
        cells,
        extrapolates=leans
        & test.extrapolates(cells.x, trust.area_folds(cells) if trained_here else None),
        sparse=trust.sparse(cells, panel.counts(weighted=False), distance),
        edge=trust.edge(cells, known, halo_km),
    )


def leans_on_ground(cells: CellTable, fitted: Fitted) -> np.ndarray:
    """Whether less than half of each cell's intensity is from earlier incidents there, bool."""
    parts = fitted.parts(cells)
    return np.asarray(parts["history"] + parts["recent"] < parts["ground"] + parts["even"])


def trust_variable(cells: CellTable, codes: np.ndarray) -> dict[str, xr.DataArray]:
    """Return the codes of :func:`trust_codes` as a grid variable."""
    return {"trust": _declared("trust", cells.to_grid(codes).astype("int8"))}
