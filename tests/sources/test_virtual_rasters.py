"""Virtual rasters: what is read of them, and what they are refused for."""

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.vrt import WarpedVRT

from borderrisk.errors import DataError
from borderrisk.sources._tiles import raster_header
from borderrisk.sources.elevation import open_elevation
from borderrisk.sources.files import parts_of

from .virtual import piece, write_tile, write_vrt

NAN = float("nan")
NODATA = "<NoDataValue>-32767</NoDataValue>"
QUARTERS = ((0, 0), (0, 4), (4, 0))
EXPECTED = np.block(
    [[np.full((4, 4), 1.0), np.full((4, 4), 2.0)], [np.zeros((4, 4)), np.full((4, 4), NAN)]]
)


def everything(elevation):
    return elevation.read(slice(0, elevation.shape[0]), slice(0, elevation.shape[1]))


def three_quarters(folder, *, band=NODATA, more=""):
    """Lay three of four quarters, of 1, 2 and 0 m."""
    parts = []
    for value, (row, col) in zip((1, 2, 0), QUARTERS, strict=True):
        tile = write_tile(folder / f"q{row}{col}.tif", np.full((4, 4), value, "int16"), row, col)
        parts.append(piece(tile.name, row, col, 4, 4))
    return write_vrt(folder / "all.vrt", (8, 8), parts, band=band, more=more)


def test_what_no_tile_covers_is_missing_while_0_m_stays(tmp_path):
    np.testing.assert_array_equal(everything(open_elevation(three_quarters(tmp_path))), EXPECTED)


def test_a_mask_decides_where_there_is_one(tmp_path):
    masks = "".join(
        piece(f"q{row}{col}.tif", row, col, 4, 4).replace(">1<", ">mask,1<")
        for row, col in QUARTERS
    )
    more = f"<MaskBand><VRTRasterBand dataType='Byte'>{masks}</VRTRasterBand></MaskBand>"
    found = open_elevation(three_quarters(tmp_path, band="", more=more))
    np.testing.assert_array_equal(everything(found), EXPECTED)


@pytest.mark.parametrize("band", ["", f"{NODATA}<HideNoDataValue>1</HideNoDataValue>"])
def test_without_a_nodata_value_it_is_refused_with_the_command_that_mends_it(tmp_path, band):
    inner = three_quarters(tmp_path, band=band)
    outer = write_vrt(tmp_path / "outer.vrt", (8, 8), [piece(inner.name, 0, 0, 8, 8)], band=NODATA)
    for path in (inner, outer):
        with pytest.raises(DataError, match=r"all\.vrt: .*gdalbuildvrt -vrtnodata -32767"):
            open_elevation(path)


def test_a_warped_one_is_read_with_its_nodata_value(tmp_path):
    whole = three_quarters(tmp_path)
    with rasterio.open(whole) as ds, WarpedVRT(ds, crs="EPSG:4326", nodata=-32767) as warped:
        rasterio.shutil.copy(warped, tmp_path / "w.vrt", driver="VRT")
    np.testing.assert_array_equal(everything(open_elevation(tmp_path / "w.vrt")), EXPECTED)


def test_every_file_behind_one_is_a_part_of_it(tmp_path):
    whole = three_quarters(tmp_path)
    outer = write_vrt(tmp_path / "outer.vrt", (8, 8), [piece(whole.name, 0, 0, 8, 8)], band=NODATA)
    tiles = {tmp_path / f"q{row}{col}.tif" for row, col in QUARTERS}
    assert set(parts_of(outer)) == {whole, *tiles}


def test_a_missing_tile_is_named_at_opening(tmp_path):
    whole = three_quarters(tmp_path)
    (tmp_path / "q04.tif").unlink()
    with pytest.raises(DataError, match=r"all\.vrt: it refers to .*q04\.tif, which does not exist"):
        open_elevation(whole)


def test_a_tile_that_is_cut_off_is_an_error_and_not_0_m(tmp_path):
    rows = np.arange(400 * 400, dtype="int16").reshape(400, 400)
    tile = write_tile(tmp_path / "tile.tif", rows)
    whole = write_vrt(tmp_path / "all.vrt", (400, 400), [piece("tile.tif", 0, 0, 400, 400)],
                      band=NODATA)  # fmt: skip
    data = tile.read_bytes()
    tile.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"all\.vrt: pixels at rows 0 to 399"):
        everything(open_elevation(whole))


def test_rasters_that_refer_to_each_other_are_refused(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        part = piece(f"{other}.vrt", 0, 0, 4, 4)
        write_vrt(tmp_path / f"{one}.vrt", (4, 4), [part], band=NODATA)
    with pytest.raises(DataError, match="refers to it in turn"):
        open_elevation(tmp_path / "a.vrt")


@pytest.mark.parametrize(
    "name",
    [
        "/vsicurl/http://127.0.0.1:9/x.tif",
        "http://127.0.0.1:9/x.tif",
        "/vsizip/x.zip/x.tif",
        "WMS:http://127.0.0.1:9/",
        "&lt;VRTDataset/&gt;",
        "NETCDF:x.nc:z",
    ],
)
def test_it_refers_to_nothing_but_files(tmp_path, name):
    path = write_vrt(tmp_path / "a.tif", (4, 4), [piece(name, 0, 0, 4, 4)], band=NODATA)
    with pytest.raises(DataError, match=r"a\.tif: a virtual raster that .* something else"):
        open_elevation(path)


@pytest.mark.parametrize("name", ["wms.xml", "stac.json", "notes.txt"])
def test_what_it_refers_to_is_a_raster_of_a_local_format(tmp_path, name):
    (tmp_path / "wms.xml").write_text(
        "<GDAL_WMS><Service name='WMS'><ServerUrl>http://127.0.0.1:9/?</ServerUrl></Service>"
        "<DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>9</UpperLeftY><LowerRightX>9"
        "</LowerRightX><LowerRightY>0</LowerRightY><SizeX>9</SizeX><SizeY>9</SizeY></DataWindow>"
        "</GDAL_WMS>"
    )
    (tmp_path / "stac.json").write_text('{"stac_version": "1.0.0", "features": []}')
    (tmp_path / "notes.txt").write_text("nothing")
    path = write_vrt(tmp_path / "a.vrt", (4, 4), [piece(name, 0, 0, 4, 4)], band=NODATA)
    with pytest.raises(DataError, match=rf"{name}: not a readable raster"):
        open_elevation(path)
    with pytest.raises(DataError, match="not a readable raster"):
        open_elevation(tmp_path / name)


def test_one_that_computes_is_refused(tmp_path):
    path = three_quarters(tmp_path)
    raw = "<VRTRasterBand subClass='VRTRawRasterBand' "
    path.write_text(path.read_text().replace("<VRTRasterBand ", raw))
    with pytest.raises(DataError, match="computed"):
        open_elevation(path)


def test_tiles_of_differing_nodata_are_the_folder_of_them(tmp_path):
    folder, parts = tmp_path / "tiles", []
    folder.mkdir()
    for i, (name, nodata) in enumerate({"a": -32768, "b": -9999, "c": 0}.items()):
        values = np.full((4, 4), 10 * i - 10, "int16")
        values[i, i] = nodata
        write_tile(folder / f"{name}.tif", values, 0, 4 * i, nodata=nodata)
        parts.append(piece(f"tiles/{name}.tif", 0, 4 * i, 4, 4, f"<NODATA>{nodata}</NODATA>"))
    values = everything(
        open_elevation(write_vrt(tmp_path / "abc.vrt", (4, 12), parts, band=NODATA))
    )
    np.testing.assert_array_equal(values, everything(open_elevation(folder)))
    assert np.argwhere(np.isnan(values)).tolist() == [[0, 0], [1, 5], [2, 10]]


def test_land_cover_is_made_of_local_formats_alone(tmp_path):
    (tmp_path / "tile.xml").write_text(
        "<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:9/${z}</ServerUrl></Service>"
        "<DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>9</UpperLeftY><LowerRightX>9"
        "</LowerRightX><LowerRightY>0</LowerRightY><SizeX>9</SizeX><SizeY>9</SizeY></DataWindow>"
        "</GDAL_WMS>"
    )
    path = write_vrt(tmp_path / "a.vrt", (4, 4), [piece("tile.xml", 0, 0, 4, 4)], band=NODATA)
    with pytest.raises(DataError, match=r"tile\.xml: not a readable raster"), raster_header(path):
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_error_whose_words_are_cut_within_a_letter_is_one_sentence(tmp_path):
    path = three_quarters(tmp_path)
    path.write_text(path.read_text().replace("rasterYSize", "é"))
    with pytest.raises(DataError, match=r"\.vrt: not a readable raster"):
        open_elevation(path)
