"""How near: distances to the border, settlements, roads and posts, and the people around a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from rasterio.features import rasterize
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from borderrisk.compute import map_parallel
from borderrisk.grid import Grid

POTENTIAL_SCALE_KM = 50.0
_POTENTIAL_REACH = 5.0


def distance_to_lines_m(grid: Grid, lines: BaseGeometry) -> np.ndarray:
    """Measure from each cell centre to the nearest point of lines in grid metres."""
    from borderrisk.features._loops import COARSE, distances

    segments = _segments(lines)
    out = np.empty(grid.shape)

    def work(first: int) -> None:
        rows = slice(first, first + COARSE)
        distances(grid.x, grid.y[rows], segments, out[rows])

    map_parallel(work, range(0, grid.shape[0], COARSE))
    return out


def _segments(lines: BaseGeometry) -> np.ndarray:
    """Start and direction of every segment, shape (n, 4)."""
    vertices = [shapely.get_coordinates(part) for part in shapely.get_parts(lines)]
    starts = np.concatenate([xy[:-1] for xy in vertices])
    ends = np.concatenate([xy[1:] for xy in vertices])
    return np.column_stack([starts, ends - starts])


def border_features(
    grid: Grid, lines_by_country: Mapping[str, BaseGeometry], home: BaseGeometry
) -> xr.Dataset:
    """Return ``border_distance_<ccc>_km`` by neighbour, ``border_distance_km`` and ``border_side``.

    The border with each neighbour (by ISO 3166 alpha-3) and the home country are in grid metres.
    """
    by_country = {
        f"border_distance_{code.lower()}_km": distance_to_lines_m(grid, lines) / 1000
        for code, lines in lines_by_country.items()
    }
    at_home = rasterize([home], grid.shape, transform=grid.transform, dtype="uint8") == 1
    arrays = {
        "border_distance_km": np.minimum.reduce(list(by_country.values())),
        **by_country,
        "border_side": np.where(at_home, 1.0, -1.0),
    }
    return _dataset(grid, arrays)


def access_features(grid: Grid, places: Mapping[str, gpd.GeoDataFrame | None]) -> xr.Dataset:
    """Return ``<name>_distance_km`` from each cell centre to the nearest of each kind of places.

    Places are points or lines, WGS84; of those not given, or without any, there is no feature.
    Lines count by points a quarter of a cell apart.
    """
    centres = np.column_stack([axis.ravel() for axis in grid.centres()])
    arrays = {}
    for name, frame in places.items():
        if frame is None or frame.empty:
            continue
        shapes = frame.to_crs(grid.crs).geometry.to_numpy()
        xy = shapely.get_coordinates(shapely.segmentize(shapes, grid.cell_size_m / 4))
        apart, _ = cKDTree(xy).query(centres, workers=-1)
        arrays[f"{name}_distance_km"] = apart.reshape(grid.shape) / 1000
    return _dataset(grid, arrays)


def threshold_label(population: int) -> str:
    """Short form of a population threshold.

    Examples
    --------
    >>> threshold_label(10_000), threshold_label(500), threshold_label(2_000_000)
    ('10k', '500', '2m')
    """
    for size, letter in ((1_000_000, "m"), (1_000, "k")):
        if population >= size and population % size == 0:
            return f"{population // size}{letter}"
    return str(population)


def settlement_features(
    grid: Grid,
    x: np.ndarray,
    y: np.ndarray,
    population: np.ndarray,
    thresholds: Sequence[int],
    *,
    scale_km: float = POTENTIAL_SCALE_KM,
) -> xr.Dataset:
    """Return ``settlement_distance_<threshold>_km`` and ``population_potential``.

    Settlements are ``x, y`` in grid metres, and people; those outside the grid count too. A
    threshold that none reaches gives missing values. The potential decays by 1/e over ``scale_km``.
    """
    centres = np.column_stack([axis.ravel() for axis in grid.centres()])
    arrays = {}
    for threshold in thresholds:
        large = population >= threshold
        name = f"settlement_distance_{threshold_label(threshold)}_km"
        arrays[name] = np.full(grid.shape, np.nan)
        if large.any():
            distance, _ = cKDTree(np.column_stack([x[large], y[large]])).query(centres, workers=-1)
            arrays[name] = distance.reshape(grid.shape) / 1000
    arrays["population_potential"] = population_potential(grid, x, y, population, scale_km)
    return _dataset(grid, arrays)


def population_potential(
    grid: Grid,
    x: np.ndarray,
    y: np.ndarray,
    population: np.ndarray,
    scale_km: float = POTENTIAL_SCALE_KM,
) -> np.ndarray:
    """Sum the people around each cell, each discounted by ``exp(-distance / scale)``.

    People are put on the grid first, shared between the four nearest cell centres so that their
    mean position is kept; the sum over all pairs is then one FFT convolution.
    """
    reach = int(np.ceil(_POTENTIAL_REACH * scale_km * 1000 / grid.cell_size_m))
    people = _deposit(grid, x, y, population, reach)
    steps = np.arange(-reach, reach + 1) * grid.cell_size_m
    kernel = np.exp(-np.hypot(steps[:, None], steps[None, :]) / (scale_km * 1000))
    return np.clip(fftconvolve(people, kernel, mode="valid"), 0, None)


def _deposit(grid: Grid, x: np.ndarray, y: np.ndarray, weight: np.ndarray, pad: int) -> np.ndarray:
    """Share point weights between the four nearest cell centres of the padded grid."""
    rows, cols = (n + 2 * pad for n in grid.shape)
    col = (np.asarray(x) - grid.x[0]) / grid.cell_size_m + pad
    row = (grid.y[0] - np.asarray(y)) / grid.cell_size_m + pad
    total = np.zeros((rows, cols))
    for dr in (0, 1):
        for dc in (0, 1):
            r, c = np.floor(row).astype(int) + dr, np.floor(col).astype(int) + dc
            share = (1 - np.abs(row - r)) * (1 - np.abs(col - c))
            ok = (r >= 0) & (r < rows) & (c >= 0) & (c < cols)
            np.add.at(total, (r[ok], c[ok]), np.asarray(weight, float)[ok] * share[ok])
    return total


def _dataset(grid: Grid, arrays: Mapping[str, np.ndarray]) -> xr.Dataset:
    return grid.dataset().assign(
        {name: (("y", "x"), values.astype("float32")) for name, values in arrays.items()}
    )
