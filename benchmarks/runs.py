"""A whole run on 1 km cells, evaluation off: stage times and peak memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks import dem
from benchmarks.measure import Row, child

CONFIG = Path(__file__).parents[1] / "configs" / "sistan-baluchestan-1km.yaml"
# Stretch of the border (west, south, east, north), depth of the study area and width of the halo
# that fill the raster of each size.
AREAS = {
    "S": ([60.9, 28.2, 63.4, 28.8], 100, 20),
    "M": ([58.1, 27.6, 63.3, 30.8], 250, 20),
}


def measure(size: dem.Size, folder: Path) -> list[Row]:
    """Run twice, so that compiled kernels and files are warm, and report the second."""
    _run(size, folder)
    seconds, peak, manifest = _run(size, folder)
    cells = f"{manifest['counts']['cells read']:,} cells read"
    rows = [Row("whole run, warm", size.name, seconds, peak_mb=peak, note=cells)]
    for stage in manifest["stages"]:
        rows.append(Row(f"– {stage['name']}", size.name, stage["seconds"]))
    return rows


def _run(size: dem.Size, folder: Path) -> tuple[float, float, dict]:
    """Wall seconds, peak megabytes and the manifest of one run in a process of its own."""
    out = folder / f"run-{size.name}"
    shutil.rmtree(out, ignore_errors=True)
    window, strip_km, halo_km = AREAS[size.name]
    changes = {
        "data.elevation.path": dem.write(size, folder).resolve(),
        "study_area.window": window,
        "study_area.border_strip_km": strip_km,
        "study_area.halo_km": halo_km,
        "features.travel.targets": "{}",
        "compute.cache": (folder / "cache").resolve(),
    }
    settings = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    program = "from borderrisk.cli import main; main()"
    options = ["--out", str(out), "--force", "--no-evaluate", "--replicates", "0", *settings]
    seconds, peak = child(program, ["run", str(CONFIG), *options])
    return seconds, peak, json.loads((out / "manifest.json").read_text())
