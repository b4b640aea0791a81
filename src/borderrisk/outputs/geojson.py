"""GeoJSON as RFC 7946 wants it, fast enough for hundreds of thousands of cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from borderrisk.outputs.files import writing
from borderrisk.outputs.rounding import round_significant
from borderrisk.outputs.squares import CORNERS, Squares
from borderrisk.outputs.vectors import write_vector

DESCRIPTION = "Relative intensity of reported incidents; no statement about any person."
_CHUNK = 50_000
# What JSON text cannot hold as it is, or what it is kept in ASCII for.
_ESCAPED = r'["\\\x00-\x1f]|[^\x00-\x7f]'


def write_geojson(squares: Squares, path: Path) -> None:
    """Write cells in WGS84 with six decimals, counter-clockwise, with ids and boxes.

    There is no ``crs`` member; the collection and each feature have a ``bbox``; the id of a
    feature is its ``cell_id``; numbers have six significant digits. The same table gives the same
    bytes. Text is put together by column, four times as fast as GDAL's driver does it by feature.

    Parameters
    ----------
    squares : Squares
        Cells with their values.
    path : Path
        File to make.

    References
    ----------
    Butler et al. 2016, RFC 7946.
    """
    # Adding zero turns -0.0 into 0.0.
    corners = squares.lonlat_corners().round(6) + 0.0
    plain = squares.table
    with path.open("wb") as stream:
        stream.write(_head(corners))
        for start in range(0, len(plain), _CHUNK):
            part = slice(start, start + _CHUNK)
            lines = ",\n".join(_features(plain.iloc[part], corners[part]))
            stream.write(((",\n" if start else "") + lines).encode())
        stream.write(b"\n]\n}\n")


def write_layer(table: gpd.GeoDataFrame, path: Path, layer: str = "layer") -> Path:
    """Write a small layer of any geometry (segments, corridors) as RFC 7946 with GDAL.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with writing(Path(path)) as partial:
        write_vector(
            table, partial, layer, "GeoJSON", RFC7946="YES", WRITE_BBOX="YES",
            COORDINATE_PRECISION="6", SIGNIFICANT_FIGURES="6", DESCRIPTION=DESCRIPTION,
        )  # fmt: skip
    return Path(path)


def _head(corners: np.ndarray) -> bytes:
    members: dict[str, Any] = {
        "type": "FeatureCollection",
        "name": "cells",
        "description": DESCRIPTION,
    }
    if len(corners):
        flat = corners.reshape(-1, 2)
        members["bbox"] = [*flat.min(axis=0).tolist(), *flat.max(axis=0).tolist()]
    return (json.dumps(members, indent=0)[:-2] + ',\n"features": [\n').encode()


def _features(plain: pd.DataFrame, corners: np.ndarray) -> Iterator[str]:
    """Text of each feature."""
    ids = _json_column(plain["cell_id"])
    pieces: list[Any] = ['{"type":"Feature","id":', ids, ',"properties":{']
    for index, name in enumerate(plain.columns):
        pieces += ["," * (index > 0) + json.dumps(name) + ":", _json_column(plain[name])]
    pieces += ['},"bbox":[', *_comma_separated([*_bounds(corners)])]
    pieces += ['],"geometry":{"type":"Polygon","coordinates":[[']
    for index in range(CORNERS):
        pieces += ["],[" if index else "[", *_comma_separated([*corners[:, index].T])]
    pieces += ["]]]}}"]
    joined = pc.binary_join_element_wise(*pieces, "")
    yield from joined.to_pylist()


def _bounds(corners: np.ndarray) -> np.ndarray:
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).T


def _comma_separated(columns: list[np.ndarray]) -> list[Any]:
    pieces: list[Any] = []
    for index, values in enumerate(columns):
        pieces += [","] * (index > 0) + [_numbers(values)]
    return pieces


def _json_column(column: pd.Series) -> pa.Array:
    """JSON text of each value; ``null`` for missing ones."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return pa.array(np.where(column.to_numpy(), "true", "false"))
    if pd.api.types.is_integer_dtype(column.dtype):
        return pa.array(column.to_numpy()).cast(pa.string())
    if pd.api.types.is_float_dtype(column.dtype):
        return _numbers(round_significant(column.to_numpy()))
    texts = pa.array(column, pa.string(), from_pandas=True)
    if pc.any(pc.match_substring_regex(texts, _ESCAPED)).as_py():
        texts = pa.array([None if t is None else json.dumps(t)[1:-1] for t in texts.to_pylist()])
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    return pc.fill_null(quoted, "null")


def _numbers(values: np.ndarray) -> pa.Array:
    """Shortest text that reads back as the same number; ``null`` for NaN and infinities."""
    finite = np.isfinite(values)
    text = pa.array(np.where(finite, values, 0.0)).cast(pa.string())
    return text if finite.all() else pc.if_else(pa.array(finite), text, "null")
