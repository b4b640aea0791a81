"""What a result is kept under: all that its inputs are read from."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from borderrisk.config import load_config
from borderrisk.errors import DataError
from borderrisk.pipeline import steps
from borderrisk.pipeline.inputs import input_files
from borderrisk.pipeline.stages import Stages

from .conftest import CONFIGS, SMALL

PIXEL, SIDE = 0.05, 190
PLACES = {"a": (0, 0), "b": (0, SIDE), "c": (SIDE, 0), "d": (SIDE, SIDE)}


def write_tile(path, row, col, value):
    transform = Affine(PIXEL, 0, 52 + PIXEL * col, 0, -PIXEL, 41 - PIXEL * row)
    with rasterio.open(
        *(path, "w"),
        **{"driver": "GTiff", "count": 1, "dtype": "int16", "height": SIDE, "width": SIDE},
        **{"crs": "EPSG:4326", "transform": transform, "compress": "deflate"},
    ) as ds:
        ds.write(np.full((SIDE, SIDE), value, "int16"), 1)


def write_vrt(path, names, places):
    side = SIDE * 2
    parts = "".join(
        f"<SimpleSource><SourceFilename relativeToVRT='1'>{name}</SourceFilename>"
        f"<SourceBand>1</SourceBand><SrcRect xOff='0' yOff='0' xSize='{size}' ySize='{size}'/>"
        f"<DstRect xOff='{col}' yOff='{row}' xSize='{size}' ySize='{size}'/></SimpleSource>"
        for name, (row, col, size) in zip(names, places, strict=True)
    )
    path.write_text(
        f"<VRTDataset rasterXSize='{side}' rasterYSize='{side}'><SRS>EPSG:4326</SRS>"
        f"<GeoTransform>52, {PIXEL}, 0, 41, 0, {-PIXEL}</GeoTransform>"
        f"<VRTRasterBand dataType='Int16' band='1'>"
        f"<NoDataValue>-32767</NoDataValue>{parts}</VRTRasterBand></VRTDataset>"
    )


@pytest.fixture(params=["direct", "nested"])
def mosaic(tmp_path, request):
    """Give a virtual raster of four tiles, or one of such a one."""
    (tmp_path / "tiles").mkdir()
    for name, place in PLACES.items():
        write_tile(tmp_path / "tiles" / f"{name}.tif", *place, 1000)
    places = [(*place, SIDE) for place in PLACES.values()]
    write_vrt(tmp_path / "dem.vrt", [f"tiles/{name}.tif" for name in PLACES], places)
    if request.param == "direct":
        return tmp_path / "dem.vrt"
    write_vrt(tmp_path / "outer.vrt", ["dem.vrt"], [(0, 0, 2 * SIDE)])
    return tmp_path / "outer.vrt"


def load(folder, **data):
    overrides = {
        "compute.cache": str(folder / "cache"), "features.travel.enabled": "false",
        **{f"data.{key.replace('__', '.')}": str(path) for key, path in data.items()},
    }  # fmt: skip
    return load_config(CONFIGS / "eastern-border.yaml", SMALL | overrides)


def test_features_are_computed_anew_when_a_tile_of_a_virtual_raster_changes(mosaic, tmp_path):
    before = Stages.of(load(tmp_path, elevation__path=mosaic))
    assert float(before[steps.features]["elevation_mean"].max()) == pytest.approx(1000)
    write_tile(tmp_path / "tiles" / "d.tif", *PLACES["d"], 1500)
    after = Stages.of(load(tmp_path, elevation__path=mosaic))
    assert after.key(steps.features).digest != before.key(steps.features).digest
    assert float(after[steps.features]["elevation_mean"].max()) == pytest.approx(1500)


def test_every_tile_is_an_input_of_the_run(mosaic, tmp_path):
    stages = Stages.of(load(tmp_path, elevation__path=mosaic))
    named = [Path(source.path).name for source in stages.inputs.sources]
    assert {"a.tif", "b.tif", "c.tif", "d.tif", "dem.vrt"} <= set(named)
    assert len(named) == len(set(named))


def test_a_missing_tile_is_named_before_anything_is_read(mosaic, tmp_path):
    (tmp_path / "tiles" / "c.tif").unlink()
    with pytest.raises(DataError, match=r"dem\.vrt: it refers to .*c\.tif, which does not exist"):
        _ = Stages.of(load(tmp_path, elevation__path=mosaic))[steps.features]


def test_tiles_of_one_name_in_two_folders_count_each(tmp_path):
    for name, place in (("west", PLACES["a"]), ("east", PLACES["b"])):
        (tmp_path / name).mkdir()
        write_tile(tmp_path / name / "dem.tif", *place, 1000)
    tiles = [str(tmp_path / name / "dem.tif") for name in ("west", "east")]
    given = {"elevation__path": json.dumps(tiles)}
    before = Stages.of(load(tmp_path, **given)).key(steps.features).digest
    write_tile(tmp_path / "west" / "dem.tif", *PLACES["a"], 1500)
    assert Stages.of(load(tmp_path, **given)).key(steps.features).digest != before


def names_beside(folder, **data):
    return [path.name for path in input_files(load(folder, **data)) if path.parent == folder]


def test_the_sidecars_of_a_shapefile_count(tmp_path):
    lines = gpd.GeoDataFrame({"class": ["x"]}, geometry=[shapely.box(60, 30, 61, 31)], crs=4326)
    lines.to_file(tmp_path / "roads.shp")
    found = names_beside(tmp_path, roads=tmp_path / "roads.shp")
    assert found == [f"roads.{part}" for part in ("shp", "dbf", "shx", "prj", "cpg")]


def test_what_places_or_masks_a_raster_counts_and_statistics_do_not(tmp_path):
    dem = tmp_path / "dem.tif"
    write_tile(dem, 0, 0, 1)
    for name in ("dem.tfw", "dem.PRJ", "dem.tif.msk", "dem.tif.ovr"):
        (tmp_path / name).write_text("1")
    wide = tmp_path / "dem.tif.aux.xml"
    wide.write_text("<PAMDataset><PAMRasterBand band='1'><Metadata/></PAMRasterBand></PAMDataset>")
    placing = ["dem.tif", "dem.tfw", "dem.PRJ", "dem.tif.msk"]
    assert names_beside(tmp_path, elevation__path=dem) == placing
    wide.write_text("<PAMDataset><PAMRasterBand band='1'><NoDataValue>0</NoDataValue>")
    assert names_beside(tmp_path, elevation__path=dem) == [*placing, wide.name]
