"""Print the table of measured speeds: ``python -m benchmarks [SECTION ...]``."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks import dem, distances, runs, terrain
from benchmarks.measure import Row, table

SECTIONS = ("terrain", "others", "distances", "run")


def main() -> None:
    """Measure the sections asked for and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--sizes", default="SM", help="letters of S, M, L (default SM)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds of interleaved steps")
    parser.add_argument("--work", type=Path, help="keep the rasters in this folder")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    # The rasters end at the grid's corners, which is warned of.
    logging.getLogger("borderrisk").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rows = _measured(options.sections or SECTIONS, options.sizes, options.repeats, folder)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def _measured(sections: tuple[str, ...], sizes: str, repeats: int, folder: Path) -> list[Row]:
    rows: list[Row] = []
    chosen = [dem.SIZES[letter] for letter in sizes]
    for size in chosen:
        if "terrain" in sections or "others" in sections:
            _say(f"terrain pass, {size.name}")
            rows += terrain.measure(size, folder, repeats if size.pixels < 1e9 else 1)
        if "others" in sections and size.pixels < 1e9:
            _say(f"other tools, {size.name}")
            rows += terrain.others(size, folder, rows[-1].seconds)
    if "terrain" in sections and "M" in sizes:
        rows += terrain.measure(dem.SIZES["M"], folder, repeats, "int16")
    if "distances" in sections:
        _say("distances")
        rows += distances.measure(repeats)
    for size in chosen:
        if "run" in sections and size.name in runs.AREAS:
            _say(f"whole run, {size.name}")
            rows += runs.measure(size, folder)
    return rows


def _say(what: str) -> None:
    print(what, "...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
