"""Time and memory of the intervals.

Without options it times 200 replicates of ``configs/eastern-border.yaml`` in two processes (reading
its inputs and the fit are not counted). With ``--side 671 --replicates 20`` it times those of a
synthetic world of 671 by 671 cells of 1 km instead. Whether intervals hold a truth that is known is
the study ``planted``.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.studies import common
from benchmarks.studies.worlds import make_world
from borderrisk.config import load_config
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.registry import make_model
from borderrisk.model.uncertainty import bootstrap_intervals
from borderrisk.pipeline import steps
from borderrisk.pipeline.stages import Stages
from borderrisk.scores import DAYS_PER_YEAR

AFTER = "2020-01-01"


def shipped(config: Path, pairs: dict[str, str]) -> tuple[Any, CellTable, Panel, Any]:
    """Return the fitted model of a config, its cells, incidents and origin."""
    stages = Stages.of(load_config(config, pairs))
    record = stages[steps.incidents]
    return stages[steps.model].model, stages[steps.cells], record.panel, record.origin


def large(side: int) -> tuple[Any, CellTable, Panel, Any]:
    """Return the same of a large synthetic world."""
    world = make_world(seed=1, incidents=400, shape=(side, side), cell_size_m=1000.0)
    cells, panel = world.cells(), world.panel()
    return make_model("decayed_pool").fit(cells, panel, AFTER), cells, panel, AFTER


def main(arguments: Sequence[str]) -> None:
    """Measure what the command line asks for."""
    parser = common.parser("bootstrap", __doc__)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--scheduler", default="processes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", type=int, help="cells along a large synthetic world")
    parser.add_argument("--config", type=Path, default=common.CONFIG)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args(arguments)
    pairs = dict(item.split("=", 1) for item in given.set)
    work = large(given.side) if given.side else shipped(given.config, pairs)
    load, begin = os.getloadavg()[0], time.perf_counter()
    bootstrap_intervals(
        *work, replicates=given.replicates, level=0.9, horizon_days=DAYS_PER_YEAR, seed=0,
        scheduler=given.scheduler, workers=given.workers,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    peaks = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, child = (resource.getrusage(who).ru_maxrss / 2**20 for who in peaks)
    _, cells, panel, _ = work
    print(
        f"{given.replicates} replicates, {len(cells):,} cells, {len(panel):,} incidents, "
        f"{given.scheduler}, load {load:.1f} of {os.cpu_count()} cores\n"
        f"  {seconds:.1f} s, peak {own:.2f} GiB, of the largest worker {child:.2f} GiB"
    )
