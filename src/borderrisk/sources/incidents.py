"""Incidents: read a file in any known layout, check it, filter it, keep account of every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from borderrisk.errors import ConfigError, DataError
from borderrisk.grid import WGS84
from borderrisk.sources import incident_checks as checks
from borderrisk.sources import ucdp
from borderrisk.sources.files import did_you_mean
from borderrisk.sources.incident_checks import CONFIDENCE_WEIGHT, Rejections
from borderrisk.sources.incident_filters import filtered
from borderrisk.sources.incident_layouts import read_public_record, read_table

LAYOUTS = ("public_record", "table", "ucdp_ged")
TEXT_FIELDS = ("place", "province", "country", "actor", "target", "summary", "source")
COLUMNS = (
    "incident_id", "date", "date_end", "date_precision", "radius_km", "kind", "confidence",
    "weight", "place", "province", "country", "actor", "target", "deaths_reported", "summary",
    "source", "geometry",
)  # fmt: skip

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class IncidentTable:
    """Usable incidents, and what became of the other rows.

    Attributes
    ----------
    incidents : geopandas.GeoDataFrame
        One row per incident, sorted by date, then id; columns as in ``COLUMNS``. ``date`` and
        ``date_end`` are the first and last day of the reported period.
    rejected : pandas.DataFrame
        ``row`` (the header is row 1; in vector files the feature number), ``incident_id``,
        ``reason``: rows that cannot be used and rows a filter left out.
    notes : list of str
        Counts, for logs and reports.
    """

    incidents: gpd.GeoDataFrame
    rejected: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def read_incidents(
    path: str | Path,
    layout: str = "public_record",
    columns: Mapping[str, str] | None = None,
    default_radius_km: float | None = None,
    kinds: Sequence[str] | None = None,
    confidence: Sequence[str] | None = None,
    start: Any = None,
    end: Any = None,
    max_radius_km: float | None = None,
    region: Bounds | None = None,
) -> IncidentTable:
    """Read, check and filter a file of incidents.

    Parameters
    ----------
    path : str or Path
        The file.
    layout : {"public_record", "table", "ucdp_ged"}
        The shipped table's columns; any table with a mapping; UCDP GED's published CSV.
    columns : mapping of str to str, optional
        For ``table``: our field name to the file's column name.
    default_radius_km : float, optional
        For ``table``: radius of rows without one.
    kinds, confidence : sequence of str, optional
        Keep only these; None keeps all.
    start, end : date or ISO text, optional
        Keep incidents whose whole period lies between them, both included.
    max_radius_km : float, optional
        Leave out incidents known less precisely.
    region : tuple of float, optional
        ``(west, south, east, north)`` in degrees where incidents are expected. It only serves to
        detect exchanged columns and to count points outside; nothing is cut.

    Raises
    ------
    ConfigError
        For an unknown layout, field or kind.
    DataError
        For a file that cannot be read, duplicate ids, exchanged coordinates, or no rows left.
    """
    where = f"incidents: {path}"
    rejections = Rejections()
    records = _read_layout(path, layout, columns, default_radius_km, rejections)
    checks.check_unique(records["incident_id"], where)
    frame = _values(records, rejections, region, where)
    usable = frame[~frame.index.isin(list(rejections.reasons))]
    if usable.empty:
        raise DataError(_nothing_usable(rejections, len(records), where))
    counts = rejections.counts()
    kept = filtered(usable, rejections, kinds, confidence, start, end, max_radius_km)
    if kept.empty:
        raise DataError(_nothing_left(rejections, counts, len(records), where))
    notes = [
        *_notes(rejections, len(records), kept, region),
        *_unread_deaths(records["deaths_reported"], kept),
    ]
    incidents = kept.sort_values(["date", "incident_id"], kind="stable").reset_index(drop=True)
    return IncidentTable(incidents, rejections.frame(records["incident_id"]), notes)


def _check_layout(layout: str) -> None:
    if layout not in LAYOUTS:
        hint = did_you_mean(layout, LAYOUTS)
        raise ConfigError(f"incidents.layout: there is no layout {layout!r}.{hint}")


def _read_layout(
    path: str | Path,
    layout: str,
    columns: Mapping[str, str] | None,
    default_radius_km: float | None,
    rejections: Rejections,
) -> pd.DataFrame:
    """Return text cells under our names, indexed by row number."""
    _check_layout(layout)
    if layout == "ucdp_ged":
        return ucdp.read_ged(path, rejections)
    if layout == "table":
        return read_table(path, columns, default_radius_km)
    return read_public_record(path)


def _values(
    records: pd.DataFrame, rejections: Rejections, region: Bounds | None, where: str
) -> gpd.GeoDataFrame:
    """Turn text into values; rows that fail are entered in ``rejections``."""
    rejections.where(records["incident_id"] == "", records["incident_id"], "no incident id")
    lon, lat = _positions(records, rejections, region, where)
    date, date_end, precision = _dates(records, rejections)
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
    lat, lon = checks.numbers(records["latitude"]), checks.numbers(records["longitude"])
    checks.check_not_swapped(lon, lat, region, where)
    for name, values, limit in (("latitude", lat, 90), ("longitude", lon, 180)):
        wrong = ~values.between(-limit, limit)
        rejections.where(wrong, records[name], f"{name} is not a number of degrees")
    return lon, lat


def _dates(records: pd.DataFrame, rejections: Rejections) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return first day, last day and precision of the reported period."""
    date, inferred = checks.parse_dates(records["date"])
    unread = records.loc[date.isna(), "date"]
    rejections.add(unread.index, "date cannot be read", map(checks.date_hint, unread))
    given = records["date_precision"].str.lower()
    precision = given.mask(given == "", inferred)
    rejections.where(
        ~precision.isin(checks.PRECISIONS), records["date_precision"], "unknown date_precision"
    )
    first, last = checks.period(date, precision)
    stated = records["date_end"] != ""
    if not stated.any():
        return first, last, precision
    date_end, _ = checks.parse_dates(records["date_end"])
    wrong = stated & (date_end.isna() | (date_end < date))
    rejections.where(wrong, records["date_end"], "date_end cannot be read or is before date")
    return first.mask(stated, date), last.mask(stated, date_end), precision


def _nothing_usable(rejections: Rejections, total: int, where: str) -> str:
    row = min(rejections.reasons)
    return (
        f"{where}: none of the {total} rows can be used ({_listed(rejections.counts())}); "
        f"the first is row {row}: {rejections.reasons[row]}."
    )


def _nothing_left(rejections: Rejections, before: dict[str, int], total: int, where: str) -> str:
    filters = {k: n for k, n in rejections.counts().items() if k not in before}
    unusable = f", {sum(before.values())} unusable" if before else ""
    return (
        f"{where}: the filters leave none of the {total} incidents ({_listed(filters)}{unusable}); "
        "widen kinds, confidence, start, end or max_radius_km."
    )


def _notes(
    rejections: Rejections, total: int, kept: gpd.GeoDataFrame, region: Bounds | None
) -> list[str]:
    notes = [f"{len(kept)} of {total} incidents are used"]
    notes += [f"{count} rows: {kind}" for kind, count in rejections.counts().items()]
    if region is not None:
        west, south, east, north = region
        inside = kept.geometry.x.between(west, east) & kept.geometry.y.between(south, north)
        if not inside.all():
            notes.append(f"{int((~inside).sum())} incidents lie outside the expected region")
    return notes


def _unread_deaths(cells: pd.Series, kept: gpd.GeoDataFrame) -> list[str]:
    unread = (cells[kept.index] != "") & kept["deaths_reported"].isna()
    n = int(unread.sum())
    return [f"{n} deaths_reported are not whole numbers; taken as unknown"] if n else []


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{kind}: {count}" for kind, count in counts.items())
