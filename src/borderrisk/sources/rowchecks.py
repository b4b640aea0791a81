"""Turn the cells of an incident table into values, row by row, with a reason for each bad row."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from borderrisk.errors import DataError
from borderrisk.sources.dates import DIGITS

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
    """Raise ``DataError`` if most points make sense only with latitude and longitude exchanged.

    ``region`` is (west, south, east, north) in degrees where they are expected, else the globe.
    """
    if exchanged(lon, lat, region)[0]:
        known = lon.notna() & lat.notna()
        as_is = _inside(lon, lat, region or _GLOBE)[known].mean()
        swapped = _inside(lat, lon, region or _GLOBE)[known].mean()
        west, south, east, north = (f"{side:.4g}" for side in region or _GLOBE)
        raise DataError(
            f"{where}: latitude and longitude look swapped: {as_is:.0%} of the points lie in the "
            f"expected region ({west} to {east} E, {south} to {north} N) as they are, "
            f"{swapped:.0%} with the two columns exchanged. Exchange them in "
            "the file or in the column mapping."
        )


def _inside(x: pd.Series, y: pd.Series, bounds: Bounds) -> pd.Series:
    west, south, east, north = bounds
    return x.between(west, east) & y.between(south, north)
