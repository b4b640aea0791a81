"""How well the model did on what it had not seen: chapters of the report."""

from __future__ import annotations

from dataclasses import asdict

from borderrisk.evaluation.findings import (
    border_lines,
    count_lines,
    skill_tables,
    spoken,
    transfer_lines,
)
from borderrisk.evaluation.scorecard import SUBSET_WORDS, Behind, Scorecard, Skill
from borderrisk.outputs.report.blocks import (
    ABSENT,
    Block,
    Bullets,
    Paragraph,
    Picture,
    Table,
    percent,
    records,
    show,
)
from borderrisk.outputs.scene import Scene

NOT_EVALUATED = "This run was not evaluated; nothing is known about its skill."
INDEX = "An index of expert weights, without incidents: it was not and cannot be tested here."
_GROUNDS = {"all": "all", "repeat": "repeat ground", "new": "new ground"}


def verdict(scene: Scene) -> str:
    """Say in one sentence how the config's own model does next to history alone."""
    if scene.is_index:
        return INDEX
    card = scene.meta.scorecard
    return NOT_EVALUATED if card is None else card.headline[0]


def scorecard_blocks(scene: Scene) -> list[Block]:
    """Prospective skill against the baselines."""
    card = scene.meta.scorecard
    if card is None:
        return [Paragraph(NOT_EVALUATED)]
    part = card.prospective
    blocks: list[Block] = [Bullets(card.headline), *_better_ones(card)]
    blocks += [_table(rows, card.model, title) for title, rows in skill_tables(part)]
    if part.summary:
        blocks.append(
            Paragraph(
                "Each origin is scored by models that saw nothing dated after it. Bits: mean log₂ "
                "of the predicted density at the test incidents over that of an even map of the "
                "same cells; capture: share of them in the tenth of the area that ranks highest; "
                "along border: share behind the tenth of the border's length that ranks highest "
                "(length alone: 10 %)."
            )
        )
    if part.capture:
        words = ", ".join(SUBSET_WORDS[curve.subset] for curve in part.capture)
        blocks.append(Picture("capture-curve", f"Later incidents captured by the ranking: {words}"))
    if card.border_capture:
        blocks.append(Bullets(border_lines(card.border_capture)))
        words = "Later incidents behind the border ranked first."
        blocks.append(Picture("border-capture", words))
    if part.rows:
        words = "Bits per incident at each origin. Hollow: fewer than "
        words += f"{part.least_incidents} incidents followed; averages leave these out."
        blocks.append(Picture("skill-per-origin", words))
    return [*blocks, Bullets(card.notes)] if card.notes else blocks


def _better_ones(card: Scorecard) -> list[Block]:
    """Name what scored higher than the run's own model, so that nobody has to search for it."""
    own = card.skill()
    if own is None:
        return []
    better = [
        f"{spoken(row.model)} ({row.bits:.2f})"
        for row in card.prospective.of("all")
        if row.bits > own.bits
    ]
    words = f"More bits than {spoken(own.model)} ({own.bits:.2f}): {', '.join(better)}."
    return [Paragraph(words)] if better else []


def _table(rows: list[Skill], own: str, title: str) -> Table:
    """Scores of every model, the best first."""
    headings = ["model", "incidents", "bits", "over history alone", "over best other baseline",
                "capture 10 %", "along border", "AUC", "Brier"]  # fmt: skip
    texts = [
        [
            _named(row, own),
            show(row.incidents),
            f"{round(row.bits, 2) + 0.0:.2f}",
            str(row.gain or ABSENT),
            str(row.gain_best or ABSENT),
            percent(row.capture_10),
            percent(row.border_capture_10),
            show(row.auc),
            show(row.brier),
        ]
        for row in rows
    ]
    return Table(headings, texts, title)


def _named(row: Skill | Behind, own: str) -> str:
    """Name of the model of a row, marked if it is a baseline or the run's own."""
    mark = " (baseline)" if row.role == "baseline" else ""
    return spoken(row.model) + (" (this run)" if row.model == own else mark)


def calibration_blocks(scene: Scene) -> list[Block]:
    """Compare predicted with observed counts, chances and totals."""
    card = scene.meta.scorecard
    if card is None or not card.prospective.calibration:
        return [Paragraph("Calibration was not measured in this run.")]
    part = card.prospective
    share = part.ground_share.get("repeat")
    ground = (
        f"Repeat ground, {percent(share)} of the area on average, is cells within "
        f"{part.near_km:g} km of an incident known at the origin; new ground is all others."
    )
    blocks: list[Block] = [
        Bullets(count_lines(part)),
        Picture("reliability", f"Predicted against observed, {spoken(card.model)}."),
        Paragraph(ground),
    ]
    for rows, caption in (
        (part.calibration, "Incidents per risk class"),
        (part.reliability, "Cells by predicted chance"),
    ):
        said = [asdict(row) for row in rows]  # type: ignore[call-overload]
        blocks.append(records([r | {"ground": _GROUNDS[r["ground"]]} for r in said], caption))
    totals = [asdict(row) for row in part.totals if row.horizon_years == part.shortest]
    columns = [key for key in totals[0] if key != "horizon_years"]
    return [*blocks, records([{k: r[k] for k in columns} for r in totals], "Totals by origin")]


def transfer_blocks(scene: Scene) -> list[Block]:
    """Show how the model does where it has seen nothing."""
    card = scene.meta.scorecard
    if card is None or card.transfer is None:
        return [Paragraph("The test behind a border left out was not part of this run.")]
    found = card.transfer
    blocks: list[Block] = [Paragraph(line) for line in transfer_lines(found, card.model)]
    headings = ["model", "incidents", "bits", "over distance to border", "capture 10 %", "AUC"]
    rows = [
        [_named(row, card.model), show(row.incidents), f"{round(row.bits, 2) + 0.0:.2f}",
         str(row.gain or ABSENT), percent(row.capture_10), show(row.auc)]
        for row in found.summary
    ]  # fmt: skip
    return [*blocks, Table(headings, rows, "Behind a border left out")] if rows else blocks
