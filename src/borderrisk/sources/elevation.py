"""Elevation rasters: one file, a virtual raster, a list of tiles or a folder of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from affine import Affine
from pyproj import CRS

from borderrisk.errors import DataError
from borderrisk.sources._tiles import Handles, Tile, metres_per_unit, open_tile, read_tile

log = logging.getLogger(__name__)

# Tiles of one place that differ by more (median, metres) cannot both be its elevation.
_SAME_GROUND_M = 100.0

SUFFIXES = (".tif", ".tiff", ".vrt", ".hgt", ".img", ".asc", ".bil")


def open_elevation(
    path_or_paths: str | Path | Iterable[str | Path],
    *,
    units: str | None = None,
    bad_values: Sequence[float] = (),
) -> Elevation:
    """Open elevation data and check what can be checked without reading it all.

    A raster, a virtual raster (VRT), a folder of tiles, or a list of any of these. Where tiles
    overlap, the first in order of file name that has a value wins; within a virtual raster, the
    last it lists. ``units`` are m or ft: by default metres, and a file that says otherwise is
    refused. ``bad_values`` mean "missing" besides the file's nodata value, −9999, −32767 and
    −32768.

    ConfigError for an unknown unit; DataError if a file is missing, cannot be opened, has no CRS,
    is rotated or has impossible coordinates, or if tiles do not belong together.
    """
    paths = _tile_paths(path_or_paths)
    tiles = tuple(open_tile(path) for path in paths)
    factor = metres_per_unit(units, [stated for tile in tiles for stated in tile.stated])
    elevation = Elevation.of(tiles, factor, tuple(float(v) for v in bad_values))
    _check_same_place(elevation)
    return elevation


def _tile_paths(path_or_paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """All raster files, sorted by name; folders are searched to any depth."""
    single = isinstance(path_or_paths, str | Path)
    given = [path_or_paths] if single else list(path_or_paths)  # type: ignore[list-item,arg-type]
    found: set[Path] = set()
    for path in map(Path, given):  # type: ignore[arg-type]
        if path.is_dir():
            inside = [p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES]
            if not inside:
                raise DataError(
                    f"{path}: the folder holds no elevation raster ({', '.join(SUFFIXES)})."
                )
            found.update(inside)
        else:
            found.add(path)
    if not found:
        raise DataError("No elevation raster was given (the list of paths is empty).")
    return sorted(found, key=lambda p: (p.name, str(p)))


@dataclass(frozen=True, eq=False)
class Elevation:
    """Elevation in metres, read window by window from one or many tiles.

    ``transform`` takes pixels (column, row) of the north-up box around all ``tiles``, of ``shape``
    (rows, columns), to units of ``crs``; what lies between tiles is missing. Tiles are in the order
    in which they take precedence, ``offsets`` are row and column of their corners, ``factor`` is
    metres per unit.
    """

    crs: CRS
    transform: Affine
    shape: tuple[int, int]
    tiles: tuple[Tile, ...]
    offsets: tuple[tuple[int, int], ...]
    factor: float
    bad_values: tuple[float, ...]
    handles: Handles = field(default_factory=Handles, repr=False)

    @classmethod
    def of(cls, tiles: tuple[Tile, ...], factor: float, bad_values: tuple[float, ...]) -> Elevation:
        """Lay tiles out on the pixels of the first."""
        first = tiles[0]
        for tile in tiles[1:]:
            tile.check_like(first)
        west, north = min(t.transform.c for t in tiles), max(t.transform.f for t in tiles)
        right = round((first.transform.c - west) / first.transform.a)
        down = round((north - first.transform.f) / -first.transform.e)
        corner = first.transform @ Affine.translation(-right, -down)
        exact = np.array([(~corner) @ (t.transform.c, t.transform.f) for t in tiles])[:, ::-1]
        offsets = np.rint(exact).astype(int)
        sizes = np.array([t.shape for t in tiles])
        shape = (offsets + sizes).max(axis=0)
        _tell(first.path, float(np.abs(exact - offsets).max()), _hole_share(offsets, sizes, shape))
        places = tuple((int(row), int(col)) for row, col in offsets)
        rows, cols = map(int, shape)
        return cls(first.crs, corner, (rows, cols), tiles, places, factor, bad_values)

    @property
    def name(self) -> str:
        """What messages call it."""
        first = self.tiles[0].path
        return str(first) if len(self.tiles) == 1 else f"{first.parent} ({len(self.tiles)} tiles)"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``(west, south, east, north)`` in CRS units."""
        t, (rows, cols) = self.transform, self.shape
        return (t.c, t.f + rows * t.e, t.c + cols * t.a, t.f)

    @property
    def is_narrow(self) -> bool:
        """Whether it is stored in 8 bits as it is, which hardly any elevation is."""
        plain = all(t.scale == 1 and t.offset == 0 for t in self.tiles)
        return plain and any(t.dtype in ("uint8", "int8") for t in self.tiles)

    @property
    def block_rows(self) -> int:
        """Rows that are decoded together; reading whole multiples of it decodes nothing twice."""
        rows = max(tile.block_rows for tile in self.tiles)
        return rows if rows < self.shape[0] or len(self.tiles) > 1 else 1

    def read(self, rows: slice, cols: slice) -> np.ndarray:
        """Elevation of a window, float32 metres, NaN where missing."""
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        out = np.full((0, 0), np.nan, np.float32)
        for tile, corner in zip(self.tiles, self.offsets, strict=True):
            window = _window(tile, corner, rows, cols)
            if window is None or (out.size and not np.isnan(out).any()):
                continue
            values = read_tile(tile, self.handles, *window, self.factor, self.bad_values)
            if values.shape == shape and not out.size:
                out = values
                continue
            out = out if out.size else np.full(shape, np.nan, np.float32)
            _fill(out, values, window, (rows.start - corner[0], cols.start - corner[1]))
        return out if out.size else np.full(shape, np.nan, np.float32)


def _check_same_place(elevation: Elevation) -> None:
    """Refuse two tiles of one place that cannot both be its elevation."""
    at: dict[object, Tile] = {}
    for tile, corner in zip(elevation.tiles, elevation.offsets, strict=True):
        other = at.setdefault((corner, tile.shape), tile)
        if other is tile:
            continue
        rows, cols = (slice(n // 2 - n // 8, n // 2 + n // 8 + 1) for n in tile.shape)
        one, two = (
            read_tile(t, elevation.handles, rows, cols, elevation.factor, elevation.bad_values)
            for t in (other, tile)
        )
        apart = np.abs(one - two)
        apart = apart[np.isfinite(apart)]
        if apart.size and np.median(apart) > _SAME_GROUND_M:
            raise DataError(
                f"{other.path} and {tile.path} cover the same place but differ by "
                f"{np.median(apart):.0f} m: one of them is no elevation; name the tiles one by one."
            )


def _tell(path: Path, shift: float, hole_share: float) -> None:
    """Warn of what a mosaic of tiles lacks."""
    if shift > 0.01:
        log.warning(
            "%s and others: tiles are not on one pixel grid; they are read at the nearest pixel, "
            "%.2f pixels off at most.",
            *(path, shift),
        )
    if hole_share > 1e-9:
        log.warning(
            "%s and others: %.3g %% of the box around the tiles has no tile; elevation is missing "
            "there.",
            *(path, 100 * hole_share),
        )


def _window(
    tile: Tile, corner: tuple[int, int], rows: slice, cols: slice
) -> tuple[slice, slice] | None:
    """Part of a tile in a window of the mosaic, in the tile's own pixels."""
    down, right = (
        slice(max(wanted.start - start, 0), min(wanted.stop - start, size))
        for wanted, start, size in zip((rows, cols), corner, tile.shape, strict=True)
    )
    return (down, right) if down.start < down.stop and right.start < right.stop else None


def _fill(
    out: np.ndarray, values: np.ndarray, window: tuple[slice, slice], start: tuple[int, int]
) -> None:
    """Put a tile's values where ``out`` has none yet."""
    here = tuple(
        slice(part.start - first, part.stop - first)
        for part, first in zip(window, start, strict=True)
    )
    np.copyto(out[here], values, where=np.isnan(out[here]))


def _hole_share(offsets: np.ndarray, sizes: np.ndarray, shape: np.ndarray) -> float:
    """Share of a box of ``(rows, columns)`` that no rectangle fills, given corners and sizes."""
    corners = np.concatenate([offsets, offsets + sizes])
    edges = [np.unique(np.append(corners[:, axis], (0, shape[axis]))) for axis in (0, 1)]
    filled = np.zeros((edges[0].size - 1, edges[1].size - 1), bool)
    for start, size in zip(offsets, sizes, strict=True):
        rows, cols = (
            slice(*np.searchsorted(edges[a], (start[a], start[a] + size[a]))) for a in (0, 1)
        )
        filled[rows, cols] = True
    area = np.outer(np.diff(edges[0]), np.diff(edges[1]))
    return float(1 - area[filled].sum() / area.sum())
