"""Print the table of measured speeds and the targets: ``python -m benchmarks [SECTION ...]``.

Studies of the method: ``python -m benchmarks studies [NAME]``.
``--smoke`` runs every section on tiny inputs instead: it shows whether they run, measures nothing
worth keeping, and ends with 1 if one does not.
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
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks import dem, distances, model, runs, scale, targets, terrain
from benchmarks.measure import Row, table
from benchmarks.studies import __main__ as studies

SECTIONS = ("terrain", "others", "distances", "model", "scale", "shipped", "run")
HUGE = 1e9
FAILED = "failed:"
Steps = Iterator[tuple[str, Callable[[], list[Row]]]]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    sizes : tuple of Size
        Rasters of the terrain pass and of the whole runs.
    repeats : int
        Rounds of interleaved steps.
    side : int
        Cells along an edge of the world the model is measured on.
    folder : Path
        Where rasters and runs go.
    small : bool
        Whether the shipped config, and the number of incidents, are made small, too.
    """

    sizes: tuple[dem.Size, ...]
    repeats: int
    folder: Path
    side: int = model.SIDE
    small: bool = False


def main() -> int:
    """Measure the sections asked for, print both tables; ``studies`` are something else."""
    if sys.argv[1:2] == ["studies"]:
        studies.main(sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--sizes", default="SML", help="letters of S, M, L (default all)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds of interleaved steps")
    parser.add_argument("--work", type=Path, help="keep the rasters in this folder")
    parser.add_argument("--smoke", action="store_true", help="tiny inputs: does it run?")
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
        sizes = tuple(dem.SIZES[letter] for letter in options.sizes)
        plan = Plan(sizes, options.repeats, folder)
        if options.smoke:
            plan = Plan((dem.SIZES["T"],), 1, folder, side=40, small=True)
        steps = [*_steps(options.sections or SECTIONS, plan)]
        if options.smoke and not options.sections:
            steps += [("travel", _travel), ("map in browsers", _map)]
        rows = [row for name, step in steps for row in _told(name, step)]
    found = [] if options.smoke else targets.judged(rows)
    minutes = (time.perf_counter() - start) / 60
    print(f"{machine} {minutes:.0f} minutes in all.\n\n{table(rows)}\n\n{targets.table(found)}")
    if options.json:
        kept = {"machine": machine, "minutes": round(minutes, 1)}
        kept |= {"rows": [asdict(r) for r in rows], "targets": [asdict(t) for t in found]}
        options.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False))
    return int(any(row.note.startswith(FAILED) for row in rows))


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
        rows = [Row(name, "", float("nan"), note=f"{FAILED} {type(error).__name__}")]
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return rows


def _steps(sections: Sequence[str], plan: Plan) -> Steps:
    if "terrain" in sections or "others" in sections:
        yield from _passes(plan, others="others" in sections)
    if "distances" in sections:
        sizes = [size for size in plan.sizes if size.pixels < HUGE]
        yield "distances", partial(distances.measure, sizes, plan.repeats)
    if "model" in sections:
        yield f"model and outputs, {plan.side**2:,} cells", partial(model.measure, plan.side)
    if "scale" in sections:
        # Intervals are made in the shipped run as well.
        yield "scale", partial(scale.measure, *(((100,), 20, 0) if plan.small else ()))
    if "shipped" in sections:
        yield "shipped run", partial(runs.shipped, plan.folder, plan.small)
    for size in plan.sizes:
        if "run" in sections:
            yield f"whole run, {size.name}", partial(runs.measure, size, plan.folder)


def _travel() -> list[Row]:
    from benchmarks import travel

    travel.main(["--size", "T", "--repeats", "1"])
    return []


def _map() -> list[Row]:
    from benchmarks import webmap

    if Path(webmap.CHROMIUM).exists():
        webmap.main(["--sides", "40", "--repeats", "1"])
        return []
    return [Row("map in browsers", "", 0.0, note="left out: there is no Chromium")]


def _passes(plan: Plan, *, others: bool) -> Steps:
    seconds: dict[str, float] = {}

    def ours(size: dem.Size, dtype: str = "float32") -> list[Row]:
        repeats = plan.repeats if size.pixels < HUGE else 1
        rows = terrain.measure(size, plan.folder, repeats, dtype)
        seconds[size.name] = rows[-1].seconds
        return rows

    def theirs(size: dem.Size) -> list[Row]:
        return terrain.others(size, plan.folder, seconds[size.name])

    for size in plan.sizes:
        yield f"terrain pass, {size.name}", partial(ours, size)
        if others and size.pixels < HUGE:
            yield f"other tools, {size.name}", partial(theirs, size)
        if size.name == "M":
            yield "terrain pass, M as int16", partial(ours, size, "int16")


if __name__ == "__main__":
    sys.exit(main())
