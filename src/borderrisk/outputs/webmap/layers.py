"""How vector layers are drawn: a registry any layer of a scene joins by its name."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from borderrisk.outputs.webmap.metrics import RISK_SHARES
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
    shown: bool = True


_RANK = FieldSpec("rank", "Rank", "رتبه")
_PAIR = FieldSpec("pair", "Border", "مرز")
_LENGTH = FieldSpec("length_km", "Length", "طول", "km")
_INTENSITY = FieldSpec("intensity", "Intensity", "شدت", "per_100km2_year")

LAYERS: dict[str, LayerStyle] = {
    "segments": LayerStyle(
        "Border segments by risk", "پاره‌های مرز بر پایه ریسک", "#8c2369", 5, ranked_by="intensity"
    ),
    "corridors": LayerStyle("Corridors", "کریدورها", "#00897b", 3.5, shown=False),
    "routes": LayerStyle("Least-time routes", "مسیرهای کم‌زمان", "#00897b", 2, "6 5", shown=False),
    "posts": LayerStyle("Posts", "پاسگاه‌ها", "#1565c0"),
}


def style_of(name: str) -> LayerStyle:
    """Style registered for a layer, or a plain one under its own name."""
    words = name.replace("_", " ").replace("-", " ").strip().capitalize()
    return LAYERS.get(name) or LayerStyle(words, words)


def layer_json(name: str, frame: gpd.GeoDataFrame, window: shapely.Geometry) -> dict[str, Any]:
    """JSON-ready layer: its style and the features that touch a window (WGS84)."""
    style = style_of(name)
    near = frame[frame.geometry.notna() & frame.intersects(window)]
    fields = style.fields or _plain_fields(near)
    colours = _colours(near, style)
    features = [
        {
            "g": geometry_json(geometry),
            **colour,
            "p": [plain(row[field.column]) for field in fields if field.column in near],
        }
        for (_, row), geometry, colour in zip(near.iterrows(), near.geometry, colours, strict=True)
    ]
    return {
        "name": name,
        "label": {"en": style.label, "fa": style.label_fa},
        "weight": style.weight,
        "dash": style.dash,
        "shown": style.shown,
        "ramp": list(RAMPS["inferno"]) if style.ranked_by in near else [],
        "fields": [
            {"en": f.label, "fa": f.label_fa, "units": f.units} for f in fields if f.column in near
        ],
        "features": features,
    }


def _plain_fields(frame: gpd.GeoDataFrame) -> tuple[FieldSpec, ...]:
    """Every column but the geometry, under its own name or the one registered for it."""
    known = {spec.column: spec for spec in (_RANK, _PAIR, _LENGTH, _INTENSITY)}
    names = [str(c) for c in frame.columns if c != frame.geometry.name][:MAX_FIELDS]
    return tuple(known.get(n) or FieldSpec(n, _words(n), _words(n)) for n in names)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _colours(frame: gpd.GeoDataFrame, style: LayerStyle) -> list[dict[str, Any]]:
    """Give each feature a class of the layer's ramp (``k``) or the layer's colour (``c``)."""
    if style.ranked_by not in frame:
        return [{"c": style.colour}] * len(frame)
    share = pd.to_numeric(frame[style.ranked_by], errors="coerce").rank(pct=True).fillna(0)
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
