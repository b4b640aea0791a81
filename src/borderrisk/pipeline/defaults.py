"""Settings that fit a border and its record: what ``borderrisk init`` writes into a config."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from borderrisk.area import StudyArea, reproject
from borderrisk.errors import ConfigError
from borderrisk.grid import WGS84
from borderrisk.sources.worldbase import Bounds, all_settlements, plain_name

CELL_KM, SMALL_CELL_KM, LARGE_CELL_KM = 10, 5, 20
"""The terrain of the base has cells of 9 km: smaller ones than 5 km would show nothing more."""

MIN_CELLS, ENOUGH_CELLS = 25, 150
TARGETS, TARGETS_APART_KM = 3, 75
FOCUS_KM, BUSY_PARTS = 150, 2
MIN_EVALUATED, MIN_PAST, MIN_AFTER, MAX_ORIGINS = 30, 20, 5, 11


@dataclass(frozen=True)
class Focus:
    """A window with a map of its own."""

    name: str
    bounds: Bounds
    title: str
    title_fa: str


def cell_km(radii_km: np.ndarray, area_km2: float, border_km: float) -> tuple[int, str]:
    """Return a cell size and the reason for it.

    Parameters
    ----------
    radii_km : numpy.ndarray
        Of the incidents; empty if there are none yet.
    area_km2, border_km : float
        Size of the study area and length of its border: a small one gets small cells.
    """
    if area_km2 < ENOUGH_CELLS * CELL_KM**2 or border_km < 3 * CELL_KM:
        return SMALL_CELL_KM, "the study area is small"
    if not len(radii_km):
        return CELL_KM, "fits incidents that are known to within 10 to 40 km"
    median = float(np.median(radii_km))
    size = SMALL_CELL_KM if median <= 5 else LARGE_CELL_KM if median >= 50 else CELL_KM
    return size, f"half of the incidents are known to within {median:.3g} km"


def origins(days: pd.Series, last: pd.Timestamp) -> dict[str, str] | None:
    """Return the evaluation section that a record allows, or None if it is too short.

    Parameters
    ----------
    days : pandas.Series of datetime
        Of the incidents in the study area.
    last : pandas.Timestamp
        Day of the last incident of the record.
    """
    ordered = days.sort_values()
    for horizons in ((1, 2), (1,)):
        final = (last + pd.Timedelta(days=60)).year - max(horizons)
        years = [
            year
            for year in range(final - MAX_ORIGINS + 1, final + 1)
            if (ordered < pd.Timestamp(year, 1, 1)).sum() >= MIN_PAST
        ]
        after = (ordered >= pd.Timestamp(final, 1, 1)).sum()
        if years and len(ordered) >= MIN_EVALUATED and after >= MIN_AFTER:
            found = {
                "first_origin": date(years[0], 1, 1).isoformat(),
                "last_origin": date(final, 1, 1).isoformat(),
            }
            return found if horizons == (1, 2) else found | {"horizons_years": "[1]"}
    return None


def in_area(area: StudyArea, places: pd.DataFrame) -> pd.DataFrame:
    """Return the settlements inside the study area, the largest first."""
    return places[_inside(area, places["longitude"].to_numpy(), places["latitude"].to_numpy())]


def incidents_in(area: StudyArea, incidents: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the incidents whose point lies in the study area."""
    return incidents[
        _inside(area, incidents.geometry.x.to_numpy(), incidents.geometry.y.to_numpy())
    ]


def targets(towns: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Return the largest towns that lie apart from one another: name to (longitude, latitude)."""
    chosen: list[pd.Series] = []
    for _, town in towns[towns["population"] > 0].iterrows():
        if all(_km(town, other) >= TARGETS_APART_KM for other in chosen):
            chosen.append(town)
        if len(chosen) == TARGETS:
            break
    return {slug(t["name"]): (round(t["longitude"], 3), round(t["latitude"], 3)) for t in chosen}


def busiest(area: StudyArea, incidents: gpd.GeoDataFrame, towns: pd.DataFrame) -> list[Focus]:
    """Return windows around the parts of the strip with the most incidents, named by a town."""
    x, y = area.grid.project(incidents.geometry.x, incidents.geometry.y)
    points, found = np.column_stack([x, y]), list[Focus]()
    west, south, east, north = area.polygon.bounds
    if max(east - west, north - south) < 4 * FOCUS_KM * 1000:
        return []
    least = max(MIN_PAST, len(points) // 10)
    while len(points) >= least and len(found) < BUSY_PARTS:
        near = np.abs(points[:, None] - points[None]).max(axis=2) <= FOCUS_KM * 1000
        busy = near.sum(axis=1)
        if busy.max() < least:
            break
        centre = np.median(points[near[busy.argmax()]], axis=0)
        names = {focus.name for focus in found}
        found += [f for f in _named(area, centre, towns) if f.name not in names]
        points = points[np.abs(points - centre).max(axis=1) > 2 * FOCUS_KM * 1000]
    return found


def around(text: str, area: StudyArea, places: pd.DataFrame) -> Focus:
    """Return the window around a town, from ``TOWN`` or ``TOWN:KM``.

    Raises
    ------
    ConfigError
        If there is no such town in or near the study area.
    """
    name, _, size = text.partition(":")
    try:
        km = float(size or FOCUS_KM)
    except ValueError:
        km = 0
    if not 0 < km <= 2000:
        raise ConfigError(f"--focus {text}: {size!r} is no number of km; write TOWN or TOWN:KM")
    town = _town(name, places)
    x, y = area.grid.project([town["longitude"]], [town["latitude"]])
    focus = _window(area, (x[0], y[0]), km, town)
    if not shapely.box(*_square((x[0], y[0]), km)).intersects(area.polygon):
        away = area.polygon.distance(shapely.Point(x[0], y[0])) / 1000
        raise ConfigError(
            f"--focus {text}: {town['name']} lies {away:.0f} km from the study area; "
            f"choose a town nearer to the border, or a window of more than {away:.0f} km"
        )
    return focus


def slug(text: str) -> str:
    """Return a name that a config takes: a letter, then lower-case letters, digits and ``-``."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")[:50]
    reserved = not name or name[0].isdigit() or name in ("true", "false", "null")
    return f"place-{name}".strip("-") if reserved else name


def lonlat_bounds(area: StudyArea, margin_km: float) -> Bounds:
    """Return ``(west, south, east, north)`` of the halo and a margin, degrees.

    Raises
    ------
    ConfigError
        If the area lies across the 180th meridian.
    """
    wide = area.halo.buffer(margin_km * 1000).segmentize(20_000)
    west, south, east, north = reproject(wide, area.grid.crs, WGS84).bounds
    if east - west > 180:
        raise ConfigError(
            "the study area lies across the 180th meridian, which a window in degrees cannot "
            "hold; narrow it with --window to one side"
        )
    return west, max(south, -90.0), east, min(north, 90.0)


def _inside(area: StudyArea, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    x, y = area.grid.project(longitude, latitude)
    shapely.prepare(area.polygon)
    return np.asarray(shapely.contains_xy(area.polygon, np.asarray(x), np.asarray(y)))


def _km(one: pd.Series, other: pd.Series) -> float:
    east = (one["longitude"] - other["longitude"]) * np.cos(np.radians(one["latitude"]))
    return float(np.hypot(east, one["latitude"] - other["latitude"]) * 111.2)


def _named(area: StudyArea, centre: np.ndarray, towns: pd.DataFrame) -> Iterator[Focus]:
    """Yield the window around a point, named after its largest town; none if it has no town."""
    x, y = area.grid.project(towns["longitude"], towns["latitude"])
    offset = np.abs(np.column_stack([x, y]) - centre).max(axis=1)
    inside = towns[offset <= FOCUS_KM * 1000]
    if len(inside):
        yield _window(area, centre, FOCUS_KM, inside.iloc[0])


def _window(
    area: StudyArea, centre: tuple[float, float] | np.ndarray, km: float, town: pd.Series
) -> Focus:
    square = shapely.box(*_square(centre, km)).segmentize(20_000)
    west, south, east, north = reproject(square, area.grid.crs, WGS84).bounds
    bounds = (round(west, 2), round(south, 2), round(east, 2), round(north, 2))
    return Focus(slug(town["name"]), bounds, town["name"], town["name_fa"] or town["name"])


def _square(centre: tuple[float, float] | np.ndarray, km: float) -> Bounds:
    x, y, half = float(centre[0]), float(centre[1]), km * 1000
    return x - half, y - half, x + half, y + half


def _town(name: str, places: pd.DataFrame) -> pd.Series:
    """Return the largest settlement of a name, in any of its scripts."""
    from difflib import get_close_matches

    wanted = plain_name(name)
    columns = ["name", "name_fa", "name_local"]
    for table, here in ((places, True), (all_settlements(), False)):
        plain = table[columns].map(plain_name)
        found = table[(plain == wanted).any(axis=1)] if wanted else table[:0]
        if len(found) and here:
            return found.iloc[0]
        if len(found):
            raise ConfigError(
                f"--focus {name}: {found.iloc[0]['name']} ({found.iloc[0]['country']}) lies far "
                "from the study area; choose a town near the border"
            )
        if here:
            close = get_close_matches(wanted, plain["name"].tolist(), n=3, cutoff=0.7)
    meant = [places["name"][places["name"].map(plain_name) == text].iloc[0] for text in close]
    hint = f"did you mean {' or '.join(dict.fromkeys(meant))}?" if meant else "check its spelling"
    raise ConfigError(f"--focus {name}: there is no such town in the area; {hint}")
