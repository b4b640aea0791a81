import numpy as np
import pandas as pd
import pytest

from borderrisk.errors import DataError
from borderrisk.model import trust
from borderrisk.model.cells import CellTable
from borderrisk.model.trust import Dissimilarity
from borderrisk.scores import by_name


@pytest.fixture
def cells(grid):
    """Every cell of the 6 x 8 grid of 10 km is land; the two western columns are not scored."""
    xx, yy = grid.centres()
    x = pd.DataFrame({"x_km": xx.ravel() / 1000, "y_km": yy.ravel() / 1000})
    exposure = np.ones(grid.shape)
    exposure[:, :2] = 0
    return CellTable(grid, np.ones(grid.shape, bool), x, np.ones(grid.size), exposure.ravel())


def test_index_by_hand():
    # a: mean 2, sd 2; b: mean 0, sd 1, half as important.
    # Scaled: (-1, -.5), (-1, .5), (1, -.5), (1, .5); pair distances 1, 1, 2, 2, sqrt 5, sqrt 5.
    x = pd.DataFrame({"a": [0.0, 0, 4, 4], "b": [-1.0, 1, -1, 1]})
    d = Dissimilarity.fit(x, {"a": 2.0, "b": 1.0}, np.array([0, 1, 0, 1]))
    mean = (1 + 1 + 2 + 2 + 2 * np.sqrt(5)) / 6
    assert d.weight.tolist() == [1.0, 0.5]
    assert d.mean_distance == pytest.approx(mean)
    # Nearest cell of the other fold: 1 away, for all four.
    assert d.threshold == pytest.approx(1 / mean)
    new = pd.DataFrame({"b": [1.0, 5.0, 1.0], "a": [4.0, 4.0, 9.0]})
    assert d.index(new) == pytest.approx(np.array([0, 2, 2.5]) / mean)
    assert d.extrapolates(new).tolist() == [False, True, True]


def test_the_own_fold_does_not_count_for_the_threshold():
    x = pd.DataFrame({"a": [0.0, 0.0, 10.0, 10.0]})
    blocked = Dissimilarity.fit(x, {"a": 1.0}, np.array([0, 0, 1, 1]))
    mixed = Dissimilarity.fit(x, {"a": 1.0}, np.array([0, 1, 0, 1]))
    # Pair distances in sd: four of 2, two of 0; the other fold is 2 away.
    assert blocked.threshold == pytest.approx(2 / (8 / 6))
    assert mixed.threshold == 0


def test_conditions_met_in_one_fold_only_show_up_at_home():
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"a": np.append(rng.normal(size=300), 12.0)})
    folds = np.arange(301) % 5
    d = Dissimilarity.fit(x, {}, folds)
    assert not d.extrapolates(x)[300]
    assert d.extrapolates(x, folds)[300]
    assert d.extrapolates(x, folds)[:300].mean() < 0.15


def test_an_unimportant_feature_cannot_make_a_cell_unknown():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(200, 2)), columns=["matters", "noise"])
    d = Dissimilarity.fit(x, {"matters": 1.0, "noise": 0.001}, np.arange(200) % 5)
    assert d.features == ["matters"]
    assert not d.extrapolates(pd.DataFrame({"matters": [0.0], "noise": [1e6]}))[0]
    assert d.extrapolates(pd.DataFrame({"matters": [50.0], "noise": [0.0]}))[0]


def test_without_importance_all_features_count_and_coordinates_never():
    x = pd.DataFrame({"a": [0.0, 1, 2, 3], "flat": 1.0, "x_km": [0.0, 1, 2, 3], "t": list("uvwx")})
    assert Dissimilarity.fit(x, {}, np.arange(4)).features == ["a"]


def test_outliers_do_not_raise_the_threshold():
    assert trust.upper_whisker(np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 100])) == 8
    # Quartiles 3 and 7: the fence is 13, which itself still counts.
    assert trust.upper_whisker(np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 13])) == 13


def test_a_missing_value_counts_as_average():
    x = pd.DataFrame({"a": [0.0, 1, 2, 3, 4]})
    d = Dissimilarity.fit(x, {}, np.arange(5))
    assert d.index(pd.DataFrame({"a": [np.nan]})) == pytest.approx([0])


def test_what_cannot_be_judged_is_an_error():
    x = pd.DataFrame({"a": [0.0, 1, 2]})
    with pytest.raises(DataError, match="two cross-validation folds"):
        Dissimilarity.fit(x, {}, np.zeros(3, int))
    with pytest.raises(DataError, match="No feature varies"):
        Dissimilarity.fit(x * 0, {}, np.arange(3))
    with pytest.raises(DataError, match=r"Feature\(s\) a of the model"):
        Dissimilarity.fit(x, {}, np.arange(3)).index(pd.DataFrame({"b": [1.0]}))


def test_a_large_table_keeps_a_repeatable_sample():
    rng = np.random.default_rng(1)
    x = pd.DataFrame(rng.normal(size=(8000, 3)), columns=list("abc"))
    one, two = (Dissimilarity.fit(x, {}, np.arange(8000) % 5, seed=3) for _ in range(2))
    assert one.training.shape == (5000, 3)
    assert np.array_equal(one.training, two.training)
    assert one.extrapolates(x).mean() < 0.1


def test_reports_within_reach_by_hand(cells):
    counts = np.zeros(48)
    counts[2 * 8 + 3] = 2.0
    near = trust.reports_nearby(cells, counts, reach_km=15).reshape(6, 8)
    expected = np.zeros((6, 8))
    expected[1:4, 2:5] = 2.0  # the diagonal is 14.1 km away
    assert near == pytest.approx(expected, abs=1e-9)


def test_sparse_needs_silence_and_nobody_to_report(cells):
    counts = np.zeros(48)
    counts[0] = 1.0
    town = np.full(48, 100.0)
    town[47] = 39.0
    town[46] = np.nan
    silent = trust.sparse(cells, counts, town, reach_km=15)
    assert not silent[0]
    assert silent[30]
    assert not silent[47]
    assert silent[46]
    assert trust.sparse(cells, counts, reach_km=15)[47]


def test_edge_is_where_the_disc_of_features_is_cut(cells):
    known = np.ones((6, 8), bool)
    cut = trust.edge(cells, known, reach_km=10).reshape(6, 8)
    inner = np.zeros((6, 8), bool)
    inner[1:-1, 1:-1] = True
    assert np.array_equal(cut, ~inner)
    known[2, 3] = False
    cut = trust.edge(cells, known, reach_km=10).reshape(6, 8)
    assert cut[2, 2:5].all()
    assert cut[1:4, 3].all()
    assert not cut[3, 4]


def test_the_first_reason_wins_and_nothing_is_said_outside(cells):
    none = np.zeros(48, bool)
    some = [none.copy() for _ in range(3)]
    some[0][5] = some[1][5] = some[2][5] = True
    some[1][6] = some[2][6] = True
    some[2][7] = some[2][0] = True
    codes = trust.trust_codes(cells, extrapolates=some[0], sparse=some[1], edge=some[2])
    assert codes.dtype == np.int8
    assert codes[:8].tolist() == [-1, -1, 0, 0, 0, 1, 2, 3]
    assert by_name()["trust"].words[codes[6]] == "sparse"


def test_folds_are_blocks_and_all_are_used(cells):
    folds = trust.area_folds(cells, n=3, across=4).reshape(6, 8)
    assert set(folds.ravel()) == {0, 1, 2}
    assert folds[0, 0] == folds[0, 1] == folds[1, 0]
    assert folds[0, 0] != folds[0, 2]
    assert folds[0, 0] != folds[2, 0]
