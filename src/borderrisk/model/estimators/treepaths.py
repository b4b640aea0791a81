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

from borderrisk.compute import map_parallel

# Features on one path, and numbers in all tables together, up to which tables are made.
_MOST_FEATURES = 14
_MOST_ENTRIES = 20_000_000
_ROWS = 2048


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
        """Read fitted scikit-learn trees: of 0 and 1, or of two classes (share of the second)."""
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
    """Effect of each column on the mean of the forest's trees.

    Parameters
    ----------
    trees : sequence of fitted DecisionTreeRegressor or DecisionTreeClassifier
        Of one output, or two classes.
    matrix : ndarray, shape (rows, columns)
        NaN where missing.

    Returns
    -------
    ndarray of float64, shape (rows, columns), or None
        Rows sum to the share minus its average over the training rows; None if the trees are too
        deep for tables.
    """
    # Compiled code is only loaded where it is used: that takes a while.
    from borderrisk.model.estimators._treepaths import add_effects, fill_tables

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


def _share_at(value: np.ndarray) -> float:
    """Return the second class's share, or the mean of a tree that was grown on 0 and 1."""
    return float(value[0] if len(value) == 1 else value[1] / value.sum())


def _leaves(tree: Any) -> list[tuple[dict[int, tuple[float, float, bool, float]], float]]:
    """Conditions by column (low, high, whether a missing value meets it, share), and value."""
    found = []
    waiting: list[tuple[int, dict[int, tuple[float, float, bool, float]]]] = [(0, {})]
    weight = tree.weighted_n_node_samples
    while waiting:
        node, path = waiting.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left < 0:
            found.append((path, _share_at(tree.value[node, 0])))
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
