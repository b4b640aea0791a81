"""The published CSV layout of the UCDP Georeferenced Event Dataset (GED).

Source: Sundberg & Melander (2013), "Introducing the UCDP Georeferenced Event Dataset", Journal of
Peace Research 50(4). GED holds fatal events only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from borderrisk.errors import DataError
from borderrisk.sources.csvfile import first_record, read_header, read_text_table
from borderrisk.sources.incident_checks import Rejections
from borderrisk.sources.incident_layouts import renamed, require

COLUMNS = (
    "id", "relid", "year", "active_year", "code_status", "type_of_violence", "conflict_dset_id",
    "conflict_new_id", "conflict_name", "dyad_dset_id", "dyad_new_id", "dyad_name",
    "side_a_dset_id", "side_a_new_id", "side_a", "side_b_dset_id", "side_b_new_id", "side_b",
    "number_of_sources", "source_article", "source_office", "source_date", "source_headline",
    "source_original", "where_prec", "where_coordinates", "where_description", "adm_1", "adm_2",
    "latitude", "longitude", "geom_wkt", "priogrid_gid", "country", "country_id", "region",
    "event_clarity", "date_prec", "date_start", "date_end", "deaths_a", "deaths_b",
    "deaths_civilians", "deaths_unknown", "best", "high", "low", "gwnoa", "gwnob",
)  # fmt: skip
RADIUS_KM = {"1": "5", "2": "25", "3": "50", "4": "150", "5": "50"}
"""``where_prec`` to a radius in km that very probably contains the place.

1 exact place: 5; 2 near a known place: 25 (the codebook's own bound); 3 second-order
administrative unit: 50; 4 first-order unit, a province: 150; 5 a line or fuzzy feature, such as a
stretch of border: 50. 6 (country) and 7 (international waters or air) are no place: rejected.
"""

KINDS = {"1": "state_based", "2": "non_state", "3": "one_sided"}
DATE_PRECISION = {"1": "day", "2": "day", "3": "day", "4": "month", "5": "year"}
"""``date_prec`` to ours. The period itself is taken from ``date_start`` and ``date_end``."""

_NAMES = {
    "incident_id": "id",
    "date": "date_start",
    "date_end": "date_end",
    "latitude": "latitude",
    "longitude": "longitude",
    "place": "where_coordinates",
    "province": "adm_1",
    "country": "country",
    "actor": "side_a",
    "target": "side_b",
    "deaths_reported": "best",
    "summary": "conflict_name",
    "source": "source_article",
}
_CODES = ("where_prec", "date_prec", "type_of_violence")
_OPTIONAL_CODES = ("event_clarity", "code_status")


def check_header(path: str | Path) -> list[str] | None:
    """Check that the file has GED's columns.

    Returns
    -------
    list of str or None
        The column names to use if the file has no header, as some older releases.

    Raises
    ------
    DataError
        If columns are missing.
    """
    first = first_record(path, "incidents")
    if first and first[0].isdigit():
        if len(first) != len(COLUMNS):
            raise DataError(
                f"incidents: {path} has no header and {len(first)} columns; a GED file without "
                f"header must have {len(COLUMNS)}."
            )
        return list(COLUMNS)
    header = read_header(path, "incidents")
    needed = {**_NAMES, **{code: code for code in _CODES}}
    optional = {"place", "province", "actor", "target", "summary", "source"}
    require(needed, [name for name in needed if name not in optional], header, path)
    return None


def read_ged(path: str | Path, rejections: Rejections) -> pd.DataFrame:
    """Return the cells of a GED file under our names.

    Side A and B stand for actor and target; for state-based violence side A is the government,
    whoever attacked. Confidence is high for a clear event that has been checked, medium for one
    aggregated from several, low while the code status is not "Clear".

    Parameters
    ----------
    path : str or Path
        UTF-8 CSV of a yearly or candidate release.
    rejections : Rejections
        Receives the rows without a usable place, date precision or type.
    """
    names = check_header(path)
    wanted = {*_NAMES.values(), *_CODES, *_OPTIONAL_CODES}
    table = read_text_table(path, "incidents", names=names, wanted=wanted.__contains__)
    records = renamed(table, _NAMES)
    records["radius_km"] = _decoded(table, "where_prec", RADIUS_KM, rejections)
    records["date_precision"] = _decoded(table, "date_prec", DATE_PRECISION, rejections)
    records["kind"] = _decoded(table, "type_of_violence", KINDS, rejections)
    records["confidence"] = _confidence(table)
    return records


def _decoded(
    table: pd.DataFrame, column: str, codes: dict[str, str], rejections: Rejections
) -> pd.Series:
    plain = table[column].str.removesuffix(".0")
    rejections.where(~plain.isin(list(codes)), table[column], f"{column} cannot be used")
    return plain.map(codes).fillna("")


def _confidence(table: pd.DataFrame) -> pd.Series:
    blank = pd.Series("", index=table.index)
    unclear = ~table.get("code_status", blank).str.lower().isin(["clear", ""])
    aggregated = table.get("event_clarity", blank) == "2"
    levels = np.select([unclear, aggregated], ["low", "medium"], "high")
    return pd.Series(levels, index=table.index)
