import logging

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.windows
from rasterio.vrt import WarpedVRT

from borderrisk.errors import DataError
from borderrisk.sources.elevation import open_elevation

from .virtual import piece, write_tile, write_vrt

SIDE = 1200  # GDAL reads windows of a million pixels and more in another way
STRIP = 100
NAN = float("nan")


def slab(value, shape=(4, 4), dtype="int16"):
    return np.full(shape, value, dtype)


def everything(elevation):
    return elevation.read(slice(0, elevation.shape[0]), slice(0, elevation.shape[1]))


def three_in_a_column(folder):
    """Lay three tiles below each other; also return the path of the middle one."""
    tiles = [
        write_tile(folder / f"t{i}.tif", slab(100 + i, (SIDE, SIDE)), i * SIDE) for i in range(3)
    ]
    parts = [piece(tile.name, i * SIDE, 0, SIDE, SIDE) for i, tile in enumerate(tiles)]
    return write_vrt(folder / "all.vrt", (3 * SIDE, SIDE), parts), tiles[1]


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def read_error(elevation):
    with pytest.raises(DataError) as caught:
        elevation.read(slice(SIDE // 2, 3 * SIDE - 5), slice(0, SIDE))
    return str(caught.value)


def rows_named(message):
    first, last = message.partition("pixels at rows ")[2].partition(",")[0].split(" to ")
    return int(first), int(last)


def damaged_rows(path):
    with rasterio.open(path) as ds:
        for top in range(0, SIDE, STRIP):
            try:
                ds.read(1, window=rasterio.windows.Window(0, top, SIDE, STRIP))
            except rasterio.errors.RasterioError:
                return top, top + STRIP - 1
    raise AssertionError("the file is whole")


def test_a_tile_that_is_cut_off_is_named_with_its_rows_and_the_cause(tmp_path):
    vrt, middle = three_in_a_column(tmp_path)
    cut(middle)
    message = read_error(open_elevation(vrt))
    assert message.startswith(f"{middle} (a tile of {vrt}): ")
    assert rows_named(message) == damaged_rows(middle)
    assert "See previous exception" not in message
    assert "TIFF" in message


def test_the_cut_tile_is_named_through_a_virtual_raster_in_another(tmp_path):
    vrt, middle = three_in_a_column(tmp_path)
    outer = write_vrt(
        tmp_path / "outer.vrt", (3 * SIDE, SIDE), [piece(vrt.name, 0, 0, 3 * SIDE, SIDE)]
    )
    cut(middle)
    message = read_error(open_elevation(outer))
    assert str(middle) in message
    assert rows_named(message) == damaged_rows(middle)


def test_the_cut_tile_is_named_through_a_warped_raster(tmp_path):
    vrt, middle = three_in_a_column(tmp_path)
    with rasterio.open(vrt) as ds, WarpedVRT(ds, crs="EPSG:32640", nodata=-32767) as warped:
        rasterio.shutil.copy(warped, tmp_path / "w.vrt", driver="VRT")
    cut(middle)
    message = read_error(open_elevation(tmp_path / "w.vrt"))
    assert message.startswith(f"{middle} (a tile of {tmp_path / 'w.vrt'}): ")
    assert rows_named(message) == damaged_rows(middle)


def test_a_tile_deleted_while_reading_is_named(tmp_path):
    vrt, middle = three_in_a_column(tmp_path)
    elevation = open_elevation(vrt)
    middle.unlink()
    message = read_error(elevation)
    assert message.startswith(f"{middle} (a tile of {vrt}): ")
    assert "No such file" in message


@pytest.mark.parametrize("nested", [False, True])
def test_a_missing_tile_is_named_at_opening(tmp_path, nested):
    vrt, middle = three_in_a_column(tmp_path)
    middle.unlink()
    path = vrt
    if nested:
        path = write_vrt(tmp_path / "outer.vrt", (10, 10), [piece(vrt.name, 0, 0, 10, 10)])
    with pytest.raises(DataError, match=r"all\.vrt: it refers to .*t1\.tif, which does not exist"):
        open_elevation(path)


def test_a_tile_that_is_no_raster_is_named_at_opening(tmp_path):
    vrt, middle = three_in_a_column(tmp_path)
    middle.write_text("<!doctype html>")
    with pytest.raises(DataError, match=r"t1\.tif: not a readable raster"):
        open_elevation(vrt)


def test_virtual_rasters_that_refer_to_each_other_are_refused(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        write_vrt(tmp_path / f"{one}.vrt", (4, 4), [piece(f"{other}.vrt", 0, 0, 4, 4)])
    with pytest.raises(DataError, match="refers to it in turn"):
        open_elevation(tmp_path / "a.vrt")


def test_a_damaged_file_of_its_own_says_the_cause(tmp_path):
    path = write_tile(tmp_path / "a.tif", slab(5, (SIDE, SIDE)))
    cut(path)
    message = read_error_of(open_elevation(path))
    assert message.startswith(f"{path}: pixels at rows 0 to {SIDE - 1}, ")
    assert "See previous exception" not in message


def read_error_of(elevation):
    with pytest.raises(DataError) as caught:
        everything(elevation)
    return str(caught.value)


QUARTERS = ((0, 0), (0, 4), (4, 0))


def with_a_hole(folder, *, dtype="int16", band="", inside="", name="hole.vrt", more=""):
    """Lay three of four quarters, of 1, 2 and 0 m."""
    kinds = {"int16": "Int16", "uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}
    parts = []
    for value, (row, col) in zip((1, 2, 0), QUARTERS, strict=True):
        tile = write_tile(folder / f"q{row}{col}.tif", slab(value, dtype=dtype), row, col)
        parts.append(piece(tile.name, row, col, 4, 4, inside))
    return write_vrt(folder / name, (8, 8), parts, dtype=kinds[dtype], band=band, more=more)


EXPECTED = np.block(
    [[np.full((4, 4), 1.0), np.full((4, 4), 2.0)], [np.zeros((4, 4)), np.full((4, 4), NAN)]]
)


@pytest.mark.parametrize("dtype", ["int16", "uint8", "uint16", "float32"])
def test_what_no_tile_covers_is_missing_and_said_while_0_m_stays(tmp_path, dtype, caplog):
    with caplog.at_level(logging.WARNING):
        dem = open_elevation(with_a_hole(tmp_path, dtype=dtype))
    np.testing.assert_array_equal(everything(dem), EXPECTED)
    np.testing.assert_array_equal(dem.read(slice(5, 7), slice(3, 6)), [[0, NAN, NAN]] * 2)
    assert "hole.vrt: 25 % of the virtual raster has no tile" in caplog.text


@pytest.mark.parametrize("nodata", ["0", "-9999"])
def test_a_hidden_nodata_value_counts(tmp_path, nodata):
    band = f"<NoDataValue>{nodata}</NoDataValue><HideNoDataValue>1</HideNoDataValue>"
    np.testing.assert_array_equal(
        everything(open_elevation(with_a_hole(tmp_path, band=band))), EXPECTED
    )


def test_a_hole_with_a_nodata_value_is_missing_and_said(tmp_path, caplog):
    band = "<NoDataValue>-9999</NoDataValue>"
    with caplog.at_level(logging.WARNING):
        dem = open_elevation(with_a_hole(tmp_path, band=band))
    np.testing.assert_array_equal(everything(dem), EXPECTED)
    assert "25 %" in caplog.text


@pytest.mark.parametrize("band", ["", "<NoDataValue>-9999</NoDataValue>"])
@pytest.mark.parametrize("dtype", ["int16", "uint8"])
def test_a_hole_in_a_virtual_raster_within_another_is_missing(tmp_path, band, dtype):
    (tmp_path / "in").mkdir()
    with_a_hole(tmp_path / "in", dtype=dtype)
    outer = write_vrt(
        *(tmp_path / "outer.vrt", (8, 8), [piece("in/hole.vrt", 0, 0, 8, 8)]),
        **{"dtype": "Int16" if band else "Byte", "band": band},
    )
    np.testing.assert_array_equal(everything(open_elevation(outer)), EXPECTED)


def test_scale_and_offset_leave_the_hole_missing(tmp_path):
    band = "<Offset>100</Offset><Scale>0.5</Scale>"
    values = everything(open_elevation(with_a_hole(tmp_path, band=band)))
    np.testing.assert_array_equal(values, EXPECTED * 0.5 + 100)


def test_a_mask_decides_where_there_is_one(tmp_path):
    masks = "".join(
        piece(f"q{row}{col}.tif", row, col, 4, 4).replace(">1<", ">mask,1<")
        for row, col in QUARTERS
    )
    more = f"<MaskBand><VRTRasterBand dataType='Byte'>{masks}</VRTRasterBand></MaskBand>"
    np.testing.assert_array_equal(
        everything(open_elevation(with_a_hole(tmp_path, more=more))), EXPECTED
    )


def test_a_hole_in_a_virtual_raster_within_a_masked_or_scaled_one_is_missing(tmp_path):
    with_a_hole(tmp_path)
    source = piece("hole.vrt", 0, 0, 8, 8)
    opaque = source.replace("hole.vrt", "all.tif")
    write_tile(tmp_path / "all.tif", slab(255, (8, 8), "uint8"))
    masked = write_vrt(
        *(tmp_path / "masked.vrt", (8, 8), [source]),
        more=f"<MaskBand><VRTRasterBand dataType='Byte'>{opaque}</VRTRasterBand></MaskBand>",
    )
    np.testing.assert_array_equal(everything(open_elevation(masked)), EXPECTED)
    scaled = piece("hole.vrt", 0, 0, 8, 8, "<ScaleRatio>0.25</ScaleRatio>")
    vrt = write_vrt(tmp_path / "scaled.vrt", (8, 8), [scaled], dtype="Float32")
    np.testing.assert_array_equal(everything(open_elevation(vrt)), EXPECTED / 4)


def test_a_warped_raster_of_one_with_a_hole_that_reads_as_0_is_refused(tmp_path):
    hole = with_a_hole(tmp_path)
    with rasterio.open(hole) as ds, WarpedVRT(ds, crs="EPSG:32640", nodata=-32767) as warped:
        rasterio.shutil.copy(warped, tmp_path / "w.vrt", driver="VRT")
    with pytest.raises(DataError, match=r"w\.vrt: it is computed from .*hole\.vrt"):
        open_elevation(tmp_path / "w.vrt")
    with_a_hole(tmp_path, band="<NoDataValue>-9999</NoDataValue>")
    with rasterio.open(hole) as ds, WarpedVRT(ds, crs="EPSG:32640", nodata=-32767) as warped:
        rasterio.shutil.copy(warped, tmp_path / "w.vrt", driver="VRT")
    values = everything(open_elevation(tmp_path / "w.vrt"))
    assert np.isnan(values[-2:, -2:]).all()


def test_voids_of_a_tile_are_missing_where_the_virtual_raster_has_no_nodata_value(tmp_path):
    """As gdalbuildvrt makes it when the first tile has no nodata value and the second has."""
    write_tile(tmp_path / "a.tif", slab(700))
    voids = slab(800)
    voids[1, 2] = -9999
    write_tile(tmp_path / "b.tif", voids, 0, 4, nodata=-9999)
    parts = [piece("a.tif", 0, 0, 4, 4), piece("b.tif", 0, 4, 4, 4, "<NODATA>-9999</NODATA>")]
    values = everything(open_elevation(write_vrt(tmp_path / "ab.vrt", (4, 8), parts)))
    assert np.argwhere(np.isnan(values)).tolist() == [[1, 6]]
    assert set(values[~np.isnan(values)]) == {700, 800}


def test_tiles_of_differing_nodata_under_one_are_right(tmp_path):
    tagged = {"a": -32768, "b": -9999, "c": 0}
    parts = []
    for i, (name, nodata) in enumerate(tagged.items()):
        values = slab(10 * i - 10)
        values[i, i] = nodata
        write_tile(tmp_path / f"{name}.tif", values, 0, 4 * i, nodata=nodata)
        parts.append(piece(f"{name}.tif", 0, 4 * i, 4, 4, f"<NODATA>{nodata}</NODATA>"))
    vrt = write_vrt(tmp_path / "abc.vrt", (4, 12), parts, band="<NoDataValue>-32768</NoDataValue>")
    values = everything(open_elevation(vrt))
    np.testing.assert_array_equal(values, everything(open_elevation(tmp_path_tiles(tmp_path))))
    assert np.argwhere(np.isnan(values)).tolist() == [[0, 0], [1, 5], [2, 10]]
    assert values[3].tolist() == [-10] * 4 + [0] * 4 + [10] * 4


def tmp_path_tiles(folder):
    return sorted(folder.glob("*.tif"))


def test_within_a_virtual_raster_the_last_source_wins(tmp_path):
    for value, name in ((1, "a.tif"), (2, "b.tif")):
        write_tile(tmp_path / name, slab(value), 0, 2 * (value - 1))
    parts = [piece("a.tif", 0, 0, 4, 4), piece("b.tif", 0, 2, 4, 4)]
    values = everything(open_elevation(write_vrt(tmp_path / "ab.vrt", (4, 6), parts)))
    assert values[0].tolist() == [1, 1, 2, 2, 2, 2]


def test_a_warped_raster_without_nodata_is_warned_of(tmp_path, caplog):
    tile = write_tile(tmp_path / "a.tif", slab(7))
    with rasterio.open(tile) as ds, WarpedVRT(ds, crs="EPSG:4326") as warped:
        rasterio.shutil.copy(warped, tmp_path / "w.vrt", driver="VRT")
    with caplog.at_level(logging.WARNING):
        dem = open_elevation(tmp_path / "w.vrt")
    assert "w.vrt: a virtual raster without a nodata value" in caplog.text
    assert everything(dem)[0, 0] == 7


def test_a_source_with_half_its_place_fills_nothing_and_that_is_said(tmp_path, caplog):
    write_tile(tmp_path / "a.tif", slab(7))
    part = piece("a.tif", 0, 0, 4, 4).replace(
        "<SrcRect xOff='0' yOff='0' xSize='4' ySize='4'/>", ""
    )
    with caplog.at_level(logging.WARNING):
        dem = open_elevation(write_vrt(tmp_path / "a.vrt", (4, 4), [part]))
    assert np.isnan(everything(dem)).all()
    assert "100 %" in caplog.text
