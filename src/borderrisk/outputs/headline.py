"""The answer of a run in a few sentences and ten places: where, how sure, what changed, what not.

The first page of the report, the brief, the end of a run in the terminal and a map's list of places
take it from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from borderrisk.evaluation.scorecard import REFERENCE, Scorecard
from borderrisk.outputs.bordersections import in_window, section_answers, section_names
from borderrisk.outputs.placefacts import Reader
from borderrisk.outputs.reasons import Answer, answer, rely, vocabulary
from borderrisk.outputs.scene import AreaTotal, Focus, Scene
from borderrisk.words import PHRASES, numeral

PLACES, APART_KM, NAMED = 10, 20.0, 3
FIRST_TENTH = 90.0


@dataclass(frozen=True)
class Place:
    """One of the highest cells: its id, where its centre is (degrees), and what it says."""

    cell_id: str
    lon: float
    lat: float
    said: Answer


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


def top_places(
    scene: Scene, language: str, count: int = PLACES, focus: Focus | None = None
) -> list[Place]:
    """Return the highest places with their reasons, highest first; the period is said elsewhere."""
    reader = Reader.of(scene)
    rows, words = highest(reader, count, focus), vocabulary(scene, language) | {"period": ""}
    ids = scene.grid.cell_ids(reader.mask)
    lon, lat = (axis[reader.mask] for axis in scene.grid.lonlat())
    near = reader.places(rows)
    return [
        Place(str(ids[i]), float(lon[i]), float(lat[i]),
              answer(facts, words, its.said(language) if its else str(ids[i])))
        for i, facts, its in zip(rows, reader.cells(rows), near, strict=True)
    ]  # fmt: skip


def sentences(scene: Scene, language: str = "en", focus: Focus | None = None) -> list[str]:
    """Say where, how sure, and what changed since an earlier run (if there is one)."""
    if scene.is_index:
        return [scene.meta.statement]
    reader = Reader.of(scene)
    words, here = vocabulary(scene, language), inside(reader, focus)
    if scene.is_index:
        return [words["phrases"]["sum_index"].format(places=_named(reader, words, focus))]
    found = [_where(reader, words, here, focus), _how_sure(reader, words, here)]
    changed = _changed(scene, words, focus)
    return [text for text in (*found, changed) if text]


def _where(reader: Reader, words: dict[str, Any], here: np.ndarray, focus: Focus | None) -> str:
    language, expected = words["language"], reader.expected[here, 0]
    total = _total(reader.scene, focus)
    mean = float(expected.sum()) if total is None else total.expected
    risk = reader.values("risk")[here]
    share = expected[risk >= FIRST_TENTH].sum() / expected.sum() if expected.sum() > 0 else 0.0
    said = words["phrases"]["sum_where"].format(
        n=numeral(mean, language), period=words["period"],
        counts="" if total is None else said_counts(reader.scene, total, language),
        p=numeral(round(100 * share), language), places=_named(reader, words, focus),
    )  # fmt: skip
    return " ".join(said.split())


def _named(reader: Reader, words: dict[str, Any], focus: Focus | None) -> str:
    """Names of the towns next to the highest cells."""
    near = [its for its in reader.places(highest(reader, NAMED * 3, focus)) if its]
    names = list(dict.fromkeys(_name(its, words["language"]) for its in near))[:NAMED]
    return words["phrases"]["list"].translate({ord(";"): ",", ord("؛"): "،"}).join(names) or "–"


def said_counts(scene: Scene, total: AreaTotal, language: str) -> str:
    """Say how many incidents may be reported, and with what chance; ends a sentence's number."""
    level, few, many = (
        numeral(n, language)
        for n in (round(100 * scene.meta.level), total.count_low, total.count_high)
    )
    return PHRASES["counts"][language].format(p=level, low=few, high=many)


def _total(scene: Scene, focus: Focus | None) -> AreaTotal | None:
    """Return what is expected in the whole area or a focus, as the run has summed it."""
    name = focus.name if focus else ""
    return next((its for its in scene.meta.totals if its.focus == name), None)


def _name(near: Any, language: str) -> str:
    return str((near.name_fa if language == "fa" else "") or near.name)


def _how_sure(reader: Reader, words: dict[str, Any], here: np.ndarray) -> str:
    language, say = words["language"], words["phrases"]
    facts = reader.group(here.astype(float))
    ok = numeral(round(100 * (1 - facts.not_ok)), language) if facts.trust else "–"
    card = reader.scene.meta.scorecard
    own = card.skill() if card else None
    if card is None or own is None:
        return str(say["sum_untested"].format(ok=ok))
    base = _captured(card, REFERENCE)
    return str(
        say["sum_tested"].format(
            origins=numeral(own.origins or 1, language), incidents=numeral(own.incidents, language),
            own=numeral(round(100 * own.capture_10), language), ok=ok,
            base="" if base is None else say["sum_base"].format(
                p=numeral(round(100 * base), language)),
        )
    )  # fmt: skip


def _captured(card: Scorecard, model: str) -> float | None:
    return next((row.capture_10 for row in card.prospective.of("all") if row.model == model), None)


def _changed(scene: Scene, words: dict[str, Any], focus: Focus | None) -> str:
    table = scene.layers.get("segments")
    if table is None or "change" not in table or not len(table):
        return ""
    if focus is not None:
        table = in_window(scene, table, focus)
    say, language = words["phrases"], words["language"]
    before = say["before_scenario" if scene.meta.scenario else "before_run"]
    known = table["change"] != "no intervals"
    moved = table[table["change"].isin(["rose", "fell"]) if known.any() else known | True]
    change = moved["change_per_year"].abs()
    most = ""
    if change.max() > 0:
        name = section_names(scene, moved.loc[[change.idxmax()]], language)[0]
        most = say["sum_most"].format(name=name)
    if not known.any():
        n = numeral(float(np.nansum(change)) / 2, language)
        return str(say["sum_moved"].format(before=before, n=n, most=most))
    up, down = (
        numeral(int((moved["change"] == word).sum()), language) for word in ("rose", "fell")
    )
    return str(say["sum_changed"].format(before=before, up=up, down=down, most=most))


def top_sections(
    scene: Scene, language: str, count: int = PLACES, focus: Focus | None = None
) -> list[Answer]:
    """Return what the sections of border of highest rank say, highest first."""
    table = scene.layers.get("segments")
    if table is None or "rank" not in table:
        return []
    if focus is not None:
        table = in_window(scene, table, focus)
    return section_answers(scene, table.sort_values("rank", kind="stable").head(count), language)


def doubts(scene: Scene, language: str = "en", focus: Focus | None = None) -> list[str]:
    """Say what not to rely on."""
    reader = Reader.of(scene)
    words, here = vocabulary(scene, language), inside(reader, focus)
    say = words["phrases"]
    found = [rely(reader.group(here.astype(float)), words)]
    if len(scene.incidents):
        km = float(scene.incidents["radius_km"].median())
        found.append(
            say["doubt_radius"].format(
                n=numeral(len(scene.incidents), language), km=numeral(km, language)
            )
        )
    if not (scene.has_intervals or scene.is_index):
        found.append(say["doubt_interval"])
    return [text for text in (*found, say["doubt_silence"]) if text]
