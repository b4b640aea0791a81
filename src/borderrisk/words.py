"""What countries, kinds of incident, codes, units and places are called, in English and Persian."""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

Label = dict[str, str]

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
_DIGITS = str.maketrans("0123456789,", "۰۱۲۳۴۵۶۷۸۹٬")
_POINTS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


@cache
def _countries() -> dict[str, Label]:
    """Names of countries by code, from the outlines in the package."""
    packed = files("borderrisk").joinpath("basedata", "outlines.topojson.gz").read_bytes()
    shapes = json.loads(gzip.decompress(packed))["objects"]["countries"]["geometries"]
    names = ((shape["id"], shape["properties"]) for shape in shapes)
    return {code: {"en": its["name"], "fa": its["name_fa"]} for code, its in names}


def country_label(code: str) -> Label:
    """Name of a country by its ISO 3166 code; the code itself when none is known."""
    return dict(_countries().get(code, {"en": code, "fa": code}))


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

    def __str__(self) -> str:
        """Say it like ``42 km NE of Zabol``."""
        return f"{self.km:.0f} km {self.direction} of {self.name}" if self.km >= 1 else self.name


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
    return [
        Near(str(name), float(metres) / 1000, _POINTS[k])
        for metres, k, name in zip(distance, octant, near["name"], strict=True)
    ]
