"""Updates killed at random moments: ``python -m benchmarks.kills``.

A border is brought up to date month by month while the process is killed (SIGKILL) again and again;
a second copy is left alone. A third of the kills come at random times, a third at random changes of
files (just before one is opened to be written, renamed or removed, or a folder made), a third just
before or after something gets its final name.
After each kill what has its final name must be whole; in the end of a month both copies hold the
same files with the same bytes, and nothing else. Processes are forked from one that has imported
everything, so that a kill costs half an update of a small world.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks.determinism import DIFFERS, OWN, SAME_ID, compared
from borderrisk.config import load_config
from borderrisk.pipeline.starting import init
from borderrisk.pipeline.updating import update
from borderrisk.runs.hashing import check_sums

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
_REPLACED = ("grid", "features", "scenarios", "outputs", "compute", "focus")
_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CONTEXT = get_context("forkserver")
# What differs between two copies besides ids and times: hashes of files that hold them, whether a
# stage was in the cache, and what the copy is called.
_OWN = re.compile(rf'{OWN.pattern}|[0-9a-f]{{64}}|cached(?:"|&#34;): \w+|/(whole|killed)/')
# The cache drops what was left there after a day, another folder its hidden remains after an hour;
# a log says what was cached.
_KEPT_APART = re.compile(r"^\.cache/|\.partial/|log\.jsonl$")


class Usual(NamedTuple):
    """What an update that is left alone takes."""

    seconds: float
    changes: list[str]

    def moment(self, kind: int, rng: random.Random) -> tuple[int | None, float | None]:
        """Draw the change of a file, or the time, at which to kill."""
        if kind == 0:
            return None, rng.uniform(0, self.seconds)
        if kind == 1:
            return rng.randrange(len(self.changes)), None
        named = [k for k, event in enumerate(self.changes) if event == "os.rename"]
        return rng.choice(named) + rng.randrange(2), None


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill updates, print a line for each, and say what was lost; 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--months", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    os.environ |= SAME_ID
    _CONTEXT.set_forkserver_preload(["borderrisk.pipeline.updating"])
    rng, kills, lost = random.Random(options.seed), 0, list[str]()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        whole, killed, before = (place / name for name in ("whole", "killed", "before"))
        months = _asked(_prepare, whole, place, options.months)
        shutil.copytree(whole, killed)
        for k, (news, day) in enumerate(months):
            usual = Usual(*_asked(_update, whole, news, day))
            shutil.copytree(killed, before)
            while kills < options.kills * (k + 1) // len(months):
                change, seconds = usual.moment(kills % 3, rng)
                if _killed(killed, news, day, change, seconds):
                    kills += 1
                    _check(killed)
                    at = f"{seconds:.2f} s" if change is None else f"change {change}"
                    print(f"kill {kills} in the update of {day}, at {at}: all whole", flush=True)
                else:  # the update was over before: this month again
                    lost += _differences(whole, killed)
                    shutil.rmtree(killed)
                    shutil.copytree(before, killed)
            _asked(_update, killed, news, day)
            lost += _differences(whole, killed)
            shutil.rmtree(before)
    print(
        f"{kills} kills in {len(months)} updates of {usual.seconds:.1f} s and "
        f"{len(usual.changes)} changes of files; lost, doubled or left over: "
        f"{'; '.join(lost) or 'nothing'}"
    )
    return 1 if lost else 0


def _prepare(folder: Path, place: Path, count: int) -> list[tuple[Path, str]]:
    """Make the example on coarse cells with its first incidents; return the news of each month."""
    init(folder)
    sections = (folder / "config.yaml").read_text("utf-8").split("\n\n")
    kept = [text for text in sections if not text.startswith(_REPLACED)]
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


def _asked(function: Any, *arguments: Any) -> Any:
    """Let a process of its own do something; return what it found."""
    here, there = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_answer, args=(there, function, *arguments))
    process.start()
    there.close()
    found = here.recv()
    process.join()
    return found


def _answer(there: Connection, function: Any, *arguments: Any) -> None:
    there.send(function(*arguments))


def _update(
    folder: Path, news: Path, day: str, last_change: int | None = None
) -> tuple[float, list[str]]:
    """Bring a folder up to date; return its seconds and changes of files."""
    changes: list[str] = []

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if writes or event in _CHANGES:
            if len(changes) == last_change:
                os.kill(os.getpid(), signal.SIGKILL)
            changes.append(event)

    sys.addaudithook(count)
    start = time.perf_counter()
    update(folder, news, as_of=day)
    return time.perf_counter() - start, changes


def _killed(folder: Path, news: Path, day: str, change: int | None, seconds: float | None) -> bool:
    """Begin an update, and kill it at a change of a file or after a time; False: it was over."""
    process = _CONTEXT.Process(target=_update, args=(folder, news, day, change))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _check(folder: Path) -> None:
    """Fail if a file that has its final name cannot be read whole."""
    pd.read_csv(load_config(folder).data.incidents.path or folder)
    for sums in folder.glob("forecasts/*/SHA256SUMS"):
        check_sums(sums.parent)
    for manifest in folder.glob("verifications/*/manifest.json"):
        json.loads(manifest.read_text("utf-8"))


def _differences(whole: Path, killed: Path) -> list[str]:
    """List the files that only one has, or that differ in more than ids, times and their hashes."""
    return [
        f"{file.name} {file.note}"
        for file in compared(whole, killed, _OWN)
        if file.verdict == DIFFERS
        and not file.name.startswith(".cache/")
        and "log.j" not in file.name
    ]


if __name__ == "__main__":
    raise SystemExit(main())
