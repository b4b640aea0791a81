import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, spearmanr
from sklearn.metrics import roc_auc_score

from borderrisk.errors import DataError
from borderrisk.model import forest as trees
from borderrisk.model.estimator import folds, information
from borderrisk.model.estimators import ESTIMATORS, make_estimator
from borderrisk.model.terms import Category, Polynomial, Spline, make_term

COVARIATE = ("gam", "glm", "random_forest")
QUICK = {
    "gam": {},
    "glm": {},
    "random_forest": {"n_estimators": 60},
}
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


@pytest.mark.parametrize("name", COVARIATE)
def test_few_presences_among_much_background(name):
    x, y, new, seen = presence_background()
    model = make_estimator(name, QUICK[name]).fit(x, y)
    assert roc_auc_score(seen, model.predict(new)) > (0.80 if name == "gam" else 0.76)


@pytest.mark.parametrize("name", COVARIATE)
def test_an_unseen_category_and_missing_values_are_predicted(name):
    x, y, new, _ = presence_background()
    model = make_estimator(name, QUICK[name]).fit(x, y)
    odd = new.iloc[:4].copy()
    odd.loc[0, "cover"] = "glacier"
    odd.loc[1, "cover"] = None
    odd.loc[2, ["elevation", "distance"]] = np.nan
    assert np.all(model.predict(odd) > 0)
    assert np.all(np.isfinite(model.predict(odd)))


@pytest.mark.parametrize("name", COVARIATE)
def test_category_dtype_objects_and_arrays_give_the_same(name):
    x, y, new, _ = presence_background(presences=40, background=500)
    expected = make_estimator(name, QUICK[name]).fit(x, y).predict(new)
    as_category = make_estimator(name, QUICK[name]).fit(x.astype({"cover": "category"}), y)
    assert np.array_equal(as_category.predict(new.astype({"cover": "category"})), expected)
    as_array = make_estimator(name, QUICK[name]).fit(x.to_numpy(dtype=object), y)
    assert np.array_equal(as_array.predict(new.to_numpy(dtype=object)), expected)


@pytest.mark.parametrize("name", COVARIATE)
def test_the_order_of_columns_is_checked_and_the_index_is_not_used(name):
    x, y, new, _ = presence_background(presences=40, background=500)
    model = make_estimator(name, QUICK[name]).fit(x.set_index(np.arange(len(x))[::-1] + 7), y)
    plain = make_estimator(name, QUICK[name]).fit(x, y)
    assert np.array_equal(model.predict(new), plain.predict(new))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(new[new.columns[::-1]])


@pytest.mark.parametrize("name", ESTIMATORS)
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
    parameters = QUICK.get(name)
    one = make_estimator(name, parameters).fit(x, y, area).predict(x)
    ten = make_estimator(name, parameters).fit(x, y, 10 * area).predict(x)
    assert one == pytest.approx(10 * ten, rel=1e-3)
    # Expected and observed incidents agree.
    assert (one * area).sum() == pytest.approx(y.sum(), rel=0.1)


@pytest.mark.parametrize("name", ["gam", "glm"])
def test_split_cells_say_the_same_as_whole_ones(name):
    """Exposure: half cells with half counts must give the intensity of the whole cells."""
    x, y, new, _ = presence_background(presences=80, background=400)
    whole = make_estimator(name, {"alpha": 0.1}).fit(x, y, np.ones(len(x)))
    twice = pd.concat([x, x], ignore_index=True)
    half = make_estimator(name, {"alpha": 0.1}).fit(
        twice, np.tile(y / 2, 2), np.full(len(twice), 0.5)
    )
    # Rounding may move a knot to the next row.
    assert half.predict(new) == pytest.approx(whole.predict(new), rel=1e-2)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_rows_without_exposure_do_not_count(name):
    rng = np.random.default_rng(4)
    x = pd.DataFrame(rng.uniform(0, 100, (300, 3)), columns=["border_distance_km", "x_km", "y_km"])
    y = rng.poisson(0.3, 300)
    used = np.arange(300) < 200
    masked = make_estimator(name, QUICK.get(name)).fit(x, np.where(used, y, 50), used.astype(float))
    alone = make_estimator(name, QUICK.get(name)).fit(x[used], y[used])
    assert masked.predict(x) == pytest.approx(alone.predict(x))


def test_coordinates_are_for_folds_not_for_covariate_models():
    x, y, _, _ = presence_background(presences=40, background=500)
    rng = np.random.default_rng(0)
    x = x.assign(x_km=rng.uniform(0, 100, len(x)), y_km=rng.uniform(0, 100, len(x)))
    model = make_estimator("gam", {"alpha": 0.1}).fit(x, y)
    moved = x.assign(x_km=x["x_km"] + 1e4)
    assert np.array_equal(model.predict(x), model.predict(moved))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_nothing_to_fit_on_is_said(name):
    x = pd.DataFrame(np.ones((5, 3)), columns=["border_distance_km", "x_km", "y_km"])
    with pytest.raises(DataError, match="no event"):
        make_estimator(name).fit(x, np.zeros(5))


def test_bad_counts_columns_and_coordinates_are_refused():
    x = pd.DataFrame({"x_km": [0.0, 1], "y_km": [0.0, np.nan]})
    with pytest.raises(ValueError, match="at least 0"):
        make_estimator("gam").fit(x, [-1, 1])
    with pytest.raises(ValueError, match="coordinates cannot be missing"):
        make_estimator("kde").fit(x, [1, 1])
    with pytest.raises(ValueError, match="x_km and y_km are needed"):
        make_estimator("kde").fit(x.rename(columns={"x_km": "east"}), [1, 1])
    with pytest.raises(DataError, match="border_distance_km"):
        make_estimator("border_distance").fit(x, [1, 1])
    with pytest.raises(ValueError, match="infinity"):
        make_estimator("gam").fit(pd.DataFrame({"a": [1.0, np.inf]}), [1, 1])
    with pytest.raises(ValueError, match="'a' occurs more than once"):
        make_estimator("gam").fit(pd.DataFrame([[1, 2]], columns=["a", "a"]), [1])


def test_gam_draws_a_planted_curve():
    rng = np.random.default_rng(1)
    z = rng.uniform(-3, 3, 4000)
    rate = np.exp(np.sin(2 * z))
    model = make_estimator("gam").fit(pd.DataFrame({"z": z}), rng.poisson(rate * 0.5))
    at = np.linspace(-2.8, 2.8, 50)
    found = np.log(model.predict(pd.DataFrame({"z": at})))
    assert np.corrcoef(found, np.sin(2 * at))[0, 1] > 0.98


def test_gam_stays_constant_beyond_what_it_has_seen():
    x, y, _, _ = presence_background()
    model = make_estimator("gam", {"alpha": 0.01}).fit(x, y)
    row = x.iloc[[0, 0]].assign(distance=[x["distance"].max(), 1e9])
    assert model.predict(row)[0] == model.predict(row)[1]


def test_gam_with_an_enormous_penalty_is_uniform():
    x, y, new, _ = presence_background(presences=40, background=500)
    flat = make_estimator("gam", {"alpha": 1e9}).fit(x, y).predict(new)
    assert flat == pytest.approx(y.mean(), rel=1e-4)


def test_thinning_keeps_the_answer():
    x, y, new, _ = presence_background(seed=3, presences=150, background=18_000)
    full = make_estimator("gam", {"alpha": 0.05, "max_rows": 10**6}).fit(x, y).predict(new)
    thin = make_estimator("gam", {"alpha": 0.05, "max_rows": 4_000}).fit(x, y).predict(new)
    assert spearmanr(full, thin)[0] > 0.98
    assert np.median(thin / full) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", ["gam", "random_forest"])
def test_the_same_seed_gives_the_same_model(name):
    x, y, new, _ = presence_background(presences=40, background=500)
    one, two = (make_estimator(name, QUICK[name], seed=9).fit(x, y).predict(new) for _ in range(2))
    assert np.array_equal(one, two)


def test_border_distance_only_falls_and_finds_the_decay():
    rng = np.random.default_rng(0)
    d = rng.uniform(0, 200, 5000)
    y = rng.poisson(np.exp(-d / 50))
    model = make_estimator("border_distance").fit(pd.DataFrame({"border_distance_km": d}), y)
    at = model.predict(pd.DataFrame({"border_distance_km": [5.0, 50.0, 100.0, 300.0]}))
    assert at[:3] == pytest.approx(np.exp([-0.1, -1, -2]), rel=0.2)
    assert np.all(np.diff(at) < 0)


def test_kde_by_hand():
    x = pd.DataFrame({"x_km": [0.0, 3.0, 40.0], "y_km": [0.0, 4.0, 0.0]})
    model = make_estimator("kde", {"bandwidth_km": 5.0, "floor": 0.0}).fit(x, [2.0, 0.0, 0.0])
    found = model.predict(x)
    assert found[1] / found[0] == pytest.approx(np.exp(-0.5))
    assert found.sum() == pytest.approx(2)


def test_the_floor_is_a_share_spread_evenly():
    x = pd.DataFrame({"x_km": [0.0, 1e6], "y_km": [0.0, 0.0]})
    model = make_estimator("kde", {"bandwidth_km": 5.0, "floor": 0.1}).fit(x, [1.0, 0.0])
    assert model.predict(x) == pytest.approx([0.5 * (0.9 * 2 + 0.1), 0.05])


def test_history_gives_each_incident_its_own_width():
    cells = pd.DataFrame({"x_km": np.arange(-200, 201, 1.0), "y_km": 0.0, "radius_km": np.nan})
    seen = pd.DataFrame({"x_km": [-100.0, 100.0], "y_km": 0.0, "radius_km": [5.0, 40.0]})
    x = pd.concat([seen, cells], ignore_index=True)
    y = np.r_[1.0, 1.0, np.zeros(len(cells))]
    exposure = np.r_[1e-9, 1e-9, np.ones(len(cells))]
    model = make_estimator("history", {"bandwidth_km": 3.0, "floor": 0.0}).fit(x, y, exposure)
    at = model.predict(cells.assign(radius_km=np.nan))
    for centre, radius in ((-100, 5.0), (100, 40.0)):
        sd = np.hypot(radius / np.sqrt(2 * np.log(10)), 3.0)
        peak, side = at[cells["x_km"] == centre][0], at[cells["x_km"] == centre + 10][0]
        assert side / peak == pytest.approx(norm.pdf(10 / sd) / norm.pdf(0), rel=0.01)


def test_the_lattice_agrees_with_the_exact_sum(monkeypatch):
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 300, (400, 2))
    x = pd.DataFrame({"x_km": xy[:, 0], "y_km": xy[:, 1], "radius_km": rng.choice([5, 30], 400)})
    exact = make_estimator("history").fit(x, np.ones(400)).predict(x)
    monkeypatch.setattr("borderrisk.model.estimators.kernel.EXACT_PAIRS", 0)
    lattice = make_estimator("history").fit(x, np.ones(400)).predict(x)
    assert lattice == pytest.approx(exact, rel=0.05)


def test_terms_are_centred_and_lines_where_there_is_nothing_to_bend():
    rng = np.random.default_rng(0)
    n = 500
    weight = rng.uniform(0.1, 1, n)
    columns = {
        Spline: rng.exponential(10, n),
        Polynomial: rng.choice([-1.0, 1.0], n),
        Category: rng.choice(np.array(["a", "b", "c"], dtype=object), n),
    }
    for kind, values in columns.items():
        term = make_term(values, weight, weight, Spline)
        assert type(term) is kind
        design = term.design(values)
        assert np.average(design, axis=0, weights=weight) == pytest.approx(0, abs=1e-9)
        beta = rng.normal(size=design.shape[1])
        assert term.effect(values, beta) == pytest.approx(design @ beta)
    assert make_term(np.full(n, 3.0), weight, weight, Spline) is None


def test_folds_keep_blocks_together_and_share_out_the_events():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.uniform(0, 100, (2000, 2)), columns=["x_km", "y_km"])
    captured = {}

    class Spy(type(make_estimator("uniform"))):
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
    model = make_estimator("random_forest", {"n_estimators": 20}).fit(x, (x["a"] > 0.5) * 1.0)
    one_by_one = model.predict(x)
    monkeypatch.setattr(trees, "_FEW_ROWS", 0)
    assert model.predict(x) == pytest.approx(one_by_one, rel=1e-12)
