"""Stages cached by content: the same inputs, config part and code are computed once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from borderrisk.runs.hashing import (
    FileHashes,
    code_version,
    make_private,
    package_versions,
    read_json,
    sha256_file,
    tree_size,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

_ENTRY = "entry.json"
_TEMPORARY = ".writing-"
_DAY_S = 86_400
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class StageKey:
    """All that the result of a stage depends on; its folder's name begins with its ``name``.

    ``code`` are modules and packages whose source it runs, such as ``"borderrisk.features"``;
    ``config`` is canonical JSON of the part it reads; ``upstream`` are stages whose results it
    reads; ``inputs`` are input files to their hashes.
    """

    name: str
    code: tuple[str, ...] = ()
    config: str = ""
    upstream: tuple[StageKey, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything, installed package versions included."""
        parts = {
            "name": self.name,
            "code": code_version(self.code),
            "config": self.config,
            "upstream": [key.digest for key in self.upstream],
            "inputs": dict(self.inputs),
            "packages": package_versions(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class StageRecord:
    """How a stage went: wall-clock seconds, and whether its result came from the cache."""

    name: str
    seconds: float
    cached: bool


class StageCache:
    """Results of stages in a folder, one sub-folder each.

    Safe to share between runs at the same time: an entry appears whole or not at all. What is read
    is checked against the hashes of its files; the folder, made for its owner alone when first
    needed, must be one that others cannot write to, else nothing is read or kept.

    Everything is computed if not ``enabled``, and nothing read or kept; also on ``refresh``, and
    kept in place of what was there. :meth:`prune` removes the least recently used entries above
    ``max_bytes``. ``records`` are in the order the stages ran; ``hashes`` of input files are
    remembered in the same folder.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        enabled: bool = True,
        refresh: bool = False,
        max_bytes: float | None = None,
    ) -> None:
        self.folder = Path(folder)
        enabled = enabled and _is_private(self.folder)
        self.enabled, self.refresh, self.max_bytes = enabled, refresh, max_bytes
        self.records: list[StageRecord] = []
        self.hashes = FileHashes(self.folder / "hashes.json" if enabled else None)

    def stage(
        self,
        key: StageKey,
        compute: Callable[[], T],
        *,
        save: Callable[[T, Path], Any],
        load: Callable[[Path], T],
    ) -> T:
        """Return the result of a stage, computed only if it is not kept already.

        ``save`` writes it into an existing, empty folder, ``load`` reads it back. A first run also
        returns what was read back, so that a cold and a warm run go on with exactly the same
        values.
        """
        start = time.perf_counter()
        entry = self.folder / f"{key.name}-{key.digest[:32]}"
        if self.enabled and not self.refresh and (kept := _read(entry, load)) is not None:
            value, cached = kept[0], True
        else:
            value, cached = self._fresh(entry, compute(), save, load), False
        record = StageRecord(key.name, time.perf_counter() - start, cached)
        self.records.append(record)
        done = "from the cache" if cached else "computed"
        log.info("%s: %s in %.1f s", record.name, done, record.seconds)
        return value

    @contextmanager
    def timed(self, name: str) -> Any:
        """Record the time of a stage that is never cached."""
        start = time.perf_counter()
        yield
        self.records.append(StageRecord(name, time.perf_counter() - start, cached=False))

    def _fresh(
        self, entry: Path, value: T, save: Callable[[T, Path], Any], load: Callable[[Path], T]
    ) -> T:
        if not self.enabled:
            return value
        try:
            _write(entry, value, save, replace=self.refresh)
        except OSError as error:
            why = error.strerror or error
            log.warning("a result could not be cached in %s (%s); the run goes on", entry, why)
            return value
        kept = _read(entry, load)
        return value if kept is None else kept[0]

    def prune(self, max_age_days: float | None = None) -> list[str]:
        """Remove what is too old or, above ``max_bytes``, least recently used; return names."""
        if not self.folder.is_dir():
            return []
        self._remove_leftovers()
        found = self.folder.glob(f"[!.]*/{_ENTRY}")
        entries = sorted(found, key=_last_used)
        sizes = {entry.parent: tree_size(entry.parent) for entry in entries}
        total, removed = sum(sizes.values()), []
        for entry in entries:
            age_days = (time.time() - _last_used(entry)) / _DAY_S
            too_old = max_age_days is not None and age_days > max_age_days
            if too_old or (self.max_bytes is not None and total > self.max_bytes):
                total -= sizes[entry.parent]
                _discard(entry.parent)
                removed.append(entry.parent.name)
        return removed

    def _remove_leftovers(self) -> None:
        for path in self.folder.glob(f"{_TEMPORARY}*"):
            if time.time() - _last_used(path) > _DAY_S:
                shutil.rmtree(path, ignore_errors=True)


def _is_private(folder: Path) -> bool:
    """Whether nobody but this user (or root) can write to a folder, or make it: False warns."""
    try:
        found = folder.stat()
    except OSError:
        return True
    if not hasattr(os, "geteuid"):  # not POSIX
        return True
    if found.st_uid in (os.geteuid(), 0) and not found.st_mode & _OTHERS_WRITE:
        return True
    log.warning(
        "%s: others can write to this cache, so it is not used; keep it to yourself "
        "(chmod go-w) or set compute.cache to another folder", folder,
    )  # fmt: skip
    return False


def _read(entry: Path, load: Callable[[Path], T]) -> tuple[T] | None:
    """Return the kept value, or None if there is none or it is damaged."""
    try:
        kept = read_json(entry / _ENTRY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        kept = {}
    try:
        if not kept or _contents(entry) != kept["files"]:
            raise ValueError("files are missing or changed")
        value = load(entry)
    except Exception as error:  # whatever a damaged file makes a reader raise
        log.warning("the cached %s cannot be used (%s); it is computed again", entry.name, error)
        with suppress(OSError):
            _discard(entry)
        return None
    with suppress(OSError):  # a shared cache may be read-only
        (entry / _ENTRY).touch()
    return (value,)


def _write(entry: Path, value: T, save: Callable[[T, Path], Any], *, replace: bool) -> None:
    temporary = entry.with_name(f"{_TEMPORARY}{uuid.uuid4().hex[:12]}")
    make_private(entry.parent)
    temporary.mkdir()
    try:
        save(value, temporary)
        facts = json.dumps({"files": _contents(temporary)})
        (temporary / _ENTRY).write_text(facts, encoding="utf-8")
        if replace:
            _discard(entry)
        with suppress(FileExistsError):  # another run was faster, with the same result
            _rename(temporary, entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:
        if not target.exists():
            raise
        raise FileExistsError(target) from None


def _contents(entry: Path) -> dict[str, str]:
    """Hashes of the files of an entry by their relative path."""
    return {
        path.relative_to(entry).as_posix(): sha256_file(path)
        for path in sorted(entry.rglob("*"))
        if path.is_file() and path != entry / _ENTRY
    }


def _discard(entry: Path) -> None:
    """Remove an entry so that no one can see a part of it."""
    with suppress(FileNotFoundError):
        gone = entry.rename(entry.with_name(f"{_TEMPORARY}{uuid.uuid4().hex[:12]}"))
        shutil.rmtree(gone, ignore_errors=True)


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
