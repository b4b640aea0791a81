"""What is highest, and from what: top cells, border segments, features and their distributions."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from borderrisk.features.catalogue import feature_names
from borderrisk.outputs.export import cells_table
from borderrisk.outputs.gridfiles import feature_summary
from borderrisk.outputs.report.blocks import (
    Bars,
    Block,
    Paragraph,
    Table,
    interval,
    percent,
    records,
    show,
)
from borderrisk.outputs.scene import Scene
from borderrisk.scores import Score, shown
from borderrisk.words import nearest_places

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
    lonlat = centres.to_crs(4326)
    near = [str(place or "") for place in nearest_places(scene.settlements, centres)]
    rows = [
        _cell_row(row, place, point)
        for row, place, point in zip(top.to_dict("records"), near, lonlat, strict=True)
    ]
    scores = [found.name.replace("_", " ") for found in shown("report") if found.name in top]
    table = Table([*scores[:1], "cell", "centre", "near", *scores[1:]], rows)
    return [table] if scene.has_intervals or scene.is_index else [Paragraph(NO_INTERVALS), table]


def _cell_row(row: dict[str, Any], near: str, point: Any) -> list[str]:
    scores = [_with_bounds(found, row) for found in shown("report") if found.name in row]
    place = [row["cell_id"], _position(point.x, point.y), near]
    return [*scores[:1], *place, *scores[1:]]


def _with_bounds(found: Score, row: dict[str, Any]) -> str:
    """Value of a score, and its bounds where there are some."""
    if found.words:
        return show(row[found.name])
    bounds = [_plain(row.get(name)) for name in found.bounds]
    return interval(_plain(row[found.name]), *(bounds or (None, None)))


def _position(lon: float, lat: float) -> str:
    return f"{abs(lat):.2f} {'N' if lat >= 0 else 'S'} {abs(lon):.2f} {'E' if lon >= 0 else 'W'}"


def _plain(value: Any) -> Any:
    """Python number of a NumPy one; None where missing."""
    if value is None or pd.isna(value):
        return None
    number = float(value)
    return int(number) if number.is_integer() and abs(number) >= 1 else number


def segment_blocks(scene: Scene) -> list[Block]:
    """Build the table of the border segments of highest rank, where the run made them."""
    segments = scene.layers.get("segments")
    if segments is None or segments.empty:
        return [Paragraph("Border segments were not ranked in this run.")]
    if "rank" in segments:
        segments = segments.sort_values("rank", kind="stable")
    segments = segments.head(MOST)
    middle = segments.geometry.to_crs(scene.grid.crs).interpolate(0.5, normalized=True)
    near = [str(place or "") for place in nearest_places(scene.settlements, middle)]
    plain = pd.DataFrame(segments.drop(columns=segments.geometry.name)).to_dict("records")
    rows = [_segment_row(row, place) for row, place in zip(plain, near, strict=True)]
    if scene.is_index:
        # What only a forecast says is empty in every row.
        rows = [{k: v for k, v in row.items() if k not in _FORECAST} for row in rows]
        return [records(rows, "Segments by the mean index of the ground behind each")]
    return [Paragraph(ATTRIBUTION), records(rows, "Incidents expected behind each segment")]


_FORECAST = ("expected", "level", "per year and 100 km", "share")


def _segment_row(row: dict[Any, Any], near: str) -> dict[str, Any]:
    known = {str(key): _clean(value) for key, value in row.items()}
    ends = [known.get(key) for key in ("from_km", "to_km")]
    return {
        "rank": interval(*(known.get(key) for key in ("rank", "rank_low", "rank_high"))),
        "segment": known.get("segment_id"),
        "km": None if None in ends else f"{ends[0]:.0f} to {ends[1]:.0f}",
        "near": near,
        "expected": interval(*(known.get(f"expected{end}") for end in ("", "_low", "_high"))),
        "per year and 100 km": _times(known.get("rate_per_km"), 100),
        "share": percent(known.get("share")),
        "level": known.get("level"),
        **_change(known),
        "trust": known.get("trust"),
    }


def _change(known: dict[str, Any]) -> dict[str, Any]:
    """Return what an earlier run, or the run without a scenario, said."""
    if "change_per_year" not in known:
        return {}
    return {
        "rank before": known["rank_before"],
        "per year before": known["expected_before"],
        "change": known["change_per_year"],
    }


def _times(value: Any, factor: float) -> Any:
    return None if value is None else value * factor


def _clean(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is pd.NA or (isinstance(value, float) and np.isnan(value)) else value


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
    for group, members in _groups(scene, names).items():
        rows = [_row(scene.cells[name], summary.loc[name].to_dict(), inside) for name in members]
        blocks += [Table(_HEADINGS, rows, group.capitalize()), _methods(scene, members)]
    return blocks


def _groups(scene: Scene, names: list[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(str(scene.cells[name].attrs.get("group") or "other"), []).append(name)
    return groups


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
