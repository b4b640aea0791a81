"""Skill of every model and baseline on four borders, as one page: ``python -m benchmarks.skill``.

The shipped border, and three that the model was not made on (``benchmarks/borders``). Everything is
read from the scorecard that ``borderrisk evaluate CONFIG --json`` prints: yearly origins, a year
ahead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.names import BORDERS
from benchmarks.studies import counts
from borderrisk.compute import map_parallel
from borderrisk.evaluation.metrics import binomial_interval
from borderrisk.evaluation.scorecard import (
    NEW_GROUND,
    SUBSET_WORDS,
    SUBSETS,
    ChanceClass,
    Gain,
    Prospective,
    Scorecard,
    Skill,
)

PAGE = Path(__file__).parents[1] / "docs" / "skill.md"
_ALWAYS = {"evaluation.horizons_years": "[1]", "evaluation.spatial": "false"}
_INTRODUCTION = """\
# Skill on four borders

Written by `make skill`; no figure is typed by hand. Every forecast is made from what was reported
before its origin, a year ahead, from yearly origins. The shipped border is the one whose data come
with the product; the other three serve this comparison only. **Bits**: mean log2 of the forecast
density at an incident over the mean density; one bit more is twice the density. **Capture**: share
of the incidents in the tenth of the area that is ranked highest. **Within new ground**: incidents
far from all earlier ones, among the cells far from all earlier ones. Differences are bits per
incident on the same incidents, with a 90 % interval over origins; **history alone** is the same
model without what the ground explains."""


_COUNTS = """\
## Counts and their intervals

How many counts each interval held, with the binomial interval of the 90 % share. Totals of the
study area follow each other over the whole record; **score** is their ranked probability score over
that of the level rule of earlier versions, a Poisson count around the mean of the last few years.
Sections of border and square windows of 300 km (a focus is one) are from yearly origins, those of
which at least half an incident was expected; neighbours in one year are no independent witnesses.
Intervals: negative binomial; the size of a total's is learned from its own record, that of every
section and window is 2."""


@dataclass(frozen=True)
class Evaluated:
    """One border: its name, the scorecard, and the seconds it took beside the others."""

    title: str
    card: Scorecard
    seconds: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate the borders asked for and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skill", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="TITLE", help="borders by part of their name")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    more = dict(given.split("=", 1) for given in options.set)
    chosen = [
        (title, config, {**_ALWAYS, **own, **more})
        for title, (config, own) in BORDERS.items()
        if not options.only or any(part.lower() in title.lower() for part in options.only)
    ]
    # Each evaluation is a process of its own, which these threads only wait for.
    found = map_parallel(lambda one: evaluated(*one), chosen, workers=len(chosen))
    held = counts.page(options.only, more)
    options.out.write_text("\n".join(page(found, held)) + "\n", encoding="utf-8")


def evaluated(title: str, config: Path, settings: Mapping[str, str]) -> Evaluated:
    """Evaluate one border in a process of its own, with nothing kept from before."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        given = {**settings, "compute.cache": f"{scratch}/cache"}
        words = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
        program = "from borderrisk.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "evaluate", str(config), "--json",
             "--out", f"{scratch}/out", *words],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    card = Scorecard.from_json(json.loads(done.stdout)["scorecard"])
    return Evaluated(title, card, time.perf_counter() - start)


def page(borders: Sequence[Evaluated], held: Sequence[str] = ()) -> Iterator[str]:
    """Lines of the page; ``held`` is the table of the study of counts."""
    yield _INTRODUCTION
    yield from ("", "| border | incidents | bits | over history alone | within new ground | bits |")
    yield "|---|---:|---:|---|---:|---:|"
    for border in borders:
        every, new = border.card.skill(), border.card.skill(NEW_GROUND)
        row = [border.title, *_brief(every), _gain(every.gain if every else None), *_brief(new)]
        yield f"| {' | '.join(row)} |"
    if held:
        yield from ("", _COUNTS, "", *held)
    yield from _likely([border.card.prospective.likely for border in borders])
    for border in borders:
        yield from _chapter(border)


def _likely(found: Sequence[ChanceClass | None]) -> Iterator[str]:
    """Cells of all borders that were said to be more likely than not to have an incident."""
    rows = [row for row in found if row]
    cells = sum(row.cells for row in rows)
    if cells:
        said, came = (
            sum(getattr(row, name) * row.cells for row in rows) / cells
            for name in ("predicted", "observed")
        )
        low, high = binomial_interval(came * cells, cells)
        yield ""
        yield (
            f"Cells said to have more than an even chance, on all borders ({cells:,}): {said:.0%} "
            f"was said, it happened in {came:.0%} ({low:.0%} to {high:.0%})."
        )


def _brief(skill: Skill | None) -> tuple[str, str]:
    return (f"{skill.incidents:,}", f"{skill.bits:+.2f}") if skill else ("0", "")


def _chapter(border: Evaluated) -> Iterator[str]:
    part = border.card.prospective
    yield from ("", f"## {border.title}", "")
    first, last = (origin[:4] for origin in (part.origins[0], part.origins[-1]))
    yield (
        f"{len(part.origins)} origins, {first} to {last}; evaluated in "
        f"{border.seconds / 60:.1f} minutes."
    )
    yield ""
    yield from (f"- {line}" for line in border.card.headline)
    for subset in SUBSETS:
        rows = part.of(subset)
        if rows:
            words = SUBSET_WORDS[subset]
            yield from ("", f"{words[:1].upper()}{words[1:]} ({rows[0].incidents:,}):", "")
            yield "| model | bits | capture | over history alone | over the best other baseline |"
            yield "|---|---:|---:|---|---|"
        for row in rows:
            bits = round(row.bits, 2) + 0.0  # never -0.00
            yield (
                f"| {row.model.replace('_', ' ')} | {bits:+.2f} | {row.capture_10:.0%} | "
                f"{_gain(row.gain)} | {_gain(row.gain_best, named=True)} |"
            )
    yield from _counts(part)


def _counts(part: Prospective) -> Iterator[str]:
    """Calibration of classes, of chances and of totals."""
    yield from ("", "| risk class | expected | observed | 90 % interval |", "|---:|---:|---:|---|")
    for one in part.calibration:
        if one.ground == "all":
            yield (
                f"| {one.risk_class} | {one.expected:.1f} | {one.observed:.1f} | "
                f"{one.low:.1f} to {one.high:.1f} |"
            )
    yield from ("", "| chance said | happened | 90 % interval | cells |", "|---:|---:|---|---:|")
    for said in part.reliability:
        if said.ground == "all":
            yield (
                f"| {said.predicted:.2%} | {said.observed:.2%} | {said.low:.2%} to "
                f"{said.high:.2%} | {said.cells:,} |"
            )
    if part.totals:
        yield from ("", "| from | expected | reported | 80 % | 90 % |", "|---|---:|---:|---|---|")
    for total in part.totals:
        yield (
            f"| {total.origin} | {total.expected:.0f} | {total.reported:.0f} | "
            f"{total.low_80} to {total.high_80} | {total.low_90} to {total.high_90} |"
        )
    for held in part.held:
        what = "totals" if held.of == "totals" else f"{held.of} with something expected"
        yield from (
            "",
            f"The {held.level:.0%} interval held {held.held} of {held.periods:,} {what} "
            f"({held.low:.0%} to {held.high:.0%}).",
        )


def _gain(gain: Gain | None, named: bool = False) -> str:
    if gain is None:
        return ""
    return f"{gain} {gain.baseline.replace('_', ' ')}" if named else str(gain)


if __name__ == "__main__":
    main()
