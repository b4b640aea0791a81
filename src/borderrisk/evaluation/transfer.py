"""Skill behind a border that a model has not seen: what a fold may see, and where it is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, diags_array
from scipy.spatial import cKDTree

from borderrisk.compute import map_parallel
from borderrisk.evaluation.backtest import role
from borderrisk.evaluation.metrics import capture, information_gain, paired_difference, roc_auc
from borderrisk.evaluation.scorecard import Behind, Gain, Transfer
from borderrisk.model.cells import COORDINATES, CellTable, square_blocks
from borderrisk.model.level import MIN_IN_STUDY
from borderrisk.model.panel import MIN_SHARE, Panel
from borderrisk.model.protocol import Memo, Settings, require_past

REFERENCE = "border_distance"
BUFFER_QUANTILE = 0.9
# Blocks of the intervals: what lies within a few radii of uncertainty is no second witness.
BLOCK_PER_BUFFER = 3.0
_SCORES = ("bits", "auc", "capture_10")


def spatial_tests(
    cells: CellTable,
    panel: Panel,
    origin: Any,
    models: Mapping[str, Settings],
    *,
    seed: int = 0,
    neighbour_distances: Sequence[str] = (),
    workers: int | None = None,
) -> Transfer:
    """Score every model on the land behind one border at a time, trained on all other land.

    All that is nearest to one neighbour, by the columns ``border_distance_<ccc>_km``, is held out.
    Training keeps a distance from it: the buffer, or an incident's own location radius if that is
    wider. Incidents not wholly before the origin are ignored; scores are over the study area. The
    seed is that of the models and of the intervals; ``workers`` are threads, as many as processors
    by default.
    """
    past = require_past(panel, origin, 2)
    buffer_km = location_buffer_km(past)
    block_km = max(BLOCK_PER_BUFFER * buffer_km, 2 * cells.grid.cell_size_m / 1000)
    number, _ = square_blocks(cells.x[list(COORDINATES)].to_numpy(), block_km)
    block = number[nearest_cell(cells, past)]
    clear = past.incidents["radius_km"].to_numpy(float) <= buffer_km
    regions, untested = border_regions(cells, past, clear, neighbour_distances)
    folds = [(region, held_out(region, cells, past, buffer_km)) for region in regions]
    reason = "no incident left to train on"
    untested |= {region.name: reason for region, fold in folds if fold is None}
    tested = [(region, fold) for region, fold in folds if fold is not None]
    fit = partial(fit_fold, cells, past, origin, models, seed)
    intensities = map_parallel(fit, [fold for _, fold in tested], workers=workers)
    parts = [
        score_fold(fold, region, found, cells)
        for (region, fold), found in zip(tested, intensities, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    scored = int(table["incident"].nunique()) if len(table) else 0
    return Transfer(
        rows=rows_by(table, ["fold", "model"]),
        summary=sorted(summaries(table, block, seed), key=lambda row: -row.bits),
        block_km=block_km, buffer_km=buffer_km, scored=scored, unscored=len(block) - scored,
        untested=untested,
    )  # fmt: skip


def location_buffer_km(panel: Panel) -> float:
    """Distance that training keeps: nine of ten incidents are located better than that."""
    return float(np.quantile(panel.incidents["radius_km"].to_numpy(float), BUFFER_QUANTILE))


def fit_fold(
    cells: CellTable, past: Panel, origin: Any, models: Mapping[str, Settings], seed: int,
    fold: Fold,
) -> dict[str, np.ndarray]:  # fmt: skip
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


def rows_by(table: pd.DataFrame, keys: list[str]) -> list[Behind]:
    """Average the scores of incidents by the model, and perhaps by the fold."""
    rows = []
    for _, part in table.groupby(keys, sort=False) if len(table) else ():
        model, means = str(part["model"].iloc[0]), (float(part[name].mean()) for name in _SCORES)
        border = str(part["fold"].iloc[0]) if "fold" in keys else "all"
        bits, auc, captured = means
        rows.append(Behind(border, model, role(model), len(part), bits, auc, captured))
    return rows


def summaries(table: pd.DataFrame, block: np.ndarray, seed: int) -> list[Behind]:
    """Average the scores of each model over all folds, with its gain over the reference.

    The table is of :func:`score_fold`; incidents of one block are drawn together for the interval.
    """
    return [replace(r, gain=_gain(table, r.model, block, seed)) for r in rows_by(table, ["model"])]


def _gain(table: pd.DataFrame, model: str, block: np.ndarray, seed: int) -> Gain | None:
    """Bits over the reference on the same incidents."""
    bits = {name: part.set_index("incident")["bits"] for name, part in table.groupby("model")}
    if model == REFERENCE or REFERENCE not in bits:
        return None
    first, second = bits[model], bits[REFERENCE].reindex(bits[model].index)
    found = paired_difference(first.to_numpy(), second.to_numpy(), block[first.index], seed=seed)
    return Gain(REFERENCE, *found)


@dataclass(frozen=True)
class Fold:
    """What one fit may see (``cells`` and ``train``) and what it is scored on (``test``); masks."""

    name: str
    cells: np.ndarray
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Region:
    """Places within which incidents are compared with the ground around them; a neighbour's, say.

    ``cells`` and ``incidents`` are masks, the latter of those whose reported point lies in it and
    that can be scored there. ``mass`` (incidents, cells) is where they may have been, cut to the
    scored cells; rows sum to 1 or 0.
    """

    name: str
    cells: np.ndarray
    incidents: np.ndarray
    mass: csr_matrix


def restrict(cells: CellTable, panel: Panel, keep: np.ndarray) -> tuple[CellTable, Panel]:
    """Return the cells to keep (a mask) as a table of their own, and the panel on them.

    The mass of an incident is scaled to 1 again; one with less than a tenth of it there is left
    out.
    """
    mask = cells.mask.copy()
    mask[cells.mask] = keep
    x, area = cells.x[keep].reset_index(drop=True), cells.area_100km2[keep]
    part = CellTable(cells.grid, mask, x, area, cells.exposure[keep])
    mass = csr_matrix(panel.mass[:, np.flatnonzero(keep)])
    share = np.asarray(mass.sum(axis=1)).ravel()
    cut = replace(panel, domain=np.where(mask, panel.domain, 0.0), mass=_normalised(mass))
    return part, cut.subset(share >= MIN_SHARE)


def _normalised(mass: csr_matrix) -> csr_matrix:
    total = np.asarray(mass.sum(axis=1)).ravel()
    factor = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    return csr_matrix(diags_array(factor) @ mass)


def border_regions(
    cells: CellTable, panel: Panel, clear: np.ndarray, distances: Sequence[str]
) -> tuple[list[Region], dict[str, str]]:
    """Part the domain by the nearest border: one region for each neighbour with incidents.

    ``clear`` marks incidents located well enough to be scored; ``distances`` are columns
    ``border_distance_<ccc>_km``. The other neighbours are returned by code, with the reason.
    """
    columns = {name.split("_")[2].upper(): name for name in distances}
    known = {code: name for code, name in columns.items() if name in cells.x}
    untested = {code: f"no column {name}" for code, name in columns.items() if code not in known}
    if len(known) < 2:
        return [], untested | dict.fromkeys(known, "no other border to learn from")
    nearest = np.argmin(cells.x[list(known.values())].to_numpy(), axis=1)
    clear = clear & (panel.home(cells)[1] >= MIN_IN_STUDY)
    regions = [region_of(n, nearest == k, cells, panel, clear) for k, n in enumerate(known)]
    empty = [region.name for region in regions if not region.incidents.any()]
    reason = "no incident to score in the part of the study area nearest to it"
    kept = [region for region in regions if region.incidents.any()]
    return kept, untested | dict.fromkeys(empty, reason)


def nearest_cell(cells: CellTable, panel: Panel) -> np.ndarray:
    """Position of the cell whose centre is nearest to each incident, shape (incidents,)."""
    tree = cKDTree(cells.x[list(COORDINATES)].to_numpy())
    return np.asarray(tree.query(panel.incidents[["x", "y"]].to_numpy() / 1000)[1])


def region_of(
    name: str, inside: np.ndarray, cells: CellTable, panel: Panel, clear: np.ndarray
) -> Region:
    """Return the part of the domain inside a mask, with the incidents that can be scored there."""
    study = np.flatnonzero(cells.study)
    # Back to columns of all cells, without those outside the region.
    spots = (inside[study].astype(float), (np.arange(len(study)), study))
    mass = csr_matrix(panel.home(cells)[0] @ csr_matrix(spots, shape=(len(study), len(cells))))
    share = np.asarray(mass.sum(axis=1)).ravel()
    incidents = clear & inside[nearest_cell(cells, panel)] & (share >= MIN_SHARE)
    return Region(name, inside, incidents, _normalised(mass))


def held_out(region: Region, cells: CellTable, panel: Panel, buffer_km: float) -> Fold | None:
    """Return the fold that trains away from a region and is scored in it.

    Left out are cells whose centre lies within the buffer of a cell of the region, and incidents
    within the buffer, or their own location radius if that is wider. Incidents of the region have
    no say in this, wherever in it they lie. None if no incident is left to train on.
    """
    xy = cells.x[list(COORDINATES)].to_numpy()
    tree = cKDTree(xy[region.cells])
    keep = tree.query(xy)[0] > buffer_km
    distance = tree.query(panel.incidents[["x", "y"]].to_numpy() / 1000)[0]
    train = distance > np.maximum(panel.incidents["radius_km"].to_numpy(float), buffer_km)
    if keep.any():
        train &= np.asarray(panel.mass @ keep.astype(float)) >= MIN_SHARE
    if not (keep.any() and train.any()):
        return None
    return Fold(region.name, keep, train, region.incidents)
