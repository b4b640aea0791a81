import json
import sys

import numpy as np
import pytest
import shapely

from borderrisk.errors import ConfigError
from borderrisk.outputs.cells import scored_squares, write_cells
from borderrisk.outputs.rasters import write_risk_tif
from borderrisk.outputs.stac import write_stac_item
from borderrisk.outputs.styles import write_qml

pystac = pytest.importorskip("pystac")


@pytest.fixture
def item(make_scene, tmp_path):
    scene = make_scene()
    write_risk_tif(scene, tmp_path / "risk.tif")
    write_cells(scored_squares(scene), tmp_path / "cells.parquet", "geoparquet")
    write_qml(tmp_path / "risk.qml")
    (tmp_path / "map-mashhad.html").write_text("")
    (tmp_path / "notes.txt").write_text("not an asset")
    return json.loads(write_stac_item(scene, tmp_path).read_text(encoding="utf-8")), tmp_path, scene


def test_the_item_passes_the_core_schema(item):
    pytest.importorskip("jsonschema")
    from pystac.validation.stac_validator import JsonSchemaSTACValidator

    data = item[0]
    validator = JsonSchemaSTACValidator()
    validator.validate_core(data, pystac.STACObjectType.ITEM, data["stac_version"])
    broken = {key: value for key, value in data.items() if key != "bbox"}
    with pytest.raises(pystac.errors.STACValidationError):
        validator.validate_core(broken, pystac.STACObjectType.ITEM, data["stac_version"])


def test_assets_are_the_files_that_exist(item):
    data, folder, _ = item
    hrefs = {asset["href"] for asset in data["assets"].values()}
    assert hrefs == {"./risk.tif", "./cells.parquet", "./risk.qml", "./map-mashhad.html"}
    assert all((folder / href).exists() for href in hrefs)


def test_place_time_and_projection(item):
    data, _, scene = item
    assert data["properties"]["start_datetime"] == "2024-01-03T00:00:00Z"
    assert data["properties"]["end_datetime"] == "2025-01-02T00:00:00Z"
    assert data["properties"]["proj:shape"] == list(scene.grid.shape)
    assert data["properties"]["proj:transform"] == list(scene.grid.transform)[:6]
    assert "Lambert Azimuthal Equal Area" in data["properties"]["proj:wkt2"]
    np.testing.assert_allclose(shapely.geometry.shape(data["geometry"]).bounds, data["bbox"])
    assert any("projection/v2" in uri for uri in data["stac_extensions"])
    assert any("raster/v1" in uri for uri in data["stac_extensions"])


NUMBERS = {"type": "array", "items": {"type": "number"}}
# What the two extensions ask of the fields used here (projection v2.0.0, raster v1.1.0).
FIELDS = {
    "properties": {
        "properties": {
            "required": ["proj:wkt2"],
            "properties": {
                "proj:code": {"type": ["string", "null"]},
                "proj:wkt2": {"type": "string"},
                "proj:bbox": {**NUMBERS, "minItems": 4, "maxItems": 4},
                "proj:transform": {**NUMBERS, "minItems": 6, "maxItems": 9},
                "proj:shape": {"items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
            },
            "patternProperties": {"^(?!proj:)": {}},
            "additionalProperties": False,
        },
        "assets": {
            "additionalProperties": {
                "properties": {
                    "raster:bands": {
                        "minItems": 1,
                        "items": {
                            "properties": {
                                "data_type": {"enum": ["float32"]},
                                "unit": {"type": "string"},
                                "nodata": {"enum": ["nan", "inf", "-inf"]},
                                "spatial_resolution": {"type": "number"},
                            },
                            "additionalProperties": False,
                        },
                    }
                }
            }
        },
    }
}


def test_the_extensions_fields_are_of_the_kinds_they_ask_for(item):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(item[0], FIELDS)
    broken = item[0] | {"properties": item[0]["properties"] | {"proj:shape": [24.5, 30]}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, FIELDS)


def test_bands_of_the_raster(item):
    bands = next(a for a in item[0]["assets"].values() if a["href"] == "./risk.tif")
    assert [band["name"] for band in bands["bands"]][:3] == ["intensity", "probability", "risk"]
    assert bands["raster:bands"][0] == {
        "nodata": "nan", "data_type": "float32", "unit": "1/(100 km2 year)",
        "spatial_resolution": 10_000.0,
    }  # fmt: skip
    assert len(bands["bands"]) == len(bands["raster:bands"]) == 7


def test_a_missing_package_is_named(make_scene, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pystac", None)
    with pytest.raises(ConfigError, match=r"borderrisk\[stac\]"):
        write_stac_item(make_scene(), tmp_path)
