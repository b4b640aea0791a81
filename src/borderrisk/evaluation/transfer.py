"""Skill behind a border that a model has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.compute import map_parallel
from borderrisk.evaluation.backtest import role
from borderrisk.evaluation.folds import (
    Fold,
    Region,
    border_regions,
    held_out,
    nearest_cell,
    restrict,
    square_blocks,
)
from borderrisk.evaluation.metrics import capture, information_gain, paired_difference, roc_auc
from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Memo, Settings, require_past

REFERENCE = "border_distance"
BUFFER_QUANTILE = 0.9
# Blocks of the intervals: what lies within a few radii of uncertainty is no second witness.
BLOCK_PER_BUFFER = 3.0
SCORES = ("bits", "auc", "capture_10")


def spatial_tests(
    cells: CellTable,
    panel: Panel,
    origin: Any,
    models: Mapping[str, Settings],
    *,
    seed: int = 0,
    neighbour_distances: Sequence[str] = (),
    workers: int | None = None,
) -> dict[str, Any]:
    """Score every model on the land behind one border at a time, trained on all other land.

    All that is nearest to one neighbour is held out. Training keeps a distance from it: the
    buffer, or an incident's own location radius if that is wider.

    Parameters
    ----------
    cells : CellTable
        Cells of the domain; scores are over the study area.
    panel : Panel
        Incidents; those not wholly before the origin are ignored.
    origin : date
        Date of the forecast.
    models : mapping of str to Settings
        What to fit, by name.
    seed : int
        Seed of the models and of the intervals.
    neighbour_distances : sequence of str
        Columns ``border_distance_<ccc>_km``: the borders that are left out in turn.
    workers : int, optional
        Threads; all processors by default.

    Returns
    -------
    dict
        ``rows`` (of each border left out: ``fold, model, role, incidents, bits, auc,
        capture_10``), ``summary`` (the same over all of them, with ``gain`` over
        ``border_distance`` and its 90 % interval, square blocks of ``block_km`` drawn whole),
        ``block_km, buffer_km``; ``scored`` and ``unscored`` (incidents; the latter are vaguer than
        the buffer or outside the study area); ``untested`` (borders, with the reason).
    """
    past = require_past(panel, origin, 2)
    plan = _plan(cells, past, neighbour_distances)
    fit = partial(fit_fold, cells, past, origin, models, seed)
    intensities = map_parallel(fit, [fold for _, fold in plan.tested], workers=workers)
    scores = [
        score_fold(fold, region, found, cells)
        for (region, fold), found in zip(plan.tested, intensities, strict=True)
    ]
    return _result(scores, plan, seed)


@dataclass(frozen=True)
class _Plan:
    """Borders to leave out with their folds, and why some cannot be."""

    tested: list[tuple[Region, Fold]]
    untested: list[dict[str, str]]
    block: np.ndarray
    block_km: float
    buffer_km: float


def _plan(cells: CellTable, past: Panel, distances: Sequence[str]) -> _Plan:
    buffer_km = location_buffer_km(past)
    block_km = max(BLOCK_PER_BUFFER * buffer_km, 2 * cells.grid.cell_size_m / 1000)
    number, _ = square_blocks(cells.x[list(COORDINATES)].to_numpy(), block_km)
    clear = past.incidents["radius_km"].to_numpy(float) <= buffer_km
    regions, untested = border_regions(cells, past, clear, distances)
    folds = [(region, held_out(region, cells, past, buffer_km)) for region in regions]
    reason = "no incident left to train on"
    untested += [{"fold": region.name, "reason": reason} for region, fold in folds if fold is None]
    tested = [(region, fold) for region, fold in folds if fold is not None]
    return _Plan(tested, untested, number[nearest_cell(cells, past)], block_km, buffer_km)


def location_buffer_km(panel: Panel) -> float:
    """Distance that training keeps: nine of ten incidents are located better than that."""
    return float(np.quantile(panel.incidents["radius_km"].to_numpy(float), BUFFER_QUANTILE))


def fit_fold(
    cells: CellTable,
    past: Panel,
    origin: Any,
    models: Mapping[str, Settings],
    seed: int,
    fold: Fold,
) -> dict[str, np.ndarray]:
    """Intensity of every cell by every model, from what the fold may see."""
    seen, panel = restrict(cells, past.subset(fold.train), fold.cells)
    memo: Memo = {}
    return {
        name: settings.fit(seen, panel, origin, seed, memo).intensity(cells)
        for name, settings in models.items()
    }


def score_fold(
    fold: Fold, region: Region, intensities: Mapping[str, np.ndarray], cells: CellTable
) -> pd.DataFrame:
    """Scores of each incident of a fold by each model, against the ground of a region."""
    incident = np.flatnonzero(fold.test & region.incidents)
    scored = region.cells & cells.study
    area, mass = cells.study_area_100km2[scored], region.mass[incident][:, scored]
    parts = [
        pd.DataFrame(
            {
                "fold": fold.name,
                "model": name,
                "incident": incident,
                "bits": information_gain(everywhere[scored], area, mass),
                "auc": roc_auc(everywhere[scored], area, mass),
                "capture_10": capture(everywhere[scored], area, mass, 0.1),
            }
        )
        for name, everywhere in (intensities.items() if len(incident) else ())
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _result(scores: list[pd.DataFrame], plan: _Plan, seed: int) -> dict[str, Any]:
    table = pd.concat(scores, ignore_index=True) if scores else pd.DataFrame()
    scored = int(table["incident"].nunique()) if len(table) else 0
    return {
        "rows": rows_by(table, ["fold", "model"]),
        "summary": summaries(table, plan.block, seed),
        "block_km": plan.block_km,
        "buffer_km": plan.buffer_km,
        "scored": scored,
        "unscored": len(plan.block) - scored,
        "untested": plan.untested,
    }


def rows_by(table: pd.DataFrame, keys: list[str]) -> list[dict[str, Any]]:
    """Average the scores of incidents by some columns, the model among them."""
    if table.empty:
        return []
    rows = []
    for _, part in table.groupby(keys, sort=False):
        row: dict[str, Any] = {key: str(part[key].iloc[0]) for key in keys}
        row |= {"role": role(row["model"]), "incidents": len(part)}
        rows.append(row | {name: float(part[name].mean()) for name in SCORES})
    return rows


def summaries(table: pd.DataFrame, block: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Average the scores of each model over all folds, with its gain over the reference.

    Parameters
    ----------
    table : DataFrame
        From :func:`score_fold`.
    block : ndarray of int, shape (incidents,)
        Incidents of one block are drawn together for the interval.
    seed : int
        Of the draws.
    """
    found = []
    for row in rows_by(table, ["model"]):
        part, reference = (table[table["model"] == name] for name in (row["model"], REFERENCE))
        found.append({"fold": "all", **row, "gain": _gain(part, reference, block, seed)})
    return found


def _gain(
    part: pd.DataFrame, reference: pd.DataFrame, block: np.ndarray, seed: int
) -> dict[str, Any] | None:
    """Bits over the reference on the same incidents."""
    if reference.empty or part["model"].iloc[0] == REFERENCE:
        return None
    both = part.merge(reference[["incident", "bits"]], on="incident", suffixes=("", "_reference"))
    found = paired_difference(
        both["bits"].to_numpy(),
        both["bits_reference"].to_numpy(),
        block[both["incident"]],
        seed=seed,
    )
    return {"baseline": REFERENCE, "bits": found.value, "low": found.low, "high": found.high}
