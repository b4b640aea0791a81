import logging
import pickle

import numpy as np
import pytest
import rasterio
import rasterio.warp
from affine import Affine

from borderrisk.errors import ConfigError, DataError
from borderrisk.features.terrain import terrain_features
from borderrisk.grid import Grid, laea_crs
from borderrisk.sources.elevation import open_elevation

PIXEL = 0.01


def write(path, values, west=59.0, north=33.0, *, pixel=PIXEL, crs="EPSG:4326", **profile):
    """Write a GeoTIFF whose first row is the northernmost."""
    values = np.asarray(values)
    transform = profile.pop("transform", Affine(pixel, 0, west, 0, -pixel, north))
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        height=values.shape[0],
        width=values.shape[1],
        dtype=values.dtype,
        crs=crs,
        transform=transform,
        **profile,
    ) as ds:
        ds.write(values, 1)
    return path


def slab(value, shape=(100, 100), dtype="float32"):
    return np.full(shape, value, dtype)


def everything(elevation):
    return elevation.read(slice(0, elevation.shape[0]), slice(0, elevation.shape[1]))


def test_a_file_is_read_in_metres_with_its_place(tmp_path):
    values = np.arange(12, dtype="int16").reshape(3, 4)
    dem = open_elevation(write(tmp_path / "a.tif", values))
    assert dem.shape == (3, 4)
    assert dem.crs.to_epsg() == 4326
    assert dem.bounds == pytest.approx((59.0, 32.97, 59.04, 33.0))
    window = dem.read(slice(1, 3), slice(1, 2))
    assert window.dtype == np.float32
    assert window.tolist() == [[5], [9]]


def test_feet_become_metres(tmp_path):
    path = write(tmp_path / "a.tif", slab(1000))
    assert everything(open_elevation(path, units="ft"))[0, 0] == pytest.approx(304.8)
    with pytest.raises(ConfigError, match="m, ft"):
        open_elevation(path, units="fathom")


@pytest.mark.parametrize(
    ("void", "profile", "bad_values"),
    [
        (-32768, {"nodata": -32768}, ()),
        (-32768, {}, ()),
        (-32767, {}, ()),
        (-32767, {"nodata": -32768}, ()),
        (-9999, {"nodata": -9999}, ()),
        (-9999, {}, (-9999,)),
        (0, {"nodata": 0}, ()),
    ],
)
def test_voids_are_missing_tagged_or_not(tmp_path, void, profile, bad_values):
    values = slab(700, dtype="int16")
    values[3, 5] = void
    dem = open_elevation(write(tmp_path / "a.tif", values, **profile), bad_values=bad_values)
    assert np.argwhere(np.isnan(everything(dem))).tolist() == [[3, 5]]


@pytest.mark.parametrize("void", [np.nan, np.inf, 3.4e38, -3.4e38])
def test_numbers_that_are_no_elevation_are_missing(tmp_path, void):
    values = slab(700)
    values[3, 5] = void
    dem = open_elevation(write(tmp_path / "a.tif", values))
    assert np.argwhere(np.isnan(everything(dem))).tolist() == [[3, 5]]


def test_scale_offset_and_mask_of_the_file_are_applied(tmp_path):
    path = write(tmp_path / "a.tif", slab(100, (4, 4), "uint8"))
    with rasterio.open(path, "r+") as ds:
        ds.scales, ds.offsets = (28.0,), (-450.0,)
        mask = np.full((4, 4), 255, "uint8")
        mask[1, 2] = 0
        ds.write_mask(mask)
    values = everything(open_elevation(path))
    assert values[0, 0] == 28 * 100 - 450
    assert np.argwhere(np.isnan(values)).tolist() == [[1, 2]]


def test_rows_that_run_northwards_are_turned(tmp_path):
    values = np.arange(12, dtype="float32").reshape(3, 4)
    up = write(tmp_path / "up.tif", values, transform=Affine(PIXEL, 0, 59, 0, PIXEL, 32))
    dem = open_elevation(up)
    assert dem.bounds == pytest.approx((59.0, 32.0, 59.04, 32.03))
    assert dem.read(slice(0, 1), slice(0, 4)).tolist() == [[8, 9, 10, 11]]


def tiles(folder):
    """Two by two tiles with differing nodata, the last one not there."""
    folder.mkdir()
    half = PIXEL / 2
    write(folder / "n33e059.tif", slab(1), 59 - half, 33 + half)
    write(folder / "n33e060.tif", slab(2, dtype="int16"), 60 - half, 33 + half, nodata=-32768)
    write(folder / "n32e059.tif", slab(3, dtype="int16"), 59 - half, 32 + half, nodata=-9999)
    return folder


def test_tiles_of_a_folder_join_and_holes_are_missing_and_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        dem = open_elevation(tiles(tmp_path / "dem"))
    assert "25 %" in caplog.text
    assert dem.shape == (200, 200)
    across = dem.read(slice(98, 102), slice(98, 102))
    expected = np.array([[1, 1, 2, 2]] * 2 + [[3, 3, np.nan, np.nan]] * 2)
    np.testing.assert_array_equal(across, expected)


def test_a_list_and_a_virtual_raster_are_the_same_raster(tmp_path):
    folder = tiles(tmp_path / "dem")
    joined = everything(open_elevation(folder))
    np.testing.assert_array_equal(everything(open_elevation(sorted(folder.iterdir()))), joined)
    vrt = tmp_path / "one.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="100" rasterYSize="100"><SRS>EPSG:4326</SRS>'
        "<GeoTransform>59, 0.01, 0, 33, 0, -0.01</GeoTransform>"
        '<VRTRasterBand dataType="Float32" band="1"><NoDataValue>-1</NoDataValue><SimpleSource>'
        '<SourceFilename relativeToVRT="1">dem/n33e059.tif</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    assert np.unique(everything(open_elevation(vrt))).tolist() == [1]


def test_a_virtual_raster_of_copernicus_tiles_is_the_folder(tmp_path):
    """Centres of pixels on whole degrees: tiles begin half a pixel outside theirs."""
    folder = tiles(tmp_path / "dem")
    source = (
        "<ComplexSource><SourceFilename relativeToVRT='1'>dem/{0}.tif</SourceFilename>"
        "<SourceBand>1</SourceBand><SrcRect xOff='0' yOff='0' xSize='100' ySize='100'/>"
        "<DstRect xOff='{1}' yOff='{2}' xSize='100' ySize='100'/>{3}</ComplexSource>"
    )
    parts = [("n33e059", 0, 0, ""), ("n33e060", 100, 0, "<NODATA>-32768</NODATA>"),
             ("n32e059", 0, 100, "<NODATA>-9999</NODATA>")]  # fmt: skip
    vrt = tmp_path / "one.vrt"
    vrt.write_text(
        "<VRTDataset rasterXSize='200' rasterYSize='200'><SRS>EPSG:4326</SRS>"
        "<GeoTransform>58.995, 0.01, 0, 33.005, 0, -0.01</GeoTransform>"
        "<VRTRasterBand dataType='Float32' band='1'><NoDataValue>-32767</NoDataValue>"
        + "".join(source.format(*part) for part in parts)
        + "</VRTRasterBand></VRTDataset>"
    )
    joined, virtual = open_elevation(folder), open_elevation(vrt)
    assert virtual.bounds == pytest.approx(joined.bounds) == (58.995, 31.005, 60.995, 33.005)
    np.testing.assert_array_equal(everything(virtual), everything(joined))


def test_where_tiles_overlap_the_first_in_order_with_a_value_wins(tmp_path):
    first = slab(1)
    first[40:60, 95:] = np.nan
    paths = [write(tmp_path / "b.tif", slab(2), 59.9), write(tmp_path / "a.tif", first)]
    values = everything(open_elevation(paths))
    assert values.shape == (100, 190)
    assert values[0, [89, 95, 100]].tolist() == [1, 1, 2]
    assert values[50, [89, 94, 95]].tolist() == [1, 1, 2]


def test_tiles_half_a_pixel_apart_are_read_at_the_nearest_and_said(tmp_path, caplog):
    write(tmp_path / "a.tif", slab(1))
    write(tmp_path / "b.tif", slab(2), 60 + 0.4 * PIXEL)
    with caplog.at_level(logging.WARNING):
        dem = open_elevation(tmp_path)
    assert dem.shape == (100, 200)
    assert "0.40 pixels" in caplog.text


def test_an_open_elevation_can_be_sent_to_another_process(tmp_path):
    dem = open_elevation(write(tmp_path / "a.tif", slab(5)))
    everything(dem)
    assert everything(pickle.loads(pickle.dumps(dem)))[0, 0] == 5


def refused(words, path, **options):
    with pytest.raises(DataError, match=words) as caught:
        open_elevation(path, **options)
    return str(caught.value)


def test_files_that_cannot_be_used_say_why(tmp_path):
    assert "gone.tif" in refused("does not exist", tmp_path / "gone.tif")
    (tmp_path / "page.tif").write_text("<!doctype html>")
    refused("not a readable raster", tmp_path / "page.tif")
    refused("no CRS", write(tmp_path / "bare.tif", slab(1), crs=None))
    (tmp_path / "empty").mkdir()
    refused("holds no elevation raster", tmp_path / "empty")
    refused("empty", [])
    refused("swapped", write(tmp_path / "swapped.tif", slab(1), 33, 120))
    turned = Affine(PIXEL, 0.001, 59, 0.001, -PIXEL, 33)
    refused("rotated", write(tmp_path / "turned.tif", slab(1), transform=turned))


def test_tiles_that_do_not_belong_together_are_refused(tmp_path):
    a = write(tmp_path / "a.tif", slab(1))
    refused("share a CRS", [a, write(tmp_path / "b.tif", slab(1), crs="EPSG:32640")])
    refused("pixel size", [a, write(tmp_path / "c.tif", slab(1), pixel=0.02)])


def grid_over(lon=59.5, lat=32.5, cells=8, size=5_000.0):
    half = cells * size / 2
    return Grid(laea_crs(lon, lat), Affine(size, 0, -half, 0, -size, half), (cells, cells))


def test_a_block_that_does_not_decode_names_tile_and_pixels(tmp_path):
    rng = np.random.default_rng(0)
    path = write(
        tmp_path / "dem.tif",
        rng.normal(1000, 100, (512, 512)).astype("float32"),
        north=35,
        tiled=True,
        blockxsize=128,
        blockysize=128,
        compress="deflate",
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    dem = open_elevation(path)
    with pytest.raises(DataError, match=r"dem\.tif: pixels at rows \d+ to \d+, columns .* decoded"):
        terrain_features(dem, grid_over(61.5, 32.5, 80))


def test_swapped_axes_inside_the_poles_are_recognised(tmp_path):
    swapped = write(tmp_path / "a.tif", slab(800), 32, 60)
    with pytest.raises(DataError, match="axes look swapped"):
        terrain_features(open_elevation(swapped), grid_over())


def test_a_raster_of_part_of_the_area_states_the_share_outside(tmp_path, caplog):
    dem = open_elevation(write(tmp_path / "a.tif", slab(800), 59.5))
    grid = grid_over(59.5, 32.5, cells=8)
    with caplog.at_level(logging.WARNING):
        ds = terrain_features(dem, grid)
    assert "50 % of the area" in caplog.text
    assert int(np.isfinite(ds.elevation_mean).sum()) == 32
    west = np.zeros(grid.shape, bool)
    west[:, 3:5] = True
    with pytest.raises(DataError, match=r"a\.tif does not cover 50 % of the study area"):
        terrain_features(dem, grid, needed=west)
    terrain_features(dem, grid, needed=np.roll(west, 2, axis=1))


def test_a_raster_smaller_than_a_cell(tmp_path):
    dem = open_elevation(write(tmp_path / "a.tif", slab(800, (3, 3)), 59.49, 32.51))
    ds = terrain_features(dem, grid_over(cells=5, size=30_000.0))
    assert float(ds.elevation_mean[2, 2]) == 800
    assert int(np.isfinite(ds.elevation_mean).sum()) == 1
    assert 0 < float(ds.terrain_valid_share[2, 2]) < 0.02


def test_features_of_a_mosaic_equal_those_of_the_whole(tmp_path):
    rng = np.random.default_rng(3)
    values = (1000 + np.cumsum(rng.normal(0, 9, (200, 200)), 1)).astype("float32")
    whole = open_elevation(write(tmp_path / "whole.tif", values, 59, 33))
    (tmp_path / "tiles").mkdir()
    for i in (0, 1):
        for j in (0, 1):
            part = values[i * 100 : i * 100 + 100, j * 100 : j * 100 + 100]
            write(tmp_path / "tiles" / f"{i}{j}.tif", part, 59 + j, 33 - i)
    grid = grid_over(60, 32, 30)
    a = terrain_features(whole, grid)
    b = terrain_features(open_elevation(tmp_path / "tiles"), grid)
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("path", ["EPSG:32640", "EPSG:3857"])
def test_a_projected_raster_has_the_same_slopes_on_the_ground(tmp_path, path):
    size = 300 * 250.0
    x, y = rasterio.warp.transform("EPSG:4326", path, [59.5], [32.5])
    columns = np.arange(300) * 250.0
    stretch = 1 / np.cos(np.radians(32.5)) if path == "EPSG:3857" else 1.0
    values = np.broadcast_to(columns * 0.1 / stretch, (300, 300)).astype("float32")
    transform = Affine(250, 0, x[0] - size / 2, 0, -250, y[0] + size / 2)
    dem = open_elevation(write(tmp_path / "a.tif", values, crs=path, transform=transform))
    ds = terrain_features(dem, grid_over(cells=4))
    np.testing.assert_allclose(ds.slope_mean, np.degrees(np.arctan(0.1)), rtol=5e-3)


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


@pytest.mark.parametrize(
    ("void", "units"), [(-9999, None), (-9999, "ft"), (-32768, "ft"), (-32767, None)]
)
def test_usual_voids_without_a_tag_are_missing_in_any_unit(tmp_path, void, units):
    values = slab(700, dtype="int16")
    values[3, 5] = void
    dem = open_elevation(write(tmp_path / "a.tif", values), units=units)
    assert np.argwhere(np.isnan(everything(dem))).tolist() == [[3, 5]]


def test_the_void_of_a_grid_as_text_without_a_tag_is_missing(tmp_path):
    path = tmp_path / "a.asc"
    path.write_text("ncols 2\nnrows 2\nxllcorner 59\nyllcorner 30\ncellsize 0.1\n5 6\n-9999 8\n")
    path.with_suffix(".prj").write_text(laea_crs(59, 30).to_wkt("WKT1_ESRI"))
    np.testing.assert_array_equal(everything(open_elevation(path)), [[5, 6], [np.nan, 8]])


def test_a_byproduct_beside_its_tile_is_refused_and_a_twin_is_not(tmp_path):
    z = hills(100)
    write(tmp_path / "n30.tif", z.astype("float32"))
    write(tmp_path / "n30_twin.tif", (z + 5).astype("float32"))
    open_elevation(tmp_path)
    write(tmp_path / "n30_aspect.tif", shaded(z)[1].astype("float32"))
    assert "n30_aspect.tif" in refused("cover the same place", tmp_path)


def test_numbers_of_8_bits_are_narrow_unless_they_are_scaled(tmp_path):
    path = write(tmp_path / "a.tif", slab(7, dtype="uint8"))
    assert open_elevation(path).is_narrow
    with rasterio.open(path, "r+") as ds:
        ds.scales = (28.0,)
    assert not open_elevation(path).is_narrow
    assert not open_elevation(write(tmp_path / "b.tif", slab(7, dtype="int16"))).is_narrow


def test_a_picture_is_refused(tmp_path):
    path = write(tmp_path / "a.tif", slab(7, dtype="uint8"), photometric="palette")
    with rasterio.open(path, "r+") as ds:
        ds.write_colormap(1, {i: (i, 0, 0, 255) for i in range(256)})
    refused("colour table", path)


def test_several_variables_are_named(tmp_path):
    import xarray as xr

    z = xr.DataArray(slab(5.0, (4, 4)), dims=("lat", "lon"))
    axes = {"lat": [31.5, 31, 30.5, 30], "lon": [59, 59.5, 60, 60.5]}
    xr.Dataset({"elevation": z, "tid": z}, axes).to_netcdf(tmp_path / "gebco.nc")
    message = refused("several variables", tmp_path / "gebco.nc")
    assert "elevation" in message
    assert "tid" in message


@pytest.mark.parametrize("word", ["nan", "0", "inf"])
def test_a_degenerate_place_is_refused(tmp_path, word):
    path = tmp_path / "a.asc"
    path.write_text(
        f"ncols 2\nnrows 2\nxllcorner {word}\nyllcorner 30\ncellsize {word}\n5 6\n7 8\n"
    )
    with pytest.raises(DataError):
        open_elevation(path)


def test_pixels_packed_in_one_huge_block_are_refused(tmp_path):
    profile = {"driver": "GTiff", "crs": 4326, "transform": Affine(1e-4, 0, 59, 0, -1e-4, 35)}
    with rasterio.open(
        tmp_path / "a.tif", "w", **profile, width=40_000, height=40_000, count=1, dtype="int16",
        blockysize=20_000, sparse_ok=True,
    ):  # fmt: skip
        pass
    assert (tmp_path / "a.tif").stat().st_size < 10_000
    assert "TILED=YES" in refused("too many to unpack at once", tmp_path / "a.tif")
