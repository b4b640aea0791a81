"""Settings that fit a border and its record: what ``borderrisk init`` writes into a config."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from borderrisk.area import StudyArea, reproject
from borderrisk.errors import ConfigError
from borderrisk.grid import WGS84
from borderrisk.pipeline.study import CELL_KM, SMALL_CELL_KM, Border
from borderrisk.sources.worldbase import Bounds, all_settlements, on_land, plain_name

LARGE_CELL_KM = 20
"""The terrain of the base has cells of 9 km: smaller ones than 5 km would show nothing more."""

ENOUGH_CELLS = 150
TARGETS, TARGETS_APART_KM, COUNTED_PEOPLE = 3, 75, 10_000
FOCUS_KM, BUSY_PARTS = 150, 2
MIN_EVALUATED, MIN_PAST, MIN_LATER, MAX_ORIGINS = 30, 20, 5, 11


@dataclass(frozen=True)
class Focus:
    """A window with a map of its own: ``(west, south, east, north)`` in degrees, and its title."""

    bounds: Bounds
    title: str
    title_fa: str

    def section(self) -> dict[str, Any]:
        """Return the keys of a focus in a config."""
        return vars(self) | {"bounds": list(self.bounds)}


def cell_km(radii_km: pd.Series, area_km2: float, border_km: float) -> tuple[int, str]:
    """Return a cell size and the reason for it; a small study area gets small cells.

    ``radii_km`` are of the incidents, empty if there are none yet.
    """
    if area_km2 < ENOUGH_CELLS * CELL_KM**2 or border_km < 3 * CELL_KM:
        return SMALL_CELL_KM, "the study area is small"
    if not len(radii_km):
        return CELL_KM, "fits incidents that are known to within 10 to 40 km"
    median = float(radii_km.median())
    size = SMALL_CELL_KM if median <= 5 else LARGE_CELL_KM if median >= 50 else CELL_KM
    return size, f"half of the incidents are known to within {median:.3g} km"


def origins(days: pd.Series, last: pd.Timestamp) -> dict[str, Any] | None:
    """Return the evaluation section that a record allows, or None if it is too short.

    ``days`` are of the incidents in the study area, ``last`` is that of the last one of the record.
    """
    for horizons in ((1, 2), (1,)):
        final = (last + pd.Timedelta(days=60)).year - max(horizons)
        span = range(final - MAX_ORIGINS + 1, final + 1)
        years = [y for y in span if (days < pd.Timestamp(y, 1, 1)).sum() >= MIN_PAST]
        later = (days >= pd.Timestamp(final, 1, 1)).sum()
        if years and len(days) >= MIN_EVALUATED and later >= MIN_LATER:
            found = {"first_origin": f"{years[0]}-01-01", "last_origin": f"{final}-01-01"}
            return found | ({} if len(horizons) > 1 else {"horizons_years": list(horizons)})
    return None


def in_area(area: StudyArea, places: pd.DataFrame) -> pd.DataFrame:
    """Return the rows inside the study area, by their longitude and latitude."""
    return places[_inside(area.polygon, area, places)]


def travel(border: Border, places: pd.DataFrame) -> dict[str, Any]:
    """Return the travel section: the largest towns that lie apart, and how small places count.

    ``places`` are settlements there and around, the largest first.
    """
    area, sides = border.area, {"home": [border.home.code], "far": list(border.km)}
    near = places[_inside(area.halo, area, places)]
    reached = places[_inside(border.mainland, area, places)]
    section: dict[str, Any] = {"targets": _targets(area, reached)}
    for side, codes in sides.items():
        largest = near["population"][near["country"].isin(codes)].max()
        if not largest > 0:
            return {"enabled": False}
        if largest < COUNTED_PEOPLE:
            section[f"{side}_settlement_population"] = int(min(largest, COUNTED_PEOPLE // 10))
    return section


def _targets(area: StudyArea, towns: pd.DataFrame) -> dict[str, list[float]]:
    places = towns[towns["population"] > 0]
    places = places[on_land(places)]  # nobody walks to a town that the raster has in the sea
    metres = np.column_stack(area.grid.project(places["longitude"], places["latitude"]))
    chosen: list[int] = []
    for k, here in enumerate(metres):
        if all(np.hypot(*(here - metres[j])) >= 1000 * TARGETS_APART_KM for j in chosen):
            chosen.append(k)
    rows = places.iloc[chosen[:TARGETS]].round({"longitude": 3, "latitude": 3})
    at = rows[["longitude", "latitude"]].to_numpy().tolist()
    return dict(zip(map(slug, rows["name"]), at, strict=True))


def busiest(area: StudyArea, incidents: pd.DataFrame, towns: pd.DataFrame) -> dict[str, Focus]:
    """Return windows around the parts of a long strip with the most incidents, each by a town."""
    points = np.column_stack(area.grid.project(incidents["longitude"], incidents["latitude"]))
    settled = np.column_stack(area.grid.project(towns["longitude"], towns["latitude"]))
    half, least = FOCUS_KM * 1000, max(MIN_PAST, len(points) // 10)
    west, south, east, north = area.polygon.bounds
    found: dict[str, Focus] = {}
    for _ in range(BUSY_PARTS if max(east - west, north - south) > 4 * half else 0):
        tree = cKDTree(points)
        near = tree.query_ball_point(points, half, p=np.inf, return_length=True)
        if not len(points) or near.max() < least:
            break
        busy = tree.query_ball_point(points[near.argmax()], half, p=np.inf)
        centre = np.median(points[busy], axis=0)
        named = towns[np.abs(settled - centre).max(axis=1) <= half]
        if len(named):
            found[slug(named["name"].iloc[0])] = _window(area, centre, half, named.iloc[0])
        points = points[np.abs(points - centre).max(axis=1) > 2 * half]
    return found


def around(text: str, area: StudyArea, places: pd.DataFrame) -> tuple[str, Focus]:
    """Return the window around a town and its name, from ``TOWN`` or ``TOWN:KM``.

    Raises ``ConfigError`` if there is no such town in or near the study area.
    """
    name, _, size = text.partition(":")
    if not re.fullmatch(r"\d*\.?\d*", size) or not 0 < float(size or FOCUS_KM) <= 2000:
        raise ConfigError(f"--focus {text}: {size!r} is no number of km; write TOWN or TOWN:KM")
    town = _town(name, places)
    centre = np.array(area.grid.project(town["longitude"], town["latitude"]))
    away = area.polygon.distance(shapely.Point(centre)) / 1000
    km = float(size or FOCUS_KM)
    if away >= km:
        raise ConfigError(
            f"--focus {text}: {town['name']} lies {away:.0f} km from the study area; "
            f"choose a town nearer to the border, or a window of more than {away:.0f} km"
        )
    return slug(town["name"]), _window(area, centre, km * 1000, town)


def slug(text: str) -> str:
    """Return a name that a config takes: lower-case ASCII letters, digits and ``-``."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")[:50]
    return name or "place"


def _inside(polygon: Any, area: StudyArea, places: pd.DataFrame) -> np.ndarray:
    """Whether places lie in a polygon in grid metres."""
    shapely.prepare(polygon)
    return shapely.contains_xy(polygon, *area.grid.project(places["longitude"], places["latitude"]))


def _window(area: StudyArea, centre: np.ndarray, half_m: float, town: pd.Series) -> Focus:
    square = shapely.box(*(centre - half_m), *(centre + half_m)).segmentize(20_000)
    west, south, east, north = reproject(square, area.grid.crs, WGS84).bounds
    bounds = (round(west, 2), round(south, 2), round(east, 2), round(north, 2))
    return Focus(bounds, town["name"], town["name_fa"] or town["name"])


def _town(name: str, places: pd.DataFrame) -> pd.Series:
    """Return the largest settlement of a name, in any of its scripts."""
    wanted = plain_name(name)
    for table in (places, all_settlements()):
        plain = table[["name", "name_fa", "name_local"]].map(plain_name)
        found = table[(plain == wanted).any(axis=1) & bool(wanted)]
        if table is places and len(found):
            return found.iloc[0]
    if len(found):
        where = f"{found.iloc[0]['name']} ({found.iloc[0]['country']}) lies far from the study area"
        raise ConfigError(f"--focus {name}: {where}; choose a town near the border")
    names = {plain_name(town): town for town in reversed(places["name"].tolist())}
    close = get_close_matches(wanted, names, n=3, cutoff=0.7)
    hint = (
        f"did you mean {' or '.join(names[c] for c in close)}?" if close else "check its spelling"
    )
    raise ConfigError(f"--focus {name}: there is no such town in the area; {hint}")
