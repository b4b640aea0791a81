"""Charts of the scorecard: capture curve, reliability, skill per origin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from borderrisk.outputs.figures.style import INK, MUTED
from borderrisk.outputs.palette import MODEL_COLOUR, RISK_COLOURS
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.subject import main_model

_MARKERS = "sD^vPX<>h"
# Ten hues that stay apart in print and to most colour-blind readers, none near the model's.
LINE_COLOURS = (
    "#4c6a92", "#7a8f3c", "#b07d2b", "#3a9d9d", "#8a8a8a",
    "#5b4b8a", "#c2552d", "#2f6b3c", "#6fa8dc", "#3d3d3d",
)  # fmt: skip


def prospective(scene: Scene) -> dict[str, Any]:
    """Return the scorecard's forward-in-time part; empty if the run was not evaluated."""
    return (scene.meta.get("scorecard") or {}).get("prospective") or {}


def model_styles(scene: Scene, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Line style of each model and baseline.

    The config's own model comes first and stands out; other models are thin lines, baselines
    dashed ones.
    """
    card = scene.meta.get("scorecard") or {}
    part, main = prospective(scene), main_model(card)
    rows = [*part.get("summary", []), *part.get("rows", [])]
    baselines = {row["model"] for row in rows if row.get("role") == "baseline"}
    styles: dict[str, dict[str, Any]] = {}
    for k, name in enumerate(sorted(names, key=lambda n: (n != main, n in baselines))):
        label = name.replace("_", " ")
        if name == main:
            styles[name] = {"color": MODEL_COLOUR, "lw": 2.6, "marker": "o", "label": label,
                            "zorder": 4}  # fmt: skip
            continue
        dashed = name in baselines
        styles[name] = {
            "color": LINE_COLOURS[k % len(LINE_COLOURS)], "lw": 1.3 if dashed else 1.1,
            "ls": "--" if dashed else "-", "marker": _MARKERS[k % len(_MARKERS)],
            "label": f"{label} (baseline)" if dashed else label, "zorder": 3,
        }  # fmt: skip
    return styles


def capture_figure(scene: Scene) -> Figure | None:
    """Share of later incidents inside the highest-ranked share of the area."""
    curves = prospective(scene).get("capture_curve") or {}
    if not curves:
        return None
    figure, (ax,) = _figure("Later incidents captured by the top of the ranking")
    for name, line in model_styles(scene, curves).items():
        curve = curves[name]
        ax.plot(curve["area_share"], curve["captured"], **{**line, "marker": ""})
    if "uniform" not in curves:
        ax.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls=":", label="by chance")
    ax.set(xlim=(0, 0.5), ylim=(0, 1.02), xlabel="share of the study area, highest risk first",
           ylabel="share of later incidents inside")  # fmt: skip
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def border_capture_figure(scene: Scene) -> Figure | None:
    """Share of later incidents behind the kilometres of border ranked first."""
    found = (scene.meta.get("scorecard") or {}).get("border_capture") or {}
    if not found:
        return None
    figure, (ax,) = _figure("Later incidents behind the stretches of border ranked first")
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
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def reliability_figure(scene: Scene) -> Figure | None:
    """Predicted against observed, by class and by probability."""
    part = prospective(scene)
    panels = [name for name in ("calibration", "reliability") if part.get(name)]
    if not panels:
        return None
    figure, axes = _figure("Predicted against observed", panels=len(panels))
    for ax, name in zip(axes, panels, strict=True):
        (_draw_calibration if name == "calibration" else _draw_reliability)(ax, part[name])
    return figure


def _draw_calibration(ax: Axes, rows: list[dict[str, Any]]) -> None:
    """Draw expected counts as bars, observed ones as points with their Poisson interval."""
    rows = [row for row in rows if row.get("expected") is not None]
    k = np.array([row["risk_class"] for row in rows])
    expected, observed, low, high = (
        _numbers(rows, key) for key in ("expected", "observed", "low", "high")
    )
    colours = [RISK_COLOURS[int(c) - 1] for c in k]
    ax.bar(k, expected, width=0.62, color=colours, edgecolor=MUTED, lw=0.5, label="expected")
    known = np.isfinite(low) & np.isfinite(high)
    spread = np.clip([(observed - low)[known], (high - observed)[known]], 0, None)
    ax.errorbar(k[known], observed[known], spread, fmt="none", ecolor=INK, elinewidth=1,
                capsize=4, label="interval of the observed")  # fmt: skip
    ax.plot(k, observed, "o", ms=7, mfc="white", mec=INK, mew=1.6, label="observed", zorder=5)
    ax.set(xlabel="risk class", ylabel="incidents in the test periods", xticks=range(1, 6))
    ax.set_title("by risk class", fontsize=8.5, fontweight="normal")
    ax.grid(visible=False, axis="x")
    ax.legend(loc="upper left")


def _draw_reliability(ax: Axes, rows: list[dict[str, Any]]) -> None:
    predicted, observed, cells = (_numbers(rows, k) for k in ("predicted", "observed", "cells"))
    seen = (predicted > 0) & (observed > 0)
    size = 15 + 120 * np.sqrt(cells / np.nanmax(cells))
    ax.scatter(predicted[seen], observed[seen], s=size[seen], color=MODEL_COLOUR, alpha=0.75,
               edgecolors="white", zorder=3, label="seen")  # fmt: skip
    positive = np.concatenate([predicted[predicted > 0], observed[observed > 0]])
    low, high = (positive.min() / 2, positive.max() * 2) if len(positive) else (1e-4, 1.0)
    none = (predicted > 0) & ~seen
    ax.plot([low, high], [low, high], color=MUTED, lw=0.9, ls=":")
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high),
           xlabel="predicted probability", ylabel="observed share of cells")  # fmt: skip
    ax.set_title("by probability (dotted: equal; larger: more cells)", fontsize=8.5,
                 fontweight="normal")  # fmt: skip
    if none.any():
        ax.plot(predicted[none], np.full(none.sum(), 1.15 * low), "v", color=MUTED,
                label="none seen")  # fmt: skip
        ax.legend(loc="upper left")


def skill_figure(scene: Scene) -> Figure | None:
    """Bits per incident over uniform at each past origin."""
    rows = _main_rows(prospective(scene))
    if not rows:
        return None
    names = list(dict.fromkeys(row["model"] for row in rows))
    origins = sorted({row["origin"] for row in rows})
    figure, (ax,) = _figure("Skill at each past origin")
    for name, line in model_styles(scene, names).items():
        found = {row["origin"]: row["bits"] for row in rows if row["model"] == name}
        bits = [np.nan if found.get(o) is None else found[o] for o in origins]
        ax.plot(range(len(origins)), bits, ms=5 if line["zorder"] == 4 else 3.5, **line)
    ax.axhline(0, color=INK, lw=0.8)
    counts = {row["origin"]: row.get("incidents") for row in rows}
    labels = [f"{o[:4]}\n({counts[o]})" if counts[o] is not None else o[:4] for o in origins]
    ax.set_xticks(range(len(origins)), labels=labels)
    ax.set(xlabel="origin (test incidents)", ylabel="bits per incident over uniform")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _main_rows(part: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the shortest horizon, all incidents."""
    rows = [r for r in part.get("rows", []) if r.get("subset", "all") == "all" and r.get("origin")]
    shortest = min((row.get("horizon_years", 1) for row in rows), default=1)
    return [row for row in rows if row.get("horizon_years", 1) == shortest and "bits" in row]


def _numbers(rows: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=float)


def _figure(title: str, panels: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(7.4 if panels == 1 else 8.8, 4.1), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, list(axes)
