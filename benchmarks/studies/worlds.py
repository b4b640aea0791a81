"""A seeded world in which the true intensity is known: terrain, a border, places, incidents."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from affine import Affine
from shapely.geometry.base import BaseGeometry

from borderrisk.area import StudyArea
from borderrisk.features.catalogue import annotate
from borderrisk.features.proximity import border_features, settlement_features
from borderrisk.grid import WGS84, Grid, laea_crs
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import RADIUS_PER_SIGMA, Panel

FIRST_DAY = pd.Timestamp("2010-01-01")
DAYS_PER_YEAR = 365.25
RADII_KM = (2.0, 5.0, 10.0, 25.0)
_FINE = 4
_ROUGHNESS = 1.7
_PLACES = 60


@dataclass(frozen=True)
class World:
    """Everything a run reads, and the truth it should find.

    Attributes
    ----------
    area : StudyArea
        Home side of the border within the strip; the halo is the whole grid.
    dataset : xarray.Dataset
        Features, ``exposure`` and ``domain`` on the grid.
    intensity : ndarray of float64, shape (rows, columns)
        The truth: expected incidents per 100 km² per year.
    incidents, borders, countries, settlements : geopandas.GeoDataFrame
        In the layouts of :mod:`borderrisk.sources`, WGS84.
    elevation : ndarray of float32
        Metres, on ``elevation_grid`` (the grid with cells four times smaller).
    elevation_grid : Grid
        Grid of the elevation.
    years : float
        Length of the record from 2010-01-01.
    """

    area: StudyArea
    dataset: xr.Dataset
    intensity: np.ndarray
    incidents: gpd.GeoDataFrame
    borders: gpd.GeoDataFrame
    countries: gpd.GeoDataFrame
    settlements: gpd.GeoDataFrame
    elevation: np.ndarray
    elevation_grid: Grid
    years: float

    @property
    def grid(self) -> Grid:
        """The analysis grid."""
        return self.area.grid

    def cells(self) -> CellTable:
        """Return the cells of the domain with their features."""
        return CellTable.from_dataset(self.dataset)

    def panel(self) -> Panel:
        """Return the incidents as mass over the domain."""
        return Panel.build(self.incidents, self.grid, self.dataset["domain"].to_numpy())


def make_world(
    seed: int = 0,
    incidents: int = 400,
    *,
    shape: tuple[int, int] = (60, 70),
    cell_size_m: float = 10_000.0,
    strip_km: float = 250.0,
    years: float = 10.0,
) -> World:
    """Build a world.

    Parameters
    ----------
    seed : int
        Same seed, same world.
    incidents : int
        Incidents in the record; fewer than one per cell makes a fair test.
    shape : tuple of int
        Rows and columns of the grid.
    cell_size_m : float
        Edge length of the cells.
    strip_km : float
        Depth of the study area behind the border.
    years : float
        Length of the record.

    Notes
    -----
    Terrain, places and incidents draw from separate streams, so a world with more incidents has
    the same terrain. Each incident is reported at a point displaced by its own location error.
    """
    terrain, places, events = (np.random.default_rng(s) for s in _streams(seed, 3))
    grid = _grid(shape, cell_size_m)
    fine = grid.refine(_FINE)
    elevation = fractal_terrain(fine.shape, terrain)
    line = _border_line(grid, terrain)
    home, far = _sides(grid, line)
    area = StudyArea(
        grid, home.intersection(line.buffer(strip_km * 1000)), shapely.box(*grid.bounds)
    )
    x, y, population = _places(fine, elevation, places)
    ds = _features(area, elevation, line, home, (x, y, population))
    intensity = _intensity(ds, incidents / years)
    return World(
        area=area,
        dataset=ds,
        intensity=intensity,
        incidents=_incidents(grid, intensity, incidents, years, events),
        borders=_frame(
            grid, {"pair": ["HOM-FAR"], "country_a": ["HOM"], "country_b": ["FAR"]}, [line]
        ),
        countries=_frame(grid, {"iso_a3": ["HOM", "FAR"], "name": ["Home", "Far"]}, [home, far]),
        settlements=_settlements(grid, home, x, y, population),
        elevation=elevation,
        elevation_grid=fine,
        years=years,
    )


def _streams(seed: int, n: int) -> list[np.random.SeedSequence]:
    return np.random.SeedSequence(seed).spawn(n)


def _grid(shape: tuple[int, int], size: float) -> Grid:
    rows, cols = shape
    corner = Affine(size, 0, -(cols // 2) * size, 0, -size, (rows // 2) * size)
    return Grid(laea_crs(60, 31), corner, shape)


def fractal_terrain(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Terrain with a power-law spectrum (Saupe 1988, in The Science of Fractal Images).

    Returns
    -------
    ndarray of float32
        Metres, from 0 to about 3,500.
    """
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    noise = rng.normal(size=(2, *frequency.shape))
    field = np.fft.irfft2((noise[0] + 1j * noise[1]) * frequency**-_ROUGHNESS, s=shape)
    relief = (field - field.min()) / np.ptp(field)
    return (3500 * relief**1.5).astype(np.float32)


def _border_line(grid: Grid, rng: np.random.Generator) -> shapely.LineString:
    """Return a border that wanders from south to north, east of the middle."""
    xmin, ymin, xmax, ymax = grid.bounds
    t = np.linspace(0, 1, 200)
    wave = sum(
        rng.normal() / k * np.sin(2 * np.pi * k * t + rng.uniform(0, 2 * np.pi))
        for k in range(1, 6)
    )
    x = xmin + (xmax - xmin) * (0.62 + 0.05 * wave)
    margin = grid.cell_size_m
    return shapely.LineString(np.column_stack([x, ymin - margin + t * (ymax - ymin + 2 * margin)]))


def _sides(grid: Grid, line: shapely.LineString) -> tuple[BaseGeometry, BaseGeometry]:
    xmin, ymin, _, ymax = grid.bounds
    margin = grid.cell_size_m
    xy = shapely.get_coordinates(line)
    west = shapely.Polygon([(xmin, ymin - margin), *xy, (xmin, ymax + margin)])
    box = shapely.box(*grid.bounds)
    return west.intersection(box), box.difference(west)


def _places(
    fine: Grid, elevation: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Settlements, mostly in the lowlands: x, y in grid metres, and people."""
    low = np.exp(-elevation.ravel().astype(float) / 600)
    cell = rng.choice(low.size, _PLACES, replace=False, p=low / low.sum())
    row, col = np.unravel_index(cell, fine.shape)
    population = np.round(np.exp(rng.normal(9.5, 1.3, _PLACES))).astype(int)
    return fine.x[col], fine.y[row], population


def _features(
    area: StudyArea,
    elevation: np.ndarray,
    line: shapely.LineString,
    home: BaseGeometry,
    places: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> xr.Dataset:
    grid = area.grid
    rows, cols = grid.shape
    blocks = elevation.astype(float).reshape(rows, _FINE, cols, _FINE)
    steep = np.hypot(*np.gradient(elevation.astype(float), grid.cell_size_m / _FINE))
    slope = np.degrees(np.arctan(steep)).reshape(rows, _FINE, cols, _FINE)
    layers = {
        "elevation_mean": blocks.mean(axis=(1, 3)),
        "elevation_sd": blocks.std(axis=(1, 3)),
        "slope_mean": slope.mean(axis=(1, 3)),
        "domain": np.ones(grid.shape),
        "exposure": grid.coverage(area.polygon),
    }
    ds = grid.dataset().assign(
        {name: (("y", "x"), values.astype("float32")) for name, values in layers.items()}
    )
    near = border_features(grid, {"FAR": line}, home)
    towns = settlement_features(grid, *places, thresholds=(1_000, 10_000))
    return annotate(ds.assign(near.data_vars).assign(towns.data_vars))


def _intensity(ds: xr.Dataset, per_year: float) -> np.ndarray:
    """Return the planted truth: near the border, on middle slopes, within reach of a town."""
    border = ds["border_distance_km"].to_numpy().astype(float)
    town = ds["settlement_distance_10k_km"].to_numpy().astype(float)
    height = ds["elevation_mean"].to_numpy().astype(float)
    slope = ds["slope_mean"].to_numpy().astype(float)
    log = (
        2.5 * np.exp(-border / 60)
        - ((height - 1200) / 700) ** 2 / 2
        + 0.8 * slope / slope.std()
        - 1.2 * np.log1p(town / 20)
    )
    weight = np.exp(log)
    area_100km2 = (ds["x"].to_numpy()[1] - ds["x"].to_numpy()[0]) ** 2 / 1e8
    return weight / weight.sum() * per_year / area_100km2


def _incidents(
    grid: Grid, intensity: np.ndarray, n: int, years: float, rng: np.random.Generator
) -> gpd.GeoDataFrame:
    cell = rng.choice(intensity.size, n, p=intensity.ravel() / intensity.sum())
    row, col = np.unravel_index(cell, grid.shape)
    radius = rng.choice(RADII_KM, n)
    within = rng.uniform(-0.5, 0.5, (2, n)) * grid.cell_size_m
    error = rng.normal(size=(2, n)) * radius * 1000 / RADIUS_PER_SIGMA
    xmin, ymin, xmax, ymax = grid.bounds
    # A report that would name a place outside the map names the nearest one inside.
    x = np.clip(grid.x[col] + within[0] + error[0], xmin + 1, xmax - 1)
    y = np.clip(grid.y[row] + within[1] + error[1], ymin + 1, ymax - 1)
    day = np.sort(rng.integers(0, int(years * DAYS_PER_YEAR), n))
    date = FIRST_DAY + pd.to_timedelta(day, unit="D")
    columns = {
        "incident_id": [f"S{i:04d}" for i in range(n)],
        "date": date.astype("datetime64[ns]"),
        "date_end": date.astype("datetime64[ns]"),
        "date_precision": "day",
        "radius_km": radius,
        "kind": "attack",
        "confidence": "high",
        "weight": 1.0,
        **dict.fromkeys(("place", "province", "country", "actor", "target", "summary"), ""),
        "deaths_reported": pd.array([pd.NA] * n, dtype="Int64"),
        "source": "synthetic",
    }
    return _frame(grid, columns, shapely.points(x, y))


def _settlements(
    grid: Grid, home: BaseGeometry, x: np.ndarray, y: np.ndarray, population: np.ndarray
) -> gpd.GeoDataFrame:
    at_home = shapely.contains_xy(home, x, y)
    columns = {
        "name": [f"Town {i}" for i in range(len(x))],
        "name_fa": "",
        "country": np.where(at_home, "HOM", "FAR"),
        "population": population,
    }
    return _frame(grid, columns, shapely.points(x, y))


def _frame(grid: Grid, columns: dict, geometry: object) -> gpd.GeoDataFrame:
    """Return a WGS84 layer from geometries in grid metres."""
    shapes = gpd.GeoSeries(geometry, crs=grid.crs).to_crs(WGS84)
    return gpd.GeoDataFrame(pd.DataFrame(columns, index=range(len(shapes))), geometry=shapes)
