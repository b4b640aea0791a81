"""Stages declare what they read; from the declaration follow what they can see and their key.

A stage is a function of three views: of the config, of the input files, of earlier stages. A view
shows what the stage declared and raises on anything else, so a key made from the declaration
cannot forget what a result depends on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from borderrisk.config import Config
from borderrisk.pipeline import limits
from borderrisk.pipeline.inputs import ROLES, Inputs
from borderrisk.runs.cache import StageCache, StageKey
from borderrisk.runs.manifest import project_folder

T = TypeVar("T")
Progress = Callable[[str, int, int], None]

# From the bottom up; a stage's code is all of its own layer and of those below.
LAYERS = (
    ("errors", "scores", "words", "compute", "grid", "area"),
    ("features", "sources"),
    ("model", "border"),
    ("evaluation",),
)
_GLUE = (
    "borderrisk.outputs.gridfiles",
    "borderrisk.pipeline.inputs",
    "borderrisk.pipeline.movement",
    "borderrisk.pipeline.steps",
    "borderrisk.pipeline.evaluating",
)
_GB = 1e9


class UndeclaredReadError(RuntimeError):
    """A stage read something that its declaration does not name."""


class View:
    """Attributes of a tree as far as their dotted keys were declared; anything else raises."""

    def __init__(self, tree: Any, keys: Iterable[str], of: str, at: str = "") -> None:
        self.__dict__.update(_tree=tree, _keys=frozenset(keys), _of=of, _at=at)

    def __getattr__(self, name: str) -> Any:
        key = f"{self._at}.{name}".lstrip(".")
        if any(key == known or key.startswith(f"{known}.") for known in self._keys):
            return getattr(self._tree, name)
        if any(known.startswith(f"{key}.") for known in self._keys):
            return View(getattr(self._tree, name), self._keys, self._of, key)
        raise UndeclaredReadError(f"stage {self._of} reads {key}, which it does not declare")


@dataclass(frozen=True)
class Work:
    """How work is done; changes no result.

    ``scheduler`` is ``threads``, ``processes`` or a Dask address; ``workers`` None is one per core;
    ``progress`` is told ``(stage, done, total)`` by the long stages.
    """

    scheduler: str = "threads"
    workers: int | None = None
    progress: Progress | None = None

    def teller(self, stage: str) -> Callable[[int, int], None] | None:
        """Return what a long stage tells its ``(done, total)``."""
        tell = self.progress
        return None if tell is None else lambda done, total: tell(stage, done, total)


@dataclass(frozen=True)
class Given:
    """What a stage is given: views of the config and of the files it declared, and how to work."""

    config: Any
    files: Any
    work: Work
    _stages: Stages
    _of: Stage[Any]

    def __getitem__(self, stage: Stage[T]) -> T:
        """Return the result of an earlier stage."""
        if stage not in self._of.after:
            raise UndeclaredReadError(f"stage {self._of.name} reads {stage.name} undeclared")
        return self._stages[stage]


@dataclass(frozen=True)
class Keep(Generic[T]):
    """How a result is written into an empty folder, and read back."""

    save: Callable[[T, Path], Any]
    load: Callable[[Path], T]


@dataclass(frozen=True, eq=False)
class Stage(Generic[T]):
    """One step of a run, that gives its result by ``make`` from what it declares.

    ``name`` is also the beginning of its folder in the cache; its code is the package ``layer`` and
    every layer below it. It reads the dotted keys ``config`` (a section stands for all below it),
    the input roles ``files`` and the results of the stages ``after``. Without ``keep`` the result
    lives in memory, for one run.
    """

    name: str
    make: Callable[[Given], T]
    layer: str
    config: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    after: tuple[Stage[Any], ...] = ()
    keep: Keep[T] | None = None


class Declare(Protocol):
    """Turns a function into a stage."""

    def __call__(self, make: Callable[[Given], T]) -> Stage[T]:
        """Return the stage."""


def stage(
    *,
    layer: str,
    config: Iterable[str] = (),
    files: Iterable[str] = (),
    after: Iterable[Stage[Any]] = (),
    keep: Keep[Any] | None = None,
) -> Declare:
    """Declare what a stage reads; the function below becomes a :class:`Stage`."""

    def declare(make: Callable[[Given], T]) -> Stage[T]:
        name = make.__name__
        return Stage(name, make, layer, tuple(config), tuple(files), tuple(after), keep)

    return declare


@dataclass
class Stages:
    """What a config leads to, each stage computed when it is first asked for.

    ``stages[features]`` is the result of the stage ``features``.
    """

    config: Config
    inputs: Inputs
    cache: StageCache
    work: Work = Work()
    _made: dict[Stage[Any], Any] = field(default_factory=dict)
    _keys: dict[Stage[Any], StageKey] = field(default_factory=dict)

    @classmethod
    def of(
        cls, config: Config, *, refresh: bool = False, progress: Progress | None = None
    ) -> Stages:
        """Open the stages of a config with the cache it names.

        Raises ``ConfigError`` if it asks for more than can be computed.
        """
        compute, inputs = config.compute, Inputs(config)
        limits.check(config, inputs)
        cache = StageCache(compute.cache, refresh=refresh, max_bytes=compute.cache_max_gb * _GB)
        work = Work(compute.scheduler, compute.workers, progress)
        return cls(config, inputs, cache, work)

    @property
    def project(self) -> Path:
        """Folder that shown paths start at."""
        return project_folder(self.config.folder)

    def key(self, stage: Stage[Any]) -> StageKey:
        """Return all that the result of a stage depends on."""
        if stage not in self._keys:
            keys = {*stage.config, *(key for role in stage.files for key in ROLES[role].config)}
            self._keys[stage] = StageKey(
                stage.name,
                (*_packages(stage.layer), *_GLUE),
                json.dumps({key: self.config.value(key) for key in sorted(keys)}, sort_keys=True),
                tuple(self.key(up) for up in stage.after),
                {
                    f"{role} {number} {path.name}": self.cache.hashes(path)
                    for role in stage.files
                    for number, path in enumerate(self.inputs.files(role))
                },
            )
        return self._keys[stage]

    def __getitem__(self, stage: Stage[T]) -> T:
        if stage not in self._made:
            self._made[stage] = self._result(stage)
        found: T = self._made[stage]
        return found

    def _result(self, stage: Stage[T]) -> T:
        def make() -> T:
            config = View(self.config, stage.config, stage.name)
            files = View(self.inputs, stage.files, stage.name)
            return stage.make(Given(config, files, self.work, self, stage))

        if stage.keep is None:
            return make()
        kept = stage.keep
        return self.cache.stage(self.key(stage), make, save=kept.save, load=kept.load)

    def forget(self, stage: Stage[Any]) -> None:
        """Drop a result that is too large to be kept while others are made."""
        self._made.pop(stage, None)


def _packages(layer: str) -> tuple[str, ...]:
    """Return the packages of a layer and of all below it."""
    height = next(n for n, names in enumerate(LAYERS) if layer in names)
    return tuple(f"borderrisk.{name}" for names in LAYERS[: height + 1] for name in names)
