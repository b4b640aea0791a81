"""Check a config's inputs without running anything."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyproj import Transformer

from borderrisk.config import Config
from borderrisk.errors import DataError
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
    DataError
        At the first input that fails a check.
    """
    inputs = read_inputs(config)
    _check_elevation(inputs)
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


def _check_elevation(inputs: Inputs) -> None:
    """Raise unless the box of the elevation holds the study area."""
    source, grid = inputs.elevation, inputs.grid
    scored = inputs.base["exposure"].to_numpy() > 0
    to_source = Transformer.from_crs(grid.crs, source.crs, always_xy=True)
    easting, northing = grid.centres()
    x, y = to_source.transform(easting[scored], northing[scored])
    west, south, east, north = source.bounds
    outside = 1 - np.mean((x >= west) & (x <= east) & (y >= south) & (y <= north))
    if outside > 0:
        raise DataError(
            f"{source.name} does not cover {100 * outside:.3g} % of the study area: it spans "
            f"{west:g} to {east:g} and {south:g} to {north:g}. Add tiles, or reduce the area."
        )


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
