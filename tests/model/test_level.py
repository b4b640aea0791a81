import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom
from tests.squares import make_cells

from borderrisk.model.level import (
    SIZES,
    Level,
    Pace,
    ending_between,
    expected_level,
    likely_size,
)
from borderrisk.model.panel import as_panel

ORIGIN = pd.Timestamp("2020-01-01")


@pytest.fixture(scope="module")
def cells():
    return make_cells()


def dated(cells, days, weight=1.0, x=0.0, ends=None):
    """Incidents on given days, at a place in grid metres."""
    points = gpd.points_from_xy(np.broadcast_to(x, len(days)), np.zeros(len(days)))
    table = {"date": pd.to_datetime(days), "weight": weight}
    if ends is not None:
        table["date_end"] = pd.to_datetime(ends)
    return as_panel(gpd.GeoDataFrame(table, geometry=points, crs=cells.grid.crs), cells)


def fade(age, half_life):
    return 0.5 ** (np.asarray(age) / half_life)


def test_incidents_fade_by_hand():
    """An even record is worth its rate, whatever its age; a burst is worth less each half-life."""
    even = Pace(np.arange(0.005, 2000, 0.01), np.full(200_000, 0.01), 2000.0, 100.0)
    quarter = np.log(2) / 100 * 0.25
    assert even.rate(0.0) == pytest.approx(1 + quarter, rel=1e-4)
    burst = Pace(np.array([300.0]), np.array([8.0]), np.inf, 100.0)
    assert burst.rate(0.0) == pytest.approx(np.log(2) / 100 * (1 + 0.25))
    assert burst.rate(299.9) == pytest.approx(np.log(2) / 100 * (8 + 0.25), rel=1e-3)
    assert burst.rate(300.0) == pytest.approx(quarter)


def test_what_was_before_the_record_is_unknown_not_nought(cells):
    """Three incidents in one half-life are what that part of the memory holds, doubled."""
    days = ["2019-08-08", "2019-10-01", "2019-12-31"]
    age = np.array([146, 92, 1])
    level = expected_level(cells, dated(cells, days), ORIGIN, 365)
    memory = (1 - 0.5) / np.log(2) * 146
    assert level.mean == pytest.approx(365.25 * (fade(age, 146).sum() + 0.25) / memory)
    assert expected_level(cells, dated(cells, []), ORIGIN, 365).mean == pytest.approx(
        365.25 * 0.25 * np.log(2) / 146
    )


def test_a_period_ends_before_the_day_the_next_begins(cells):
    both = dated(cells, ["2019-01-01", "2019-12-31", "2020-01-01"])
    year = ending_between(both, pd.Timestamp("2019-01-01"), ORIGIN)
    assert year.incidents["incident_id"].tolist() == ["0", "1"]


def test_the_memory_of_a_shorter_forecast_is_shorter(cells):
    """The half-life goes with the root of the length: 146 days for a year, 73 for a quarter."""
    past = dated(cells, ["2016-06-01", "2019-11-20", "2019-12-20"])
    age = (ORIGIN - past.incidents["date"]).dt.days.to_numpy()
    for days, half_life in ((365, 146), (365 / 4, 73)):
        memory = (1 - fade(age[0], half_life)) / np.log(2) * half_life
        mean = expected_level(cells, past, ORIGIN, days).mean
        assert mean == pytest.approx(365.25 * (fade(age, half_life).sum() + 0.25) / memory)


def test_an_incident_counts_by_its_confidence_and_only_inside(cells):
    half = cells.exposure.copy()
    half[cells.x["x_km"] > 0] = 0
    west = make_cells(exposure=half)
    past = dated(west, ["2019-05-01"] * 3, weight=[1.0, 0.4, 1.0], x=[-9e4, -9e4, 9e4])
    assert counted(west, past) == pytest.approx(1.4)


def test_of_a_cell_on_the_edge_only_what_is_scored_counts(cells):
    """An incident whose cell lies one part in four inside is not one of the study area."""
    quarter = make_cells(exposure=np.full(len(cells), 0.25))
    assert counted(quarter, dated(quarter, ["2019-05-01"])) == 0
    most = make_cells(exposure=np.full(len(cells), 0.75))
    assert counted(most, dated(most, ["2019-05-01"])) == 1


def test_an_incident_known_to_a_year_is_counted_on_its_last_day(cells):
    past = dated(cells, ["2018-01-01", "2018-07-01"], ends=["2018-12-31", "2019-06-30"])
    pace = Pace.of(cells, past, pd.Timestamp("2019-09-01"), 146)
    assert (pace.count(365, 0), pace.count(730, 365)) == (2, 0)


def test_a_period_has_the_day_it_begins_and_not_the_one_it_ends(cells):
    past = dated(cells, ["2018-12-31", "2019-01-01", "2019-12-31"])
    assert Pace.of(cells, past, ORIGIN, 146).count(365, 0) == 2


def counted(cells, past):
    return Pace.of(cells, past, ORIGIN, 146).count(np.inf, 0)


def test_the_size_follows_the_scatter():
    rng = np.random.default_rng(0)
    calm = [(100.0, count) for count in rng.poisson(100, 25)]
    wild = [(100.0, count) for count in rng.negative_binomial(0.2, 0.2 / 100.2, 25)]
    assert likely_size(calm, 2) > 3
    assert likely_size(wild, 2) < 1
    assert likely_size([], 2) == pytest.approx(2, rel=0.1)
    assert likely_size(wild, 2) in SIZES
    # What was long ago counts less: the calm after a storm is believed.
    assert likely_size(calm + wild, 2) > 2 * likely_size(wild + calm, 2)


def test_a_scattered_record_has_a_wider_interval(cells):
    """The level learns from its own earlier forecasts, of a year each."""
    steady = pd.date_range("2005-01-01", "2019-12-31", freq="18D")
    bursts = [day for day in pd.date_range("2005-01-01", "2019-12-31", freq="6D") if day.year % 3]
    narrow, wide = (expected_level(cells, dated(cells, d), ORIGIN, 365) for d in (steady, bursts))
    assert narrow.mean == pytest.approx(365.25 / 18, rel=0.1)
    assert narrow.size > wide.size


def test_the_interval_is_that_of_a_negative_binomial():
    level = Level(mean=20.0, size=2.0)
    low, high = level.interval(365.25, 0.9)
    chance = 2 / (2 + 20)
    law = nbinom(2, chance)
    middle = [law.cdf(k) - law.pmf(k) / 2 for k in (low - 1, low, high, high + 1)]
    assert middle[0] < 0.05 <= middle[1] and middle[2] <= 0.95 < middle[3]
    draws = np.random.default_rng(1).negative_binomial(2, chance, 20_000)
    assert np.mean((draws >= low) & (draws <= high)) == pytest.approx(0.9, abs=0.03)
    assert draws.var() == pytest.approx(20 + 20**2 / 2, rel=0.05)
    assert Level(0.0, 2.0).interval(365.25, 0.9) == (0, 0)
