"""Which public service brings which input: one row each, and what a file of it becomes.

Addresses, sizes and licences as of autumn 2026. Codes of countries are ISO 3166-1 alpha-3.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urljoin

import geopandas as gpd
import pandas as pd
import shapely

from borderrisk.errors import ConfigError, DataError
from borderrisk.runs.hashing import read_json
from borderrisk.sources import cutting, worldbase
from borderrisk.sources.cutting import Made, Wanted, corner
from borderrisk.sources.downloads import Remote, Store
from borderrisk.sources.layouts import GED_COLUMNS
from borderrisk.sources.tables import read_vector

_BOUNDARIES = "https://www.geoboundaries.org/api/current/gbOpen/{}/{}/"
_OVERPASS = "https://overpass-api.de/api/interpreter?data="
_GED = "https://ucdp.uu.se/downloads/"
_ACLED = "https://acleddata.com/"
_ACLED_ROWS = 5000
_PLACES = "https://download.geonames.org/export/dump/{}.zip"
_PLACE_COLUMNS = {1: "name", 4: "latitude", 5: "longitude", 6: "class", 7: "code", 14: "population"}

# Kilometres an hour on an ordinary road of the class.
ROAD_SPEEDS = {"motorway": 100, "trunk": 90, "primary": 80, "secondary": 60, "tertiary": 45}

_CC_BY = (
    "CC-BY-4.0",
    "Creative Commons Attribution 4.0",
    "https://creativecommons.org/licenses/by/4.0/",
)
_ODBL = ("ODbL-1.0", "Open Database License 1.0", "https://opendatacommons.org/licenses/odbl/1-0/")


@dataclass(frozen=True)
class Upstream:
    """A service as the source of one input.

    ``expect`` gives files and MB before anything is asked, ``find`` the files that there are,
    ``make`` what a config takes of them, in a folder. ``keys`` are those of the config.
    """

    keys: tuple[str, ...]
    title: str
    publisher: str
    licence: tuple[str, str, str]
    attribution: str
    expect: Callable[[Wanted], tuple[int, float]]
    find: Callable[[Wanted, Store], list[Remote]]
    make: Callable[[Wanted, Store, list[Remote], Path], Made]
    terms: bool = False


def _boundaries_find(level: str, wanted: Wanted, store: Store) -> list[Remote]:
    api = Remote(_BOUNDARIES.format(wanted.codes[0], level), "geoBoundaries", "json", "index.json")
    address = _said(store, api).get("gjDownloadURL")
    if not address:
        raise DataError(f"geoBoundaries: {api.url} names no file (gjDownloadURL).")
    return [api, Remote(str(address), "geoBoundaries", "json")]


def _said(store: Store, api: Remote) -> dict[str, object]:
    facts = read_json(store.get(api))
    return facts if isinstance(facts, dict) else {}


def _boundaries(store: Store, remotes: list[Remote], folder: Path, **layers: Any) -> Made:
    """Write layers; version and attribution are those that the service states."""
    for key, layer in layers.items():
        _write(layer, folder / f"{key}.geojson")
    facts = _said(store, remotes[0])
    whose = f"{facts.get('boundarySource', '')} ({facts.get('boundaryLicense', '')})"
    return Made(
        {f"data.{key}": folder / f"{key}.geojson" for key in layers},
        str(facts.get("boundaryID", "")),
        attribution=f"geoBoundaries (Runfola et al. 2020); source: {whose}",
    )


def _write(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write features as GeoJSON, to a metre."""
    frame.to_file(path, driver="GeoJSON", engine="pyogrio", COORDINATE_PRECISION=5)


def _borders_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    parts = read_vector(store.get(remotes[1]), "borders").geometry
    lines, countries = cutting.refined(wanted, parts)
    return _boundaries(store, remotes, folder, borders=lines, countries=countries)


def _zones_make(_: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    zones = read_vector(store.get(remotes[1]), "zones").rename(columns=str.lower)
    zones = zones.set_geometry("geometry")
    shapes = shapely.simplify(shapely.make_valid(zones.geometry.to_numpy()), cutting.TOLERANCE_DEG)
    named = {"name": zones["shapename"], "country": zones["shapegroup"]}
    zones = gpd.GeoDataFrame(named, geometry=shapes, crs=4326).dropna(subset="name")
    return _boundaries(store, remotes, folder, zones=zones)


@dataclass(frozen=True)
class _Osm:
    """Features of OpenStreetMap with one of some tags, by way of Overpass.

    ``areas`` is the side of the squares that are asked for one after the other, degrees, and their
    features keep their shape; 0: one question for the whole window, and points. ``mb`` is that of
    an answer.
    """

    key: str
    tags: tuple[tuple[str, str], ...]
    mb: float
    areas: int = 0

    def row(self, title: str) -> Upstream:
        return Upstream(
            (f"data.{self.key}",), title, "OpenStreetMap", _ODBL, "© OpenStreetMap contributors",
            self.expect, self.find, self.make,
        )  # fmt: skip

    def expect(self, wanted: Wanted) -> tuple[int, float]:
        answers = len(self.find(wanted))
        return answers, answers * self.mb

    def find(self, wanted: Wanted, _: Store | None = None) -> list[Remote]:
        """Return a question for each square; its box is in the name of the answer."""
        west, south, east, north = (round(value, 3) for value in wanted.window)
        box, n = (south, west, north, east), self.areas
        boxes = {f"{self.key}_{'_'.join(map(str, box))}": box}
        if n:
            boxes = {f"{self.key}-{corner(w, s)}-{n}": (s, w, s + n, w + n)
                     for w, s in wanted.squares(n)}  # fmt: skip
        found = []
        for name, box in boxes.items():
            kind, out = ("way", "geom") if n else ("nwr", "center")
            at = ",".join(map(str, box))
            asked = "".join(f'{kind}["{tag}"="{value}"]({at});' for tag, value in self.tags)
            url = _OVERPASS + quote(f"[out:json][timeout:180];({asked});out tags {out};", safe="")
            source = "OpenStreetMap (Overpass)"
            found.append(Remote(url, source, "overpass", f"{name}.json", wait_s=30))
        return found

    def make(self, _: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
        """Write features, each once and in the order of their ids; none is no file, and a note."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        version = ""
        for remote in remotes:
            answer = read_json(store.get(remote))
            dated = str(answer.get("osm3s", {}).get("timestamp_osm_base", ""))[:10]
            version = max(version, dated)
            found |= {(e["type"], e["id"]): e for e in answer["elements"]}
        rows = [row for key in sorted(found) if (row := self._feature(found[key]))]
        if not rows:
            return Made({}, version, notes=(f"{self.key}: OpenStreetMap has none in the area",))
        path = folder / f"{self.key}.geojson"
        _write(gpd.GeoDataFrame(rows, crs=4326), path)
        speeds = {"features.travel.road_speeds_kmh": ROAD_SPEEDS} if self.key == "roads" else {}
        return Made({f"data.{self.key}": path}, version, speeds)

    def _feature(self, element: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the row of an element; its ``class`` or ``kind`` is the value of its tag."""
        own, at = element.get("tags", {}), element.get("center", element)
        kind = next((value for tag, value in self.tags if own.get(tag) == value), "")
        if not self.areas:
            name = own.get("name:en") or own.get("name") or f"OSM {element['type']} {element['id']}"
            if "lon" not in at:
                return None
            return {"name": name, "kind": kind, "geometry": shapely.Point(at["lon"], at["lat"])}
        xy = [(p["lon"], p["lat"]) for p in element.get("geometry") or [] if p]
        if len(xy) < 2:
            return None
        closed = "water" in own and len(xy) > 3 and xy[0] == xy[-1]
        shape = shapely.Polygon(xy) if closed else shapely.LineString(xy)
        kind = kind.removesuffix("_link")
        return {"class": kind, "name": own.get("name", ""), "geometry": shape}


def _places_find(wanted: Wanted, _: Store) -> list[Remote]:
    codes = [worldbase.world().find(code).iso2 for code in wanted.codes]
    return [Remote(_PLACES.format(code), "GeoNames", "zip") for code in codes if code]


def _places_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    iso3, tables = {c.iso2: c.code for c in worldbase.world().countries.values()}, []
    for path in (store.get(remote) for remote in remotes):
        with zipfile.ZipFile(path) as archive, archive.open(f"{path.stem}.txt") as text:
            table = pd.read_csv(text, sep="\t", header=None, quoting=3, dtype=str,
                                keep_default_na=False, usecols=list(_PLACE_COLUMNS))  # fmt: skip
        tables.append(table.rename(columns=_PLACE_COLUMNS).assign(country=iso3[path.stem]))
    path = folder / "settlements.csv"
    cutting.settlements(wanted, pd.concat(tables)).to_csv(path, index=False, lineterminator="\n")
    came = [store.received(remote) for remote in remotes]
    return Made({"data.settlements": path}, max(it.modified or it.day for it in came))


def _ged_find(_: Wanted, store: Store) -> list[Remote]:
    """Take the newest release, and what came out for the time after it, the oldest first."""
    index = Remote(_GED, "UCDP", "html", "index.html")
    links = set(re.findall(r"""href=["']([^"']+)""", store.get(index).read_text("utf-8")))
    bulk = {m[1]: link for link in links if (m := re.search(r"/?ged(\d{3})-csv\.zip$", link))}
    if not bulk:
        raise DataError(f"UCDP: {_GED} lists no release of GED (gedNNN-csv.zip).")
    newest, later = max(bulk), list[tuple[int, int, str]]()
    for link in links:
        # Of one month, or of several of a year.
        if m := re.search(r"GEDEvent_v(\d\d)_(?:0|\d\d_\1)_(\d+)\.csv$", link):
            later.append((int(m[1]), int(m[2]), link))
    chosen = [bulk[newest], *(link for year, _, link in sorted(later) if year >= int(newest[:2]))]
    urls = [urljoin(_GED, link) for link in chosen]
    return [index, *(Remote(u, "UCDP", "zip" if u.endswith("zip") else "text") for u in urls)]


def _ged_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    tables = [
        cutting.in_countries(wanted, rows)
        for remote in remotes[1:] for rows in _ged_rows(store.get(remote))
    ]  # fmt: skip
    # Ids recur across releases: the later row is the corrected one.
    table = pd.concat(tables).drop_duplicates("id", keep="last")
    names = [Path(remote.name).stem for remote in remotes[1:]]
    made = _record(wanted, table, "ucdp_ged", "UCDP: no event lies in {}; bring your own record.",
                   folder)  # fmt: skip
    note = f"incidents: {len(table):,} events of UCDP GED, fatal ones only"
    return replace(made, version=", ".join(names), notes=(note,))


def _record(wanted: Wanted, table: pd.DataFrame, layout: str, none: str, folder: Path) -> Made:
    """Write incidents in a published layout; DataError if there are none."""
    if table.empty:
        raise DataError(none.format(", ".join(wanted.codes)))
    path = folder / f"{layout}.csv"
    table.to_csv(path, index=False, lineterminator="\n")
    return Made({"data.incidents": path}, settings={"data.incidents.layout": layout})


def _ged_rows(path: Path) -> Iterator[pd.DataFrame]:
    """Yield all rows as text under the names of the codebook; some old files have no header."""
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    if path.suffix == ".zip":
        options["compression"] = "zip"
    first = pd.read_csv(path, header=None, nrows=1, **options).iloc[0]
    if str(first[0]).isdigit():
        options |= {"header": None, "names": list(GED_COLUMNS)}
    for chunk in pd.read_csv(path, chunksize=50_000, **options):
        absent = {"id", "latitude", "longitude", "where_prec"} - set(chunk)
        if absent:
            raise DataError(f"UCDP: {path} has no column {', '.join(sorted(absent))}.")
        yield chunk.reindex(columns=list(GED_COLUMNS), fill_value="")


def _acled_make(wanted: Wanted, store: Store, _: list[Remote], folder: Path) -> Made:
    names = {"username": "ACLED_USERNAME", "password": "ACLED_PASSWORD"}
    account = {key: os.environ.get(name, "") for key, name in names.items()}
    if not all(account.values()):
        raise ConfigError(
            "ACLED is fetched with your own account only: set ACLED_USERNAME and ACLED_PASSWORD in "
            "the environment"
        )
    form = {**account, "grant_type": "password", "client_id": "acled"}
    token = store.token(Remote(f"{_ACLED}oauth/token", "ACLED", "json"), form)
    rows: list[dict[str, str]] = []
    for code in wanted.codes:
        country, page, full = worldbase.world().find(code).name, 1, True
        while full:
            asked = {"_format": "json", "country": country, "limit": _ACLED_ROWS, "page": page}
            remote = Remote(
                f"{_ACLED}api/acled/read?{urlencode(asked)}", "ACLED", "json",
                f"{code}-{page}.json", headers={"Authorization": f"Bearer {token}"},
            )  # fmt: skip
            came = read_json(store.get(remote)).get("data") or []
            rows, page, full = rows + came, page + 1, len(came) == _ACLED_ROWS
    none = "ACLED: your account is given no event of {}."
    return _record(wanted, pd.DataFrame(rows), "acled", none, folder)


def _each(mb: float) -> Callable[[Wanted], tuple[int, float]]:
    """Return the expectation of a file of so many MB for each country."""
    return lambda wanted: (len(wanted.codes), mb * len(wanted.codes))


_ROAD_TAGS = tuple(("highway", f"{name}{link}") for name in ROAD_SPEEDS for link in ("", "_link"))
_WATER_TAGS = (("waterway", "river"), ("water", "lake"), ("water", "reservoir"))
_GATE_TAGS = (("barrier", "border_control"), ("government", "border_control"))
_POST_TAGS = (("amenity", "police"), ("amenity", "customs"), ("military", "checkpoint"))
_SHAPES = "geoBoundaries (Runfola et al. 2020)"
UPSTREAMS: dict[str, Upstream] = {
    "elevation": Upstream(
        ("data.elevation",), "Copernicus DEM", "European Space Agency",
        ("Copernicus-DEM", "Copernicus DEM licence: free for any use; given without liability",
         "https://spacedata.copernicus.eu/collections/copernicus-digital-elevation-model"),
        "produced using Copernicus WorldDEM-30 © DLR e.V. 2010-2014 and © Airbus Defence and Space "
        "GmbH 2014-2018 provided under COPERNICUS by the European Union and ESA; all rights "
        "reserved. The organisations in charge of the Copernicus programme by law or by delegation "
        "do not incur any liability for any use of the Copernicus WorldDEM-30.",
        cutting.dem_expect, cutting.dem_find, cutting.dem_make,
    ),
    "borders": Upstream(
        ("data.borders", "data.countries"), "Country outlines and border lines", "geoBoundaries",
        _ODBL, _SHAPES, lambda _: (2, 15), partial(_boundaries_find, "ADM0"), _borders_make,
    ),
    "zones": Upstream(
        ("data.zones",), "Provinces", "geoBoundaries", _ODBL, _SHAPES, lambda _: (2, 10),
        partial(_boundaries_find, "ADM1"), _zones_make,
    ),
    "roads": _Osm("roads", _ROAD_TAGS, 4, 2).row("Roads, motorway to tertiary"),
    "water": _Osm("water", _WATER_TAGS, 2, 2).row("Rivers and lakes"),
    "crossings": _Osm("crossings", _GATE_TAGS, 0.5).row("Border crossings"),
    "posts": _Osm("posts", _POST_TAGS, 0.5).row("Police, customs and checkpoints"),
    "settlements": Upstream(
        ("data.settlements",), "Populated places", "GeoNames", _CC_BY, "GeoNames (geonames.org)",
        _each(4), _places_find, _places_make,
    ),
    "population": Upstream(
        ("data.population",), "Population 2025, 100 m, constrained", "WorldPop, University of "
        "Southampton", _CC_BY, "WorldPop (worldpop.org), R2025A", _each(45),
        cutting.people_find, cutting.people_make,
    ),
    "landcover": Upstream(
        ("data.land_cover",), "ESA WorldCover 10 m 2021 v200", "European Space Agency", _CC_BY,
        "© ESA WorldCover project 2021 / Contains modified Copernicus Sentinel data (2021) "
        "processed by ESA WorldCover consortium",
        cutting.cover_expect, cutting.cover_find, cutting.cover_make,
    ),
    "incidents": Upstream(
        ("data.incidents",), "UCDP GED and candidate events",
        "Uppsala Conflict Data Program", _CC_BY,
        "UCDP GED (Sundberg & Melander 2013) and UCDP Candidate (Hegre et al. 2020), ucdp.uu.se",
        lambda _: (9, 50), _ged_find, _ged_make,
    ),
    "acled": Upstream(
        ("data.incidents",), "ACLED", "Armed Conflict Location & Event Data",
        ("ACLED-EULA", "ACLED terms of use: no redistribution; machine learning is restricted",
         "https://acleddata.com/eula"),
        "Armed Conflict Location & Event Data (ACLED), acleddata.com", _each(10),
        lambda _wanted, _store: [], _acled_make, terms=True,
    ),
}  # fmt: skip
"""Every upstream by the word that ``fetch --what`` takes."""
