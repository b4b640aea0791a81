"""The world base: outlines, borders, settlements and elevation that come with the package.

Read with :mod:`importlib.resources`, so a read-only or zipped installation works. Outlines are a
TopoJSON (version 1, quantised arcs): every stretch of outline is stored once, as an arc, and an
arc named by two countries is their common border, exactly.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property, partial
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import shapely
from affine import Affine
from pyproj import Geod
from rasterio.windows import Window
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon
from shapely.ops import linemerge

from borderrisk.errors import ConfigError, DataError
from borderrisk.words import countries

Bounds = tuple[float, float, float, float]
OUTLINES, ELEVATION = "outlines.topojson.gz", "elevation_5arcmin.tif"
COUNTRIES, SETTLEMENTS = "countries.json", "settlements.parquet"
PACKAGE = "datapackage.json"
CUT = {
    "borders": "borders.geojson",
    "countries": "countries.geojson",
    "elevation": "elevation_5arcmin.tif",
    "settlements": "settlements.csv",
}
_SOURCE = {"borders": "outlines", "countries": "outlines"}
DECIMALS = 5
CELLS_PER_DEGREE = 12
NODATA = -32768
_LONGEST_EDGE_DEG = 25
_TABLE = ["name", "name_fa", "name_local", "latitude", "longitude", "population", "country"]
_GEOD = Geod(ellps="WGS84")
_COG = {
    "driver": "COG", "count": 1, "dtype": "int16", "crs": "EPSG:4326", "nodata": NODATA,
    "compress": "DEFLATE", "predictor": 2, "level": 9, "blocksize": 256, "overviews": "NONE",
}  # fmt: skip


def base_bytes(name: str) -> bytes:
    """Return the content of a file of the world base; DataError if the installation lacks it."""
    try:
        return files("borderrisk").joinpath("basedata", name).read_bytes()
    except FileNotFoundError:
        raise DataError(f"world base: {name} is missing; install borderrisk again.") from None


@dataclass(frozen=True)
class Country:
    """A country or area: its ISO 3166-1 codes, or of its own kind where it has none, and names."""

    code: str
    iso2: str
    name: str
    name_fa: str
    aliases: tuple[str, ...]


class Topology:
    """Arcs of a parsed topology in degrees, to some decimals, and what is built from them."""

    def __init__(self, document: dict[str, Any], decimals: int = DECIMALS) -> None:
        scale = np.asarray(document["transform"]["scale"])
        origin = np.asarray(document["transform"]["translate"])
        self.arcs = [
            np.round(np.cumsum(np.asarray(arc)[:, :2], axis=0) * scale + origin, decimals)
            for arc in document["arcs"]
        ]

    def polygons(self, geometry: dict[str, Any]) -> MultiPolygon:
        """Return the outline of one country, cut at the 180th meridian.

        Islets that rounding made a line are left out.
        """
        parts = [[self._ring(arcs) for arcs in rings] for rings in _parts(geometry)]
        shapes = ([ring for ring in rings if len(ring) > 3] for rings in parts if len(rings[0]) > 3)
        return MultiPolygon([part for rings in shapes for part in _cut_at_180(rings)])

    def shared_line(self, first: dict[str, Any], second: dict[str, Any]) -> MultiLineString:
        """Return the border between two countries, in the order of the first one's outline.

        Empty where they do not touch.
        """
        theirs = {_index(arc) for arc in arc_ids(second)}
        lines = [LineString(self._arc(arc)) for arc in arc_ids(first) if _index(arc) in theirs]
        merged = linemerge(lines, directed=True) if lines else MultiLineString()
        return MultiLineString([merged]) if isinstance(merged, LineString) else merged

    def bounds(self, geometry: dict[str, Any]) -> Bounds:
        """Return ``(west, south, east, north)`` of one country, from its arcs."""
        points = np.concatenate([self.arcs[_index(arc)] for arc in arc_ids(geometry)])
        return (*points.min(axis=0), *points.max(axis=0))

    def _arc(self, arc: int) -> np.ndarray:
        return self.arcs[arc] if arc >= 0 else self.arcs[~arc][::-1]

    def _ring(self, arcs: list[int]) -> np.ndarray:
        parts = [self._arc(arc) for arc in arcs]
        return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


class World:
    """Countries of the world base and their land borders; made by :func:`world`."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.topology = Topology(document)
        geometries = document["objects"]["countries"]["geometries"]
        self.geometries: dict[str, dict[str, Any]] = {g["id"]: g for g in geometries}
        self.countries = {
            code: Country(code, **facts | {"aliases": tuple(facts["aliases"])})
            for code, facts in countries().items()
        }

    def find(self, text: str) -> Country:
        """Return the country with this ISO code or name, in any case and without accents.

        ConfigError if there is none; it names what may have been meant.
        """
        if found := self.code(text):
            return self.countries[found]
        wanted = plain_name(text)
        close = [name for name in self._by_name if len(wanted) > 3 and wanted in name.split()]
        if not close and (home := self._with_town(text)):
            raise ConfigError(
                f"there is no country {text!r}, but a town in {home.name} ({home.code}); give the "
                "country, and the part of its border with --neighbours or --window"
            )
        close += get_close_matches(wanted, self._by_name, n=3, cutoff=0.7)
        meant = dict.fromkeys(self.countries[self._by_name[name]] for name in close)
        hint = " or ".join(f"{c.name} ({c.code})" for c in list(meant)[:3])
        hint = f"did you mean {hint}?" if hint else "give a name, or an ISO code of 2 or 3 letters"
        raise ConfigError(f"there is no country {text!r}; {hint}")

    def code(self, name: str) -> str:
        """Return the code of a country by a name or code as publishers write it; blank if unknown.

        What stands in brackets ("Russia (Soviet Union)") may be left out.
        """
        bare = re.sub(r"\(.*?\)", "", name)
        return self._by_name.get(plain_name(name)) or self._by_name.get(plain_name(bare), "")

    def outline(self, code: str) -> MultiPolygon:
        """Return the whole outline of a country, WGS84."""
        return self.topology.polygons(self.geometries[code])

    def border(self, first: str, second: str) -> MultiLineString:
        """Return the land border of two countries, WGS84; empty if they have none."""
        return self.topology.shared_line(self.geometries[first], self.geometries[second])

    def neighbours(self, code: str) -> dict[str, float]:
        """Return the length of a country's land border by neighbour, km, the longest first."""
        lengths: dict[str, float] = {}
        for arc in dict.fromkeys(map(_index, arc_ids(self.geometries[code]))):
            for other in self._owners[arc] - {code}:
                km = _GEOD.line_length(*self.topology.arcs[arc].T) / 1000
                lengths[other] = lengths.get(other, 0.0) + km
        return dict(sorted(lengths.items(), key=lambda item: -item[1]))

    def _with_town(self, name: str) -> Country | None:
        towns = all_settlements()
        found = towns["country"][towns["name"].str.casefold() == name.strip().casefold()]
        return self.countries[found.iloc[0]] if len(found) else None

    @cached_property
    def _owners(self) -> list[set[str]]:
        """Codes of the countries that use each arc."""
        owners: list[set[str]] = [set() for _ in self.topology.arcs]
        for code, geometry in self.geometries.items():
            for arc in arc_ids(geometry):
                owners[_index(arc)].add(code)
        return owners

    @cached_property
    def _by_name(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for c in self.countries.values():
            names |= {plain_name(alias): c.code for alias in (*c.aliases, c.name_fa) if alias}
        for c in self.countries.values():  # a code or main name wins over an alias of another
            names |= {plain_name(key): c.code for key in (c.iso2, c.code, c.name) if key}
        return names


@cache
def world() -> World:
    """Return the countries of the world base."""
    return World(json.loads(gzip.decompress(base_bytes(OUTLINES))))


def settlements(bounds: Bounds) -> pd.DataFrame:
    """Return the settlements inside (west, south, east, north) degrees, the largest first.

    ``name, name_fa, name_local, latitude, longitude, population, country``; ``name_local`` is the
    name in the country's own script where that is not Latin and known without doubt.
    """
    west, south, east, north = bounds
    table = all_settlements()
    inside = table["longitude"].between(west, east) & table["latitude"].between(south, north)
    return table[inside].reset_index(drop=True)


@cache
def all_settlements() -> pd.DataFrame:
    """Return every settlement of the base, the largest first; columns as :func:`settlements`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    frame = pq.read_table(pa.BufferReader(base_bytes(SETTLEMENTS))).to_pandas()
    frame = frame.sort_values(["population", "geonameid"], ascending=[False, True])
    degrees = {name: frame[name] / 10**DECIMALS for name in ("latitude", "longitude")}
    return frame.assign(**degrees)[_TABLE].reset_index(drop=True)


def on_land(places: pd.DataFrame) -> np.ndarray:
    """Whether the base knows the elevation at places, by their longitude and latitude."""
    with rasterio.MemoryFile(base_bytes(ELEVATION)) as memory, memory.open() as raster:
        at = raster.sample(places[["longitude", "latitude"]].to_numpy())
        return np.array([value[0] != NODATA for value in at], bool)


def cut(
    folder: Path,
    home: str,
    elevation: Bounds,
    vectors: Bounds,
    title: str,
    others: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """Write the part of the base in a window as files that a config names, and their credits.

    The existing folder receives the files of ``CUT`` and a ``datapackage.json`` with this title;
    ``home`` comes first in pairs. Windows are (west, south, east, north) degrees: ``elevation`` of
    the raster, widened to whole degrees, ``vectors`` of the outlines, borders and settlements.
    ``others`` are further files of the base in the folder already: name to (path, name there).
    """
    # Corners on long edges: projected, a straight edge would cut off land behind its parallel.
    box = shapely.box(*vectors).segmentize(_LONGEST_EDGE_DEG)
    base = world()
    near = [c for c, g in base.geometries.items() if _touches(base.topology.bounds(g), vectors)]
    codes = sorted(near, key=lambda code: (code != home, code))
    _write_geojson(_outlines(codes, box), folder / CUT["countries"])
    _write_geojson(_borders(codes, box), folder / CUT["borders"])
    table = settlements(vectors)
    degrees = {name: table[name].map("{:.5f}".format) for name in ("latitude", "longitude")}
    table.assign(**degrees).to_csv(folder / CUT["settlements"], index=False, lineterminator="\n")
    _cut_elevation(folder / CUT["elevation"], elevation)
    made = f"Cut from the world base of borderrisk to {vectors} (W, S, E, N)."
    files_of = {name: (path, _SOURCE.get(name, name)) for name, path in CUT.items()}
    _describe(folder, title, made, files_of | dict(others or {}))


def _describe(folder: Path, title: str, made: str, paths: Mapping[str, tuple[str, str]]) -> None:
    """Write the data package of a cut: credits of the base, checksums of the files."""
    base = {r["name"]: r for r in json.loads(base_bytes(PACKAGE))["resources"]}
    resources = []
    for name, (path, source) in paths.items():
        content = (folder / path).read_bytes()
        kept = ("title", "version", "licenses", "sources", "publisher", "attribution")
        credit = {key: base[source][key] for key in kept} | {"how_made": made}
        sums = {"bytes": len(content), "hash": f"sha256:{hashlib.sha256(content).hexdigest()}"}
        resources.append({"name": name, "path": path} | credit | sums)
    package = {"profile": "data-package", "name": "borderrisk-cut", "title": title}
    text = json.dumps(package | {"resources": resources}, ensure_ascii=False, indent=2)
    (folder / PACKAGE).write_text(text + "\n", "utf-8")


def arc_ids(geometry: dict[str, Any]) -> Iterator[int]:
    """Yield the arcs of a geometry; a reversed one is the complement of its number."""
    rings: Iterable[list[int]] = (ring for part in _parts(geometry) for ring in part)
    return (arc for ring in rings for arc in ring)


def _cut_elevation(path: Path, bounds: Bounds) -> None:
    west, south = (math.floor(value) for value in bounds[:2])
    east, north = (math.ceil(value) for value in bounds[2:])
    n = CELLS_PER_DEGREE
    window = Window((180 + west) * n, (90 - north) * n, (east - west) * n, (north - south) * n)
    with rasterio.MemoryFile(base_bytes(ELEVATION)) as memory, memory.open() as world_raster:
        metres = world_raster.read(1, window=window)
    place = Affine(1 / n, 0, west, 0, -1 / n, north)
    shape = {"height": metres.shape[0], "width": metres.shape[1], "transform": place}
    with rasterio.open(path, "w", **_COG, **shape) as raster:
        raster.write(metres, 1)
        raster.set_band_description(1, "elevation")
        raster.set_band_unit(1, "m")


def _outlines(codes: list[str], box: Polygon) -> Iterator[dict[str, Any]]:
    for code in codes:
        parts = _clipped(_valid_outline(code), box, "Polygon")
        if parts:
            shape = shapely.orient_polygons(MultiPolygon(parts))
            yield _feature({"iso_a3": code, "name": world().countries[code].name}, shape)


@cache
def _valid_outline(code: str) -> shapely.Geometry:
    return shapely.make_valid(world().outline(code))


def _borders(codes: list[str], box: Polygon) -> Iterator[dict[str, Any]]:
    for first, second in combinations(codes, 2):
        parts = _clipped(world().border(first, second), box, "LineString")
        if parts:
            names = {"pair": f"{first}-{second}", "country_a": first, "country_b": second}
            yield _feature(names, MultiLineString(parts))


def _clipped(geometry: shapely.Geometry, box: Polygon, kind: str) -> list[Any]:
    """Return the parts of a geometry inside a box that are of a kind ("Polygon", ...)."""
    inside = shapely.intersection(geometry, box)
    parts = shapely.get_parts(shapely.normalize(inside) if kind == "Polygon" else inside)
    return [part for part in parts if part.geom_type == kind and not part.is_empty]


def _touches(one: Bounds, other: Bounds) -> bool:
    return bool(shapely.box(*one).intersects(shapely.box(*other)))


def _feature(properties: dict[str, str], geometry: Any) -> dict[str, Any]:
    rounded = shapely.transform(geometry, lambda xy: np.round(xy, DECIMALS))
    single = len(rounded.geoms) == 1
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": json.loads(shapely.to_geojson(rounded.geoms[0] if single else rounded)),
    }


def _write_geojson(features: Iterable[dict[str, Any]], path: Path) -> None:
    lines = (json.dumps(f, ensure_ascii=False, separators=(",", ":")) for f in features)
    body = ",\n".join(lines)
    path.write_text(f'{{"type":"FeatureCollection","features":[\n{body}\n]}}\n', "utf-8")


def _cut_at_180(rings: list[np.ndarray]) -> list[Polygon]:
    """Return the polygon of some rings; one across the 180th meridian as its two sides."""
    if all(np.abs(np.diff(ring[:, 0])).max() <= 180 for ring in rings):
        return [Polygon(rings[0], rings[1:])]
    turned = [np.column_stack([np.unwrap(x, period=360), y]) for x, y in (r.T for r in rings)]
    if abs(turned[0][0, 0] - turned[0][-1, 0]) > 1:  # around a pole
        return [Polygon(rings[0], rings[1:])]
    whole, sides = shapely.make_valid(Polygon(turned[0], turned[1:])), []
    for shift in (-360, 0, 360):
        moved = shapely.transform(whole, partial(_shifted, east=shift))
        sides += _clipped(moved, shapely.box(-180, -90, 180, 90), "Polygon")
    return sides


def _shifted(xy: np.ndarray, east: float) -> np.ndarray:
    return np.round(xy + np.array([east, 0.0]), DECIMALS)


def _parts(geometry: dict[str, Any]) -> list[list[list[int]]]:
    return [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]


def _index(arc: int) -> int:
    """Position of an arc; a reversed one is stored as its complement."""
    return arc if arc >= 0 else ~arc


def plain_name(text: str) -> str:
    """Lower case, without marks and punctuation: two ways to write one name become equal."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    kept = (c if c.isalnum() else " " for c in letters if unicodedata.category(c) != "Mn")
    words = "".join(kept).split()
    return " ".join(word for word in words if word != "the")
