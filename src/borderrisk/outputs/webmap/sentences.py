"""What the sentences of a popup are filled with: facts of each cell as whole numbers, and words.

The rules of :mod:`borderrisk.outputs.reasons` are applied here, once; the page only puts the facts
into the sentences (``assets/reasons.js``). Facts travel as whole numbers, which packing keeps as
they are, and the numbers that are said beside them are packed so that they round to the same words.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import geopandas as gpd
import numpy as np

from borderrisk.outputs.bordersections import section_answers
from borderrisk.outputs.placefacts import Reader, whole_shares
from borderrisk.outputs.reasons import EVEN_ODDS, LEAST, PARTS, vocabulary
from borderrisk.outputs.webmap.view import View
from borderrisk.scores import Score

# A reason is 1 to 199: the per cent of the area it compares with, plus 100; what lowers is LOWERS
# more than that.
ZERO, LOWERS = 100, 200
MOST = 3


def _whole(name: str, packed: int) -> Score:
    return Score(name, "1", name, cuts="codes", popup=100 + packed, packed=packed,
                 precision="exact")  # fmt: skip


FACTS = (
    *(_whole(f"because_{k}", 14) for k in (1, 2, 3)),
    *(_whole(f"named_{k}", 14) for k in (1, 2, 3)),
    _whole("further", 14),
    _whole("far_than", 14),
)


def with_facts(view: View) -> View:
    """Add the facts of :data:`FACTS` to the cells of a view; shares become whole per cent.

    ``because_k`` says whether driver k raises or lowers, and how its value compares; ``named_k`` is
    the position of an incident in the scene, ``further`` how many more there are; ``far_than`` is
    the per cent of the area nearer to an earlier incident. A view without intensities stays as it
    is.
    """
    scene = view.scene
    if not {"intensity", "exposure"} <= set(scene.cells.data_vars):
        return view
    reader = Reader.of(scene)
    columns: dict[str, np.ndarray] = {}
    ground = ~(reader.shares[:, 2:3] < LEAST)
    is_reason = (np.abs(reader.moved) >= LEAST) & ((reader.moved < 0) | ground)
    code = reader.than + ZERO + np.where(reader.moved < 0, LOWERS, 0)
    columns |= _numbered("because", np.where(is_reason, code, np.nan))
    if reader.behind is not None:
        rows, shares, reasons = reader.behind
        named = (rows >= 0) & (shares >= LEAST)
        columns |= _numbered("named", np.where(named, rows, np.nan))
        columns["further"] = np.maximum(reasons - named.sum(axis=1), 0).astype(float)
    far = reader.far_than
    columns["far_than"] = np.where(far > 0, far, np.nan)
    known = np.isfinite(reader.shares[:, 0])
    if known.all():
        whole = whole_shares(reader.shares) / 100
        columns |= {f"share_{part}": whole[:, k] for k, part in enumerate(PARTS)}
    cells = scene.cells.assign({n: _on_grid(scene, reader, n, v) for n, v in columns.items()})
    return replace(view, scene=replace(scene, cells=cells))


def _numbered(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}_{k + 1}": values[:, k] for k in range(MOST)}


def _on_grid(scene: Any, reader: Reader, name: str, values: np.ndarray) -> tuple[Any, ...]:
    grid = np.full(reader.mask.shape, np.nan, np.float32)
    grid[reader.mask] = values
    return ("y", "x"), grid, dict(scene.cells[name].attrs) if name in scene.cells else {}


def incidents_named(view: View) -> np.ndarray:
    """Rows of the scene's incidents that some cell of a view names."""
    names = [name for name in ("named_1", "named_2", "named_3") if view.has(name)]
    found = [view.values(name) for name in names]
    rows = np.unique(np.concatenate(found)) if found else np.zeros(0)
    return rows[np.isfinite(rows)].astype(int)


def words_json(view: View) -> dict[str, dict[str, Any]]:
    """Words of both languages; what is said of incidents travels with these."""
    both = {language: vocabulary(view.scene, language) for language in ("en", "fa")}
    return {
        language: {key: value for key, value in words.items() if key != "incidents"}
        for language, words in both.items()
    }


def incident_dates(view: View) -> list[dict[str, str]]:
    """Date of each incident of the scene as sentences say it, in both languages."""
    words = [vocabulary(view.scene, language)["incidents"] for language in ("en", "fa")]
    return [{"en": en["date"], "fa": fa["date"]} for en, fa in zip(*words, strict=True)]


def sections_said(view: View, sections: gpd.GeoDataFrame) -> list[dict[str, dict[str, str]]]:
    """Sentences about some explained sections of border, in both languages."""
    both = {name: section_answers(view.scene, sections, name) for name in ("en", "fa")}
    return [
        {"en": asdict(en), "fa": asdict(fa)} for en, fa in zip(both["en"], both["fa"], strict=True)
    ]


def said(values: np.ndarray, score: Score) -> np.ndarray:
    """Numbers as far as sentences say them, (ways of saying, values): equal if the words are.

    Chances are said as "1 in N" with two figures, or in a hundred; all else like
    :func:`borderrisk.words.numeral`.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if score.format == "probability" or score.name.startswith("probability"):
            often = values >= EVEN_ODDS
            return np.stack([_figures(1 / values), np.rint(100 * values), often.astype(float)])
        if score.name.startswith("rank"):
            return np.rint(values)[None]
        size = 100 * values if score.name.endswith("_share") else values
        small = np.abs(size) < 9.95
        return np.where(small, _figures(size), np.rint(size))[None]


def _figures(values: np.ndarray) -> np.ndarray:
    """Tell numbers apart by their first two figures and their size."""
    size = np.floor(np.log10(np.abs(values)))
    first = np.rint(values / 10.0 ** (size - 1))
    size, first = np.where(np.abs(first) == 100, (size + 1, first / 10), (size, first))
    return np.nan_to_num(first + 1000 * size, nan=0.0, posinf=1e9, neginf=-1e9)
