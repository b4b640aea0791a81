"""Export scored cells to a GIS format."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd

from borderrisk.errors import ConfigError
from borderrisk.outputs.cells import WRITERS, find_focus, scored_squares, write_cells
from borderrisk.outputs.files import writing
from borderrisk.outputs.geopackage import write_geopackage
from borderrisk.outputs.scene import Scene

FORMATS = tuple(WRITERS)
SUFFIXES = {
    "geojson": ".geojson",
    "geoparquet": ".parquet",
    "gpkg": ".gpkg",
    "flatgeobuf": ".fgb",
    "csv": ".csv",
}


def export(
    scene: Scene,
    path: Path,
    format: str,
    focus: str | None = None,
    top: int | None = None,
    min_risk: float | None = None,
) -> Path:
    """Write the scored cells of a scene, or a selection of them.

    Parameters
    ----------
    scene : Scene
        A finished scoring.
    path : Path
        File to make; replaced if it exists.
    format : str
        One of :data:`FORMATS`. A GeoPackage also holds incidents, border lines, further layers
        and the styles QGIS opens them with.
    focus, top, min_risk
        As in :func:`borderrisk.outputs.cells.scored_squares`.

    Raises
    ------
    ConfigError
        If the format or focus is unknown, or no cell is selected.
    OutputError
        If the file cannot be written.
    """
    squares = scored_squares(scene, focus, top, min_risk)
    if not len(squares):
        raise ConfigError(
            f"No cell is left to export (focus {focus or 'none'}, min_risk {min_risk}); "
            "lower --min-risk or choose another focus."
        )
    if format != "gpkg":
        return write_cells(squares, path, format)
    path = Path(path)
    with writing(path) as partial:
        write_geopackage({"cells": squares.frame(), **_surroundings(scene, focus)}, partial)
    return path


def _surroundings(scene: Scene, focus: str | None) -> dict[str, gpd.GeoDataFrame]:
    layers = {"incidents": _plain_dates(scene.incidents), "border": scene.borders, **scene.layers}
    if focus is None:
        return layers
    west, south, east, north = find_focus(scene, focus).bounds
    return {
        name: layer.to_crs(4326).cx[west:east, south:north].to_crs(layer.crs)
        for name, layer in layers.items()
    }


def _plain_dates(incidents: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Dates as ISO text: a time of day nobody reported would only mislead."""
    days = {
        name: incidents[name].dt.strftime("%Y-%m-%d")
        for name in ("date", "date_end")
        if name in incidents
    }
    return incidents.assign(**days)
