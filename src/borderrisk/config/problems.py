"""One thing that is wrong with a config, and how it is worded."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from borderrisk.config.base import PATTERN_WORDS, Location, Problem, dotted
from borderrisk.config.whole import Config
from borderrisk.errors import nearest


def got(value: Any) -> str:
    """Return a value as it would be written in the file, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"(got {text if len(text) <= 60 else text[:57] + '...'})"


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest choice, or nothing."""
    near = nearest(word, choices)
    return f"; did you mean {near!r}?" if near else ""


_PLAIN = {
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), "must be a whole number"),
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"),
                    "must be a mapping of keys to values"),
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list"),
    "path_type": "must be a path",
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing",
                     "date_from_datetime_inexact"), "must be a date like 2014-01-31"),
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_pattern_mismatch": "must be {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} item(s)",
}  # fmt: skip


# Values that there were once, and what to write instead.
_GONE = {
    "hist_gradient_boosting": (
        "boosted trees are no longer offered, as they forecast places without incidents on record "
        "worse than the forest does; use random_forest"
    ),
    "pooled": "the pooled model is replaced by one that forecasts more borders better; "
    "use decayed_pool",
    "gam": "splines are no longer offered; use glm or random_forest",
    "history": "is called radius_history now",
    "persistence": "is called last_period now",
    "uniform": "is called even now",
}


def problems_of(error: ValidationError) -> list[Problem]:
    """Return one problem per error that pydantic found, the innermost where some are nested."""
    found = [_problem(dict(item)) for item in error.errors(include_url=False)]
    outer = {p.location[:n] for p in found for n in range(len(p.location))}
    return [problem for problem in found if problem.location not in outer]


def besides(known: Iterable[Problem], found: Iterable[Problem]) -> list[Problem]:
    """Return the problems found that are not at, in or around a place already known."""
    places = [problem.location for problem in known]
    return [p for p in found if not any(_nested(p.location, place) for place in places)]


def _nested(one: Location, other: Location) -> bool:
    return one[: len(other)] == other[: len(one)]


def _problem(item: dict[str, Any]) -> Problem:
    location: Location = tuple(part for part in item["loc"] if part != "[key]")
    context = {key: _worded(value) for key, value in item.get("ctx", {}).items()}
    kind, value = item["type"], item["input"]
    if kind == "extra_forbidden":
        key = str(location[-1])
        homes = [section for section, keys in _sections(_schema(), "") if key in keys]
        hint = did_you_mean(key, choices_at(location[:-1]))
        if not hint and len(homes) == 1 and homes[0]:
            hint = f"; it belongs in {homes[0]}"
        return Problem(location, f"unknown key{hint}", at_key=True)
    if kind == "missing":
        if isinstance(location[-1], int):
            return Problem(
                location[:-1], f"must have {location[-1] + 1} or more items {got(value)}"
            )
        return Problem(location, "required key is missing", at_key=True)
    if kind == "literal_error":
        return Problem(location, _choice(value, choices_at(location) or [context["expected"]]))
    message = _PLAIN[kind].format(**context) if kind in _PLAIN else str(item["msg"])
    return Problem(location, f"{message} {got(value)}", at_key="[key]" in item["loc"])


def _choice(value: Any, choices: Iterable[str]) -> str:
    choices = list(choices)
    if isinstance(value, str) and value in _GONE:
        return f"{_GONE[value]} {got(value)}"
    text = f"must be one of {', '.join(choices)} {got(value)}"
    return text + (did_you_mean(value, choices) if isinstance(value, str) else "")


def _worded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:g}"
    return PATTERN_WORDS.get(value, value) if isinstance(value, str) else value


def choices_at(location: Location) -> list[str]:
    """Return the keys allowed in the section at a place, or the values allowed for a key."""
    places = [_schema()]
    for part in location:
        places = [inner for place in places for inner in _inside(place, part)]
    plain = [its for place in places for its in _plain(place)]
    return list(dict.fromkeys(c for its in plain for c in (*_keys(its), *its.get("enum", ()))))


@cache
def _schema() -> dict[str, Any]:
    return Config.model_json_schema()


def _sections(schema: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield dotted name and keys of each section."""
    for section in filter(_keys, _plain(schema)):
        yield name, _keys(section)
        for key, inner in _keys(section).items():
            yield from _sections(inner, f"{name}.{key}".removeprefix("."))


def _inside(schema: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    """Yield what describes the value of a key or the items of a list."""
    for its in _plain(schema):
        if part in _keys(its):
            yield _keys(its)[str(part)]
        yield from its.get("patternProperties", {}).values()
        yield from (its[word] for word in ("additionalProperties", "items") if its.get(word))


def _keys(schema: dict[str, Any]) -> dict[str, Any]:
    return dict(schema.get("properties", {}))


def _plain(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the parts of a schema that refer to no other."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    for inner in schema.get("anyOf", ()):
        yield from _plain(inner)
    yield schema


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


class Retired(NamedTuple):
    """The value that meant "off", and why there is no such key any more."""

    off: Any
    reason: str


_STUDY = "a run no longer studies its own method; `python -m benchmarks studies {}` does, in the "
_STUDY += "source repository"
RETIRED: dict[tuple[str, ...], Retired] = {
    ("evaluation", "planted"): Retired(False, _STUDY.format("planted")),
    ("evaluation", "ablation"): Retired(False, _STUDY.format("ablation")),
    ("evaluation", "robustness_cell_km"): Retired([], _STUDY.format("grids")),
    ("outputs", "features_format"): Retired("nc", "features are written as NetCDF only"),
}


def drop_retired(data: dict[str, Any]) -> tuple[list[Problem], list[str]]:
    """Take retired keys out of plain data of a config, in place, those in scenarios too.

    Returns a problem for each that asks for something, and dotted names of those that only say
    "off".
    """
    problems, silent = [], []
    scenarios = data.get("scenarios")
    roots: list[tuple[Location, Any]] = [((), data)]
    for name, scenario in scenarios.items() if isinstance(scenarios, dict) else ():
        changes = scenario.get("changes") if isinstance(scenario, dict) else None
        roots.append((("scenarios", name, "changes"), changes))
    for prefix, root in roots:
        for (*sections, key), retired in RETIRED.items():
            section = root
            for part in sections:
                section = section.get(part) if isinstance(section, dict) else None
            if not isinstance(section, dict) or key not in section:
                continue
            value, location = section.pop(key), (*prefix, *sections, key)
            if value == retired.off and type(value) is type(retired.off):
                silent.append(dotted(location))
            else:
                message = f"there is no such key any more {got(value)}: {retired.reason}"
                problems.append(Problem(location, f"{message}; remove it", at_key=True))
    return problems, silent
