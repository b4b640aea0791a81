"""Which earlier incidents stand behind the history of a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from borderrisk.model.cells import CellTable
from borderrisk.model.decayed_pool import DecayedPool
from borderrisk.model.densities import Smoother
from borderrisk.model.panel import Panel
from borderrisk.model.pool import Pool
from borderrisk.model.susceptibility import age_years, confidence

_CHUNK = 500


@dataclass(frozen=True)
class Behind:
    """The strongest incidents of some cells, strongest first; both arrays are (cells, most).

    ``incident`` is the position among the incidents before the origin, −1 where there are fewer;
    ``share`` is the part of the cell's intensity that it accounts for.
    """

    incident: np.ndarray
    share: np.ndarray


def incidents_behind(
    fitted: Pool,
    cells: CellTable,
    panel: Panel,
    origin: pd.Timestamp,
    rows: np.ndarray,
    most: int = 3,
) -> Behind:
    """Find the ``most`` incidents that a decayed pool remembers most of in each cell of ``rows``.

    Cells, panel and origin are those it was fitted on; for other models nothing is found.
    """
    past, rows = panel.before(origin), np.asarray(rows, np.intp)
    settings = fitted.settings
    if not isinstance(settings, DecayedPool) or not len(past):
        nothing = np.full((len(rows), most), -1)
        return Behind(nothing, np.zeros(nothing.shape))
    found = [
        _strongest(_shares(fitted, settings.half_lives_years, cells, past, origin, part), most)
        for part in np.array_split(rows, max(1, -(-len(rows) // _CHUNK)))
    ]
    incident, share = (np.concatenate(part) for part in zip(*found, strict=True))
    return Behind(incident, share)


def _shares(
    fitted: Pool,
    half_lives: tuple[float, ...],
    cells: CellTable,
    past: Panel,
    origin: pd.Timestamp,
    rows: np.ndarray,
) -> np.ndarray:
    """Share of the intensity of each row that each incident accounts for, (rows, incidents)."""
    memory = fitted.memory[0]
    age, weight, smoother = age_years(past, origin), confidence(past), Smoother(cells)
    remembered, kinds = len(memory.columns), len(half_lives)
    scale = fitted.scale[:remembered]
    factor = np.divide(fitted.shares[:remembered], scale, out=np.zeros_like(scale), where=scale > 0)
    total = np.zeros((len(rows), len(past)))
    for k, width in enumerate(memory.widths_km):
        faded = np.zeros(len(past))
        for life, share in zip(half_lives, factor[k * kinds :], strict=False):
            faded += share * weight * 0.5 ** (age / life)
        # Smoothing is symmetric: what a cell has of an incident is what the incident has of it.
        reach = np.stack([smoother.reach(row, width) for row in rows], axis=1)
        total += (past.mass @ reach).T / smoother.land(width)[rows, None] * faded
    relative = fitted.intensity(cells)[rows] * fitted.area / fitted.level.mean
    return total / relative[:, None]


def _strongest(share: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-share, axis=1, kind="stable")[:, :most]
    found = np.take_along_axis(share, order, axis=1)
    short = ((0, 0), (0, most - order.shape[1]))
    order = np.pad(np.where(found > 0, order, -1), short, constant_values=-1)
    return order, np.pad(found, short)
