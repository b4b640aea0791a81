"""What the product promises, and whether the rows of one run keep it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import dem
from benchmarks.measure import Row
from benchmarks.names import DECODE, INTERVALS, LOOK, OURS, RUN, SCALE, SHIPPED, XRSPATIAL

GB = 1e9 / 2**20  # in the megabytes of the rows


@dataclass(frozen=True)
class Target:
    """One promise.

    Attributes
    ----------
    name, wanted : str
        What is promised.
    value : float or None
        What was measured; None if its rows are not there.
    met : bool or None
        Whether it is kept.
    """

    name: str
    wanted: str
    value: float | None
    met: bool | None


def judged(rows: Sequence[Row]) -> list[Target]:
    """Every target, with what these rows say of it."""
    return [*_terrain(rows), *_runs(rows), *_scale(rows)]


def _terrain(rows: Sequence[Row]) -> Iterator[Target]:
    ratio = _quotient(rows, (OURS, "M"), (DECODE, "M"))
    row = _row(rows, OURS, "M")
    ratio = ratio if row is None or row.ratio is None else row.ratio
    yield _at_most("terrain pass over a two-thread decode, M", 3, ratio)
    for size in "SM":
        yield _at_least(
            f"xarray-spatial + exactextract over terrain pass, {size}",
            20,
            _quotient(rows, (XRSPATIAL, size), (OURS, size)),
        )
    for size in "SL":
        here, there = _per_pixel(rows, size), _per_pixel(rows, "M")
        value = None if here is None or there is None else here / there
        met = None if value is None else 0.7 <= value <= 1.3
        yield Target(f"time per pixel of the terrain pass, {size} over M", "0.7-1.3", value, met)
    yield _at_most("peak of the terrain pass at L, GB", 2, _peak_gb(rows, OURS, "L"))


def _runs(rows: Sequence[Row]) -> Iterator[Target]:
    for step, seconds in ((LOOK, 30), (SHIPPED, 120)):
        yield _at_most(f"{step}, s", seconds, _seconds(rows, step, ""))
        yield _at_most(f"peak of it, GB ({step})", 1.5, _peak_gb(rows, step, ""))
    yield _at_most(f"{INTERVALS} (200 replicates), s", 60, _seconds(rows, INTERVALS, ""))
    for size, seconds in (("S", 15), ("M", 60)):
        yield _at_most(f"whole run, warm, {size}, s", seconds, _seconds(rows, RUN, size))
    for size in "SML":
        yield _at_most(f"peak of a whole run, {size}, GB", 3, _peak_gb(rows, RUN, size))


def _scale(rows: Sequence[Row]) -> Iterator[Target]:
    most, fewest = "50,000", "5,000"
    quotient = _quotient(rows, (SCALE, most), (SCALE, fewest))
    yield _at_most(f"{SCALE}: time of {most} incidents over {fewest}", 10, quotient)
    yield _at_most(f"{SCALE}: peak with {most} incidents, GB", 3, _peak_gb(rows, SCALE, most))


def _row(rows: Sequence[Row], step: str, size: str) -> Row | None:
    return next((row for row in rows if (row.step, row.size) == (step, size)), None)


def _seconds(rows: Sequence[Row], step: str, size: str) -> float | None:
    row = _row(rows, step, size)
    return None if row is None else row.seconds


def _quotient(rows: Sequence[Row], over: tuple[str, str], under: tuple[str, str]) -> float | None:
    a, b = _row(rows, *over), _row(rows, *under)
    return None if a is None or b is None else a.seconds / b.seconds


def _per_pixel(rows: Sequence[Row], size: str) -> float | None:
    row = _row(rows, OURS, size)
    return None if row is None else row.seconds / dem.SIZES[size].pixels


def _peak_gb(rows: Sequence[Row], step: str, size: str) -> float | None:
    row = _row(rows, step, size)
    return None if row is None or row.peak_mb is None else row.peak_mb / GB


def _judge(name: str, wanted: str, value: float | None, holds: Callable[[float], bool]) -> Target:
    return Target(name, wanted, value, None if value is None else holds(value))


def _at_most(name: str, limit: float, value: float | None) -> Target:
    return _judge(name, f"≤ {limit:g}", value, lambda v: v <= limit)


def _at_least(name: str, limit: float, value: float | None) -> Target:
    return _judge(name, f"≥ {limit:g}", value, lambda v: v >= limit)


def table(targets: Sequence[Target]) -> str:
    """Markdown table of the targets."""
    said = {True: "met", False: "**missed**", None: "not measured"}
    lines = ["| target | wanted | measured | |", "|---|---|---:|---|"]
    for t in targets:
        value = "" if t.value is None else f"{t.value:.3g}"
        lines.append(f"| {t.name} | {t.wanted} | {value} | {said[t.met]} |")
    return "\n".join(lines)
