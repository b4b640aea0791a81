"""GeoParquet of squares, written as arrays."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from borderrisk.outputs.squares import CORNERS, Squares

# Well-known binary of a polygon of one ring, little-endian (OGC 06-103r4, section 8.2).
_WKB = np.dtype(
    [("order", "u1"), ("kind", "<u4"), ("rings", "<u4"), ("points", "<u4"), ("xy", "<f8", (5, 2))]
)
_POLYGON = 3


def write_geoparquet(squares: Squares, path: Path) -> None:
    """Write cells as GeoParquet 1.1 with a box of each, in the CRS of the grid.

    The file is what GeoPandas would write, its metadata being GeoPandas' own; only the columns are
    put together without an object per cell.

    Raises
    ------
    OSError
        If the file cannot be written.

    References
    ----------
    OGC GeoParquet 1.1.0.
    """
    corners = squares.corners()
    lowest, highest = corners.min(axis=1), corners.max(axis=1)
    box = pa.StructArray.from_arrays(
        [pa.array(v) for v in (*lowest.T, *highest.T)], ["xmin", "ymin", "xmax", "ymax"]
    )
    schema = _schema(squares, [*lowest.min(axis=0), *highest.max(axis=0)])
    plain = pa.Table.from_pandas(squares.table, preserve_index=False).columns
    table = pa.table([*plain, _binary(corners), box], names=schema.names).cast(schema)
    pq.write_table(table, path, compression="zstd")


def _schema(squares: Squares, bounds: list[float]) -> pa.Schema:
    """Return the schema GeoPandas gives to a first cell, with the bounds of all."""
    example = BytesIO()
    squares.take(np.arange(1)).frame().to_parquet(
        example, index=False, schema_version="1.1.0", write_covering_bbox=True
    )
    schema = pq.read_schema(example)
    geo = json.loads(schema.metadata[b"geo"])
    geo["columns"]["geometry"]["bbox"] = [float(v) for v in bounds]
    return schema.with_metadata(schema.metadata | {b"geo": json.dumps(geo).encode()})


def _binary(corners: np.ndarray) -> pa.Array:
    """Well-known binary of each square."""
    cells = np.zeros(len(corners), _WKB)
    cells["order"], cells["kind"], cells["rings"], cells["points"] = 1, _POLYGON, 1, CORNERS
    cells["xy"] = corners
    ends = np.arange(len(corners) + 1, dtype=np.int32) * _WKB.itemsize
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(cells.tobytes())]
    return pa.Array.from_buffers(pa.binary(), len(corners), buffers)
