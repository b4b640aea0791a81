"""What a scorecard says: in sentences, each computed from it, and as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from borderrisk.border.ranking import LENGTH, BorderCapture
from borderrisk.evaluation.scorecard import (
    LEAST_EXPECTED,
    NEW_GROUND,
    REFERENCE,
    SUBSET_WORDS,
    SUBSETS,
    Behind,
    Gain,
    Prospective,
    Scorecard,
    Skill,
    Transfer,
)

_SAID_KM, _SUBSET_KM = (50, 100, 250, 500), 100


def headline(model: str, part: Prospective) -> list[str]:
    """Say how good a model is: next to history alone first, then over even, then on new ground."""
    found = [row for row in part.of("all") if row.model == model]
    if not found:
        return [
            f"No bits can be told: none of the {many(len(part.origins), 'origin')} was followed by "
            f"{part.least_incidents} incidents in the study area."
        ]
    own = found[0]
    when = f"{many(part.shortest, 'year')} ahead, {many(own.incidents, 'incident')} after "
    when += many(own.origins, "origin")
    lines = [_against(own, part, when)]
    lines.append(
        f"{spoken(model).capitalize()} has {own.bits:.2f} bits per incident over an even map; "
        f"{own.capture_10:.0%} of the incidents fell in the tenth of the area ranked first."
    )
    if own.gain_best:
        lines.append(
            f"Of the other baselines {spoken(own.gain_best.baseline)} is best: the difference to "
            f"it is {own.gain_best} bits."
        )
    return lines + [_on_new_ground(row, part) for row in part.of(NEW_GROUND) if row.model == model]


def _against(own: Skill, part: Prospective, when: str) -> str:
    name = spoken(own.model).capitalize()
    if own.gain is None:
        return f"{name} has {own.bits:.2f} bits per incident ({when}); nothing to compare with."
    return (
        f"{name} is {own.gain.verdict} than {spoken(own.gain.baseline)}: {own.gain} bits per "
        f"incident ({when}; in brackets the {part.level:.0%} interval)."
    )


def _on_new_ground(row: Skill, part: Prospective) -> str:
    than = f"; {row.gain.verdict} than {spoken(row.gain.baseline)}, {row.gain}" if row.gain else ""
    return (
        f"Within new ground, more than {part.near_km:g} km from any earlier incident "
        f"({many(row.incidents, 'incident')}): {row.bits:.2f} bits over its mean, "
        f"{row.capture_10:.0%} in its own first tenth{than}."
    )


def count_lines(part: Prospective) -> list[str]:
    """Say whether chances and totals came true."""
    lines, likely = [], part.likely
    if likely:
        lines.append(
            f"Cells said to have more than an even chance: {likely.predicted:.0%} was said on "
            f"average, it happened in {likely.observed:.0%} of {likely.cells} "
            f"({likely.low:.0%} to {likely.high:.0%})."
        )
    elif part.reliability:
        lines.append("No cell was ever said to have more than an even chance.")
    totals = [row for row in part.totals if row.horizon_years == part.shortest]
    if totals:
        expected, reported, own, rule = (
            sum(getattr(row, name) for row in totals)
            for name in ("expected", "reported", "crps", "crps_poisson")
        )
        lines.append(
            f"Totals of {many(len(totals), 'period')}: {expected:.0f} expected, {reported:.0f} "
            f"reported (by confidence); {held_words(part, 'totals')}."
        )
        if rule > 0:
            lines.append(
                f"Their ranked probability score is {own / len(totals):.2f}, "
                f"{abs(1 - own / rule):.0%} {'below' if own <= rule else 'above'} that of a "
                "Poisson count."
            )
    sections = part.held_of("sections")
    if sections:
        lines.append(
            f"Sections of border of which at least {LEAST_EXPECTED:g} was expected "
            f"({sections[0].periods:,} over all periods): {held_words(part, 'sections')}."
        )
    return lines


def held_words(part: Prospective, of: str) -> str:
    """How many counts each interval held."""
    return ", ".join(
        f"the {h.level:.0%} interval held {h.held} ({h.low:.0%} to {h.high:.0%})"
        for h in part.held_of(of)
    )


def border_lines(curves: BorderCapture | None) -> list[str]:
    """Say what watching some kilometres would have covered, next to history alone."""
    if curves is None:
        return []
    lines = [_watched(curves, km, "Watching") for km in _SAID_KM if km < curves.border_km]
    return lines + [
        _watched(part, _SUBSET_KM, f"{SUBSET_WORDS[subset].capitalize()}, watching")
        for subset, part in curves.subsets.items()
        if curves.border_km > _SUBSET_KM
    ]


def _watched(curves: BorderCapture, km: float, opening: str) -> str:
    at = {name: np.interp(km, curves.km, values) for name, values in curves.captured.items()}
    low, high = (np.interp(km, curves.km, v) for v in (curves.low, curves.high))
    others = f"{at[LENGTH]:.0%} by length alone"
    if REFERENCE in at and curves.model != REFERENCE:
        others = f"{at[REFERENCE]:.0%} as {spoken(REFERENCE)} ranks them, {others}"
    return (
        f"{opening} the {km} km of border ranked first ({km / curves.border_km:.0%} of it) would "
        f"have covered {at[curves.model]:.0%} ({low:.0%} to {high:.0%}) of the later incidents; "
        f"{others}."
    )


def transfer_lines(found: Transfer | None, model: str) -> list[str]:
    """Say how the model does behind a border that it has not seen."""
    if found is None:
        return ["No border was left out."]
    untested = [f"Border {name} was not left out: {why}." for name, why in found.untested.items()]
    if not found.summary:
        return untested
    lines = [
        f"All land nearest to one neighbour, and {found.buffer_km:.0f} km around it, is left out "
        f"of training and scored in turn: {many(found.scored, 'incident')}; "
        f"{found.unscored} are placed too vaguely or lie outside the study area."
    ]
    gain = next((row.gain for row in found.summary if row.model == model), None)
    if gain:
        lines.append(
            f"There {spoken(model)} is {gain.verdict} than {spoken(gain.baseline)}: {gain} bits "
            "per incident."
        )
    return lines + untested


def spoken(name: str) -> str:
    """Name of a model within a sentence."""
    return name.replace("_", " ")


def many(count: int, thing: str) -> str:
    """Count with its noun, as in ``1 origin`` and ``3 years``."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def skill_tables(part: Prospective) -> Iterator[tuple[str, list[Skill]]]:
    """Yield title and rows of each table: all of the shortest horizon, two of any other."""
    for years in part.horizons_years:
        for subset in SUBSETS if years == part.shortest else ("all", NEW_GROUND):
            rows = part.of(subset, years)
            if rows:
                who, count = SUBSET_WORDS[subset], many(rows[0].incidents, "incident")
                yield f"{who.capitalize()}, {many(years, 'year')} ahead, {count}", rows


def render_text(card: Scorecard) -> str:
    """Return the scorecard as plain text: what it says, then the tables."""
    part = card.prospective
    lines = [*card.headline, *count_lines(part), ""]
    if part.summary:
        lines += [*_LEGEND, ""]
    for title, rows in skill_tables(part):
        lines += [title, *_table(rows, _COLUMNS), ""]
    if watched := border_lines(card.border_capture):
        lines += [*watched, ""]
    lines += transfer_lines(card.transfer, card.model)
    if card.transfer and card.transfer.summary:
        lines += _table(card.transfer.summary, _BEHIND)
    lines.append("")
    return "\n".join([*lines, *card.notes]).rstrip() + "\n"


_LEGEND = (
    "bits: per incident over an even map of the same cells; gain: over history alone; best: over "
    "the best other baseline;",
    "5, 10, 20 %: share of incidents in that share of the area, ranked first; border: behind a "
    "tenth of the border's length (by length alone 10 %).",
)
_COLUMNS = (
    ("bits", "bits", 7), ("gain", "gain", 24), ("gain_best", "best", 24), ("capture_5", "5 %", 7),
    ("capture_10", "10 %", 7), ("capture_20", "20 %", 7), ("border_capture_10", "border", 8),
    ("auc", "AUC", 7), ("brier", "Brier", 9), ("log_score", "log score", 11),
)  # fmt: skip
_BEHIND = (
    ("bits", "bits", 7), ("gain", "over distance", 24), ("capture_10", "10 %", 7),
    ("auc", "AUC", 7),
)  # fmt: skip


def _table(rows: Sequence[Skill | Behind], columns: Iterable[tuple[str, str, int]]) -> list[str]:
    columns = [c for c in columns if any(getattr(row, c[0]) is not None for row in rows)]
    head = f"{'model':18}{'role':9}" + "".join(f"{title:>{width}}" for _, title, width in columns)
    return [head] + [
        f"{row.model:18}{row.role:9}"
        + "".join(f"{_text(key, getattr(row, key)):>{width}}" for key, _, width in columns)
        for row in rows
    ]


def _text(key: str, value: Any) -> str:
    if value is None:
        return "–"
    if key in ("brier", "log_score"):
        return f"{value:#.3g}"
    if "capture" in key:
        return f"{value:.0%}"
    return str(value) if isinstance(value, Gain) else f"{round(value, 2) + 0.0:.2f}"
