"""What to say of pixels that cannot be decoded: which file, where, and why."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from borderrisk.errors import DataError
from borderrisk.sources._vrt import files_behind, is_virtual, pieces


def undecodable(path: Path, window: Window, error: Exception) -> DataError:
    """Return the error for a window of a file, or of the tile of a virtual raster that fails."""
    found = _damaged_piece(path, window) if is_virtual(path) else None
    name, window, error = found or (str(path), window, error)
    tile = name if found is None else f"{name} (a tile of {path})"
    top, left = int(window.row_off), int(window.col_off)
    return DataError(
        f"{tile}: pixels at rows {top} to {top + int(window.height) - 1}, columns {left} to "
        f"{left + int(window.width) - 1} cannot be decoded ({reason(error)}); the file is damaged "
        "or incomplete: fetch or copy it again."
    )


def reason(error: BaseException) -> str:
    """Return the messages of GDAL behind an error, the last first, else its own."""
    texts = []
    cause = error.__cause__
    while cause is not None:
        texts.append(str(cause).strip().rstrip("."))
        cause = cause.__cause__
    return "; ".join(dict.fromkeys(texts)) or str(error)


def _damaged_piece(vrt: Path, window: Window) -> tuple[str, Window, Exception] | None:
    """Read each tile on its own where the window shows it; the first that fails, and its rows."""
    shown = pieces(vrt)
    for piece in shown:
        found = _damage(piece.name, partial(piece.part, window))
        if found:
            return found
    # Of a warped or computed one it is not known what the window shows.
    behind = [] if shown else [str(file) for file in files_behind(vrt) if not is_virtual(file)]
    tried = (_damage(name, lambda shape: Window(0, 0, shape[1], shape[0])) for name in behind)
    return next(filter(None, tried), None)


def _damage(
    name: str, part: Callable[[tuple[int, int]], Window | None]
) -> tuple[str, Window, Exception] | None:
    """Read part of a file by the rows that are decoded together; what fails, if anything."""
    strip = Window(0, 0, 1, 1)
    try:
        with rasterio.open(name) as ds:
            window = part(ds.shape)
            if window is not None and is_virtual(Path(name)):
                return _damaged_piece(Path(name), window)
            for strip in _strips(window, int(ds.block_shapes[0][0])) if window is not None else ():
                ds.read(1, window=strip)
    except RasterioError as error:
        return name, strip, error
    return None


def _strips(window: Window, rows: int) -> list[Window]:
    """Cut a window where rows that are decoded together end."""
    top, bottom = int(window.row_off), int(window.row_off + window.height)
    edges = [top, *range(top - top % rows + rows, bottom, rows), bottom]
    return [Window(window.col_off, a, window.width, b - a) for a, b in pairwise(edges)]
