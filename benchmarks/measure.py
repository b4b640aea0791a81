"""Timing: interleaved repeats in one process, and peak memory of a process of its own."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    step, size : str
        What was done, and to which size.
    seconds : float
        Median of the repeats.
    ratio : float or None
        Times the row it is compared with.
    peak_mb : float or None
        Peak resident memory of the whole process, imports included.
    note : str
        Anything else.
    """

    step: str
    size: str
    seconds: float
    ratio: float | None = None
    peak_mb: float | None = None
    note: str = ""


def interleaved(steps: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each step in each round; one round to warm up is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(repeats + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def median_ratio(numerator: list[float], denominator: list[float]) -> float:
    """Median over the rounds of the ratio within a round."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))


# A process inherits the peak of the one that started it, except in this file of Linux.
_PEAK = """
import atexit
def _tell_peak():
    with open("/proc/self/status") as status:
        print(*(line for line in status if line.startswith("VmHWM")), flush=True)
atexit.register(_tell_peak)
"""


@dataclass(frozen=True)
class Spent:
    """What a process took: seconds by the clock, processor seconds, peak resident megabytes."""

    seconds: float
    processor: float
    peak_mb: float


def child(
    program: str, arguments: list[str], environment: Mapping[str, str] | None = None
) -> Spent:
    """Run Python code with arguments to its end, in a process of its own.

    Raises
    ------
    RuntimeError
        If it fails; the end of its output is in the message.
    """
    start, before = time.perf_counter(), _processor_s()
    done = subprocess.run(
        [sys.executable, "-c", _PEAK + program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    peak_mb = int(done.stdout.rsplit("VmHWM:", 1)[1].split()[0]) / 1024
    return Spent(seconds, _processor_s() - before, peak_mb)


def _processor_s() -> float:
    """Processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(rows: list[Row]) -> str:
    """Markdown table of the rows."""
    lines = ["| step | size | seconds | ratio | peak MB | |", "|---|---|---:|---:|---:|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        peak = "" if row.peak_mb is None else f"{row.peak_mb:,.0f}"
        lines.append(
            f"| {row.step} | {row.size} | {row.seconds:.3g} | {ratio} | {peak} | {row.note} |"
        )
    return "\n".join(lines)
