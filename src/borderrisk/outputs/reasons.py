"""What a place says of itself: facts in numbers, and the sentences that are filled with them.

Every output asks this module, so that the same cell says the same everywhere. It works in two
steps. :class:`~borderrisk.outputs.placefacts.Reader` reads typed facts of a cell, or of any group
of cells, off a scene: numbers and codes, no words. :func:`answer` fills the sentences of
:func:`vocabulary` with them.

A map does the same in JavaScript from what it carries: ``vocabulary`` is plain JSON (sentences with
named slots, comparatives of each feature, names of kinds and months), and all the rest follows from
the numbers of a cell by these rules:

- ``chance``: "1 in N" of ``1 / probability`` with two figures, its bounds likewise; all three are
  "n in 100" if the chance is a half at least.
- ``shares``: whole per cent of history, recent, ground and even by largest remainders
  (``placefacts.whole_shares``); "earlier" is history plus recent. Parts below 5 are not named.
- ``incident_k`` (row of the scene's incidents) is named if ``incident_k_share`` is 5 % at least;
  ``incident_reasons`` less those named are "n more". Kilometres are from the centre of the cell.
- ``driver_k`` is a reason if it moves what is expected by 5 % at least:
  ``(share_ground + share_even) * abs(1 - exp(-effect))``. Raising ones explain the ground's share,
  lowering ones what lowers it. One that is called after a border line or a target is a reason only
  where that is the nearest of them, or not farther than 150 km or 40 hours on foot.
- ``than``: of the 99 ``breaks`` of a feature (``Reader.breaks``, its values at 1 to 99 % of
  the area), ``p`` = how many are smaller than the value: more than in p % of the area; 99 less how
  many are not larger: less than in so many. The larger of both is said, from 50 on.
- Numbers are written by :func:`borderrisk.words.numeral`.
- A group of cells has the sum of their expected incidents and bounds, the chance
  :func:`borderrisk.scores.chance_of` of that sum, and shares, incidents and drivers weighted by
  what is expected in each cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.features import catalogue
from borderrisk.outputs.scene import Scene
from borderrisk.scores import meanings
from borderrisk.words import (
    LANGUAGES,
    MONTHS,
    PHRASES,
    POINTS,
    UNITS,
    kind_label,
    numeral,
    persian_places,
    told,
)

PARTS = ("history", "recent", "ground", "even")
# Less of what is expected than this is no reason.
LEAST = 0.05
# From this chance on it is said in a hundred; up to this class it is said why it is low.
EVEN_ODDS, LOW_CLASS = 0.5, 2


@dataclass(frozen=True)
class Amount:
    """A number and its interval; NaN where there is none."""

    value: float = np.nan
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True)
class Because:
    """A feature as a reason: its value, and how it compares.

    ``than`` is the per cent of the area with less of it, or, negative, with more of it; 0 if
    neither is half of the area.
    """

    feature: str
    value: float
    than: int


@dataclass(frozen=True)
class Facts:
    """What is known of a place, as it is shown: no words yet.

    ``shares`` are whole per cent of :data:`PARTS`, adding to 100 (empty if unknown); ``incidents``
    are (row of the scene's incidents, kilometres or NaN) of those that account for most;
    ``further`` how many more account for a twentieth at least, None where the model cannot say;
    ``far`` is the distance of the nearest earlier incident; ``doubts`` are the per cent of the
    place that each word of ``trust`` but ``ok`` is true of, ``not_ok`` the share of all of them,
    ``trust`` is ``""`` where it is not known; ``level`` is that of a section of border.
    """

    expected: Amount
    chance: Amount
    risk_class: int = 0
    rank: Amount = field(default_factory=Amount)
    of: int = 0
    shares: tuple[int, ...] = ()
    incidents: tuple[tuple[int, float], ...] = ()
    further: int | None = None
    raising: tuple[Because, ...] = ()
    lowering: tuple[Because, ...] = ()
    far: Because | None = None
    trust: str = ""
    doubts: tuple[tuple[str, int], ...] = ()
    not_ok: float = 0.0
    level: str = ""


@dataclass(frozen=True)
class Answer:
    """The sentences about a place, in one language; ``""`` where there is nothing to say."""

    head: str
    chance: str
    expected: str
    rank: str
    why: str
    rely: str


def vocabulary(scene: Scene, language: str) -> dict[str, Any]:
    """Return all words that sentences about places of a scene are made of, as plain JSON.

    ``phrases`` have slots in braces; ``features`` say by name what a cell with ``more`` or ``less``
    of one is (empty: only the ``name`` and the value are said) and the ``unit`` of its value;
    ``incidents`` have, by row of the scene's incidents, ``kind``, ``place``, ``date`` and
    ``radius``; ``period`` is that of the forecast, ``interval`` the phrase where there is none.
    """
    first = scene.cells.get("driver_1")
    persian = persian_places(scene.settlements)
    features = {} if first is None else {
        name: _feature_words(scene, name, language, persian) for name in meanings(first).values()
    }  # fmt: skip
    none = "no_interval"
    if scene.meta.scenario:
        none = "no_interval_scenario"
    elif scene.meta.model.get("carried_from"):
        none = "no_interval_carried"
    return {
        "language": language,
        "phrases": {key: label[language] for key, label in PHRASES.items()},
        "points": list(POINTS[language]),
        "features": features,
        "incidents": _incident_words(scene, language),
        "period": period(scene, language),
        "no_interval": told(none, language),
    }


def vocabularies(scene: Scene) -> dict[str, dict[str, Any]]:
    """Return the :func:`vocabulary` of a scene in each language."""
    return {language: vocabulary(scene, language) for language in LANGUAGES}


def _feature_words(
    scene: Scene, name: str, language: str, places: dict[str, str]
) -> dict[str, str]:
    k = LANGUAGES.index(language)
    if not catalogue.is_feature(name):
        attrs = scene.cells[name].attrs if name in scene.cells else {}
        words = str(attrs.get("long_name", name)).replace("_", " ")
        return {"more": "", "less": "", "name": words, "unit": str(attrs.get("units", ""))}
    known = catalogue.feature(name, places)
    words = (known.long_name[:1].lower() + known.long_name[1:], known.fa)[k]
    unit = "percent" if name.endswith("_share") else known.units
    return {"more": known.more[k], "less": known.less[k], "name": words, "unit": unit}


def _incident_words(scene: Scene, language: str) -> list[dict[str, str]]:
    table = scene.incidents
    columns = {name: table[name].fillna("").astype(str) if name in table else [""] * len(table)
               for name in ("kind", "place", "date_precision")}  # fmt: skip
    rows = zip(*columns.values(), table["date"], table["radius_km"], strict=True)
    return [
        {
            "kind": told("any_incident", language)
            if kind in ("", "other")
            else kind_label(kind)[language],
            "place": place,
            "date": _date(date, language, "year" if precision == "year" else "month"),
            "radius": numeral(float(radius), language),
        }
        for kind, place, precision, date, radius in rows
    ]


def _date(date: Any, language: str, precision: str = "day") -> str:
    """Write a date like ``17 Dec 2025``, as far as it is known."""
    day = pd.Timestamp(date)
    parts = {"year": 1, "month": 2, "day": 3}[precision]
    year = numeral(day.year, language).replace(",", "").replace("٬", "")
    texts = [numeral(day.day, language), MONTHS[language][day.month - 1], year]
    return " ".join(texts[-parts:])


def period(scene: Scene, language: str) -> str:
    """Words of the first and the last day of the forecast."""
    if scene.period is None:
        return ""
    first, last = (_date(day, language) for day in scene.period)
    return told("between", language, **{"from": first, "to": last})


def made(scene: Scene, language: str) -> str:
    """Say what the forecast is for, what it was made of, and which run it is."""
    if scene.is_index:
        return told("made_index", language)
    until = _date(scene.data_until, language) if scene.data_until else "–"
    when, run = period(scene, language) or "–", scene.meta.run_id or "–"
    return told("made", language, period=when, until=until, run=run)


def answer(facts: Facts, words: dict[str, Any], place: str = "") -> Answer:
    """Fill the sentences of a vocabulary with the facts of a place that is called ``place``."""
    language = words["language"]
    head, chance, expected, rank = place, "", "", ""
    if facts.risk_class:
        said = {"class": told(f"class_{facts.risk_class}", language)}
        head = told("head", language, place=place, k=facts.risk_class, **said)
    elif facts.level:
        level = told(f"level_{facts.level}", language)
        head = told("head_level", language, place=place, level=level)
    if np.isfinite(facts.chance.value):
        often = facts.chance.value >= EVEN_ODDS
        chance = told(
            "chance", language, chance=odds(facts.chance.value, language, often=often),
            period=words["period"],
            interval=_interval(facts.chance, words, lambda p: odds(p, language, often=often)),
        )  # fmt: skip
        chance = " ".join(chance.split()).replace(" :", ":")
    if np.isfinite(facts.expected.value):
        interval = _interval(facts.expected, words)
        expected = told("expected", language, n=facts.expected.value, interval=interval)
    if np.isfinite(facts.rank.value):
        interval = _interval(facts.rank, words) if np.isfinite(facts.rank.low) else ""
        rank = told("rank", language, n=facts.rank.value, all=facts.of, interval=interval)
    return Answer(head, chance, expected, rank, why(facts, words), rely(facts, words))


def odds(chance: float, language: str, *, often: bool = False) -> str:
    """Write a chance like ``1 in 80``, or one that is ``often`` like ``60 in 100``.

    Examples
    --------
    >>> [odds(p, "en") for p in (0.01234, 0.3, 0.0)], odds(0.6, "en", often=True)
    (['1 in 81', '1 in 3.3', 'less than 1 in 1,000,000'], '60 in 100')
    """
    if not chance > 1e-6:
        return told("tiny", language)
    if often:
        return told("in_100", language, n=min(99, max(1, round(100 * chance))))
    return told("one_in", language, n=float(f"{1 / chance:.2g}"))


def _interval(
    amount: Amount, words: dict[str, Any], write: Callable[[float], str | float] = float
) -> str:
    """Write the interval of a number in brackets, or that there is none."""
    if not np.isfinite(amount.low + amount.high):
        return str(words["no_interval"])
    return told("interval", words["language"], low=write(amount.low), high=write(amount.high))


def why(facts: Facts, words: dict[str, Any]) -> str:
    """Say what the number is made of."""
    language = words["language"]
    join = PHRASES["list"][language].join
    found = []
    if facts.shares:
        history, recent, ground, even = facts.shares
        if history + recent >= 100 * LEAST:
            key = "earlier" if facts.incidents else (
                "earlier_plain" if facts.further is None else "earlier_many")  # fmt: skip
            earlier = join(_earlier(facts, words))
            found.append(told(key, language, share=history + recent, list=earlier))
        if ground >= 100 * LEAST:
            raising = join(_features(facts.raising, words))
            key = ("ground" if facts.risk_class else "ground_group") if raising else "ground_plain"
            found.append(told(key, language, share=ground, list=raising))
        if even >= 100 * LEAST:
            found.append(told("even", language, share=even))
    elif facts.raising:
        found.append(told("raised", language, list=join(_features(facts.raising, words))))
    low = 0 < facts.risk_class <= LOW_CLASS
    lowers = _features(facts.lowering, words)
    if low and facts.far is not None:
        lowers = [told("far", language, km=facts.far.value, p=facts.far.than), *lowers]
    if lowers:
        key = "low" if low else "lowered" if facts.risk_class else "lowered_group"
        found.append(told(key, language, list=join(lowers)))
    return " ".join(found)


def _earlier(facts: Facts, words: dict[str, Any]) -> list[str]:
    language, found = words["language"], []
    for row, km in facts.incidents:
        its = words["incidents"][row]
        place = told("incident_place", language, place=its["place"]) if its["place"] else ""
        away = told("away", language, km=km) if np.isfinite(km) else ""
        found.append(told("incident", language, **{**its, "place": place, "away": away}))
    if facts.further:
        found.append(told("more", language, n=facts.further))
    return found


def _features(reasons: tuple[Because, ...], words: dict[str, Any]) -> list[str]:
    language, found = words["language"], []
    for reason in reasons:
        its = words["features"][reason.feature]
        value, p = _value(reason.value, its["unit"], language), abs(reason.than)
        key = "more" if reason.than > 0 else "less"
        if not reason.than:
            found.append(f"{its['name']} {value}")
        elif its[key]:
            found.append(told("than", language, more=its[key], value=value, p=p))
        else:
            found.append(told(f"{key}_than", language, name=its["name"], value=value, p=p))
    return found


def _value(value: float, unit: str, language: str) -> str:
    if unit == "percent":
        return told("percent", language, n=100 * value)
    name = UNITS.get(unit, {language: unit})[language]
    number = numeral(value, language)
    return f"{number} {name}".rstrip() if name != "°" else f"{number}°"


def rely(facts: Facts, words: dict[str, Any]) -> str:
    """Say whether to rely on the number, and if not, why."""
    language = words["language"]
    if not facts.trust:
        return ""
    if not facts.doubts or facts.doubts[0][1] == 100:
        return told(f"rely_{facts.trust}", language)
    listed = [told(f"part_{word}", language, p=p) for word, p in facts.doubts]
    return told("rely_part", language, list=told("list", language).join(listed))
