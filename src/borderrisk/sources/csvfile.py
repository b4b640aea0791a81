"""Read a CSV file as text, exactly as written, or say where it is broken."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from borderrisk.errors import DataError
from borderrisk.sources.files import existing

FIRST_ROW = 2
"""Row number of the first record: the header is row 1, as a spreadsheet shows it."""

_HEADER_BYTES = 65_536
_SEPARATORS = ",;\t"


def read_text_table(
    path: str | Path,
    what: str,
    *,
    names: list[str] | None = None,
    wanted: Callable[[str], bool] | None = None,
) -> pd.DataFrame:
    """Return all cells as stripped text; blank cells are empty strings.

    Parameters
    ----------
    path : str or Path
        UTF-8, with or without a byte order mark; separated by comma, semicolon or tab.
    what : str
        Role of the file in messages.
    names : list of str, optional
        Column names of a file without a header.
    wanted : callable, optional
        Tells whether a column is kept, by its name.

    Returns
    -------
    pandas.DataFrame
        Indexed by row number in the file (the header is row 1).

    Raises
    ------
    DataError
        If the file is missing, not UTF-8, has no rows, or rows that do not fit the header.
    """
    path = existing(path, what)
    header = names or read_header(path, what)
    try:
        table = pd.read_csv(
            path,
            sep=_separator(_first_line(path, what)),
            header=None if names else 0,
            names=header,
            usecols=[name for name in header if wanted is None or wanted(name)],
            dtype=str,
            encoding="utf-8-sig",
            keep_default_na=False,
            na_filter=False,
            index_col=False,
            on_bad_lines="error",
        )
    except UnicodeDecodeError as error:
        raise _encoding_error(path, what) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise DataError(f"{what}: {path} is not a regular CSV file ({error}).") from error
    if table.empty:
        raise DataError(f"{what}: {path} has a header but no rows.")
    table = table.fillna("").apply(lambda column: column.str.strip())
    table.index = pd.RangeIndex(1 if names else FIRST_ROW, len(table) + (1 if names else FIRST_ROW))
    return table


def read_header(path: str | Path, what: str) -> list[str]:
    """Return the column names, or raise ``DataError`` if they cannot be column names."""
    line = _first_line(existing(path, what), what)
    names = [name.strip() for name in next(csv.reader([line], delimiter=_separator(line)), [])]
    if not any(names):
        raise DataError(f"{what}: the first line of {path} is blank; it must name the columns.")
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise DataError(f"{what}: {path} has two columns named {', '.join(doubled)}.")
    return [name or f"unnamed_{number}" for number, name in enumerate(names, 1)]


def _first_line(path: Path, what: str) -> str:
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start:
        raise DataError(
            f"{what}: {path} is not UTF-8 text (it looks like UTF-16 or a binary file); "
            "save it as CSV UTF-8."
        )
    line = start.removeprefix(codecs.BOM_UTF8).splitlines()[0] if start.strip() else b""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _encoding_error(path, what) from error


def _separator(line: str) -> str:
    """Return the separator that splits the header most often."""
    return max(_SEPARATORS, key=line.count)


def _encoding_error(path: Path, what: str) -> DataError:
    """Say at which byte of the file UTF-8 ends."""
    offset, line = _first_bad_byte(path)
    return DataError(
        f"{what}: {path} is not UTF-8: byte {offset} (line {line}) cannot be decoded. "
        "It was probably saved as Windows-1252 or Windows-1256; save it again as CSV UTF-8."
    )


def _first_bad_byte(path: Path) -> tuple[int, int]:
    """Return ``(offset, line number)`` of the first byte that is not UTF-8."""
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return offset + error.start, number
            offset += len(line)
    return offset, 0
