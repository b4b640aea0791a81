"""Exact path attribution of a forest (TreeSHAP) on large tables, compiled.

What a leaf adds to a row's attribution depends only on which of the conditions on the leaf's path
the row meets, one interval per feature. With few features on a path all combinations are worked
out beforehand (Yang 2021, Fast TreeSHAP, arXiv:2109.09847), so that a row costs a few comparisons
and look-ups per leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from borderrisk.compute import map_parallel

# Features on one path, and numbers in all tables together, up to which tables are made.
_MOST_FEATURES = 14
_MOST_ENTRIES = 20_000_000
_ROWS = 512


@dataclass(frozen=True)
class Paths:
    """The leaves of some trees.

    Attributes
    ----------
    begin : ndarray of int64, shape (leaves + 1,)
        Where the conditions of each leaf begin.
    feature : ndarray of int64, shape (conditions,)
        Column of each condition, each once per leaf.
    low, high : ndarray of float32, shape (conditions,)
        A row meets a condition with ``low < value <= high`` ...
    missing : ndarray of bool, shape (conditions,)
        ... or, if this is set, with a missing value.
    share : ndarray of float64, shape (conditions,)
        Share of the training rows that go the leaf's way where the column is not known.
    value : ndarray of float64, shape (leaves,)
        What the leaf predicts, over the number of trees.
    """

    begin: np.ndarray
    feature: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    share: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, trees: Sequence[Any]) -> Paths:
        """Read fitted scikit-learn trees of two classes; they predict the second one's share."""
        leaves = [leaf for tree in trees for leaf in _leaves(tree.tree_)]
        conditions = [list(path.items()) for path, _ in leaves]
        flat = [(column, *rest) for path in conditions for column, rest in path]
        columns = [np.array(column) for column in zip(*flat, strict=True)] or [np.empty(0)] * 5
        return cls(
            np.cumsum([0, *map(len, conditions)]),
            columns[0].astype(np.int64),
            _float32_below(columns[1]),
            _float32_below(columns[2]),
            columns[3].astype(bool),
            columns[4].astype(float),
            np.array([value for _, value in leaves]) / len(trees),
        )

    @property
    def entries(self) -> int:
        """Numbers in the tables of all leaves; −1 if some path has too many features."""
        sizes = np.diff(self.begin)
        return -1 if sizes.max() > _MOST_FEATURES else int((sizes << sizes).sum())


def effects(trees: Sequence[Any], matrix: np.ndarray) -> np.ndarray | None:
    """Effect of each column on the forest's share of the second class.

    Parameters
    ----------
    trees : sequence of fitted DecisionTreeClassifier
        Of two classes.
    matrix : ndarray, shape (rows, columns)
        NaN where missing.

    Returns
    -------
    ndarray of float64, shape (rows, columns), or None
        Rows sum to the share minus its average over the training rows; None if the trees are too
        deep for tables.
    """
    paths = Paths.of(trees)
    if not 0 <= paths.entries <= _MOST_ENTRIES:
        return None
    tables = np.empty(paths.entries)
    fill_tables(paths.begin, paths.share, paths.value, tables)
    out = np.empty(matrix.shape)

    def work(first: int) -> None:
        rows = slice(first, first + _ROWS)
        x = np.ascontiguousarray(matrix[rows].T, dtype=np.float32)
        found = np.zeros(x.shape)
        bounds = (paths.low, paths.high, paths.missing)
        add_effects(x, paths.begin, paths.feature, *bounds, tables, found)
        out[rows] = found.T

    map_parallel(work, range(0, len(matrix), _ROWS))
    return out


def _leaves(tree: Any) -> list[tuple[dict[int, tuple[float, float, bool, float]], float]]:
    """Conditions by column (low, high, whether a missing value meets it, share), and value."""
    found = []
    waiting: list[tuple[int, dict[int, tuple[float, float, bool, float]]]] = [(0, {})]
    weight = tree.weighted_n_node_samples
    while waiting:
        node, path = waiting.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left < 0:
            found.append((path, float(tree.value[node, 0, 1] / tree.value[node, 0].sum())))
            continue
        column, cut = int(tree.feature[node]), float(tree.threshold[node])
        low, high, missing, share = path.get(column, (-np.inf, np.inf, True, 1.0))
        to_left = bool(tree.missing_go_to_left[node])
        parts = [weight[child] / weight[node] for child in (left, right)]
        waiting.append(
            (
                right,
                {**path, column: (max(low, cut), high, missing and not to_left, share * parts[1])},
            )
        )
        waiting.append(
            (left, {**path, column: (low, min(high, cut), missing and to_left, share * parts[0])})
        )
    return found


def _float32_below(bound: np.ndarray) -> np.ndarray:
    """Round down, so that a float32 is at most the result where it is at most the bound."""
    near = bound.astype(np.float32)
    return np.where(near > bound, np.nextafter(near, np.float32(-np.inf)), near)


@njit("(i8[::1], f8[::1], f8[::1], f8[::1])", nogil=True, cache=True, error_model="numpy")
def fill_tables(begin, share, value, tables):  # pragma: no cover - compiled
    """Write what each leaf adds to each of its columns, for every set of conditions met.

    The Shapley value of column ``k`` on a path of ``m`` columns is the leaf's value times
    ``met[k] - share[k]`` times the sum over the sets of other columns, by their size ``s``, of
    ``s! (m - 1 - s)! / m!`` times the product of ``met`` inside the set and ``share`` outside it.
    """
    at = 0
    for leaf in range(value.size):
        a, m = begin[leaf], begin[leaf + 1] - begin[leaf]
        by_size = np.empty(m)
        for k in range(m):
            for pattern in range(1 << m):
                by_size[0], size = 1.0, 0
                for j in range(m):
                    if j == k:
                        continue
                    met, z = (pattern >> j) & 1, share[a + j]
                    size += 1
                    by_size[size] = by_size[size - 1] if met else 0.0
                    for s in range(size - 1, 0, -1):
                        by_size[s] = z * by_size[s] + (by_size[s - 1] if met else 0.0)
                    by_size[0] *= z
                total, weight = 0.0, 1.0 / m
                for s in range(m):
                    total += weight * by_size[s]
                    weight *= (s + 1) / max(m - 1 - s, 1)
                own = ((pattern >> k) & 1) - share[a + k]
                tables[at + (k << m) + pattern] = value[leaf] * own * total
        at += m << m


@njit(
    "(f4[:, ::1], i8[::1], i8[::1], f4[::1], f4[::1], b1[::1], f8[::1], f8[:, ::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
)
def add_effects(x, begin, feature, low, high, missing, tables, out):  # pragma: no cover - compiled
    """Add the effects of all leaves on some rows; ``x`` and ``out`` have a row per column."""
    n = x.shape[1]
    pattern = np.empty(n, np.int64)
    at = 0
    for leaf in range(begin.size - 1):
        a, m = begin[leaf], begin[leaf + 1] - begin[leaf]
        pattern[:] = at
        for k in range(m):
            values, bottom, top, gap = x[feature[a + k]], low[a + k], high[a + k], missing[a + k]
            for i in range(n):
                v = values[i]
                met = ((v > bottom) & (v <= top)) | (gap & np.isnan(v))
                pattern[i] += np.int64(met) << k
        for k in range(m):
            column, first = out[feature[a + k]], k << m
            for i in range(n):
                column[i] += tables[first + pattern[i]]
        at += m << m
