"""The terrain pass beside decoding the file, and beside other ways to get the same features."""

from __future__ import annotations

import statistics
from pathlib import Path

import rasterio

from benchmarks import dem
from benchmarks.measure import Row, child, interleaved, median_ratio
from benchmarks.names import DECODE, OURS
from borderrisk.features.terrain import terrain_features
from borderrisk.sources.elevation import open_elevation

THREADS = 2
# A process that does nothing but one pass, for its memory.
_ONCE = """
import sys
from pathlib import Path
from benchmarks import dem, terrain
terrain.ours(Path(sys.argv[1]), dem.SIZES[sys.argv[2]])
"""


def decode(path: Path) -> None:
    """Decode the file strip by strip, as it is stored."""
    rows = 2 * dem.BLOCK
    with rasterio.open(path, num_threads=THREADS) as ds:
        for top in range(0, ds.height, rows):
            ds.read(1, window=((top, min(top + rows, ds.height)), (0, ds.width)))


def ours(path: Path, size: dem.Size) -> None:
    """Every terrain feature of the catalogue, from the closed file to the dataset."""
    terrain_features(open_elevation(path), size.grid(), threads=THREADS)


def measure(size: dem.Size, folder: Path, repeats: int, dtype: str = "float32") -> list[Row]:
    """Decode and terrain pass, interleaved; the ratio is to the decode of the same round."""
    path = dem.write(size, folder, dtype)
    seconds = interleaved({DECODE: lambda: decode(path), OURS: lambda: ours(path, size)}, repeats)
    peak = child(_ONCE, [str(path), size.name]).peak_mb
    median = {name: statistics.median(values) for name, values in seconds.items()}
    label = size.name if dtype == "float32" else f"{size.name}, {dtype}"
    per_pixel = f"{median[OURS] / size.pixels * 1e9:.1f} ns per pixel"
    ratio = median_ratio(seconds[OURS], seconds[DECODE])
    return [
        Row(DECODE, label, median[DECODE], 1.0),
        Row(OURS, label, median[OURS], ratio, peak, per_pixel),
    ]


def others(size: dem.Size, folder: Path, reference_s: float) -> list[Row]:
    """Time the same features by xarray-spatial + exactextract, and by rasterstats, once each."""
    from benchmarks import rivals

    path = dem.write(size, folder)
    return [
        Row(name, size.name, seconds, seconds / reference_s, note=note)
        for name, seconds, note in rivals.measure(path, size)
    ]
