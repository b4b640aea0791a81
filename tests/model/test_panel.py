import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from borderrisk.errors import DataError
from borderrisk.grid import Grid, laea_crs
from borderrisk.model.panel import MIN_SHARE, RADIUS_PER_SIGMA, Panel, spread

FINE = Grid(laea_crs(60, 31), Affine(500, 0, -50_000, 0, -500, 50_000), (200, 200))


def incidents(grid, x, y, radius_km, **columns):
    lon, lat = grid._to_wgs84.transform(np.asarray(x, float), np.asarray(y, float))
    n = len(lon)
    table = {
        "incident_id": [f"i{k}" for k in range(n)],
        "date": pd.Timestamp("2020-01-01"),
        "date_end": pd.Timestamp("2020-01-01"),
        "radius_km": np.asarray(radius_km, float),
        "weight": 1.0,
        "kind": "attack",
    } | columns
    points = gpd.points_from_xy(lon, lat, crs="EPSG:4326")
    return gpd.GeoDataFrame(pd.DataFrame(table, index=range(n)), geometry=points)


def dated(grid, days):
    first = pd.to_datetime([d[0] for d in days])
    last = pd.to_datetime([d[1] for d in days])
    table = incidents(grid, np.zeros(len(days)), np.zeros(len(days)), [1] * len(days))
    return Panel.build(table.assign(date=first, date_end=last), grid, np.ones(grid.shape))


def test_ninety_percent_of_the_mass_lies_within_the_radius():
    panel = Panel.build(incidents(FINE, [0], [0], [20]), FINE, np.ones(FINE.shape))
    xx, yy = FINE.centres()
    within = np.hypot(xx, yy).ravel() <= 20_000
    assert panel.mass.toarray()[0, within].sum() == pytest.approx(0.90, abs=0.006)


def test_mass_of_a_cell_is_the_exact_integral(grid):
    sigma = 4_000.0
    mass, share = spread(
        np.array([1_000.0]), np.array([-2_000.0]), np.array([sigma]), grid, np.ones(grid.shape)
    )
    # The cell x in [0, 10), y in [-10, 0) km.
    px = norm.cdf(9_000 / sigma) - norm.cdf(-1_000 / sigma)
    py = norm.cdf(2_000 / sigma) - norm.cdf(-8_000 / sigma)
    assert mass.toarray().reshape(grid.shape)[3, 4] == pytest.approx(px * py, rel=0.006)
    assert share == pytest.approx([1.0])


def test_a_tiny_radius_puts_its_mass_into_one_cell(grid):
    panel = Panel.build(incidents(grid, [3_000], [12_000], [0.2]), grid, np.ones(grid.shape))
    assert panel.mass.nnz == 1
    assert panel.counts().reshape(grid.shape)[1, 4] == pytest.approx(1)


def test_a_small_radius_on_a_corner_is_shared_by_its_four_cells(grid):
    panel = Panel.build(incidents(grid, [0], [0], [1]), grid, np.ones(grid.shape))
    assert panel.counts().reshape(grid.shape)[2:4, 3:5] == pytest.approx(np.full((2, 2), 0.25))


def test_mass_is_cut_to_land_in_proportion_to_its_share(grid):
    domain = np.ones(grid.shape)
    domain[2:4, 3] = 0
    domain[2, 4] = 0.5
    counts = Panel.build(incidents(grid, [0], [0], [1]), grid, domain).counts()
    on_grid = np.zeros(grid.shape)
    on_grid[domain > 0] = counts
    assert on_grid[2:4, 3:5] == pytest.approx(np.array([[0, 1 / 3], [0, 2 / 3]]))


def test_incidents_without_land_are_listed_not_dropped(grid):
    domain = np.zeros(grid.shape)
    domain[:, :4] = 1
    table = incidents(grid, [-20_000, 30_000, 14_000, 900_000], [0, 0, 0, 0], [1, 1, 15, 15])
    panel = Panel.build(table, grid, domain)
    assert list(panel.incidents["incident_id"]) == ["i0"]
    assert list(panel.rejected["incident_id"]) == ["i1", "i2", "i3"]
    assert "no land" in panel.rejected["reason"][0]
    assert f"at least {MIN_SHARE:.0%}" in panel.rejected["reason"][1]


def test_counts_use_the_confidence_weights(grid):
    table = incidents(grid, [0, 0], [0, 0], [5, 5], weight=[1.0, 0.4])
    panel = Panel.build(table, grid, np.ones(grid.shape))
    assert panel.counts().sum() == pytest.approx(1.4)
    assert panel.counts(weighted=False).sum() == pytest.approx(2)


def test_before_needs_the_whole_period_in_the_past(grid):
    panel = dated(grid, [("2019-06-01", "2019-06-30"), ("2019-12-01", "2020-01-31")])
    assert list(panel.before("2020-01-01").incidents["incident_id"]) == ["i0"]
    assert len(panel.before("2020-01-31")) == 1
    assert len(panel.before("2020-02-01")) == 2


def test_between_takes_the_start_and_leaves_the_end(grid):
    days = [
        ("2019-12-31", "2019-12-31"),
        ("2020-01-01", "2020-01-01"),
        ("2020-12-01", "2020-12-31"),
        ("2020-01-01", "2021-01-01"),
    ]
    panel = dated(grid, days).between("2020-01-01", "2021-01-01")
    assert list(panel.incidents["incident_id"]) == ["i1", "i2"]


def test_redrawn_points_average_to_the_mass(grid):
    panel = Panel.build(incidents(grid, [2_000], [3_000], [15]), grid, np.ones(grid.shape))
    rng = np.random.default_rng(0)
    many = panel.take(np.zeros(20_000, int)).redraw(rng)
    assert np.abs(many.counts() / 20_000 - panel.counts()).max() < 0.01
    assert many.mass.nnz == 20_000
    row, col = grid.rowcol(many.incidents["x"], many.incidents["y"])
    assert np.array_equal(row * grid.shape[1] + col, many.mass.indices)


def test_redrawn_discs_keep_their_radius(grid):
    panel = Panel.build(incidents(grid, [0], [0], [10]), grid, np.ones(grid.shape))
    moved = panel.redraw(np.random.default_rng(1), kind="disc")
    assert moved.mass.nnz > 1
    assert moved.counts().sum() == pytest.approx(1)
    assert not np.allclose(moved.counts(), panel.counts())


def test_draws_repeat_with_the_seed(grid):
    panel = Panel.build(incidents(grid, [0, 9_000], [0, 0], [10, 20]), grid, np.ones(grid.shape))
    one, two = (panel.redraw(r) for r in map(np.random.default_rng, (7, 7)))
    assert one.incidents.equals(two.incidents)
    assert (one.mass != two.mass).nnz == 0


def test_respread_adds_variances():
    panel = Panel.build(incidents(FINE, [0], [0], [10]), FINE, np.ones(FINE.shape))
    wide = panel.respread(scale=2.0, extra_km=3.0)
    xx, _ = FINE.centres()
    variance = (wide.counts() * xx.ravel() ** 2).sum() - (wide.counts() * xx.ravel()).sum() ** 2
    expected = (2 * 10 / RADIUS_PER_SIGMA) ** 2 + 3**2
    assert variance / 1e6 == pytest.approx(expected, rel=0.04)  # the cut takes 3 %


def test_respread_keeps_an_incident_whose_narrower_disc_misses_land(grid):
    domain = np.zeros(grid.shape)
    domain[:, :4] = 1
    panel = Panel.build(incidents(grid, [3_000], [0], [10]), grid, domain)
    assert panel.respread(scale=0.01).counts() == pytest.approx(panel.counts())


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_an_impossible_radius_names_the_incident(grid, value):
    with pytest.raises(DataError, match="i1: radius_km"):
        Panel.build(incidents(grid, [0, 0], [0, 0], [1, value]), grid, np.ones(grid.shape))


def test_a_missing_column_is_named(grid):
    table = incidents(grid, [0], [0], [1]).drop(columns="date_end")
    with pytest.raises(DataError, match="date_end"):
        Panel.build(table, grid, np.ones(grid.shape))


def test_no_incidents_is_an_empty_panel(grid):
    panel = Panel.build(incidents(grid, [], [], []), grid, np.ones(grid.shape))
    assert len(panel) == 0
    assert panel.counts().shape == (grid.size,)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-45_000, 45_000), st.floats(-45_000, 45_000), st.floats(0, 80)),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 2**32 - 1),
)
def test_rows_sum_to_one_and_stay_on_land(discs, seed):
    grid = Grid(laea_crs(60, 31), Affine(10_000, 0, -50_000, 0, -10_000, 50_000), (10, 10))
    domain = np.random.default_rng(seed).choice([0, 0.3, 1], grid.shape)
    domain[0, 0] = 1
    x, y, radius = map(np.array, zip(*discs, strict=True))
    panel = Panel.build(incidents(grid, x, y, radius), grid, domain)
    assert len(panel) + len(panel.rejected) == len(discs)
    assert panel.mass.shape == (len(panel), (domain > 0).sum())
    assert np.asarray(panel.mass.sum(axis=1)).ravel() == pytest.approx(np.ones(len(panel)))
    assert panel.mass.data.min(initial=1) > 0
