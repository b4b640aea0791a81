"""What went into a run (``manifest.json``), how it went (its log), its id, and finding it again."""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from borderrisk.errors import DataError
from borderrisk.runs.cache import StageRecord
from borderrisk.runs.hashing import files_below, package_versions, read_json, sha256_file

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
# Where a folder of one border keeps its runs.
RUNS = "runs"
# Folders that hold scored cells; others (an evaluation) have a manifest too.
SCORED = ("run", "scenario", "forecast")
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}(-\d+)?")
LOG = "log.jsonl"
_LOGGERS = ("borderrisk", "py.warnings")
_ABSOLUTE = re.compile(r"(?<![\w.:/…])(?:[A-Za-z]:[\\/]|/)(?:[^\s\\/'\"<>|:,;()]+[\\/])+")


@dataclass(kw_only=True)
class Manifest:
    """Collects the facts of a run and writes them.

    Holds nothing about the machine or its user beyond the kind of system, and no path outside the
    project: paths of inputs are relative to it (see :func:`project_folder`).

    ``config_hash`` is the SHA-256 of what in the config can change a result; ``kind`` is what the
    folder holds: ``run``, ``scenario``, ``forecast`` or ``evaluation``. ``counts`` are numbers of
    incidents, cells, and so on; ``notes`` what a reader of the results has to know; ``more``
    further facts, JSON-ready.
    """

    run_id: str
    config_name: str
    config_hash: str
    seed: int
    project: Path
    kind: str = "run"
    inputs: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    _start: float = field(default_factory=time.perf_counter)
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def add_inputs(
        self, files: Iterable[Path], sha256: Callable[[Path], str] = sha256_file
    ) -> None:
        """Note input files, with what tells their hash."""
        project = self.project.absolute()
        self.inputs += [file_facts(path, project, sha256) for path in files]

    def to_dict(self, stages: Iterable[StageRecord] = ()) -> dict[str, Any]:
        """Return the manifest as JSON-ready data."""
        return {
            "format_version": FORMAT_VERSION,
            "kind": self.kind,
            "run_id": self.run_id,
            "config": {"name": self.config_name, "sha256": self.config_hash},
            "seed": self.seed,
            **self.more,
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self._start, 3),
            "peak_memory_mb": peak_memory_mb(),
            "inputs": self.inputs,
            "counts": self.counts,
            "notes": self.notes,
            "stages": [
                {"name": s.name, "seconds": round(s.seconds, 3), "cached": s.cached} for s in stages
            ],
            "python": platform.python_version(),
            "platform": {"system": platform.system(), "machine": platform.machine()},
            "packages": dict(package_versions()),
        }

    def write(self, folder: Path, stages: Iterable[StageRecord] = ()) -> Mapping[str, Any]:
        """Write ``manifest.json`` into a folder and return what it holds."""
        return write_manifest(folder, self.to_dict(stages))


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``manifest.json`` last of all: its ``files`` are those in the folder by then."""
    names = {*files_below(folder), MANIFEST}
    facts = {**facts, "files": sorted(name for name in names if not name.startswith("."))}
    text = json.dumps(facts, indent=2, ensure_ascii=False, default=str) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
    return facts


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return what a manifest says; nothing of a damaged one, which is noticed when opened."""
    try:
        facts = read_json(folder / MANIFEST)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def project_folder(config_folder: Path) -> Path:
    """Return the folder a config's project lives in: the nearest with a repository or ``data``.

    Never the root of the file system: a path from there tells of the machine.
    """
    config_folder = config_folder.absolute()
    for folder in (config_folder, *config_folder.parents[:-1]):
        if any((folder / mark).exists() for mark in (".git", "pyproject.toml", "data")):
            return folder
    return config_folder


def file_facts(path: Path, project: Path, sha256: Callable[[Path], str]) -> dict[str, Any]:
    """Return what is kept of an input file: ``path`` (as shown), ``sha256`` and ``bytes``."""
    return {
        "path": shown_path(path, project),
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
    }


def shown_path(path: Path, project: Path) -> str:
    """Return a path relative to the project, or only the name of a file outside it."""
    absolute = Path(os.path.normpath(path.absolute()))
    if absolute.is_relative_to(project):
        return absolute.relative_to(project).as_posix()
    return absolute.name


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process or one of its children so far, MB (10^6 bytes)."""
    try:
        import resource
    except ImportError:  # not POSIX
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # Linux tells the peak of this program alone; getrusage adds that of what started it.
    status = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else ""
    found = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    own = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(max(own, children) * unit / 1e6, 1)


def new_run_id(parent: Path, config_hash: str, now: datetime | None = None) -> str:
    """Return an unused id like ``20240103T101500Z-1a2b3c4d``: UTC time and config hash.

    A second run in ``parent`` within a second gets ``-2``; ``now`` has a time zone. The environment
    variable ``SOURCE_DATE_EPOCH`` (seconds since 1970, as of reproducible builds) stands for now.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    if now is None and fixed.isdigit():
        now = datetime.fromtimestamp(int(fixed), UTC)
    now = (now or datetime.now(UTC)).astimezone(UTC)
    base = f"{now:%Y%m%dT%H%M%SZ}-{config_hash[:8]}"
    run_id, number = base, 1
    while (parent / run_id).exists() or any(parent.glob(f".{run_id}.*.partial")):
        number += 1
        run_id = f"{base}-{number}"
    return run_id


def find_run(path: str | Path) -> Path:
    """Return the folder of a finished run, or the latest run of a config.

    ``path`` is the run's folder, or the folder of a config, in which it keeps its runs, or that of
    its results under ``data/processed``. DataError if there is no finished run, or the folder holds
    something else, such as an evaluation.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such run; give a folder written by `borderrisk run`.")
    if not path.is_dir():
        raise DataError(f"{path}: is a file; give the folder of a run.")
    if (path / MANIFEST).is_file():
        if (kind := manifest_of(path).get("kind", SCORED[0])) not in SCORED:
            raise DataError(
                f"{path}: holds the {kind} of a config, no scored cells; give a folder written by "
                "`borderrisk run` or `borderrisk scenario`."
            )
        return path
    runs = _runs_in(path) or _runs_in(path / RUNS)
    if runs:
        return max(
            runs, key=lambda run: (run.name[:16], (run / MANIFEST).stat().st_mtime_ns, run.name)
        )
    configs = sorted(p.name for p in path.iterdir() if p.is_dir() and _runs_in(p))
    hint = f"; give one of {', '.join(configs)} in it" if configs else ""
    raise DataError(f"{path}: holds no finished run (no {MANIFEST}){hint}.")


def _runs_in(folder: Path) -> list[Path]:
    return [
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if _RUN_ID.fullmatch(path.name) and (path / MANIFEST).is_file()
    ]


class JsonLinesFormatter(logging.Formatter):
    """One JSON object per record: ``time`` (UTC), ``seconds`` since the start, level, message.

    Paths inside the project are shown relative to it, others by their name alone.
    """

    def __init__(self, project: Path) -> None:
        super().__init__()
        self._project = project
        self._start = time.time()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "seconds": round(record.created - self._start, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_paths(record.getMessage(), self._project),
        }
        if record.exc_info:
            text = self.formatException(record.exc_info)
            entry["exception"] = without_paths(text, self._project)
        return json.dumps(entry, ensure_ascii=False)


def without_paths(text: str, project: Path) -> str:
    """Return a text in which absolute paths are shortened.

    Examples
    --------
    >>> without_paths("read /home/ann/maps/data/a.csv and /srv/dem/b.tif", Path("/home/ann/maps"))
    'read data/a.csv and …/b.tif'
    """
    text = text.replace(f"{project}/", "").replace(str(project), ".")
    for folder in (Path.home(), Path(tempfile.gettempdir())):
        if folder != Path(folder.anchor):
            text = text.replace(f"{folder}/", "/…/")
    return _ABSOLUTE.sub("…/", text)


@contextmanager
def run_log(path: Path, project: Path) -> Iterator[None]:
    """Write what is logged in the body to a file, at level INFO and above.

    What other handlers show stays as it was.
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setLevel(logging.INFO)
    handler.setFormatter(JsonLinesFormatter(project.absolute()))
    with ExitStack() as stack:
        stack.callback(handler.close)
        for name in _LOGGERS:
            stack.enter_context(_attached(logging.getLogger(name), handler))
        yield


@contextmanager
def _attached(logger: logging.Logger, handler: logging.Handler) -> Iterator[None]:
    level, others = logger.level, [(other, other.level) for other in logger.handlers]
    shown = logger.getEffectiveLevel()
    for other, own in others:
        other.setLevel(max(own, shown))
    logger.addHandler(handler)
    logger.setLevel(min(shown, logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        for other, own in others:
            other.setLevel(own)
