"""Turn the cells of an incident table into values, row by row, with a reason for each bad row."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from borderrisk.errors import DataError
from borderrisk.sources.dates import DIGITS

CONFIDENCE_WEIGHT = {"high": 1.0, "medium": 0.7, "low": 0.4}
_DECIMAL_COMMA = r"-?\d+,(\d{1,2}|\d{4,})"
_SEXAGESIMAL = re.compile(
    r"(\d{1,3})\s*[°º:d]\s*(\d{1,2}(?:\.\d+)?)\s*['′’:m]?\s*"
    r"(?:(\d{1,2}(?:\.\d+)?)\s*(?:[\"″”s]|'')?)?\s*([NSEWnsew])"
)
_DUPLICATES_SHOWN = 10


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
        match = _SEXAGESIMAL.fullmatch(str(values[row]).translate(DIGITS).strip())
        if match and match[2]:
            size = float(match[1]) + float(match[2]) / 60 + float(match[3] or 0) / 3600
            found[row] = -size if match[4].upper() in "SW" else size
    return found


def counts(values: pd.Series) -> pd.Series:
    """Return whole numbers (nullable), missing where blank or no count."""
    floats = numbers(values)
    return floats.where((floats >= 0) & (floats % 1 == 0)).astype("Int64")


def check_not_swapped(
    lon: pd.Series, lat: pd.Series, region: tuple[float, float, float, float] | None, where: str
) -> None:
    """Raise ``DataError`` if most points make sense only with latitude and longitude exchanged.

    ``region`` is (west, south, east, north) in degrees where they are expected, else the globe.
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
