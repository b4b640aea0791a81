import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.worlds import make_world
from sklearn.utils.estimator_checks import check_estimator

from borderrisk.errors import ConfigError, DataError
from borderrisk.model import pooled_parts as parts
from borderrisk.model.fitting import decompose, explained, fit_spatial
from borderrisk.model.pooled import PARTS, Pooled

ALL = ("pooled", "kde", "persistence", "history", "border_distance", "uniform", "glm", "gam")
ORIGIN = pd.Timestamp("2019-01-01")


@pytest.fixture(scope="module")
def world():
    return make_world(seed=3, incidents=150, shape=(24, 28), cell_size_m=20_000)


@pytest.fixture(scope="module")
def fitted(cells, panel):
    return {name: fit_spatial(name, {}, cells, panel, ORIGIN) for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_the_factors_multiply_to_the_intensity(name, fitted, cells):
    d = fitted[name].predict(cells)
    assert d.susceptibility * d.history * d.reporting == pytest.approx(d.intensity, rel=1e-12)
    assert np.all(d.intensity > 0)
    assert d.intensity == pytest.approx(fitted[name].intensity(cells), rel=1e-9)


def test_all_models_share_one_level(fitted, cells, panel):
    rate = parts.annual_rate(panel.before(ORIGIN), ORIGIN)
    for name in ("pooled", "kde", "history", "uniform"):
        total = fitted[name].intensity(cells) @ cells.area_100km2
        assert total == pytest.approx(rate, rel=1e-6), name


def test_reporting_is_one_at_its_median(fitted, cells):
    model = fitted["pooled"].estimator
    table = cells.x.assign(**model.reporting_median_)
    assert set(model.reporting_median_) == {
        "settlement_distance_1k_km", "settlement_distance_10k_km", "population_potential",
    }  # fmt: skip
    assert model.decompose(table).reporting == pytest.approx(np.ones(len(table)))


@pytest.mark.parametrize("name", ["pooled", "kde"])
def test_nothing_after_the_origin_matters(name, cells, panel, fitted):
    later = panel.incidents["date_end"] >= ORIGIN
    moved = panel.incidents.assign(
        x=np.where(later, 0.0, panel.incidents["x"]), weight=np.where(later, 9.0, 1.0)
    )
    changed = type(panel)(panel.grid, panel.domain, panel.mass, moved)
    again = fit_spatial(name, {}, cells, changed, ORIGIN)
    assert np.array_equal(again.intensity(cells), fitted[name].intensity(cells))


def test_fits_are_repeatable_and_the_cache_changes_nothing(cells, panel, fitted):
    cache = {}
    for year in (2017, 2018):
        fit_spatial("pooled", {}, cells, panel, f"{year}-01-01", cache=cache)
    again = fit_spatial("pooled", {}, cells, panel, ORIGIN, cache=cache)
    assert np.array_equal(again.intensity(cells), fitted["pooled"].intensity(cells))


def test_drivers_add_up(fitted, cells):
    model = fitted["pooled"].estimator
    gap = model.contributions(cells.x).sum(axis=1) - np.log(model.predict(cells.x))
    assert np.ptp(gap) < 1e-6


def test_given_weights_are_used(cells, panel):
    only = dict(zip(PARTS, (0.0, 0.0, 0.0, 1.0), strict=True))
    model = Pooled().fit_cells(cells, panel, ORIGIN, weights=only)
    assert np.ptp(model.predict(cells.x)) == pytest.approx(0)


def test_the_kde_takes_the_bandwidth_the_past_prefers(fitted):
    assert fitted["kde"].estimator.bandwidth_km in parts.BANDWIDTHS_KM


def test_an_origin_without_past_is_an_error(cells, panel):
    with pytest.raises(DataError, match="Origin 1990-01-01 has 0 incident"):
        fit_spatial("kde", {}, cells, panel, "1990-01-01")


def test_an_unknown_name_is_an_error(cells, panel):
    with pytest.raises(ConfigError, match="did you mean 'gam'"):
        fit_spatial("gamm", {}, cells, panel, ORIGIN)


def test_plain_tables_with_and_without_coordinates():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "a": rng.normal(size=300),
            "x_km": rng.uniform(0, 300, 300),
            "y_km": rng.uniform(0, 300, 300),
        }
    )
    y = rng.poisson(np.exp(table["a"]))
    for x in (table, table[["a"]]):
        model = Pooled(n_estimators=20).fit(x, y)
        assert np.corrcoef(model.predict(x), np.exp(x["a"]))[0, 1] > 0.5
        assert decompose(model, x).intensity == pytest.approx(model.predict(x))
    assert Pooled(n_estimators=5).fit(table[["a"]], y).weights_["history"] == 0


def test_scikit_learn_contract():
    # Weights are exposure: twice the weight is twice the area, not the row twice.
    exposure = {"check_sample_weight_equivalence_on_dense_data": "weights are exposure"}
    check_estimator(Pooled(n_estimators=5), on_skip=None, expected_failed_checks=exposure)


def test_weights_go_to_the_part_that_foresaw():
    density = np.column_stack([np.full(10, 4.0), np.full(10, 0.5)])
    found = parts.mixture_weights(density, np.full(10, 5.0), np.array([1.0, 1.0]))
    assert found[0] > 0.9
    assert found.sum() == pytest.approx(1)


def test_a_prior_is_what_is_left_without_evidence():
    found = parts.mixture_weights(np.zeros((0, 2)), np.zeros(0), np.array([3.0, 1.0]))
    assert found == pytest.approx([0.75, 0.25])


def test_a_growing_record_is_forecast_by_its_last_years(panel):
    years = np.repeat(np.arange(2000, 2020), np.r_[np.full(10, 1), np.full(10, 20)])
    date = pd.to_datetime(pd.Series([f"{y}-06-01" for y in years]))
    grown = type(panel)(
        panel.grid, panel.domain, panel.mass[:1],
        pd.DataFrame({"date": date, "date_end": date}),
    )  # fmt: skip
    assert parts.annual_rate(grown, pd.Timestamp("2020-01-01")) == pytest.approx(20, rel=0.05)


def test_recurrences_count_less_than_first_occurrences(panel):
    table = panel.incidents.head(3).assign(
        x=[0.0, 0.0, 900_000.0],
        y=0.0,
        date=pd.to_datetime(["2010-01-01", "2011-01-01", "2012-01-01"]),
    )
    three = type(panel)(panel.grid, panel.domain, panel.mass[:3], table)
    assert parts.first_occurrence(three, 15.0) == pytest.approx([1, 0.5, 1])


def test_learning_origins_stop_where_the_past_is_too_thin(panel):
    found = parts.learning_origins(panel, ORIGIN, 20, 8)
    assert found[-1] == pd.Timestamp("2018-01-01")
    assert all(len(panel.before(origin)) >= 8 for origin in found)
    assert len(panel.before(found[0] - pd.DateOffset(years=1))) < 8


def test_fitting_and_predicting_at_once_is_the_same(cells, panel):
    given = dict(zip(PARTS, (0.2, 0.1, 0.6, 0.1), strict=True))
    model = Pooled(alpha=0.1, n_estimators=10, random_state=4)
    at_once = model.fit_predict_cells(cells, panel, ORIGIN, weights=given)
    assert at_once == pytest.approx(model.predict(cells.x), rel=1e-5)


def test_what_features_explain_leaves_the_incidents_out(cells, panel, fitted):
    d = decompose(fitted["pooled"].estimator, cells.x)
    alone = explained(fitted["pooled"].estimator, cells.x)
    assert alone == pytest.approx(d.susceptibility * d.reporting, rel=1e-9)
    assert explained(fitted["glm"].estimator, cells.x) == pytest.approx(
        fitted["glm"].intensity(cells)
    )
    assert np.ptp(explained(fitted["kde"].estimator, cells.x)) == 0
