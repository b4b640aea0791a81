"""Features and their distributions."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr

from borderrisk.features.catalogue import feature_names
from borderrisk.outputs.features import feature_summary
from borderrisk.outputs.report.blocks import Bars, Block, Paragraph, Table, percent, show
from borderrisk.outputs.scene import Scene

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
