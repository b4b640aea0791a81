"""Compiled loops of the travel-time solver: permitted steps, and Dijkstra with a bucket queue.

A step goes to one of 16 cells: 4 along the axes, 4 diagonal, 8 knight's moves. The queue is a ring
of buckets one shortest step wide (Dial 1969), so a cell taken from the current bucket is final and
no sorting is needed. Buckets are chains of small blocks from one pool, which stays as small as the
front is.
"""

from __future__ import annotations

import numpy as np

from borderrisk.compute import compiled

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
# A block of the queue: link to the next block, where its entries end, and the entries. Block 0
# keeps the first free block, the number of blocks ever used and the number of entries.
BLOCK = 64
LINK, FILL, FIRST = 0, 1, 2
FREE, USED, ENTRIES = 0, 1, 2


@compiled("(f4[:, ::1], f4[:, ::1], f8[::1], i8, i8, u2[:, ::1])")
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


@compiled()
def _is_open(elevation, r, c, k):  # pragma: no cover - compiled
    if k < 4:
        return True
    one = np.isnan(elevation[r + PASSED[k, 0, 0], c + PASSED[k, 0, 1]])
    two = np.isnan(elevation[r + PASSED[k, 1, 0], c + PASSED[k, 1, 1]])
    return not (one and two) if k < NEAR_MOVES else not (one or two)


@compiled(
    "(f4[::1], u2[::1], f4[::1], f4[::1], f8[:, ::1], f8[::1], Tuple((f8, i8)), i8[::1], "
    "f4[::1], u1[::1])"
)
def accumulate(  # noqa: C901 - one function, for the reason below
    elevation, moves, multiplier, road, steps, table, ring, starts, hours, came,
):  # fmt: skip  # pragma: no cover - compiled
    """Fill ``hours`` and ``came`` outward from the starts.

    Only single arrays are handed to the small functions below: each array argument costs a
    reference count, which at this depth would triple the time.

    Parameters
    ----------
    elevation, moves : flat arrays
        Metres, and the masks of :func:`permit_moves`.
    multiplier, road : flat arrays
        Pace multiplier and hours per km by road (0 = none); empty when there is none.
    steps : ndarray of float64, shape (4, 16)
        Of each move: kilometres, fewest hours it can take, slope per metre of rise (negative to
        walk towards the starts), and the offset of the other cell.
    table : ndarray
        Hours per km by slope; the first two entries are the lowest slope and entries per slope.
    ring : tuple of float and int
        Hours per bucket, and buckets in the ring (more than the longest step needs).
    starts : ndarray of int
        Cells whose ``hours`` are set already, in the order of these.
    hours : ndarray
        Infinite elsewhere; filled in place.
    came : ndarray of uint8
        Move that led to each cell, START where none did; filled in place.
    """
    per_hour, n_buckets = 1 / ring[0], ring[1]
    length, fastest, slope_of = steps[0], steps[1], steps[2]
    offset, cols = steps[3].astype(np.int64), np.int64(steps[3, 3])
    heads = np.full(n_buckets, -1, np.int32)
    blocks = _grown(np.empty((0, BLOCK), np.int32))
    first = (hours[starts] * per_hour).astype(np.int64)
    waiting, current = np.int64(0), np.int64(0)
    while waiting < len(starts) or blocks[0, ENTRIES] > 0:
        if blocks[0, ENTRIES] == 0:
            current = first[waiting]
        slot = current % n_buckets
        blocks, waiting = _admit(starts, first, waiting, current, slot, heads, blocks)
        while heads[slot] >= 0:
            cell = _pop(slot, heads, blocks)
            here, mask, z = hours[cell], moves[cell], elevation[cell]
            if np.int64(here * per_hour) != current:  # it was reached sooner
                continue
            if blocks[0, USED] + N_MOVES > len(blocks):
                blocks = _grown(blocks)
            for k in range(N_MOVES):
                other = cell + offset[k]
                # most steps lead back: even on the best ground they cannot improve the other cell
                if not (mask >> k) & 1 or hours[other] <= here + fastest[k]:
                    continue
                before = hours[other]
                pace = _pace((elevation[other] - z) * slope_of[k], table)
                if multiplier.size > 0:
                    pace *= _mean_along(multiplier, cell, other, k, cols)
                if road.size > 0 and k < NEAR_MOVES:
                    pace = _faster(pace, road, cell, other)
                hours[other] = here + length[k] * pace
                after = hours[other]  # as rounded
                if not after < before:
                    hours[other] = before
                    continue
                came[other] = k
                bucket = np.int64(after * per_hour)
                # already queued there, unless it may have been taken out of this one
                if bucket == current or bucket != _bucket(before, per_hour):
                    _push(bucket % n_buckets, other, heads, blocks)
        current += 1


@compiled()
def _admit(starts, first, waiting, current, slot, heads, blocks):  # pragma: no cover - compiled
    """Queue the starts that are due; returns the blocks, which may have grown, and who waits on.

    Counted up, because a library search takes longer to compile than all the rest.
    """
    while waiting < len(starts) and first[waiting] <= current:
        if blocks[0, USED] == len(blocks):
            blocks = _grown(blocks)
        _push(slot, starts[waiting], heads, blocks)
        waiting += 1
    return blocks, waiting


@compiled()
def _bucket(hours, per_hour):  # pragma: no cover - compiled
    return np.int64(hours * per_hour) if hours < np.inf else np.int64(-1)


@compiled()
def _pace(slope, table):  # pragma: no cover - compiled
    """Hours per km by linear interpolation; infinite beyond the table."""
    at = (slope - table[0]) * table[1]
    if not 0 <= at < table.size - 3:  # NaN as well
        return np.inf
    index = np.int64(at)
    low = table[index + 2]
    return low + (at - index) * (table[index + 3] - low)


@compiled()
def _mean_along(multiplier, cell, other, k, cols):  # pragma: no cover - compiled
    """Mean along the step: a knight's move spends a quarter of its length in each of 4 cells."""
    ends = multiplier[cell] + multiplier[other]
    if k < NEAR_MOVES:
        return ends / 2
    one = cell + PASSED[k, 0, 0] * cols + PASSED[k, 0, 1]
    two = cell + PASSED[k, 1, 0] * cols + PASSED[k, 1, 1]
    return (ends + multiplier[one] + multiplier[two]) / 4


@compiled()
def _faster(pace, road, cell, other):  # pragma: no cover - compiled
    if road[cell] > 0 and road[other] > 0:
        return min(pace, (road[cell] + road[other]) / 2)
    return pace


@compiled()
def _push(slot, cell, heads, blocks):  # pragma: no cover - compiled
    block = heads[slot]
    if block < 0 or blocks[block, FILL] == BLOCK:
        fresh = blocks[0, FREE]
        if fresh >= 0:
            blocks[0, FREE] = blocks[fresh, LINK]
        else:
            fresh = blocks[0, USED]
            blocks[0, USED] += 1
        blocks[fresh, LINK] = block
        blocks[fresh, FILL] = FIRST
        heads[slot] = fresh
        block = fresh
    at = blocks[block, FILL]
    blocks[block, at] = cell
    blocks[block, FILL] = at + 1
    blocks[0, ENTRIES] += 1


@compiled()
def _pop(slot, heads, blocks):  # pragma: no cover - compiled
    block = heads[slot]
    at = blocks[block, FILL] - 1
    blocks[block, FILL] = at
    blocks[0, ENTRIES] -= 1
    if at == FIRST:
        heads[slot] = blocks[block, LINK]
        blocks[block, LINK] = blocks[0, FREE]
        blocks[0, FREE] = block
    return blocks[block, at]


@compiled()
def _grown(blocks):  # pragma: no cover - compiled
    """Return the queue's blocks with as many more; a fresh queue from none."""
    more = np.empty((max(1024, 2 * len(blocks)), BLOCK), np.int32)
    for i in range(len(blocks)):
        for j in range(BLOCK):
            more[i, j] = blocks[i, j]
    if len(blocks) == 0:
        more[0, FREE], more[0, USED], more[0, ENTRIES] = -1, 1, 0
    return more


@compiled("(u1[::1], i8, i4[::1])")
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


@compiled("(u1[:, ::1], b1[:, ::1], i8[::1], f8[::1], i8[:, ::1], f8[:, ::1])")
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
