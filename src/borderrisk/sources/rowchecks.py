"""The cells of a row to values, or a reason: dates as people write them, numbers, degrees."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from borderrisk.errors import DataError

PRECISIONS = ("day", "week", "month", "year")
"""From fine to coarse; a week is the seven days around its date."""

DIGITS = {ord(zero) + n: str(n) for zero in "\u06f0\u0660" for n in range(10)}
"""Persian and Arabic digits, and their decimal sign, to plain ones."""
DIGITS |= {0x066B: ".", 0x2212: "-"}

_YEARS = range(1900, 2201)
_JALALI_YEARS = range(1243, 1473)  # in which the rule of 33 years holds
_JALALI_1300 = date(1921, 3, 21)
_LEAP_OF_33 = (1, 5, 9, 13, 17, 22, 26, 30)
_SPREADSHEET = date(1899, 12, 30)
_SPREADSHEET_DAYS = range(20_000, 73_050)  # 1954 to 2099

_TIME = re.compile(
    r"[T ]\s*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?(\d{2})?)?$"
)
_ISO = re.compile(r"(?P<y>\d{4})(?:([-/.])(?P<m>\d{1,2})(?:\2(?P<d>\d{1,2}))?)?$")
_COMPACT = re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})$")
_MONTH_YEAR = re.compile(r"(?P<m>\d{1,2})[-/.](?P<y>\d{4})$")
_NUMERIC = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})$")
_BETWEEN = (
    re.compile(r"\s+(?:to|or|and|until|till|through|[-–—])\s+", re.I),
    re.compile(r"\s*(?:[–—]|\.\.+|--)\s*"),
    re.compile(r"(?<=\d{4})[-/](?=\d{4}$)|(?<=-\d\d)/(?=\d{4}-)"),
)
_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_MONTHS = {name[:n]: i for i, name in enumerate(_NAMES, 1) for n in (3, 4, len(name))}
_WEEKDAYS = re.compile(r"(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?\b[\s,.]*")
Bounds = tuple[float, float, float, float]

CONFIDENCE_WEIGHT = {"high": 1.0, "medium": 0.7, "low": 0.4}
_GLOBE = (-180.0, -90.0, 180.0, 90.0)
_DECIMAL_COMMA = r"-?\d+,(\d{1,2}|\d{4,})"
# Degrees, with minutes and seconds or not; a sign, or the side of the globe before or after.
_SEXAGESIMAL = re.compile(
    r"([NSEW-])?\s*(\d{1,3}(?:\.\d+)?)\s*[°º:d\s-]?\s*"
    r"(?:(\d{1,2}(?:\.\d+)?)\s*['′’:m\s-]?\s*)?(?:(\d{1,2}(?:\.\d+)?)\s*(?:[\"″”s]|'')??\s*)?"
    r"([NSEW])?",
    re.I,
)


class Period(NamedTuple):
    """The days that a text may mean."""

    first: date
    last: date
    precision: str = "day"


class _UnreadError(Exception):
    """Why a text is no date."""


def read_dates(values: pd.Series, calendar: str = "gregorian") -> pd.DataFrame:
    """Read a column of dates to ``first``, ``last`` (NaT where unreadable), ``precision``, ``why``.

    Whole or shortened dates (2013, 2013-05, 2013-05-17, with or without a time of day, whose own
    day counts), dates with the month in words, day numbers of spreadsheets, and periods ("2013-05
    to 2013-07", "2012 or 2013"). Whether 03/04/2013 is in March or April is decided over the
    whole column. The calendar ``jalali`` converts years of the Iranian one, 1243 to 1472. ``why``
    says what is wrong, else it is blank.
    """
    text = values.astype(str).str.strip().str.translate(DIGITS)
    distinct = [str(t) for t in text.unique()]
    day_first = _day_first(distinct)
    read = {t: _read(t, calendar == "jalali", day_first) for t in distinct}
    if _year_day_month(distinct):
        why = "{!r} (other cells are year-day-month; write YYYY-MM-DD)"
        read |= {t: ("", "", "day", why.format(t)) for t in distinct if _whole_iso(t)}
    rows = [read[t] for t in text]
    frame = pd.DataFrame(rows, columns=["first", "last", "precision", "why"], dtype=str)
    for name in ("first", "last"):
        frame[name] = pd.to_datetime(frame[name], errors="coerce").astype("datetime64[ns]")
    return frame.set_axis(values.index)


def widened(dates: pd.DataFrame, stated: pd.Series) -> pd.DataFrame:
    """Return ``first, last, precision`` where a precision is stated that is coarser than the text.

    A text that is coarser itself (a bare year) stays what it is, whatever is stated.
    """
    wider = pd.Series(list(map(coarser, dates["precision"], stated)), index=dates.index, dtype=str)
    first, last = dates["first"], dates["last"]
    changed = wider != dates["precision"]
    for name, unit in (("month", "M"), ("year", "Y")):
        here = changed & (wider == name)
        first = first.mask(here, first.dt.to_period(unit).dt.start_time)
        last = last.mask(here, last.dt.to_period(unit).dt.end_time.dt.normalize())
    half = pd.Timedelta(days=3)
    week = changed & (wider == "week")
    first, last = first.mask(week, first - half), last.mask(week, last + half)
    return pd.DataFrame({"first": first, "last": last, "precision": wider})


def coarser(one: str, other: str) -> str:
    """Return the coarser of two precisions; what is no precision gives way."""
    return max(one, other, key=lambda name: PRECISIONS.index(name) if name in PRECISIONS else -1)


def is_day_number(text: str) -> bool:
    """Whether a text is a date only as a spreadsheet's day number."""
    found = re.fullmatch(r"(\d{5})(\.\d+)?", text)
    return found is not None and int(found[1]) in _SPREADSHEET_DAYS


def _read(text: str, jalali: bool, day_first: bool | None) -> tuple[str, str, str, str]:
    try:
        found = _single(text, jalali, day_first) or _range(text, jalali, day_first)
    except _UnreadError as why:
        return ("", "", "day", str(why))
    except (ValueError, OverflowError):
        found = None
    if found is None:
        return ("", "", "day", _hint(text))
    return (found.first.isoformat(), found.last.isoformat(), found.precision, "")


def _range(text: str, jalali: bool, day_first: bool | None) -> Period | None:
    inner = re.sub(r"^(between|from)\s+", "", text, flags=re.I)
    for between in _BETWEEN:
        ends = between.split(inner)
        if len(ends) == 2:
            first, last = (_single(end.strip(), jalali, day_first) for end in ends)
            if first and last and first.first <= last.last:
                return Period(first.first, last.last, coarser(first.precision, last.precision))
    return None


def _single(text: str, jalali: bool, day_first: bool | None) -> Period | None:
    text = _TIME.sub("", text).strip()
    for pattern in (_ISO, _COMPACT, _MONTH_YEAR):
        if found := pattern.match(text):
            parts = found.groupdict()
            return _days(parts["y"], parts.get("m"), parts.get("d"), jalali)
    if found := _NUMERIC.match(text):
        one, other = found[1], found[3]
        if int(one) > 12 or int(other) > 12 or one == other:
            day_first = int(one) > 12
        if day_first is None:
            either = [
                f"{int(d)} {_NAMES[int(m) - 1].title()}" for d, m in ((one, other), (other, one))
            ]
            raise _UnreadError(f"{text!r} may be {' or '.join(either)}; write YYYY-MM-DD")
        month, day = (other, one) if day_first else (one, other)
        return _days(found[4], month, day, jalali)
    if is_day_number(text):
        only = _SPREADSHEET + timedelta(days=int(text[:5]))
        return Period(only, only)
    return _worded(text)


def _days(year: str, month: str | None, day: str | None, jalali: bool = False) -> Period:
    y, m, d = int(year), int(month or 1), int(day or 1)
    if y in _JALALI_YEARS and jalali:
        first, after = _jalali(y, m, d), _jalali(y + 1, 1, 1)
        if month and m < 12:
            after = _jalali(y, m + 1, 1)
    elif y in _YEARS:
        first, after = date(y, m, d), date(y + 1, 1, 1)
        if month and m < 12:
            after = date(y, m + 1, 1)
    else:
        raise _UnreadError(_hint("-".join(part for part in (year, month, day) if part)))
    if day is not None:
        return Period(first, first)
    return Period(first, after - timedelta(days=1), "month" if month else "year")


def _jalali(year: int, month: int, day: int) -> date:
    """Six months of 31 days, then of 30; the last has 29, in a leap year 30.

    Every 33 years have 8 leap days, in the years whose remainder is in ``_LEAP_OF_33``.
    """

    def leaps(before: int) -> int:
        return before // 33 * 8 + sum(rest < before % 33 for rest in _LEAP_OF_33)

    leap = leaps(year + 1) - leaps(year)
    longest = 31 if month <= 6 else 30 if month <= 11 else 29 + leap
    if not (1 <= month <= 12 and 1 <= day <= longest):
        raise ValueError(f"no day {day} in month {month} of {year}")
    days = 365 * (year - 1300) + leaps(year) - leaps(1300)
    return _JALALI_1300 + timedelta(days + 31 * (month - 1) - max(month - 7, 0) + day - 1)


def _worded(text: str) -> Period | None:
    """Read 31 January 2023, January 31, 2023, 2023 January 31, January 2023 and the like."""
    words = re.split(r"[\s,./-]+", _WEEKDAYS.sub("", text.lower(), count=1))
    words = [re.sub(r"^(\d{1,2})(st|nd|rd|th)$", r"\1", word) for word in words if word]
    months = [str(_MONTHS[word]) for word in words if word in _MONTHS]
    years = [word for word in words if re.fullmatch(r"\d{4}", word)]
    days = [word for word in words if re.fullmatch(r"\d{1,2}", word)]
    if (len(months), len(years)) != (1, 1) or len(days) > 1 or len(words) != 2 + len(days):
        return None
    return _days(years[0], months[0], days[0] if days else None)


def _day_first(texts: Iterable[str]) -> bool | None:
    """Whether 03/04/2013 is 3 April, as the other cells of a column show; None if they do not."""
    found = [m for m in map(_NUMERIC.match, (_TIME.sub("", t).strip() for t in texts)) if m]
    first, second = (any(int(m[k]) > 12 for m in found) for k in (1, 3))
    return None if first == second else first


def _year_day_month(texts: Iterable[str]) -> bool:
    """Whether cells like 2013-17-05 show that 2013-04-03 is 4 March."""
    found = [m for m in map(_whole_iso, texts) if m]
    return any(int(m["m"]) > 12 for m in found) and not any(int(m["d"]) > 12 for m in found)


def _whole_iso(text: str) -> re.Match[str] | None:
    found = _ISO.match(_TIME.sub("", text).strip())
    return found if found and found["d"] else None


def _hint(text: str) -> str:
    """Return what may be wrong with a date that cannot be read."""
    if not text:
        return "blank"
    if re.match("1[34][0-9]{2}", text):
        return (
            f"{text!r} (the Iranian calendar? set data.incidents.calendar: jalali, or convert to "
            "the Gregorian one)"
        )
    return f"{text!r} (expected YYYY-MM-DD)"


class Rejections:
    """Rows that cannot be used: the first reason for each, and its kind, for counting."""

    def __init__(self) -> None:
        self.reasons: dict[int, str] = {}
        self.kinds: dict[int, str] = {}

    def add(self, rows: Iterable[int], kind: str, details: Iterable[str] | None = None) -> None:
        """Reject ``rows``; a row already rejected keeps its first reason."""
        rows = [int(row) for row in rows]
        for row, detail in zip(rows, [""] * len(rows) if details is None else details, strict=True):
            if row not in self.reasons:
                self.reasons[row] = f"{kind}: {detail}" if detail else kind
                self.kinds[row] = kind

    def where(self, wrong: np.ndarray | pd.Series, values: pd.Series, kind: str) -> None:
        """Reject the rows where ``wrong`` holds, quoting their values."""
        bad = values[np.asarray(wrong, dtype=bool)]
        self.add(bad.index, kind, [repr(value) for value in bad])

    def counts(self) -> dict[str, int]:
        """Return the number of rejected rows by kind, most frequent first."""
        return {str(kind): int(n) for kind, n in pd.Series(self.kinds).value_counts().items()}

    def frame(self, ids: pd.Series) -> pd.DataFrame:
        """Return ``row, incident_id, reason`` in row order."""
        rows = sorted(self.reasons)
        return pd.DataFrame(
            {
                "row": np.array(rows, dtype="int64"),
                "incident_id": pd.Series([str(ids[row]) for row in rows], dtype=str),
                "reason": pd.Series([self.reasons[row] for row in rows], dtype=str),
            }
        )


def reject_repeated(ids: pd.Series, rejections: Rejections) -> int:
    """Reject the usable rows whose id is that of a later usable row; return how many."""
    usable = ids[~ids.index.isin(list(rejections.reasons))]
    last = {name: row for row, name in usable.items()}
    again = usable[usable.duplicated(keep="last")]
    details = [f"{name!r} is row {last[name]}" for name in again]
    rejections.add(again.index, "incident id of a later row", details)
    return len(again)


def refuse_cell(column: pd.Series, wrong: pd.Series, where: str, expected: str) -> None:
    """Raise ``DataError`` at the first cell of a column that is wrong, and say what is expected."""
    if wrong.any():
        row = column.index[wrong][0]
        raise DataError(f"{where}, row {row}: {column.name} is {column[row]!r}; {expected}.")


def numbers(values: pd.Series) -> pd.Series:
    """Return floats; NaN where a cell is blank or no number.

    Digits of any script count, and a comma before one, two or more than three digits is a decimal
    sign; before three it may as well part thousands, and the cell is no number.
    """
    plain = values.astype(str).str.translate(DIGITS)
    commas = plain.str.contains(",", regex=False)
    if commas.any():
        decimal = plain.str.fullmatch(_DECIMAL_COMMA)
        plain = plain.mask(decimal, plain.str.replace(",", ".", regex=False))
    return pd.to_numeric(plain, errors="coerce").astype(float).replace([np.inf, -np.inf], np.nan)


def degrees(values: pd.Series) -> pd.Series:
    """Return degrees, also of cells such as 31°12'30"N; NaN where a cell is none."""
    # Of degrees, three digits after a comma are no thousands.
    found = numbers(values.astype(str).str.replace(r"^(-?\d{1,3}),(\d+)$", r"\1.\2", regex=True))
    for row in found.index[found.isna() & (values != "")]:
        text = str(values[row]).translate(DIGITS).strip()
        match = _SEXAGESIMAL.fullmatch(text) if len(text) < 40 else None
        if match is None:
            continue
        sides = "".join(side.upper() for side in match.group(1, 5) if side)
        whole, minutes, seconds = (float(part or 0) for part in match.group(2, 3, 4))
        signed = len(sides) == 1 or (not sides and re.search("[°º]", match[0]))
        if signed and minutes < 60 and seconds < 60:
            size = whole + minutes / 60 + seconds / 3600
            found[row] = -size if sides in ("S", "W", "-") else size
    return found


def counts(values: pd.Series) -> pd.Series:
    """Return whole numbers (nullable), missing where blank or no count."""
    floats = numbers(values)
    return floats.where((floats >= 0) & (floats % 1 == 0)).astype("Int64")


def exchanged(lon: pd.Series, lat: pd.Series, region: Bounds | None) -> tuple[bool, pd.Series]:
    """Whether most points make sense only with latitude and longitude exchanged, and which do.

    ``region`` is (west, south, east, north) in degrees where they are expected, else the globe.
    """
    bounds = region or _GLOBE
    known = lon.notna() & lat.notna()
    as_is, swapped = _inside(lon, lat, bounds), _inside(lat, lon, bounds)
    most = known.any() and swapped[known].mean() > 0.5 > as_is[known].mean()
    return bool(most), swapped & ~as_is


def check_not_swapped(lon: pd.Series, lat: pd.Series, region: Bounds | None, where: str) -> None:
    """Raise ``DataError`` if most points make sense only as :func:`exchanged` says."""
    if exchanged(lon, lat, region)[0]:
        known, bounds = lon.notna() & lat.notna(), region or _GLOBE
        as_is, swapped = (_inside(*xy, bounds)[known].mean() for xy in ((lon, lat), (lat, lon)))
        west, south, east, north = (f"{side:.4g}" for side in bounds)
        raise DataError(
            f"{where}: latitude and longitude look swapped: {as_is:.0%} of the points lie in the "
            f"expected region ({west} to {east} E, {south} to {north} N) as they are, "
            f"{swapped:.0%} with the two columns exchanged. Exchange them in "
            "the file or in the column mapping."
        )


def _inside(x: pd.Series, y: pd.Series, bounds: Bounds) -> pd.Series:
    west, south, east, north = bounds
    return x.between(west, east) & y.between(south, north)
