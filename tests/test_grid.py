import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st

from borderrisk.errors import GridError
from borderrisk.grid import Grid, laea_crs


def test_covering_snaps_edges_to_multiples_of_the_cell():
    grid = Grid.covering((-12_345, 5, 20_001, 29_999), laea_crs(60, 31), 10_000)
    assert grid.bounds == (-20_000, 0, 30_000, 30_000)
    assert grid.shape == (3, 5)


def test_first_row_is_the_northernmost(grid):
    assert grid.y[0] == 25_000
    assert grid.x[0] == -35_000
    _, lat = grid.lonlat()
    assert lat[0, 0] > lat[-1, 0]


def test_cell_ids_are_row_major_and_parse_back(grid):
    ids = grid.cell_ids()
    assert ids[0] == "r000c000"
    assert ids[grid.shape[1]] == "r001c000"
    assert grid.parse_cell_id("r002c005") == (2, 5)
    mask = np.zeros(grid.shape, bool)
    mask[2, 5] = True
    assert grid.cell_ids(mask).tolist() == ["r002c005"]


@pytest.mark.parametrize("bad", ["r006c000", "r2 c5", "", "x001c002"])
def test_a_foreign_cell_id_is_refused(grid, bad):
    with pytest.raises(GridError, match="not a cell"):
        grid.parse_cell_id(bad)


@given(st.floats(-39_999, 39_999), st.floats(-29_999, 29_999))
def test_rowcol_finds_the_cell_whose_edges_hold_the_point(x, y):
    grid = Grid(laea_crs(60, 31), Affine(10_000, 0, -40_000, 0, -10_000, 30_000), (6, 8))
    row, col = grid.rowcol(x, y)
    assert abs(grid.x[col] - x) <= 5_000 + 1e-6  # a micrometre of rounding at an edge
    assert abs(grid.y[row] - y) <= 5_000 + 1e-6


def test_points_outside_have_no_cell(grid):
    row, col = grid.rowcol([0, 1e6], [1e6, 0])
    assert row.tolist() == [-1, -1]
    assert col.tolist() == [-1, -1]


def test_projection_round_trip(grid):
    lon, lat = grid.lonlat()
    x, y = grid.project(lon, lat)
    np.testing.assert_allclose(x, grid.centres()[0], atol=1e-3)
    np.testing.assert_allclose(y, grid.centres()[1], atol=1e-3)


@settings(deadline=None, max_examples=30)
@given(
    st.tuples(st.floats(-60_000, 60_000), st.floats(-60_000, 60_000)),
    st.floats(2_000, 50_000),
)
@example((0.0, 0.0), 10_001.0)
def test_coverage_sums_to_the_area_inside_the_grid(centre, radius):
    grid = Grid(laea_crs(60, 31), Affine(10_000, 0, -40_000, 0, -10_000, 30_000), (6, 8))
    disc = shapely.Point(centre).buffer(radius)
    covered = grid.coverage(disc)
    inside = shapely.intersection(disc, shapely.box(*grid.bounds)).area
    assert covered.sum() * grid.cell_area_km2 == pytest.approx(inside / 1e6, abs=1e-6)
    assert covered.min() >= 0
    assert covered.max() <= 1


def test_coverage_of_half_a_cell(grid):
    covered = grid.coverage(shapely.box(-40_000, 20_000, -35_000, 30_000))
    assert covered[0, 0] == pytest.approx(0.5)
    assert covered.sum() == pytest.approx(0.5)


def test_refining_keeps_the_corner(grid):
    fine = grid.refine(4)
    assert fine.bounds == grid.bounds
    assert fine.cell_size_m == 2_500
    assert fine.shape == (24, 32)


def test_dataset_round_trip_keeps_the_grid(grid):
    assert Grid.from_dataset(grid.dataset()) == grid


def test_window_covers_the_cells_that_touch(grid):
    rows, cols = grid.window((-1, -1, 1, 1))
    assert (rows, cols) == (slice(2, 4), slice(3, 5))


@pytest.mark.parametrize(
    ("transform", "shape", "words"),
    [
        (Affine(10, 0, 0, 0, -10, 0), (0, 5), "no cells"),
        (Affine(1, 0, 0, 0, -1, 0), (40_000, 40_000), "larger cell_size_m"),
        (Affine(10, 0, 0, 0, -20, 0), (5, 5), "square"),
        (Affine(10, 0, 0, 0, 10, 0), (5, 5), "north-up"),
    ],
)
def test_impossible_grids_say_why(transform, shape, words):
    with pytest.raises(GridError, match=words):
        Grid(laea_crs(60, 31), transform, shape)
