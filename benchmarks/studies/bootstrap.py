"""Time of the intervals of a shipped config, and their coverage on worlds of known truth.

Without options it times 200 replicates of ``configs/eastern-border.yaml`` in two processes (reading
its inputs is not counted). With ``--side 671 --replicates 20`` it times those of a synthetic world
of 671 by 671 cells of 1 km instead, and tells the peak of memory. ``--worlds 0 11 12`` reports how
often the intervals of these synthetic worlds hold the truth: of cells, overall and by risk class,
and of sums over the land behind segments of the border.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.studies import common
from benchmarks.studies.planted import sum_coverage
from benchmarks.studies.worlds import make_world
from borderrisk.border.segments import cut_border, nearest_segment
from borderrisk.config import load_config
from borderrisk.model.registry import settings
from borderrisk.model.uncertainty import Intervals, bootstrap_intervals
from borderrisk.pipeline import steps
from borderrisk.pipeline.stages import Stages
from borderrisk.scores import probability, risk_class, risk_percentile

TARGET_S = 60.0
MODEL, LEVEL, HORIZON_DAYS, AFTER = "decayed_pool", 0.9, 365.0, "2020-01-01"
CLASSES = range(1, 6)
SEGMENTS_KM = (10.0, 25.0, 50.0)


def timed(replicates: int, scheduler: str, workers: int) -> None:
    """Print the seconds of fit and bootstrap."""
    stages = Stages.of(load_config(common.CONFIG))
    cells, record = stages[steps.cells], stages[steps.incidents]
    panel, origin, config = record.panel, record.origin, stages.config
    begin = time.perf_counter()
    model = settings(config.model.estimator, config.model.parameters)
    bootstrap_intervals(
        model.fit(cells, panel, origin, config.seed), cells, panel, origin,
        replicates=replicates, level=LEVEL, horizon_days=config.outputs.horizon_days,
        seed=config.seed, scheduler=scheduler, workers=workers,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    print(f"{replicates} replicates, {len(cells):,} cells, {len(panel)} incidents, {scheduler}")
    print(f"  {seconds:.1f} s, fit included (target {TARGET_S:g})")


def large(side: int, replicates: int, scheduler: str, workers: int) -> None:
    """Print seconds and peak memory of the bootstrap of a large world."""
    world = make_world(seed=1, incidents=400, shape=(side, side), cell_size_m=1000.0)
    cells, panel = world.cells(), world.panel()
    model = settings(MODEL).fit(cells, panel, AFTER)
    begin = time.perf_counter()
    bootstrap_intervals(
        model, cells, panel, AFTER, replicates=replicates, level=LEVEL,
        horizon_days=HORIZON_DAYS, seed=0, scheduler=scheduler, workers=workers,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    peaks = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, child = (resource.getrusage(who).ru_maxrss / 1e6 for who in peaks)
    print(f"{replicates} replicates, {len(cells):,} cells, {scheduler}, fit not included")
    print(f"  {seconds:.1f} s, peak {own:.2f} GB, of the largest worker {child:.2f} GB")


def coverage(seed: int, incidents: int, replicates: int) -> np.ndarray:
    """Share of cells whose interval holds the truth: overall, classes 1-5; then of segments."""
    world = make_world(seed=seed, incidents=incidents)
    cells, panel = world.cells(), world.panel()
    model = settings(MODEL).fit(cells, panel, AFTER)
    found = bootstrap_intervals(
        model, cells, panel, AFTER, replicates=replicates, level=LEVEL,
        horizon_days=HORIZON_DAYS, seed=0, scheduler="processes",
    )  # fmt: skip
    area = cells.study_area_100km2[cells.study]
    known, point = world.intensity[cells.mask][cells.study], model.intensity(cells)[cells.study]
    classes = risk_class(risk_percentile(point, area))
    sums = []
    for length in SEGMENTS_KM:
        segments = cut_border(world.borders, world.grid.crs, length)
        xy = cells.x.loc[cells.study, ["x_km", "y_km"]].to_numpy() * 1000
        parts = nearest_segment(segments, world.grid, *xy.T)
        sums.append(sum_coverage(found, point, known, area, parts)["covered"])
    return np.array([*held(found, probability(known, area, HORIZON_DAYS), classes), *sums])


def held(found: Intervals, truth: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Share of cells, overall and by class, whose interval holds the truth."""
    inside = (truth >= found.probability_low) & (truth <= found.probability_high)
    return np.array([inside.mean(), *(inside[classes == k].mean() for k in CLASSES)])


def main(arguments: Sequence[str]) -> None:
    """Measure what the command line asks for."""
    parser = common.parser("bootstrap", __doc__)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--scheduler", default="processes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", type=int, help="cells along a large synthetic world")
    parser.add_argument("--worlds", type=int, nargs="+", metavar="SEED")
    parser.add_argument("--incidents", type=int, default=400)
    args = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the run")
    if args.side:
        large(args.side, args.replicates, args.scheduler, args.workers)
        return
    if not args.worlds:
        timed(args.replicates, args.scheduler, args.workers)
        return
    heads = [*(f"class {k}" for k in CLASSES), *(f"{km:.0f} km" for km in SEGMENTS_KM)]
    print("world     all " + " ".join(f"{head:>7}" for head in heads))
    rows = []
    for seed in args.worlds:
        rows.append(coverage(seed, args.incidents, args.replicates))
        print(f"{seed:5d} " + " ".join(f"{v:7.3f}" for v in rows[-1]), flush=True)
    print(" mean " + " ".join(f"{v:7.3f}" for v in np.mean(rows, axis=0)))
