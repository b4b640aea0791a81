"""How much of a box a set of rectangles leaves open."""

from __future__ import annotations

import numpy as np


def hole_share(offsets: np.ndarray, sizes: np.ndarray, shape: np.ndarray) -> float:
    """Share of a box that no rectangle fills.

    Parameters
    ----------
    offsets, sizes : ndarray of int, shape (n, 2)
        Row and column of each rectangle's corner within the box; its rows and columns.
    shape : ndarray of int, shape (2,)
        Rows and columns of the box.
    """
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
