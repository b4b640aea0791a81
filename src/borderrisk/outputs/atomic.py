"""Write a file whole or not at all, and say clearly why it could not be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyogrio.errors import DataLayerError, DataSourceError, FeatureError
from rasterio.errors import RasterioError

from borderrisk.errors import OutputError

_FAILURES = (OSError, sqlite3.Error, DataLayerError, DataSourceError, FeatureError, RasterioError)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; it becomes ``path`` only when all went well.

    Parameters
    ----------
    path : Path
        The file to make; missing parent folders are created.

    Raises
    ------
    OutputError
        If the folder cannot be written or the disk is full. An older file stays as it was.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        yield partial
        partial.replace(path)
    except _FAILURES as error:
        raise OutputError(
            f"{path}: cannot be written ({_reason(error)}); check the folder's permissions and "
            "the free space, or choose another place with --out."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()


def write_text(text: str, path: Path) -> Path:
    """Write UTF-8 text with Unix line ends, whole or not at all."""
    with writing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return path
