"""Exact area share of grid cells inside a polygon."""

from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from rasterio.features import rasterize
from scipy.ndimage import binary_dilation
from shapely.geometry.base import BaseGeometry


def covered_fraction(
    geometry: BaseGeometry, transform: Affine, shape: tuple[int, int]
) -> np.ndarray:
    """Share of each cell inside ``geometry``; see :meth:`borderrisk.Grid.coverage`."""
    if geometry.is_empty:
        return np.zeros(shape)
    inside = rasterize([geometry], shape, transform=transform, dtype="uint8")
    edge = rasterize(
        [geometry.boundary], shape, transform=transform, all_touched=True, dtype="uint8"
    )
    # A line that enters a cell by less than a ten-thousandth does not touch it for GDAL.
    edge = binary_dilation(edge, np.ones((3, 3)))
    fraction = inside.astype(float)
    for row in np.flatnonzero(edge.any(axis=1)):
        cols = np.flatnonzero(edge[row])
        fraction[row, cols] = _row_shares(geometry, transform, int(row), cols)
    return fraction


def _row_shares(
    geometry: BaseGeometry, transform: Affine, row: int, cols: np.ndarray
) -> np.ndarray:
    """Exact shares of some cells of one row; the polygon is cut to the row's band first."""
    top = transform.f + row * transform.e
    west, size = transform.c + cols * transform.a, transform.a
    band = shapely.clip_by_rect(geometry, west[0], top - size, west[-1] + size, top)
    cells = shapely.box(west, np.full(len(cols), top - size), west + size, np.full(len(cols), top))
    return np.clip(
        shapely.area(shapely.intersection(cells, shapely.make_valid(band))) / size**2, 0, 1
    )
