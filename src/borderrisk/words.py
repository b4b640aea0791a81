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
PHRASES = _both({
    "class_1": ("in the lower half of the area", "در نیمه پایین محدوده"),
    "class_2": ("in the upper half of the area", "در نیمه بالای محدوده"),
    "class_3": ("among the top 25 % of the area", "در ۲۵ درصد بالای محدوده"),
    "class_4": ("among the top 10 % of the area", "در ۱۰ درصد بالای محدوده"),
    "class_5": ("among the top 3 % of the area", "در ۳ درصد بالای محدوده"),
    "head": ("{place} · class {k} of 5 ({class})", "{place} · رده {k} از ۵ ({class})"),
    "head_level": ("{place} · level {level}", "{place} · سطح {level}"),
    "level_low": ("low", "کم"),
    "level_medium": ("medium", "متوسط"),
    "level_high": ("high", "زیاد"),
    "level_critical": ("critical", "بحرانی"),
    "section": ("{pair}, km {from} to {to}, {near}", "{pair}، کیلومتر {from} تا {to}، {near}"),
    "nearest_crossing": (
        "Nearest crossing: {name}, {n} km.", "نزدیک‌ترین گذرگاه: {name}، {n} کیلومتر.",
    ),
    "nearest_town": ("Nearest town: {name}, {n} km.", "نزدیک‌ترین شهر: {name}، {n} کیلومتر."),
    "inland": (
        "{n} h on foot to the nearest town inland.",
        "{n} ساعت پیاده تا نزدیک‌ترین شهر درون کشور.",
    ),
    "near": ("{km} km {direction} of {town}", "{km} کیلومتری {direction} {town}"),
    "between": ("between {from} and {to}", "از {from} تا {to}"),
    "chance": (
        "About {chance} for a reported incident {period}{interval}.",
        "احتمال یک رویداد گزارش‌شده {period}: حدود {chance}{interval}.",
    ),
    "one_in": ("1 in {n}", "۱ در {n}"),
    "in_100": ("{n} in 100", "{n} در ۱۰۰"),
    "tiny": ("less than 1 in 1,000,000", "کمتر از ۱ در ۱٬۰۰۰٬۰۰۰"),
    "expected": (
        "Expected reported incidents: {n}{interval}.",
        "رویدادهای گزارش‌شده مورد انتظار: {n}{interval}.",
    ),
    "rank": ("Rank {n} of {all}{interval}.", "رتبه {n} از {all}{interval}."),
    "interval": (" ({low} to {high})", " ({low} تا {high})"),
    "no_interval": (" (no interval in a first look)", " (نگاه نخست بازه ندارد)"),
    "no_interval_carried": (
        " (no interval: the model is from elsewhere)", " (بی‌بازه: مدل از جای دیگری است)",
    ),
    "no_interval_scenario": (" (no interval in a what-if)", " (سناریو بازه ندارد)"),
    "why": ("Why.", "چرا؟"),
    "earlier": (
        "{share} % of it from earlier incidents: {list}.",
        "{share}٪ آن از رویدادهای پیشین: {list}.",
    ),
    "earlier_many": (
        "{share} % of it from earlier incidents, none of which stands out.",
        "{share}٪ آن از رویدادهای پیشین، که هیچ‌یک برجسته نیست.",
    ),
    "earlier_plain": (
        "{share} % of it from earlier incidents.", "{share}٪ آن از رویدادهای پیشین.",
    ),
    "ground": ("{share} % from the ground: {list}.", "{share}٪ از زمین: {list}."),
    "ground_group": (
        "{share} % from the ground behind it, on average {list}.",
        "{share}٪ از زمین پشت آن، میانگین: {list}.",
    ),
    "lowered_group": (
        "What lowers it, on average: {list}.", "آنچه آن را پایین می‌آورد، میانگین: {list}.",
    ),
    "ground_plain": ("{share} % from the ground and access.", "{share}٪ از زمین و دسترسی."),
    "even": ("{share} % the same everywhere.", "{share}٪ یکسان در همه‌جا."),
    "raised": ("What raises it: {list}.", "آنچه آن را بالا می‌برد: {list}."),
    "lowered": ("What lowers it: {list}.", "آنچه آن را پایین می‌آورد: {list}."),
    "low": ("Low here: {list}.", "در اینجا کم است: {list}."),
    "far": (
        "{km} km from the nearest earlier incident, farther than {p} % of the area",
        "{km} کیلومتر تا نزدیک‌ترین رویداد پیشین، دورتر از {p}٪ محدوده",
    ),
    "than": ("{more} ({value}) than {p} % of the area", "{more} ({value}) نسبت به {p}٪ محدوده"),
    "more_than": (
        "{name} {value}, more than in {p} % of the area", "{name} {value}، بیش از {p}٪ محدوده",
    ),
    "less_than": (
        "{name} {value}, less than in {p} % of the area", "{name} {value}، کمتر از {p}٪ محدوده",
    ),
    "incident": (
        "{kind}{place}, {date}{away} (place known to {radius} km)",
        "{kind}{place}، {date}{away} (جای آن تا {radius} کیلومتر معلوم است)",
    ),
    "any_incident": ("incident", "رویداد"),
    "incident_place": (", {place}", "، {place}"),
    "away": (", {km} km away", "، در {km} کیلومتری"),
    "more": ("{n} more", "{n} رویداد دیگر"),
    "rely": ("Rely on it?", "می‌توان به آن تکیه کرد؟"),
    "rely_ok": (
        "Yes: like the places learned from, and reported on as much.",
        "بله: همانند جاهای آموخته است و به همان اندازه از آن گزارش می‌شود.",
    ),
    "rely_extrapolation": (
        "No: the ground is unlike the places learned from.",
        "نه: زمین آن ناهمانند جاهای آموخته است.",
    ),
    "rely_sparse": (
        "No: too few reports near to tell quiet from silence.",
        "نه: گزارش‌های نزدیک آن کمتر از آن است که آرامش از سکوت شناخته شود.",
    ),
    "rely_edge": (
        "No: its surroundings are cut off by the edge of the data.",
        "نه: پیرامون آن در لبه داده‌ها بریده شده است.",
    ),
    "rely_index": (
        "No forecast: an index of expert weights, which was not tested here.",
        "پیش‌بینی نیست: شاخصی از وزن‌های کارشناسی است که اینجا آزموده نشده است.",
    ),
    "part_index": ("{p} % of it is an index only", "{p}٪ آن تنها شاخص است"),
    "rely_part": ("Not all of it: {list}.", "نه به همه آن: {list}."),
    "part_extrapolation": (
        "{p} % of it is unlike the places learned from", "{p}٪ آن ناهمانند جاهای آموخته است",
    ),
    "part_sparse": (
        "{p} % of it has too few reports near", "{p}٪ آن گزارش کافی در نزدیکی ندارد",
    ),
    "part_edge": (
        "{p} % of it is cut off by the edge of the data", "{p}٪ آن در لبه داده‌ها بریده شده است",
    ),
    "percent": ("{n} %", "{n}٪"),
    "list": ("; ", "؛ "),
    "sum_where": (
        "Reported incidents expected {period}: {n}{counts}. The tenth of the area ranked first "
        "holds {p} % of that, above all near {places}.",
        "رویدادهای گزارش‌شده مورد انتظار {period}: {n}{counts}. {p}٪ آن در یک‌دهم نخست محدوده "
        "است، بیش از همه نزدیک {places}.",
    ),
    "counts": (
        "; with {p} % chance between {low} and {high} will be reported",
        "؛ به احتمال {p}٪ میان {low} و {high} رویداد گزارش می‌شود",
    ),
    "sum_index": (
        "This is an index of expert weights and no forecast; it is highest near {places}.",
        "این شاخصی از وزن‌های کارشناسی است و پیش‌بینی نیست؛ بیشترین آن نزدیک {places} است.",
    ),
    "sum_tested": (
        "In {origins} tests on past periods the tenth of the area ranked first held {own} % of the "
        "{incidents} incidents that followed{base}; {ok} % of the area can be relied on.",
        "در {origins} آزمون روی دوره‌های گذشته، یک‌دهم نخست محدوده {own}٪ از {incidents} رویداد "
        "بعدی را در بر داشت{base}؛ به {ok}٪ محدوده می‌توان تکیه کرد.",
    ),
    "sum_base": (
        " (history alone: {p} %)", " (تاریخچه به‌تنهایی: {p}٪)",
    ),
    "sum_untested": (
        "It was not tested in this run how good this is; {ok} % of the area is like the places "
        "learned from and reported on as much.",
        "خوبی این پیش‌بینی در این اجرا آزموده نشده است؛ {ok}٪ محدوده همانند جاهای آموخته است.",
    ),
    "sum_changed": (
        "Sections of border that changed against {before} by more than their intervals allow: "
        "{up} up, {down} down{most}.",
        "پاره‌های مرز که نسبت به {before} بیش از بازه‌هایشان تغییر کرده‌اند: {up} افزایش، {down} "
        "کاهش{most}.",
    ),
    "sum_moved": (
        "Against {before}, {n} of the reported incidents expected a year lie behind other sections "
        "of border{most}.",
        "نسبت به {before}، {n} رویداد گزارش‌شده مورد انتظار در سال پشت پاره‌های دیگر مرز است{most}.",
    ),
    "sum_most": ("; most of all {name}", "؛ بیش از همه {name}"),
    "before_run": ("the earlier run", "اجرای پیشین"),
    "before_scenario": ("the run without the scenario", "اجرای بدون سناریو"),
    "made": (
        "Forecast {period}. Data until {until}. Run {run}.",
        "پیش‌بینی {period}. داده‌ها تا {until}. اجرا {run}.",
    ),
    "made_index": (
        "expert weights, no incidents; not a forecast",
        "وزن‌های کارشناسی، بی‌رویداد؛ پیش‌بینی نیست",
    ),
    "places": ("The highest places", "بالاترین جاها"),
    "sections": ("The highest sections of border", "بالاترین پاره‌های مرز"),
    "doubts": ("What not to rely on", "به چه نباید تکیه کرد"),
    "left_out": ("{n} more are in the report.", "{n} مورد دیگر در گزارش است."),
    "map": ("Risk class by share of the study area", "رده ریسک بر پایه سهم از محدوده مطالعه"),
    "doubt_radius": (
        "The places of the {n} incidents learned from are known to {km} km (the middle one): the "
        "surroundings say more than a single cell.",
        "جای {n} رویداد آموخته تا {km} کیلومتر (میانه) معلوم است: پیرامون بیش از یک سلول می‌گوید.",
    ),
    "doubt_silence": (
        "It learns from reports: quiet on the map is no proof of quiet on the ground.",
        "از گزارش‌ها می‌آموزد: آرامش روی نقشه گواه آرامش روی زمین نیست.",
    ),
    "doubt_interval": (
        "No interval was computed: nothing here says how far off the numbers may be.",
        "بازه‌ای محاسبه نشده است: چیزی نمی‌گوید عددها تا چه اندازه دورند.",
    ),
})  # fmt: skip
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


def numeral(value: float, language: str = "en") -> str:
    """Write a number as sentences do: two figures below 10, else whole, thousands apart.

    Examples
    --------
    >>> numeral(7.84), numeral(0.0131), numeral(84.4), numeral(12345), numeral(float("nan"))
    ('7.8', '0.013', '84', '12,345', '–')
    """
    text = _numeral(value)
    return text.translate(_DIGITS) if language == "fa" else text


@lru_cache(maxsize=1 << 16)
def _numeral(value: float) -> str:
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
    name_fa: str = ""

    def __str__(self) -> str:
        """Say it like ``42 km NE of Zabol``."""
        return self.said("en")

    def said(self, language: str) -> str:
        """Say it in a language."""
        name = (self.name_fa if language == "fa" else "") or self.name
        if self.km < 1:
            return name
        towards = POINTS[language][POINTS["en"].index(self.direction)]
        return PHRASES["near"][language].format(
            km=numeral(round(self.km), language), direction=towards, town=name
        )


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
