import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.worlds import make_world
from scipy.sparse import csr_matrix

from borderrisk.errors import DataError
from borderrisk.evaluation import backtest as bt
from borderrisk.evaluation.scorecard import GROUNDS
from borderrisk.model.registry import settings

MODELS = {
    "even": settings("even"),
    "kde": settings("kde", {"bandwidth_km": 30.0}),
    "glm": settings("glm", {"alpha": 0.1}),
}
ORIGINS = bt.yearly_origins("2014-01-01", "2016-01-01")


@pytest.fixture(scope="module")
def world():
    return make_world(seed=5, incidents=200, shape=(24, 28), cell_size_m=20_000)


@pytest.fixture(scope="module")
def forecasts(cells, panel):
    return bt.backtest(cells, panel, ORIGINS, (1, 2), MODELS, near_km=15, least=10, workers=1)


def test_origins_are_the_same_day_of_each_year():
    assert [pd.Timestamp(f"{y}-01-01") for y in (2014, 2015, 2016)] == ORIGINS
    assert bt.yearly_origins("2014-07-01", "2016-06-30")[-1] == pd.Timestamp("2015-07-01")


@pytest.fixture(scope="module")
def rows(forecasts, cells):
    return pd.DataFrame([vars(row) for row in bt.origin_rows(forecasts, cells)])


def test_every_model_is_scored_at_every_origin_horizon_and_subset(rows):
    assert set(rows.loc[rows["role"] == "baseline", "model"]) == {"even", "kde"}
    counts = rows[rows["model"] == "kde"].pivot_table(
        index=["origin", "horizon_years"], columns="subset", values="incidents", fill_value=0
    )
    assert len(counts) == 3 * 2
    assert (counts["repeat"] + counts["new"] == counts["all"]).all()
    assert (counts["new_ground"] <= counts["new"]).all()
    assert (rows.groupby(["origin", "horizon_years", "subset"]).size() == len(MODELS)).all()


def test_even_gains_nothing_and_captures_the_share_of_area(rows):
    even = rows[rows["model"] == "even"]
    assert even["bits"].to_numpy() == pytest.approx(np.zeros(len(even)), abs=1e-9)
    assert even["capture_10"].to_numpy() == pytest.approx(np.full(len(even), 0.1))
    assert even["auc"].to_numpy() == pytest.approx(np.full(len(even), 0.5))


def test_a_model_of_the_true_features_beats_the_baselines(rows):
    mean = rows[rows["subset"] == "all"].groupby("model")["bits"].mean()
    assert mean["glm"] > mean["kde"] > 0


def test_only_all_incidents_have_scores_of_chances(rows):
    known = rows.groupby("subset")["brier"].count()
    assert known["all"] > 0
    assert known.drop("all").sum() == 0


def test_forecasts_do_not_change_with_what_happens_later(cells, panel, forecasts):
    origin = ORIGINS[0]
    short = panel.before(origin)
    again = bt.forecast_origin(cells, short, origin, (1,), MODELS, near_km=15, seed=0)
    for name, intensity in again.intensity.items():
        assert np.array_equal(intensity, forecasts[0].intensity[name]), name


def test_later_incidents_lie_wholly_within_the_horizon(cells, panel):
    origin = pd.Timestamp("2015-01-01")
    test = bt.later_incidents(cells, panel, origin, 1, 15.0)
    dates = panel.incidents["date"]
    assert 0 < test.mass.shape[0] <= dates.between(origin, "2015-12-31").sum()
    assert np.asarray(test.mass.sum(axis=1)).ravel() == pytest.approx(np.ones(len(test.new)))


def test_a_place_is_new_when_no_known_incident_lies_near(panel):
    past, later = panel.take([0]), panel.take([0, 0, 0])
    x, y = panel.incidents.loc[0, ["x", "y"]]
    later.incidents[["x", "y"]] = [[x, y], [x + 14_000, y], [x + 16_000, y]]
    known = past.incidents[["x", "y"]].to_numpy()
    assert bt.new_places(known, later, 15.0).tolist() == [False, False, True]


def test_repeat_ground_is_near_what_was_known_at_the_origin(cells, panel, forecasts):
    for forecast in forecasts:
        past = panel.before(forecast.origin).incidents[["x", "y"]].to_numpy()
        x, y = (axis[cells.mask][cells.study] for axis in cells.grid.centres())
        apart = np.hypot(x[:, None] - past[:, 0], y[:, None] - past[:, 1])
        assert np.array_equal(forecast.near, apart.min(axis=1) <= 15_000)
        grounds = [forecast.ground(name) for name in GROUNDS]
        assert np.array_equal(grounds[1] | grounds[2], grounds[0])
        assert not (grounds[1] & grounds[2]).any()
        assert 0 < grounds[1].sum() < len(grounds[1])


def test_a_cell_is_repeat_ground_up_to_the_radius(cells, panel):
    x, y = (axis[cells.mask][cells.study] for axis in cells.grid.centres())
    known = panel.take([0])
    known.incidents[["x", "y"]] = [[x[0] + 15_000, y[0]]]
    assert bt.repeat_ground(cells, known, 15.0)[0]
    assert not bt.repeat_ground(cells, known, 14.9)[0]


def test_border_capture_counts_kilometres(cells):
    study = np.flatnonzero(cells.mask.ravel())[cells.study]
    near = study[: len(study) // 2]
    attribution = np.zeros((cells.grid.size, 2))
    attribution[study, 1], attribution[near] = 1, (1, 0)
    line = bt.BorderLine(csr_matrix(attribution), np.array([1.0, 9.0]))
    mass = csr_matrix(([1.0], ([0], [0])), shape=(1, len(study)))
    intensity = np.where(np.arange(len(study)) < len(near), 100.0, 1.0)
    assert bt.behind_border(intensity, cells, mass, line) == pytest.approx(1)
    assert bt.behind_border(1 / intensity, cells, mass, line) < 0.2


def test_an_origin_with_too_little_past_is_an_error(cells, panel):
    with pytest.raises(DataError, match=r"2010-03-01 has \d+ incident.*at least 10 needed"):
        bt.backtest(cells, panel, [pd.Timestamp("2010-03-01")], (1,), MODELS, least=10)


def test_a_horizon_past_the_data_is_an_error(cells, panel):
    with pytest.raises(DataError, match=r"horizon of 2 year.*ends on 2021-01-01.*last_origin"):
        bt.backtest(cells, panel, [pd.Timestamp("2019-01-01")], (1, 2), MODELS)
