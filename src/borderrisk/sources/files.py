"""Is the input file there at all, and what could have been meant if it is not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from borderrisk.errors import DataError

_LFS_POINTER = b"version https://git-lfs"


def existing(path: str | Path, what: str) -> Path:
    """Return ``path`` if it is a readable, non-empty file.

    Parameters
    ----------
    path : str or Path
        The file.
    what : str
        Its role in messages, such as ``"incidents"``.

    Raises
    ------
    DataError
        If it is missing, a folder, empty, unreadable, or a Git LFS pointer instead of the data.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{what}: {path} does not exist.{_near(path)}")
    if path.is_dir():
        raise DataError(f"{what}: {path} is a folder; name a file in it.")
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS_POINTER))
    except OSError as error:
        raise DataError(f"{what}: {path} cannot be read ({error.strerror}).") from error
    if not start:
        raise DataError(f"{what}: {path} is empty (0 bytes).")
    if start == _LFS_POINTER:
        raise DataError(f"{what}: {path} is a Git LFS pointer, not the data; run `git lfs pull`.")
    return path


def did_you_mean(wrong: str, choices: Iterable[str]) -> str:
    """Return a sentence with the closest of ``choices``, or the choices themselves.

    Examples
    --------
    >>> did_you_mean("lattitude", ["latitude", "longitude"])
    ' Did you mean latitude?'
    """
    names = list(choices)
    by_lower = {name.lower(): name for name in names}
    close = get_close_matches(wrong.lower(), by_lower, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {by_lower[close[0]]}?"
    return f" There is: {', '.join(names)}." if names else ""


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f" Its folder {path.parent} does not exist either."
    close = get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""
