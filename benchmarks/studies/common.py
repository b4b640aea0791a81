"""What the studies share: their options, and the config that they look at."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from borderrisk.config import load_config
from borderrisk.evaluation.backtest import yearly_origins
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
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


def looked_at(name: str, doc: str | None, arguments: Sequence[str]) -> Look:
    """Open the config that a study is asked to look at, ``--set`` as for a run."""
    options = parser(name, doc)
    options.add_argument("--config", type=Path, default=CONFIG)
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = options.parse_args(arguments)
    return Look(Stages.of(load_config(given.config, dict(s.split("=", 1) for s in given.set))))


class Look:
    """What a study wants of a config, whose shortest horizon it looks at.

    Parameters
    ----------
    stages : Stages
        Of the config.
    """

    def __init__(self, stages: Stages):
        self.stages, self.section = stages, stages.config.evaluation
        self.seed, self.workers = stages.config.seed, stages.config.compute.workers
        self.years = min(self.section.horizons_years)

    @property
    def cells(self) -> CellTable:
        """Cells of the domain."""
        return self.stages[steps.cells]

    @property
    def known(self) -> Panel:
        """Every incident before the config's own origin."""
        return self.stages[steps.incidents].known

    @property
    def origins(self) -> list[pd.Timestamp]:
        """Yearly origins of the evaluation."""
        return yearly_origins(self.section.first_origin, self.section.last_origin)

    @property
    def own(self) -> Settings:
        """The config's model."""
        return self.models[self.stages.config.model.estimator]

    @property
    def models(self) -> dict[str, Settings]:
        """Every model that the columns are enough for, the config's own first."""
        return tested(self.stages.config, self.cells)
