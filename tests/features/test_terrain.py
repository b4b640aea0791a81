import logging

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod

from borderrisk.errors import DataError
from borderrisk.features.catalogue import feature
from borderrisk.features.terrain import ElevationArray, terrain_features
from borderrisk.grid import Grid, laea_crs

LAEA = laea_crs(60, 31)
WGS84 = CRS.from_epsg(4326)


def square_grid(cells, size, crs=LAEA):
    half = cells * size / 2
    return Grid(crs, Affine(size, 0, -half, 0, -size, half), (cells, cells))


def projected_dem(function, pixels=120, pixel=100.0, crs=LAEA):
    """Elevation ``function(x, y)`` at the pixel centres of a square centred on the origin."""
    half = pixels * pixel / 2
    axis = (np.arange(pixels) + 0.5) * pixel - half
    x, y = np.meshgrid(axis, -axis)
    return ElevationArray(function(x, y), Affine(pixel, 0, -half, 0, -pixel, half), crs)


def geographic_dem(function, bounds=(58.9, 29.9, 61.1, 32.1), pixel=1 / 120):
    west, south, east, north = bounds
    shape = (round((north - south) / pixel), round((east - west) / pixel))
    lon = west + (np.arange(shape[1]) + 0.5) * pixel
    lat = north - (np.arange(shape[0]) + 0.5) * pixel
    return ElevationArray(
        function(*np.meshgrid(lon, lat)), Affine(pixel, 0, west, 0, -pixel, north), WGS84
    )


def rough(x, y):
    rng = np.random.default_rng(5)
    return 1500 + np.cumsum(np.cumsum(rng.normal(0, 3, x.shape), 0), 1) / 4 + 0 * y


def inner(ds, name, margin=1):
    return ds[name].values[margin:-margin, margin:-margin]


def test_a_tilted_plane_has_its_slope_aspect_and_no_curvature():
    dem = projected_dem(lambda x, y: 1000 + 0.3 * x + 0.4 * y)
    ds = terrain_features(dem, square_grid(10, 1000.0), tpi_radii_km=(2, 3))
    np.testing.assert_allclose(inner(ds, "slope_mean"), np.degrees(np.arctan(0.5)), rtol=1e-4)
    np.testing.assert_allclose(inner(ds, "slope_p90"), np.degrees(np.arctan(0.5)), atol=0.05)
    np.testing.assert_allclose(inner(ds, "aspect_northness"), -0.8, atol=1e-4)
    np.testing.assert_allclose(inner(ds, "aspect_eastness"), -0.6, atol=1e-4)
    np.testing.assert_allclose(inner(ds, "curvature"), 0, atol=1e-6)
    np.testing.assert_allclose(inner(ds, "vector_ruggedness"), 0, atol=1e-6)
    np.testing.assert_allclose(inner(ds, "tpi_2km", 3), 0, atol=1e-2)
    np.testing.assert_allclose(ds.elevation_mean[4, 4], 1000 + 0.3 * -500 + 0.4 * 500, rtol=1e-6)
    np.testing.assert_allclose(inner(ds, "elevation_range"), (0.3 + 0.4) * 900, rtol=1e-5)


def test_every_feature_is_declared_and_carries_its_unit():
    ds = terrain_features(projected_dem(rough), square_grid(5, 2000.0))
    assert all(ds[name].attrs["units"] == feature(name).units for name in ds.data_vars)
    assert {"tpi_10km", "tpi_50km", "slope_p90", "terrain_valid_share"} <= set(ds.data_vars)
    assert all(ds[name].dtype == np.float32 for name in ds.data_vars)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 300), st.integers(1, 4))
def test_window_size_and_threads_do_not_change_a_bit(window_rows, threads):
    dem = geographic_dem(rough)
    dem.values[40:60, 100:130] = np.nan
    grid = square_grid(40, 5000.0)
    whole = terrain_features(dem, grid, threads=1, window_rows=10_000)
    parts = terrain_features(dem, grid, threads=threads, window_rows=window_rows)
    for name in whole.data_vars:
        np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)


def test_large_pixels_leave_no_holes_between_their_centres():
    dem = geographic_dem(lambda lon, lat: 100 * lon + 50 * lat, pixel=1 / 12)
    ds = terrain_features(dem, square_grid(17, 10_000.0))
    assert all(not np.isnan(ds[name]).any() for name in ds.data_vars)
    lon, lat = square_grid(17, 10_000.0).lonlat()
    np.testing.assert_allclose(ds.elevation_mean, 100 * lon + 50 * lat, atol=2)


def test_a_missing_block_lowers_the_valid_share_of_its_cells_only():
    dem = projected_dem(lambda x, y: 500 + 0 * x)
    dem.values[10:20, 10:15] = np.nan
    ds = terrain_features(dem, square_grid(12, 1000.0))
    assert float(ds.terrain_valid_share[1, 1]) == pytest.approx(0.5)
    assert float(ds.terrain_valid_share.sum()) == pytest.approx(143.5)
    assert float(ds.elevation_mean[1, 1]) == 500
    assert float(ds.elevation_sd[1, 1]) == 0


def test_ground_distance_follows_the_ellipsoid_in_each_row():
    geod = Geod(ellps="WGS84")
    dem = geographic_dem(lambda lon, lat: 1000 * (lon - 60))
    ds = terrain_features(dem, square_grid(20, 10_000.0))
    _, lat = square_grid(20, 10_000.0).lonlat()
    width = geod.inv(59.5, lat[2, 10], 60.5, lat[2, 10])[2]
    assert float(ds.slope_mean[2, 10]) == pytest.approx(
        np.degrees(np.arctan(1000 / width)), rel=1e-4
    )


def test_a_raster_elsewhere_is_refused():
    dem = geographic_dem(rough, bounds=(10, 10, 11, 11))
    with pytest.raises(DataError, match="does not cover the study area"):
        terrain_features(dem, square_grid(5, 1000.0))


def test_a_raster_of_voids_is_refused():
    with pytest.raises(DataError, match="no elevation in the study area"):
        terrain_features(projected_dem(lambda x, y: np.nan * x), square_grid(5, 1000.0))


def test_feet_are_noticed(caplog):
    with caplog.at_level(logging.WARNING):
        terrain_features(projected_dem(lambda x, y: 12_900 + 0 * x), square_grid(5, 1000.0))
    assert "feet" in caplog.text


class Counted(ElevationArray):
    """Elevation that notes how much of each row is read, and the largest window."""

    block_rows = 8

    def __init__(self, *place):
        super().__init__(*place)
        object.__setattr__(self, "times", np.zeros(self.shape[0], int))
        object.__setattr__(self, "largest", [0])

    def read(self, rows, cols):
        self.times[rows] += 1
        self.largest[0] = max(self.largest[0], rows.stop - rows.start)
        return super().read(rows, cols)


def test_each_row_is_read_once_and_few_at_a_time(monkeypatch):
    monkeypatch.setattr("borderrisk.features.terrain._pass._STRIP_PIXELS", 5_000)
    dem = geographic_dem(rough)
    counted = Counted(dem.values, dem.transform, dem.crs)
    terrain_features(counted, square_grid(30, 5000.0))
    assert counted.times.max() == 1
    assert counted.times.sum() > 150
    assert counted.largest[0] <= 5_000 // 190
