"""Further features a user brings: one value per cell, by cell id."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from borderrisk.errors import DataError, GridError
from borderrisk.grid import Grid
from borderrisk.sources.csvfile import read_text_table
from borderrisk.sources.files import existing

log = logging.getLogger(__name__)

CELL_ID = "cell_id"
_WHAT = "features.table"


def read_feature_table(
    path: str | Path, columns: Sequence[str], grid: Grid
) -> dict[str, np.ndarray]:
    """Put the columns of a table on the grid.

    Parameters
    ----------
    path : str or Path
        CSV or Parquet with a ``cell_id`` column, such as a run's own ``cells.parquet``.
    columns : sequence of str
        Columns of numbers to read; blank cells are missing.
    grid : Grid
        The grid the ids belong to.

    Returns
    -------
    dict of str to ndarray of float64, shape (rows, columns)
        NaN where the table has no value.

    Raises
    ------
    DataError
        If a column is absent, an id is unknown or comes twice, or a value is no finite number.
    """
    path = existing(path, _WHAT)
    where = f"{_WHAT}: {path}"
    table = _read(path, [CELL_ID, *columns], where)
    rows, cols = _places(table, grid, where)
    found = {}
    for name in columns:
        values = np.full(grid.shape, np.nan)
        values[rows, cols] = _numbers(table[name], where)
        found[name] = values
    return found


def _read(path: Path, names: list[str], where: str) -> pd.DataFrame:
    if path.suffix.lower() != ".parquet":
        table = read_text_table(path, _WHAT).replace("", None)
    else:
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise DataError(f"{where} cannot be read as Parquet ({error}).") from error
        table.index = pd.RangeIndex(1, len(table) + 1)
    absent = [name for name in names if name not in table]
    if absent:
        has = ", ".join(map(str, table.columns))
        raise DataError(f"{where} has no column {', '.join(absent)} (it has: {has}).")
    return table[names]


def _places(table: pd.DataFrame, grid: Grid, where: str) -> tuple[np.ndarray, np.ndarray]:
    ids = table[CELL_ID].astype(str)
    twice = ids[ids.duplicated()]
    if len(twice):
        raise DataError(f"{where}, row {twice.index[0]}: cell {twice.iloc[0]} comes twice.")
    try:
        rows, cols = np.array([grid.parse_cell_id(cell) for cell in ids]).T
    except GridError as error:
        raise DataError(f"{where}: {error} Use the ids of a run with the same grid.") from error
    return rows, cols


def _numbers(column: pd.Series, where: str) -> np.ndarray:
    values = pd.to_numeric(column, errors="coerce")
    wrong = column.notna() & ~np.isfinite(values)
    if wrong.any():
        row = column.index[wrong][0]
        raise DataError(
            f"{where}, row {row}: {column.name} is {column[row]!r}; expected a finite number, "
            "or nothing where it is not known."
        )
    if values.isna().any():
        log.warning(
            "%s: %s has no value in %d of %d rows; the median takes their place in the model.",
            where, column.name, values.isna().sum(), len(values),
        )  # fmt: skip
    return values.to_numpy(float)
