"""Inputs for the fuzzer: one sound example of every kind, and what may happen to a file.

:func:`prepare` makes the sound inputs once; :func:`case` damages one of them, always in the same
way for the same seed and number, and returns the command that is to meet it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

ROOT = Path(__file__).parents[1]
ORIGIN = "2024-01-01"
_WINDOW = (60.0, 27.0, 64.0, 32.0)
CONFIG = """\
name: fuzzed
study_area: {home: IRN, neighbours: [AFG, PAK], border_strip_km: 120, halo_km: 40,
  window: [60, 27, 64, 32]}
grid: {cell_size_m: 40000}
data:
  borders: borders.geojson
  countries: countries.geojson
  elevation: {path: elevation.tif}
  settlements: settlements.csv
  incidents: {path: incidents.csv, layout: public_record}
features: {travel: {enabled: false}, concealment: {enabled: false}}
corridors: {enabled: false}
evaluation: {enabled: false}
outputs: {figures: []}
"""
_TABLE = (
    "{path: %s, layout: table, columns: {id: incident_id, date: date, "
    "radius_km: location_radius_km, latitude: latitude, longitude: longitude}}"
)
_VRT = """<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}"><SRS>EPSG:4326</SRS>
<GeoTransform>{geo}</GeoTransform><VRTRasterBand dataType="Int16" band="1">
<NoDataValue>-32768</NoDataValue><SimpleSource>
<SourceFilename relativeToVRT="1">elevation.tif</SourceFilename><SourceBand>1</SourceBand>
<SrcRect xOff="0" yOff="0" xSize="{cols}" ySize="{rows}"/>
<DstRect xOff="0" yOff="0" xSize="{cols}" ySize="{rows}"/>
</SimpleSource></VRTRasterBand></VRTDataset>
"""
# Kind to the file that is damaged, and the key and value that bring it into the config.
FILES: dict[str, tuple[str, str, str]] = {
    "geotiff": ("elevation.tif", "", ""),
    "vrt": ("elevation.vrt", "data.elevation.path", "%s"),
    "netcdf": ("elevation.nc", "data.elevation.path", "%s"),
    "land cover": ("cover.tif", "data.land_cover", "%s"),
    "geojson": ("borders.geojson", "", ""),
    "outlines": ("countries.geojson", "", ""),
    "flatgeobuf": ("borders.fgb", "data.borders", "%s"),
    "geopackage": ("incidents.gpkg", "data.incidents", _TABLE),
    "shapefile zip": ("borders.shp.zip", "data.borders", "%s"),
    "kml": ("incidents.kml", "data.incidents", _TABLE),
    "csv": ("incidents.csv", "", ""),
    "settlements": ("settlements.csv", "", ""),
    "xlsx": ("incidents.xlsx", "data.incidents", _TABLE),
    "parquet": ("incidents.parquet", "data.incidents", _TABLE),
    "datapackage": ("datapackage.json", "data.package", "%s"),
}
KINDS = ("config", *FILES, "model", "forecast", "run")
_TEXT = (".yaml", ".geojson", ".json", ".csv", ".kml", ".vrt", ".txt", ".jsonl", ".md", ".xml")
_NASTY = (
    "", "0", "-1", "1e308", "-1e308", "nan", "inf", "null", "true", "[]", "{}", "[[]]", '""', "'",
    "99999999999999999999", "1e-300", "-32768", "9999-12-31", "0000-00-00", "2024-02-30", "\u200e",
    "\x00", "\x1b[31m", "=1+1", "../../etc/passwd", "/dev/zero", "http://127.0.0.1:9/x", "!",
    "é" * 300, "<script>", "&a;", "*a", "!!python/object:os.system", "90.5,-180.5", "{" * 400,
    "[" * 4000,
)  # fmt: skip


def prepare(home: Path) -> None:
    """Write a sound input of every kind into a folder, and make a run and a forecast of them."""
    raw = ROOT / "data" / "raw"
    for name in ("incidents.csv", "settlements.csv", "elevation_5arcmin.tif"):
        shutil.copy(raw / name, home / name.replace("_5arcmin", ""))
    west, south, east, north = _WINDOW
    for name in ("borders", "countries"):
        part = gpd.read_file(raw / f"{name}.geojson").clip(
            (west - 4, south - 4, east + 4, north + 4)
        )
        part.to_file(home / f"{name}.geojson", driver="GeoJSON")
    incidents = pd.read_csv(raw / "incidents.csv")
    columns = ["incident_id", "date", "location_radius_km", "latitude", "longitude"]
    points = gpd.points_from_xy(incidents.longitude, incidents.latitude, crs=4326)
    table = gpd.GeoDataFrame(incidents[columns], geometry=points)
    later = incidents["date"] >= ORIGIN
    incidents[later].to_csv(home / "later.csv", index=False)
    table.to_file(home / "incidents.gpkg")
    table.to_parquet(home / "incidents.parquet")
    table.to_file(home / "incidents.kml", driver="KML")
    (home / "incidents.xlsx").write_bytes(_xlsx(incidents[columns].astype(str)))
    lines = gpd.read_file(home / "borders.geojson")
    lines.to_file(home / "borders.shp.zip")
    lines.to_file(home / "borders.fgb")
    _write_rasters(home)
    _write_package(raw, home)
    (home / "config.yaml").write_text(CONFIG, encoding="utf-8")
    _command(home, "run", "config.yaml", "--no-evaluate", "--out", "run")
    _command(home, "forecast", "config.yaml", "--origin", ORIGIN, "--horizon", "365",
             "--out", "forecast")  # fmt: skip


def _write_rasters(home: Path) -> None:
    import rasterio
    from rasterio.shutil import copy

    with rasterio.open(home / "elevation.tif") as source:
        geo = ", ".join(map(str, source.transform.to_gdal()))
        text = _VRT.format(cols=source.width, rows=source.height, geo=geo)
        copy(source, home / "elevation.nc", driver="netCDF")
        profile = source.profile | {"dtype": "uint8", "nodata": 255, "predictor": 1}
        with rasterio.open(home / "cover.tif", "w", **profile) as target:
            target.write((source.read() // 100 % 5).astype("uint8"))
    (home / "elevation.vrt").write_text(text)


def _write_package(raw: Path, home: Path) -> None:
    """Describe the files as they are here."""
    package = json.loads((raw / "datapackage.json").read_text(encoding="utf-8"))
    for resource in package["resources"]:
        resource["path"] = resource["path"].replace("_5arcmin", "")
        content = (home / resource["path"]).read_bytes()
        resource["bytes"] = len(content)
        resource["hash"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    (home / "datapackage.json").write_text(json.dumps(package, ensure_ascii=False, indent=1))


def _xlsx(table: pd.DataFrame) -> bytes:
    """Write the smallest workbook that holds a table as text."""
    rows = [list(table), *table.to_numpy().tolist()]
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>"
        for row in rows
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{sheet}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{sheet}.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="incidents" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData>'
        "</worksheet>",
    }
    return _zipped(parts.items())


def _zipped(parts: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return out.getvalue()


def _command(home: Path, *words: str) -> None:
    program = "from borderrisk.cli import main; main()"
    cache = ["--set", f"compute.cache={home / 'cache'}"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words, *cache],
        cwd=home, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{words[0]} of the sound inputs failed: {done.stderr[-500:]}")


def case(home: Path, work: Path, seed: int, number: int) -> tuple[str, list[str]]:
    """Damage one input in an empty folder; return its kind and the command's words.

    Seed 0 leaves it sound: then every kind that is read at all must be accepted.
    """
    rng = random.Random(f"{seed} {number}")
    damage, damage_folder = (harm, _harm_folder) if seed else (_spare, _spare)
    kind = KINDS[number % len(KINDS)]
    for path in home.iterdir():
        if path.is_file():
            shutil.copy(path, work / path.name)
    settings = [f"compute.cache={home / 'cache'}"]
    config = ["--set", settings[0]]
    if kind == "config":
        damage(work / "config.yaml", rng)
        return kind, ["validate", str(work / "config.yaml")]
    if kind in FILES:
        name, key, value = FILES[kind]
        damage(work / name, rng)
        given = ["--set", f"{key}={value % (work / name)}"] if key else []
        return kind, ["validate", str(work / "config.yaml"), *config, *given]
    if kind == "model":
        shutil.copy(home / "run" / "model.skops", work / "model.skops")
        damage(work / "model.skops", rng)
        words = ["score", str(work / "model.skops"), str(work / "config.yaml")]
        return kind, [*words, *config, "--out", str(work / "scored")]
    folder = shutil.copytree(home / kind, work / kind)
    damage_folder(folder, rng)
    if kind == "forecast":
        return kind, ["verify", str(folder), str(work / "later.csv"), "--force"]
    return kind, rng.choice(
        [
            ["info", str(folder)],
            ["segments", str(folder)],
            ["map", str(folder), "--out", str(work / "maps")],
            ["allocate", str(folder), "--km", "50"],
            ["export", str(folder), "--format", "csv", "--out", str(work / "cells.csv")],
            ["compare", str(home / "run"), str(folder), "--out", str(work / "change")],
        ]
    )


def _spare(_path: Path, _rng: random.Random) -> None:
    """Leave it as it is."""


def _harm_folder(folder: Path, rng: random.Random) -> None:
    """Damage, remove or replace some file of a folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".html")
    path = rng.choice(files)
    turn = rng.random()
    if turn < 0.75:
        harm(path, rng)
        return
    path.unlink()
    if turn > 0.95:
        os.mkfifo(path)
    elif turn > 0.9:
        path.symlink_to("/dev/zero")
    elif turn > 0.85:
        path.mkdir()


def harm(path: Path, rng: random.Random) -> None:
    """Damage a file one to four times, by its kind or byte by byte."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        raw = path.read_bytes()
        path.write_bytes(rng.choice(_ways(path, raw))(raw, rng))


def _ways(path: Path, raw: bytes) -> Sequence[Callable[[bytes, random.Random], bytes]]:
    if path.suffix in _TEXT:
        own = [_token, _token, _lines]
        return [*own, _json] if path.suffix in (".json", ".geojson") else [*own, _bytes]
    return [_member, _bytes] if zipfile.is_zipfile(io.BytesIO(raw)) else [_bytes]


def _bytes(raw: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat, insert or blank some bytes."""
    at = rng.randrange(len(raw) + 1)
    to = min(len(raw), at + rng.choice((1, 2, 8, 100, 5000)))
    some = rng.choice((raw[at:to][::-1], b"", b"\0" * (to - at), rng.randbytes(to - at),
                       b"\xff" * (to - at), raw[at:to] * 3))  # fmt: skip
    return raw[:at] if rng.random() < 0.1 else raw[:at] + some + raw[to:]


def _token(raw: bytes, rng: random.Random) -> bytes:
    """Put something nasty, or another word of the file, in the place of a word."""
    text = raw.decode("utf-8", "replace")
    words = [m.span() for m in re.finditer(r"[^\s,:;\"'<>\[\]{}=]+", text[:400_000])]
    if not words:
        return raw
    start, stop = rng.choice(words)
    other = slice(*rng.choice(words))
    new = rng.choice(_NASTY) if rng.random() < 0.7 else text[other]
    return (text[:start] + new + text[stop:]).encode("utf-8", "replace")


def _lines(raw: bytes, rng: random.Random) -> bytes:
    """Remove, repeat or swap lines."""
    lines = raw.split(b"\n")
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    turn = rng.random()
    if turn < 0.3:
        del lines[one]
    elif turn < 0.6:
        lines.insert(one, lines[two])
    elif turn < 0.9:
        lines[one], lines[two] = lines[two], lines[one]
    else:
        lines = lines[:1] if turn < 0.95 else lines[1:]
    return b"\n".join(lines)


def _json(raw: bytes, rng: random.Random) -> bytes:
    """Replace, remove or nest a value somewhere in a JSON document."""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        return _bytes(raw, rng)
    node: Any = tree
    parent: Any = None
    key: Any = None
    while isinstance(node, dict | list) and node and rng.random() < 0.85:
        parent, key = node, rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        node = node[key]
    if parent is None:
        return json.dumps(rng.choice((None, [], {}, 3, "x", [tree]))).encode()
    if rng.random() < 0.25:
        del parent[key]
    else:
        parent[key] = rng.choice(
            (
                None,
                [],
                {},
                [[]],
                -1,
                1e308,
                "",
                "x" * 10_000,
                True,
                [node],
                {"a": node},
                float("nan"),
            )
        )
    return json.dumps(tree).encode()


def _member(raw: bytes, rng: random.Random) -> bytes:
    """Damage one member of an archive, and close the archive again as if nothing were."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError):
        return _bytes(raw, rng)
    if not parts:
        return _bytes(raw, rng)
    name = rng.choice(sorted(parts))
    way = rng.choice(
        (_bytes, _token, _json) if name.endswith(("json", "xml", "prj")) else (_bytes,)
    )
    parts[name] = way(parts[name], rng)
    if rng.random() < 0.1:
        del parts[name]
    return _zipped(parts.items())
