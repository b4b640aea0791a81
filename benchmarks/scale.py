"""Fit and intervals on 10,000 cells with ever more incidents: time, and memory of the process.

Seconds are of the processor, so that what else a machine does counts for little.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Row, child
from benchmarks.names import SCALE

INCIDENTS = (5_000, 20_000, 50_000)
SIDE, REPLICATES = 100, 8
AFTER = "2020-01-01"
_PROGRAM = "import sys\nfrom benchmarks import scale\nscale.main(*sys.argv[1:])"


def measure(
    incidents: Sequence[int] = INCIDENTS, side: int = SIDE, replicates: int = REPLICATES
) -> list[Row]:
    """Rows of each number of incidents; peaks are those of processes of their own."""
    rows = []
    for count in incidents:
        with tempfile.TemporaryDirectory() as scratch:
            found = Path(scratch) / "found.json"
            spent = child(_PROGRAM, [str(found), str(count), str(side), str(replicates)])
            took = json.loads(found.read_text())
        note = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
        seconds = sum(took.values())
        rows.append(Row(SCALE, f"{count:,}", seconds, peak_mb=spent.peak_mb, note=note))
    return rows


def main(found: str, incidents: str, side: str, replicates: str) -> None:
    """Do the steps and write the processor seconds that each took."""
    from benchmarks.studies.worlds import make_world
    from borderrisk.model.registry import make_model
    from borderrisk.model.uncertainty import bootstrap_intervals
    from borderrisk.scores import DAYS_PER_YEAR

    world = make_world(seed=1, incidents=int(incidents), shape=(int(side), int(side)))
    cells, took = world.cells(), {}
    start = time.process_time()
    panel = world.panel()
    took["mass"] = time.process_time() - start
    start = time.process_time()
    fitted = make_model("decayed_pool").fit(cells, panel, AFTER)
    fitted.intensity(cells)
    took["fit"] = time.process_time() - start
    if int(replicates):
        start = time.process_time()
        bootstrap_intervals(
            fitted, cells, panel, AFTER, replicates=int(replicates), level=0.9,
            horizon_days=DAYS_PER_YEAR, seed=0, workers=1,
        )  # fmt: skip
        took["intervals"] = time.process_time() - start
    Path(found).write_text(json.dumps(took))
