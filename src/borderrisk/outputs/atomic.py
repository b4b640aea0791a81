"""The one writer of output files: whole or not at all, and nowhere but where they were asked."""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError
from rasterio.errors import RasterioError

from borderrisk.errors import OutputError
from borderrisk.runs.folder import check_target, workplace

# Text that a spreadsheet computes, or moves to another cell, and what begins alike but is a number.
_COMPUTED = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*([eE][+-]?\d+)?%?")
_FAILURES = (OSError, sqlite3.Error, DataLayerError, DataSourceError, FeatureError, RasterioError)


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Give another file to write to; it becomes ``path`` only when all went well.

    The file lies in a folder that nobody else can guess or enter, beside ``path``, and is renamed:
    what another name of an older file (a hard link) leads to stays as it was. Missing parent
    folders are made. Raises ``OutputError``, and leaves an older file as it was, if the place is a
    link, a folder or a device, its name cannot be used, it lies in a frozen forecast, the folder
    cannot be written or the disk is full.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - links are kept
    try:
        check_file(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with workplace(path.parent) as folder, _unmarked(folder) as place:
            partial = place / f"output{path.suffix}".replace("!", "_")
            yield partial
            partial.replace(path)
    except _FAILURES as error:
        raise OutputError(
            f"{path}: cannot be written ({_reason(error)}); check the folder's permissions and "
            "the free space, or choose another place with --out."
        ) from error


def check_file(path: Path) -> None:
    """Raise ``OutputError`` if a file cannot be written there, before there is anything to write.

    For its name, or a link, folder or device of that name; :func:`writing` says the rest.
    """
    check_target(path)
    if path.is_symlink():
        raise OutputError(f"{path}: is a link, which is not written through; remove it first.")
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise OutputError(f"{path}: is {kind}; choose another place with --out.")


@contextmanager
def _unmarked(folder: Path) -> Iterator[Path]:
    """Give a way to a folder without ``!``, after which GDAL's readers see a file of an archive."""
    if "!" not in str(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as place:
        way = Path(place) / "way"
        way.symlink_to(folder, target_is_directory=True)
        yield way


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()


def write_text(text: str, path: Path) -> Path:
    """Write UTF-8 text with Unix line ends, whole or not at all."""
    with writing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return path


def write_rows(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, to a file that is not in place yet, with text that stays text."""
    plain_rows(table).to_csv(path, index=False, lineterminator="\n")


def plain_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose text stays text in a spreadsheet, which computes ``= + - @``.

    Such text, numbers aside, and headings get an apostrophe before it, the spreadsheets' own mark
    of text. Line ends in a text are Unix ones.
    """
    texts = table.select_dtypes(exclude=["number", "bool", "datetime"])
    harmless = table.assign(**{str(name): texts[name].map(_harmless) for name in texts})
    return harmless.rename(columns=_harmless)


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    odd = _COMPUTED.match(value) and not _NUMBER.fullmatch(value)
    return ("'" * bool(odd) + value).replace("\r\n", "\n").replace("\r", "\n")
