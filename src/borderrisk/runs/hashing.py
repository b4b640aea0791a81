"""Hashes of input files, of folders and of the code that runs; versions it stands on."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import os
import re
import stat
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from borderrisk.errors import DataError

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_SETTLED_NS = 2_000_000_000  # a younger file may change again within the clock's resolution


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` over every file of a folder, as ``sha256sum --check`` reads it."""
    lines = [f"{sha256_file(folder / name)}  {name}\n" for name in files_below(folder)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def check_sums(folder: Path) -> str:
    """Check that a folder is as when its ``SHA256SUMS`` was written, whose SHA-256 is returned.

    The sums show accidents and careless edits; whoever rewrites the files together with their sums
    is found out by this hash, if it was noted elsewhere. DataError, which names the file, if there
    are no sums, or a file was changed, removed or added.
    """
    sums = folder / SUMS
    try:
        check_plain([sums])
        found = [_LINE.fullmatch(line) for line in sums.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: is not frozen (no readable {SUMS}).") from error
    listed = {match[2]: match[1] for match in found if match}
    there = files_below(folder)
    odd = [SUMS] if len(listed) < max(len(found), 1) else sorted(listed.keys() ^ set(there))
    for name in odd or there:
        path = folder / name
        if odd or path.is_symlink() or not path.is_file() or sha256_file(path) != listed[name]:
            raise DataError(
                f"{path}: was changed, removed or added after the folder was frozen (it does not "
                f"fit {SUMS}), so it proves nothing. Restore the folder from a copy, or move it "
                "elsewhere."
            )
    return sha256_file(sums)


def check_plain(files: Iterable[Path]) -> None:
    """Raise ``OSError`` if a file is a link, folder, pipe or device, which may never end."""
    for path in files:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(f"{path.name} is no regular file")


def files_below(folder: Path) -> list[str]:
    """Everything in a folder that is no folder, links among it, by its path inside."""
    found = []
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        found += [(Path(parent) / name).relative_to(folder).as_posix() for name in files + links]
    return sorted(name for name in found if name != SUMS)


class FileHashes:
    """SHA-256 of files, remembered as long as nothing was written to them.

    The modification time can be set back, the time of the last change of a file's state cannot.
    ``memory`` is a JSON file kept between runs, so that a large DEM is read once.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._known: dict[str, str] = {}
        with suppress(OSError, ValueError):
            known = read_json(memory) if memory else {}
            self._known = known if isinstance(known, dict) else {}

    def __call__(self, path: Path) -> str:
        """Return the hash of a file."""
        stat = path.stat()
        state = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ctime_ns}"
        state += f"|{stat.st_dev}|{stat.st_ino}"
        key = hashlib.sha256(state.encode()).hexdigest()
        if key not in self._known:
            digest = sha256_file(path)
            if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) < _SETTLED_NS:
                return digest
            self._known[key] = digest
            self._remember()
        return self._known[key]

    def _remember(self) -> None:
        if self._memory is None:
            return
        temporary = self._memory.with_name(f".{self._memory.name}.{uuid.uuid4().hex[:12]}")
        try:
            make_private(self._memory.parent)
            temporary.write_text(json.dumps(self._known), encoding="utf-8")
            temporary.replace(self._memory)
        except OSError:  # only a convenience
            temporary.unlink(missing_ok=True)


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can enter, unless there is one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    OSError if it is no regular file, ValueError if it is no JSON, or nested too deeply.
    """
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "there is no such file", str(path))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def code_version(packages: Iterable[str]) -> str:
    """Return the SHA-256 of the source of modules, and of packages with all they contain.

    Dotted names, in any order: the layer that a stage runs and every layer below it.
    """
    sources = {name: _source(name) for name in packages}
    return hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source of {name!r}", name=name)
    origin = Path(spec.origin)
    package = bool(spec.submodule_search_locations)
    digest = hashlib.sha256()
    for path in sorted(origin.parent.rglob("*.py")) if package else [origin]:
        digest.update(f"{path.relative_to(origin.parent).as_posix()}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


@lru_cache
def package_versions() -> dict[str, str]:
    """Versions of borderrisk and of every package it requires that is installed."""
    required: list[str] = []
    with suppress(metadata.PackageNotFoundError):
        required = metadata.requires("borderrisk") or []
    names = [re.split(r"[^\w.-]", text)[0] for text in required if "extra ==" not in text]
    versions = {}
    for name in sorted({"borderrisk", *names}, key=str.lower):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def tree_size(folder: Path) -> int:
    """Bytes of all files below a folder; files that vanish meanwhile count nothing."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total
