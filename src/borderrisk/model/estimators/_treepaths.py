"""Compiled loops of the attribution of a forest."""

from __future__ import annotations

import numpy as np

from borderrisk.compute import compiled


@compiled(error_model="numpy")
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


@compiled(error_model="numpy")
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
