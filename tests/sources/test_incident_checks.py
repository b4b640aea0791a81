"""Properties of dates, periods and the account of rejected rows."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderrisk.sources.incident_checks import Rejections, parse_dates, period

dates = st.dates(
    min_value=pd.Timestamp("1900-01-01").date(), max_value=pd.Timestamp("2200-12-31").date()
)


@given(
    st.lists(dates, min_size=1, max_size=20), st.sampled_from(["", " 00:00:00.000", "T12:30:00Z"])
)
def test_iso_dates_are_read_with_or_without_time(days, time):
    read, precision = parse_dates(pd.Series([day.isoformat() + time for day in days]))
    assert [moment.date() for moment in read] == days
    assert set(precision) == {"day"}


@given(dates, st.sampled_from(["day", "month", "year"]))
def test_a_period_contains_its_date_and_has_the_right_length(day, precision):
    first, last = period(pd.Series([pd.Timestamp(day)]), pd.Series([precision]))
    assert first[0].date() <= day <= last[0].date()
    days = (last[0] - first[0]).days + 1
    assert days in {"day": {1}, "month": {28, 29, 30, 31}, "year": {365, 366}}[precision]


@given(st.text(max_size=12))
def test_any_text_is_a_date_in_range_or_none(text):
    read, _ = parse_dates(pd.Series([text]))
    assert pd.isna(read[0]) or 1900 <= read[0].year <= 2200


@pytest.mark.parametrize(
    ("text", "date", "precision"),
    [
        ("2024", "2024-01-01", "year"),
        ("2024-02", "2024-02-01", "month"),
        ("2024-2-9", "2024-02-09", "day"),
        ("31 January 2023", "2023-01-31", "day"),
    ],
)
def test_shortened_and_worded_dates(text, date, precision):
    read, found = parse_dates(pd.Series([text]))
    assert read[0] == pd.Timestamp(date)
    assert found[0] == precision


def test_a_row_is_counted_once_under_its_first_reason():
    rejections = Rejections()
    rejections.add([4, 2], "late", ["x", "y"])
    rejections.add([2, 3], "far")
    assert rejections.counts() == {"late": 2, "far": 1}
    frame = rejections.frame(pd.Series({2: "b", 3: "c", 4: "d"}))
    assert frame["row"].tolist() == [2, 3, 4]
    assert frame["reason"].tolist() == ["late: y", "far", "late: x"]
