"""Features and their distributions."""

from __future__ import annotations

import numpy as np
import xarray as xr

from borderrisk.features.catalogue import feature_names
from borderrisk.outputs.features import feature_summary
from borderrisk.outputs.report.blocks import Bars, Block, Paragraph, Table, percent, show
from borderrisk.outputs.scene import Scene

_BINS = 18


def feature_blocks(scene: Scene) -> list[Block]:
    """One row per feature, with its range and a histogram over the study area."""
    names = feature_names(scene.cells)
    if not names:
        return [Paragraph("The scene keeps no features.")]
    summary = feature_summary(scene.cells)
    inside = scene.cells["exposure"].to_numpy() > 0
    rows: list[list[str | Bars]] = []
    for name in names:
        variable, found = scene.cells[name], summary.loc[name].to_dict()
        spread = [show(float(found[key])) for key in ("minimum", "median", "maximum")]
        rows.append([
            str(found["long_name"]) or name, name, str(found["unit"]), *spread,
            percent(float(found["missing_share"])), _histogram(variable, inside), _origin(variable),
        ])  # fmt: skip
    headings = ["feature", "name", "unit", "minimum", "median", "maximum", "missing",
                "in the study area", "from"]  # fmt: skip
    return [
        Paragraph(
            "Ranges are over the land of study area and halo; histograms over the study area."
        ),
        Table(headings, rows),
    ]


def _histogram(variable: xr.DataArray, inside: np.ndarray) -> Bars:
    values = variable.to_numpy()[inside]
    values = values[np.isfinite(values)]
    if not len(values):
        return Bars((), "no values")
    counts, edges = np.histogram(values, bins=_BINS)
    heights = (counts / counts.max()).round(3).tolist()
    return Bars(heights, f"from {show(float(edges[0]))} to {show(float(edges[-1]))}")


def _origin(variable: xr.DataArray) -> str:
    parts = [str(variable.attrs.get(key, "")) for key in ("source", "citation")]
    return "; ".join(part for part in parts if part)
