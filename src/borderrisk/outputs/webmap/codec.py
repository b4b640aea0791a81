"""Columns of numbers as text a browser unpacks: quantise, predict, gzip, base64.

Each cell's code is predicted from its neighbours to the west, north and north-west with the
median edge detector of JPEG-LS (Weinberger, Seroussi & Sapiro 2000, IEEE Trans. Image Processing
9(8)), and what is left is small, so gzip packs it well. ``assets/codec.js`` is the inverse.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# Half of the codes that one byte can hold, and two.
HALVES = (1 << 7, 1 << 15)
FINE, MEDIUM, ROUGH, COARSE = 65_535, 4_096, 1_024, 255
# Wider than this is packed by ratio; ten orders of magnitude below the top is as low as it goes.
LOG_RATIO, LOG_DEPTH = 50.0, 1e-10


@dataclass(frozen=True)
class Scale:
    """From codes to values: ``offset + step * code``, exponentiated when ``log``.

    Code ``levels`` means missing.
    """

    offset: float
    step: float
    levels: int
    log: bool = False

    @classmethod
    def fitting(cls, values: np.ndarray, levels: int, *, may_log: bool = True) -> Scale:
        """Scale that spreads ``levels`` codes over the finite values; log when they span wide."""
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        log = may_log and low > 0 and high / low > LOG_RATIO
        if log:
            low, high = float(np.log(max(low, high * LOG_DEPTH))), float(np.log(high))
        step = (high - low) / (levels - 1) or 1.0
        return cls(low, step, levels, log)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Nearest codes, uint16; missing where not finite."""
        known = np.isfinite(values)
        if self.log:
            known &= values > 0
        safe = np.where(known, values, 1.0)
        codes = np.rint(((np.log(safe) if self.log else safe) - self.offset) / self.step)
        return np.where(known, np.clip(codes, 0, self.levels - 1), self.levels).astype(np.uint16)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Values of codes, NaN where missing."""
        values = self.offset + self.step * codes.astype(np.float64)
        return np.where(codes == self.levels, np.nan, np.exp(values) if self.log else values)

    def edge_codes(self, breaks: np.ndarray) -> np.ndarray:
        """Smallest code of the class that begins at each break."""
        edges = np.log(np.maximum(breaks, 1e-300)) if self.log else breaks
        return np.clip(np.ceil((edges - self.offset) / self.step - 1e-9), 1, self.levels).astype(
            int
        )

    def spec(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {"o": self.offset, "s": self.step, "n": self.levels, "log": self.log}


def snap(
    codes: np.ndarray, values: np.ndarray, breaks: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """Move codes that rounding carried over a class break back to their side of it."""
    snapped = codes.astype(np.int64)
    for value, edge in zip(breaks, edges, strict=True):
        snapped = np.where((values < value) & (snapped >= edge), edge - 1, snapped)
        snapped = np.where((values >= value) & (snapped < edge), edge, snapped)
    return np.where(np.isfinite(values), np.maximum(snapped, 0), codes).astype(np.uint16)


def alike(
    codes: np.ndarray, values: np.ndarray, scale: Scale, said: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Move codes by one or two so that what is ``said`` of them is what is said of the values.

    Where no code near does, as on a scale too coarse, they stay.
    """
    found, wanted = codes.astype(np.int64), said(values)
    open_ = np.isfinite(values) & (codes != scale.levels)
    for shift in (0, 1, -1, 2, -2):
        moved = np.clip(codes.astype(np.int64) + shift, 0, scale.levels - 1)
        fits = open_ & (said(scale.decode(moved)) == wanted).all(axis=0)
        found = np.where(fits, moved, found)
        open_ &= ~fits
        if not open_.any():
            break
    return found.astype(np.uint16)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Positions (among the scored cells, row-major) each cell is predicted from; −1 = none."""

    west: np.ndarray
    north: np.ndarray
    north_west: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> Neighbours:
        """Neighbours of a mask's true cells; the cell before stands in for a missing one."""
        index = np.full((mask.shape[0] + 1, mask.shape[1] + 1), -1, np.int64)
        count = int(mask.sum())
        index[1:, 1:][mask] = np.arange(count)
        rows, cols = np.nonzero(mask)
        west = np.arange(count) - 1
        north, corner = index[rows, cols + 1], index[rows, cols]
        north = np.where(north < 0, west, north)
        return cls(west, north, np.where(corner < 0, north, corner))

    @classmethod
    def in_line(cls, count: int) -> Neighbours:
        """Neighbours of a plain list: each is predicted from the one before."""
        before = np.arange(count) - 1
        return cls(before, before, before)


@dataclass(frozen=True, eq=False)
class Reference:
    """What a column's codes usually are at each code of another column.

    Scores rise and fall together, so most of a column is known from one already sent; only the
    difference to ``table[codes of the other]`` is packed, and nothing is lost.
    """

    name: str
    codes: np.ndarray
    table: np.ndarray

    @classmethod
    def of(cls, name: str, reference: np.ndarray, codes: np.ndarray, levels: int) -> Reference:
        """Mean code of a column at each of ``levels + 1`` codes of the column ``name``."""
        count = np.bincount(reference, minlength=levels + 1)
        total = np.bincount(reference, weights=codes, minlength=levels + 1)
        table = np.rint(total / np.maximum(count, 1))
        last = np.maximum.accumulate(np.where(count > 0, np.arange(levels + 1), 0))
        return cls(name, reference, table[last].astype(np.uint16))

    def differences(self, codes: np.ndarray, *, wide: bool) -> np.ndarray:
        """Codes less the table's, centred in the codes' range and wrapped into it."""
        half = HALVES[wide]
        left = codes.astype(np.int64) - self.table[self.codes] + half
        return (left % (2 * half)).astype(np.uint16)


def pack(codes: np.ndarray, near: Neighbours, *, wide: bool) -> str:
    """Pack one column of codes (:meth:`Scale.encode`) into text; ``near`` is of the same cells.

    ``wide`` takes two bytes per code (all low bytes, then all high bytes) instead of one.
    """
    left = _residuals(codes.astype(np.int64), near, HALVES[wide])
    folded = np.where(left < 0, -2 * left - 1, 2 * left)
    raw = (folded & 255).astype(np.uint8).tobytes()
    if wide:
        raw += (folded >> 8).astype(np.uint8).tobytes()
    return pack_bytes(raw)


def pack_bytes(raw: bytes) -> str:
    """Pack bytes into text."""
    return base64.b64encode(gzip.compress(raw, 6, mtime=0)).decode("ascii")


def _residuals(codes: np.ndarray, near: Neighbours, half: int) -> np.ndarray:
    """Difference to the prediction, wrapped into ``-half .. half - 1``."""
    padded = np.append(codes, 0)
    a, b, c = padded[near.west], padded[near.north], padded[near.north_west]
    guess = np.clip(a + b - c, np.minimum(a, b), np.maximum(a, b))
    return (codes - guess + half) % (2 * half) - half
