"""What the charts of the scorecard share: lines of models, titles, and how it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from borderrisk.outputs.figures.style import MUTED
from borderrisk.outputs.palette import MODEL_COLOUR
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.subject import main_model

_MARKERS = "sD^vPX<>h"
# Ten hues that stay apart in print and to most colour-blind readers, none near the model's.
LINE_COLOURS = (
    "#4c6a92", "#7a8f3c", "#b07d2b", "#3a9d9d", "#8a8a8a",
    "#5b4b8a", "#c2552d", "#2f6b3c", "#6fa8dc", "#3d3d3d",
)  # fmt: skip
_TITLE_POINTS, _NOTE_POINTS, _SPACING, _PAD_INCHES = 11, 8, 1.3, 0.08


def prospective(scene: Scene) -> dict[str, Any]:
    """Return the scorecard's forward-in-time part; empty if the run was not evaluated."""
    return (scene.meta.scorecard or {}).get("prospective") or {}


def shortest(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the shortest horizon, each with its subset."""
    full = [{"subset": "all", "horizon_years": 1, **row} for row in rows]
    years = min((row["horizon_years"] for row in full), default=1)
    return [row for row in full if row["horizon_years"] == years]


def measured(scene: Scene, counts: Mapping[str, Any] | None = None) -> str:
    """Say on how many incidents, at which origins and how far ahead the scorecard rests.

    Parameters
    ----------
    scene : Scene
        With a scorecard.
    counts : mapping, optional
        ``origins`` and ``incidents`` to tell; by default those of the run's own model.

    Returns
    -------
    str
        Empty if the scorecard does not say.
    """
    part, own = prospective(scene), main_model(scene.meta.scorecard or {})
    if counts is None:
        summary = shortest(part.get("summary") or [])
        of_all = [row for row in summary if row["subset"] == "all"]
        counts = next((row for row in of_all if row["model"] == own), {})
    if counts.get("origins") is None or counts.get("incidents") is None:
        return ""
    rows = shortest(part.get("rows") or [])
    ahead = rows[0]["horizon_years"] if rows else 1
    return (
        f"{_many(round(counts['incidents']), 'incident')}, {_many(counts['origins'], 'origin')}"
        f"{_period(part, rows)}, {_many(ahead, 'year')} ahead"
    )


def _period(part: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """First and last year of the origins that count."""
    least = part.get("least_incidents", 0)
    years = [
        row["origin"][:4]
        for row in rows
        if row.get("origin") and row["subset"] == "all" and (row.get("incidents") or 0) >= least
    ]
    if not years:
        return ""
    return f" {min(years)}–{max(years)}" if min(years) < max(years) else f" {min(years)}"


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"


def model_styles(scene: Scene, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Line style of each model and baseline, the same in every chart of a scene.

    The config's own model comes first and stands out; other models are thin lines, baselines
    dashed ones.
    """
    card = scene.meta.scorecard or {}
    part, main = prospective(scene), main_model(card)
    rows = [*(part.get("summary") or []), *(part.get("rows") or [])]
    baselines = {row["model"] for row in rows if row.get("role") == "baseline"}
    wanted = list(names)
    everyone = sorted({*wanted, *(row["model"] for row in rows)} - {main})
    everyone.sort(key=lambda name: name in baselines)
    styles = {name: _line(name, k, name in baselines) for k, name in enumerate(everyone)}
    own = {"color": MODEL_COLOUR, "lw": 2.6, "marker": "o", "zorder": 4,
           "label": str(main).replace("_", " ")}  # fmt: skip
    styles = {str(main): own, **styles}
    return {name: style for name, style in styles.items() if name in wanted}


def _line(name: str, k: int, dashed: bool) -> dict[str, Any]:
    label = name.replace("_", " ")
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
