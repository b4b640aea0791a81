"""What things are called on the map, in English and Persian."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import pandas as pd

from borderrisk.features import catalogue

Label = dict[str, str]


@cache
def asset(name: str) -> str:
    """Text of a file shipped beside this module."""
    folder = resources.files("borderrisk.outputs.webmap") / "assets"
    return (folder / name).read_text(encoding="utf-8")


@cache
def names() -> dict[str, Any]:
    """Return the table of names."""
    table: dict[str, Any] = json.loads(asset("names.json"))
    return table


def strings() -> dict[str, Label]:
    """Texts of the interface by language."""
    table: dict[str, Label] = json.loads(asset("strings.json"))
    return table


def variable_label(
    name: str, attrs: dict[str, Any], places: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Label of a variable that the tables do not know, by its own attributes."""
    label = str(attrs["long_name"])
    note = {"en": "", "fa": ""}
    persian = feature_fa(name, places) or label
    return {"en": label, "fa": persian, "units": str(attrs.get("units", "")), "note": note}


def metric_label(name: str, places: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Label, unit and explanation of a score or feature in both languages.

    Parameters
    ----------
    name : str
        A score of ``names.json`` or a feature of the catalogue.
    places : mapping of str to str, optional
        Persian names of places by :func:`slug`.
    """
    entry = names()["metrics"].get(name)
    if entry:
        return {
            "en": entry["en"],
            "fa": entry["fa"],
            "units": entry["units"],
            "note": {"en": entry["note_en"], "fa": entry["note_fa"]},
        }
    feature = catalogue.feature(name)
    note = " · ".join(part for part in (feature.source, feature.citation) if part)
    return {
        "en": feature.long_name,
        "fa": feature_fa(name, places) or feature.long_name,
        "units": feature.units,
        "note": {"en": note, "fa": note},
    }


def is_named(name: str) -> bool:
    """Whether :func:`metric_label` knows a variable."""
    return name in names()["metrics"] or catalogue.is_feature(name)


def feature_fa(name: str, places: Mapping[str, str] | None = None) -> str:
    """Persian name of a feature, ``""`` when it has none."""
    for template, label in names()["features"].items():
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template))
        if match := re.fullmatch(pattern, name):
            words = {kind: _word(kind, text, places) for kind, text in match.groupdict().items()}
            return str(label).format(**words)
    return ""


def _word(kind: str, text: str, places: Mapping[str, str] | None) -> str:
    if kind == "ccc":
        return country_label(text.upper())["fa"]
    if kind == "target":
        return (places or {}).get(slug(text)) or catalogue.spoken(kind, text)
    return catalogue.spoken(kind, text).translate(_PERSIAN_DIGITS)


_PERSIAN_DIGITS = str.maketrans("0123456789,", "۰۱۲۳۴۵۶۷۸۹٬")


def slug(name: str) -> str:
    """Spelling under which one place is found: lower case, no marks, no spaces.

    Examples
    --------
    >>> slug("Chāh Bahār") == slug("chah-bahar")
    True
    """
    plain = unicodedata.normalize("NFKD", name)
    return "".join(c for c in plain.casefold() if c.isalnum())


def persian_places(settlements: pd.DataFrame) -> dict[str, str]:
    """Persian names of settlements by :func:`slug`; the largest place of a name wins."""
    rows = settlements.sort_values("population", kind="stable")
    pairs = zip(rows["name"].astype(str), rows["name_fa"].fillna("").astype(str), strict=True)
    return {slug(name): persian for name, persian in pairs if persian}


def country_label(code: str) -> Label:
    """Name of a country by its ISO 3166 code; the code itself when none is known."""
    english = catalogue.COUNTRIES.get(code, code)
    return {"en": english, "fa": names()["countries"].get(code, english)}


def pair_label(pair: str) -> Label:
    """Name of the border between two countries, like ``IRN-AFG``.

    Examples
    --------
    >>> pair_label("IRN-AFG")["en"]
    'Iran – Afghanistan'
    """
    sides = [country_label(code) for code in pair.split("-")]
    return {language: " – ".join(side[language] for side in sides) for language in ("en", "fa")}


def kind_label(kind: str) -> Label:
    """Label of a kind of incident; its own name when none is known."""
    words = kind.replace("_", " ")
    return {"en": words, "fa": names()["kinds"].get(kind.lower().replace(" ", "_"), words)}
