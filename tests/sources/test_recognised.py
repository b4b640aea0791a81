"""Unknown files of incidents: layout, columns, codes, calendar and sides are told, and said."""

import gzip
import zipfile

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely

from borderrisk.errors import DataError
from borderrisk.sources.incidents import read_incidents
from borderrisk.sources.recognised import recognise
from borderrisk.sources.tables import read_text_table

REGION = (59.0, 26.0, 78.0, 38.0)
COUNT = 6
LON, LAT = 70.5, 32.6
DAYS = [f"2013-05-{k + 11}" for k in range(COUNT)]


def rows(**columns):
    """Six incidents at one place on six days; a column given as None is left out."""
    table = {"date": DAYS, "latitude": LAT, "longitude": LON, "radius_km": 10, "kind": "attack"}
    table |= columns
    return pd.DataFrame({key: value for key, value in table.items() if value is not None})


@pytest.fixture
def told(tmp_path):
    def write(table, choose=lambda _question, options: options[0], name="mine.csv"):
        path = tmp_path / name
        table.to_csv(path, index=False)
        found = recognise(path, REGION, choose)
        again = read_incidents(
            path, found.layout, found.columns or None, found.default_radius_km, region=REGION,
            calendar=found.calendar, radius_km=found.radius_km or None,
        )  # fmt: skip
        pd.testing.assert_frame_equal(again.incidents, found.table.incidents)
        return found

    return write


def first(found):
    row = found.table.incidents.iloc[0]
    return f"{row['date']:%Y-%m-%d}", row.geometry.y, row.geometry.x, row["radius_km"]


RIGHT = (DAYS[0], LAT, LON, 10)


def test_it_says_which_column_is_what_and_how_precise_the_dates_are(told):
    table = rows(date=None, event_date=[*DAYS[:4], "2014", "2015-06"], severity=3)
    found = told(table)
    assert first(found) == RIGHT
    assert found.notes[0].startswith(
        "layout table: date ← event_date (4 by day, 1 by year, 1 by month); latitude ← latitude"
    )
    assert "not read: severity" in found.notes
    assert "6 of 6 incidents are used" in found.notes
    assert found.section()["columns"]["date"] == "event_date"
    assert "calendar" not in found.section()


@pytest.mark.parametrize(
    "names",
    [
        {"date": "Date of incident", "latitude": "Lat.", "longitude": "Long."},
        {"date": "eventDate", "latitude": "Latitude (WGS84)", "longitude": "Longitude (WGS84)"},
        {"date": "تاریخ", "latitude": "عرض جغرافیایی", "longitude": "طول جغرافیایی"},
        {"date": "When", "latitude": "lat", "longitude": "lng", "place": "where"},
        {"date": "INCIDENT_DATE", "latitude": "Y", "longitude": "X", "radius_km": "Accuracy km"},
        {
            "date": "Date of Incident",
            "latitude": "Lat (N)",
            "longitude": "Long (E)",
            "kind": "Type of incident",
            "place": "Place name",
            "summary": "Remarks",
        },
    ],
)
def test_columns_are_known_by_the_names_that_people_give_them(told, names):
    found = told(rows(place="Mandera", summary="at night").rename(columns=names))
    assert first(found) == RIGHT
    assert {ours: found.columns[ours] for ours in names} == names


def test_blank_columns_and_clock_times_are_not_the_date(told):
    asked = []
    table = rows(date="", event_date=DAYS, time="14:30", radius_km="", accuracy_km=10)
    found = told(table, choose=asked.append)
    assert found.columns["date"] == "event_date"
    assert first(found) == RIGHT
    assert not asked


def test_two_columns_that_fit_equally_well_are_a_question(told):
    asked = []

    def second(question, options):
        asked.append((question, options))
        return options[1]

    found = told(rows(date=None, event_date="2011-01-01", date_start=DAYS), second)
    assert asked == [("Which column is the date?", ["event_date", "date_start"])]
    assert first(found) == RIGHT


def test_codes_mean_what_their_codebook_says_and_can_be_changed(told):
    found = told(rows(radius_km=None, geo_precision=[1, 2, 3, 1, 2, 3], time_precision=1))
    assert found.section()["radius_km"] == {1: 5, 2: 25, 3: 60}
    assert found.table.incidents["radius_km"].tolist() == [5, 25, 60] * 2
    assert "radius_km ← geo_precision (1 = 5 km, 2 = 25 km, 3 = 60 km)" in found.notes[0]
    assert found.columns["date_precision"] == "time_precision"


def test_codes_of_nobody_are_not_taken_for_kilometres(told):
    found = told(rows(radius_km=None, accuracy=[1, 2, 3] * 2))
    assert set(found.table.incidents["radius_km"]) == {25}
    assert found.section()["default_radius_km"] == 25
    assert any("accuracy holds codes of unknown meaning (1, 2, 3)" in n for n in found.notes)
    words = told(rows(radius_km=None, precision="exact"))
    assert any("precision is not taken for the radius" in note for note in words.notes)


def test_rows_without_a_radius_get_one_and_it_is_said(told):
    found = told(rows(radius_km=[10, None, None, 10, 10, 10]))
    assert found.table.incidents["radius_km"].tolist() == [10, 25, 25, 10, 10, 10]
    assert any("25 km taken for the rows that do not say" in note for note in found.notes)


def test_a_number_of_the_row_is_no_id_that_the_next_sheet_may_use_again(told):
    found = told(rows().assign(**{"S/No": range(1, 7)}))
    assert "incident_id" not in found.columns
    assert "not read: S/No" in found.notes


def test_an_id_that_repeats_itself_is_none(told):
    found = told(rows(id=7))
    assert "incident_id" not in found.columns
    assert len(found.table.incidents) == COUNT
    assert any("id is not taken for the id" in note for note in found.notes)
    assert told(rows(id=range(COUNT))).columns["incident_id"] == "id"


def test_exchanged_coordinates_are_turned_round_and_said(told):
    found = told(rows(latitude=LON, longitude=LAT))
    assert first(found) == RIGHT
    assert found.section()["columns"]["latitude"] == "longitude"
    assert any("exchanged in the file" in note for note in found.notes)


def test_a_table_of_iranian_dates_is_converted_and_single_ones_are_rejected(told):
    jalali = [f"1392-02-{k + 21}" for k in range(COUNT)]  # 2013-05-11 and after
    found = told(rows(date=jalali))
    assert first(found) == RIGHT
    assert found.section()["calendar"] == "jalali"
    mixed = told(rows(date=[*jalali[:2], *DAYS[2:]]))
    assert "calendar" not in mixed.section()
    assert len(mixed.table.incidents) == COUNT - 2
    assert any(
        "2 rows: date cannot be read (row 2: '1392-02-21' (the Iranian" in n for n in mixed.notes
    )


def test_published_layouts_are_known_in_any_case_and_show_their_codes(told):
    acled = rows(
        date=None, radius_km=None, kind=None, event_id_cnty=range(COUNT), event_date=DAYS,
        time_precision=1, event_type="Battles", geo_precision=2, fatalities=0,
    )  # fmt: skip
    found = told(acled.rename(columns=str.upper))
    assert (found.layout, found.columns) == ("acled", {})
    assert first(found) == (*RIGHT[:3], 25)
    assert found.section()["radius_km"] == {1: 5, 2: 25, 3: 60}
    assert "radius_km ← geo_precision (1 = 5 km" in found.notes[0]


def test_what_is_no_column_is_refused_by_name(told):
    with pytest.raises(DataError, match=r"recognised as date .*\(it has: latitude, .*observed\)"):
        told(rows(date=None, observed=DAYS))


def test_columns_that_say_another_place_than_the_geometry_are_said(tmp_path, caplog):
    frame = rows()
    places = gpd.points_from_xy(frame["longitude"].astype(float), frame["latitude"].astype(float))
    near = frame.assign(latitude=places.y + 0.001)
    for table, said in ((near, 0), (near.assign(longitude=places.x + 0.5), 1)):
        file = tmp_path / "points.geojson"
        gpd.GeoDataFrame(table, geometry=places, crs=4326).to_file(file)
        caplog.clear()
        cells = read_text_table(file, "incidents")
        assert cells["longitude"].astype(float).tolist() == pytest.approx(places.x)
        assert len(caplog.records) == said
    assert f"{len(frame)} row(s) have another latitude or longitude" in caplog.text


def spreadsheet(path):
    pyogrio.write_dataframe(rows(date=pd.to_datetime(DAYS)), path, driver=path.suffix[1:].upper())
    return path


def packed(path):
    inside = path.with_suffix("")
    data = inside.read_bytes()
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(inside.name, data)
    return path


def points(path, **columns):
    frame = rows(latitude=None, longitude=None, **columns)
    at = gpd.GeoDataFrame(frame, geometry=[shapely.Point(LON, LAT)] * COUNT, crs=4326)
    at.to_file(path, driver="LIBKML" if path.suffix == ".kml" else None)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda d: spreadsheet(d / "a.xlsx"),
        lambda d: packed(spreadsheet(d / "a.ods").with_suffix(".ods.gz")),
        lambda d: spreadsheet(d / "a.ods").rename(d / "a.table"),
        lambda d: packed(points(d / "a.geojson").with_suffix(".geojson.zip")),
        lambda d: points(d / "a.fgb").rename(d / "a.bin"),
        lambda d: points(d / "a.gpkg").rename(d / "a.dat"),
        lambda d: points(d / "a.kml", date=None, begin=DAYS),
        lambda d: packed(
            packed(
                points(d / "a.kml", date=None, begin=DAYS).with_suffix(".kml.zip")
            ).rename(d / "b.kmz").with_suffix(".kmz.zip")
        ),
    ],
    ids=["xlsx", "ods.gz", "ods", "geojson.zip", "fgb", "gpkg", "kml", "kmz.zip"],
)  # fmt: skip
def test_a_file_is_what_it_holds_whatever_its_ending(tmp_path, make):
    found = recognise(make(tmp_path), REGION, lambda _question, options: options[0])
    assert first(found) == RIGHT
    assert len(found.table.incidents) == COUNT


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1256"])
def test_names_survive_their_encoding(tmp_path, encoding):
    path = tmp_path / "mine.csv"
    path.write_bytes(rows(place="بنو").to_csv(index=False, sep=";").encode(encoding))
    found = recognise(path, REGION, lambda _question, options: options[0])
    assert first(found) == RIGHT
    assert set(found.table.incidents["place"]) == {"بنو"}


def test_an_old_spreadsheet_is_named(tmp_path):
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    with pytest.raises(DataError, match="is an Excel file of before 2007"):
        recognise(tmp_path / "old.xls", REGION, lambda _question, options: options[0])
