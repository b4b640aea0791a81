"""Predicted against observed: by risk class and by probability, on repeat and on new ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from borderrisk.outputs.figures.lines import add_title, figure_of, measured, prospective
from borderrisk.outputs.figures.style import INK, MUTED
from borderrisk.outputs.palette import MODEL_COLOUR, RISK_COLOURS
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.subject import main_model

_WORDS = {"all": "all ground", "repeat": "repeat ground", "new": "new ground"}
_KINDS = ("calibration", "reliability")
_NOTE = "Dotted: as predicted; the larger a dot, the more cells."
_GROUND = "\nRepeat ground: cells near an incident that was known at the origin."


def reliability_figure(scene: Scene) -> Figure | None:
    """Predicted against observed, by class and by probability, on each kind of ground."""
    part = prospective(scene)
    parts = {"all": part, **(part.get("subsets") or {})}
    grounds = [g for g in _WORDS if any(parts.get(g, {}).get(kind) for kind in _KINDS)]
    kinds = [kind for kind in _KINDS if part.get(kind)]
    if not grounds or not kinds:
        return None
    wide = len(grounds) > 1
    figure, axes = figure_of(len(grounds), len(kinds)) if wide else figure_of(len(kinds))
    _say(figure, scene, wide)
    limits = _limits([row for g in grounds for row in parts[g].get("reliability") or []])
    panels = iter(axes)
    for kind in kinds:
        for ground in grounds:
            ax, rows = next(panels), parts[ground].get(kind) or []
            _DRAWN[kind](ax, rows, limits)
            if kind == kinds[0] or not wide:
                ax.set_title(_title(ground, parts[ground]), fontsize=8.5, fontweight="normal")
            if ground != grounds[0]:
                ax.set_ylabel("")
    axes[0].legend(loc="upper left")
    return figure


def _say(figure: Figure, scene: Scene, wide: bool) -> None:
    own = str(main_model(scene.meta.scorecard or {}) or "").replace("_", " ")
    how = "; ".join(text for text in (own, measured(scene)) if text)
    note = f"{how}. {_NOTE}" if how else _NOTE
    add_title(figure, "Predicted against observed", note + _GROUND * wide)


def _title(ground: str, part: Mapping[str, Any]) -> str:
    share = part.get("ground_share")
    return _WORDS[ground] + ("" if share is None else f" ({share:.0%} of the area)")


def _draw_calibration(ax: Axes, rows: Sequence[Mapping[str, Any]], _: tuple[float, float]) -> None:
    """Draw expected counts as bars, observed ones as points with their Poisson interval."""
    # A class without a cell on this ground expects nothing.
    rows = [row for row in rows if row.get("expected")]
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
    ax.plot(k, observed, "o", ms=6, mfc="white", mec=INK, mew=1.4, label="observed", zorder=5,
            clip_on=False)  # fmt: skip
    ax.set(xlabel="risk class", ylabel="incidents in the test periods", xticks=range(1, 6),
           xlim=(0.5, 5.5))  # fmt: skip
    ax.grid(visible=False, axis="x")


def _draw_reliability(
    ax: Axes, rows: Sequence[Mapping[str, Any]], limits: tuple[float, float]
) -> None:
    predicted, observed, cells = (_numbers(rows, k) for k in ("predicted", "observed", "cells"))
    seen = (predicted > 0) & (observed > 0)
    size = 15 + 120 * np.sqrt(cells / np.nanmax(cells)) if len(cells) else cells
    ax.plot(limits, limits, color=MUTED, lw=0.9, ls=":")
    ax.scatter(predicted[seen], observed[seen], s=size[seen], color=MODEL_COLOUR, alpha=0.75,
               edgecolors="white", zorder=3, label="seen")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlim=limits, ylim=limits,
           xlabel="predicted probability", ylabel="observed share of cells")  # fmt: skip
    none = (predicted > 0) & ~seen
    if none.any():
        ax.plot(predicted[none], np.full(none.sum(), 1.15 * limits[0]), "v", color=MUTED,
                label="none seen")  # fmt: skip
        ax.legend(loc="upper left")


def _limits(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the ends of both axes, the same in every panel."""
    values = np.concatenate([_numbers(rows, key) for key in ("predicted", "observed")])
    positive = values[values > 0]
    return (positive.min() / 2, positive.max() * 2) if len(positive) else (1e-4, 1.0)


def _numbers(rows: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    return np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=float)


_DRAWN = {"calibration": _draw_calibration, "reliability": _draw_reliability}
