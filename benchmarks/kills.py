"""Updates killed at random moments: ``python -m benchmarks.kills``.

A border is brought up to date month by month while the process is killed (SIGKILL) again and again;
a second copy is left alone. After each kill the folder must still be readable; in the end both hold
the same incidents, forecasts and scores, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd

from borderrisk.config import load_config
from borderrisk.pipeline.starting import init
from borderrisk.runs import check_sums

SMALL = """
grid: {cell_size_m: 40000}
features: {concealment: {enabled: false}}
model: {parameters: {n_estimators: 3}}
corridors: {enabled: false}
uncertainty: {replicates: 0}
evaluation: {enabled: false}
forecasts: {horizons_days: [30]}
outputs: {folder: ., figures: []}
compute: {cache: .cache}
"""
_OWN = ("grid", "features", "scenarios", "outputs", "compute", "focus")
_TABLES = ("data/incidents.csv", "data/incidents-corrected.csv", "config.yaml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill updates, print a line for each, and say what was lost; 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--months", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        months = _prepare(place / "killed", place, options.months)
        shutil.copytree(place / "killed", place / "whole")
        start = time.perf_counter()
        for news, day in months:
            _updated(place / "whole", news, day)
        usual = (time.perf_counter() - start) / len(months)
        kills = _killed(place / "killed", months, options, usual)
        lost = _differences(place / "whole", place / "killed")
    print(f"{kills} kills in {len(months)} updates of {usual:.1f} s; lost or left over: "
          f"{', '.join(lost) or 'nothing'}")  # fmt: skip
    return 1 if lost else 0


def _prepare(folder: Path, place: Path, count: int) -> list[tuple[Path, str]]:
    """Make the example on coarse cells with its first incidents; return the news of each month."""
    init(folder)
    sections = (folder / "config.yaml").read_text("utf-8").split("\n\n")
    kept = [text for text in sections if not text.startswith(_OWN)]
    (folder / "config.yaml").write_text("\n\n".join(kept) + SMALL, encoding="utf-8")
    source = folder / "data" / "incidents.csv"
    table = pd.read_csv(source, dtype=str, keep_default_na=False)
    table = table[table["date_precision"] == "day"].sort_values("date", ignore_index=True)
    days = pd.to_datetime(table["date"])
    ends = pd.date_range(end=days.max().to_period("M").start_time, periods=count + 1, freq="MS")
    table[days < ends[0]].to_csv(source, index=False)
    package = folder / "data" / "datapackage.json"
    facts = json.loads(package.read_text("utf-8"))
    for resource in facts["resources"]:
        resource.pop("hash", None)
    package.write_text(json.dumps(facts), encoding="utf-8")
    months = []
    for first, last in pairwise(ends):
        news = place / f"news-{first:%Y-%m}.csv"
        part = table[(days >= first) & (days < last)]
        fixed = table[days < first].tail(1).assign(location_radius_km="44")
        pd.concat([part, fixed]).to_csv(news, index=False)
        months.append((news, f"{last:%Y-%m-%d}"))
    return months


def _command(folder: Path, news: Path, day: str) -> list[str]:
    program = [
        sys.executable,
        "-c",
        "from borderrisk.cli import main; main()",
        "update",
        str(folder),
    ]
    return [*program, "--incidents", str(news), "--as-of", day]


def _updated(folder: Path, news: Path, day: str) -> None:
    done = subprocess.run(_command(folder, news, day), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 4):
        raise SystemExit(f"update failed ({done.returncode}): {done.stderr[-500:]}")


def _killed(
    folder: Path, months: list[tuple[Path, str]], options: argparse.Namespace, usual: float
) -> int:
    """Bring a border up to date, killed on the way; return how often it was."""
    rng, kills = random.Random(options.seed), 0
    for k, (news, day) in enumerate(months):
        wanted = options.kills * (k + 1) // len(months)
        while kills < wanted:
            process = subprocess.Popen(_command(folder, news, day), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)  # fmt: skip
            try:
                process.wait(rng.uniform(0, usual))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
                _check(folder)
                print(f"kill {kills} in the update of {day}: all can be read", flush=True)
            else:
                break
        _updated(folder, news, day)
    return kills


def _check(folder: Path) -> None:
    """Fail if a file that has its final name cannot be read whole."""
    pd.read_csv(load_config(folder).data.incidents.path or folder)
    for sums in folder.glob("forecasts/*/SHA256SUMS"):
        check_sums(sums.parent)
    for manifest in folder.glob("verifications/*/manifest.json"):
        json.loads(manifest.read_text("utf-8"))


def _differences(whole: Path, killed: Path) -> list[str]:
    """List files that only one has, and tables that differ; names of pages hold no run id."""
    names = [
        {str(path.relative_to(folder)) for path in folder.rglob("*")
         if path.is_file() and ".cache" not in path.parts}
        for folder in (whole, killed)
    ]  # fmt: skip
    found = sorted(names[0] ^ names[1])
    for pattern in _TABLES:
        for path in whole.glob(pattern):
            other = killed / path.relative_to(whole)
            if other.exists() and other.read_bytes() != path.read_bytes():
                found.append(str(path.relative_to(whole)))
    return found


if __name__ == "__main__":
    raise SystemExit(main())
