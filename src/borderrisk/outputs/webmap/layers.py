"""How vector layers are drawn: a registry any layer of a scene joins by its name."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from borderrisk.features.catalogue import spoken
from borderrisk.outputs.webmap.metrics import RISK_SHARES
from borderrisk.outputs.webmap.names import (
    Label,
    country_label,
    is_named,
    metric_label,
    names,
    pair_label,
    slug,
)
from borderrisk.outputs.webmap.palette import RAMPS

DIGITS = 4
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

    Attributes
    ----------
    label, label_fa : str
        Name in the list of layers.
    colour : str
        ``#rrggbb`` of its lines and points.
    weight : float
        Width of its lines, pixels.
    dash : str
        SVG dash pattern, ``""`` for a full line.
    fields : tuple of FieldSpec
        Popup lines; empty: every column with a plain value.
    ranked_by : str
        Column whose quantiles choose a colour of the risk ramp; ``""`` for one colour.
    darkest_lowest : bool
        Whether low values of that column are the dark ones.
    ends, ends_fa : tuple of str
        What the light and the dark end of the ramp mean.
    shown : bool
        Whether it is drawn when the map opens.
    """

    label: str
    label_fa: str
    colour: str = "#00695c"
    weight: float = 2.5
    dash: str = ""
    fields: tuple[FieldSpec, ...] = ()
    ranked_by: str = ""
    darkest_lowest: bool = False
    ends: tuple[str, str] = ("low", "high")
    ends_fa: tuple[str, str] = ("کم", "زیاد")
    shown: bool = True


_FIELDS = (
    FieldSpec("segment_id", "Segment", "پاره"),
    FieldSpec("pair", "Border", "مرز"),
    FieldSpec("rank", "Rank", "رتبه"),
    FieldSpec("rank_low", "Rank at best", "بالاترین رتبه"),
    FieldSpec("rank_high", "Rank at worst", "پایین‌ترین رتبه"),
    FieldSpec("expected_per_year", "Expected reports a year", "گزارش مورد انتظار در سال"),
    FieldSpec("expected_low", "at least", "دست‌کم"),
    FieldSpec("expected_high", "at most", "حداکثر"),
    FieldSpec("share", "Share of all", "سهم از کل", "probability"),
    FieldSpec("rate_per_km", "Reports a year per km", "گزارش در سال در هر کیلومتر"),
    FieldSpec("length_km", "Length", "طول", "km"),
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
_BY_COLUMN = {spec.column: spec for spec in _FIELDS}


def _fields(*columns: str) -> tuple[FieldSpec, ...]:
    return tuple(_BY_COLUMN[column] for column in columns)


LAYERS: dict[str, LayerStyle] = {
    "segments": LayerStyle(
        "Border segments by risk",
        "پاره‌های مرز بر پایه ریسک",
        weight=5,
        ranked_by="rate_per_km",
        fields=_fields(
            "segment_id", "pair", "rank", "rank_low", "rank_high", "expected_per_year",
            "expected_low", "expected_high", "share", "rate_per_km", "length_km", "rank_before",
            "change_per_year", "nearest_target", "hours_to_target", "crossing_density",
            "slope_mean", "hidden_share", "trust", "driver_1", "driver_2", "driver_3",
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
        fields=_fields("neighbour", "target", "slack_from_hours", "slack_to_hours", "best_hours"),
    ),
    "routes": LayerStyle(
        "Quickest routes",
        "سریع‌ترین مسیرها",
        dash="6 5",
        shown=False,
        fields=_fields("neighbour", "target", "route", "hours", "slack_hours", "length_km"),
    ),
    "posts": LayerStyle("Posts", "پاسگاه‌ها", "#1565c0"),
}  # fmt: skip


def style_of(name: str) -> LayerStyle:
    """Style registered for a layer, or a plain one under its own name."""
    words = name.replace("_", " ").replace("-", " ").strip().capitalize()
    return LAYERS.get(name) or LayerStyle(words, words)


def layer_json(
    name: str,
    frame: gpd.GeoDataFrame,
    window: shapely.Geometry,
    places: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """JSON-ready layer: its style and the features that touch a window (WGS84).

    ``places`` has the Persian names of places by :func:`borderrisk.outputs.webmap.names.slug`.
    """
    style = style_of(name)
    near = frame[frame.geometry.notna() & frame.intersects(window)]
    fields = [field for field in style.fields or _plain_fields(near) if field.column in near]
    colours = _colours(near, style)
    features = [
        {
            "g": geometry_json(geometry),
            **colour,
            "p": [in_words(field.column, row[field.column], places) for field in fields],
        }
        for (_, row), geometry, colour in zip(near.iterrows(), near.geometry, colours, strict=True)
    ]
    return {
        "name": name,
        "label": {"en": style.label, "fa": style.label_fa},
        "weight": style.weight,
        "dash": style.dash,
        "shown": style.shown,
        "colour": style.colour,
        "ramp": list(RAMPS["inferno"]) if style.ranked_by in near else [],
        "ends": {"en": style.ends, "fa": style.ends_fa},
        "fields": [{"en": f.label, "fa": f.label_fa, "units": f.units} for f in fields],
        "features": features,
    }


def in_words(column: str, value: Any, places: Mapping[str, str] | None = None) -> Any:
    """Value of a column for a popup; codes of countries, places and features become words.

    Examples
    --------
    >>> in_words("neighbour", "AFG")["en"], in_words("length_km", 9.5)
    ('Afghanistan', 9.5)
    """
    value = plain(value)
    if not isinstance(value, str) or not value:
        return value
    words: Label | None = None
    if column == "neighbour":
        words = country_label(value)
    elif column == "pair":
        words = pair_label(value)
    elif column in ("target", "nearest_target"):
        english = spoken("target", value)
        words = {"en": english, "fa": (places or {}).get(slug(value), english)}
    elif column == "trust":
        words = names()["codes"].get(value)
    elif column.startswith("driver_") and is_named(value):
        label = metric_label(value, places)
        words = {language: str(label[language]) for language in ("en", "fa")}
    return words or value


def _plain_fields(frame: gpd.GeoDataFrame) -> tuple[FieldSpec, ...]:
    """Every column but the geometry, under its own name or the one registered for it."""
    names = [str(c) for c in frame.columns if c != frame.geometry.name][:MAX_FIELDS]
    return tuple(_BY_COLUMN.get(n) or FieldSpec(n, _words(n), _words(n)) for n in names)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _colours(frame: gpd.GeoDataFrame, style: LayerStyle) -> list[dict[str, Any]]:
    """Give each feature a class of the layer's ramp (``k``) or the layer's colour (``c``)."""
    if style.ranked_by not in frame:
        return [{"c": style.colour}] * len(frame)
    values = pd.to_numeric(frame[style.ranked_by], errors="coerce")
    share = values.rank(pct=True, ascending=not style.darkest_lowest).fillna(0)
    return [{"k": int(np.searchsorted(RISK_SHARES, value, side="left"))} for value in share]


def geometry_json(geometry: shapely.Geometry) -> dict[str, Any]:
    """GeoJSON geometry with coordinates rounded to about ten metres."""
    rounded = shapely.transform(geometry, lambda xy: np.round(xy, DIGITS))
    text = shapely.to_geojson(rounded)
    return dict(json.loads(text))


def plain(value: Any) -> Hashable:
    """Return a value JSON can hold: numbers, text, or None for anything missing."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return str(value)
