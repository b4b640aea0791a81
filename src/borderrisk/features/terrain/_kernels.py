"""The compiled inner loops: pixels of a strip into per-cell integer sums.

Sums are kept as integers (fixed point), because integer addition gives the same total in any
order: the result does not depend on the window size, the threads or the machine that did a strip.
"""

from __future__ import annotations

import numpy as np

from borderrisk.compute import compiled

# Columns of the sums, in the order of the scales that `_accumulate.Scales` gives.
COUNT, SLOPE_COUNT, Z, Z2, SLOPE, TRI, NX, NY, NZ, NORTH, EAST, CURVE = range(12)
# Pixels of a row that are worked on together, and what is known of each: rows of a flat buffer,
# SEGMENT apart. One buffer with constant distances lets the compiler use vector instructions.
SEGMENT = 64
_METRICS = 10

# No "no NaN" flag: missing pixels are NaN.
_FLAGS = {"reassoc", "contract", "arcp", "nsz"}
_TWO = np.float32(2)
_ONE = np.float32(1)
_TINY = np.float32(1e-20)
_TWICE_DEGREES = np.float32(360 / np.pi)
# Abramowitz & Stegun 4.4.49: arctangent on [0, 1] to 2e-8.
_A1, _A3, _A5, _A7, _A9, _A11, _A13, _A15, _A17 = (
    np.float32(a)
    for a in (
        1.0,
        -0.3333314528,
        0.1999355085,
        -0.1420889944,
        0.1065626393,
        -0.0752896400,
        0.0429096138,
        -0.0161657367,
        0.0028662257,
    )
)


@compiled(error_model="numpy", inline="always")
def _slope_degrees(gradient, secant):
    """Arctangent of the gradient in degrees, through the half angle; ``secant`` = √(1 + g²)."""
    t = gradient / (_ONE + secant)
    t2 = t * t
    high = _A9 + t2 * (_A11 + t2 * (_A13 + t2 * (_A15 + t2 * _A17)))
    return _TWICE_DEGREES * t * (_A1 + t2 * (_A3 + t2 * (_A5 + t2 * (_A7 + t2 * high))))


@compiled(error_model="numpy", fastmath=_FLAGS)
def pixel_metrics(up, mid, down, dx, dy, bins, out):
    """Surface measures of a run of pixels from their 3 x 3 neighbourhoods.

    Parameters
    ----------
    up, mid, down : ndarray of float32, shape (n + 2,)
        Three rows, north to south, with one more pixel at each end.
    dx, dy : float
        Ground size of a pixel, metres.
    bins : int
        Bins of the slope histogram.
    out : ndarray of float32, shape (640,)
        For ``n`` pixels each, 64 apart: slope (degrees), TRI (m), unit normal east, north, up,
        northness, eastness, curvature (1/m), elevation (m), bin of the slope. NaN where a
        neighbour is missing.
    """
    gx = np.float32(0.125 / dx)
    gy = np.float32(0.125 / dy)
    ix2 = np.float32(1 / (dx * dx))
    iy2 = np.float32(1 / (dy * dy))
    per_root = np.float32(bins / np.sqrt(90.0))
    for k in range(mid.size - 2):
        nw, n, ne = up[k], up[k + 1], up[k + 2]
        w, z, e = mid[k], mid[k + 1], mid[k + 2]
        sw, s, se = down[k], down[k + 1], down[k + 2]
        p = ((ne - nw) + _TWO * (e - w) + (se - sw)) * gx
        q = ((nw - sw) + _TWO * (n - s) + (ne - se)) * gy
        g2 = p * p + q * q
        g = np.sqrt(g2)
        secant = np.sqrt(_ONE + g2)
        up_part = _ONE / secant
        downhill = -_ONE / (g + _TINY)
        d1, d2, d3, d4 = nw - z, n - z, ne - z, w - z
        d5, d6, d7, d8 = e - z, sw - z, s - z, se - z
        squares = (d1 * d1 + d2 * d2 + d3 * d3 + d4 * d4) + (d5 * d5 + d6 * d6 + d7 * d7 + d8 * d8)
        slope = _slope_degrees(g, secant)
        out[k] = slope
        out[SEGMENT + k] = np.sqrt(squares)
        out[2 * SEGMENT + k] = -p * up_part
        out[3 * SEGMENT + k] = -q * up_part
        out[4 * SEGMENT + k] = up_part
        out[5 * SEGMENT + k] = q * downhill
        out[6 * SEGMENT + k] = p * downhill
        out[7 * SEGMENT + k] = -((d4 + d5) * ix2 + (d2 + d7) * iy2)
        out[8 * SEGMENT + k] = z
        out[9 * SEGMENT + k] = np.sqrt(slope) * per_root


@compiled(error_model="numpy", inline="always")
def _fixed(value, scale):
    return np.int64(np.floor(value * scale + 0.5))


@compiled(error_model="numpy")
def _add_whole(buf, stride, a, b, scales, cell, acc, ext, hist):
    """Add pixels ``a`` to ``b``, none of them missing, to one cell.

    Takes whole arrays and a cell number: views of single cells would be reference-counted.
    """
    z1 = z2 = slope = tri = nx = ny = nz = north = east = curve = 0.0
    low = high = buf[8 * stride + a]
    for k in range(a, b):
        zf = buf[8 * stride + k]
        z = np.float64(zf)
        hist[cell, np.uint64(buf[9 * stride + k])] += 1
        z1 += z
        z2 += z * z
        slope += np.float64(buf[k])
        tri += np.float64(buf[stride + k])
        nx += np.float64(buf[2 * stride + k])
        ny += np.float64(buf[3 * stride + k])
        nz += np.float64(buf[4 * stride + k])
        north += np.float64(buf[5 * stride + k])
        east += np.float64(buf[6 * stride + k])
        curve += np.float64(buf[7 * stride + k])
        low = min(low, zf)
        high = max(high, zf)
    acc[cell, COUNT] += b - a
    acc[cell, SLOPE_COUNT] += b - a
    acc[cell, Z] += _fixed(z1, scales[Z])
    acc[cell, Z2] += _fixed(z2, scales[Z2])
    acc[cell, SLOPE] += _fixed(slope, scales[SLOPE])
    acc[cell, TRI] += _fixed(tri, scales[TRI])
    acc[cell, NX] += _fixed(nx, scales[NX])
    acc[cell, NY] += _fixed(ny, scales[NY])
    acc[cell, NZ] += _fixed(nz, scales[NZ])
    acc[cell, NORTH] += _fixed(north, scales[NORTH])
    acc[cell, EAST] += _fixed(east, scales[EAST])
    acc[cell, CURVE] += _fixed(curve, scales[CURVE])
    ext[cell, 0] = min(ext[cell, 0], low)
    ext[cell, 1] = max(ext[cell, 1], high)


@compiled(error_model="numpy")
def _add_present(buf, stride, a, b, scales, cell, acc, ext):
    """Add pixels ``a`` to ``b`` to one cell, skipping what is missing."""
    for k in range(a, b):
        zf = buf[8 * stride + k]
        if np.isnan(zf):
            continue
        z = np.float64(zf)
        acc[cell, COUNT] += 1
        acc[cell, Z] += _fixed(z, scales[Z])
        acc[cell, Z2] += _fixed(z * z, scales[Z2])
        ext[cell, 0] = min(ext[cell, 0], zf)
        ext[cell, 1] = max(ext[cell, 1], zf)
        if np.isnan(buf[stride + k]):
            continue
        acc[cell, SLOPE_COUNT] += 1
        for m in range(8):
            acc[cell, SLOPE + m] += _fixed(np.float64(buf[m * stride + k]), scales[SLOPE + m])


@compiled(error_model="numpy")
def _count_slopes(buf, stride, a, b, cell, hist):
    """Add slopes to one cell's histogram, whose bin edges are 90° (i / bins)²."""
    for k in range(a, b):
        place = buf[9 * stride + k]
        if not np.isnan(place):
            hist[cell, min(hist.shape[1] - 1, np.int64(place))] += 1


@compiled(error_model="numpy")
def _label(u0, v0, du, dv, n, box, own, lab):
    """Cell index of each sample of a segment, −1 outside; returns whether any is inside."""
    row0, col0, rows, cols = box
    any_inside = False
    for k in range(n):
        col = np.int64(np.floor(u0 + (k + 0.5) * du))
        row = np.int64(np.floor(v0 + (k + 0.5) * dv)) - row0
        inside = (col >= own[0]) & (col < own[1]) & (row >= 0) & (row < rows)
        lab[k] = row * cols + (col - col0) if inside else -1
        any_inside |= inside
    return any_inside


@compiled(error_model="numpy")
def _add_segment(buf, stride, lab, n, whole, scales, acc, ext, hist):
    """Add a labelled segment, run of equal labels by run."""
    a = np.int64(0)  # a bare 0 would have everything below compiled a second time
    while a < n:
        cell = lab[a]
        b = a + 1
        while b < n and lab[b] == cell:
            b += 1
        if cell >= 0:
            if whole:
                _add_whole(buf, stride, a, b, scales, cell, acc, ext, hist)
            else:
                _add_present(buf, stride, a, b, scales, cell, acc, ext)
                _count_slopes(buf, stride, a, b, cell, hist)
        a = b


@compiled(error_model="numpy", fastmath=_FLAGS)
def _is_whole(buf, n):
    """Whether no pixel and no neighbour of a segment is missing."""
    total = np.float32(0)
    for k in range(n):
        total += np.float32(0) * buf[SEGMENT + k]
    return total == 0


@compiled(error_model="numpy")
def _spread(buf, n, split, out):
    """Repeat each pixel of a segment ``split`` times along the row."""
    for m in range(_METRICS):
        for k in range(n):
            for s in range(split):
                out[(m * SEGMENT + k) * split + s] = buf[m * SEGMENT + k]


@compiled(error_model="numpy", inline="always")
def _ends(field, row, share, j):
    """Value of a control field at both ends of segment ``j``, between two control rows."""
    left = (1 - share) * field[row, j] + share * field[row + 1, j]
    right = (1 - share) * field[row, j + 1] + share * field[row + 1, j + 1]
    return left, right


@compiled(error_model="numpy")
def _locate(at, j, n, control, box, own, lab):
    """Label the samples of segment ``j`` on the pixel-edge row ``at``; whether any is inside."""
    u, v, control_row, step, split = control
    row = np.int64(at / step)
    share = at / step - row
    row -= control_row
    u0, u1 = _ends(u, row, share, j)
    if max(u0, u1) < own[0] or min(u0, u1) >= own[1]:
        return False
    v0, v1 = _ends(v, row, share, j)
    samples = step * split
    return _label(u0, v0, (u1 - u0) / samples, (v1 - v0) / samples, n * split, box, own, lab)


@compiled(error_model="numpy")
def _reach(u, own):
    """First and one past the last segment that may lie in a range of grid columns."""
    begin, end = u.shape[1] - 1, 0
    for j in range(u.shape[1] - 1):
        left = right = True
        for i in range(u.shape[0]):
            left &= (u[i, j] < own[0]) & (u[i, j + 1] < own[0])
            right &= (u[i, j] >= own[1]) & (u[i, j + 1] >= own[1])
        if not (left or right):
            begin, end = min(begin, j), j + 1
    return begin, end


@compiled(error_model="numpy")
def accumulate(z, first, control, ground, box, own, scales, acc, ext, hist):
    """Add the pixels of a strip to the cells of a range of grid columns.

    Parameters
    ----------
    z : ndarray of float32, shape (rows + 2, columns + 2)
        Elevation with a border of one pixel, NaN = missing.
    first : int
        Row number of the first row (without the border).
    control : tuple (u, v, control_row, step, split)
        Exact grid columns ``u`` and rows ``v`` of the control points, float64 of shape (control
        rows, segments + 1), which lie every ``step`` pixel edges from row ``control_row * step``
        on; and the samples per pixel and axis (1, or more where pixels are large).
    ground : tuple (dx, dy)
        Ground size of the pixels in metres, float64 of shape (rows, segments) or (rows, 1).
    box, own : tuple of int
        Rows and columns of the grid that ``acc`` holds (row, column, rows, columns); range of
        grid columns to add to, so that threads never share a cell.
    scales : ndarray of float64, shape (12,)
        Fixed-point scale of each sum.
    acc, ext, hist : ndarray, shape (cells, 12), (cells, 2), (cells, bins)
        Added to in place.
    """
    u, _, _, step, split = control
    dx, dy = ground
    buf = np.empty(_METRICS * SEGMENT, np.float32)
    wide = np.empty(buf.size * split, np.float32) if split > 1 else buf
    lab = np.empty(step * split, np.int64)
    begin, end = _reach(u, own)
    for i in range(z.shape[0] - 2):
        for j in range(begin, end):
            n = min(step, z.shape[1] - 2 - j * step)
            line = slice(j * step, j * step + n + 2)
            k = min(j, dx.shape[1] - 1)
            whole = ready = False
            for sub in range(split):
                if not _locate(first + i + (sub + 0.5) / split, j, n, control, box, own, lab):
                    continue
                if not ready:
                    up, mid, down = z[i, line], z[i + 1, line], z[i + 2, line]
                    pixel_metrics(up, mid, down, dx[i, k], dy[i, k], hist.shape[1], buf)
                    whole = _is_whole(buf, n)
                    if split > 1:
                        _spread(buf, n, split, wide)
                    ready = True
                stride = SEGMENT * split
                _add_segment(wide, stride, lab, n * split, whole, scales, acc, ext, hist)


@compiled(error_model="numpy")
def _order_statistic(hist, k):
    """Value of the k-th smallest slope, members of a bin spread evenly over it."""
    bins = hist.size
    below = np.int64(0)
    for i in range(bins):
        n = np.int64(hist[i])
        if below + n > k:
            share = (k - below + 0.5) / n
            low, high = 90.0 * (i / bins) ** 2, 90.0 * ((i + 1) / bins) ** 2
            return low + share * (high - low)
        below += n
    return np.nan


@compiled(error_model="numpy")
def histogram_quantile(hist, counts, q, out):
    """Quantile of each cell's slopes by linear interpolation between order statistics."""
    for cell in range(hist.shape[0]):
        n = counts[cell]
        if n > 0:
            h = q * (n - 1)
            k = np.int64(h)
            low = _order_statistic(hist[cell], k)
            high = _order_statistic(hist[cell], min(k + 1, n - 1))
            out[cell] = low + (h - k) * (high - low)
