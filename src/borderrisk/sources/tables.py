"""Tables as text, exactly as written: CSV, spreadsheets, Parquet, points of vector files."""

from __future__ import annotations

import csv
import logging
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely
from pyarrow import ArrowException

from borderrisk.errors import DataError
from borderrisk.sources.files import TABLES, VECTORS, opened, utf16_of
from borderrisk.sources.vectors import local_files, read_vector

log = logging.getLogger(__name__)

_SEPARATORS = ",;\t|"
_SPREADSHEETS = {
    f"OGR_{kind}_{key}": value
    for kind in ("XLSX", "ODS")
    for key, value in (("FIELD_TYPES", "STRING"), ("HEADERS", "DISABLE"))
}


def read_text_table(
    path: str | Path,
    what: str,
    *,
    names: list[str] | None = None,
    wanted: Callable[[str], bool] | None = None,
) -> pd.DataFrame:
    """Return all cells as stripped text; blank cells are empty strings, blank rows are no rows.

    Text separated by comma, semicolon, tab or bar, in UTF-8 or UTF-16 (another encoding is guessed,
    and said); XLSX, ODS, Parquet; or a vector file, whose points become ``latitude`` and
    ``longitude``; each also as .gz or .zip. The index is the row number in the file: the header is
    row 1, in a vector file the first feature. ``names`` are the columns of a file without a header.
    DataError if the file is missing, no table, has no rows, or rows that do not fit the header.
    """
    where = f"{what}: {path}"
    rows: list[int] = []
    cells: list[list[str]] = []
    with _records(path, what) as (records, header_row):
        header = names or _names(next(records, []), where)
        chosen = [i for i, name in enumerate(header) if wanted is None or wanted(name)]
        for row, record in enumerate(records, 1 if names else header_row + 1):
            full = [cell.strip() for cell in record]
            if any(full):
                if any(full[len(header) :]):
                    n = len(full)
                    raise DataError(f"{where}: row {row} has {n} cells, the header {len(header)}.")
                full += [""] * (len(header) - len(full))
                rows.append(row)
                cells.append([full[i] for i in chosen])
    if not rows:
        raise DataError(f"{where} has a header but no rows; add them, or leave the file out.")
    return pd.DataFrame(cells, columns=[header[i] for i in chosen], index=rows, dtype=str)


def read_header(path: str | Path, what: str) -> list[str]:
    """Return the column names, or raise ``DataError`` if they cannot be column names."""
    return _names(first_record(path, what), f"{what}: {path}")


def first_record(path: str | Path, what: str) -> list[str]:
    """Return the stripped cells of the first record, whether they are column names or not."""
    with _records(path, what) as (records, _):
        return [cell.strip() for cell in next(records, [])]


def _names(record: list[str], where: str) -> list[str]:
    names = [cell.strip() for cell in record]
    if not any(names):
        raise DataError(f"{where}: the first line of the file is blank; it must name the columns.")
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise DataError(f"{where} has two columns named {', '.join(doubled)}.")
    return [name or f"unnamed_{number}" for number, name in enumerate(names, 1)]


@contextmanager
def _records(path: str | Path, what: str) -> Iterator[tuple[Iterator[list[str]], int]]:
    """Give the cells of each record, the header first, and the row that this one is."""
    where = f"{what}: {path}"
    with opened(path, what, (*TABLES, *VECTORS)) as (file, found):
        try:
            if found in VECTORS:
                yield iter(_cells(_with_points(read_vector(path, what)))), 0
            elif found == "text":
                with file.open(encoding=_encoding(file, where), newline="") as lines:
                    separator = max(_SEPARATORS, key=lines.readline().count)
                    lines.seek(0)
                    yield csv.reader(lines, delimiter=separator, strict=True), 1
            elif found == "Parquet":
                yield iter(_cells(pd.read_parquet(file))), 1
            else:
                yield _sheet(file, where), 1
        except UnicodeDecodeError as error:
            raise DataError(f"{where} cannot be decoded ({error}); save it as UTF-8.") from error
        except csv.Error as error:
            raise DataError(f"{where} is not a regular CSV file ({error}).") from error
        except (pyogrio.errors.DataSourceError, ArrowException, OSError, ValueError,
                LookupError, TypeError) as error:  # fmt: skip
            raise DataError(f"{where} cannot be read as {found} ({error}).") from error


def _cells(frame: pd.DataFrame) -> list[list[str]]:
    """Return header and cells as text, missing ones blank; whole numbers without a fraction."""

    def text(value: Any) -> str:
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else str(value)

    filled = frame.astype(object).where(frame.notna(), "")
    rows = pd.DataFrame({name: filled[name].map(text) for name in filled}, dtype=object)
    return [list(map(str, frame.columns)), *rows.to_numpy().tolist()]


def _with_points(frame: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return attributes with latitude and longitude, or what the geometry is instead."""

    def place(shape: Any) -> tuple[Any, Any]:
        parts: Any = [] if shape is None else shapely.get_parts(shape)
        if len(parts) == 1 and parts[0].geom_type == "Point" and not parts[0].is_empty:
            return parts[0].y, parts[0].x
        kind = "" if len(parts) == 0 else shape.geom_type
        return (f"{kind} of {len(parts)}" if len(parts) > 1 else kind,) * 2

    places = pd.DataFrame(
        map(place, frame.geometry), columns=["latitude", "longitude"], dtype=object
    )
    attributes = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    return attributes.drop(columns=list(places), errors="ignore").join(places.astype(str))


def _sheet(file: Path, where: str) -> Iterator[list[str]]:
    with local_files(_SPREADSHEETS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, *others = (str(name) for name, _ in pyogrio.list_layers(file))
        if others:
            log.warning(
                "%s: the first sheet, %s, is read; left out: %s", where, first, ", ".join(others)
            )
        frame = pyogrio.read_dataframe(file, layer=0, datetime_as_string=True)
    return iter(frame.fillna("").astype(str).to_numpy().tolist())


def _encoding(path: Path, where: str) -> str:
    """Tell the encoding of a text, aloud where it had to be guessed."""
    with path.open("rb") as file:
        if wide := utf16_of(file.read(4096)):
            return wide
    try:
        with path.open(encoding="utf-8") as lines:
            deque(lines, maxlen=0)
        return "utf-8-sig"
    except UnicodeDecodeError:
        high = [byte >= 0x80 for byte in path.read_bytes()]
    # Words of Arabic letters have them in rows; of Latin letters few carry an accent.
    guess = "cp1256" if sum(a and b for a, b in pairwise(high)) > sum(high) / 2 else "cp1252"
    log.warning(
        "%s is not UTF-8; it is read as %s. Look at the names in it, and save it as CSV UTF-8 if "
        "they are wrong.",
        *(where, guess),
    )
    return guess
