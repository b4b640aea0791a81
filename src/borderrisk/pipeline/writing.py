"""Write everything a run leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.config import Config
from borderrisk.errors import ConfigError
from borderrisk.outputs.cells import scored_squares, write_cells
from borderrisk.outputs.features import write_features
from borderrisk.outputs.figures import write_figures
from borderrisk.outputs.geojson import write_layer
from borderrisk.outputs.rasters import write_risk_tif
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.store import save_scene
from borderrisk.outputs.styles import write_qml
from borderrisk.outputs.webmap import write_map
from borderrisk.pipeline.result import SCENE_FOLDER

WHOLE = "map.html"
_FORMATS = (".geojson", ".csv", ".parquet")
SEGMENT_REPLICATES = f"{SCENE_FOLDER}/segment_replicates.npy"


def map_name(focus: str | None) -> str:
    """File name of a map."""
    return WHOLE if focus is None else f"map-{focus}.html"


def write_outputs(scene: Scene, config: Config, folder: Path) -> None:
    """Write tables, rasters, maps, layers and the scene into a run's folder."""
    (folder / "config.yaml").write_text(config.dump_yaml(folder), encoding="utf-8")
    cells = scored_squares(scene)
    write_cells(cells, folder / "cells.parquet", "geoparquet")
    write_cells(cells, folder / "cells.geojson", "geojson")
    write_risk_tif(scene, folder / "risk.tif")
    for name in ("risk", "cells"):
        write_qml(folder / f"{name}.qml")
    format_ = config.outputs.features_format
    features = write_features(scene.cells, folder / f"features.{format_}", format_)
    for name, layer in scene.layers.items():
        write_layer(_with_routes(scene) if name == "corridors" else layer,
                    folder / f"{name}.geojson")  # fmt: skip
    _write_segments(scene, folder)
    for focus in (None, *(f.name for f in scene.focuses)):
        write_map(scene, folder / map_name(focus), focus=focus, language=config.outputs.language)
    save_scene(scene, folder / SCENE_FOLDER, features if format_ == "nc" else None)


def _with_routes(scene: Scene) -> gpd.GeoDataFrame:
    """Corridors and the quickest routes in one layer, told apart by ``kind``."""
    parts = {"corridor": scene.layers["corridors"], "route": scene.layers.get("routes")}
    both = [part.assign(kind=kind) for kind, part in parts.items() if part is not None]
    table = gpd.GeoDataFrame(pd.concat(both, ignore_index=True), crs=4326)
    return table[["kind", *(name for name in table if name != "kind")]]


def _write_segments(scene: Scene, folder: Path) -> None:
    """Write the segments as tables, too."""
    segments = scene.layers.get("segments")
    if segments is not None:
        for suffix in (".parquet", ".csv"):
            write_table(segments, folder / f"segments{suffix}")


def write_table(table: gpd.GeoDataFrame, path: Path) -> None:
    """Write segments with all columns, in the format of the file's ending.

    Raises
    ------
    ConfigError
        If there is no such format.
    """
    if path.suffix not in _FORMATS:
        raise ConfigError(f"{path.name}: write segments to one of {', '.join(_FORMATS)}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".geojson":
        write_layer(table, path, "segments")
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        plain = table.drop(columns=table.geometry.name)
        plain.to_csv(path, index=False, lineterminator="\n")


def write_replicates(replicates: np.ndarray | None, folder: Path) -> None:
    """Keep the bootstrap of the segments, for the intervals of watch plans."""
    if replicates is not None:
        np.save(folder / SEGMENT_REPLICATES, replicates.astype("float32"))


def draw_figures(scene: Scene, config: Config, folder: Path) -> None:
    """Draw the figures in the formats of the config."""
    if config.outputs.figures:
        write_figures(scene, folder / "figures", formats=config.outputs.figures)


def write_json(value: Any, path: Path) -> None:
    """Write a value as readable JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    path.write_text(text + "\n", encoding="utf-8")


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain dicts."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
