"""How the modelled intensity changes along each feature."""

from __future__ import annotations

import textwrap
from typing import Any

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


def effects_figure(scene: Scene) -> Figure | None:
    """Partial dependence of the intensity on each feature, with intervals.

    Reads ``scene.meta["partial_dependence"]``::

        {feature: {"values": [...], "effect": [...], "low": [...], "high": [...]}}

    ``values`` are in the unit of the feature, ascending; ``effect`` is the change of
    log-intensity against its mean; ``low`` and ``high`` bound it and may be absent. Features with
    the widest effect come first, at most twelve of them.

    Returns
    -------
    Figure or None
        None if the scene has no partial dependence.
    """
    curves: dict[str, dict[str, Any]] = scene.meta.get("partial_dependence") or {}
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
    figure.supxlabel(_note(scene, curves), fontsize=7.2, color=MUTED)
    figure.supylabel("change of log-intensity", fontsize=8.5)
    figure.suptitle("What moves the intensity", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _note(scene: Scene, curves: dict[str, dict[str, Any]]) -> str:
    """Say what the bands are, or that there are none."""
    marks = "marks on the axes: deciles of the study area"
    if not any(_banded(curve) for curve in curves.values()):
        return f"{marks}; no bands: this run has no bootstrap replicates"
    level = scene.meta.get("level")
    share = "" if level is None else f"{level:.0%} of "
    return (
        f"{marks}; bands: {share}refits on resampled incidents\n"
        "They show how far the fitted curve moves. The true effect is often steeper: the model "
        "draws it to nought, and related features share it."
    )


def _banded(curve: dict[str, Any]) -> bool:
    return curve.get("low") is not None and curve.get("high") is not None


def _draw_effect(ax: Axes, scene: Scene, name: str, curve: dict[str, Any]) -> None:
    values, effect = (np.asarray(curve[key], float) for key in ("values", "effect"))
    ax.axhline(0, color=INK, lw=0.7)
    if _banded(curve):
        ax.fill_between(values, curve["low"], curve["high"], color=MODEL_COLOUR, alpha=0.2, lw=0)
    ax.plot(values, effect, color=MODEL_COLOUR, lw=1.8)
    _add_deciles(ax, scene, name, values)
    attrs = scene.cells[name].attrs if name in scene.cells else {}
    label = str(attrs.get("long_name", name.replace("_", " ")))
    unit = str(attrs.get("units", "1"))
    label = label if unit == "1" else f"{label}\u00a0({unit})"
    ax.set_xlabel(textwrap.fill(label, LABEL_LETTERS), fontsize=7.2, parse_math=False)
    ax.tick_params(labelsize=7)
    if np.abs(values).max() >= 1e4:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))


def _add_deciles(ax: Axes, scene: Scene, name: str, values: np.ndarray) -> None:
    """Ticks at the deciles of the study area: where the curve rests on many cells."""
    if name not in scene.cells:
        return
    inside = scene.cells["exposure"].to_numpy() > 0
    found = scene.cells[name].to_numpy()[inside]
    found = found[np.isfinite(found)]
    if len(found):
        deciles = np.clip(np.quantile(found, np.linspace(0.1, 0.9, 9)), values.min(), values.max())
        ax.plot(deciles, np.zeros(9), "|", color=MUTED, ms=6, clip_on=False,
                transform=ax.get_xaxis_transform())  # fmt: skip
