"""Border segments: stretches of the line, the cells reached through each, names along them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from pyproj import CRS, Geod
from rasterio.features import rasterize
from scipy.sparse import coo_matrix, csr_matrix
from shapely.geometry import LineString, MultiLineString
from shapely.geometry.base import BaseGeometry
from shapely.ops import linemerge, substring

from borderrisk.errors import ConfigError, DataError
from borderrisk.features.travel import Travel
from borderrisk.grid import Grid

SEGMENT_KM = 10.0
ZONE, NO_ZONE = "zone", -1
# Farther from the border that is studied, a crossing is of another one.
CROSSING_KM = 25.0
_FURTHEST_ZONE_M = 20_000.0


@dataclass(frozen=True)
class Border:
    """Segments of the border, from :func:`cut_border`, and the ways through it.

    ``attribution`` is the share of each grid cell (row) that is reached most quickly through each
    segment, ``crossings`` the share of the randomised routes that cross each. ``slack`` has
    ``slack_<target>`` and ``route_density`` on the grid, and ``layers`` ``corridors`` and
    ``routes``, as far as they were computed.
    """

    segments: gpd.GeoDataFrame
    attribution: csr_matrix
    crossings: np.ndarray | None
    slack: xr.Dataset
    layers: dict[str, gpd.GeoDataFrame] = field(default_factory=dict)


def cut_border(
    borders: gpd.GeoDataFrame, crs: CRS, segment_km: float = SEGMENT_KM
) -> gpd.GeoDataFrame:
    """Cut border lines into stretches of equal length.

    Each continuous line of a ``pair`` begins at its northern end and is cut into the number of
    equal pieces that comes nearest to ``segment_km``, as measured in ``crs``, the grid's; pieces
    are numbered from north to south. The same lines and length always give the same ids.

    Borders and segments are in WGS84; these have ``segment_id`` (``IRN-AFG-012``), ``pair``,
    ``from_km``, ``to_km`` (along the pair, on the ellipsoid), ``length_km``. ConfigError if the
    length is not positive or exceeds the whole border.
    """
    if not (np.isfinite(segment_km) and segment_km > 0):
        raise ConfigError(f"segment_km must be a positive length (got {segment_km:g}).")
    pairs = {
        str(pair): shapely.union_all(np.asarray(group.geometry.to_crs(crs)))
        for pair, group in borders.groupby("pair", sort=False)
    }
    total = sum(line.length for line in pairs.values()) / 1000
    if segment_km > total:
        raise ConfigError(
            f"segment_km ({segment_km:g}) is longer than the whole border ({total:,.0f} km); "
            "give a smaller length."
        )
    frames = [_cut_pair(pair, line, crs, segment_km) for pair, line in pairs.items()]
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=4326)


def _cut_pair(pair: str, line: BaseGeometry, crs: CRS, segment_km: float) -> gpd.GeoDataFrame:
    merged = linemerge(line) if isinstance(line, MultiLineString) else line
    parts = [_from_north(part) for part in shapely.get_parts(merged) if part.length > 0]
    pieces = []
    for part in sorted(parts, key=lambda p: -p.coords[0][1]):
        number = max(1, round(part.length / 1000 / segment_km))
        cuts = pairwise(np.linspace(0, part.length, number + 1))
        pieces += [substring(part, a, b) for a, b in cuts]
    lonlat = gpd.GeoSeries(pieces, crs=crs).to_crs(4326)
    geod = Geod(ellps="WGS84")
    length = np.array([geod.geometry_length(g) / 1000 for g in lonlat])
    end = np.cumsum(length)
    digits = max(3, len(str(len(pieces))))
    return gpd.GeoDataFrame(
        {
            "segment_id": [f"{pair}-{i:0{digits}d}" for i in range(1, len(pieces) + 1)],
            "pair": pair,
            "from_km": end - length,
            "to_km": end,
            "length_km": length,
        },
        geometry=lonlat,
    )


def _from_north(line: LineString) -> LineString:
    """Return the line so that it begins at its northern (then western) end."""
    first, last = line.coords[0], line.coords[-1]
    starts_north = (first[1], -first[0]) >= (last[1], -last[0])
    return line if starts_north else shapely.reverse(line)


def nearest_segment(
    segments: gpd.GeoDataFrame, grid: Grid, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Position of the segment nearest to each point (grid metres)."""
    tree = shapely.STRtree(np.asarray(segments.geometry.to_crs(grid.crs), dtype=object))
    return np.asarray(tree.nearest(shapely.points(x, y)), dtype=np.int64)


def attribute_cells(
    grid: Grid, segments: gpd.GeoDataFrame, through_border: Travel, fine: Grid
) -> csr_matrix:
    """Return the share of each cell that is reached most quickly through each segment.

    The quickest segment takes all of a fine cell, however close the next one comes: neighbouring
    segments can differ much, a good crossing drains what lies behind it. Of ways that take the same
    time the one found first counts (that of the neighbour named first, and of the source nearest to
    it), so that the same inputs always give the same shares. A border cell between two segments
    belongs to the nearer one, a cell that no path reaches to the nearest segment.

    ``through_border`` is a solve on ``fine``, a refinement of ``grid``, whose sources lie on the
    border, started with the hours it takes from the far side to there
    (:attr:`borderrisk.features.travel.Solves.far`). Rows of the result, one per grid cell, sum to
    1, so whatever is summed over the cells is the same summed over the segments.
    """
    row, col = np.nonzero(through_border.is_source)
    start = np.full(fine.shape, -1, np.int32)
    start[row, col] = nearest_segment(segments, fine, fine.x[col], fine.y[row])
    label = through_border.labels(start)
    factor = fine.shape[0] // grid.shape[0]
    row, col = np.nonzero(label >= 0)
    cell = (row // factor) * grid.shape[1] + col // factor
    shape = (grid.size, len(segments))
    counts = coo_matrix((np.ones(len(cell)), (cell, label[row, col])), shape=shape).tocsr()
    lost = np.flatnonzero(np.asarray(counts.sum(axis=1)).ravel() == 0)
    x, y = (axis.ravel()[lost] for axis in grid.centres())
    nearest = nearest_segment(segments, grid, x, y)
    counts = (counts + coo_matrix((np.ones(len(lost)), (lost, nearest)), shape=shape)).tocsr()
    return csr_matrix(counts.multiply(1 / counts.sum(axis=1)))


def route_crossings(
    segments: gpd.GeoDataFrame, grid: Grid, x: np.ndarray, y: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Return the share of routes that cross each segment; they sum to 1, or 0 without routes.

    ``x, y`` are where each route crosses the border (grid metres), ``weight`` how much it counts.
    """
    if not len(x):
        return np.zeros(len(segments))
    found = nearest_segment(segments, grid, np.asarray(x), np.asarray(y))
    share = np.bincount(found, weights=weight, minlength=len(segments))
    return np.asarray(share / share.sum())


def attribute_nearest(grid: Grid, segments: gpd.GeoDataFrame) -> csr_matrix:
    """Attribute whole cells to the nearest segment, where no travel time is computed."""
    x, y = (axis.ravel() for axis in grid.centres())
    nearest = nearest_segment(segments, grid, x, y)
    ones = np.ones(grid.size)
    return csr_matrix((ones, (np.arange(grid.size), nearest)), (grid.size, len(segments)))


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
        cls, grid: Grid, lines: Iterable[shapely.Geometry], zones: gpd.GeoDataFrame | None,
        crossings: gpd.GeoDataFrame | None,
    ) -> Named:  # fmt: skip
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
