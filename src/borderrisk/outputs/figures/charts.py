"""Charts: captures, skill at each origin, predicted against observed, effects of features."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, PercentFormatter

from borderrisk.border.ranking import LENGTH
from borderrisk.evaluation.findings import many, spoken
from borderrisk.evaluation.scorecard import (
    GROUNDS,
    SUBSET_WORDS,
    SUBSETS,
    CaptureCurve,
    ChanceClass,
    ClassCount,
    Scorecard,
    Skill,
)
from borderrisk.outputs.figures.style import INK, MUTED
from borderrisk.outputs.palette import MODEL_COLOUR, RISK_COLOURS
from borderrisk.outputs.scene import Scene

_MARKERS = "sD^vPX<>h"
# Ten hues that stay apart in print and to most colour-blind readers, none near the model's.
LINE_COLOURS = (
    "#4c6a92", "#7a8f3c", "#b07d2b", "#3a9d9d", "#8a8a8a",
    "#5b4b8a", "#c2552d", "#2f6b3c", "#6fa8dc", "#3d3d3d",
)  # fmt: skip
_TITLE_POINTS, _NOTE_POINTS, _SPACING, _PAD_INCHES = 11, 8, 1.3, 0.08
_GROUND_WORDS = {"all": "all ground", "repeat": "repeat ground", "new": "new ground"}
_NOTE = "Dotted: as predicted; the larger a dot, the more cells."
_REPEAT = "\nRepeat ground: cells near an incident that was known at the origin."
_COLUMNS = 3
_MOST = 12
_LABEL_LETTERS = 48
_EFFECTS_NOTE = (
    "each dot: mean effect in a tenth of the study area, ordered by the feature\n"
    "Related features share an effect, and the model draws each to nought: it may truly be steeper."
)


def capture_figure(scene: Scene) -> Figure | None:
    """Share of later incidents inside the highest-ranked share of the area."""
    card = scene.meta.scorecard
    if card is None or not card.prospective.capture:
        return None
    curves = card.prospective.capture
    figure, axes = figure_of(len(curves), sharey=True)
    add_title(figure, "Later incidents captured by the top of the ranking", measured(card))
    for ax, curve in zip(axes, curves, strict=True):
        _draw_captured(ax, curve, model_styles(card, curve.captured))
        ax.set_title(f"{SUBSET_WORDS[curve.subset]} (n = {curve.incidents})", fontsize=8.5,
                     fontweight="normal")  # fmt: skip
    for ax in axes[1:]:
        ax.tick_params(left=False)
    axes[0].set_ylabel("share of later incidents inside")
    axes[len(axes) // 2].set_xlabel("share of the area, highest risk first")
    add_legend(figure, axes)
    return figure


def _draw_captured(ax: Axes, curve: CaptureCurve, styles: Mapping[str, Mapping[str, Any]]) -> None:
    for name, line in styles.items():
        ax.plot(curve.area_share, curve.captured[name], **{**line, "marker": ""})
    if "even" not in curve.captured:
        ax.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls=":", label="by chance")
    ax.set(xlim=(0, 0.5), ylim=(0, 1.02))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))


def border_capture_figure(scene: Scene) -> Figure | None:
    """Share of later incidents behind the kilometres of border ranked first."""
    card = scene.meta.scorecard
    if card is None or card.border_capture is None:
        return None
    found = card.border_capture
    figure, (ax,) = figure_of(1)
    title = "Later incidents behind the stretches of border ranked first"
    add_title(figure, title, measured(card, (found.incidents, found.origins)))
    captured = {name: values for name, values in found.captured.items() if name != LENGTH}
    ax.fill_between(found.km, found.low, found.high, color=MODEL_COLOUR, alpha=0.15, lw=0,
                    label="interval over origins")  # fmt: skip
    for name, line in model_styles(card, captured).items():
        ax.plot(found.km, captured[name], **{**line, "marker": ""})
    ax.plot(found.km, found.captured[LENGTH], color=MUTED, lw=0.9, ls=":", label="by length alone")
    ax.set(xlim=(0, min(1000, found.km[-1])), ylim=(0, 1.02), xlabel="km of border watched",
           ylabel="share of later incidents behind them")  # fmt: skip
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    add_legend(figure, [ax])
    return figure


def skill_figure(scene: Scene) -> Figure | None:
    """Bits per incident over even at each past origin."""
    card = scene.meta.scorecard
    if card is None:
        return None
    part = card.prospective
    rows = [row for row in part.rows if row.horizon_years == part.shortest]
    panels = [name for name in SUBSETS if any(row.subset == name for row in rows)]
    if not panels:
        return None
    figure = Figure(figsize=(8.8, max(3.9, 1.6 + 2.1 * len(panels))), layout="constrained")
    axes = list(figure.subplots(len(panels), 1, squeeze=False)[:, 0])
    origins = sorted({row.origin for row in rows})
    counts = {row.origin: row.incidents for row in rows if row.subset == "all"}
    thin = np.array([counts.get(origin, 0) < part.least_incidents for origin in origins])
    note = f"{measured(card)}. In brackets: later incidents."
    if thin.any():
        note += f"\nHollow: fewer than {part.least_incidents} in all; averages leave these out."
    add_title(figure, "Skill at each past origin", note)
    for ax, subset in zip(axes, panels, strict=True):
        _draw_skill(ax, card, [row for row in rows if row.subset == subset], origins, thin)
        ax.set_title(SUBSET_WORDS[subset], fontsize=8.5, fontweight="normal")
    axes[len(axes) // 2].set_ylabel("bits per incident over an even map")
    add_legend(figure, axes)
    return figure


def _draw_skill(
    ax: Axes, card: Scorecard, rows: Sequence[Skill], origins: Sequence[str], thin: np.ndarray
) -> None:
    x = np.arange(len(origins))
    for name, line in model_styles(card, dict.fromkeys(row.model for row in rows)).items():
        found = {row.origin: row.bits for row in rows if row.model == name}
        bits = np.array([found.get(origin, np.nan) for origin in origins])
        size = 5 if line["zorder"] == 4 else 3.5
        ax.plot(x, np.where(thin, np.nan, bits), ms=size, **line)
        if thin.any():
            faint = {**line, "label": None, "alpha": 0.3, "marker": "", "zorder": 2}
            ax.plot(x, bits, **faint)
            ax.plot(x[thin], bits[thin], ls="", marker=line["marker"], ms=size, mfc="white",
                    mec=line["color"], mew=0.9, zorder=line["zorder"])  # fmt: skip
    ax.axhline(0, color=INK, lw=0.8)
    counts = {row.origin: row.incidents for row in rows}
    labels = [f"{origin[:4]}\n({counts.get(origin, 0)})" for origin in origins]
    ax.set_xticks(x, labels=labels, fontsize=7.5)
    ax.set_xlim(-0.4, len(origins) - 0.6)


def reliability_figure(scene: Scene) -> Figure | None:
    """Predicted against observed, by class and by chance, on each kind of ground."""
    card = scene.meta.scorecard
    grounds = [] if card is None else [
        g for g in GROUNDS if any(row.ground == g for row in card.prospective.calibration)
    ]  # fmt: skip
    if card is None or not grounds:
        return None
    part = card.prospective
    figure, axes = figure_of(len(grounds), 2)
    note = f"{spoken(card.model)}; {measured(card)}. {_NOTE}{_REPEAT * (len(grounds) > 1)}"
    add_title(figure, "Predicted against observed", note)
    ends = [v for row in part.reliability for v in (row.predicted, row.observed) if v > 0]
    limits = (min(ends) / 2, max(ends) * 2) if ends else (1e-4, 1.0)
    above, below = axes[: len(grounds)], axes[len(grounds) :]
    for ground, upper, lower in zip(grounds, above, below, strict=True):
        _draw_calibration(upper, [row for row in part.calibration if row.ground == ground])
        _draw_reliability(lower, [row for row in part.reliability if row.ground == ground], limits)
        share = part.ground_share.get(ground)
        title = _GROUND_WORDS[ground] + ("" if share is None else f" ({share:.0%} of the area)")
        upper.set_title(title, fontsize=8.5, fontweight="normal")
        if ground != grounds[0]:
            upper.set_ylabel("")
            lower.set_ylabel("")
    axes[0].legend(loc="upper left")
    return figure


def _draw_calibration(ax: Axes, rows: Sequence[ClassCount]) -> None:
    """Draw expected counts as bars, observed ones as points with their Poisson interval."""
    k, expected, observed, low, high = (
        np.array([getattr(row, key) for row in rows])
        for key in ("risk_class", "expected", "observed", "low", "high")
    )
    colours = [RISK_COLOURS[c - 1] for c in k]
    ax.bar(k, expected, width=0.62, color=colours, edgecolor=MUTED, lw=0.5, label="expected")
    ax.errorbar(k, observed, [observed - low, high - observed], fmt="none", ecolor=INK,
                elinewidth=1, capsize=4, label="interval of the observed")  # fmt: skip
    ax.plot(k, observed, "o", ms=6, mfc="white", mec=INK, mew=1.4, label="observed", zorder=5,
            clip_on=False)  # fmt: skip
    ax.set(xlabel="risk class", ylabel="incidents in the test periods", xticks=range(1, 6),
           xlim=(0.5, 5.5))  # fmt: skip
    ax.grid(visible=False, axis="x")


def _draw_reliability(ax: Axes, rows: Sequence[ChanceClass], limits: tuple[float, float]) -> None:
    """Draw how often it happened, with its binomial interval, against the chance given."""
    said, came, low, high, cells = (
        np.array([getattr(row, key) for row in rows])
        for key in ("predicted", "observed", "low", "high", "cells")
    )
    seen = came > 0
    ax.plot(limits, limits, color=MUTED, lw=0.9, ls=":")
    ax.errorbar(said[seen], came[seen], [(came - low)[seen], (high - came)[seen]], fmt="none",
                ecolor=MODEL_COLOUR, elinewidth=0.9, alpha=0.6)  # fmt: skip
    ax.scatter(said[seen], came[seen], s=(15 + 120 * np.sqrt(cells / cells.max(initial=1)))[seen],
               color=MODEL_COLOUR, alpha=0.75, edgecolors="white", zorder=3,
               label="seen")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlim=limits, ylim=limits,
           xlabel="predicted chance", ylabel="observed share of cells")  # fmt: skip
    if not seen.all():
        ax.plot(said[~seen], np.full((~seen).sum(), 1.15 * limits[0]), "v", color=MUTED,
                label="none seen")  # fmt: skip
        ax.legend(loc="upper left")


def measured(card: Scorecard, counts: tuple[float, int] | None = None) -> str:
    """Say on how many incidents, at which origins and how far ahead the scorecard rests.

    ``counts`` are of incidents and origins; by default those of the run's own model.
    """
    part, own = card.prospective, card.skill()
    if counts is None:
        counts = (own.incidents, own.origins) if own else (0, 0)
    years = sorted(
        row.origin[:4]
        for row in part.rows
        if (row.subset, row.horizon_years) == ("all", part.shortest)
        and row.incidents >= part.least_incidents
    )
    span = " " * bool(years) + "–".join(dict.fromkeys([*years[:1], *years[-1:]]))
    return (
        f"{many(round(counts[0]), 'incident')}, {many(counts[1], 'origin')}{span}, "
        f"{many(part.shortest, 'year')} ahead"
    )


def model_styles(card: Scorecard, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Line style of each model and baseline, the same in every chart of a scorecard.

    The config's own model comes first and stands out; other models are thin lines, baselines
    dashed ones.
    """
    wanted = list(names)
    rows = [*card.prospective.summary, *card.prospective.rows]
    baselines = {row.model for row in rows if row.role == "baseline"}
    everyone = sorted({*wanted, *(row.model for row in rows)} - {card.model})
    everyone.sort(key=lambda name: name in baselines)
    own = {"color": MODEL_COLOUR, "lw": 2.6, "marker": "o", "zorder": 4,
           "label": spoken(card.model)}  # fmt: skip
    styles = {card.model: own}
    styles |= {name: _line(name, k, name in baselines) for k, name in enumerate(everyone)}
    return {name: style for name, style in styles.items() if name in wanted}


def _line(name: str, k: int, dashed: bool) -> dict[str, Any]:
    label = spoken(name)
    return {
        "color": LINE_COLOURS[k % len(LINE_COLOURS)], "lw": 1.3 if dashed else 1.1,
        "ls": "--" if dashed else "-", "marker": _MARKERS[k % len(_MARKERS)],
        "label": f"{label} (baseline)" if dashed else label, "zorder": 3,
    }  # fmt: skip


def figure_of(panels: int, rows: int = 1, *, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a figure with some panels side by side, in one row or more."""
    width = {1: 7.4, 2: 8.8}.get(panels, 10.4)
    layout = ConstrainedLayoutEngine(wspace=0.02 if panels < 3 else 0.04)
    figure = Figure(figsize=(width, 1.3 + 2.9 * rows), layout=layout)
    axes = figure.subplots(rows, panels, squeeze=False, sharey=sharey)
    return figure, list(axes.ravel())


def add_title(figure: Figure, title: str, note: str = "") -> None:
    """Write a title and, below it in small letters, how the figure was measured."""
    lines = note.count("\n") + 1 if note else 0
    # Empty lines keep the room that the note needs; the layout puts the title at the upper pad.
    figure.suptitle(title + "\n " * lines, x=0.01, ha="left", fontsize=_TITLE_POINTS,
                    fontweight="bold", linespacing=_SPACING)  # fmt: skip
    below = (_PAD_INCHES + _SPACING * _TITLE_POINTS / 72) / figure.get_figheight()
    figure.text(0.01, 1 - below, note, ha="left", va="top", fontsize=_NOTE_POINTS, color=MUTED,
                linespacing=_SPACING, parse_math=False)  # fmt: skip


def add_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """Beside one panel, below several."""
    if len(axes) == 1:
        axes[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=5)


def effects_figure(scene: Scene) -> Figure | None:
    """Draw the effect of each feature on log-intensity, averaged over tenths of the study area.

    Reads ``scene.meta.effects`` (see :func:`borderrisk.model.drivers.by_decile`), by feature:
    ``values`` in its unit, ascending, and ``effect``. The twelve features with the widest effect,
    widest first. None if the model has no effects of features.
    """
    curves = scene.meta.effects
    names = sorted(curves, key=lambda name: -np.ptp(curves[name]["effect"]))[:_MOST]
    if not names:
        return None
    rows = -(-len(names) // _COLUMNS)
    figure = Figure(figsize=(8.8, 0.6 + 2.15 * rows), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True).ravel()
    for ax, name in zip(axes, names, strict=False):
        _draw_effect(ax, scene, name, curves[name])
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    figure.supxlabel(_EFFECTS_NOTE, fontsize=7.2, color=MUTED)
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
    ax.set_xlabel(textwrap.fill(label, _LABEL_LETTERS), fontsize=7.2, parse_math=False)
    ax.tick_params(labelsize=7)
    if np.abs(values).max() >= 1e4:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
