"""The answer of a run: some sentences, ten places, sections of border, and what not to rely on.

The first page of the report, the brief, the end of a run in the terminal and a map's list of places
take it from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_matrix

from borderrisk.evaluation.scorecard import REFERENCE
from borderrisk.grid import WGS84
from borderrisk.outputs.placefacts import Reader
from borderrisk.outputs.reasons import (
    Amount,
    Answer,
    Facts,
    answer,
    period,
    rely,
    vocabularies,
    vocabulary,
    why,
)
from borderrisk.outputs.scene import AreaTotal, Focus, Scene
from borderrisk.scores import PART_SIZE, chance_of
from borderrisk.words import nearest_places, pair_label, persian_places, slug, told

PLACES, APART_KM, NAMED = 10, 20.0, 3
FIRST_TENTH = 90.0


def inside(reader: Reader, focus: Focus | None) -> np.ndarray:
    """Whether the centre of each scored cell lies in a window, or anywhere."""
    if focus is None:
        return np.ones(len(reader.area), bool)
    return np.asarray(focus.holds(reader.scene.grid)[reader.mask])


def highest(reader: Reader, count: int = PLACES, focus: Focus | None = None) -> np.ndarray:
    """Return the numbers of the highest cells, none of them within 20 km of a higher one."""
    here = inside(reader, focus)
    found: list[int] = []
    for i in np.argsort(-reader.values(reader.by), kind="stable"):
        if len(found) == count:
            break
        away = np.hypot(*(reader.xy[found] - reader.xy[i]).T)
        if here[i] and (away >= APART_KM * 1000).all():
            found.append(int(i))
    return np.array(found, int)


def top_places(scene: Scene, language: str, focus: Focus | None = None) -> list[Answer]:
    """Return what the highest places say, highest first; the period is said elsewhere."""
    reader = Reader.of(scene)
    rows, words = highest(reader, focus=focus), vocabulary(scene, language) | {"period": ""}
    ids = scene.grid.cell_ids(reader.mask)
    return [
        answer(facts, words, its.said(language) if its else str(ids[i]))
        for i, facts, its in zip(rows, reader.cells(rows), reader.places(rows), strict=True)
    ]


def sentences(scene: Scene, language: str = "en", focus: Focus | None = None) -> list[str]:
    """Say where, how sure, and what changed since an earlier run (if there is one)."""
    if scene.is_index:
        return [scene.meta.statement]
    reader = Reader.of(scene)
    here = inside(reader, focus)
    found = [_where(reader, language, here, focus), _how_sure(reader, language, here)]
    changed = _changed(scene, language, focus)
    return [*found, changed] if changed else found


def _where(reader: Reader, language: str, here: np.ndarray, focus: Focus | None) -> str:
    scene, expected = reader.scene, reader.expected[here, 0]
    name = focus.name if focus else ""
    total = next((its for its in scene.meta.totals if its.focus == name), None)
    first = expected[reader.values("risk")[here] >= FIRST_TENTH].sum()
    share = first / expected.sum() if expected.sum() > 0 else 0.0
    said = told(
        "sum_where", language, n=float(expected.sum()) if total is None else total.expected,
        period=period(scene, language),
        counts="" if total is None else said_counts(scene, total, language),
        p=round(100 * share), places=_named(reader, language, focus),
    )  # fmt: skip
    return " ".join(said.split())


def _named(reader: Reader, language: str, focus: Focus | None) -> str:
    """Names of the towns next to the highest cells."""
    near = [its for its in reader.places(highest(reader, NAMED * 3, focus)) if its]
    names = list(dict.fromkeys(its.called(language) for its in near))[:NAMED]
    return {"en": ", ", "fa": "، "}[language].join(names) or "–"


def said_counts(scene: Scene, total: AreaTotal, language: str) -> str:
    """Say how many incidents may be reported, and with what chance; ends a sentence's number."""
    p = round(100 * scene.meta.level)
    return told("counts", language, p=p, low=total.count_low, high=total.count_high)


def _how_sure(reader: Reader, language: str, here: np.ndarray) -> str:
    facts = reader.group(here.astype(float))
    ok = round(100 * (1 - facts.not_ok)) if facts.trust else np.nan
    card = reader.scene.meta.scorecard
    own = card.skill() if card else None
    if card is None or own is None:
        return told("sum_untested", language, ok=ok)
    rows = card.prospective.of("all")
    base = next((row.capture_10 for row in rows if row.model == REFERENCE), None)
    return told(
        "sum_tested", language, origins=own.origins or 1, incidents=own.incidents,
        own=round(100 * own.capture_10), ok=ok,
        base="" if base is None else told("sum_base", language, p=round(100 * base)),
    )  # fmt: skip


def _changed(scene: Scene, language: str, focus: Focus | None) -> str:
    table = _segments(scene, "change", focus)
    if table is None or not len(scene.layers["segments"]):
        return ""
    before = told("before_scenario" if scene.meta.scenario else "before_run", language)
    known = table["change"] != "no intervals"
    moved = table[table["change"].isin(["rose", "fell"]) if known.any() else known | True]
    change = moved["change_per_year"].abs()
    most = ""
    if change.max() > 0:
        name = section_names(scene, moved.loc[[change.idxmax()]], language)[0]
        most = told("sum_most", language, name=name)
    if not known.any():
        n = float(np.nansum(change)) / 2
        return told("sum_moved", language, before=before, n=n, most=most)
    up, down = (int((moved["change"] == word).sum()) for word in ("rose", "fell"))
    return told("sum_changed", language, before=before, up=up, down=down, most=most)


def _segments(scene: Scene, column: str, focus: Focus | None) -> gpd.GeoDataFrame | None:
    """Return the segments whose middle lies in a window; None if they do not have the column."""
    table = scene.layers.get("segments")
    if table is None or column not in table:
        return None
    if focus is None:
        return table
    middle = middles(scene, table).to_crs(WGS84)
    return table[middle.within(shapely.box(*focus.bounds)).to_numpy()]


def top_sections(scene: Scene, language: str, focus: Focus | None = None) -> list[Answer]:
    """Return what the sections of border of highest rank say, highest first."""
    table = _segments(scene, "rank", focus)
    if table is None:
        return []
    return section_answers(scene, table.sort_values("rank", kind="stable").head(PLACES), language)


def doubts(scene: Scene, language: str = "en", focus: Focus | None = None) -> list[str]:
    """Say what not to rely on."""
    reader = Reader.of(scene)
    whole = reader.group(inside(reader, focus).astype(float))
    found = [rely(whole, vocabulary(scene, language))]
    if len(scene.incidents):
        km = float(scene.incidents["radius_km"].median())
        found.append(told("doubt_radius", language, n=len(scene.incidents), km=km))
    if not (scene.has_intervals or scene.is_index):
        found.append(told("doubt_interval", language))
    return [text for text in (*found, told("doubt_silence", language)) if text]


def explained(
    scene: Scene, segments: gpd.GeoDataFrame, attribution: csr_matrix
) -> gpd.GeoDataFrame:
    """Say of ranked segments why, how far to rely on them, and what is near.

    ``segments`` are from :func:`borderrisk.border.ranking.segment_table`, ``attribution`` is the
    share of each cell of the grid behind each.

    Adds ``trust`` (``ok`` if all cells behind are, else the doubt that most of them have) and
    ``share_not_ok`` of their area, ``why_en``, ``why_fa``, ``rely_en``, ``rely_fa``, ``driver_k``,
    and the nearest ``town`` of the home side and ``town_km``, from the middle of a segment.
    """
    reader, words = Reader.of(scene), vocabularies(scene)
    flow = csr_matrix(csr_matrix(attribution)[np.flatnonzero(reader.mask)].T)
    middle = middles(scene, segments)
    found = [
        reader.group(flow[[k]].toarray().ravel(), amount(row, "expected"), (at.x, at.y))
        for k, (row, at) in enumerate(zip(plain(segments), middle, strict=True))
    ]
    columns: dict[str, list[Any]] = {
        "trust": [facts.trust for facts in found],
        "share_not_ok": [facts.not_ok if facts.trust else np.nan for facts in found],
    }
    for name, say in (("why", why), ("rely", rely)):
        for language, its in words.items():
            columns[f"{name}_{language}"] = [say(facts, its) for facts in found]
    named = [[reason.feature for reason in (*facts.raising, *facts.lowering)] for facts in found]
    for k in range(3):
        columns[f"driver_{k + 1}"] = [(*names, "", "", "")[k] for names in named]
    return segments.assign(**columns, **_near(scene, segments, middle))


def plain(segments: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Return the rows of segments without their lines."""
    table = pd.DataFrame(segments.drop(columns=segments.geometry.name))
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def amount(row: Mapping[str, Any], name: str) -> Amount:
    """Return a number of a row of a table, with its bounds as far as there are any."""
    ends = (row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high"))
    return Amount(*(float(v) if v is not None and pd.notna(v) else np.nan for v in ends))


def middles(scene: Scene, segments: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """Return the points half-way along segments, in the metres of the grid."""
    return segments.geometry.to_crs(scene.grid.crs).interpolate(0.5, normalized=True)


def near_towns(scene: Scene, points: gpd.GeoSeries) -> list[str]:
    """Say where points are, like ``7 km N of Mirjaveh``; ``""`` without any town."""
    return [str(near or "") for near in nearest_places(scene.settlements, points)]


def _near(scene: Scene, segments: gpd.GeoDataFrame, middle: gpd.GeoSeries) -> dict[str, Any]:
    """Nearest town of the home side of each segment."""
    towns = scene.settlements
    homes = set(segments["pair"].astype(str).str.split("-").str[0])
    if "country" in towns and towns["country"].isin(homes).any():
        towns = towns[towns["country"].isin(homes)]
    found = nearest_places(towns, middle)
    return {
        "town": [its.name if its else "" for its in found],
        "town_km": [its.km if its else np.nan for its in found],
    }


def section_names(scene: Scene, segments: gpd.GeoDataFrame, language: str) -> list[str]:
    """Name segments like ``Iran – Pakistan, km 110 to 120, 7 km N of Mirjaveh``."""
    near = nearest_places(scene.settlements, middles(scene, segments))
    return [
        told(
            "section", language, pair=pair_label(str(row["pair"]))[language],
            near=its.said(language) if its else "",
            **{end: round(row[f"{end}_km"]) for end in ("from", "to")},
        ).rstrip("،, ")
        for row, its in zip(plain(segments), near, strict=True)
    ]  # fmt: skip


def section_answers(scene: Scene, segments: gpd.GeoDataFrame, language: str) -> list[Answer]:
    """Return the sentences about explained segments; the period is said elsewhere."""
    words = vocabulary(scene, language) | {"period": ""}
    persian = persian_places(scene.settlements) if language == "fa" else {}
    all_of_them = len(scene.layers.get("segments", segments))
    found = []
    names = section_names(scene, segments, language)
    for row, name in zip(plain(segments), names, strict=True):
        expected = amount(row, "expected")
        chance = chance_of(np.array([expected.value, expected.low, expected.high]), PART_SIZE)
        facts = Facts(
            expected, Amount(*chance.tolist()), rank=amount(row, "rank"), of=all_of_them,
            level=str(row.get("level", "")),
        )  # fmt: skip
        reasons = (str(row.get(f"why_{language}") or ""), *_around(row, language, persian))
        why_, rely_ = " ".join(filter(None, reasons)), str(row.get(f"rely_{language}") or "")
        found.append(replace(answer(facts, words, name), why=why_, rely=rely_))
    return found


def as_text(said: Sequence[Answer]) -> str:
    """Return answers as a numbered list."""
    lines = []
    for k, its in enumerate(said, start=1):
        numbers = " ".join(part for part in (its.chance, its.expected, its.rank) if part)
        rely = f"Rely on it? {its.rely}" if its.rely else ""
        lines += [f"{k}. {its.head}", *(f"   {t}" for t in (numbers, its.why, rely) if t)]
    return "\n".join(lines)


def _around(row: Mapping[str, Any], language: str, persian: Mapping[str, str]) -> Iterator[str]:
    """Say what is near a segment, as far as it is known."""
    for key, name, number in (
        ("nearest_crossing", "crossing", "crossing_km"),
        ("nearest_town", "town", "town_km"),
        ("inland", "", "hours_inland"),
    ):
        value = row.get(number)
        if value is not None and pd.notna(value) and (not name or row[name]):
            called = str(row.get(name, ""))
            called = persian.get(slug(called), called)
            yield told(key, language, name=called, n=float(value))
