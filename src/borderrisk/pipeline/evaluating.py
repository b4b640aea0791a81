"""The scorecard of a config: every test, each from what was known at the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from borderrisk.compute import is_cluster, map_parallel
from borderrisk.evaluation import summary as scorecard
from borderrisk.evaluation.backtest import (
    BASELINES,
    ESTIMATORS,
    backtest,
    check_periods,
    origin_rows,
    yearly_origins,
)
from borderrisk.evaluation.transfer import spatial_tests
from borderrisk.model.panel import Panel
from borderrisk.pipeline.border import border_line, capture_curves
from borderrisk.runs import StageRecord

if TYPE_CHECKING:
    from borderrisk.pipeline.stages import Stages

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


def evaluate(stages: Stages) -> dict[str, Any]:
    """Run every test that the config asks for.

    Raises
    ------
    DataError
        If an origin has too few earlier incidents, or a horizon passes the data.
    """
    config = stages.config
    name, level = config.model.estimator, config.uncertainty.level
    check(stages)
    tests = _unseen(stages)
    forecasts = tests[PROSPECTIVE]
    with stages.cache.timed("evaluation: scores"):
        rows = origin_rows(forecasts, stages.cells, border_line(stages.border))
        part = scorecard.prospective(
            forecasts, rows, stages.cells, name, level=level, seed=config.seed
        )
    found: dict[str, Any] = {
        "model": name,
        "headline": scorecard.headline(part, name),
        "prospective": part,
        "border_capture": capture_curves(
            stages.border, stages.cells, forecasts, name, level=level, seed=config.seed
        ),
        "notes": list(_NOTES),
    }
    if SPATIAL in tests:
        found["spatial"] = tests[SPATIAL]
    return found


def check(stages: Stages) -> None:
    """Refuse origins and horizons that evaluation cannot use; nothing is fitted for it.

    Raises
    ------
    DataError
        If an origin has too few earlier incidents or a horizon passes the data.
    """
    section = stages.config.evaluation
    check_periods(
        evaluation_panel(stages), _origins(stages), section.horizons_years,
        section.min_past_incidents,
    )  # fmt: skip


def evaluation_panel(stages: Stages) -> Panel:
    """Return the incidents that evaluation may use: those before the config's own origin."""
    return stages.all_incidents.before(stages.origin)


def model_parameters(stages: Stages) -> dict[str, dict[str, Any]]:
    """Every estimator and baseline; the config's own, which comes first, with its parameters."""
    model = stages.config.model
    names = dict.fromkeys((model.estimator, *ESTIMATORS, *BASELINES))
    return {n: dict(model.parameters) if n == model.estimator else {} for n in names}


def neighbour_distances(stages: Stages) -> list[str]:
    """Features that tell the distance to each neighbour's border."""
    codes = [row.country_b.lower() for row in stages.inputs.borders.itertuples()]
    return [f"border_distance_{code}_km" for code in codes]


def _unseen(stages: Stages) -> dict[str, Any]:
    """Run the tests side by side, in processes of their own."""
    compute = stages.config.compute
    jobs: dict[str, Callable[[], Any]] = {PROSPECTIVE: _backtest_job(stages)}
    if stages.config.evaluation.spatial:
        jobs[SPATIAL] = _spatial_job(stages)
    told = stages.progress and partial(stages.progress, "evaluation")
    found = map_parallel(
        _timed,
        jobs.values(),
        scheduler=compute.scheduler if is_cluster(compute.scheduler) else "processes",
        workers=compute.workers,
        progress=told,
    )
    for name, (_, seconds) in zip(jobs, found, strict=True):
        stages.cache.records.append(StageRecord(f"evaluation: {name}", seconds, cached=False))
    return {name: value for name, (value, _) in zip(jobs, found, strict=True)}


def _timed(job: Callable[[], Any]) -> tuple[Any, float]:
    """Do a job; return what it found and the seconds it took."""
    start = time.perf_counter()
    found = job()
    return found, time.perf_counter() - start


def _origins(stages: Stages) -> list[pd.Timestamp]:
    section = stages.config.evaluation
    return yearly_origins(section.first_origin, section.last_origin)


def _backtest_job(stages: Stages) -> Callable[[], Any]:
    section = stages.config.evaluation
    return partial(
        backtest,
        stages.cells,
        evaluation_panel(stages),
        _origins(stages),
        section.horizons_years,
        model_parameters(stages),
        near_km=section.near_km,
        least=section.min_past_incidents,
        seed=stages.config.seed,
        workers=1,
    )


def _spatial_job(stages: Stages) -> Callable[[], Any]:
    return partial(
        spatial_tests,
        stages.cells,
        evaluation_panel(stages),
        stages.origin,
        list(model_parameters(stages)),
        model_parameters(stages),
        seed=stages.config.seed,
        neighbour_distances=neighbour_distances(stages),
        workers=1,
    )
