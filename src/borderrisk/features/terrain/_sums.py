"""Per-cell sums of a terrain pass: what the kernel adds to and what partial results merge into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Elevations beyond this are not elevations; it bounds the fixed-point sums.
MAX_ELEVATION_M = 32_768.0
_HISTOGRAM_BYTES = 32 * 2**20
_BINS = (128, 2048)


@dataclass(frozen=True, eq=False)
class Layout:
    """How sums are stored, a function of the grid and the pixel size only.

    Attributes
    ----------
    scales : ndarray of float64, shape (12,)
        Fixed-point scale of each sum: as fine as the largest possible total allows.
    bins : int
        Bins of the slope histogram.
    dtype : numpy dtype
        Of the histogram.
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
    """Sums over the pixels of each cell of a box of the grid.

    Attributes
    ----------
    box : tuple of int
        First row, first column, rows and columns of the grid.
    acc : ndarray of int64, shape (cells, 12)
        Counts and fixed-point sums.
    ext : ndarray of float32, shape (cells, 2)
        Lowest and highest elevation (+inf and −inf where none).
    hist : ndarray of uint, shape (cells, bins)
        Slopes.
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
