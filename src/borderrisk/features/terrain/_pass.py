"""The streaming pass: strips of the raster, read ahead of the computation, into sums per cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from affine import Affine

from borderrisk.features.terrain._checks import RasterWindow, refuse_elsewhere
from borderrisk.features.terrain._geometry import PixelMap, window_over
from borderrisk.grid import Grid

# Elevations beyond this are not elevations; it bounds the fixed-point sums.
MAX_ELEVATION_M = 32_768.0
_HISTOGRAM_BYTES = 32 * 2**20
_BINS = (128, 2048)
# Column ranges per thread: more than one, so that threads finish together.
_RANGES_PER_THREAD = 3
_STRIP_PIXELS = 2_000_000
_END = object()
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Layout:
    """How sums are stored, a function of the grid and the pixel size only.

    ``scales`` of the 12 fixed-point sums are as fine as the largest possible total allows; the
    slope histogram has ``bins`` of ``dtype``.
    """

    scales: np.ndarray
    bins: int
    dtype: type

    @classmethod
    def of(cls, cells: int, samples_per_cell: float, pixel_m: float) -> Layout:
        """Return the layout for a number of cells, samples per cell, and the pixel size."""
        spare = 62 - int(np.ceil(np.log2(max(samples_per_cell, 1) * 4 + 4)))
        curvature = 8 * MAX_ELEVATION_M / pixel_m**2
        largest = (
            *(1, 1, MAX_ELEVATION_M, MAX_ELEVATION_M**2, 90, 8 * MAX_ELEVATION_M),
            *(1, 1, 1, 1, 1, curvature),
        )
        scales = np.array([2.0 ** min(spare - np.ceil(np.log2(m)), 40) for m in largest])
        few = samples_per_cell * 4 < np.iinfo(np.uint16).max
        dtype = np.uint16 if few else np.uint32
        bins = _HISTOGRAM_BYTES // (cells * np.dtype(dtype).itemsize)
        return cls(scales, int(np.clip(bins, *_BINS)), dtype)


@dataclass(eq=False)
class Sums:
    """Sums over the pixels of each cell of a box of the grid: first row and column, rows, columns.

    By cell: ``acc`` are 12 counts and fixed-point sums (int64), ``ext`` the lowest and highest
    elevation (+inf and −inf where none), ``hist`` the bins of slopes.
    """

    box: tuple[int, int, int, int]
    acc: np.ndarray
    ext: np.ndarray
    hist: np.ndarray

    @classmethod
    def empty(cls, box: tuple[int, int, int, int], layout: Layout) -> Sums:
        """Return sums of nothing."""
        cells = box[2] * box[3]
        ext = np.empty((cells, 2), np.float32)
        ext[:, 0], ext[:, 1] = np.inf, -np.inf
        hist: np.ndarray = np.zeros((cells, layout.bins), layout.dtype)
        return cls(box, np.zeros((cells, 12), np.int64), ext, hist)

    def total(self, column: int, layout: Layout) -> np.ndarray:
        """One sum as float64, shape (cells,)."""
        return self.acc[:, column] / layout.scales[column]


@dataclass(frozen=True, eq=False)
class Plan:
    """One terrain pass: the part of a raster over the grid, where its pixels fall, their sums."""

    source: RasterWindow
    grid: Grid
    rows: slice
    cols: slice
    pixels: PixelMap
    layout: Layout

    @classmethod
    def of(cls, source: RasterWindow, grid: Grid) -> Plan:
        """Plan the pass; DataError if the raster lies wholly outside the grid."""
        rows, cols = window_over(source.crs, source.transform, source.shape, grid)
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        if min(shape) < 1:
            refuse_elsewhere(source, grid)
        transform = source.transform @ Affine.translation(cols.start, rows.start)
        pixels = PixelMap(source.crs, transform, shape, grid)
        samples = (pixels.split / pixels.cells_per_pixel) ** 2
        layout = Layout.of(grid.size, samples, pixels.cells_per_pixel * grid.cell_size_m)
        return cls(source, grid, rows, cols, pixels, layout)

    def strip_rows(self, window_rows: int | None) -> int:
        """Rows of a strip: as asked, or whole blocks of the file of some million pixels."""
        if window_rows is not None:
            return max(1, window_rows)
        block = int(getattr(self.source, "block_rows", 256))
        wanted = _STRIP_PIXELS // max(self.pixels.shape[1], 1)
        return block * max(1, wanted // block)


def sum_rows(
    plan: Plan,
    first: int,
    last: int,
    box: tuple[int, int, int, int],
    *,
    threads: int = 1,
    window_rows: int | None = None,
) -> Sums:
    """Sum the window rows ``first`` to ``last`` into the cells of a box of the grid.

    The box is first row, first column, rows and columns; one more thread reads, and
    ``window_rows`` are held in memory at a time.
    """
    from borderrisk.features.terrain._kernels import accumulate

    sums = Sums.empty(box, plan.layout)
    pixels = plan.pixels
    edges = np.linspace(box[1], box[1] + box[3], threads * _RANGES_PER_THREAD + 1).astype(int)

    def work(k: int) -> None:
        own = (int(edges[k]), int(edges[k + 1]))
        accumulate(
            *(z, row, control, ground, box, own),
            *(plan.layout.scales, sums.acc, sums.ext, sums.hist),
        )

    with ThreadPoolExecutor(threads) as pool:
        for row, z in ahead(_strips(plan, first, last, plan.strip_rows(window_rows))):
            stop = row + z.shape[0] - 2
            control = (*pixels.control(row, stop), pixels.step, pixels.split)
            ground = pixels.ground_size(row, stop)
            list(pool.map(work, range(edges.size - 1)))
    return sums


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield items in order while the next one is made in another thread."""
    iterator = iter(items)
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, iterator, _END)
        while (item := coming.result()) is not _END:
            coming = maker.submit(next, iterator, _END)
            yield item  # type: ignore[misc]


def _strips(plan: Plan, first: int, last: int, height: int) -> Iterator[tuple[int, np.ndarray]]:
    """First row and pixels of each strip, with a border of one pixel all around.

    No row is read twice: a strip starts with the last two rows of the one before it. Strips end
    where rows of blocks of the file end.
    """
    start, done = first - 1, last + 1
    carried = np.empty((0, plan.pixels.shape[1] + 2), np.float32)
    offset = plan.rows.start
    while start < done:
        stop = min(((start + offset) // height + 1) * height - offset, done)
        z = np.empty((carried.shape[0] + stop - start, carried.shape[1]), np.float32)
        z[: carried.shape[0]] = carried
        _read_into(z[carried.shape[0] :], plan, start)
        top, start, carried = start - carried.shape[0], stop, z[-2:]
        if z.shape[0] > 2:
            yield top + 1, z


def _read_into(z: np.ndarray, plan: Plan, start: int) -> None:
    """Fill ``z`` with the rows from ``start`` and one column more on either side."""
    r0, c0 = plan.rows.start + start, plan.cols.start - 1
    rows = slice(max(r0, 0), min(r0 + z.shape[0], plan.source.shape[0]))
    cols = slice(max(c0, 0), min(c0 + z.shape[1], plan.source.shape[1]))
    if rows.stop - rows.start < z.shape[0] or cols.stop - cols.start < z.shape[1]:
        z[:] = np.nan
    if rows.stop > rows.start:
        z[rows.start - r0 : rows.stop - r0, cols.start - c0 : cols.stop - c0] = plan.source.read(
            rows, cols
        )
