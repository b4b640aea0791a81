"""The border to study, or why it cannot be, and the settings that fit it and its record."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
import shapely
from pyproj import Geod
from scipy.spatial import cKDTree
from shapely.geometry import MultiLineString, MultiPolygon

from borderrisk.area import StudyArea, reproject
from borderrisk.errors import ConfigError
from borderrisk.grid import WGS84
from borderrisk.sources.worldbase import (
    Bounds,
    Country,
    all_settlements,
    on_land,
    plain_name,
    world,
)

STRIP_KM, HALO_KM, APART_KM = 250, 100, 1500
# The terrain of the base has cells of 9 km: smaller ones than 5 km would show nothing more.
SMALL_CELL_KM, CELL_KM, LARGE_CELL_KM = 5, 10, 20
MIN_CELLS, ENOUGH_CELLS = 25, 150
TARGETS, TARGETS_APART_KM, COUNTED_PEOPLE = 3, 75, 10_000
FOCUS_KM, BUSY_PARTS = 150, 2
MIN_EVALUATED, MIN_PAST, MIN_LATER, MAX_ORIGINS = 30, 20, 5, 11
_GEOD = Geod(ellps="WGS84")


@dataclass(frozen=True)
class Border:
    """Whose side is studied, km of border by neighbour, the line (WGS84), the strip along it."""

    home: Country
    km: dict[str, float]
    line: MultiLineString
    area: StudyArea
    window: Bounds | None

    def title(self, language: str = "name") -> str:
        """Return the title of its maps: ``name`` is English, ``name_fa`` Persian."""
        home, others = getattr(self.home, language), listed(self.km, language)
        if language == "name_fa":
            return f"مرز زمینی {home}" if len(self.km) > 3 else f"مرز {home} با {others}"
        return f"{home}: land border" if len(self.km) > 3 else f"{home}: border with {others}"

    @property
    def mainland(self) -> MultiPolygon:
        """The parts of the study area that the line runs along, without islands; grid metres."""
        line = reproject(self.line, WGS84, self.area.grid.crs)
        parts = shapely.get_parts(self.area.polygon)
        near = shapely.distance(parts, line) < 1000
        return MultiPolygon([part for part in parts[near] if part.geom_type == "Polygon"])

    @property
    def windows(self) -> tuple[Bounds, Bounds]:
        """Windows of the elevation, and of everything else, that the area needs, degrees."""
        return self.bounds(60), self.bounds(150)

    def bounds(self, margin_km: float) -> Bounds:
        """Return ``(west, south, east, north)`` of the halo and a margin, degrees.

        Raises ``ConfigError`` if they cross 180 degrees.
        """
        west, south, east, north = self.area.around(margin_km).bounds
        return west, max(south, -90.0), east, min(north, 90.0)


def list_neighbours(country: str) -> list[dict[str, Any]]:
    """Return the land neighbours of a country and the length of each border."""
    lengths = _neighbours(world().find(country))
    return [
        {"neighbour": world().countries[code].name, "code": code, "border_km": round(km)}
        for code, km in lengths.items()
    ]


def choose_border(
    home: Country, wanted: Sequence[str], window: Bounds | None, notes: list[str]
) -> Border:
    """Return the border that was asked for; ``notes`` receives what was left out.

    Raises ``ConfigError`` if there is no such border or it cannot be mapped.
    """
    known = _neighbours(home)
    found = [world().find(name) for text in wanted for name in text.split(",") if name.strip()]
    for other in found:
        if other.code not in known:
            raise ConfigError(
                f"{home.name} and {other.name} share no land border; its neighbours are "
                f"{listed(known)}"
            )
    codes = dict.fromkeys([other.code for other in found] or known)
    lines = {code: _within(world().border(home.code, code), window) for code in codes}
    lengths = {code: _GEOD.geometry_length(line) / 1000 for code, line in lines.items()}
    least = 2 * SMALL_CELL_KM
    km = {code: length for code, length in lengths.items() if length >= least}
    if not km:
        where = " inside the window" if window else ""
        raise ConfigError(
            f"the border of {home.name} with {listed(lines)} has "
            f"{sum(lengths.values()):.1f} km{where}, and a map needs {least} km (2 cells)"
        )
    for code in [code for code in lengths if code not in km]:
        reason = f"{lengths[code]:.0f} km{' inside the window' if window else ''}, under {least} km"
        notes.append(f"left out: the border with {listed([code])} ({reason})")
    kept = {code: lines[code] for code in km}
    _refuse_apart(home, kept)
    whole = MultiLineString([part for line in kept.values() for part in line.geoms])
    return Border(home, km, whole, _area(home, whole), window)


def _neighbours(home: Country) -> dict[str, float]:
    lengths = world().neighbours(home.code)
    if not lengths:
        raise ConfigError(f"{home.name} has no land border, so there is nothing to study")
    return lengths


def _within(line: MultiLineString, window: Bounds | None) -> MultiLineString:
    parts = shapely.get_parts(line if window is None else line.intersection(shapely.box(*window)))
    return MultiLineString([part for part in parts if part.geom_type == "LineString"])


def _refuse_apart(home: Country, lines: dict[str, MultiLineString]) -> None:
    """Refuse border lines in two parts of the world: one map projection cannot hold them."""
    near: list[str] = []
    waiting, close = list(lines), list(lines)[:1]
    while close:
        near, waiting = near + close, [code for code in waiting if code not in close]
        close = [c for c in waiting if any(_apart(lines[c], lines[n]) < APART_KM for n in near)]
    if waiting:
        raise ConfigError(
            f"the borders of {home.name} with {listed(near)} and with {listed(waiting)} lie more "
            f"than {APART_KM:,} km apart; choose one of the two with --neighbours"
        )


def _apart(one: MultiLineString, other: MultiLineString) -> float:
    return _GEOD.geometry_length(shapely.shortest_line(one, other)) / 1000


def _area(home: Country, lines: MultiLineString) -> StudyArea:
    area = StudyArea.along_border(
        world().outline(home.code), lines, strip_km=STRIP_KM, halo_km=HALO_KM,
        cell_size_m=1000 * CELL_KM,
    )  # fmt: skip
    cell = SMALL_CELL_KM
    if area.polygon.area < MIN_CELLS * (1000 * cell) ** 2:
        raise ConfigError(
            f"{home.name} has {area.polygon.area / 1e6:,.0f} km² within {STRIP_KM} km of the line "
            f"and a map needs {MIN_CELLS * cell**2} km² ({MIN_CELLS} cells); "
            "take the neighbour as --home instead"
        )
    return area


def listed(codes: Iterable[str], language: str = "name") -> str:
    """Return the names of countries as part of a sentence."""
    names = [getattr(world().countries[code], language) for code in codes]
    comma, last = ("، ", " و ") if language == "name_fa" else (", ", " and ")
    return last.join([comma.join(names[:-1]), names[-1]] if names[1:] else names)


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
    close = [names[c] for c in get_close_matches(wanted, names, n=3, cutoff=0.7)]
    hint = f"did you mean {' or '.join(close)}?" if close else "check its spelling"
    raise ConfigError(f"--focus {name}: there is no such town in the area; {hint}")
