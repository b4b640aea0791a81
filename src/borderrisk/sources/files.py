"""Input files: is it there, what is it by its content, and what else is read with it."""

from __future__ import annotations

import codecs
import gzip
import logging
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from pyarrow import ArrowException, parquet

from borderrisk.errors import DataError

log = logging.getLogger(__name__)

OFFLINE = {
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GDAL_HTTPS_PROXY": "127.0.0.1:9",
    "GDAL_HTTP_CONNECTTIMEOUT": "1",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
"""Settings under which GDAL reaches no network, whatever a file asks of it."""

VECTORS = ("GeoJSON", "GeoPackage", "FlatGeobuf", "Shapefile", "GeoParquet", "KML", "GPX")
TABLES = ("text", "XLSX", "ODS", "Parquet")
_MAGIC = {
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"SQLite format 3\0": "GeoPackage",
    b"fgb": "FlatGeobuf",
    b"\0\0\x27\x0a": "Shapefile",
    b"PAR1": "Parquet",
    b"\xd0\xcf\x11\xe0": "an Excel file of before 2007",
}
# Names by which GDAL's readers know a format; the first is given to a file that has none of them.
_SUFFIXES = {
    "ODS": (".ods",), "XLSX": (".xlsx", ".xlsm"), "Shapefile": (".shp",), "FlatGeobuf": (".fgb",),
    "GeoPackage": (".gpkg",), "KML": (".kml",), "GPX": (".gpx",), "GeoJSON": (".geojson", ".json"),
}  # fmt: skip
# Suffixes looked for in archives; the first group that has a file is meant.
_INSIDE = (
    (".shp", ".gpkg", ".geojson", ".fgb", ".kml", ".kmz", ".gpx", ".json"),
    (".csv", ".tsv", ".xlsx", ".ods", ".parquet"),
    (".txt",),
)
_UNPACKED_BYTES = 4 * 2**30
_TABLE_BYTES, _TABLE_CELLS = 2**30, 10**8
_LFS_POINTER = b"version https://git-lfs"
_SHAPEFILE = (".dbf", ".shx", ".prj", ".cpg")
_RASTER = (".prj", ".hdr", ".wld", ".ige")
# What an .aux.xml file can change of the values or their place; most hold statistics alone, which
# viewers write.
_TELLING = (b"<SRS", b"<GeoTransform", b"<GCP", b"<NoData", b"<UnitType", b"<Scale", b"<Offset")
# Elements of a virtual raster that name a file, those that may hold links as text, and what makes
# GDAL read from elsewhere.
_REFERENCES = ("SourceFilename", "SourceDataset", "SrcDataSource")
_WORDS = re.compile(r".*(SRS|Projection|CRS)$")
_ELSEWHERE = re.compile(r"/vsi|://|<|RPC_DEM|_DATASET$|^[A-Za-z]\w+:")
_PLAIN = {None, "VRTDataset", "VRTWarpedDataset", "VRTSourcedRasterBand", "VRTWarpedRasterBand"}


@dataclass(frozen=True)
class Header:
    """What a file says of itself; ``size`` is in pixels, of a raster."""

    format: str = ""
    layer: str = ""
    crs: str = ""
    size: str = ""
    units: str = ""

    def __str__(self) -> str:
        layer = f"layer {self.layer}" if self.layer else ""
        return ", ".join(part for part in (self.format, layer, self.size, self.crs) if part)


@dataclass(frozen=True)
class Reading:
    """What became of one input: what it holds, what of it was left out, and what it serves.

    ``used_for`` says how many cells it changes, where that can be said; ``warnings`` are what the
    user should know before believing the result. ``header`` is that of the file, ``rows`` is how
    many were read, ``extent`` where they lie, (west, south, east, north) in degrees.
    """

    what: str
    path: Path
    holds: str
    used_for: str = ""
    left_out: str = ""
    warnings: tuple[str, ...] = ()
    header: Header = Header()
    rows: int | None = None
    extent: tuple[float, float, float, float] | None = None

    @property
    def read(self) -> str:
        """What was read, in a sentence."""
        rows = "" if self.rows is None else "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        where = ""
        if self.extent is not None:
            west, south, east, north = self.extent
            where = f"{west:.4g} to {east:.4g} E, {south:.4g} to {north:.4g} N"
        units = f"in {self.header.units}" if self.header.units else ""
        return "; ".join(filter(None, (self.holds, str(self.header), rows, where, units)))

    @property
    def without(self) -> str:
        """What was left out, and all that there is to doubt."""
        return "; ".join(filter(None, (self.left_out, *self.warnings)))

    def tell(self) -> None:
        """Log it: warnings aloud, the rest as progress, a line each that a screen has room for."""
        log.info("%s: %s", self.what, "; ".join(filter(None, (self.holds, self.used_for))))
        if self.left_out:
            log.info("%s: %s", self.what, self.left_out)
        log.debug("%s: %s: %s", self.what, self.path, self.read)
        self.warn()

    def warn(self) -> None:
        """Log what there is to doubt."""
        for text in self.warnings:
            log.warning("%s: %s: %s", self.what, self.path, text)


def existing(path: str | Path, what: str) -> Path:
    """Return ``path`` if it is a readable, non-empty, regular file; ``what`` is its role."""
    path = Path(path)
    try:
        if not path.exists():
            raise DataError(f"{what}: {path} does not exist.{_near(path)}")
        if path.is_dir():
            raise DataError(f"{what}: {path} is a folder; name a file in it.")
        if not path.is_file():
            raise DataError(f"{what}: {path} is a device or pipe; name a regular file.")
        start = _start(path, len(_LFS_POINTER))
    except OSError as error:
        raise DataError(f"{what}: {path} cannot be read ({error.strerror}).") from error
    if not start:
        raise DataError(f"{what}: {path} is empty (0 bytes).")
    if start == _LFS_POINTER:
        raise DataError(f"{what}: {path} is a Git LFS pointer, not the data; run `git lfs pull`.")
    return path


def format_of(path: Path) -> str:
    """Tell the format by content: one of ``VECTORS``, ``TABLES``, an archive, or what it is."""
    start = _start(path, 4096)
    found = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
    if found == "zip":
        return _zipped_format(path)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if found == "Parquet":
        return _parquet_format(path)
    if found is not None or text[:1] in (b"{", b"["):
        return found or "GeoJSON"
    if text[:1] == b"<":
        bare = re.sub(rb"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>]*>", b"", text, flags=re.S)
        root = re.match(rb"\s*<(?:\w+:)?(\w+)", bare)
        name = root[1].decode() if root else "XML"
        return {"kml": "KML", "gpx": "GPX", "html": "a web page"}.get(name.lower(), name)
    return "an unknown binary format" if b"\0" in start and not utf16_of(start) else "text"


def utf16_of(start: bytes) -> str:
    """Return the UTF-16 encoding that a file begins in, with or without a mark; blank if none."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    # Letters of the Latin alphabet, as in most headers, have a zero on one side.
    header = start[:200]
    even, odd = (header[k::2].count(0) for k in (0, 1))
    most = len(header) // 4
    if odd > most and not even:
        return "utf-16-le"
    return "utf-16-be" if even > most and not odd else ""


@contextmanager
def opened(path: str | Path, what: str, formats: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Give a file to read and its format; of an archive, the one it holds, unpacked.

    DataError if it is not there, none of ``formats``, or an archive that is damaged, holds several
    files that could be meant, or unpacks to more than 4 GiB.
    """
    path = existing(path, what)
    where = f"{what}: {path}"
    with tempfile.TemporaryDirectory(prefix="borderrisk-") as place:
        file, found = path.absolute(), format_of(path)
        for level in "ab":
            if found in ("zip", "gzip"):
                file = _unpacked(file, found, Path(place) / level, where)
                found = format_of(file)
        if found not in formats:
            raise DataError(
                f"{where} is {found}, a format that is not read here; "
                f"{', '.join(f'CSV {name}' if name == 'text' else name for name in formats)} can "
                "be read, each also as .gz or .zip."
            )
        suffixes = _SUFFIXES.get(found, (file.suffix,))
        suffix = file.suffix if file.suffix.lower() in suffixes else suffixes[0]
        check_size(file, found, where)
        # Signs that GDAL's readers take for their own notation.
        odd = suffix != file.suffix or re.search("[!;]", str(file))
        yield (_linked(file, Path(place), suffix) if odd else file), found


def parts_of(path: Path) -> list[Path]:
    """List the existing files that decide, besides one file, what is read from it.

    Those a virtual raster refers to, at any depth, with their sidecars, and its own: world files,
    projections, masks and headers.
    """
    behind = files_behind(path) if is_virtual(path) else []
    return [part for file in (path, *behind) for part in (file, *_sidecars(file))][1:]


def is_virtual(path: Path) -> bool:
    """Whether a file is a virtual raster, whatever its name."""
    return path.is_file() and b"<VRTDataset" in _start(path, 1024)


def files_behind(path: Path, within: tuple[Path, ...] = ()) -> list[Path]:
    """Every file that a virtual raster refers to, and what those refer to in turn.

    Refuses one that refers to anything but existing files, or reads as 0 what no tile fills.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(
            f"{path}: not a readable virtual raster ({error}); it may be truncated: make it anew."
        ) from error
    _check_virtual(path, root)
    found: dict[Path, None] = {}
    for element in (e for tag in _REFERENCES for e in root.iter(tag)):
        file = Path(str(element.text).strip())
        if element.get("relativeToVRT") == "1":
            file = path.resolve().parent / file
        if file in (path, *within):
            raise DataError(f"{path}: it refers to {file}, which refers to it in turn.")
        if not file.is_file():
            raise DataError(
                f"{path}: it refers to {file}, which does not exist; put the file back, or make "
                "the virtual raster anew (gdalbuildvrt)."
            )
        found[file] = None
        if is_virtual(file):
            found.update(dict.fromkeys(files_behind(file, (path, *within))))
    return list(found)


def _check_virtual(path: Path, root: Element) -> None:
    kinds = {root.get("subClass"), *(band.get("subClass") for band in root.iter("VRTRasterBand"))}
    texts = [e.text or "" for e in root.iter() if not _WORDS.match(e.tag)]
    texts += [value for e in root.iter() for value in e.attrib.values()]
    odd = next((text.strip()[:80] for text in texts if _ELSEWHERE.search(text.strip())), "")
    if odd or not kinds <= _PLAIN:
        raise DataError(
            f"{path}: a virtual raster that is computed, or refers to something else than files "
            f"({odd!r}), is not read; make a plain mosaic (gdalbuildvrt)."
        )
    bands = root.findall("VRTRasterBand")
    alpha = any(band.findtext("ColorInterp") == "Alpha" for band in bands)
    bare = any(b.find("NoDataValue") is None or b.findtext("HideNoDataValue") == "1" for b in bands)
    if bare and not alpha and root.find("MaskBand") is None:
        raise DataError(
            f"{path}: a virtual raster without a nodata value reads as 0 m where no tile has one; "
            "make it anew with `gdalbuildvrt -vrtnodata -32767 NEW.vrt TILES` (of a warped one: "
            "gdalwarp -dstnodata -32767)."
        )


def _start(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _zipped_format(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, OSError):
        return "zip"
    is_ods = {"mimetype", "content.xml"} <= names
    return "XLSX" if "xl/workbook.xml" in names else "ODS" if is_ods else "zip"


def _parquet_format(path: Path) -> str:
    try:
        return "GeoParquet" if b"geo" in (parquet.read_schema(path).metadata or {}) else "Parquet"
    except (ArrowException, OSError, ValueError):
        return "Parquet"


def _unpacked(path: Path, found: str, place: Path, where: str) -> Path:
    place.mkdir()
    try:
        return (_from_zip if found == "zip" else _from_gzip)(path, place, where)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise DataError(f"{where} cannot be unpacked ({error}).") from error


def _from_gzip(path: Path, place: Path, where: str) -> Path:
    target, total = place / (path.stem or "unpacked"), 0
    with gzip.open(path) as packed, target.open("wb") as out:
        while chunk := packed.read(1 << 20):
            total += out.write(chunk)
            if total > _UNPACKED_BYTES:
                raise _too_large(where)
    return target


def _from_zip(path: Path, place: Path, where: str) -> Path:
    names = set()
    with zipfile.ZipFile(path) as archive:
        if sum(m.file_size for m in archive.infolist()) > _UNPACKED_BYTES:
            raise _too_large(where)
        for member in archive.infolist():
            name = Path(member.filename).name
            if member.is_dir() or name.startswith("._"):
                continue
            with archive.open(member) as packed, (place / name).open("wb") as out:
                shutil.copyfileobj(packed, out)
            names.add(name)
    for group in _INSIDE:
        meant = sorted(name for name in names if Path(name).suffix.lower() in group)
        if len(meant) == 1:
            return place / meant[0]
        if meant:
            raise DataError(f"{where} holds {', '.join(meant)}; unpack it and name one of them.")
    listed = ", ".join(sorted(names)[:5])
    raise DataError(f"{where} holds no file that can be read (it has: {listed}).")


def _too_large(where: str, most: int = _UNPACKED_BYTES) -> DataError:
    return DataError(
        f"{where} unpacks to more than {most / 2**30:.0f} GiB; cut it to the area it is needed for."
    )


def check_size(path: Path, found: str, where: str) -> None:
    """Refuse a packed table by what it says that it unpacks to, before any of it is read.

    Of Parquet, whose readers do not look, also one with text that is none.
    """
    size = cells = 0
    if found in ("XLSX", "ODS"):
        with zipfile.ZipFile(path) as archive:
            size = sum(m.file_size for m in archive.infolist())
    elif found.endswith("Parquet"):
        try:
            facts = parquet.read_metadata(path)
        except (ArrowException, OSError, ValueError):
            return  # damaged, as its reader will say
        cells = facts.num_rows * facts.num_columns
        size = sum(facts.row_group(k).total_byte_size for k in range(facts.num_row_groups))
    if size > _TABLE_BYTES or cells > _TABLE_CELLS:
        raise _too_large(where, _TABLE_BYTES)
    if found.endswith("Parquet"):
        try:
            parquet.read_table(path).validate(full=True)
        except (ArrowException, OSError, ValueError) as error:
            raise DataError(f"{where} cannot be read as {found} ({error}).") from error


def _linked(path: Path, place: Path, suffix: str) -> Path:
    """Return the file, with what lies beside it, under a name without odd signs."""
    folder = place / "linked"
    folder.mkdir()
    for file in _sidecars(path):
        (folder / f"data{file.name.removeprefix(path.stem)}").symlink_to(file.absolute())
    (folder / f"data{suffix}").symlink_to(path.absolute())
    return folder / f"data{suffix}"


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f" Its folder {path.parent} does not exist either."
    close = get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def _sidecars(path: Path) -> list[Path]:
    suffix = path.suffix.lower()
    if suffix == ".shp":
        return _existing([path.with_suffix(s) for s in _SHAPEFILE])
    if suffix in (".csv", ".json", ".geojson", ".gpkg", ".parquet", ""):
        return []
    world = (f".{suffix[1]}{suffix[-1]}w", f"{suffix}w")
    wide = path.with_name(path.name + ".aux.xml")
    found = _existing([path.with_suffix(s) for s in (*world, *_RASTER)])
    found += _existing([path.with_name(path.name + ".msk")])
    telling = wide.is_file() and any(tag in wide.read_bytes() for tag in _TELLING)
    return [*found, wide] if telling else found


def _existing(paths: list[Path]) -> list[Path]:
    """Return those that exist, in small or capital letters."""
    either = [q for p in paths for q in (p, p.with_suffix(p.suffix.upper()))]
    # Where capitals do not count, both names are one file.
    found: dict[tuple[int, int], Path] = {}
    for path in either:
        if path.is_file():
            found.setdefault((path.stat().st_dev, path.stat().st_ino), path)
    return list(found.values())
