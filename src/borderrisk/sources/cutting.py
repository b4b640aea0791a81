"""Cut what came to the study area: rasters by window at the cells' resolution, lines, places."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from affine import Affine
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.features import geometry_mask
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import DataError
from borderrisk.grid import WGS84, polygons
from borderrisk.sources import worldbase
from borderrisk.sources.downloads import GEOTIFF, Remote, Store, plain
from borderrisk.sources.world import Bounds, outline

log = logging.getLogger(__name__)
T = TypeVar("T")

TOLERANCE_DEG = 0.0005  # about 50 m: less than any cell shows
_VOID = -32767.0
_LOWEST_M = -500.0  # no land is as low
_LABEL_DEG = 0.25
_STRIP = 256
_NO_TOWNS = ("PPLX", "PPLH", "PPLQ")
_LONGITUDES = ((80, 10), (75, 5), (70, 3), (60, 2), (50, 1.5), (0, 1))
_METRES_PER_DEGREE = 111_195
_RASTER = {"driver": "GTiff", "crs": "EPSG:4326", "count": 1, "tiled": True, "compress": "DEFLATE"}


@dataclass(frozen=True)
class Wanted:
    """What a config needs: the countries, home first, where, and how finely.

    ``near`` is the study area, its halo and a margin, ``window`` (west, south, east, north) of them
    and a wider one, WGS84; ``borders`` and ``countries`` are those of the config so far.
    """

    codes: tuple[str, ...]
    near: BaseGeometry
    window: Bounds
    cell_m: float
    borders: gpd.GeoDataFrame
    countries: gpd.GeoDataFrame

    def squares(self, step: int) -> Iterator[tuple[int, int]]:
        """Yield the south-western corners of squares of whole degrees that ``near`` touches."""
        west, south, east, north = self.near.bounds
        shapely.prepare(self.near)
        for y in range(step * math.floor(south / step), math.ceil(north), step):
            for x in range(step * math.floor(west / step), math.ceil(east), step):
                if self.near.intersects(shapely.box(x, y, x + step, y + step)):
                    yield x, y

    def has_land(self, west: int, south: int, step: int) -> bool:
        """Whether more than a hundredth of a square is land."""
        square = shapely.box(west, south, west + step, south + step)
        return bool(self._land.intersection(square).area > square.area / 100)

    @cached_property
    def territory(self) -> BaseGeometry:
        """The countries, as far as those of the config go, and 10 km more."""
        own = [outline(self.countries, code).simplify(0.02) for code in self.codes]
        area = shapely.union_all(own).buffer(0.1)
        shapely.prepare(area)
        return area

    @cached_property
    def _land(self) -> BaseGeometry:
        return shapely.union_all(self.countries.geometry.to_numpy())


@dataclass(frozen=True)
class Made:
    """Files made of what came, by config key, and what is known of them.

    ``more`` are keys beside the path, ``settings`` those of other sections that make them count.
    """

    files: dict[str, Path]
    version: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    attribution: str = ""


def read_raster(store: Store, remote: Remote, read: Callable[[Any], T]) -> T:
    """Return what ``read`` takes from an open raster, by parts where the service allows it.

    Where reading by parts fails, the whole file is brought and checked, and read from here.
    """
    if store.local is None:
        try:
            with (
                rasterio.Env(**_gdal(store)),
                rasterio.open(f"/vsicurl/{store.url(remote)}", driver=GEOTIFF) as raster,
            ):
                return read(raster)
        except RasterioError as error:
            log.info("%s: %s; the whole file is brought", remote.source, plain(error))
    path = store.get(remote).path
    try:
        with rasterio.open(path, driver=GEOTIFF) as raster:
            return read(raster)
    except RasterioError as error:
        raise DataError(f"{remote.source}: {path} is damaged ({plain(error)}).") from error


def _gdal(store: Store) -> dict[str, Any]:
    """Return settings under which GDAL asks again, reads no folders and keeps nothing."""
    patience = store.patience
    stall = max(1, round(patience.stall_s))
    return {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
        "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/",
        "GDAL_HTTP_MAX_RETRY": 3,
        "GDAL_HTTP_RETRY_DELAY": 2 * patience.scale,
        "GDAL_HTTP_CONNECTTIMEOUT": max(1, round(patience.connect_s)),
        "GDAL_HTTP_LOW_SPEED_TIME": stall,
        "GDAL_HTTP_LOW_SPEED_LIMIT": max(1, patience.least_bytes // stall),
        "GDAL_HTTP_USERAGENT": store.agent,
    }


def elevation_tile(
    wanted: Wanted, store: Store, remote: Remote, folder: Path, factor: int
) -> Path | None:
    """Write the part of a tile of the Copernicus DEM in the window, metres; None outside.

    ``factor`` pixels become one, the mean. All tiles get pixels of one size: north of 50° those of
    the service are wider, so that the widest counts. One that is here already is kept. Voids have
    no tag, so that one pulls down the mean that it is part of; none over land is known.
    """
    path = folder / f"{Path(remote.name).stem.split('COG_')[1]}.tif"
    west, south, east, north = wanted.near.bounds
    tag = f"{west:.4f},{south:.4f},{east:.4f},{north:.4f} / {factor}"
    if path.is_file() and _tag(path) == tag:
        return path
    widest = max(_width(y) for _, y in wanted.squares(1))

    def read(raster: Any) -> tuple[np.ndarray, Affine] | None:
        own = _width(math.floor(raster.bounds.bottom + 0.5))
        return _part(raster, wanted.near.bounds, (factor * widest / own, factor))

    found = read_raster(store, remote, read)
    if found is None:
        return None
    metres, place = found
    metres = np.where(np.isfinite(metres) & (metres > _LOWEST_M), metres, _VOID)
    shape = {"dtype": "float32", "nodata": _VOID, "predictor": 3, "transform": place}
    _save(path, metres.astype("float32"), shape, tag)
    store.progress(remote.name, path.stat().st_size)
    return path


def mosaic(tiles: list[Path], path: Path) -> None:
    """Write tiles with pixels of one size as one raster, each at the nearest pixel."""
    with ExitStack() as stack:
        rasters = [stack.enter_context(rasterio.open(tile, driver=GEOTIFF)) for tile in tiles]
        left, top = min(r.bounds.left for r in rasters), max(r.bounds.top for r in rasters)
        dx, dy = rasters[0].res
        corner = Affine(dx, 0, left, 0, -dy, top)
        at = [[round(v) for v in (~corner) @ (r.bounds.left, r.bounds.top)] for r in rasters]
        shape = [
            max(a[k] + r.shape[1 - k] for a, r in zip(at, rasters, strict=True)) for k in (1, 0)
        ]
        form = {"dtype": "float32", "nodata": _VOID, "predictor": 3, "transform": corner}
        form |= {"height": shape[0], "width": shape[1], "BIGTIFF": "IF_SAFER"}
        out = stack.enter_context(rasterio.open(path, "w", **_RASTER, **form))
        for row in range(0, shape[0], _STRIP):
            strip = np.full((min(_STRIP, shape[0] - row), shape[1]), _VOID, "float32")
            for (col, start), raster in zip(at, rasters, strict=True):
                first, last = max(row, start), min(row + len(strip), start + raster.height)
                if first < last:
                    part = Window(0, first - start, raster.width, last - first)
                    place = np.s_[first - row : last - row, col : col + raster.width]
                    strip[place] = raster.read(1, window=part)
            out.write(strip, 1, window=Window(0, row, shape[1], len(strip)))


def _width(south: int) -> float:
    """Width of a pixel of the Copernicus DEM, in those of the equator."""
    nearest = south if south >= 0 else -south - 1
    return next(width for limit, width in _LONGITUDES if nearest >= limit)


def _part(raster: Any, box: Bounds, step: tuple[float, float]) -> tuple[np.ndarray, Affine] | None:
    """Read a window in steps of (columns, rows), the mean of each; None if they do not meet."""
    t, (dx, dy) = raster.transform, step
    size = (round(raster.width / dx), round(raster.height / dy))
    first = np.floor([(box[0] - t.c) / t.a / dx, (box[3] - t.f) / t.e / dy]).astype(int)
    last = np.ceil([(box[2] - t.c) / t.a / dx, (box[1] - t.f) / t.e / dy]).astype(int)
    (c0, r0), (c1, r1) = np.clip(first, 0, size), np.clip(last, 0, size)
    if c0 >= c1 or r0 >= r1:
        return None
    window = Window(c0 * dx, r0 * dy, (c1 - c0) * dx, (r1 - r0) * dy)
    values = raster.read(
        1, window=window, out_shape=(r1 - r0, c1 - c0), resampling=Resampling.average
    )
    return values, t @ Affine.translation(c0 * dx, r0 * dy) @ Affine.scale(dx, dy)


def _tag(path: Path) -> str:
    try:
        with rasterio.open(path, driver=GEOTIFF) as raster:
            return str(raster.tags().get("window", ""))
    except RasterioError:
        return ""


def _save(path: Path, values: np.ndarray, shape: dict[str, Any], tag: str = "") -> None:
    """Write one band, which has its name when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    size = {"height": values.shape[0], "width": values.shape[1]}
    with rasterio.open(partial, "w", **_RASTER, **shape, **size) as raster:
        raster.write(values, 1)
        raster.update_tags(window=tag)
    partial.replace(path)


def _lattice(wanted: Wanted, pixels_per_cell: int, finest_deg: float) -> tuple[Affine, Any]:
    """Return the transform and shape of pixels of whole ``finest_deg`` over the window."""
    goal = wanted.cell_m / pixels_per_cell / _METRES_PER_DEGREE
    step = finest_deg * 2 ** max(0, math.floor(math.log2(goal / finest_deg)))
    west, south, east, north = wanted.near.bounds
    place = Affine(
        step, 0, step * math.floor(west / step), 0, -step, step * math.ceil(north / step)
    )
    return place, (math.ceil((place.f - south) / step), math.ceil((east - place.c) / step))


def cover_expect(wanted: Wanted) -> tuple[int, float]:
    """Return the files and MB of land cover that are read."""
    place, _ = _lattice(wanted, 4, 1 / 12_000)
    files = len(list(wanted.squares(3)))
    return files, files * max(0.5, 41 / (place.a * 12_000) ** 2)


def land_cover(wanted: Wanted, store: Store, remotes: list[Remote], path: Path) -> None:
    """Write the commonest code of each pixel, four to a cell's edge; 0 where there is no tile."""
    place, shape = _lattice(wanted, 4, 1 / 12_000)
    codes = np.zeros(shape, "uint8")
    for remote in remotes:
        read_raster(store, remote, lambda raster: _lay(raster, codes, place))
    _save(path, codes, {"dtype": "uint8", "nodata": 0, "transform": place})


def _lay(raster: Any, codes: np.ndarray, place: Affine) -> None:
    """Put a tile into the mosaic whose pixels are a whole number of its own."""
    col, row = (round(v) for v in (~place) @ (raster.bounds.left, raster.bounds.top))
    height, width = (round(v / place.a) for v in (
        raster.bounds.top - raster.bounds.bottom, raster.bounds.right - raster.bounds.left
    ))  # fmt: skip
    r0, r1 = max(row, 0), min(row + height, codes.shape[0])
    c0, c1 = max(col, 0), min(col + width, codes.shape[1])
    if r0 >= r1 or c0 >= c1:
        return
    dy, dx = raster.height / height, raster.width / width
    window = Window((c0 - col) * dx, (r0 - row) * dy, (c1 - c0) * dx, (r1 - r0) * dy)
    read = raster.read(1, window=window, out_shape=(r1 - r0, c1 - c0), resampling=Resampling.mode)
    codes[r0:r1, c0:c1] = read


def people(wanted: Wanted, paths: list[Path], path: Path) -> None:
    """Write the sum of people in each pixel, four to a cell's edge; a count is never averaged.

    Pixels outside the countries have none: what lives there is not known.
    """
    place, shape = _lattice(wanted, 4, 1 / 1200)
    total = np.zeros(shape)
    for source in paths:
        with rasterio.open(source, driver=GEOTIFF) as raster:
            for _, window in raster.block_windows(1):
                _count(raster, window, total, ~place)
    own = wanted.countries[wanted.countries["iso_a3"].isin(wanted.codes)]
    outside = geometry_mask(own.geometry, shape, place, all_touched=True)
    total[outside & (total == 0)] = _VOID
    form = {"dtype": "float32", "nodata": _VOID, "predictor": 3, "transform": place}
    _save(path, total.astype("float32"), form)


def _count(raster: Any, window: Window, total: np.ndarray, inverse: Affine) -> None:
    values = raster.read(1, window=window).astype(float)
    rows, cols = np.nonzero(np.isfinite(values) & (values > 0))
    x, y = raster.transform @ (cols + window.col_off + 0.5, rows + window.row_off + 0.5)
    col, row = (np.floor(v).astype(int) for v in inverse @ (x, y))
    inside = (row >= 0) & (row < total.shape[0]) & (col >= 0) & (col < total.shape[1])
    np.add.at(total, (row[inside], col[inside]), values[rows, cols][inside])


def refined(wanted: Wanted, parts: gpd.GeoSeries) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return border lines and country outlines with a better outline of the home country.

    The lines come from that outline alone: each stretch is the border with the neighbour whose
    line so far is nearest, or a coast. Neighbours give up, or take over, what lies between.
    """
    home, box = wanted.codes[0], shapely.box(*wanted.window)
    shape = shapely.simplify(shapely.make_valid(parts.to_numpy()), TOLERANCE_DEG)
    new = polygons(shapely.make_valid(shapely.union_all(shape)))
    lines = _labelled(wanted, home, shapely.intersection(new.boundary, box))
    others = wanted.borders[~wanted.borders["pair"].str.contains(home)]
    names = [{"pair": f"{home}-{c}", "country_a": home, "country_b": c} for c in lines]
    own = gpd.GeoDataFrame(names, geometry=list(lines.values()), crs=WGS84)
    new = polygons(shapely.intersection(new, box))
    countries = wanted.countries[wanted.countries.intersects(box)].copy()
    given = _given_up(countries, home, new)
    countries["geometry"] = [
        new if code == home else polygons(shapely.union_all([shape.difference(new), *given[code]]))
        for code, shape in zip(countries["iso_a3"], countries.geometry, strict=True)
    ]
    kept = countries[~countries.geometry.is_empty]
    return pd.concat([own, others], ignore_index=True), kept


def _labelled(wanted: Wanted, home: str, edge: BaseGeometry) -> dict[str, Any]:
    """Return the parts of an edge by the neighbour whose line is nearest."""
    own = wanted.borders[wanted.borders["pair"].str.contains(home)]
    codes = own["pair"].str.replace(home, "").str.strip("-")
    known = dict(zip(codes, own.geometry, strict=True))
    coast = outline(wanted.countries, home).boundary
    coast = coast.difference(shapely.union_all(list(known.values())).buffer(0.001))
    coast = coast.intersection(shapely.box(*wanted.window).buffer(-0.001))
    names = [*known, ""]
    pieces = [shapely.get_parts(shape) for shape in (*known.values(), coast)]
    whose = np.repeat(np.arange(len(names)), [np.size(piece) for piece in pieces])
    tree = shapely.STRtree(np.concatenate(pieces))
    found: dict[str, list[BaseGeometry]] = {}
    for part in shapely.get_parts(shapely.line_merge(edge)).tolist():
        xy = shapely.get_coordinates(shapely.segmentize(part, 0.02))
        middle = shapely.points((xy[:-1] + xy[1:]) / 2)
        (at, near), apart = tree.query_nearest(middle, all_matches=False, return_distance=True)
        label = np.full(len(xy) - 1, len(names) - 1)
        label[at] = np.where(apart < _LABEL_DEG, whose[near], label[at])
        edges = [0, *(np.flatnonzero(np.diff(label)) + 1), len(label)]
        for start, stop in pairwise(edges):
            line = shapely.simplify(shapely.LineString(xy[start : stop + 1]), 1e-9)
            found.setdefault(names[label[start]], []).append(line)
    return {
        code: shapely.line_merge(shapely.multilinestrings(found[code]))
        for code in known if code in found
    }  # fmt: skip


def _given_up(
    countries: gpd.GeoDataFrame, home: str, new: BaseGeometry
) -> dict[str, list[BaseGeometry]]:
    """Return what the home country no longer holds, by the neighbour that it lies at."""
    others = countries[countries["iso_a3"] != home]
    given: dict[str, list[BaseGeometry]] = {code: [] for code in countries["iso_a3"]}
    left = shapely.get_parts(polygons(outline(countries, home).difference(new)))
    tree = shapely.STRtree(others.geometry.to_numpy())
    for at, other in tree.query(left, predicate="dwithin", distance=1e-6).T:
        if not any(left[at] is part for parts in given.values() for part in parts):
            given[others["iso_a3"].iloc[other]].append(left[at])
    return given


def settlements(wanted: Wanted, places: pd.DataFrame) -> pd.DataFrame:
    """Return towns and villages of GeoNames in the window, and the base's elsewhere.

    ``places`` has the columns of a country's file by number, and ``country``. Sections of towns
    and abandoned places are left out; those without population, but for seats of government.
    """
    people = pd.to_numeric(places["14"], errors="coerce").fillna(0).astype("int64")
    seat = places["7"].str.match("PPL[ACG]")
    kept = (
        (places["6"] == "P") & ((people > 0) | seat) & ~places["7"].isin(["PPLX", "PPLH", "PPLQ"])
    )
    base = worldbase.settlements(wanted.window)
    persian = base.set_index(["latitude", "longitude"])["name_fa"].to_dict()
    at = {name: pd.to_numeric(places[column]) for name, column in
          (("latitude", "4"), ("longitude", "5"))}  # fmt: skip
    west, south, east, north = wanted.window
    kept &= at["longitude"].between(west, east) & at["latitude"].between(south, north)
    table = pd.DataFrame(
        {"name": places["1"], **at, "population": people, "country": places["country"]}
    )[kept]
    keys = zip(table["latitude"].round(5), table["longitude"].round(5), strict=True)
    table.insert(1, "name_fa", [persian.get(key, "") for key in keys])
    others = base[~base["country"].isin(set(places["country"]))]
    joined = pd.concat([table, others[list(table)]])
    order = ["population", "country", "name", "latitude", "longitude"]
    return joined.sort_values(order, ascending=[False, True, True, True, True])


def in_countries(wanted: Wanted, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose place, degrees, lies in the countries or within 10 km of them."""
    x, y = (pd.to_numeric(rows[name], errors="coerce") for name in ("longitude", "latitude"))
    return rows[shapely.contains_xy(wanted.territory, x, y)]


def corner(west: int, south: int, minutes: str = "") -> str:
    """Name the south-western corner of a tile, as in N36E059."""
    north, east = "SN"[south >= 0], "WE"[west >= 0]
    middle = "_" if minutes else ""
    return f"{north}{abs(south):02d}{minutes}{middle}{east}{abs(west):03d}{minutes}"


def write(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write features as GeoJSON, to a metre."""
    frame.to_file(path, driver="GeoJSON", engine="pyogrio", COORDINATE_PRECISION=5)
