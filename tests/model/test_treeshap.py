from fractions import Fraction
from itertools import combinations
from math import factorial
from operator import mul

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from borderrisk.model import treeshap


def stump(cut=0.5):
    """Splits the first of two columns: 1 of 4 rows below has the event, 3 of 4 above."""
    x = np.array([[0.0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1], [1, 2], [1, 3]])
    y = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    return DecisionTreeClassifier(max_depth=1).fit(x * [2 * cut, 0], y)


def grown(seed, missing=0.0, rows=120, columns=5, **options):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    y = (x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(0, 0.3, rows) > 0).astype(int)
    x[rng.random(x.shape) < missing] = np.nan
    return DecisionTreeClassifier(random_state=seed, **options).fit(x, y), x


def known_share(tree, row, known, node=0):
    """Mean share of events where only some columns are known, by walking the tree."""
    if tree.children_left[node] < 0:
        return tree.value[node, 0, -1]
    left, right = tree.children_left[node], tree.children_right[node]
    column = tree.feature[node]
    if column in known:
        v = np.float32(row[column])
        to_left = tree.missing_go_to_left[node] if np.isnan(v) else v <= tree.threshold[node]
        return known_share(tree, row, known, left if to_left else right)
    w = tree.weighted_n_node_samples
    parts = [w[child] * known_share(tree, row, known, child) for child in (left, right)]
    return sum(parts) / w[node]


def shapley(tree, row, columns):
    """Shapley values by their definition, over all subsets."""
    out = np.zeros(columns)
    for k in range(columns):
        others = [j for j in range(columns) if j != k]
        for size in range(columns):
            weight = factorial(size) * factorial(columns - 1 - size) / factorial(columns)
            for known in combinations(others, size):
                gain = known_share(tree, row, {*known, k}) - known_share(tree, row, set(known))
                out[k] += weight * gain
    return out


def leaf_rows(tree):
    return np.where(tree.children_left < 0, tree.weighted_n_node_samples, 0)


def test_a_single_split_has_the_whole_effect():
    found = treeshap.effects([stump()], np.array([[0.0, 9.0], [1.0, 9.0]]))
    np.testing.assert_allclose(found, [[-0.25, 0], [0.25, 0]])


def test_a_value_on_the_cut_goes_the_way_the_tree_sends_it():
    cut = 0.1  # not a float32
    tree = stump(cut)
    rows = np.array([[np.float32(cut), 0], [np.nextafter(np.float32(cut), np.float32(1)), 0]])
    predicted = tree.predict_proba(rows)[:, 1] - 0.5
    np.testing.assert_allclose(treeshap.effects([tree], rows).sum(axis=1), predicted)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.2]))
def test_effects_are_the_shapley_values(seed, missing):
    tree, x = grown(seed, missing, min_samples_leaf=4)
    rows = x[:5]
    expected = [shapley(tree.tree_, row, x.shape[1]) for row in rows]
    np.testing.assert_allclose(treeshap.effects([tree], rows), expected, atol=1e-12)


def test_a_forest_has_the_mean_effects_of_its_trees_in_blocks_of_any_size():
    trees = [grown(seed, 0.05)[0] for seed in range(4)]
    rows = np.random.default_rng(1).normal(size=(2100, 5))
    rows[::7, 2] = np.nan
    found = treeshap.effects(trees, rows)
    assert found == pytest.approx(np.mean([treeshap.effects([t], rows) for t in trees], axis=0))
    some = [0, 31, 32, 2047, 2048, 2099]
    for k in some:
        assert found[k] == pytest.approx(treeshap.effects(trees, rows[[k]])[0], abs=1e-15)
    expected = np.mean([shapley(t.tree_, rows[2099], 5) for t in trees], axis=0)
    assert found[2099] == pytest.approx(expected, abs=1e-12)


def test_effects_of_deep_trees_sum_to_what_is_predicted():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2000, 40))
    chain = DecisionTreeRegressor(random_state=0).fit(np.eye(60), np.arange(60) % 2)
    noise = DecisionTreeRegressor(random_state=0).fit(x, rng.normal(size=2000))
    for tree, rows in ((chain, np.eye(60)), (noise, rng.normal(size=(500, 40)))):
        assert tree.get_depth() > 20
        found = treeshap.effects([tree], rows)
        base = np.average(tree.tree_.value[:, 0, 0], weights=leaf_rows(tree.tree_))
        np.testing.assert_allclose(found.sum(axis=1), tree.predict(rows) - base, atol=1e-11)


def shapley_of_product(shares):
    """Shapley values of a game worth the product of the shares of all columns not known."""
    m, out = len(shares), []
    for k, own in enumerate(shares):
        by_count = [Fraction(1)]  # sums over sets of other columns left unknown, by their number
        for z in (*shares[:k], *shares[k + 1 :]):
            longer = zip([*by_count, 0], [0, *by_count], strict=True)
            by_count = [a + z * b for a, b in longer]
        weights = [Fraction(factorial(m - 1 - n) * factorial(n), factorial(m)) for n in range(m)]
        out.append(float((1 - own) * sum(map(mul, weights, by_count))))
    return out


def test_a_conjunction_of_many_columns_is_worth_what_fractions_say():
    k = 24
    rows = np.ones((k + 1, k))
    rows[np.arange(k), np.arange(k)] = 0
    tree = DecisionTreeRegressor(random_state=0).fit(rows, np.arange(k + 1) == k)
    assert tree.get_depth() == k
    # Each split sends one row away: 24 of 25 are left, then 23 of 24, ...
    order = [tree.tree_.feature[node] for node in tree.decision_path(np.ones((1, k))).indices[:-1]]
    expected = np.zeros(k)
    expected[order] = shapley_of_product([Fraction(n - 1, n) for n in range(k + 1, 1, -1)])
    np.testing.assert_allclose(treeshap.effects([tree], np.ones((1, k)))[0], expected, rtol=1e-12)


def test_many_splits_of_few_columns_are_the_shapley_values():
    rng = np.random.default_rng(4)
    tree = DecisionTreeRegressor(random_state=0).fit(rng.normal(size=(3000, 3)), rng.random(3000))
    assert tree.get_depth() > 15
    rows = rng.normal(size=(4, 3))
    expected = [shapley(tree.tree_, row, 3) for row in rows]
    np.testing.assert_allclose(treeshap.effects([tree], rows), expected, atol=1e-12)


def test_trees_without_a_split_have_no_effects():
    flat = DecisionTreeClassifier(max_depth=1).fit(np.zeros((4, 3)), [0, 1, 0, 1])
    assert not treeshap.effects([flat], np.ones((2, 3))).any()
