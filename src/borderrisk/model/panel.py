"""Incidents as probability mass over cells, with their dates: what every model is fitted on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_matrix, diags_array
from scipy.special import ndtr
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import DataError
from borderrisk.grid import WGS84, Grid
from borderrisk.model.cells import CellTable

log = logging.getLogger(__name__)

# A radius bounds 90 % of a round Gaussian: r = sigma * sqrt(2 ln 10).
RADIUS_PER_SIGMA = float(np.sqrt(2 * np.log(10)))
# Each axis is cut here: sqrt(0.995) of a Gaussian along it, 99.5 % of the disc's mass together.
_CUT_SIGMA = 3.0232
_MIN_SIGMA_M = 1.0
# Cells of discs worked on at a time.
_AT_ONCE = 1 << 20
# An incident with less of its mass than this on scored or read land is not placed.
MIN_SHARE = 0.10
# Points of a disc that are asked which side of the border they lie on, along a sunflower's spiral.
_POINTS, _GOLDEN = 100, float(np.pi * (3 - np.sqrt(5)))
# Less than this is rounding.
_SURE = 1e-6
_COLUMNS = ("incident_id", "date", "date_end", "radius_km", "weight")
_KEPT = (*_COLUMNS, "kind")


@dataclass(frozen=True)
class Panel:
    """Dated incidents, each with a mass of 1 over the cells of the domain.

    Attributes
    ----------
    grid : Grid
        The analysis grid.
    domain : ndarray of float, shape (rows, columns)
        Share of each cell that is land within the study area and halo.
    mass : scipy.sparse.csr_matrix, shape (incidents, domain cells)
        Where each incident may have been; rows sum to 1. Columns follow ``domain > 0`` in
        row-major order, the same as :class:`borderrisk.model.cells.CellTable`.
    incidents : pandas.DataFrame
        One row per incident: ``incident_id, date, date_end, radius_km, weight, kind, x, y``
        (grid metres).
    rejected : pandas.DataFrame
        ``incident_id, reason`` of incidents that could not be placed.
    """

    grid: Grid
    domain: np.ndarray
    mass: csr_matrix
    incidents: pd.DataFrame
    rejected: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame({"incident_id": [], "reason": []}, dtype=str)
    )

    @classmethod
    def build(cls, incidents: gpd.GeoDataFrame, grid: Grid, domain: np.ndarray) -> Panel:
        """Spread each incident over the land of its disc.

        Parameters
        ----------
        incidents : geopandas.GeoDataFrame
            Points with ``incident_id, date, date_end, radius_km, weight`` and perhaps ``kind``.
        grid : Grid
            Cells to spread over.
        domain : ndarray of float, shape (rows, columns)
            Share of each cell that is land within the study area and halo.

        Raises
        ------
        DataError
            If a column is missing, or a radius or weight is not a number of at least zero.
        """
        table = _table(incidents, grid)
        sigma = table["radius_km"].to_numpy() * 1000 / RADIUS_PER_SIGMA
        mass, share = spread(table["x"].to_numpy(), table["y"].to_numpy(), sigma, grid, domain)
        placed = share >= MIN_SHARE
        rejected = pd.DataFrame(
            {
                "incident_id": table["incident_id"][~placed].astype(str),
                "reason": [_reason(s) for s in share[~placed]],
            }
        ).reset_index(drop=True)
        table = table[placed].reset_index(drop=True)
        return cls(grid, np.asarray(domain), mass[np.flatnonzero(placed)], table, rejected)

    def __len__(self) -> int:
        return len(self.incidents)

    @cached_property
    def domain_mask(self) -> np.ndarray:
        """Cells with any land in the domain, bool, shape (rows, columns)."""
        return self.domain > 0

    def take(self, index: Any) -> Panel:
        """Return the incidents at integer positions; a position may come more than once."""
        index = np.asarray(index, dtype=np.intp)
        return replace(
            self,
            mass=self.mass[index],
            incidents=self.incidents.iloc[index].reset_index(drop=True),
        )

    def subset(self, mask: Any) -> Panel:
        """Return the incidents where a boolean mask is true."""
        return self.take(np.flatnonzero(np.asarray(mask, dtype=bool)))

    def before(self, origin: Any) -> Panel:
        """Return the incidents whose whole reported period lies before ``origin``."""
        return self.subset(self.incidents["date_end"] < pd.Timestamp(origin))

    def between(self, start: Any, end: Any) -> Panel:
        """Return the incidents whose whole reported period lies in ``[start, end)``."""
        first, last = self.incidents["date"], self.incidents["date_end"]
        return self.subset((first >= pd.Timestamp(start)) & (last < pd.Timestamp(end)))

    def within(self, windows: Sequence[tuple[float, float, float, float]]) -> np.ndarray:
        """Whether the point of each incident lies in one of some windows, degrees; bool."""
        lon, lat = self.grid.unproject(self.incidents["x"], self.incidents["y"])
        inside = np.zeros(len(self), bool)
        for west, south, east, north in windows:
            inside |= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        return inside

    def home(self, cells: CellTable) -> tuple[csr_matrix, np.ndarray]:
        """Cut the mass of each incident to the study area.

        As :meth:`CellTable.inside` does by the share of each cell, with the same values returned;
        where the share of an incident is known (:meth:`cut`), its mass adds to that.
        """
        mass, share = cells.inside(self.mass)
        if "home" not in self.incidents:
            return mass, share
        known = self.incidents["home"].to_numpy()
        torn = (share > _SURE) & (share < 1 - _SURE)
        factor = np.divide(known, share, out=np.ones_like(share), where=torn)
        return csr_matrix(diags_array(factor) @ mass), factor * share

    def cut(
        self,
        polygon: BaseGeometry,
        exposure: np.ndarray,
        country: BaseGeometry | None = None,
        in_country: np.ndarray | None = None,
    ) -> Panel:
        """Return the incidents with the share of each disc that lies in the study area, ``home``.

        The polygon is the study area in grid metres; ``exposure`` (rows, columns) the share of each
        cell inside it. Where a disc lies across the line, what is known of an incident decides:
        ``in_country`` (incidents,) is 1 if it was in the home ``country`` (an outline, grid
        metres), 0 if in another, NaN if nobody says.
        """
        table = self.incidents
        sigma = np.maximum(table["radius_km"].to_numpy() * 1000 / RADIUS_PER_SIGMA, _MIN_SIGMA_M)
        k = np.arange(_POINTS) + 0.5
        out = sigma[:, None] * np.sqrt(-2 * np.log1p(-k / _POINTS))
        x = table["x"].to_numpy()[:, None] + out * np.cos(_GOLDEN * k)
        y = table["y"].to_numpy()[:, None] + out * np.sin(_GOLDEN * k)
        shapely.prepare(polygon)
        inside = shapely.contains_xy(polygon, x, y)
        # Outside the study area a point may lie on water, where no incident is.
        beyond = np.divide(
            self.domain - exposure, 1 - exposure, out=np.zeros_like(self.domain),
            where=exposure < 1,
        )  # fmt: skip
        row, col = self.grid.rowcol(x, y)
        land = np.where(row >= 0, np.clip(beyond[row, col], 0, 1), 0.0)
        counted = np.where(inside, 1.0, land)
        share = inside.sum(axis=1) / np.maximum(counted.sum(axis=1), 1.0)
        if country is not None and in_country is not None:
            shapely.prepare(country)
            ours = counted * shapely.contains_xy(country, x, y)
            across = (ours.sum(axis=1) > 0) & (ours.sum(axis=1) < counted.sum(axis=1))
            own = inside.sum(axis=1) / np.maximum(ours.sum(axis=1), 1.0)
            share = np.where(across & (in_country == 1), np.minimum(own, 1), share)
            share = np.where(across & (in_country == 0), 0.0, share)
        return replace(self, incidents=table.assign(home=share))

    def counts(self, weighted: bool = True) -> np.ndarray:
        """Return the expected number of incidents of each domain cell, shape (domain cells,).

        Each incident counts with its confidence weight, or as 1.
        """
        weight = self.incidents["weight"].to_numpy(float) if weighted else np.ones(len(self))
        return np.asarray(self.mass.T @ weight).ravel()

    def respread(self, *, scale: float = 1.0, extra_km: float = 0.0) -> Panel:
        """Return the incidents with wider or narrower discs.

        The new standard deviation is ``sqrt((scale * sigma)² + extra_km²)``, with sigma from the
        radius: a kernel history of each incident's own radius, convolved with a fixed Gaussian.
        """
        own = scale * self.incidents["radius_km"].to_numpy() * 1000 / RADIUS_PER_SIGMA
        sigma = np.hypot(own, extra_km * 1000)
        x, y = (self.incidents[axis].to_numpy() for axis in ("x", "y"))
        mass, share = spread(x, y, sigma, self.grid, self.domain)
        # A narrower disc may miss the land its incident was placed on: that one stays as it was.
        stays = diags_array((share == 0).astype(float)) @ self.mass
        mass = csr_matrix(mass + stays)
        return replace(self, mass=mass)

    def redraw(
        self, rng: np.random.Generator, *, kind: Literal["point", "disc"] = "point"
    ) -> Panel:
        """Return the incidents at new locations, each drawn from its own mass.

        With ``point`` the whole mass of an incident goes into the cell it was drawn into: averaged
        over draws this gives back the original mass, so it is one possible truth and adds no
        smoothing. With ``disc`` the radius is kept around the new point, which convolves the
        uncertainty with itself (twice the variance); use it for models that need a smooth surface
        from every replicate.
        """
        cell = _draw_columns(self.mass, rng)
        rows, cols = np.nonzero(self.domain_mask)
        size, jitter = self.grid.cell_size_m, rng.uniform(-0.5, 0.5, (2, len(self)))
        x = self.grid.x[cols[cell]] + jitter[0] * size
        y = self.grid.y[rows[cell]] + jitter[1] * size
        moved = replace(self, incidents=self.incidents.assign(x=x, y=y))
        if kind == "disc":
            return moved.respread()
        n = len(self)
        points = csr_matrix((np.ones(n), cell, np.arange(n + 1)), shape=self.mass.shape)
        return replace(moved, mass=points)


def _table(incidents: gpd.GeoDataFrame, grid: Grid) -> pd.DataFrame:
    missing = [name for name in _COLUMNS if name not in incidents]
    if missing:
        raise DataError(f"The incident table lacks the column(s) {', '.join(missing)}.")
    for name in ("radius_km", "weight"):
        values = incidents[name].to_numpy(float)
        if not np.all(values >= 0) or np.any(np.isinf(values)):
            bad = incidents["incident_id"][~(values >= 0) | np.isinf(values)].iloc[0]
            raise DataError(f"Incident {bad}: {name} must be a number of at least 0.")
    points = incidents.geometry
    if points.crs is not None and points.crs != WGS84:
        points = points.to_crs(WGS84)
    x, y = grid.project(points.x.to_numpy(), points.y.to_numpy())
    table = pd.DataFrame({name: incidents[name] for name in _KEPT if name in incidents})
    return table.assign(kind=table.get("kind", ""), x=x, y=y).reset_index(drop=True)


def _reason(share: float) -> str:
    if share == 0:
        return "no land of the study area or halo within its location radius"
    return (
        f"only {share:.0%} of its location disc is land of the study area or halo "
        f"(at least {MIN_SHARE:.0%} needed)"
    )


def spread(
    x: np.ndarray, y: np.ndarray, sigma_m: np.ndarray, grid: Grid, domain: np.ndarray
) -> tuple[csr_matrix, np.ndarray]:
    """Integrate round Gaussians over cells, cut to the domain.

    A round Gaussian is the product of two along the axes, so its integral over a cell is exact: a
    product of differences of the normal distribution function. ``x``, ``y`` and ``sigma_m`` are
    grid metres, ``domain`` (rows, columns) the share of each cell that may take mass: mass in the
    cell counts with that share. Returns the mass, (incidents, cells with domain > 0), whose rows
    sum to 1 or are empty where the domain is out of reach, and each one's share on cells of the
    domain before it was cut to land and renormalised.
    """
    sigma_m = np.maximum(np.asarray(sigma_m, float), _MIN_SIGMA_M)
    widths = np.ceil(2 * _CUT_SIGMA * sigma_m / grid.cell_size_m).astype(int) + 1
    index, data, counts, share, order = [], [], [], np.zeros(len(sigma_m)), []
    # Incidents whose discs touch as many cells are worked on together.
    for width in np.unique(widths):
        alike = np.flatnonzero(widths == width)
        size = np.minimum(width, grid.shape)
        for some in np.array_split(alike, 1 + len(alike) * size.prod() // _AT_ONCE):
            cell, weights = _window_mass(x[some], y[some], sigma_m[some], grid, size)
            land = domain.ravel()[cell]
            share[some] = (weights * (land > 0)).sum(axis=1)
            weights *= land
            total, keep = weights.sum(axis=1, keepdims=True), weights > 0
            data.append((weights / np.where(total > 0, total, 1.0))[keep])
            index.append(cell[keep])
            counts.append(keep.sum(axis=1))
            order.append(some)
    column = np.cumsum(domain.ravel() > 0) - 1
    indptr = np.concatenate([[0], *counts]).cumsum()
    flat, cell = (np.concatenate([[], *part]) for part in (data, index))
    shape = (len(sigma_m), int(column[-1]) + 1)
    mass = csr_matrix((flat, column[cell.astype(np.int64)], indptr), shape=shape)
    return mass[np.argsort(np.concatenate([[], *order]))], share


def _window_mass(
    x: np.ndarray, y: np.ndarray, sigma: np.ndarray, grid: Grid, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cells of a window around each point, by their flat position, and the mass of each.

    Both are (points, cells of the window), by rows; windows have ``size`` rows and columns.
    """
    t = grid.transform
    down, row = _axis_mass(t.f - y, sigma, grid.cell_size_m, size[0], grid.shape[0])
    across, col = _axis_mass(x - t.c, sigma, grid.cell_size_m, size[1], grid.shape[1])
    cell = row[:, :, None] * grid.shape[1] + col[:, None, :]
    mass = down[:, :, None] * across[:, None, :]
    return cell.reshape(len(x), -1), mass.reshape(len(x), -1)


def _axis_mass(
    centre: np.ndarray, sigma: np.ndarray, cell_m: float, size: int, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mass of cut normal distributions in consecutive cells of an axis, and which cells those are.

    ``centre`` is metres from where the axis begins; both are (points, size).
    """
    first = np.floor((centre - _CUT_SIGMA * sigma) / cell_m)
    first = np.clip(first, 0, most - size).astype(int)
    edge = (first[:, None] + np.arange(size + 1)) * cell_m
    z = np.clip((edge - centre[:, None]) / sigma[:, None], -_CUT_SIGMA, _CUT_SIGMA)
    mass = np.diff(ndtr(z), axis=1) / (2 * ndtr(_CUT_SIGMA) - 1)
    return mass, first[:, None] + np.arange(size)


def _draw_columns(mass: csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """One column per row, drawn with the row's values as probabilities."""
    n = mass.shape[0]
    running = np.concatenate([[0.0], np.cumsum(mass.data)])
    first, last = running[mass.indptr[:-1]], running[mass.indptr[1:]]
    target = first + rng.uniform(size=n) * (last - first)
    entry = np.searchsorted(running, target, side="right") - 1
    return mass.indices[np.clip(entry, mass.indptr[:-1], mass.indptr[1:] - 1)]


def as_panel(incidents: Panel | gpd.GeoDataFrame, cells: CellTable) -> Panel:
    """Return incidents as mass over cells.

    A geodataframe holds points with a column ``date``, and may have ``date_end`` (the date by
    default), ``radius_km`` (0), ``weight`` (1), ``incident_id`` and ``kind``. ``DataError`` if
    there is no date or projection, or a value cannot be; incidents that lie outside the cells are
    left out, with a warning.
    """
    if isinstance(incidents, Panel):
        return incidents
    if not isinstance(incidents, gpd.GeoDataFrame):
        raise DataError(
            f"Incidents must be a GeoDataFrame of points (got {type(incidents).__name__})."
        )
    if "date" not in incidents:
        raise DataError("The incident table lacks the column(s) date.")
    if incidents.crs is None:
        raise DataError("The incident table does not say in which projection its points are.")
    usual: dict[str, Any] = {
        "incident_id": [str(k) for k in range(len(incidents))], "date_end": incidents["date"],
        "radius_km": 0.0, "weight": 1.0,
    }  # fmt: skip
    table = incidents.assign(**{k: v for k, v in usual.items() if k not in incidents})
    try:
        dates = {name: pd.to_datetime(table[name]) for name in ("date", "date_end")}
    except (ValueError, TypeError) as error:
        raise DataError(f"The incident table has a date that cannot be read: {error}.") from error
    land = np.zeros(cells.grid.shape)
    land[cells.mask] = cells.area_100km2 * 100 / cells.grid.cell_area_km2
    panel = Panel.build(table.assign(**dates), cells.grid, land)
    if len(panel.rejected):
        log.warning("%d of %d incidents lie outside the cells and are left out.",
                    len(panel.rejected), len(table))  # fmt: skip
    return panel
