import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from benchmarks.studies import counts
from scipy.sparse import csr_matrix
from tests.squares import make_cells

from borderrisk import scores
from borderrisk.model.level import Level, expected_level
from borderrisk.model.panel import as_panel


@pytest.fixture(scope="module")
def cells():
    return make_cells()


def dated(cells, days, x=0.0):
    points = gpd.points_from_xy(np.broadcast_to(x, len(days)), np.zeros(len(days)))
    table = gpd.GeoDataFrame({"date": days, "weight": 1.0}, geometry=points, crs=cells.grid.crs)
    return as_panel(table, cells)


def monthly(years):
    return pd.date_range("2011-01-15", periods=12 * years, freq="MS")


def test_the_earlier_rule_takes_the_years_that_would_have_foreseen_best(cells):
    """Ten quiet years and two loud ones: only the last is a guide to the next."""
    loud = pd.date_range("2019-01-05", "2020-12-25", periods=80)
    past = dated(cells, [*monthly(8), *loud])
    assert counts.earlier_rate(past, pd.Timestamp("2021-01-01")) == pytest.approx(40, abs=1)
    even = dated(cells, monthly(8))
    assert counts.earlier_rate(even, pd.Timestamp("2019-01-01")) == pytest.approx(12, abs=0.2)


def test_totals_follow_each_other_and_are_scored_against_the_earlier_rule(cells):
    known = dated(cells, monthly(6))
    days = counts.origins(known, 365)
    assert [day.year for day in days] == [2012, 2013, 2014, 2015, 2016]
    found = counts.totals("A", cells, known, 365)
    assert found.held.tolist() == [[True, True]] * 5
    score = sum(
        counts.count_score(12, level.mean, level.size)
        for level in (expected_level(cells, known.before(day), day, 365) for day in days)
    )
    assert found.score == pytest.approx(score)
    # An even record is what a Poisson count is made for.
    assert found.rule < found.score
    months = counts.origins(known, 30)
    assert set(pd.DatetimeIndex(months).diff().days[1:]) == {30}


def test_parts_count_what_most_likely_fell_there(cells):
    """Of 20 expected in the west and as many in the east, 24 come in the west and none east."""
    x = cells.x["x_km"].to_numpy()
    halves = csr_matrix(np.column_stack([x < 0, x >= 0]).astype(float))
    share = np.full(len(cells), 1 / len(cells))
    later = dated(cells, monthly(2), x=-9e4)
    level = Level(40.0 * scores.DAYS_PER_YEAR / 365, 2.0)
    for kind in (counts.SECTIONS, counts.WINDOWS):
        held = counts._held(cells, later, share, level, 365, kind, halves)
        assert held.tolist() == [[True, True], [False, False]]


def test_windows_are_as_large_as_a_focus(cells):
    inside = counts.windows(cells)
    assert inside.sum(axis=0).max() == 900  # 300 km of cells of 10 km, the whole square
    assert (inside.sum(axis=1) >= 1).all()
