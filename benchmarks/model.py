"""Model, drivers, trust and outputs on a synthetic world of 1 km cells, each step's memory."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, child

SIDE = 671  # cells: 450,241 in all
INCIDENTS = 400
AFTER = "2020-01-01"
_WATCH_S = 0.005
_PROGRAM = "import sys\nfrom benchmarks import model\nmodel.main(sys.argv[1], int(sys.argv[2]))"


def measure(side: int = SIDE) -> list[Row]:
    """Time of each step, and the most Python objects that were alive in it beyond those before."""
    with tempfile.TemporaryDirectory() as scratch:
        found = Path(scratch) / "found.json"
        spent = child(_PROGRAM, [str(found), str(side)])
        steps = json.loads(found.read_text())
    rows = [
        Row(f"{name}, {side**2:,} cells", "M", seconds, note=f"{objects:,} objects")
        for name, seconds, objects in steps
    ]
    return [*rows, Row("these steps together", "M", spent.seconds, peak_mb=spent.peak_mb)]


def main(found: str, side: int) -> None:
    """Run the steps and write what they took."""
    took: list[tuple[str, float, int]] = []

    def step(name: str, work: Callable[[], Any]) -> Any:
        result, seconds, objects = watched(work)
        took.append((name, round(seconds, 3), objects))
        return result

    _model(step, side)
    _outputs(step, side, Path(found).parent)
    Path(found).write_text(json.dumps(took))


def watched(work: Callable[[], Any]) -> tuple[Any, float, int]:
    """Return result, seconds, and how many more blocks of Python memory were in use than before."""
    before = sys.getallocatedblocks()
    most, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(_WATCH_S):
            most[0] = max(most[0], sys.getallocatedblocks())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    try:
        result = work()
    finally:
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
    return result, seconds, max(most[0], sys.getallocatedblocks()) - before


def _model(step: Callable[[str, Callable[[], Any]], Any], side: int) -> None:
    from benchmarks.studies.worlds import make_world
    from borderrisk.model import drivers
    from borderrisk.model.registry import make_model

    world = make_world(seed=1, incidents=INCIDENTS, shape=(side, side), cell_size_m=1000.0)
    cells = step("table of cells", world.cells)
    panel = step("incidents as mass", world.panel)
    model = step("fit", lambda: make_model("decayed_pool").fit(cells, panel, AFTER))
    step("intensity and its parts", lambda: (model.intensity(cells), model.parts(cells)))
    parts = step("drivers", lambda: model.drivers(cells))
    step("three strongest drivers", lambda: drivers.top_drivers(parts))
    weights = drivers.importance(parts, cells.study_area_100km2)
    step("trust", lambda: _trust(cells, panel, weights))


def _trust(cells: Any, panel: Any, weights: dict[str, float]) -> Any:
    from borderrisk.model import trust

    folds = trust.area_folds(cells)
    test = trust.Dissimilarity.fit(cells.x[cells.study], weights, folds[cells.study])
    return trust.trust_codes(
        cells,
        extrapolates=test.extrapolates(cells.x, folds),
        sparse=trust.sparse(cells, panel.counts(weighted=False)),
        edge=trust.edge(cells, cells.mask, 20.0),
    )


def _outputs(step: Callable[[str, Callable[[], Any]], Any], side: int, folder: Path) -> None:
    from benchmarks.webmap import synthetic_scene
    from borderrisk.outputs.export import cells_table, write_cells
    from borderrisk.outputs.gridfiles import save_scene, write_risk_tif
    from borderrisk.outputs.webmap import write_map

    scene = synthetic_scene(side)
    cells = step("table of squares", lambda: cells_table(scene))
    step("GeoParquet", lambda: write_cells(cells, folder / "cells.parquet", "geoparquet"))
    step("GeoJSON", lambda: write_cells(cells, folder / "cells.geojson", "geojson"))
    step("GeoTIFF", lambda: write_risk_tif(scene, folder / "risk.tif"))
    step("scene", lambda: save_scene(scene, folder / "scene"))
    step("map", lambda: write_map(scene, folder / "map.html"))
