"""What every map carries: degrees, scale bar, north arrow, towns, key map."""

from __future__ import annotations

import numpy as np
import shapely
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as DrawnPath
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from borderrisk.grid import WGS84, Grid
from borderrisk.outputs.figures.backdrop import Pixels
from borderrisk.outputs.figures.style import INK, LINE, MUTED
from borderrisk.outputs.scene import Scene

HALO = [patheffects.withStroke(linewidth=2.2, foreground="white", alpha=0.9)]


def polygon_path(geometry: BaseGeometry) -> DrawnPath:
    """Path of a polygon or multipolygon, holes included."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    codes, points = [], []
    for ring in rings:
        xy = shapely.get_coordinates(ring)
        points.append(xy)
        codes.append([DrawnPath.MOVETO, *[DrawnPath.LINETO] * (len(xy) - 2), DrawnPath.CLOSEPOLY])
    if not points:
        return DrawnPath(np.empty((0, 2)))
    return DrawnPath(np.concatenate(points), np.concatenate(codes))


def add_graticule(ax: Axes, grid: Grid, pixels: Pixels) -> None:
    """Meridians and parallels as thin lines, labelled below and at the left."""
    west, south, east, north = pixels.bounds
    lon, lat = _lonlat_range(grid, pixels)
    step = _degree_step(max(lon[1] - lon[0], lat[1] - lat[0]))
    across = np.linspace(*lat, 60)
    for meridian in _multiples(lon, step):
        x, y = grid.project(np.full_like(across, meridian), across)
        ax.plot(x, y, color="white", lw=0.5, alpha=0.45, zorder=2)
        _label(ax, np.interp(south, y, x), west, east, _degrees(meridian, "EW"), bottom=True)
    along = np.linspace(*lon, 60)
    for parallel in _multiples(lat, step):
        x, y = grid.project(along, np.full_like(along, parallel))
        ax.plot(x, y, color="white", lw=0.5, alpha=0.45, zorder=2)
        _label(ax, np.interp(west, x, y), south, north, _degrees(parallel, "NS"), bottom=False)


def _label(ax: Axes, at: float, low: float, high: float, text: str, *, bottom: bool) -> None:
    share = (at - low) / (high - low)
    if not 0.02 <= share <= 0.98:
        return
    place, offset = ((share, 0), (0, -3)) if bottom else ((0, share), (-3, 0))
    ax.annotate(
        text, place, xycoords="axes fraction", xytext=offset, textcoords="offset points",
        fontsize=7, color=MUTED, ha="center" if bottom else "right",
        va="top" if bottom else "center",
    )  # fmt: skip


def _lonlat_range(grid: Grid, pixels: Pixels) -> tuple[tuple[float, float], tuple[float, float]]:
    to_wgs84 = Transformer.from_crs(grid.crs, WGS84, always_xy=True)
    west, south, east, north = to_wgs84.transform_bounds(*pixels.bounds)
    return (west, east), (south, north)


def _degree_step(span: float) -> float:
    return next((step for step in (0.1, 0.25, 0.5, 1, 2, 5, 10) if span / step <= 8), 20)


def _multiples(limits: tuple[float, float], step: float) -> np.ndarray:
    first, last = np.ceil(limits[0] / step), np.floor(limits[1] / step)
    return np.arange(first, last + 1) * step


def _degrees(value: float, letters: str) -> str:
    return f"{abs(value):g}°{letters[0] if value >= 0 else letters[1]}"


def nice_length(longest: float) -> float:
    """Largest of 1, 2, 5 × 10ⁿ that is not longer.

    Examples
    --------
    >>> nice_length(130)
    100.0
    """
    power = 10 ** np.floor(np.log10(longest))
    return float(max(m for m in (1, 2, 5) if m * power <= longest) * power)


def add_scale_bar(ax: Axes, pixels: Pixels) -> None:
    """Draw a bar at the lower left; the grid is in metres, so it holds all over the map."""
    west, south, east, north = pixels.bounds
    length = nice_length((east - west) / 4 / 1000) * 1000
    height, pad = (north - south) * 0.008, (east - west) * 0.03
    x, y = west + pad, south + pad
    for part, colour in enumerate((INK, "white")):
        ax.add_patch(
            Rectangle((x + part * length / 2, y), length / 2, height, facecolor=colour,
                      edgecolor=INK, lw=0.7, zorder=9)
        )  # fmt: skip
    ax.annotate(
        f"{length / 1000:g} km", (x + length, y + height / 2), xytext=(4, 0),
        textcoords="offset points", va="center", fontsize=7.5, path_effects=HALO, zorder=9,
    )  # fmt: skip


def add_north_arrow(ax: Axes, grid: Grid, pixels: Pixels) -> None:
    """Draw an arrow at the upper left that points to true north there, not just up."""
    west, south, east, north = pixels.bounds
    side = max(east - west, north - south)
    x, y = west + 0.045 * side, north - 0.1 * side
    dx, dy = _true_north(grid, x, y) * 0.05 * side
    arrow = {"arrowstyle": "-|>", "lw": 1.3, "color": INK, "shrinkA": 0, "path_effects": HALO}
    ax.annotate("", (x + dx, y + dy), (x, y), arrowprops=arrow, zorder=9)
    ax.text(x + 1.25 * dx, y + 1.25 * dy, "N", ha="center", va="center", fontsize=9,
            fontweight="bold", path_effects=HALO, zorder=9)  # fmt: skip


def _true_north(grid: Grid, x: float, y: float) -> np.ndarray:
    """Return the unit vector towards the pole at a point, grid metres."""
    to_wgs84 = Transformer.from_crs(grid.crs, WGS84, always_xy=True)
    lon, lat = to_wgs84.transform(x, y)
    ahead = np.array(grid.project(lon, lat + 0.01)) - (x, y)
    return np.asarray(ahead / np.hypot(*ahead))


def add_towns(ax: Axes, scene: Scene, pixels: Pixels, most: int = 14) -> None:
    """Largest towns with their names in English and Persian, none on top of another."""
    west, south, east, north = pixels.bounds
    towns = scene.settlements.to_crs(pixels.crs).sort_values("population", ascending=False)
    x, y = towns.geometry.x.to_numpy(), towns.geometry.y.to_numpy()
    u, v = (x - west) / (east - west), (y - south) / (north - south)
    placed: list[tuple[float, float]] = []
    for index, (town, right) in enumerate(zip(towns.itertuples(), u > 0.72, strict=True)):
        here = (u[index], v[index])
        if len(placed) == most or not _free(here, placed):
            continue
        placed.append(here)
        ax.plot(x[index], y[index], "o", ms=3, mfc="white", mec=INK, mew=0.8, zorder=7)
        ax.annotate(
            "\n".join(filter(None, (town.name, town.name_fa))), (x[index], y[index]),
            xytext=(-5 if right else 5, 0), textcoords="offset points",
            ha="right" if right else "left", va="center", fontsize=7, linespacing=1.05,
            path_effects=HALO, zorder=8, parse_math=False,
        )  # fmt: skip


def _free(here: tuple[float, float], placed: list[tuple[float, float]]) -> bool:
    """Whether a label fits: inside the map and clear of those placed before."""
    if not all(0.03 < share < 0.97 for share in here):
        return False
    return all(abs(here[0] - a) > 0.2 or abs(here[1] - b) > 0.06 for a, b in placed)


def add_key_map(ax: Axes, scene: Scene, pixels: Pixels) -> None:
    """Where the window lies in the study area."""
    detail = (scene.grid.bounds[3] - scene.grid.bounds[1]) / 300
    polygon = shapely.simplify(scene.area.polygon, detail)
    ax.add_patch(PathPatch(polygon_path(polygon), fc="#dfe3e6", ec=MUTED, lw=0.6))
    west, south, east, north = pixels.bounds
    ax.add_patch(
        Rectangle((west, south), east - west, north - south, fc="none", ec="#b2182b", lw=1.3)
    )
    left, bottom, right, top = scene.grid.bounds
    ax.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set(visible=True, color=LINE)
