"""The build script: TopoJSON, Persian names, and a rebuild where the packages are at hand."""

import importlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

ROOT = Path(__file__).parents[1]


def script(name):
    """Import a module of the scripts folder."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


@pytest.fixture
def two_squares():
    """West (0-1 E) and east (1-2 E) unit squares; arc 0 is the side they share, northwards."""
    return {
        "transform": {"scale": [0.5, 0.5], "translate": [0, 0]},
        "arcs": [
            [[2, 0], [0, 2]],
            [[2, 2], [-2, 0], [0, -2], [2, 0]],
            [[2, 2], [2, 0], [0, -2], [-2, 0]],
        ],
        "objects": {
            "west": {"type": "Polygon", "arcs": [[0, 1]]},
            "east": {"type": "MultiPolygon", "arcs": [[[0, 2]]]},
        },
    }


def test_arcs_become_polygons(two_squares):
    topology = script("topojson").Topology(two_squares, 5)
    west = topology.polygons(two_squares["objects"]["west"])
    assert west.equals(shapely.box(0, 0, 1, 1))
    east = topology.polygons(two_squares["objects"]["east"])
    assert east.equals(shapely.box(1, 0, 2, 1))


def test_the_shared_arc_is_the_border(two_squares):
    topology = script("topojson").Topology(two_squares, 5)
    west, east = two_squares["objects"]["west"], two_squares["objects"]["east"]
    line = topology.shared_line(west, east)
    assert shapely.get_coordinates(line).tolist() == [[1, 0], [1, 1]]


def test_a_reversed_arc_is_the_same_border(two_squares):
    two_squares["objects"]["east"] = {"type": "Polygon", "arcs": [[~0]]}
    topology = script("topojson").Topology(two_squares, 5)
    west, east = two_squares["objects"]["west"], two_squares["objects"]["east"]
    assert topology.shared_line(east, west).length == 1
    assert shapely.get_coordinates(topology.shared_line(east, west)).tolist() == [[1, 1], [1, 0]]


def test_countries_that_do_not_touch_share_nothing(two_squares):
    two_squares["objects"]["east"] = {"type": "Polygon", "arcs": [[2]]}
    topology = script("topojson").Topology(two_squares, 5)
    west, east = two_squares["objects"]["west"], two_squares["objects"]["east"]
    assert topology.shared_line(west, east).is_empty


@pytest.mark.parametrize(
    ("name", "alternates", "country", "expected"),
    [
        ("Mashhad", ["سناباد", "مشهد", "مشہد", "مەشھەد"], "IRN", "مشهد"),
        ("Chabahar", ["بندر چابهار", "تشابهار", "چابہار", "چابهار"], "IRN", "چابهار"),
        ("Īrānshahr", ["ايرانشهر"], "IRN", "ایرانشهر"),
        ("Gwadar", ["جوادر", "گوادر"], "PAK", "گوادر"),
        ("Ar Rāshidīyah", ["الراشدية"], "ARE", ""),
        ("Dubai", ["دبي"], "ARE", ""),
        ("Golshahr", ["کنجدجان"], "IRN", ""),
        ("Sorkhrūd", ["سُرخرود"], "IRN", "سرخرود"),
        ("London", ["Londres", "Лондон"], "IRN", ""),
        ("Nowhere", [], "IRN", ""),
    ],
)
def test_the_persian_name_is_found_or_left_blank(name, alternates, country, expected):
    assert script("persian_names").persian_name(name, alternates, country) == expected


def test_a_changed_package_is_refused(tmp_path):
    build = script("build_raw_data")
    package = build.PACKAGES["world-atlas"]
    (tmp_path / package.archive).write_bytes(b"something else")
    with pytest.raises(SystemExit, match="expected " + package.sha256):
        build.fetch(package, tmp_path)


def test_a_rebuild_gives_the_shipped_files_byte_for_byte(tmp_path):
    build = script("build_raw_data")
    folder = os.environ.get("BORDERRISK_RAW_PACKAGES")
    if not folder:
        pytest.skip("set BORDERRISK_RAW_PACKAGES to the folder given to --packages")
    missing = [
        p.archive for p in build.PACKAGES.values() if not (Path(folder) / p.archive).exists()
    ]
    if missing:
        pytest.skip(f"not in BORDERRISK_RAW_PACKAGES: {', '.join(missing)}")
    build.build(Path(folder), tmp_path)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert len(names) == 5
    for name in names:
        assert (tmp_path / name).read_bytes() == (build.RAW / name).read_bytes(), name


def test_the_description_is_the_template_plus_checksums():
    template = json.loads((ROOT / "scripts" / "raw_data_package.json").read_text("utf-8"))
    shipped = json.loads((ROOT / "data" / "raw" / "datapackage.json").read_text("utf-8"))
    for resource in shipped["resources"]:
        assert resource.pop("hash").startswith("sha256:")
        assert resource.pop("bytes") > 0
    assert shipped == template


def test_rounding_keeps_shared_corners_shared(two_squares):
    two_squares["transform"]["scale"] = [1 / 3, 1 / 3]
    topology = script("topojson").Topology(two_squares, 5)
    assert np.array_equal(topology.arcs[0][1], topology.arcs[1][0])
