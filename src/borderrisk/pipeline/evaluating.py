"""The scorecard of a config: every test, each from what was known at the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from borderrisk.border.segments import Border
from borderrisk.compute import is_cluster, map_parallel
from borderrisk.evaluation import backtest as tests
from borderrisk.evaluation import summary
from borderrisk.evaluation.backtest import BorderLine, Forecasts, backtest, yearly_origins
from borderrisk.evaluation.findings import headline
from borderrisk.evaluation.scorecard import Scorecard, Transfer
from borderrisk.evaluation.transfer import spatial_tests
from borderrisk.model.cells import CellTable
from borderrisk.model.level import YEAR_DAYS
from borderrisk.model.panel import Panel
from borderrisk.model.pool import Carried
from borderrisk.model.protocol import Fitted, Settings
from borderrisk.model.registry import models, usable
from borderrisk.pipeline.stages import Work


def evaluate(
    config: Any, cells: CellTable, known: Panel, origin: pd.Timestamp, border: Border,
    neighbours: Sequence[str], work: Work,
) -> Scorecard:  # fmt: skip
    """Run every test that the config asks for.

    ``known`` are the incidents that evaluation may use: those before the config's own ``origin``.
    ``neighbours`` are codes, as in the names of features. ``DataError`` as for :func:`check`.
    """
    check(config.evaluation, known)
    section, given = config.evaluation, tested(config, cells)
    jobs: list[Callable[[], Any]] = [
        partial(
            backtest, cells, known, _origins(section), section.horizons_years, given,
            near_km=section.near_km, least=section.min_past_incidents, seed=config.seed, workers=1,
        )
    ]  # fmt: skip
    if section.spatial:
        distances = [f"border_distance_{code}_km" for code in neighbours]
        jobs.append(
            partial(
                spatial_tests, cells, known, origin, given,
                seed=config.seed, neighbour_distances=distances, workers=1,
            )
        )  # fmt: skip
    # Side by side, in processes of their own.
    scheduler = work.scheduler if is_cluster(work.scheduler) else "processes"
    forecasts, *transfer = map_parallel(
        _call, jobs, scheduler=scheduler, workers=work.workers, progress=work.teller("evaluation")
    )
    line, own = border_line(border), config.model.estimator
    return _card(config, own, forecasts, transfer[0] if transfer else None, cells, line)


def evaluate_carried(
    config: Any, cells: CellTable, learned: Fitted, known: Panel, border: Border,
    origins: Sequence[pd.Timestamp], work: Work,
) -> Scorecard:  # fmt: skip
    """Test a model learned elsewhere from some origins, beside those that are fitted here.

    ``DataError`` as for :func:`check`.
    """
    section, given = config.evaluation, tested(config, cells)
    kept = {name: own for name, own in given.items()
            if name == config.model.estimator or own.role == "baseline"}  # fmt: skip
    forecasts = backtest(
        cells, known, origins, section.horizons_years,
        {Carried.name: Carried(learned=learned), **kept}, near_km=section.near_km,
        least=section.min_past_incidents, seed=config.seed, workers=work.workers,
    )  # fmt: skip
    return _card(config, Carried.name, forecasts, None, cells, border_line(border))


def _card(
    config: Any, name: str, forecasts: list[Forecasts], transfer: Transfer | None, cells: CellTable,
    line: BorderLine,
) -> Scorecard:  # fmt: skip
    level, seed = config.uncertainty.level, config.seed
    rows = tests.origin_rows(forecasts, cells, line)
    part = summary.prospective(
        forecasts, rows, cells, name,
        near_km=config.evaluation.near_km, level=level, seed=seed, line=line,
    )  # fmt: skip
    curves = summary.border_curves(forecasts, cells, line, name, level=level, seed=seed)
    notes = summary.notes(forecasts, part)
    return Scorecard(name, headline(name, part), part, curves, transfer, notes)


def border_line(border: Border) -> BorderLine:
    """Return what the capture by border length needs."""
    return BorderLine(border.attribution, border.segments["length_km"].to_numpy(float))


def check(section: Any, known: Panel) -> None:
    """Refuse origins and horizons that evaluation cannot use; nothing is fitted for it.

    ``DataError`` if an origin has too few earlier incidents or a horizon passes the data.
    """
    tests.check_periods(
        known, _origins(section), section.horizons_years, section.min_past_incidents
    )


def _origins(section: Any) -> list[pd.Timestamp]:
    return yearly_origins(section.first_origin, section.last_origin)


def tested(config: Any, cells: CellTable) -> dict[str, Settings]:
    """Return the config's own model, and every other one that the cells are enough for."""
    own, days = config.model, YEAR_DAYS * min(config.evaluation.horizons_years)
    return usable((own.estimator, *models()), cells, days, **{own.estimator: own.parameters})


def _call(job: Callable[[], Any]) -> Any:
    return job()
