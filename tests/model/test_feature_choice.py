from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from borderrisk.errors import ConfigError
from borderrisk.evaluation.backtest import forecast_origin
from borderrisk.model import feature_choice
from borderrisk.model.feature_choice import telling
from borderrisk.model.fitting import fit_spatial, without_columns
from borderrisk.model.pooled import Pooled
from borderrisk.synthetic import make_world

ORIGIN = pd.Timestamp("2016-01-01")
# What the world's truth is made of.
PLANTED = {"border_distance_km", "settlement_distance_10k_km", "elevation_mean", "slope_mean"}
QUICK = {"n_estimators": 20, "models": "both", "bandwidth_km": 5.0}


@pytest.fixture(scope="module")
def world():
    return make_world(seed=9, incidents=250, shape=(24, 28), cell_size_m=20_000)


def said(**effects):
    """Return a model with given effects in two cells."""
    return SimpleNamespace(contributions=lambda table: pd.DataFrame(effects).loc[table.index])


def test_the_fewest_features_that_make_up_the_share():
    # Incidents are in the second cell only: mean squares 90, 9.92, 0.07 and 0.01 of 100.
    model = said(a=[9.0, 0.07**0.5], b=[0.0, 90**0.5], c=[5.0, 0.1], d=[0.0, -(9.92**0.5)])
    table = pd.DataFrame(0.0, index=range(2), columns=[*"abcd", "x_km", "y_km"])
    assert telling(model, table, np.array([0, 3])) == ["b", "d"]
    # 99.89 % are not enough.
    more = said(a=[0, 0.3], b=[0.0, 90**0.5], c=[0, 0.02**0.5], d=[0.0, 9.89**0.5])
    assert telling(more, table, np.array([0, 3])) == ["a", "b", "d"]


def test_where_nothing_tells_all_are_kept():
    table = pd.DataFrame(0.0, index=range(2), columns=["a", "b", "x_km", "y_km"])
    constant = SimpleNamespace(contributions=lambda table: pd.DataFrame(index=table.index))
    for model in (said(a=[0.0, 0.0], b=[0.0, 0.0]), constant):
        assert telling(model, table, np.array([1, 0])) == ["a", "b"]


def with_noise(cells, count):
    """Return cells with smooth columns that have nothing to do with incidents."""
    rng = np.random.default_rng(1)
    fields = [gaussian_filter(rng.normal(size=cells.mask.shape), 2) for _ in range(count)]
    more = {f"noise_{k}": field[cells.mask] for k, field in enumerate(fields)}
    return replace(cells, x=cells.x.assign(**more))


def test_noise_is_dropped_before_what_matters(cells, panel):
    noisy = with_noise(cells, 12)
    model = Pooled(**QUICK).fit_cells(noisy, panel, ORIGIN)
    left = set(model.features_)
    assert left >= PLANTED
    assert len(left - set(cells.features)) < 12
    assert set(model.columns_) == {*model.features_, "x_km", "y_km"}
    for part in (model.glm_, model.forest_):
        assert list(part.feature_names_in_) == model.columns_
    assert set(model.contributions(noisy.x)) == {*model.features_, "history"}
    # A feature that was dropped changes nothing.
    dropped = next(name for name in noisy.features if name not in left)
    changed = noisy.x.assign(**{dropped: 5.0})
    assert np.array_equal(model.predict(changed), model.predict(noisy.x))


def test_each_origin_chooses_from_its_own_past(cells, panel):
    noisy = with_noise(cells, 12)
    early = pd.Timestamp("2012-01-01")
    find = {"near_km": 15.0, "seed": 0}
    first = forecast_origin(noisy, panel, early, [1], {"pooled": QUICK, "uniform": {}}, **find)
    alone = fit_spatial("pooled", QUICK, noisy, panel.before(early), early).estimator
    later = fit_spatial("pooled", QUICK, noisy, panel, ORIGIN).estimator
    assert first.chosen["pooled"]["features"] == alone.features_ != later.features_
    assert first.chosen["pooled"]["weights"] == alone.weights_


def test_given_features_are_kept(cells, panel, monkeypatch):
    given = [cells.features[3], cells.features[0]]
    monkeypatch.setattr(feature_choice, "telling", None)
    model = Pooled(features=given, **QUICK).fit_cells(cells, panel, ORIGIN)
    assert model.features_ == given[::-1]
    fewer = replace(cells, x=cells.x[model.columns_])
    same = Pooled(features=given, **QUICK).fit_cells(fewer, panel, ORIGIN)
    assert np.array_equal(same.predict(fewer.x), model.predict(cells.x))


def test_columns_that_are_gone_leave_the_parameters_that_list_them():
    given = {"features": ["a", "b"], "monotone": {"a": -1, "b": 1}, "alpha": 1.0}
    kept = {"features": ["b"], "monotone": {"b": 1}, "alpha": 1.0}
    assert without_columns(given, ["a", "c"]) == kept
    assert without_columns(given, ["a", "b"])["features"] is None
    assert given["features"] == ["a", "b"]


@pytest.mark.parametrize(
    ("features", "words"), [(["slop"], "no column 'slop'"), ([], "none given")]
)
def test_features_that_do_not_exist_are_an_error(features, words, cells, panel):
    with pytest.raises(ConfigError, match=words):
        Pooled(features=features, **QUICK).fit_cells(cells, panel, ORIGIN)
