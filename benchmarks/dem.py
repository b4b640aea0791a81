"""Seeded fractal elevation, written as Cloud-Optimized GeoTIFF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numba import njit
from rasterio.shutil import copy

from borderrisk.grid import Grid, laea_crs

BLOCK = 512


@dataclass(frozen=True)
class Size:
    """A benchmark size: a raster over the border of Sistan-Baluchestan.

    Attributes
    ----------
    name : str
        S, M or L, or T for a tiny one that only shows whether everything runs.
    shape : tuple of int
        Rows and columns.
    per_degree : int
        Pixels per degree.
    west, north : float
        Corner, degrees.
    cell_m : float
        Edge of the cells laid over it.
    """

    name: str
    shape: tuple[int, int]
    per_degree: int
    west: float
    north: float
    cell_m: float = 1000.0

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def transform(self) -> Affine:
        """Pixel to longitude and latitude."""
        return Affine(1 / self.per_degree, 0, self.west, 0, -1 / self.per_degree, self.north)

    def grid(self) -> Grid:
        """Return cells over the raster's extent."""
        rows, cols = (n / self.per_degree for n in self.shape)
        lon, lat = self.west + cols / 2, self.north - rows / 2
        crs = laea_crs(lon, lat)
        frame = Grid(crs, Affine(self.cell_m, 0, 0, 0, -self.cell_m, 0), (1, 1))
        x, _ = frame.project([self.west, self.west + cols], [lat, lat])
        _, y = frame.project([lon, lon], [self.north - rows, self.north])
        return Grid.covering((x[0], y[0], x[1], y[1]), crs, self.cell_m)


SIZES = {
    "T": Size("T", (340, 340), 120, 60.3, 29.9, 10_000.0),
    "S": Size("S", (3_400, 3_400), 1200, 60.3, 29.9),
    "M": Size("M", (9_700, 6_186), 1200, 58.2, 33.2),
    "L": Size("L", (25_000, 45_000), 3600, 54.0, 33.0),
}


@njit(cache=True)
def _add_octave(out, first, noise, wave, height):
    """Add bilinear noise whose knots lie every ``wave`` pixels."""
    for i in range(out.shape[0]):
        r = (first + i) / wave
        a, f = int(r), r - int(r)
        for j in range(out.shape[1]):
            c = j / wave
            b, g = int(c), c - int(c)
            top = noise[a, b] + g * (noise[a, b + 1] - noise[a, b])
            low = noise[a + 1, b] + g * (noise[a + 1, b + 1] - noise[a + 1, b])
            out[i, j] += height * (top + f * (low - top))


def strips(shape: tuple[int, int], seed: int = 1, rows: int = BLOCK) -> Iterator[np.ndarray]:
    """Blocks of rows of fractal terrain: octaves of noise, Hurst exponent 0.7; float32 metres."""
    rng = np.random.default_rng(seed)
    octaves = []
    for wave in (2**power for power in range(11, 0, -1)):
        noise = rng.normal(0, 1, (shape[0] // wave + 2, shape[1] // wave + 2)).astype("f4")
        octaves.append((noise, float(wave), np.float32(600 * (wave / 2048) ** 0.7)))
    for first in range(0, shape[0], rows):
        out = np.full((min(rows, shape[0] - first), shape[1]), 1500, np.float32)
        for noise, wave, height in octaves:
            _add_octave(out, first, noise, wave, height)
        out += rng.standard_normal(out.shape, np.float32)
        yield np.clip(out, -20, 8000)


def write(size: Size, folder: Path, dtype: str = "float32") -> Path:
    """Write the raster of a size, once per folder; returns its path.

    ``float32`` is laid out like Copernicus tiles (DEFLATE, predictor 3), ``int16`` like SRTM. S and
    M are Cloud-Optimized GeoTIFFs, L a tiled one.
    """
    path = folder / f"dem-{size.name}-{dtype}.tif"
    if not path.exists():
        part = path.with_suffix(".part")
        _write_tiled(size, part, dtype)
        if size.pixels < 1e9:
            options = {"compress": "deflate", "predictor": "yes", "overviews": "none"}
            copy(part, path, driver="COG", blocksize=BLOCK, num_threads="all_cpus", **options)
            part.unlink()
        else:
            part.rename(path)
    return path


def _write_tiled(size: Size, path: Path, dtype: str) -> None:
    profile = {
        "driver": "GTiff",
        "count": 1,
        "dtype": dtype,
        "crs": "EPSG:4326",
        "transform": size.transform,
        "height": size.shape[0],
        "width": size.shape[1],
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "nodata": -32768,
        "compress": "deflate",
        "predictor": 2 if dtype == "int16" else 3,
        "num_threads": "all_cpus",
        "bigtiff": "if_safer",
    }
    with rasterio.open(path, "w", **profile) as ds:
        for k, strip in enumerate(strips(size.shape)):
            values = np.rint(strip).astype(dtype) if dtype == "int16" else strip
            ds.write(values, 1, window=((k * BLOCK, k * BLOCK + len(strip)), (0, size.shape[1])))
