"""Check a config's inputs without running anything."""

from __future__ import annotations

from typing import Any

import numpy as np

from borderrisk.config import Config
from borderrisk.features.terrain import check_coverage
from borderrisk.model.fitting import check_parameters
from borderrisk.model.panel import Panel
from borderrisk.pipeline.inputs import Inputs, overlays, read_inputs
from borderrisk.runs import project_folder, shown_path
from borderrisk.sources.files import Reading
from borderrisk.sources.overlays import read_feature_table


def validate(config: Config) -> list[dict[str, Any]]:
    """Open every input of a config and say what it holds.

    Returns
    -------
    list of dict
        ``input, path, holds, left out, used for`` of each input.

    Raises
    ------
    ConfigError
        If the model's parameters cannot be.
    DataError
        At the first input that fails a check.
    """
    check_parameters(config.model.estimator, config.model.parameters)
    inputs = read_inputs(config)
    scored = inputs.base["exposure"].to_numpy() > 0
    check_coverage(inputs.elevation, inputs.grid, needed=scored)
    given = [*inputs.readings, *overlays(config, inputs).readings, *_own_features(config, inputs)]
    project = project_folder(config.folder)
    return [
        {
            "input": reading.what,
            "path": shown_path(reading.path, project),
            "holds": _placed(inputs) if reading.what == "incidents" else reading.holds,
            "left out": "; ".join((*filter(None, [reading.left_out]), *reading.warnings)),
            "used for": reading.used_for,
        }
        for reading in given
    ]


def _placed(inputs: Inputs) -> str:
    """Count the incidents that lie on the grid, and the rows that do not count."""
    table = inputs.incidents
    placed = Panel.build(table.incidents, inputs.grid, inputs.base["domain"].to_numpy())
    rejected = len(table.rejected) + len(placed.rejected)
    return f"{len(placed)} incidents on the grid, {rejected} rejected"


def _own_features(config: Config, inputs: Inputs) -> list[Reading]:
    path, columns = config.features.table, config.features.columns
    if path is None:
        return []
    found = read_feature_table(path, columns, inputs.grid)
    filled = {name: int(np.isfinite(values).sum()) for name, values in found.items()}
    holds = ", ".join(f"{name} in {n:,} cells" for name, n in filled.items())
    return [Reading("features.table", path, holds, "features of the model")]
