"""Choose the border to study: whose side, which neighbours, what area; or say why it cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from pyproj import Geod
from shapely.geometry import MultiLineString, MultiPolygon

from borderrisk.area import StudyArea, reproject
from borderrisk.errors import ConfigError
from borderrisk.grid import WGS84
from borderrisk.sources.worldbase import Bounds, Country, world

STRIP_KM, HALO_KM, APART_KM = 250, 100, 1500
CELL_KM, SMALL_CELL_KM, MIN_CELLS = 10, 5, 25
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
    lines = {code: _inside(world().border(home.code, code), window) for code in codes}
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


def _inside(line: MultiLineString, window: Bounds | None) -> MultiLineString:
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
    """Distance between two lines, km."""
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
