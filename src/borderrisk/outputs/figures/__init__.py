"""Figures for papers and slides: maps of each focus, and charts of the scorecard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap, LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from borderrisk.errors import ConfigError
from borderrisk.outputs.atomic import writing
from borderrisk.outputs.figures.charts import (
    border_capture_figure,
    capture_figure,
    effects_figure,
    reliability_figure,
    skill_figure,
)
from borderrisk.outputs.figures.frame import add_legend, frame, hatch_untrusted
from borderrisk.outputs.figures.style import FORMATS, INK, LINE, render, style
from borderrisk.outputs.palette import RISK_COLOURS, RISK_LABELS
from borderrisk.outputs.scene import Focus, Scene


def risk_figure(scene: Scene, focus: Focus | None = None) -> Figure | None:
    """Draw the risk classes of a focus or the whole area; None if the scene has none."""
    if "risk_class" not in scene.cells:
        return None
    classes = scene.cells["risk_class"].to_numpy()
    classes = np.nan_to_num(classes, nan=0).astype(int)
    colours = np.array([(1, 1, 1), *map(to_rgb, RISK_COLOURS)])[classes]
    what = "Class of the index" if scene.is_index else "Risk class"
    figure, ax, side = frame(scene, focus, colours, classes > 0, what)
    hatched = hatch_untrusted(ax, scene)
    handles = [
        Patch(fc=colour, ec=LINE, lw=0.5, label=f"{k}  {label} of the area")
        for k, colour, label in reversed(
            list(zip(range(1, 6), RISK_COLOURS, RISK_LABELS, strict=True))
        )
    ]
    add_legend(side, handles, hatched)
    return figure


def outcome_figure(scene: Scene, missed: Sequence[str]) -> Figure | None:
    """Draw a forecast with the incidents of its period, which the scene holds; misses crossed."""
    figure = risk_figure(scene)
    if figure is None or scene.incidents.empty:
        return figure
    low = scene.incidents[scene.incidents["incident_id"].isin(list(missed))]
    ax = figure.axes[0]
    at = low.to_crs(scene.grid.crs).geometry
    bounds = ax.get_xlim(), ax.get_ylim()
    ax.scatter(at.x, at.y, marker="x", s=42, lw=1.6, color=INK, zorder=8)
    ax.set(xlim=bounds[0], ylim=bounds[1])
    figure.text(0.01, 0.01, f"{len(scene.incidents)} reported in the period; {len(low)} of them in "
                "class 1 or 2 (crossed)", fontsize=8, color=INK)  # fmt: skip
    return figure


def uncertainty_figure(scene: Scene, focus: Focus | None = None) -> Figure | None:
    """Draw by what factor the bounds of the probability differ; None if the scene has no bounds."""
    if not scene.has_intervals:
        return None
    low, high = (scene.cells[f"probability_{end}"].to_numpy() for end in ("low", "high"))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(low > 0, high / low, np.nan)
    known = np.isfinite(ratio)
    if not known.any():
        return None
    top = max(float(np.quantile(ratio[known], 0.98)), 1.5)
    shades = ListedColormap(colormaps["YlGnBu"](np.linspace(0, 0.8, 256)))
    scale = ScalarMappable(LogNorm(1, top), shades)
    colours = scale.to_rgba(np.where(known, ratio, 1.0))[..., :3]
    figure, ax, side = frame(scene, focus, colours, known, "Uncertainty of the probability")
    hatched = hatch_untrusted(ax, scene)
    bar = _add_bar(figure, side, scale, "max")
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 1000) if t <= top]
    bar.set_ticks(ticks, labels=[f"×{t}" for t in ticks])
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=7.5)
    title = f"Upper / lower end of the {scene.meta.level:.0%} interval"
    bar.ax.set_title(title, fontsize=7.5, fontweight="normal")
    add_legend(side, [], hatched, top=0.88)
    return figure


def change_figure(scene: Scene) -> Figure | None:
    """Draw how the risk percentile changed between two runs; None if there is no ``risk_change``.

    Cells that moved by no more than their intervals are paler (:mod:`borderrisk.outputs.compare`).
    """
    if "risk_change" not in scene.cells:
        return None
    change = scene.cells["risk_change"].to_numpy()
    known = np.isfinite(change)
    top = max(float(np.quantile(np.abs(change[known]), 0.99)), 1.0) if known.any() else 1.0
    scale = ScalarMappable(Normalize(-top, top), colormaps["PRGn_r"])
    colours = scale.to_rgba(np.where(known, change, 0.0))[..., :3]
    if "change" in scene.cells:
        clear = scene.cells["change"].to_numpy() > 0
        colours = np.where(clear[..., None], colours, 1 - 0.45 * (1 - colours))
    figure, ax, side = frame(scene, None, colours, known, "Change of risk")
    bar = _add_bar(figure, side, scale, "both")
    bar.ax.set_title("Change of risk percentile", fontsize=7.5, fontweight="normal")
    add_legend(side, [], hatch_untrusted(ax, scene), top=0.88)
    return figure


def _add_bar(figure: Figure, side: Axes, scale: ScalarMappable, extend: str) -> Colorbar:
    place = side.inset_axes((0.0, 0.955, 0.9, 0.022))
    return figure.colorbar(scale, cax=place, orientation="horizontal", extend=extend)


CHARTS: dict[str, Callable[[Scene], Figure | None]] = {
    "capture-curve": capture_figure,
    "border-capture": border_capture_figure,
    "reliability": reliability_figure,
    "skill-per-origin": skill_figure,
    "driver-effects": effects_figure,
}
MAPS: dict[str, Callable[[Scene, Focus | None], Figure | None]] = {
    "risk": risk_figure,
    "uncertainty": uncertainty_figure,
}


def write_figures(
    scene: Scene, folder: Path, formats: Iterable[str] = ("png", "svg", "pdf")
) -> list[Path]:
    """Write every figure the scene has the numbers for; return the files.

    Maps of risk and of its uncertainty (whole area and each focus), the capture curves of area and
    border, reliability, skill per origin and the effects of the drivers. The same scene gives the
    same bytes. Raises ``ConfigError`` if a format is not png, svg or pdf, ``OutputError`` if a file
    cannot be written.
    """
    formats = tuple(formats)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ConfigError(f"Unknown figure format {unknown[0]!r}; choose of {', '.join(FORMATS)}.")
    written = []
    for name, figure in draw(scene):
        for extension in formats:
            path = Path(folder) / f"{name}.{extension}"
            with writing(path) as unfinished:
                stamp = "; ".join(f"{key}: {text}" for key, text in scene.stamp.items())
                unfinished.write_bytes(render(figure, extension, stamp=stamp))
            written.append(path)
    return written


def plan(scene: Scene) -> dict[str, Callable[[], Figure | None]]:
    """Names of the figures and how to draw each; none comes of it if the numbers are absent."""
    drawn: dict[str, Callable[[], Figure | None]] = {}
    for kind, draw_map in MAPS.items():
        for focus in (None, *scene.focuses):
            name = f"{kind}-{focus.name}" if focus else kind
            drawn[name] = partial(_settled, partial(draw_map, scene, focus))
    for name, draw_chart in CHARTS.items():
        drawn[name] = partial(_settled, partial(draw_chart, scene))
    return drawn


def _settled(draw_one: Callable[[], Figure | None]) -> Figure | None:
    """Draw a figure and fix its layout, which would be worked out anew for each format."""
    with style():
        figure = draw_one()
        if figure is not None and figure.get_layout_engine() is not None:
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
    return figure


def draw(scene: Scene) -> Iterator[tuple[str, Figure]]:
    """Names and figures, one after the other, so that only one is in memory."""
    for name, draw_one in plan(scene).items():
        figure = draw_one()
        if figure is not None:
            yield name, figure
