"""How the further layers of a map are called and drawn, and what their popups list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import geopandas as gpd

MAX_FIELDS = 12


@dataclass(frozen=True)
class FieldSpec:
    """One line of a feature's popup: a column and its label in both languages."""

    column: str
    label: str
    label_fa: str
    units: str = ""


@dataclass(frozen=True)
class LayerStyle:
    """How one layer is called and drawn.

    ``weight`` is in pixels, ``dash`` an SVG dash pattern (``""`` for a full line), ``fields`` the
    columns that popups list (empty: all). Quantiles of the column ``ranked_by`` choose a colour of
    the risk ramp (``""`` for one colour), its low values the dark ones if ``darkest_lowest``;
    ``ends`` says what the light and the dark end mean. ``shown`` layers are drawn when the map
    opens; areas that are not ``filled`` do not tint the cells.
    """

    label: str
    label_fa: str
    colour: str = "#00695c"
    weight: float = 2.5
    dash: str = ""
    fields: tuple[str, ...] = ()
    ranked_by: str = ""
    darkest_lowest: bool = False
    ends: tuple[str, str] = ("low", "high")
    ends_fa: tuple[str, str] = ("کم", "زیاد")
    shown: bool = True
    filled: bool = True


_FIELDS = (
    FieldSpec("segment_id", "Segment", "پاره"),
    FieldSpec("pair", "Border", "مرز"),
    FieldSpec("rank", "Rank", "رتبه"),
    FieldSpec("rank_low", "Rank at best", "بالاترین رتبه"),
    FieldSpec("rank_high", "Rank at worst", "پایین‌ترین رتبه"),
    FieldSpec("expected", "Expected in the period", "مورد انتظار در دوره"),
    FieldSpec("count_low", "reports at least", "گزارش دست‌کم"),
    FieldSpec("count_high", "reports at most", "گزارش حداکثر"),
    FieldSpec("expected_per_year", "Expected reports a year", "گزارش مورد انتظار در سال"),
    FieldSpec("expected_low", "at least", "دست‌کم"),
    FieldSpec("expected_high", "at most", "حداکثر"),
    FieldSpec("share", "Share of all", "سهم از کل", "probability"),
    FieldSpec("rate_per_km", "Reports a year per km", "گزارش در سال در هر کیلومتر"),
    FieldSpec("length_km", "Length", "طول", "km"),
    FieldSpec("level", "Level", "سطح"),
    FieldSpec("share_not_ok", "Not to be relied on", "غیر قابل اتکا", "probability"),
    FieldSpec("rank_before", "Rank before", "رتبه پیشین"),
    FieldSpec("change_per_year", "Change a year", "تغییر در سال"),
    FieldSpec("nearest_target", "Nearest target", "نزدیک‌ترین مقصد"),
    FieldSpec("hours_to_target", "Walking time to it", "زمان پیاده تا آن", "h"),
    FieldSpec("crossing_density", "Share of routes per km", "سهم مسیرها در هر کیلومتر"),
    FieldSpec("slope_mean", "Mean slope", "شیب میانگین", "degree"),
    FieldSpec("hidden_share", "Out of sight", "دور از دید", "probability"),
    FieldSpec("trust", "Reliance", "اتکاپذیری"),
    FieldSpec("driver_1", "First driver", "عامل نخست"),
    FieldSpec("driver_2", "Second driver", "عامل دوم"),
    FieldSpec("driver_3", "Third driver", "عامل سوم"),
    FieldSpec("target", "Towards", "به سوی"),
    FieldSpec("neighbour", "From", "از"),
    FieldSpec("route", "Route", "مسیر"),
    FieldSpec("hours", "Walking time", "زمان پیاده", "h"),
    FieldSpec("best_hours", "Quickest way", "سریع‌ترین راه", "h"),
    FieldSpec("slack_hours", "Slower by", "کندتر به اندازه", "h"),
    FieldSpec("slack_from_hours", "Slower by at least", "کندتر دست‌کم", "h"),
    FieldSpec("slack_to_hours", "Slower by at most", "کندتر حداکثر", "h"),
)
LAYERS: dict[str, LayerStyle] = {
    "segments": LayerStyle(
        "Border segments by risk",
        "پاره‌های مرز بر پایه ریسک",
        weight=5,
        ranked_by="rate_per_km",
        fields=(
            "segment_id", "pair", "rank", "rank_low", "rank_high", "expected", "count_low",
            "count_high", "expected_per_year", "expected_low", "expected_high", "share",
            "rate_per_km", "length_km", "level", "rank_before", "change_per_year",
            "nearest_target", "hours_to_target", "crossing_density", "slope_mean", "hidden_share",
            "trust", "share_not_ok",
        ),
        ends=("fewest a km", "most a km"),
        ends_fa=("کمترین", "بیشترین"),
    ),
    "corridors": LayerStyle(
        "Corridors",
        "کریدورها",
        weight=1,
        ranked_by="slack_to_hours",
        darkest_lowest=True,
        ends=("slower ways", "quickest ways"),
        ends_fa=("راه‌های کندتر", "سریع‌ترین راه‌ها"),
        shown=False,
        fields=("neighbour", "target", "slack_from_hours", "slack_to_hours", "best_hours"),
    ),
    "routes": LayerStyle(
        "Quickest routes",
        "سریع‌ترین مسیرها",
        dash="6 5",
        shown=False,
        fields=("neighbour", "target", "route", "hours", "slack_hours", "length_km"),
    ),
    "posts": LayerStyle("Posts", "پاسگاه‌ها", "#1565c0"),
    "crossings": LayerStyle("Border crossings", "گذرگاه‌های مرزی", "#00838f"),
    "roads": LayerStyle("Roads", "راه‌ها", "#7a5c3e", weight=1.2),
    "zones": LayerStyle(
        "Zones", "استان‌ها و نواحی", "#6b7280", weight=1.2, dash="3 4", filled=False
    ),
}  # fmt: skip

# What an index ranks its segments by.
_OF_INDEX: dict[str, Any] = {
    "ranked_by": "rank", "darkest_lowest": True, "label": "Border segments by the index",
    "label_fa": "پاره‌های مرز بر پایه شاخص", "ends": ("lowest", "highest"),
    "ends_fa": ("پایین‌ترین", "بالاترین"),
}  # fmt: skip


def style_of(name: str, frame: gpd.GeoDataFrame) -> LayerStyle:
    """Style registered for a layer, or a plain one under its own name."""
    words = name.replace("_", " ").replace("-", " ").strip().capitalize()
    style = LAYERS.get(name) or LayerStyle(words, words)
    if style.ranked_by in frame and frame[style.ranked_by].isna().all():
        return replace(style, **_OF_INDEX)
    return style


def fields_of(style: LayerStyle, frame: gpd.GeoDataFrame) -> list[FieldSpec]:
    """Popup lines of a layer: its columns under the names registered for them, or their own."""
    known = {spec.column: spec for spec in _FIELDS}
    plain = [str(name) for name in frame.columns if name != frame.geometry.name][:MAX_FIELDS]
    words = {name: name.replace("_", " ").capitalize() for name in plain}
    names = [name for name in style.fields or plain if name in frame]
    return [known.get(n) or FieldSpec(n, words[n], words[n]) for n in names]
