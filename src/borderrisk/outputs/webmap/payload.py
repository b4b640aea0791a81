"""Everything a map shows, as one JSON-ready dictionary beside the packed columns."""

from __future__ import annotations

import json
from typing import Any

import geopandas as gpd
import numpy as np

from borderrisk.evaluation.scorecard import Scorecard
from borderrisk.outputs.webmap.columns import DRIVERS, Packed, described, label_json
from borderrisk.outputs.webmap.maplayers import vectors_json
from borderrisk.outputs.webmap.page import asset
from borderrisk.outputs.webmap.view import View, marker, meshes
from borderrisk.scores import meanings, shown
from borderrisk.words import CODES, MODELS, UNITS, Label, nearest_places

TOP_CELLS = 20


def payload(view: View, packed: Packed, language: str) -> dict[str, Any]:
    """Return configuration and small data of a map; numbers per cell travel in ``packed``."""
    scene = view.scene
    strings: dict[str, Label] = json.loads(asset("strings.json"))
    if scene.is_index:
        of_index: dict[str, Label] = json.loads(asset("index.json"))
        strings = {speech: words | of_index[speech] for speech, words in strings.items()}
    return {
        "language": language,
        "strings": strings,
        "names": {"codes": CODES, "models": MODELS, "units": UNITS},
        "title": {"en": view.title, "fa": view.title_fa},
        "bounds": list(view.bounds),
        "grid": _grid(view),
        "meshes": meshes(view),
        "columns": packed.scales,
        "metrics": packed.legends,
        "dropped": packed.dropped,
        "popup": [layer.name for layer in shown("popup") if layer.layer is not None],
        "codes": {layer.name: _words(view, layer.name) for layer in shown("layer") if layer.words},
        "drivers": _drivers(view),
        "top": _top_cells(view),
        "facts": _facts(view),
        "scorecard": headline(scene.meta.scorecard),
        **vectors_json(view),
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
    return int(np.isfinite(cells[marker(cells)].to_numpy()).sum())


def _words(view: View, name: str) -> list[str]:
    """Words of a coded variable's codes 0, 1, ...; a negative code means nothing is known."""
    if name not in view.scene.cells:
        return []
    return [word for code, word in sorted(meanings(view.scene.cells[name]).items()) if code >= 0]


def _drivers(view: View) -> list[dict[str, Any]]:
    """Features the driver codes stand for, with label, unit and the column that holds them."""
    entries = []
    for name in _words(view, DRIVERS[0]):
        attrs = view.scene.cells[name].attrs if name in view.scene.cells else {}
        known = described(name, attrs, view.places)
        words = name.replace("_", " ")
        label = label_json(known) if known else {"en": words, "fa": words, "units": ""}
        entries.append({"name": name, "label": label})
    return entries


def _top_cells(view: View) -> list[dict[str, Any]]:
    """Highest-ranked cells of the window: position among its scored cells and nearest place."""
    values = view.values(marker(view.scene.cells))
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")[:TOP_CELLS]
    rows, cols = (part[order] for part in np.nonzero(view.mask))
    grid = view.scene.grid
    x, y = grid.x[view.cols][cols], grid.y[view.rows][rows]
    centres = gpd.GeoSeries.from_xy(x, y, crs=grid.crs)
    places = nearest_places(view.scene.settlements, centres)
    return [
        {"i": int(i), "near": near.name if near else ""}
        for i, near in zip(order, places, strict=True)
    ]


def _facts(view: View) -> dict[str, Any]:
    """Vintage, provenance and horizon for the side panel."""
    meta = view.scene.meta
    ends = view.scene.incidents.get("date_end", view.scene.incidents["date"])
    shown_of = ("title", "version", "licence", "attribution")
    return {
        "run": meta.run_id,
        "compared": meta.compared,
        "origin": meta.origin[:10],
        "horizonDays": meta.horizon_days,
        "level": meta.level,
        "statement": meta.statement,
        "lastIncident": ends.max().strftime("%Y-%m-%d") if len(ends) else "",
        "sources": [{key: getattr(s, key) for key in shown_of} for s in meta.sources],
    }


def headline(card: Scorecard | None) -> dict[str, Any] | None:
    """Pick capture in the riskiest tenth and the gain over history alone.

    Gives, for the shortest horizon over all incidents, ``model``, ``baseline``, ``origins``,
    ``incidents``, ``horizon_years``, ``capture``, ``baseline_capture`` (shares), ``gain``, ``low``,
    ``high`` (bits per incident; None where not known). None when nothing was evaluated.
    """
    own = card.skill() if card else None
    if card is None or own is None:
        return None
    gain = own.gain or own.gain_best
    rows = card.prospective.of("all")
    baseline = next((row for row in rows if gain and row.model == gain.baseline), None)
    return {
        "model": own.model,
        "baseline": gain.baseline if gain else None,
        "origins": own.origins,
        "incidents": own.incidents,
        "horizon_years": own.horizon_years,
        "capture": own.capture_10,
        "baseline_capture": baseline.capture_10 if baseline else None,
        "gain": gain.bits if gain else None,
        "low": gain.low if gain else None,
        "high": gain.high if gain else None,
    }
