"""Keys of earlier versions: refused with the reason, or let through where they only say off."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from borderrisk.config.problems import Location, Problem, dotted, got

log = logging.getLogger(__name__)

# Key to the values that ask for nothing that is gone, and why it is gone.
REMOVED: dict[tuple[str, ...], tuple[tuple[Any, ...], str]] = {
    ("outputs", "features_format"): (("nc",), "features are written as NetCDF only"),
}


def without_removed(data: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return plain config data without the removed keys, and the problems with those that ask."""
    data, problems = deepcopy(data), []
    for location, section in _sections(data):
        for (*way, key), (off, reason) in REMOVED.items():
            place: Any = section
            for part in way:
                place = place.get(part) if isinstance(place, dict) else None
            if not isinstance(place, dict) or key not in place:
                continue
            value, where = place.pop(key), (*location, *way, key)
            if value in off:
                log.warning("%s is no longer a key and was ignored: %s", dotted(where), reason)
            else:
                text = f"is no longer a key: {reason} {got(value)}; remove it"
                problems.append(Problem(where, text, at_key=True))
    return data, problems


def _sections(data: dict[str, Any]) -> Iterator[tuple[Location, Any]]:
    """Yield the config, and what each scenario lays over it, with their places."""
    yield (), data
    scenarios = data.get("scenarios")
    for name, scenario in scenarios.items() if isinstance(scenarios, dict) else ():
        if isinstance(scenario, dict):
            yield ("scenarios", name, "changes"), scenario.get("changes")
