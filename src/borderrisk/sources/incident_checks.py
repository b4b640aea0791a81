"""Turn the cells of an incident table into values, row by row, with a reason for each bad row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from borderrisk.errors import DataError

CONFIDENCE_WEIGHT = {"high": 1.0, "medium": 0.7, "low": 0.4}
PRECISIONS = ("day", "month", "year")
FIRST_YEAR, LAST_YEAR = 1900, 2200

_DATE = r"^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:[T ].*)?$"
_WORDED = r"^(\d{1,2} [A-Za-z]+ \d{4})$"
_DUPLICATES_SHOWN = 10


class Rejections:
    """Rows that cannot be used, with the first reason found for each.

    Attributes
    ----------
    reasons : dict of int to str
        Reason by row number.
    kinds : dict of int to str
        What was wrong, without the value, for counting.
    """

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
                "incident_id": [str(ids[row]) for row in rows],
                "reason": [self.reasons[row] for row in rows],
            }
        )


def check_unique(ids: pd.Series, where: str) -> None:
    """Raise ``DataError`` listing ids that occur more than once."""
    doubled = ids[ids.duplicated(keep=False) & (ids != "")]
    if doubled.empty:
        return
    shown = [
        f"{name} (rows {', '.join(str(row) for row in rows)})"
        for name, rows in list(doubled.groupby(doubled, sort=False).groups.items())
    ]
    more = len(shown) - _DUPLICATES_SHOWN
    text = "; ".join(shown[:_DUPLICATES_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    raise DataError(f"{where} has incident ids that occur more than once: {text}.")


def numbers(values: pd.Series) -> pd.Series:
    """Return floats; NaN where a cell is blank or no number."""
    return pd.to_numeric(values, errors="coerce").astype(float).replace([np.inf, -np.inf], np.nan)


def counts(values: pd.Series) -> pd.Series:
    """Return whole numbers (nullable), missing where blank or no count."""
    floats = numbers(values)
    return floats.where((floats >= 0) & (floats % 1 == 0)).astype("Int64")


def parse_dates(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Read ISO dates (whole or shortened, with or without time) and dates like 3 January 2024.

    Returns
    -------
    dates : pandas.Series of datetime64[ns]
        NaT where a cell is no date or outside the years 1900 to 2200; the first day of a
        shortened date.
    precision : pandas.Series of str
        ``day``, ``month`` (2024-01) or ``year`` (2024), as far as the text goes.
    """
    text = values.astype(str).str.strip()
    parts = text.str.extract(_DATE)
    parts.columns = pd.Index(["year", "month", "day"])
    iso = parts["year"] + "-" + parts["month"].fillna("1") + "-" + parts["day"].fillna("1")
    dates = pd.to_datetime(iso, format="%Y-%m-%d", errors="coerce")
    worded = pd.to_datetime(text.str.extract(_WORDED)[0], format="%d %B %Y", errors="coerce")
    dates = dates.fillna(worded)
    dates = dates.where(dates.dt.year.between(FIRST_YEAR, LAST_YEAR)).astype("datetime64[ns]")
    is_year = parts["year"].notna() & parts["month"].isna()
    is_month = parts["month"].notna() & parts["day"].isna()
    precision = pd.Series("day", index=values.index).mask(is_month, "month").mask(is_year, "year")
    return dates, precision


def date_hint(text: str) -> str:
    """Return what may be wrong with a date that cannot be read."""
    year = text[:4]
    if year.isdigit() and 1300 <= int(year) <= 1500:
        return f"{text!r} (the Iranian calendar? convert to the Gregorian one)"
    return f"{text!r} (expected YYYY-MM-DD)" if text else "blank"


def period(dates: pd.Series, precision: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return first and last day of the reported period.

    A day is itself; a month runs from the 1st to its end; a year to 31 December.
    """
    month = dates.dt.to_period("M")
    year = dates.dt.to_period("Y")
    is_month, is_year = precision == "month", precision == "year"
    start = dates.mask(is_month, month.dt.start_time).mask(is_year, year.dt.start_time)
    month_end = month.dt.end_time.dt.normalize()
    end = dates.mask(is_month, month_end).mask(is_year, year.dt.end_time.dt.normalize())
    return start.astype("datetime64[ns]"), end.astype("datetime64[ns]")


def check_not_swapped(
    lon: pd.Series, lat: pd.Series, region: tuple[float, float, float, float] | None, where: str
) -> None:
    """Raise ``DataError`` if most points make sense only with latitude and longitude exchanged.

    Parameters
    ----------
    lon, lat : pandas.Series of float
        Degrees as the file has them.
    region : tuple of float, optional
        ``(west, south, east, north)`` where the incidents are expected; the globe if None.
    where : str
        The file, for the message.
    """
    bounds = region or (-180.0, -90.0, 180.0, 90.0)
    known = lon.notna() & lat.notna()
    as_is = _share_inside(lon[known], lat[known], bounds)
    swapped = _share_inside(lat[known], lon[known], bounds)
    if swapped > 0.5 > as_is:
        raise DataError(
            f"{where}: latitude and longitude look swapped: {as_is:.0%} of the points lie in the "
            f"expected region {tuple(float(b) for b in bounds)} as they are, {swapped:.0%} with "
            "the two columns exchanged. Exchange them in the file or in the column mapping."
        )


def _share_inside(x: pd.Series, y: pd.Series, bounds: tuple[float, float, float, float]) -> float:
    if x.empty:
        return 0.0
    west, south, east, north = bounds
    return float((x.between(west, east) & y.between(south, north)).mean())
