"""Print the table of measured speeds and the targets: ``python -m benchmarks [SECTION ...]``.

Studies of the method: ``python -m benchmarks studies [NAME]``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks import dem, distances, model, runs, targets, terrain
from benchmarks.measure import Row, table
from benchmarks.studies import __main__ as studies

SECTIONS = ("terrain", "others", "distances", "model", "shipped", "run")
HUGE = 1e9


def main() -> None:
    """Measure the sections asked for, print both tables; ``studies`` are something else."""
    if sys.argv[1:2] == ["studies"]:
        studies.main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--sizes", default="SML", help="letters of S, M, L (default all)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds of interleaved steps")
    parser.add_argument("--work", type=Path, help="keep the rasters in this folder")
    parser.add_argument("--json", type=Path, help="also write rows and targets here")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    # The rasters end at the grid's corners, which is warned of.
    logging.getLogger("borderrisk").setLevel(logging.ERROR)
    machine, start = _machine(), time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        steps = _steps(options.sections or SECTIONS, options.sizes, options.repeats, folder)
        rows = [row for name, step in steps for row in _told(name, step)]
    found = targets.judged(rows)
    minutes = (time.perf_counter() - start) / 60
    print(f"{machine} {minutes:.0f} minutes in all.\n\n{table(rows)}\n\n{targets.table(found)}")
    if options.json:
        kept = {"machine": machine, "minutes": round(minutes, 1)}
        kept |= {"rows": [asdict(r) for r in rows], "targets": [asdict(t) for t in found]}
        options.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False))


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} processors, Python {platform.python_version()}, load {load:.1f}."


def _told(name: str, step: Callable[[], list[Row]]) -> list[Row]:
    """Run one step, saying so; one that fails is a row of the table, and the rest goes on."""
    start = time.perf_counter()
    print(name, "...", end=" ", file=sys.stderr, flush=True)
    try:
        rows = step()
    except Exception as error:
        print(f"failed: {error}", file=sys.stderr)
        rows = [Row(name, "", float("nan"), note=f"failed: {type(error).__name__}")]
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return rows


def _steps(
    sections: Sequence[str], letters: str, repeats: int, folder: Path
) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    sizes = [dem.SIZES[letter] for letter in letters]
    if "terrain" in sections or "others" in sections:
        yield from _passes(sizes, repeats, folder, others="others" in sections)
    if "distances" in sections:
        yield "distances", partial(distances.measure, repeats)
    if "model" in sections:
        yield "model and outputs, 450,000 cells", model.measure
    if "shipped" in sections:
        yield "shipped run", partial(runs.shipped, folder)
    for size in sizes:
        if "run" in sections:
            yield f"whole run, {size.name}", partial(runs.measure, size, folder)


def _passes(
    sizes: Sequence[dem.Size], repeats: int, folder: Path, *, others: bool
) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    seconds: dict[str, float] = {}

    def ours(size: dem.Size, dtype: str = "float32") -> list[Row]:
        rows = terrain.measure(size, folder, repeats if size.pixels < HUGE else 1, dtype)
        seconds[size.name] = rows[-1].seconds
        return rows

    def theirs(size: dem.Size) -> list[Row]:
        return terrain.others(size, folder, seconds[size.name])

    for size in sizes:
        yield f"terrain pass, {size.name}", partial(ours, size)
        if others and size.pixels < HUGE:
            yield f"other tools, {size.name}", partial(theirs, size)
        if size.name == "M":
            yield "terrain pass, M as int16", partial(ours, size, "int16")


if __name__ == "__main__":
    main()
