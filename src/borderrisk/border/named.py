"""Names of places along a border: the zone that each cell and segment is of, the next crossing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from rasterio.features import rasterize

from borderrisk.errors import DataError
from borderrisk.grid import Grid

ZONE, NO_ZONE = "zone", -1
# Farther from the border that is studied, a crossing is of another one.
CROSSING_KM = 25.0
_FURTHEST_ZONE_M = 20_000.0


@dataclass(frozen=True)
class Named:
    """Zones and crossings of a study area, None where the config names no file.

    ``zones`` and ``crossings`` have ``name`` and a geometry, WGS84; ``zone`` is the row of the
    zone that holds the centre of each cell, int16 of the grid's shape, ``NO_ZONE`` outside all.
    """

    grid: Grid
    zones: gpd.GeoDataFrame | None = None
    zone: np.ndarray | None = None
    crossings: gpd.GeoDataFrame | None = None

    @classmethod
    def of(
        cls,
        grid: Grid,
        lines: Iterable[shapely.Geometry],
        zones: gpd.GeoDataFrame | None,
        crossings: gpd.GeoDataFrame | None,
    ) -> Named:
        """Keep the zones on a grid, and the crossings of border ``lines`` (grid metres)."""
        zone = None
        if zones is not None:
            local = zones.to_crs(grid.crs)
            here = np.asarray(local.intersects(shapely.box(*grid.bounds)))
            zones = zones[here].reset_index(drop=True)
            zone = _codes(local[here], grid)
        if crossings is not None:
            border = shapely.union_all(list(lines))
            apart = np.asarray(crossings.to_crs(grid.crs).distance(border))
            crossings = crossings[apart <= 1000 * CROSSING_KM].reset_index(drop=True)
        return cls(grid, zones, zone, crossings)

    def along(self, segments: gpd.GeoDataFrame) -> dict[str, np.ndarray]:
        """Return what is named along each segment: ``zone``, ``crossing`` and ``crossing_km``.

        The zone that the segment's middle is in or, as outlines differ, the next within 20 km, else
        ``""``; the nearest crossing, and how far it is from the segment (0 on it). What no file
        names is left out.
        """
        lines = segments.geometry.to_crs(self.grid.crs)
        found: dict[str, np.ndarray] = {}
        if self.zones is not None and len(self.zones):
            middle = shapely.line_interpolate_point(lines.to_numpy(), 0.5, normalized=True)
            row, apart = _nearest(middle, self.zones.to_crs(self.grid.crs))
            names = self.zones["name"].to_numpy(object)[row]
            found["zone"] = np.where(apart <= _FURTHEST_ZONE_M, names, "")
        if self.crossings is not None and len(self.crossings):
            row, apart = _nearest(lines.to_numpy(), self.crossings.to_crs(self.grid.crs))
            found["crossing"] = self.crossings["name"].to_numpy(object)[row]
            found["crossing_km"] = np.round(apart / 1000, 3)
        return found

    def variables(self) -> dict[str, xr.DataArray]:
        """Return the zone of each cell as a variable on the grid, where there are zones."""
        if self.zone is None:
            return {}
        attrs = {"units": "1", "long_name": "Zone: its row in the layer zones (-1: none)"}
        return {ZONE: xr.DataArray(self.zone, dims=("y", "x"), attrs=attrs)}

    def layers(self) -> dict[str, gpd.GeoDataFrame]:
        """Return the layers of a scene that there are."""
        both = {"zones": self.zones, "crossings": self.crossings}
        return {name: layer for name, layer in both.items() if layer is not None and len(layer)}


def names_of(zones: gpd.GeoDataFrame, codes: np.ndarray) -> np.ndarray:
    """Return the name of the zone of each code, ``""`` outside all; shape of ``codes``."""
    names = np.append(zones["name"].to_numpy(object), "")
    return np.asarray(names[codes])


def _codes(zones: gpd.GeoDataFrame, grid: Grid) -> np.ndarray:
    if len(zones) > np.iinfo(np.int16).max:
        raise DataError(f"zones: {len(zones):,} areas are too many to be told apart.")
    pairs = [(shape, row) for row, shape in enumerate(zones.geometry)]
    if not pairs:
        return np.full(grid.shape, NO_ZONE, np.int16)
    return np.asarray(
        rasterize(pairs, grid.shape, transform=grid.transform, fill=NO_ZONE, dtype="int16")
    )


def _nearest(points: np.ndarray, among: gpd.GeoDataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Row of the nearest geometry to each, and its distance in metres."""
    tree = shapely.STRtree(among.geometry.to_numpy())
    (_, row), apart = tree.query_nearest(points, return_distance=True, all_matches=False)
    return row, apart
