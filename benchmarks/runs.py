"""Whole runs: on 1 km cells with evaluation off, and the shipped one with and without it."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import dem
from benchmarks.measure import Row, Spent, child
from benchmarks.names import FIRST, INTERVALS, LOOK, RUN, SHIPPED
from borderrisk.config import load_config

CONFIGS = Path(__file__).parents[1] / "configs"
CONFIG = CONFIGS / "sistan-baluchestan-1km.yaml"
SHIPPED_CONFIG = CONFIGS / "eastern-border.yaml"
KM_PER_DEGREE = 111.2
_PROGRAM = "from borderrisk.cli import main; main()"
# Stretch of the border (west, south, east, north), depth of the study area and width of the halo
# that lie within the raster of each size. At L the border crosses a part of the raster only.
AREAS = {
    "T": ([60.9, 28.2, 63.4, 28.8], 100, 20),
    "S": ([60.9, 28.2, 63.4, 28.8], 100, 20),
    "M": ([58.1, 27.6, 63.3, 30.8], 250, 20),
    "L": ([58.0, 28.6, 64.5, 30.9], 210, 30),
}
# Where people go; the config's own places lie outside these rasters.
ZAHEDAN = {"zahedan": [60.863, 29.496]}
KHASH = {"khash": [61.217, 28.221]}
PLACES = {"T": KHASH, "S": KHASH, "M": ZAHEDAN, "L": ZAHEDAN}
# The shipped config, small enough to show only whether it runs.
SMALL = (
    "grid.cell_size_m=40000",
    "uncertainty.replicates=2",
    "evaluation.first_origin=2024-01-01",
    "evaluation.horizons_years=[1]",
    "evaluation.spatial=false",
    "outputs.figures=[]",
    "outputs.focus=[]",
    "model.parameters={n_estimators: 10}",
)


def measure(size: dem.Size, folder: Path) -> list[Row]:
    """Two runs; the second finds compiled code and the files in memory, but no kept stage.

    At S the first finds no compiled code at all, as after a fresh clone.
    """
    rows = []
    if size.name == "S":
        with tempfile.TemporaryDirectory() as empty:
            first, _ = _run(size, folder, {"NUMBA_CACHE_DIR": empty})
        rows.append(Row(FIRST, "S", first.seconds, peak_mb=first.peak_mb, note=_note(first)))
    if size.name != "T":
        _run(size, folder)
    spent, manifest = _run(size, folder)
    note = f"{_extent(size, manifest['counts']['cells read'], spent.seconds)}, {_note(spent)}"
    rows.append(Row(RUN, size.name, spent.seconds, peak_mb=spent.peak_mb, note=note))
    for stage in manifest["stages"]:
        rows.append(Row(f"– {stage['name']}", size.name, stage["seconds"]))
    return rows


def shipped(folder: Path, small: bool = False) -> list[Row]:
    """Run the shipped config as on a fresh clone: no compiled code, no kept stage.

    A small one is coarse, finds compiled code and has no first look: it only shows whether all of
    it runs.

    The last row is the part of the last run that makes the intervals.
    """
    rows = []
    for name, options in ((LOOK, ["--no-evaluate"]), (SHIPPED, []))[int(small) :]:
        out = folder / "shipped"
        with tempfile.TemporaryDirectory() as empty:
            given = ["--set", f"compute.cache={empty}/cache", "--out", str(out), "--force"]
            given += [word for key in (SMALL if small else ()) for word in ("--set", key)]
            arguments = ["run", str(SHIPPED_CONFIG), *given, *options]
            spent = child(_PROGRAM, arguments, {} if small else {"NUMBA_CACHE_DIR": empty})
        manifest = json.loads((out / "manifest.json").read_text())
        # The workers of the bootstrap are processes of their own: the larger peak counts.
        peak_mb = max(spent.peak_mb, manifest["peak_memory_mb"])
        rows.append(Row(name, "", spent.seconds, peak_mb=peak_mb, note=_note(spent)))
    return [*rows, intervals(manifest["stages"])]


def intervals(stages: Sequence[Mapping[str, Any]]) -> Row:
    """Row of the stage of a run of the shipped config that makes its intervals."""
    seconds = next(stage["seconds"] for stage in stages if stage["name"] == "intervals")
    replicates = load_config(SHIPPED_CONFIG).uncertainty.replicates
    return Row(INTERVALS, "", seconds, note=f"{replicates} replicates, a stage of the run above")


def _extent(size: dem.Size, cells: int, seconds: float) -> str:
    """Cells of a run, pixels of the elevation under them, seconds per million cells."""
    _, south, _, north = AREAS[size.name][0]
    per_km2 = (size.per_degree / KM_PER_DEGREE) ** 2 / math.cos(math.radians((south + north) / 2))
    pixels = cells * per_km2 / 1e6
    rate = 1e6 * seconds / cells
    return f"{cells:,} cells read ({pixels:.0f} Mpx), {rate:.0f} s per million cells"


def _note(spent: Spent) -> str:
    return f"{spent.processor:.1f} s of processor"


def settings(size: dem.Size, elevation: Path) -> dict[str, str]:
    """Values that lay the 1 km config over the raster of a size."""
    window, strip_km, halo_km = AREAS[size.name]
    changes = {
        "study_area.window": window,
        "study_area.border_strip_km": strip_km,
        "study_area.halo_km": halo_km,
        "grid.cell_size_m": size.cell_m,
        "features.travel.targets": PLACES[size.name],
    }
    given = {key: json.dumps(value) for key, value in changes.items()}
    return given | {"data.elevation.path": str(elevation)}


def _run(
    size: dem.Size, folder: Path, environment: dict[str, str] | None = None
) -> tuple[Spent, dict]:
    """Run in a process of its own; return what it took and its manifest."""
    out = folder / f"run-{size.name}"
    shutil.rmtree(out, ignore_errors=True)
    changes = settings(size, dem.write(size, folder).resolve())
    changes["compute.cache"] = str((folder / "cache").resolve())
    if size.name == "T":  # it only shows whether all of it runs
        changes |= {"outputs.figures": "[]", "outputs.focus": "[]"}
    words = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    options = ["--out", str(out), "--force", "--no-evaluate", "--replicates", "0", *words]
    spent = child(_PROGRAM, ["run", str(CONFIG), *options], environment)
    return spent, json.loads((out / "manifest.json").read_text())
