"""What changed between two runs on the same grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from borderrisk.errors import ConfigError, DataError
from borderrisk.grid import Grid
from borderrisk.outputs.atomic import writing
from borderrisk.outputs.export import cells_frame, write_cells
from borderrisk.outputs.figures import change_figure
from borderrisk.outputs.figures.style import render, style
from borderrisk.outputs.gridfiles import write_bands
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.webmap import write_map
from borderrisk.scores import by_name, shown

UNKNOWN, WITHIN, ROSE, FELL = -1, 0, 1, 2
CHANGES = {UNKNOWN: "no intervals", WITHIN: "within intervals", ROSE: "rose", FELL: "fell"}
_RANKS = ("rank_high", "rank_low")  # the worst first
_CHANCES = ("probability_low", "probability_high")
_FLAGS = {
    "flag_values": np.array(list(CHANGES), "int8"),
    "flag_meanings": f"unknown {' '.join(by_name()['change'].words)}",
}


@dataclass(frozen=True)
class Comparison:
    """The change from run A to run B.

    ``table`` has the cells scored in both, largest changes of risk first: ``cell_id, change`` (a
    word of :data:`CHANGES`), ``risk_change``, ``intensity_ratio`` and the scores of both with
    endings ``_a`` and ``_b``. ``scene_for_map`` is run B with the variables ``risk_change``
    (percentile points) and ``change`` (codes).
    """

    table: gpd.GeoDataFrame
    scene_for_map: Scene

    @property
    def counts(self) -> dict[str, int]:
        """Number of cells by change."""
        found = self.table["change"].value_counts()
        return {word: int(found.get(word, 0)) for word in CHANGES.values()}


def compare(scene_a: Scene, scene_b: Scene) -> Comparison:
    """Compare two scorings of the same grid.

    A cell *rose* if the whole interval of its rank lies above the one it had: the worst plausible
    rank in B is better than the best plausible rank in A; *fell* is the reverse. Ranks are taken as
    shares of the scored cells, so that study areas may differ. Runs without intervals of ranks are
    compared by the bounds of the probability, if both forecast the same number of days. Raises
    ``ConfigError`` if the grids differ or no cell is scored in both, ``DataError`` if one has no
    scores.
    """
    _check_comparable(scene_a, scene_b)
    a, b = scene_a.cells, scene_b.cells
    both = np.isfinite(a["risk"].to_numpy()) & np.isfinite(b["risk"].to_numpy())
    if not both.any():
        raise ConfigError("No cell is scored in both runs; their study areas do not overlap.")
    change = np.where(both, _change(scene_a, scene_b), UNKNOWN).astype("int8")
    risk_change = np.where(both, b["risk"].to_numpy() - a["risk"].to_numpy(), np.nan)
    declared = by_name()
    cells = b.assign(
        risk_change=(("y", "x"), risk_change.astype("float32"), declared["risk_change"].attrs),
        change=(("y", "x"), change, declared["change"].attrs | _FLAGS),
    )
    runs = f"{scene_a.meta.run_id or 'A'} → {scene_b.meta.run_id or 'B'}"
    scene = replace(scene_b, cells=cells, meta=replace(scene_b.meta, compared=runs))
    return Comparison(_table(scene_a, scene, both), scene)


def _check_comparable(scene_a: Scene, scene_b: Scene) -> None:
    for label, scene in (("first", scene_a), ("second", scene_b)):
        if "risk" not in scene.cells:
            raise DataError(f"The {label} run has no scores to compare.")
    if scene_a.grid != scene_b.grid:
        raise ConfigError(
            f"The runs have different grids ({_describe(scene_a.grid)}, and "
            f"{_describe(scene_b.grid)}); give both the same study area, halo_km and cell_size_m."
        )


def _describe(grid: Grid) -> str:
    rows, cols = grid.shape
    corner = ", ".join(f"{value / 1000:g}" for value in (grid.transform.c, grid.transform.f))
    operation = grid.crs.coordinate_operation
    centre = [f"{p.value:g}°" for p in list(operation.params)[:2]] if operation else ["?"]
    return (
        f"{rows} x {cols} cells of {grid.cell_size_m / 1000:g} km, corner at {corner} km, "
        f"projection centred on {', '.join(centre)}"
    )


def _change(scene_a: Scene, scene_b: Scene) -> np.ndarray:
    """Codes of :data:`CHANGES`, shape (rows, columns)."""
    found = _intervals(scene_a, scene_b)
    if found is None:
        return np.full(scene_a.grid.shape, UNKNOWN)
    (low_a, high_a), (low_b, high_b) = found
    known = np.isfinite(low_a + high_a + low_b + high_b)
    return np.select([~known, low_b > high_a, high_b < low_a], [UNKNOWN, ROSE, FELL], WITHIN)


def _intervals(*scenes: Scene) -> list[list[np.ndarray]] | None:
    """Lower and upper bound of how high each cell of each run is; None if they cannot compare."""
    cells = [scene.cells for scene in scenes]
    if all(name in its for its in cells for name in _RANKS):
        counts = [int(np.isfinite(its["risk"].to_numpy()).sum()) for its in cells]
        pairs = zip(cells, counts, strict=True)
        return [[-its[name].to_numpy() / n for name in _RANKS] for its, n in pairs]
    chances = all(name in its for its in cells for name in _CHANCES)
    days, *others = (scene.meta.horizon_days for scene in scenes)
    if chances and days is not None and others == [days]:
        return [[its[name].to_numpy() for name in _CHANCES] for its in cells]
    return None


def _table(scene_a: Scene, scene: Scene, both: np.ndarray) -> gpd.GeoDataFrame:
    a, b = scene_a.cells, scene.cells
    codes = b["change"].to_numpy()[both]
    columns: dict[str, Any] = {
        "cell_id": scene.grid.cell_ids(both),
        "change": np.array([CHANGES[int(code)] for code in codes]),
        "risk_change": b["risk_change"].to_numpy()[both],
    }
    if "intensity" in a and "intensity" in b:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = b["intensity"].to_numpy()[both] / a["intensity"].to_numpy()[both]
        columns["intensity_ratio"] = ratio
    for name in (score.name for score in shown("compare") if score.name in a and score.name in b):
        columns[f"{name}_a"] = a[name].to_numpy()[both]
        columns[f"{name}_b"] = b[name].to_numpy()[both]
    order = np.argsort(-np.abs(columns["risk_change"]), kind="stable")
    return cells_frame(scene.grid, both, columns).iloc[order].reset_index(drop=True)


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write ``changes.csv``, ``changes.geojson``, ``change.tif``, ``map.html``, ``change.png``.

    Return the files; raises ``OutputError`` if one cannot be written.
    """
    folder = Path(folder)
    table, scene = comparison.table, comparison.scene_for_map
    written = [
        write_cells(table, folder / "changes.csv", "csv"),
        write_cells(table, folder / "changes.geojson", "geojson"),
        write_bands(scene, ["risk_change"], folder / "change.tif"),
        folder / "map.html",
    ]
    write_map(scene, folder / "map.html")
    with style():
        figure = change_figure(scene)
    if figure is not None:
        with writing(folder / "change.png") as partial:
            partial.write_bytes(render(figure, "png"))
        written.append(folder / "change.png")
    return written
