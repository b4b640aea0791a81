"""Figures for papers and slides: maps of each focus, and charts of the scorecard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from borderrisk.errors import ConfigError
from borderrisk.outputs.atomic import writing
from borderrisk.outputs.figures.charts import (
    border_capture_figure,
    capture_figure,
    effects_figure,
    reliability_figure,
    skill_figure,
)
from borderrisk.outputs.figures.maps import risk_figure, uncertainty_figure
from borderrisk.outputs.figures.style import FORMATS, render, style
from borderrisk.outputs.scene import Focus, Scene

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
