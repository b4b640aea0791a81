"""Tables of the study, in Markdown, and what they say in a word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from benchmarks.variants.observed import Score
from borderrisk.model.backtest import SUBSETS
from borderrisk.model.metrics import Interval, paired_difference

LEVEL = 0.9
# Smaller differences are none, however sure.
LEAST = 0.01


def over_worlds(difference: np.ndarray) -> Interval:
    """Mean over worlds with its Student interval; without bounds for a single world."""
    n, mean = len(difference), float(np.mean(difference))
    if n < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = student.ppf((1 + LEVEL) / 2, n - 1) * np.std(difference, ddof=1) / np.sqrt(n)
    return Interval(mean, mean - float(half), mean + float(half))


def reading(found: Interval) -> str:
    """Say whether a difference is one.

    Examples
    --------
    >>> reading(Interval(0.2, 0.1, 0.3)), reading(Interval(0.2, -0.1, 0.5))
    ('helped', '=')
    """
    if abs(found.value) < LEAST or not (found.low > 0 or found.high < 0):
        return "="
    return "helped" if found.value > 0 else "harmed"


def shown(found: Interval) -> str:
    """Return a difference with its interval and reading."""
    bounds = f" ({found.low:+.2f} to {found.high:+.2f})" if np.isfinite(found.low) else ""
    word = reading(found)
    return f"{found.value:+.2f}{bounds}" + (f" {word}" if word != "=" else "")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def planted_table(
    kinds: Sequence[str], bits: Sequence[dict[str, np.ndarray]], ceilings: Sequence[np.ndarray]
) -> str:
    """Bits of the first form, and the difference of each other one to it, by kind of world."""
    first = next(iter(bits[0]))
    rows = [
        ["the truth itself", *(f"{c.mean():.2f}" for c in ceilings)],
        [first, *(f"{b[first].mean():.2f}" for b in bits)],
    ]
    for name in list(bits[0])[1:]:
        rows.append([name, *(shown(over_worlds(b[name] - b[first])) for b in bits)])
    return markdown(["", *kinds], rows)


def observed_table(scores: dict[str, Score], baseline: Score) -> str:
    """Differences in bits to the first form by subset, captures, and the worst origin."""
    first = next(iter(scores.values()))
    header = ["", *SUBSETS, "top 10 %: all", "new", "worst origin over KDE"]
    rows = []
    for name, score in scores.items():
        bits = [_difference(score, first, subset) for subset in SUBSETS]
        rows.append([name, *bits, *_captures(score), f"{_worst(score, baseline):+.2f}"])
    return markdown(header, rows)


def ceiling_table(scores: dict[str, dict[str, Score]], baseline: Score) -> str:
    """Bits and captures by subset, each from the score that is meant for it."""
    header = ["", "all: bits", "top 10 %", "worst origin over KDE"]
    header += ["repeat: bits", "top 10 %", "new: bits", "top 10 %"]
    rows = []
    for name, score in scores.items():
        both = {subset: _both(score[subset], subset) for subset in SUBSETS}
        worst = f"{_worst(score['all'], baseline):+.2f}"
        rows.append([name, *both["all"], worst, *both["repeat"], *both["new"]])
    return markdown(header, rows)


def _both(score: Score, subset: str) -> tuple[str, str]:
    inside = score.subset(subset)
    return f"{score.bits[inside].mean():+.2f}", f"{100 * score.captured[inside].mean():.0f} %"


def _difference(score: Score, first: Score, subset: str) -> str:
    inside = score.subset(subset)
    if score is first:
        return f"{score.bits[inside].mean():.2f}"
    found = paired_difference(
        score.bits[inside], first.bits[inside], score.block[inside], level=LEVEL
    )
    return shown(found)


def _captures(score: Score) -> list[str]:
    return [f"{100 * score.captured[score.subset(s)].mean():.0f} %" for s in ("all", "new")]


def _worst(score: Score, baseline: Score) -> float:
    return float((score.by_origin() - baseline.by_origin()).min())
