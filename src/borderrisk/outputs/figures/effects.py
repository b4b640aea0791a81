"""How the modelled intensity changes along each feature."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from borderrisk.outputs.figures.style import INK, MUTED
from borderrisk.outputs.palette import MODEL_COLOUR
from borderrisk.outputs.scene import Scene

COLUMNS = 3
MOST = 12
LABEL_LETTERS = 48
NOTE = (
    "each dot: mean effect in a tenth of the study area, ordered by the feature\n"
    "Related features share an effect, and the model draws each to nought: it may truly be steeper."
)


def effects_figure(scene: Scene) -> Figure | None:
    """Draw the effect of each feature on log-intensity, averaged over tenths of the study area.

    Reads ``scene.meta.effects`` (see :func:`borderrisk.model.drivers.by_decile`), by feature:
    ``values`` in its unit, ascending, and ``effect``. The twelve features with the widest effect,
    widest first. None if the model has no effects of features.
    """
    curves = scene.meta.effects
    names = sorted(curves, key=lambda name: -np.ptp(curves[name]["effect"]))[:MOST]
    if not names:
        return None
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(8.8, 0.6 + 2.15 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False, sharey=True).ravel()
    for ax, name in zip(axes, names, strict=False):
        _draw_effect(ax, scene, name, curves[name])
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    figure.supxlabel(NOTE, fontsize=7.2, color=MUTED)
    figure.supylabel("effect on log-intensity", fontsize=8.5)
    figure.suptitle("What moves the intensity", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _draw_effect(ax: Axes, scene: Scene, name: str, curve: dict[str, list[float]]) -> None:
    values, effect = (np.asarray(curve[key], float) for key in ("values", "effect"))
    ax.axhline(0, color=INK, lw=0.7)
    ax.plot(values, effect, "o-", color=MODEL_COLOUR, lw=1.4, ms=3.5)
    attrs = scene.cells[name].attrs if name in scene.cells else {}
    label = str(attrs.get("long_name", name.replace("_", " ")))
    unit = str(attrs.get("units", "1"))
    label = label if unit == "1" else f"{label}\u00a0({unit})"
    ax.set_xlabel(textwrap.fill(label, LABEL_LETTERS), fontsize=7.2, parse_math=False)
    ax.tick_params(labelsize=7)
    if np.abs(values).max() >= 1e4:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
