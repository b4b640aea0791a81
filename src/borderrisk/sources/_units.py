"""The unit an elevation file says its values are in, and what to make of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyproj import CRS

from borderrisk.errors import ConfigError, DataError

log = logging.getLogger(__name__)

METRES_PER_UNIT = {"m": 1.0, "ft": 0.3048}
_METRES = {"m", "metre", "metres", "meter", "meters"}
_FEET = {"ft", "usft", "ftus", "intft", "ftint", "sft"}
_OTHER = re.compile(r"(mm|cm|dm|km|yd|yards?|fathoms?|(milli|centi|deci|kilo)met(re|er)s?)")


def stated_unit(ds: Any) -> str | None:
    """Return the unit of an open raster's band, else that of its vertical CRS, in its words."""
    if ds.units[0]:
        return str(ds.units[0])
    if ds.crs is None:
        return None
    crs = CRS.from_wkt(ds.crs.to_wkt())
    return str(crs.sub_crs_list[1].axis_info[0].unit_name) if crs.is_compound else None


def metres_per_unit(units: str | None, stated: Sequence[tuple[Path, str]]) -> float:
    """Choose the factor that makes metres of the values.

    Parameters
    ----------
    units : {"m", "ft"} or None
        What the config says; None = nothing.
    stated : sequence of (Path, str)
        Files that say something, and what.

    Raises
    ------
    ConfigError
        If ``units`` is unknown.
    DataError
        If files contradict each other, or say something else than metres and the config nothing.
    """
    if units is not None and units not in METRES_PER_UNIT:
        raise ConfigError(f"units of elevation must be one of m, ft (got {units!r}).")
    known = [(path, word, _known(word)) for path, word in stated]
    known = [entry for entry in known if entry[2]]
    for path, word, unit in known:
        if unit != known[0][2]:
            raise DataError(
                f"{path} says its values are in {word!r}, but {known[0][0]} in {known[0][1]!r}; "
                "files of one elevation must share the unit (gdal_calc.py converts one)."
            )
    if known:
        _compare(units, *known[0])
    return METRES_PER_UNIT[units or "m"]


def _compare(units: str | None, path: Path, word: str, unit: str) -> None:
    if unit == (units or "m"):
        return
    if units is not None:
        log.warning(
            "%s says its values are in %r; they are read as data.elevation.units says: %s.",
            *(path, word, units),
        )
        return
    mend = "set data.elevation.units: ft" if unit == "ft" else "convert it to metres"
    raise DataError(
        f"{path} says its values are in {word!r}, but elevation is read as metres where the config "
        f"names no unit; {mend}, or data.elevation.units: m if the file's label is wrong."
    )


def _known(word: str) -> str:
    """Return ``m``, ``ft``, another unit of length, or nothing if the word is no length."""
    plain = re.sub("[^a-z]", "", word.lower())
    if plain in _METRES:
        return "m"
    if plain in _FEET or "foot" in plain or "feet" in plain:
        return "ft"
    return plain if _OTHER.fullmatch(plain) else ""
