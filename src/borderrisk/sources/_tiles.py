"""One elevation file: its header, checked once, and its pixels as metres."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from borderrisk.compute import available_workers
from borderrisk.errors import DataError
from borderrisk.sources._decoding import undecodable
from borderrisk.sources._units import stated_unit
from borderrisk.sources._vrt import (
    FILL,
    files_behind,
    is_virtual,
    pieces,
    uncovered_share,
    with_fill,
)

log = logging.getLogger(__name__)

# Nothing outside this is an elevation in metres, whatever the file says about missing values;
# −32767 and −32768 are the usual untagged voids.
_POSSIBLE_M = (-12_000.0, 32_000.0)
_OPEN_FILES = 16
# GDAL 3.10 and later would read the sources of a virtual raster in threads whose errors are lost: a
# damaged tile would read as 0.
ERRORS_HEARD = {"VRT_NUM_THREADS": "1"}
# Windows are mostly read once and in order, so that a large cache of decoded blocks (by default 5 %
# of all memory) is of little use. In bytes, as rasterio takes it. Decoding is about as much work as
# the terrain pass.
_GDAL = {
    "GDAL_CACHEMAX": 256 * 2**20,
    "GDAL_NUM_THREADS": min(4, available_workers()),
    **ERRORS_HEARD,
}


@dataclass(frozen=True, eq=False)
class Tile:
    """Header of one raster file.

    Attributes
    ----------
    path : Path
        The file.
    crs : pyproj.CRS
        Horizontal CRS.
    transform : affine.Affine
        Pixel to CRS units, north-up (also where the file's rows run northwards).
    shape : tuple of int
        ``(rows, columns)``.
    nodata : float or None
        The file's own missing value.
    scale, offset : float
        Value = stored number × scale + offset.
    block_rows : int
        Rows that are decoded together.
    south_up, masked : bool
        Whether the file's rows run northwards; whether it carries a mask.
    opened : str
        What is opened for it: the path, or a virtual raster equal to it but for its nodata value.
    stated : tuple of (Path, str)
        The units that it and the tiles it is made of say they are in.
    """

    path: Path
    crs: CRS
    transform: Affine
    shape: tuple[int, int]
    nodata: float | None
    scale: float
    offset: float
    block_rows: int
    south_up: bool
    masked: bool
    opened: str
    stated: tuple[tuple[Path, str], ...]

    def check_like(self, other: Tile) -> None:
        """Refuse a tile that cannot be joined with another."""
        if self.crs != other.crs:
            raise DataError(
                f"{self.path} is in {self.crs.name}, but {other.path} is in {other.crs.name}; "
                "tiles of one elevation must share a CRS (gdalwarp -t_srs brings them together)."
            )
        sizes = [(t.transform.a, -t.transform.e) for t in (self, other)]
        if not np.allclose(sizes[0], sizes[1], rtol=1e-6, atol=0):
            raise DataError(
                f"{self.path} has pixels of {sizes[0][0]:g} x {sizes[0][1]:g}, but {other.path} of "
                f"{sizes[1][0]:g} x {sizes[1][1]:g}; tiles of one elevation must share the pixel "
                "size (gdalbuildvrt -resolution makes one raster of them)."
            )


def open_tile(path: Path) -> Tile:
    """Read and check the header of a raster.

    Raises
    ------
    DataError
        If the file is missing, no raster, has several bands, complex numbers, no CRS, a rotated
        grid or latitudes beyond the poles, or if a virtual raster's tile is missing or no raster.
    """
    if not path.exists():
        raise DataError(f"{path}: no such elevation file.")
    opened = _virtual(path) if is_virtual(path) else str(path)
    with _header(opened, path) as ds:
        _check_bands(path, ds)
        crs, transform, south_up = _placed(path, ds)
        unit = stated_unit(ds)
        return Tile(
            *(path, crs, transform, ds.shape, ds.nodata, float(ds.scales[0] or 1.0)),
            *(float(ds.offsets[0] or 0.0), int(ds.block_shapes[0][0]), south_up, _masked(ds)),
            *(opened, ((path, unit),) if unit else _units_within(path)),
        )


@contextmanager
def _header(name: str, path: Path) -> Iterator[Any]:
    """Open a raster that messages call ``path``."""
    try:
        with rasterio.open(name) as ds:
            yield ds
    except RasterioError as error:
        raise DataError(
            f"{path}: not a readable raster ({error}); it may be truncated: fetch or copy it again."
        ) from error


def _masked(ds: Any) -> bool:
    return any(MaskFlags.per_dataset in flags for flags in ds.mask_flag_enums[:1])


def _virtual(path: Path) -> str:
    """Check the files behind a virtual raster and return what to open for it."""
    for vrt in (path, *filter(is_virtual, files_behind(path))):
        share = uncovered_share(vrt)
        if share > 1e-9:
            log.warning(
                "%s: %.3g %% of the virtual raster has no tile; it gives no elevation there.",
                *(vrt, 100 * share),
            )
    with _header(str(path), path) as ds:
        masked = _masked(ds)
    return with_fill(path, masked=masked)


def _units_within(path: Path) -> tuple[tuple[Path, str], ...]:
    """Units that the tiles of a virtual raster state, which itself states none."""
    found: list[tuple[Path, str]] = []
    for name in dict.fromkeys(piece.name for piece in pieces(path)) if is_virtual(path) else ():
        tile = Path(name)
        with _header(name, tile) as ds:
            unit = stated_unit(ds)
        found += [(tile, unit)] if unit else _units_within(tile)
    return tuple(found)


def _check_bands(path: Path, ds: Any) -> None:
    bands = [b for b in ds.colorinterp if b is not ColorInterp.alpha]
    if len(bands) != 1 or "complex" in ds.dtypes[0]:
        raise DataError(
            f"{path}: {len(bands)} bands of {ds.dtypes[0]}; elevation is one band of numbers."
        )


def _placed(path: Path, ds: Any) -> tuple[CRS, Affine, bool]:
    """Horizontal CRS, north-up transform, and whether the file's rows run northwards."""
    if ds.crs is None:
        raise DataError(
            f"{path}: the raster has no CRS; set it with `gdal_edit.py -a_srs EPSG:4326 FILE` "
            "(or whatever it is in)."
        )
    crs = CRS.from_wkt(ds.crs.to_wkt())
    crs = crs.sub_crs_list[0] if crs.is_compound else crs
    t = ds.transform
    if t.b or t.d or t.a <= 0 or t.e == 0 or not (crs.is_geographic or crs.is_projected):
        raise DataError(
            f"{path}: the raster is rotated, mirrored or not georeferenced (transform "
            f"{tuple(t)[:6]}, {crs.name}); gdalwarp makes it north-up."
        )
    south_up = t.e > 0
    if south_up:
        t = Affine(t.a, 0.0, t.c, 0.0, -t.e, t.f + t.e * ds.height)
    _check_latitudes(path, crs, t.f + t.e * ds.height, t.f)
    return crs, t, south_up


def _check_latitudes(path: Path, crs: CRS, south: float, north: float) -> None:
    if not crs.is_geographic:
        return
    quarter = np.pi / 2 / crs.axis_info[0].unit_conversion_factor
    if south < -quarter * 1.001 or north > quarter * 1.001:
        raise DataError(
            f"{path}: latitudes of {south:g} to {north:g} are impossible; longitude and latitude "
            "look swapped. Re-create the raster with x = longitude, y = latitude."
        )


class Handles(threading.local):
    """Open files of one thread, the least recently used closed first."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, Any] = OrderedDict()

    def __reduce__(self) -> tuple[type[Handles], tuple[()]]:
        return Handles, ()

    def get(self, tile: Tile) -> Any:
        """Return the open dataset of a tile."""
        if tile.path not in self._open:
            while len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            self._open[tile.path] = rasterio.open(tile.opened)
        self._open.move_to_end(tile.path)
        return self._open[tile.path]


def read_tile(
    tile: Tile,
    handles: Handles,
    rows: slice,
    cols: slice,
    factor: float,
    bad_values: tuple[float, ...],
) -> np.ndarray:
    """Pixels of a tile in metres, float32, NaN where missing.

    Raises
    ------
    DataError
        If the window cannot be decoded; of a virtual raster, the tile that fails is named.
    """
    height, width = rows.stop - rows.start, cols.stop - cols.start
    top = tile.shape[0] - rows.stop if tile.south_up else rows.start
    window = Window(cols.start, top, width, height)
    try:
        with rasterio.Env(**_GDAL):
            ds = handles.get(tile)
            values = ds.read(1, window=window, out_dtype="float32")
            mask = ds.read_masks(1, window=window) if tile.masked else None
    except RasterioError as error:
        raise undecodable(tile.path, window, error) from error
    if mask is not None:
        values[mask == 0] = np.nan
    _to_metres(values, tile, factor, bad_values)
    return values[::-1] if tile.south_up else values


def _to_metres(
    values: np.ndarray, tile: Tile, factor: float, bad_values: tuple[float, ...]
) -> None:
    from borderrisk.sources._clean import clean

    fill = FILL if tile.opened != str(tile.path) else None
    missing = [v for v in (tile.nodata, fill, *bad_values) if v is not None and np.isfinite(v)]
    scale, offset = tile.scale * factor, tile.offset * factor
    clean(values, np.array(missing, np.float32), scale, offset, *_POSSIBLE_M)
