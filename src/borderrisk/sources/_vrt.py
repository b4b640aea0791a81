"""Virtual rasters (VRT): the files behind one, and the pixels that none of them fills."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from rasterio.windows import Window

from borderrisk.errors import DataError
from borderrisk.sources._layout import hole_share

log = logging.getLogger(__name__)

# A number that no elevation has and that readers take as missing in any file.
FILL = -32767
# Types that cannot hold it, and one that holds it and all of theirs.
_WIDER = {"Byte": "Int32", "Int8": "Int32", "UInt16": "Int32"} | dict.fromkeys(
    ("UInt32", "UInt64"), "Float64"
)
_REFERENCES = ("SourceFilename", "SourceDataset", "SrcDataSource")
# GDAL's own notation for archives, databases and the like.
_NO_PATH = re.compile(r"/vsi|<|[A-Za-z]\w+:")
_ARCHIVE = re.compile(r"(/vsi(zip|tar|gzip|7z|rar)/)+\{?([^{}]+)")


@dataclass(frozen=True)
class Piece:
    """Part of a file that a virtual raster shows.

    Attributes
    ----------
    name : str
        The file, as GDAL opens it.
    source : tuple of float or None
        (column, row, columns, rows) of the part in the file; None = all of it.
    target : tuple of float or None
        The same in the virtual raster; None = its first pixels.
    """

    name: str
    source: tuple[float, ...] | None
    target: tuple[float, ...] | None

    def part(self, window: Window, shape: tuple[int, int]) -> Window | None:
        """Pixels of the file, of ``(rows, columns)``, that a window of the virtual raster shows."""
        whole = (0.0, 0.0, float(shape[1]), float(shape[0]))
        source, target = self.source or whole, self.target or whole
        spans = []
        for axis, (start, size) in enumerate(
            ((window.col_off, window.width), (window.row_off, window.height))
        ):
            scale = source[axis + 2] / target[axis + 2]
            low = max(start - target[axis], 0) * scale
            high = min(start + size - target[axis], target[axis + 2]) * scale
            first = max(floor(source[axis] + low), 0)
            spans.append((first, min(ceil(source[axis] + high), shape[1 - axis]) - first))
        (left, width), (top, height) = spans
        return Window(left, top, width, height) if width > 0 and height > 0 else None


def is_virtual(path: Path) -> bool:
    """Whether a file is a virtual raster or layer, whatever its name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(1024)
    return b"<VRTDataset" in start or b"<OGRVRTDataSource" in start


def files_behind(path: Path, within: tuple[Path, ...] = ()) -> list[Path]:
    """Every file that a virtual raster refers to, and what those refer to in turn.

    Raises
    ------
    DataError
        If one does not exist or leads back to itself, or the text is no XML.
    """
    found: dict[Path, None] = {}
    for element in _references(_parsed(path)):
        file = _file(_name(element, path))
        if file is None:
            continue
        if file in (path, *within):
            raise DataError(f"{path}: it refers to {file}, which refers to it in turn.")
        if not file.exists():
            raise DataError(
                f"{path}: it refers to {file}, which does not exist; put the file back, or make "
                "the virtual raster anew (gdalbuildvrt)."
            )
        found[file] = None
        if is_virtual(file):
            found.update(dict.fromkeys(files_behind(file, (path, *within))))
    return list(found)


def pieces(path: Path) -> list[Piece]:
    """Return the parts of files that make up the first band, in the order they are drawn."""
    root = _parsed(path)
    found = []
    for source, element in _sources(root):
        part, target = _box(source.find("SrcRect")), _box(source.find("DstRect"))
        # GDAL draws nothing where one of both is given alone.
        if (part is None) == (target is None):
            found.append(Piece(_name(element, path), part, target))
    return found


def uncovered_share(path: Path) -> float:
    """Share of a virtual raster's pixels that no piece fills; 0 if it is not made of pieces."""
    root = _parsed(path)
    if not _sources(root):
        return 0.0
    whole = (0.0, 0.0, *_size(root))
    targets = np.array([piece.target or whole for piece in pieces(path)]).reshape(-1, 4)
    shape = np.array(_size(root))[::-1].astype(int)
    corners = targets[:, [1, 0]]
    starts = np.clip(np.rint(corners).astype(int), 0, shape)
    ends = np.clip(np.rint(corners + targets[:, [3, 2]]).astype(int), 0, shape)
    return hole_share(starts, ends - starts, shape)


def with_fill(path: Path, *, masked: bool = False) -> str:
    """Return what to open so that pixels without a source are missing.

    GDAL fills with 0 where a virtual raster gives no nodata value, both beside its sources and at
    voids within them.

    Parameters
    ----------
    path : Path
        A virtual raster.
    masked : bool
        Whether it has a mask or alpha, so that only virtual rasters within it need a value.

    Returns
    -------
    str
        The path, or the text of a virtual raster that differs in its nodata value alone.

    Raises
    ------
    DataError
        If it warps or computes from a virtual raster that would be filled with 0.
    """
    root = _parsed(path)
    band = root.find("VRTRasterBand")
    if band is None:
        return str(path)
    bare = _lacks_nodata(root) and not masked
    if not _plain(root):
        _check_computed(root, path, bare)
        return str(path)
    inner = _filled_within(root, path)
    if not (bare or inner):
        return str(path)
    for element in _references(root):
        element.text = inner.get(element) or _name(element, path)
        element.set("relativeToVRT", "0")
    kind = band.get("dataType", "Byte")
    band.set("dataType", _WIDER.get(kind, kind))
    if bare:
        _set_nodata(band)
    return ElementTree.tostring(root, encoding="unicode")


def _plain(root: Element) -> bool:
    """Whether it is made of pieces, all of whose names mean the same to a text without a folder."""
    kinds = {root.get("subClass"), *(b.get("subClass") for b in root.findall("VRTRasterBand"))}
    movable = not any(
        e.get("relativeToVRT") == "1" and re.match(r"[A-Za-z]\w+:", str(e.text).strip())
        for e in _references(root)
    )
    return kinds <= {None, "VRTDataset", "VRTSourcedRasterBand"} and movable


def _lacks_nodata(root: Element) -> bool:
    band = root.find("VRTRasterBand")
    if band is None:
        return False
    return band.find("NoDataValue") is None or band.findtext("HideNoDataValue") == "1"


def _check_computed(root: Element, path: Path, bare: bool) -> None:
    """Say what a warped or computed virtual raster reads as 0, which cannot be mended here."""
    for element in _references(root):
        file = _file(_name(element, path))
        if file is not None and is_virtual(file) and _reads_holes_as_0(file):
            raise DataError(
                f"{path}: it is computed from {file}, which leaves pixels without a tile and has "
                "no nodata value, so that they would read as 0 m; make both anew (gdalbuildvrt "
                "-vrtnodata -32767, gdalwarp -dstnodata -32767)."
            )
    if bare:
        log.warning(
            "%s: a virtual raster without a nodata value, warped or computed; what its sources do "
            "not fill is read as 0 m. Give it one (gdalwarp -dstnodata -32767).",
            path,
        )


def _reads_holes_as_0(path: Path) -> bool:
    """Whether holes of a virtual raster, or voids within its tiles, look like elevations."""
    root = _parsed(path)
    alpha = any(element.findtext("ColorInterp") == "Alpha" for element in root)
    if not _lacks_nodata(root) or alpha or root.find("MaskBand") is not None:
        return False
    return uncovered_share(path) > 0 or next(root.iter("NODATA"), None) is not None


def _filled_within(root: Element, path: Path) -> dict[Element, str]:
    """Texts of the virtual rasters that sources name, where they had to be changed."""
    texts = {}
    for source, element in _sources(root):
        file = _file(_name(element, path))
        text = with_fill(file) if file is not None and is_virtual(file) else None
        if text is not None and text != str(file):
            texts[element] = text
            if source.tag == "ComplexSource" and source.find("NODATA") is None:
                SubElement(source, "NODATA").text = str(FILL)
    return texts


def _set_nodata(band: Element) -> None:
    for tag in ("NoDataValue", "HideNoDataValue"):
        for element in band.findall(tag):
            band.remove(element)
    SubElement(band, "NoDataValue").text = str(FILL)


def _parsed(path: Path) -> Element:
    try:
        return ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise DataError(
            f"{path}: not a readable virtual raster ({error}); it may be truncated: make it anew."
        ) from error


def _references(root: Element) -> list[Element]:
    """Elements that name a file."""
    return [e for tag in _REFERENCES for e in root.iter(tag) if (e.text or "").strip()]


def _sources(root: Element) -> list[tuple[Element, Element]]:
    """List the sources of the first band, each with the element that names its file."""
    band = root.find("VRTRasterBand")
    found = [] if band is None else [(source, source.find("SourceFilename")) for source in band]
    return [(s, e) for s, e in found if e is not None and (e.text or "").strip()]


def _name(element: Element, vrt: Path) -> str:
    """Return what GDAL opens; a relative name starts at the VRT, or at what that links to."""
    name = str(element.text).strip()
    relative = element.get("relativeToVRT") == "1"
    if relative and not _NO_PATH.match(name):
        return str((vrt.resolve() if vrt.is_symlink() else vrt).absolute().parent / name)
    return name


def _file(name: str) -> Path | None:
    """Return the file on disk behind a name, None if GDAL alone knows."""
    archive = _ARCHIVE.match(name)
    if archive is None:
        return None if _NO_PATH.match(name) else Path(name)
    inside = Path(archive[3])
    return next((p for p in (inside, *inside.parents) if p.is_file()), None)


def _size(root: Element) -> tuple[float, float]:
    return (float(root.get("rasterXSize", 0)), float(root.get("rasterYSize", 0)))


def _box(element: Element | None) -> tuple[float, ...] | None:
    if element is None:
        return None
    return tuple(float(element.get(key, 0)) for key in ("xOff", "yOff", "xSize", "ySize"))
