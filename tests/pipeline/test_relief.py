import numpy as np
import pytest
from affine import Affine

from borderrisk.features.terrain import ElevationArray
from borderrisk.grid import WGS84, Grid, laea_crs
from borderrisk.pipeline import assembly


def ground_over(values, pixel, west=59.5, north=31.5, block_rows=16):
    elevation = ElevationArray(values, Affine(pixel, 0, west, 0, -pixel, north), WGS84)
    object.__setattr__(elevation, "block_rows", block_rows)
    grid = Grid(laea_crs(60, 31), Affine(10_000, 0, -30_000, 0, -10_000, 30_000), (6, 6))
    return elevation, grid


def plane(rows=300, cols=300, pixel=1 / 240):
    lat = 31.5 - (np.arange(rows) + 0.5) * pixel
    lon = 59.5 + (np.arange(cols) + 0.5) * pixel
    return (1000 * (lon[None, :] - 59) + 500 * (lat[:, None] - 30)).astype(np.float32)


@pytest.mark.parametrize("most", [10**6, 3_000, 700])
def test_relief_is_the_mean_of_the_pixels_it_stands_for(monkeypatch, most):
    monkeypatch.setattr(assembly, "RELIEF_PIXELS", most)
    relief = assembly.relief(*ground_over(plane(), 1 / 240))
    rows, cols = relief.elevation.shape
    assert rows * cols < 2 * most
    lon, lat = relief.transform @ np.meshgrid(np.arange(cols - 1) + 0.5, np.arange(rows - 1) + 0.5)
    expected = 1000 * (lon - 59) + 500 * (lat - 30)
    np.testing.assert_allclose(relief.elevation[:-1, :-1], expected, atol=0.1)


def test_relief_ignores_missing_pixels_and_is_missing_where_all_are(monkeypatch):
    monkeypatch.setattr(assembly, "RELIEF_PIXELS", 700)
    values = np.full((300, 300), 800.0, np.float32)
    values[::2] = np.nan
    values[:100] = np.nan
    found = assembly.relief(*ground_over(values, 1 / 240)).elevation
    assert np.isnan(found[0]).all()
    assert set(np.unique(found[~np.isnan(found)])) == {800.0}


def test_a_finer_raster_gives_a_finer_relief():
    coarse, fine = (assembly.relief(*ground_over(plane(n, n, 1 / n), 1 / n)) for n in (60, 240))
    assert coarse.transform.a == pytest.approx(1 / 60)
    assert fine.transform.a == pytest.approx(1 / 240)


def test_no_relief_where_the_raster_does_not_reach():
    assert assembly.relief(*ground_over(plane(), 1 / 240, west=10)) is None
