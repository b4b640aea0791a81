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
    possible_means,
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


def by_hand(age, half_life, known=np.inf):
    """Incidents that count over days that do, two more over the days a slower pace takes."""

    def faded(life):
        memory = (1 - fade(max(known, half_life), life)) / np.log(2) * life
        return fade(age, life).sum(), memory

    (count, days), (slow, slow_days) = faded(half_life), faded(730)
    return (count + 2) / (days + 2 * slow_days / (slow + 0.25))


def test_incidents_fade_by_hand():
    """An even record is worth its rate; a burst fades, but to no more than a slower pace."""
    even = Pace(np.arange(0.005, 9000, 0.01), np.full(900_000, 0.01), 9000.0, 100.0)
    assert even.rate(0.0) == pytest.approx(1, rel=1e-3)
    age = np.full(8, 300.0)
    burst = Pace(age, np.ones(8), np.inf, 100.0)
    assert burst.rate(0.0) == pytest.approx(by_hand(age, 100))
    assert burst.rate(299.9) == pytest.approx(by_hand(np.full(8, 0.1), 100))
    assert burst.rate(300.0) == pytest.approx(by_hand([], 100))


def test_a_quiet_half_year_is_no_end():
    """Ten a year for ten years, then none for half a year: more than half of them, not a third."""
    age = 182.6 + np.arange(0, 3650, 36.5)
    quiet, alone = Pace(age, np.ones(100), 3833.0, 120.0), fade(age, 120).sum() / 120 * np.log(2)
    assert alone * 365 < 0.4 * 10
    assert 0.5 * 10 < quiet.rate(0.0) * 365 < 0.7 * 10
    # Where many are recent the slower pace hardly matters.
    busy = Pace(np.repeat(age, 50), np.ones(5000), 3833.0, 120.0)
    assert busy.rate(0.0) == pytest.approx(50 * alone, rel=0.05)


def test_what_was_before_the_record_is_unknown_not_nought(cells):
    """Three incidents in one half-life are what that part of the memory holds, doubled."""
    age = np.array([120, 92, 1])
    days = ORIGIN - pd.to_timedelta(age, unit="D")
    level = expected_level(cells, dated(cells, days), ORIGIN, 365)
    assert level.mean == pytest.approx(365.25 * by_hand(age, 120, 120))
    assert expected_level(cells, dated(cells, []), ORIGIN, 365).mean == pytest.approx(
        365.25 * by_hand([], 120)
    )


@pytest.mark.parametrize("pace", [4, 20, 80])
def test_possible_means_hold_the_truth(cells, pace):
    """Of steady records of ten years nine in ten intervals of the mean hold it, or more.

    What fades leaves room for a pace that drifts.
    """
    rng, held = np.random.default_rng(pace), []
    for _ in range(60):
        age = np.sort(rng.integers(1, 3650, rng.poisson(10 * pace)))[::-1]
        past = dated(cells, ORIGIN - pd.to_timedelta(age, unit="D"))
        mean = expected_level(cells, past, ORIGIN, 365).mean
        drawn = mean * possible_means(cells, past, ORIGIN, 365, 40, rng)
        low, high = np.quantile(drawn, [0.05, 0.95], method="hazen")
        held.append(low <= pace <= high)
        assert drawn.mean() == pytest.approx(mean, rel=0.02)
    assert np.mean(held) >= 0.9
    assert np.std(drawn) / mean < 0.6


def test_a_period_ends_before_the_day_the_next_begins(cells):
    both = dated(cells, ["2019-01-01", "2019-12-31", "2020-01-01"])
    year = ending_between(both, pd.Timestamp("2019-01-01"), ORIGIN)
    assert year.incidents["incident_id"].tolist() == ["0", "1"]


def test_the_memory_of_a_shorter_forecast_is_shorter(cells):
    """The half-life goes with the root of the length: 120 days for a year, 60 for a quarter."""
    past = dated(cells, ["2016-06-01", "2019-11-20", "2019-12-20"])
    age = (ORIGIN - past.incidents["date"]).dt.days.to_numpy()
    for days, half_life in ((365, 120), (365 / 4, 60)):
        mean = expected_level(cells, past, ORIGIN, days).mean
        assert mean == pytest.approx(365.25 * by_hand(age, half_life, age[0]))


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
    pace = Pace.of(cells, past, pd.Timestamp("2019-09-01"), 120)
    assert (pace.count(365, 0), pace.count(730, 365)) == (2, 0)


def test_a_period_has_the_day_it_begins_and_not_the_one_it_ends(cells):
    past = dated(cells, ["2018-12-31", "2019-01-01", "2019-12-31"])
    assert Pace.of(cells, past, ORIGIN, 120).count(365, 0) == 2


def counted(cells, past):
    return Pace.of(cells, past, ORIGIN, 120).count(np.inf, 0)


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
