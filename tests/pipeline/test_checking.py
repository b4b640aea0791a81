"""Every input is opened, says what it does, and is refused where it cannot be right."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from rasterio.transform import from_bounds

from borderrisk.cli.app import app
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
    for row in rows.values():
        assert {*row} >= {"input", "path", "holds", "left out", "used for"}
        assert row["format"]
        assert row["crs"]
        assert row["extent"] is not None
        assert row["read"].startswith(row["holds"])
    assert (rows["roads"]["format"], rows["roads"]["layer"]) == ("GeoPackage", "r")
    assert rows["settlements"]["rows"] == 2435
    assert rows["incidents"]["rows"] == 174
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


def test_settlements_whose_home_lies_elsewhere_until_exchanged_are_refused(small, tmp_path):
    """Some lie in the area as they are: places of the neighbours, for one."""
    towns = pd.read_csv(RAW / "settlements.csv")
    home = towns["country"] == "IRN"
    swapped = towns.assign(
        latitude=towns["latitude"].mask(home, towns["longitude"]),
        longitude=towns["longitude"].mask(home, towns["latitude"]),
    )
    swapped.to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(DataError, match=r"settlements: .*latitude and longitude look swapped"):
        validate(small(**{"data.settlements": str(tmp_path / "s.csv")}))


def test_a_border_away_from_the_outline_of_home_is_said(small, tmp_path):
    def doubts(config):
        said = map(str, rows_of(config)["borders"].values())
        return [text for text in said if "lie more than" in text]

    assert not doubts(small())
    borders = gpd.read_file(RAW / "borders.geojson")
    lines = borders.geometry.map(lambda line: line.union(shapely.LineString([(0, 0), (60, 30)])))
    borders.set_geometry(lines).to_file(tmp_path / "b.geojson")
    found = doubts(small(**{"data.borders": str(tmp_path / "b.geojson")}))
    assert "km from the outline of IRN in countries.geojson" in found[0]


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


def test_incidents_are_counted_by_year_and_by_how_well_they_are_known(small):
    found = validate(small())
    held = sum(found.by_year.values())
    assert held == 163
    for what in ("date", "place"):
        assert sum(n for name, n in found.by_precision.items() if name.startswith(what)) == held
    assert found.by_year["2024"] == 29
    assert found.by_precision["place within 5 km"] == 16
    assert found.area["cells"] == 343
    assert sum(found.area["border_km"].values()) == pytest.approx(2306, abs=1)


def test_every_rejected_row_goes_to_the_file_that_is_named(small, tmp_path):
    found = validate(small(), tmp_path / "out.csv")
    rows = pd.read_csv(tmp_path / "out.csv")
    assert list(rows) == ["row", "incident_id", "reason"]
    assert len(rows) == len(found.rejected) == 11


def zones(path, *boxes):
    shapes = [shapely.box(*box) for box in boxes]
    names = [f"Province {k}" for k in range(len(shapes))]
    gpd.GeoDataFrame({"name": names}, geometry=shapes, crs=4326).to_file(path)
    return str(path)


def people(path, west, value=20.0):
    profile = {"height": 60, "width": 60, "count": 1, "dtype": "float32", "crs": 4326}
    at = from_bounds(west, 25, west + 15, 40, 60, 60)
    with rasterio.open(path, "w", "GTiff", transform=at, nodata=-1, **profile) as target:
        target.write(np.full((60, 60), value, "float32"), 1)
    return str(path)


def test_zones_crossings_and_people_say_what_they_do(small, tmp_path):
    gates = "name,latitude,longitude\nMirjaveh,29.02,61.45\nElsewhere,10,10\n"
    (tmp_path / "gates.csv").write_text(gates)
    areas = zones(tmp_path / "z.gpkg", (50, 33, 70, 40), (50, 20, 70, 33), (0, 0, 1, 1))
    rows = rows_of(
        small(**{
            "data.zones": areas,
            "data.crossings": str(tmp_path / "gates.csv"),
            "data.population": people(tmp_path / "p.tif", 52),
        })
    )  # fmt: skip
    assert rows["zones"]["used for"] == "named in 231 of 231 segments; covers 100% of the area"
    assert rows["zones"]["left out"] == "1 outside the grid"
    assert rows["crossings"]["used for"].startswith("the nearest of each of 231 segments, 3 to ")
    assert rows["crossings"]["left out"] == "1 farther than 25 km from the border"
    assert rows["population"]["used for"] == "feature population of 343 of 343 cells"
    assert rows["population"]["units"] == "persons a pixel"


def test_what_lies_elsewhere_has_no_effect_and_that_is_said_aloud(small, tmp_path, caplog):
    (tmp_path / "gates.csv").write_text("name,latitude,longitude\nElsewhere,10,10\n")
    rows = rows_of(
        small(**{
            "data.zones": zones(tmp_path / "z.gpkg", (0, 0, 1, 1)),
            "data.crossings": str(tmp_path / "gates.csv"),
            "data.population": people(tmp_path / "p.tif", -60),
        })
    )  # fmt: skip
    for role in ("zones", "crossings", "population"):
        assert rows[role]["used for"].startswith("no effect: ")
        assert f"{role}: {tmp_path}" in caplog.text
    assert sum(r.levelname == "WARNING" and "no effect" in r.message for r in caplog.records) == 3


def test_a_key_whose_file_is_missing_does_nothing_and_that_is_said(small, caplog):
    validate(small(**{"features.travel.road_speeds_kmh": "{primary: 60}"}))
    assert "road_speeds_kmh: no effect: data.roads names no file" in caplog.text


def test_people_that_the_model_is_not_to_see_have_no_effect(small, tmp_path):
    rows = rows_of(
        small(**{
            "data.population": people(tmp_path / "p.tif", 52), "features.exclude": "[population]"
        })
    )  # fmt: skip
    assert "features.exclude" in rows["population"]["used for"]


def test_names_of_zones_and_crossings_are_needed(small, tmp_path):
    (tmp_path / "gates.csv").write_text("name,latitude,longitude\n,29.02,61.45\n")
    with pytest.raises(DataError, match=r"crossings: .*the name of row 2 is empty"):
        validate(small(**{"data.crossings": str(tmp_path / "gates.csv")}))


def test_small_cells_are_allowed_and_counted_on_larger_ones(small, caplog):
    found = validate(small(**{"grid.cell_size_m": "700"}))
    assert found.area["cells"] == pytest.approx(451_200 / 0.49, rel=0.01)
    assert "effects of the inputs are counted on cells of" in caplog.text
    assert {row["input"] for row in found.inputs} >= {"borders", "incidents"}


def test_the_command_says_all_of_it(tmp_path):
    given = ["validate", str(CONFIGS / "eastern-border.yaml"), "--set", "grid.cell_size_m=40000"]
    done = CliRunner().invoke(app, [*given, "--json"])
    facts = json.loads(done.stdout)
    assert done.exit_code == 0
    assert {"config", "valid", "inputs", "incidents", "study_area", "run"} <= {*facts}
    assert facts["run"]["whole run"]["seconds"] > facts["run"]["first look"]["seconds"] > 0
    text = CliRunner().invoke(app, given).stdout
    assert "a run will take about" in text
    assert "IRN-AFG 867 km" in text
