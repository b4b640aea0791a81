import numpy as np
import pytest
import rasterio

from borderrisk.errors import DataError
from borderrisk.outputs.gridfiles import write_risk_tif


def test_bands_say_what_they_are(make_scene, tmp_path):
    scene = make_scene()
    with rasterio.open(write_risk_tif(scene, tmp_path / "risk.tif")) as tif:
        assert tif.descriptions[:3] == ("intensity", "probability", "risk")
        assert tif.units[:3] == ("incidents per 100 km² per year", "1", "%")
        assert tif.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert "reported incidents" in tif.tags()["TIFFTAG_IMAGEDESCRIPTION"]
        assert tif.tags()["origin"] == "2024-01-03"
        assert np.isnan(tif.nodata)
        assert tif.transform == scene.grid.transform
        assert "Lambert_Azimuthal_Equal_Area" in tif.crs.to_wkt()
        np.testing.assert_array_equal(tif.read(3), scene.cells.risk.values)


def test_the_same_scene_gives_the_same_raster(make_scene, tmp_path):
    paths = [write_risk_tif(make_scene(), tmp_path / f"{k}.tif") for k in (1, 2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_run_without_scores_is_refused(make_scene, tmp_path):
    scene = make_scene()
    bare = type(scene)(**{**vars(scene), "cells": scene.cells.drop_vars("risk")})
    with pytest.raises(DataError, match="no risk"):
        write_risk_tif(bare, tmp_path / "risk.tif")
