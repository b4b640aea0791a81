"""Everything a map shows, as one JSON-ready dictionary beside the packed columns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from borderrisk.outputs.webmap.columns import DRIVERS, Packed
from borderrisk.outputs.webmap.metrics import CODED, values_of
from borderrisk.outputs.webmap.names import (
    is_named,
    kind_label,
    metric_label,
    names,
    persian_places,
    strings,
    variable_label,
)
from borderrisk.outputs.webmap.projection import meshes
from borderrisk.outputs.webmap.scorecard import headline
from borderrisk.outputs.webmap.vectors import nearest_places, vectors_json
from borderrisk.outputs.webmap.view import MARKERS, View

TOP_CELLS = 20
# Coverage of the intervals where a scene does not say.
LEVEL = 0.9


def payload(view: View, packed: Packed, language: str) -> dict[str, Any]:
    """Return configuration and small data of a map; numbers per cell travel in ``packed``."""
    scene = view.scene
    vectors = vectors_json(view)
    for kind in vectors["kinds"]:
        kind["label"] = kind_label(kind["name"])
    return {
        "language": language,
        "strings": strings(),
        "names": {key: names()[key] for key in ("codes", "models", "units")},
        "title": {"en": view.title, "fa": view.title_fa},
        "bounds": list(view.bounds),
        "grid": _grid(view),
        "meshes": meshes(view),
        "columns": packed.scales,
        "metrics": [legend | {"label": _label(view, legend)} for legend in packed.legends],
        "dropped": packed.dropped,
        "codes": {name: _meanings(view, name) for name in CODED},
        "drivers": _drivers(view),
        "top": _top_cells(view),
        "facts": _facts(view),
        "scorecard": headline(scene.meta.get("scorecard")),
        **vectors,
    }


def to_json(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in; same bytes for the same data."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    escapes = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028"}
    for character, escape in (escapes | {"\u2029": "\\u2029"}).items():
        text = text.replace(character, escape)
    return text


def _grid(view: View) -> dict[str, Any]:
    """Shape of the window, where it starts in the grid, and its runs of scored cells."""
    grid = view.scene.grid
    one = np.zeros(grid.shape, bool)
    one[0, 0] = True
    return {
        "rows": view.mask.shape[0],
        "cols": view.mask.shape[1],
        "row0": view.rows.start,
        "col0": view.cols.start,
        "digits": (len(str(grid.cell_ids(one)[0])) - 2) // 2,
        "cellKm": grid.cell_size_m / 1000,
        "runs": _runs(view.mask),
        "scored": _scored_in_all(view),
    }


def _runs(mask: np.ndarray) -> list[int]:
    """Row, first column and length of each run of true cells, flat, row-major."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, stops = np.nonzero(edges == -1)
    return np.stack([rows, starts, stops - starts], axis=1).ravel().tolist()


def _scored_in_all(view: View) -> int:
    """Scored cells of the whole scene: what a rank counts out of."""
    cells = view.scene.cells
    marker = next(name for name in MARKERS if name in cells)
    return int(np.isfinite(cells[marker].to_numpy()).sum())


def _label(view: View, legend: dict[str, Any]) -> dict[str, Any]:
    name, places = legend["name"], persian_places(view.scene.settlements)
    if is_named(name):
        return metric_label(name, places)
    return variable_label(name, view.scene.cells[name].attrs, places)


def _meanings(view: View, name: str) -> list[str]:
    """Words of a coded variable's codes 0, 1, ...; a negative code means nothing is known."""
    if name not in view.scene.cells:
        return []
    attrs = view.scene.cells[name].attrs
    words = str(attrs.get("flag_meanings", "")).split()
    codes = [int(code) for code in attrs.get("flag_values", range(len(words)))]
    return [word for code, word in sorted(zip(codes, words, strict=False)) if code >= 0]


def _drivers(view: View) -> list[dict[str, Any]]:
    """Features the driver codes stand for, with label, unit and the column that holds them."""
    entries = []
    places = persian_places(view.scene.settlements)
    for name in _meanings(view, "driver_1"):
        if is_named(name):
            entries.append({"name": name, "label": metric_label(name, places)})
        else:
            words = name.replace("_", " ")
            entries.append({"name": name, "label": {"en": words, "fa": words, "units": ""}})
    return entries if f"driver_{DRIVERS}" in view.scene.cells or entries else []


def _top_cells(view: View) -> list[dict[str, Any]]:
    """Highest-ranked cells of the window: position among its scored cells and nearest place."""
    cells = view.scene.cells
    marker = next(name for name in ("intensity", *MARKERS) if name in cells)
    values = values_of(view, marker)
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")[:TOP_CELLS]
    rows, cols = (part[order] for part in np.nonzero(view.mask))
    grid = view.scene.grid
    x, y = grid.x[view.cols][cols], grid.y[view.rows][rows]
    places = nearest_places(view, x, y)
    return [{"i": int(i), "near": near} for i, near in zip(order, places, strict=True)]


def _facts(view: View) -> dict[str, Any]:
    """Vintage, provenance and horizon for the side panel."""
    meta = view.scene.meta
    ends = view.scene.incidents.get("date_end", view.scene.incidents["date"])
    sources = [
        {key: str(source.get(key) or "") for key in ("title", "version", "licence", "attribution")}
        for source in meta.get("sources") or []
    ]
    return {
        "run": str(meta.get("run_id") or ""),
        "compared": str(meta.get("compared") or ""),
        "origin": str(meta.get("origin") or "")[:10],
        "horizonDays": meta.get("horizon_days"),
        "level": float(meta.get("level") or LEVEL),
        "statement": str(meta.get("statement") or ""),
        "lastIncident": ends.max().strftime("%Y-%m-%d") if len(ends) else "",
        "sources": sources,
    }
