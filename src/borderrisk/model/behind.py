"""Which earlier incidents stand behind the history of a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from borderrisk.model.cells import CellTable
from borderrisk.model.decayed_pool import DecayedPool
from borderrisk.model.densities import TRUNCATE, Smoother
from borderrisk.model.panel import Panel
from borderrisk.model.pool import Pool
from borderrisk.model.protocol import Fitted
from borderrisk.model.susceptibility import age_years, confidence

# An incident that accounts for less of what is expected in a cell than this is no reason.
LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Behind:
    """The strongest incidents of the cells, strongest first; both arrays are (cells, most).

    ``incident`` is the position among the incidents before the origin, −1 where there are fewer;
    ``share`` is the part of the cell's intensity that it accounts for. ``reasons`` counts the
    incidents of each cell that account for ``LEAST_SHARE`` at least, however many are listed.
    """

    incident: np.ndarray
    share: np.ndarray
    reasons: np.ndarray


def incidents_behind(
    fitted: Fitted, cells: CellTable, panel: Panel, origin: pd.Timestamp, most: int = 3
) -> Behind:
    """Find the ``most`` incidents that a decayed pool remembers most of in each cell.

    Cells, panel and origin are those it was fitted on; for other models nothing is found. Each
    incident is smoothed by itself, where it reaches: the work grows with incidents, not with pairs.
    """
    past, settings = panel.before(origin), fitted.settings
    found = Behind(
        np.full((len(cells), most), -1), np.zeros((len(cells), most)), np.zeros(len(cells), int)
    )
    if not (isinstance(fitted, Pool) and isinstance(settings, DecayedPool) and len(past)):
        return found
    factor = _factors(fitted, settings, past, origin)
    # What is expected anywhere is a multiple of the relative intensity.
    whole = fitted.intensity(cells) * fitted.area / fitted.level.mean
    smoother = Smoother(cells)
    rows = np.full(cells.grid.shape, -1)
    rows[cells.mask] = np.arange(len(cells))
    for i in range(len(past)):
        mass = past.mass[[i]].tocoo()
        here, total = _spread(cells, rows, mass.col, mass.data, settings.widths_km, factor[:, i],
                              smoother)  # fmt: skip
        share = np.divide(total, whole[here], out=np.zeros_like(total), where=whole[here] > 0)
        found.reasons[here] += share >= LEAST_SHARE
        _insert(found, i, here, share)
    return found


def _factors(pool: Pool, settings: DecayedPool, past: Panel, origin: pd.Timestamp) -> np.ndarray:
    """Return what a unit of each incident counts for by width, shape (widths, incidents)."""
    widths, kinds = len(settings.widths_km), len(settings.half_lives_years)
    shares, scale = pool.shares[: widths * kinds], pool.scale[: widths * kinds]
    factor = np.divide(shares, scale, out=np.zeros_like(scale), where=scale > 0)
    factor = factor.reshape(widths, kinds)
    age, weight = age_years(past, origin), confidence(past)
    faded = np.array([weight * 0.5 ** (age / life) for life in settings.half_lives_years])
    return np.asarray(factor @ faded)


def _spread(
    cells: CellTable,
    rows: np.ndarray,
    at: np.ndarray,
    mass: np.ndarray,
    widths_km: tuple[float, ...],
    factor: np.ndarray,
    smoother: Smoother,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that one incident reaches, and its relative intensity in each."""
    size = cells.grid.cell_size_m / 1000
    reach = int(TRUNCATE * max(widths_km) / size + 0.5) + 1
    row, col = (axis[at] for axis in np.nonzero(cells.mask))
    window = tuple(
        slice(max(0, int(axis.min()) - reach), int(axis.max()) + reach + 1) for axis in (row, col)
    )
    local = rows[window]
    one = np.zeros(local.shape)
    one[row - window[0].start, col - window[1].start] = mass
    here = local[local >= 0]
    total = np.zeros(len(here))
    for width, times in zip(widths_km, factor, strict=True):
        if times == 0:
            continue
        smooth = one if width == 0 else gaussian_filter(
            one, width / size, mode="constant", truncate=TRUNCATE
        )  # fmt: skip
        land = smoother.land(width)[here]
        total += times * np.divide(
            smooth[local >= 0], land, out=np.zeros(len(here)), where=land > 0
        )
    return here, total


def _insert(found: Behind, incident: int, here: np.ndarray, share: np.ndarray) -> None:
    """Take an incident in where it is stronger than the weakest listed; of equal ones the first."""
    some = share > found.share[here, -1]
    rows = here[some]
    if not len(rows):
        return
    found.share[rows, -1] = share[some]
    found.incident[rows, -1] = incident
    order = np.argsort(-found.share[rows], axis=1, kind="stable")
    found.share[rows] = np.take_along_axis(found.share[rows], order, axis=1)
    found.incident[rows] = np.take_along_axis(found.incident[rows], order, axis=1)
