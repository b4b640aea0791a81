"""Whether intervals of counts hold what they say, on the shipped border and three others.

Totals of the study area a year, 90 and 30 days ahead, from every origin that the record allows, one
after the other; their ranked probability score beside the level rule of earlier versions, a Poisson
count around the mean of the last few years. Sections of border, and square windows as foci are,
from yearly origins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.special import xlogy

from benchmarks.names import BORDERS
from benchmarks.studies import common
from borderrisk import scores
from borderrisk.config import load_config
from borderrisk.evaluation.backtest import GRACE, in_study
from borderrisk.evaluation.metrics import binomial_interval, count_score
from borderrisk.evaluation.scorecard import LEAST_EXPECTED
from borderrisk.model.cells import CellTable
from borderrisk.model.level import YEAR_DAYS, Level, expected_level, step_back
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Memo
from borderrisk.pipeline import steps
from borderrisk.pipeline.stages import Stages
from borderrisk.pipeline.study import FOCUS_KM

DAYS = (YEAR_DAYS, 90, 30)
LEVELS = (0.8, 0.9)
MIN_PAST, PART_ORIGINS = 10, 15
WINDOWS_YEARS = (1, 2, 3, 5, 8, 12)
TOTALS, SECTIONS, WINDOWS = "totals", "sections", "windows"


@dataclass(frozen=True)
class Counted:
    """Counts of a kind so many days ahead: what was said of each, and what came.

    ``held`` (counts, levels) is whether each interval held it. ``score`` and ``rule`` are the
    ranked probability scores of the forecast and of the earlier rule, of totals only.
    """

    border: str
    kind: str
    days: int
    held: np.ndarray
    score: float = 0.0
    rule: float = 0.0


def main(arguments: Sequence[str]) -> None:
    """Print the tables of the borders asked for."""
    parser = common.parser("counts", __doc__)
    parser.add_argument("--only", nargs="+", metavar="TITLE", help="borders by part of their name")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args(arguments)
    print("\n".join(page(given.only, dict(s.split("=", 1) for s in given.set))))


def page(only: Sequence[str] | None = None, settings: dict[str, str] | None = None) -> list[str]:
    """Return the tables as lines of Markdown."""
    found: list[Counted] = []
    for title, (config, own) in BORDERS.items():
        if not only or any(part.lower() in title.lower() for part in only):
            found += on_border(title, config, own | (settings or {}))
    return [*_lines(found)]


def on_border(title: str, config: Path, settings: dict[str, str]) -> Iterator[Counted]:
    """Count on one border."""
    look = common.Look(Stages.of(load_config(config, settings)))
    cells, known, border = look.cells, look.known, look.stages[steps.border]
    rows = np.flatnonzero(cells.mask.ravel())[cells.study]
    parts = {SECTIONS: csr_matrix(border.attribution[rows]), WINDOWS: windows(cells)}
    for days in DAYS:
        yield totals(title, cells, known, days)
    yield from in_parts(title, look, cells, known, parts)


def origins(known: Panel, days: int) -> list[pd.Timestamp]:
    """Return origins whose periods follow each other, the first of a year or back from the end."""
    table = known.incidents
    last = table["date_end"].max().normalize() + pd.Timedelta(days=1)
    end = last
    if days >= YEAR_DAYS:
        end = pd.Timestamp(year=(last + GRACE).year, month=1, day=1)
    found = []
    day = step_back(end, days, 1)
    while (table["date_end"] < day).sum() >= MIN_PAST:
        found.append(day)
        day = step_back(day, days, 1)
    return found[::-1]


def totals(title: str, cells: CellTable, known: Panel, days: int) -> Counted:
    """Forecast the study area's total from every origin."""
    held, own, rule = [], 0.0, 0.0
    _, mine = in_study(cells, known)
    inside = known.take(mine)
    for origin in origins(inside, days):
        level = expected_level(cells, known.before(origin), origin, days)
        came = inside.between(origin, step_back(origin, days, -1)).incidents["weight"].sum()
        length = scores.DAYS_PER_YEAR if days >= YEAR_DAYS else days
        ends = [level.interval(length, share) for share in LEVELS]
        held.append([low <= round(came) <= high for low, high in ends])
        years = length / scores.DAYS_PER_YEAR
        own += count_score(came, level.mean * years, level.size)
        rule += count_score(came, years * earlier_rate(inside.before(origin), origin))
    return Counted(title, TOTALS, days, np.array(held), own, rule)


def earlier_rate(past: Panel, origin: pd.Timestamp) -> float:
    """Incidents a year by the rule of earlier versions: the mean of the last few years.

    How many is chosen by the Poisson likelihood of each year given those before it.
    """
    table, weight = past.incidents, past.incidents["weight"].to_numpy(float)
    age = (origin - table["date"]).dt.days.to_numpy(float) / scores.DAYS_PER_YEAR
    record = max(age.max(), 1.0)
    per_year = np.bincount(np.maximum(np.ceil(age).astype(int) - 1, 0), weight)[: int(record)]
    likely = {w: _likelihood(per_year, w) for w in WINDOWS_YEARS if w <= record}
    best = max(likely, key=lambda w: (likely[w], w)) if len(per_year) > 3 else record
    return float(max(weight[age <= best].sum() / best, 0.5 / record))


def _likelihood(per_year: np.ndarray, window: int) -> float:
    """Poisson log-likelihood of each year given the mean of those before it; the latest first."""
    found = 0.0
    for k in range(len(per_year) - 1):
        past = per_year[k + 1 : k + 1 + window]
        mean = (past.sum() + 0.5) / len(past)
        found += float(xlogy(per_year[k], mean) - mean)
    return found


def windows(cells: CellTable) -> csr_matrix:
    """Study cells by square windows of the size that ``init`` gives a focus, half overlapping."""
    x, y = (axis[cells.mask][cells.study] for axis in cells.grid.centres())
    half = FOCUS_KM * 1000.0
    corners = [
        (west, south)
        for west in np.arange(x.min() - half, x.max(), half)
        for south in np.arange(y.min() - half, y.max(), half)
    ]
    inside = [(x >= w) & (x < w + 2 * half) & (y >= s) & (y < s + 2 * half) for w, s in corners]
    return csr_matrix(np.array([one for one in inside if one.any()], float).T)


def in_parts(
    title: str, look: common.Look, cells: CellTable, known: Panel, parts: dict[str, csr_matrix]
) -> Iterator[Counted]:
    """Forecast every part from yearly origins; shorter forecasts have the year's densities."""
    held: dict[tuple[str, int], list[np.ndarray]] = {(k, d): [] for k in parts for d in DAYS}
    memo: Memo = {}
    area = cells.study_area_100km2[cells.study]
    for origin in origins(known, YEAR_DAYS)[-PART_ORIGINS:]:
        past = known.before(origin)
        intensity = look.own.fit(cells, past, origin, look.seed, memo).intensity(cells)[cells.study]
        share = intensity * area / (intensity @ area)
        for days in DAYS:
            level = expected_level(cells, past, origin, days)
            later = known.between(origin, step_back(origin, days, -1))
            for kind, inside in parts.items():
                held[kind, days].append(_held(cells, later, share, level, days, kind, inside))
    for (kind, days), found in held.items():
        yield Counted(title, kind, days, np.concatenate(found))


def _held(
    cells: CellTable, later: Panel, share: np.ndarray, level: Level, days: int, kind: str,
    inside: csr_matrix,
) -> np.ndarray:  # fmt: skip
    """Whether each part's interval held what came, where something was expected."""
    mass, kept = in_study(cells, later)
    lies = (mass @ inside).toarray()
    # Sections share the study area out; windows overlap, and most of an incident lies in or out.
    most = np.eye(lies.shape[1])[lies.argmax(axis=1)] if kind == SECTIONS else lies >= 0.5
    came = np.round(later.incidents["weight"].to_numpy(float)[kept] @ most)
    said = inside.T @ share * level.mean * days / scores.DAYS_PER_YEAR
    some = said >= LEAST_EXPECTED
    bounds = [scores.count_bounds(said[some], one, scores.PART_SIZE) for one in LEVELS]
    return np.stack([(low <= came[some]) & (came[some] <= high) for low, high in bounds], axis=1)


def _lines(found: Sequence[Counted]) -> Iterator[str]:
    yield "| counts of | days | border | number | 80 % held | 90 % held | 90 % interval | score |"
    yield "|---|---:|---|---:|---:|---:|---|---:|"
    for kind in (TOTALS, SECTIONS, WINDOWS):
        for days in DAYS:
            rows = [one for one in found if (one.kind, one.days) == (kind, days)]
            for one in rows:
                yield _row(kind, days, one.border, [one])
            if len(rows) > 1:
                yield _row(kind, days, "**all**", rows)


def _row(kind: str, days: int, border: str, rows: Sequence[Counted]) -> str:
    held = np.concatenate([one.held for one in rows])
    count, rule = len(held), sum(one.rule for one in rows)
    cells = [kind, str(days), border, f"{count:,}"]
    if count:
        low, high = binomial_interval(held[:, 1].sum(), count)
        cells += [f"{share:.0%}" for share in held.mean(axis=0)] + [f"{low:.0%} to {high:.0%}"]
    cells += [""] * (7 - len(cells))
    score = f"{sum(one.score for one in rows) / rule:.2f}" if rule else ""
    return f"| {' | '.join([*cells, score])} |"
