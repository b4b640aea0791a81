"""Everything a map shows, as one JSON-ready dictionary beside the packed columns."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

import numpy as np

from borderrisk.evaluation.scorecard import Scorecard
from borderrisk.outputs.headline import highest, section_answers
from borderrisk.outputs.placefacts import Reader
from borderrisk.outputs.webmap.codec import pack_bytes
from borderrisk.outputs.webmap.columns import DRIVERS, Packed, described, label_json
from borderrisk.outputs.webmap.maplayers import drawn, window
from borderrisk.outputs.webmap.page import asset
from borderrisk.outputs.webmap.view import View, marker, meshes, scored
from borderrisk.scores import DAYS_PER_YEAR, KAPPA, PART_SIZE, expected_count, meanings, shown
from borderrisk.words import CODES, LANGUAGES, MODELS, UNITS, Label

TOP_CELLS = 10


def payload(view: View, packed: Packed, language: str) -> dict[str, Any]:
    """Return configuration and small data of a map; numbers per cell travel in ``packed``.

    What is drawn beside the cells, :func:`borderrisk.outputs.webmap.maplayers.vectors_json`, goes
    beside it.
    """
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
        # What is said of incidents travels with these.
        "words": {
            language: {key: value for key, value in words.items() if key != "incidents"}
            for language, words in view.words.items()
        },
        "top": _top_cells(view),
        "facts": _facts(view),
        "scorecard": headline(scene.meta.scorecard),
    }


def sections_blob(view: View) -> dict[str, str]:
    """Sentences of the sections drawn, in the order of the map's features, packed."""
    sections = view.scene.layers.get("segments")
    if sections is None or "why_en" not in sections or "intensity" not in view.scene.cells:
        return {}
    here = drawn(sections, window(view))
    both = (section_answers(view.scene, here, language) for language in LANGUAGES)
    found = [{"en": asdict(en), "fa": asdict(fa)} for en, fa in zip(*both, strict=True)]
    return {"sections": pack_bytes(json.dumps(found, ensure_ascii=False).encode())}


def to_json(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in; same bytes for the same data."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _grid(view: View) -> dict[str, Any]:
    """Shape of the window, where it starts in the grid, and its runs of scored cells."""
    grid = view.scene.grid
    return {
        "rows": view.mask.shape[0],
        "cols": view.mask.shape[1],
        "row0": view.rows.start,
        "col0": view.cols.start,
        "digits": grid.id_digits,
        "cellKm": grid.cell_size_m / 1000,
        "runs": _runs(view.mask),
        "scored": int(scored(view.scene.cells).sum()),  # what a rank counts out of
    }


def _runs(mask: np.ndarray) -> list[int]:
    """Row, first column and length of each run of true cells, flat, row-major."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, stops = np.nonzero(edges == -1)
    return np.stack([rows, starts, stops - starts], axis=1).ravel().tolist()


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


def _top_cells(view: View) -> list[int]:
    """Positions of the ten highest places of the window among its scored cells."""
    scene = view.scene
    if {"intensity", "exposure"} <= set(scene.cells.data_vars):
        reader = Reader.of(scene)
        found = highest(reader, TOP_CELLS, scene.focus(view.name) if view.name else None)
        number = np.full(scene.grid.shape, -1)
        number[view.rows, view.cols][view.mask] = np.arange(int(view.mask.sum()))
        among = number[reader.mask][found]
        return [int(i) for i in among if i >= 0]
    values = view.values(marker(view.scene.cells))
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")[:TOP_CELLS]
    return [int(i) for i in order]


def _facts(view: View) -> dict[str, Any]:
    """Vintage, provenance and horizon for the side panel."""
    scene, meta = view.scene, view.scene.meta
    shown_of = ("title", "version", "licence", "attribution")
    first, last = scene.period or (meta.origin[:10], "")
    return {
        "run": meta.run_id,
        "compared": meta.compared,
        "origin": first,
        "until": last,
        "horizonDays": meta.horizon_days,
        "level": meta.level,
        "statement": meta.statement,
        "dataUntil": scene.data_until,
        "credits": scene.credits,
        "stamp": scene.stamp,
        "total": _total(view),
        "record": meta.record,
        "statementFa": meta.statement_fa,
        "sources": [{key: getattr(s, key) for key in shown_of} for s in meta.sources],
    }


def _total(view: View) -> dict[str, Any]:
    """Whole study area, which parts of it are shares of, and how counts of parts scatter.

    ``expected`` is within the horizon, ``km2`` the scored area. ``cell`` and ``part`` are sizes of
    negative binomials: of the incidents of one cell and of a part of the area.
    """
    scene = view.scene
    cells, days = scene.cells, scene.meta.horizon_days or DAYS_PER_YEAR
    area = scene.grid.cell_area_km2
    exposure = np.ones(scene.grid.shape)
    if "exposure" in cells:
        exposure = np.nan_to_num(cells["exposure"].to_numpy().astype(float))
    km2 = float((exposure * area * scored(cells)).sum())
    found: dict[str, Any] = {"km2": km2, "cell": KAPPA, "part": PART_SIZE}
    if "intensity" in cells:
        intensity = np.nan_to_num(cells["intensity"].to_numpy().astype(float))
        expected = expected_count(intensity, exposure * area / 100, float(days))
        found["expected"] = float(expected.sum())
    return found


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
