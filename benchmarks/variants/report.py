"""Tables of the study, in Markdown, and what they say in a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from benchmarks.variants.observed import Score
from borderrisk.evaluation.backtest import SUBSETS
from borderrisk.evaluation.metrics import Interval, paired_difference

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


def signed(value: float) -> str:
    """Return a number of two digits with its sign; zero has none.

    Examples
    --------
    >>> signed(0.123), signed(-0.001)
    ('+0.12', '0.00')
    """
    text = f"{value:+.2f}"
    return text[1:] if text in ("-0.00", "+0.00") else text


def shown(found: Interval, *, even: bool = False) -> str:
    """Return a difference with its interval (half its width if even) and reading."""
    bounds = ""
    if np.isfinite(found.low):
        bounds = f" ({signed(found.low)} to {signed(found.high)})"
        bounds = f" ± {found.high - found.value:.2f}" if even else bounds
    word = reading(found)
    return f"{signed(found.value)}{bounds}" + (f" {word}" if word != "=" else "")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


@dataclass(frozen=True)
class Planted:
    """Expected bits on one kind of world, of each form and of the truth, shape (worlds,)."""

    kind: str
    bits: dict[str, np.ndarray]
    truth: np.ndarray


@dataclass(frozen=True)
class Observed:
    """Scores of each form on the shipped data, and of the baseline."""

    scores: dict[str, Score]
    baseline: Score


def study_table(worlds: Sequence[Planted], data: Observed | None) -> str:
    """Bits of the first form, and the difference of each other one to it."""
    header = ["", *(world.kind for world in worlds)]
    names = list(data.scores if data is not None else worlds[0].bits)
    if data is not None:
        header += [f"data: {subset}" for subset in SUBSETS] + ["top 10 %", "new", "worst over KDE"]
    rows = [[name, *_planted(name, worlds), *_observed(name, data)] for name in names]
    if worlds:
        truth = [f"{world.truth.mean():.2f}" for world in worlds]
        rows.insert(0, ["the truth itself", *truth, *[""] * (len(header) - 1 - len(truth))])
    return markdown(header, rows)


def _planted(name: str, worlds: Sequence[Planted]) -> list[str]:
    cells = []
    for world in worlds:
        first = next(iter(world.bits))
        if name == first:
            cells.append(f"{world.bits[name].mean():.2f}")
        elif name in world.bits:
            difference = over_worlds(world.bits[name] - world.bits[first])
            cells.append(shown(difference, even=True))
        else:
            cells.append("")
    return cells


def _observed(name: str, data: Observed | None) -> list[str]:
    if data is None:
        return []
    score, first = data.scores[name], next(iter(data.scores.values()))
    bits = [_difference(score, first, subset) for subset in SUBSETS]
    captured = [f"{100 * score.captured[score.subset(s)].mean():.0f} %" for s in ("all", "new")]
    return [*bits, *captured, signed(_worst(score, data.baseline))]


def ceiling_table(scores: dict[str, dict[str, Score]], baseline: Score) -> str:
    """Bits and captures by subset, each from the score that is meant for it."""
    header = ["", "all: bits", "top 10 %", "worst origin over KDE"]
    header += ["repeat: bits", "top 10 %", "new: bits", "top 10 %"]
    rows = []
    for name, score in scores.items():
        both = {subset: _both(score[subset], subset) for subset in SUBSETS}
        worst = signed(_worst(score["all"], baseline))
        rows.append([name, *both["all"], worst, *both["repeat"], *both["new"]])
    return markdown(header, rows)


def _both(score: Score, subset: str) -> tuple[str, str]:
    inside = score.subset(subset)
    return signed(float(score.bits[inside].mean())), f"{100 * score.captured[inside].mean():.0f} %"


def _difference(score: Score, first: Score, subset: str) -> str:
    inside = score.subset(subset)
    if score is first:
        return f"{score.bits[inside].mean():.2f}"
    found = paired_difference(
        score.bits[inside], first.bits[inside], score.block[inside], level=LEVEL
    )
    return shown(found)


def _worst(score: Score, baseline: Score) -> float:
    return float((score.by_origin() - baseline.by_origin()).min())
