"""One elevation file: its header, checked once, its unit, and its pixels as metres."""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from borderrisk.compute import available_workers, compiled
from borderrisk.errors import ConfigError, DataError
from borderrisk.sources.files import OFFLINE, Header, existing, files_behind, is_virtual

log = logging.getLogger(__name__)

RASTERS = (
    "GTiff", "VRT", "HFA", "AAIGrid", "EHdr", "ENVI", "SRTMHGT", "DTED", "USGSDEM", "netCDF",
    "JP2OpenJPEG", "GSBG", "GSAG", "SAGA",
)  # fmt: skip
"""Formats of grids, all of which lie in files on this machine."""

# Nothing outside this is an elevation in metres, whatever the file says about missing values.
_POSSIBLE_M = (-12_000.0, 32_000.0)
# Numbers that mean a void where a file names none, as in SRTM and ESRI grids.
_VOIDS = (-9999.0, -32767.0, -32768.0)
# What the library raises for damaged files; the words of its own errors may be cut within a letter.
UNREADABLE = (RasterioError, CPLE_BaseError, CRSError, UnicodeDecodeError)
_OPEN_FILES = 16
_BLOCK_BYTES = 2**30
# GDAL 3.10 and later would read the sources of a virtual raster in threads whose errors are lost: a
# damaged tile would read as 0.
RASTER_ENV = {"VRT_NUM_THREADS": "1", **OFFLINE}
# Windows are mostly read once and in order, so that a large cache of decoded blocks (by default 5 %
# of all memory) is of little use. In bytes, as rasterio takes it. Decoding is about as much work as
# the terrain pass.
_GDAL = {
    "GDAL_CACHEMAX": 256 * 2**20,
    "GDAL_NUM_THREADS": min(4, available_workers()),
    **RASTER_ENV,
}
_NO_CRS = "none declared, taken as WGS84"
METRES_PER_UNIT = {"m": 1.0, "ft": 0.3048}
_METRES = {"m", "metre", "metres", "meter", "meters"}
_FEET = {"ft", "usft", "ftus", "intft", "ftint", "sft"}
_LENGTH = re.compile(r"(mm|cm|dm|km|yd|yards?|fathoms?|(milli|centi|deci|kilo)met(re|er)s?)")
_NO_LENGTH = re.compile(r"deg(ree)?s?|rad(ian)?s?|percent|pct|grads?|gons?")


@dataclass(frozen=True, eq=False)
class Tile:
    """Header of one raster file.

    ``transform`` takes pixels to CRS units, north-up also where the file's rows run northwards
    (``south_up``); value = stored number × ``scale`` + ``offset``; ``block_rows`` are decoded
    together; ``masked`` is whether it carries a mask; ``stated`` are the units that it and the
    tiles it is made of say they are in.
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
    dtype: str
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
    """Read and check the header of a raster: one band of numbers, north-up, in a CRS."""
    existing(path, "elevation")
    stated = []
    for tile in files_behind(path) if is_virtual(path) else ():
        with _header(tile) as ds:
            stated += [(tile, unit)] if (unit := stated_unit(ds)) else []
    with _header(path) as ds:
        _check_bands(path, ds)
        crs, transform, south_up = _placed(path, ds)
        unit = stated_unit(ds)
        masked = any(MaskFlags.per_dataset in flags for flags in ds.mask_flag_enums[:1])
        return Tile(
            *(path, crs, transform, ds.shape, ds.nodata, float(ds.scales[0] or 1.0)),
            *(float(ds.offsets[0] or 0.0), int(ds.block_shapes[0][0]), south_up, masked),
            *(str(ds.dtypes[0]), ((path, unit),) if unit else tuple(stated)),
        )


@contextmanager
def raster_header(path: Path) -> Iterator[Any]:
    """Open a raster of a local format, made of such ones, without a network."""
    for tile in files_behind(path) if is_virtual(path) else ():
        with _header(tile):
            pass
    with _header(path) as ds:
        yield ds


@contextmanager
def _header(path: Path) -> Iterator[Any]:
    try:
        with rasterio.Env(**RASTER_ENV), _local(path) as ds:
            yield ds
    except UNREADABLE as error:
        raise DataError(
            f"{path}: not a readable raster ({error}); it may be truncated: fetch or copy it again."
        ) from error


def describe_raster(path: Path) -> Header:
    """Return what a raster says of itself, or raise ``DataError`` if it is none."""
    with raster_header(path) as source:
        kind, crs = source.driver, source.crs
        size = f"{source.height:,} x {source.width:,} pixels of {source.dtypes[0]}"
        units = next((unit for unit in source.units if unit), "")
        return Header(kind, "", crs_name(crs.to_wkt() if crs else None), size, units)


def crs_name(crs: Any) -> str:
    """Return the name of a CRS, with its code if it has one."""
    if not crs:
        return _NO_CRS
    try:
        found = CRS.from_user_input(crs)
    except CRSError:
        return str(crs)[:60]
    authority = found.to_authority()
    return f"{found.name} ({':'.join(authority)})" if authority else found.name


def _local(path: Path) -> Any:
    """Open a raster of one of the formats whose pixels lie in files on this machine."""
    return rasterio.DatasetReader(str(path.absolute()), driver=list(RASTERS))


def _check_bands(path: Path, ds: Any) -> None:
    if ds.subdatasets:
        parts = ", ".join(name.rsplit(":", 1)[-1] for name in ds.subdatasets)
        raise DataError(
            f"{path} holds several variables ({parts}); write the elevation to a file of its own, "
            f"as `gdal_translate NETCDF:{path.name}:NAME elevation.tif` does."
        )
    bands = [b for b in ds.colorinterp if b is not ColorInterp.alpha]
    if len(bands) != 1 or "complex" in ds.dtypes[0]:
        kind = ds.dtypes[0] if ds.count else "numbers"
        raise DataError(f"{path}: {len(bands)} bands of {kind}; elevation is one band of numbers.")
    if bands[0] is ColorInterp.palette:
        raise DataError(
            f"{path}: the pixels are numbers of a colour table (a picture), not elevation; export "
            "the raw data instead of the rendered image."
        )
    height, width = ds.block_shapes[0]
    if height * width * np.dtype(ds.dtypes[0]).itemsize > _BLOCK_BYTES:
        raise DataError(
            f"{path}: its pixels are packed in blocks of {height:,} x {width:,}, too many to "
            "unpack at once; rewrite it with `gdal_translate -co TILED=YES -co COMPRESS=DEFLATE`."
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
    upright = np.isfinite(tuple(t)).all() and not (t.b or t.d) and t.a > 0 and t.e != 0
    if not (upright and (crs.is_geographic or crs.is_projected)):
        raise DataError(
            f"{path}: the raster is rotated, mirrored or not georeferenced (transform "
            f"{tuple(t)[:6]}, {crs.name}); gdalwarp makes it north-up."
        )
    south_up = t.e > 0
    if south_up:
        t = Affine(t.a, 0.0, t.c, 0.0, -t.e, t.f + t.e * ds.height)
    south, north = t.f + t.e * ds.height, t.f
    quarter = np.pi / 2 / crs.axis_info[0].unit_conversion_factor
    if crs.is_geographic and (south < -quarter * 1.001 or north > quarter * 1.001):
        raise DataError(
            f"{path}: latitudes of {south:g} to {north:g} are impossible; longitude and latitude "
            "look swapped. Re-create the raster with x = longitude, y = latitude."
        )
    return crs, t, south_up


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
            self._open[tile.path] = _local(tile.path)
        self._open.move_to_end(tile.path)
        return self._open[tile.path]


def read_tile(
    tile: Tile, handles: Handles, rows: slice, cols: slice, factor: float,
    bad_values: tuple[float, ...],
) -> np.ndarray:  # fmt: skip
    """Pixels of a tile in metres, float32, NaN where missing."""
    height, width = rows.stop - rows.start, cols.stop - cols.start
    top = tile.shape[0] - rows.stop if tile.south_up else rows.start
    window = Window(cols.start, top, width, height)
    try:
        with rasterio.Env(**_GDAL):
            ds = handles.get(tile)
            values = ds.read(1, window=window, out_dtype="float32")
            mask = ds.read_masks(1, window=window) if tile.masked else None
    except UNREADABLE as error:
        raise DataError(
            f"{tile.path}: pixels at rows {top} to {top + height - 1}, columns {cols.start} to "
            f"{cols.stop - 1} cannot be decoded ({reason(error)}); the file is damaged or "
            "incomplete: fetch or copy it again."
        ) from error
    if mask is not None:
        values[mask == 0] = np.nan
    # A void is far below any ground; a stored number that is scaled to one is none.
    metres = {v: (v * tile.scale + tile.offset) * factor for v in _VOIDS}
    voids = [v for v, z in metres.items() if _POSSIBLE_M[0] < z < -500]
    missing = [v for v in (tile.nodata, *voids, *bad_values) if v is not None and np.isfinite(v)]
    scale, offset = tile.scale * factor, tile.offset * factor
    _cleaner()(values, np.array(missing, np.float32), scale, offset, *_POSSIBLE_M)
    return values[::-1] if tile.south_up else values


@cache
def _cleaner() -> Any:
    return compiled()(clean)


def clean(values, missing, scale, offset, low, high):
    """Scale float32 pixels (rows, columns) in place, in one sweep.

    NaN where a stored number is among ``missing``, or the scaled one lies outside ``low`` to
    ``high``.
    """
    a, b = np.float32(scale), np.float32(offset)
    lowest, highest = np.float32(low), np.float32(high)
    for i in range(values.shape[0]):
        row = values[i]
        for value in missing:
            for j in range(row.size):
                row[j] = np.nan if row[j] == value else row[j]
        for j in range(row.size):
            z = row[j] * a + b
            row[j] = z if lowest < z < highest else np.nan


def reason(error: BaseException) -> str:
    """Return the messages of GDAL behind an error, the last first, else its own."""
    texts = []
    cause = error.__cause__
    while cause is not None:
        texts.append(str(cause).strip().rstrip("."))
        cause = cause.__cause__
    return "; ".join(dict.fromkeys(texts)) or str(error)


def stated_unit(ds: Any) -> str | None:
    """Return the unit of an open raster's band, else that of its vertical CRS, in its words."""
    if ds.units[0]:
        return str(ds.units[0])
    if ds.crs is None:
        return None
    crs = CRS.from_wkt(ds.crs.to_wkt())
    axes = crs.sub_crs_list[1].axis_info if crs.is_compound else []
    return str(axes[0].unit_name) if axes else None


def metres_per_unit(units: str | None, stated: Sequence[tuple[Path, str]]) -> float:
    """Choose the factor that makes metres of values, from the config and what files state."""
    if units is not None and units not in METRES_PER_UNIT:
        raise ConfigError(f"units of elevation must be one of m, ft (got {units!r}).")
    for path, word in stated:
        if _NO_LENGTH.fullmatch(re.sub("[^a-z]", "", word.lower())) or word.strip() in ("%", "°"):
            raise DataError(
                f"{path} says its values are in {word!r}: that is slope or aspect, not elevation."
            )
    known = [(path, word, _known(word)) for path, word in stated]
    known = [entry for entry in known if entry[2]]
    for path, word, unit in known:
        if unit != known[0][2]:
            raise DataError(
                f"{path} says its values are in {word!r}, but {known[0][0]} in {known[0][1]!r}; "
                "files of one elevation must share the unit (gdal_calc.py converts one)."
            )
    path, word, unit = known[0] if known else (Path(), "", units or "m")
    if units is not None and unit != units:
        log.warning(
            "%s says its values are in %r; they are read as data.elevation.units says: %s.",
            *(path, word, units),
        )
    elif units is None and unit != "m":
        mend = "set data.elevation.units: ft" if unit == "ft" else "convert it to metres"
        raise DataError(
            f"{path} says its values are in {word!r}, but elevation is read as metres where the "
            f"config names no unit; {mend}, or data.elevation.units: m if the file's label is "
            "wrong."
        )
    return METRES_PER_UNIT[units or "m"]


def _known(word: str) -> str:
    """Return ``m``, ``ft``, another unit of length, or nothing if the word is no length."""
    plain = re.sub("[^a-z]", "", word.lower())
    if plain in _METRES:
        return "m"
    if plain in _FEET or "foot" in plain or "feet" in plain:
        return "ft"
    return plain if _LENGTH.fullmatch(plain) else ""
