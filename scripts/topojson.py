"""Read the countries of a TopoJSON file, and the lines that two of them share.

In a topology every stretch of outline is stored once, as an arc; an arc named by two countries is
their common border, exactly. Format: the TopoJSON specification, version 1 (quantised arcs).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon
from shapely.ops import linemerge


class Topology:
    """Arcs of a topology in degrees, and what is built from them.

    Parameters
    ----------
    document : dict
        The parsed file.
    decimals : int
        Coordinates are rounded to this many decimals.
    """

    def __init__(self, document: dict[str, Any], decimals: int) -> None:
        scale = np.asarray(document["transform"]["scale"])
        origin = np.asarray(document["transform"]["translate"])
        self.arcs = [
            np.round(np.cumsum(np.asarray(arc)[:, :2], axis=0) * scale + origin, decimals)
            for arc in document["arcs"]
        ]

    def polygons(self, geometry: dict[str, Any]) -> MultiPolygon:
        """Return the outline of one country."""
        parts = [
            Polygon(self._ring(rings[0]), [self._ring(hole) for hole in rings[1:]])
            for rings in _parts(geometry)
        ]
        return MultiPolygon(parts)

    def shared_line(self, first: dict[str, Any], second: dict[str, Any]) -> MultiLineString:
        """Return the border between two countries, in the order of the first one's outline.

        Empty where they do not touch.
        """
        theirs = {_index(arc) for arc in _arc_ids(second)}
        lines = [LineString(self._arc(arc)) for arc in _arc_ids(first) if _index(arc) in theirs]
        merged = linemerge(lines, directed=True) if lines else MultiLineString()
        return MultiLineString([merged]) if isinstance(merged, LineString) else merged

    def bounds(self, geometry: dict[str, Any]) -> tuple[float, float, float, float]:
        """Return ``(west, south, east, north)`` of one country, from its arcs."""
        points = np.concatenate([self.arcs[_index(arc)] for arc in _arc_ids(geometry)])
        return (*points.min(axis=0), *points.max(axis=0))

    def _arc(self, arc: int) -> np.ndarray:
        return self.arcs[arc] if arc >= 0 else self.arcs[~arc][::-1]

    def _ring(self, arcs: list[int]) -> np.ndarray:
        parts = [self._arc(arc) for arc in arcs]
        return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def clipped(geometry: shapely.Geometry, box: Polygon, kind: str) -> list[shapely.Geometry]:
    """Return the parts of ``geometry`` inside ``box`` that are of ``kind`` ("Polygon", ...)."""
    inside = shapely.intersection(shapely.make_valid(geometry), box)
    parts = shapely.get_parts(shapely.normalize(inside) if kind == "Polygon" else inside)
    return [part for part in parts if part.geom_type == kind and not part.is_empty]


def _parts(geometry: dict[str, Any]) -> list[list[list[int]]]:
    return [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]


def _arc_ids(geometry: dict[str, Any]) -> Iterator[int]:
    rings: Iterable[list[int]] = (ring for part in _parts(geometry) for ring in part)
    return (arc for ring in rings for arc in ring)


def _index(arc: int) -> int:
    """Position of an arc; a reversed one is stored as its complement."""
    return arc if arc >= 0 else ~arc
