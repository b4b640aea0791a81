import json
import sqlite3

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from borderrisk.errors import ConfigError, OutputError
from borderrisk.outputs.export import FORMATS, cells_table, export, write_cells
from borderrisk.outputs.vectorfiles import write_layer


@pytest.fixture(scope="module")
def scene(make_scene):
    return make_scene()


@pytest.fixture(scope="module")
def table(scene):
    return cells_table(scene)


def test_first_columns_are_the_contract(table):
    assert list(table.columns[:19]) == [
        "cell_id", "risk", "risk_class", "rank", "intensity", "expected", "expected_low",
        "expected_high", "count_low", "count_high", "probability", "probability_low",
        "probability_high", "share_history", "share_recent", "share_ground", "share_even",
        "susceptibility", "exposure",
    ]  # fmt: skip


def test_every_scored_cell_is_a_square_where_the_grid_says(scene, table):
    assert len(table) == (scene.cells.exposure > 0).sum()
    row, col = scene.grid.parse_cell_id(table.cell_id[30])
    assert table.crs == scene.grid.crs
    assert table.area.round().eq(1e8).all()
    centre = table.geometry[30].centroid
    assert (centre.x, centre.y) == (scene.grid.x[col], scene.grid.y[row])
    assert table.risk[30] == scene.cells.risk.to_numpy()[row, col]
    assert table.risk_class[30] == scene.cells.risk_class.to_numpy()[row, col]


def test_codes_become_words(scene, table):
    words = scene.cells.driver_2.attrs["flag_meanings"].split()
    codes = scene.cells.driver_2.to_numpy()[scene.cells.exposure.to_numpy() > 0]
    assert table.driver_2.tolist() == [words[code] for code in codes]
    assert set(table.trust) == {"ok", "extrapolation", "edge"}


def test_top_gives_the_strongest_cells_first(table, scene):
    top = cells_table(scene, top=5)
    expected = table.sort_values("intensity", ascending=False).cell_id[:5]
    assert top.cell_id.tolist() == expected.tolist()
    assert top["rank"].tolist() == [1, 2, 3, 4, 5]


def test_selections_meet(scene, table):
    north = cells_table(scene, focus="mashhad", min_risk=75)
    lat = north.centroid.to_crs(4326).y
    assert lat.min() >= scene.focuses[0].bounds[1]
    assert north.risk.min() >= 75
    assert 0 < len(north) < (table.risk >= 75).sum()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"focus": "tehran"}, "has: mashhad, sistan-baluchestan"),
        ({"top": 0}, "at least 1"),
        ({"min_risk": 101}, "0 to 100"),
    ],
)
def test_impossible_selections_are_refused(scene, arguments, message):
    with pytest.raises(ConfigError, match=message):
        cells_table(scene, **arguments)


def test_a_score_that_is_lacking_is_an_empty_column(make_scene, table):
    scene = make_scene()
    gone = ["rank", "rank_low", "probability_low", "driver_1", "trust"]
    bare = scene.cells.drop_vars(gone)
    lacking = cells_table(type(scene)(**{**vars(scene), "cells": bare}))
    assert lacking.columns.tolist() == table.columns.tolist()
    assert lacking[gone].isna().all(axis=None)
    assert lacking.rank_high.tolist() == table.rank_high.tolist()


def test_geojson_keeps_rfc_7946(table, tmp_path):
    data = json.loads(write_cells(table, tmp_path / "c.geojson", "geojson").read_text())
    assert "crs" not in data
    first = data["features"][0]
    assert first["id"] == table.cell_id[0] == first["properties"]["cell_id"]
    assert first["properties"]["risk_class"] == int(table.risk_class[0])
    assert first["properties"]["intensity"] == pytest.approx(float(table.intensity[0]), rel=1e-5)
    rings = [f["geometry"]["coordinates"][0] for f in data["features"]]
    assert all(shapely.LinearRing(ring).is_ccw and ring[0] == ring[-1] for ring in rings)
    assert max(len(repr(float(v)).split(".")[1]) for ring in rings for xy in ring for v in xy) == 6
    flat = np.array(rings).reshape(-1, 2)
    assert data["bbox"] == [*flat.min(axis=0), *flat.max(axis=0)]
    ring = np.array(rings[0])
    assert first["bbox"] == [*ring.min(axis=0), *ring.max(axis=0)]


def test_geojson_lies_where_the_cells_lie(table, tmp_path):
    back = gpd.read_file(write_cells(table, tmp_path / "c.geojson", "geojson")).to_crs(table.crs)
    assert back.geometry.hausdorff_distance(table.geometry).max() < 0.2  # metres; six decimals


def test_geojson_says_null_and_escapes_text(table, tmp_path):
    odd = table.iloc[:2].assign(intensity=[np.nan, np.inf], driver_1=['"<script>\u202e', None])
    first, second = json.loads(
        write_cells(odd, tmp_path / "c.geojson", "geojson").read_text(encoding="utf-8")
    )["features"]
    assert first["properties"]["intensity"] is None
    assert second["properties"]["intensity"] is None
    assert first["properties"]["driver_1"] == '"<script>\u202e'
    assert second["properties"]["driver_1"] is None


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_scene_gives_the_same_bytes(make_scene, tmp_path, format):
    files = [tmp_path / f"{k}" / f"c{FORMATS[format][0]}" for k in (1, 2)]
    assert len({export(make_scene(), path, format) for path in files}) == 1
    assert files[0].read_bytes() == files[1].read_bytes()
    assert [p.name for p in files[0].parent.iterdir()] == [files[0].name]


def test_geoparquet_is_1_1_with_boxes(table, tmp_path):
    path = write_cells(table, tmp_path / "c.parquet", "geoparquet")
    geo = json.loads(pq.read_schema(path).metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert "covering" in geo["columns"]["geometry"]
    back = gpd.read_parquet(path)
    assert back.crs == table.crs
    pd.testing.assert_series_equal(back.risk, table.risk)


def test_squares_are_closed_counter_clockwise_and_where_the_grid_says(scene, table):
    rings = shapely.get_coordinates(table.geometry).reshape(-1, 5, 2)
    assert all(shapely.LinearRing(ring).is_ccw for ring in rings)
    assert shapely.equals_exact(
        table.geometry.to_numpy(), shapely.box(*table.bounds.to_numpy().T)
    ).all()
    row, col = scene.grid.parse_cell_id(table.cell_id[7])
    t, size = scene.grid.transform, scene.grid.cell_size_m
    assert rings[7][0].tolist() == [t.c + (col + 1) * size, t.f - (row + 1) * size]


def test_geopackage_opens_classified_with_its_surroundings(scene, tmp_path):
    path = tmp_path / "c.gpkg"
    assert export(scene, path, "gpkg") == len(cells_table(scene))
    assert gpd.list_layers(path).name.tolist() == ["cells", "incidents", "border", "layer_styles"]
    incidents = gpd.read_file(path, layer="incidents")
    assert incidents.date.astype(str).tolist() == scene.incidents.date.astype(str).tolist()
    with sqlite3.connect(path) as database:
        styles = dict(
            database.execute(
                "SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault = 1"
                " AND f_table_schema = '' AND f_geometry_column = 'geom'"
            ).fetchall()
        )
    database.close()
    assert set(styles) == {"cells", "incidents", "border"}
    assert 'attr="risk_class"' in styles["cells"]
    assert "252,165,10,255" in styles["cells"]


def test_csv_has_centres_and_no_polygons(table, tmp_path):
    back = pd.read_csv(write_cells(table, tmp_path / "c.csv", "csv"))
    centre = table.centroid.to_crs(4326)
    np.testing.assert_allclose(back.lon, centre.x, atol=1e-6)
    np.testing.assert_allclose(back.lat, centre.y, atol=1e-6)
    np.testing.assert_allclose(back.intensity, table.intensity, rtol=1e-5)
    assert "geometry" not in back


def test_flatgeobuf_comes_back(table, tmp_path):
    back = gpd.read_file(write_cells(table, tmp_path / "c.fgb", "flatgeobuf"))
    assert set(back.cell_id) == set(table.cell_id)


def test_export_of_nothing_and_to_an_unknown_format_are_refused(scene, tmp_path):
    with pytest.raises(ConfigError, match="No cell is left"):
        export(scene, tmp_path / "c.csv", "csv", min_risk=100)
    with pytest.raises(ConfigError, match="shapefile"):
        export(scene, tmp_path / "c.shp", "shapefile")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", FORMATS)
def test_a_place_that_cannot_be_written_is_one_clear_error(scene, tmp_path, format):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        export(scene, tmp_path / "file" / f"c{FORMATS[format][0]}", format)


def test_other_layers_are_rfc_7946_too(scene, tmp_path):
    path = write_layer(scene.borders, tmp_path / "border.geojson", "border")
    data = json.loads(path.read_text(encoding="utf-8"))
    assert "crs" not in data
    assert {f["properties"]["pair"] for f in data["features"]} == {"IRN-AFG", "IRN-PAK"}
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_layer(scene.borders, tmp_path / "file" / "border.geojson", "border")


def test_every_file_says_of_which_run_and_period_it_is(scene, tmp_path):
    said = {
        "run_id": "20240103-abcdef", "forecast_period": "2024-01-03 to 2025-01-01",
        "data_until": scene.data_until,
    }  # fmt: skip
    for name in FORMATS:
        export(scene, tmp_path / f"cells{FORMATS[name][0]}", name)
    collection = json.loads((tmp_path / "cells.geojson").read_text(encoding="utf-8"))
    assert {key: collection[key] for key in said} == said
    assert gpd.read_parquet(tmp_path / "cells.parquet").attrs.items() >= said.items()
    with sqlite3.connect(tmp_path / "cells.gpkg") as database:
        rows = database.execute("SELECT table_name, description FROM gpkg_contents").fetchall()
        names = dict(
            database.execute(
                "SELECT column_name, name FROM gpkg_data_columns WHERE table_name = 'cells'"
            ).fetchall()
        )
        radius = database.execute(
            "SELECT name FROM gpkg_data_columns WHERE column_name = 'radius_km'"
        ).fetchall()
    assert names["why_en"] == "Why, in a sentence"
    assert set(names) >= set(cells_table(scene).columns) - {"cell_id", "geometry"}
    assert radius == [("Place known to (km)",)]
    for layer, description in rows:
        if layer != "layer_styles":
            assert all(text in description for text in said.values())
