"""The frame and furniture of every map: layout, titles, lines, scale bar, towns, legend."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely
from matplotlib import patheffects
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path as DrawnPath
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from borderrisk.grid import WGS84, Grid, transformer
from borderrisk.outputs.figures.backdrop import Pixels, paint
from borderrisk.outputs.figures.style import INK, LINE, MUTED
from borderrisk.outputs.palette import BORDER_COLOUR, INCIDENT_COLOUR
from borderrisk.outputs.scene import Focus, Scene
from borderrisk.scores import meanings

MAP_HEIGHT = 6.6  # inches
MAX_WIDTH = 8.5
MOST_TOWNS = 14
SIDE = 2.35
# Of the side panel, inches: kept for the legend, between key map and text, and the key map.
LEGEND_HEIGHT = 2.5
KEY_GAP = 0.2
SMALLEST_KEY, LARGEST_KEY = 0.6, 2.0
FOOT_SIZE = 6.3  # points
FOOT_LINE = 1.36 * FOOT_SIZE / 72  # inches, with DejaVu's leading
FOOT_LETTERS = 46
_HATCH = "/////"
HALO = [patheffects.withStroke(linewidth=2.2, foreground="white", alpha=0.9)]


def frame(
    scene: Scene, focus: Focus | None, colours: np.ndarray, shown: np.ndarray, what: str
) -> tuple[Figure, Axes, Axes]:
    """Figure with the map at the left, and the empty side panel at the right."""
    pixels = Pixels.of(scene, focus)
    # Tall enough for the side panel, never wider than a page.
    rows, cols = pixels.shape
    height = float(np.clip(MAX_WIDTH * rows / cols, 4.6, MAP_HEIGHT))
    width = float(np.clip(height * cols / rows, 3.2, MAX_WIDTH))
    total = (width + SIDE + 0.85, height + 1.15)
    figure = Figure(figsize=total, facecolor="white")
    ax = figure.add_axes((0.5 / total[0], 0.4 / total[1], width / total[0], height / total[1]))
    picture = paint(scene, pixels, colours, shown)
    ax.imshow(picture, extent=pixels.extent, interpolation="nearest", zorder=1)
    _add_vectors(ax, scene, pixels)
    add_graticule(ax, scene.grid, pixels)
    add_scale_bar(ax, pixels)
    add_north_arrow(ax, scene.grid, pixels)
    add_towns(ax, scene, pixels)
    west, south, east, north = pixels.bounds
    ax.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[], aspect="equal")
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set(visible=True, color=MUTED, linewidth=0.6)
    side = figure.add_axes(
        ((width + 0.68) / total[0], 0.4 / total[1], (SIDE - 0.1) / total[0], height / total[1])
    )
    side.axis("off")
    _add_titles(figure, scene, focus, what)
    foot = _add_foot(side, scene, height)
    room = height - LEGEND_HEIGHT - foot - KEY_GAP
    if focus is not None and room >= SMALLEST_KEY:
        box = (0.0, (foot + KEY_GAP) / height, 0.9, min(room, LARGEST_KEY) / height)
        add_key_map(side.inset_axes(box, anchor="SW"), scene, pixels)
    return figure, ax, side


def _add_foot(side: Axes, scene: Scene, height: float) -> float:
    """Write statement and sources at the foot of a side panel; how high they reach, inches."""
    statement = f"{'. '.join(scene.colophon())} {scene.meta.statement}"
    if scene.meta.compared:
        statement = f"Change between the runs {scene.meta.compared}. {statement}"
    if not scene.has_intervals and not scene.is_index:
        statement = f"{statement} No interval was computed in this run."
    credit = f"Sources: {'. '.join(scene.credits)}." if scene.credits else ""
    room = int((height - LEGEND_HEIGHT) / FOOT_LINE)
    lines = [line for text in (statement, credit) for line in textwrap.wrap(text, FOOT_LETTERS)]
    if len(lines) > room:
        lines = [*lines[: room - 1], "Further sources are in the report."]
    side.text(0, 0, "\n".join(lines), fontsize=FOOT_SIZE, color=MUTED, va="bottom",
              linespacing=1.3, parse_math=False)  # fmt: skip
    return len(lines) * FOOT_LINE


def _add_titles(figure: Figure, scene: Scene, focus: Focus | None, what: str) -> None:
    place = focus.title if focus else scene.meta.title
    persian = focus.title_fa if focus else scene.meta.title_fa
    width, height = figure.get_size_inches()
    title = figure.text(0.5 / width, 1 - 0.42 / height, f"{place}: {what.lower()}", fontsize=13,
                        fontweight="bold", va="bottom", parse_math=False)  # fmt: skip
    facts = ["Expert weights, no incidents" if scene.is_index else
             "Relative intensity of reported incidents"]  # fmt: skip
    facts += [f"forecast for {' to '.join(scene.period)}"] if scene.period else []
    below = figure.text(0.5 / width, 1 - 0.62 / height, "; ".join(facts), fontsize=8.5,
                        color=MUTED, va="bottom", parse_math=False)  # fmt: skip
    # On the line that leaves it more room: a narrow map has none beside the longer one.
    line = min((below, title), key=lambda text: text.get_window_extent().x1)
    figure.text(1 - 0.3 / width, line.get_position()[1] - 0.02 / height, persian, fontsize=11.5,
                ha="right", va="bottom", parse_math=False)  # fmt: skip


def _add_vectors(ax: Axes, scene: Scene, pixels: Pixels) -> None:
    # Simplified but not cut: a cut polygon would show the cut as an edge.
    polygon = shapely.simplify(scene.area.polygon, 0.5 * pixels.transform.a)
    outline = PathPatch(polygon_path(polygon), fc="none", ec=INK, lw=0.5, alpha=0.5)
    ax.add_patch(outline).set_zorder(3)
    lines = pixels.visible(scene.borders.to_crs(pixels.crs).geometry.to_numpy())
    parts = [shapely.get_coordinates(part) for part in shapely.get_parts(lines)]
    ax.add_collection(LineCollection(parts, colors="white", linewidths=2.6, zorder=4))
    ax.add_collection(LineCollection(parts, colors=BORDER_COLOUR, linewidths=1.3, zorder=5))
    _add_incidents(ax, scene.incidents, pixels)


def _add_incidents(ax: Axes, incidents: gpd.GeoDataFrame, pixels: Pixels) -> None:
    """Circles of the size of each incident's uncertainty, and a dot at its centre."""
    if incidents.empty:
        return
    points = incidents.to_crs(pixels.crs).geometry
    xy = np.column_stack([points.x, points.y])
    radius = 1000 * incidents["radius_km"].to_numpy()
    west, south, east, north = pixels.bounds
    seen = (xy >= np.subtract((west, south), radius[:, None])).all(axis=1)
    seen &= (xy <= np.add((east, north), radius[:, None])).all(axis=1)
    xy, size = xy[seen], 2 * radius[seen]
    ax.add_collection(
        EllipseCollection(
            size, size, np.zeros(len(size)), units="xy", offsets=xy, transOffset=ax.transData,
            facecolors="none", edgecolors=INCIDENT_COLOUR, linewidths=0.6, alpha=0.55, zorder=6,
        )
    )  # fmt: skip
    ax.scatter(
        xy[:, 0], xy[:, 1], s=5, color=INCIDENT_COLOUR, edgecolors="white", linewidths=0.3, zorder=6
    )


def hatch_untrusted(ax: Axes, scene: Scene) -> bool:
    """Hatch the cells whose score should not be trusted; whether there are any."""
    if "trust" not in scene.cells or scene.is_index:
        return False
    trust = scene.cells["trust"]
    known = meanings(trust)
    codes = [code for code, word in known.items() if word not in ("ok", "edge")]
    mask = np.isin(trust.to_numpy(), codes)
    if not mask.any():
        return False
    shapes = rasterio.features.shapes(mask.astype("uint8"), mask, transform=scene.grid.transform)
    union = shapely.union_all([shape(geometry) for geometry, _ in shapes])
    shown = shapely.intersection(union, scene.area.polygon)
    if shown.is_empty:
        return False
    patch = PathPatch(polygon_path(shown), fc="none", ec="#3c4650", lw=0, hatch=_HATCH, alpha=0.45)
    ax.add_patch(patch).set_zorder(3)
    return True


def add_legend(side: Axes, handles: Sequence[Patch], hatched: bool, top: float = 1.0) -> None:
    """Explain the symbols at the top of the side panel."""
    further: list[Artist] = [
        Line2D([], [], color=BORDER_COLOUR, lw=1.3, label="border"),
        Line2D([], [], ls="", marker="o", ms=9, mfc="none", mec=INCIDENT_COLOUR, mew=0.7,
               label="reported incident and how\nwell its place is known"),
    ]  # fmt: skip
    if hatched:
        further.append(Patch(fc="none", ec="#7b8794", hatch=_HATCH, lw=0.4,
                             label="score rests on little or no\ncomparable data"))  # fmt: skip
    side.legend(
        handles=[*handles, *further], loc="upper left", bbox_to_anchor=(0, top),
        fontsize=7.5, handlelength=1.6, labelspacing=0.75, borderaxespad=0, borderpad=0,
    )  # fmt: skip


def polygon_path(geometry: BaseGeometry) -> DrawnPath:
    """Path of a polygon or multipolygon, holes included."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    paths = [DrawnPath(shapely.get_coordinates(ring), closed=True) for ring in rings]
    return DrawnPath.make_compound_path(*paths)


def add_graticule(ax: Axes, grid: Grid, pixels: Pixels) -> None:
    """Meridians and parallels as thin lines, labelled below and at the left."""
    west, south, east, north = pixels.bounds
    left, lower, right, upper = transformer(grid.crs, WGS84).transform_bounds(*pixels.bounds)
    span = max(right - left, upper - lower)
    step = next((step for step in (0.1, 0.25, 0.5, 1, 2, 5, 10) if span / step <= 8), 20)
    for low, high, of_lon in ((left, right, True), (lower, upper, False)):
        along = np.linspace(lower, upper, 60) if of_lon else np.linspace(left, right, 60)
        for degrees in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step:
            fixed = np.full_like(along, degrees)
            x, y = grid.project(*((fixed, along) if of_lon else (along, fixed)))
            ax.plot(x, y, color="white", lw=0.5, alpha=0.45, zorder=2)
            if of_lon:
                share = (np.interp(south, y, x) - west) / (east - west)
            else:
                share = (np.interp(west, x, y) - south) / (north - south)
            if 0.02 <= share <= 0.98:
                letter = ("EW" if of_lon else "NS")[int(degrees < 0)]
                ax.annotate(
                    f"{abs(degrees):g}°{letter}", (share, 0) if of_lon else (0, share),
                    xycoords="axes fraction", xytext=(0, -3) if of_lon else (-3, 0),
                    textcoords="offset points", fontsize=7, color=MUTED,
                    ha="center" if of_lon else "right", va="top" if of_lon else "center",
                )  # fmt: skip


def nice_length(longest: float) -> float:
    """Largest of 1, 2, 5 × 10ⁿ that is not longer."""
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
    lon, lat = transformer(grid.crs, WGS84).transform(x, y)
    ahead = np.array(grid.project(lon, lat + 0.01)) - (x, y)
    dx, dy = ahead / np.hypot(*ahead) * 0.05 * side
    arrow = {"arrowstyle": "-|>", "lw": 1.3, "color": INK, "shrinkA": 0, "path_effects": HALO}
    ax.annotate("", (x + dx, y + dy), (x, y), arrowprops=arrow, zorder=9)
    ax.text(x + 1.25 * dx, y + 1.25 * dy, "N", ha="center", va="center", fontsize=9,
            fontweight="bold", path_effects=HALO, zorder=9)  # fmt: skip


def add_towns(ax: Axes, scene: Scene, pixels: Pixels) -> None:
    """Largest towns with their names in English and Persian, none on top of another."""
    west, south, east, north = pixels.bounds
    towns = scene.settlements.to_crs(pixels.crs).sort_values("population", ascending=False)
    x, y = towns.geometry.x.to_numpy(), towns.geometry.y.to_numpy()
    u, v = (x - west) / (east - west), (y - south) / (north - south)
    placed: list[tuple[float, float]] = []  # none on top of another, nor at the edge
    for index, (town, right) in enumerate(zip(towns.itertuples(), u > 0.72, strict=True)):
        here = (u[index], v[index])
        clear = all(abs(here[0] - a) > 0.2 or abs(here[1] - b) > 0.06 for a, b in placed)
        if len(placed) == MOST_TOWNS or not clear or not 0.03 < min(here) <= max(here) < 0.97:
            continue
        placed.append(here)
        ax.plot(x[index], y[index], "o", ms=3, mfc="white", mec=INK, mew=0.8, zorder=7)
        ax.annotate(
            "\n".join(filter(None, (town.name, town.name_fa))), (x[index], y[index]),
            xytext=(-5 if right else 5, 0), textcoords="offset points",
            ha="right" if right else "left", va="center", fontsize=7, linespacing=1.05,
            path_effects=HALO, zorder=8, parse_math=False,
        )  # fmt: skip


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
