"""Layouts of incident files: which of their columns, and of their codes, means what.

A layout opens a file and returns its cells as text under our names (``FIELDS``), one row per
record, indexed by row number. What the cells are worth is decided afterwards, alike for all.

Sources: UCDP GED codebook (Sundberg & Melander 2013, Journal of Peace Research 50(4)); ACLED
codebook; GTD codebook (START, University of Maryland).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from borderrisk.errors import ConfigError, DataError, did_you_mean
from borderrisk.sources.rowchecks import Rejections
from borderrisk.sources.tables import first_record, read_header, read_text_table

log = logging.getLogger(__name__)

FIELDS = (
    "incident_id", "date", "date_end", "date_precision", "latitude", "longitude", "radius_km",
    "kind", "confidence", "place", "province", "country", "actor", "target", "deaths_reported",
    "summary", "source",
)  # fmt: skip
ALIASES = {"id": "incident_id", "deaths": "deaths_reported"}

RADIUS_KM: dict[str, dict[str, float]] = {
    # UCDP GED. 1 exact place; 2 near a known place (25 km: the codebook's own bound); 3 a district;
    # 4 a province; 5 a line or fuzzy feature, such as a stretch of border. 6 (country) and
    # 7 (international waters or air) are no place.
    "where_prec": {"1": 5, "2": 25, "3": 50, "4": 150, "5": 50},
    # ACLED. 1 a town; 2 near a town, or a small part of a region; 3 a region, by its capital.
    "geo_precision": {"1": 5, "2": 25, "3": 60},
    # GTD. 1 the city; 2 and 3 middle of the smallest unit known; 4 middle of a province. 5 unknown.
    "specificity": {"1": 5, "2": 25, "3": 50, "4": 100},
}
"""Codes of a place's precision to a radius in km that very probably contains it."""

PRECISION = {
    "date_prec": {"1": "day", "2": "week", "3": "week", "4": "month", "5": "year"},
    "time_precision": {"1": "day", "2": "week", "3": "month"},
}
"""Codes of a date's precision (UCDP GED, ACLED) to ours."""

GED_COLUMNS = (
    "id", "relid", "year", "active_year", "code_status", "type_of_violence", "conflict_dset_id",
    "conflict_new_id", "conflict_name", "dyad_dset_id", "dyad_new_id", "dyad_name",
    "side_a_dset_id", "side_a_new_id", "side_a", "side_b_dset_id", "side_b_new_id", "side_b",
    "number_of_sources", "source_article", "source_office", "source_date", "source_headline",
    "source_original", "where_prec", "where_coordinates", "where_description", "adm_1", "adm_2",
    "latitude", "longitude", "geom_wkt", "priogrid_gid", "country", "country_id", "region",
    "event_clarity", "date_prec", "date_start", "date_end", "deaths_a", "deaths_b",
    "deaths_civilians", "deaths_unknown", "best", "high", "low", "gwnoa", "gwnob",
)  # fmt: skip
GED_KINDS = {"1": "state_based", "2": "non_state", "3": "one_sided"}

_WHAT = "incidents"
_OPTIONAL = {
    "place", "province", "country", "actor", "target", "deaths_reported", "summary", "source"
}  # fmt: skip
CODE_NAME = re.compile(r"prec|specific|accura|quality|certain|code|level", re.I)


@dataclass(frozen=True)
class Layout:
    """A published layout: our names to the file's, and where its codes are.

    ``needed`` are columns it is not read without, besides those of ``names`` that are no texts;
    ``place`` and ``moment`` hold codes of ``RADIUS_KM`` and ``PRECISION``; ``finish`` sets, with
    the columns ``read`` too, what takes more than a name; ``header`` names the columns of a file
    without one.
    """

    names: Mapping[str, str]
    needed: tuple[str, ...] = ()
    place: str = ""
    moment: str = ""
    read: tuple[str, ...] = ()
    finish: Callable[[pd.DataFrame, pd.DataFrame, Rejections], None] | None = None
    header: tuple[str, ...] = ()

    @property
    def required(self) -> list[str]:
        """Columns without which a file is not in this layout."""
        named = [theirs for ours, theirs in self.names.items() if ours not in _OPTIONAL]
        return [name for name in (*named, *self.needed, self.place, self.moment) if name]


def _finish_ged(table: pd.DataFrame, records: pd.DataFrame, rejections: Rejections) -> None:
    """Take side A and B for actor and target; of state-based violence A is the government.

    Confidence is high for a clear event that has been checked, medium for one aggregated from
    several, low while the code status is not "Clear".
    """
    records["kind"] = _decoded(table["type_of_violence"], GED_KINDS, rejections)
    blank = pd.Series("", index=table.index)
    unclear = ~table.get("code_status", blank).str.lower().isin(["clear", ""])
    aggregated = table.get("event_clarity", blank) == "2"
    records["confidence"] = np.select([unclear, aggregated], ["low", "medium"], "high")


def _finish_gtd(table: pd.DataFrame, records: pd.DataFrame, _: Rejections) -> None:
    """Join the parts of the date, in which 0 is unknown; a doubtful case counts less."""
    year, month, day = (table[name].str.removesuffix(".0") for name in ("iyear", "imonth", "iday"))
    whole = year + "-" + month + "-" + day
    records["date"] = whole.mask(day == "0", year + "-" + month).mask(month == "0", year)
    blank = pd.Series("", index=table.index)
    doubtful = table.get("doubtterr", blank).str.removesuffix(".0") == "1"
    records["confidence"] = np.where(doubtful, "medium", "high")


LAYOUTS = {
    "public_record": Layout(
        {**{name: name for name in FIELDS if name not in ("date_end", "radius_km")},
         "radius_km": "location_radius_km"},
    ),
    "ucdp_ged": Layout(
        {"incident_id": "id", "date": "date_start", "date_end": "date_end", "latitude": "latitude",
         "longitude": "longitude", "place": "where_coordinates", "province": "adm_1",
         "country": "country", "actor": "side_a", "target": "side_b", "deaths_reported": "best",
         "summary": "conflict_name", "source": "source_article"},
        ("type_of_violence",), "where_prec", "date_prec", ("event_clarity", "code_status"),
        _finish_ged, GED_COLUMNS,
    ),
    "acled": Layout(
        {"incident_id": "event_id_cnty", "date": "event_date", "latitude": "latitude",
         "longitude": "longitude", "kind": "event_type", "place": "location", "province": "admin1",
         "country": "country", "actor": "actor1", "target": "actor2",
         "deaths_reported": "fatalities", "summary": "notes", "source": "source"},
        (), "geo_precision", "time_precision",
    ),
    "gtd": Layout(
        {"incident_id": "eventid", "latitude": "latitude", "longitude": "longitude",
         "kind": "attacktype1_txt", "place": "city", "province": "provstate",
         "country": "country_txt", "actor": "gname", "target": "targtype1_txt",
         "deaths_reported": "nkill", "summary": "summary", "source": "scite1"},
        ("iyear", "imonth", "iday"), "specificity", "", ("doubtterr",), _finish_gtd,
    ),
}  # fmt: skip


def layout_of(record: list[str]) -> str:
    """Tell a file's layout by its first record; ``table`` if it is none that is known."""
    names = {cell.lower() for cell in record}
    for name, layout in LAYOUTS.items():
        if {*layout.required} <= names or _is_bare(layout, record):
            return name
    return "table"


def read_layout(
    path: str | Path,
    name: str,
    rejections: Rejections,
    codes: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Read a file in a published layout, a key of ``LAYOUTS``.

    ``rejections`` receives the rows whose codes say that there is no usable place, date or kind;
    ``codes`` are other radii, in km, of the codes of the place's precision.
    """
    layout = LAYOUTS[name]
    header = first_record(path, _WHAT)
    if layout.header and header[:1] != [] and header[0].isdigit() and not _is_bare(layout, header):
        raise DataError(
            f"incidents: {path} has no header and {len(header)} columns; a file of this layout "
            f"without header must have {len(layout.header)}."
        )
    names = list(layout.header) if _is_bare(layout, header) else None
    _require(layout.required, names or [cell.lower() for cell in header], path)
    known = {*layout.names.values(), *layout.required, *layout.read}
    table = read_text_table(path, _WHAT, names=names, wanted=lambda name: name.lower() in known)
    table = table.rename(columns=str.lower)
    records = _renamed(table, layout.names)
    if layout.place:
        radius = {**RADIUS_KM[layout.place], **(codes or {})}
        records["radius_km"] = _decoded(table[layout.place], _texts(radius), rejections)
    if layout.moment:
        found = _decoded(table[layout.moment], PRECISION[layout.moment], rejections)
        records["date_precision"] = found
    if layout.finish:
        layout.finish(table, records, rejections)
    if "confidence" not in layout.names:
        records["confidence"] = records["confidence"].replace("", "high")
    return records


def read_table(
    path: str | Path,
    columns: Mapping[str, str] | None,
    default_radius_km: float | None,
    rejections: Rejections,
    codes: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Read any table or vector file of points, given what its columns are called.

    ``columns`` maps our names to the file's; columns that have our name need not be listed.
    ``rejections`` receives rows equal to an earlier one in every cell, where rows have no ids;
    ``codes`` are what codes in the radius column mean, in km.
    """
    table = read_text_table(path, _WHAT)
    mapping = _mapping(columns, list(table.columns), path, default_radius_km)
    records = _renamed(table, mapping)
    if "incident_id" not in mapping:
        records["incident_id"] = [f"row-{row}" for row in records.index]
        twice = table.index[table.duplicated()]
        rejections.add(twice, "equal to an earlier row in every cell")
        if len(twice):
            log.warning(
                "incidents: %s: %d rows are equal to an earlier row in every cell; they count "
                "once. If they are incidents of their own, give each an incident_id.",
                *(path, len(twice)),
            )
    if "radius_km" in mapping:
        records["radius_km"] = _radii(records["radius_km"], mapping["radius_km"], codes, rejections)
    moment = mapping.get("date_precision", "").lower()
    if moment in PRECISION:
        found = _decoded(records["date_precision"], PRECISION[moment], rejections)
        records["date_precision"] = found
    defaults = {"radius_km": "" if default_radius_km is None else str(default_radius_km)}
    defaults |= {"kind": "unspecified", "confidence": "high"}
    for name, value in defaults.items():
        records[name] = records[name].replace("", value)
    return records


def unread_columns(
    path: str | Path,
    layout: str,
    columns: Mapping[str, str] | None,
    default_radius_km: float | None,
) -> list[str]:
    """List columns of a user's own file that are not read; published files have many of those."""
    if layout not in ("table", "public_record"):
        return []
    header = read_header(path, _WHAT)
    read = LAYOUTS["public_record"].names
    if layout == "table":
        read = _mapping(columns, header, path, default_radius_km)
    return [name for name in header if name not in read.values()]


def _mapping(
    columns: Mapping[str, str] | None,
    header: list[str],
    path: str | Path,
    default_radius_km: float | None,
) -> dict[str, str]:
    """Return our name to the file's name for every field the file has."""
    mapping = {name: name for name in FIELDS if name in header}
    for ours, theirs in (columns or {}).items():
        name = ALIASES.get(ours, ours)
        if name not in FIELDS:
            hint = did_you_mean(ours, FIELDS)
            raise ConfigError(f"incidents.columns: there is no field {ours}.{hint}")
        mapping[name] = theirs
    needed = {name: name for name in ("date", "latitude", "longitude")}
    _require((needed | mapping).values(), header, path)
    if "radius_km" not in mapping and default_radius_km is None:
        raise ConfigError(
            f"incidents: {path} has no column radius_km; map one in incidents.columns or set "
            "incidents.default_radius_km (how far from its point an incident may have been)."
        )
    return mapping


def _radii(
    cells: pd.Series, column: str, codes: Mapping[str, float] | None, rejections: Rejections
) -> pd.Series:
    """Return radii in km, from a column of km or of the codes of a codebook."""
    known = RADIUS_KM.get(column.lower())
    if known or codes:
        meaning = {**(known or {}), **(codes or {})}
        said = ", ".join(f"{code} = {km:g} km" for code, km in meaning.items())
        level = logging.INFO if codes else logging.WARNING
        log.log(level, "incidents: %s holds codes, not kilometres; read as %s", column, said)
        given = cells[cells != ""]
        return _decoded(given, _texts(meaning), rejections).reindex(cells.index, fill_value="")
    bare = cells[cells != ""].str.removesuffix(".0")
    named = CODE_NAME.search(column) and not re.search("km|radius", column, re.I)
    if named and len(bare) and bare.str.fullmatch(r"\d").all():
        raise ConfigError(
            f"incidents.columns: {column} looks like codes of precision, not kilometres "
            f"({', '.join(sorted(bare.unique()))}); say what they mean in incidents.radius_km, as "
            "in {1: 5, 2: 25, 3: 60}, or map a column of kilometres."
        )
    return cells


def _is_bare(layout: Layout, record: list[str]) -> bool:
    """Whether a first record is that of a file of this layout without header."""
    return len(record) == len(layout.header) > 0 and record[0].isdigit()


def _require(columns: Iterable[str], header: list[str], path: str | Path) -> None:
    missing = sorted(set(columns).difference(header))
    if missing:
        hints = " ".join(f"{name}:{did_you_mean(name, header)}" for name in missing)
        if (other := layout_of(header)) != "table":
            hints = f"It is in the layout {other}: set data.incidents.layout. {hints}"
        raise DataError(f"incidents: {path} lacks {len(missing)} column(s). {hints}")


def _renamed(table: pd.DataFrame, mapping: Mapping[str, str]) -> pd.DataFrame:
    """Return the cells under our names, with blank columns for what the file does not have."""
    blank = pd.Series("", index=table.index)
    return pd.DataFrame(
        {
            name: table[mapping[name]] if mapping.get(name) in table.columns else blank
            for name in FIELDS
        }
    )


def _decoded(cells: pd.Series, codes: Mapping[str, str], rejections: Rejections) -> pd.Series:
    plain = cells.str.removesuffix(".0")
    rejections.where(~plain.isin(list(codes)), cells, f"{cells.name} cannot be used")
    return plain.map(codes).fillna("")


def _texts(codes: Mapping[str, float]) -> dict[str, str]:
    return {str(code): f"{km:g}" for code, km in codes.items()}
