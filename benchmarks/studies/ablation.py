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
from borderrisk.evaluation.backtest import MIN_LATER, NEAR_KM, later_incidents, yearly_origins
from borderrisk.evaluation.metrics import information_gain, paired_difference
from borderrisk.features.catalogue import GROUPS, feature, is_feature
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Fitted, Memo, Settings
from borderrisk.model.registry import settings

# Models that read no features: nothing to leave out.
FEATURELESS = (
    "even", "history_alone", "last_period", "radius_history", "kde", "kde_pool", "border_distance",
)  # fmt: skip
NOTHING = "nothing"
OTHER = "other"
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
    *,
    seed: int = 0,
    name: str = "decayed_pool",
    parameters: Mapping[str, Any] | None = None,
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
    seed : int
        Seed of the model and of the intervals.
    name : str
        Model; for ``pooled`` its features alone are scored as well.
    parameters : mapping, optional
        Its arguments, before those of :data:`borderrisk.evaluation.transfer.QUICK`.
    level : float
        Level of the interval of ``change``, from a bootstrap of the origins.
    workers : int, optional
        Threads; all processors by default.

    Returns
    -------
    list of dict
        ``model, left_out, incidents, bits, change, low, high``: bits per incident over uniform, and
        what leaving the group out changes (negative: the group helps). The first row of each model
        leaves out nothing. Empty for a model without features.

    Raises
    ------
    DataError
        If no incident follows any of the origins, or none precedes one of them.
    """
    if name in FEATURELESS:
        return []
    groups = feature_groups(cells.features)
    variants = {NOTHING: cells}
    for group, members in groups.items():
        if len(groups) > 1:
            variants[group] = replace(cells, x=cells.x.drop(columns=members))
    tests = _tests(cells, panel, origins, horizon_years)
    model = settings(name, parameters)
    score = partial(_bits, panel=panel, tests=tests, model=model, seed=seed)
    found = map_parallel(score, variants.values(), workers=workers)
    scores = dict(zip(variants, found, strict=True))
    block = np.repeat(np.arange(len(tests)), [len(bits) for bits in next(iter(found[0].values()))])
    return [
        _row(model, left_out, bits[model], scores[NOTHING][model], block, level, seed)
        for model in scores[NOTHING]
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
    """Bits of every incident by the model (and by its features alone), origin by origin."""
    area = cells.study_area_100km2[cells.study]
    memo: Memo = {}
    found: Bits = {}
    for origin, mass in tests.items():
        fitted = model.fit(cells, panel, origin, seed, memo)
        for label, intensity in _surfaces(model.name, fitted, cells).items():
            bits = information_gain(intensity[cells.study], area, mass)
            found.setdefault(label, []).append(bits)
    return found


def _surfaces(name: str, fitted: Fitted, cells: CellTable) -> dict[str, np.ndarray]:
    found = {name: fitted.intensity(cells)}
    if fitted.parts(cells)["history"].any():
        found[f"{name}, ground alone"] = fitted.susceptibility(cells)
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
    case = common.Case(common.stages_of("ablation", __doc__, arguments))
    section, panel, cells = case.config.evaluation, case.record.known, case.cells
    years = min(section.horizons_years)
    followed = [
        origin
        for origin in yearly_origins(section.first_origin, section.last_origin)
        if len(later_incidents(cells, panel, origin, years, section.near_km).new) >= MIN_LATER
    ]
    rows = ablation_rows(
        cells, panel, followed[-_ORIGINS:], years,
        seed=case.config.seed, name=case.config.model.estimator,
    )  # fmt: skip
    print("bits per incident with a group of features left out, and the change it makes")
    for row in rows:
        change = f"{row['change']:+12.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
        print(f"{row['model']:28}{row['left_out']:16}{row['bits']:8.3f}{change}")
