import numpy as np
import pandas as pd
import pytest
from borderrisk.model.estimators import make_estimator

from borderrisk.errors import BorderRiskError
from borderrisk.model.drivers import by_decile, effects, importance, top_drivers

QUICK = {
    "gam": {"alpha": 0.01},
    "glm": {"alpha": 0.01},
    "random_forest": {"n_estimators": 30},
}


@pytest.fixture(scope="module")
def table():
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
    return x, rng.poisson(rate / rate.mean() * 0.2), rng.uniform(0.2, 1, n)


class TwoEffects:
    """Log-intensity is 2a + b."""

    def predict(self, x):
        return np.exp(2 * x["a"] + x["b"])

    def contributions(self, x):
        return pd.DataFrame({"a": 2 * x["a"], "b": x["b"]})


def test_effects_are_relative_to_the_area_weighted_mean():
    x = pd.DataFrame({"a": [0.0, 1.0], "b": [4.0, 0.0]})
    parts = effects(TwoEffects(), x, np.array([3.0, 1.0]))
    assert parts["a"].tolist() == [-0.5, 1.5]
    assert parts["b"].tolist() == [1.0, -3.0]


def test_effects_that_do_not_add_up_are_refused():
    class Wrong(TwoEffects):
        def contributions(self, x):
            return pd.DataFrame({"a": 2 * x["a"], "b": 0 * x["b"]})

    x = pd.DataFrame({"a": [0.0, 1.0], "b": [4.0, 0.0]})
    with pytest.raises(BorderRiskError, match="Wrong miss its log-intensity by up to 2"):
        effects(Wrong(), x, np.ones(2))


@pytest.mark.parametrize("name", QUICK)
def test_effects_sum_to_the_log_intensity(name, table):
    x, y, area = table
    model = make_estimator(name, QUICK[name]).fit(x, y)
    parts = effects(model, x, area)
    log = np.log(model.predict(x))
    total = parts.to_numpy().sum(axis=1)
    assert total == pytest.approx(log - np.average(log, weights=area), abs=1e-4)
    assert np.average(parts, axis=0, weights=area) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", QUICK)
def test_planted_features_matter_most(name, table):
    x, y, area = table
    model = make_estimator(name, QUICK[name]).fit(x, y)
    found = importance(effects(model, x, area), area)
    assert set(sorted(found, key=found.get)[-3:]) == {"slope", "distance", "cover"}
    low = effects(model, x, area)["distance"][x["distance"] < 10].mean()
    assert low > 0 > effects(model, x, area)["distance"][x["distance"] > 100].mean()


def test_the_strongest_come_first_with_their_sign():
    parts = pd.DataFrame(
        {"a": [0.1, 0.0, 0.0], "b": [-0.5, 0.0, 0.0], "c": [0.3, 0.0, -2.0], "d": [0.2, 0.0, 2.0]}
    )
    top = top_drivers(parts)
    assert top.features == ("a", "b", "c", "d")
    assert top.codes.tolist() == [[1, 2, 3], [-1, -1, -1], [2, 3, -1]]
    assert top.effects == pytest.approx(np.array([[-0.5, 0.3, 0.2], [0, 0, 0], [-2, 2, 0]]))
    assert top.codes.dtype == np.int16


def test_a_model_of_one_feature_has_one_driver():
    top = top_drivers(pd.DataFrame({"a": [1.0]}))
    assert top.codes.tolist() == [[0, -1, -1]]


def test_a_model_without_features_has_no_drivers(table):
    x, y, area = table
    parts = effects(make_estimator("uniform").fit(x, y), x, area)
    assert top_drivers(parts).codes.tolist() == [[-1, -1, -1]] * len(x)
    assert importance(parts, area) == {}


def test_importance_is_the_weighted_deviation():
    parts = pd.DataFrame({"a": [0.0, 4.0], "b": [1.0, 1.0]})
    assert importance(parts, np.array([3.0, 1.0])) == pytest.approx({"a": np.sqrt(3), "b": 0})


def test_effects_are_averaged_over_tenths_of_the_area():
    a = np.arange(19.0)
    area = np.where(a == 0, 2.0, 1.0)
    x = pd.DataFrame({"b": np.minimum(a, 1), "a": a}).iloc[::-1]
    parts = pd.DataFrame({"b": 0 * a, "a": a**2, "history": 3 * a})[::-1]
    found = by_decile(parts, x, area[::-1])
    assert list(found) == ["a", "b"]
    assert found["a"]["values"] == pytest.approx([0, *np.arange(1.5, 18, 2)])
    assert found["a"]["effect"] == pytest.approx([0, *((b**2 + (b + 1) ** 2) / 2 for b in a[1::2])])
    assert found["b"] == {"values": [0.0, 1.0], "effect": [0.0, 0.0]}


def test_cells_outside_the_area_have_no_part_in_the_tenths():
    x = pd.DataFrame({"a": [5.0, 1.0, 2.0, 99.0], "b": np.arange(4.0)})
    parts = pd.DataFrame({"a": [1.0, 2.0, 4.0, 100.0], "b": [0.0, 5.0, 0.0, 0.0]})
    found = by_decile(parts, x, np.array([1.0, 1.0, 1.0, 0.0]), most=1)
    assert found == {"b": {"values": [0, 1, 2], "effect": [0, 5, 0]}}
    assert by_decile(parts, x, np.array([1.0, 1.0, 1.0, 0.0]))["a"]["values"] == [1, 2, 5]
