"""Which keys of the config hold paths, and how they are rewritten for another folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from borderrisk.config.base import PathRole, absolute
from borderrisk.config.inputs import DataConfig
from borderrisk.config.modelling import FeaturesConfig
from borderrisk.config.results import ComputeConfig, OutputsConfig, SegmentsConfig

Key = tuple[str, ...]


def _path_keys(section: type[BaseModel], prefix: Key) -> Iterator[tuple[Key, PathRole]]:
    for name, field in section.model_fields.items():
        for role in _roles(field):
            yield (*prefix, name), role
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _path_keys(field.annotation, (*prefix, name))


def _roles(field: Any) -> list[PathRole]:
    inner = getattr(field.annotation, "__args__", ())
    metadata = [*field.metadata, *(m for arg in inner for m in getattr(arg, "__metadata__", ()))]
    return [item for item in metadata if isinstance(item, PathRole)]


_SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataConfig,
    "features": FeaturesConfig,
    "segments": SegmentsConfig,
    "outputs": OutputsConfig,
    "compute": ComputeConfig,
}
PATH_KEYS: dict[Key, PathRole] = {
    key: role for name, section in _SECTIONS.items() for key, role in _path_keys(section, (name,))
}


def map_paths(data: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return plain config data with every path changed, those of scenarios included."""
    changed = _map(data, (), change)
    for scenario in (changed.get("scenarios") or {}).values():
        scenario["changes"] = _map(scenario["changes"], (), change)
    return changed


def _map(value: Any, key: Key, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name: _map(item, (*key, name), change) for name, item in value.items()}
    if key not in PATH_KEYS:
        return value
    if isinstance(value, list):
        return [change(item) for item in value]
    return change(value) if isinstance(value, str) else value


def relative_paths(data: dict[str, Any], folder: Path, relative_to: Path) -> dict[str, Any]:
    """Return plain config data whose paths, seen from ``folder`` so far, start elsewhere."""

    def change(text: str) -> str:
        path = absolute(Path(text), folder)
        try:
            return Path(os.path.relpath(path, relative_to.absolute())).as_posix()
        except ValueError:  # another drive
            return path.as_posix()

    return map_paths(data, change)
