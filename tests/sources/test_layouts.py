"""Published layouts, and codes of precision that are no kilometres."""

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from borderrisk.errors import ConfigError, DataError
from borderrisk.sources.incidents import read_incidents
from borderrisk.sources.layouts import LAYOUTS, layout_of

ACLED = {
    "event_id_cnty": "AAA1", "event_date": "17 May 2020", "time_precision": "1",
    "event_type": "Battles", "actor1": "A", "actor2": "B", "country": "Aland", "admin1": "West",
    "location": "Town", "latitude": "31.5", "longitude": "60.5", "geo_precision": "2",
    "source": "Agency", "notes": "Clash.", "fatalities": "3",
}  # fmt: skip
GTD = {
    "eventid": "200001010001", "iyear": "2000", "imonth": "5", "iday": "17",
    "country_txt": "Aland", "provstate": "West", "city": "Town", "latitude": "31.5",
    "longitude": "60.5", "specificity": "3", "attacktype1_txt": "Assassination", "gname": "A",
    "targtype1_txt": "Police", "nkill": "1", "summary": "A case.", "scite1": "Paper",
    "doubtterr": "0",
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def _read(layout, base, *changes, **options):
        key = {"acled": "event_id_cnty", "gtd": "eventid"}[layout]
        rows = [base | {key: f"E{i}"} | change for i, change in enumerate(changes)]
        path = tmp_path / "events.csv"
        pd.DataFrame(rows).to_csv(path, index=False)
        return read_incidents(path, layout, **options)

    return _read


def test_acled_in_full(read):
    one = read("acled", ACLED, {}).incidents.iloc[0]
    assert (one["incident_id"], one["kind"], one["radius_km"]) == ("E0", "Battles", 25)
    assert one["date"] == one["date_end"] == pd.Timestamp("2020-05-17")
    assert (one["place"], one["deaths_reported"], one["confidence"]) == ("Town", 3, "high")
    assert one.geometry == shapely.Point(60.5, 31.5)


def test_codes_of_acled_mean_what_its_codebook_says(read):
    table = read("acled", ACLED, *({"geo_precision": c} for c in "1239"))
    assert table.incidents["radius_km"].tolist() == [5, 25, 60]
    assert table.rejected["reason"].tolist() == ["geo_precision cannot be used: '9'"]
    spans = read("acled", ACLED, *({"time_precision": c} for c in "123")).incidents
    assert ((spans["date_end"] - spans["date"]).dt.days + 1).tolist() == [31, 7, 1]


def test_radii_of_codes_can_be_changed(read):
    table = read("acled", ACLED, {}, {"geo_precision": "3"}, radius_km={"2": 10})
    assert table.incidents["radius_km"].tolist() == [10, 60]


def test_gtd_in_full_and_its_zeros(read):
    table = read(
        "gtd", GTD, {}, {"iday": "0"}, {"imonth": "0", "iday": "0"}, {"doubtterr": "1"},
        {"specificity": "5"},
    )  # fmt: skip
    found = table.incidents.set_index("incident_id")
    assert (found["radius_km"] == 50).all()
    spans = found["date"].dt.strftime("%m-%d ") + found["date_end"].dt.strftime("%m-%d")
    assert spans.to_dict() == {
        "E0": "05-17 05-17", "E1": "05-01 05-31", "E2": "01-01 12-31", "E3": "05-17 05-17",
    }  # fmt: skip
    assert found["confidence"].to_dict() == {
        "E0": "high", "E1": "high", "E2": "high", "E3": "medium",
    }  # fmt: skip
    assert table.rejected["reason"].tolist() == ["specificity cannot be used: '5'"]


def test_layouts_are_told_by_their_header():
    for name, layout in LAYOUTS.items():
        assert layout_of([*layout.required, "more"]) == name
    assert layout_of(["date", "latitude", "longitude"]) == "table"


def table_of(tmp_path, column, codes):
    rows = [
        {"date": f"2020-05-{i:02}", "latitude": 31, "longitude": 60, column: code}
        for i, code in enumerate(codes, 1)
    ]
    path = tmp_path / "mine.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("column", "km"),
    [("geo_precision", [5, 25, 60]), ("specificity", [5, 25, 50]), ("where_prec", [5, 25, 50])],
)
def test_known_codes_mapped_as_a_radius_are_decoded_and_said(tmp_path, column, km, caplog):
    path = table_of(tmp_path, column, [1, 2, 3])
    found = read_incidents(path, "table", {"radius_km": column}).incidents
    assert found["radius_km"].tolist() == km
    assert f"{column} holds codes, not kilometres" in caplog.text


def test_a_row_without_a_code_gets_the_default_radius(tmp_path):
    path = table_of(tmp_path, "geo_precision", [1, ""])
    found = read_incidents(path, "table", {"radius_km": "geo_precision"}, 40).incidents
    assert found["radius_km"].tolist() == [5, 40]


def test_codes_of_another_book_are_refused_until_they_are_explained(tmp_path):
    path = table_of(tmp_path, "precision", [1, 2, 2])
    with pytest.raises(ConfigError, match=r"precision looks like codes .*radius_km"):
        read_incidents(path, "table", {"radius_km": "precision"})
    explained = {"1": 3.0, "2": 40.0}
    found = read_incidents(path, "table", {"radius_km": "precision"}, radius_km=explained)
    assert found.incidents["radius_km"].tolist() == [3, 40, 40]


@pytest.mark.parametrize("codes", [[0.5, 2, 3], [12, 2, 3]])
def test_kilometres_may_have_any_name(tmp_path, codes):
    path = table_of(tmp_path, "precision", codes)
    found = read_incidents(path, "table", {"radius_km": "precision"}).incidents
    assert found["radius_km"].tolist() == codes


def test_codes_of_a_dates_precision_are_decoded(tmp_path):
    path = table_of(tmp_path, "time_precision", [1, 3])
    found = read_incidents(path, "table", {"date_precision": "time_precision"}, 5).incidents
    assert found["date_precision"].tolist() == ["day", "month"]


def test_equal_rows_without_ids_count_once(tmp_path, caplog):
    path = tmp_path / "mine.csv"
    row, other = "2020-05-17,31,60,Town\n", "2020-05-17,31,60,Other\n"
    path.write_text("date,latitude,longitude,note\n" + row + other + row)
    table = read_incidents(path, "table", default_radius_km=5)
    assert len(table.incidents) == 2
    assert table.rejected["row"].tolist() == [4]
    assert "1 rows are equal" in caplog.text


def test_a_multipoint_of_one_is_that_point(tmp_path):
    shapes = [
        shapely.MultiPoint([(60, 31)]),
        shapely.MultiPoint([(60, 31), (61, 32)]),
        shapely.LineString([(60, 31), (61, 32)]),
    ]
    path = tmp_path / "mine.gpkg"
    gpd.GeoDataFrame({"date": ["2020-05-17"] * 3}, geometry=shapes, crs=4326).to_file(path)
    table = read_incidents(path, "table", default_radius_km=5)
    assert table.incidents.geometry.tolist() == [shapely.Point(60, 31)]
    assert [reason.split(": ")[1] for reason in table.rejected["reason"]] == [
        "'MultiPoint of 2'",
        "'LineString'",
    ]


def test_a_file_in_another_layout_lacks_columns(tmp_path):
    path = table_of(tmp_path, "geo_precision", [1])
    with pytest.raises(DataError, match="lacks"):
        read_incidents(path, "acled")


def test_a_file_in_another_known_layout_is_recognised(tmp_path):
    path = tmp_path / "events.csv"
    pd.DataFrame([ACLED]).to_csv(path, index=False)
    for layout in ("public_record", "gtd"):
        with pytest.raises(DataError, match="It is in the layout acled"):
            read_incidents(path, layout)
