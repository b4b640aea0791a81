"""Exact distance from grid points to line segments, tile by tile."""

from __future__ import annotations

import numpy as np

from borderrisk.compute import compiled

# Points per side of the tiles in which candidate segments are narrowed down, coarse then fine.
COARSE, FINE = 64, 8


@compiled(error_model="numpy", inline="always")
def _squared(x, y, segments, i):
    """Squared distance from a point to segment ``i`` (x0, y0, dx, dy)."""
    px, py = x - segments[i, 0], y - segments[i, 1]
    dx, dy = segments[i, 2], segments[i, 3]
    length = dx * dx + dy * dy
    t = 0.0 if length == 0 else min(1.0, max(0.0, (px * dx + py * dy) / length))
    return (px - t * dx) ** 2 + (py - t * dy) ** 2


@compiled(error_model="numpy")
def _candidates(x, y, segments):
    """Segments that may be nearest to some point of a tile with these coordinates.

    What is farther from the tile's middle than the nearest segment plus the tile's diagonal is
    nearest to none of its points.
    """
    mx, my = (x[0] + x[-1]) / 2, (y[0] + y[-1]) / 2
    diagonal = np.hypot(x[-1] - x[0], y[-1] - y[0])
    distance, nearest = np.empty(len(segments)), np.inf
    for i in range(len(segments)):
        distance[i] = np.sqrt(_squared(mx, my, segments, i))
        nearest = min(nearest, distance[i])
    limit = (nearest + diagonal) * (1 + 1e-12)
    # Written out: a boolean index takes longer to compile than all the rest.
    kept, n = np.empty_like(segments), 0
    for i in range(len(segments)):
        if distance[i] <= limit:
            for k in range(4):
                kept[n, k] = segments[i, k]
            n += 1
    return kept[:n]


@compiled(error_model="numpy")
def _fill(x, y, segments, out):
    """Distance of each point of a tile to the nearest of its candidates."""
    for r in range(y.size):
        for c in range(x.size):
            best = np.inf
            for i in range(len(segments)):
                best = min(best, _squared(x[c], y[r], segments, i))
            out[r, c] = np.sqrt(best)


@compiled(error_model="numpy")
def distances(x, y, segments, out):
    """Distance from every point of a grid to the nearest segment.

    Parameters
    ----------
    x, y : ndarray of float64, shape (columns,), (rows,)
        Coordinates of the points.
    segments : ndarray of float64, shape (n, 4)
        Start and direction: x0, y0, x1 − x0, y1 − y0; at least one.
    out : ndarray of float64, shape (rows, columns)
        Filled.
    """
    for r in range(0, y.size, COARSE):
        for c in range(0, x.size, COARSE):
            tile_x, tile_y = x[c : c + COARSE], y[r : r + COARSE]
            near = _candidates(tile_x, tile_y, segments)
            tile = out[r : r + COARSE, c : c + COARSE]
            for i in range(0, tile_y.size, FINE):
                for j in range(0, tile_x.size, FINE):
                    fine_x, fine_y = tile_x[j : j + FINE], tile_y[i : i + FINE]
                    nearest = _candidates(fine_x, fine_y, near)
                    _fill(fine_x, fine_y, nearest, tile[i : i + FINE, j : j + FINE])
