"""Names of runs, and finding a finished one."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from borderrisk.errors import DataError

MANIFEST = "manifest.json"
RUNS = "runs"
# Folders that hold scored cells; others (an evaluation) have a manifest too.
SCORED = ("run", "scenario")
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}(-\d+)?")


def new_run_id(parent: Path, config_hash: str, now: datetime | None = None) -> str:
    """Return an unused id like ``20240103T101500Z-1a2b3c4d``: UTC time and config hash.

    Parameters
    ----------
    parent : Path
        Folder the run will be kept in; a second run within a second gets ``-2``.
    config_hash : str
        Hexadecimal.
    now : datetime, optional
        With a time zone; default: the present.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    base = f"{now:%Y%m%dT%H%M%SZ}-{config_hash[:8]}"
    run_id, number = base, 1
    while (parent / run_id).exists() or any(parent.glob(f".{run_id}.*.partial")):
        number += 1
        run_id = f"{base}-{number}"
    return run_id


def find_run(path: str | Path) -> Path:
    """Return the folder of a finished run.

    Parameters
    ----------
    path : str or Path
        The run's folder, or the folder of a config, in which it keeps its runs or that of its
        results under ``data/processed``: then its latest run.

    Raises
    ------
    DataError
        If there is no finished run, or the folder holds something else, such as an evaluation.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such run; give a folder written by `borderrisk run`.")
    if not path.is_dir():
        raise DataError(f"{path}: is a file; give the folder of a run.")
    if (path / MANIFEST).is_file():
        return _scored(path)
    runs = _runs_in(path) or _runs_in(path / RUNS)
    if runs:
        return max(runs, key=_age_key)
    configs = sorted(p.name for p in path.iterdir() if p.is_dir() and _runs_in(p))
    hint = f"; give one of {', '.join(configs)} in it" if configs else ""
    raise DataError(f"{path}: holds no finished run (no {MANIFEST}){hint}.")


def _scored(path: Path) -> Path:
    kind = _kind(path)
    if kind not in SCORED:
        raise DataError(
            f"{path}: holds the {kind} of a config, no scored cells; give a folder written by "
            "`borderrisk run` or `borderrisk scenario`."
        )
    return path


def _kind(path: Path) -> str:
    """Read from a manifest what a folder holds; damaged ones are noticed when opened."""
    try:
        facts = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return SCORED[0]
    return str(facts.get("kind", SCORED[0])) if isinstance(facts, dict) else SCORED[0]


def _runs_in(folder: Path) -> list[Path]:
    return [
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if _RUN_ID.fullmatch(path.name) and (path / MANIFEST).is_file()
    ]


def _age_key(run: Path) -> tuple[str, int, str]:
    return (run.name[:16], (run / MANIFEST).stat().st_mtime_ns, run.name)
