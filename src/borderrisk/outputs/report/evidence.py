"""Chapters of figures: skill on unseen incidents; then the highest cells and segments; features."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from borderrisk.evaluation.findings import (
    border_lines,
    count_lines,
    skill_tables,
    spoken,
    transfer_lines,
)
from borderrisk.evaluation.scorecard import SUBSET_WORDS, Behind, Scorecard, Skill
from borderrisk.features.catalogue import feature_names
from borderrisk.grid import WGS84
from borderrisk.outputs.export import cells_table
from borderrisk.outputs.gridfiles import feature_summary
from borderrisk.outputs.headline import middles, near_towns, plain
from borderrisk.outputs.report.blocks import (
    ABSENT,
    Bars,
    Block,
    Bullets,
    Paragraph,
    Picture,
    Table,
    interval,
    percent,
    records,
    show,
)
from borderrisk.outputs.scene import Scene
from borderrisk.scores import shown

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
    tables: dict[str, list[Any]] = {"Incidents per risk class": part.calibration,
                                    "Cells by predicted chance": part.reliability}  # fmt: skip
    for caption, rows in tables.items():
        said = (asdict(row) for row in rows)
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


MOST = 20
ATTRIBUTION = (
    "What is expected in a cell counts for the segment through which it is reached soonest from "
    "the far side, wholly, however close the next one comes; cells that cannot be reached on foot "
    "count for the nearest one. All segments together add up to the study area."
)
NO_INTERVALS = (
    "No interval was computed in this run: probabilities and ranks are bare estimates, and nothing "
    "here says how far off they may be."
)


def top_cell_blocks(scene: Scene) -> list[Block]:
    """Build the table of the cells of highest intensity."""
    if "risk" not in scene.cells:
        return [Paragraph("The scene has no scores.")]
    top = cells_table(scene, top=MOST)
    centres = top.geometry.centroid
    scores = [score for score in shown("report") if score.name in top]
    rows = []
    for (_, row), point, near in zip(
        top.iterrows(), centres.to_crs(WGS84), near_towns(scene, centres), strict=True
    ):
        first, *rest = (interval(row[s.name], *(row.get(end) for end in s.bounds)) for s in scores)
        rows.append([first, row["cell_id"], _position(point.x, point.y), near, *rest])
    first, *rest = (score.name.replace("_", " ") for score in scores)
    table = Table([first, "cell", "centre", "near", *rest], rows)
    return [table] if scene.has_intervals or scene.is_index else [Paragraph(NO_INTERVALS), table]


def _position(lon: float, lat: float) -> str:
    return f"{abs(lat):.2f} {'N' if lat >= 0 else 'S'} {abs(lon):.2f} {'E' if lon >= 0 else 'W'}"


def segment_blocks(scene: Scene) -> list[Block]:
    """Build the table of the border segments of highest rank, where the run made them."""
    segments = scene.layers.get("segments")
    if segments is None or segments.empty:
        return [Paragraph("Border segments were not ranked in this run.")]
    if "rank" in segments:
        segments = segments.sort_values("rank", kind="stable")
    segments = segments.head(MOST)
    near = near_towns(scene, middles(scene, segments))
    rows = [_segment_row(row, place) for row, place in zip(plain(segments), near, strict=True)]
    if scene.is_index:
        # What only a forecast says is empty in every row.
        rows = [{k: v for k, v in row.items() if k not in _FORECAST} for row in rows]
        return [records(rows, "Segments by the mean index of the ground behind each")]
    return [Paragraph(ATTRIBUTION), records(rows, "Incidents expected behind each segment")]


_FORECAST = ("expected", "level", "per year and 100 km", "share")


# What an earlier run, or the run without a scenario, said.
_BEFORE = {"rank before": "rank_before", "per year before": "expected_before",
           "change": "change_per_year"}  # fmt: skip


def _segment_row(row: dict[str, Any], near: str) -> dict[str, Any]:
    def with_bounds(name: str) -> str:
        return interval(*(row.get(f"{name}{end}") for end in ("", "_low", "_high")))

    ends = [row.get("from_km"), row.get("to_km")]
    return {
        "rank": with_bounds("rank"),
        "segment": row.get("segment_id"),
        "km": None if pd.isna(ends).any() else f"{ends[0]:.0f} to {ends[1]:.0f}",
        "near": near,
        "expected": with_bounds("expected"),
        "per year and 100 km": row.get("rate_per_km", np.nan) * 100,
        "share": percent(row.get("share")),
        "level": row.get("level"),
        **{said: row[key] for said, key in _BEFORE.items() if "change_per_year" in row},
        "trust": row.get("trust"),
    }


_BINS = 18
_HEADINGS = ["feature", "name", "unit", "minimum", "median", "maximum", "missing",
             "in the study area"]  # fmt: skip


def feature_blocks(scene: Scene) -> list[Block]:
    """Build a table per group of features: ranges, histograms over the study area, methods."""
    names = feature_names(scene.cells)
    if not names:
        return [Paragraph("The scene keeps no features.")]
    summary = feature_summary(scene.cells)
    inside = scene.cells["exposure"].to_numpy() > 0
    blocks: list[Block] = [
        Paragraph(
            "Ranges are over the land of study area and halo; histograms over the study area."
        )
    ]
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(str(scene.cells[name].attrs.get("group") or "other"), []).append(name)
    for group, members in groups.items():
        rows = [_row(scene.cells[name], summary.loc[name].to_dict(), inside) for name in members]
        blocks += [Table(_HEADINGS, rows, group.capitalize()), _methods(scene, members)]
    return blocks


def _row(
    variable: xr.DataArray, found: dict[Hashable, Any], inside: np.ndarray
) -> list[str | Bars]:
    name = str(variable.name)
    spread = [show(float(found[key])) for key in ("minimum", "median", "maximum")]
    return [
        str(found["long_name"]) or name, name, str(found["unit"]), *spread,
        percent(float(found["missing_share"])), _histogram(variable, inside),
    ]  # fmt: skip


def _methods(scene: Scene, names: list[str]) -> Paragraph:
    """Say what a group is computed from, and after whom."""
    attrs = [scene.cells[name].attrs for name in names]
    sources = dict.fromkeys(
        part for a in attrs for part in str(a.get("source", "")).split(", ") if part
    )
    after = dict.fromkeys(str(a["citation"]) for a in attrs if a.get("citation"))
    text = f"Computed from {', '.join(sources) or 'files of the config'}."
    return Paragraph(text + (f" After {'; '.join(after)}." if after else ""))


def _histogram(variable: xr.DataArray, inside: np.ndarray) -> Bars:
    values = variable.to_numpy()[inside]
    values = values[np.isfinite(values)]
    if not len(values):
        return Bars((), "no values")
    counts, edges = np.histogram(values, bins=_BINS)
    heights = (counts / counts.max()).round(3).tolist()
    return Bars(heights, f"from {show(float(edges[0]))} to {show(float(edges[-1]))}")
