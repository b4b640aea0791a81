"""Charts of the scorecard: capture curves, skill per origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from borderrisk.outputs.figures.lines import (
    add_legend,
    add_title,
    figure_of,
    measured,
    model_styles,
    prospective,
    shortest,
)
from borderrisk.outputs.figures.style import INK, MUTED
from borderrisk.outputs.palette import MODEL_COLOUR
from borderrisk.outputs.scene import Scene

_WORDS = {"all": "all incidents", "repeat": "at repeat places", "new": "at new places"}


def capture_figure(scene: Scene) -> Figure | None:
    """Share of later incidents inside the highest-ranked share of the area."""
    panels = _capture_panels(scene)
    if not panels:
        return None
    figure, axes = figure_of(len(panels), sharey=True)
    add_title(figure, "Later incidents captured by the top of the ranking", measured(scene))
    for ax, (subset, count, curves) in zip(axes, panels, strict=True):
        _draw_captured(ax, curves, model_styles(scene, curves))
        number = "" if count is None else f" (n = {count})"
        ax.set_title(_WORDS[subset] + number, fontsize=8.5, fontweight="normal")
    for ax in axes[1:]:
        ax.tick_params(left=False)
    axes[0].set_ylabel("share of later incidents inside")
    axes[len(axes) // 2].set_xlabel("share of the study area, highest risk first")
    add_legend(figure, axes)
    return figure


def _capture_panels(scene: Scene) -> list[tuple[str, int | None, dict[str, Any]]]:
    """Subset, incidents and curves of each panel."""
    part = prospective(scene)
    parts = {"all": part, **(part.get("subsets") or {})}
    counts = {row["subset"]: row.get("incidents") for row in shortest(part.get("summary") or [])}
    return [
        (name, parts[name].get("incidents", counts.get(name)), parts[name]["capture_curve"])
        for name in _WORDS
        if parts.get(name, {}).get("capture_curve")
    ]


def _draw_captured(
    ax: Axes, curves: Mapping[str, Any], styles: Mapping[str, Mapping[str, Any]]
) -> None:
    for name, line in styles.items():
        curve = curves[name]
        ax.plot(curve["area_share"], curve["captured"], **{**line, "marker": ""})
    if "uniform" not in curves:
        ax.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls=":", label="by chance")
    ax.set(xlim=(0, 0.5), ylim=(0, 1.02))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))


def border_capture_figure(scene: Scene) -> Figure | None:
    """Share of later incidents behind the kilometres of border ranked first."""
    found = (scene.meta.scorecard or {}).get("border_capture") or {}
    if not found:
        return None
    figure, (ax,) = figure_of(1)
    title = "Later incidents behind the stretches of border ranked first"
    add_title(figure, title, measured(scene, found))
    km, captured = found["km"], dict(found["captured"])
    length = captured.pop("length")
    ax.fill_between(km, found["low"], found["high"], color=MODEL_COLOUR, alpha=0.15, lw=0,
                    label="interval over origins")  # fmt: skip
    for name, line in model_styles(scene, captured).items():
        ax.plot(km, captured[name], **{**line, "marker": ""})
    ax.plot(km, length, color=MUTED, lw=0.9, ls=":", label="by length alone")
    ax.set(xlim=(0, min(1000, km[-1])), ylim=(0, 1.02), xlabel="km of border watched",
           ylabel="share of later incidents behind them")  # fmt: skip
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    add_legend(figure, [ax])
    return figure


def skill_figure(scene: Scene) -> Figure | None:
    """Bits per incident over uniform at each past origin."""
    part = prospective(scene)
    rows = [r for r in shortest(part.get("rows") or []) if r.get("origin") and "bits" in r]
    panels = [name for name in _WORDS if any(row["subset"] == name for row in rows)]
    if not panels:
        return None
    height = 3.9 if len(panels) == 1 else 1.6 + 2.1 * len(panels)
    figure = Figure(figsize=(8.8, height), layout="constrained")
    axes = list(figure.subplots(len(panels), 1, squeeze=False)[:, 0])
    least = part.get("least_incidents", 0)
    origins, thin = _origins(rows, least)
    note = f"{measured(scene)}. In brackets: later incidents."
    if thin.any():
        note += f"\nHollow: fewer than {least} in all; averages leave such origins out."
    add_title(figure, "Skill at each past origin", note)
    for ax, subset in zip(axes, panels, strict=True):
        _draw_skill(ax, scene, [row for row in rows if row["subset"] == subset], origins, thin)
        ax.set_title(_WORDS[subset], fontsize=8.5, fontweight="normal")
    axes[len(axes) // 2].set_ylabel("bits per incident over uniform")
    add_legend(figure, axes)
    return figure


def _origins(rows: Sequence[Mapping[str, Any]], least: int) -> tuple[list[str], np.ndarray]:
    """Every origin, and whether too few incidents follow it to count."""
    counts = {row["origin"]: row.get("incidents", least) for row in rows if row["subset"] == "all"}
    origins = sorted({row["origin"] for row in rows})
    few = [counts.get(origin, 0) < least for origin in origins]
    return origins, np.array(few)


def _draw_skill(
    ax: Axes,
    scene: Scene,
    rows: Sequence[Mapping[str, Any]],
    origins: Sequence[str],
    thin: np.ndarray,
) -> None:
    x = np.arange(len(origins))
    for name, line in model_styles(scene, dict.fromkeys(row["model"] for row in rows)).items():
        found = {row["origin"]: row["bits"] for row in rows if row["model"] == name}
        bits = np.array([np.nan if found.get(o) is None else found[o] for o in origins])
        size = 5 if line["zorder"] == 4 else 3.5
        ax.plot(x, np.where(thin, np.nan, bits), ms=size, **line)
        if thin.any():
            faint = {**line, "label": None, "alpha": 0.3, "marker": "", "zorder": 2}
            ax.plot(x, bits, **faint)
            ax.plot(x[thin], bits[thin], ls="", marker=line["marker"], ms=size, mfc="white",
                    mec=line["color"], mew=0.9, zorder=line["zorder"])  # fmt: skip
    ax.axhline(0, color=INK, lw=0.8)
    counts = {row["origin"]: row.get("incidents") for row in rows}
    labels = [f"{o[:4]}\n({counts.get(o) or 0})" for o in origins]
    ax.set_xticks(x, labels=labels, fontsize=7.5)
    ax.set_xlim(-0.4, len(origins) - 0.6)
