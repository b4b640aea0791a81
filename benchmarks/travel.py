"""Accumulated walking time against other solvers, in one run on the same terrain.

``python -m benchmarks.travel`` (size S, 11.6 Mpx) or ``--size M`` (60 Mpx) prints medians of
interleaved repeats. On a busy machine compare the ratios, not the seconds.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from benchmarks import grass
from benchmarks.dem import SIZES, strips
from borderrisk.features.travel import Ground, Walking
from borderrisk.features.travel.dijkstra import MOVES

CELL_M = 90.0
TARGET_MPX_S = 10.0
LIMIT_GB = 2.0
SMALL = 500
Timed = Callable[[], object]


def terrain(shape: tuple[int, int]) -> np.ndarray:
    out = np.empty(shape, np.float32)
    first = 0
    for strip in strips(shape):
        out[first : first + len(strip)] = strip
        first += len(strip)
    return out


def border(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cells of a winding line from top to bottom, with no time spent."""
    rows = np.arange(shape[0])
    cols = (shape[1] * (0.4 + 0.1 * np.sin(rows / shape[0] * 9))).astype(int)
    return rows * shape[1] + cols, np.zeros(shape[0])


def step_graph(z: np.ndarray, walking: Walking) -> coo_matrix:
    """Every permitted step of open terrain as a sparse graph."""
    rows, cols = z.shape
    cell = np.arange(z.size).reshape(z.shape)
    i, j, hours = [], [], []
    for dr, dc in MOVES:
        here = (slice(max(0, -dr), rows - max(0, dr)), slice(max(0, -dc), cols - max(0, dc)))
        there = (slice(max(0, dr), rows + min(0, dr)), slice(max(0, dc), cols + min(0, dc)))
        length = np.hypot(dr, dc) * CELL_M
        slope = (z[there].astype(float) - z[here]) / length
        good = np.abs(slope) <= walking.steepest
        i.append(cell[here][good])
        j.append(cell[there][good])
        hours.append((length / 1000 * walking.pace(slope))[good])
    data = (np.concatenate(hours), (np.concatenate(i), np.concatenate(j)))
    return coo_matrix(data, shape=(z.size, z.size)).tocsr()


def contenders(z: np.ndarray) -> dict[str, Timed]:
    """Solvers on a small window, each returning hours."""
    walking = Walking()
    ground, graph, start = Ground(z, CELL_M, walking), step_graph(z, walking), border(z.shape)
    found: dict[str, Timed] = {
        "own, 16 moves": lambda: ground.solve(start, dtype="float64").hours,
        "scipy dijkstra, 16 moves": lambda: dijkstra(graph, indices=start[0], min_only=True),
    }
    try:
        from skimage.graph import MCP_Geometric
    except ImportError:
        print("scikit-image is not installed: no isotropic solver to compare with")
        return found
    ends = [divmod(int(cell), z.shape[1]) for cell in start[0]]
    flat = Ground(np.zeros_like(z), CELL_M, walking)
    costs = np.full(z.shape, float(walking.pace(0)) * CELL_M / 1000)
    found["own, flat"] = lambda: flat.solve(start, dtype="float64").hours
    # it takes eight moves only, with detours of up to 8 %; the sixteen make up to 3 %
    found["scikit-image MCP, flat, 8 moves"] = lambda: MCP_Geometric(costs).find_costs(ends)[0]
    return found


def interleaved(jobs: dict[str, Timed], repeats: int) -> dict[str, float]:
    """Median seconds of each job, after one run of each to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(repeats):
        for name, job in jobs.items():
            begin = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def compare_small(side: int, repeats: int) -> None:
    jobs = contenders(terrain((side, side)))
    taken = interleaved(jobs, repeats)
    print(f"\n{side} x {side} window")
    names = list(jobs)
    for own, other in zip(names[::2], names[1::2], strict=True):
        print(f"  {own:40s} {taken[own]:7.3f} s  {side**2 / taken[own] / 1e6:6.2f} Mpx/s")
        ratio, error = taken[other] / taken[own], difference(jobs[own](), jobs[other]())
        print(f"  {other:40s} {taken[other]:7.3f} s  x{ratio:.1f}, differs by at most {error:.1e}")


def compare_grass(name: str, repeats: int) -> None:
    """Compare with r.walk: speed at equal settings on relief, result on flat ground.

    Both take 16 moves, keep the way back, work in memory and read and write 32-bit heights; only
    the formulas differ (r.walk has Langmuir's), so hours are compared where both are the same, on
    the flat. r.walk's time includes reading and writing its maps, the own that of the moves.
    """
    if not grass.installed():
        print("\nGRASS is not installed: no r.walk to compare with")
        return
    z, walking = terrain(SIZES[name].shape), Walking(1.0)
    start, mpx = border(z.shape), z.size / 1e6
    options = f"memory={max(1000, round(200 * mpx))}"
    Ground(z[:500, :500], CELL_M, walking).solve(border((500, 500)))
    own_wall, own_cpu, solve_cpu, walked_wall, walked_cpu = [], [], [], [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        ground = Ground(z, CELL_M, walking)
        ready = time.process_time()
        ground.solve(start)
        own_wall.append(time.perf_counter() - wall)
        own_cpu.append(time.process_time() - cpu)
        solve_cpu.append(time.process_time() - ready)
        found = grass.r_walk(z, CELL_M, start[0], options)
        walked_wall += found.wall
        walked_cpu += found.cpu
    own, other = statistics.median(own_wall), statistics.median(walked_wall)
    cpu, other_cpu = statistics.median(own_cpu), statistics.median(walked_cpu)
    solve = statistics.median(solve_cpu)
    print(f"\n{name}: r.walk -k of GRASS, {mpx:.1f} Mpx, target x5")
    print(f"  {'own, moves and solve':40s} {own:7.3f} s  cpu {cpu:7.3f} s")
    print(f"  {'r.walk':40s} {other:7.3f} s  cpu {other_cpu:7.3f} s")
    print(f"  r.walk takes x{other / own:.1f} the time, x{other_cpu / cpu:.1f} the processor time;")
    print(f"  x{other_cpu / solve:.1f} that of a further solve on the same terrain")
    agree_on_the_flat(walking)


def agree_on_the_flat(walking: Walking) -> None:
    flat = np.zeros((SMALL, SMALL), np.float32)
    start, pace = border(flat.shape), float(walking.pace(0)) * 3.6
    own = Ground(flat, CELL_M, walking).solve(start, dtype="float64").hours
    cost = grass.r_walk(flat, CELL_M, start[0], f"walk_coeff={pace:.12f},0,0,0").cost / 3600
    print(f"  on flat ground their hours differ by at most {difference(own, cost):.1e}")


def difference(own: object, other: object) -> float:
    """Largest relative difference of two results, flat or not."""
    a, b = np.ravel(np.asarray(own)), np.ravel(np.asarray(other))
    return float(np.max(np.abs(a[b > 0] / b[b > 0] - 1)))


def full_size(name: str, repeats: int) -> None:
    size = SIZES[name]
    z = terrain(size.shape)
    start = border(size.shape)
    before = peak_gb()
    begin = time.perf_counter()
    ground = Ground(z, CELL_M)
    ready = time.perf_counter() - begin
    ground.solve(start)
    alone = peak_gb()
    cpu = time.process_time()
    ground.solve(start)
    cpu = time.process_time() - cpu

    def one() -> None:
        ground.solve(start)

    def two() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda way: ground.solve(start, way).hours[0, 0], ("from", "to")))

    taken = interleaved({"one solve": one, "two solves, two threads": two}, repeats)
    mpx = size.pixels / 1e6
    print(f"\n{name}: {size.shape[0]} x {size.shape[1]}, {mpx:.1f} Mpx of {CELL_M:g} m")
    print(f"  {'permitted moves, once per terrain':40s} {ready:7.3f} s")
    for (label, s), solves in zip(taken.items(), (1, 2), strict=True):
        print(f"  {label:40s} {s:7.3f} s  {solves * mpx / s:6.2f} Mpx/s")
    print(f"  {'processor time of one solve':40s} {cpu:7.3f} s  {mpx / cpu:6.2f} Mpx/s per core")
    print(f"  target on 2 cores: {TARGET_MPX_S:g} Mpx/s")
    print(
        f"  peak memory of one solve {alone:.2f} GB (limit {LIMIT_GB:g}), terrain {before:.2f} GB"
    )


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["T", "S", "M"], default="S")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before the run")
    full_size(args.size, args.repeats)
    compare_small(min(SMALL, SIZES[args.size].shape[0]), args.repeats)
    compare_grass(args.size, args.repeats)


if __name__ == "__main__":
    main()
