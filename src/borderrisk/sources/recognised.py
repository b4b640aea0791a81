"""What an unknown file of incidents holds, told by its header and its cells, and said.

The layout, which column is which, what codes of precision mean, the calendar, exchanged
coordinates. Nothing is changed: what is found goes into a config, where it can be seen and mended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from borderrisk.errors import DataError, listed
from borderrisk.sources.incidents import IncidentTable, read_incidents
from borderrisk.sources.layouts import CODE_NAME, LAYOUTS, RADIUS_KM, layout_of, unread_columns
from borderrisk.sources.rowchecks import Bounds, degrees, exchanged, numbers, read_dates
from borderrisk.sources.tables import first_record, read_text_table
from borderrisk.sources.worldbase import plain_name

Choose = Callable[[str, list[str]], str]

DEFAULT_RADIUS_KM, MAX_RADIUS_KM = 25, 100
# What columns are called, the likeliest first; names of published layouts and of GPX and KML too.
_NAMES = {
    "incident_id": ("incident id", "id", "event id", "event id cnty", "data id", "eventid",
                    "incident no", "incident number", "case no", "case number", "شناسه"),
    "date": ("date", "event date", "incident date", "date start", "start date", "datetime", "time",
              "timestamp", "begin", "when", "occurred", "occurred on", "تاریخ", "التاريخ",
             "fecha", "datum", "дата"),
    "date_end": ("date end", "end date", "end"),
    "date_precision": ("date precision", "time precision", "date prec"),
    "latitude": ("latitude", "lat", "y", "latitud", "عرض جغرافیایی", "широта"),
    "longitude": ("longitude", "lon", "lng", "long", "x", "longitud", "طول جغرافیایی", "долгота"),
    "radius_km": ("radius km", "location radius km", "radius", "precision km", "accuracy km",
                  "uncertainty km", "geo precision", "where prec", "specificity",
                  "location precision", "accuracy", "location accuracy", "precision"),
    "kind": ("kind", "event type", "incident type", "type of incident", "type of event", "type",
             "category", "attacktype1 txt", "نوع"),
    "place": ("place", "place name", "location", "location name", "village", "town", "city", "name",
              "where", "محل", "شهر"),
    "province": ("province", "admin1", "adm 1", "provstate", "استان"),
    "country": ("country", "country txt", "کشور"),
    "deaths_reported": ("deaths reported", "deaths", "fatalities", "best", "killed", "nkill",
                        "کشته"),
    "actor": ("actor", "actor1", "side a", "gname"),
    "target": ("target", "actor2", "side b"),
    "summary": ("summary", "notes", "description", "desc", "remarks", "comments", "details", "شرح"),
    "source": ("source",),
}  # fmt: skip
# Words that name these columns beside others, as in "Date of incident" or "Latitude (WGS84)".
_WORDS = {
    "date": {"date", "تاریخ", "fecha", "datum"},
    "latitude": {"latitude", "lat"},
    "longitude": {"longitude", "lon", "long", "lng"},
}
_NEEDED = ("date", "latitude", "longitude")
_UNIQUE, _READABLE = 0.9, 0.5


@dataclass(frozen=True)
class Recognised:
    """How a file of incidents is to be read, as the config says it, and the rows read so.

    ``columns`` are ours to the file's, ``radius_km`` what codes of the place's precision mean, km;
    ``default_radius_km`` is None where every row has a radius. ``notes`` say what was understood.
    """

    layout: str
    columns: dict[str, str]
    radius_km: dict[str, float]
    default_radius_km: float | None
    calendar: str
    table: IncidentTable
    notes: list[str]

    def section(self) -> dict[str, Any]:
        """Return the keys of ``data.incidents`` that differ from the defaults."""
        codes = {int(code) if code.isdigit() else code: km for code, km in self.radius_km.items()}
        found = {
            "layout": self.layout, "columns": self.columns, "radius_km": codes,
            "default_radius_km": self.default_radius_km,
            "calendar": self.calendar if self.calendar != "gregorian" else "",
        }  # fmt: skip
        return {key: value for key, value in found.items() if value}


def recognise(path: Path, region: Bounds | None, choose: Choose) -> Recognised:
    """Read a file of incidents in whatever layout it is.

    ``region`` (west, south, east, north, degrees) is where they are expected; ``choose`` is asked
    ``(question, options)``, the likelier option first, where two columns fit equally well.

    Raises ``DataError`` if the file cannot be read, no column fits, or no row can be used.
    """
    layout, notes = layout_of(first_record(path, "incidents")), list[str]()
    columns, calendar, codes = dict[str, str](), "gregorian", dict[str, float]()
    default: float | None = None
    cells = pd.DataFrame()
    if layout == "table":
        cells = read_text_table(path, "incidents")
        columns = dict(_columns(cells, choose, notes))
        if missing := [ours for ours in _NEEDED if ours not in columns]:
            raise DataError(
                f"incidents: {path}: no column is recognised as {' or '.join(missing)} (it has: "
                f"{listed(list(cells.columns))}); the first line has to name the columns: call "
                "them date, latitude and longitude"
            )
        _turn_round(columns, cells, region, notes)
        calendar = _calendar(cells[columns["date"]], notes)
        codes = RADIUS_KM.get(columns.get("radius_km", "").lower(), {})
        radii = cells[columns["radius_km"]] if "radius_km" in columns else pd.Series([""])
        if (radii == "").any():
            default = DEFAULT_RADIUS_KM
            notes.append(
                f"{default} km taken for the rows that do not say how precisely a place is known"
                if "radius_km" in columns
                else f"no column says how precisely a place is known: {default} km taken"
            )
    elif LAYOUTS[layout].place:
        codes = RADIUS_KM[LAYOUTS[layout].place]
    table = read_incidents(
        path, layout, columns or None, default, max_radius_km=MAX_RADIUS_KM, region=region,
        calendar=calendar, radius_km=codes or None,
    )  # fmt: skip
    understood = _understood(layout, columns, codes, table)
    unread = unread_columns(path, layout, columns or None, default)
    unread = [name for name in unread if name not in cells or (cells[name] != "").any()]
    notes = [understood, *notes, *([f"not read: {', '.join(unread)}"] if unread else [])]
    return Recognised(layout, columns, codes, default, calendar, table, notes + table.notes)


def _columns(cells: pd.DataFrame, choose: Choose, notes: list[str]) -> Iterator[tuple[str, str]]:
    """Yield our name and the file's for every column that is known and can be what it says."""
    # In lower case, with their words apart.
    plain = {c: plain_name(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", c)) for c in cells.columns}
    left = [column for column in cells.columns if (cells[column] != "").any()]
    for ours, names in _NAMES.items():
        ranked = sorted((names.index(plain[c]), c) for c in left if plain[c] in names)
        fitting = [column for _, column in ranked]
        if not fitting and ours in _WORDS:
            fitting = [c for c in left if _WORDS[ours] & set(plain[c].split())]
        options = [c for c in fitting if _can_be(ours, cells[c], notes)]
        if ours == "date" and options[1:]:
            read = {c: read_dates(cells[c], "jalali")["first"].notna().mean() for c in options}
            options = [c for c in options if read[c] > _READABLE] or options
        if not options:
            continue
        sure = plain[options[0]] == names[0] or not options[1:]
        chosen = options[0] if sure else choose(f"Which column is the {ours}?", options)
        left.remove(chosen)
        yield ours, chosen


def _can_be(ours: str, cells: pd.Series, notes: list[str]) -> bool:
    """Whether the cells of a column can be what its name says; a note where they cannot."""
    given = cells[cells != ""]
    if ours == "incident_id" and given.nunique() < _UNIQUE * len(cells):
        notes.append(f"{cells.name} is not taken for the id: it repeats itself, or is often blank")
        return False
    if ours == "radius_km" and str(cells.name).lower() not in RADIUS_KM:
        read = numbers(given)
        if read.notna().mean() < _READABLE:
            notes.append(f"{cells.name} is not taken for the radius: it holds no numbers")
            return False
        if CODE_NAME.search(str(cells.name)) and given.str.fullmatch(r"\d(\.0)?").all():
            if re.search("km|radius", str(cells.name), re.I):
                return True
            shown = ", ".join(sorted(given.unique()))
            notes.append(
                f"{cells.name} holds codes of unknown meaning ({shown}) and is not taken for the "
                f"radius; say it in the config: columns: {{radius_km: {cells.name}}} and "
                "radius_km: {1: 5, ...} under data.incidents"
            )
            return False
    return True


def _turn_round(
    columns: dict[str, str], cells: pd.DataFrame, region: Bounds | None, notes: list[str]
) -> None:
    """Exchange the columns of latitude and longitude if the points are in the region only so."""
    lat, lon = columns["latitude"], columns["longitude"]
    if exchanged(degrees(cells[lon]), degrees(cells[lat]), region)[0]:
        columns["latitude"], columns["longitude"] = lon, lat
        notes.append(
            f"latitude and longitude are exchanged in the file: latitude ← {lon}, longitude ← {lat}"
        )


def _calendar(dates: pd.Series, notes: list[str]) -> str:
    read = read_dates(dates, "jalali")
    unread = read_dates(dates)["first"].isna()
    if (unread & read["first"].notna()).mean() <= _READABLE:
        return "gregorian"
    notes.append("most dates are of the Iranian calendar: converted (calendar: jalali)")
    return "jalali"


def _understood(
    layout: str, columns: dict[str, str], codes: dict[str, float], table: IncidentTable
) -> str:
    """Say which column is what, how precise the dates are, and what codes mean."""
    known = LAYOUTS.get(layout)
    names = dict(columns if known is None else known.names)
    if known is not None:
        names.setdefault("date", ", ".join(known.needed))
        names.setdefault("radius_km", known.place)
    found = table.incidents
    spans = (found["date_precision"] == "day") & (found["date"] < found["date_end"])
    precise = found["date_precision"].mask(spans, "period").value_counts()
    meaning = ", ".join(f"{code} = {km:g} km" for code, km in codes.items())
    said = {
        "date": f" ({', '.join(f'{n} by {unit}' for unit, n in precise.items())})",
        "radius_km": f" ({meaning})" if meaning else "",
    }
    fits = [f"{ours} ← {theirs}{said.get(ours, '')}" for ours, theirs in names.items()]
    return f"layout {layout}: {'; '.join(fits)}"
