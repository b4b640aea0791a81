"""What the studies share: their options, and the config that they look at."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from borderrisk.config import Config, load_config
from borderrisk.model.cells import CellTable
from borderrisk.model.protocol import Settings
from borderrisk.pipeline import steps
from borderrisk.pipeline.evaluating import tested
from borderrisk.pipeline.stages import Stages

CONFIG = Path(__file__).parents[2] / "configs" / "eastern-border.yaml"


def parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """Return a parser of a study's own options."""
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks studies {name}", description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip


def stages_of(name: str, doc: str | None, arguments: Sequence[str]) -> Stages:
    """Open the config that a study is asked to look at, ``--set`` as for a run."""
    options = parser(name, doc)
    options.add_argument("--config", type=Path, default=CONFIG)
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = options.parse_args(arguments)
    pairs = dict(item.split("=", 1) for item in given.set)
    return Stages.of(load_config(given.config, pairs))


@dataclass(frozen=True)
class Case:
    """What most studies look at in the stages of a config."""

    stages: Stages

    @property
    def config(self) -> Config:
        """The config."""
        return self.stages.config

    @cached_property
    def cells(self) -> CellTable:
        """Cells of the domain."""
        return self.stages[steps.cells]

    @cached_property
    def record(self) -> steps.Record:
        """The incidents."""
        return self.stages[steps.incidents]

    @cached_property
    def tested(self) -> dict[str, Settings]:
        """The config's own model first, and all others."""
        return tested(self.config, self.cells)

    @property
    def distances(self) -> list[str]:
        """Features that tell the distance to each neighbour's border."""
        codes = self.stages[steps.area].lines
        return [f"border_distance_{code.lower()}_km" for code in codes]
