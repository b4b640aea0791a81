import logging
import re

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio.transform import from_bounds

from borderrisk.errors import ConfigError, DataError
from borderrisk.grid import Grid, laea_crs
from borderrisk.sources.overlays import (
    read_feature_table,
    read_overlays,
    read_population,
    roads_to_draw,
)


@pytest.fixture
def write(tmp_path):
    def put(text):
        path = tmp_path / "more.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return put


def test_values_land_in_their_cells_and_gaps_are_said(write, grid, caplog):
    caplog.set_level(logging.WARNING)
    path = write("cell_id,lights,roads\nr0c1,2.5,1\nr5c7,-1,\n")
    found = read_feature_table(path, ["lights", "roads"], grid)
    assert found["lights"][0, 1] == 2.5
    assert found["lights"][5, 7] == -1
    assert np.isfinite(found["lights"]).sum() == 2
    assert found["roads"][0, 1] == 1
    assert np.isfinite(found["roads"]).sum() == 1
    assert "roads has no value in 1 of 2 rows" in caplog.text


def test_parquet_says_the_same(tmp_path, grid):
    path = tmp_path / "more.parquet"
    pd.DataFrame({"cell_id": grid.cell_ids().ravel(), "n": np.arange(grid.size)}).to_parquet(path)
    found = read_feature_table(path, ["n"], grid)
    np.testing.assert_array_equal(found["n"], np.arange(grid.size).reshape(grid.shape))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cell_id,other\nr0c1,1\n", "no column lights .it has: cell_id, other"),
        ("cell_id,lights\nr0c1,1\nr0c1,2\n", "row 3: cell r0c1 comes twice"),
        ("cell_id,lights\nr9c1,1\n", "'r9c1' is not a cell of this 6 x 8 grid"),
        ("cell_id,lights\nr0c1,bright\n", "row 2: lights is 'bright'; expected a finite number"),
        ("cell_id,lights\nr0c1,inf\n", "row 2: lights is 'inf'"),
        ("cell_id,lights\n", "no rows"),
    ],
)
def test_what_cannot_be_used_is_named_by_row(write, grid, text, message):
    with pytest.raises(DataError, match=message) as raised:
        read_feature_table(write(text), ["lights"], grid)
    assert "more.csv" in str(raised.value)


HERE, AWAY = shapely.LineString([(59.9, 31), (60.1, 31)]), shapely.LineString([(40, 20), (41, 20)])


@pytest.fixture
def overlay(tmp_path, grid):
    """Read one role on a grid of 6 x 8 cells around 60 E, 31 N; give it and what was said."""

    def read(role, shapes, *, speeds=None, factors=None, **columns):
        path = tmp_path / f"{role}.gpkg"
        gpd.GeoDataFrame(columns, geometry=shapes, crs=4326).to_file(path)
        found = read_overlays(grid, **{role: path}, speeds=speeds or {}, factors=factors or {})
        return found, found.readings[0]

    return read


def test_roads_say_how_many_cells_they_are_driven_in(overlay, grid):
    roads, said = overlay("roads", [HERE, HERE], speeds={"a": 50, "b": 80}, **{"class": ["b", "a"]})
    kmh = roads.road_kmh(grid)
    assert set(np.unique(kmh)) == {0, 80}
    assert said.used_for == f"driven in {(kmh > 0).sum()} of 48 cells"
    assert said.warnings == ()


def test_classes_without_a_speed_are_named(overlay):
    _, said = overlay("roads", [HERE, HERE], speeds={"a": 50}, **{"class": ["a", "trunk"]})
    assert said.left_out == "trunk (1)"
    assert "trunk" in said.warnings[0]


def test_roads_need_a_class_and_one_speed(overlay):
    with pytest.raises(DataError, match=r"roads: .*no column 'class' .*fclass"):
        overlay("roads", [HERE], speeds={"a": 50}, fclass=["a"])
    with pytest.raises(ConfigError, match=r"names none of the classes.*trunk"):
        overlay("roads", [HERE], speeds={"a": 50}, **{"class": ["trunk"]})


@pytest.mark.parametrize("role", ["roads", "barriers", "water"])
def test_what_lies_elsewhere_has_no_effect(overlay, role):
    columns = {"speeds": {"a": 50}, "class": ["a"]}
    _, said = overlay(role, [AWAY], **columns)
    assert said.warnings[0].startswith("no effect: none of the 1 ")
    assert "40 E, 20 N" in said.warnings[0]


def test_water_that_crosses_itself_is_mended_and_points_are_left_out(overlay):
    bowtie = shapely.Polygon([(59.9, 30.9), (60.1, 31.1), (60.1, 30.9), (59.9, 31.1)])
    found, said = overlay("water", [bowtie, shapely.Point(60, 31)])
    assert shapely.union_all(found.water.geometry).area == pytest.approx(0.02)
    assert said.left_out == "1 points"
    assert "none of" not in "".join(said.warnings)


def cover(path, codes, bounds=(59, 30, 61, 32), crs="EPSG:4326", dtype="uint8"):
    profile = {"driver": "GTiff", "width": 20, "height": 20, "count": 1, "dtype": dtype,
               "crs": crs, "transform": from_bounds(*bounds, 20, 20)}  # fmt: skip
    values = np.full((20, 20), codes[0], dtype)
    values[:10] = codes[1]
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)
    return path


def test_land_cover_says_what_it_slows_and_which_codes_it_does_not(tmp_path, grid):
    path = cover(tmp_path / "cover.tif", [10, 20])
    found = read_overlays(grid, land_cover=path, speeds={}, factors={"10": 0.5, "20": 0, "7": 1})
    time = found.walking_time(grid)
    assert {*np.unique(time[~np.isnan(time)])} == {2}
    assert np.isnan(time).sum() + (time == 2).sum() == 48
    only = read_overlays(grid, land_cover=path, speeds={}, factors={"10": 0.5}).readings[0]
    assert only.left_out == "codes without a factor: 20"
    assert only.warnings == ()


@pytest.mark.parametrize(
    ("factors", "bounds", "words"),
    [
        ({}, (59, 30, 61, 32), "land_cover_factors is empty"),
        ({"30": 0.5}, (59, 30, 61, 32), r"names none of its codes here \(10, 20\)"),
        ({"10": 0.5}, (40, 20, 41, 21), "no values in the area"),
    ],
)
def test_land_cover_without_effect_is_a_warning(tmp_path, grid, factors, bounds, words):
    path = cover(tmp_path / "cover.tif", [10, 20], bounds)
    said = read_overlays(grid, land_cover=path, speeds={}, factors=factors).readings[0]
    assert re.search(words, said.warnings[0])


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"dtype": "float32"}, r"holds 10\.5; codes of land are whole"),
        ({"crs": None}, "has no CRS"),
    ],
)
def test_a_raster_that_is_no_land_cover_is_refused(tmp_path, grid, odd, words):
    path = cover(tmp_path / "cover.tif", [10.5, 20], **odd)
    with pytest.raises(DataError, match=words):
        read_overlays(grid, land_cover=path, speeds={}, factors={"10": 0.5})


def test_words_are_no_codes_of_land_cover(tmp_path, grid):
    path = cover(tmp_path / "cover.tif", [10, 20])
    with pytest.raises(ConfigError, match="land_cover_factors: forest is no code"):
        read_overlays(grid, land_cover=path, speeds={}, factors={"forest": 0.5})


def test_roads_to_draw_are_one_feature_a_class_fastest_first_and_few_points(tmp_path):
    rng = np.random.default_rng(4)
    east, bends = np.linspace(58, 62, 900), rng.normal(0, 0.01, (8, 900))
    winding = [
        shapely.LineString(np.column_stack([east, 30 + k / 10 + bends[k]])) for k in range(8)
    ]
    roads = gpd.GeoDataFrame(
        {"class": ["path", "trunk", "trunk", "track", "lane", "path", "path", "path"]},
        geometry=winding, crs=4326,
    )  # fmt: skip
    roads.to_file(tmp_path / "roads.geojson")
    window, speeds = (59.0, 29.0, 61.0, 32.0), {"path": 5.0, "trunk": 90.0, "track": 20.0}
    found = roads_to_draw(tmp_path / "roads.geojson", speeds, window, most=300)
    assert found["class"].tolist() == ["trunk", "track", "path"]
    assert found["kmh"].tolist() == [90, 20, 5]
    assert shapely.get_num_coordinates(found.geometry.to_numpy()).sum() <= 300
    assert found.total_bounds[0] >= 59
    assert found.total_bounds[2] <= 61
    # The two trunk roads still cross two degrees each, however they wind.
    assert 3.9 < found.geometry[0].length < 6
    assert roads_to_draw(tmp_path / "roads.geojson", {"none": 1.0}, window).empty


@pytest.fixture
def people(tmp_path):
    """Write a raster of people per pixel, in degrees around the grid of the tests."""

    def put(values, west=59.0, north=32.0, size=0.02, **tags):
        path = tmp_path / "people.tif"
        values = np.asarray(values, "float32")
        rows, cols = values.shape
        profile = {"height": rows, "width": cols, "count": 1, "dtype": "float32", "crs": 4326}
        bounds = (west, north - rows * size, west + cols * size, north)
        with rasterio.open(
            path, "w", "GTiff", transform=from_bounds(*bounds, cols, rows), **profile | tags
        ) as target:
            target.write(values, 1)
        return path

    return put


@pytest.mark.parametrize("size", [0.01, 0.05, 0.3])
def test_no_one_is_lost_or_counted_twice_between_pixels_and_cells(people, size):
    wide = Grid.covering((-400_000, -400_000, 400_000, 400_000), laea_crs(61, 31), 10_000.0)
    values = np.random.default_rng(1).gamma(1.0, 50.0, (round(3 / size),) * 2)
    found = read_population(people(values, size=size), wide)
    assert np.nansum(found) == pytest.approx(values.astype("float32").sum(), rel=1e-5)
    assert 0 < np.isfinite(found).sum() < wide.size


def test_a_pixel_without_a_value_is_not_known_and_not_zero(people, grid):
    everywhere = np.full((200, 200), -1.0)
    assert np.isnan(read_population(people(everywhere, nodata=-1), grid)).all()
    with pytest.raises(DataError, match=r"holds negative numbers .*gdal_edit\.py -a_nodata"):
        read_population(people(everywhere), grid)
