"""The stages in order, and the commands on their results."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
