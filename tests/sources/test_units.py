import logging

import numpy as np
import pytest

from borderrisk.errors import DataError
from borderrisk.sources.elevation import open_elevation

from .virtual import piece, write_tile, write_vrt

NODATA = "<NoDataValue>-1</NoDataValue>"
THOUSAND = np.full((4, 4), 1000, "int16")


def corner(elevation):
    return float(elevation.read(slice(0, 1), slice(0, 1))[0, 0])


@pytest.mark.parametrize("word", ["ft", "feet", "Foot", "us-ft", "US survey foot", "ftUS"])
def test_feet_that_the_config_does_not_name_are_refused(tmp_path, word):
    path = write_tile(tmp_path / "a.tif", THOUSAND, unit=word)
    with pytest.raises(DataError, match=r"a\.tif .*metres.*data\.elevation\.units: ft") as caught:
        open_elevation(path)
    assert repr(word) in str(caught.value)
    assert caught.value.exit_code == 3
    assert corner(open_elevation(path, units="ft")) == pytest.approx(304.8)


def test_a_unit_that_is_neither_is_refused_unless_it_is_overruled(tmp_path, caplog):
    path = write_tile(tmp_path / "a.tif", THOUSAND, unit="cm")
    with pytest.raises(DataError, match=r"'cm'.*convert it to metres"):
        open_elevation(path)
    with caplog.at_level(logging.WARNING):
        assert corner(open_elevation(path, units="m")) == 1000
    assert "'cm'" in caplog.text


@pytest.mark.parametrize("word", [None, "m", "metre", "Meters", "unknown", "elevation"])
def test_metres_and_words_that_are_no_length_pass(tmp_path, word, caplog):
    path = write_tile(tmp_path / "a.tif", THOUSAND, unit=word)
    with caplog.at_level(logging.WARNING):
        assert corner(open_elevation(path)) == 1000
    assert not caplog.text


def test_the_vertical_crs_states_the_unit_of_a_file_that_does_not(tmp_path):
    feet = write_tile(tmp_path / "a.tif", THOUSAND, crs="EPSG:4326+6360")
    with pytest.raises(DataError, match="'US survey foot'"):
        open_elevation(feet)
    assert corner(open_elevation(feet, units="ft")) == pytest.approx(304.8)
    metres = write_tile(tmp_path / "b.tif", THOUSAND, crs="EPSG:4326+5773")
    assert corner(open_elevation(metres)) == 1000


@pytest.mark.parametrize("word", ["degree", "degrees", "%", "radians"])
def test_a_unit_of_slope_or_aspect_is_refused(tmp_path, word):
    path = write_tile(tmp_path / "a.tif", THOUSAND, unit=word)
    with pytest.raises(DataError, match=f"a\\.tif says its values are in '{word}': that is slope"):
        open_elevation(path, units="m")


@pytest.mark.parametrize("band", ["", "<UnitType>m</UnitType>"])
def test_tiles_state_the_unit_of_a_virtual_raster_that_does_not(tmp_path, band):
    write_tile(tmp_path / "a.tif", THOUSAND, unit="ft")
    vrt = write_vrt(tmp_path / "a.vrt", (4, 4), [piece("a.tif", 0, 0, 4, 4)], band=NODATA + band)
    if band:
        assert corner(open_elevation(vrt)) == 1000
        return
    with pytest.raises(DataError, match=r"a\.tif says its values are in 'ft'"):
        open_elevation(vrt)


@pytest.mark.parametrize("units", [None, "m", "ft"])
def test_tiles_in_different_units_are_refused(tmp_path, units):
    paths = [
        write_tile(tmp_path / "a.tif", THOUSAND, unit="m"),
        write_tile(tmp_path / "b.tif", THOUSAND, 0, 4, unit="ft"),
    ]
    with pytest.raises(DataError, match="must share the unit"):
        open_elevation(paths, units=units)
