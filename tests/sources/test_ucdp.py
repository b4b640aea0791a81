"""The published layout of UCDP GED."""

import csv

import pandas as pd
import pytest

from borderrisk.errors import DataError
from borderrisk.sources.incidents import read_incidents
from borderrisk.sources.layouts import GED_COLUMNS as COLUMNS

EVENT = dict.fromkeys(COLUMNS, "") | {
    "code_status": "Clear",
    "type_of_violence": "1",
    "conflict_name": "Iran: Government",
    "side_a": "Government of Iran",
    "side_b": "Jaish al-Adl",
    "source_article": '"Agency, 2020-01-02,\nA ""quoted"" headline"',
    "where_prec": "1",
    "where_coordinates": "Zahedan town",
    "adm_1": "Sistan and Baluchestan",
    "latitude": "29.496",
    "longitude": "60.863",
    "country": "Iran",
    "event_clarity": "1",
    "date_prec": "1",
    "date_start": "2020-01-02 00:00:00.000",
    "date_end": "2020-01-02 00:00:00.000",
    "best": "3",
}


@pytest.fixture
def write(tmp_path):
    def _write(*events, header=True, bom=False):
        path = tmp_path / "GEDEvent.csv"
        with path.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            if header:
                table.writeheader()
            table.writerows(EVENT | {"id": str(i)} | event for i, event in enumerate(events, 100))
        return path

    return _write


def test_the_layout_has_its_49_columns():
    assert len(COLUMNS) == len(set(COLUMNS)) == 49


def test_one_event_in_full(write):
    one = read_incidents(write({}), "ucdp_ged").incidents.iloc[0]
    assert one["incident_id"] == "100"
    assert one["date"] == one["date_end"] == pd.Timestamp("2020-01-02")
    assert (one["radius_km"], one["kind"], one["confidence"]) == (5.0, "state_based", "high")
    assert (one["actor"], one["target"]) == ("Government of Iran", "Jaish al-Adl")
    assert (one["place"], one["deaths_reported"]) == ("Zahedan town", 3)
    assert (one.geometry.x, one.geometry.y) == (60.863, 29.496)
    assert "\n" in one["source"]


@pytest.mark.parametrize(
    ("code", "km"), [("1", 5), ("2", 25), ("3", 50), ("4", 150), ("5", 50), ("2.0", 25)]
)
def test_where_prec_becomes_a_radius(write, code, km):
    assert read_incidents(write({"where_prec": code}), "ucdp_ged").incidents["radius_km"][0] == km


@pytest.mark.parametrize("code", ["6", "7", ""])
def test_events_without_a_place_are_rejected(write, code):
    table = read_incidents(write({}, {"where_prec": code}), "ucdp_ged")
    assert len(table.incidents) == 1
    assert table.rejected["reason"].tolist() == [f"where_prec cannot be used: {code!r}"]


@pytest.mark.parametrize(
    ("code", "kind"), [("1", "state_based"), ("2", "non_state"), ("3", "one_sided")]
)
def test_type_of_violence_becomes_a_kind(write, code, kind):
    assert (
        read_incidents(write({"type_of_violence": code}), "ucdp_ged").incidents["kind"][0] == kind
    )


@pytest.mark.parametrize(
    ("status", "clarity", "confidence"),
    [("Clear", "1", "high"), ("Clear", "2", "medium"), ("Check deaths", "1", "low")],
)
def test_clarity_becomes_confidence(write, status, clarity, confidence):
    path = write({"code_status": status, "event_clarity": clarity})
    assert read_incidents(path, "ucdp_ged").incidents["confidence"][0] == confidence


def test_the_period_of_the_file_is_kept(write):
    path = write({"date_prec": "4", "date_end": "2020-01-31 00:00:00.000"})
    one = read_incidents(path, "ucdp_ged").incidents.iloc[0]
    assert one["date_precision"] == "month"
    assert (one["date"], one["date_end"]) == (
        pd.Timestamp("2020-01-02"),
        pd.Timestamp("2020-01-31"),
    )


def test_dates_of_the_api_are_read(write):
    dates = {"date_start": "2020-01-02T00:00:00", "date_end": "2020-01-03T00:00:00"}
    one = read_incidents(write(dates), "ucdp_ged").incidents.iloc[0]
    assert (one["date_end"] - one["date"]).days == 1


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("bom", [True, False])
def test_old_files_without_header_and_byte_order_marks(write, header, bom):
    path = write({}, {}, header=header, bom=bom)
    assert read_incidents(path, "ucdp_ged").incidents["incident_id"].tolist() == ["100", "101"]


def test_no_header_and_too_few_columns_is_refused(tmp_path):
    path = tmp_path / "ged.csv"
    path.write_text("100,1,2\n101,3,4\n")
    with pytest.raises(DataError, match="no header and 3 columns"):
        read_incidents(path, "ucdp_ged")


def test_another_csv_is_no_ged(tmp_path):
    path = tmp_path / "ged.csv"
    path.write_text("id,date,latitude,longitude\n100,2020-01-01,1,2\n")
    with pytest.raises(DataError, match="lacks"):
        read_incidents(path, "ucdp_ged")
