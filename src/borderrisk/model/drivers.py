"""Why a cell scores as it does: the features that move its log-intensity most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from borderrisk.model.cells import CellTable
from borderrisk.model.protocol import Fitted

TOP = 3
_NOTHING = 1e-9
_MOST_CELLS = 10_000


@dataclass(frozen=True)
class Drivers:
    """The strongest effects of each cell, strongest first; both arrays are (cells, TOP).

    ``codes`` are positions in ``features``, −1 where there are fewer; ``effects`` are signed, in
    log-intensity, 0 where the code is −1.
    """

    codes: np.ndarray
    effects: np.ndarray
    features: tuple[str, ...]


def top_drivers(parts: pd.DataFrame, top: int = TOP) -> Drivers:
    """Pick the strongest effects of each cell from ``Fitted.drivers``; of equal ones the first."""
    values = parts.to_numpy(dtype=np.float64)
    n = len(values)
    codes = np.full((n, top), -1, dtype=np.int16)
    strength = np.zeros((n, top), dtype=np.float32)
    left = np.abs(values)
    for k in range(min(top, values.shape[1])):
        best = left.argmax(axis=1)
        some = left[np.arange(n), best] > _NOTHING
        codes[some, k] = best[some]
        strength[some, k] = values[some, best[some]]
        left[np.arange(n), best] = -1.0
    return Drivers(codes, strength, tuple(str(name) for name in parts.columns))


def importance(parts: pd.DataFrame, area: np.ndarray) -> dict[str, float]:
    """Return how far each feature moves log-intensity: its effects' area-weighted deviation."""
    values = parts.to_numpy(dtype=np.float64)
    mean = np.average(values, axis=0, weights=area) if len(values.T) else np.zeros(0)
    spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=area)) if len(mean) else mean
    return dict(zip((str(name) for name in parts.columns), spread.tolist(), strict=True))


def model_importance(fitted: Fitted, table: CellTable, seed: int) -> dict[str, float]:
    """Return how far each feature moves a model; of many cells a random part says so as well."""
    rows = np.arange(len(table))
    if len(rows) > _MOST_CELLS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_CELLS, replace=False))
    return importance(fitted.drivers(table, rows), table.study_area_100km2[rows])


def by_decile(
    parts: pd.DataFrame, x: pd.DataFrame, area: np.ndarray, most: int = 12
) -> dict[str, dict[str, list[float]]]:
    """Average the effect of each feature over every tenth of the area, by the feature's value.

    Of the features among the ``parts`` (from ``Fitted.drivers``) the most important are taken,
    ``most`` at the most. By feature ``values`` holds its means in each tenth, ascending, and
    ``effect`` the mean effects there; equal values share a tenth, so that there may be fewer.
    """
    weights = importance(parts, area)
    names = sorted((n for n in weights if n in x), key=lambda n: -weights[n])[:most]
    found = {}
    for name in names:
        value, effect = x[name].to_numpy(float), parts[name].to_numpy(float)
        order = np.argsort(value, kind="stable")
        at = np.searchsorted(np.cumsum(area[order]), area.sum() * np.arange(1, 10) / 10)
        tenth = np.searchsorted(np.unique(value[order][at]), value)
        total = np.bincount(tenth, area)
        used = total > 0
        means = [
            np.bincount(tenth, area * column)[used] / total[used] for column in (value, effect)
        ]
        found[name] = dict(zip(("values", "effect"), (m.tolist() for m in means), strict=True))
    return found
