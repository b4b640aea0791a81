"""The compiled pass against slow float64 formulas and against GDAL."""

import shutil
import subprocess

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS, Geod, Transformer

from borderrisk.features.terrain import ElevationArray, _finish, terrain_features
from borderrisk.features.terrain._finish import disc_shares
from borderrisk.features.terrain._geometry import PixelMap
from borderrisk.features.terrain._kernels import SEGMENT, pixel_metrics
from borderrisk.grid import Grid, laea_crs

WGS84 = CRS.from_epsg(4326)
NEIGHBOURS = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]


def fractal(shape, seed=2):
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.normal(size=shape))
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    k = np.hypot(fy, fx)
    k[0, 0] = np.inf
    z = np.fft.irfft2(spectrum * k**-1.9, shape)
    return (1800 + 500 * z / z.std()).astype("float32")


def slow_pixels(z, dx, dy):
    """Pixel measures by the textbook, float64; NaN wherever a neighbour is missing."""
    z = np.pad(z.astype(float), 1, constant_values=np.nan)
    n = {(r, c): np.roll(z, (-r, -c), (0, 1))[1:-1, 1:-1] for r in (-1, 0, 1) for c in (-1, 0, 1)}
    east = n[-1, 1] + 2 * n[0, 1] + n[1, 1] - n[-1, -1] - 2 * n[0, -1] - n[1, -1]
    north = n[-1, -1] + 2 * n[-1, 0] + n[-1, 1] - n[1, -1] - 2 * n[1, 0] - n[1, 1]
    p, q = east / (8 * dx), north / (8 * dy)
    g = np.hypot(p, q)
    tri = np.sqrt(sum((n[k] - n[0, 0]) ** 2 for k in NEIGHBOURS))
    up = 1 / np.sqrt(1 + g**2)
    curvature = -((n[0, 1] + n[0, -1] - 2 * n[0, 0]) / dx**2)
    curvature -= (n[1, 0] + n[-1, 0] - 2 * n[0, 0]) / dy**2
    known = ~np.isnan(tri)
    flat = np.where(g == 0, np.inf, g)
    layers = {
        "slope": np.degrees(np.arctan(g)),
        "tri": tri,
        "nx": -p * up,
        "ny": -q * up,
        "nz": up,
        "north": -q / flat,
        "east": -p / flat,
        "curvature": curvature,
    }
    return {name: np.where(known, layer, np.nan) for name, layer in layers.items()}


def slow_cells(dem, grid, dx, dy):
    """Cell statistics from exact positions of all pixel centres."""
    rows, cols = dem.shape
    x = dem.transform.c + (np.arange(cols) + 0.5) * dem.transform.a
    y = dem.transform.f + (np.arange(rows) + 0.5) * dem.transform.e
    to_grid = Transformer.from_crs(dem.crs, grid.crs, always_xy=True)
    row, col = grid.rowcol(*to_grid.transform(*np.meshgrid(x, y)))
    label = np.where(row < 0, -1, row * grid.shape[1] + col)
    pixels = slow_pixels(dem.values, dx, dy)
    z = dem.values.astype(float)
    out = {}

    def each(name, function, layer):
        out[name] = np.full(grid.size, np.nan)
        for cell in range(grid.size):
            values = layer[(label == cell) & ~np.isnan(layer)]
            if values.size:
                out[name][cell] = function(values)

    each("elevation_mean", np.mean, z)
    each("elevation_sd", np.std, z)
    each("elevation_min", np.min, z)
    each("elevation_max", np.max, z)
    each("slope_mean", np.mean, pixels["slope"])
    each("slope_p90", lambda v: np.quantile(v, 0.9), pixels["slope"])
    each("ruggedness", np.mean, pixels["tri"])
    each("aspect_northness", np.mean, pixels["north"])
    each("aspect_eastness", np.mean, pixels["east"])
    each("curvature", np.mean, pixels["curvature"])
    for axis in ("nx", "ny", "nz"):
        each(axis, np.mean, pixels[axis])
    out["vector_ruggedness"] = 1 - np.sqrt(sum(out.pop(a) ** 2 for a in ("nx", "ny", "nz")))
    return {name: values.reshape(grid.shape) for name, values in out.items()}


def geographic_size(dem):
    """Pixel width and height of each row from geodesics."""
    geod, t = Geod(ellps="WGS84"), dem.transform
    lat = t.f + (np.arange(dem.shape[0]) + 0.5) * t.e
    zero = np.zeros_like(lat)
    dx = geod.inv(zero, lat, zero + t.a, lat)[2]
    dy = geod.inv(zero, lat - t.e / 2, zero, lat + t.e / 2)[2]
    return dx[:, None], dy[:, None]


def test_geographic_raster_agrees_with_the_slow_reference():
    values = fractal((420, 400))
    values[100:130, 200:260] = np.nan
    values[300, 77] = np.nan
    dem = ElevationArray(values, Affine(1 / 240, 0, 59.2, 0, -1 / 240, 32.1), WGS84)
    grid = Grid(laea_crs(60, 31), Affine(8000, 0, -72_000, 0, -8000, 120_000), (20, 18))
    ds = terrain_features(dem, grid)
    slow = slow_cells(dem, grid, *geographic_size(dem))
    for name, expected in slow.items():
        got = ds[name].values
        assert (np.isnan(got) == np.isnan(expected)).all(), name
        error = np.abs(got - expected)[~np.isnan(expected)] / np.nanstd(expected)
        if name != "slope_p90":
            # The rest have a pixel within a thousandth of a cell of their edge, which may be
            # counted on its other side.
            assert np.mean(error < 2e-4) > 0.8, name
        assert error.max() < 0.3, name


def test_the_slope_of_a_single_pixel_cell_is_that_pixels():
    dem = ElevationArray(
        fractal((60, 60)), Affine(1000, 0, -30_000, 0, -1000, 30_000), laea_crs(60, 31)
    )
    grid = Grid(laea_crs(60, 31), Affine(1000, 0, -20_000, 0, -1000, 20_000), (40, 40))
    ds = terrain_features(dem, grid)
    slope = slow_pixels(dem.values, 1000, 1000)["slope"][10:50, 10:50]
    np.testing.assert_allclose(ds.slope_mean, slope, rtol=2e-4, atol=1e-4)
    np.testing.assert_allclose(ds.slope_p90, slope, atol=0.05)
    np.testing.assert_allclose(ds.elevation_mean, dem.values[10:50, 10:50], rtol=1e-6)


def fast_pixels(z, dx, dy):
    """The kernel's measures of the inner pixels, shape (10, rows - 2, columns - 2)."""
    out = np.full((10, z.shape[0] - 2, z.shape[1] - 2), np.nan)
    buffer = np.empty(10 * SEGMENT, np.float32)
    for i in range(out.shape[1]):
        for j in range(0, out.shape[2], SEGMENT):
            n = min(SEGMENT, out.shape[2] - j)
            up, mid, down = (np.ascontiguousarray(z[i + k, j : j + n + 2]) for k in range(3))
            pixel_metrics(up, mid, down, dx, dy, 100, buffer)
            out[:, i, j : j + n] = buffer.reshape(10, SEGMENT)[:, :n]
    return out


@pytest.mark.skipif(not shutil.which("gdaldem"), reason="gdaldem is not installed")
@pytest.mark.parametrize(
    ("command", "layer"), [(("slope",), 0), (("TRI", "-alg", "Riley"), 1)], ids=["slope", "TRI"]
)
def test_pixels_agree_with_gdaldem(tmp_path, command, layer):
    z = fractal((150, 170))
    with rasterio.open(
        *(tmp_path / "dem.tif", "w"),
        **{"driver": "GTiff", "count": 1, "dtype": "float32", "height": 150, "width": 170},
        **{"crs": "EPSG:32641", "transform": Affine(90, 0, 0, 0, -90, 0)},
    ) as ds:
        ds.write(z, 1)
    subprocess.run(
        ["gdaldem", command[0], tmp_path / "dem.tif", tmp_path / "out.tif", *command[1:], "-q"],
        check=True,
    )
    with rasterio.open(tmp_path / "out.tif") as ds:
        expected = ds.read(1)[1:-1, 1:-1]
    np.testing.assert_allclose(fast_pixels(z, 90.0, 90.0)[layer], expected, rtol=1e-4, atol=1e-4)


def test_pixels_agree_with_float64_formulas():
    z = fractal((80, 150))
    fast = fast_pixels(z, 70.0, 95.0)
    for k, (name, layer) in enumerate(slow_pixels(z, 70.0, 95.0).items()):
        inside = layer[1:-1, 1:-1]
        np.testing.assert_allclose(fast[k], inside, atol=1e-3 * np.std(inside), err_msg=name)


def test_position_is_the_mean_over_a_disc():
    dem = ElevationArray(
        fractal((400, 400)), Affine(100, 0, -20_000, 0, -100, 20_000), laea_crs(60, 31)
    )
    grid = Grid(laea_crs(60, 31), Affine(500, 0, -20_000, 0, -500, 20_000), (80, 80))
    ds = terrain_features(dem, grid, tpi_radii_km=(5,))
    x, y = grid.centres()
    px = np.arange(400) * 100 - 19_950
    inside = (px[None, :] - x[40, 40]) ** 2 + (-px[:, None] - y[40, 40]) ** 2 <= 5000**2
    expected = float(ds.elevation_mean[40, 40]) - dem.values[inside].mean()
    assert float(ds.tpi_5km[40, 40]) == pytest.approx(expected, abs=1.0)
    assert disc_shares(10).sum() == pytest.approx(np.pi * 100, rel=2e-3)


def test_positions_are_interpolated_within_a_thousandth_of_a_cell():
    grid = Grid(laea_crs(60, 31), Affine(1000, 0, -500_000, 0, -1000, 500_000), (1000, 1000))
    for pixel in (1 / 1200, 1 / 12):
        shape = (round(8 / pixel), round(8 / pixel))
        pixels = PixelMap(WGS84, Affine(pixel, 0, 56, 0, -pixel, 35), shape, grid)
        u, v, first = pixels.control(0, shape[0])
        step = pixels.step
        i, j = 3 % (len(v) - 1), 2
        rows, cols = np.array([(first + i + 0.5) * step]), np.array([(j + 0.5) * step])
        exact_u, exact_v = pixels.exact(rows, cols)
        assert u[i : i + 2, j : j + 2].mean() == pytest.approx(exact_u.item(), abs=1e-3)
        assert v[i : i + 2, j : j + 2].mean() == pytest.approx(exact_v.item(), abs=1e-3)


@pytest.mark.skipif(not shutil.which("gdaldem"), reason="gdaldem is not installed")
def test_position_agrees_with_gdaldem(tmp_path, monkeypatch):
    """GDAL compares with the 8 neighbours, without the pixel itself: 9/8 of our difference."""
    z = fractal((90, 110))
    with rasterio.open(
        *(tmp_path / "dem.tif", "w"),
        **{"driver": "GTiff", "count": 1, "dtype": "float32", "height": 90, "width": 110},
        **{"crs": "EPSG:32641", "transform": Affine(90, 0, 0, 0, -90, 0)},
    ) as ds:
        ds.write(z, 1)
    command = ["gdaldem", "TPI", tmp_path / "dem.tif", tmp_path / "out.tif", "-q"]
    subprocess.run(command, check=True)
    with rasterio.open(tmp_path / "out.tif") as ds:
        expected = ds.read(1)[1:-1, 1:-1]
    monkeypatch.setattr(_finish, "disc_shares", lambda radius: np.ones((3, 3)))
    grid = Grid(laea_crs(60, 31), Affine(90, 0, 0, 0, -90, 0), (90, 110))
    found = _finish.topographic_position(grid, z.astype(float), np.ones(z.shape), (1,))
    np.testing.assert_allclose(9 / 8 * found["tpi_1km"][1:-1, 1:-1], expected, atol=2e-3)


def test_position_in_a_bowl_is_minus_half_the_rim():
    """Of z = a r² the mean over a disc of radius R is a R² / 2 above its middle."""
    grid = Grid(laea_crs(60, 31), Affine(500, 0, -20_000, 0, -500, 20_000), (80, 80))
    x, y = grid.centres()
    z = 1000 + 1e-6 * (x**2 + y**2)
    found = _finish.topographic_position(grid, z, np.ones(z.shape), (4, 8))
    for radius in (4, 8):
        middle = found[f"tpi_{radius}km"][30:50, 30:50]
        np.testing.assert_allclose(middle, -1e-6 * (radius * 1000) ** 2 / 2, rtol=0.01)
