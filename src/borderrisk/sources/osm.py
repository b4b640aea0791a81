"""OpenStreetMap by way of Overpass: what is asked for a window, and features of the answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import geopandas as gpd
import shapely

from borderrisk.runs import read_json
from borderrisk.sources.cutting import Made, Wanted, corner, write
from borderrisk.sources.downloads import Remote, Store

Tags = tuple[tuple[str, str], ...]

_OVERPASS = "https://overpass-api.de/api/interpreter?data="

# Kilometres an hour on an ordinary road of the class.
ROAD_SPEEDS = {"motorway": 100, "trunk": 90, "primary": 80, "secondary": 60, "tertiary": 45}


def ask(
    wanted: Wanted, _: Store | None, what: str, selectors: tuple[str, ...], step: int, out: str
) -> list[Remote]:
    """Return queries for squares of ``step`` degrees; step 0: one for the whole window."""
    west, south, east, north = (round(value, 3) for value in wanted.window)
    boxes = {what: (south, west, north, east)}
    if step:
        boxes = {
            f"{what}-{corner(w, s)}-{step}": (s, w, s + step, w + step)
            for w, s in wanted.squares(step)
        }
    found = []
    for name, box in boxes.items():
        asked = "".join(f"{selector}({','.join(map(str, box))});" for selector in selectors)
        query = f"[out:json][timeout:180];({asked});out tags {out};"
        # The box is in the name: another window is another answer.
        label = f"{name}.json" if step else f"{name}_{'_'.join(map(str, box))}.json"
        url = _OVERPASS + quote(query, safe="")
        found.append(Remote(url, "OpenStreetMap (Overpass)", "overpass", label, wait_s=30))
    return found


def _elements(store: Store, remotes: list[Remote]) -> tuple[list[dict[str, Any]], str]:
    """Return elements, each once and in the order of their ids, and the date of the data."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    dates = set()
    for remote in remotes:
        answer = read_json(store.get(remote).path)
        dates.add(str(answer.get("osm3s", {}).get("timestamp_osm_base", ""))[:10])
        found |= {(e["type"], e["id"]): e for e in answer["elements"]}
    return [found[key] for key in sorted(found)], max(dates, default="")


def lines(_: Wanted, store: Store, remotes: list[Remote], folder: Path, key: str, tag: str) -> Made:
    """Write roads or waters with their ``class``, the value of a tag; closed water is an area."""
    elements, version = _elements(store, remotes)
    rows = []
    for element in elements:
        xy = [(p["lon"], p["lat"]) for p in element.get("geometry") or [] if p]
        tags = element.get("tags", {})
        if len(xy) > 1:
            closed = tags.get("natural") == "water" and len(xy) > 3 and xy[0] == xy[-1]
            shape = shapely.Polygon(xy) if closed else shapely.LineString(xy)
            kind = tags.get(tag, tags.get("natural", "")).removesuffix("_link")
            rows.append({"class": kind, "name": tags.get("name", ""), "geometry": shape})
    made = _features(rows, folder, key, version)
    speeds = {"features.travel.road_speeds_kmh": ROAD_SPEEDS} if key == "roads" and rows else {}
    return replace(made, settings=speeds)


def points(
    _: Wanted, store: Store, remotes: list[Remote], folder: Path, key: str, tags: Tags
) -> Made:
    """Write points with their ``kind``, the value of the tag that they were found by."""
    elements, version = _elements(store, remotes)
    rows = []
    for element in elements:
        at, own = element.get("center", element), element.get("tags", {})
        if "lon" in at:
            kind = next((value for name, value in tags if own.get(name) == value), "")
            name = own.get("name:en") or own.get("name") or f"OSM {element['type']} {element['id']}"
            names = {"name": name, "kind": kind}
            rows.append({**names, "geometry": shapely.Point(at["lon"], at["lat"])})
    return _features(rows, folder, key, version)


def _features(rows: list[dict[str, Any]], folder: Path, key: str, version: str) -> Made:
    """Write features; none is no file, and a note."""
    if not rows:
        return Made({}, version, notes=(f"{key}: OpenStreetMap has none in the area",))
    path = folder / f"{key}.geojson"
    write(gpd.GeoDataFrame(rows, crs=4326), path)
    return Made({f"data.{key}": path}, version)
