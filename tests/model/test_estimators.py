from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from borderrisk.errors import DataError
from borderrisk.model import forest as trees
from borderrisk.model.drivers import importance
from borderrisk.model.estimator import folds, information
from borderrisk.model.forest import RandomForest
from borderrisk.model.loglinear import Glm
from borderrisk.model.terms import Category, Line, make_term

MAKE = {"glm": Glm, "random_forest": partial(RandomForest, 60)}
LEVELS = ["crop", "desert", "forest", "rock", "urban"]


def presence_background(seed=0, presences=60, background=3000):
    """A table like those of species distribution models: collinear, skewed, categorical, gaps."""
    rng = np.random.default_rng(seed)
    n = 20_000
    hill = rng.normal(size=n)
    x = pd.DataFrame(
        {
            "elevation": 800 + 400 * hill,
            "temperature": 25 - 3 * hill + 0.3 * rng.normal(size=n),
            "distance": rng.exponential(30, n),
            "cover": rng.choice(LEVELS, n),
            "noise": rng.normal(size=n),
        }
    )
    effect = dict(zip(LEVELS, [0.5, -1.0, 0.0, 1.0, -0.5], strict=True))
    log = -((hill - 0.5) ** 2) - x["distance"] / 25 + x["cover"].map(effect)
    chance = np.exp(log) / np.exp(log).sum()
    x.loc[rng.uniform(size=n) < 0.03, "temperature"] = np.nan
    row = np.concatenate([rng.choice(n, presences, p=chance), rng.choice(n, background)])
    y = np.repeat([1, 0], [presences, background])
    test = rng.choice(n, 3000)
    seen = rng.uniform(size=3000) < 1 - np.exp(-chance[test] * n * 0.2)
    return x.iloc[row].reset_index(drop=True), y, x.iloc[test].reset_index(drop=True), seen


@pytest.mark.parametrize("name", MAKE)
def test_few_presences_among_much_background(name):
    x, y, new, seen = presence_background()
    model = MAKE[name]().fit(x, y)
    assert roc_auc_score(seen, model.predict(new)) > 0.76


@pytest.mark.parametrize("name", MAKE)
def test_an_unseen_category_and_missing_values_are_predicted(name):
    x, y, new, _ = presence_background()
    model = MAKE[name]().fit(x, y)
    odd = new.iloc[:4].copy()
    odd.loc[0, "cover"] = "glacier"
    odd.loc[1, "cover"] = None
    odd.loc[2, ["elevation", "distance"]] = np.nan
    assert np.all(model.predict(odd) > 0)
    assert np.all(np.isfinite(model.predict(odd)))


@pytest.mark.parametrize("name", MAKE)
def test_category_dtype_objects_and_arrays_give_the_same(name):
    x, y, new, _ = presence_background(presences=40, background=500)
    expected = MAKE[name]().fit(x, y).predict(new)
    as_category = MAKE[name]().fit(x.astype({"cover": "category"}), y)
    assert np.array_equal(as_category.predict(new.astype({"cover": "category"})), expected)
    as_array = MAKE[name]().fit(x.to_numpy(dtype=object), y)
    assert np.array_equal(as_array.predict(new.to_numpy(dtype=object)), expected)


@pytest.mark.parametrize("name", MAKE)
def test_the_order_of_columns_is_checked_and_the_index_is_not_used(name):
    x, y, new, _ = presence_background(presences=40, background=500)
    model = MAKE[name]().fit(x.set_index(np.arange(len(x))[::-1] + 7), y)
    plain = MAKE[name]().fit(x, y)
    assert np.array_equal(model.predict(new), plain.predict(new))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(new[new.columns[::-1]])


@pytest.mark.parametrize("name", MAKE)
def test_intensity_is_per_unit_of_exposure(name):
    rng = np.random.default_rng(2)
    n = 600
    x = pd.DataFrame(
        {
            "border_distance_km": rng.uniform(0, 200, n),
            "x_km": rng.uniform(0, 300, n),
            "y_km": rng.uniform(0, 300, n),
        }
    )
    area = rng.uniform(0.5, 2, n)
    y = rng.poisson(0.2 * area * np.exp(-x["border_distance_km"] / 80))
    one = MAKE[name]().fit(x, y, area).predict(x)
    ten = MAKE[name]().fit(x, y, 10 * area).predict(x)
    assert one == pytest.approx(10 * ten, rel=1e-3)
    # Expected and observed incidents agree.
    assert (one * area).sum() == pytest.approx(y.sum(), rel=0.1)


def test_split_cells_say_the_same_as_whole_ones():
    """Exposure: half cells with half counts must give the intensity of the whole cells."""
    x, y, new, _ = presence_background(presences=80, background=400)
    whole = Glm(0.1).fit(x, y, np.ones(len(x)))
    twice = pd.concat([x, x], ignore_index=True)
    half = Glm(0.1).fit(twice, np.tile(y / 2, 2), np.full(len(twice), 0.5))
    # Rounding may move a knot to the next row.
    assert half.predict(new) == pytest.approx(whole.predict(new), rel=1e-2)


@pytest.mark.parametrize("name", MAKE)
def test_rows_without_exposure_do_not_count(name):
    rng = np.random.default_rng(4)
    x = pd.DataFrame(rng.uniform(0, 100, (300, 3)), columns=["border_distance_km", "x_km", "y_km"])
    y = rng.poisson(0.3, 300)
    used = np.arange(300) < 200
    masked = MAKE[name]().fit(x, np.where(used, y, 50), used.astype(float))
    alone = MAKE[name]().fit(x[used], y[used])
    assert masked.predict(x) == pytest.approx(alone.predict(x))


def test_coordinates_are_for_folds_not_for_covariate_models():
    x, y, _, _ = presence_background(presences=40, background=500)
    rng = np.random.default_rng(0)
    x = x.assign(x_km=rng.uniform(0, 100, len(x)), y_km=rng.uniform(0, 100, len(x)))
    model = Glm(0.1).fit(x, y)
    moved = x.assign(x_km=x["x_km"] + 1e4)
    assert np.array_equal(model.predict(x), model.predict(moved))


@pytest.mark.parametrize("name", MAKE)
def test_nothing_to_fit_on_is_said(name):
    x = pd.DataFrame(np.ones((5, 3)), columns=["border_distance_km", "x_km", "y_km"])
    with pytest.raises(DataError, match="no event"):
        MAKE[name]().fit(x, np.zeros(5))


def test_bad_counts_and_columns_are_refused():
    x = pd.DataFrame({"x_km": [0.0, 1], "y_km": [0.0, np.nan]})
    with pytest.raises(ValueError, match="at least 0"):
        Glm().fit(x, [-1, 1])
    with pytest.raises(ValueError, match="infinity"):
        Glm().fit(pd.DataFrame({"a": [1.0, np.inf]}), [1, 1])
    with pytest.raises(ValueError, match="'a' occurs more than once"):
        Glm().fit(pd.DataFrame([[1, 2]], columns=["a", "a"]), [1])


def test_a_line_stays_constant_beyond_what_it_has_seen():
    x, y, _, _ = presence_background()
    model = Glm(0.01).fit(x, y)
    row = x.iloc[[0, 0]].assign(distance=[x["distance"].max(), 1e9])
    assert model.predict(row)[0] == model.predict(row)[1]


def test_an_enormous_penalty_is_even():
    x, y, new, _ = presence_background(presences=40, background=500)
    flat = Glm(1e9).fit(x, y).predict(new)
    assert flat == pytest.approx(y.mean(), rel=1e-4)


def test_thinning_keeps_the_answer():
    x, y, new, _ = presence_background(seed=3, presences=150, background=18_000)
    full = Glm(0.05, max_rows=10**6).fit(x, y).predict(new)
    thin = Glm(0.05, max_rows=4_000).fit(x, y).predict(new)
    assert spearmanr(full, thin)[0] > 0.98
    assert np.median(thin / full) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", MAKE)
def test_the_same_seed_gives_the_same_model(name):
    x, y, new, _ = presence_background(presences=40, background=500)
    one, two = (MAKE[name](random_state=9).fit(x, y).predict(new) for _ in range(2))
    assert np.array_equal(one, two)


def test_terms_are_centred_and_say_nothing_of_a_constant():
    rng = np.random.default_rng(0)
    n = 500
    weight = rng.uniform(0.1, 1, n)
    columns = {
        Line: rng.exponential(10, n),
        Category: rng.choice(np.array(["a", "b", "c"], dtype=object), n),
    }
    for kind, values in columns.items():
        term = make_term(values, weight)
        assert type(term) is kind
        design = term.design(values)
        assert np.average(design, axis=0, weights=weight) == pytest.approx(0, abs=1e-9)
        beta = rng.normal(size=design.shape[1])
        assert term.effect(values, beta) == pytest.approx(design @ beta)
    assert make_term(np.full(n, 3.0), weight) is None


def test_folds_keep_blocks_together_and_share_out_the_events():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.uniform(0, 100, (2000, 2)), columns=["x_km", "y_km"])
    captured = {}

    class Spy(Glm):
        def _fit(self, training):
            captured["training"] = training
            super()._fit(training)

    Spy().fit(x, rng.poisson(0.1, 2000))
    fold = folds(captured["training"], 5, 0)
    block = (x // 10.0001).astype(int).astype(str).agg("-".join, axis=1)
    share = np.bincount(fold, captured["training"].presence) / captured["training"].events
    assert share == pytest.approx(0.2, abs=0.05)
    assert pd.Series(fold).groupby(block).nunique().median() == 1


def test_information_of_a_uniform_intensity_is_zero():
    rate, weight = np.array([4.0, 0.0]), np.array([1.0, 3.0])
    assert information(rate, weight, np.ones(2)) == pytest.approx(0)
    # All events in a quarter of the exposure, and known: log 4 nats each.
    assert information(rate, weight, np.array([1.0, 0.0])) == pytest.approx(np.log(4))


def test_a_forest_says_the_same_tree_by_tree_and_in_parallel(monkeypatch):
    rng = np.random.default_rng(1)
    x = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    model = RandomForest(20).fit(x, (x["a"] > 0.5) * 1.0)
    one_by_one = model.predict(x)
    monkeypatch.setattr(trees, "_FEW_ROWS", 0)
    assert model.predict(x) == pytest.approx(one_by_one, rel=1e-12)


@pytest.mark.parametrize("name", MAKE)
def test_effects_sum_to_the_log_intensity_and_find_what_matters(name):
    rng = np.random.default_rng(5)
    n = 1500
    x = pd.DataFrame(
        {
            "slope": rng.uniform(0, 30, n),
            "distance": rng.exponential(50, n),
            "cover": rng.choice(["bare", "crop", "shrub"], n),
            "noise": rng.normal(size=n),
            "gaps": np.where(rng.uniform(size=n) < 0.1, np.nan, rng.normal(size=n)),
        }
    )
    rate = np.exp(0.1 * x["slope"] - x["distance"] / 40 + (x["cover"] == "bare"))
    area = rng.uniform(0.2, 1, n)
    model = MAKE[name]().fit(x, rng.poisson(rate / rate.mean() * 0.2), area)
    parts = model.contributions(x)
    gap = parts.sum(axis=1).to_numpy() - np.log(model.predict(x))
    assert np.ptp(gap) < 1e-4
    found = importance(parts, area)
    assert set(sorted(found, key=found.get)[-3:]) == {"slope", "distance", "cover"}
    far, near = x["distance"] > 100, x["distance"] < 10
    assert parts["distance"][near].mean() > parts["distance"][far].mean()
