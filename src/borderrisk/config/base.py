"""The common ground of all config sections: strictness, and paths that know their folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
)
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A part of the config: immutable, no key that is not declared, described by a docstring."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True,
        use_attribute_docstrings=True,
    )  # fmt: skip


class PathRole:
    """Marks a key that holds a path; an input has to exist when the config is loaded."""

    def __init__(self, *, is_input: bool) -> None:
        self.is_input = is_input


def absolute(path: Path, folder: Path) -> Path:
    """Return ``path`` seen from ``folder``, without ``..`` and without following links."""
    return Path(os.path.normpath(folder.absolute() / path.expanduser()))


def _resolve(path: Path, info: ValidationInfo) -> Path:
    return absolute(path, Path((info.context or {}).get("folder", ".")))


def _not_empty(value: Any) -> Any:
    if value == "":
        raise PydanticCustomError("path_type", "an empty text is no path")
    return value


def _as_list(value: Any) -> Any:
    return value if value is None or isinstance(value, list | tuple) else [value]


_PATH_SCHEMA = {"type": "string", "minLength": 1}
_RelativePath = Annotated[
    Path,
    Strict(False),  # defaults are paths, files hold texts
    BeforeValidator(_not_empty),
    AfterValidator(_resolve),
    WithJsonSchema(_PATH_SCHEMA),
]
InputPath = Annotated[_RelativePath, PathRole(is_input=True)]
OutputPath = Annotated[_RelativePath, PathRole(is_input=False)]
InputPaths = Annotated[
    tuple[_RelativePath, ...],
    Strict(False),
    Field(min_length=1),
    BeforeValidator(_as_list),
    PathRole(is_input=True),
    WithJsonSchema(
        {"anyOf": [_PATH_SCHEMA, {"type": "array", "items": _PATH_SCHEMA, "minItems": 1}]}
    ),
]

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Bounds = tuple[Longitude, Latitude, Longitude, Latitude]
SLUG = r"^[a-z0-9][a-z0-9_-]*$"
COUNTRY = r"^[A-Z]{3}$"
SCHEDULER = r"^(threads|processes|(tcp|tls)://\S+:\d+)$"
PATTERN_WORDS = {
    SLUG: "lower-case letters, digits, '-' and '_' only",
    COUNTRY: "a country code of three capital letters, like IRN",
    SCHEDULER: "threads, processes or tcp://HOST:PORT",
}
Slug = Annotated[str, Field(pattern=SLUG, max_length=60)]
CountryCode = Annotated[str, Field(pattern=COUNTRY)]
Positive = Annotated[float, Field(gt=0)]
PositiveCount = Annotated[int, Field(gt=0)]


def _rising(value: tuple[float, ...]) -> tuple[float, ...]:
    if not all(a < b for a, b in pairwise(value)):
        raise PydanticCustomError("not_rising", "the numbers must rise, like 50, 75, 90")
    return value


Rising = Annotated[tuple[Positive, Positive, Positive], AfterValidator(_rising)]


def merge_patch(target: Any, patch: Any) -> Any:
    """Return ``target`` with ``patch`` laid over it (RFC 7396): null removes a key.

    Examples
    --------
    >>> merge_patch({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 4}})
    {'b': {'c': 4, 'd': 3}}
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


Location = tuple[str | int, ...]


def dotted(location: Location) -> str:
    """Return a location as text, like ``outputs.focus[1]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


@dataclass(frozen=True)
class Problem:
    """One problem: what is wrong, with the value got and how to mend it.

    It stands at the value (or at the key) that the keys and indices of ``location`` lead to, or at
    a ``position`` (line, column) where known better.
    """

    location: Location
    message: str
    at_key: bool = False
    position: tuple[int, int] | None = None
