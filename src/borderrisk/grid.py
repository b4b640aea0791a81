"""The analysis grid: square equal-area cells, immutable and shared by all stages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from borderrisk.errors import GridError

if TYPE_CHECKING:
    import xarray as xr
    from shapely.geometry.base import BaseGeometry

WGS84 = CRS.from_epsg(4326)
MAX_CELLS = 50_000_000
_CELL_ID = re.compile(r"r(\d+)c(\d+)")


@lru_cache(maxsize=16)
def transformer(source: CRS, target: CRS) -> Transformer:
    """Return the transformation between two CRS, x first; setting one up takes milliseconds."""
    return Transformer.from_crs(source, target, always_xy=True)


def polygons(geometry: Any) -> Any:
    """Return the polygons of a geometry; lines and points that mending left over are dropped."""
    if geometry.geom_type != "GeometryCollection":
        return geometry
    import shapely

    return shapely.union_all([part for part in geometry.geoms if part.area > 0])


def stored_crs(wkt: str) -> CRS:
    """Return the projection of a text of our own; ``ValueError`` if it was damaged since."""
    try:
        return CRS.from_wkt(wkt)
    except CRSError as error:
        raise ValueError("its projection cannot be read") from error


def laea_crs(lon: float, lat: float) -> CRS:
    """Return the Lambert azimuthal equal-area projection (EPSG method 9820) at a WGS84 point."""
    return CRS.from_proj4(
        f"+proj=laea +lat_0={lat:g} +lon_0={lon:g} +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs"
    )


@dataclass(frozen=True, eq=False)
class Grid:
    """North-up square cells in a projected CRS.

    Parameters
    ----------
    crs : pyproj.CRS
        Projected, in metres; equal-area for anything that counts per area.
    transform : affine.Affine
        Cell (column, row) to metres, north-up, square cells.
    shape : tuple of int
        ``(rows, columns)``; row 0 is the northernmost.

    Raises
    ------
    GridError
        If the grid has no cells, too many, or cells that are not square.
    """

    crs: CRS
    transform: Affine
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        rows, cols = self.shape
        if rows < 1 or cols < 1:
            raise GridError(f"The grid has no cells ({rows} rows x {cols} columns).")
        if rows * cols > MAX_CELLS:
            raise GridError(
                f"The grid would have {rows * cols:,} cells, more than {MAX_CELLS:,}; "
                "use a larger cell_size_m or a smaller area."
            )
        t = self.transform
        if t.b or t.d or t.a <= 0 or not np.isclose(t.a, -t.e):
            raise GridError(
                f"Grid cells must be square and north-up (got transform {tuple(t)[:6]})."
            )
        if not self.crs.is_projected:
            raise GridError(f"The grid needs a projected CRS in metres (got {self.crs.name}).")

    @classmethod
    def covering(
        cls, bounds: tuple[float, float, float, float], crs: CRS, cell_size_m: float
    ) -> Grid:
        """Return the smallest grid over ``bounds`` whose edges are multiples of the cell size.

        Parameters
        ----------
        bounds : tuple of float
            ``(xmin, ymin, xmax, ymax)`` in metres of ``crs``.
        crs : pyproj.CRS
            Projection of the grid.
        cell_size_m : float
            Edge length of a cell.
        """
        if not (np.isfinite(cell_size_m) and cell_size_m > 0):
            raise GridError(f"cell_size_m must be a positive number of metres (got {cell_size_m}).")
        if not np.all(np.isfinite(bounds)):
            raise GridError("The area of the grid is empty or cannot be projected.")
        xmin, ymin = np.floor(np.asarray(bounds[:2]) / cell_size_m) * cell_size_m
        xmax, ymax = np.ceil(np.asarray(bounds[2:]) / cell_size_m) * cell_size_m
        shape = (round((ymax - ymin) / cell_size_m), round((xmax - xmin) / cell_size_m))
        transform = Affine(
            float(cell_size_m), 0.0, float(xmin), 0.0, -float(cell_size_m), float(ymax)
        )
        return cls(crs, transform, shape)

    @classmethod
    def between(
        cls, west: float, south: float, east: float, north: float, cell_size_m: float, crs: CRS
    ) -> Grid:
        """Return the grid whose outermost cells have these centres, in metres of ``crs``."""
        shape = (round((north - south) / cell_size_m) + 1, round((east - west) / cell_size_m) + 1)
        left, top = west - cell_size_m / 2, north + cell_size_m / 2
        return cls(crs, Affine(cell_size_m, 0.0, left, 0.0, -cell_size_m, top), shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        return (
            self.shape == other.shape
            and self.transform.almost_equals(other.transform)
            and self.crs == other.crs
        )

    def __hash__(self) -> int:
        return hash((self.shape, tuple(self.transform)[:6], self.crs.to_string()))

    @property
    def cell_size_m(self) -> float:
        """Edge length of a cell in metres."""
        return float(self.transform.a)

    @property
    def cell_area_km2(self) -> float:
        """Area of a whole cell in km²."""
        return self.cell_size_m**2 / 1e6

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.shape[0] * self.shape[1]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``(xmin, ymin, xmax, ymax)`` in metres."""
        t, (rows, cols) = self.transform, self.shape
        return (t.c, t.f + rows * t.e, t.c + cols * t.a, t.f)

    @cached_property
    def x(self) -> np.ndarray:
        """Cell-centre eastings, shape ``(columns,)``, metres."""
        return self.transform.c + (np.arange(self.shape[1]) + 0.5) * self.cell_size_m

    @cached_property
    def y(self) -> np.ndarray:
        """Cell-centre northings, shape ``(rows,)``, metres, north to south."""
        return self.transform.f - (np.arange(self.shape[0]) + 0.5) * self.cell_size_m

    @property
    def _to_wgs84(self) -> Transformer:
        return transformer(self.crs, WGS84)

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Cell-centre eastings and northings, each of shape ``(rows, columns)``."""
        xx, yy = np.meshgrid(self.x, self.y)
        return xx, yy

    def lonlat(self) -> tuple[np.ndarray, np.ndarray]:
        """Cell-centre longitudes and latitudes (WGS84 degrees), each ``(rows, columns)``."""
        return self.unproject(*self.centres())

    def project(self, lon: Any, lat: Any) -> tuple[np.ndarray, np.ndarray]:
        """Project WGS84 longitudes and latitudes to grid metres."""
        x, y = self._to_wgs84.transform(np.asarray(lon), np.asarray(lat), direction="INVERSE")
        return np.asarray(x), np.asarray(y)

    def unproject(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return WGS84 longitudes and latitudes of grid metres."""
        lon, lat = self._to_wgs84.transform(np.asarray(x), np.asarray(y))
        return np.asarray(lon), np.asarray(lat)

    def rowcol(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of points in grid metres; both −1 outside the grid."""
        col = np.floor((np.asarray(x, float) - self.transform.c) / self.cell_size_m)
        row = np.floor((self.transform.f - np.asarray(y, float)) / self.cell_size_m)
        inside = (row >= 0) & (row < self.shape[0]) & (col >= 0) & (col < self.shape[1])
        return (
            np.where(inside, row, -1).astype(np.int64),
            np.where(inside, col, -1).astype(np.int64),
        )

    @cached_property
    def id_digits(self) -> int:
        """Digits that rows and columns have in ids."""
        return max(3, len(str(max(self.shape) - 1)))

    def cell_ids(self, mask: np.ndarray | None = None) -> np.ndarray:
        """Ids like ``r012c345`` in row-major order.

        Parameters
        ----------
        mask : ndarray of bool, shape (rows, columns), optional
            Only the cells where it is true.
        """
        rows, cols = np.nonzero(np.ones(self.shape, bool) if mask is None else mask)
        d = self.id_digits
        row_part = np.array([f"r{i:0{d}d}" for i in range(self.shape[0])])
        col_part = np.array([f"c{i:0{d}d}" for i in range(self.shape[1])])
        return np.char.add(row_part[rows], col_part[cols])

    def parse_cell_id(self, cell_id: str) -> tuple[int, int]:
        """Row and column of a cell id.

        Raises
        ------
        GridError
            If the text is not an id of this grid.
        """
        match = _CELL_ID.fullmatch(cell_id)
        if match:
            row, col = int(match[1]), int(match[2])
            if row < self.shape[0] and col < self.shape[1]:
                return row, col
        raise GridError(
            f"{cell_id!r} is not a cell of this {self.shape[0]} x {self.shape[1]} grid."
        )

    def refine(self, factor: int) -> Grid:
        """Return the grid whose cells are ``factor`` times smaller."""
        t = self.transform @ Affine.scale(1 / factor)
        return Grid(self.crs, t, (self.shape[0] * factor, self.shape[1] * factor))

    def window(self, bounds: tuple[float, float, float, float]) -> tuple[slice, slice]:
        """Rows and columns of the cells that touch ``bounds`` (metres), cut to the grid."""
        xmin, ymin, xmax, ymax = bounds
        size, t = self.cell_size_m, self.transform
        cols = np.clip(
            [np.floor((xmin - t.c) / size), np.ceil((xmax - t.c) / size)], 0, self.shape[1]
        )
        rows = np.clip(
            [np.floor((t.f - ymax) / size), np.ceil((t.f - ymin) / size)], 0, self.shape[0]
        )
        return slice(int(rows[0]), int(rows[1])), slice(int(cols[0]), int(cols[1]))

    def coverage(self, geometry: BaseGeometry) -> np.ndarray:
        """Share of each cell inside a polygon, exact.

        Parameters
        ----------
        geometry : shapely Polygon or MultiPolygon
            In grid metres.

        Returns
        -------
        ndarray of float64, shape (rows, columns)
            0 outside, 1 inside, the covered fraction on the edge.
        """
        return _covered_fraction(polygons(geometry), self.transform, self.shape)

    def dataset(self) -> xr.Dataset:
        """Return an empty dataset with this grid's ``y`` and ``x`` coordinates and its CRS."""
        import xarray as xr

        attrs = {"units": "m", "axis": "", "standard_name": ""}
        ds = xr.Dataset(
            coords={
                "y": (
                    "y",
                    self.y,
                    attrs | {"axis": "Y", "standard_name": "projection_y_coordinate"},
                ),
                "x": (
                    "x",
                    self.x,
                    attrs | {"axis": "X", "standard_name": "projection_x_coordinate"},
                ),
            }
        )
        ds.coords["spatial_ref"] = (
            (),
            0,
            self.crs.to_cf()
            | {
                "GeoTransform": " ".join(repr(v) for v in self.transform.to_gdal()),
            },
        )
        return ds

    @classmethod
    def from_dataset(cls, ds: xr.Dataset) -> Grid:
        """Return the grid of a dataset made with :meth:`dataset`.

        ``ValueError`` or ``KeyError`` if it is damaged.
        """
        attrs = ds["spatial_ref"].attrs
        transform = Affine.from_gdal(*(float(v) for v in str(attrs["GeoTransform"]).split()))
        return cls(stored_crs(attrs["crs_wkt"]), transform, (ds.sizes["y"], ds.sizes["x"]))

    def _repr_html_(self) -> str:
        rows, cols = self.shape
        return (
            f"<b>Grid</b> {rows} × {cols} cells of {self.cell_size_m / 1000:g} km<br>"
            f"<code>{self.crs.to_proj4()}</code>"
        )


def _covered_fraction(
    geometry: BaseGeometry, transform: Affine, shape: tuple[int, int]
) -> np.ndarray:
    """Share of each cell inside a geometry: exact where its edge passes."""
    # Grids are made long before anything is measured with them: these take a while to load.
    from rasterio.features import rasterize
    from scipy.ndimage import binary_dilation

    if geometry.is_empty:
        return np.zeros(shape)
    inside = rasterize([geometry], shape, transform=transform, dtype="uint8")
    edge = rasterize(
        [geometry.boundary], shape, transform=transform, all_touched=True, dtype="uint8"
    )
    # A line that enters a cell by less than a ten-thousandth does not touch it for GDAL.
    edge = binary_dilation(edge, np.ones((3, 3)))
    fraction = inside.astype(float)
    for row in np.flatnonzero(edge.any(axis=1)):
        cols = np.flatnonzero(edge[row])
        fraction[row, cols] = _row_shares(geometry, transform, int(row), cols)
    return fraction


def _row_shares(
    geometry: BaseGeometry, transform: Affine, row: int, cols: np.ndarray
) -> np.ndarray:
    """Exact shares of some cells of one row; the polygon is cut to the row's band first."""
    import shapely

    top = transform.f + row * transform.e
    west, size = transform.c + cols * transform.a, transform.a
    band = shapely.clip_by_rect(geometry, west[0], top - size, west[-1] + size, top)
    cells = shapely.box(west, np.full(len(cols), top - size), west + size, np.full(len(cols), top))
    return np.clip(
        shapely.area(shapely.intersection(cells, shapely.make_valid(band))) / size**2, 0, 1
    )
