"""Try ``init`` and ``validate`` on every land border of the world base, each side in turn.

``python -m benchmarks.all_borders`` prints a table of pairs (home, neighbour, km, cells, result)
and the refused ones by name; ``--sample N`` takes N pairs spread over the world, ``--both`` both
sides of each. Incidents are made up around the settlements of the home side.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from borderrisk.config import load_config
from borderrisk.errors import BorderRiskError
from borderrisk.pipeline.checking import validate
from borderrisk.pipeline.starting import init
from borderrisk.sources.worldbase import settlements, world

INCIDENTS, FIRST_YEAR, YEARS = 200, 2010, 15
NEAR_DEG = 2.0


def main() -> None:
    """Parse the arguments, try the borders, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, help="number of pairs, evenly spread")
    parser.add_argument("--both", action="store_true", help="also from the other side")
    options = parser.parse_args()
    pairs = land_borders()
    if options.sample:
        pairs = [pairs[k] for k in np.linspace(0, len(pairs) - 1, options.sample).astype(int)]
    if options.both:
        pairs += [(other, home) for home, other in pairs]
    results = []
    with tempfile.TemporaryDirectory() as place:
        for number, (home, other) in enumerate(pairs):
            result = tried(home, other, Path(place) / str(number))
            results.append(result)
            print(f"{home}-{other}  {result[0]:8s} {result[1]:5.1f} s  {result[2]}", flush=True)
    counts = Counter(state for state, _, _ in results)
    print(", ".join(f"{n} {state}" for state, n in counts.items()), f"of {len(pairs)}")
    sys.exit(1 if counts["crashed"] else 0)


def land_borders() -> list[tuple[str, str]]:
    """Return every pair of countries with a common border, by code."""
    codes = sorted(world().countries)
    lengths = {code: world().neighbours(code) for code in codes}
    return [(a, b) for a, b in combinations(codes, 2) if b in lengths[a]]


def tried(home: str, other: str, folder: Path) -> tuple[str, float, str]:
    """Return (works, refused or crashed), seconds, and what was said."""
    start = time.perf_counter()
    table = folder.with_suffix(".csv")
    try:
        made_up(home, other).to_csv(table, index=False)
        started = init(folder, home=home, neighbours=[other], incidents=table)
        rows = validate(load_config(started.folder)).inputs
        state, said = "works", "; ".join(row["holds"] for row in rows)
    except BorderRiskError as error:
        state, said = "refused", str(error)
    except Exception as error:
        traceback.print_exc()
        state, said = "crashed", f"{type(error).__name__}: {error}"
    return state, time.perf_counter() - start, said


def made_up(home: str, other: str, seed: int = 0) -> pd.DataFrame:
    """Return incidents scattered over the home side of a border, more near its towns."""
    rng = np.random.default_rng(seed)
    line = world().border(home, other)
    west, south, east, north = line.bounds
    outline = world().outline(home)
    strip = shapely.intersection(shapely.make_valid(outline), line.buffer(NEAR_DEG))
    around = (west - NEAR_DEG, south - NEAR_DEG, east + NEAR_DEG, north + NEAR_DEG)
    towns = settlements(around)
    xy = towns[["longitude", "latitude"]].to_numpy()
    xy = xy[shapely.contains_xy(strip, xy)][:40]
    if not len(xy):
        xy = shapely.get_coordinates(line if strip.is_empty else shapely.point_on_surface(strip))
    chosen = xy[rng.integers(len(xy), size=20 * INCIDENTS)]
    points = chosen + rng.normal(0, 0.2, chosen.shape)
    if not strip.is_empty:
        points = points[shapely.contains_xy(strip, points)]
    points = points[:INCIDENTS]
    days = pd.Timestamp(FIRST_YEAR, 1, 1) + pd.to_timedelta(
        rng.integers(0, YEARS * 365, len(points)), unit="D"
    )
    return pd.DataFrame(
        {
            "event_date": days.strftime("%Y-%m-%d"),
            "lat": points[:, 1].round(4),
            "lon": points[:, 0].round(4),
            "radius_km": rng.choice([5, 10, 25], len(points)),
            "event_type": rng.choice(["armed clash", "attack"], len(points)),
        }
    )


if __name__ == "__main__":
    main()
