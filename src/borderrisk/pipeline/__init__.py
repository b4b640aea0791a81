"""The stages in order, and the commands on their results."""

from typing import TYPE_CHECKING

from borderrisk._lazy import lazy

if TYPE_CHECKING:
    from borderrisk.pipeline.elsewhere import scenario, score_regions
    from borderrisk.pipeline.forecasting import forecast, verify
    from borderrisk.pipeline.result import (
        Plan,
        Result,
        allocate_segments,
        compare_runs,
        export_cells,
        open_run,
        top_segments,
        write_maps,
    )
    from borderrisk.pipeline.run import evaluate, run, score, train, write_features
    from borderrisk.pipeline.starting import validate

_HOME = {
    "Plan": "result",
    "Result": "result",
    "allocate_segments": "result",
    "compare_runs": "result",
    "evaluate": "run",
    "export_cells": "result",
    "forecast": "forecasting",
    "open_run": "result",
    "run": "run",
    "scenario": "elsewhere",
    "score": "run",
    "score_regions": "elsewhere",
    "top_segments": "result",
    "train": "run",
    "validate": "starting",
    "verify": "forecasting",
    "write_features": "run",
    "write_maps": "result",
}

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
    "score_regions",
    "top_segments",
    "train",
    "validate",
    "verify",
    "write_features",
    "write_maps",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
