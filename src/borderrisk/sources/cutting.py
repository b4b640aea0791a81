"""Rasters of open data, cut to the study area at the cells' resolution; borders, places, events."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from affine import Affine
from rasterio.enums import Resampling
from rasterio.features import geometry_mask
from rasterio.merge import merge
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from borderrisk.errors import DataError
from borderrisk.grid import WGS84, polygons
from borderrisk.sources import worldbase
from borderrisk.sources.downloads import GEOTIFF, Remote, Store
from borderrisk.sources.world import Bounds, outline

log = logging.getLogger(__name__)

_DEM = "https://copernicus-dem-{0}m.s3.amazonaws.com/{1}"
_COVER = (
    "https://esa-worldcover.s3.eu-central-1.amazonaws.com/v200/2021/map/"
    "ESA_WorldCover_10m_2021_v200_{}_Map.tif"
)
_PEOPLE = (
    "https://data.worldpop.org/GIS/Population/Global_2015_2030/R2025A/2025/{0}/v1/100m/constrained/"
    "{1}_pop_2025_CN_100m_R2025A_v1.tif"
)
# Shares of the speed on open ground: light brush 0.83, heavy brush 0.67, bog 0.56 (terrain
# coefficients of Soule & Goldman 1972, J. Appl. Physiol. 32).
COVER_FACTORS = {"10": 0.67, "20": 0.83, "30": 0.9, "40": 0.9, "80": 0.25, "90": 0.56, "95": 0.56}
TOLERANCE_DEG = 0.0005  # about 50 m: less than any cell shows
_VOID = -32767.0
_LOWEST_M = -500.0  # no land is as low
_LABEL_DEG = 0.25
_METRES_PER_DEGREE = 111_195
Lattice = tuple[Affine, tuple[int, int]]


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

    def lattice(self, step: tuple[float, float], corner: tuple[float, float] = (0, 0)) -> Lattice:
        """Return transform and shape of pixels of ``step`` degrees over ``near``.

        A corner of one of them lies at ``corner``.
        """
        west, south, east, north = self.near.bounds
        (dx, dy), (x, y) = step, corner
        left, top = x + dx * math.floor((west - x) / dx), y + dy * math.ceil((north - y) / dy)
        shape = math.ceil((top - south) / dy), math.ceil((east - left) / dx)
        return Affine(dx, 0, left, 0, -dy, top), shape

    def quarters(self, finest: float) -> Lattice:
        """Return pixels of ``finest`` degrees, doubled while a cell's edge still has four."""
        goal = self.cell_m / 4 / _METRES_PER_DEGREE
        step = finest * 2 ** max(0, math.floor(math.log2(goal / finest)))
        return self.lattice((step, step))


@dataclass(frozen=True)
class Made:
    """Files made of what came, by config key, and what is known of them.

    ``settings`` are further keys of the config, those outside ``data`` only where it has none.
    """

    files: Mapping[str, Path]
    version: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    attribution: str = ""


def corner(west: int, south: int, minutes: str = "") -> str:
    """Name the south-western corner of a tile, as in N36E059."""
    north, east, middle = "SN"[south >= 0], "WE"[west >= 0], "_" if minutes else ""
    return f"{north}{abs(south):02d}{minutes}{middle}{east}{abs(west):03d}{minutes}"


def _dem_size(wanted: Wanted) -> tuple[int, str, int]:
    """Return metres of the pixels, their code in names, and how many are read as one."""
    metres, code = (30, "10") if wanted.cell_m < 900 else (90, "30")
    factor = 1
    while factor < 8 and 2 * factor * metres <= wanted.cell_m / 10:
        factor *= 2
    return metres, code, factor


def dem_expect(wanted: Wanted) -> tuple[int, float]:
    """Return the files and MB of elevation that are read."""
    metres, _, factor = _dem_size(wanted)
    squares = len(list(wanted.squares(1)))
    return squares + 1, 1.1 + squares * (39 if metres == 30 else 4.5) / factor**2


def dem_find(wanted: Wanted, store: Store) -> list[Remote]:
    """Return the list of tiles, and the tiles, those nearest to a pole first."""
    metres, code, _ = _dem_size(wanted)
    source = f"Copernicus GLO-{metres}"
    listing = Remote(_DEM.format(metres, "tileList.txt"), source, "text", md5_etag=True)
    there = set(store.get(listing).read_text("ascii").split())
    found, absent = [listing], []
    for west, south in sorted(wanted.squares(1), key=lambda square: -abs(square[1] + 0.5)):
        name = f"Copernicus_DSM_COG_{code}_{corner(west, south, '_00')}_DEM"
        if name in there:
            url = _DEM.format(metres, f"{name}/{name}.tif")
            found.append(Remote(url, source, "raster", md5_etag=True))
        elif wanted.has_land(west, south, 1):
            absent.append(corner(west, south))
    if absent:
        log.warning("%s: has no tile for land at %s", source, ", ".join(absent))
    if not found[1:]:
        raise DataError(f"{source}: has no tile of the area; bring elevation of your own.")
    return found


def dem_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    """Write elevation, metres: the mean of as many pixels as a tenth of a cell holds.

    Towards the poles the pixels of the service are wider: the widest counts. Voids have no tag, so
    that one pulls down the mean that it is part of; none over land is known.
    """
    metres, _, factor = _dem_size(wanted)
    (dx, dy), place = store.read_raster(
        remotes[1], lambda raster: (raster.res, (raster.bounds.left, raster.bounds.top))
    )
    lattice = wanted.lattice((factor * dx, factor * dy), place)
    path = folder / "elevation.tif"
    _mosaic(store, remotes[1:], lattice, path, _VOID, Resampling.average)
    return Made({"data.elevation": path}, f"GLO-{metres}, release of 2021")


def cover_expect(wanted: Wanted) -> tuple[int, float]:
    """Return the files and MB of land cover that are read."""
    files, pixels = len(list(wanted.squares(3))), wanted.quarters(1 / 12_000)[0].a * 12_000
    return files, files * max(0.5, 41 / pixels**2)


def cover_find(wanted: Wanted, _: Store) -> list[Remote]:
    """Return the tiles of land; the service has none of the sea."""
    return [
        Remote(_COVER.format(corner(*square)), "ESA WorldCover", "raster")
        for square in wanted.squares(3) if wanted.has_land(*square, 3)
    ]  # fmt: skip


def cover_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    """Write the commonest code of each pixel, four to a cell's edge; 0 where there is no tile."""
    path = folder / "land_cover.tif"
    _mosaic(store, remotes, wanted.quarters(1 / 12_000), path, 0, Resampling.mode)
    settings = {"features.travel.land_cover_factors": COVER_FACTORS}
    return Made({"data.land_cover": path}, "v200, 2021", settings)


def _mosaic(
    store: Store, remotes: list[Remote], lattice: Lattice, path: Path, void: float, how: Resampling
) -> None:
    """Write tiles as one raster; the parts of them that are here already are kept."""
    parts = path.with_suffix(f".{crc32(repr(lattice).encode()):08x}")
    parts.mkdir(exist_ok=True)
    found = []
    for remote in remotes:
        part = parts / Path(remote.name).name
        if not part.is_file():
            read = store.read_raster(remote, lambda raster: _windowed(raster, lattice, how))
            if read is None:
                continue
            values, place = read
            good = np.isfinite(values) & (values > _LOWEST_M)
            _save(part, np.where(good, values, void).astype(values.dtype), place, void)
        store.progress(remote.name, part.stat().st_size)
        found.append(part)
    if not found:
        raise DataError(f"{path.stem}: the service has no tile of the area.")
    kind = {"tiled": True, "compress": "DEFLATE", "BIGTIFF": "IF_SAFER"}
    merge(found, nodata=void, dst_path=path, dst_kwds=kind)


def _windowed(raster: Any, lattice: Lattice, how: Resampling) -> tuple[np.ndarray, Affine] | None:
    """Read the part of a raster on a lattice whose pixels are some of its own; None outside it."""
    (place, shape), edge = lattice, raster.bounds
    first = np.round((~place) @ (edge.left, edge.top)).astype(int)
    spans = (edge.right - edge.left) / place.a, (edge.bottom - edge.top) / place.e
    size = np.round(spans).astype(int)
    start, stop = np.clip([first, first + size], 0, shape[::-1])
    if (start >= stop).any():
        return None
    step = np.array([raster.width, raster.height]) / size
    window = Window(*((start - first) * step), *((stop - start) * step))
    shown = tuple(int(n) for n in (stop - start)[::-1])
    values = raster.read(1, window=window, out_shape=shown, resampling=how)
    return values, place @ Affine.translation(*start.tolist())


def _save(path: Path, values: np.ndarray, place: Affine, void: float) -> None:
    """Write one band, which has its name when it is complete."""
    partial = path.with_suffix(".part")
    with rasterio.open(
        partial, "w", driver="GTiff", crs="EPSG:4326", count=1, tiled=True, compress="DEFLATE",
        dtype=values.dtype, nodata=void, transform=place, height=len(values), width=len(values[0]),
    ) as raster:  # fmt: skip
        raster.write(values, 1)
    partial.replace(path)


def people_find(wanted: Wanted, _: Store) -> list[Remote]:
    """Return the file of each country."""
    return [
        Remote(_PEOPLE.format(code, code.lower()), "WorldPop", "raster") for code in wanted.codes
    ]


def people_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    """Write the sum of people in each pixel, four to a cell's edge; a count is never averaged.

    Pixels outside the countries have none: what lives there is not known.
    """
    place, shape = wanted.quarters(1 / 1200)
    total = np.zeros(shape)
    for remote in remotes:
        with rasterio.open(store.get(remote), driver=GEOTIFF) as raster:
            for _, window in raster.block_windows(1):
                # A pixel's people count where its centre lies.
                values = raster.read(1, window=window).astype(float)
                rows, cols = np.nonzero(np.isfinite(values) & (values > 0))
                xy = raster.transform @ (cols + window.col_off + 0.5, rows + window.row_off + 0.5)
                col, row = (np.floor(v).astype(int) for v in (~place) @ xy)
                inside = (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1])
                np.add.at(total, (row[inside], col[inside]), values[rows, cols][inside])
    own = wanted.countries[wanted.countries["iso_a3"].isin(wanted.codes)]
    outside = geometry_mask(own.geometry, shape, place, all_touched=True)
    total[outside & (total == 0)] = _VOID
    path = folder / "population.tif"
    _save(path, total.astype("float32"), place, _VOID)
    return Made({"data.population": path}, "R2025A, 2025")


def refined(wanted: Wanted, parts: gpd.GeoSeries) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return border lines and country outlines with a better outline of the home country.

    The lines come from that outline alone: each stretch is the border with the neighbour whose
    line so far is nearest, or a coast. Neighbours give up, or take over, what lies between.
    """
    home, box = wanted.codes[0], shapely.box(*wanted.window)
    shape = shapely.simplify(shapely.make_valid(parts.to_numpy()), TOLERANCE_DEG)
    new = polygons(shapely.make_valid(shapely.union_all(shape)))
    lines = _labelled(wanted, home, shapely.intersection(new.boundary, box))
    names = [{"pair": f"{home}-{c}", "country_a": home, "country_b": c} for c in lines]
    own = gpd.GeoDataFrame(names, geometry=list(lines.values()), crs=WGS84)
    others = wanted.borders[~wanted.borders["pair"].str.contains(home)]
    new = polygons(shapely.intersection(new, box))
    countries = wanted.countries[wanted.countries.intersects(box)].copy()
    left, shapes = outline(countries, home).difference(new), {home: new}
    for code, old in zip(countries["iso_a3"], countries.geometry, strict=True):
        given = shapely.Polygon()
        if code in lines:
            given = left.intersection(lines[code].buffer(_LABEL_DEG))
            left = left.difference(given)
        shapes.setdefault(code, polygons(shapely.union_all([old.difference(new), given])))
    countries["geometry"] = [shapes[code] for code in countries["iso_a3"]]
    return pd.concat([own, others], ignore_index=True), countries[~countries.geometry.is_empty]


def _labelled(wanted: Wanted, home: str, edge: BaseGeometry) -> dict[str, BaseGeometry]:
    """Return the parts of an edge by the neighbour whose line is nearest; coasts are left out."""
    own = wanted.borders[wanted.borders["pair"].str.contains(home)]
    codes = [*own["pair"].str.replace(home, "").str.strip("-")]
    known = shapely.union_all(own.geometry.to_numpy())
    coast = outline(wanted.countries, home).boundary.difference(known.buffer(0.001))
    coast = coast.intersection(shapely.box(*wanted.window).buffer(-0.001))
    xy, part = shapely.get_coordinates(
        shapely.get_parts(shapely.segmentize(edge, 0.02)), return_index=True
    )
    steps = np.stack([xy[:-1], xy[1:]], axis=1)[part[:-1] == part[1:]]
    pieces = np.atleast_1d(np.asarray(shapely.linestrings(steps), dtype=object))
    tree = shapely.STRtree([*own.geometry, coast])
    at, near = tree.query_nearest(shapely.centroid(pieces), _LABEL_DEG, all_matches=False)
    found = {code: pieces[at[near == k]] for k, code in enumerate(codes)}
    return {
        code: shapely.simplify(shapely.line_merge(shapely.multilinestrings(lines)), 1e-9)
        for code, lines in found.items() if len(lines)
    }  # fmt: skip


def settlements(wanted: Wanted, places: pd.DataFrame) -> pd.DataFrame:
    """Return towns and villages of GeoNames in the window, and the base's elsewhere.

    ``places`` has ``name, latitude, longitude, class, code, population, country``. Sections of
    towns and abandoned places are left out; those without population, but for seats of government.
    """
    numbers = ["latitude", "longitude", "population"]
    places = places.assign(**places[numbers].apply(pd.to_numeric, errors="coerce").fillna(0))
    west, south, east, north = wanted.window
    places = places[
        (places["class"] == "P")
        & ((places["population"] > 0) | places["code"].str.match("PPL[ACG]"))
        & ~places["code"].isin(["PPLX", "PPLH", "PPLQ"])
        & places["longitude"].between(west, east)
        & places["latitude"].between(south, north)
    ].astype({"population": "int64"})
    base = worldbase.settlements(wanted.window)
    persian = base.set_index(["latitude", "longitude"])["name_fa"].to_dict()
    keys = zip(places["latitude"].round(5), places["longitude"].round(5), strict=True)
    places = places.assign(name_fa=[persian.get(key, "") for key in keys])
    columns = ["name", "name_fa", "latitude", "longitude", "population", "country"]
    others = base[~base["country"].isin(set(places["country"]))]
    order = ["population", "country", "name", "latitude", "longitude"]
    joined = pd.concat([places[columns], others[columns]])
    return joined.sort_values(order, ascending=[False, True, True, True, True])


def in_countries(wanted: Wanted, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose place, degrees, lies in the countries or within 10 km of them."""
    x, y = (pd.to_numeric(rows[name], errors="coerce") for name in ("longitude", "latitude"))
    return rows[shapely.contains_xy(wanted.territory, x, y)]
