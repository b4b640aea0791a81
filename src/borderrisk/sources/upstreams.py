"""Which public service brings which input: one row each, and what a file of it becomes.

Addresses, sizes and licences as of autumn 2026. Codes of countries are ISO 3166-1 alpha-3.
"""

from __future__ import annotations

import logging
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import geopandas as gpd
import pandas as pd
import shapely

from borderrisk.errors import ConfigError, DataError
from borderrisk.runs import read_json
from borderrisk.sources import cutting, osm, worldbase
from borderrisk.sources.cutting import Made, Wanted, corner, write
from borderrisk.sources.downloads import Remote, Store
from borderrisk.sources.layouts import GED_COLUMNS
from borderrisk.sources.vectors import read_vector

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
_BOUNDARIES = "https://www.geoboundaries.org/api/current/gbOpen/{}/{}/"
_GED = "https://ucdp.uu.se/downloads/"
_ACLED = "https://acleddata.com/"
_ACLED_ROWS = 5000
_PLACES = "https://download.geonames.org/export/dump/{}.zip"

# Shares of the speed on open ground: light brush 0.83, heavy brush 0.67, bog 0.56 (terrain
# coefficients of Soule & Goldman 1972, J. Appl. Physiol. 32).
COVER_FACTORS = {"10": 0.67, "20": 0.83, "30": 0.9, "40": 0.9, "80": 0.25, "90": 0.56, "95": 0.56}

_POST_TAGS = (("amenity", "police"), ("amenity", "customs"), ("military", "checkpoint"))
_GATE_TAGS = (("barrier", "border_control"), ("government", "border_control"))
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


def _dem_size(wanted: Wanted) -> tuple[int, str, int]:
    """Return metres of the pixels, their code in names, and how many are read as one."""
    metres, code = (30, "10") if wanted.cell_m < 900 else (90, "30")
    factor = 1
    while factor < 8 and 2 * factor * metres <= wanted.cell_m / 10:
        factor *= 2
    return metres, code, factor


def _dem_expect(wanted: Wanted) -> tuple[int, float]:
    metres, _, factor = _dem_size(wanted)
    squares = len(list(wanted.squares(1)))
    return squares + 1, 1.1 + squares * (39 if metres == 30 else 4.5) / factor**2


def _dem_find(wanted: Wanted, store: Store) -> list[Remote]:
    metres, code, _ = _dem_size(wanted)
    source = f"Copernicus GLO-{metres}"
    listing = Remote(_DEM.format(metres, "tileList.txt"), source, "text", md5_etag=True)
    there = set(store.get(listing).path.read_text("ascii").split())
    found, absent = [listing], []
    for west, south in wanted.squares(1):
        name = f"Copernicus_DSM_COG_{code}_{corner(west, south, '_00')}_DEM"
        if name in there:
            url = _DEM.format(metres, f"{name}/{name}.tif")
            found.append(Remote(url, source, "raster", md5_etag=True))
        elif wanted.has_land(west, south, 1):
            absent.append(corner(west, south))
    if absent:
        log.warning("%s: has no tile for land at %s", source, ", ".join(absent))
    return found


def _dem_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    metres, _, factor = _dem_size(wanted)
    place = folder / "tiles"
    made = [
        cutting.elevation_tile(wanted, store, remote, place, factor)
        for remote in remotes if remote.form == "raster"
    ]  # fmt: skip
    path = folder / "elevation.tif"
    cutting.mosaic([tile for tile in made if tile is not None], path)
    return Made({"data.elevation": path}, f"GLO-{metres}, release of 2021")


def _borders_find(store: Store, level: str, codes: Iterable[str]) -> list[Remote]:
    found = []
    for code in codes:
        api = Remote(_BOUNDARIES.format(code, level), "geoBoundaries", "json", "index.json")
        facts = read_json(store.get(api).path)
        if not isinstance(facts, dict) or not facts.get("gjDownloadURL"):
            raise DataError(f"geoBoundaries: {api.url} names no file (gjDownloadURL).")
        found += [api, Remote(facts["gjDownloadURL"], "geoBoundaries", "json")]
    return found


def _borders_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    outline = read_vector(store.get(remotes[1]).path, "borders")
    lines, countries = cutting.refined(wanted, outline.geometry)
    paths = {key: folder / f"{key}.geojson" for key in ("borders", "countries")}
    write(lines, paths["borders"])
    write(countries, paths["countries"])
    return Made({f"data.{key}": path for key, path in paths.items()}, **_boundary(store, remotes))


def _boundary(store: Store, remotes: list[Remote]) -> dict[str, Any]:
    """Return version and attribution as the service states them."""
    facts = [read_json(store.get(api).path) for api in remotes[::2]]
    named = sorted(
        {f"{f.get('boundarySource', '')} ({f.get('boundaryLicense', '')})" for f in facts}
    )
    return {
        "version": ", ".join(str(f.get("boundaryID", "")) for f in facts),
        "attribution": f"geoBoundaries (Runfola et al. 2020); source: {'; '.join(sorted(named))}",
    }


def _zones_make(_: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    zones = read_vector(store.get(remotes[1]).path, "zones")
    by_lower = {str(column).lower(): column for column in zones}
    shapes = shapely.simplify(shapely.make_valid(zones.geometry.to_numpy()), cutting.TOLERANCE_DEG)
    path = folder / "zones.geojson"
    named = {"name": zones[by_lower["shapename"]], "country": zones[by_lower["shapegroup"]]}
    write(gpd.GeoDataFrame(named, geometry=shapes, crs=4326).dropna(subset="name"), path)
    return Made({"data.zones": path}, **_boundary(store, remotes))


def _places_find(wanted: Wanted, _: Store) -> list[Remote]:
    codes = [worldbase.world().find(code).iso2 for code in wanted.codes]
    return [Remote(_PLACES.format(code), "GeoNames", "zip") for code in codes if code]


def _places_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    received = [store.get(remote) for remote in remotes]
    tables = []
    for came in received:
        with zipfile.ZipFile(came.path) as archive, archive.open(f"{came.path.stem}.txt") as text:
            tables.append(pd.read_csv(
                text, sep="\t", header=None, quoting=3, dtype=str, keep_default_na=False,
                usecols=[1, 4, 5, 6, 7, 14], names=[*map(str, range(19))],
            ).assign(country=_iso3(came.path.stem)))  # fmt: skip
    path = folder / "settlements.csv"
    cutting.settlements(wanted, pd.concat(tables)).to_csv(path, index=False, lineterminator="\n")
    return Made(
        {"data.settlements": path}, max(came.modified or came.retrieved for came in received)
    )


def _iso3(iso2: str) -> str:
    return next(c.code for c in worldbase.world().countries.values() if c.iso2 == iso2)


def _cover_find(wanted: Wanted, _: Store) -> list[Remote]:
    """Take tiles of land; the service has none of the sea."""
    return [
        Remote(_COVER.format(corner(*square)), "ESA WorldCover", "raster")
        for square in wanted.squares(3) if wanted.has_land(*square, 3)
    ]  # fmt: skip


def _cover_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    path = folder / "land_cover.tif"
    cutting.land_cover(wanted, store, remotes, path)
    settings = {"features.travel.land_cover_factors": COVER_FACTORS}
    return Made({"data.land_cover": path}, "v200, 2021", settings)


def _people_find(wanted: Wanted, _: Store) -> list[Remote]:
    return [
        Remote(_PEOPLE.format(code, code.lower()), "WorldPop", "raster") for code in wanted.codes
    ]


def _people_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    path = folder / "population.tif"
    cutting.people(wanted, [store.get(remote).path for remote in remotes], path)
    return Made({"data.population": path}, "R2025A, 2025")


def _ged_find(_: Wanted, store: Store) -> list[Remote]:
    """Take the newest release, and what came out for the time after it, the oldest first."""
    index = Remote(_GED, "UCDP", "html", "index.html")
    links = set(re.findall(r"""href=["']([^"']+)""", store.get(index).path.read_text("utf-8")))
    bulk = {m[1]: link for link in links if (m := re.search(r"/?ged(\d{3})-csv\.zip$", link))}
    if not bulk:
        raise DataError(f"UCDP: {_GED} lists no release of GED (gedNNN-csv.zip).")
    newest = max(bulk)
    later: list[tuple[int, int, str]] = []
    for link in links:
        monthly = re.search(r"GEDEvent_v(\d\d)_0_(\d+)\.csv$", link)
        several = re.search(r"GEDEvent_v(\d\d)_(\d\d)_\1_(\d\d)\.csv$", link)
        if found := monthly or several:
            later.append((int(found[1]), int(found[found.re.groups]), link))
    chosen = [it for it in sorted(later) if it[0] >= int(newest[:2])]
    urls = [urljoin(_GED, bulk[newest]), *(urljoin(_GED, link) for *_, link in chosen)]
    return [index, *(Remote(u, "UCDP", "zip" if u.endswith("zip") else "text") for u in urls)]


def _ged_make(wanted: Wanted, store: Store, remotes: list[Remote], folder: Path) -> Made:
    tables = []
    for came in (store.get(remote) for remote in remotes[1:]):
        tables += [cutting.in_countries(wanted, chunk) for chunk in _ged_rows(came.path)]
    # Ids recur across releases: the later row is the corrected one.
    table = pd.concat(tables).drop_duplicates("id", keep="last")
    if table.empty:
        raise DataError(f"UCDP: no event lies in {', '.join(wanted.codes)}; bring your own record.")
    path = folder / "ucdp_ged.csv"
    table.to_csv(path, index=False, lineterminator="\n")
    names = [Path(remote.name).stem for remote in remotes[1:]]
    note = f"incidents: {len(table):,} events of UCDP GED, fatal ones only"
    return Made(
        {"data.incidents": path}, ", ".join(names), notes=(note,), more={"layout": "ucdp_ged"}
    )


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
    account = {
        name: os.environ.get(f"ACLED_{name.upper()}", "") for name in ("username", "password")
    }
    if not all(account.values()):
        raise ConfigError(
            "ACLED is fetched with your own account only: set ACLED_USERNAME and ACLED_PASSWORD in "
            "the environment"
        )
    form = {**account, "grant_type": "password", "client_id": "acled"}
    token = store.token(Remote(f"{_ACLED}oauth/token", "ACLED", "json"), form)
    rows: list[dict[str, Any]] = []
    for code in wanted.codes:
        country, page, full = worldbase.world().find(code).name, 1, True
        while full:
            asked = {"_format": "json", "country": country, "limit": _ACLED_ROWS, "page": page}
            remote = Remote(
                f"{_ACLED}api/acled/read?{urlencode(asked)}", "ACLED", "json",
                f"{code}-{page}.json", headers={"Authorization": f"Bearer {token}"},
            )  # fmt: skip
            came = read_json(store.get(remote).path).get("data") or []
            rows, page, full = rows + came, page + 1, len(came) == _ACLED_ROWS
    if not rows:
        raise DataError(f"ACLED: your account is given no event of {', '.join(wanted.codes)}.")
    path = folder / "acled.csv"
    pd.DataFrame(rows).to_csv(path, index=False, lineterminator="\n")
    return Made({"data.incidents": path}, more={"layout": "acled"})


def _osm(key: str, title: str, find: Any, make: Any, mb: float) -> Upstream:
    def expect(wanted: Wanted) -> tuple[int, float]:
        files = len(find(wanted, None))
        return files, files * mb

    return Upstream(
        (f"data.{key}",), title, "OpenStreetMap", _ODBL, "© OpenStreetMap contributors",
        expect, find, make,
    )  # fmt: skip


def _points(key: str, title: str, tags: osm.Tags) -> Upstream:
    asked = tuple(f'nwr["{name}"="{value}"]' for name, value in tags)
    find = partial(osm.ask, what=key, selectors=asked, step=0, out="center")
    return _osm(key, title, find, partial(osm.points, key=key, tags=tags), 0.5)


def _lines(key: str, title: str, selectors: tuple[str, ...], tag: str, mb: float) -> Upstream:
    find = partial(osm.ask, what=key, selectors=selectors, step=2, out="geom")
    return _osm(key, title, find, partial(osm.lines, key=key, tag=tag), mb)


_ROADS = ('way["highway"~"^(motorway|trunk|primary|secondary|tertiary)(_link)?$"]',)
_WATERS = ('way["waterway"="river"]', 'way["natural"="water"]["water"~"^(lake|reservoir)$"]')
UPSTREAMS: dict[str, Upstream] = {
    "elevation": Upstream(
        ("data.elevation",), "Copernicus DEM", "European Space Agency",
        ("Copernicus-DEM", "Copernicus DEM licence: free for any use; given without liability",
         "https://spacedata.copernicus.eu/collections/copernicus-digital-elevation-model"),
        "produced using Copernicus WorldDEM-30 © DLR e.V. 2010-2014 and © Airbus Defence and Space "
        "GmbH 2014-2018 provided under COPERNICUS by the European Union and ESA; all rights "
        "reserved. The organisations in charge of the Copernicus programme by law or by delegation "
        "do not incur any liability for any use of the Copernicus WorldDEM-30.",
        _dem_expect, _dem_find, _dem_make,
    ),
    "borders": Upstream(
        ("data.borders", "data.countries"), "Country outlines and border lines", "geoBoundaries",
        _ODBL, "geoBoundaries (Runfola et al. 2020)",
        lambda _: (2, 15),
        lambda wanted, store: _borders_find(store, "ADM0", wanted.codes[:1]), _borders_make,
    ),
    "zones": Upstream(
        ("data.zones",), "Provinces", "geoBoundaries", _ODBL, "geoBoundaries (Runfola et al. 2020)",
        lambda _: (2, 10),
        lambda wanted, store: _borders_find(store, "ADM1", wanted.codes[:1]), _zones_make,
    ),
    "roads": _lines("roads", "Roads, motorway to tertiary", _ROADS, "highway", 4),
    "water": _lines("water", "Rivers and lakes", _WATERS, "waterway", 2),
    "crossings": _points("crossings", "Border crossings", _GATE_TAGS),
    "posts": _points("posts", "Police, customs and checkpoints", _POST_TAGS),
    "settlements": Upstream(
        ("data.settlements",), "Populated places", "GeoNames", _CC_BY, "GeoNames (geonames.org)",
        lambda wanted: (len(wanted.codes), 4 * len(wanted.codes)), _places_find, _places_make,
    ),
    "population": Upstream(
        ("data.population",), "Population 2025, 100 m, constrained", "WorldPop, University of "
        "Southampton", _CC_BY, "WorldPop (worldpop.org), R2025A",
        lambda wanted: (len(wanted.codes), 45 * len(wanted.codes)), _people_find, _people_make,
    ),
    "landcover": Upstream(
        ("data.land_cover",), "ESA WorldCover 10 m 2021 v200", "European Space Agency", _CC_BY,
        "© ESA WorldCover project 2021 / Contains modified Copernicus Sentinel data (2021) "
        "processed by ESA WorldCover consortium",
        cutting.cover_expect, _cover_find, _cover_make,
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
        "Armed Conflict Location & Event Data (ACLED), acleddata.com",
        lambda wanted: (len(wanted.codes), 10 * len(wanted.codes)), lambda _wanted, _store: [],
        _acled_make, terms=True,
    ),
}  # fmt: skip
"""Every upstream by the word that ``fetch --what`` takes."""
