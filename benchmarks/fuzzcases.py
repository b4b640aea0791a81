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
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from click.testing import CliRunner
from pydantic import BaseModel

from borderrisk.cli.app import app
from borderrisk.config import Config
from borderrisk.runs.hashing import SUMS, write_sums

ROOT = Path(__file__).parents[1]
ORIGIN = "2024-01-01"
_WINDOW = (60.0, 27.0, 64.0, 32.0)
# Small inputs, so that damage seldom lands where nothing looks.
_MARGIN_DEG, _SIMPLE_DEG, _MOST_ROWS = 2.0, 0.02, 100
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
# Commands that read the files of a config: how often each, and where it writes.
_READERS = {
    "validate": (188, ""),
    "features": (6, "features.nc"),
    "train": (5, "model.skops"),
    "run": (1, "run"),
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


def _keys(model: type[BaseModel]) -> dict[str, str]:
    """Every key of a config, dotted, with what it holds."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= {f"{name}.{key}": holds for key, holds in _keys(inner).items()}
        else:
            found[name] = str(inner)
    return found


_KEYS = _keys(Config)
# What may stand in a config, at least somewhere, but is seldom meant; the first kind counts.
_VALUES = {
    "dict": ("{}", "{a: 1}", "{date: date}", "{a: {}}"),
    "Path": ("elevation.tif", "settlements.csv", "borders.geojson", "run", "incidents.xlsx",
             "countries.geojson", "cover.tif", "config.yaml", ".", "../none", "é", ""),
    "date": ("0001-01-01", "1900-01-01", "2023-12-31", "9999-12-31", "2024-02-30"),
    "bool": ("true", "false"),
    "float": ("0", "-1", "1", "2", "0.5", "1e-300", "1e-6", "1e6", "1e18", "1e308", "-1e308"),
    "'int'": ("0", "-1", "1", "3", "999", "1000000", "99999999999999999999"),
    "str": ("x", "IRN", "AFG", "é" * 300, "../x", "{x}", "<b>", "CON"),
}  # fmt: skip
_LISTS = ("[0, 0, 0, 0]", "[-180, -90, 180, 90]", "[62, 28, 62.1, 28.1]", "[1e-300, 1e308]", "[]")


def _setting(work: Path, rng: random.Random) -> str:
    """Return a key of the config with a value of its kind, or anything."""
    key = rng.choice(list(_KEYS))
    kind = next((name for name in _VALUES if name in _KEYS[key]), "str")
    value = rng.choice(_VALUES[kind])
    if kind == "Path":
        value = str(work / value)
    if "tuple" in _KEYS[key]:
        value = rng.choice((f"[{value}]", f"[{value}, {value}]", *_LISTS))
    return f"{key}={value if rng.random() < 0.8 else rng.choice(_NASTY)}"


def prepare(home: Path) -> None:
    """Write a sound input of every kind into a folder, and make a run and a forecast of them."""
    raw = ROOT / "data" / "raw"
    west, south, east, north = box = _around(_WINDOW)
    for name in ("borders", "countries"):
        part = gpd.read_file(raw / f"{name}.geojson").clip(box)
        part.geometry = part.simplify(_SIMPLE_DEG)
        part.to_file(home / f"{name}.geojson", driver="GeoJSON", COORDINATE_PRECISION=4)
    for name in ("settlements", "incidents"):
        table = pd.read_csv(raw / f"{name}.csv")
        table = table[table.longitude.between(west, east) & table.latitude.between(south, north)]
        table[:: -(-len(table) // _MOST_ROWS)].to_csv(home / f"{name}.csv", index=False)
    incidents = pd.read_csv(home / "incidents.csv")
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
    _write_rasters(raw, home)
    _write_package(raw, home)
    config = home / "config.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    cache = ("--set", f"compute.cache={home / 'cache'}")
    _command("run", config, "--no-evaluate", "--out", home / "run", *cache)
    _command("forecast", config, "--origin", ORIGIN, "--horizon", 365,
             "--out", home / "forecast", *cache)  # fmt: skip


def _around(window: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    west, south, east, north = window
    return west - _MARGIN_DEG, south - _MARGIN_DEG, east + _MARGIN_DEG, north + _MARGIN_DEG


def _write_rasters(raw: Path, home: Path) -> None:
    """Write elevation and land cover unpacked, so that damage is read and not only noticed."""
    import rasterio
    from rasterio.shutil import copy

    with rasterio.open(raw / "elevation_5arcmin.tif") as source:
        window = source.window(*_around(_WINDOW)).round_offsets().round_lengths()
        heights = source.read(1, window=window)
        rows, cols = heights.shape
        plain = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "crs": source.crs,
                 "transform": source.window_transform(window)}  # fmt: skip
    cover = (heights // 100 % 5).astype("uint8")
    for name, values, nodata in (("elevation", heights, -32768), ("cover", cover, 255)):
        kind = {"dtype": values.dtype.name, "nodata": nodata}
        with rasterio.open(home / f"{name}.tif", "w", **plain, **kind) as target:
            target.write(values, 1)
    copy(home / "elevation.tif", home / "elevation.nc", driver="netCDF")
    geo = ", ".join(map(str, plain["transform"].to_gdal()))
    (home / "elevation.vrt").write_text(_VRT.format(cols=cols, rows=rows, geo=geo))


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


def _command(*words: object) -> None:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exit_code:
        raise RuntimeError(f"{words[0]} of the sound inputs failed: {done.output[-500:]}")


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
    config = ["--set", f"compute.cache={home / 'cache'}"]
    if kind == "config":
        words = ["validate", str(work / "config.yaml"), *config]
        if seed and rng.random() < 0.5:
            given = [_setting(work, rng) for _ in range(rng.choice((1, 1, 2)))]
            return kind, [*words, *(word for one in given for word in ("--set", one))]
        damage(work / "config.yaml", rng)
        return kind, words
    if kind in FILES:
        name, key, value = FILES[kind]
        damage(work / name, rng)
        given = ["--set", f"{key}={value % (work / name)}"] if key else []
        (command,) = rng.choices(list(_READERS), [chance for chance, _ in _READERS.values()])
        out = ["--out", str(work / _READERS[command][1])] if _READERS[command][1] else []
        return kind, [command, str(work / "config.yaml"), *config, *given, *out]
    if kind == "model":
        shutil.copy(home / "run" / "model.skops", work / "model.skops")
        damage(work / "model.skops", rng)
        words = ["score", str(work / "model.skops"), str(work / "config.yaml")]
        return kind, [*words, *config, "--out", str(work / "scored")]
    folder = shutil.copytree(home / kind, work / kind)
    if kind == "forecast":
        # Some show their damage, some are sealed again by who damaged them.
        turn = rng.randrange(5)
        if turn == 0:
            damage(work / "later.csv", rng)
        else:
            damage_folder(folder, rng)
        sums = folder / SUMS
        if turn in (1, 2) and all(map(_is_plain, folder.rglob("*"))) and not sums.is_dir():
            sums.unlink(missing_ok=True)
            write_sums(folder)
        return kind, ["verify", str(folder), str(work / "later.csv"), "--out", str(work / "test")]
    damage_folder(folder, rng)
    return kind, rng.choice(
        [
            ["info", str(folder)],
            ["segments", str(folder), "--out", str(work / "segments.geojson")],
            ["map", str(folder), "--out", str(work / "maps")],
            ["brief", str(folder), "--out", str(work / "briefs")],
            ["allocate", str(folder), "--km", "50"],
            ["export", str(folder), "--format", "csv", "--out", str(work / "cells.csv")],
            ["compare", str(home / "run"), str(folder), "--out", str(work / "change")],
        ]
    )


def _is_plain(path: Path) -> bool:
    return not path.is_symlink() and (path.is_dir() or path.is_file())


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
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        raw = path.read_bytes()
        path.write_bytes(rng.choice(_ways(path, raw))(raw, rng))


def _ways(path: Path, raw: bytes) -> Sequence[Callable[[bytes, random.Random], bytes]]:
    if path.suffix in _TEXT:
        own = [_token, _token, _lines]
        # Of JSON, most is damaged as a tree: what does not parse is told in one place.
        return [*own, *[_json] * 5] if path.suffix in (".json", ".geojson") else [*own, _bytes]
    return [_member, _member, _member, _bytes] if zipfile.is_zipfile(io.BytesIO(raw)) else [_bytes]


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
        parent[key] = rng.choice((
            None, [], {}, [[]], -1, 1e308, "", "x" * 10_000, True, [node], {"a": node},
            float("nan"),
        ))  # fmt: skip
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
