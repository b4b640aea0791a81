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
from borderrisk.sources._layout import hole_share
from borderrisk.sources._tiles import Handles, Tile, open_tile, read_tile
from borderrisk.sources._units import metres_per_unit

log = logging.getLogger(__name__)

SUFFIXES = (".tif", ".tiff", ".vrt", ".hgt", ".img", ".asc", ".bil")


def open_elevation(
    path_or_paths: str | Path | Iterable[str | Path],
    *,
    units: str | None = None,
    bad_values: Sequence[float] = (),
) -> Elevation:
    """Open elevation data and check what can be checked without reading pixels.

    Parameters
    ----------
    path_or_paths : path or sequence of paths
        A raster, a virtual raster (VRT), a folder of tiles, or a list of any of these. Where
        tiles overlap, the first in order of file name that has a value wins; within a virtual
        raster, the last it lists.
    units : {"m", "ft"}, optional
        Unit of the values; by default metres, and a file that says otherwise is refused.
    bad_values : sequence of float
        Values that mean "missing", besides the file's nodata value and −32767 and −32768.

    Returns
    -------
    Elevation
        Ready to be read window by window.

    Raises
    ------
    ConfigError
        If the unit is unknown.
    DataError
        If a file is missing, cannot be opened, has no CRS, is rotated or has impossible
        coordinates, or if tiles do not share one CRS, pixel size and unit.
    """
    paths = _tile_paths(path_or_paths)
    tiles = tuple(open_tile(path) for path in paths)
    factor = metres_per_unit(units, [stated for tile in tiles for stated in tile.stated])
    return Elevation.of(tiles, factor, tuple(float(v) for v in bad_values))


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

    Attributes
    ----------
    crs : pyproj.CRS
        Of all tiles.
    transform : affine.Affine
        Pixel (column, row) to CRS units, north-up.
    shape : tuple of int
        ``(rows, columns)`` of the box around all tiles; what lies between tiles is missing.
    tiles : tuple of Tile
        In the order in which they take precedence.
    offsets : tuple of tuple of int
        Row and column of each tile's corner.
    factor : float
        Metres per unit.
    bad_values : tuple of float
        Values that mean "missing".
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
        width, height = first.transform.a, -first.transform.e
        corner = Affine(
            *(width, 0.0, first.transform.c - round((first.transform.c - west) / width) * width),
            *(
                0.0,
                -height,
                first.transform.f + round((north - first.transform.f) / height) * height,
            ),
        )
        exact = np.array([(~corner) @ (t.transform.c, t.transform.f) for t in tiles])[:, ::-1]
        offsets = np.rint(exact).astype(int)
        sizes = np.array([t.shape for t in tiles])
        shape = (offsets + sizes).max(axis=0)
        _tell(first.path, float(np.abs(exact - offsets).max()), hole_share(offsets, sizes, shape))
        places = tuple((int(row), int(col)) for row, col in offsets)
        return cls(
            *(first.crs, corner, (int(shape[0]), int(shape[1])), tiles, places),
            *(factor, bad_values),
        )

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
    def block_rows(self) -> int:
        """Rows that are decoded together; reading whole multiples of it decodes nothing twice."""
        rows = max(tile.block_rows for tile in self.tiles)
        return rows if rows < self.shape[0] or len(self.tiles) > 1 else 1

    def read(self, rows: slice, cols: slice) -> np.ndarray:
        """Elevation of a window, float32 metres, NaN where missing.

        Raises
        ------
        DataError
            If part of a tile cannot be decoded; names the tile and the pixels.
        """
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
    part = []
    for wanted, start, size in zip((rows, cols), corner, tile.shape, strict=True):
        part.append(slice(max(wanted.start - start, 0), min(wanted.stop - start, size)))
    return (part[0], part[1]) if all(p.start < p.stop for p in part) else None


def _fill(
    out: np.ndarray, values: np.ndarray, window: tuple[slice, slice], start: tuple[int, int]
) -> None:
    """Put a tile's values where ``out`` has none yet."""
    here = tuple(
        slice(part.start - first, part.stop - first)
        for part, first in zip(window, start, strict=True)
    )
    np.copyto(out[here], values, where=np.isnan(out[here]))
