"""The frame around every map: layout, titles, lines and points, legend."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from shapely.geometry import shape

from borderrisk.outputs.codes import meanings
from borderrisk.outputs.figures.backdrop import Pixels, paint
from borderrisk.outputs.figures.furniture import (
    add_graticule,
    add_key_map,
    add_north_arrow,
    add_scale_bar,
    add_towns,
    polygon_path,
)
from borderrisk.outputs.figures.style import INK, MUTED
from borderrisk.outputs.palette import BORDER_COLOUR, INCIDENT_COLOUR
from borderrisk.outputs.scene import Focus, Scene

MAP_HEIGHT = 6.6  # inches
MAX_WIDTH = 8.5
SIDE = 2.35
# Of the side panel, inches: kept for the legend, between key map and text, and the key map.
LEGEND_HEIGHT = 2.5
KEY_GAP = 0.2
SMALLEST_KEY, LARGEST_KEY = 0.6, 2.0
FOOT_SIZE = 6.3  # points
FOOT_LINE = 1.36 * FOOT_SIZE / 72  # inches, with DejaVu's leading
FOOT_LETTERS = 46
_HATCH = "/////"


def frame(
    scene: Scene, focus: Focus | None, colours: np.ndarray, shown: np.ndarray, what: str
) -> tuple[Figure, Axes, Axes]:
    """Figure with the map at the left, and the empty side panel at the right."""
    pixels = Pixels.of(scene, focus)
    width, height = _map_size(pixels)
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
    statement = scene.meta.get("statement") or "An area-level score, not a statement about people."
    if scene.meta.get("compared"):
        statement = f"Change between the runs {scene.meta['compared']}. {statement}"
    if not scene.has_intervals:
        statement = f"{statement} No interval was computed in this run."
    names = [str(s.get("attribution") or s.get("title")) for s in scene.meta.get("sources", [])]
    credit = "Sources: " + ". ".join(dict.fromkeys(names)) + "." if names else ""
    room = int((height - LEGEND_HEIGHT) / FOOT_LINE)
    lines = [line for text in (statement, credit) for line in textwrap.wrap(text, FOOT_LETTERS)]
    if len(lines) > room:
        lines = [*lines[: room - 1], "Further sources are in the report."]
    side.text(0, 0, "\n".join(lines), fontsize=FOOT_SIZE, color=MUTED, va="bottom",
              linespacing=1.3, parse_math=False)  # fmt: skip
    return len(lines) * FOOT_LINE


def _map_size(pixels: Pixels) -> tuple[float, float]:
    """Width and height in inches: tall enough for the side panel, never wider than a page."""
    rows, cols = pixels.shape
    height = float(np.clip(MAX_WIDTH * rows / cols, 4.6, MAP_HEIGHT))
    return float(np.clip(height * cols / rows, 3.2, MAX_WIDTH)), height


def _add_titles(figure: Figure, scene: Scene, focus: Focus | None, what: str) -> None:
    place = focus.title if focus else str(scene.meta.get("title", ""))
    persian = focus.title_fa if focus else str(scene.meta.get("title_fa") or "")
    width, height = figure.get_size_inches()
    y = 1 - 0.42 / height
    figure.text(0.5 / width, y, f"{place}: {what.lower()}", fontsize=13, fontweight="bold",
                va="bottom", parse_math=False)  # fmt: skip
    # On the second line, where a long English title cannot run into it.
    figure.text(1 - 0.3 / width, 1 - 0.64 / height, persian, fontsize=11.5, ha="right",
                va="bottom", parse_math=False)  # fmt: skip
    origin, days = scene.meta.get("origin"), scene.meta.get("horizon_days")
    facts = ["Relative intensity of reported incidents"]
    facts += [f"forecast from {origin} for {days} days"] if origin and days else []
    figure.text(0.5 / width, 1 - 0.62 / height, "; ".join(facts), fontsize=8.5, color=MUTED,
                va="bottom", parse_math=False)  # fmt: skip


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
    if "trust" not in scene.cells:
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
