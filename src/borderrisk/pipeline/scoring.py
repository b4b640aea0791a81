"""From a fitted model to the score variables of every cell."""

from __future__ import annotations

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


def _variable(
    cells: CellTable, name: str, values: np.ndarray, dtype: str = "float32", **attrs: Any
) -> xr.DataArray:
    """One value per domain cell as a grid variable, missing outside the study area."""
    grid = cells.to_grid(np.where(cells.study, values, np.nan)).astype(dtype)
    return xr.DataArray(grid, dims=("y", "x"), attrs=scores.by_name()[name].attrs | attrs)


def score_variables(
    cells: CellTable, fitted: Fitted, horizon_days: float, level: float
) -> dict[str, xr.DataArray]:
    """Intensity and its parts, counts, probability, risk, class and rank of the study's cells."""
    study, area = cells.study, cells.study_area_100km2
    intensity, parts = fitted.intensity(cells), fitted.parts(cells)
    risk = np.zeros(len(cells))
    risk[study] = scores.risk_percentile(intensity[study], area[study])
    expected = scores.expected_count(intensity, area, horizon_days)
    low, high = scores.count_bounds(expected, level)
    whole = np.where(intensity > 0, intensity, 1.0)
    values = {
        "intensity": intensity,
        "expected": expected,
        "count_low": low,
        "count_high": high,
        "probability": scores.probability(intensity, area, horizon_days),
        "risk": risk,
        "rank": _ranks(intensity, study),
        "susceptibility": fitted.susceptibility(cells),
        **{f"share_{name}": parts[name] / whole for name in PARTS},
    }
    variables = {name: _variable(cells, name, value) for name, value in values.items()}
    classes = np.where(study, scores.risk_class(risk), 0)
    variables["risk_class"] = xr.DataArray(
        np.maximum(cells.to_grid(classes.astype("int16")), 0).astype("uint8"),
        dims=("y", "x"),
        attrs=scores.by_name()["risk_class"].attrs,
    )
    return variables


def _ranks(intensity: np.ndarray, study: np.ndarray) -> np.ndarray:
    """Rank among the study cells, 1 for the highest; ties in row-major order."""
    ranks = np.zeros(len(intensity))
    ranks[study] = rank(intensity[study])
    return ranks


def interval_variables(cells: CellTable, intervals: Intervals) -> dict[str, xr.DataArray]:
    """Bounds of probability and rank."""
    names = (
        "probability_low", "probability_high", "expected_low", "expected_high", "rank_low",
        "rank_high",
    )  # fmt: skip
    found = {}
    for name in names:
        values = np.full(len(cells), np.nan)
        values[cells.study] = getattr(intervals, name)
        found[name] = _variable(cells, name, values)
    return found


def driver_variables(cells: CellTable, parts: pd.DataFrame) -> dict[str, xr.DataArray]:
    """Return the three strongest effects of features on each cell, as codes and signed effects."""
    parts = parts.drop(columns="history", errors="ignore")
    if parts.empty or not len(parts.columns):
        return {}
    found = drivers.top_drivers(parts)
    codes = np.arange(len(found.features), dtype="int16")
    attrs = {"flag_values": codes, "flag_meanings": " ".join(found.features)}
    variables = {}
    for k in range(found.codes.shape[1]):
        name = f"driver_{k + 1}"
        code = np.where(cells.study, found.codes[:, k], -1).astype("int16")
        effect = np.where(cells.study, found.effects[:, k], np.nan)
        variables[name] = xr.DataArray(
            cells.to_grid(code),
            dims=("y", "x"),
            attrs=scores.by_name()[name].attrs | attrs,
        )
        variables[f"{name}_effect"] = xr.DataArray(
            cells.to_grid(effect).astype("float32"),
            dims=("y", "x"),
            attrs=scores.by_name()[f"{name}_effect"].attrs,
        )
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
        code = np.where(cells.study, table[found.incident[:, k]], -1)
        attrs = scores.by_name()[f"incident_{k + 1}"].attrs
        grid = cells.to_grid(code.astype("int32"))
        variables[f"incident_{k + 1}"] = xr.DataArray(grid, dims=("y", "x"), attrs=attrs)
        name = f"incident_{k + 1}_share"
        variables[name] = _variable(cells, name, found.share[:, k])
    variables["incident_reasons"] = _variable(cells, "incident_reasons", found.reasons)
    return variables


def trust_codes(
    cells: CellTable,
    ds: xr.Dataset,
    panel: Panel,
    test: trust.Dissimilarity,
    halo_km: float,
    *,
    trained_here: bool,
) -> np.ndarray:
    """Return where each score can be relied on, int8, shape (cells,).

    In the region it was trained on, a cell is compared with the other folds only: it would
    otherwise be its own nearest neighbour.
    """
    near = [n for n in ds.data_vars if str(n).startswith("settlement_distance_")]
    distance = ds[near[0]].to_numpy()[cells.mask] if near else None
    return trust.trust_codes(
        cells,
        extrapolates=test.extrapolates(cells.x, trust.area_folds(cells) if trained_here else None),
        sparse=trust.sparse(cells, panel.counts(weighted=False), distance),
        edge=trust.edge(cells, _known(ds), halo_km),
    )


def trust_variable(cells: CellTable, codes: np.ndarray) -> dict[str, xr.DataArray]:
    """Return the codes of :func:`trust_codes` as a grid variable."""
    grid = cells.to_grid(codes).astype("int8")
    return {"trust": xr.DataArray(grid, dims=("y", "x"), attrs=scores.by_name()["trust"].attrs)}


def _known(ds: xr.Dataset) -> np.ndarray:
    """Cells whose inputs were read: those with elevation, and open sea."""
    share = ds["terrain_valid_share"].to_numpy()
    return (share > 0) | (ds["domain"].to_numpy() == 0)
