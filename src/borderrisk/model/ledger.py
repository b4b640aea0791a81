"""An append-only record in which every line vouches for the ones before it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from borderrisk.errors import DataError, OutputError

try:
    import fcntl
except ImportError:  # not POSIX: concurrent writers are not kept apart
    fcntl = None  # type: ignore[assignment]

FIRST = "0" * 64
_OWN = ("index", "utc", "previous", "hash")


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: keys sorted, no spaces, ASCII.

    Keys that are not text become text.

    Raises
    ------
    TypeError, ValueError
        If the value has no JSON form; NaN and infinity have none.

    Examples
    --------
    >>> canonical({"b": 1.0, "a": [None, True]})
    b'{"a":[null,true],"b":1.0}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def seal(content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything but ``hash``, hexadecimal."""
    rest = {key: value for key, value in content.items() if key != "hash"}
    return hashlib.sha256(canonical(rest)).hexdigest()


def append(path: str | Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Add an entry at the end of a ledger, which is made if it does not exist.

    Several processes may append at the same time. The line is on the disk when this returns; if it
    cannot be written whole, the ledger stays as it was.

    Parameters
    ----------
    path : str or Path
        Such as ``forecasts.jsonl``.
    entry : mapping
        JSON-ready; may not have the keys ``index, utc, previous, hash``.

    Returns
    -------
    dict
        The entry with ``index`` (from 0), ``utc`` (time of writing), ``previous`` (hash of the
        entry before, 64 zeros at the beginning) and ``hash``.

    Raises
    ------
    DataError
        If the ledger so far does not hold together (nothing is added).
    OutputError
        If it cannot be written.
    ValueError
        If the entry has no JSON form or uses a key of the ledger.
    """
    taken = [key for key in _OWN if key in entry]
    if taken:
        raise ValueError(f"The ledger sets {', '.join(taken)} itself.")
    content = json.loads(canonical(dict(entry)))
    try:
        with _locked(Path(path)) as file:
            return _add(file, content, path)
    except OSError as error:
        why = error.strerror or error
        raise OutputError(f"{path}: the ledger cannot be written ({why}).") from error


def check(path: str | Path, holds: str | None = None) -> list[dict[str, Any]]:
    """Read a ledger and make sure that no line was changed, removed, added or moved.

    Lines cut off at the end leave a shorter ledger that holds together; to notice that too, note
    the hash of the last entry elsewhere and give it as ``holds``.

    Parameters
    ----------
    path : str or Path
        The ledger.
    holds : str, optional
        Hash of an entry that must be in it.

    Returns
    -------
    list of dict
        The entries in order.

    Raises
    ------
    DataError
        If the ledger cannot be read or does not hold together; the message names the line.
    """
    try:
        with Path(path).open("rb") as file:
            _lock(file, exclusive=False)
            entries = _entries(file.read(), path)
    except OSError as error:
        raise DataError(f"{path}: the ledger cannot be read ({error.strerror}).") from error
    if holds is not None and all(entry["hash"] != holds for entry in entries):
        raise DataError(f"{path}: no entry has the hash {holds}; lines were removed or replaced.")
    return entries


def entry_of(path: str | Path, forecast: str) -> dict[str, Any]:
    """Return the entry that records a forecast, from a ledger that holds together.

    Parameters
    ----------
    path : str or Path
        The ledger.
    forecast : str
        Hash of the forecast.

    Raises
    ------
    DataError
        If the ledger cannot be read or does not hold together, or does not know the forecast.
    """
    for entry in check(path):
        if entry.get("forecast") == forecast:
            return entry
    raise DataError(
        f"{path}: the forecast {forecast[:12]} is not recorded here; it was not made by "
        "`borderrisk forecast`, was put together again later, or lines were removed from the "
        "ledger. Give the ledger it was recorded in, or restore both from a copy."
    )


def _add(file: BinaryIO, content: dict[str, Any], path: str | Path) -> dict[str, Any]:
    file.seek(0)
    so_far = file.read()
    entries = _entries(so_far, path)
    entry = content | {
        "index": len(entries),
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "previous": entries[-1]["hash"] if entries else FIRST,
    }
    entry["hash"] = seal(entry)
    try:
        _write(file, canonical(entry) + b"\n")
    except BaseException:  # Ctrl-C as well: half a line would spoil the ledger for all
        os.ftruncate(file.fileno(), len(so_far))
        raise
    return entry


def _write(file: BinaryIO, line: bytes) -> None:
    """Write a line to the disk; an unbuffered file may take it in parts."""
    while line:
        line = line[file.write(line) :]
    os.fsync(file.fileno())


def _entries(data: bytes, path: str | Path) -> list[dict[str, Any]]:
    """Parse and check all lines."""
    *lines, rest = data.split(b"\n")
    entries: list[dict[str, Any]] = []
    previous = FIRST
    for number, line in enumerate(lines, start=1):
        entry = _entry(line, f"{path}, line {number}")
        if entry["index"] != number - 1 or entry["previous"] != previous:
            raise DataError(
                f"{path}, line {number}: does not follow the line before it; lines were removed, "
                "added or moved here. Restore the ledger from a copy."
            )
        entries.append(entry)
        previous = entry["hash"]
    if rest:
        raise DataError(
            f"{path}, line {len(lines) + 1}: is cut off before its end; restore the ledger from a "
            "copy, or remove that line if its forecast was never announced."
        )
    return entries


def _entry(line: bytes, where: str) -> dict[str, Any]:
    """Parse one line and check it against its own hash."""
    try:
        entry = json.loads(line.decode("ascii"))
        sound = all(key in entry for key in _OWN) and entry["hash"] == seal(entry)
        sound = sound and canonical(entry) == line
    except (ValueError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise DataError(
            f"{where}: was changed after it was written (its hash does not match). "
            "Restore the ledger from a copy."
        )
    return dict(entry)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """Open for appending, alone; the lock goes with the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:
        _lock(file, exclusive=True)
        yield file


def _lock(file: BinaryIO, *, exclusive: bool) -> None:
    if fcntl is not None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
