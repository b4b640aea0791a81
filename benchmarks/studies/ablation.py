"""What each group of features is worth: forecasts without it, on incidents that came later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.studies import common
from borderrisk.compute import map_parallel
from borderrisk.errors import DataError
from borderrisk.evaluation.backtest import MIN_LATER, NEAR_KM, later_incidents
from borderrisk.evaluation.metrics import information_gain, paired_difference
from borderrisk.features.catalogue import GROUPS, feature, is_feature
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Memo, Settings

NOTHING = "nothing"
OTHER = "other"
ALONE = "the ground alone"
_ORIGINS = 4
Bits = dict[str, list[np.ndarray]]


def feature_groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Sort features by the group they can be left out with.

    Returns
    -------
    dict of str to list of str
        Groups in the catalogue's order; columns of a user's own table come last as ``other``.

    Examples
    --------
    >>> feature_groups(["distance_to_my_place", "slope_mean", "border_distance_km"])
    {'terrain': ['slope_mean'], 'border': ['border_distance_km'], 'other': ['distance_to_my_place']}
    """
    found: dict[str, list[str]] = {group: [] for group in (*GROUPS, OTHER)}
    for name in names:
        found[feature(name).group if is_feature(name) else OTHER].append(name)
    return {group: members for group, members in found.items() if members}


def ablation_rows(
    cells: CellTable,
    panel: Panel,
    origins: Sequence[Any],
    horizon_years: int,
    model: Settings,
    *,
    seed: int = 0,
    level: float = 0.9,
    workers: int | None = None,
) -> list[dict[str, Any]]:
    """Score forecasts without one group of features at a time.

    Parameters
    ----------
    cells : CellTable
        Cells with all features.
    panel : Panel
        Incidents. Each forecast is made from those before its origin.
    origins : sequence of date
        Origins; yearly ones on the same day share most of the work.
    horizon_years : int
        Incidents within so many years are scored.
    model : Settings
        What to fit; what the ground alone would make of it is scored as well.
    seed : int
        Seed of the model and of the intervals.
    level : float
        Level of the interval of ``change``, from a bootstrap of the origins.
    workers : int, optional
        Threads; all processors by default.

    Returns
    -------
    list of dict
        ``model, left_out, incidents, bits, change, low, high``: bits per incident over uniform, and
        what leaving the group out changes (negative: the group helps). The first row of each model
        leaves out nothing.

    Raises
    ------
    DataError
        If no incident follows any of the origins, or none precedes one of them.
    """
    groups = feature_groups(cells.features)
    variants = {NOTHING: cells}
    for group, members in groups.items():
        if len(groups) > 1:
            variants[group] = replace(cells, x=cells.x.drop(columns=members))
    tests = _tests(cells, panel, origins, horizon_years)
    score = partial(_bits, panel=panel, tests=tests, model=model, seed=seed)
    found = map_parallel(score, variants.values(), workers=workers)
    scores = dict(zip(variants, found, strict=True))
    block = np.repeat(np.arange(len(tests)), [len(bits) for bits in next(iter(found[0].values()))])
    return [
        _row(name, left_out, bits[name], scores[NOTHING][name], block, level, seed)
        for name in scores[NOTHING]
        for left_out, bits in scores.items()
    ]


def _tests(
    cells: CellTable, panel: Panel, origins: Sequence[Any], years: int
) -> dict[pd.Timestamp, Any]:
    """Where the incidents after each origin were; origins that none follows are left out."""
    days = [pd.Timestamp(origin) for origin in origins]
    found = {day: later_incidents(cells, panel, day, years, NEAR_KM).mass for day in days}
    found = {day: mass for day, mass in found.items() if mass.shape[0]}
    if not found:
        raise DataError(
            f"No incident in the study area follows the {len(days)} origin(s) of the ablation "
            f"within {years} year(s); use earlier origins."
        )
    return found


def _bits(
    cells: CellTable,
    panel: Panel,
    tests: Mapping[pd.Timestamp, Any],
    model: Settings,
    seed: int,
) -> Bits:
    """Bits of every incident by the model, and by the ground alone, origin by origin."""
    area = cells.study_area_100km2[cells.study]
    memo: Memo = {}
    found: Bits = {}
    for origin, mass in tests.items():
        fitted = model.fit(cells, panel, origin, seed, memo)
        surfaces = {model.name: fitted.intensity(cells), ALONE: fitted.susceptibility(cells)}
        for label, intensity in surfaces.items():
            bits = information_gain(intensity[cells.study], area, mass)
            found.setdefault(label, []).append(bits)
    return found


def _row(
    model: str,
    left_out: str,
    bits: Sequence[np.ndarray],
    everything: Sequence[np.ndarray],
    block: np.ndarray,
    level: float,
    seed: int,
) -> dict[str, Any]:
    without, full = np.concatenate(bits), np.concatenate(everything)
    change = paired_difference(without, full, block, level=level, seed=seed)
    return {
        "model": model,
        "left_out": left_out,
        "incidents": len(without),
        "bits": float(without.mean()),
        "change": change.value,
        "low": change.low,
        "high": change.high,
    }


def main(arguments: Sequence[str]) -> None:
    """Leave out each group at the last origins of a config that enough incidents follow."""
    look = common.looked_at("ablation", __doc__, arguments)
    followed = [
        origin
        for origin in look.origins
        if len(later_incidents(look.cells, look.known, origin, look.years, NEAR_KM).new)
        >= MIN_LATER
    ]
    rows = ablation_rows(
        look.cells, look.known, followed[-_ORIGINS:], look.years, look.own,
        seed=look.seed, workers=look.workers,
    )  # fmt: skip
    print("bits per incident with a group of features left out, and the change it makes")
    for row in rows:
        change = f"{row['change']:+12.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
        print(f"{row['model']:28}{row['left_out']:16}{row['bits']:8.3f}{change}")
