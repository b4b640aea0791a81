"""Mark a folder as in use by a living process."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # not POSIX: a folder in use cannot be told from an abandoned one
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".in-use"


class FolderLock:
    """A lock inside a folder that the system releases when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Give the folder up and remove the mark."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def abandoned(folder: Path) -> bool:
    """Whether the process that marked a folder is gone; False where that cannot be told."""
    if fcntl is None:
        return False
    try:
        file = os.open(folder / LOCK_NAME, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True
