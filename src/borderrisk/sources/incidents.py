"""Incidents: read a file in any known layout, check it, filter it, keep account of every row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.errors import ConfigError, DataError, did_you_mean
from borderrisk.grid import WGS84
from borderrisk.sources import rowchecks as checks
from borderrisk.sources.layouts import LAYOUTS, read_layout, read_table
from borderrisk.sources.rowchecks import CONFIDENCE_WEIGHT, Bounds, Rejections
from borderrisk.sources.worldbase import plain_name, world

log = logging.getLogger(__name__)

AHEAD = "dated ahead of now"
TEXT_FIELDS = ("place", "province", "country", "actor", "target", "summary", "source")
COLUMNS = (
    "incident_id", "date", "date_end", "date_precision", "radius_km", "kind", "confidence",
    "weight", "place", "province", "country", "actor", "target", "deaths_reported", "summary",
    "source", "geometry",
)  # fmt: skip

# A single date so far from the others that they span less is worth a look.
_APART_YEARS, _YEAR_DAYS = 10, 365.25


@dataclass(frozen=True)
class IncidentTable:
    """Usable incidents, and what became of the other rows.

    ``incidents`` has the ``COLUMNS``, sorted by date, then id; ``date`` and ``date_end`` are the
    first and last day of the reported period. ``rejected`` has ``row`` (the header is row 1; in
    vector files the feature number), ``incident_id`` and ``reason`` of rows that cannot be used
    or that a filter left out. ``notes`` are counts, for logs and reports.
    """

    incidents: gpd.GeoDataFrame
    rejected: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def in_country(self, ids: pd.Series, home: str, countries: pd.DataFrame) -> np.ndarray:
        """Whether incidents were in the country ``home`` (a code), by what the file says.

        1 or 0 for each of ``ids``; NaN where the file names no country that is known. What the
        outlines, ``countries``, call theirs (``iso_a3, name``) goes before the base's names.
        """
        names = self.incidents.set_index("incident_id")["country"].loc[ids]
        own = dict(zip(countries["name"].map(plain_name), countries["iso_a3"], strict=True))
        own |= {plain_name(code): code for code in countries["iso_a3"]}
        codes = {n: own.get(plain_name(n)) or world().code(n) for n in names.unique() if n}
        found = pd.Series([codes.get(name, "") for name in names], dtype=str)
        return (found == home).astype(float).where(found != "").to_numpy()

    @classmethod
    def none(cls) -> IncidentTable:
        """Return a table without any incident."""
        dates = dict.fromkeys(("date", "date_end"), "datetime64[ns]")
        types: dict[str, Any] = {**dates, **dict.fromkeys(("radius_km", "weight"), float)}
        columns = {name: pd.Series([], dtype=types.get(name, object)) for name in COLUMNS[:-1]}
        empty = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([], crs=WGS84))
        return cls(empty, rows_left_out())


def rows_left_out(*parts: pd.DataFrame) -> pd.DataFrame:
    """Join tables of rows that are not used: ``row, incident_id, reason``."""
    none = pd.DataFrame({"incident_id": [], "reason": []}, dtype=str)
    table = pd.concat([part for part in parts if len(part)] or [none], ignore_index=True)
    # Only the reader knows the row of the file: whole numbers with gaps.
    return table.reindex(columns=["row", "incident_id", "reason"]).astype({"row": "Int64"})


def read_incidents(
    path: str | Path,
    layout: str = "public_record",
    columns: Mapping[str, str] | None = None,
    default_radius_km: float | None = None,
    *,
    kinds: Sequence[str] | None = None,
    confidence: Sequence[str] | None = None,
    start: Any = None,
    end: Any = None,
    max_radius_km: float | None = None,
    region: Bounds | None = None,
    calendar: str = "gregorian",
    radius_km: Mapping[str, float] | None = None,
) -> IncidentTable:
    """Read, check and filter a file of incidents.

    ``layout`` names the columns: those of the shipped table, of published files, or of any
    ``table``, whose ``columns`` map our names to the file's and whose rows without a radius get the
    default. ``radius_km`` is what codes of a place's precision mean; ``calendar`` may be jalali.
    Only incidents of these kinds and confidences are kept, whose whole period lies from ``start``
    to ``end`` and whose radius is at most ``max_radius_km``; None keeps all. ``region`` (west,
    south, east, north, in degrees) only serves to detect exchanged columns and to count points
    outside; nothing is cut.

    ConfigError for an unknown layout, field or kind; DataError for a file that cannot be read,
    exchanged columns of coordinates, or no rows left.
    """
    where = f"incidents: {path}"
    rejections = Rejections()
    if layout not in ("table", *LAYOUTS):
        hint = did_you_mean(layout, ("table", *LAYOUTS))
        raise ConfigError(f"incidents.layout: there is no layout {layout!r}.{hint}")
    if layout == "table":
        records = read_table(path, columns, default_radius_km, rejections, radius_km)
    else:
        records = read_layout(path, layout, rejections, radius_km)
    frame = _values(records, rejections, region, where, calendar)
    if again := checks.reject_repeated(records["incident_id"], rejections):
        log.warning(
            "%s: %d rows have the incident id of a later row and are left out; if they are "
            "incidents of their own, give each its own.", *(where, again),
        )  # fmt: skip
    usable = frame[~frame.index.isin(list(rejections.reasons))]
    if again > len(usable):
        named = records["incident_id"].mode()[0]
        raise DataError(
            f"{where}: {again} of {len(records)} rows have the incident id of a later row "
            f"(most often {named!r}); map another column to incident_id, or none."
        )
    counts = rejections.counts()
    if usable.empty:
        row = min(rejections.reasons)
        raise DataError(
            f"{where}: none of the {len(records)} rows can be used ({_listed(counts)}); "
            f"the first is row {row}: {rejections.reasons[row]}."
        )
    _check_kinds(kinds, usable["kind"])
    filters = (kinds, confidence, _moment(start, "start"), _moment(end, "end"), max_radius_km)
    kept = _filtered(usable, rejections, *filters)
    if kept.empty:
        left = {kind: n for kind, n in rejections.counts().items() if kind not in counts}
        unusable = f", {sum(counts.values())} unusable" if counts else ""
        raise DataError(
            f"{where}: the filters leave none of the {len(records)} incidents ({_listed(left)}"
            f"{unusable}); widen kinds, confidence, start, end or max_radius_km."
        )
    for far in _apart(kept["date"]):
        log.warning("%s: %s", where, far)
    notes = _notes(rejections, records, kept, region)
    incidents = kept.sort_values(["date", "incident_id"], kind="stable").reset_index(drop=True)
    return IncidentTable(incidents, rejections.frame(records["incident_id"]), notes)


def _values(
    records: pd.DataFrame, rejections: Rejections, region: Bounds | None, where: str, calendar: str
) -> gpd.GeoDataFrame:
    """Turn text into values; rows that fail are entered in ``rejections``."""
    rejections.where(records["incident_id"] == "", records["incident_id"], "no incident id")
    lon, lat = _positions(records, rejections, region, where)
    date, date_end, precision = _dates(records, rejections, calendar)
    radius = checks.numbers(records["radius_km"])
    rejections.where(~(radius > 0), records["radius_km"], "radius is not a positive number of km")
    level = records["confidence"].str.lower()
    rejections.where(~level.isin(CONFIDENCE_WEIGHT), records["confidence"], "unknown confidence")
    rejections.where(records["kind"] == "", records["kind"], "no kind")
    values = {
        "incident_id": records["incident_id"],
        "date": date,
        "date_end": date_end,
        "date_precision": precision,
        "radius_km": radius,
        "kind": records["kind"],
        "confidence": level,
        "weight": level.map(CONFIDENCE_WEIGHT),
        "deaths_reported": checks.counts(records["deaths_reported"]),
        **{name: records[name] for name in TEXT_FIELDS},
    }
    points = gpd.points_from_xy(lon, lat)
    return gpd.GeoDataFrame(values, geometry=points, crs=WGS84)[list(COLUMNS)]


def _positions(
    records: pd.DataFrame, rejections: Rejections, region: Bounds | None, where: str
) -> tuple[pd.Series, pd.Series]:
    lat, lon = checks.degrees(records["latitude"]), checks.degrees(records["longitude"])
    checks.check_not_swapped(lon, lat, region, where)
    for name, values, limit in (("latitude", lat, 90), ("longitude", lon, 180)):
        wrong = ~values.between(-limit, limit)
        rejections.where(wrong, records[name], f"{name} is not a number of degrees")
    nowhere = (lat == 0) & (lon == 0)
    rejections.add(lat.index[nowhere], "latitude and longitude are both 0")
    if region is not None:
        _, odd = checks.exchanged(lon, lat, region)
        shown = [f"{y:g}, {x:g}" for y, x in zip(lat[odd], lon[odd], strict=True)]
        rejections.add(lat.index[odd], "latitude and longitude look exchanged", shown)
    return lon, lat


def _dates(
    records: pd.DataFrame, rejections: Rejections, calendar: str
) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return first day, last day and precision of the reported period."""
    read = checks.read_dates(pd.concat([records["date"], records["date_end"]]), calendar)
    dates, ends = read.iloc[: len(records)], read.iloc[len(records) :]
    unread = dates["first"].isna()
    rejections.add(dates.index[unread], "date cannot be read", dates.loc[unread, "why"])
    given = records["date_precision"].str.lower()
    rejections.where(
        ~given.isin([*checks.PRECISIONS, ""]), records["date_precision"], "unknown date_precision"
    )
    whole = checks.widened(dates, given)
    stated = records["date_end"] != ""
    wrong = stated & (ends["last"].isna() | (ends["last"] < dates["first"]))
    rejections.where(wrong, records["date_end"], "date_end cannot be read or is before date")
    first = whole["first"].mask(stated, dates["first"])
    last = whole["last"].mask(stated, ends["last"])
    # Somewhere on earth it is tomorrow already; a period known to the year may end in December.
    now = pd.Timestamp.now()
    ahead = (first > now + pd.Timedelta(days=1)) | (last.dt.year > now.year)
    rejections.where(ahead, records["date_end"].mask(~stated, records["date"]), AHEAD)
    return first, last, whole["precision"]


def _filtered(
    frame: gpd.GeoDataFrame, rejections: Rejections, kinds: Sequence[str] | None,
    confidence: Sequence[str] | None, start: pd.Timestamp | None, end: pd.Timestamp | None,
    max_radius_km: float | None,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Return the rows that every filter keeps (None = all); one left out by several counts once."""
    filters: dict[str, tuple[str, Any, Callable[[pd.Series], pd.Series]]] = {
        "kinds": ("kind", kinds, lambda column: ~column.isin(list(kinds or ()))),
        "confidence": (
            "confidence",
            confidence,
            lambda column: ~column.isin(list(confidence or ())),
        ),
        "start": ("date", start, lambda column: column < start),
        "end": ("date_end", end, lambda column: column > end),
        "max_radius_km": ("radius_km", max_radius_km, lambda column: column > max_radius_km),
    }
    out = np.zeros(len(frame), dtype=bool)
    for name, (column, given, leaves_out) in filters.items():
        if given is not None:
            mask = leaves_out(frame[column])
            details = [f"{column} is {_shown(value)}" for value in frame[column][mask]]
            rejections.add(frame.index[mask], f"left out by the filter {name}", details)
            out |= np.asarray(mask)
    return frame[~out]


def _check_kinds(kinds: Sequence[str] | None, present: pd.Series) -> None:
    """Catch a misspelt kind: one that is close to, but not among, those of the file."""
    choices = sorted(set(present))
    for kind in kinds or ():
        hint = did_you_mean(kind, choices)
        if kind not in choices and "Did you mean" in hint:
            raise ConfigError(f"incidents.kinds: no incident has the kind {kind}.{hint}")


def _moment(value: Any, name: str) -> pd.Timestamp | None:
    try:
        return None if value is None else pd.Timestamp(value)
    except ValueError as error:
        raise ConfigError(f"incidents.{name} is not a date (got {value!r}).") from error


def _shown(value: Any) -> str:
    return str(value.date()) if isinstance(value, pd.Timestamp) else f"{value}"


def _notes(
    rejections: Rejections, records: pd.DataFrame, kept: gpd.GeoDataFrame, region: Bounds | None
) -> list[str]:
    """Count what is used and what is not, and say which cells were not taken as they are."""
    notes = [f"{len(kept)} of {len(records)} incidents are used"]
    for kind, count in rejections.counts().items():
        row = min(row for row, its in rejections.kinds.items() if its == kind)
        detail = rejections.reasons[row].removeprefix(kind).removeprefix(": ")
        rows = "1 row" if count == 1 else f"{count} rows"
        notes.append(f"{rows}: {kind}" + f" (row {row}: {detail})" * bool(detail))
    if region is not None:
        west, south, east, north = region
        inside = kept.geometry.x.between(west, east) & kept.geometry.y.between(south, north)
        if not inside.all():
            notes.append(f"{int((~inside).sum())} incidents lie outside the expected region")
    used = records.loc[kept.index]
    if unread := int(((used["deaths_reported"] != "") & kept["deaths_reported"].isna()).sum()):
        notes.append(f"{unread} deaths_reported are not whole numbers; taken as unknown")
    if numbered := int(used["date"].map(checks.is_day_number).sum()):
        notes.append(f"{numbered} dates are day numbers of a spreadsheet (41640 = 2014-01-01)")
    return notes


def _apart(dates: pd.Series) -> list[str]:
    """Say of a first or last date that is far from all others that it may be a slip."""
    days = dates.sort_values()
    if len(days) < 3:
        return []
    found = []
    for ends, rest, which in ((days[:2], days[1:], "first"), (days[-2:], days[:-1], "last")):
        years = (ends.iloc[1] - ends.iloc[0]).days / _YEAR_DAYS
        if years > max(_APART_YEARS, (rest.iloc[-1] - rest.iloc[0]).days / _YEAR_DAYS):
            own = ends.index[0 if which == "first" else 1]
            found.append(
                f"the {which} incident (row {own}, {_shown(dates[own])}) is {years:.0f} years from "
                "all others; is its date right?"
            )
    return found


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{kind}: {count}" for kind, count in counts.items())
