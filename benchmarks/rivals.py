"""Terrain features by general tools: warp, pixel features, zonal statistics."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
import xarray as xr
from affine import Affine
from rasterio.enums import Resampling
from rasterio.warp import reproject

from benchmarks.dem import Size
from benchmarks.names import RASTERSTATS, XRSPATIAL
from borderrisk.grid import Grid

PIXEL_M = 100.0
SUBSET = 400


def measure(path: Path, size: Size) -> list[tuple[str, float, str]]:
    """Name, seconds and a note for each way."""
    grid = size.grid()
    layers, warp_s, pixel_s = _pixel_layers(path, grid)
    transform = _fine_transform(grid)
    cells = gpd.GeoDataFrame(geometry=_squares(grid, np.arange(grid.size)), crs=grid.crs)
    zonal_s = _timed(lambda: _exactextract(layers, transform, cells))
    subset = np.random.default_rng(0).choice(grid.size, SUBSET, replace=False)
    part_s = _timed(lambda: _rasterstats(layers, transform, _squares(grid, np.sort(subset))))
    scaled = part_s * grid.size / SUBSET
    both = f"warp {warp_s:.1f} s, pixels {pixel_s:.1f} s, zonal {zonal_s:.1f} s"
    return [
        (XRSPATIAL, warp_s + pixel_s + zonal_s, both),
        (RASTERSTATS, warp_s + pixel_s + scaled, f"{SUBSET} cells, scaled"),
    ]


def _timed(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _fine_transform(grid: Grid) -> Affine:
    return grid.transform @ Affine.scale(PIXEL_M / grid.cell_size_m)


def _pixel_layers(path: Path, grid: Grid) -> tuple[dict[str, np.ndarray], float, float]:
    """Pixel features on a 100 m equal-area raster, and the seconds of the warp and of them."""
    factor = round(grid.cell_size_m / PIXEL_M)
    z = np.full((grid.shape[0] * factor, grid.shape[1] * factor), np.nan, np.float32)
    start = time.perf_counter()
    with rasterio.open(path) as ds:
        reproject(
            *(rasterio.band(ds, 1), z),
            **{"dst_transform": _fine_transform(grid), "dst_crs": grid.crs.to_wkt()},
            **{"dst_nodata": np.nan, "resampling": Resampling.bilinear, "num_threads": 2},
        )
    warped = time.perf_counter()
    layers = {"elevation": z, **_surface(z)}
    return layers, warped - start, time.perf_counter() - warped


def _surface(z: np.ndarray) -> dict[str, np.ndarray]:
    """Slope, aspect and curvature by xarray-spatial; TRI, which it lacks, with NumPy."""
    import xrspatial

    raster = xr.DataArray(z, dims=("y", "x"), attrs={"res": (PIXEL_M, PIXEL_M)})
    aspect = np.radians(xrspatial.aspect(raster).values)
    return {
        "slope": xrspatial.slope(raster).values,
        "north": np.cos(aspect),
        "east": np.sin(aspect),
        "curvature": xrspatial.curvature(raster).values,
        "tri": _tri(z),
    }


def _tri(z: np.ndarray) -> np.ndarray:
    out = np.full_like(z, np.nan)
    middle, total = z[1:-1, 1:-1], np.zeros_like(z[1:-1, 1:-1])
    rows, cols = z.shape
    for i in range(3):
        for j in range(3):
            total += (z[i : rows - 2 + i, j : cols - 2 + j] - middle) ** 2
    out[1:-1, 1:-1] = np.sqrt(total)
    return out


def _squares(grid: Grid, cells: np.ndarray) -> np.ndarray:
    rows, cols = np.unravel_index(cells, grid.shape)
    half = grid.cell_size_m / 2
    x, y = grid.x[cols], grid.y[rows]
    return shapely.box(x - half, y - half, x + half, y + half)


_STATISTICS = {"elevation": ["mean", "stdev", "min", "max"], "slope": ["mean", "quantile(q=0.9)"]}


def _exactextract(
    layers: dict[str, np.ndarray], transform: Affine, cells: gpd.GeoDataFrame
) -> None:
    import exactextract
    from exactextract.raster import NumPyRasterSource

    rows, cols = layers["elevation"].shape
    x0, y1 = transform.c, transform.f
    bounds = (x0, y1 - rows * PIXEL_M, x0 + cols * PIXEL_M, y1)
    wkt = cells.crs.to_wkt()
    for name, values in layers.items():
        source = NumPyRasterSource(values, *bounds, nodata=np.nan, name=name, srs_wkt=wkt)
        exactextract.exact_extract(
            source,
            cells,
            _STATISTICS.get(name, ["mean"]),
            output="pandas",
            strategy="raster-sequential",
        )


def _rasterstats(layers: dict[str, np.ndarray], transform: Affine, squares: np.ndarray) -> None:
    import rasterstats

    for name, values in layers.items():
        wanted = {"elevation": "mean std min max", "slope": "mean percentile_90"}.get(name, "mean")
        rasterstats.zonal_stats(
            list(squares), values, affine=transform, nodata=np.nan, stats=wanted
        )
