"""Whether the ranking of places holds when the cells are larger, smaller or moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from affine import Affine

from benchmarks.studies import common
from borderrisk.area import StudyArea
from borderrisk.errors import DataError
from borderrisk.evaluation.metrics import top_area
from borderrisk.grid import Grid
from borderrisk.model.protocol import Fitted
from borderrisk.pipeline import steps
from borderrisk.pipeline.inputs import Inputs
from borderrisk.pipeline.stages import Stages
from borderrisk.runs.cache import StageCache
from borderrisk.scores import risk_percentile

TOP_SHARE = 0.10
CELLS_KM = (5.0, 10.0, 20.0)


@dataclass(frozen=True)
class Surface:
    """An intensity on a grid.

    Attributes
    ----------
    grid : Grid
        Its cells.
    intensity : ndarray of float, shape (rows, columns)
        Per area; NaN where nothing is scored.
    exposure : ndarray of float, shape (rows, columns)
        Share of each cell inside the study area.
    shifted : bool
        Whether the grid was moved by part of a cell; only reported.
    """

    grid: Grid
    intensity: np.ndarray
    exposure: np.ndarray
    shifted: bool = False

    def __post_init__(self) -> None:
        for name in ("intensity", "exposure"):
            shape = np.shape(getattr(self, name))
            if shape != self.grid.shape:
                raise DataError(
                    f"The {name} has the shape {shape}, but its grid is {self.grid.shape}."
                )

    @property
    def weight(self) -> np.ndarray:
        """Scored share of each cell: exposure, 0 where the intensity is missing."""
        return np.where(np.isfinite(self.intensity), self.exposure, 0.0)


def resample(surface: Surface, target: Grid) -> np.ndarray:
    """Average an intensity over the cells of another grid of the same projection.

    Each piece of a source cell counts with its area times the scored share of that cell, so the
    expected number of incidents in the study area is kept (up to scored parts that no target cell
    covers). The overlap of two north-up grids is the product of the overlaps along the axes, which
    makes the weights exact; no points are sampled.

    Parameters
    ----------
    surface : Surface
        What is averaged.
    target : Grid
        The cells wanted.

    Returns
    -------
    ndarray of float64, shape of the target grid
        NaN where no scored cell overlaps.

    Raises
    ------
    DataError
        If the projections differ.
    """
    source = surface.grid
    if source.crs != target.crs:
        raise DataError(
            "Only grids of the same projection can be compared; "
            f"got {source.crs.to_string()} and {target.crs.to_string()}."
        )
    along_y = _overlap(target.bounds[3] - _edges(target, 0), target.bounds[3] - _edges(source, 0))
    along_x = _overlap(_edges(target, 1), _edges(source, 1))
    weight = surface.weight
    amount = weight * np.nan_to_num(surface.intensity)
    total = along_y @ weight @ along_x.T
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, (along_y @ amount @ along_x.T) / total, np.nan)


def _edges(grid: Grid, axis: int) -> np.ndarray:
    """Edges of the rows (axis 0, north to south) or columns (axis 1) in metres."""
    steps = np.arange(grid.shape[axis] + 1) * grid.cell_size_m
    return grid.transform.f - steps if axis == 0 else grid.transform.c + steps


def _overlap(target: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Length shared by each target and each source interval, from their rising edges."""
    low = np.maximum(target[:-1, None], source[None, :-1])
    high = np.minimum(target[1:, None], source[None, 1:])
    return np.maximum(high - low, 0.0)


def rank_correlation(first: np.ndarray, second: np.ndarray, area: np.ndarray) -> float:
    """Spearman's correlation of two intensities, each cell counting by its area.

    The correlation of the two area percentiles; with cells of equal area it is the usual
    coefficient, ties sharing their middle rank (Spearman 1904, Am. J. Psychology 15(1)).

    Returns
    -------
    float
        NaN if either is the same everywhere.

    Examples
    --------
    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0]), np.ones(3))
    0.5
    """
    ranks = np.stack([risk_percentile(values, area) for values in (first, second)])
    centred = ranks - np.average(ranks, weights=area, axis=1)[:, None]
    (a, both), (_, b) = (centred * area) @ centred.T
    return round(float(both / np.sqrt(a * b)), 12) if a > 0 and b > 0 else float("nan")


def top_overlap(
    first: np.ndarray, second: np.ndarray, area: np.ndarray, share: float = TOP_SHARE
) -> tuple[float, float]:
    """Compare the areas that two intensities put on top.

    Parameters
    ----------
    first, second, area : ndarray, shape (cells,)
        Intensities and scored areas.
    share : float
        Size of each top area, as a share of the whole.

    Returns
    -------
    common, jaccard : float
        Area in both over the size of one (by chance: ``share``), and over the area in either.
        Cells tied at the threshold belong to a top area in part; such parts are taken to overlap
        as far as they can, so that a surface agrees with itself.

    Examples
    --------
    >>> a, b = np.array([4.0, 3.0, 2.0, 1.0]), np.array([4.0, 2.0, 3.0, 1.0])
    >>> common, jaccard = top_overlap(a, b, np.ones(4), share=0.5)
    >>> round(common, 3), round(jaccard, 3)
    (0.5, 0.333)
    """
    tops = [top_area(values, area, share) for values in (first, second)]
    both = float(area @ np.minimum(*tops))
    return both / (share * float(area.sum())), both / float(area @ np.maximum(*tops))


def rank_stability(
    reference: Surface, others: Iterable[Surface]
) -> list[dict[str, float | bool | int]]:
    """Compare the ranking of places on other grids with that on the reference grid.

    Every other surface is averaged to the reference cells (:func:`resample`); what is compared is
    the area that both score, by the reference exposure.

    Parameters
    ----------
    reference : Surface
        The run's own grid.
    others : iterable of Surface
        The same model on other cell sizes or a shifted grid.

    Returns
    -------
    list of dict
        One per other surface: ``cell_km, shifted, spearman, top_decile_overlap`` (share of the top
        tenth of the area that is in both), ``top_decile_jaccard``, ``shared_area`` (share of the
        reference area that both score).

    Raises
    ------
    DataError
        If projections differ, or nothing is scored by both.
    """
    return [_compare(reference, other) for other in others]


def _compare(reference: Surface, other: Surface) -> dict[str, float | bool | int]:
    theirs, weight = resample(other, reference.grid), reference.weight
    shared = (weight > 0) & np.isfinite(theirs)
    if not shared.any():
        raise DataError(
            f"The grid of {other.grid.cell_size_m / 1000:g} km cells scores no part of the "
            "reference area; compare runs of the same study area."
        )
    area = weight[shared]
    first, second = reference.intensity[shared], theirs[shared]
    common, jaccard = top_overlap(first, second, area)
    return {
        "cell_km": other.grid.cell_size_m / 1000,
        "shifted": other.shifted,
        "spearman": rank_correlation(first, second, area),
        "top_decile_overlap": common,
        "top_decile_jaccard": jaccard,
        "shared_area": float(area.sum() / weight.sum()),
    }


def main(arguments: Sequence[str]) -> None:
    """Compare a config's ranks with those on cells of other sizes, and moved by half a cell.

    What the model chose for itself is kept, so that only the grid differs.
    """
    stages = common.looked_at("grids", __doc__, arguments).stages
    chosen = stages[steps.model].model
    own = stages.config.grid.cell_size_m / 1000
    surfaces = []
    for size, shift in [*((km, 0.0) for km in CELLS_KM if km != own), (own, 0.5)]:
        with TemporaryDirectory() as folder:
            other = _variant(stages, size * 1000, shift, Path(folder))
            cells, record = other[steps.cells], other[steps.incidents]
            again = chosen.settings.fit(cells, record.panel, record.origin, stages.config.seed)
            surfaces.append(_surface(other, again, shift > 0))
    print("ranks on another grid: correlation, and share of the top tenth that stays")
    for row in rank_stability(_surface(stages, chosen, False), surfaces):
        grid = f"{row['cell_km']:g} km" + (", shifted by half a cell" if row["shifted"] else "")
        print(f"{grid:34}{row['spearman']:10.3f}{row['top_decile_overlap']:10.3f}")


def _variant(stages: Stages, cell_size_m: float, shift: float, folder: Path) -> Stages:
    """Return the stages on another grid, with a cache of their own: keys know of no shift."""
    config = stages.config.with_changes({"grid": {"cell_size_m": cell_size_m}})
    other = Stages(config, Inputs(config), StageCache(folder), stages.work)
    study = other[steps.area]
    grid = study.grid
    moved = replace(grid, transform=grid.transform @ Affine.translation(shift, shift))
    area = StudyArea(moved, study.area.polygon, study.area.halo)
    made = {steps.area: replace(study, area=area)}
    return replace(other, _made=made)


def _surface(stages: Stages, fitted: Fitted, shifted: bool) -> Surface:
    cells = stages[steps.cells]
    intensity = np.where(cells.study, fitted.intensity(cells), np.nan)
    exposure = stages[steps.features]["exposure"].to_numpy()
    return Surface(cells.grid, cells.to_grid(intensity), exposure, shifted)
