"""Every input is opened, says what it does, and is refused where it cannot be right."""

import json

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from borderrisk.errors import DataError
from borderrisk.pipeline.checking import validate

from .conftest import CONFIGS

RAW = CONFIGS.parent / "data" / "raw"


def rows_of(config):
    return {row["input"]: row for row in validate(config).inputs}


def road(path, geometry, **columns):
    gpd.GeoDataFrame(columns, geometry=[geometry], crs=4326).to_file(path)
    return str(path)


def test_every_role_says_what_it_read_and_what_it_serves(small, tmp_path):
    line = shapely.LineString([(61.6, 30.95), (60.9, 29.5)])
    rows = rows_of(
        small(**{
            "data.roads": road(tmp_path / "r.gpkg", line, **{"class": ["primary"]}),
            "data.water": road(tmp_path / "w.gpkg", shapely.Point(61, 31).buffer(0.4)),
            "features.travel.road_speeds_kmh": "{primary: 60}",
        })
    )  # fmt: skip
    assert list(rows) == [
        "borders", "countries", "elevation", "settlements", "incidents", "roads", "water",
    ]  # fmt: skip
    assert all(
        {"input", "path", "holds", "left out", "used for"} == {*row} for row in rows.values()
    )
    assert rows["incidents"]["holds"] == "163 incidents on the grid, 11 rejected"
    assert rows["countries"]["holds"] == "15 outlines"
    assert rows["roads"]["holds"] == "1 roads, 1 of them with a speed"
    assert rows["water"]["used for"].endswith("cells slower to cross")


def test_what_is_no_road_file_is_refused_before_a_run(small, tmp_path):
    (tmp_path / "roads.geojson").write_text("<html><body>log in</body></html>")
    with pytest.raises(DataError, match=r"roads: .*a web page"):
        validate(small(**{"data.roads": str(tmp_path / "roads.geojson")}))


def test_a_neighbour_without_an_outline_is_refused(small, tmp_path):
    countries = gpd.read_file(RAW / "countries.geojson")
    code = next(c for c in countries if c.lower() in ("iso_a3", "adm0_a3"))
    countries[countries[code] != "AFG"].to_file(tmp_path / "c.geojson")
    with pytest.raises(DataError, match="no outline of the neighbour AFG"):
        validate(small(**{"data.countries": str(tmp_path / "c.geojson")}))


def test_settlements_with_other_codes_are_refused(small, tmp_path):
    towns = pd.read_csv(RAW / "settlements.csv")
    towns.assign(country=towns["country"].str[:2]).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(DataError, match=r"settlements: .*column country holds .*alpha-3"):
        validate(small(**{"data.settlements": str(tmp_path / "s.csv")}))


def test_incidents_of_another_region_are_refused(small, tmp_path):
    table = pd.read_csv(RAW / "incidents.csv", dtype=str)
    table.assign(latitude="-20", longitude="100").to_csv(tmp_path / "i.csv", index=False)
    with pytest.raises(DataError, match=r"incidents: .*none of the \d+ lies in the area"):
        validate(small(**{"data.incidents.path": str(tmp_path / "i.csv")}))


def test_an_incident_ahead_of_now_is_left_out_and_said(small, tmp_path, caplog):
    table = pd.read_csv(RAW / "incidents.csv", dtype=str)
    table.loc[3, "date"] = "2103-05-01"
    table.to_csv(tmp_path / "i.csv", index=False)
    rows = rows_of(small(**{"data.incidents.path": str(tmp_path / "i.csv")}))
    assert "12 rejected" in rows["incidents"]["holds"]
    assert "row 5 dated ahead of now: '2103-05-01'" in caplog.text
    assert json.dumps(rows)


def test_what_nothing_depends_on_is_said_to_do_nothing(small, tmp_path):
    lake = road(tmp_path / "w.gpkg", shapely.Point(61, 31).buffer(0.4))
    for key, value in (("enabled", "false"), ("water_speed_factor", "1")):
        rows = rows_of(small(**{"data.water": lake, f"features.travel.{key}": value}))
        assert rows["water"]["used for"].startswith("no effect: ")
        assert key in rows["water"]["used for"]
