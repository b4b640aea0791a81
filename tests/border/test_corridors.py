"""Corridors and randomised routes in a flat world whose border has gates."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine

from borderrisk.border.corridors import find_corridors, random_routes
from borderrisk.errors import ConfigError, DataError
from borderrisk.features.travel import FineTerrain, Places, solve_travel, tobler_kmh
from borderrisk.grid import Grid, laea_crs

PACE = 1 / (tobler_kmh(0) * 0.6)
CRS = laea_crs(60, 31)
GRID = Grid(CRS, Affine(10_000, 0, -100_000, 0, -10_000, 100_000), (20, 20))
FINE = GRID.refine(5)
HOME = shapely.box(-100_000, -100_000, 1_000, 100_000)
LINE = shapely.LineString([(1_000, -100_000), (1_000, 100_000)])


def lonlat(x, y):
    point = gpd.GeoSeries([shapely.Point(x, y)], crs=CRS).to_crs(4326)[0]
    return point.x, point.y


def places(targets=((-59_000, 1_000),), far=((61_000, 1_000),), **kw):
    spots = [(-59_000, 1_000, "IRN"), *[(x, y, "AFG") for x, y in far]]
    xy = [lonlat(x, y) for x, y, _ in spots]
    settlements = gpd.GeoDataFrame(
        {"country": [c for *_, c in spots], "population": 50_000},
        geometry=gpd.points_from_xy(*zip(*xy, strict=True)),
        crs=4326,
    )
    goals = {f"town{i}": lonlat(*at) for i, at in enumerate(targets)}
    return Places({"AFG": LINE}, settlements, "IRN", goals, **kw)


def flat(**kw):
    return FineTerrain(FINE, np.zeros(FINE.shape, "float32"), **kw)


def wall_with_gates(*gates):
    """A closed border but for two pixels at each northing."""
    barrier = np.zeros(FINE.shape, bool)
    barrier[:, 50] = True
    for y in gates:
        row, _ = FINE.rowcol(1_000, y)
        barrier[row : row + 2, 50] = False
    return flat(barrier=barrier)


def test_slack_is_the_detour():
    found = find_corridors(GRID, solve_travel(flat(), places()), HOME)
    slack = found.cells.slack_town0
    assert float(slack[9, 9]) < 1
    row, col = (int(v) for v in GRID.rowcol(-5_000, 65_000))
    detour = np.hypot(66, 64) + np.hypot(54, 64) - 120
    assert float(slack[row, col]) == pytest.approx(detour * PACE, rel=0.06)
    assert float(slack.min()) >= -1e-3
    assert slack.attrs["units"] == "h"


def test_classes_are_bands_that_hold_their_cells():
    found = find_corridors(GRID, solve_travel(flat(), places()), HOME, slack_hours=(2, 6, 12))
    table = found.corridors
    assert table.slack_to_hours.tolist() == [2, 6, 12]
    assert table.neighbour.tolist() == ["AFG"] * 3
    np.testing.assert_allclose(table.best_hours, 120 * PACE, rtol=1e-4)
    one, two, three = table.geometry.to_crs(CRS)
    assert one.contains(shapely.Point(-20_000, 1_000))
    assert one.intersection(two).area < 1
    assert one.area < two.area < three.area


def test_routes_use_the_gates_and_cost_what_they_say():
    solves = solve_travel(wall_with_gates(-40_000, 30_000), places())
    found = find_corridors(GRID, solves, HOME, slack_hours=(5, 60), routes=5)
    routes = found.routes
    assert routes.route.tolist() == [1, 2]
    for y, route in zip((30_000, -40_000), routes.geometry.to_crs(CRS), strict=True):
        crossing = route.intersection(LINE)
        assert abs(crossing.centroid.y - y) < 5_000
        assert route.coords[0][0] == pytest.approx(61_000, abs=1)
        assert route.coords[-1][0] == pytest.approx(-59_000, abs=1)
    np.testing.assert_allclose(routes.hours, routes.length_km * PACE, rtol=1e-4)
    np.testing.assert_allclose(routes.slack_hours, routes.hours - routes.hours[0], atol=1e-3)


def test_routes_keep_apart_and_within_the_largest_slack():
    solves = solve_travel(flat(), places())
    found = find_corridors(GRID, solves, HOME, slack_hours=(4,), routes=9, separation_km=20)
    crossing = [r.intersection(LINE).centroid.y for r in found.routes.geometry.to_crs(CRS)]
    gaps = np.abs(np.subtract.outer(crossing, crossing))[~np.eye(len(crossing), dtype=bool)]
    assert len(crossing) >= 2
    assert gaps.min() >= 18_000
    assert found.routes.slack_hours.max() <= 4


def test_a_distant_neighbour_has_no_corridor():
    south = shapely.LineString([(1_000, -100_000), (1_000, -99_000)])
    both = places(far=((9_000, 99_000), (90_000, -99_000)), targets=((-9_000, 90_000),))
    both.settlements.loc[2, "country"] = "PAK"
    both = Places({"AFG": LINE, "PAK": south}, both.settlements, "IRN", both.targets)
    found = find_corridors(GRID, solve_travel(flat(), both), HOME)
    assert set(found.corridors.neighbour) == {"AFG"}


def test_a_corridor_crosses_its_own_neighbours_border():
    """A town and a target 20 km apart, the border between them that of another neighbour."""
    where = places(far=((11_000, -51_000),), targets=((-9_000, -51_000),))
    north = shapely.LineString([(1_000, 0), (1_000, 100_000)])
    south = shapely.LineString([(1_000, -100_000), (1_000, 0)])
    where = Places({"AFG": north, "PAK": south}, where.settlements, "IRN", where.targets)
    found = find_corridors(GRID, solve_travel(flat(), where), HOME)
    assert float(found.routes.length_km[0]) > 100
    assert float(found.cells.slack_town0.min()) > -0.01


def test_random_routes_cross_at_the_gates_in_proportion_to_what_they_save():
    fine, where = wall_with_gates(-40_000, 30_000), places()
    drawn = random_routes(GRID, fine, where, HOME, draws=12, seed=3, cost_spread=0.5)
    north = drawn.crossings.y > 0
    assert len(drawn.crossings) == 12
    assert (np.abs(drawn.crossings.x - 1_000) < 3_000).all()
    assert (np.abs(drawn.crossings.y[north] - 30_000) < 5_000).all()
    assert 0.5 < drawn.crossings.weight[north].sum() <= 1
    assert drawn.crossings.weight.sum() == pytest.approx(1)
    assert drawn.density[GRID.rowcol(61_000, 1_000)] == pytest.approx(1)
    assert drawn.density.max() <= 1 + 1e-9


def test_random_routes_follow_the_seed_and_not_the_threads():
    fine, where = flat(), places(far=((61_000, 1_000), (41_000, 61_000)))
    one = random_routes(GRID, fine, where, HOME, draws=3, seed=1, workers=1)
    two = random_routes(GRID, fine, where, HOME, draws=3, seed=1, workers=2)
    other = random_routes(GRID, fine, where, HOME, draws=3, seed=2, workers=2)
    assert one.crossings.equals(two.crossings)
    np.testing.assert_array_equal(one.density, two.density)
    assert not one.crossings.equals(other.crossings)


def test_without_spread_every_draw_is_the_best_route():
    drawn = random_routes(GRID, wall_with_gates(30_000), places(), HOME, draws=2, cost_spread=0)
    best = find_corridors(GRID, solve_travel(wall_with_gates(30_000), places()), HOME).routes.hours[
        0
    ]
    np.testing.assert_allclose(drawn.crossings.hours, best, rtol=1e-5)


def test_near_settlements_count_more():
    where = places(far=((11_000, 51_000), (91_000, -91_000)))
    drawn = random_routes(GRID, flat(), where, HOME, draws=1, cost_spread=0)
    hours, weight = drawn.crossings.hours.to_numpy(), drawn.crossings.weight.to_numpy()
    assert weight[0] / weight[1] == pytest.approx((hours[1] / hours[0]) ** 2)


@pytest.mark.parametrize("slack", [(), (0, 2), (5, 2), (2, 2)])
def test_slack_classes_must_increase(slack):
    with pytest.raises(ConfigError, match="slack_hours"):
        find_corridors(GRID, solve_travel(flat(), places()), HOME, slack_hours=slack)


def test_no_target_and_no_draw_have_one_clear_error():
    with pytest.raises(ConfigError, match="target"):
        find_corridors(GRID, solve_travel(flat(), places(targets=())), HOME)
    with pytest.raises(ConfigError, match="at least 1 draw"):
        random_routes(GRID, flat(), places(), HOME, draws=0)


def test_a_target_on_an_island_has_one_clear_error():
    barrier = np.zeros(FINE.shape, bool)
    barrier[30:70, 10:40] = True
    barrier[45:52, 18:24] = False
    island = places()
    mainland = island.settlements.copy()
    mainland.loc[3] = mainland.loc[0]
    mainland.loc[3, "geometry"] = shapely.Point(lonlat(-9_000, 81_000))
    where = Places({"AFG": LINE}, mainland, "IRN", island.targets)
    with pytest.raises(DataError, match="island"):
        find_corridors(GRID, solve_travel(flat(barrier=barrier), where), HOME)
    with pytest.raises(DataError, match="No route"):
        random_routes(GRID, flat(barrier=barrier), where, HOME, draws=1)
