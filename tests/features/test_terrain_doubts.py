"""Rasters that pass for elevation and are not."""

import numpy as np
from affine import Affine
from pyproj import CRS

from borderrisk.features.terrain import ElevationArray, doubts
from borderrisk.grid import Grid, laea_crs


def hills(size=200, seed=1):
    """Ground of 200 to 1,800 m, as smooth as such rasters are."""
    rng = np.random.default_rng(seed)
    waves = np.fft.fft2(rng.normal(size=(size, size)))
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    k[0, 0] = np.inf
    z = np.fft.ifft2(waves / k**1.8).real
    return 200 + 1600 * (z - z.min()) / np.ptp(z)


def shaded(z):
    """Slope in degrees, aspect and hillshade of a field of 90 m pixels."""
    gy, gx = np.gradient(z, 90.0)
    slope, aspect = np.arctan(np.hypot(gx, gy)), np.arctan2(-gx, gy)
    light = np.cos(0.785) * np.cos(slope) + np.sin(0.785) * np.sin(slope) * np.cos(5.5 - aspect)
    return np.degrees(slope), np.degrees(aspect) % 360, 1 + 254 * np.clip(light, 0, 1)


def doubted(values):
    """Judge a raster of 0.01 degree, in the middle of which a grid lies."""
    rows, cols = values.shape
    transform = Affine(0.01, 0, 60 - cols * 0.005, 0, -0.01, 31 + rows * 0.005)
    source = ElevationArray(values, transform, CRS.from_epsg(4326))
    half = 4e4
    grid = Grid(laea_crs(60, 31), Affine(1e4, 0, -half, 0, -1e4, half), (8, 8))
    return "; ".join(doubts(source, grid))


def test_elevation_is_not_doubted():
    for values in (hills(), hills(700), hills() / 8, np.maximum(hills() - 900, 0)):
        assert doubted(values) == ""


def test_what_looks_like_no_elevation_is_doubted():
    slope, aspect, shade = shaded(hills())
    for values in (slope, aspect, shade, shade.astype("int16")):
        assert "hillshade, slope or aspect" in doubted(values)
    assert "hillshade, slope or aspect" in doubted(aspect - 180)
    curvature = np.random.default_rng(3).normal(0, 0.01, (200, 200))
    assert "hillshade, slope or aspect" in doubted(curvature)
    assert "same value everywhere, 0 m" in doubted(np.zeros((200, 200)))
    assert "only 2 values" in doubted(np.where(hills() > 900, 1.0, 0.0))
    holes = hills()
    holes[90:110, 90:110] = 0
    assert "pixels are exactly 0 m" in doubted(holes)
    assert doubted(np.full((200, 200), np.nan)) == ""


def test_pixels_far_larger_than_cells_are_said():
    transform = Affine(0.5, 0, 55, 0, -0.5, 36)  # pixels of 51 km on cells of 10
    source = ElevationArray(hills(20), transform, CRS.from_epsg(4326))
    half = 4e4
    grid = Grid(laea_crs(60, 31), Affine(1e4, 0, -half, 0, -1e4, half), (8, 8))
    found = "; ".join(doubts(source, grid))
    assert "its pixels are 51 km wide and cells 10 km" in found
