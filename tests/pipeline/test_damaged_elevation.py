import numpy as np
import pytest
import rasterio
from affine import Affine

from borderrisk.config import load_config
from borderrisk.errors import DataError
from borderrisk.pipeline import steps
from borderrisk.pipeline.stages import Stages

from .conftest import CONFIGS, SMALL

PIXEL = 0.05


def write_dem(path, rows=380, cols=340):
    rng = np.random.default_rng(2)
    values = (1000 + np.cumsum(rng.normal(0, 5, (rows, cols)), axis=0)).astype("float32")
    with rasterio.open(
        *(path, "w"),
        **{"driver": "GTiff", "count": 1, "dtype": "float32", "height": rows, "width": cols},
        **{"crs": "EPSG:4326", "transform": Affine(PIXEL, 0, 52, 0, -PIXEL, 41)},
        **{"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"},
    ) as ds:
        ds.write(values, 1)


def test_elevation_that_ends_short_of_the_study_area_is_refused(tmp_path):
    write_dem(tmp_path / "north.tif", rows=200)
    overrides = {"data.elevation.path": str(tmp_path / "north.tif"),
                 "compute.cache": str(tmp_path / "cache")}  # fmt: skip
    config = load_config(CONFIGS / "eastern-border.yaml", SMALL | overrides)
    with pytest.raises(
        DataError, match=r"north\.tif does not cover \d+(\.\d+)? % of the study area"
    ):
        _ = Stages.of(config)[steps.features]


def test_elevation_that_fails_midway_is_named_and_leaves_nothing_in_the_cache(tmp_path):
    dem, cache = tmp_path / "dem.tif", tmp_path / "cache"
    overrides = {
        "data.elevation.path": str(dem), "compute.cache": str(cache),
        "features.travel.enabled": "false", "features.concealment.enabled": "false",
    }  # fmt: skip

    def features():
        config = load_config(CONFIGS / "eastern-border.yaml", SMALL | overrides)
        return Stages.of(config)[steps.features]

    write_dem(dem)
    whole = dem.read_bytes()
    dem.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"dem\.tif: pixels at rows \d+ to \d+, columns \d+ to"):
        features()
    assert not list(cache.glob("**/*.nc"))
    dem.write_bytes(whole)
    assert np.isfinite(features()["elevation_mean"]).any()
    assert list(cache.glob("**/*.nc"))
