"""The shipped data are what they say: lengths, heights, completeness, checksums."""

import hashlib
import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import rasterio
from pyproj import Geod

RAW = Path(__file__).parents[1] / "data" / "raw"
PACKAGE = json.loads((RAW / "datapackage.json").read_text("utf-8"))
RESOURCES = {resource["path"]: resource for resource in PACKAGE["resources"]}


@pytest.fixture(scope="module")
def borders():
    return gpd.read_file(RAW / "borders.geojson").set_index("pair")


@pytest.mark.parametrize(("pair", "km"), [("IRN-AFG", 867), ("IRN-PAK", 816), ("IRN-TKM", 960)])
def test_border_lengths(borders, pair, km):
    length = Geod(ellps="WGS84").geometry_length(borders.geometry[pair]) / 1000
    assert length == pytest.approx(km, rel=0.01)


def test_borders_between_neighbours_are_there_once(borders):
    assert borders.index.is_unique
    assert {"AFG-PAK", "AFG-TKM", "TKM-UZB", "AFG-UZB", "AFG-TJK"} <= set(borders.index)
    assert "PAK-TKM" not in borders.index


def test_a_border_lies_on_both_outlines(borders):
    countries = gpd.read_file(RAW / "countries.geojson").set_index("iso_a3")
    for pair in ("IRN-AFG", "IRN-PAK", "IRN-TKM", "AFG-PAK"):
        for code in pair.split("-"):
            outline = countries.geometry[code].boundary
            assert borders.geometry[pair].difference(outline.buffer(1e-4)).length < 1e-6


def test_outlines_are_valid_and_stay_in_the_box():
    countries = gpd.read_file(RAW / "countries.geojson")
    assert countries.geometry.is_valid.all()
    assert tuple(countries.total_bounds) == (50, 20, 71, 43)
    assert countries["iso_a3"].str.fullmatch("[A-Z]{3}").all()


@pytest.mark.parametrize(
    ("lon", "lat", "metres"), [(59.60, 36.30, 950), (60.86, 29.50, 1398), (61.49, 31.03, 474)]
)
def test_elevation_at_known_towns(lon, lat, metres):
    with rasterio.open(RAW / "elevation_5arcmin.tif") as raster:
        assert next(raster.sample([(lon, lat)]))[0] == pytest.approx(metres, abs=60)


def test_elevation_is_a_whole_labelled_cog():
    with rasterio.open(RAW / "elevation_5arcmin.tif") as raster:
        assert tuple(raster.bounds) == (52, 22, 69, 41)
        assert raster.shape == (228, 204)
        assert raster.crs.to_epsg() == 4326
        assert (raster.nodata, raster.dtypes, raster.units) == (-32768, ("int16",), ("m",))
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        inland = raster.read(1, window=raster.window(57, 29, 69, 41))
    assert inland.min() > -100


def test_incidents_are_complete():
    table = pd.read_csv(RAW / "incidents.csv")
    assert len(table) == 174
    assert table["incident_id"].is_unique
    fields = {f["name"]: f for f in RESOURCES["incidents.csv"]["schema"]["fields"]}
    assert list(table.columns) == list(fields)
    for name, field in fields.items():
        limits = field.get("constraints", {})
        assert not (limits.get("required") and table[name].isna().any())
        assert "enum" not in limits or set(table[name]) <= set(limits["enum"])
    assert table["kind"].value_counts()["armed_clash"] == 53


@pytest.mark.parametrize(
    ("name", "persian"),
    [
        ("Mashhad", "مشهد"),
        ("Zahedan", "زاهدان"),
        ("Zābol", "زابل"),
        ("Bīrjand", "بیرجند"),
        ("Chabahar", "چابهار"),
        ("Iranshahr", "ایرانشهر"),
        ("Kerman", "کرمان"),
        ("Tehran", "تهران"),
        ("Gwadar", "گوادر"),
        ("Quetta", "کویته"),
    ],
)
def test_persian_names(name, persian):
    places = pd.read_csv(RAW / "settlements.csv", keep_default_na=False)
    largest = places[places["name"] == name].nlargest(1, "population")
    assert largest["name_fa"].tolist() == [persian]


def test_settlements_are_plausible():
    places = pd.read_csv(RAW / "settlements.csv", keep_default_na=False)
    assert not places.duplicated(["name", "latitude", "longitude"]).any()
    assert not places["name_fa"].str.contains("[يكةۃہھٹے]").any()
    iran = places[places["country"] == "IRN"]
    assert (iran["name_fa"] != "").mean() > 0.97
    assert places["country"].str.fullmatch("[A-Z]{3}").all()


def test_known_errors_of_the_source_are_mended():
    places = pd.read_csv(RAW / "settlements.csv", keep_default_na=False)
    south = places[places["latitude"].between(35.6, 36.0) & places["longitude"].between(59, 60.4)]
    assert south["population"].max() < 20_000
    assert (places["name"] == "Marāgheh").any()
    assert not (places["name"] == "Arif Wala").any()
    assert places.set_index("name").loc["Isfahan", "name_fa"] == "اصفهان"


def test_every_file_is_described_and_unchanged():
    files = {p.name for p in RAW.iterdir() if p.suffix in {".csv", ".geojson", ".tif"}}
    assert files == set(RESOURCES)
    for path, resource in RESOURCES.items():
        content = (RAW / path).read_bytes()
        assert resource["bytes"] == len(content)
        assert resource["hash"] == "sha256:" + hashlib.sha256(content).hexdigest()
        needed = ("title", "publisher", "version", "attribution", "how_made", "licenses", "schema")
        assert all(resource[key] for key in needed)
        assert all(field["description"] for field in resource["schema"]["fields"])


def test_the_whole_folder_is_small():
    assert sum(p.stat().st_size for p in RAW.iterdir()) < 5_000_000
