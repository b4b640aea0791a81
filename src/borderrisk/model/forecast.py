"""A forecast frozen in a folder: what was said, when, and a hash that shows any later change."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError
from scipy.sparse import csc_matrix, csr_matrix

from borderrisk.errors import ConfigError, DataError, GridError, OutputError
from borderrisk.evaluation.backtest import BASELINES, BorderLine
from borderrisk.grid import Grid
from borderrisk.model.cells import CellTable
from borderrisk.model.ledger import seal
from borderrisk.model.modelfile import package_versions

FORMAT = 1
FACTS, CELLS, MODEL = "forecast.json", "cells.parquet", "model.skops"
CONFIG = "config.yaml"
PAST, BORDER = "past.parquet", "border.parquet"
SCORES = ("intensity", "probability", "risk", "risk_class")
_ROUNDING = 1e-6
_PLACE = ("cell_id", "x", "y", "exposure")
_KEYS = {
    "format", "made_utc", "origin", "horizon_days", "grid", "baselines", "meta", "versions",
    "files", "hash",
}  # fmt: skip
# What readers raise for content that someone has put together with matching hashes.
_UNUSABLE = (
    pa.ArrowException, OSError, KeyError, TypeError, ValueError, OverflowError, CRSError, GridError,
)  # fmt: skip


@dataclass(frozen=True)
class Forecast:
    """A frozen forecast, unchanged since it was made.

    Attributes
    ----------
    facts : dict
        The content of ``forecast.json``.
    cells : pandas.DataFrame
        As given to :func:`freeze`, in row-major order.
    past : pandas.DataFrame or None
        ``x, y`` (grid metres) of the incidents known at the origin.
    line : BorderLine or None
        Border segments and the cells behind them.
    """

    facts: dict[str, Any]
    cells: pd.DataFrame
    past: pd.DataFrame | None = None
    line: BorderLine | None = None

    @property
    def origin(self) -> pd.Timestamp:
        """First day of the forecast; nothing dated from here on was used."""
        return pd.Timestamp(self.facts["origin"])

    @property
    def horizon_days(self) -> int:
        """Length of the forecast."""
        return int(self.facts["horizon_days"])

    @property
    def end(self) -> pd.Timestamp:
        """First day after the forecast."""
        return self.origin + pd.Timedelta(days=self.horizon_days)

    @property
    def last_day(self) -> pd.Timestamp:
        """Last day of the forecast."""
        return self.end - pd.Timedelta(days=1)

    @property
    def baselines(self) -> list[str]:
        """Columns of ``cells`` with the baselines' intensities."""
        return list(self.facts["baselines"])

    @property
    def hash(self) -> str:
        """SHA-256 over the facts, which hold the hash of every other file."""
        return str(self.facts["hash"])

    @cached_property
    def grid(self) -> Grid:
        """The grid of the forecast."""
        return _grid(self.facts["grid"])

    @cached_property
    def table(self) -> CellTable:
        """The cells as models see them, coordinates only."""
        mask = np.zeros(self.grid.shape, bool)
        mask[self.grid.rowcol(self.cells["x"], self.cells["y"])] = True
        exposure = self.cells["exposure"].to_numpy(float)
        land = self.cells["domain"].to_numpy(float) if "domain" in self.cells else exposure
        x = pd.DataFrame({"x_km": self.cells["x"] / 1000, "y_km": self.cells["y"] / 1000})
        return CellTable(self.grid, mask, x, land * self.grid.cell_area_km2 / 100, exposure)

    @cached_property
    def domain(self) -> np.ndarray:
        """Land share of each cell, to build a panel of new incidents with; (rows, columns)."""
        share = self.table.area_100km2 * 100 / self.grid.cell_area_km2
        return np.nan_to_num(self.table.to_grid(share))


def freeze(
    folder: str | Path,
    cells: pd.DataFrame,
    *,
    grid: Grid,
    origin: Any,
    horizon_days: int,
    model_file: str | Path | None = None,
    config: str | None = None,
    past: pd.DataFrame | None = None,
    line: BorderLine | None = None,
    baselines: Sequence[str] = BASELINES,
    meta: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a forecast so that any later change of it shows.

    Parameters
    ----------
    folder : str or Path
        Made by this call; appears complete or not at all.
    cells : pandas.DataFrame
        One row per cell: ``cell_id, x, y`` (centre, grid metres), ``exposure`` (share inside the
        study area), ``intensity`` (incidents per 100 km² per year), ``probability`` (within the
        horizon), ``risk, risk_class``, and the intensity of each baseline in the same unit. With a
        column ``domain`` (land share) it may go on into the halo, where exposure is 0 and scores
        may be missing: incidents near the edge are then spread as they were for training. Further
        columns are kept.
    grid : Grid
        The grid of the cells.
    origin : date or ISO text
        First day forecast. Nothing in the cells may depend on anything dated later.
    horizon_days : int
        Days forecast.
    model_file : str or Path, optional
        Copied as ``model.skops``.
    config : str, optional
        Text of the config it was made with, kept as ``config.yaml``.
    past : pandas.DataFrame, optional
        ``x, y`` of the incidents known at the origin (grid metres), to tell new places from old.
    line : BorderLine, optional
        Segments of the border, for the capture by border length.
    baselines : sequence of str
        Columns of the baselines.
    meta : mapping, optional
        JSON-ready: config name and hash, hashes of the inputs, seed, counts, notes.

    Returns
    -------
    dict
        The content of ``forecast.json``: ``origin, horizon_days, made_utc, grid, baselines, meta,
        versions, files`` (SHA-256 by name) and ``hash`` (over all the rest).

    Raises
    ------
    ConfigError
        For an origin that is no date, or a horizon that is not a positive number of days.
    DataError
        If the cells are incomplete or are not cells of the grid, or the model cannot be read.
    OutputError
        If the folder is taken or cannot be written.
    """
    files = {CELLS: _parquet(_checked(cells, grid, baselines, "The cells"))}
    if model_file is not None:
        files[MODEL] = _read(Path(model_file))
    if config is not None:
        files[CONFIG] = config.encode()
    if past is not None:
        files[PAST] = _parquet(past[["x", "y"]].astype(float))
    if line is not None:
        files[BORDER] = _parquet(_line_table(line))
    facts = {
        "format": FORMAT,
        "made_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "origin": _date(origin),
        "horizon_days": _days(horizon_days),
        "grid": {
            "crs": grid.crs.to_wkt(),
            "transform": list(grid.transform)[:6],
            "shape": list(grid.shape),
        },
        "baselines": list(baselines),
        "meta": dict(meta or {}),
        "versions": package_versions(),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    facts = json.loads(_text(facts | {"hash": seal(facts)}))
    _write_folder(Path(folder), files | {FACTS: _text(facts)})
    return facts


def open_forecast(folder: str | Path) -> Forecast:
    """Read a frozen forecast, if it is still what it was.

    The hashes show accidents and careless edits. Whoever rewrites the files together with their
    hashes is found out by the hash in the ledger (:func:`borderrisk.model.ledger.check`).

    Raises
    ------
    DataError
        If the folder holds no forecast, a file is missing or changed in any byte, or the content
        is not that of a forecast.
    """
    folder = Path(folder)
    facts = _facts(folder)
    content = {}
    for name, expected in facts["files"].items():
        content[name] = _read(folder / name)
        if hashlib.sha256(content[name]).hexdigest() != expected:
            raise _changed(folder / name)
    try:
        grid = _grid(facts["grid"])
        cells = _checked(_frame(content[CELLS]), grid, facts["baselines"], f"{folder / CELLS}")
        past = _frame(content[PAST])[["x", "y"]] if PAST in content else None
        line = _line(_frame(content[BORDER]), grid.size) if BORDER in content else None
        forecast = Forecast(facts, cells, past, line)
        pd.Timestamp(facts["made_utc"]).tz_convert("UTC")
        _days((forecast.end - forecast.origin).days)
    except _UNUSABLE as error:
        raise DataError(f"{folder}: is not a complete forecast ({error}).") from error
    return forecast


def _facts(folder: Path) -> dict[str, Any]:
    """Read ``forecast.json``; every byte of it must be as it was written."""
    path = folder / FACTS
    data = _read(path)
    try:
        facts = json.loads(data.decode())
        known = isinstance(facts, dict) and facts.get("format", FORMAT) == FORMAT
        same = _text(facts) == data and facts["hash"] == seal(facts)
    except (ValueError, KeyError, TypeError, RecursionError):
        known, same = True, False
    if not known:
        raise DataError(f"{path}: is not of format {FORMAT}, the one that this version reads.")
    if not same:
        raise _changed(path)
    names = set(facts.get("files", ()))
    if set(facts) != _KEYS or not {CELLS} <= names <= {CELLS, MODEL, CONFIG, PAST, BORDER}:
        raise DataError(f"{path}: does not describe a forecast; give a folder of one.")
    return dict(facts)


def _changed(path: Path) -> DataError:
    return DataError(
        f"{path}: was changed after the forecast was frozen (its hash does not match), so it "
        "proves nothing. Restore the folder from a copy."
    )


def _grid(facts: Mapping[str, Any]) -> Grid:
    rows, cols = facts["shape"]
    return Grid(CRS.from_wkt(facts["crs"]), Affine(*facts["transform"]), (rows, cols))


def _checked(cells: pd.DataFrame, grid: Grid, baselines: Sequence[str], where: str) -> pd.DataFrame:
    """Return the cells in row-major order, if they are complete and belong to the grid."""
    missing = [name for name in (*_PLACE, *SCORES, *baselines) if name not in cells]
    if missing:
        raise DataError(f"{where}: the column(s) {', '.join(missing)} are missing.")
    row, col = grid.rowcol(cells["x"], cells["y"])
    table = cells.iloc[np.lexsort((col, row))].reset_index(drop=True).astype({"cell_id": str})
    mask = np.zeros(grid.shape, bool)
    mask[row[row >= 0], col[row >= 0]] = True
    if not mask.any() or not np.array_equal(grid.cell_ids(mask), table["cell_id"].to_numpy(str)):
        raise DataError(f"{where}: are not the cells of the grid, each once, with their ids.")
    _check_values(table, (*SCORES, *baselines), where)
    return table


def _check_values(table: pd.DataFrame, scores: Sequence[str], where: str) -> None:
    for name in ("exposure", "domain"):
        if name in table and not table[name].between(0, 1 + _ROUNDING).all():
            raise DataError(f"{where}: {name} must be a share of the cell, 0 to 1.")
    study = table[table["exposure"] > 0]
    if study.empty:
        raise DataError(f"{where}: none lies inside the study area (exposure is 0 everywhere).")
    for name in scores:
        values = study[name].to_numpy(float)
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise DataError(f"{where}: {name} must be a number of at least 0 in the study area.")


def _date(value: Any) -> str:
    try:
        day = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"The origin must be a date like 2025-01-01 (got {value!r}).") from error
    if pd.isna(day):
        raise ConfigError(f"The origin must be a date like 2025-01-01 (got {value!r}).")
    return f"{day:%Y-%m-%d}"


def _days(value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"The horizon must be a positive number of whole days (got {value}).")
    return int(value)


def _text(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _parquet(table: pd.DataFrame) -> bytes:
    """Return a table as Parquet; equal tables give equal bytes."""
    plain = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    buffer = io.BytesIO()
    pq.write_table(plain, buffer, compression="zstd")
    return buffer.getvalue()


def _frame(data: bytes) -> pd.DataFrame:
    return pq.read_table(io.BytesIO(data)).to_pandas()


def _line_table(line: BorderLine) -> pd.DataFrame:
    """One row per segment: its length, the grid cells (row-major) behind it, and their share."""
    columns = csc_matrix(line.attribution)
    columns.sort_indices()
    cut = columns.indptr[1:-1]
    cell, share = np.split(columns.indices.astype(np.int64), cut), np.split(columns.data, cut)
    return pd.DataFrame({"length_km": line.length_km, "cell": cell, "share": share})


def _line(table: pd.DataFrame, size: int) -> BorderLine:
    ends = np.concatenate([[0], np.cumsum(table["cell"].map(len))])
    parts = (np.concatenate(table[name].to_list()) for name in ("share", "cell"))
    columns = csc_matrix((*parts, ends), shape=(size, len(table)))
    return BorderLine(csr_matrix(columns), table["length_km"].to_numpy(float))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files into a sibling folder, then give it its name."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise OutputError(
            f"{folder}: exists already, and a frozen forecast is never replaced; give another "
            "folder with --out."
        )
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.partial")
    try:
        temporary.mkdir(parents=True)
        for name, data in files.items():
            with (temporary / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        temporary.rename(folder)
    except OSError as error:
        why = error.strerror or error
        raise OutputError(f"{folder}: the forecast cannot be written ({why}).") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
