"""The stages in order, and the commands on their results."""

from typing import TYPE_CHECKING

from borderrisk._lazy import lazy

if TYPE_CHECKING:
    from borderrisk.pipeline.checking import validate
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

_HOME = {
    "Plan": "results",
    "Result": "result",
    "allocate_segments": "results",
    "compare_runs": "results",
    "evaluate": "jobs",
    "export_cells": "results",
    "forecast": "forecasting",
    "open_run": "result",
    "run": "jobs",
    "scenario": "whatif",
    "score": "jobs",
    "score_regions": "regions",
    "top_segments": "results",
    "train": "jobs",
    "validate": "checking",
    "verify": "forecasting",
    "write_features": "jobs",
    "write_maps": "results",
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
