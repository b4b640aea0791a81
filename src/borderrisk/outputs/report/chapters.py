"""The chapters of the report in their order."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.outputs.headline import doubts, sentences, top_places, top_sections
from borderrisk.outputs.placefacts import Reader
from borderrisk.outputs.reasons import made
from borderrisk.outputs.report.blocks import (
    Block,
    Bullets,
    Listing,
    Paragraph,
    Picture,
    Places,
    Section,
    Table,
    facts,
    interval,
    percent,
    records,
    show,
)
from borderrisk.outputs.report.evidence import (
    NO_INTERVALS,
    calibration_blocks,
    feature_blocks,
    scorecard_blocks,
    segment_blocks,
    top_cell_blocks,
    transfer_blocks,
)
from borderrisk.outputs.scene import Scene
from borderrisk.scores import as_index, by_name, decode, meanings
from borderrisk.words import CODES


def build_sections(scene: Scene) -> list[Section]:
    """Build all sections; each block is plain data, for HTML and Markdown alike."""
    return [Section(anchor, title, build(scene)) for anchor, title, build in _SECTIONS]


def _answer(scene: Scene) -> list[Block]:
    """Build the first page."""
    if not (scene.is_index or "intensity" in scene.cells) or not len(Reader.of(scene).area):
        return [Paragraph("The scene has no scores.")]
    sections = top_sections(scene, "en")
    return [
        Bullets(sentences(scene)),
        Picture("risk", "Risk class by share of the study area."),
        Places("The highest places", top_places(scene, "en")),
        *([Places("The highest sections of border", sections)] if sections else []),
        Paragraph("What not to rely on:"),
        Bullets(doubts(scene)),
        Paragraph(made(scene, "en")),
    ]


def _purpose(scene: Scene) -> list[Block]:
    if scene.is_index:
        return [Paragraph(scene.meta.statement), Bullets(_INDEX_LIMITS)]
    days, origin = scene.meta.horizon_days, scene.meta.origin
    when = f" from {origin} for {days} days" if origin and days else ""
    return [
        Paragraph(
            "This run ranks the cells of a border region by the relative intensity of reported "
            f"incidents{when}. It is meant to help decide where to look first: which stretches "
            "and valleys deserve attention, how sure that is, and which features say so."
        ),
        Bullets(_LIMITS),
    ]


_LIMITS = (
    "It scores areas, never people. No feature describes ethnicity, religion or identity, and the "
    "config refuses such columns.",
    "It learns from reports. Where nobody reports, it sees nothing; quiet on the map is not proof "
    "of quiet on the ground.",
    "It finds places that resemble places with incidents. That is no statement about cause.",
    "Probabilities are small and uncertain. The ranking is better founded than the level.",
    "Hatched cells have few or no comparable data behind them; treat their score as unknown.",
)
_INDEX_LIMITS = (
    "It ranks cells by weights that experts give to slope, elevation and distances to the border, "
    "settlements and roads. Such maps are published for many borders; few were ever tested.",
    "It is no probability and no count and has no interval: twice the index is not twice the risk.",
    "How good it is here, nobody knows. Give incidents to get a forecast, and a test of it.",
    "It scores areas, never people.",
)


def _maps(scene: Scene) -> list[Block]:
    what = "Class of the index" if scene.is_index else "Risk class"
    blocks: list[Block] = [
        Picture(f"risk-{focus.name}", f"{focus.title}: {what.lower()}.") for focus in scene.focuses
    ]
    if scene.is_index:
        return blocks
    if scene.has_intervals:
        blocks.append(
            Picture("uncertainty", "Upper end of the probability's interval over its lower end.")
        )
    else:
        blocks.append(Paragraph(NO_INTERVALS))
    reported = f"reported, with {percent(scene.meta.level)} chance"
    rows = [
        {"area": scene.focus(total.focus).title if total.focus else "study area",
         "expected": interval(total.expected, total.expected_low, total.expected_high),
         reported: f"{total.count_low:,} to {total.count_high:,}"}
        for total in scene.meta.totals
    ]  # fmt: skip
    return [*blocks, records(rows, "Incidents of the forecast period")] if rows else blocks


def _data(scene: Scene) -> list[Block]:
    incidents, meta = scene.incidents, scene.meta
    blocks = [_listed(meta.sources, "Sources", "No sources were recorded.")]
    if meta.inputs:
        blocks.append(records(map(asdict, meta.inputs), "What each input does"))
    if len(incidents):
        blocks.append(facts(_incident_facts(incidents), "Incidents"))
        blocks.append(_kinds(incidents))
    else:
        blocks.append(Paragraph("The run holds no incidents."))
    if meta.incident_counts:
        blocks.append(facts(meta.incident_counts, "Rows read"))
    none = "No row of the incident table was rejected."
    blocks.append(_listed(meta.rejected, "Rejected rows", none))
    if meta.notes:
        blocks.append(Bullets(meta.notes))
    return blocks


def _listed(rows: Sequence[Any], caption: str, none: str) -> Block:
    return records(map(asdict, rows), caption) if rows else Paragraph(none)


def _incident_facts(incidents: pd.DataFrame) -> dict[str, Any]:
    known = incidents["source"].astype(str).str.len() > 0 if "source" in incidents else None
    return {
        "incidents used": len(incidents),
        "first": f"{incidents['date'].min():%Y-%m-%d}",
        "last (data vintage)": f"{incidents['date'].max():%Y-%m-%d}",
        "median radius of uncertainty, km": incidents["radius_km"].median(),
        "known to the day": percent((incidents["date_precision"] == "day").mean()),
        "with a named source": None if known is None else percent(known.mean()),
    }


def _kinds(incidents: pd.DataFrame) -> Table:
    counts = pd.crosstab(incidents["kind"], incidents["confidence"])
    order = [level for level in ("high", "medium", "low") if level in counts]
    total = counts.sum(axis=1).sort_values(ascending=False, kind="stable")
    rows = [
        [str(kind).replace("_", " "), *(show(int(counts.loc[kind, level])) for level in order),
         show(int(total[kind]))]
        for kind in total.index
    ]  # fmt: skip
    return Table(["kind", *(f"{level} confidence" for level in order), "all"], rows)


def _grid(scene: Scene) -> list[Block]:
    grid, exposure = scene.grid, scene.cells["exposure"].to_numpy()
    area, with_halo = scene.area.polygon.area, scene.area.halo.area
    cut = (exposure > 0) & (exposure < 1 - 1e-9)
    known = {
        "projection": _projection(scene),
        "cell size, km": grid.cell_size_m / 1000,
        "rows × columns": f"{grid.shape[0]} × {grid.shape[1]}",
        "scored cells": int((exposure > 0).sum()),
        "of them cut by the edge of the study area": int(cut.sum()),
        "study area, km²": round(area / 1e6),
        "halo read around it, km²": round((with_halo - area) / 1e6),
    }
    return [
        facts(known),
        Paragraph(
            "Cells are squares of an equal-area projection, so that counts compare. Each incident "
            "is spread over the disc in which it is known to lie, never used as a bare point."
        ),
    ]


def _projection(scene: Scene) -> str:
    operation = scene.grid.crs.coordinate_operation
    if operation is None:
        return scene.grid.crs.name
    centre = list(operation.params)[:2]
    where = ", ".join(f"{p.name.split()[0].lower()} {p.value:g}°" for p in centre)
    return f"{operation.method_name}, natural origin at {where}"


def _model(scene: Scene) -> list[Block]:
    meta, blocks = scene.meta, list[Block]()
    if meta.model:
        blocks.append(facts({key.replace("_", " "): value for key, value in meta.model.items()}))
    else:
        blocks.append(Paragraph("The estimator and its parameters are in the config below."))
    if scene.is_index:
        said = "The index is a weighted mean of percentiles of its criteria in the study area."
        return [*blocks, Paragraph(said)]
    blocks.append(
        Paragraph(
            "Intensity is a sum of parts: the places of earlier incidents (history), those of the "
            "last year or so (recent), what terrain, border and access explain (ground), and what "
            "is the same everywhere (even). Their shares in a cell add up to 1. A model of an "
            "origin only ever sees what was known before that date."
        )
    )
    if meta.effects:
        said = "Mean effect of each feature on log-intensity, by tenths of the study area."
        blocks.append(Picture("driver-effects", said))
    else:
        blocks.append(Paragraph("This model has no effects of single features."))
    return blocks


def _trust(scene: Scene) -> list[Block]:
    if "trust" not in scene.cells:
        return [Paragraph("This run has no trust layer.")]
    words, exposure = decode(scene.cells["trust"]), scene.cells["exposure"].to_numpy()
    total = exposure[words != ""].sum()
    rows = []
    for word in meanings(scene.cells["trust"]).values():
        found = words == word
        share = float(exposure[found].sum() / total) if total else np.nan
        said = CODES.get(word, {"en": word})["en"]
        rows.append([said, show(int(found.sum())), percent(share)])
    declared = by_name()["trust"]
    note = Paragraph((as_index(declared) if scene.is_index else declared).note_en)
    return [note, Table(["trust", "cells", "share of area"], rows)]


_USE = (
    "Use it to order attention among areas, together with local knowledge; not to justify force, "
    "detention, profiling or the denial of passage or aid.",
    "Do not join it with data about individuals or communities.",
    "Say with every number which period it covers, how wide its interval is, and whether the cell "
    "is trusted.",
    "Acting on the map changes what is reported. Retraining on the outcome feeds the map to "
    "itself; keep that in mind.",
    "A model that does not beat its baselines on the scorecard should not be used in their place.",
)


def _responsible_use(scene: Scene) -> list[Block]:
    return [Paragraph(scene.meta.statement), Bullets(_USE)]


def _reproduction(scene: Scene) -> list[Block]:
    manifest = scene.meta.manifest
    listing = json.dumps(manifest, indent=2, ensure_ascii=False) if manifest else ""
    kept = {"Config": scene.meta.config_text, "Manifest": listing}
    blocks: list[Block] = [Listing(title, text) for title, text in kept.items() if text]
    return blocks or [Paragraph("Config and manifest were not kept with this scene.")]


_SECTIONS: tuple[tuple[str, str, Callable[[Scene], list[Block]]], ...] = (
    ("answer", "The answer", _answer),
    ("purpose", "Purpose and limits", _purpose),
    ("maps", "Maps", _maps),
    ("data", "Data", _data),
    ("grid", "Study area and grid", _grid),
    ("features", "Features", feature_blocks),
    ("model", "Model", _model),
    ("scorecard", "Scorecard", scorecard_blocks),
    ("calibration", "Calibration", calibration_blocks),
    ("spatial", "A border left out", transfer_blocks),
    ("trust", "Trust", _trust),
    ("cells", "Highest-ranked cells", top_cell_blocks),
    ("segments", "Highest-ranked border segments", segment_blocks),
    ("use", "Responsible use", _responsible_use),
    ("reproduction", "Config and manifest", _reproduction),
)
