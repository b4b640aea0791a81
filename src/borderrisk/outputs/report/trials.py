"""Tests of the model beyond time: unseen places, other grids, fewer features."""

from __future__ import annotations

from typing import Any

from borderrisk.outputs.report.blocks import (
    Block,
    Paragraph,
    Table,
    bits,
    bits_interval,
    named,
    percent,
    records,
    show,
)
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.subject import main_model

_SCHEMES = {
    "block": "blocks left out",
    "random": "random split",
    "leave_one_border_out": "border left out",
    "leave_one_border_out_unnamed": "border left out, and the columns that name it",
}
_TRANSFER = {"seen_bits": "bits if seen", "transfer_loss": "lost by transfer"}


def spatial_blocks(scene: Scene) -> list[Block]:
    """Show how the model does where it has seen nothing."""
    card = scene.meta.get("scorecard") or {}
    part, own = card.get("spatial") or {}, main_model(card)
    rows = part.get("summary") or part.get("rows")
    if not rows:
        return [Paragraph("Spatial and transfer tests were not part of this run.")]
    blocks: list[Block] = [Paragraph(text) for text in (*_method(part), *_findings(part, own))]
    blocks += _tables(rows, own)
    if part.get("untested"):
        blocks.append(records(part["untested"], "Not tested"))
    return blocks


def _method(part: dict[str, Any]) -> list[str]:
    sentences = []
    if part.get("block_km") is not None:
        sentences.append(
            f"Blocks are {show(part['block_km'])} km wide"
            + (
                f" and {show(part['buffer_km'])} km around them are kept out of training as well."
                if part.get("buffer_km") is not None
                else "."
            )
        )
    if part.get("unscored"):
        sentences.append(
            f"{show(part['unscored'])} incidents are too vaguely placed, or outside the study "
            "area; "
            f"{show(part.get('scored'))} are scored."
        )
    return [" ".join(sentences)] if sentences else []


def _findings(part: dict[str, Any], own: str | None) -> list[str]:
    """Say what a random split hides, and what is left at a border never seen."""
    of_each = {row["model"]: row.get("bits") for row in part.get("optimism") or []}
    optimism = of_each.get(own, part.get("optimism_bits"))
    name, texts = str(own or "the model").replace("_", " "), []
    if optimism is not None:
        texts.append(
            f"A random split changes the score of {name} by {optimism:+.2f} bits per incident "
            "against a split by blocks"
            + (": it flatters." if optimism > 0 else ": it does not flatter.")
        )
    gain = _border_gain(part, own)
    if gain.get("bits") is not None:
        texts.append(
            f"At a border left out of training, {name} {_compared(gain)} the best baseline there, "
            f"in bits per incident: {bits_interval(gain)}."
        )
    return texts


def _border_gain(part: dict[str, Any], own: str | None) -> dict[str, Any]:
    """Gain at borders never seen, with its interval where the summary has one."""
    for row in part.get("summary") or []:
        if (row.get("scheme"), row.get("model")) == ("leave_one_border_out", own):
            return row.get("gain") or {}
    return {"bits": part.get("leave_one_border_out_gain")}


def _compared(gain: dict[str, Any]) -> str:
    low, high = gain.get("low"), gain.get("high")
    if low is not None and high is not None and low <= 0 <= high:
        return "is level with"
    return "beats" if gain["bits"] > 0 else "loses against"


def _tables(rows: list[dict[str, Any]], own: str | None) -> list[Block]:
    """One table for each scheme; transfer columns only where there are any."""
    schemes = dict.fromkeys(str(row.get("scheme", "")) for row in rows)
    tables: list[Block] = []
    for scheme in schemes:
        found = [row for row in rows if str(row.get("scheme", "")) == scheme]
        more = [key for key in _TRANSFER if any(row.get(key) is not None for row in found)]
        headings = ["model", "incidents", "bits", "capture 10 %", "AUC",
                    *(_TRANSFER[key] for key in more), "gain over best baseline, bits"]  # fmt: skip
        texts = [_row(row, own, more) for row in found]
        tables.append(Table(headings, texts, f"In space: {_SCHEMES.get(scheme, scheme)}"))
    return tables


def _row(row: dict[str, Any], own: str | None, more: list[str]) -> list[str]:
    fold = str(row.get("fold", "all"))
    return [
        named(row, own) + ("" if fold == "all" else f", {fold}"),
        show(row.get("incidents")),
        bits(row.get("bits")),
        percent(row.get("capture_10")),
        show(row.get("auc")),
        *(bits(row.get(key)) for key in more),
        bits_interval(row.get("gain")),
    ]


def robustness_blocks(scene: Scene) -> list[Block]:
    """Show how far the ranking depends on the grid."""
    rows = ((scene.meta.get("scorecard") or {}).get("robustness") or {}).get("rows")
    if not rows:
        return [Paragraph("Other cell sizes and grid offsets were not tried in this run.")]
    return [
        Paragraph("The same model on other grids, against the ranking shown here."),
        records(rows),
    ]


def ablation_blocks(scene: Scene) -> list[Block]:
    """Show what each group of features is worth to the run's own model."""
    card = scene.meta.get("scorecard") or {}
    rows, own = (card.get("ablation") or {}).get("rows"), main_model(card)
    rows = [row for row in rows or [] if row.get("model", own) == own]
    if not rows:
        return [Paragraph("No ablation was run.")]
    table = [
        [
            str(row.get("left_out") or "nothing").replace("_", " "),
            bits(row.get("bits")),
            bits_interval(row, "change"),
        ]
        for row in rows
    ]
    return [
        Paragraph(
            "The model without one group of features at a time. A negative change means that the "
            "group helps; an interval around nought, that it cannot be told."
        ),
        Table(["left out", "bits", "change"], table),
    ]
