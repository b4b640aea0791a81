"""What texts mean as dates."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderrisk.sources.rowchecks import read_dates, widened

days = st.dates(
    min_value=pd.Timestamp("1900-01-01").date(), max_value=pd.Timestamp("2200-12-31").date()
)


def one(text, calendar="gregorian"):
    row = read_dates(pd.Series([text]), calendar).iloc[0]
    span = f"{row['first']:%Y-%m-%d} {row['last']:%Y-%m-%d}" if pd.notna(row["first"]) else None
    return span, row["precision"], row["why"]


@given(
    st.lists(days, min_size=1, max_size=20),
    st.sampled_from(["", " 00:00:00.000", "T12:30:00Z", "T00:30:00+04:30", " 9:15 pm"]),
)
@settings(deadline=None)
def test_iso_dates_are_read_with_or_without_time(dates, time):
    read = read_dates(pd.Series([day.isoformat() + time for day in dates]))
    assert [moment.date() for moment in read["first"]] == dates
    assert read["first"].equals(read["last"])
    assert set(read["precision"]) == {"day"}


@given(st.text(max_size=12))
@settings(deadline=None)
def test_any_text_is_a_date_in_range_or_has_a_reason(text):
    read = read_dates(pd.Series([text])).iloc[0]
    assert pd.isna(read["first"]) == bool(read["why"])
    assert pd.isna(read["first"]) or 1900 <= read["first"].year <= read["last"].year <= 2200


@pytest.mark.parametrize(
    ("text", "span", "precision"),
    [
        ("2024", "2024-01-01 2024-12-31", "year"),
        ("2024-02", "2024-02-01 2024-02-29", "month"),
        ("2024-2-9", "2024-02-09 2024-02-09", "day"),
        ("2024/02/09", "2024-02-09 2024-02-09", "day"),
        ("20240209", "2024-02-09 2024-02-09", "day"),
        ("31 January 2023", "2023-01-31 2023-01-31", "day"),
        ("2013 January 31", "2013-01-31 2013-01-31", "day"),
        ("Jan. 31st, 2013", "2013-01-31 2013-01-31", "day"),
        ("Thu, 31 Jan 2013", "2013-01-31 2013-01-31", "day"),
        ("February 2012", "2012-02-01 2012-02-29", "month"),
        ("5/2013", "2013-05-01 2013-05-31", "month"),
        ("17.05.2013", "2013-05-17 2013-05-17", "day"),
        ("05/17/2013", "2013-05-17 2013-05-17", "day"),
        ("2013-05-01 to 2013-07-15", "2013-05-01 2013-07-15", "day"),
        ("between 2013-05 and 2013-07", "2013-05-01 2013-07-31", "month"),
        ("2012 or 2013", "2012-01-01 2013-12-31", "year"),
        ("2012-2013", "2012-01-01 2013-12-31", "year"),
        ("2013-05-01/2013-07-15", "2013-05-01 2013-07-15", "day"),
        ("5 May 2013 – June 2013", "2013-05-05 2013-06-30", "month"),
        ("41640", "2014-01-01 2014-01-01", "day"),
        ("۲۰۱۳-۰۵-۰۱", "2013-05-01 2013-05-01", "day"),
        ("٢٠١٣", "2013-01-01 2013-12-31", "year"),
    ],
)
def test_dates_as_people_write_them(text, span, precision):
    assert one(text) == (span, precision, "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "blank"),
        ("2013-02-30", "expected YYYY-MM-DD"),
        ("2013-00-00", "expected YYYY-MM-DD"),
        ("2013 (reported)", "expected YYYY-MM-DD"),
        ("2013-05-01 and later", "expected YYYY-MM-DD"),
        ("2013-07 to 2013-05", "expected YYYY-MM-DD"),
        ("12345678", "expected YYYY-MM-DD"),
        ("03/04/2013", "may be 3 April or 4 March"),
        ("1392-05-12", "calendar: jalali"),
    ],
)
def test_what_cannot_be_read_says_why(text, why):
    span, _, said = one(text)
    assert span is None
    assert why in said


@pytest.mark.parametrize(
    ("other", "first"), [("17/05/2013", "2013-04-03"), ("05/17/2013", "2013-03-04")]
)
def test_the_whole_column_decides_which_number_is_the_day(other, first):
    read = read_dates(pd.Series(["03/04/2013", other]))
    assert str(read["first"][0].date()) == first


def test_year_day_month_is_not_read_as_year_month_day():
    read = read_dates(pd.Series(["2013-04-03", "2013-17-05", "2014"]))
    assert read["first"].isna().tolist() == [True, True, False]
    assert "year-day-month" in read["why"][0]
    typo = read_dates(pd.Series(["2013-04-23", "2013-17-05"]))  # a 23rd month is none
    assert typo["first"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1392-05-12", "2013-08-03 2013-08-03"),
        ("1399-12-30", "2021-03-20 2021-03-20"),  # a leap day
        ("1404/01/01", "2025-03-21 2025-03-21"),
        ("1400-12", "2022-02-20 2022-03-20"),
        ("1399", "2020-03-20 2021-03-20"),
        ("2013-05-01", "2013-05-01 2013-05-01"),
        ("1398-12-30", None),
    ],
)
def test_the_iranian_calendar(text, span):
    assert one(text, "jalali")[0] == span


@given(days, st.sampled_from(["day", "week", "month", "year"]))
@settings(deadline=None)
def test_a_stated_precision_widens_to_the_whole_period(day, precision):
    read = read_dates(pd.Series([day.isoformat()]))
    wide = widened(read, pd.Series([precision])).iloc[0]
    assert wide["first"].date() <= day <= wide["last"].date()
    length = (wide["last"] - wide["first"]).days + 1
    assert (
        length
        in {"day": {1}, "week": {7}, "month": {*range(28, 32)}, "year": {365, 366}}[precision]
    )


def test_a_bare_year_stays_a_year_whatever_is_stated():
    wide = widened(read_dates(pd.Series(["2013", "2013-05"])), pd.Series(["day", ""]))
    assert wide["precision"].tolist() == ["year", "month"]
    assert wide["last"].dt.strftime("%m-%d").tolist() == ["12-31", "05-31"]
