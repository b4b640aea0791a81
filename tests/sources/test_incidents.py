"""Incident readers: planted tables with one fault each."""

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from borderrisk.errors import ConfigError, DataError
from borderrisk.sources.incidents import COLUMNS, read_incidents

SHIPPED = Path(__file__).parents[2] / "data" / "raw" / "incidents.csv"
REGION = (52, 22, 69, 41)
ROW = {
    "incident_id": "A-1",
    "date": "2020-05-17",
    "date_precision": "day",
    "latitude": "29.5",
    "longitude": "60.9",
    "location_radius_km": "8",
    "place": "Zahedan",
    "province": "Sistan and Baluchestan",
    "country": "Iran",
    "actor": "Unidentified gunmen",
    "target": "Patrol",
    "kind": "ambush",
    "deaths_reported": "2",
    "summary": "A patrol was ambushed, two dead.",
    "source": "Agency",
    "confidence": "high",
}


@pytest.fixture
def write(tmp_path):
    def _write(*rows, drop=(), encoding="utf-8", name="incidents.csv"):
        table = pd.DataFrame(
            [{**ROW, "incident_id": f"A-{i}"} | row for i, row in enumerate(rows, 1)]
        )
        path = tmp_path / name
        table.drop(columns=list(drop)).to_csv(path, index=False, encoding=encoding)
        return path

    return _write


def test_the_shipped_table_is_read_whole():
    table = read_incidents(SHIPPED, region=(57, 24, 68, 40))
    assert len(table.incidents) == 174
    assert table.rejected.empty
    assert table.notes[0] == "174 of 174 incidents are used"
    assert tuple(table.incidents.columns) == COLUMNS
    assert table.incidents["confidence"].value_counts().to_dict() == {
        "high": 117,
        "medium": 56,
        "low": 1,
    }
    keys = table.incidents[["date", "incident_id"]]
    assert keys.equals(keys.sort_values(["date", "incident_id"]).reset_index(drop=True))


def test_one_row_in_full(write):
    one = read_incidents(write({})).incidents.iloc[0]
    assert one["date"] == one["date_end"] == pd.Timestamp("2020-05-17")
    assert (one["radius_km"], one["weight"], one["deaths_reported"]) == (8.0, 1.0, 2)
    assert one.geometry == shapely.Point(60.9, 29.5)
    assert (one["kind"], one["place"], one["source"]) == ("ambush", "Zahedan", "Agency")


@pytest.mark.parametrize(
    ("date", "precision", "first", "last"),
    [
        ("2020-02-17", "day", "2020-02-17", "2020-02-17"),
        ("2020-02-17", "month", "2020-02-01", "2020-02-29"),
        ("2021-12-01", "month", "2021-12-01", "2021-12-31"),
        ("2020-01-01", "year", "2020-01-01", "2020-12-31"),
    ],
)
def test_the_reported_period_is_whole(write, date, precision, first, last):
    table = read_incidents(write({"date": date, "date_precision": precision}))
    one = table.incidents.iloc[0]
    assert (one["date"], one["date_end"]) == (pd.Timestamp(first), pd.Timestamp(last))


def test_confidence_weighs(write):
    rows = [{"confidence": level} for level in ("high", "medium", "LOW")]
    assert read_incidents(write(*rows)).incidents["weight"].tolist() == [1.0, 0.7, 0.4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_changes_nothing(write, encoding):
    assert read_incidents(write({}, encoding=encoding)).incidents["incident_id"].tolist() == ["A-1"]


def test_blank_deaths_are_unknown_and_zero_is_zero(write):
    table = read_incidents(write({"deaths_reported": ""}, {"deaths_reported": "0"}))
    assert table.incidents["deaths_reported"].isna().tolist() == [True, False]
    assert len(table.notes) == 1
    odd = read_incidents(write({"deaths_reported": "about 5"}))
    assert odd.incidents["deaths_reported"].isna().all()
    assert "1 deaths_reported are not whole numbers; taken as unknown" in odd.notes


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"date": "2020-13-01"}, "date cannot be read: '2020-13-01' (expected YYYY-MM-DD)"),
        ({"date": "2021-02-29"}, "date cannot be read: '2021-02-29' (expected YYYY-MM-DD)"),
        ({"date": "05/06/2020"}, "date cannot be read: '05/06/2020' may be 5 June or 6 May; "),
        ({"date": "2020-05-17 (night)"}, "date cannot be read: '2020-05-17 (night)' (expected "),
        ({"date": "2103-05-01"}, "dated ahead of now: '2103-05-01'"),
        ({"date": "1399-02-28"}, "date cannot be read: '1399-02-28' (the Iranian calendar? "),
        ({"date": ""}, "date cannot be read: blank"),
        ({"date_precision": "1"}, "unknown date_precision: '1'"),
        ({"latitude": ""}, "latitude is not a number of degrees: ''"),
        ({"latitude": "0", "longitude": "0"}, "latitude and longitude are both 0"),
        ({"latitude": "95"}, "latitude is not a number of degrees: '95'"),
        ({"longitude": "inf"}, "longitude is not a number of degrees: 'inf'"),
        ({"location_radius_km": ""}, "radius is not a positive number of km: ''"),
        ({"location_radius_km": "0"}, "radius is not a positive number of km: '0'"),
        ({"location_radius_km": "-3"}, "radius is not a positive number of km: '-3'"),
        ({"confidence": "sure"}, "unknown confidence: 'sure'"),
        ({"kind": ""}, "no kind: ''"),
        ({"incident_id": ""}, "no incident id: ''"),
    ],
)
def test_a_bad_row_is_listed_with_its_reason(write, fault, reason):
    table = read_incidents(write({}, fault, {}))
    assert len(table.incidents) == 2
    assert table.rejected["row"].tolist() == [3]
    assert table.rejected["reason"][0].startswith(reason)
    assert list(table.rejected.columns) == ["row", "incident_id", "reason"]
    kind, _, detail = table.rejected["reason"][0].partition(": ")
    assert table.notes[1] == f"1 row: {kind}" + f" (row 3: {detail})" * bool(detail)


def test_a_table_of_bad_rows_shows_the_first(write):
    everything_bad = write({"date": "?"})
    with pytest.raises(DataError, match=r"none of the 1 rows can be used .*the first is row 2"):
        read_incidents(everything_bad)


def test_of_rows_with_one_id_the_last_usable_one_counts(write, caplog):
    rows = [{"date": "?"}, {}, {}, {"incident_id": "B"}, {"incident_id": "B"}]
    for row in rows[:3]:
        row["incident_id"] = "A"
    table = read_incidents(write(*rows))
    assert table.incidents["incident_id"].tolist() == ["A", "B"]
    assert dict(zip(table.rejected["row"], table.rejected["reason"], strict=True)) == {
        2: "date cannot be read: '?' (expected YYYY-MM-DD)",
        3: "incident id of a later row: 'A' is row 4",
        5: "incident id of a later row: 'B' is row 6",
    }
    assert "2 rows have the incident id of a later row" in caplog.text


@pytest.mark.parametrize(("odd", "which"), [("1913-05-01", "first"), ("2023-05-01", "last")])
def test_a_date_far_from_all_others_is_asked_about(odd, which, write, caplog):
    rows = [{"date": f"200{n}-05-01"} for n in range(3, 6)]
    read_incidents(write(*rows))
    assert not caplog.text
    read_incidents(write({"date": odd}, *rows))
    assert f"the {which} incident (row 2, {odd}) is" in caplog.text


NOBODY = pd.DataFrame({"iso_a3": [], "name": []})
SWAPPED = {"latitude": "60.9", "longitude": "29.5"}


def test_swapped_columns_are_recognised(write):
    with pytest.raises(DataError, match=r"latitude and longitude look swapped: 25% .* 75%"):
        read_incidents(write(SWAPPED, SWAPPED, SWAPPED, {}), region=REGION)


def test_swapped_columns_are_recognised_without_a_region(write):
    far = {"latitude": "120.5", "longitude": "29.5"}
    with pytest.raises(DataError, match="look swapped"):
        read_incidents(write(far, far))


def test_a_single_point_exchanged_or_far_away_is_told_apart(write):
    far = {"latitude": "10", "longitude": "20"}
    table = read_incidents(write({}, {}, SWAPPED, far), region=REGION)
    assert len(table.incidents) == 3
    assert table.rejected["reason"].tolist() == [
        "latitude and longitude look exchanged: 60.9, 29.5"
    ]
    assert table.notes[-1] == "1 incidents lie outside the expected region"


def test_filters_account_for_every_row(write):
    path = write(
        {},
        {"kind": "shelling"},
        {"confidence": "low"},
        {"date": "2001-01-01"},
        {"date": "2022-06-01", "date_precision": "year"},
        {"location_radius_km": "101"},
    )
    table = read_incidents(
        path,
        kinds=["ambush"],
        confidence=["high"],
        start="2010-01-01",
        end="2022-06-30",
        max_radius_km=100,
    )
    assert table.incidents["incident_id"].tolist() == ["A-1"]
    assert table.rejected["reason"].tolist() == [
        "left out by the filter kinds: kind is shelling",
        "left out by the filter confidence: confidence is low",
        "left out by the filter start: date is 2001-01-01",
        "left out by the filter end: date_end is 2022-12-31",
        "left out by the filter max_radius_km: radius_km is 101.0",
    ]


def test_bounds_of_filters_are_included(write):
    path = write({"location_radius_km": "100"})
    table = read_incidents(path, start="2020-05-17", end="2020-05-17", max_radius_km=100)
    assert len(table.incidents) == 1


def test_nothing_left_says_which_filter_took_what(write):
    path = write({"kind": "shelling"}, {"confidence": "low"}, {"date": "?"})
    with pytest.raises(DataError) as error:
        read_incidents(path, kinds=["ambush"], confidence=["high"])
    for text in ("none of the 3", "filter kinds: 1", "filter confidence: 1", "1 unusable"):
        assert text in str(error.value)


def test_a_misspelt_kind_is_caught_and_an_absent_one_is_not(write):
    with pytest.raises(ConfigError, match="Did you mean ambush"):
        read_incidents(write({}), kinds=["ambsh"])
    assert len(read_incidents(write({}), kinds=["ambush", "shelling"]).incidents) == 1


def test_an_impossible_bound_is_a_config_error(write):
    with pytest.raises(ConfigError, match=r"incidents\.start is not a date"):
        read_incidents(write({}), start="someday")


class TestHeaders:
    def test_missing_file(self, write):
        path = write({})
        with pytest.raises(DataError, match=r"incidnts\.csv does not exist\. Did you mean"):
            read_incidents(path.with_name("incidnts.csv"))

    def test_missing_columns(self, write):
        path = write({"lattitude": "1"}, drop=["latitude", "kind"])
        with pytest.raises(DataError, match=r"lacks 2 column.*latitude: Did you mean lattitude\?"):
            read_incidents(path)

    def test_unknown_layout(self, write):
        with pytest.raises(ConfigError, match="Did you mean ucdp_ged"):
            read_incidents(write({}), layout="ucdp-ged")

    def test_unknown_field_of_a_table(self, write):
        with pytest.raises(ConfigError, match=r"no field raduis_km\. Did you mean radius_km"):
            read_incidents(write({}), layout="table", columns={"raduis_km": "location_radius_km"})

    def test_mapped_column_that_is_not_there(self, write):
        with pytest.raises(DataError, match=r"lacks 1 column.*severity"):
            read_incidents(
                write({}), layout="table", columns={"kind": "severity"}, default_radius_km=1
            )

    def test_table_without_any_radius(self, write):
        with pytest.raises(ConfigError, match="default_radius_km"):
            read_incidents(write({}), layout="table")


def test_a_table_of_ones_own_needs_little(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "Nr;Tag;Y;X;R\n1;2020-05-17;29.5;60.9;\n2;3 January 2024;30.2;57.1;4\n3;2021-03;30;61;\n"
    )
    columns = {"id": "Nr", "date": "Tag", "latitude": "Y", "longitude": "X", "radius_km": "R"}
    table = read_incidents(path, "table", columns=columns, default_radius_km=25)
    found = table.incidents
    assert found["incident_id"].tolist() == ["1", "3", "2"]
    assert found["radius_km"].tolist() == [25, 25, 4]
    assert found["date_precision"].tolist() == ["day", "month", "day"]
    assert found["date_end"].tolist() == list(
        pd.to_datetime(["2020-05-17", "2021-03-31", "2024-01-03"])
    )
    assert set(found["kind"]) == {"unspecified"}
    assert set(found["weight"]) == {1.0}
    assert found["deaths_reported"].isna().all()


def test_a_table_without_ids_gets_them_from_its_rows(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("date,latitude,longitude\n2020-05-17,29.5,60.9\n2020-05-18,29.5,60.9\n")
    found = read_incidents(path, "table", default_radius_km=10).incidents
    assert found["incident_id"].tolist() == ["row-2", "row-3"]


def test_a_stated_end_of_the_period_counts(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "date,date_end,latitude,longitude,radius_km\n2020-05-17,2020-05-20,29.5,60.9,1\n"
        "2020-05-17,2020-05-01,29.5,60.9,1\n2020-05-17,,29.5,60.9,1\n"
    )
    table = read_incidents(path, "table")
    assert table.incidents["date_end"].dt.day.tolist() == [20, 17]
    assert table.rejected["reason"][0].startswith("date_end cannot be read or is before date")


@pytest.mark.parametrize("name", ["mine.geojson", "mine.gpkg"])
@pytest.mark.parametrize("crs", [4326, 32641])
def test_vector_tables_bring_their_own_positions(tmp_path, name, crs):
    if crs != 4326 and name.endswith("geojson"):
        pytest.skip("GeoJSON is always WGS84")
    frame = gpd.GeoDataFrame(
        {"when": pd.to_datetime(["2020-05-17", "2020-05-18"]), "dead": [3, None]},
        geometry=[shapely.Point(60.9, 29.5), shapely.box(60, 29, 61, 30)],
        crs=4326,
    )
    path = tmp_path / name
    frame.to_crs(crs).to_file(path)
    table = read_incidents(path, "table", {"date": "when", "deaths": "dead"}, 10, region=REGION)
    (one,) = table.incidents.itertuples()
    assert (round(one.geometry.x, 6), round(one.geometry.y, 6)) == (60.9, 29.5)
    assert one.deaths_reported == 3
    assert one.date == pd.Timestamp("2020-05-17")
    assert table.rejected["row"].tolist() == [2]


def test_reading_twice_gives_the_same(write):
    path = write({}, {"date": "2019-01-01"}, {"kind": ""})
    first, second = read_incidents(path), read_incidents(path)
    pd.testing.assert_frame_equal(first.incidents, second.incidents)
    pd.testing.assert_frame_equal(first.rejected, second.rejected)


def test_the_country_of_an_incident_is_what_its_table_says(write):
    countries = {"a": "Iran", "b": "PAK", "c": "", "d": "Atlantis", "e": "IRN"}
    rows = [{"incident_id": name, "country": said} for name, said in countries.items()]
    said = read_incidents(write(*rows)).in_country(pd.Series(list("edcba")), "IRN", NOBODY)
    assert [None if pd.isna(one) else one for one in said] == [1, None, None, 0, 1]


def test_what_the_outlines_call_a_country_goes_before_the_world(write):
    """Aland is an archipelago, unless the study has a country of that name."""
    rows = [{"incident_id": "a", "country": "Aland"}, {"incident_id": "b", "country": "AAA"}]
    table, ids = read_incidents(write(*rows)), pd.Series(["a", "b"])
    outlines = pd.DataFrame({"iso_a3": ["AAA", "BBB"], "name": ["Åland", "Beland"]})
    assert table.in_country(ids, "AAA", outlines).tolist() == [1, 1]
    assert table.in_country(ids, "BBB", outlines).tolist() == [0, 0]
    said = table.in_country(ids, "AAA", NOBODY)
    assert said[0] == 0
    assert pd.isna(said[1])
