"""Travel time against hand-computed grids, closed forms and an independent graph search."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from borderrisk.errors import ConfigError, DataError
from borderrisk.features.travel import Ground, Walking, tobler_kmh, travel_time

PATH = Walking(off_path_factor=1.0)
STEPS = [
    (r, c) for r in range(-2, 3) for c in range(-2, 3) if (r, c) != (0, 0) and np.gcd(r, c) == 1
]


def at(shape, *cells):
    mask = np.zeros(shape, bool)
    for cell in cells:
        mask[cell] = True
    return mask


def touched(r, c, dr, dc):
    """Cells between the ends of a step that its straight line crosses, by sampling the line."""
    t = np.linspace(0, 1, 42)[1:-1]
    rows, cols = np.rint(r + t * dr).astype(int), np.rint(c + t * dc).astype(int)
    return sorted({(i, j) for i, j in zip(rows, cols, strict=True)} - {(r, c), (r + dr, c + dc)})


def graph(z, size, multiplier=None, walking=PATH):
    """Every step between cells as a sparse graph, written without the solver's code."""
    rows, cols = z.shape
    i, j, hours = [], [], []
    for r in range(rows):
        for c in range(cols):
            for dr, dc in STEPS:
                rr, cc = r + dr, c + dc
                if not (0 <= rr < rows and 0 <= cc < cols):
                    continue
                length = np.hypot(dr, dc) * size
                slope = (z[rr, cc] - z[r, c]) / length
                passed = touched(r, c, dr, dc) if abs(dr) + abs(dc) == 3 else []
                if (
                    np.isnan(slope)
                    or abs(slope) > walking.steepest
                    or np.isnan([z[p] for p in passed]).any()
                ):
                    continue
                if abs(dr) == abs(dc) == 1 and np.isnan([z[rr, c], z[r, cc]]).all():
                    continue
                factor = 1.0
                if multiplier is not None:
                    factor = np.mean([multiplier[p] for p in [(r, c), (rr, cc), *passed]])
                i.append(r * cols + c)
                j.append(rr * cols + cc)
                hours.append(length / 1000 * factor / tobler_kmh(slope) / walking.off_path_factor)
    return coo_matrix((hours, (i, j)), shape=(z.size, z.size)).tocsr()


def reference(z, size, sources, direction, **kw):
    g = graph(z, size, **kw)
    g = g if direction == "from" else g.T.tocsr()
    return dijkstra(g, indices=np.flatnonzero(sources), min_only=True).reshape(z.shape)


def rough(seed, shape=(14, 17), height=400.0):
    return np.random.default_rng(seed).uniform(0, height, shape).astype("float32").astype(float)


def test_hand_computed_row_up_and_down():
    z = np.array([[0.0, 100.0, 50.0]])
    source = at(z.shape, (0, 0))
    out = travel_time(z, 1000.0, source, walking=PATH)
    up, down = 1 / (6 * np.exp(-3.5 * 0.15)), 1 / 6.0
    np.testing.assert_allclose(out, [[0, up, up + down]], rtol=1e-6)
    back = travel_time(z, 1000.0, source, walking=PATH, direction="to")
    down, up = 1 / (6 * np.exp(-3.5 * 0.05)), 1 / (6 * np.exp(-3.5 * 0.10))
    np.testing.assert_allclose(back, [[0, down, down + up]], rtol=1e-6)


@pytest.mark.parametrize("direction", ["from", "to"])
@pytest.mark.parametrize("seed", range(3))
def test_equals_an_independent_dijkstra(seed, direction):
    z = rough(seed)
    z[np.random.default_rng(seed + 50).random(z.shape) < 0.12] = np.nan
    sources = at(z.shape, (2, 3), (11, 14)) & np.isfinite(z) | at(z.shape, (7, 8))
    z[7, 8] = 100
    multiplier = np.random.default_rng(seed + 9).uniform(0.5, 4, z.shape).astype("float32")
    expected = reference(z, 500.0, sources, direction, multiplier=multiplier)
    out = travel_time(
        z, 500.0, sources, direction=direction, walking=PATH, multiplier=multiplier, dtype="float64"
    )
    np.testing.assert_allclose(out, expected, rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["from", "to"]), st.floats(20, 3000))
def test_equals_dijkstra_on_any_relief_and_slope_limit(seed, direction, height):
    z = rough(seed, (6, 7), height)
    walking = Walking(0.6, 35)
    sources = at(z.shape, (seed % 6, seed % 7))
    expected = reference(z, 1000.0, sources, direction, walking=walking)
    out = travel_time(z, 1000.0, sources, direction=direction, walking=walking, dtype="float64")
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_float32_stays_within_2e_6():
    z = rough(4, (60, 60), 900)
    sources = at(z.shape, (0, 0))
    exact = travel_time(z, 1000.0, sources, dtype="float64")
    np.testing.assert_allclose(travel_time(z, 1000.0, sources), exact, rtol=2e-6)


def test_from_and_to_are_each_others_reverse():
    z = rough(1)
    a, b = (2, 2), (12, 15)
    out = travel_time(z, 500.0, at(z.shape, a), dtype="float64")[b]
    back = travel_time(z, 500.0, at(z.shape, b), direction="to", dtype="float64")[a]
    assert out == pytest.approx(back, rel=1e-9)
    assert out != pytest.approx(travel_time(z, 500.0, at(z.shape, b))[a], rel=1e-3)


@pytest.mark.parametrize(("dr", "dc"), STEPS)
def test_closed_form_along_each_direction_of_a_plane(dr, dc):
    """On a gentle plane the straight way is best in the 16 directions of the steps."""
    rows, cols = np.mgrid[0:41, 0:41]
    z = 20.0 * rows + 12.0 * cols
    k = 9 if abs(dr) + abs(dc) == 3 else 18
    end = (20 + k * dr, 20 + k * dc)
    length = np.hypot(dr, dc) * k * 1000
    slope = (z[end] - z[20, 20]) / length
    out = travel_time(z, 1000.0, at(z.shape, (20, 20)), walking=PATH, dtype="float64")
    assert out[end] == pytest.approx(length / 1000 / tobler_kmh(slope), rel=1e-6)


def test_flat_ground_is_at_most_3_percent_longer_than_straight():
    out = travel_time(np.zeros((101, 101)), 1000.0, at((101, 101), (50, 50)), walking=PATH)
    rows, cols = np.mgrid[0:101, 0:101]
    straight = np.hypot(rows - 50, cols - 50) / tobler_kmh(0)
    ratio = out[straight > 0] / straight[straight > 0]
    assert ratio.min() >= 1 - 1e-6
    assert ratio.max() < 1.03


def test_a_diagonal_wall_one_cell_thick_is_tight():
    wall = np.eye(9, dtype=bool)
    out = travel_time(np.zeros((9, 9)), 1000.0, at((9, 9), (0, 8)), barrier=wall)
    assert np.isfinite(out[np.triu_indices(9, 1)]).all()
    assert np.isinf(out[np.tril_indices(9)]).all()


def test_vehicles_board_and_leave_at_roads():
    road = np.zeros((3, 12))
    road[1, 2:10] = 60.0
    out = travel_time(np.zeros((3, 12)), 1000.0, at((3, 12), (1, 0)), walking=PATH, road_kmh=road)
    walk = 1 / tobler_kmh(0)
    np.testing.assert_allclose(out[1, 2], 2 * walk, rtol=1e-6)
    np.testing.assert_allclose(out[1, 9], 2 * walk + 7 / 60, rtol=1e-6)
    np.testing.assert_allclose(out[1, 11], 2 * walk + 7 / 60 + 2 * walk, rtol=1e-6)


def test_a_road_bridges_a_barrier_and_a_cliff():
    z = np.zeros((1, 5))
    z[0, 3:] = 5000.0
    barrier = at((1, 5), (0, 1))
    assert np.isinf(travel_time(z, 1000.0, at((1, 5), (0, 0)), barrier=barrier)[0, 2])
    out = travel_time(
        z, 1000.0, at((1, 5), (0, 0)), barrier=barrier, road_kmh=np.full((1, 5), 30.0)
    )
    np.testing.assert_allclose(out[0], np.arange(5) / 30, rtol=1e-6)


def test_start_hours_and_labels():
    ground = Ground(np.zeros((1, 11)), 1000.0, PATH)
    hour = tobler_kmh(0)
    travel = ground.solve((np.array([0, 10]), np.array([0.0, 4 / hour])))
    np.testing.assert_allclose(travel.hours[0, [0, 7, 10]], np.array([0, 7, 4]) / hour, rtol=1e-6)
    label = np.zeros((1, 11), int)
    label[0, 10] = 5
    assert travel.labels(label)[0].tolist() == [0] * 8 + [5] * 3 or (
        travel.labels(label)[0].tolist() == [0] * 7 + [5] * 4
    )


def test_a_source_that_is_reached_sooner_takes_the_shorter_time():
    ground = Ground(np.zeros((1, 5)), 1000.0, PATH)
    travel = ground.solve((np.array([0, 3]), np.array([0.0, 99.0])))
    np.testing.assert_allclose(travel.hours[0], np.arange(5) / tobler_kmh(0), rtol=1e-6)
    assert travel.labels(np.arange(5).reshape(1, 5))[0].tolist() == [0] * 5


def test_paths_run_in_walking_order_and_cost_what_the_hours_say():
    z = rough(2)
    g = graph(z, 500.0)
    ground = Ground(z, 500.0, PATH)
    for direction in ("from", "to"):
        travel = ground.solve(at(z.shape, (1, 1)), direction, "float64")
        path = travel.path(12, 14)
        ends = [(1, 1), (12, 14)] if direction == "from" else [(12, 14), (1, 1)]
        assert [tuple(path[0]), tuple(path[-1])] == ends
        flat = path[:, 0] * z.shape[1] + path[:, 1]
        spent = sum(g[a, b] for a, b in pairwise(flat))
        assert spent == pytest.approx(travel.hours[12, 14], rel=1e-6)


def test_an_island_has_no_path():
    z = np.full((5, 5), np.nan)
    z[0, 0], z[4, 4] = 1, 1
    travel = Ground(z, 1000.0).solve(at((5, 5), (0, 0)))
    assert np.isinf(travel.hours[4, 4])
    with pytest.raises(DataError, match="No path leads"):
        travel.path(4, 4)


def test_many_sources_and_a_huge_range_of_multipliers():
    """More entries than the queue begins with, and more steps than it has buckets for."""
    z = rough(3, (40, 45))
    multiplier = 10 ** np.random.default_rng(0).uniform(-3, 5, z.shape)
    sources = np.random.default_rng(1).random(z.shape) < 0.3
    expected = reference(z, 100.0, sources, "from", multiplier=multiplier.astype("float32"))
    out = travel_time(z, 100.0, sources, walking=PATH, multiplier=multiplier, dtype="float64")
    np.testing.assert_allclose(out, expected, rtol=2e-6)


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"sources": np.zeros((3, 3), bool)}, DataError, "no source or target"),
        ({"barrier": np.ones((3, 3), bool)}, DataError, "in water"),
        ({"cell_size_m": 0.0}, ConfigError, "cell_size_m"),
        ({"multiplier": np.zeros((3, 3))}, ConfigError, "above 0"),
        ({"multiplier": np.ones((2, 3))}, DataError, "same grid"),
        ({"road_kmh": np.full((3, 3), -5.0)}, ConfigError, "Road speeds"),
    ],
)
def test_bad_input_has_one_clear_error(kwargs, error, words):
    given_ = {"cell_size_m": 1000.0, "sources": at((3, 3), (1, 1))} | kwargs
    with pytest.raises(error, match=words):
        travel_time(np.zeros((3, 3)), **given_)


@pytest.mark.parametrize("factor", [0, -1, np.nan, np.inf])
def test_speeds_must_be_positive(factor):
    with pytest.raises(ConfigError, match="off_path_factor"):
        Walking(off_path_factor=factor)
    with pytest.raises(ConfigError, match="slope_limit_deg"):
        Walking(slope_limit_deg=0)
