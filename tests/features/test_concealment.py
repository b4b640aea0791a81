"""Line of sight and enclosure on terrain whose answer is known."""

import geopandas as gpd
import numpy as np
import pytest

from borderrisk.errors import ConfigError
from borderrisk.features.concealment import concealment_features, enclosure, visible
from borderrisk.features.travel import FineTerrain
from borderrisk.grid import Grid


def look(z, observer, **kw):
    kw = {"radius_km": 100.0, "observer_height_m": 2.0, "target_height_m": 0.0} | kw
    row, col = observer
    return visible(z, 1000.0, np.array([row]), np.array([col]), **kw)


def reference(z, size, observer, eye, target):
    """Line of sight to each pixel along the straight line to it, bilinear ground."""
    row, col = observer
    drop = (1 - 0.13) / (2 * 6_371_000)
    out = np.zeros(z.shape, bool)
    for r in range(z.shape[0]):
        for c in range(z.shape[1]):
            n = max(abs(r - row), abs(c - col))
            angles = []
            for k in range(1, n + 1):
                y, x = row + k * (r - row) / n, col + k * (c - col) / n
                y0, x0 = min(int(y), z.shape[0] - 2), min(int(x), z.shape[1] - 2)
                fy, fx = y - y0, x - x0
                ground = (
                    z[y0, x0] * (1 - fy) * (1 - fx)
                    + z[y0, x0 + 1] * (1 - fy) * fx
                    + z[y0 + 1, x0] * fy * (1 - fx)
                    + z[y0 + 1, x0 + 1] * fy * fx
                )
                d = np.hypot(y - row, x - col) * size
                h = target if k == n else 0.0
                angles.append((ground + h - z[row, col] - eye) / d - drop * d)
            out[r, c] = n == 0 or angles[-1] >= max(angles[:-1], default=-np.inf)
    return out


def test_a_ridge_hides_what_lies_behind_it():
    z = np.zeros((41, 41))
    z[:, 25] = 200.0
    seen = look(z, (20, 20))
    assert seen[20, 21:26].all()
    assert not seen[20, 26:].any()


@pytest.mark.parametrize(("height", "expected"), [(339.0, False), (343.0, True)])
def test_a_peak_is_seen_over_a_ridge_if_it_is_high_enough(height, expected):
    """A 100 m ridge at 10 km; at 30 km the line over it is 280 m up, and the Earth 61 m down."""
    z = np.zeros((3, 41))
    z[:, 10] = 100.0
    z[:, 30] = height
    assert look(z, (1, 0), observer_height_m=0.0)[1, 30] == expected


def test_the_earth_curves_away():
    """Eyes at 2 m see ground to sqrt(2 R h / 0.87) = 5.4 km."""
    seen = look(np.zeros((1, 30)), (0, 0))
    assert seen[0].tolist() == [True] * 6 + [False] * 24
    tall = look(np.zeros((1, 30)), (0, 0), target_height_m=10.0)
    assert np.flatnonzero(tall[0]).max() == 17  # 5.4 km + sqrt(2 R 10 / 0.87) = 12.1 km


def test_agrees_with_a_line_of_sight_to_each_pixel():
    rng = np.random.default_rng(5)
    from scipy.ndimage import gaussian_filter

    z = gaussian_filter(rng.standard_normal((41, 41)), 3) * 900
    seen = look(z, (20, 20), target_height_m=1.7)
    expected = reference(z, 1000.0, (20, 20), 2.0, 1.7)
    inside = np.hypot(*np.mgrid[-20:21, -20:21]) <= 20
    assert (seen == expected)[inside].mean() > 0.95
    assert 0.05 < expected.mean() < 0.95


def test_reach_is_a_circle():
    seen = look(np.zeros((41, 41)), (20, 20), radius_km=5.0, observer_height_m=500.0)
    distance = np.hypot(*np.mgrid[-20:21, -20:21])
    assert not seen[distance > 5.01].any()
    assert seen[distance < 4.5].all()


def cone(height):
    yy, xx = np.mgrid[-25:25, -25:25] + 0.5
    return (-height * np.hypot(yy, xx)).astype("float32")


def test_enclosure_is_the_slope_of_a_pit_and_negative_on_a_peak(grid):
    small = Grid(grid.crs, grid.transform, (10, 10))
    pit = FineTerrain(small.refine(5), -cone(200.0))
    centre = slice(24, 26)
    angle = enclosure(pit, small)[centre, centre]
    # half a pixel off the axis: 8 directions of a cone of 200 m per 2 km pixel
    assert angle == pytest.approx(np.rad2deg(np.arctan(0.1)), abs=0.9)
    peak = FineTerrain(small.refine(5), cone(200.0))
    assert (enclosure(peak, small)[centre, centre] < -2).all()
    flat = FineTerrain(small.refine(5), np.zeros((50, 50), "float32"))
    np.testing.assert_allclose(enclosure(flat, small)[10:40, 10:40], 0)


def points(grid, *cells):
    x, y = grid.x[[c for _, c in cells]], grid.y[[r for r, _ in cells]]
    return gpd.GeoSeries(gpd.points_from_xy(x, y), crs=grid.crs).to_crs(4326).to_frame("geometry")


def test_features_count_pixels_without_elevation_out(grid):
    fine = grid.refine(5)
    z = np.zeros(fine.shape, "float32")
    z[:, :15] = np.nan
    ds = concealment_features(
        grid, FineTerrain(fine, z), points(grid, (2, 5)), radius_km=25, observer_height_m=200
    )
    assert np.isnan(ds.hidden_share[:, :3]).all()
    assert float(ds.hidden_share[2, 5]) == 0
    assert float(ds.hidden_share[0, 3]) > 0
    posts = points(grid, (0, 3))
    both = concealment_features(
        grid, FineTerrain(fine, z), points(grid, (2, 5)), posts, radius_km=25, observer_height_m=200
    )
    assert float(both.hidden_share[0, 3]) == 0


def test_nobody_sees_nothing(grid):
    fine = FineTerrain(grid.refine(5), np.zeros(grid.refine(5).shape, "float32"))
    ds = concealment_features(grid, fine, points(grid)[:0])
    assert (ds.hidden_share == 1).all()


@pytest.mark.parametrize(
    ("kw", "words"),
    [({"radius_km": 0}, "radius_km"), ({"observer_height_m": -1}, "observer_height_m")],
)
def test_bad_numbers_have_one_clear_error(grid, kw, words):
    fine = FineTerrain(grid.refine(5), np.zeros(grid.refine(5).shape, "float32"))
    with pytest.raises(ConfigError, match=words):
        concealment_features(grid, fine, points(grid, (0, 0)), **kw)
