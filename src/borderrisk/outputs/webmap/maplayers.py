"""Vector layers of a map: cut to its view, named in both languages, drawn by a registry."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import KDTree

from borderrisk.area import lighter, reproject
from borderrisk.grid import WGS84
from borderrisk.outputs.palette import DARK_RAMPS, KINDS, OTHER_KIND, RAMPS
from borderrisk.outputs.webmap.columns import RISK_SHARES, described
from borderrisk.outputs.webmap.layerstyles import LayerStyle, fields_of, style_of
from borderrisk.outputs.webmap.view import View, incidents_named
from borderrisk.words import (
    CODES,
    PHRASES,
    Label,
    country_label,
    kind_label,
    pair_label,
    slug,
    spoken,
)

AROUND_DEGREES = 1.0
SIMPLIFY_DEGREES = 0.001
MAX_PLACES, MAX_VERTICES = 1200, 6_000
# Where the name of a country may stand: nodes across the box, how much nearer its own places must
# be than foreign ones, how far from any of them, and how many spots a map carries.
NODES, SURE, NEAR_DEGREES, MAX_SPOTS = 24, 0.75, 1.5, 120
INCIDENT_TEXT = (
    "incident_id", "date_precision", "kind", "confidence", "place", "province", "country",
    "actor", "target", "summary", "source",
)  # fmt: skip
DIGITS = 4


def window(view: View) -> shapely.Geometry:
    """Box around a view in which vector layers are drawn, WGS84."""
    west, south, east, north = view.extent
    pad = AROUND_DEGREES
    return shapely.box(west - pad, south - pad, east + pad, north + pad)


def vectors_json(view: View) -> dict[str, Any]:
    """Every vector layer of a view."""
    box = window(view)
    scene = view.scene
    outline = scene.area.polygon.simplify(scene.grid.cell_size_m / 20)
    return {
        "area": geometry_json(reproject(outline, scene.grid.crs, WGS84)),
        "borders": _borders(scene.borders, box),
        "places": _places(view, box),
        "countries": _countries(scene.settlements, box),
        "nodeDegrees": round(_node_step(box), 4),
        "incidents": _incidents(view, box),
        "kinds": _kinds(scene.incidents),
        "layers": [
            layer_json(name, frame, box, view.places)
            for name, frame in sorted(scene.layers.items())
        ],
    }


def _borders(borders: gpd.GeoDataFrame, box: shapely.Geometry) -> list[dict[str, Any]]:
    near = borders[borders.intersects(box)]
    lines = near.intersection(box).simplify(SIMPLIFY_DEGREES)
    return [
        {"pair": str(pair), "g": geometry_json(line)}
        for pair, line in zip(near["pair"], lines, strict=True)
        if not line.is_empty
    ]


def _places(view: View, box: shapely.Geometry) -> list[dict[str, Any]]:
    settlements = view.scene.settlements
    near = settlements[settlements.intersects(box)]
    largest = near.sort_values(["population", "name"], ascending=[False, True]).head(MAX_PLACES)
    gx, gy = _in_cells(view, largest)
    return [
        {
            "n": str(row["name"]),
            "fa": str(row.get("name_fa") or ""),
            "c": str(row.get("country") or ""),
            "pop": int(row["population"]),
            "x": round(float(row.geometry.x), 4),
            "y": round(float(row.geometry.y), 4),
            "gx": round(float(gx[i]), 5),
            "gy": round(float(gy[i]), 5),
        }
        for i, (_, row) in enumerate(largest.iterrows())
    ]


def _countries(settlements: gpd.GeoDataFrame, box: shapely.Geometry) -> list[dict[str, Any]]:
    """Name of each country in the box with spots where it may stand, the best first.

    Spots are nodes well inside the country: every place near them is one of its own.
    """
    near = settlements[settlements.intersects(box) & (settlements["country"].astype(str) != "")]
    if near.empty:
        return []
    xy = np.column_stack([near.geometry.x, near.geometry.y])
    code = near["country"].astype(str).to_numpy()
    nodes = _nodes(box)
    found = []
    for name in np.unique(code):
        spots = name_spots(xy[code == name], xy[code != name], nodes)
        found.append({"label": country_label(str(name)), "at": spots.round(3).tolist()})
    return found


def _nodes(box: shapely.Geometry) -> np.ndarray:
    west, south, east, north = shapely.bounds(box)
    step = _node_step(box)
    lon, lat = np.meshgrid(np.arange(west, east, step), np.arange(south, north, step))
    return np.column_stack([lon.ravel(), lat.ravel()])


def _node_step(box: shapely.Geometry) -> float:
    west, south, east, north = shapely.bounds(box)
    return float(max(east - west, north - south) / NODES)


def name_spots(own: np.ndarray, others: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Middle of a country's own places, then nodes it is sure of, nearest to the middle first."""
    middle = np.median(own, axis=0)
    if not len(others):
        return middle[None]
    mine, foreign = KDTree(own).query(nodes)[0], KDTree(others).query(nodes)[0]
    inside = nodes[(mine < SURE * foreign) & (mine < NEAR_DEGREES)]
    order = np.argsort(np.hypot(*(inside - middle).T), kind="stable")
    return np.vstack([middle, inside[order[:MAX_SPOTS]]])


def _incidents(view: View, box: shapely.Geometry) -> list[dict[str, Any]]:
    """Incidents in the box with their centre in cells of the window (``gx``, ``gy``)."""
    every = view.scene.incidents
    named = np.isin(np.arange(len(every)), incidents_named(view))
    rows = np.flatnonzero(every.intersects(box).to_numpy() | named)
    near, words = every.iloc[rows], view.words
    gx, gy = _in_cells(view, near)
    return [
        {
            **{name: plain(row[name]) or "" for name in INCIDENT_TEXT if name in near},
            "row": int(rows[i]),
            "when": {k: its["incidents"][rows[i]]["date"] for k, its in words.items()},
            "date": plain(row["date"]),
            "end": plain(row.get("date_end", row["date"])),
            "radius": float(row["radius_km"]),
            "deaths": plain(row.get("deaths_reported")),
            "x": round(float(row.geometry.x), 5),
            "y": round(float(row.geometry.y), 5),
            "gx": float(gx[i]),
            "gy": float(gy[i]),
        }
        for i, (_, row) in enumerate(near.iterrows())
    ]


def _in_cells(view: View, points: gpd.GeoDataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of points in the window, to a thousandth of a metre in cells of 1 km."""
    grid, (west, _, _, north) = view.scene.grid, view.metres
    x, y = grid.project(points.geometry.x, points.geometry.y)
    size = grid.cell_size_m
    return np.round((x - west) / size, 6), np.round((north - y) / size, 6)


def _kinds(incidents: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Kinds of incident, most frequent first, each with its colour.

    Once the colours are used up they come again as rings; "other" is grey and last.
    """
    counts = incidents["kind"].astype(str).value_counts()
    names = sorted(counts.index, key=lambda kind: (kind == "other", -int(counts[kind]), kind))
    return [
        {"name": name, **kind_mark(name, i), "label": kind_label(name)}
        for i, name in enumerate(names)
    ]


def kind_mark(kind: str, number: int) -> dict[str, Any]:
    """Colour of a kind and whether its dots are rings."""
    if kind == "other" or number >= 2 * len(KINDS):
        return {"colour": OTHER_KIND, "ring": False}
    return {"colour": KINDS[number % len(KINDS)], "ring": number >= len(KINDS)}


def drawn(frame: gpd.GeoDataFrame, window: shapely.Geometry) -> gpd.GeoDataFrame:
    """Return the features of a layer that a map of a window draws."""
    return frame[frame.geometry.notna() & frame.intersects(window)]


def layer_json(
    name: str,
    frame: gpd.GeoDataFrame,
    window: shapely.Geometry,
    places: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """JSON-ready layer: its style and the features that touch a window (WGS84).

    ``places`` has the Persian names of places by :func:`borderrisk.words.slug`.
    """
    style = style_of(name, frame)
    near = drawn(frame, window)
    shapes = lighter(near.geometry.to_numpy(), MAX_VERTICES)
    fields = fields_of(style, near)
    colours = _colours(near, style)
    features = [
        {
            "g": geometry_json(geometry),
            **colour,
            "p": [worded(field.column, row[field.column], places) for field in fields],
        }
        for (_, row), geometry, colour in zip(near.iterrows(), shapes, colours, strict=True)
    ]
    return {
        "name": name,
        "label": {"en": style.label, "fa": style.label_fa},
        "weight": style.weight,
        "dash": style.dash,
        "shown": style.shown,
        "filled": style.filled,
        "colour": style.colour,
        "ramp": list(RAMPS["inferno"]) if style.ranked_by in near else [],
        "rampDark": list(DARK_RAMPS["inferno"]) if style.ranked_by in near else [],
        "ends": {"en": style.ends, "fa": style.ends_fa},
        "fields": [
            {"column": f.column, "en": f.label, "fa": f.label_fa, "units": f.units} for f in fields
        ],
        "features": features,
    }


def worded(column: str, value: Any, places: Mapping[str, str] | None = None) -> Any:
    """Value of a column for a popup; codes of countries, places and features become words.

    Examples
    --------
    >>> worded("neighbour", "AFG")["en"], worded("length_km", 9.5)
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
        words = spoken("target", value)
        words["fa"] = (places or {}).get(slug(value), words["fa"])
    elif column == "trust":
        words = CODES.get(value)
    elif column == "level":
        words = PHRASES.get(f"level_{value}")
    elif column.startswith("driver_") and (known := described(value, places=places)):
        words = {"en": known.en, "fa": known.fa}
    return words or value


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
