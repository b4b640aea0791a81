from itertools import combinations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from borderrisk.model.estimators import treepaths


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
        return tree.value[node, 0, 1]
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


def test_a_single_split_has_the_whole_effect():
    found = treepaths.effects([stump()], np.array([[0.0, 9.0], [1.0, 9.0]]))
    np.testing.assert_allclose(found, [[-0.25, 0], [0.25, 0]])


def test_a_value_on_the_cut_goes_the_way_the_tree_sends_it():
    cut = 0.1  # not a float32
    tree = stump(cut)
    rows = np.array([[np.float32(cut), 0], [np.nextafter(np.float32(cut), np.float32(1)), 0]])
    predicted = tree.predict_proba(rows)[:, 1] - 0.5
    np.testing.assert_allclose(treepaths.effects([tree], rows).sum(axis=1), predicted)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.2]))
def test_effects_are_the_shapley_values(seed, missing):
    tree, x = grown(seed, missing, min_samples_leaf=4)
    rows = x[:5]
    expected = [shapley(tree.tree_, row, x.shape[1]) for row in rows]
    np.testing.assert_allclose(treepaths.effects([tree], rows), expected, atol=1e-12)


def test_effects_of_a_forest_equal_those_of_shap_and_sum_to_the_share():
    shap = pytest.importorskip("shap")
    trees = [grown(seed, 0.05)[0] for seed in range(8)]
    rows = np.random.default_rng(1).normal(size=(1500, 5))
    rows[::7, 2] = np.nan
    found = treepaths.effects(trees, rows)
    one_by_one = [
        shap.TreeExplainer(t, feature_perturbation="tree_path_dependent").shap_values(rows)[..., 1]
        for t in trees
    ]
    np.testing.assert_allclose(found, np.mean(one_by_one, axis=0), atol=1e-10)
    share = np.mean([t.predict_proba(rows)[:, 1] for t in trees], axis=0)
    assert np.ptp(share - found.sum(axis=1)) < 1e-12


def test_trees_without_a_split_have_no_effects_and_deep_ones_no_tables():
    flat = DecisionTreeClassifier(max_depth=1).fit(np.zeros((4, 3)), [0, 1, 0, 1])
    assert not treepaths.effects([flat], np.ones((2, 3))).any()
    x = np.eye(40)
    deep = DecisionTreeClassifier(random_state=0).fit(x, np.arange(40) % 2)
    assert np.diff(treepaths.Paths.of([deep]).begin).max() > 14
    assert treepaths.effects([deep], x) is None
