"""Study area and halo: where risk is scored, and the ring around it that is only read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import GridError
from borderrisk.grid import WGS84, Grid, laea_crs, polygons, transformer


def reproject(geometry: BaseGeometry, source: CRS, target: CRS) -> BaseGeometry:
    """Return ``geometry`` moved from one CRS to another (x, y order in both)."""
    move = transformer(source, target).transform
    return shapely.transform(geometry, lambda xy: np.column_stack(move(*xy.T)))


def lighter(shapes: np.ndarray, most: int, degrees: float = 0.001) -> np.ndarray:
    """Return WGS84 lines and polygons that have together at most so many vertices.

    They are made simpler from so many ``degrees`` on, without parts that are smaller than that.
    """
    shapes = np.asarray(shapes, dtype=object)
    while shapely.get_num_coordinates(shapes).sum() > most and degrees < 1:
        simple = shapely.simplify(shapes, degrees)
        shapes = np.array([_without_specks(shape, degrees) for shape in simple], dtype=object)
        degrees *= 2
    return shapes


def _without_specks(shape: BaseGeometry, degrees: float) -> BaseGeometry:
    parts, kind = shapely.get_parts(shape), shapely.get_dimensions(shape)
    if kind < 1 or len(parts) < 1:
        return shape
    size = shapely.length(parts) if kind == 1 else np.sqrt(shapely.area(parts))
    large = parts[size > degrees].tolist()
    return shapely.MultiLineString(large) if kind == 1 else shapely.MultiPolygon(large)


@dataclass(frozen=True)
class StudyArea:
    """The scored polygon and its halo on a grid.

    Attributes
    ----------
    grid : Grid
        Covers the halo.
    polygon, halo : shapely geometry
        In grid metres; the halo polygon contains the study area.
    """

    grid: Grid
    polygon: BaseGeometry
    halo: BaseGeometry

    @classmethod
    def along_border(
        cls,
        home: BaseGeometry,
        lines: BaseGeometry,
        *,
        strip_km: float,
        halo_km: float,
        cell_size_m: float,
    ) -> StudyArea:
        """Build the strip of the home country within ``strip_km`` of the border.

        Parameters
        ----------
        home : shapely Polygon or MultiPolygon
            The home country, WGS84.
        lines : shapely LineString or MultiLineString
            The border, WGS84.
        strip_km, halo_km : float
            Depth of the study area, and width of the ring around it.
        cell_size_m : float
            Edge length of the cells.

        Raises
        ------
        GridError
            If no part of the home country lies within the strip, or the area crosses 180 degrees.
        """
        _check_one_side(lines.bounds)
        local = laea_crs(*_centre(lines.bounds))
        strip = reproject(lines, WGS84, local).buffer(strip_km * 1000, quad_segs=16)
        land = polygons(shapely.make_valid(reproject(home, WGS84, local)))
        polygon = polygons(shapely.intersection(land, strip))
        if polygon.is_empty or polygon.area == 0:
            raise GridError(
                f"No part of the home country lies within {strip_km:g} km of the border lines; "
                "check study_area.home, the borders file and border_strip_km."
            )
        lonlat = reproject(polygon, local, WGS84)
        _check_one_side(lonlat.bounds)
        crs = laea_crs(*_centre(lonlat.bounds))
        polygon = polygons(shapely.make_valid(reproject(polygon, local, crs)))
        halo = polygon.buffer(halo_km * 1000, quad_segs=16)
        _check_one_side(reproject(halo, crs, WGS84).bounds)
        return cls(Grid.covering(halo.bounds, crs, cell_size_m), polygon, halo)

    def around(self, margin_km: float) -> BaseGeometry:
        """Return the halo and a margin around it, WGS84; GridError if they cross 180 degrees."""
        local = self.halo.buffer(1000 * margin_km).segmentize(20_000)
        wide = reproject(local, self.grid.crs, WGS84)
        _check_one_side(wide.bounds)
        return wide


def _check_one_side(bounds: tuple[float, float, float, float]) -> None:
    """Refuse an area on both sides of 180 degrees, whose box spans the globe the other way."""
    if bounds[2] - bounds[0] > 180:
        raise GridError(
            "The area lies on both sides of the antimeridian (180 degrees), where longitudes jump; "
            "study each side as a border of its own (study_area.window)."
        )


def _centre(bounds: tuple[float, float, float, float]) -> tuple[float, float]:
    """Middle of a box, rounded to half a degree so that small edits do not move the grid."""
    west, south, east, north = bounds
    return round(west + east) / 2, round(south + north) / 2
