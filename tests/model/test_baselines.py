import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from tests.squares import make_cells

from borderrisk.errors import DataError
from borderrisk.model.baselines import BANDWIDTHS_KM, best_bandwidth
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import as_panel
from borderrisk.model.registry import make_model, models, opened, packed, settings

ORIGIN = pd.Timestamp("2020-01-01")


@pytest.fixture(scope="module")
def cells():
    plain = make_cells()
    x = plain.x.assign(
        hours_from_border=plain.x["border_distance_km"] / 4,
        hidden_share=np.linspace(0, 1, len(plain)),
    )
    return CellTable(plain.grid, plain.mask, x, plain.area_100km2, plain.exposure)


def at(cells, xy_km, dates, radius_km=1.0, weight=1.0):
    points = gpd.points_from_xy(*(np.array(xy_km, float).reshape(-1, 2).T * 1000))
    table = {
        "date": pd.to_datetime(pd.Series(dates, dtype="datetime64[ns]")),
        "radius_km": radius_km,
        "weight": weight,
    }
    return as_panel(gpd.GeoDataFrame(table, geometry=points, crs=cells.grid.crs), cells)


@pytest.fixture(scope="module")
def panel(cells):
    rng = np.random.default_rng(0)
    xy = np.concatenate([rng.normal(0, 30, (60, 2)), rng.uniform(-140, 140, (40, 2))])
    dates = pd.Timestamp("2012-01-01") + pd.to_timedelta(rng.integers(0, 2900, 100), "D")
    return at(cells, np.clip(xy, -145, 145), dates, 5.0)


def grid_of(cells, values):
    return values.reshape(cells.grid.shape)


def test_every_name_fits_adds_up_and_comes_back(cells, panel):
    for name in models():
        quick = {"n_estimators": 10} if name in ("decayed_pool", "random_forest") else {}
        fitted = make_model(name, **quick).fit(cells, panel, ORIGIN)
        intensity = fitted.intensity(cells)
        assert sum(fitted.parts(cells).values()) == pytest.approx(intensity), name
        total = (intensity * cells.study_area_100km2).sum()
        assert total == pytest.approx(fitted.level.mean), name
        assert np.array_equal(opened(packed(fitted)).intensity(cells), intensity), name
        assert fitted.settings.fit(cells, panel, ORIGIN).intensity(cells) == pytest.approx(
            intensity
        ), name


def test_roles():
    assert models("model") == ["decayed_pool", "random_forest", "glm"]
    assert set(models("baseline")) == {
        "even", "border_distance", "last_period", "kde", "radius_history", "kde_pool",
        "history_alone", "expert_weights", "walk_and_hide",
    }  # fmt: skip


def test_even_is_even(cells, panel):
    assert np.ptp(make_model("even").fit(cells, panel, ORIGIN).intensity(cells)) == 0


def test_radius_history_gives_each_incident_its_own_width():
    cells = make_cells()
    past = at(cells, [(-95, 5), (105, 5)], ["2019-05-01"] * 2, [15.0, 40.0])
    found = make_model("radius_history").fit(cells, past, ORIGIN)
    counts = found.parts(cells)["history"] / found.parts(cells)["history"].sum()
    row = grid_of(cells, counts)[14]
    for column, radius in ((5, 15.0), (25, 40.0)):
        sigma = radius / np.sqrt(2 * np.log(10))
        edges = np.diff(norm.cdf([-5, 5, 15], 0, sigma))
        assert row[column + 1] / row[column] == pytest.approx(edges[1] / edges[0], rel=0.01)
    even = found.parts(cells)["even"]
    assert even.sum() / found.intensity(cells).sum() == pytest.approx(0.1)


def test_last_period_forgets_what_was_before(cells):
    past = at(cells, [(-100, 5), (105, 5)], ["2018-12-30", "2019-05-01"])
    year = make_model("last_period").fit(cells, past, ORIGIN).parts(cells)["recent"]
    west = cells.x["x_km"].to_numpy() < 0
    assert year[west].sum() == pytest.approx(0, abs=1e-12)
    assert year[~west].sum() > 0
    two = make_model("last_period", horizon_days=730).fit(cells, past, ORIGIN).parts(cells)
    assert two["recent"][west].sum() == pytest.approx(0, abs=1e-12)


def test_kde_by_hand():
    cells = make_cells()
    past = at(cells, [(5, 5)], ["2019-05-01"])
    found = make_model("kde", bandwidth_km=20.0).fit(cells, past, ORIGIN)
    row = grid_of(cells, found.parts(cells)["history"])[14]
    assert row[17] / row[15] == pytest.approx(np.exp(-0.5), rel=0.02)
    even = found.parts(cells)["even"].sum() / found.intensity(cells).sum()
    assert even == pytest.approx(0.01)


@pytest.mark.parametrize("sigma_km", [10.0, 30.0])
def test_the_bandwidth_is_the_planted_one_and_all_incidents_choose_it(sigma_km):
    """Two clusters: the best kernel is about as wide as they are, whichever part is looked at."""
    cells, rng = make_cells(), np.random.default_rng(3)
    xy = np.concatenate([rng.normal(c, sigma_km, (700, 2)) for c in (-60, 60)])
    xy = xy[(np.abs(xy) < 149).all(axis=1)]
    past = at(cells, xy, ["2019-01-01"] * len(xy))
    found = best_bandwidth(cells, past)
    assert found in BANDWIDTHS_KM
    assert found <= sigma_km
    assert found < best_bandwidth(cells, past.take(rng.choice(len(past), 12, replace=False)))


def test_the_bandwidth_by_brute_force():
    cells, rng = make_cells(), np.random.default_rng(1)
    past = at(cells, rng.normal(0, 35, (25, 2)), ["2019-01-01"] * 25, rng.choice([2.0, 15.0], 25))
    mass, xy = past.mass.toarray(), past.incidents[["x", "y"]].to_numpy() / 1000
    place = cells.x[["x_km", "y_km"]].to_numpy()
    square = ((place[:, None] - xy) ** 2).sum(axis=2)
    scores = []
    for width in BANDWIDTHS_KM:
        kernel = np.exp(-square / (2 * width**2)) * 100 / (2 * np.pi * width**2)
        others = kernel.sum(axis=1, keepdims=True) - kernel
        log = np.log(0.99 * others + 0.01 * 25 / cells.area_100km2.sum())
        scores.append((mass.T * log).sum())
    assert best_bandwidth(cells, past) == BANDWIDTHS_KM[int(np.argmax(scores))]


def test_the_pool_of_kernels_learns_how_wide_to_be():
    cells, rng = make_cells(), np.random.default_rng(0)
    dates = pd.Timestamp("2010-01-01") + pd.to_timedelta(rng.integers(0, 3600, 400), "D")
    towns = np.array([(-95, -95), (55, 35), (105, -45), (-45, 85)])
    same = at(cells, towns[rng.integers(0, 4, 400)], dates)
    anywhere = at(cells, rng.uniform(-149, 149, (400, 2)), dates)
    narrow = make_model("kde_pool").fit(cells, same, ORIGIN)
    wide = make_model("kde_pool").fit(cells, anywhere, ORIGIN)
    assert narrow.weights[:3].sum() > 0.9
    assert wide.weights[4:6].sum() + wide.weights[-1] > 0.6


def test_border_distance_only_falls_and_finds_the_decay():
    cells, rng = make_cells(), np.random.default_rng(0)
    distance = cells.x["border_distance_km"].to_numpy()
    rate = np.exp(-distance / 40)
    chosen = rng.choice(len(cells), 3000, p=rate / rate.sum())
    xy = cells.x[["x_km", "y_km"]].to_numpy()[chosen]
    fitted = make_model("border_distance").fit(cells, at(cells, xy, ["2019-01-01"] * 3000), ORIGIN)
    found = fitted.intensity(cells)
    order = np.argsort(distance)
    assert np.all(np.diff(found[order]) <= 1e-12)
    ratio = found[distance == 5].mean() / found[distance == 85].mean()
    assert ratio == pytest.approx(np.exp(80 / 40), rel=0.3)


def test_expert_weights_by_hand(cells):
    none = at(cells, np.zeros((0, 2)), [])
    model = make_model("expert_weights", importance={"border_distance": -3.0, "elevation": 1.0})
    fitted = model.fit(cells, none, ORIGIN)
    near = cells.x["border_distance_km"].rank(pct=True)
    high = cells.x["elevation_mean"].rank(pct=True)
    index = 0.75 * (1 - near) + 0.25 * high
    found = fitted.intensity(cells)
    assert np.corrcoef(found, index)[0, 1] > 0.999
    assert found / found.mean() == pytest.approx(index / index.mean(), abs=0.08)


def test_expert_weights_explain_themselves_without_rest(cells):
    none = at(cells, np.zeros((0, 2)), [])
    model = make_model("expert_weights", importance={"border_distance": -3.0, "elevation": 1.0})
    fitted = model.fit(cells, none, ORIGIN)
    found, log = fitted.drivers(cells), np.log(fitted.intensity(cells))
    area = cells.study_area_100km2
    assert found.sum(axis=1).to_numpy() == pytest.approx(log - np.average(log, weights=area))
    near = cells.x["border_distance_km"].to_numpy()
    assert np.corrcoef(found["border_distance_km"], -near)[0, 1] > 0.8
    assert np.corrcoef(found["elevation_mean"], cells.x["elevation_mean"])[0, 1] > 0.8
    assert (fitted.intensity(cells) > 0).all()


def test_walk_and_hide_by_hand(cells):
    none = at(cells, np.zeros((0, 2)), [])
    found = make_model("walk_and_hide", half_hours=6.0, seen=0.2).fit(cells, none, ORIGIN)
    hours, hidden = cells.x["hours_from_border"], cells.x["hidden_share"]
    expected = 0.5 ** (hours / 6) * (0.2 + 0.8 * hidden)
    intensity = found.intensity(cells)
    assert intensity / intensity[0] == pytest.approx((expected / expected[0]).to_numpy())


def test_what_needs_no_incidents_says_so_and_others_do_not_guess(cells):
    none = at(cells, np.zeros((0, 2)), [])
    for name in models():
        if settings(name).needs_incidents:
            with pytest.raises(DataError, match="0 incident"):
                make_model(name).fit(cells, none, ORIGIN)
        else:
            assert np.isfinite(make_model(name).fit(cells, none, ORIGIN).intensity(cells)).all()


def test_a_column_that_is_not_there_is_named(panel):
    plain = make_cells()
    with pytest.raises(DataError, match="walk_and_hide needs hours_from_border, hidden_share"):
        make_model("walk_and_hide").fit(plain, panel, ORIGIN)
    bare = CellTable(
        plain.grid, plain.mask, plain.x[["x_km", "y_km"]], plain.area_100km2, plain.exposure
    )
    with pytest.raises(DataError, match="border_distance needs border_distance_km"):
        make_model("border_distance").fit(bare, panel, ORIGIN)
    with pytest.raises(DataError, match="expert_weights needs one of border_distance_km"):
        make_model("expert_weights").fit(bare, panel, ORIGIN)
