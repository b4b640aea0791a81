"""Pixels of a map: hillshade, and colours of the cells on it, in the CRS of the grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from matplotlib.colors import LightSource
from pyproj import CRS
from rasterio.warp import Resampling, reproject, transform_bounds
from shapely.geometry.base import BaseGeometry

from borderrisk.grid import WGS84, Grid
from borderrisk.outputs.scene import Focus, Relief, Scene

LONG_SIDE_PX = 760
GROUND = np.array([0.93, 0.93, 0.92])
# How dark a slope may become; risk colours stay recognisable above it.
DARKEST = 0.62


@dataclass(frozen=True)
class Pixels:
    """A north-up pixel lattice over a window of the grid; ``bounds`` in grid metres."""

    crs: CRS
    bounds: tuple[float, float, float, float]
    shape: tuple[int, int]

    @classmethod
    def of(cls, scene: Scene, focus: Focus | None) -> Pixels:
        """Pixels over a focus, or over the whole study area with a little room around it."""
        grid = scene.grid
        if focus is None:
            west, south, east, north = scene.area.polygon.bounds
            room = 0.04 * max(east - west, north - south)
            window = (west - room, south - room, east + room, north + room)
        else:
            window = transform_bounds(WGS84, grid.crs, *focus.bounds, densify_pts=21)
        (a, b, c, d), (west, south, east, north) = window, grid.bounds
        bounds = (max(a, west), max(b, south), min(c, east), min(d, north))
        width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
        step = max(width, height) / LONG_SIDE_PX
        return cls(grid.crs, bounds, (max(1, round(height / step)), max(1, round(width / step))))

    @property
    def transform(self) -> Affine:
        """Pixel to metres."""
        west, south, east, north = self.bounds
        rows, cols = self.shape
        return Affine((east - west) / cols, 0, west, 0, (south - north) / rows, north)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top, as ``imshow`` wants it."""
        west, south, east, north = self.bounds
        return west, east, south, north

    def cells(self, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the cell under each pixel."""
        t, (rows, cols) = self.transform, self.shape
        x = t.c + (np.arange(cols) + 0.5) * t.a
        y = t.f + (np.arange(rows) + 0.5) * t.e
        row, _ = grid.rowcol(np.full_like(y, grid.x[0]), y)
        _, col = grid.rowcol(x, np.full_like(x, grid.y[0]))
        return row[:, None], col[None, :]

    def visible(self, geometry: Any) -> Any:
        """Cut geometries (grid metres) to the window, without detail below half a pixel."""
        west, south, east, north = self.bounds
        room = 0.02 * (east - west)
        cut = shapely.clip_by_rect(geometry, west - room, south - room, east + room, north + room)
        return shapely.simplify(cut, 0.5 * self.transform.a)

    def inside(self, polygon: BaseGeometry) -> np.ndarray:
        """Whether the centre of each pixel lies in a polygon."""
        mask = rasterio.features.geometry_mask([polygon], self.shape, self.transform, invert=True)
        return np.asarray(mask)


def brightness(relief: Relief | None, pixels: Pixels) -> np.ndarray:
    """Brightness of the ground, 0-1, lit from the north-west; 1 where elevation is missing."""
    if relief is None:
        return np.ones(pixels.shape)
    elevation = np.full(pixels.shape, np.nan, "float32")
    reproject(
        relief.elevation, elevation, src_transform=relief.transform, src_crs=relief.crs,
        dst_transform=pixels.transform, dst_crs=pixels.crs, resampling=Resampling.cubic_spline,
        src_nodata=np.nan, dst_nodata=np.nan,
    )  # fmt: skip
    missing = ~np.isfinite(elevation)
    elevation[missing] = np.nanmean(elevation) if (~missing).any() else 0.0
    step = pixels.transform.a
    # Coarse relief is gentle: exaggerate it so that its steeper slopes fill the tonal range.
    slope = np.hypot(*np.gradient(elevation, step))
    exaggeration = 1.3 / max(float(np.quantile(slope, 0.98)), 1e-6)
    shade = LightSource(315, 45).hillshade(elevation, vert_exag=exaggeration, dx=step, dy=step)
    return np.where(missing, 1.0, shade)


def paint(
    scene: Scene, pixels: Pixels, colours: np.ndarray, shown: np.ndarray | None = None
) -> np.ndarray:
    """Compose the picture of a map: shaded ground inside the study area, paler ground outside.

    ``colours`` are 0-1, shape (rows, columns, 3), of the cells ``shown``; the ground shows through
    the others. The picture has the shape (height, width, 3).
    """
    shade = DARKEST + (1 - DARKEST) * brightness(scene.relief, pixels)
    ground = np.broadcast_to(GROUND, (*pixels.shape, 3))
    row, col = pixels.cells(scene.grid)
    inside = pixels.inside(scene.area.polygon) & (row >= 0) & (col >= 0)
    if shown is not None:
        inside &= shown[row, col]
    picture = np.where(inside[..., None], colours[row, col], ground)
    pale = np.where(inside, shade, 0.5 + 0.5 * shade)
    return np.clip(picture * pale[..., None], 0, 1)
