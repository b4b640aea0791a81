import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from borderrisk.features import proximity
from borderrisk.grid import Grid, laea_crs


def make_grid(rows=20, cols=30, size=1000.0):
    return Grid(laea_crs(60, 31), Affine(size, 0, -10_000, 0, -size, 10_000), (rows, cols))


def test_distance_to_a_straight_line_is_the_offset():
    grid = make_grid()
    line = shapely.LineString([(0, -1e6), (0, 1e6)])
    distance = proximity.distance_to_lines_m(grid, line)
    np.testing.assert_allclose(distance, np.abs(np.broadcast_to(grid.x, grid.shape)), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-50_000, 50_000), st.floats(-50_000, 50_000)),
        min_size=2,
        max_size=8,
        unique=True,
    )
)
def test_distance_agrees_with_shapely_to_a_metre(vertices):
    line = shapely.LineString(vertices)
    grid = make_grid()
    expected = shapely.distance(shapely.points(*grid.centres()), line)
    np.testing.assert_allclose(proximity.distance_to_lines_m(grid, line), expected, atol=1.0)


def test_distance_is_exact_on_a_large_grid_and_a_winding_line():
    rng = np.random.default_rng(4)
    line = shapely.LineString(np.cumsum(rng.normal(0, 900, (4000, 2)), axis=0))
    line = shapely.union(line, shapely.LineString([(0, 0), (0, 0), (90_000, -70_000)]))
    grid = make_grid(150, 210)
    expected = shapely.distance(shapely.points(*grid.centres()), line)
    np.testing.assert_allclose(proximity.distance_to_lines_m(grid, line), expected, atol=1e-6)


def test_border_features_take_the_nearest_neighbour_and_know_the_side():
    grid = make_grid()
    west = shapely.LineString([(-10_000, -1e6), (-10_000, 1e6)])
    east = shapely.LineString([(20_000, -1e6), (20_000, 1e6)])
    home = shapely.box(-10_000, -1e6, 5_000, 1e6)
    ds = proximity.border_features(grid, {"AFG": west, "PAK": east}, home)
    column = ds.isel(y=3)
    assert float(column.border_distance_afg_km[4]) == pytest.approx(4.5)
    assert float(column.border_distance_pak_km[4]) == pytest.approx(25.5)
    assert float(column.border_distance_km[29]) == pytest.approx(0.5)
    assert column.border_side.values[[4, 14, 15, 29]].tolist() == [1, 1, -1, -1]


def test_settlement_thresholds_and_a_threshold_nobody_reaches():
    grid = make_grid()
    x, y = grid.x[[2, 12]], grid.y[[5, 5]]
    ds = proximity.settlement_features(grid, x, y, np.array([500, 20_000]), [100, 10_000, 10**6])
    row = ds.isel(y=5)
    assert float(row.settlement_distance_100_km[4]) == pytest.approx(2)
    assert float(row.settlement_distance_10k_km[4]) == pytest.approx(8)
    assert np.isnan(row.settlement_distance_1m_km).all()


def test_potential_of_one_town_decays_with_distance():
    grid = make_grid(size=5_000.0)
    potential = proximity.population_potential(
        grid, grid.x[[3]], grid.y[[4]], np.array([1000.0]), scale_km=20
    )
    assert potential[4, 3] == pytest.approx(1000)
    assert potential[4, 7] == pytest.approx(1000 * np.exp(-1))
    assert potential[8, 6] == pytest.approx(1000 * np.exp(-25 / 20))


def test_potential_counts_towns_outside_the_grid_and_keeps_people_between_cells():
    grid = make_grid(size=5_000.0)
    outside = proximity.population_potential(
        grid, grid.x[[0]] - 20_000, grid.y[[0]], np.array([1000.0]), scale_km=20
    )
    assert outside[0, 0] == pytest.approx(1000 * np.exp(-1))
    people = proximity._deposit(grid, grid.x[[3]] + 1700, grid.y[[4]] - 600, np.array([1000.0]), 2)
    assert people.sum() == pytest.approx(1000)
    assert (people * np.arange(people.shape[1])).sum() / 1000 == pytest.approx(5 + 0.34)


def test_roads_count_from_anywhere_along_them_and_what_is_not_there_not_at_all():
    grid = make_grid()
    lon, lat = grid.unproject(np.array([0.0, 0.0, -9_500.0]), np.array([-9e3, 9e3, 9_500.0]))
    road = gpd.GeoDataFrame(geometry=[shapely.LineString(np.c_[lon[:2], lat[:2]])], crs=4326)
    post = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon[2:], lat[2:]), crs=4326)
    ds = proximity.access_features(grid, {"road": road, "crossing": None, "post": post[:0]})
    assert list(ds.data_vars) == ["road_distance_km"]
    km = ds.road_distance_km.sel(y=slice(9_000, -9_000)).values
    expected = np.broadcast_to(np.abs(grid.x) / 1000, km.shape)
    np.testing.assert_allclose(km, expected, atol=0.02)
    ds = proximity.access_features(grid, {"road": road, "post": post})
    assert float(ds.post_distance_km[0, 0]) == pytest.approx(0, abs=0.01)
    assert float(ds.post_distance_km[3, 4]) == pytest.approx(5, abs=0.01)
