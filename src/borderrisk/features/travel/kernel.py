"""Compiled loops of the travel-time solver: permitted steps, and Dijkstra with a bucket queue.

A step goes to one of 16 cells: 4 along the axes, 4 diagonal, 8 knight's moves. The queue is a ring
of buckets one shortest step wide (Dial 1969), so a cell taken from the current bucket is final and
no sorting is needed. Buckets are chains of small blocks from one pool, which stays as small as the
front is.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Row and column of each move; bit k of a cell's move mask permits move k.
MOVES = np.array(
    [
        *[(-1, 0), (0, -1), (0, 1), (1, 0)],
        *[(-1, -1), (-1, 1), (1, -1), (1, 1)],
        *[(-2, -1), (-2, 1), (-1, -2), (-1, 2), (1, -2), (1, 2), (2, -1), (2, 1)],
    ]
)
N_MOVES = len(MOVES)
NEAR_MOVES = 8
# Move k undone is move OPPOSITE[k].
OPPOSITE = np.array([int(np.flatnonzero((m == -MOVES).all(axis=1))[0]) for m in MOVES])
# The two cells a knight's move passes, and the two that flank a diagonal (unused for the axes).
PASSED = np.array(
    [
        [(0, 0), (0, 0)]
        if not r * c
        else [(r, 0), (0, c)]
        if abs(r) == abs(c)
        else [(r // 2, 0), (r // 2, c)]
        if abs(r) == 2
        else [(0, c // 2), (r, c // 2)]
        for r, c in MOVES
    ]
)
START = np.uint8(255)
BLOCK = 64


@njit(nogil=True, cache=True)
def permit_moves(elevation, road, limit, first, last, moves):  # pragma: no cover - compiled
    """Write the move masks of some rows.

    A step needs elevation at both ends and a slope within ``limit`` (metres of rise per move),
    unless both ends are road. No step squeezes between two closed cells or over one, so a closed
    line of cells that touch by a corner is tight.
    """
    rows, cols = elevation.shape
    for r in range(first, last):
        for c in range(cols):
            z = elevation[r, c]
            mask = 0
            for k in range(N_MOVES):
                rr, cc = r + MOVES[k, 0], c + MOVES[k, 1]
                if rr < 0 or cc < 0 or rr >= rows or cc >= cols:
                    continue
                rise = abs(elevation[rr, cc] - z)
                by_road = k < NEAR_MOVES and road.size > 0 and road[r, c] > 0 and road[rr, cc] > 0
                if by_road or (rise <= limit[k] and _is_open(elevation, r, c, k)):
                    mask |= 1 << k
            moves[r, c] = mask


@njit(nogil=True, cache=True)
def _is_open(elevation, r, c, k):  # pragma: no cover - compiled
    if k < 4:
        return True
    one = np.isnan(elevation[r + PASSED[k, 0, 0], c + PASSED[k, 0, 1]])
    two = np.isnan(elevation[r + PASSED[k, 1, 0], c + PASSED[k, 1, 1]])
    return not (one and two) if k < NEAR_MOVES else not (one or two)


@njit(nogil=True, cache=True)
def accumulate(  # noqa: PLR0917
    elevation, moves, multiplier, road, cols, sign, length, fastest, table, width, n_buckets,
    starts, hours, came,
):  # fmt: skip  # pragma: no cover - compiled
    """Fill ``hours`` and ``came`` outward from the starts.

    Parameters
    ----------
    elevation, moves : flat arrays
        Metres, and the masks of :func:`permit_moves`.
    multiplier, road : flat arrays
        Pace multiplier and hours per km by road (0 = none); empty when there is none.
    cols : int
        Cells per row.
    sign : float
        1 to walk away from the starts, −1 to walk towards them.
    length, fastest : ndarray, shape (16,)
        Kilometres of each move and the fewest hours it can take.
    table : ndarray
        Hours per km by slope; the first two entries are the lowest slope and entries per slope.
    width, n_buckets : float, int
        Hours in a bucket, and buckets in the ring (more than the longest step needs).
    starts : ndarray of int
        Cells whose ``hours`` are set already.
    hours : ndarray
        Infinite elsewhere; filled in place.
    came : ndarray of uint8
        Move that led to each cell, START where none did; filled in place.
    """
    offset = MOVES[:, 0] * cols + MOVES[:, 1]
    heads = np.full(n_buckets, -1, np.int32)
    fill = np.zeros(n_buckets, np.int32)
    state = np.array([-1, 0, 0], np.int64)  # first free block, blocks used so far, entries
    links, items = _grow(np.empty(0, np.int32), np.empty(0, np.int32), 1024)
    rounded = np.empty(1, hours.dtype)
    order = starts[np.argsort(hours[starts])]
    first_bucket = (hours[order] / width).astype(np.int64)
    waiting, current = 0, 0
    while waiting < len(order) or state[2] > 0:
        if state[2] == 0:
            current = first_bucket[waiting]
        while waiting < len(order) and first_bucket[waiting] <= current:
            links, items = _room(state, links, items)
            _push(current % n_buckets, order[waiting], heads, fill, links, items, state)
            waiting += 1
        slot = current % n_buckets
        while heads[slot] >= 0:
            cell = _pop(slot, heads, fill, links, items, state)
            if np.int64(hours[cell] / width) == current:  # else it was reached sooner
                links, items = _room(state, links, items)
                _relax(
                    cell, current, elevation, moves, multiplier, road, cols, sign, length, fastest,
                    table, width, offset, heads, fill, links, items, state, hours, came, rounded,
                )  # fmt: skip
        current += 1


@njit(nogil=True, cache=True)
def _relax(  # noqa: PLR0917
    cell, current, elevation, moves, multiplier, road, cols, sign, length, fastest, table, width,
    offset, heads, fill, links, items, state, hours, came, rounded,
):  # fmt: skip  # pragma: no cover - compiled
    here, mask = hours[cell], moves[cell]
    for k in range(N_MOVES):
        if not (mask >> k) & 1:
            continue
        other = cell + offset[k]
        before = hours[other]
        # most steps lead back: even on the best ground they cannot improve the other cell
        if before <= here + fastest[k]:
            continue
        rise = sign * (elevation[other] - elevation[cell])
        pace = _pace(rise / (1000 * length[k]), table)
        if multiplier.size > 0:
            pace *= _mean_multiplier(multiplier, cell, other, k, cols)
        if road.size > 0 and k < NEAR_MOVES and road[cell] > 0 and road[other] > 0:
            pace = min(pace, (road[cell] + road[other]) / 2)
        rounded[0] = here + length[k] * pace
        after = rounded[0]
        if after < before:
            hours[other] = after
            came[other] = k
            bucket = np.int64(after / width)
            # already queued in that bucket, unless it may have been taken out of this one
            if bucket == current or before == np.inf or bucket != np.int64(before / width):
                _push(bucket % heads.size, other, heads, fill, links, items, state)


@njit(nogil=True, cache=True)
def _pace(slope, table):  # pragma: no cover - compiled
    """Hours per km by linear interpolation; infinite beyond the table."""
    at = (slope - table[0]) * table[1]
    if not 0 <= at < table.size - 3:  # NaN as well
        return np.inf
    index = np.int64(at)
    low = table[index + 2]
    return low + (at - index) * (table[index + 3] - low)


@njit(nogil=True, cache=True)
def _mean_multiplier(multiplier, cell, other, k, cols):  # pragma: no cover - compiled
    """Mean along the step: a knight's move spends a quarter of its length in each of 4 cells."""
    ends = multiplier[cell] + multiplier[other]
    if k < NEAR_MOVES:
        return ends / 2
    one = cell + PASSED[k, 0, 0] * cols + PASSED[k, 0, 1]
    two = cell + PASSED[k, 1, 0] * cols + PASSED[k, 1, 1]
    return (ends + multiplier[one] + multiplier[two]) / 4


@njit(nogil=True, cache=True)
def _push(slot, cell, heads, fill, links, items, state):  # pragma: no cover - compiled
    block = heads[slot]
    if block < 0 or fill[slot] == BLOCK:
        fresh = state[0]
        if fresh >= 0:
            state[0] = links[fresh]
        else:
            fresh = state[1]
            state[1] += 1
        links[fresh] = block
        heads[slot] = fresh
        fill[slot] = 0
        block = fresh
    items[block * BLOCK + fill[slot]] = cell
    fill[slot] += 1
    state[2] += 1


@njit(nogil=True, cache=True)
def _pop(slot, heads, fill, links, items, state):  # pragma: no cover - compiled
    block = heads[slot]
    fill[slot] -= 1
    state[2] -= 1
    cell = items[block * BLOCK + fill[slot]]
    if fill[slot] == 0:
        heads[slot] = links[block]
        fill[slot] = BLOCK
        links[block] = state[0]
        state[0] = block
    return cell


@njit(nogil=True, cache=True)
def _room(state, links, items):  # pragma: no cover - compiled
    """Make sure that one cell's moves can be queued."""
    if state[1] + N_MOVES > links.size:
        return _grow(links, items, 2 * links.size)
    return links, items


@njit(nogil=True, cache=True)
def _grow(links, items, n_blocks):  # pragma: no cover - compiled
    more_links = np.empty(n_blocks, np.int32)
    more_items = np.empty(n_blocks * BLOCK, np.int32)
    more_links[: links.size] = links
    more_items[: items.size] = items
    return more_links, more_items


@njit(nogil=True, cache=True)
def carry(came, cols, label):  # pragma: no cover - compiled
    """Write the label of each cell's source over its own, following the moves back.

    Cells done are marked by ``done``; a path is walked twice, once to find its label and once to
    write it, so the work is linear in the number of cells.
    """
    offset = MOVES[:, 0] * cols + MOVES[:, 1]
    done = np.zeros(came.size, np.bool_)
    for cell in range(came.size):
        at = cell
        while came[at] != START and not done[at]:
            at -= offset[came[at]]
        found = label[at]
        at = cell
        while came[at] != START and not done[at]:
            label[at] = found
            done[at] = True
            at -= offset[came[at]]


@njit(nogil=True, cache=True)
def follow(came, at_home, starts, weight, gate, passed):  # pragma: no cover - compiled
    """Walk from each start back along the moves to the source.

    ``gate`` gets the two flat cells of the last step into the home country (−1 if there is none).
    ``passed`` is coarser by a whole factor and gets the weight of the paths that enter each cell.
    """
    cols, factor = came.shape[1], came.shape[0] // passed.shape[0]
    for i in range(len(starts)):
        r, c = starts[i] // cols, starts[i] % cols
        gate[i, 0], gate[i, 1] = -1, -1
        passed[r // factor, c // factor] += weight[i]
        while came[r, c] != START:
            move = came[r, c]
            rr, cc = r - MOVES[move, 0], c - MOVES[move, 1]
            if at_home[rr, cc] and not at_home[r, c]:
                gate[i, 0], gate[i, 1] = r * cols + c, rr * cols + cc
            if rr // factor != r // factor or cc // factor != c // factor:
                passed[rr // factor, cc // factor] += weight[i]
            r, c = rr, cc
