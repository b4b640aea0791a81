"""Compiled loops: distance to the nearest segment tile by tile, line of sight, horizons."""

from __future__ import annotations

import numpy as np

from borderrisk.compute import compiled

# Points per side of the tiles in which candidate segments are narrowed down, coarse then fine.
COARSE, FINE = 64, 8
EARTH_RADIUS_M = 6_371_000.0
# Light bends with the air by about an eighth of the Earth's curvature.
REFRACTION = 0.13
# The drop of the surface at distance d is DROP * d².
DROP = (1 - REFRACTION) / (2 * EARTH_RADIUS_M)
DIRECTIONS = np.array(
    [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)], np.int64
)


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


@compiled("(f8[::1], f8[::1], f8[:, ::1], f8[:, ::1])", error_model="numpy")
def distances(x, y, segments, out):
    """Fill ``out`` (rows, columns) with the distance of points on a grid to the nearest segment.

    ``x`` and ``y`` are the coordinates of its columns and rows; ``segments``, at least one, of
    shape (n, 4), hold start and direction: x0, y0, x1 − x0, y1 − y0.
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


@compiled("(f4[:, ::1], f8, i8, i8, i8, f8, f8, b1[:, ::1])")
def mark_visible(
    elevation, size, row, col, radius, eye, target, seen
):  # pragma: no cover - compiled
    """Set ``seen`` where a target above the ground is in sight of an eye.

    One ray goes to each pixel of the square around the eye (Franklin & Ray 1994, "R2"); along it
    the ground is interpolated between the two nearest pixels, and a pixel is in sight if any ray
    through it says so. Missing ground hides nothing.
    """
    base = elevation[row, col] + eye
    seen[row, col] = True
    for i in range(8 * radius):
        side, step = i // (2 * radius), i % (2 * radius) - radius
        if side == 0:
            dr, dc = -radius, step
        elif side == 1:
            dr, dc = step, radius
        elif side == 2:
            dr, dc = radius, -step
        else:
            dr, dc = -step, -radius
        _ray(elevation, size, row, col, dr / radius, dc / radius, radius, base, target, seen)


@compiled()
def _ray(
    elevation, size, row, col, dr, dc, radius, base, target, seen
):  # pragma: no cover - compiled
    rows, cols = elevation.shape
    highest = -np.inf
    step = size * np.hypot(dr, dc)
    for k in range(1, radius + 1):
        distance = k * step
        if distance > radius * size:
            return
        r, c = row + k * dr, col + k * dc
        near_r, near_c = int(np.floor(r + 0.5)), int(np.floor(c + 0.5))
        if near_r < 0 or near_c < 0 or near_r >= rows or near_c >= cols:
            return
        other_r, other_c, part = near_r, near_c, 0.0
        if abs(dr) == 1.0:
            part = c - near_c
            other_c = min(max(near_c + (1 if part > 0 else -1), 0), cols - 1)
        else:
            part = r - near_r
            other_r = min(max(near_r + (1 if part > 0 else -1), 0), rows - 1)
        z, other = elevation[near_r, near_c], elevation[other_r, other_c]
        if np.isnan(z):
            continue
        if not np.isnan(other):
            z += abs(part) * (other - z)
        ground = (z - base) / distance - DROP * distance
        if ground + target / distance >= highest:
            seen[near_r, near_c] = True
        highest = max(highest, ground)


@compiled("(f4[:, ::1], f8, i8[::1], i8, i8, i8, f4[:, ::1])")
def horizon_angles(
    elevation, size, distances, stride, first, last, out
):  # pragma: no cover - compiled
    """Write the mean angle of the horizon in 8 directions, degrees, for some rows of ``out``."""
    rows, cols = elevation.shape
    for i in range(first, last):
        for j in range(out.shape[1]):
            r, c = i * stride + stride // 2, j * stride + stride // 2
            total = 0.0
            for d in range(8):
                dr, dc = DIRECTIONS[d]
                highest = -np.inf
                for k in distances:
                    rr, cc = r + k * dr, c + k * dc
                    if rr < 0 or cc < 0 or rr >= rows or cc >= cols:
                        break
                    rise = elevation[rr, cc] - elevation[r, c]
                    highest = max(highest, rise / (size * k * np.hypot(dr, dc)))
                total += np.arctan(highest) if highest > -np.inf else np.nan
            out[i, j] = np.rad2deg(total / 8)
