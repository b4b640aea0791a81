"""Exact path attribution of a forest (TreeSHAP), for trees of any depth, compiled.

The Shapley value of a column is an integral over the chance ``t`` that any other column is known
(Owen 1972, Management Science 18(5)). On the way to one leaf the integrand is a product with one
factor per column, ``t met + (1 - t) share``: a polynomial, which as many Gauss-Legendre nodes as
half the columns of the path integrate exactly, and of which all leaves below an edge share the
upper part (Yu et al. 2022, Linear TreeShap, NeurIPS 35). All terms are positive and never nought,
so that depth costs no digits, and a row costs edges times nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from borderrisk.compute import compiled, map_parallel

# Rows of one task, and rows that walk a tree together: as many as stay in the fast caches.
_ROWS, _ABREAST = 2048, 32


def effects(trees: Sequence[Any], matrix: np.ndarray) -> np.ndarray:
    """Effect of each column on the mean of the trees, shape (rows, columns).

    Trees have one output, or two classes: then it is about the share of the second. NaN is a
    missing value. Rows sum to the prediction minus its average over the training rows. A column
    that is not known goes both ways, in proportion to the training rows that did (Lundberg et al.
    2020, Nature Machine Intelligence 2, ``tree_path_dependent``).
    """
    walks = [_Walk.of(tree.tree_) for tree in trees]
    out = np.empty(matrix.shape)

    def work(first: int) -> None:
        rows = slice(first, first + _ROWS)
        x = np.ascontiguousarray(matrix[rows].T, dtype=np.float32)
        found = np.zeros(x.shape)
        for walk in walks:
            _add_effects(x, *walk, found)
        out[rows] = found.T / len(walks)

    map_parallel(work, range(0, len(matrix), _ROWS))
    return out


class _Walk(NamedTuple):
    """A tree by node (children −1 at leaves), and the nodes and weights of the integral."""

    feature: np.ndarray
    cut: np.ndarray
    gap_left: np.ndarray
    children: np.ndarray
    share: np.ndarray
    value: np.ndarray
    depth: int
    nodes: np.ndarray

    @classmethod
    def of(cls, tree: Any) -> _Walk:
        """Read a fitted tree of scikit-learn."""
        children = np.column_stack([tree.children_left, tree.children_right]).astype(np.int64)
        rows, inner = tree.weighted_n_node_samples, children[:, 0] >= 0
        share = np.ones(len(rows))
        share[children[inner]] = rows[children[inner]] / rows[inner, None]
        value = tree.value[:, 0]
        value = value[:, 0] if value.shape[1] == 1 else value[:, 1] / value.sum(axis=1)
        at, weight = np.polynomial.legendre.leggauss(
            max(1, (_most_columns(children, tree.feature) + 1) // 2)
        )
        return cls(
            tree.feature.astype(np.int64),
            np.ascontiguousarray(tree.threshold, dtype=np.float64),
            tree.missing_go_to_left.astype(bool),
            children,
            share,
            np.ascontiguousarray(value),
            int(tree.max_depth),
            np.array([1 + at, weight]) / 2,
        )


def _most_columns(children: np.ndarray, feature: np.ndarray) -> int:
    """Most different columns on the way to a leaf."""
    most, waiting = 0, [(0, frozenset[int]())]
    while waiting:
        node, known = waiting.pop()
        if children[node, 0] < 0:
            most = max(most, len(known))
            continue
        known |= {int(feature[node])}
        waiting += [(int(child), known) for child in children[node]]
    return most


@compiled(
    "(f4[:, ::1], i8[::1], f8[::1], b1[::1], i8[:, ::1], f8[::1], f8[::1], i8, f8[:, ::1], "
    "f8[:, ::1])",
    error_model="numpy",
)
def _add_effects(
    x, feature, cut, gap_left, children, shares, value, depth, nodes, out
):  # pragma: no cover - compiled
    """Add the effects of one tree on some rows; ``x`` and ``out`` have a row per column.

    Going down an edge turns its column's factor from what earlier edges made of it (``old``: met
    and of share 1 where there were none) into a new one; coming back, all leaves below give the
    column what the new factor is worth more than the old.
    """
    at, weight = nodes
    shape = (depth + 1, at.size, _ABREAST)
    product, below = np.empty(shape), np.empty(shape)
    # Loops: assigning whole rows makes numba compile its messages about shapes, for seconds.
    _spread(weight, product[0])
    met, part = np.ones((shape[0], _ABREAST)), np.ones(shape[0])
    node = np.zeros(shape[0], np.int64)
    turn, old = np.zeros_like(node), np.zeros_like(node)
    for first in range(0, x.shape[1], _ABREAST):
        rows = slice(first, min(first + _ABREAST, x.shape[1]))
        turn[0], d = 0, 0
        while d >= 0:
            here = node[d]
            if children[here, 0] < 0:
                _scale(product[d], value[here], below[d])
            elif turn[d] < 2:
                left, j = turn[d] == 0, d
                if left:
                    _scale(product[d], 0.0, below[d])
                while j > 0 and feature[node[j - 1]] != feature[here]:
                    j -= 1
                turn[d] += 1
                d += 1
                node[d], turn[d], old[d] = children[here, turn[d - 1] - 1], 0, j
                share = shares[node[d]]
                part[d] = part[j] * share
                values = x[feature[here], rows]
                _meet(values, cut[here], gap_left[here], left, met[j], met[d])
                _multiply(product[d - 1], product[d], at, share, part[j], part[d], met[j], met[d])
                continue
            if d > 0:
                j, column = old[d], out[feature[node[d - 1]], rows]
                _credit(below[d], below[d - 1], column, at, part[j], part[d], met[j], met[d])
            d -= 1


@compiled(error_model="numpy")
def _spread(values, rows):  # pragma: no cover - compiled
    """Fill each row with its value."""
    for q in range(values.size):
        for i in range(rows.shape[1]):
            rows[q, i] = values[q]


@compiled(error_model="numpy")
def _scale(rows, factor, out):  # pragma: no cover - compiled
    """Put a multiple of some rows into others."""
    for q in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            out[q, i] = rows[q, i] * factor


@compiled(error_model="numpy")
def _meet(values, cut, gap_left, left, old, met):  # pragma: no cover - compiled
    """Which rows meet all conditions of a column down to an edge: 1, others 0."""
    for i in range(values.size):
        goes_left = gap_left if np.isnan(values[i]) else values[i] <= cut
        met[i] = old[i] if goes_left == left else 0.0


@compiled(error_model="numpy")
def _multiply(above, product, at, share, z_old, z, old, met):  # pragma: no cover - compiled
    """Put the new factor of a column in the place of its old one."""
    for q in range(at.size):
        rest = 1.0 - at[q]
        before = at[q] + rest * z_old
        kept, lost = (at[q] + rest * z) / before, rest * z / before
        upper, lower = above[q], product[q]
        for i in range(met.size):
            ratio = kept if met[i] > 0 else (lost if old[i] > 0 else share)
            lower[i] = upper[i] * ratio


@compiled(error_model="numpy")
def _credit(below, above, column, at, z_old, z, old, met):  # pragma: no cover - compiled
    """Add what the leaves below an edge give its column; nothing where it was lost before."""
    for q in range(at.size):
        rest = 1.0 - at[q]
        worth = (1.0 - z_old) / (at[q] + rest * z_old)
        kept, lost = (1.0 - z) / (at[q] + rest * z) - worth, -1.0 / rest - worth
        leaves, total = below[q], above[q]
        for i in range(column.size):
            total[i] += leaves[i]
            column[i] += leaves[i] * (kept if met[i] > 0 else (lost if old[i] > 0 else 0.0))
