"""Timing: interleaved repeats in one process, and peak memory of a process of its own."""

from __future__ import annotations

import os
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


def child(arguments: list[str]) -> tuple[float, float, str]:
    """Run a Python command to its end: seconds, peak resident megabytes, standard output.

    Raises
    ------
    RuntimeError
        If it fails; the end of its output is in the message.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{output[-2000:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, output


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
