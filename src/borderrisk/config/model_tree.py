"""Look into the config model: which keys or values are allowed at a place."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel


def choices_at(location: tuple[str | int, ...]) -> list[str]:
    """Return the keys allowed in the section at a place, or the values allowed for a key."""
    from borderrisk.config.model import Config

    places: list[Any] = [Config]
    for part in location:
        places = [inner for place in places for inner in _step(place, part)]
    return list(dict.fromkeys(choice for place in places for choice in _choices(place)))


def sections_with(key: str) -> list[str]:
    """Return the dotted names of the sections that have a key."""
    from borderrisk.config.model import Config

    return [section for section, keys in _sections(Config, "") if key in keys]


def _sections(model: type[BaseModel], name: str) -> Iterator[tuple[str, list[str]]]:
    yield name, list(model.model_fields)
    for key, field in model.model_fields.items():
        for place in _unwrap(field.annotation):
            if isinstance(place, type) and issubclass(place, BaseModel):
                yield from _sections(place, f"{name}.{key}".removeprefix("."))


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    for place in _unwrap(annotation):
        arguments = typing.get_args(place)
        if isinstance(place, type) and issubclass(place, BaseModel):
            if part in place.model_fields:
                yield place.model_fields[str(part)].annotation
        elif typing.get_origin(place) is dict:
            yield arguments[1]
        elif typing.get_origin(place) is tuple:
            yield arguments[0]


def _choices(annotation: Any) -> Iterator[str]:
    for place in _unwrap(annotation):
        if typing.get_origin(place) is Literal:
            yield from typing.get_args(place)
        elif isinstance(place, type) and issubclass(place, BaseModel):
            yield from place.model_fields


def _unwrap(annotation: Any) -> Iterator[Any]:
    """Yield the plain types of an annotation, without ``Annotated`` and optionality."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _unwrap(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            yield from _unwrap(argument)
    else:
        yield annotation
