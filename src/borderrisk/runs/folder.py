"""Where outputs are written: folders and files complete or not there, and never elsewhere."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn
from unicodedata import category

from borderrisk.errors import BorderRiskError, OutputError
from borderrisk.runs.hashing import SUMS, files_below, write_sums
from borderrisk.runs.manifest import MANIFEST, manifest_of

try:
    import fcntl
except ImportError:  # not POSIX: a folder in use cannot be told from an abandoned one
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

_LOCK = ".in-use"
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SUFFIX = ".partial"
_OURS = re.compile(r"\..*\.[0-9a-f]{12}\.partial", re.DOTALL)
_LONGEST_NAME, _SHOWN_NAME = 255, 40
_UNMARKED_S = 3600
_NO_ROOM_BYTES = 1_000_000


class RunFolder:
    """A folder that appears under its name only when everything in it has been written.

    Use as a context manager from the start of a run, so that a folder that cannot be written is
    noticed before the work. An error, Ctrl-C or SIGTERM in the body leaves nothing behind.

    Write to ``path``, a temporary sibling of ``final``. ``force`` replaces an earlier run there,
    but never a sealed one; of a ``sealed`` run ``SHA256SUMS`` vouches for every file. OutputError
    on entering, if ``final`` is taken or cannot be written; in the body, if the disk is full.

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
        self.check()
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
        sweep(self.final.parent)
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

    def check(self) -> None:
        """Raise ``OutputError`` if the folder's name cannot be used or is taken."""
        check_target(self.final)
        if self.final.is_symlink():
            raise OutputError(f"{self.final}: is a link; give the folder it leads to with --out.")
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
        if is_frozen(self.final):
            raise OutputError(
                f"{self.final}: holds a frozen forecast, which is never replaced; give another "
                "folder with --out."
            )
        if not self._force:
            raise OutputError(
                f"{self.final}: holds a run already; give another folder with --out, "
                "or replace it with --force."
            )
        own = manifest_of(self.final).get("files")
        own = own if isinstance(own, list) else []
        if others := [name for name in files_below(self.final) if name not in own]:
            raise OutputError(
                f"{self.final / others[0]}: is no file of the run there, so nothing is replaced; "
                "move it away, or give another folder with --out."
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
        self.check()
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


def check_free(final: str | Path | None, force: bool) -> None:
    """Refuse what :class:`RunFolder` would refuse, before any work; None is always free."""
    if final is not None:
        RunFolder(final, force=force).check()


@contextmanager
def workplace(parent: Path) -> Iterator[Path]:
    """Give a new folder in ``parent`` that only this process uses; it is gone afterwards.

    What killed processes have left there goes, too.
    """
    sweep(parent)
    path = _sibling(parent / "output")
    path.mkdir(0o700)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, path, ignore_errors=True)
        stack.callback(_Lock(path).release)
        yield path


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Keep other processes that ask for the same out of a folder; it is made if need be.

    OutputError, which says that another ``what`` is at work, if one is, or the folder cannot be
    written. The mark stays, empty; the system lets go of it when the process ends, however.
    """
    check_target(folder / _LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    except OSError as error:
        raise _not_writable(folder, error) from error
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise OutputError(f"{folder}: another {what} is at work here; wait for it.") from error
    finally:
        os.close(file)


def check_target(path: Path) -> None:
    """Refuse a place that cannot be written to, before there is anything to write.

    OutputError if its name is not printable UTF-8 or too long, or it lies in a frozen forecast.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - links are kept
    if odd := next((c for c in str(path) if category(c) in ("Cc", "Cs")), None):
        shown = str(path).encode("unicode_escape", "surrogatepass").decode()
        raise OutputError(
            f"{shown}: holds {odd!r}, which is no printable UTF-8; choose another name for --out."
        )
    if len(path.name.encode()) > _LONGEST_NAME:
        raise OutputError(
            f"{path}: the name is longer than {_LONGEST_NAME} bytes; choose another with --out."
        )
    for folder in path.parents:
        if is_frozen(folder):
            raise OutputError(
                f"{path}: lies in a frozen forecast, which is never changed; give another place "
                "with --out."
            )


def is_frozen(folder: Path) -> bool:
    """Whether a folder is a run that ``SHA256SUMS`` vouches for."""
    return (folder / SUMS).exists() and (folder / MANIFEST).exists()


def _sibling(final: Path) -> Path:
    return final.with_name(f".{final.name[:_SHOWN_NAME]}.{uuid.uuid4().hex[:12]}{_SUFFIX}")


def sweep(*parents: Path) -> None:
    """Remove what runs that were killed have left in some folders."""
    for path in (it for parent in parents for it in parent.glob(f".*{_SUFFIX}")):
        ours = _OURS.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        if ours and _abandoned(path):
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
    with suppress(OSError):
        return shutil.disk_usage(folder).free < _NO_ROOM_BYTES
    return False


class _Lock:
    """A lock inside a folder that the system releases when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _LOCK
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def _abandoned(folder: Path) -> bool:
    """Whether the process that marked a folder is gone; False where that cannot be told."""
    if fcntl is None:
        return False
    try:
        file = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:  # killed before it was marked, or just before it was renamed
        return time.time() - folder.stat().st_mtime > _UNMARKED_S
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


class Stopped(SystemExit):
    """The process was told to end; its code is 128 + the signal's number."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Stopped` in the body when the process is told to end, so that clean-up runs.

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
    raise Stopped(128 + number)
