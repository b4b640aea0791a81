"""What things are called on the map, in English and Persian."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import Any

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


def variable_label(attrs: dict[str, Any]) -> dict[str, Any]:
    """Label of a variable known only by its own attributes."""
    label = str(attrs["long_name"])
    note = {"en": "", "fa": ""}
    return {"en": label, "fa": label, "units": str(attrs.get("units", "")), "note": note}


def metric_label(name: str) -> dict[str, Any]:
    """Label, unit and explanation of a score or feature in both languages."""
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
        "fa": feature_fa(name) or feature.long_name,
        "units": feature.units,
        "note": {"en": note, "fa": note},
    }


def feature_fa(name: str) -> str:
    """Persian name of a feature, ``""`` when it has none."""
    for template, label in names()["features"].items():
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template))
        if match := re.fullmatch(pattern, name):
            return str(label).format(**{k: _word(v) for k, v in match.groupdict().items()})
    return ""


def _word(text: str) -> str:
    return country_label(text.upper())["fa"] if text.upper() in names()["countries"] else text


def country_label(code: str) -> Label:
    """Name of a country by its ISO 3166 code; the code itself when none is known."""
    known: Label = names()["countries"].get(code, {"en": code, "fa": code})
    return known


def kind_label(kind: str) -> Label:
    """Label of a kind of incident; its own name when none is known."""
    words = kind.replace("_", " ")
    return {"en": words, "fa": names()["kinds"].get(kind.lower().replace(" ", "_"), words)}
