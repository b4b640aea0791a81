"""Shaded relief as one small image, in web mercator, inlined into the page."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass

import numpy as np
from affine import Affine
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.warp import reproject
from scipy.ndimage import distance_transform_cdt

from borderrisk.grid import WGS84, transformer
from borderrisk.outputs.scene import Relief
from borderrisk.outputs.webmap.view import WEB_MERCATOR, Bounds, View

LONG_SIDE_PX = 1400
QUALITY = 70
AROUND = 0.35
# Windows are wide and study areas may be narrow: the picture is at least this wide for its height.
WIDE = 1.5
FADE = 0.06
# Heights below are drawn flat, and below the second as water.
SEA_LEVEL, WATER = 0.0, -60.0
LIGHTS = ((315.0, 0.5), (270.0, 0.25), (0.0, 0.25))
ALTITUDE = math.radians(45.0)
# Slopes are stretched until the steepest tenth looks this steep, or coarse terrain draws flat.
STEEP = math.tan(math.radians(38.0))


@dataclass(frozen=True)
class ReliefImage:
    """A picture and where it lies: ``bounds`` are west, south, east, north in degrees."""

    uri: str
    bounds: Bounds


def relief_image(view: View) -> ReliefImage | None:
    """Hillshade of the scene's relief around the view; None without relief there."""
    relief = view.scene.relief
    if relief is None:
        return None
    box = _mercator_box(view)
    heights, pixel = _warped(relief, box)
    if not np.isfinite(heights).any():
        return None
    t = transformer(WEB_MERCATOR, WGS84)
    west, south = t.transform(box[0], box[1])
    east, north = t.transform(box[2], box[3])
    shade = hillshade(
        np.maximum(heights, SEA_LEVEL), pixel * math.cos(math.radians((south + north) / 2))
    )
    picture = _webp(_coloured(shade, heights), _placed(box, pixel))
    data = base64.b64encode(picture).decode("ascii")
    return ReliefImage(f"data:image/webp;base64,{data}", (west, south, east, north))


def hillshade(heights: np.ndarray, pixel_m: float) -> np.ndarray:
    """Light from three directions (0 dark, 1 bright) on heights in metres; NaN lies flat."""
    filled = np.where(np.isfinite(heights), heights, np.nanmean(heights))
    south, east = np.gradient(filled, pixel_m)
    steep = float(np.quantile(np.hypot(south, east), 0.9))
    stretch = max(1.0, STEEP / steep) if steep > 0 else 1.0
    rise_east, rise_north = east * stretch, -south * stretch
    light = np.full_like(rise_east, math.sin(ALTITUDE))
    for azimuth, weight in LIGHTS:
        a, strength = math.radians(azimuth), weight * math.cos(ALTITUDE)
        light -= strength * math.sin(a) * rise_east + strength * math.cos(a) * rise_north
    return np.clip(light / np.sqrt(1 + rise_east**2 + rise_north**2), 0, 1)


def _mercator_box(view: View) -> Bounds:
    west, south, east, north = view.extent
    dx, dy = AROUND * (east - west), AROUND * (north - south)
    t = transformer(WGS84, WEB_MERCATOR)
    x0, y0 = t.transform(west - dx, max(south - dy, -85))
    x1, y1 = t.transform(east + dx, min(north + dy, 85))
    wider = max(0.0, WIDE * (y1 - y0) - (x1 - x0)) / 2
    return (x0 - wider, y0, x1 + wider, y1)


def _warped(relief: Relief, box: Bounds) -> tuple[np.ndarray, float]:
    west, south, east, north = box
    pixel = max(east - west, north - south) / LONG_SIDE_PX
    shape = (max(2, round((north - south) / pixel)), max(2, round((east - west) / pixel)))
    out = np.full(shape, np.nan, np.float32)
    reproject(
        relief.elevation.astype(np.float32),
        out,
        src_transform=relief.transform,
        src_crs=relief.crs,
        src_nodata=np.nan,
        dst_transform=_placed(box, pixel),
        dst_crs=WEB_MERCATOR,
        dst_nodata=np.nan,
        resampling=Resampling.cubic_spline,
    )
    return out, pixel


def _placed(box: Bounds, pixel: float) -> Affine:
    return Affine(pixel, 0, box[0], 0, -pixel, box[3])


def _coloured(shade: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Red, green, blue and opacity: grey land, bluish water, nothing where heights are missing."""
    grey = (70 + 185 * np.clip(shade / 0.95, 0, 1)).astype(np.uint8)
    water = heights < WATER
    tint = [np.where(water, np.uint8(level), grey) for level in (178, 201, 217)]
    opacity = (255 * _inside(np.isfinite(heights))).astype(np.uint8)
    return np.stack([*tint, opacity])


def _inside(known: np.ndarray) -> np.ndarray:
    """Opacity from 1 down to 0 at the edge of the picture and of the known heights."""
    to_edge = distance_transform_cdt(np.pad(known, 1))[1:-1, 1:-1] - 1
    return np.round(np.clip(to_edge / np.float32(FADE * min(known.shape)), 0, 1), 1)


def _webp(bands: np.ndarray, transform: Affine) -> bytes:
    count, height, width = bands.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="WEBP",
            count=count,
            height=height,
            width=width,
            dtype="uint8",
            transform=transform,
            QUALITY=QUALITY,
        ) as target:
            target.write(bands)
        return bytes(memory.read())
