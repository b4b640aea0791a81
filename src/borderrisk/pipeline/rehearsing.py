"""What the track record would have shown: forecasts from past origins, each from its own past."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from borderrisk.config.whole import Config
from borderrisk.errors import DataError
from borderrisk.evaluation.backtest import in_study
from borderrisk.evaluation.prospective import LAST_PERIOD, REHEARSAL, Period, Said, judged
from borderrisk.evaluation.scorecard import REFERENCE
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Memo, Settings
from borderrisk.model.registry import usable
from borderrisk.pipeline import steps
from borderrisk.pipeline.evaluating import border_line
from borderrisk.pipeline.stages import Stages
from borderrisk.scores import risk_class, risk_percentile

_MONTH_DAYS = 30.4


def rehearse(
    config: Config, first: pd.Timestamp, as_of: pd.Timestamp, horizons: Sequence[int]
) -> list[Period]:
    """Forecast from past origins, and score what came: numbers and places only.

    Origins are firsts of months from ``first`` on, so far apart that the periods of a length do not
    overlap, and end before ``as_of``. Each forecast knows only incidents from before its origin.

    Raises ``DataError`` if no origin has enough earlier incidents.
    """
    stages = Stages.of(config)
    cells, record = stages[steps.cells], stages[steps.incidents]
    panel = record.everything.before(as_of)
    rows = cells.mask.ravel().nonzero()[0][cells.study]
    line = border_line(stages[steps.border]).attribution[rows]
    least = config.evaluation.min_past_incidents
    found: list[Period] = []
    for days in horizons:
        own = config.model
        names = dict.fromkeys((own.estimator, REFERENCE, LAST_PERIOD))
        models = usable(names, cells, days, **{own.estimator: own.parameters})
        memo: Memo = {}
        for origin in origins(first, as_of, days):
            past = panel.before(origin)
            if len(past) < least:
                continue
            said = _said(models, config, cells, past, origin, days, memo, line)
            end = origin + pd.Timedelta(days=days)
            later = panel.between(origin, end)
            mass, kept = in_study(cells, later)
            weight = later.incidents["weight"].to_numpy(float)[kept]
            found.append(
                Period(
                    kind=REHEARSAL, origin=f"{origin:%Y-%m-%d}", days=days,
                    until=f"{as_of:%Y-%m-%d}", **judged(said, mass, weight, config.seed),
                )
            )  # fmt: skip
    if not found:
        raise DataError(
            f"--rehearse {first:%Y-%m-%d}: no month from then on that is over by {as_of:%Y-%m-%d} "
            f"has {least} earlier incidents (evaluation.min_past_incidents); begin later."
        )
    return found


def origins(first: pd.Timestamp, as_of: pd.Timestamp, days: int) -> list[pd.Timestamp]:
    """Return firsts of months whose periods do not overlap and are over.

    Examples
    --------
    >>> found = origins(pd.Timestamp("2020-01-15"), pd.Timestamp("2020-09-01"), 90)
    >>> [f"{day:%m-%d}" for day in found]
    ['02-01', '05-01']
    """
    start = first if first.day == 1 else first + pd.offsets.MonthBegin()
    step = max(1, int(np.ceil(days / _MONTH_DAYS - 0.1)))
    found = []
    while start + pd.Timedelta(days=days) <= as_of:
        found.append(start)
        start += pd.DateOffset(months=step)
    return found


def _said(
    models: dict[str, Settings], config: Config, cells: CellTable, past: Panel,
    origin: pd.Timestamp, days: int, memo: Memo, line: csr_matrix,
) -> Said:  # fmt: skip
    fitted = {n: it.fit(cells, past, origin, config.seed, memo) for n, it in models.items()}
    name, study = config.model.estimator, cells.study
    area = cells.study_area_100km2[study]
    intensity = {n: np.maximum(it.intensity(cells)[study], 1e-300) for n, it in fitted.items()}
    classes = risk_class(risk_percentile(intensity[name], area))
    return Said(name, intensity, fitted[name].level, classes, area, days, line)
