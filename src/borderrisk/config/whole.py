"""The whole config, and what can be done with it once it is loaded."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, Field, PrivateAttr, ValidationError

from borderrisk.config.base import PathRole, Problem, Section, Slug, absolute, dotted, merge_patch
from borderrisk.config.sections import (
    ComputeConfig,
    CorridorsConfig,
    DataConfig,
    EvaluationConfig,
    FeaturesConfig,
    FocusConfig,
    ForecastsConfig,
    GridConfig,
    ModelConfig,
    OutputsConfig,
    ScenarioConfig,
    SegmentsConfig,
    StudyAreaConfig,
    TrainConfig,
    UncertaintyConfig,
)
from borderrisk.config.yamltext import write_yaml
from borderrisk.errors import ConfigError

_NO_EFFECT_ON_RESULTS = (("compute",), ("outputs", "folder"))

# Validated anew in each config, because the default paths start at its folder.
_EMPTY: Any = dict


class Source(Protocol):
    """Where a config was read from."""

    def line(self, problem: Problem) -> str:
        """Return a problem as one line that starts with its place."""

    def order(self, problem: Problem) -> tuple[float, float]:
        """Line and column of a problem."""


def refusal(problems: Sequence[Problem], source: Source | None) -> ConfigError:
    """Return the error that names problems by their place in the file, each once."""
    if source is None:
        lines = [f"{dotted(problem.location)}: {problem.message}" for problem in problems]
    else:
        lines = [source.line(problem) for problem in sorted(problems, key=source.order)]
    return ConfigError("\n".join(dict.fromkeys(lines)))


class Config(Section):
    """Everything a run needs to know.

    Made with :func:`borderrisk.config.load_config`; immutable. Paths are absolute.
    """

    name: Slug
    """Name of the config; runs are kept in a folder of this name."""
    title: str = ""
    """Title of the maps and report, English."""
    title_fa: str = ""
    """Title of the maps and report, Persian."""
    study_area: StudyAreaConfig
    """Where risk is scored."""
    grid: GridConfig = GridConfig()
    """The analysis grid."""
    focus: dict[Slug, FocusConfig] = Field(default_factory=dict)
    """Named windows with a map and export of their own."""
    data: DataConfig
    """Input files."""
    features: FeaturesConfig = FeaturesConfig()
    """What is computed for each cell."""
    train: TrainConfig = TrainConfig()
    """Training area and period."""
    model: ModelConfig = ModelConfig()
    """The estimator."""
    uncertainty: UncertaintyConfig = UncertaintyConfig()
    """Intervals."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Tests on unseen incidents."""
    corridors: CorridorsConfig = CorridorsConfig()
    """Corridors inland."""
    segments: SegmentsConfig = SegmentsConfig()
    """Border segments."""
    scenarios: dict[Slug, ScenarioConfig] = Field(default_factory=dict)
    """Named what-if variants of this config."""
    outputs: OutputsConfig = Field(default_factory=_EMPTY)
    """What a run writes."""
    forecasts: ForecastsConfig = ForecastsConfig()
    """What `borderrisk update` forecasts."""
    compute: ComputeConfig = Field(default_factory=_EMPTY)
    """Where the work runs."""
    seed: int = Field(default=20240103, ge=0)
    """Seed of all random numbers."""

    _folder: Path = PrivateAttr(default_factory=Path.cwd)
    _source: Source | None = PrivateAttr(default=None)

    @classmethod
    def from_data(cls, data: dict[str, Any], folder: Path) -> Config:
        """Validate plain data, or raise pydantic's error; paths start at ``folder``."""
        config = cls.model_validate_json(json.dumps(data), context={"folder": folder})
        config._folder = folder.absolute()
        return config

    def read_from(self, source: Source | None) -> Config:
        """Note where it was read from, for what is found wrong with it later."""
        self._source = source
        return self

    def refused(self, problems: Sequence[Problem]) -> ConfigError:
        """Return the error of problems that are found after loading, at their place in the file."""
        return refusal(problems, self._source)

    @property
    def folder(self) -> Path:
        """Folder that relative paths start at: the one of the config file."""
        return self._folder

    @property
    def is_contained(self) -> bool:
        """Whether results are kept in the config's own folder, as in those of `init`."""
        return self.outputs.folder == self.folder

    @property
    def runs_folder(self) -> Path:
        """Where runs are kept: ``runs`` in the config's own folder, elsewhere its name."""
        return self.outputs.folder / ("runs" if self.is_contained else self.name)

    @property
    def forecasts_folder(self) -> Path:
        """Where frozen forecasts are kept: ``forecasts`` in the config's own folder."""
        return self.folder / "forecasts" if self.is_contained else self.runs_folder

    @property
    def record_folder(self) -> Path:
        """Where the track record of the forecasts is kept, and what became of each."""
        return self.folder if self.is_contained else self.runs_folder

    def to_data(self, relative_to: Path | None = None) -> dict[str, Any]:
        """Return plain JSON-ready data, paths relative to a folder (default: the config's)."""
        data = self.model_dump(mode="json")
        return relative_paths(data, self.folder, relative_to or self.folder)

    def dump_yaml(self, relative_to: Path | None = None) -> str:
        """Return YAML that loads back to an equal config in its folder, or in ``relative_to``."""
        return write_yaml(self.to_data(relative_to))

    def part(self, *keys: str) -> str:
        """Return canonical JSON of some parts, for cache keys.

        Keys are dotted, such as ``"model"`` or ``"features.travel"``; none: everything.
        """
        data = self.to_data()
        parts = {key: _pick(data, key) for key in keys} if keys else data
        return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def value(self, key: str) -> Any:
        """Return JSON-ready data of a dotted key; a path is null, as its files speak for it.

        Raises
        ------
        KeyError
            If there is no such key.
        """
        return _pick(_map(self.model_dump(mode="json"), (), lambda _: None), key)

    @property
    def hash(self) -> str:
        """SHA-256 of everything that can change a result; the same on every machine."""
        data = json.loads(self.part())
        for *parents, last in _NO_EFFECT_ON_RESULTS:
            place = data
            for key in parents:
                place = place[key]
            del place[last]
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def with_scenario(self, name: str) -> Config:
        """Return the config with the changes of a scenario applied.

        Raises
        ------
        ConfigError
            If there is no such scenario.
        """
        if name not in self.scenarios:
            choices = ", ".join(self.scenarios) or "none are defined"
            raise ConfigError(f"scenarios: there is no scenario {name!r} (choices: {choices})")
        return self.with_changes(self.scenarios[name].changes)

    def with_changes(self, changes: dict[str, Any]) -> Config:
        """Return the config with a partial config laid over it (RFC 7396).

        Raises ``ConfigError`` if a value cannot be right.
        """
        data = merge_patch(self.model_dump(mode="json"), changes)
        try:
            return Config.from_data(data, self.folder).read_from(self._source)
        except ValidationError as error:
            faults = [
                Problem(item["loc"], f"{item['msg']} (got {str(item['input'])[:60]})")
                for item in error.errors(include_url=False)
            ]
            raise refusal(faults, None) from error


def _pick(data: dict[str, Any], key: str) -> Any:
    value: Any = data
    for name in key.split("."):
        value = value[name]
    return value


def mapped_focus(config: Any) -> dict[str, FocusConfig]:
    """Return the focus windows that a run maps and exports, in the order asked for."""
    names = config.focus if config.outputs.focus is None else config.outputs.focus
    return {name: config.focus[name] for name in names}


Key = tuple[str, ...]


def _path_keys(section: type[BaseModel], prefix: Key) -> Iterator[tuple[Key, PathRole]]:
    for name, field in section.model_fields.items():
        inner = getattr(field.annotation, "__args__", ())
        notes = [*field.metadata, *(m for arg in inner for m in getattr(arg, "__metadata__", ()))]
        yield from (((*prefix, name), note) for note in notes if isinstance(note, PathRole))
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _path_keys(field.annotation, (*prefix, name))


PATH_KEYS: dict[Key, PathRole] = dict(_path_keys(Config, ()))


def map_paths(data: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return plain config data with every path changed, those of scenarios included."""
    changed = _map(data, (), change)
    for scenario in (changed.get("scenarios") or {}).values():
        scenario["changes"] = _map(scenario["changes"], (), change)
    return changed


def _map(value: Any, key: Key, change: Callable[[str], str | None]) -> Any:
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
