"""From per-cell sums to the terrain features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.signal import fftconvolve

from borderrisk.features.terrain import _kernels as k
from borderrisk.features.terrain._pass import Layout, Sums
from borderrisk.grid import Grid

_SLIVER_CELLS = 3.0


def cell_features(sums: Sums, layout: Layout, full_count: float) -> dict[str, np.ndarray]:
    """Features that need one cell only, each of shape (cells,), NaN where nothing is known.

    ``full_count`` is the number of samples in a cell without a missing pixel.
    """
    count = sums.acc[:, k.COUNT].astype(float)
    slopes = sums.acc[:, k.SLOPE_COUNT].astype(float)
    count[count == 0] = np.nan
    slopes[slopes == 0] = np.nan

    def mean(column: int) -> np.ndarray:
        return sums.total(column, layout) / slopes

    elevation = sums.total(k.Z, layout) / count
    variance = sums.total(k.Z2, layout) / count - elevation**2
    low, high = (np.where(np.isnan(count), np.nan, sums.ext[:, i]) for i in (0, 1))
    return {
        "elevation_mean": elevation,
        "elevation_sd": np.sqrt(np.clip(variance, 0, None)),
        "elevation_min": low,
        "elevation_max": high,
        "elevation_range": high - low,
        "slope_mean": mean(k.SLOPE),
        "slope_p90": slope_quantile(sums, 0.9),
        "ruggedness": mean(k.TRI),
        "vector_ruggedness": _vector_ruggedness(mean(k.NX), mean(k.NY), mean(k.NZ)),
        "aspect_northness": mean(k.NORTH),
        "aspect_eastness": mean(k.EAST),
        "curvature": mean(k.CURVE),
        "terrain_valid_share": np.clip(np.nan_to_num(count) / full_count, 0, 1),
    }


def _vector_ruggedness(nx: np.ndarray, ny: np.ndarray, nz: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.sqrt(nx**2 + ny**2 + nz**2), 0, 1)


def slope_quantile(sums: Sums, q: float) -> np.ndarray:
    """Quantile of the slopes of each cell, degrees."""
    out = np.full(len(sums.acc), np.nan)
    k.histogram_quantile(sums.hist, sums.acc[:, k.SLOPE_COUNT], q, out)
    return out


def filled_slopes(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give slivers of land the slope features of the nearest cell, at most two cells away.

    A cell has elevation but no slope where each of its pixels has a missing neighbour: along
    coasts, voids and the edge of the raster.
    """
    bare = np.isnan(arrays["slope_mean"])
    sliver = bare & ~np.isnan(arrays["elevation_mean"])
    if not sliver.any() or bare.all():
        return dict(arrays)
    distance, nearest = distance_transform_edt(bare, return_indices=True)
    sliver &= distance < _SLIVER_CELLS
    at = tuple(index[sliver] for index in nearest)
    out = dict(arrays)
    for name, values in arrays.items():
        if not name.startswith("elevation"):
            out[name] = values.copy()
            out[name][sliver] = values[at]
    return out


def topographic_position(
    grid: Grid, elevation: np.ndarray, weight: np.ndarray, radii_km: Sequence[float]
) -> Mapping[str, np.ndarray]:
    """Elevation of each cell minus the mean within a radius of its centre, m (Weiss 2001).

    ``elevation`` (NaN where missing) and ``weight``, the share of the cell it stands for, are of
    shape (rows, columns), as is each ``tpi_<radius>km``. Cells on a disc's edge count with the part
    inside it.
    """
    weight = np.where(np.isnan(elevation), 0.0, weight)
    level = float(np.nanmean(elevation))
    departure = np.where(np.isnan(elevation), 0.0, elevation - level)
    out = {}
    for radius in radii_km:
        disc = disc_shares(radius * 1000 / grid.cell_size_m)
        # One complex convolution carries both sums.
        both = fftconvolve(weight * departure + 1j * weight, disc, mode="same")
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = both.real / np.where(both.imag > disc.max() * 1e-6, both.imag, np.nan)
        out[f"tpi_{radius:g}km"] = np.where(np.isnan(elevation), np.nan, elevation - level - mean)
    return out


def disc_shares(radius: float) -> np.ndarray:
    """Share of each cell inside a disc around the middle cell's centre; radius in cells."""
    samples = int(np.clip(np.ceil(160 / radius), 4, 32))
    reach = int(np.ceil(radius + 0.5))
    fine = (np.arange((2 * reach + 1) * samples) + 0.5) / samples - reach - 0.5
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= radius**2).astype(float)
    n = 2 * reach + 1
    return inside.reshape(n, samples, n, samples).mean(axis=(1, 3))
