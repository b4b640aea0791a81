"""Ground that changes how people move, and features a user brings: read, put on a grid, accounted.

Each role says what was read, what was left out and how many cells it changes; one that changes
none is a warning.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from pyarrow import ArrowException
from rasterio.features import rasterize
from rasterio.warp import Resampling, reproject

from borderrisk.area import lighter
from borderrisk.errors import ConfigError, DataError, GridError
from borderrisk.grid import Grid
from borderrisk.sources._tiles import UNREADABLE, raster_header, reason
from borderrisk.sources.files import TABLES, Reading, existing, opened
from borderrisk.sources.rowchecks import refuse_cell
from borderrisk.sources.tables import parts_of_kind, read_text_table, read_vector

log = logging.getLogger(__name__)

CELL_ID = "cell_id"
NO_CODE = -1
_TABLE = "features.table"


@dataclass(frozen=True)
class Overlays:
    """What lies on the ground between places, in WGS84.

    Roads have the speed ``kmh`` of their class; barriers and water are valid lines and polygons;
    ``factors`` give the speed on each code of land cover, as a share of that on open ground.
    """

    roads: gpd.GeoDataFrame | None
    barriers: gpd.GeoDataFrame | None
    water: gpd.GeoDataFrame | None
    land_cover: Path | None
    factors: Mapping[int, float]
    readings: tuple[Reading, ...]

    def road_kmh(self, grid: Grid) -> np.ndarray | None:
        """Speed of the fastest road in each cell, 0 without one."""
        return None if self.roads is None else _speeds(self.roads, grid)

    def roads_near(self, grid: Grid) -> gpd.GeoDataFrame | None:
        """Roads with a speed, if one of them runs in a cell at all."""
        kmh = self.road_kmh(grid)
        return None if kmh is None or not kmh.any() else self.roads

    def walls(self, grid: Grid) -> np.ndarray | None:
        """Whether a barrier lies in each cell."""
        return None if self.barriers is None else _touched(self.barriers, grid)

    def walking_time(self, grid: Grid) -> np.ndarray | None:
        """Multiplier of the walking time by land cover, NaN where it is closed."""
        if self.land_cover is None:
            return None
        return _multiplier(read_land_cover(self.land_cover, grid), self.factors)


def read_overlays(
    grid: Grid,
    *,
    roads: Path | None = None,
    barriers: Path | None = None,
    water: Path | None = None,
    land_cover: Path | None = None,
    speeds: Mapping[str, float],
    factors: Mapping[str, float],
) -> Overlays:
    """Open what is given, and say what it does to the cells of a grid.

    ``speeds`` are km/h by class of road, ``factors`` those of land cover by code; ConfigError if
    they do not fit the files, DataError if a file cannot be read or used.
    """
    given = [path for path in (roads, barriers, water, land_cover) if path is not None]
    for path in given:
        existing(path, "data")
    readings = []
    lines = closed = wet = None
    if roads is not None:
        lines, said = _roads(roads, speeds, grid)
        readings.append(said)
    if barriers is not None:
        closed, said = _shapes(barriers, "barriers", "closed to people on foot", grid)
        readings.append(said)
    if water is not None:
        wet, said = _shapes(water, "water", "slower to cross", grid)
        readings.append(said)
    codes = _codes(factors)
    if land_cover is not None:
        readings.append(_land_cover(land_cover, codes, grid))
    return Overlays(lines, closed, wet, land_cover, codes, tuple(readings))


def roads_to_draw(
    path: Path,
    speeds: Mapping[str, float],
    window: tuple[float, float, float, float],
    most: int = 6_000,
) -> gpd.GeoDataFrame:
    """Return the roads of a window as maps draw them: lines of one class are one feature.

    Columns are ``class`` and ``kmh``, the fastest first, in WGS84; ``window`` is west, south, east,
    north. They are made simpler, short ends first, until they have at most so many points.
    """
    roads = read_vector(path, "roads")
    known = roads[roads["class"].isin(list(speeds))]
    inside = shapely.clip_by_rect(known.geometry.to_numpy(), *window)
    found = []
    for name, kmh in sorted(speeds.items(), key=lambda pair: (-pair[1], pair[0])):
        parts = shapely.get_parts(inside[(known["class"] == name).to_numpy()])
        lines = parts[shapely.get_dimensions(parts) == 1]
        if len(lines):
            merged = shapely.line_merge(shapely.multilinestrings(lines))
            found.append({"class": name, "kmh": float(kmh), "geometry": merged})
    table = gpd.GeoDataFrame(found, columns=["class", "kmh", "geometry"], crs=roads.crs)
    table.geometry = lighter(table.geometry.to_numpy(), most)
    return table[~table.geometry.is_empty].reset_index(drop=True)


def read_land_cover(path: Path, grid: Grid) -> np.ndarray:
    """Return the nearest code of each cell, int32 of the grid's shape; ``NO_CODE`` outside.

    DataError if the raster cannot be read, has no CRS, or holds other numbers than codes.
    """
    found = _warped(path, "land_cover", grid, NO_CODE, Resampling.nearest)
    if odd := found[found != np.rint(found)].tolist():
        raise DataError(f"land_cover: {path} holds {odd[0]:g}; codes of land are whole numbers.")
    return found.astype("int32")


def read_population(path: Path, grid: Grid) -> np.ndarray:
    """Return the people in each cell, float64 of the grid's shape; NaN where the raster has none.

    The raster has the people of each pixel, who are taken as spread evenly over it. DataError if it
    cannot be read, has no CRS, or holds negative numbers.
    """
    people = _warped(path, "population", grid, np.nan, Resampling.sum)
    if (people < 0).any():
        raise DataError(
            f"population: {path} holds negative numbers ({np.nanmin(people):g} people in a cell); "
            "if they mean that nothing is known, say so in the file (gdal_edit.py -a_nodata)."
        )
    return people


def _warped(path: Path, what: str, grid: Grid, nothing: float, how: Resampling) -> np.ndarray:
    """Return a raster on a grid, float64; ``nothing`` where it has no value."""
    existing(path, what)
    out = np.full(grid.shape, float(nothing))
    with raster_header(path) as source:
        if source.crs is None:
            raise DataError(f"{what}: {path} has no CRS; set it (gdal_edit.py -a_srs).")
        try:
            reproject(
                rasterio.band(source, 1), out, dst_transform=grid.transform,
                dst_crs=grid.crs.to_wkt(), dst_nodata=nothing, resampling=how,
            )  # fmt: skip
        except UNREADABLE as error:
            raise DataError(f"{what}: {path} cannot be read ({reason(error)}).") from error
    return out


def _roads(path: Path, speeds: Mapping[str, float], grid: Grid) -> tuple[gpd.GeoDataFrame, Reading]:
    roads = read_vector(path, "roads")
    if "class" not in roads:
        raise DataError(
            f"roads: {path} has no column 'class' (it has: {', '.join(map(str, roads))}); name so "
            "the one whose values features.travel.road_speeds_kmh gives speeds for."
        )
    counts = roads["class"].astype(str).value_counts()
    known = roads.assign(kmh=roads["class"].map(dict(speeds)))
    known = known[known["kmh"].notna() & ~(known.geometry.isna() | known.geometry.is_empty)]
    if known.empty:
        raise ConfigError(
            f"features.travel.road_speeds_kmh names none of the classes in {path.name}: "
            f"{', '.join(sorted(counts.index))}."
        )
    dropped = [f"{name} ({n:,})" for name, n in counts.items() if name not in speeds]
    cells = int((_speeds(known, grid) > 0).sum())
    warnings = [_nowhere("roads", known)] if cells == 0 else []
    if dropped:
        warnings.append(f"classes without a speed are left out: {', '.join(dropped)}")
    holds = f"{len(roads):,} roads, {len(known):,} of them with a speed"
    used = f"driven in {cells:,} of {grid.size:,} cells"
    return known, Reading("roads", path, holds, used, ", ".join(dropped), tuple(warnings))


def _shapes(path: Path, what: str, effect: str, grid: Grid) -> tuple[gpd.GeoDataFrame, Reading]:
    """Read lines and polygons, mended where they cross themselves."""
    frame = read_vector(path, what)
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)]
    shapes = gpd.GeoSeries(shapely.make_valid(frame.geometry.to_numpy()), crs=frame.crs)
    plain = np.array([_extended(shape) for shape in shapes], dtype=object)
    kept = gpd.GeoDataFrame(geometry=gpd.GeoSeries(plain, crs=frame.crs))
    kept = kept[~kept.geometry.is_empty].reset_index(drop=True)
    points = len(shapes) - len(kept)
    if kept.empty:
        raise DataError(f"{what}: {path} holds no line and no polygon.")
    cells = int(_touched(kept, grid).sum())
    warnings = [_nowhere(what, kept)] if cells == 0 else []
    if points:
        warnings.append(f"{points:,} points are left out; lines and polygons count")
    holds = f"{len(kept):,} lines and polygons"
    used = f"{cells:,} of {grid.size:,} cells {effect}"
    left = f"{points:,} points" if points else ""
    return kept, Reading(what, path, holds, used, left, tuple(warnings))


def _extended(shape: Any) -> Any:
    parts = [parts_of_kind(shape, kind) for kind in ("polygon", "line")]
    parts = [part for part in parts if not part.is_empty]
    return parts[0] if len(parts) == 1 else shapely.GeometryCollection(parts)


def _nowhere(what: str, shapes: gpd.GeoDataFrame) -> str:
    x, y = shapely.get_coordinates(shapes.geometry.iloc[0])[0]
    return (
        f"no effect: none of the {len(shapes):,} {what} lies in the area (the first begins at "
        f"{x:g} E, {y:g} N)"
    )


def _codes(factors: Mapping[str, float]) -> dict[int, float]:
    try:
        return {int(code): float(factor) for code, factor in factors.items()}
    except ValueError as error:
        words = ", ".join(code for code in factors if not code.lstrip("-").isdigit())
        raise ConfigError(
            f"features.travel.land_cover_factors: {words} is no code of the land cover; give the "
            "numbers of the raster's legend."
        ) from error


def _land_cover(path: Path, factors: Mapping[int, float], grid: Grid) -> Reading:
    codes = read_land_cover(path, grid)
    inside, counts = np.unique(codes[codes != NO_CODE], return_counts=True)
    multiplier = _multiplier(codes, factors)
    cells = int((multiplier != 1).sum())
    key = "features.travel.land_cover_factors"
    plain = [str(code) for code in inside if code not in factors]
    warnings = []
    if inside.size == 0:
        warnings.append("land_cover: no effect: the raster has no values in the area")
    elif not factors:
        warnings.append(f"land_cover: no effect: {key} is empty")
    elif cells == 0:
        warnings.append(
            f"land_cover: no effect: {key} names none of its codes here ({', '.join(plain)})"
        )
    return Reading(
        "land_cover", path, f"{inside.size} codes in {counts.sum():,} cells",
        f"walking speed of {cells:,} of {grid.size:,} cells",
        f"codes without a factor: {', '.join(plain)}" if plain else "", tuple(warnings),
    )  # fmt: skip


def _multiplier(codes: np.ndarray, factors: Mapping[int, float]) -> np.ndarray:
    multiplier = np.ones(codes.shape, "float32")
    for code, factor in factors.items():
        multiplier[codes == code] = 1 / factor if factor > 0 else np.nan
    return multiplier


def _speeds(roads: gpd.GeoDataFrame, grid: Grid) -> np.ndarray:
    # The fastest class is drawn last and wins where roads share a cell.
    ordered = roads.to_crs(grid.crs).sort_values("kmh", kind="stable")
    return burned(list(zip(ordered.geometry, ordered["kmh"], strict=True)), grid)


def _touched(shapes: gpd.GeoDataFrame, grid: Grid) -> np.ndarray:
    return burned([(shape, 1) for shape in shapes.to_crs(grid.crs).geometry], grid) > 0


def burned(pairs: list[tuple[object, float]], grid: Grid) -> np.ndarray:
    """Return the value of the last geometry that touches each cell, float32; 0 without one."""
    if not pairs:
        return np.zeros(grid.shape, "float32")
    return rasterize(pairs, grid.shape, transform=grid.transform, all_touched=True, dtype="float32")


def read_feature_table(
    path: str | Path, columns: Sequence[str], grid: Grid
) -> dict[str, np.ndarray]:
    """Put columns of numbers on the grid, float64 of its shape, NaN where the table has no value.

    The table is CSV or Parquet with a ``cell_id`` column, such as a run's own ``cells.parquet``.
    DataError if a column is absent, an id is unknown or comes twice, or a value is no finite
    number.
    """
    rows, cols, numbers = _cells(path, columns, grid)
    found = {}
    for name, column in numbers.items():
        values = np.full(grid.shape, np.nan)
        values[rows, cols] = column
        found[name] = values
    return found


def count_features(path: str | Path, columns: Sequence[str], grid: Grid) -> dict[str, int]:
    """Return in how many cells each column has a value; errors as of :func:`read_feature_table`."""
    _, _, numbers = _cells(path, columns, grid)
    return {name: int(np.isfinite(column).sum()) for name, column in numbers.items()}


def _cells(
    path: str | Path, columns: Sequence[str], grid: Grid
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    where = f"{_TABLE}: {path}"
    table = _read(Path(path), [CELL_ID, *columns], where)
    return *_places(table, grid, where), {name: _numbers(table[name], where) for name in columns}


def _read(path: Path, names: list[str], where: str) -> pd.DataFrame:
    with opened(path, _TABLE, (*TABLES, "GeoParquet")) as (file, found):
        if not found.endswith("Parquet"):
            table = read_text_table(path, _TABLE).replace("", None)
        else:
            try:
                table = pd.read_parquet(file)
            except (OSError, ValueError, LookupError, TypeError, ArrowException) as error:
                raise DataError(f"{where} cannot be read as Parquet ({error}).") from error
            table.index = pd.RangeIndex(1, len(table) + 1)
    absent = [name for name in names if name not in table]
    if absent:
        has = ", ".join(map(str, table.columns))
        raise DataError(f"{where} has no column {', '.join(absent)} (it has: {has}).")
    return table[names]


def _places(table: pd.DataFrame, grid: Grid, where: str) -> tuple[np.ndarray, np.ndarray]:
    ids = table[CELL_ID].fillna("").astype(str)
    twice = ids[ids.duplicated()]
    if len(twice):
        raise DataError(f"{where}, row {twice.index[0]}: cell {twice.iloc[0]} comes twice.")
    try:
        rows, cols = np.array([grid.parse_cell_id(cell) for cell in ids]).T
    except GridError as error:
        raise DataError(f"{where}: {error} Use the ids of a run with the same grid.") from error
    return rows, cols


def _numbers(column: pd.Series, where: str) -> np.ndarray:
    values = pd.to_numeric(column, errors="coerce")
    expected = "expected a finite number, or nothing where it is not known"
    refuse_cell(column, column.notna() & ~np.isfinite(values), where, expected)
    if values.isna().any():
        log.warning(
            "%s: %s has no value in %d of %d rows; the median takes their place in the model.",
            where, column.name, values.isna().sum(), len(values),
        )  # fmt: skip
    return values.to_numpy(float)
