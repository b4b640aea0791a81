"""Skill in places not seen, by how they are held out: blocks, random folds, whole borders.

*Block*: square blocks, at least as large as residuals are correlated and as three buffers, dealt to
folds evenly by incidents (Roberts et al. 2017, Ecography 40(8)). *Random*: incidents are dealt out
without regard to place; what such a test promises more than the blocks do, on the same incidents in
the same regions, is its optimism. *Unnamed*: a border left out as a run does it, without the
columns that are named after that border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.studies import common
from benchmarks.studies.autocorrelation import autocorrelation_range_km
from borderrisk.compute import map_parallel
from borderrisk.errors import DataError
from borderrisk.evaluation.transfer import (
    BLOCK_PER_BUFFER,
    Fold,
    Region,
    border_regions,
    fit_fold,
    held_out,
    location_buffer_km,
    nearest_cell,
    region_of,
    score_fold,
    summaries,
)
from borderrisk.model.cells import COORDINATES, CellTable, square_blocks
from borderrisk.model.level import MIN_IN_STUDY
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Settings, require_past
from borderrisk.model.registry import make_model
from borderrisk.pipeline import steps

FOLDS = 5
Fitted = tuple[Fold, dict[str, np.ndarray]]


def fold_study(
    cells: CellTable,
    panel: Panel,
    origin: Any,
    models: Mapping[str, Settings],
    *,
    distances: Sequence[str] = (),
    folds: int = FOLDS,
    seed: int = 0,
    workers: int | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Score every model by each way of holding out.

    Parameters
    ----------
    cells, panel, origin
        As for :func:`borderrisk.evaluation.transfer.spatial_tests`.
    models : mapping of str to Settings
        What to fit, by name; the first is also tried without the columns that name a border.
    distances : sequence of str
        Columns ``border_distance_<ccc>_km``.
    folds : int
        Number of block folds, and of random folds.
    seed : int
        Of the random folds, the models and the intervals.
    workers : int, optional
        Threads.

    Returns
    -------
    dict of str to list of dict
        For ``block``, ``random`` and ``unnamed`` what
        :func:`borderrisk.evaluation.transfer.summaries` returns, as plain values.
    """
    past = require_past(panel, origin, 2)
    buffer_km = location_buffer_km(past)
    smooth = make_model("glm").fit(cells, past, origin, seed).intensity(cells)
    block_km = max(autocorrelation_range_km(cells, past, smooth), BLOCK_PER_BUFFER * buffer_km)
    clear = past.incidents["radius_km"].to_numpy(float) <= buffer_km
    blocks, block = block_regions(cells, past, clear, folds, block_km)
    scored = np.any([region.incidents for region in blocks], axis=0)
    away = [_must(held_out(region, cells, past, buffer_km), region) for region in blocks]
    fit = partial(fit_fold, cells, past, origin, models, seed)

    def fitted(held: Sequence[Fold]) -> list[Fitted]:
        return list(zip(held, map_parallel(fit, held, workers=workers), strict=True))

    mixed = fitted(random_folds(scored, len(cells), folds, seed))
    tables = {
        "block": [score_fold(*pair(one, region), cells) for one, region
                  in zip(fitted(away), blocks, strict=True)],
        "random": [score_fold(*pair(one, region), cells) for one in mixed for region in blocks],
        "unnamed": _unnamed(cells, past, origin, models, distances, clear, buffer_km, seed),
    }  # fmt: skip
    return {
        scheme: [asdict(row) for row in summaries(pd.concat(found, ignore_index=True), block, seed)]
        if found
        else []
        for scheme, found in tables.items()
    }


def pair(one: Fitted, region: Region) -> tuple[Fold, Region, dict[str, np.ndarray]]:
    """Put a fold, the region that it is scored in and its forecasts in the order of scoring."""
    return one[0], region, one[1]


def _must(fold: Fold | None, region: Region) -> Fold:
    if fold is None:
        raise DataError(f"Fold {region.name} leaves no incident to train on; use more folds.")
    return fold


def _unnamed(
    cells: CellTable, past: Panel, origin: Any, models: Mapping[str, Settings],
    distances: Sequence[str], clear: np.ndarray, buffer_km: float, seed: int,
) -> list[pd.DataFrame]:  # fmt: skip
    """Scores behind each border by models that have no column named after it."""
    found = []
    for region in border_regions(cells, past, clear, distances)[0]:
        fold = held_out(region, cells, past, buffer_km)
        if fold is not None:
            gone = [name for name in neighbour_columns(region.name) if name in cells.x]
            fewer = replace(cells, x=cells.x.drop(columns=gone))
            kept = {k: models[k] for k in (next(iter(models)), "border_distance") if k in models}
            forecasts = fit_fold(fewer, past, origin, kept, seed, fold)
            found.append(score_fold(fold, region, forecasts, cells))
    return found


def neighbour_columns(code: str) -> tuple[str, ...]:
    """Return the features that name a neighbour."""
    return (f"border_distance_{code.lower()}_km", f"hours_from_border_{code.lower()}")


def balanced_folds(presence: np.ndarray, area: np.ndarray, folds: int) -> np.ndarray:
    """Deal blocks to folds so that incidents, and then area, are spread evenly.

    The block with most incidents goes first, each to the fold with fewest so far.

    Parameters
    ----------
    presence, area : ndarray, shape (blocks,)
        Number of incidents, and area.
    folds : int
        Number of folds.

    Returns
    -------
    ndarray of int, shape (blocks,)

    Examples
    --------
    >>> balanced_folds(np.array([1, 3, 2, 0]), np.ones(4), 2)
    array([1, 0, 1, 0])
    """
    fold = np.zeros(len(presence), dtype=np.intp)
    events, ground = np.zeros(folds), np.zeros(folds)
    for block in np.lexsort((-area, -presence)):
        order = (ground, events) if presence[block] > 0 else (events, ground)
        chosen = np.lexsort(order)[0]
        fold[block] = chosen
        events[chosen] += presence[block]
        ground[chosen] += area[block]
    return fold


def block_regions(
    cells: CellTable, panel: Panel, clear: np.ndarray, folds: int, block_km: float
) -> tuple[list[Region], np.ndarray]:
    """Cut the domain into square blocks and deal them to folds.

    Parameters
    ----------
    cells : CellTable
        Cells of the domain.
    panel : Panel
        Incidents.
    clear : ndarray of bool, shape (incidents,)
        Incidents located well enough to be scored.
    folds : int
        Number of folds.
    block_km : float
        Side of a block.

    Returns
    -------
    regions : list of Region
        One for each fold.
    block : ndarray of int, shape (incidents,)
        Block that each incident lies in.

    Raises
    ------
    DataError
        If a fold has no incident.
    """
    block_of, _ = square_blocks(cells.x[list(COORDINATES)].to_numpy(), block_km)
    block = block_of[nearest_cell(cells, panel)]
    clear = clear & (panel.home(cells)[1] >= MIN_IN_STUDY)
    presence = np.bincount(block[clear], minlength=block_of.max() + 1)
    fold = balanced_folds(presence, np.bincount(block_of, cells.area_100km2), folds)
    regions = []
    for k in range(folds):
        region = region_of(f"{k + 1}", fold[block_of] == k, cells, panel, clear)
        if not region.incidents.any():
            raise DataError(
                f"Block fold {k + 1} of {folds} holds no incident: only {(presence > 0).sum()} of "
                f"the blocks of {block_km:.0f} km have one. Use fewer folds or smaller blocks."
            )
        regions.append(region)
    return regions, block


def random_folds(scored: np.ndarray, n_cells: int, folds: int, seed: int) -> list[Fold]:
    """Deal incidents to folds without regard to place, those that are scored evenly.

    Raises
    ------
    DataError
        If there are fewer incidents to score than folds.
    """
    if scored.sum() < folds:
        raise DataError(
            f"{scored.sum()} incident(s) can be scored, too few for {folds} random folds; "
            "use fewer folds or turn the spatial tests off (evaluation.spatial: false)."
        )
    rng = np.random.default_rng(seed)
    order = [rng.permutation(np.flatnonzero(part)) for part in (scored, ~scored)]
    fold = np.empty(len(scored), dtype=np.intp)
    fold[np.concatenate(order)] = np.arange(len(scored)) % folds
    everywhere = np.ones(n_cells, dtype=bool)
    return [Fold(f"{k + 1}", everywhere, fold != k, (fold == k) & scored) for k in range(folds)]


def main(arguments: Sequence[str]) -> None:
    """Hold out places of a config in each way."""
    look = common.looked_at("folds", __doc__, arguments)
    codes = [code.lower() for code in look.stages[steps.area].lines]
    found = fold_study(
        look.cells, look.known, look.stages[steps.incidents].origin, look.models,
        distances=[f"border_distance_{code}_km" for code in codes], seed=look.seed,
        workers=look.workers,
    )  # fmt: skip
    names = [row["model"] for row in found["block"]]
    by_model = {scheme: {row["model"]: row for row in rows} for scheme, rows in found.items()}
    print("bits per incident in blocks left out with a buffer, in random folds, and behind borders")
    print("left out without the columns that name them; gain there over the distance to the border")
    print(f"{'model':24}" + "".join(f"{scheme:>10}" for scheme in found))
    for name in names:
        rows = [by_model[scheme].get(name) for scheme in found]
        shown = "".join(f"{row['bits']:10.2f}" if row else f"{'–':>10}" for row in rows)
        gain = (rows[-1] or {}).get("gain")
        if gain:
            shown += f"  {gain['bits']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})"
        print(f"{name:24}{shown}")
