"""From forecasts and what came of them to the figures of the scorecard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from borderrisk import scores
from borderrisk.border.ranking import BorderCapture, Outlook, prospective_curves
from borderrisk.evaluation import metrics
from borderrisk.evaluation.backtest import BASELINES, MIN_LATER, BorderLine, Forecasts
from borderrisk.evaluation.findings import many
from borderrisk.evaluation.scorecard import (
    GROUNDS,
    LEAST_EXPECTED,
    LIKELY,
    REFERENCE,
    SUBSETS,
    CaptureCurve,
    ChanceClass,
    ClassCount,
    Gain,
    Held,
    Prospective,
    Skill,
    Total,
)
from borderrisk.model.cells import CellTable

# Means over incidents, and over origins.
_PER_INCIDENT = ("bits", "capture_5", "capture_10", "capture_20", "border_capture_10")
_PER_ORIGIN = ("auc", "brier", "log_score")
_CURVE = np.linspace(0, 1, 41)
_CHANCES = (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, LIKELY)
_HELD = (0.8, 0.9)


def used_origins(forecasts: Sequence[Forecasts], years: int) -> list[Forecasts]:
    """Forecasts followed by enough incidents to say something."""
    return [f for f in forecasts if len(f.tests[years].new) >= MIN_LATER]


def prospective(
    forecasts: Sequence[Forecasts], rows: list[Skill], cells: CellTable, model: str, *,
    near_km: float, level: float = 0.9, seed: int = 0, line: BorderLine | None = None,
) -> Prospective:  # fmt: skip
    """Summarise a backtest from its forecasts and their :func:`~.backtest.origin_rows`.

    Calibration, reliability and totals are about ``model``, the config's own. ``near_km`` is what
    made a place a repeat, ``level`` the coverage of the intervals, ``seed`` that of the block
    bootstrap, ``line`` the sections of border whose counts are judged, too.
    """
    horizons = sorted(forecasts[0].tests)
    first = horizons[0]
    used = used_origins(forecasts, first)
    area = cells.study_area_100km2[cells.study]
    totals = [total(f, model, years) for years in horizons for f in forecasts]
    shares = {g: [area[f.ground(g)].sum() / area.sum() for f in used] for g in GROUNDS[1:]}
    # Counts and chances are judged at every origin: to leave out quiet ones would favour too much.
    return Prospective(
        origins=[f.day for f in forecasts],
        horizons_years=horizons,
        least_incidents=MIN_LATER,
        near_km=near_km,
        level=level,
        rows=rows,
        summary=[
            row
            for years in horizons
            for subset in SUBSETS
            for row in summary_rows(forecasts, rows, area, years, subset, level=level, seed=seed)
        ],
        capture=[curve for s in SUBSETS if (curve := _captured(used, area, first, s))],
        ground_share={g: float(np.mean(found)) for g, found in shares.items() if found},
        calibration=[
            r for g in GROUNDS for r in _calibration(forecasts, g, area, model, first, level)
        ],
        reliability=[
            r for g in GROUNDS for r in _reliability(forecasts, g, area, model, first, level)
        ],
        totals=totals,
        held=[*held(totals), *(held_in_sections(forecasts, cells, model, line) if line else [])],
    )


def summary_rows(
    forecasts: Sequence[Forecasts], rows: Sequence[Skill], area: np.ndarray, years: int,
    subset: str, *, level: float, seed: int,
) -> list[Skill]:  # fmt: skip
    """Average every model over the origins with enough incidents, with its gains.

    Bits and captures are means over incidents, the other metrics means over origins. Gains have a
    bootstrap interval over origins; those whose test periods overlap are drawn together.
    """
    used = used_origins(forecasts, years)
    days = {f.day for f in used}
    table = [r for r in rows if r.origin in days and (r.horizon_years, r.subset) == (years, subset)]
    if not table:
        return []
    bits, blocks = _bits(used, area, years, subset)
    how: dict[str, Any] = {"span": _span(forecasts, years), "level": level, "seed": seed}
    found = []
    for name in dict.fromkeys(row.model for row in table):
        own = [row for row in table if row.model == name]
        weight = [row.incidents for row in own]
        means: dict[str, Any] = {key: _mean(own, key, weight) for key in _PER_INCIDENT}
        means |= {key: _mean(own, key) for key in _PER_ORIGIN}
        for key, other in _rivals(bits, name).items():
            means[key] = Gain(
                other, *metrics.paired_difference(bits[name], bits[other], blocks, **how)
            )
        row = Skill(name, own[0].role, subset, years, sum(weight), len(own), **means)
        found.append(row)
    return found


def _mean(rows: Sequence[Skill], key: str, weight: Sequence[int] | None = None) -> Any:
    values = [getattr(row, key) for row in rows]
    return None if None in values else float(np.average(values, weights=weight))


def _bits(
    used: Sequence[Forecasts], area: np.ndarray, years: int, subset: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Bits of every incident by model, and the number of the origin each belongs to."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in used[0].intensity}
    sizes = []
    for forecast in used:
        ground, mass = forecast.scored(years, subset)
        sizes.append(mass.shape[0])
        for name, values in forecast.intensity.items():
            parts[name].append(metrics.information_gain(values[ground], area[ground], mass))
    bits = {name: np.concatenate(found) for name, found in parts.items()}
    return bits, np.repeat(np.arange(len(sizes)), sizes)


def _rivals(bits: dict[str, np.ndarray], name: str) -> dict[str, str]:
    """Name history alone and, for a model, the best other baseline."""
    rivals = {"gain": REFERENCE} if REFERENCE in bits and name != REFERENCE else {}
    others = [n for n in bits if n in BASELINES and n not in (REFERENCE, name)]
    if others and name not in BASELINES:
        rivals["gain_best"] = max(others, key=lambda n: bits[n].mean())
    return rivals


def _span(forecasts: Sequence[Forecasts], years: int) -> int:
    """How many origins in a row have test periods that overlap."""
    days = np.diff([f.origin.toordinal() for f in forecasts])
    # Years and their halves are not all of the same length.
    return ceil(years * scores.DAYS_PER_YEAR / days.min() - 0.1) if len(days) else 1


def total(forecast: Forecasts, model: str, years: int) -> Total:
    """Compare the total that a model expected with what was reported, both by confidence."""
    level, reported = forecast.levels[model], float(forecast.tests[years].weight.sum())
    mean = level.mean * years
    ends = (scores.count_bounds(mean, share, level.size) for share in _HELD)
    low_80, high_80, low_90, high_90 = (int(end) for pair in ends for end in pair)
    own, rule = (metrics.count_score(reported, mean, size) for size in (level.size, None))
    return Total(forecast.day, years, mean, reported, low_80, high_80, low_90, high_90, own, rule)


def held(totals: Sequence[Total]) -> Iterator[Held]:
    """How many of the totals each interval held."""
    for years in dict.fromkeys(row.horizon_years for row in totals):
        own = [row for row in totals if row.horizon_years == years]
        ends = {0.8: ("low_80", "high_80"), 0.9: ("low_90", "high_90")}
        for share, (low, high) in ends.items():
            # A reported total by confidence is no whole number, the ends are.
            found = [getattr(r, low) <= round(r.reported) <= getattr(r, high) for r in own]
            yield _held(years, share, found, "totals")


def _held(years: int, share: float, found: Sequence[bool] | np.ndarray, of: str) -> Held:
    count, all_ = int(sum(found)), len(found)
    return Held(years, share, count, all_, *metrics.binomial_interval(count, all_), of=of)


def held_in_sections(
    forecasts: Sequence[Forecasts], cells: CellTable, model: str, line: BorderLine
) -> Iterator[Held]:
    """How many counts of sections each interval held, where something was expected.

    An incident counts, by its confidence, in the section that it most likely belongs to.
    """
    area = cells.study_area_100km2[cells.study]
    share = csr_matrix(line.attribution[np.flatnonzero(cells.mask.ravel())[cells.study]])
    for years in forecasts[0].tests:
        expected, came = [], []
        for forecast in forecasts:
            later = forecast.tests[years]
            section = (later.mass @ share).toarray().argmax(axis=1)
            came.append(np.bincount(section, later.weight, minlength=share.shape[1]))
            expected.append(share.T @ (forecast.intensity[model] * area * years))
        said, counts = np.concatenate(expected), np.round(np.concatenate(came))
        some = said >= LEAST_EXPECTED
        for level in _HELD if some.any() else ():
            low, high = scores.count_bounds(said[some], level, scores.PART_SIZE)
            yield _held(years, level, (low <= counts[some]) & (counts[some] <= high), "sections")


def _captured(
    used: Sequence[Forecasts], area: np.ndarray, years: int, subset: str
) -> CaptureCurve | None:
    tests = [(f, *f.scored(years, subset)) for f in used]
    tests = [(f, ground, mass) for f, ground, mass in tests if mass.shape[0]]
    if not tests:
        return None
    counts = [mass.shape[0] for *_, mass in tests]
    captured = {}
    for name in used[0].intensity:
        each = [
            metrics.capture_curve(f.intensity[name][ground], area[ground], mass, _CURVE)
            for f, ground, mass in tests
        ]
        captured[name] = np.average(each, axis=0, weights=counts).tolist()
    return CaptureCurve(subset, sum(counts), _CURVE.tolist(), captured)


def _calibration(
    used: Sequence[Forecasts], ground: str, area: np.ndarray, model: str, years: int, level: float
) -> list[ClassCount]:
    """Compare counts per class over the origins, on some ground."""
    parts = []
    for forecast in used:
        intensity, inside = forecast.intensity[model], forecast.ground(ground)
        risk = scores.risk_class(scores.risk_percentile(intensity, area))
        happened = np.asarray(forecast.tests[years].counted.sum(axis=0)).ravel()
        parts.append([v[inside] for v in (intensity * area * years, happened, risk)])
    expected, observed, classes = (np.concatenate(found) for found in zip(*parts, strict=True))
    return metrics.class_counts(expected, observed, classes, level, ground)


def _reliability(
    used: Sequence[Forecasts], ground: str, area: np.ndarray, model: str, years: int, level: float
) -> list[ChanceClass]:
    """Mean chance and how often it happened, in classes of the chance."""
    parts = []
    for forecast in used:
        inside = forecast.ground(ground)
        chance = scores.probability(forecast.intensity[model], area, years * scores.DAYS_PER_YEAR)
        parts.append((chance[inside], metrics.occurred(forecast.tests[years].counted)[inside]))
    chance, happened = (np.concatenate(found) for found in zip(*parts, strict=True))
    classes = np.digitize(chance, _CHANCES[1:])
    rows = []
    for k in np.unique(classes):
        inside = classes == k
        said, came, cells = chance[inside].mean(), float(happened[inside].sum()), int(inside.sum())
        bounds = metrics.binomial_interval(came, cells, level)
        rows.append(ChanceClass(ground, _CHANCES[k], float(said), came / cells, *bounds, cells))
    return rows


def border_curves(
    forecasts: Sequence[Forecasts], cells: CellTable, line: BorderLine, model: str, *, level: float,
    seed: int,
) -> BorderCapture | None:  # fmt: skip
    """Curve of what watching the first k kilometres of border would have covered.

    Of the shortest horizon, over the forecasts followed by enough incidents, with the same for
    incidents at repeat and at new places.
    """
    years = min(forecasts[0].tests)
    used = used_origins(forecasts, years)
    rows = np.flatnonzero(cells.mask.ravel())[cells.study]
    attribution = csr_matrix(line.attribution[rows])
    area = cells.study_area_100km2[cells.study]
    curves = {}
    for subset in GROUNDS:
        outlooks = [
            Outlook(
                {n: v * area for n, v in f.intensity.items() if n in (model, *BASELINES)},
                np.asarray(f.scored(years, subset)[1].sum(axis=0)).ravel(),
            )
            for f in used
        ]
        curves[subset] = prospective_curves(
            outlooks, attribution, line.length_km, model, level=level, seed=seed
        )
    whole = curves.pop("all")
    if whole is not None:
        whole.subsets.update({name: part for name, part in curves.items() if part is not None})
    return whole


def notes(forecasts: Sequence[Forecasts], part: Prospective) -> list[str]:
    """Say what a reader of the figures must know about the periods they rest on."""
    years = part.shortest
    tests = [f.tests[years] for f in forecasts]
    used, found = len(used_origins(forecasts, years)), []
    if used < len(forecasts):
        found.append(
            f"{used} of {many(len(forecasts), 'origin')} count: the others were followed by fewer "
            f"than {part.least_incidents} incidents in the study area."
        )
    elsewhere = sum(test.elsewhere for test in tests)
    if elsewhere:
        found.append(
            f"{many(elsewhere, 'incident')} of the test periods are not scored: more likely than "
            "not they lie beyond the border, or elsewhere outside the study area."
        )
    weight = np.concatenate([test.weight for test in tests])
    if len(weight) and weight.min() < 1:
        found.append(
            "Totals, classes and chances count an incident by its confidence, as forecasts do "
            f"({len(weight)} incidents count as {weight.sum():.0f}); bits and captures count each "
            "as one."
        )
    overlapping = [y for y in part.horizons_years if _span(forecasts, y) > 1]
    if overlapping:
        found.append(
            f"Test periods of {many(overlapping[0], 'year')} overlap: their totals are no "
            "independent witnesses, and intervals over origins draw neighbours together."
        )
    return found
