"""The world base: names of countries, borders, settlements, and cuts of it."""

import hashlib
import json
from importlib.resources import files
from itertools import pairwise

import geopandas as gpd
import pandas as pd
import pytest
import rasterio
import shapely
from pyproj import Geod

from borderrisk.errors import ConfigError
from borderrisk.sources import worldbase
from borderrisk.sources.worldbase import world

GEOD = Geod(ellps="WGS84")


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


def parts(document):
    return worldbase.Topology(document), document["objects"]["west"], document["objects"]["east"]


def test_arcs_become_polygons(two_squares):
    topology, west, east = parts(two_squares)
    assert topology.polygons(west).equals(shapely.box(0, 0, 1, 1))
    assert topology.polygons(east).equals(shapely.box(1, 0, 2, 1))


def test_the_shared_arc_is_the_border(two_squares):
    topology, west, east = parts(two_squares)
    line = topology.shared_line(west, east)
    assert shapely.get_coordinates(line).tolist() == [[1, 0], [1, 1]]


def test_a_reversed_arc_is_the_same_border(two_squares):
    two_squares["objects"]["east"] = {"type": "Polygon", "arcs": [[~0]]}
    topology, west, east = parts(two_squares)
    assert topology.shared_line(east, west).length == 1
    assert shapely.get_coordinates(topology.shared_line(east, west)).tolist() == [[1, 1], [1, 0]]


def test_countries_that_do_not_touch_share_nothing(two_squares):
    two_squares["objects"]["east"] = {"type": "Polygon", "arcs": [[2]]}
    topology, west, east = parts(two_squares)
    assert topology.shared_line(west, east).is_empty


def test_rounding_keeps_shared_corners_shared(two_squares):
    two_squares["transform"]["scale"] = [1 / 3, 1 / 3]
    topology, _, _ = parts(two_squares)
    assert topology.arcs[0][1].tolist() == topology.arcs[1][0].tolist()


def test_a_ring_across_the_180th_meridian_is_cut_there(two_squares):
    ring = [[358, 0], [4, 0], [0, 2], [-4, 0], [0, -2]]  # 179 E to 181 E, as -179
    two_squares["transform"] = {"scale": [0.5, 0.5], "translate": [0, 0]}
    jumping = [[358, 0], [-716, 0], [0, 2], [716, 0], [0, -2]]
    assert sum(x for x, _ in ring) == sum(x for x, _ in jumping) == 358
    two_squares["arcs"].append(jumping)
    topology = worldbase.Topology(two_squares)
    shape = topology.polygons({"type": "Polygon", "arcs": [[3]]})
    both = shapely.union(shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1))
    assert shape.equals(both)


def test_a_ring_that_rounding_made_a_line_is_left_out(two_squares):
    two_squares["arcs"].append([[10, 10], [0, 0]])
    topology = worldbase.Topology(two_squares)
    shape = topology.polygons({"type": "MultiPolygon", "arcs": [[[3]], [[0, 1]]]})
    assert shape.equals(shapely.box(0, 0, 1, 1))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("PAK", "PAK"), ("pk", "PAK"), ("pakistan", "PAK"), ("پاکستان", "PAK"),
        ("Ivory Coast", "CIV"), ("Côte d'Ivoire", "CIV"), ("COTE D’IVOIRE", "CIV"),
        ("Deutschland", "DEU"), ("Burma", "MMR"), ("DRC", "COD"), ("The Gambia", "GMB"),
        ("uk", "GBR"), ("Niger", "NER"), ("Kosovo", "XKX"), ("Somaliland", "SOL"),
    ],
)  # fmt: skip
def test_countries_are_found_by_code_and_name(text, code):
    assert world().find(text).code == code


@pytest.mark.parametrize(
    ("text", "meant"),
    [("Pakstan", "Pakistan (PAK)"), ("Korea", "South Korea (KOR)"), ("Congo", "(COG)")],
)
def test_an_unknown_country_says_what_was_meant(text, meant):
    with pytest.raises(ConfigError, match="did you mean") as failure:
        world().find(text)
    assert meant in str(failure.value)


def test_no_name_stands_for_two_countries():
    owners = {}
    for country in world().countries.values():
        for name in {worldbase.plain_name(n) for n in (country.name, *country.aliases)}:
            owners.setdefault(name, set()).add(country.code)
    shared = {name: codes for name, codes in owners.items() if len(codes) > 1}
    assert not {n: c for n, c in shared.items() if world().find(n).code not in c}
    assert all(world().find(c.name) is c for c in world().countries.values())


def test_neighbours_have_each_others_border_length():
    lengths = {code: world().neighbours(code) for code in world().countries}
    assert sum(map(len, lengths.values())) // 2 > 320
    for code, others in lengths.items():
        for other, km in others.items():
            assert lengths[other][code] == pytest.approx(km)
    known = {"LSO": {"ZAF"}, "VAT": {"ITA"}, "PRT": {"ESP"}, "FJI": set()}
    assert {code: set(lengths[code]) for code in known} == known
    assert lengths["PRT"]["ESP"] == pytest.approx(1214, rel=0.15)
    assert list(lengths["PAK"].values()) == sorted(lengths["PAK"].values(), reverse=True)


def test_outlines_have_the_size_of_their_country():
    for code, km2 in {"RUS": 16.9e6, "FJI": 18.3e3, "LSO": 30.4e3, "USA": 9.5e6}.items():
        shape = world().outline(code)
        area = abs(sum(GEOD.geometry_area_perimeter(p)[0] for p in shape.geoms)) / 1e6
        assert area == pytest.approx(km2, rel=0.05), code


def test_the_base_is_what_its_datapackage_says_and_fits_the_wheel():
    package = json.loads(worldbase.base_bytes(worldbase.PACKAGE))
    for resource in package["resources"]:
        content = worldbase.base_bytes(resource["path"])
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert resource["bytes"] == len(content)
        assert resource["publisher"]
        assert resource["licenses"]
    folder = files("borderrisk").joinpath("basedata")
    assert sum(len(path.read_bytes()) for path in folder.iterdir()) < 10e6


def test_settlements_of_a_box_come_largest_first_with_their_own_names():
    places = worldbase.settlements((44.0, 33.0, 45.0, 34.0))
    assert places["name"].iloc[0] == "Baghdad"
    assert places["population"].is_monotonic_decreasing
    assert places["longitude"].between(44, 45).all()
    everywhere = worldbase.all_settlements()
    assert len(everywhere) > 170_000
    khan = everywhere[(everywhere["name"] == "Gujranwala")].iloc[0]
    assert khan["name_local"] == "گوجرانوالہ"
    assert everywhere[everywhere["name"] == "Hargeysa"]["country"].tolist() == ["SOL"]


def test_a_cut_holds_the_window_and_its_credits(tmp_path):
    worldbase.cut(tmp_path, "LSO", (27, -31, 30, -28), (26, -32, 31, -27), "Lesotho")
    countries = gpd.read_file(tmp_path / "countries.geojson")
    assert countries["iso_a3"].tolist() == ["LSO", "SWZ", "ZAF"]
    assert countries.total_bounds.tolist() == [26, -32, 31, -27]
    assert gpd.read_file(tmp_path / "borders.geojson")["pair"].tolist() == ["LSO-ZAF", "SWZ-ZAF"]
    places = pd.read_csv(tmp_path / "settlements.csv")
    assert "Maseru" in places["name"].to_numpy()
    with rasterio.open(tmp_path / "elevation_5arcmin.tif") as raster:
        assert raster.bounds == (27, -31, 30, -28)
        assert raster.read(1).max() > 2500
    package = json.loads((tmp_path / "datapackage.json").read_text("utf-8"))
    assert [r["path"] for r in package["resources"]] == list(worldbase.CUT.values())
    for resource in package["resources"]:
        content = (tmp_path / resource["path"]).read_bytes()
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_long_edge_of_the_window_does_not_cut_off_land_when_projected(tmp_path):
    worldbase.cut(tmp_path, "RUS", (60, 60, 120, 62), (60, 60, 120, 62), "")
    countries = gpd.read_file(tmp_path / "countries.geojson").set_index("iso_a3")
    corners = shapely.get_coordinates(countries.geometry["RUS"])
    south = sorted(x for x, y in corners if y == 60)
    assert (south[0], south[-1]) == (60, 120)
    assert max(b - a for a, b in pairwise(south)) <= 25


@pytest.mark.parametrize(
    ("name", "code"),
    [("Russia (Soviet Union)", "RUS"), ("Myanmar (Burma)", "MMR"), ("irn", "IRN"), ("", ""),
     ("ایران", "IRN"), ("Nowhere (Iran)", "")],
)  # fmt: skip
def test_countries_are_known_as_publishers_write_them(name, code):
    assert world().code(name) == code
