"""How well the model did on what it had not seen."""

from __future__ import annotations

from typing import Any

from borderrisk.outputs.report.blocks import (
    Block,
    Bullets,
    Paragraph,
    Picture,
    Table,
    facts,
    interval,
    percent,
    records,
    show,
)
from borderrisk.outputs.scene import Scene

NOT_EVALUATED = "This run was not evaluated; nothing is known about its skill."
_SUBSETS = {
    "all": "all incidents",
    "repeat": "near earlier incidents",
    "new": "away from earlier incidents",
}


def _scorecard(scene: Scene) -> dict[str, Any]:
    return scene.meta.get("scorecard") or {}


def verdict(scene: Scene) -> str:
    """Say in one sentence whether the model beats its best baseline."""
    rows = (_scorecard(scene).get("prospective") or {}).get("summary") or []
    rows = [r for r in rows if r.get("role") == "model" and r.get("subset", "all") == "all"]
    rows = sorted((r for r in rows if r.get("gain")), key=lambda r: r.get("horizon_years", 1))
    if not rows:
        return NOT_EVALUATED
    row, gain = rows[0], rows[0]["gain"]
    subject = (
        f"Over {show(row.get('origins'))} past origins and {show(row.get('incidents'))} "
        f"incidents, {_words(row['model'])}"
    )
    against = f"the best baseline ({_words(gain['baseline'])})"
    size = f"{show(abs(gain['bits']))} bits per incident"
    bounds = _bounds(gain)
    if gain["bits"] <= 0:
        return f"{subject} loses {size} against {against}{bounds}: use the baseline instead."
    if gain.get("low") is not None and gain["low"] <= 0:
        return f"{subject} gains {size} over {against}{bounds}: not clearly better."
    return f"{subject} gains {size} over {against}{bounds}."


def _bounds(gain: dict[str, Any]) -> str:
    if gain.get("low") is None or gain.get("high") is None:
        return ""
    return f", interval {show(gain['low'])} to {show(gain['high'])}"


def scorecard_blocks(scene: Scene) -> list[Block]:
    """Prospective skill against the baselines, and the targets."""
    card = _scorecard(scene)
    part = card.get("prospective") or {}
    if not card:
        return [Paragraph(NOT_EVALUATED)]
    blocks: list[Block] = [Paragraph(verdict(scene))]
    if part.get("summary"):
        blocks.append(_summary(part["summary"]))
        blocks.append(
            Paragraph(
                "Each origin is scored by models that saw nothing dated after it. Bits: mean "
                "log₂ of the predicted density at the test incidents over that of a uniform map; "
                "capture: share of them in the highest-ranked 10 % of the area; PAI: capture over "
                "area share."
            )
        )
    if part.get("capture_curve"):
        blocks.append(Picture("capture-curve", "Later incidents captured by the ranking."))
    if part.get("rows"):
        blocks.append(Picture("skill-per-origin", "Bits per incident at each origin."))
    if card.get("targets"):
        blocks.append(_targets(card["targets"]))
    if card.get("intervals"):
        blocks.append(facts(_plain(card["intervals"]), "Intervals"))
    if card.get("notes"):
        blocks.append(Bullets([str(note) for note in card["notes"]]))
    return blocks


def _summary(rows: list[dict[str, Any]]) -> Table:
    rows = sorted(rows, key=_summary_order)
    headings = ["test", "years", "model", "incidents", "bits", "capture 10 %", "along border",
                "PAI", "AUC", "Boyce", "Brier", "gain over best baseline, bits"]  # fmt: skip
    return Table(headings, [_summary_row(row) for row in rows], "Forward in time")


def _summary_order(row: dict[str, Any]) -> tuple[float, int, float]:
    """By horizon, then subset, then skill."""
    subset, bits = row.get("subset", "all"), row.get("bits")
    place = list(_SUBSETS).index(subset) if subset in _SUBSETS else len(_SUBSETS)
    return row.get("horizon_years", 0), place, float("inf") if bits is None else -bits


def _summary_row(row: dict[str, Any]) -> list[str]:
    gain = row.get("gain") or {}
    mark = " (baseline)" if row.get("role") == "baseline" else ""
    subset = str(row.get("subset", "all"))
    return [
        _SUBSETS.get(subset, subset),
        show(row.get("horizon_years")),
        _words(row["model"]) + mark,
        show(row.get("incidents")),
        show(row.get("bits")),
        percent(row.get("capture_10")),
        percent(row.get("border_capture_10")),
        *(show(row.get(key)) for key in ("pai_10", "auc", "boyce", "brier")),
        interval(gain.get("bits"), gain.get("low"), gain.get("high")),
    ]


def _targets(targets: list[dict[str, Any]]) -> Table:
    rows = [
        [str(t.get("name", "")), show(t.get("target")), show(t.get("value")), _met(t.get("met"))]
        for t in targets
    ]
    return Table(["target", "wanted", "reached", ""], rows, "Targets")


def _met(met: bool | None) -> str:
    if met is None:
        return "not measured"
    return "met" if met else "missed"


def calibration_blocks(scene: Scene) -> list[Block]:
    """Compare predicted with observed counts."""
    part = _scorecard(scene).get("prospective") or {}
    blocks: list[Block] = []
    if part.get("calibration") or part.get("reliability"):
        blocks.append(Picture("reliability", "Predicted against observed."))
    if part.get("calibration"):
        blocks.append(records(part["calibration"], "Incidents per risk class"))
    if part.get("reliability"):
        blocks.append(records(part["reliability"], "Cells by predicted probability"))
    return blocks or [Paragraph("Calibration was not measured in this run.")]


def spatial_blocks(scene: Scene) -> list[Block]:
    """Show how the model does where it has seen nothing."""
    part = _scorecard(scene).get("spatial") or {}
    if not part.get("rows"):
        return [Paragraph("Spatial and transfer tests were not part of this run.")]
    blocks: list[Block] = [records(part["rows"], "Left-out places")]
    if part.get("optimism_bits") is not None:
        blocks.insert(
            0,
            Paragraph(
                "A random split flatters the model: it scores "
                f"{show(part['optimism_bits'])} bits per incident more than a split by blocks."
            ),
        )
    return blocks


def robustness_blocks(scene: Scene) -> list[Block]:
    """Show how far the ranking depends on the grid."""
    rows = (_scorecard(scene).get("robustness") or {}).get("rows")
    if not rows:
        return [Paragraph("Other cell sizes and grid offsets were not tried in this run.")]
    return [
        Paragraph("The same model on other grids, against the ranking shown here."),
        records(rows),
    ]


def ablation_blocks(scene: Scene) -> list[Block]:
    """Show what each group of features is worth."""
    rows = (_scorecard(scene).get("ablation") or {}).get("rows")
    if not rows:
        return [Paragraph("No ablation was run.")]
    return [Paragraph("The model without one group of features at a time."), records(rows)]


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _plain(pairs: dict[str, Any]) -> dict[str, Any]:
    return {str(key).replace("_", " "): value for key, value in pairs.items()}
