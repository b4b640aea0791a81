"""The border as a line: its segments, what reaches inland through each, corridors and routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import xarray as xr
from scipy.sparse import csr_matrix, load_npz, save_npz

from borderrisk.border.capture import Outlook, prospective_curves
from borderrisk.border.corridors import find_corridors
from borderrisk.border.routes import random_routes
from borderrisk.border.segments import attribute_cells, cut_border, nearest_segment, route_crossings
from borderrisk.config import Config
from borderrisk.evaluation.backtest import BASELINES, SUBSETS, BorderLine, Forecasts
from borderrisk.evaluation.summary import used_origins
from borderrisk.grid import Grid
from borderrisk.model.cells import CellTable
from borderrisk.outputs.netcdf import read_netcdf, write_netcdf
from borderrisk.pipeline.inputs import Inputs, Movement, draw_terrain, places, walking

_LAYERS = ("corridors", "routes")


@dataclass(frozen=True)
class Border:
    """Segments of the border and the ways through it.

    Attributes
    ----------
    segments : geopandas.GeoDataFrame
        From :func:`borderrisk.border.segments.cut_border`.
    attribution : csr_matrix, shape (grid cells, segments)
        Share of each cell that is reached most quickly through each segment.
    crossings : ndarray, shape (segments,), or None
        Share of the randomised routes that cross each segment.
    slack : xarray.Dataset
        ``slack_<target>`` and ``route_density`` on the grid, as far as they were computed.
    layers : dict of geopandas.GeoDataFrame
        ``corridors`` and ``routes``, where computed.
    """

    segments: gpd.GeoDataFrame
    attribution: csr_matrix
    crossings: np.ndarray | None
    slack: xr.Dataset
    layers: dict[str, gpd.GeoDataFrame] = field(default_factory=dict)


def study_border(config: Config, inputs: Inputs, movement: Movement) -> Border:
    """Cut the border, attribute the cells to its segments, and find the corridors inland."""
    segments = cut_border(inputs.borders, inputs.grid.crs, config.segments.segment_km)
    if not config.features.travel.enabled:
        return Border(segments, _by_distance(inputs.grid, segments), None, inputs.grid.dataset())
    solves = movement.solves
    attribution = attribute_cells(inputs.grid, segments, solves.far, movement.fine.grid)
    if not (config.corridors.enabled and solves.targets):
        return Border(segments, attribution, None, inputs.grid.dataset())
    found = find_corridors(
        inputs.grid,
        solves,
        inputs.home,
        slack_hours=config.corridors.slack_hours,
        workers=config.compute.workers,
    )
    crossings, slack = _randomised(config, inputs, segments)
    layers = {"corridors": found.corridors, "routes": found.routes}
    return Border(segments, attribution, crossings, found.cells.assign(slack), layers)


def _by_distance(grid: Grid, segments: gpd.GeoDataFrame) -> csr_matrix:
    """Attribute whole cells to the nearest segment, where no travel time is computed."""
    x, y = (axis.ravel() for axis in grid.centres())
    nearest = nearest_segment(segments, grid, x, y)
    ones = np.ones(grid.size)
    return csr_matrix((ones, (np.arange(grid.size), nearest)), (grid.size, len(segments)))


def _randomised(
    config: Config, inputs: Inputs, segments: gpd.GeoDataFrame
) -> tuple[np.ndarray | None, dict[str, xr.DataArray]]:
    if config.corridors.routes == 0:
        return None, {}
    routes = random_routes(
        inputs.grid,
        draw_terrain(config, inputs),
        places(config, inputs),
        inputs.home,
        walking=walking(config),
        draws=config.corridors.routes,
        cost_spread=config.corridors.cost_spread,
        seed=config.seed,
        workers=config.compute.workers,
    )
    at = routes.crossings
    shares = route_crossings(
        segments, inputs.grid, at["x"].to_numpy(), at["y"].to_numpy(), at["weight"].to_numpy()
    )
    attrs = {"units": "1", "long_name": "Share of the randomised routes that pass the cell"}
    return shares, {"route_density": xr.DataArray(routes.density, dims=("y", "x"), attrs=attrs)}


def border_line(border: Border) -> BorderLine:
    """Return what the capture by border length needs."""
    return BorderLine(border.attribution, border.segments["length_km"].to_numpy(float))


def capture_curves(
    border: Border,
    cells: CellTable,
    forecasts: Sequence[Forecasts],
    model: str,
    *,
    level: float,
    seed: int,
) -> dict[str, Any]:
    """Curve of what watching the first k kilometres of border would have covered.

    Of the shortest horizon, over the forecasts followed by enough incidents; under ``subsets`` the
    same for incidents at repeat and at new places.
    """
    used = used_origins(forecasts, min(forecasts[0].tests))
    line, rows = border_line(border), np.flatnonzero(cells.mask.ravel())[cells.study]
    attribution = csr_matrix(line.attribution[rows])
    curves = {
        subset: prospective_curves(
            _outlooks(used, cells, model, subset), attribution, line.length_km, model,
            level=level, seed=seed,
        )
        for subset in SUBSETS
    }  # fmt: skip
    everything = curves.pop("all")
    return everything and everything | {"subsets": curves}


def _outlooks(
    used: Sequence[Forecasts], cells: CellTable, model: str, subset: str
) -> list[Outlook]:
    """Return what each origin expected, and where incidents of a subset followed."""
    area = cells.study_area_100km2[cells.study]
    found = []
    for forecast in used:
        names = [name for name in (model, *BASELINES) if name in forecast.intensity]
        test = forecast.tests[min(forecast.tests)]
        happened = np.asarray(test.mass[test.subset(subset)].sum(axis=0)).ravel()
        expected = {name: forecast.intensity[name] * area for name in names}
        found.append(Outlook(expected, happened))
    return found


def save_border(border: Border, folder: Path) -> None:
    """Keep a border in a folder."""
    border.segments.to_parquet(folder / "segments.parquet")
    save_npz(folder / "attribution.npz", border.attribution)
    if border.crossings is not None:
        np.save(folder / "crossings.npy", border.crossings)
    write_netcdf(border.slack, folder / "slack.nc")
    for name, layer in border.layers.items():
        layer.to_parquet(folder / f"{name}.parquet")


def load_border(folder: Path) -> Border:
    """Read a border kept with :func:`save_border`."""
    crossings = folder / "crossings.npy"
    layers = {name: folder / f"{name}.parquet" for name in _LAYERS}
    return Border(
        gpd.read_parquet(folder / "segments.parquet"),
        csr_matrix(load_npz(folder / "attribution.npz")),
        np.load(crossings) if crossings.exists() else None,
        read_netcdf(folder / "slack.nc"),
        {name: gpd.read_parquet(path) for name, path in layers.items() if path.exists()},
    )
