"""The folder of a run: complete, or not there at all."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn

from borderrisk.errors import BorderRiskError, OutputError
from borderrisk.runs.hashing import SUMS, write_sums
from borderrisk.runs.manifest import MANIFEST

try:
    import fcntl
except ImportError:  # not POSIX: a folder in use cannot be told from an abandoned one
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

_LOCK = ".in-use"
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SUFFIX = ".partial"
_NO_ROOM_BYTES = 1_000_000


class RunFolder:
    """A folder that appears under its name only when everything in it has been written.

    Use as a context manager from the start of a run, so that a folder that cannot be written
    is noticed before the work. An error, Ctrl-C or SIGTERM in the body leaves nothing behind.

    Parameters
    ----------
    final : str or Path
        Where the finished folder will be.
    force : bool
        Whether an earlier run there is replaced; one that was sealed never is.
    sealed : bool
        Whether ``SHA256SUMS`` is to vouch for every file.

    Attributes
    ----------
    path : Path
        The folder to write to, a temporary sibling of ``final``.
    final : Path
        Absolute.

    Raises
    ------
    OutputError
        On entering, if ``final`` is taken or cannot be written; in the body, if the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with RunFolder(Path(place) / "run") as folder:
    ...         _ = (folder.path / "answer.txt").write_text("42")
    ...     (Path(place) / "run" / "answer.txt").read_text()
    '42'
    """

    path: Path

    def __init__(self, final: str | Path, *, force: bool = False, sealed: bool = False) -> None:
        self.final = Path(os.path.abspath(final))  # noqa: PTH100 - links are kept
        self._force, self._sealed = force, sealed
        self._made_parents: list[Path] = []
        self._stack = ExitStack()

    def __enter__(self) -> RunFolder:
        self._refuse_taken()
        with ExitStack() as stack:
            stack.enter_context(stoppable())
            stack.callback(self._remove_empty_parents)
            try:
                self._make()
            except OSError as error:
                raise _not_writable(self.final, error) from error
            stack.callback(shutil.rmtree, self.path, ignore_errors=True)
            self._lock = _Lock(self.path)
            self._stack = stack.pop_all()
        _sweep(self.final.parent)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            self._lock.release()
            if error is None:
                try:
                    self._finish()
                except OSError as why:
                    raise _not_writable(self.final, why) from why
            elif _is_disk_full(error, self.final.parent):
                raise OutputError(
                    f"{self.final}: the disk is full; free some space or write elsewhere "
                    "with --out (nothing was kept)."
                ) from error

    def _refuse_taken(self) -> None:
        if not self.final.exists():
            return
        if not self.final.is_dir():
            raise OutputError(f"{self.final}: is a file; give a folder with --out.")
        if not any(self.final.iterdir()):
            return
        if not (self.final / MANIFEST).is_file():
            raise OutputError(
                f"{self.final}: is not empty and holds no run, so it is left alone; "
                "give another folder with --out."
            )
        if (self.final / SUMS).exists():
            raise OutputError(
                f"{self.final}: holds a frozen forecast, which is never replaced; give another "
                "folder with --out."
            )
        if not self._force:
            raise OutputError(
                f"{self.final}: holds a run already; give another folder with --out, "
                "or replace it with --force."
            )

    def _make(self) -> None:
        parent = self.final.parent
        while not parent.exists():
            self._made_parents.append(parent)
            parent = parent.parent
        self.final.parent.mkdir(parents=True, exist_ok=True)
        self.path = _sibling(self.final)
        self.path.mkdir()

    def _finish(self) -> None:
        """Move the folder to its name; an earlier run there goes only when this one stands."""
        if self._sealed:
            write_sums(self.path)
        if not self.final.exists():
            self.path.rename(self.final)
            return
        self._refuse_taken()
        old = _sibling(self.final)
        self.final.rename(old)
        try:
            self.path.rename(self.final)
        except OSError:
            old.rename(self.final)
            raise
        shutil.rmtree(old, ignore_errors=True)

    def _remove_empty_parents(self) -> None:
        for parent in self._made_parents:
            try:
                parent.rmdir()
            except OSError:  # holds a run by now
                return


def _sibling(final: Path) -> Path:
    return final.with_name(f".{final.name}.{uuid.uuid4().hex[:12]}{_SUFFIX}")


def _sweep(parent: Path) -> None:
    """Remove what runs that were killed have left."""
    for path in parent.glob(f".*{_SUFFIX}"):
        if path.is_dir() and _abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
            log.info("removed the remains of an interrupted run, %s", path.name)


def _not_writable(path: Path, error: OSError) -> OutputError:
    why = error.strerror or str(error)
    return OutputError(f"{path}: cannot be written ({why}); choose another folder with --out.")


def _is_disk_full(error: BaseException, folder: Path) -> bool:
    """Whether an error, or one that led to it, means that there is no space left."""
    if isinstance(error, BorderRiskError) or not isinstance(error, Exception):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "errno", None) in _FULL or "no space left" in str(cause).lower():
            return True
        cause = cause.__cause__ or cause.__context__
    return _free_bytes(folder) < _NO_ROOM_BYTES


def _free_bytes(folder: Path) -> float:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return float("inf")


class _Lock:
    """A lock inside a folder that the system releases when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _LOCK
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Give the folder up and remove the mark."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def _abandoned(folder: Path) -> bool:
    """Whether the process that marked a folder is gone; False where that cannot be told."""
    if fcntl is None:
        return False
    try:
        file = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise ``SystemExit(128 + signal)`` in the body when the process is told to end.

    Works in the main thread only; elsewhere signals keep their meaning.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
