"""What the services hold, in their own forms and small: a hill, a moved border, roads and posts.

``Network`` makes a world of roads of several classes from town to town, crossings where they meet
the border, and posts along it, from a seed.
"""

import functools
import hashlib
import io
import json
import re
import zipfile

import numpy as np
import pandas as pd
import rasterio
import shapely
from affine import Affine
from rasterio.io import MemoryFile

from borderrisk.sources.layouts import GED_COLUMNS
from borderrisk.sources.worldbase import settlements, world

PIXELS = 120
"""Of a degree of the Copernicus tiles here; 1200 and more at the service."""

SHIFT_DEG = 0.02
"""The better outline of a country lies so far north of that in the base."""

HILL = (60.5, 35.5)
PEOPLED = {"IRN": (60, 35), "AFG": (61, 34), "TKM": (61, 37), "POL": (22, 50), "UKR": (23, 49)}
"""South-western corner of the degree in which all of a country live."""

WATER, TREES = 80, 10
VOID = (60, 36)
"""Corner of the tile that has a void in its middle."""

WIDTHS = ((50, 1.5), (0, 1))
TOWNS_MORE = "Newtown"


class Services:
    """``services(name, query, headers)`` is the body for a host and path, None: no such file.

    ``events`` are rows of GED: (id, date, latitude, longitude, country); an int is a status.
    """

    def __init__(self, events, later=(), sea=(), *, osm=(), pixels=PIXELS):
        self.events, self.later, self.sea = events, later, set(sea)
        self.pixels, self.osm = pixels, list(osm) or few_things()

    def __call__(self, name, query, headers):
        host, _, path = name.partition("/")
        for part, answer in _HOSTS.items():
            if part in host:
                return answer(self, path, query, headers)
        return None

    def copernicus(self, path, query, headers):
        if path == "tileList.txt":
            code = "30"
            names = [self.tile_name(x, y, code) for y in range(24, 60) for x in range(-10, 70)]
            return "".join(f"{n}\r\n" for n in names if n not in self.sea).encode()
        found = re.fullmatch(r"(\w+)/\1\.tif", path)
        if not found or found[1] in self.sea:
            return None
        north, lat, east, lon = re.search(r"_([NS])(\d\d)_00_([EW])(\d{3})_00_", path).groups()
        x, y = int(lon) * (1 if east == "E" else -1), int(lat) * (1 if north == "N" else -1)
        return dem(x, y, self.pixels)

    @staticmethod
    def tile_name(x, y, code="30"):
        lat, lon = f"{'NS'[y < 0]}{abs(y):02d}", f"{'EW'[x < 0]}{abs(x):03d}"
        return f"Copernicus_DSM_COG_{code}_{lat}_00_{lon}_00_DEM"

    def boundaries(self, path, query, headers):
        found = re.fullmatch(r"api/current/gbOpen/([A-Z]{3})/(ADM\d)/index.json", path)
        if not found:
            return None
        code, level = found.groups()
        raw = f"https://github.com/wmgeolab/geoBoundaries/raw/9469f09/gbOpen/{code}/{level}"
        return json.dumps({
            "boundaryID": f"{code}-{level}-17685810", "boundaryYearRepresented": "2017",
            "boundarySource": "OpenStreetMap, Wambacher", "boundaryLicense": "ODbL",
            "gjDownloadURL": f"{raw}/geoBoundaries-{code}-{level}.geojson",
        }).encode()  # fmt: skip

    def github(self, path, query, headers):
        return "/media.githubusercontent.com/" + path.replace("/raw/", "/")

    def media(self, path, query, headers):
        code, level = re.search(r"geoBoundaries-([A-Z]{3})-(ADM\d)", path).groups()
        return outline(code, level)

    def overpass(self, path, query, headers):
        """Answer what is asked in Overpass QL: kinds, tags and boxes; geometry or middle."""
        text, found = query["data"][0], {}
        for kind, tags, box in re.findall(r"(nwr|way|node)((?:\[[^]]+\])+)\(([\d.,-]+)\)", text):
            south, west, north, east = map(float, box.split(","))
            wanted = re.findall(r'\["(\w+)"(=|~)"([^"]+)"\]', tags)
            for k, (its, own, shape) in enumerate(self.osm):
                if (
                    kind in (its, "nwr")
                    and all(_has(own.get(name, ""), how, what) for name, how, what in wanted)
                    and shape.intersects(shapely.box(west, south, east, north))
                ):
                    found[k] = {"type": its, "id": 100 + k, "tags": own}
                    found[k] |= _place_of(its, shape, centre="out tags center" in text)
        date = {"timestamp_osm_base": "2026-10-01T00:00:00Z"}
        return json.dumps({"version": 0.6, "osm3s": date, "elements": [*found.values()]}).encode()

    def geonames(self, path, query, headers):
        iso2 = path.removeprefix("export/dump/").removesuffix(".zip")
        code = next(c.code for c in world().countries.values() if c.iso2 == iso2)
        west, south, east, north = shapely.bounds(world().outline(code))
        rows = settlements((west, south, east, north))
        rows = rows[rows["country"] == code]
        lines = [_place(k, row.name, row.latitude, row.longitude, iso2, row.population)
                 for k, row in enumerate(rows.itertuples(index=False))]  # fmt: skip
        point = world().outline(code).representative_point()
        lines.append(_place(9e6, TOWNS_MORE, point.y, point.x, iso2, 777))
        lines.append(_place(9e6 + 1, "Quarter", point.y, point.x, iso2, 999, code="PPLX"))
        lines.append(_place(9e6 + 2, 'Old "Fort', point.y, point.x, iso2, 5, kind="S"))
        return zipped(**{f"{iso2}.txt": "\n".join(lines) + "\n"})

    def cover(self, path, query, headers):
        found = re.search(r"_N(\d\d)E(\d{3})_Map\.tif$", path)
        return cover(int(found[2]), int(found[1])) if found else None

    def worldpop(self, path, query, headers):
        code = re.search(r"/([a-z]{3})_pop_2025", path)[1].upper()
        return people(*PEOPLED[code])

    def ucdp(self, path, query, headers):
        if path == "downloads/index.html":
            links = [
                "ged251-csv.zip",
                "ged261-csv.zip",
                "candidateged/GEDEvent_v25_0_12.csv",
                "candidateged/GEDEvent_v26_0_8.csv",
                "candidateged/GEDEvent_v26_01_26_06.csv",
            ]
            page = "".join(f'<a href="/downloads/{link}">{link}</a>' for link in links)
            return f"<!DOCTYPE html><html><body>{page}</body></html>".encode()
        if path == "downloads/ged261-csv.zip":
            return zipped(**{"GEDEvent_v26_1.csv": ged(self.events)})
        later = dict(self.later).get(path.rpartition("/")[2])
        return None if later is None else ged(later, header="26_0_8" not in path).encode()

    def acled(self, path, query, headers):
        if path == "oauth/token":
            known = query.get("username") == ["me@example.org"] and query["password"] == ["pw"]
            return json.dumps({"access_token": "t0ken"}).encode() if known else 401
        if headers.get("Authorization") != "Bearer t0ken":
            return 403
        rows = [{"event_id_cnty": f"X{k}", "event_date": "2024-05-01", "latitude": "35.0",
                 "longitude": "60.5", "event_type": "Battles", "geo_precision": "1",
                 "time_precision": "1", "actor1": "A", "country": query["country"][0]}
                for k in range(3)]  # fmt: skip
        return json.dumps({"status": 200, "data": rows}).encode()


_HOSTS = {
    "copernicus": Services.copernicus, "geoboundaries": Services.boundaries,
    "media.github": Services.media, "github.com": Services.github, "overpass": Services.overpass,
    "geonames": Services.geonames, "worldcover": Services.cover, "ucdp": Services.ucdp,
    "acled": Services.acled, "worldpop": Services.worldpop,
}  # fmt: skip


def height(lon, lat):
    """Metres at a place: a plain that rises eastwards, and a hill."""
    hill = 1500 * np.exp(-((lon - HILL[0]) ** 2 + (lat - HILL[1]) ** 2) / 0.1)
    return (500 + 10 * lon + hill).astype("float32")


@functools.cache
def dem(x, y, pixels):
    """A Copernicus tile: half a pixel off to the north-west, wider in the north, no nodata."""
    width = next(int(pixels / w) for limit, w in WIDTHS if y >= limit)
    dx, dy = 1 / width, 1 / pixels
    place = Affine(dx, 0, x - dx / 2, 0, -dy, y + 1 + dy / 2)
    lon, lat = place @ np.meshgrid(np.arange(width) + 0.5, np.arange(pixels) + 0.5)
    values = height(lon, lat)
    if (x, y) == VOID:
        values[60, 60] = -32767
    return cog(values, place, {"predictor": 3, "BLOCKSIZE": 128})


def few_things():
    """Two roads, and posts that are crossings as well, of Iran and of Poland."""
    roads = [[(59.0, 36.2), (60.0, 36.0), (61.2, 35.6)], [(21, 50.2), (24.0, 49.9)]]
    found = [
        ("way", {"highway": kind, "name": f"Road {k}"}, shapely.LineString(road))
        for k, (kind, road) in enumerate(zip(("primary", "trunk_link"), roads, strict=True))
    ]
    for k, (x, y) in enumerate([(60.9, 35.4), (61.1, 34.6), (22.7, 50.1)]):
        its, tags = ("way", "node")[k % 2], {"name": f"P{k}"}
        spot = shapely.Point(x, y)
        shape = spot if k % 2 else spot.buffer(0.001, cap_style="square").exterior
        found += [(its, tags | {"amenity": "police"}, shape),
                  (its, tags | {"barrier": "border_control"}, shape)]  # fmt: skip
    return found


class Network:
    """Roads, crossings and posts of a window, as rows of (type, tags, geometry), from a seed.

    Cities are joined by trunk roads, towns to the nearest two by smaller ones; each road winds.
    Where roads meet the ``line`` of the border lies a crossing named after the road, with customs
    beside it; police stand in the towns, and posts every ``apart`` degrees along the line.
    """

    def __init__(self, window, line, *, seed=7, apart=0.3):
        self.rng, self.line = np.random.default_rng(seed), line
        places = settlements(window).sort_values("population", ascending=False)
        self.xy, self.names = places[["longitude", "latitude"]].to_numpy(), list(places["name"])
        classes = (("trunk", 8, 1), ("primary", 40, 1), ("tertiary", None, 2))
        self.roads = [road for its in classes for road in self._joined(*its)]
        self.crossings = self._crossings()
        at = np.arange(apart / 2, line.length, apart)
        self.posts = [line.interpolate(d).buffer(0.004).exterior for d in at]

    def rows(self):
        """All of it as OpenStreetMap has it, with things beside that are not asked for."""
        found = [("way", {"highway": kind, "name": name}, line) for kind, name, line in self.roads]
        for name, spot in self.crossings:
            near = shapely.Point(spot.x - 0.01, spot.y)
            found.append(("node", {"barrier": "border_control", "name": name}, spot))
            found.append(("node", {"amenity": "customs", "name": f"{name} customs"}, near))
        found += [("way", {"military": "checkpoint"}, ring) for ring in self.posts]
        found += [("node", {"amenity": "police", "name": f"{name} police"}, shapely.Point(xy))
                  for name, xy in zip(self.names[:30], self.xy, strict=False)]  # fmt: skip
        others = ({"highway": "footway"}, {"amenity": "school"}, {"barrier": "gate"})
        return found + [("node", tags, shapely.Point(self.xy[0])) for tags in others]

    def _joined(self, kind, largest, count):
        """Roads of a class from each place to the nearest ones that are larger."""
        xy, names, found = self.xy[:largest], self.names[:largest], []
        for k in range(1, len(xy)):
            apart = np.hypot(*(xy[:k] - xy[k]).T)
            for other in np.argsort(apart, kind="stable")[:count]:
                name = f"{names[k]}-{names[other]} road"
                found.append((kind, name, self._winding(xy[k], xy[other])))
        return found

    def _winding(self, start, end):
        steps = np.linspace(0, 1, 9)[:, None]
        bends = self.rng.normal(0, 0.06, (9, 2)) * np.hypot(*(end - start)) * np.sin(np.pi * steps)
        return shapely.LineString(np.round(start + steps * (end - start) + bends, 6))

    def _crossings(self):
        found = []
        for _, name, road in self.roads:
            met = shapely.get_parts(road.intersection(self.line))
            if len(met) and all(met[0].distance(spot) > 0.1 for _, spot in found):
                found.append((name.removesuffix(" road") + " crossing", shapely.centroid(met[0])))
        return found


@functools.cache
def cover(x, y):
    """A WorldCover tile: trees, and water in its southern third."""
    codes = np.full((360, 360), TREES, "uint8")
    codes[240:] = WATER
    return cog(
        codes,
        Affine(3 / 360, 0, x, 0, -3 / 360, y + 3),
        {"nodata": 0, "BLOCKSIZE": 128, "RESAMPLING": "NEAREST"},
    )


@functools.cache
def people(x, y):
    """Of a country, the people of one square degree: two in each of 240 x 240 pixels."""
    persons = np.full((240, 240), 2, "float32")
    persons[:, :10] = -99999
    return cog(persons, Affine(1 / 240, 0, x, 0, -1 / 240, y + 1), {"nodata": -99999})


def cog(values, place, more):
    profile = {"driver": "COG", "dtype": values.dtype, "count": 1, "crs": "EPSG:4326",
               "height": values.shape[0], "width": values.shape[1], "transform": place,
               "compress": "DEFLATE"} | more  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**profile) as raster:
            raster.write(values, 1)
        return memory.read()


@functools.cache
def outline(code, level="ADM0"):
    """The outline of a country in GeoJSON, moved north; of its provinces, two halves."""
    shape = shapely.transform(world().outline(code), lambda xy: xy + np.array([0, SHIFT_DEG]))
    west, south, east, north = shape.bounds
    halves = [shapely.box(west, south, (west + east) / 2, north),
              shapely.box((west + east) / 2, south, east, north)]  # fmt: skip
    parts = [shape] if level == "ADM0" else [shape.intersection(half) for half in halves]
    features = [
        {"type": "Feature", "geometry": json.loads(shapely.to_geojson(part)),
         "properties": {"shapeName": f"{code} {k}", "shapeGroup": code, "shapeISO": code}}
        for k, part in enumerate(parts)
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def ged(events, header=True):
    """GED as CSV, with quoted line breaks."""
    base = {"code_status": "Clear", "type_of_violence": "1", "where_prec": "1", "date_prec": "1",
            "event_clarity": "1", "best": "2", "side_a": "Government", "side_b": "Group",
            "source_article": 'A "quoted"\nheadline, of two lines'}  # fmt: skip
    rows = [
        base | {"id": str(number), "date_start": f"{day} 00:00:00.000",
                "date_end": f"{day} 00:00:00.000", "latitude": f"{lat:.4f}",
                "longitude": f"{lon:.4f}", "country": country}
        for number, day, lat, lon, country in events
    ]  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=list(GED_COLUMNS), fill_value="")
    return table.to_csv(index=False, header=header)


def around(code, other, count, start=1, seed=3):
    """Events near the border of two countries, on the first one's side, over 24 years."""
    line, home = world().border(code, other), world().outline(code)
    rng, rows = np.random.default_rng(seed), []
    shapely.prepare(home)
    while len(rows) < count:
        at = line.interpolate(rng.beta(2, 5), normalized=True)
        x, y = np.array([at.x, at.y]) + rng.normal(0, 0.3, 2)
        if shapely.contains_xy(home, x, y):
            day = pd.Timestamp("2002-01-01") + pd.Timedelta(days=int(rng.integers(0, 8700)))
            rows.append((start + len(rows), str(day.date()), y, x, world().countries[code].name))
    return rows


def beside_roads(network, code, count, start=1, seed=5):
    """Events on roads within 40 km of a crossing: a world in which roads and crossings matter."""
    rng, rows, home = np.random.default_rng(seed), [], world().outline(code)
    near = shapely.union_all([spot.buffer(0.4) for _, spot in network.crossings])
    roads = shapely.union_all([line for _, _, line in network.roads]).intersection(near)
    while len(rows) < count:
        at = _along(roads, rng)
        x, y = np.array([at.x, at.y]) + rng.normal(0, 0.01, 2)
        if shapely.contains_xy(home, x, y):
            day = pd.Timestamp("2002-01-01") + pd.Timedelta(days=int(rng.integers(0, 8700)))
            rows.append((start + len(rows), str(day.date()), y, x, world().countries[code].name))
    return rows


def _along(lines, rng):
    parts = shapely.get_parts(lines)
    lengths = shapely.length(parts)
    part = parts[rng.choice(len(parts), p=lengths / lengths.sum())]
    return part.interpolate(rng.uniform(), normalized=True)


def zipped(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def _has(own, how, wanted):
    return own == wanted if how == "=" else re.search(wanted, own) is not None


def _place_of(kind, shape, *, centre):
    """Where an element lies, as Overpass says it."""
    middle = {"lat": shape.centroid.y, "lon": shape.centroid.x}
    if kind == "node":
        return middle
    xy = shapely.get_coordinates(shape).tolist()
    return {"center": middle} if centre else {"geometry": [{"lat": y, "lon": x} for x, y in xy]}


def _place(number, name, lat, lon, iso2, people, *, code="PPL", kind="P"):
    fields = [int(number), name, name, "", f"{lat:.5f}", f"{lon:.5f}", kind, code, iso2, "", "", "",
              "", "", int(people), "", "", "", "2026-01-01"]  # fmt: skip
    return "\t".join(map(str, fields))


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def values_at(path, lon, lat):
    with rasterio.open(path) as raster:
        return next(raster.sample([(lon, lat)], masked=True))[0]
