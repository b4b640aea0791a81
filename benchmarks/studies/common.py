"""What the studies share: their options, and the config that they look at."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from borderrisk.config import load_config
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
