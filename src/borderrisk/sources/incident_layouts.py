"""Known layouts of incident files: which of their columns means what.

A layout opens a file and returns its cells as text under our names (``FIELDS``), one row per
record, indexed by row number. What the cells are worth is decided afterwards, alike for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from borderrisk.errors import ConfigError, DataError
from borderrisk.sources.csvfile import read_header, read_text_table
from borderrisk.sources.files import did_you_mean
from borderrisk.sources.vectors import VECTOR_SUFFIXES, read_vector

FIELDS = (
    "incident_id", "date", "date_end", "date_precision", "latitude", "longitude", "radius_km",
    "kind", "confidence", "place", "province", "country", "actor", "target", "deaths_reported",
    "summary", "source",
)  # fmt: skip
ALIASES = {"id": "incident_id", "deaths": "deaths_reported"}
PUBLIC_RECORD = {
    **{name: name for name in FIELDS if name not in ("date_end", "radius_km")},
    "radius_km": "location_radius_km",
}
PUBLIC_RECORD_REQUIRED = (
    "incident_id", "date", "date_precision", "latitude", "longitude", "radius_km", "kind",
    "confidence",
)  # fmt: skip
_WHAT = "incidents"


def read_public_record(path: str | Path) -> pd.DataFrame:
    """Read the layout of the shipped table (see ``data/raw/datapackage.json``)."""
    header = read_header(path, _WHAT)
    require(PUBLIC_RECORD, PUBLIC_RECORD_REQUIRED, header, path)
    table = read_text_table(path, _WHAT, wanted=set(PUBLIC_RECORD.values()).__contains__)
    return renamed(table, PUBLIC_RECORD)


def read_table(
    path: str | Path, columns: Mapping[str, str] | None, default_radius_km: float | None
) -> pd.DataFrame:
    """Read any CSV or vector file of points, given what its columns are called.

    Parameters
    ----------
    path : str or Path
        CSV, GeoJSON, GeoPackage, ...; a vector file's points replace latitude and longitude.
    columns : mapping of str to str, optional
        Our name to the file's name. Columns that already have our name need not be listed.
    default_radius_km : float, optional
        Radius for rows without one; needed if the file has no radius column.
    """
    is_vector = Path(path).suffix.lower() in VECTOR_SUFFIXES
    if is_vector:
        table = _vector_cells(path)
        header = list(table.columns)
    else:
        header = read_header(path, _WHAT)
    mapping = table_mapping(columns, header, path, default_radius_km, located=is_vector)
    if not is_vector:
        table = read_text_table(path, _WHAT, wanted=set(mapping.values()).__contains__)
    records = renamed(table, mapping)
    if "incident_id" not in mapping:
        records["incident_id"] = [f"row-{row}" for row in records.index]
    defaults = {"radius_km": "" if default_radius_km is None else str(default_radius_km)}
    defaults |= {"kind": "unspecified", "confidence": "high"}
    for name, value in defaults.items():
        records[name] = records[name].replace("", value)
    return records


def table_mapping(
    columns: Mapping[str, str] | None,
    header: list[str],
    path: str | Path,
    default_radius_km: float | None,
    *,
    located: bool,
) -> dict[str, str]:
    """Return our name to the file's name for every field the file has.

    Raises
    ------
    ConfigError
        If the mapping names a field we do not know, or nothing gives a radius.
    DataError
        If a column is missing from the file.
    """
    mapping = {name: name for name in FIELDS if name in header}
    for ours, theirs in (columns or {}).items():
        field = ALIASES.get(ours, ours)
        if field not in FIELDS:
            hint = did_you_mean(ours, FIELDS)
            raise ConfigError(f"incidents.columns: there is no field {ours}.{hint}")
        mapping[field] = theirs
    needed = {"date"} if located else {"date", "latitude", "longitude"}
    require({name: name for name in needed} | mapping, sorted(needed | set(mapping)), header, path)
    if "radius_km" not in mapping and default_radius_km is None:
        raise ConfigError(
            f"incidents: {path} has no column radius_km; map one in incidents.columns or set "
            "incidents.default_radius_km (how far from its point an incident may have been)."
        )
    return mapping


def require(
    mapping: Mapping[str, str], needed: tuple[str, ...] | list[str], header: list[str],
    path: str | Path,
) -> None:  # fmt: skip
    """Raise ``DataError`` naming every needed column that the header lacks."""
    missing = [mapping[name] for name in needed if mapping[name] not in header]
    if missing:
        hints = " ".join(f"{name}:{did_you_mean(name, header)}" for name in missing)
        raise DataError(f"incidents: {path} lacks {len(missing)} column(s). {hints}")


def renamed(table: pd.DataFrame, mapping: Mapping[str, str]) -> pd.DataFrame:
    """Return the cells under our names, with blank columns for what the file does not have."""
    blank = pd.Series("", index=table.index)
    return pd.DataFrame(
        {
            name: table[mapping[name]] if mapping.get(name) in table.columns else blank
            for name in FIELDS
        }
    )


def _vector_cells(path: str | Path) -> pd.DataFrame:
    """Return attributes as text, with the positions of the points; row = feature number."""
    frame = read_vector(path, _WHAT)
    points = frame.geometry
    is_point = (points.geom_type == "Point") & ~points.is_empty
    cells = pd.DataFrame(frame.drop(columns=points.name))
    cells = cells.apply(lambda column: column.astype(object).where(column.notna(), "").map(str))
    cells["latitude"] = [str(p.y) if ok else "" for p, ok in zip(points, is_point, strict=True)]
    cells["longitude"] = [str(p.x) if ok else "" for p, ok in zip(points, is_point, strict=True)]
    cells.index = pd.RangeIndex(1, len(cells) + 1)
    return cells
