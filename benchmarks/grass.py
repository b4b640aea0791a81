"""r.walk of GRASS on the same terrain: seconds, and the hours it finds."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

_CRS = "EPSG:32640"
_LINES = """set -e
TIMEFORMAT='TIME %R %U %S'
for name in z start friction; do r.in.gdal --q input={folder}/$name.tif output=$name; done
g.region raster=z
for again in $(seq {repeats}); do
time r.walk -k --q --o elevation=z friction=friction output=cost outdir=way start_raster=start \
lambda=0 {options}
done
r.out.gdal --q --o -c input=cost output={folder}/cost.tif type=Float64
"""


@dataclass(frozen=True)
class Walked:
    """What r.walk took and found.

    Attributes
    ----------
    wall, cpu : list of float
        Seconds of each repeat, reading and writing its maps included.
    cost : ndarray
        Accumulated cost; NaN where none leads.
    """

    wall: list[float]
    cpu: list[float]
    cost: np.ndarray


def installed() -> bool:
    return shutil.which("grass") is not None


def r_walk(
    z: np.ndarray, cell_m: float, starts: np.ndarray, options: str = "", repeats: int = 1
) -> Walked:
    """Run r.walk with the knight's move, all in memory unless the options say otherwise."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        start = np.zeros(z.shape, "uint8")
        start.ravel()[starts] = 1
        _write(folder / "z.tif", z, cell_m)
        _write(folder / "start.tif", start, cell_m, nodata=0)
        _write(folder / "friction.tif", np.zeros(z.shape, "uint8"), cell_m)
        script = folder / "walk.sh"
        script.write_text(_LINES.format(folder=folder, repeats=repeats, options=options))
        _grass("-c", str(folder / "z.tif"), "-e", str(folder / "db"))
        said = _grass(str(folder / "db" / "PERMANENT"), "--exec", "bash", str(script))
        times = [
            [float(part) for part in line.split()[1:]]
            for line in said.splitlines()
            if line.startswith("TIME ")
        ]
        with rasterio.open(folder / "cost.tif") as found:
            cost = found.read(1, masked=True).filled(np.nan)
    return Walked([t[0] for t in times], [t[1] + t[2] for t in times], cost)


def _write(path: Path, values: np.ndarray, cell_m: float, nodata: float | None = None) -> None:
    rows, cols = values.shape
    transform = Affine(cell_m, 0, 500_000, 0, -cell_m, 3_500_000)
    with rasterio.open(
        path, "w", driver="GTiff", width=cols, height=rows, count=1, dtype=values.dtype,
        crs=_CRS, transform=transform, nodata=nodata,
    ) as target:  # fmt: skip
        target.write(values, 1)


def _grass(*arguments: str) -> str:
    done = subprocess.run(["grass", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"grass failed:\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr
