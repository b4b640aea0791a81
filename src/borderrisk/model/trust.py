"""Where the model must not be believed: unknown conditions, silence, and cut-off surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from borderrisk.errors import DataError
from borderrisk.model.cells import COORDINATES, CellTable, square_blocks

OK, EXTRAPOLATION, SPARSE, EDGE = 0, 1, 2, 3
OUTSIDE = -1

# A feature that moves log-intensity less than this share of the strongest one is left out.
NEGLIGIBLE = 0.02
MAX_TRAINING_ROWS = 5_000
_MAX_PAIR_ROWS = 2_000
# Silence: fewer reports than this within reach, and no settlement to report from.
SPARSE_REPORTS = 0.5
SPARSE_REACH_KM = 75.0
SPARSE_SETTLEMENT_KM = 40.0
# Surroundings: the share of the disc of features that must be known (the rest is rounding of
# the disc to cells).
EDGE_KNOWN_SHARE = 0.95


@dataclass(frozen=True)
class Dissimilarity:
    """Dissimilarity index and area of applicability (Meyer & Pebesma 2021, MEE 12(9)).

    Features are standardised and weighted by their importance (largest 1). The index of a cell is
    its distance to the nearest training cell over the mean distance between training cells. The
    threshold is the largest index of the training cells, each against the other cross-validation
    folds only, that is not an outlier (above the third quartile plus 1.5 interquartile ranges).
    ``training`` (rows, features) holds the standardised, weighted training cells, ``folds`` the
    fold of each.
    """

    features: list[str]
    mean: np.ndarray
    sd: np.ndarray
    weight: np.ndarray
    training: np.ndarray
    folds: np.ndarray
    mean_distance: float
    threshold: float

    @classmethod
    def fit(
        cls,
        x: pd.DataFrame,
        importance: Mapping[str, float],
        folds: np.ndarray,
        *,
        seed: int = 0,
    ) -> Dissimilarity:
        """Learn what the training cells are like.

        Coordinates and columns that are not numbers are left out, as are features that the
        importance (:func:`borderrisk.model.drivers.importance`) does not name; if it names none,
        all count equally. ``folds`` has the cross-validation fold of each cell. Large tables keep a
        random 5,000 cells. ``DataError`` if no feature varies, the cells are all alike, or there is
        only one fold.
        """
        if len(np.unique(folds)) < 2:
            raise DataError("The area of applicability needs at least two cross-validation folds.")
        weights = _weights(x, importance)
        rng = np.random.default_rng(seed)
        rows = _sample(len(x), MAX_TRAINING_ROWS, rng)
        values = x[list(weights)].to_numpy(dtype=np.float64)
        mean, sd = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        weight = np.array(list(weights.values()))
        training = _scaled(values[rows], mean, sd, weight)
        pairs = training[_sample(len(training), _MAX_PAIR_ROWS, rng)]
        distance = float(pdist(pairs).mean())
        if not distance > 0:
            raise DataError("All training cells are alike: no area of applicability.")
        part = np.asarray(folds)[rows]
        own = _nearest_of_other_folds(training, part, training, part) / distance
        return cls(list(weights), mean, sd, weight, training, part, distance, upper_whisker(own))

    def index(self, x: pd.DataFrame, folds: np.ndarray | None = None) -> np.ndarray:
        """Return the dissimilarity index of cells of this or another region.

        It is 0 for a cell like a training cell; 1 where the nearest is as far as two training cells
        are on average. A missing value counts as the training mean; a missing feature is a
        ``DataError``. With ``folds``, for the region the model was trained on, a cell is compared
        with the other folds only, so that conditions met in one place alone show up although that
        place was in the training.
        """
        absent = [name for name in self.features if name not in x]
        if absent:
            raise DataError(f"Feature(s) {', '.join(absent)} of the model are not in this region.")
        values = x[self.features].to_numpy(dtype=np.float64)
        scaled = _scaled(values, self.mean, self.sd, self.weight)
        if folds is None:
            distance = cKDTree(self.training).query(scaled, workers=-1)[0]
        else:
            distance = _nearest_of_other_folds(scaled, np.asarray(folds), self.training, self.folds)
        return distance / self.mean_distance

    def extrapolates(self, x: pd.DataFrame, folds: np.ndarray | None = None) -> np.ndarray:
        """Return whether each cell lies outside the area of applicability; see :meth:`index`."""
        return self.index(x, folds) > self.threshold


def _weights(x: pd.DataFrame, importance: Mapping[str, float]) -> dict[str, float]:
    """Return the importance of the features that vary and matter, the largest 1."""
    numeric = [str(c) for c in x.select_dtypes("number").columns if c not in COORDINATES]
    varying = [name for name in numeric if x[name].min() < x[name].max()]
    given = {name: float(importance.get(name, 0.0)) for name in varying}
    largest = max(given.values(), default=0.0)
    if largest <= 0:
        given, largest = dict.fromkeys(varying, 1.0), 1.0
    kept = {name: w / largest for name, w in given.items() if w > NEGLIGIBLE * largest}
    if not kept:
        raise DataError("No feature varies over the training cells: no area of applicability.")
    return kept


def _sample(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _scaled(values: np.ndarray, mean: np.ndarray, sd: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.nan_to_num((values - mean) / sd) * weight


def _nearest_of_other_folds(
    points: np.ndarray, folds: np.ndarray, training: np.ndarray, training_folds: np.ndarray
) -> np.ndarray:
    """Distance from each point to the nearest training cell that is not of its fold."""
    out = np.zeros(len(points))
    for fold in np.unique(folds):
        here = folds == fold
        tree = cKDTree(training[training_folds != fold])
        out[here] = tree.query(points[here], workers=-1)[0]
    return out


def upper_whisker(values: np.ndarray) -> float:
    """Return the largest value that is not an outlier (Tukey's boxplot)."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float(values[values <= high + 1.5 * (high - low)].max())


def area_folds(cells: CellTable, n: int = 5, across: int = 10) -> np.ndarray:
    """Deal square blocks of cells to folds, for the threshold of :class:`Dissimilarity`.

    ``across`` blocks lie along the longer side of the domain; they are dealt in diagonals, so that
    neighbours lie in different folds.
    """
    xy = cells.x[list(COORDINATES)].to_numpy()
    block, corner = square_blocks(xy, np.ptp(xy, axis=0).max() / across * (1 + 1e-6) + 1e-9)
    column, row = corner[block].T
    return np.asarray((column + 2 * row) % n)


def reports_nearby(
    cells: CellTable, counts: np.ndarray, reach_km: float = SPARSE_REACH_KM
) -> np.ndarray:
    """Return the expected number of reported incidents within reach of each cell, by cell centres.

    ``counts`` are past incidents per cell (:meth:`borderrisk.model.panel.Panel.counts`,
    unweighted).
    """
    on_grid = np.nan_to_num(cells.to_grid(np.asarray(counts, dtype=np.float64)))
    return np.clip(_disc_sum(on_grid, reach_km, cells)[cells.mask], 0, None)


def _disc_sum(values: np.ndarray, reach_km: float, cells: CellTable) -> np.ndarray:
    disc = _disc(reach_km, cells)
    return fftconvolve(values, disc, mode="same")


def _disc(reach_km: float, cells: CellTable) -> np.ndarray:
    n = int(reach_km * 1000 / cells.grid.cell_size_m)
    step = np.arange(-n, n + 1) * cells.grid.cell_size_m / 1000
    return (np.hypot(step[:, None], step[None, :]) <= reach_km).astype(float)


def sparse(
    cells: CellTable,
    counts: np.ndarray,
    settlement_distance_km: np.ndarray | None = None,
    *,
    reach_km: float = SPARSE_REACH_KM,
) -> np.ndarray:
    """Return where too little is reported for a low score to mean anything.

    A cell is sparse if fewer than ``SPARSE_REPORTS`` past incidents are expected within
    ``reach_km`` of it (:func:`reports_nearby`) and no settlement lies within
    ``SPARSE_SETTLEMENT_KM``; without distances of settlements the reports alone decide. Near people
    the absence of reports is evidence; where nobody lives it is not.
    """
    silent = reports_nearby(cells, counts, reach_km) < SPARSE_REPORTS
    if settlement_distance_km is None:
        return silent
    return silent & ~(np.asarray(settlement_distance_km) <= SPARSE_SETTLEMENT_KM)


def edge(cells: CellTable, known: np.ndarray, reach_km: float) -> np.ndarray:
    """Return where the surroundings that features look at, as far as ``reach_km``, are cut off.

    ``known`` (rows, columns) marks cells whose inputs were read; sea that is known to be sea counts
    as known. Nothing is known outside the grid.
    """
    reach = float(_disc(reach_km, cells).sum())
    share = _disc_sum(np.asarray(known, dtype=np.float64), reach_km, cells) / reach
    return share[cells.mask] < EDGE_KNOWN_SHARE


def trust_codes(
    cells: CellTable,
    *,
    extrapolates: np.ndarray,
    sparse: np.ndarray,
    edge: np.ndarray,
) -> np.ndarray:
    """Return one code per cell; where several apply, the first of extrapolation, sparse, edge.

    The three tests are of all cells; those outside the study area get ``OUTSIDE``.
    """
    code = np.select([extrapolates, sparse, edge], [EXTRAPOLATION, SPARSE, EDGE], OK)
    return np.where(cells.study, code, OUTSIDE).astype(np.int8)
