"""New and corrected incidents put together with those that are known, in one plain table."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.sources.incidents import TEXT_FIELDS

COLUMNS = (
    "incident_id", "date", "date_end", "date_precision", "latitude", "longitude", "radius_km",
    "kind", "confidence", *TEXT_FIELDS, "deaths_reported",
)  # fmt: skip
"""Columns of a merged table: those of the layout ``table`` under our own names."""

_MADE = "row-"


@dataclass(frozen=True)
class Merged:
    """A table of incidents and what a later file brought.

    ``table`` has the ``COLUMNS`` as text, by date, then id. ``new`` are ids that were not there
    before; ``corrected`` has a row per changed cell: ``incident_id, column, before, after``.
    """

    table: pd.DataFrame
    new: list[str]
    corrected: pd.DataFrame

    @property
    def changed(self) -> bool:
        """Whether the later file brought anything."""
        return bool(self.new) or not self.corrected.empty

    @property
    def rows_corrected(self) -> int:
        """How many known incidents the later file changed."""
        return int(self.corrected["incident_id"].nunique())


def plain_table(incidents: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return usable incidents as text under our names, one row each, in the order given.

    An id made from the number of a row, which another file has too, becomes one of its content.
    """
    table = pd.DataFrame(
        {
            **{name: incidents[name].astype("string").fillna("") for name in COLUMNS
               if name in incidents and name not in ("date", "date_end", "radius_km")},
            "date": incidents["date"].dt.strftime("%Y-%m-%d"),
            "date_end": incidents["date_end"].dt.strftime("%Y-%m-%d"),
            "latitude": incidents.geometry.y.map(_number),
            "longitude": incidents.geometry.x.map(_number),
            "radius_km": incidents["radius_km"].map(_number),
        }
    )[list(COLUMNS)].astype(str)  # fmt: skip
    made = table["incident_id"].str.startswith(_MADE)
    content = table[list(COLUMNS[1:])].agg("\x1f".join, axis=1)
    marks = [sha256(text.encode()).hexdigest()[:12] for text in content]
    return table.assign(incident_id=table["incident_id"].mask(made, pd.Series(marks, table.index)))


def merge(known: pd.DataFrame, later: pd.DataFrame) -> Merged:
    """Lay later rows over known ones of the same id; both are plain tables.

    A blank cell of a later row says nothing: what was known stays.
    """
    old, new = (part.set_index("incident_id") for part in (known, later))
    both = new.index.intersection(old.index)
    before, after = old.loc[both], new.loc[both]
    after = after.where(after != "", before)
    row, column = np.nonzero((before != after).to_numpy())
    corrected = pd.DataFrame(
        {
            "incident_id": both[row],
            "column": old.columns[column],
            "before": before.to_numpy()[row, column],
            "after": after.to_numpy()[row, column],
        }
    )
    added = new.index.difference(old.index, sort=False)
    table = pd.concat([old.drop(index=both), after, new.loc[added]]).reset_index()
    table = table.sort_values(["date", "incident_id"], kind="stable", ignore_index=True)
    return Merged(table[list(COLUMNS)], list(added), corrected)


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
