"""Filters of incidents: by kind, confidence, time and precision of the place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.errors import ConfigError
from borderrisk.sources.files import did_you_mean
from borderrisk.sources.incident_checks import Rejections


def filtered(
    frame: gpd.GeoDataFrame,
    rejections: Rejections,
    kinds: Sequence[str] | None,
    confidence: Sequence[str] | None,
    start: Any,
    end: Any,
    max_radius_km: float | None,
) -> gpd.GeoDataFrame:
    """Return the rows that every filter keeps; the others are entered in ``rejections``.

    A row left out by several filters is counted under the first. None = no filter. ``start`` and
    ``end`` keep incidents whose whole period lies between them, both days included.

    Raises
    ------
    ConfigError
        If a bound is no date, or a kind looks like a misspelt one.
    """
    _check_kinds(kinds, frame["kind"])
    unwanted: list[tuple[str, str, Any]] = []
    if kinds is not None:
        unwanted.append(("kinds", "kind", ~frame["kind"].isin(list(kinds))))
    if confidence is not None:
        unwanted.append(("confidence", "confidence", ~frame["confidence"].isin(list(confidence))))
    if start is not None:
        unwanted.append(("start", "date", frame["date"] < _moment(start, "start")))
    if end is not None:
        unwanted.append(("end", "date_end", frame["date_end"] > _moment(end, "end")))
    if max_radius_km is not None:
        unwanted.append(("max_radius_km", "radius_km", frame["radius_km"] > max_radius_km))
    out = np.zeros(len(frame), dtype=bool)
    for name, column, mask in unwanted:
        rows = frame.index[mask]
        details = [f"{column} is {_shown(value)}" for value in frame[column][mask]]
        rejections.add(rows, f"left out by the filter {name}", details)
        out |= np.asarray(mask)
    return frame[~out]


def _check_kinds(kinds: Sequence[str] | None, present: pd.Series) -> None:
    """Catch a misspelt kind: one that is close to, but not among, those of the file."""
    choices = sorted(set(present))
    for kind in kinds or ():
        hint = did_you_mean(kind, choices)
        if kind not in choices and "Did you mean" in hint:
            raise ConfigError(f"incidents.kinds: no incident has the kind {kind}.{hint}")


def _moment(value: Any, name: str) -> pd.Timestamp:
    try:
        return pd.Timestamp(value)
    except ValueError as error:
        raise ConfigError(f"incidents.{name} is not a date (got {value!r}).") from error


def _shown(value: Any) -> str:
    return str(value.date()) if isinstance(value, pd.Timestamp) else f"{value}"
