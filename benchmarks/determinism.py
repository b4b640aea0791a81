"""Whether a run depends on where and how it is made: ``python -m benchmarks.determinism [CONFIG]``.

The same config runs twice, in two folders, with other numbers of threads and workers, time zone,
locale, umask and seed of Python's hashes, but one run id; every file of the two runs is compared
byte by byte. Times, memory and the number of workers may differ, and nothing else. A run that
connects to anything ends.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "configs" / "eastern-border.yaml"
SETTINGS = ({"OMP_NUM_THREADS": "1", "TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
            {"OMP_NUM_THREADS": "2", "TZ": "Asia/Kabul", "LC_ALL": "C.UTF-8",
             "PYTHONHASHSEED": "2"})  # fmt: skip
# One id for both runs, which their pictures and the metadata of their tables show.
SAME_ID = {"SOURCE_DATE_EPOCH": "1700000000"}
WORKERS = (1, 2)
SMALL = {"grid.cell_size_m": "40000", "uncertainty.replicates": "4", "evaluation.enabled": "false"}
_SHOWN = 60
SAME, BUT, DIFFERS = "same bytes", "same but for run id and times", "DIFFERS"
_PROGRAM = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"a run connects: {arguments[1:]}")

sys.addaudithook(refuse)
from borderrisk.cli import main
main()
"""
# What a run says of itself and of the machine.
OWN = re.compile(
    r"\d{8}T\d{6}Z-[0-9a-f]{8}(-\d+)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.+:Z]*"
    r'|(seconds|peak_memory_mb|t)("|&#34;): [\d.]+|workers: \d|\d+\.\d s\b'
    r"|(about|some) [\d.]+ (s|min)\b"
)


@dataclass(frozen=True)
class File:
    """A file of both runs and how the two compare; ``note`` shows the first difference."""

    name: str
    verdict: str
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what each file is; 1 if one differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.determinism", description=__doc__)
    parser.add_argument("config", nargs="?", type=Path, default=SHIPPED)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    pairs = [f"{key}={value}" for key, value in SMALL.items()] + options.set
    with tempfile.TemporaryDirectory() as place:
        found = list(compared(*pair(options.config, Path(place), pairs)))
    for file in found:
        print(f"| {file.name} | {file.verdict} | {file.note}")
    return int(any(file.verdict == DIFFERS for file in found))


def pair(config: Path, place: Path, settings: Sequence[str]) -> tuple[Path, Path]:
    """Run a config twice in a folder, with ``key=value`` settings; return the runs."""
    one = _run(config, place / "one", 0, settings)
    return one, _run(config, place / "another place", 1, settings)


def _run(config: Path, place: Path, number: int, pairs: Sequence[str]) -> Path:
    """Copy config and data to a folder of their own, and run there."""
    project = place / "project"
    shutil.copytree(ROOT / "data" / "raw", project / "data" / "raw")
    shutil.copytree(config.parent, project / "configs")
    out = place / "results" / "run"
    settings = [*pairs, f"compute.workers={WORKERS[number]}", f"compute.cache={place / 'cache'}"]
    words = [str(project / "configs" / config.name), "--out", str(out)]
    words += [word for pair in settings for word in ("--set", pair)]
    subprocess.run(
        [sys.executable, "-c", _PROGRAM, "run", *words],
        check=True, env={**os.environ, **SETTINGS[number], **SAME_ID},
        umask=0o022 + 0o055 * number, cwd=place,
    )  # fmt: skip
    return out


def compared(one: Path, two: Path, own: re.Pattern[str] = OWN) -> Iterator[File]:
    """Compare two folders file by file, but for what is a run's own."""
    names = [{p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
             for run in (one, two)]  # fmt: skip
    for name in sorted(names[0] | names[1]):
        if name not in names[0] & names[1]:
            yield File(name, DIFFERS, "in one run only")
        else:
            yield _file(name, (one / name).read_bytes(), (two / name).read_bytes(), own)


def _file(name: str, one: bytes, two: bytes, own: re.Pattern[str]) -> File:
    if one == two:
        return File(name, SAME)
    first, second = (own.sub("*", raw.decode("latin-1")) for raw in (one, two))
    if first == second:
        return File(name, BUT)
    at = next((k for k, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
    part = slice(max(at - _SHOWN, 0), at + _SHOWN)
    return File(name, DIFFERS, f"{first[part]!r} and {second[part]!r}")


if __name__ == "__main__":
    sys.exit(main())
