"""The scorecard of a config: every test, each from what was known at the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from borderrisk.border.capture import Outlook, prospective_curves
from borderrisk.border.segments import Border
from borderrisk.compute import is_cluster, map_parallel
from borderrisk.evaluation import summary
from borderrisk.evaluation.backtest import (
    BASELINES,
    SUBSETS,
    BorderLine,
    Forecasts,
    backtest,
    check_periods,
    origin_rows,
    yearly_origins,
)
from borderrisk.evaluation.transfer import spatial_tests
from borderrisk.model.cells import CellTable
from borderrisk.model.level import YEAR_DAYS
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Settings
from borderrisk.model.registry import models, usable
from borderrisk.pipeline.stages import Work

PROSPECTIVE, SPATIAL = "forward in time", "in space"
_NOTES = (
    "Everything that is fitted was learned from incidents before each origin. The form of the "
    "model may have been chosen with the same years in view; a frozen forecast that is verified "
    "later is the stricter test.",
    "Averages are over yearly origins followed by at least five incidents. A repeat place lies "
    "near an incident known at the origin: part of that skill is an artefact of reports that are "
    "geocoded to the same town.",
    "The level is not calibrated where reporting changes; ranks do not depend on it.",
)


def evaluate(
    config: Any,
    cells: CellTable,
    known: Panel,
    origin: pd.Timestamp,
    border: Border,
    neighbours: Sequence[str],
    work: Work,
) -> dict[str, Any]:
    """Run every test that the config asks for.

    Parameters
    ----------
    config : Config
        ``evaluation``, ``model``, ``uncertainty.level`` and ``seed`` of it.
    cells : CellTable
        Cells of the domain.
    known : Panel
        The incidents that evaluation may use: those before the config's own origin.
    origin : Timestamp
        That origin.
    border : Border
        Segments, and the cells behind them.
    neighbours : sequence of str
        Codes of the neighbours, as in the names of features.
    work : Work
        How to do it.

    Raises
    ------
    DataError
        If an origin has too few earlier incidents, or a horizon passes the data.
    """
    name, level, seed = config.model.estimator, config.uncertainty.level, config.seed
    check(config.evaluation, known)
    tests = _tests(config, cells, known, origin, neighbours, work)
    forecasts = tests[PROSPECTIVE]
    rows = origin_rows(forecasts, cells, border_line(border))
    part = summary.prospective(forecasts, rows, cells, name, level=level, seed=seed)
    found: dict[str, Any] = {
        "model": name,
        "headline": summary.headline(part, name),
        "prospective": part,
        "border_capture": capture_curves(border, cells, forecasts, name, level=level, seed=seed),
        "notes": list(_NOTES),
    }
    if SPATIAL in tests:
        found["spatial"] = tests[SPATIAL]
    return found


def check(section: Any, known: Panel) -> None:
    """Refuse origins and horizons that evaluation cannot use; nothing is fitted for it.

    Raises
    ------
    DataError
        If an origin has too few earlier incidents or a horizon passes the data.
    """
    check_periods(known, _origins(section), section.horizons_years, section.min_past_incidents)


def _origins(section: Any) -> list[pd.Timestamp]:
    return yearly_origins(section.first_origin, section.last_origin)


def tested(config: Any, cells: CellTable) -> dict[str, Settings]:
    """Return the config's own model, and every other one that the cells are enough for."""
    own, days = config.model, YEAR_DAYS * min(config.evaluation.horizons_years)
    return usable((own.estimator, *models()), cells, days, **{own.estimator: own.parameters})


def _tests(
    config: Any,
    cells: CellTable,
    known: Panel,
    origin: pd.Timestamp,
    neighbours: Sequence[str],
    work: Work,
) -> dict[str, Any]:
    """Run the tests side by side, in processes of their own."""
    section = config.evaluation
    given = tested(config, cells)
    jobs: dict[str, Callable[[], Any]] = {
        PROSPECTIVE: partial(
            backtest, cells, known, _origins(section), section.horizons_years, given,
            near_km=section.near_km, least=section.min_past_incidents, seed=config.seed, workers=1,
        )
    }  # fmt: skip
    if section.spatial:
        distances = [f"border_distance_{code}_km" for code in neighbours]
        jobs[SPATIAL] = partial(
            spatial_tests, cells, known, origin, given,
            seed=config.seed, neighbour_distances=distances, workers=1,
        )  # fmt: skip
    scheduler = work.scheduler if is_cluster(work.scheduler) else "processes"
    found = map_parallel(
        _call, jobs.values(), scheduler=scheduler, workers=work.workers,
        progress=work.teller("evaluation"),
    )  # fmt: skip
    return dict(zip(jobs, found, strict=True))


def _call(job: Callable[[], Any]) -> Any:
    return job()


def border_line(border: Border) -> BorderLine:
    """Return what the capture by border length needs."""
    return BorderLine(border.attribution, border.segments["length_km"].to_numpy(float))


def capture_curves(
    border: Border,
    cells: CellTable,
    forecasts: Sequence[Forecasts],
    model: str,
    *,
    level: float,
    seed: int,
) -> dict[str, Any]:
    """Curve of what watching the first k kilometres of border would have covered.

    Of the shortest horizon, over the forecasts followed by enough incidents; under ``subsets`` the
    same for incidents at repeat and at new places.
    """
    used = summary.used_origins(forecasts, min(forecasts[0].tests))
    line, rows = border_line(border), np.flatnonzero(cells.mask.ravel())[cells.study]
    attribution = csr_matrix(line.attribution[rows])
    curves = {
        subset: prospective_curves(
            _outlooks(used, cells, model, subset), attribution, line.length_km, model,
            level=level, seed=seed,
        )
        for subset in SUBSETS
    }  # fmt: skip
    everything = curves.pop("all")
    return everything and everything | {"subsets": curves}


def _outlooks(
    used: Sequence[Forecasts], cells: CellTable, model: str, subset: str
) -> list[Outlook]:
    """Return what each origin expected, and where incidents of a subset followed."""
    area = cells.study_area_100km2[cells.study]
    found = []
    for forecast in used:
        names = [name for name in (model, *BASELINES) if name in forecast.intensity]
        test = forecast.tests[min(forecast.tests)]
        happened = np.asarray(test.mass[test.subset(subset)].sum(axis=0)).ravel()
        expected = {name: forecast.intensity[name] * area for name in names}
        found.append(Outlook(expected, happened))
    return found
