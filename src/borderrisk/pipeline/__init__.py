"""The stages in order, and the commands on their results."""

from borderrisk.pipeline.checking import validate
from borderrisk.pipeline.forecasting import forecast, verify
from borderrisk.pipeline.jobs import evaluate, run, score, train, write_features
from borderrisk.pipeline.result import Result, open_run
from borderrisk.pipeline.results import (
    Plan,
    allocate_segments,
    compare_runs,
    export_cells,
    top_segments,
    write_maps,
)
from borderrisk.pipeline.whatif import scenario

__all__ = [
    "Plan",
    "Result",
    "allocate_segments",
    "compare_runs",
    "evaluate",
    "export_cells",
    "forecast",
    "open_run",
    "run",
    "scenario",
    "score",
    "top_segments",
    "train",
    "validate",
    "verify",
    "write_features",
    "write_maps",
]
