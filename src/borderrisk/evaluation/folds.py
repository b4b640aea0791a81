"""Folds in space: blocks, whole borders, or none of either; and the cells that a fold may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, diags_array
from scipy.spatial import cKDTree

from borderrisk.errors import DataError
from borderrisk.evaluation.backtest import MIN_IN_STUDY
from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.panel import MIN_SHARE, Panel


@dataclass(frozen=True)
class Fold:
    """What one fit may see, and what it is scored on.

    Attributes
    ----------
    scheme, name : str
        ``block``, ``random`` or ``leave_one_border_out``, and which fold of it.
    cells : ndarray of bool, shape (cells,)
        Cells the model is trained on.
    train, test : ndarray of bool, shape (incidents,)
        Incidents it is trained on, and scored on.
    left_out : tuple of str
        Columns it must not use.
    """

    scheme: str
    name: str
    cells: np.ndarray
    train: np.ndarray
    test: np.ndarray
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """Places within which incidents are compared with the ground around them.

    Attributes
    ----------
    name : str
        Fold or neighbour.
    cells : ndarray of bool, shape (cells,)
        Its cells.
    incidents : ndarray of bool, shape (incidents,)
        Incidents whose reported point lies in it and that can be scored there.
    mass : scipy.sparse.csr_matrix, shape (incidents, cells)
        Where they may have been, cut to the scored cells; rows sum to 1 or 0.
    """

    name: str
    cells: np.ndarray
    incidents: np.ndarray
    mass: csr_matrix


def square_blocks(xy: np.ndarray, size_km: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the square block that each point lies in.

    Parameters
    ----------
    xy : ndarray, shape (points, 2)
        km.
    size_km : float
        Side of a block; the first starts at the lowest coordinates.

    Returns
    -------
    block : ndarray of int, shape (points,)
        0 to number of blocks − 1, by column and row.
    corner : ndarray of int, shape (blocks, 2)
        Column and row of each block.

    Examples
    --------
    >>> square_blocks(np.array([[0.0, 0.0], [9.0, 0.0], [11.0, 0.0]]), 10.0)[0]
    array([0, 0, 1])
    """
    place = np.floor((xy - xy.min(axis=0)) / size_km + 1e-9).astype(np.intp)
    corner, block = np.unique(place, axis=0, return_inverse=True)
    return block.ravel(), corner


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


def restrict(cells: CellTable, panel: Panel, keep: np.ndarray) -> tuple[CellTable, Panel]:
    """Return some cells as a table of their own, and the panel on them.

    Parameters
    ----------
    cells : CellTable
        All cells.
    panel : Panel
        Incidents over them.
    keep : ndarray of bool, shape (cells,)
        Cells that stay.

    Returns
    -------
    CellTable, Panel
        With the columns of mass that belong to the cells kept. The mass of an incident is scaled to
        1 again; one with less than a tenth of it there is left out.
    """
    mask = cells.mask.copy()
    mask[cells.mask] = keep
    part = CellTable(
        cells.grid,
        mask,
        cells.x[keep].reset_index(drop=True),
        cells.area_100km2[keep],
        cells.exposure[keep],
    )
    mass = csr_matrix(panel.mass[:, np.flatnonzero(keep)])
    share = np.asarray(mass.sum(axis=1)).ravel()
    cut = replace(panel, domain=np.where(mask, panel.domain, 0.0), mass=_normalised(mass))
    return part, cut.subset(share >= MIN_SHARE)


def _normalised(mass: csr_matrix) -> csr_matrix:
    total = np.asarray(mass.sum(axis=1)).ravel()
    factor = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    return csr_matrix(diags_array(factor) @ mass)


class Held(NamedTuple):
    """Regions of one scheme, and why some cannot be tested."""

    regions: list[Region]
    untested: list[dict[str, str]]


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
    clear = clear & in_study(cells, panel)
    presence = np.bincount(block[clear], minlength=block_of.max() + 1)
    fold = balanced_folds(presence, np.bincount(block_of, cells.area_100km2), folds)
    regions = []
    for k in range(folds):
        region = _region(f"{k + 1}", fold[block_of] == k, cells, panel, clear)
        if not region.incidents.any():
            raise DataError(
                f"Block fold {k + 1} of {folds} holds no incident: only {(presence > 0).sum()} of "
                f"the blocks of {block_km:.0f} km have one. Use fewer folds or smaller blocks, "
                "or turn the spatial tests off (evaluation.spatial: false)."
            )
        regions.append(region)
    return regions, block


def border_regions(
    cells: CellTable, panel: Panel, clear: np.ndarray, distances: Sequence[str]
) -> Held:
    """Part the domain by the nearest border.

    Parameters
    ----------
    cells, panel, clear
        As in :func:`block_regions`.
    distances : sequence of str
        Columns ``border_distance_<ccc>_km``.

    Returns
    -------
    Held
        One region for each neighbour with incidents; the others with the reason.
    """
    names = [name for name in dict.fromkeys(distances) if name in cells.x]
    absent = [name for name in dict.fromkeys(distances) if name not in cells.x]
    untested = [{"fold": neighbour(n), "reason": f"no column {n}"} for n in absent]
    if len(names) < 2:
        reason = "no other border to learn from"
        return Held([], untested + [{"fold": neighbour(n), "reason": reason} for n in names])
    nearest = np.argmin(cells.x[names].to_numpy(), axis=1)
    clear = clear & in_study(cells, panel)
    regions = [
        _region(neighbour(name), nearest == k, cells, panel, clear) for k, name in enumerate(names)
    ]
    empty = [region for region in regions if not region.incidents.any()]
    reason = "no incident to score in the part of the study area nearest to it"
    untested += [{"fold": region.name, "reason": reason} for region in empty]
    return Held([region for region in regions if region.incidents.any()], untested)


def neighbour(column: str) -> str:
    """Return the code of the neighbour in ``border_distance_<ccc>_km``."""
    return column.removeprefix("border_distance_").removesuffix("_km").upper()


def nearest_cell(cells: CellTable, panel: Panel) -> np.ndarray:
    """Position of the cell whose centre is nearest to each incident, shape (incidents,)."""
    tree = cKDTree(cells.x[list(COORDINATES)].to_numpy())
    return np.asarray(tree.query(panel.incidents[["x", "y"]].to_numpy() / 1000)[1])


def in_study(cells: CellTable, panel: Panel) -> np.ndarray:
    """Whether most of each incident's mass lies in the study area."""
    return np.asarray(panel.mass @ cells.study.astype(float)) >= MIN_IN_STUDY


def _region(
    name: str, inside: np.ndarray, cells: CellTable, panel: Panel, clear: np.ndarray
) -> Region:
    mass = csr_matrix(panel.mass @ diags_array((inside & cells.study).astype(float)))
    share = np.asarray(mass.sum(axis=1)).ravel()
    incidents = clear & inside[nearest_cell(cells, panel)] & (share >= MIN_SHARE)
    return Region(name, inside, incidents, _normalised(mass))


def held_out(
    scheme: str,
    region: Region,
    cells: CellTable,
    panel: Panel,
    buffer_km: float,
    left_out: tuple[str, ...] = (),
) -> Fold:
    """Return the fold that trains away from a region and is scored in it.

    Left out are cells whose centre lies within the buffer of a cell of the region, and incidents
    within the buffer, or their own location radius if that is wider. Incidents of the region have
    no say in this, wherever in it they lie.

    Raises
    ------
    DataError
        If no incident is left to train on.
    """
    xy = cells.x[list(COORDINATES)].to_numpy()
    tree = cKDTree(xy[region.cells])
    keep = tree.query(xy)[0] > buffer_km
    distance = tree.query(panel.incidents[["x", "y"]].to_numpy() / 1000)[0]
    train = distance > np.maximum(panel.incidents["radius_km"].to_numpy(float), buffer_km)
    if keep.any():
        train &= np.asarray(panel.mass @ keep.astype(float)) >= MIN_SHARE
    if not (keep.any() and train.any()):
        raise DataError(
            f"Fold {region.name} ({scheme}) leaves no incident to train on, {buffer_km:.0f} km "
            "away from what it holds out; use more folds or smaller blocks, or turn the "
            "spatial tests off (evaluation.spatial: false)."
        )
    return Fold(scheme, region.name, keep, train, region.incidents, left_out)


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
    return [
        Fold("random", f"{k + 1}", everywhere, fold != k, (fold == k) & scored)
        for k in range(folds)
    ]
