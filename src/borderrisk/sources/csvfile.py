"""Read a CSV file as text, exactly as written, or say where it is broken."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator
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
    chosen = [i for i, name in enumerate(header) if wanted is None or wanted(name)]
    first_row = 1 if names else FIRST_ROW
    rows: list[int] = []
    cells: list[list[str]] = []
    try:
        for row, record in enumerate(_records(path, what), 1):
            if row >= first_row and record:
                full = _fitted(record, len(header), row, f"{what}: {path}")
                rows.append(row)
                cells.append([full[i].strip() for i in chosen])
    except UnicodeDecodeError as error:
        raise _encoding_error(path, what) from error
    except csv.Error as error:
        raise DataError(f"{what}: {path} is not a regular CSV file ({error}).") from error
    if not rows:
        raise DataError(f"{what}: {path} has a header but no rows.")
    return pd.DataFrame(cells, columns=[header[i] for i in chosen], index=rows, dtype=str)


def _records(path: Path, what: str) -> Iterator[list[str]]:
    """Yield the cells of each record; blank lines are empty lists."""
    separator = _separator(_first_line(path, what))
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.reader(file, delimiter=separator, strict=True)


def _fitted(record: list[str], width: int, row: int, where: str) -> list[str]:
    """Return a record as wide as the header: short ones are filled, blank surplus is cut."""
    if any(record[width:]):
        raise DataError(f"{where}: row {row} has {len(record)} cells, the header {width}.")
    return record + [""] * (width - len(record))


def read_header(path: str | Path, what: str) -> list[str]:
    """Return the column names, or raise ``DataError`` if they cannot be column names."""
    names = first_record(path, what)
    if not any(names):
        raise DataError(f"{what}: the first line of {path} is blank; it must name the columns.")
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise DataError(f"{what}: {path} has two columns named {', '.join(doubled)}.")
    return [name or f"unnamed_{number}" for number, name in enumerate(names, 1)]


def first_record(path: str | Path, what: str) -> list[str]:
    """Return the stripped cells of the first record, whether they are column names or not."""
    path = existing(path, what)
    try:
        return [cell.strip() for cell in next(_records(path, what), [])]
    except UnicodeDecodeError as error:
        raise _encoding_error(path, what) from error
    except csv.Error as error:
        raise DataError(f"{what}: {path} is not a regular CSV file ({error}).") from error


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
