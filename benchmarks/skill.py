"""Skill of every model and baseline on four borders, as one page: ``python -m benchmarks.skill``.

The shipped border, and three that the model was not made on (``benchmarks/borders``). Everything is
read from the scorecard that ``borderrisk evaluate CONFIG --json`` prints: yearly origins, a year
ahead, on all, repeat and new ground.
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
from typing import Any

from benchmarks.names import BORDERS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "skill.md"
_ALWAYS = {"evaluation.horizons_years": "[1]", "evaluation.spatial": "false"}
SUBSETS = {"all": "all ground", "repeat": "repeat ground", "new": "new ground"}


@dataclass(frozen=True)
class Evaluated:
    """One border: its name, the scorecard as JSON, and the seconds it took."""

    title: str
    card: Mapping[str, Any]
    seconds: float

    def rows(self, subset: str) -> list[dict[str, Any]]:
        """Scores of every model a year ahead, the best first."""
        rows = self.card["prospective"]["summary"]
        rows = [r for r in rows if r["subset"] == subset and r.get("horizon_years", 1) == 1]
        return sorted((r for r in rows if r.get("bits") is not None), key=lambda r: -r["bits"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate the borders asked for and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skill", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="TITLE", help="borders by part of their name")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    more = dict(given.split("=", 1) for given in options.set)
    found = []
    for title, (config, own) in BORDERS.items():
        if not options.only or any(part.lower() in title.lower() for part in options.only):
            print(title, "...", file=sys.stderr, flush=True)
            found.append(evaluated(title, config, {**_ALWAYS, **own, **more}))
    options.out.write_text("\n".join(page(found)) + "\n", encoding="utf-8")


def evaluated(title: str, config: Path, settings: Mapping[str, str]) -> Evaluated:
    """Evaluate one border in a process of its own, with nothing kept from before."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        given = {**settings, "compute.cache": scratch}
        words = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
        program = "from borderrisk.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "evaluate", str(config), "--json", *words],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    card = json.loads(done.stdout)["scorecard"]
    return Evaluated(title, card, time.perf_counter() - start)


def page(borders: Sequence[Evaluated]) -> Iterator[str]:
    """Lines of the page."""
    yield "# Skill on four borders"
    yield ""
    yield "Written by `make skill`; nothing here is typed by hand. Every forecast is made from what"
    yield "was reported before its origin. Bits: mean log2 of forecast density over the mean, per"
    yield "incident; capture: share of the incidents in the tenth of the area forecast highest."
    yield "Gain is the difference to the best baseline, with its interval over origins."
    yield ""
    yield "| border | model | incidents | all: bits | gain | new: bits | gain | minutes |"
    yield "|---|---|---:|---:|---|---:|---|---:|"
    for border in borders:
        model = border.card["model"]
        every, new = (_of(border.rows(subset), model) for subset in ("all", "new"))
        yield (
            f"| {border.title} | {model} | {every['incidents']:,} | {every['bits']:+.2f} | "
            f"{_gain(every)} | {_signed(new.get('bits'))} | {_gain(new)} | "
            f"{border.seconds / 60:.1f} |"
        )
    for border in borders:
        yield from _chapter(border)


def _chapter(border: Evaluated) -> Iterator[str]:
    yield from ("", f"## {border.title}")
    for subset, words in SUBSETS.items():
        rows = border.rows(subset)
        if rows:
            yield from ("", f"{words.capitalize()}, {rows[0]['incidents']:,} incidents:", "")
            yield "| model | bits | capture | difference |"
            yield "|---|---:|---:|---|"
        for row in rows:
            yield (
                f"| {row['model']} | {row['bits']:+.2f} | {row['capture_10']:.0%} | {_gain(row)} |"
            )
    for name in ("calibration", "totals"):
        rows = border.card["prospective"].get(name) or []
        if rows:
            yield from ("", f"{name.capitalize()}:", "", f"| {' | '.join(rows[0])} |")
            yield "|" + "---:|" * len(rows[0])
            yield from (f"| {' | '.join(map(_number, row.values()))} |" for row in rows)


def _of(rows: Sequence[Mapping[str, Any]], model: str) -> Mapping[str, Any]:
    return next((row for row in rows if row["model"] == model), {})


def _gain(row: Mapping[str, Any]) -> str:
    gain = row.get("gain")
    if not gain:
        return ""
    return (
        f"{gain['bits']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f}) over {gain['baseline']}"
    )


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
