"""Read a config file and report every problem in it at once."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from borderrisk.config.base import Location, Problem, absolute, dotted
from borderrisk.config.checks import check
from borderrisk.config.problems import besides, drop_retired, validated
from borderrisk.config.whole import PATH_KEYS, Config, refusal
from borderrisk.config.yamltext import Document, parse_value, read_yaml
from borderrisk.errors import ConfigError

log = logging.getLogger(__name__)

# Name of the config in a folder made by `borderrisk init`.
CONFIG_FILE = "config.yaml"

_MAX_BYTES = 1_000_000


def load_config(
    path: str | Path, overrides: Mapping[str, str] | None = None, *, check_paths: bool = True
) -> Config:
    """Load and check a config file.

    Parameters
    ----------
    path : str or Path
        YAML 1.2 file, or a folder with a ``config.yaml``. Relative paths in it start at its folder.
    overrides : mapping of str to str, optional
        Dotted keys to YAML values that replace what the file says, as given on the command line
        with ``--set``. Relative paths among them start at the current folder.
    check_paths : bool
        Whether input files have to exist.

    Raises
    ------
    ConfigError
        With one line per problem: ``file:line:col: key: what is wrong (got ...)``.
    """
    path = config_file(Path(path))
    source = _Source(path, read_yaml(_text(path)), {})
    data, problems = source.document.data, source.document.problems
    if not isinstance(data, dict):
        what = "the config must be a mapping of keys to values"
        what = "the config is empty" if data is None else what
        raise refusal(problems or [Problem((), what)], source)
    rejected = _override(data, overrides or {}, source)
    retired, silent = drop_retired(data)
    rejected += retired
    config, faults = validated(data, path.absolute().parent)
    faults = besides(rejected, faults)
    between = besides([*rejected, *faults], check(config, paths=check_paths))
    if problems := [*problems, *rejected, *faults, *between]:
        raise refusal(problems, source)
    if silent:
        log.warning("%s: %s: no effect any more; leave it out", path, ", ".join(silent))
    return config.read_from(source)


def config_file(path: Path) -> Path:
    """Return the file of a config, or of the folder that holds one."""
    return path / CONFIG_FILE if (path / CONFIG_FILE).is_file() else path


class _Source:
    """A config text and the overrides laid over it: knows where each key came from."""

    def __init__(self, path: Path, document: Document, overridden: dict[Location, str]) -> None:
        self.path, self.document, self.overridden = path, document, overridden

    def __eq__(self, other: object) -> bool:
        """Where a config was read from makes it no other config."""
        return isinstance(other, _Source)

    __hash__ = None  # type: ignore[assignment]

    def line(self, problem: Problem) -> str:
        """Return the problem as one line that starts with its place."""
        key = f" {dotted(problem.location)}:" if problem.location else ""
        return f"{self._place(problem)}:{key} {problem.message}"

    def _place(self, problem: Problem) -> str:
        override = self._override(problem)
        row, column = self.order(problem)
        return f"--set {override}" if override else f"{self.path}:{row}:{column}"

    def _override(self, problem: Problem) -> str | None:
        """Return the override that brought a problem in, if one did."""
        place = problem.location
        for location, key in self.overridden.items():
            made = place not in self.document.values and location[: len(place)] == place
            if place and (place[: len(location)] == location or made):
                return key
        return None

    def order(self, problem: Problem) -> tuple[float, float]:
        """Return line and column of a problem; overrides come last."""
        if problem.position:
            return problem.position
        if self._override(problem):
            return (math.inf, 0)
        return self.document.position(problem.location, of_key=problem.at_key)


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder; give a config file (.yaml)")
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: is a device or pipe; give a config file (.yaml)")
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"{path}: is larger than 1 MB; give a config file (.yaml)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        row, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise ConfigError(
            f"{path}:{row}:{column}: not UTF-8 text (byte 0x{content[error.start]:02x}); "
            "save the file as UTF-8"
        ) from None


def _override(data: dict[str, Any], overrides: Mapping[str, str], source: _Source) -> list[Problem]:
    problems = []
    for key, text in overrides.items():
        location: Location = tuple(key.split("."))
        source.overridden[location] = key
        try:
            value = parse_value(text)
        except ValueError as error:
            problems.append(Problem(location, str(error)))
            continue
        place: Any = data
        for part in location[:-1]:
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        place[location[-1]] = _from_here(location, value)
    return problems


def _from_here(location: Location, value: Any) -> Any:
    """Make the paths of an override absolute, seen from the current folder."""
    if location not in PATH_KEYS:
        return value
    if isinstance(value, list):
        return [_from_here(location, item) for item in value]
    return str(absolute(Path(value), Path.cwd())) if value and isinstance(value, str) else value


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a config file."""
    schema = Config.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "borderrisk config",
    }


def schema_text() -> str:
    """Return the schema as it is kept in ``docs/config.schema.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
