import numpy as np
import pytest
from affine import Affine

from borderrisk.features.terrain import ElevationArray
from borderrisk.features.travel import ground
from borderrisk.grid import WGS84, Grid, laea_crs


class Watched(ElevationArray):
    """Elevation that notes the largest window read."""

    largest = 0

    def read(self, rows, cols):
        size = (rows.stop - rows.start) * (cols.stop - cols.start)
        type(self).largest = max(self.largest, size)
        return super().read(rows, cols)


@pytest.mark.parametrize("pixel", [1 / 240, 1 / 24])
def test_blocks_of_rows_warp_to_the_whole(monkeypatch, pixel):
    n = round(4 / pixel)
    rng = np.random.default_rng(3)
    z = (1500 + np.cumsum(rng.normal(0, 400 * pixel, (n, n)), axis=0)).astype("float32")
    z[n // 3 : n // 2, : n // 4] = np.nan
    source = Watched(z, Affine(pixel, 0, 58, 0, -pixel, 33), WGS84)
    grid = Grid(laea_crs(60, 31), Affine(2000, 0, -100_000, 0, -2000, 100_000), (100, 100))
    whole, Watched.largest = ground.resample(source, grid), 0
    monkeypatch.setattr(ground, "_WARP_PIXELS", n * n // 40)
    parts = ground.resample(source, grid)
    assert Watched.largest < n * n / 10
    assert np.array_equal(np.isnan(parts), np.isnan(whole))
    np.testing.assert_allclose(parts, whole, atol=0.5)
    assert np.nanmedian(np.abs(parts - whole)) < 0.01


def test_rows_beyond_the_raster_are_missing(monkeypatch):
    monkeypatch.setattr(ground, "_WARP_PIXELS", 500)
    source = ElevationArray(np.full((60, 120), 900.0), Affine(1 / 60, 0, 59, 0, -1 / 60, 32), WGS84)
    grid = Grid(laea_crs(60, 31), Affine(5000, 0, -50_000, 0, -5000, 200_000), (80, 20))
    found = ground.resample(source, grid)
    assert np.isnan(found[-10:]).all()
    assert np.nanmax(found) == np.nanmin(found) == 900
