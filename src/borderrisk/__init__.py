"""Area-level risk of reported border incidents from terrain, borders and incident locations.

Examples
--------
Train from a config file and look at the result in a notebook::

    import borderrisk

    config = borderrisk.load_config("configs/eastern-border.yaml")
    result = borderrisk.run(config)
    result.cells.nlargest(20, "risk")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from borderrisk.area import StudyArea
    from borderrisk.config import Config, load_config
    from borderrisk.errors import BorderRiskError, ConfigError, DataError, GridError, OutputError
    from borderrisk.grid import Grid
    from borderrisk.model.cells import CellTable
    from borderrisk.model.panel import Panel
    from borderrisk.model.registry import make_model, models
    from borderrisk.outputs.webmap.notebook import RiskLayer
    from borderrisk.pipeline.result import Result, open_run
    from borderrisk.pipeline.run import evaluate, run

__all__ = [
    "BorderRiskError", "CellTable", "Config", "ConfigError", "DataError", "Grid", "GridError",
    "OutputError", "Panel", "Result", "RiskLayer", "StudyArea", "evaluate", "load_config",
    "make_model", "models", "open_run", "run",
]  # fmt: skip
# Where each is found: it loads with its first use, so that importing the package is instant.
_HOME = {
    "CellTable": "model.cells", "Config": "config", "Grid": "grid", "Panel": "model.panel",
    "Result": "pipeline.result", "RiskLayer": "outputs.webmap.notebook", "StudyArea": "area",
    "evaluate": "pipeline.run", "load_config": "config", "make_model": "model.registry",
    "models": "model.registry", "open_run": "pipeline.result", "run": "pipeline.run",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
