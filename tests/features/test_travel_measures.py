"""Travel features of cells, and the fine terrain they are computed on."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS

from borderrisk.errors import ConfigError, DataError
from borderrisk.features.terrain import ElevationArray
from borderrisk.features.travel import (
    FineTerrain,
    Places,
    resample,
    solve_travel,
    tobler_kmh,
    travel_features,
)
from borderrisk.features.travel.ground import block_mean, cells_of_points, pixels_per_cell
from borderrisk.grid import Grid, laea_crs

PACE = 1 / (tobler_kmh(0) * 0.6)
LOCAL = laea_crs(60, 31)
GRID = Grid(LOCAL, Affine(10_000, 0, -50_000, 0, -10_000, 50_000), (10, 10))
FINE = GRID.refine(5)
AFG = shapely.LineString([(1_000, 0), (1_000, 50_000)])
PAK = shapely.LineString([(1_000, -50_000), (1_000, 0)])


def points(*xy, **columns):
    geometry = gpd.GeoSeries([shapely.Point(at) for at in xy], crs=LOCAL).to_crs(4326)
    return gpd.GeoDataFrame(columns, geometry=list(geometry), crs=4326)


def town_lonlat(x, y):
    at = points((x, y)).geometry[0]
    return at.x, at.y


def places(**kw):
    settlements = points(
        (-39_000, 1_000), (41_000, 21_000), (41_000, -21_000), (-9_000, 31_000),
        country=["IRN", "AFG", "PAK", "IRN"], population=[50_000, 50_000, 50_000, 900],
    )  # fmt: skip
    given = {"lines_by_country": {"AFG": AFG, "PAK": PAK}, "settlements": settlements}
    return Places(
        **(given | {"home": "IRN", "targets": {"town": town_lonlat(-39_000, 1_000)}} | kw)
    )


def flat(**kw):
    return FineTerrain(FINE, np.zeros(FINE.shape, "float32"), **kw)


def cell(ds, name, x, y):
    row, col = GRID.rowcol(x, y)
    return float(ds[name].to_numpy()[row, col])


def test_features_of_a_flat_world():
    ds = travel_features(GRID, solve_travel(flat(), places()))
    expected = {
        "hours_from_border", "hours_from_border_afg", "hours_from_border_pak",
        "hours_from_far_settlement", "hours_to_home_settlement", "hours_to_town", "remoteness",
    }  # fmt: skip
    assert set(ds.data_vars) == expected
    assert cell(ds, "hours_from_border", -35_000, 25_000) == pytest.approx(36 * PACE, rel=1e-3)
    assert cell(ds, "hours_from_border_afg", -35_000, 25_000) == pytest.approx(36 * PACE, rel=1e-3)
    south = cell(ds, "hours_from_border_afg", -5_000, -35_000)
    assert south > cell(ds, "hours_from_border_pak", -5_000, -35_000) * 4
    # from the town at 41 km east, over the border, straight on
    far = cell(ds, "hours_from_far_settlement", -35_000, 25_000)
    assert far == pytest.approx(np.hypot(76, 4) * PACE, rel=0.02)
    assert cell(ds, "hours_to_town", -35_000, 45_000) == pytest.approx(44.2 * PACE, rel=0.03)
    assert ds.hours_from_border.attrs["units"] == "h"


def test_far_towns_must_go_over_the_border():
    """A wall along the border with one gate: the far side is reached by the gate only."""
    wall = np.zeros(FINE.shape, bool)
    wall[:, 25] = True
    wall[0:2, 25] = False
    line = {"AFG": shapely.union_all([AFG, PAK])}
    where = places(lines_by_country=line)
    ds = travel_features(GRID, solve_travel(flat(barrier=wall), where))
    far = cell(ds, "hours_from_far_settlement", -5_000, -45_000)
    assert far > (np.hypot(41, 28) + 90) * PACE


def test_posts_count_as_presence():
    alone = travel_features(GRID, solve_travel(flat(), places()))
    posts = points((-5_000, -45_000))
    posted = travel_features(GRID, solve_travel(flat(), places(posts=posts)))
    assert cell(posted, "remoteness", -5_000, -45_000) < 5 * PACE
    assert cell(alone, "remoteness", -5_000, -45_000) > 40 * PACE
    assert cell(posted, "hours_to_home_settlement", -5_000, -45_000) > 40 * PACE


def test_small_places_do_not_count_until_the_threshold_is_lowered():
    lower = travel_features(GRID, solve_travel(flat(), places(home_population=500)))
    assert cell(lower, "hours_to_home_settlement", -5_000, 35_000) < 8 * PACE


def test_results_do_not_depend_on_the_threads():
    rough = FineTerrain(FINE, np.random.default_rng(0).uniform(0, 400, FINE.shape).astype("f4"))
    one = travel_features(GRID, solve_travel(rough, places(), workers=1))
    two = travel_features(GRID, solve_travel(rough, places(), workers=3))
    assert one.equals(two)


def test_unreachable_cells_are_missing():
    barrier = np.zeros(FINE.shape, bool)
    barrier[:15, :15] = True
    ds = travel_features(GRID, solve_travel(flat(barrier=barrier), places()))
    assert np.isnan(cell(ds, "hours_from_border", -45_000, 45_000))


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("shift", range(5))
def test_a_closed_line_stays_closed_on_coarser_terrain(slope, shift):
    """A line one pixel thick, at any angle and place in the blocks, as rasterised."""
    fine = GRID.refine(5)
    west, south, east, north = fine.bounds
    y = (south + north) / 2 + shift * fine.cell_size_m
    half = (east - west) / 2 * slope
    line = shapely.LineString([(west, y - half), (east, y + half)])
    wall = FineTerrain(fine, np.zeros(fine.shape, "float32")).closed(line)
    for terrain in (wall, wall.at_most(GRID.size, GRID)):
        start = np.zeros(terrain.grid.shape, bool)
        start[0, 0] = True
        hours = terrain.ground().solve(start).hours
        assert np.isinf(hours[-1, -1])
        assert np.isfinite(hours).sum() > 0.1 * hours.size


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"targets": {"x": (10.0, 31.0)}}, ConfigError, "outside the grid"),
        ({"targets": {"sea": town_lonlat(-45_000, 45_000)}}, ConfigError, "in water"),
        ({"far_population": 10**7}, DataError, "far-side"),
        ({"home_population": 10**7}, DataError, "home-side"),
        ({"lines_by_country": {"AFG": shapely.LineString([(9e6, 0), (9e6, 9)])}}, DataError,
         "border with AFG"),
    ],
)  # fmt: skip
def test_bad_places_have_one_clear_error(change, error, words):
    barrier = np.zeros(FINE.shape, bool)
    barrier[:15, :15] = True
    with pytest.raises(error, match=words):
        solve_travel(flat(barrier=barrier), places(**change))


def test_a_closed_border_is_a_data_error():
    wall = np.zeros(FINE.shape, bool)
    wall[:, 25:27] = True
    with pytest.raises(DataError, match="crossed nowhere"):
        solve_travel(flat(barrier=wall), places())


def test_a_far_side_that_cannot_reach_its_border_is_a_data_error():
    wall = np.zeros(FINE.shape, bool)
    wall[:, 40] = True
    with pytest.raises(DataError, match="to the border"):
        solve_travel(flat(barrier=wall), places())


def test_closing_and_slowing_change_the_ground_where_they_lie():
    line = shapely.LineString([(-19_000, -60_000), (-19_000, 60_000)])
    shut = flat().closed(line)
    assert shut.barrier[:, 15].all()
    assert shut.barrier.sum() == FINE.shape[0]
    slow = flat().slowed(line, 4.0).slowed(line, 2.0)
    assert set(np.unique(slow.multiplier)) == {1.0, 8.0}
    with pytest.raises(ConfigError, match="multiplier"):
        flat().slowed(line, 0)


def test_coarser_terrain_is_the_mean_and_still_fits_the_cells():
    z = np.arange(FINE.size, dtype="float32").reshape(FINE.shape)
    fine = FineTerrain(FINE, z, barrier=z > 1e6, road_kmh=np.where(z == 7, 60, 0))
    coarse = fine.at_most(400, GRID)
    assert coarse.grid.shape == (10, 10)
    np.testing.assert_allclose(coarse.elevation, block_mean(z, GRID))
    assert coarse.road_kmh.max() == 60
    assert fine.at_most(10**6, GRID) is fine


def geographic(resolution, values=None):
    """A plane rising 1000 m per degree east, over the grid and a margin."""
    cols, rows = round(4 / resolution), round(4 / resolution)
    transform = Affine(resolution, 0, 58, 0, -resolution, 33)
    lon = 58 + (np.arange(cols) + 0.5) * resolution
    z = np.broadcast_to((lon - 58) * 1000, (rows, cols)) if values is None else values
    return ElevationArray(z.astype("float32"), transform, CRS.from_epsg(4326))


@pytest.mark.parametrize("resolution", [1 / 12, 0.004])
def test_elevation_is_interpolated_or_averaged_to_the_pixels(resolution):
    out = resample(geographic(resolution), FINE)
    lon, _ = FINE.lonlat()
    np.testing.assert_allclose(out, (lon - 58) * 1000, atol=1.5)


def test_a_raster_elsewhere_is_a_data_error():
    far = ElevationArray(np.zeros((5, 5)), Affine(1, 0, 10, 0, -1, 5), CRS.from_epsg(4326))
    with pytest.raises(DataError, match="does not touch"):
        resample(far, FINE)


def test_pixels_per_cell_follow_the_source_within_limits():
    assert pixels_per_cell(geographic(1 / 12), GRID) == 5
    assert pixels_per_cell(geographic(0.0126), GRID) == 7
    assert pixels_per_cell(geographic(0.004), GRID) == 10
    assert pixels_per_cell(geographic(0.0008), GRID.refine(10)) == 5  # 200 m, not 90 m


def test_sea_is_a_barrier_and_a_town_on_its_shore_is_found():
    land = shapely.box(-50_000, -50_000, 20_000, 50_000)
    fine = FineTerrain.read(geographic(1 / 12), GRID, land=land, factor=5)
    assert fine.barrier[:, 35:].all()
    assert not fine.barrier[:, :35].any()
    shore, sea = cells_of_points([22_500, 45_000], [500, 500], FINE, ~fine.barrier)
    assert shore % FINE.shape[1] == 34
    assert sea == -1
