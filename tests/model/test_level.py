import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom
from tests.squares import make_cells

from borderrisk.model.level import (
    SIZES,
    Level,
    count_interval,
    discounted_mean,
    ending_between,
    expected_level,
    likely_size,
    period_counts,
    retention,
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


def test_years_are_discounted_by_hand():
    # Weights .16, .4, 1 of three years: (3 * .16 + 0 * .4 + 10 * 1 + .5) / 1.56.
    assert discounted_mean(np.array([3.0, 0.0, 10.0]), 0.4) == pytest.approx(10.98 / 1.56)
    assert discounted_mean(np.zeros(0), 0.4) == 0.5


def test_years_end_at_the_origin_and_begin_with_the_first_incident(cells):
    days = ["2017-06-01", "2018-12-31", "2019-01-01", "2019-12-31"]
    assert period_counts(cells, dated(cells, days), ORIGIN, 365).tolist() == [1, 1, 2]
    level = expected_level(cells, dated(cells, days), ORIGIN, 365)
    assert level.mean == pytest.approx((0.16 + 0.4 + 2 + 0.5) / 1.56)


def test_a_period_ends_before_the_day_the_next_begins(cells):
    both = dated(cells, ["2019-01-01", "2019-12-31", "2020-01-01"])
    year = ending_between(both, pd.Timestamp("2019-01-01"), ORIGIN)
    assert year.incidents["incident_id"].tolist() == ["0", "1"]


def test_months_have_their_own_rule(cells):
    past = dated(cells, ["2019-12-15", "2019-12-20", "2019-11-20"])
    assert period_counts(cells, past, ORIGIN, 30).tolist() == [1, 2]
    a_month = (0.6 * 1 + 2 + 0.5) / 1.6
    assert expected_level(cells, past, ORIGIN, 30).mean == pytest.approx(a_month * 365.25 / 30)
    assert retention(90) == pytest.approx(0.45)


def test_an_incident_counts_by_its_confidence_and_only_inside(cells):
    half = cells.exposure.copy()
    half[cells.x["x_km"] > 0] = 0
    west = make_cells(exposure=half)
    past = dated(west, ["2019-05-01"] * 3, weight=[1.0, 0.4, 1.0], x=[-9e4, -9e4, 9e4])
    assert period_counts(west, past, ORIGIN, 365).sum() == pytest.approx(1.4)


def test_of_a_cell_on_the_edge_only_what_is_scored_counts(cells):
    """An incident whose cell lies one part in four inside is not one of the study area."""
    quarter = make_cells(exposure=np.full(len(cells), 0.25))
    assert period_counts(quarter, dated(quarter, ["2019-05-01"]), ORIGIN, 365).tolist() == [0]
    most = make_cells(exposure=np.full(len(cells), 0.75))
    assert period_counts(most, dated(most, ["2019-05-01"]), ORIGIN, 365).tolist() == [1]


def test_an_incident_known_to_a_year_is_counted_once(cells):
    past = dated(cells, ["2018-01-01", "2018-07-01"], ends=["2018-12-31", "2019-06-30"])
    assert period_counts(cells, past, pd.Timestamp("2019-09-01"), 365).tolist() == [0, 2]


def test_the_size_follows_the_scatter():
    rng = np.random.default_rng(0)
    calm = rng.poisson(100, 25).astype(float)
    wild = rng.negative_binomial(0.4, 0.4 / 100.4, 25).astype(float)
    assert likely_size(calm, 0.4) >= 15
    assert likely_size(wild, 0.4) <= 1.2
    assert likely_size(np.array([4.0]), 0.4) == 1.2
    assert likely_size(wild, 0.4) in SIZES


def test_the_interval_is_that_of_a_negative_binomial():
    level = Level(mean=20.0, size=2.0)
    low, high = level.interval(365.25, 0.9)
    chance = 2 / (2 + 20)
    assert (low, high) == (nbinom.ppf(0.05, 2, chance), nbinom.ppf(0.95, 2, chance))
    draws = np.random.default_rng(1).negative_binomial(2, chance, 20_000)
    assert np.mean((draws >= low) & (draws <= high)) == pytest.approx(0.9, abs=0.03)
    assert draws.var() == pytest.approx(20 + 20**2 / 2, rel=0.05)
    assert count_interval(0.0, 2.0, 0.9) == (0, 0)
