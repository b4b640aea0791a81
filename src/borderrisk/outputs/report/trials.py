"""The test of the model behind a border that it was not trained on."""

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


def spatial_blocks(scene: Scene) -> list[Block]:
    """Show how the model does where it has seen nothing."""
    card = scene.meta.scorecard or {}
    part, own = card.get("spatial") or {}, main_model(card)
    if not part:
        return [Paragraph("The test behind a border left out was not part of this run.")]
    blocks: list[Block] = []
    if part.get("summary"):
        blocks += [Paragraph(text) for text in (_method(part), *_finding(part, own))]
        blocks.append(_table(part["summary"], own))
    if part.get("untested"):
        blocks.append(records(part["untested"], "Not tested"))
    return blocks


def _method(part: dict[str, Any]) -> str:
    text = (
        "All land nearest to one neighbour is left out of training, with "
        f"{show(part.get('buffer_km'))} km around it, and scored in turn."
    )
    if part.get("unscored"):
        text += (
            f" {show(part['unscored'])} incidents are too vaguely placed, or outside the study "
            f"area; {show(part.get('scored'))} are scored."
        )
    return text


def _finding(part: dict[str, Any], own: str | None) -> list[str]:
    """Say what is left at a border never seen."""
    gain = next((row.get("gain") for row in part["summary"] if row["model"] == own), None)
    if not gain:
        return []
    low, high = gain["low"], gain["high"]
    words = "beats" if gain["bits"] > 0 else "loses against"
    words = "is level with" if low <= 0 <= high else words
    return [
        f"At a border left out of training, {str(own).replace('_', ' ')} {words} the distance to "
        f"the border, in bits per incident: {bits_interval(gain)}."
    ]


def _table(rows: list[dict[str, Any]], own: str | None) -> Table:
    headings = ["model", "incidents", "bits", "capture 10 %", "AUC",
                "gain over distance to border, bits"]  # fmt: skip
    texts = [
        [
            named(row, own), show(row.get("incidents")), bits(row.get("bits")),
            percent(row.get("capture_10")), show(row.get("auc")), bits_interval(row.get("gain")),
        ]
        for row in rows
    ]  # fmt: skip
    return Table(headings, texts, "Behind a border left out")
