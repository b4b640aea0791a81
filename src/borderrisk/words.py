"""What countries, kinds of incident, codes, units and places are called, in English and Persian."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

Label = dict[str, str]
LANGUAGES = ("en", "fa")

KINDS = {
    "bombing": "بمب‌گذاری", "suicide_bombing": "بمب‌گذاری انتحاری",
    "armed_attack": "حمله مسلحانه", "clash": "درگیری", "armed_clash": "درگیری مسلحانه",
    "smuggling_clash": "درگیری با قاچاقچیان", "ambush": "کمین", "abduction": "ربایش",
    "kidnapping": "آدم‌ربایی", "assassination": "ترور", "shelling": "گلوله‌باران",
    "infiltration": "نفوذ", "crossing": "عبور", "smuggling": "قاچاق", "ied": "بمب کنار جاده",
    "border_clash": "درگیری مرزی", "airstrike": "حمله هوایی", "attack": "حمله", "raid": "یورش",
    "arrest": "بازداشت", "explosion": "انفجار", "hostage": "گروگان‌گیری",
    "shooting": "تیراندازی", "other": "دیگر",
}  # fmt: skip


def _both(pairs: dict[str, tuple[str, str]]) -> dict[str, Label]:
    return {key: {"en": en, "fa": fa} for key, (en, fa) in pairs.items()}


CODES = _both({
    "within_intervals": ("within the intervals", "درون بازه‌ها"),
    "rose": ("rose", "افزایش"),
    "fell": ("fell", "کاهش"),
    "ok": ("ok", "خوب"),
    "extrapolation": ("unlike the places learned from", "ناهمانند جاهای آموخته"),
    "sparse": ("few incidents near", "رویدادهای کم در نزدیکی"),
    "index": ("an index, not a forecast", "شاخص، نه پیش‌بینی"),
    "edge": ("edge of the data", "لبه داده‌ها"),
})  # fmt: skip
MODELS = _both({
    "uniform": ("uniform", "یکنواخت"),
    "border_distance": ("distance to the border", "فاصله تا مرز"),
    "kde": ("density of earlier incidents", "چگالی رویدادهای پیشین"),
    "persistence": ("density of the latest incidents", "چگالی تازه‌ترین رویدادها"),
})  # fmt: skip
UNITS = _both({
    "km": ("km", "کیلومتر"), "m": ("m", "متر"), "h": ("h", "ساعت"), "degree": ("°", "°"),
    "1/m": ("1/m", "بر متر"), "persons": ("people", "نفر"),
    "per_100km2_year": ("per 100 km² a year", "در ۱۰۰ کیلومتر مربع در سال"),
    "percentile": ("", ""), "factor": ("×", "×"), "1": ("", ""),
})  # fmt: skip
# Sentences about a place, put together by borderrisk.outputs.reasons and by the map.
PHRASES: dict[str, Label] = json.loads(
    files("borderrisk").joinpath("phrases.json").read_text(encoding="utf-8")
)
MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "fa": (
        "ژانویه", "فوریه", "مارس", "آوریل", "مه", "ژوئن", "ژوئیه", "اوت", "سپتامبر", "اکتبر",
        "نوامبر", "دسامبر",
    ),
}  # fmt: skip
POINTS = {
    "en": ("N", "NE", "E", "SE", "S", "SW", "W", "NW"),
    "fa": (
        "شمال", "شمال شرقی", "شرق", "جنوب شرقی", "جنوب", "جنوب غربی", "غرب", "شمال غربی",
    ),
}  # fmt: skip
_DIGITS = str.maketrans("0123456789,.", "۰۱۲۳۴۵۶۷۸۹٬٫")


@lru_cache(maxsize=1 << 17)
def numeral(value: float, language: str = "en") -> str:
    """Write a number as sentences do: two figures below 10, else whole, thousands apart.

    Examples
    --------
    >>> numeral(7.84), numeral(0.0131), numeral(84.4), numeral(12345), numeral(float("nan"))
    ('7.8', '0.013', '84', '12,345', '–')
    """
    if language == "fa":
        return numeral(value).translate(_DIGITS)
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 9.95:
        text = f"{size:,.0f}"
    elif size == 0:
        return "0"
    else:
        places = max(0, 1 - math.floor(math.log10(float(f"{size:.1e}"))))
        text = f"{size:.{min(places, 9)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"\u2212{text}" if value < 0 else text


def told(key: str, language: str, **slots: str | float) -> str:
    """Return one of :data:`PHRASES`, its slots filled with texts and :func:`numeral` of numbers.

    Examples
    --------
    >>> told("rank", "en", n=1, all=1200, interval="")
    'Rank 1 of 1,200.'
    """
    for name, value in slots.items():
        if not isinstance(value, str):
            slots[name] = numeral(value, language)
    return PHRASES[key][language].format(**slots)


@cache
def countries() -> dict[str, dict[str, Any]]:
    """Facts about the countries of the world base by code: ``iso2, name, name_fa, aliases``."""
    return dict(json.loads(files("borderrisk").joinpath("basedata", "countries.json").read_bytes()))


def country_label(code: str) -> Label:
    """Name of a country by its ISO 3166 code; the code itself when none is known."""
    known = countries().get(code, {"name": code, "name_fa": code})
    return {"en": known["name"], "fa": known["name_fa"]}


def pair_label(pair: str) -> Label:
    """Name of the border between two countries, like ``IRN-AFG``.

    Examples
    --------
    >>> pair_label("IRN-AFG")["en"]
    'Iran – Afghanistan'
    """
    sides = [country_label(code) for code in pair.split("-")]
    return {language: " – ".join(side[language] for side in sides) for language in LANGUAGES}


def kind_label(kind: str) -> Label:
    """Label of a kind of incident; its own name when none is known."""
    words = kind.replace("_", " ")
    return {"en": words, "fa": KINDS.get(kind.lower().replace(" ", "_"), words)}


def spoken(kind: str, text: str) -> Label:
    """Put a part of a variable's name into words.

    ``kind`` is ``ccc`` for a country, ``size`` for a number of people, ``target`` for a place.

    Examples
    --------
    >>> [spoken(k, t)["en"] for k, t in (("ccc", "tkm"), ("target", "torbat-e_jam"))]
    ['Turkmenistan', 'Torbat-e Jam']
    >>> spoken("size", "10k")
    {'en': '10,000', 'fa': '۱۰٬۰۰۰'}
    """
    if kind == "ccc":
        return country_label(text.upper())
    if kind == "target":
        name = re.sub(r"[^\W_]{3,}", lambda word: word[0].capitalize(), text.replace("_", " "))
        return {"en": name, "fa": name}
    if kind == "size" and re.fullmatch(r"\d+k?", text):
        text = f"{int(text.rstrip('k')) * (1000 if text.endswith('k') else 1):,}"
    return {"en": text, "fa": text.translate(_DIGITS)}


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


@dataclass(frozen=True)
class Near:
    """The settlement nearest to a point: how far the point is from it, and in which direction."""

    name: str
    km: float
    direction: str
    name_fa: str = ""

    def __str__(self) -> str:
        """Say it like ``42 km NE of Zabol``."""
        return self.said("en")

    def called(self, language: str) -> str:
        """Name of the settlement in a language, as far as it has one."""
        return (self.name_fa if language == "fa" else "") or self.name

    def said(self, language: str) -> str:
        """Say it in a language."""
        name = self.called(language)
        if self.km < 1:
            return name
        towards = POINTS[language][POINTS["en"].index(self.direction)]
        return told("near", language, km=round(self.km), direction=towards, town=name)


def nearest_places(settlements: gpd.GeoDataFrame, points: gpd.GeoSeries) -> list[Near | None]:
    """Find the nearest settlement of each point (in projected metres); None without any."""
    if settlements.empty:
        return [None] * len(points)
    places = settlements.to_crs(points.crs)
    found, distance = places.sindex.nearest(points, return_all=False, return_distance=True)
    near = places.iloc[found[1]]
    east = points.x.to_numpy() - near.geometry.x.to_numpy()
    north = points.y.to_numpy() - near.geometry.y.to_numpy()
    octant = np.round(np.arctan2(east, north) / (np.pi / 4)).astype(int) % 8
    persian = near["name_fa"].fillna("") if "name_fa" in near else [""] * len(near)
    return [
        Near(str(name), float(metres) / 1000, POINTS["en"][k], str(name_fa))
        for metres, k, name, name_fa in zip(distance, octant, near["name"], persian, strict=True)
    ]
