"""Check a config's inputs without running anything."""

from __future__ import annotations

from typing import Any

from borderrisk.config import Config
from borderrisk.features.terrain import check_coverage
from borderrisk.model.fitting import check_parameters
from borderrisk.model.panel import Panel
from borderrisk.pipeline.inputs import Inputs, read_inputs
from borderrisk.runs import project_folder, shown_path


def validate(config: Config) -> list[dict[str, Any]]:
    """Open every input of a config and say what it holds.

    Returns
    -------
    list of dict
        ``input, path, holds`` of each input.

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
    placed = Panel.build(inputs.incidents.incidents, inputs.grid, inputs.base["domain"].to_numpy())
    project = project_folder(config.folder)
    paths = {
        "borders": config.data.borders,
        "countries": config.data.countries,
        "elevation": config.data.elevation.path[0],
        "settlements": config.data.settlements,
        "incidents": config.data.incidents.path,
        "posts": config.data.posts,
    }
    holds = _holds(inputs, placed)
    return [
        {"input": name, "path": shown_path(path, project), "holds": holds[name]}
        for name, path in paths.items()
        if path is not None
    ]


def _holds(inputs: Inputs, placed: Panel) -> dict[str, str]:
    rows, cols = inputs.elevation.shape
    rejected = len(inputs.incidents.rejected) + len(placed.rejected)
    km = sum(line.length for line in inputs.lines.values()) / 1000
    return {
        "borders": f"{', '.join(inputs.borders['pair'])}; {km:,.0f} km",
        "countries": f"{len(inputs.countries)} outlines",
        "elevation": f"{rows} x {cols} pixels, {inputs.elevation.crs.name}",
        "settlements": f"{len(inputs.settlements):,} places",
        "incidents": f"{len(placed)} incidents on the grid, {rejected} rejected",
        "posts": "" if inputs.posts is None else f"{len(inputs.posts)} posts",
    }
