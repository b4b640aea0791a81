"""Skill in places a model has not seen: blocks with a buffer, whole borders, and random folds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.errors import ConfigError, DataError
from borderrisk.evaluation.backtest import role
from borderrisk.evaluation.folds import (
    Fold,
    Region,
    block_regions,
    border_regions,
    held_out,
    random_folds,
    restrict,
)
from borderrisk.evaluation.metrics import capture, information_gain, paired_difference, roc_auc
from borderrisk.model.autocorrelation import autocorrelation_range_km
from borderrisk.model.cells import CellTable
from borderrisk.model.estimators.threads import map_fits
from borderrisk.model.fitting import fit_spatial, without_columns
from borderrisk.model.panel import Panel
from borderrisk.model.point_models import Cache
from borderrisk.model.pooled_parts import require_past

__all__ = ["QUICK", "autocorrelation_range_km", "restrict", "spatial_tests"]

REFERENCE = "border_distance"
BLOCK, RANDOM, BORDER = "block", "random", "leave_one_border_out"
# The first model only, and without the columns that are named after the neighbour left out.
UNNAMED = "leave_one_border_out_unnamed"
SEEN = "seen"
# Fixed beforehand, so that each fit takes a fraction of a second; the penalty of log-linear models
# is found within what a fold may see, as it is in the product. Parameters that are given go first.
QUICK: dict[str, dict[str, Any]] = {
    "pooled": {
        "bandwidth_km": 5.0,
        "models": "both",
        "n_estimators": 50,
        "learning_years": 3,
    },
    "gam": {"alpha": 0.1, "max_rows": 4000},
    "hist_gradient_boosting": {"n_folds": 0, "max_iter": 40, "max_rows": 4000},
    "random_forest": {"n_estimators": 100},
}
BUFFER_QUANTILE = 0.9
# Smaller blocks are all edge: their buffers would leave next to nothing to train on.
BLOCK_PER_BUFFER = 3.0
SCORES = ("bits", "auc", "capture_10")

Progress = Callable[[int, int], None]


def spatial_tests(
    cells: CellTable,
    panel: Panel,
    origin: Any,
    models: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    seed: int = 0,
    folds: int = 5,
    neighbour_distances: Sequence[str] = (),
    block_km: float | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Score every model on places it was not trained on.

    *Block*: square blocks, at least as large as residuals are correlated and as three buffers,
    dealt to folds evenly by incidents (Roberts et al. 2017, Ecography 40(8)). Training keeps a
    distance from the held-out blocks: the buffer, or an incident's own location radius if that is
    wider. *Leave one border out*: all that is nearest to one neighbour is held out, at the same
    distance; the first model is also tried without the columns named after that neighbour.
    *Random*: incidents are dealt out without regard to place; the optimism of such a test is what
    it promises more than the blocks do, on the same incidents in the same regions.

    Parameters
    ----------
    cells : CellTable
        Cells of the domain; scores are over the study area.
    panel : Panel
        Incidents; those not wholly before the origin are ignored.
    origin : date
        Date of the forecast.
    models : sequence of str
        Names for :func:`borderrisk.model.fitting.fit_spatial`.
    parameters : mapping of str to mapping, optional
        Arguments of each model, before those of ``QUICK``.
    seed : int
        Seed of the random folds and of the models.
    folds : int
        Number of block folds, and of random folds.
    neighbour_distances : sequence of str
        Columns ``border_distance_<ccc>_km``: the borders that are left out in turn.
    block_km : float, optional
        Side of the blocks; when None, the greater of :func:`autocorrelation_range_km` (of the
        log-linear model) and three buffers.
    workers : int, optional
        Threads; all processors by default.
    progress : callable, optional
        Told ``(done, total)`` after each fold.

    Returns
    -------
    dict
        ``rows`` (``scheme, fold, model, role, incidents, bits, auc, capture_10``; for borders also
        ``seen_bits``, the same incidents scored by random folds that saw that border, and
        ``transfer_loss``), ``summary`` (the same over all incidents of a scheme, with ``gain`` over
        ``border_distance`` and its 90 % interval), ``optimism`` of each model; of the first one
        ``optimism_bits``, ``leave_one_border_out_gain``, ``leave_one_border_out_unnamed_gain``;
        ``range_km, block_km, buffer_km``; ``scored`` and ``unscored`` (incidents; the latter are
        vaguer than the buffer or outside the study area); ``untested`` (borders, with the reason).

    Raises
    ------
    DataError
        If a fold is without incidents to score or to train on.
    ConfigError
        If there are fewer than two folds.
    """
    if folds < 2:
        raise ConfigError(f"Spatial tests need at least 2 folds (got {folds}).")
    past = require_past(panel, origin, 2)
    smooth = fit_spatial("glm", {}, cells, past, origin, seed).intensity(cells)
    range_km = autocorrelation_range_km(cells, past, smooth)
    plan = _plan(cells, past, folds, neighbour_distances, range_km, block_km, seed)
    given = {name: {**QUICK.get(name, {}), **(parameters or {}).get(name, {})} for name in models}
    fit = partial(_fit_fold, cells, past, origin, given, seed)
    told = Told(progress, len(plan.folds))
    intensities = map_fits(lambda fold: told(fit(fold)), plan.folds, workers=workers)
    scores = [
        _score_fold(fold, found, cells, plan)
        for fold, found in zip(plan.folds, intensities, strict=True)
    ]
    return _result(pd.concat(scores, ignore_index=True), plan, list(models), seed)


@dataclass(frozen=True)
class _Plan:
    """Folds of all schemes, and the regions that they are scored in."""

    folds: list[Fold]
    blocks: list[Region]
    borders: list[Region]
    untested: list[dict[str, str]]
    block: np.ndarray
    scored: np.ndarray
    range_km: float
    block_km: float
    buffer_km: float

    def regions(self, fold: Fold) -> list[tuple[str, Region]]:
        """Where a fold is scored, and as what; a random fold wherever its incidents are."""
        if fold.scheme == RANDOM:
            seen = [(SEEN, region) for region in self.borders]
            return [(RANDOM, region) for region in self.blocks] + seen
        own = self.blocks if fold.scheme == BLOCK else self.borders
        return [(fold.scheme, region) for region in own if region.name == fold.name]


def _plan(
    cells: CellTable,
    past: Panel,
    folds: int,
    distances: Sequence[str],
    range_km: float,
    block_km: float | None,
    seed: int,
) -> _Plan:
    radius = past.incidents["radius_km"].to_numpy(float)
    buffer_km = float(np.quantile(radius, BUFFER_QUANTILE))
    clear = radius <= buffer_km
    block_km = block_km or max(range_km, BLOCK_PER_BUFFER * buffer_km)
    blocks, block = block_regions(cells, past, clear, folds, block_km)
    scored = np.any([region.incidents for region in blocks], axis=0)
    found = [held_out(BLOCK, region, cells, past, buffer_km) for region in blocks]
    borders, untested = border_regions(cells, past, clear, distances)
    # A place may lie far enough inside a border's part but not inside its block: it is seen, too.
    anywhere = np.any([scored, *(region.incidents for region in borders)], axis=0)
    found += random_folds(anywhere, len(cells), folds, seed)
    tested = []
    for region in borders:
        try:
            fold = held_out(BORDER, region, cells, past, buffer_km)
        except DataError:
            untested.append({"fold": region.name, "reason": "no incident left to train on"})
            continue
        named = tuple(c for c in neighbour_columns(region.name) if c in cells.x)
        found += [fold, replace(fold, scheme=UNNAMED, left_out=named)]
        tested.append(region)
    return _Plan(found, blocks, tested, untested, block, scored, range_km, block_km, buffer_km)


def neighbour_columns(code: str) -> tuple[str, ...]:
    """Return the features that name a neighbour."""
    return (f"border_distance_{code.lower()}_km", f"hours_from_border_{code.lower()}")


class Told:
    """Counts finished parts for the progress bar, from any thread."""

    def __init__(self, progress: Progress | None, total: int):
        self.progress, self.total, self.done = progress, total, 0
        self.lock = threading.Lock()

    def __call__(self, value: Any) -> Any:
        with self.lock:
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total)
        return value


def _fit_fold(
    cells: CellTable,
    past: Panel,
    origin: Any,
    parameters: Mapping[str, Mapping[str, Any]],
    seed: int,
    fold: Fold,
) -> dict[str, np.ndarray]:
    """Intensity of every cell by every model, from what the fold may see."""
    usable = CellTable(
        cells.grid,
        cells.mask,
        cells.x.drop(columns=list(fold.left_out)),
        cells.area_100km2,
        cells.exposure,
    )
    seen, panel = restrict(usable, past.subset(fold.train), fold.cells)
    names = list(parameters)
    if fold.scheme == UNNAMED:
        names = [name for name in names if name in (names[0], REFERENCE)]
    cache: Cache = {}
    given = {name: without_columns(parameters[name], fold.left_out) for name in names}
    return {
        name: fit_spatial(name, given[name], seen, panel, origin, seed, cache=cache).intensity(
            usable
        )
        for name in names
    }


def _score_fold(
    fold: Fold, intensities: Mapping[str, np.ndarray], cells: CellTable, plan: _Plan
) -> pd.DataFrame:
    """Scores of each incident of a fold by each model, in each region it is compared with."""
    parts = []
    for scheme, region in plan.regions(fold):
        incident = np.flatnonzero(fold.test & region.incidents)
        if not len(incident):
            continue
        scored = region.cells & cells.study
        area, mass = cells.study_area_100km2[scored], region.mass[incident][:, scored]
        for name, everywhere in intensities.items():
            intensity = everywhere[scored]
            parts.append(
                pd.DataFrame(
                    {
                        "scheme": scheme, "fold": fold.name, "region": region.name,
                        "model": name, "incident": incident,
                        "bits": information_gain(intensity, area, mass),
                        "auc": roc_auc(intensity, area, mass),
                        "capture_10": capture(intensity, area, mass, 0.1),
                    }
                )
            )  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _result(table: pd.DataFrame, plan: _Plan, models: Sequence[str], seed: int) -> dict[str, Any]:
    seen = table[table["scheme"] == SEEN]
    table = table[table["scheme"] != SEEN]
    each = table.groupby(["scheme", "fold", "model"], sort=False)
    rows = [_row(part, seen) for _, part in each]
    summary = []
    for _, part in table.groupby(["scheme", "model"], sort=False):
        row = _row(part, seen) | {"fold": "all"}
        reference = table[(table["scheme"] == row["scheme"]) & (table["model"] == REFERENCE)]
        summary.append(row | {"gain": _gain(part, reference, plan.block, seed)})
    bits = {(row["scheme"], row["model"]): row["bits"] for row in summary}
    optimism = {name: bits[RANDOM, name] - bits[BLOCK, name] for name in models}
    gains = {(row["scheme"], row["model"]): row["gain"] for row in summary}
    transfer, unnamed = (gains.get((scheme, models[0])) for scheme in (BORDER, UNNAMED))
    return {
        "rows": rows,
        "summary": summary,
        "optimism_bits": optimism[models[0]],
        "optimism": [{"model": name, "bits": value} for name, value in optimism.items()],
        "leave_one_border_out_gain": transfer and transfer["bits"],
        "leave_one_border_out_unnamed_gain": unnamed and unnamed["bits"],
        "range_km": plan.range_km,
        "block_km": plan.block_km,
        "buffer_km": plan.buffer_km,
        "scored": int(plan.scored.sum()),
        "unscored": int((~plan.scored).sum()),
        "untested": plan.untested,
    }


def _row(part: pd.DataFrame, seen: pd.DataFrame) -> dict[str, Any]:
    """Average the scores of one model's incidents."""
    scheme, fold, model = (str(part[key].iloc[0]) for key in ("scheme", "fold", "model"))
    row: dict[str, Any] = {"scheme": scheme, "fold": fold, "model": model}
    row |= {"role": role(model), "incidents": len(part)}
    row |= {name: float(part[name].mean()) for name in SCORES}
    if scheme in (BORDER, UNNAMED):
        known = seen[(seen["model"] == model) & seen["incident"].isin(part["incident"])]
        row["seen_bits"] = float(known["bits"].mean())
        row["transfer_loss"] = row["seen_bits"] - row["bits"]
    return row


def _gain(
    part: pd.DataFrame, reference: pd.DataFrame, block: np.ndarray, seed: int
) -> dict[str, Any] | None:
    """Bits over the reference on the same incidents, whole blocks being drawn for the interval."""
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
