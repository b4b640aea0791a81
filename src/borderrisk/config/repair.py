"""Make a faulty config whole, so that the checks across keys can run on the rest of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from borderrisk.config.model import Config
from borderrisk.config.problems import Location, Problem, problems_of

_STAND_INS: dict[str | int, Any] = {
    "name": "unnamed",
    "home": "AAA",
    "neighbours": ["ZZZ"],
    "bounds": [-180, -90, 180, 90],
    **dict.fromkeys(("borders", "countries", "settlements", "path"), "missing"),
}
_ROUNDS = 20  # a dropped section is stood in for one level at a time


def validated(data: dict[str, Any], folder: Path) -> tuple[Config, list[Problem]]:
    """Return the config and its faults key by key; where it has some, it is made whole."""
    try:
        return Config.from_data(data, folder), []
    except ValidationError as error:
        return repaired(data, folder), problems_of(error)


def repaired(data: dict[str, Any], folder: Path) -> Config:
    """Return a valid config: wrong values are dropped, missing ones stood in for.

    Problems at those places have been reported before; what is found elsewhere is real.
    """
    data = copy.deepcopy(data)
    for _ in range(_ROUNDS):
        try:
            return Config.from_data(data, folder)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                _mend(data, item["loc"], missing=item["type"] == "missing")
    raise RuntimeError("a faulty config could not be made whole; its defaults must be invalid")


def _mend(data: dict[str, Any], location: Location, *, missing: bool) -> None:
    """Drop the innermost key that leads to a location, or fill it if it is missing."""
    holder: Any = data
    key: str | int = location[0]
    place: Any = data
    for part in location:
        if part == "[key]" or not isinstance(place, dict):
            break
        holder, key, place = place, part, place.get(part)
    if missing and key == location[-1] and key not in holder:
        holder[key] = copy.deepcopy(_STAND_INS.get(key, {}))
    else:
        holder.pop(key, None)
