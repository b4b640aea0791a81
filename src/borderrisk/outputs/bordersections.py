"""Sections of border as those who watch them report them: why, how sure, and what is near."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_matrix

from borderrisk.grid import WGS84
from borderrisk.outputs.placefacts import Reader
from borderrisk.outputs.reasons import Amount, Answer, Facts, answer, rely, vocabulary, why
from borderrisk.outputs.scene import Focus, Scene
from borderrisk.scores import PART_SIZE, chance_of
from borderrisk.words import (
    PHRASES,
    Near,
    nearest_places,
    numeral,
    pair_label,
    persian_places,
    slug,
)

LANGUAGES = ("en", "fa")
_DRIVERS = 3


def explained(
    scene: Scene,
    segments: gpd.GeoDataFrame,
    attribution: csr_matrix,
) -> gpd.GeoDataFrame:
    """Say of ranked segments why, how far to rely on them, and what is near.

    ``segments`` are from :func:`borderrisk.border.ranking.segment_table`, ``attribution`` is the
    share of each cell of the grid behind each.

    Adds ``trust`` (``ok`` if all cells behind are, else the doubt that most of them have) and
    ``share_not_ok`` of their area, ``why_en``, ``why_fa``, ``rely_en``, ``rely_fa``, ``driver_k``,
    and the nearest ``town`` of the home side and ``town_km``, from the middle of a segment.
    """
    reader = Reader.of(scene)
    flow = csr_matrix(csr_matrix(attribution)[np.flatnonzero(reader.mask)].T)
    middle = _middle(scene, segments)
    columns: dict[str, list[Any]] = {name: [] for name in _columns()}
    words = {language: vocabulary(scene, language) for language in LANGUAGES}
    for k, row in enumerate(_rows(segments)):
        at = (middle.x.iloc[k], middle.y.iloc[k])
        facts = reader.group(flow[[k]].toarray().ravel(), amount(row, "expected"), at)
        _add(columns, facts, words)
    return segments.assign(**columns, **_near(scene, segments, middle))


def _columns() -> Iterator[str]:
    yield from ("trust", "share_not_ok")
    yield from (f"{name}_{language}" for name in ("why", "rely") for language in LANGUAGES)
    yield from (f"driver_{k + 1}" for k in range(_DRIVERS))


def _add(columns: dict[str, list[Any]], facts: Facts, words: Mapping[str, dict[str, Any]]) -> None:
    columns["trust"].append(facts.trust)
    columns["share_not_ok"].append(facts.not_ok if facts.trust else np.nan)
    for language, its in words.items():
        columns[f"why_{language}"].append(why(facts, its))
        columns[f"rely_{language}"].append(rely(facts, its))
    named = [because.feature for because in (*facts.raising, *facts.lowering)]
    for k in range(_DRIVERS):
        columns[f"driver_{k + 1}"].append(named[k] if k < len(named) else "")


def _rows(segments: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    plain = pd.DataFrame(segments.drop(columns=segments.geometry.name))
    return [{str(key): value for key, value in row.items()} for row in plain.to_dict("records")]


def amount(row: Mapping[str, Any], name: str) -> Amount:
    """Return a number of a row of a table, with its bounds as far as there are any."""
    ends = (row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high"))
    return Amount(*(float(v) if v is not None and pd.notna(v) else np.nan for v in ends))


def _middle(scene: Scene, segments: gpd.GeoDataFrame) -> gpd.GeoSeries:
    return segments.geometry.to_crs(scene.grid.crs).interpolate(0.5, normalized=True)


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
    near = nearest_places(scene.settlements, _middle(scene, segments))
    say = PHRASES["section"][language]
    return [
        say.format(
            pair=pair_label(str(row["pair"]))[language],
            **{end: numeral(round(row[f"{end}_km"]), language) for end in ("from", "to")},
            near=its.said(language) if isinstance(its, Near) else "",
        ).rstrip("،, ")
        for row, its in zip(_rows(segments), near, strict=True)
    ]


def section_answers(scene: Scene, segments: gpd.GeoDataFrame, language: str) -> list[Answer]:
    """Return the sentences about explained segments; the period is said elsewhere."""
    words, names = vocabulary(scene, language), section_names(scene, segments, language)
    words = words | {"period": ""}
    persian = persian_places(scene.settlements)
    all_of_them = len(scene.layers.get("segments", segments))
    found = []
    for row, name in zip(_rows(segments), names, strict=True):
        expected = amount(row, "expected")
        chance = chance_of(np.array([expected.value, expected.low, expected.high]), PART_SIZE)
        facts = Facts(
            expected, Amount(*chance.tolist()), rank=amount(row, "rank"), of=all_of_them,
            level=str(row.get("level", "")),
        )  # fmt: skip
        said = answer(facts, words, name)
        reasons = str(row.get(f"why_{language}") or "")
        found.append(
            Answer(said.head, said.chance, said.expected, said.rank,
                   " ".join(part for part in (reasons, _around(row, words, persian)) if part),
                   str(row.get(f"rely_{language}") or ""))
        )  # fmt: skip
    return found


def as_text(said: Sequence[Answer]) -> str:
    """Return answers as a numbered list."""
    lines = []
    for k, its in enumerate(said, start=1):
        numbers = " ".join(part for part in (its.chance, its.expected, its.rank) if part)
        rely = f"Rely on it? {its.rely}" if its.rely else ""
        lines += [f"{k}. {its.head}", *(f"   {t}" for t in (numbers, its.why, rely) if t)]
    return "\n".join(lines)


def _around(row: Mapping[str, Any], words: dict[str, Any], persian: Mapping[str, str]) -> str:
    """Say what is near a segment, as far as it is known."""
    say, language = words["phrases"], words["language"]
    parts = []
    for key, name, number in (
        ("nearest_crossing", "crossing", "crossing_km"),
        ("nearest_town", "town", "town_km"),
        ("inland", "", "hours_inland"),
    ):
        value = row.get(number)
        if value is not None and pd.notna(value) and (not name or row[name]):
            called = str(row.get(name, ""))
            if language == "fa":
                called = persian.get(slug(called), called)
            parts.append(say[key].format(name=called, n=numeral(float(value), language)))
    return " ".join(parts)


def in_window(scene: Scene, segments: gpd.GeoDataFrame, focus: Focus) -> gpd.GeoDataFrame:
    """Return the segments whose middle lies in a window."""
    middle = _middle(scene, segments).to_crs(WGS84)
    return segments[middle.within(shapely.box(*focus.bounds)).to_numpy()]
