"""Borders, places, incidents and the further layers of a scene, cut to a view, ready for JSON."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from scipy.spatial import KDTree

from borderrisk.area import reproject
from borderrisk.grid import WGS84
from borderrisk.outputs.webmap.layers import geometry_json, layer_json, plain
from borderrisk.outputs.webmap.names import country_label, persian_places
from borderrisk.outputs.webmap.palette import KINDS, OTHER_KIND
from borderrisk.outputs.webmap.view import View

AROUND_DEGREES = 1.0
SIMPLIFY_DEGREES = 0.001
MAX_PLACES = 600
# Where the name of a country may stand: nodes across the box, how much nearer its own places must
# be than foreign ones, how far from any of them, and how many spots a map carries.
NODES, SURE, NEAR_DEGREES, MAX_SPOTS = 24, 0.75, 1.5, 120
INCIDENT_TEXT = (
    "incident_id", "date_precision", "kind", "confidence", "place", "province", "country",
    "actor", "target", "summary", "source",
)  # fmt: skip


def window(view: View) -> shapely.Geometry:
    """Box around a view in which vector layers are drawn, WGS84."""
    west, south, east, north = view.extent
    pad = AROUND_DEGREES
    return shapely.box(west - pad, south - pad, east + pad, north + pad)


def vectors_json(view: View) -> dict[str, Any]:
    """Every vector layer of a view."""
    box = window(view)
    scene = view.scene
    places = persian_places(scene.settlements)
    return {
        "area": _area(view),
        "borders": _borders(scene.borders, box),
        "places": _places(scene.settlements, box),
        "countries": _countries(scene.settlements, box),
        "nodeDegrees": round(_node_step(box), 4),
        "incidents": _incidents(view, box),
        "kinds": _kinds(scene.incidents),
        "layers": [
            layer_json(name, frame, box, places) for name, frame in sorted(scene.layers.items())
        ],
    }


def _area(view: View) -> dict[str, Any]:
    area = view.scene.area
    outline = area.polygon.simplify(area.grid.cell_size_m / 20)
    return geometry_json(reproject(outline, area.grid.crs, WGS84))


def _borders(borders: gpd.GeoDataFrame, box: shapely.Geometry) -> list[dict[str, Any]]:
    near = borders[borders.intersects(box)]
    lines = near.intersection(box).simplify(SIMPLIFY_DEGREES)
    return [
        {"pair": str(pair), "g": geometry_json(line)}
        for pair, line in zip(near["pair"], lines, strict=True)
        if not line.is_empty
    ]


def _places(settlements: gpd.GeoDataFrame, box: shapely.Geometry) -> list[dict[str, Any]]:
    near = settlements[settlements.intersects(box)]
    largest = near.sort_values(["population", "name"], ascending=[False, True]).head(MAX_PLACES)
    return [
        {
            "n": str(row["name"]),
            "fa": str(row.get("name_fa") or ""),
            "c": str(row.get("country") or ""),
            "pop": int(row["population"]),
            "x": round(float(row.geometry.x), 4),
            "y": round(float(row.geometry.y), 4),
        }
        for _, row in largest.iterrows()
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
    near = view.scene.incidents
    near = near[near.intersects(box)]
    grid, (west, _, _, north) = view.scene.grid, view.metres
    x, y = grid.project(near.geometry.x, near.geometry.y)
    gx, gy = (x - west) / grid.cell_size_m, (north - y) / grid.cell_size_m
    return [
        {
            **{name: plain(row[name]) or "" for name in INCIDENT_TEXT if name in near},
            "date": plain(row["date"]),
            "end": plain(row.get("date_end", row["date"])),
            "radius": float(row["radius_km"]),
            "deaths": plain(row.get("deaths_reported")),
            "x": round(float(row.geometry.x), 5),
            "y": round(float(row.geometry.y), 5),
            "gx": round(float(gx[i]), 3),
            "gy": round(float(gy[i]), 3),
        }
        for i, (_, row) in enumerate(near.iterrows())
    ]


def _kinds(incidents: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Kinds of incident, most frequent first, each with its colour.

    Once the colours are used up they come again as rings; "other" is grey and last.
    """
    counts = incidents["kind"].astype(str).value_counts()
    names = sorted(counts.index, key=lambda kind: (kind == "other", -int(counts[kind]), kind))
    return [{"name": name, **kind_mark(name, i)} for i, name in enumerate(names)]


def kind_mark(kind: str, number: int) -> dict[str, Any]:
    """Colour of a kind and whether its dots are rings."""
    if kind == "other" or number >= 2 * len(KINDS):
        return {"colour": OTHER_KIND, "ring": False}
    return {"colour": KINDS[number % len(KINDS)], "ring": number >= len(KINDS)}


def nearest_places(view: View, x: np.ndarray, y: np.ndarray) -> list[str]:
    """Name of the settlement nearest to each point (grid metres), ``""`` without settlements."""
    places = view.scene.settlements
    if not len(places):
        return [""] * len(x)
    px, py = view.scene.grid.project(places.geometry.x, places.geometry.y)
    tree = KDTree(np.column_stack([px, py]))
    _, nearest = tree.query(np.column_stack([x, y]))
    return [str(places["name"].iloc[i]) for i in nearest]
