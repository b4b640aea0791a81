"""The further files that one file is read with: the tiles of a virtual raster, sidecars."""

from __future__ import annotations

from pathlib import Path

from borderrisk.sources._vrt import files_behind, is_virtual

_SHAPEFILE = (".dbf", ".shx", ".prj", ".cpg")
_RASTER = (".prj", ".hdr", ".wld", ".ige")
# What an .aux.xml file can change of the values or their place; most hold statistics alone, which
# viewers write.
_TELLING = (b"<SRS", b"<GeoTransform", b"<GCP", b"<NoData", b"<UnitType", b"<Scale", b"<Offset")


def parts_of(path: Path) -> list[Path]:
    """List the files that decide, besides one file, what is read from it.

    Parameters
    ----------
    path : Path
        A raster, virtual raster, shapefile or any other file.

    Returns
    -------
    list of Path
        Existing files: those a virtual raster refers to, at any depth, with their sidecars, and
        its own; world files, projections, masks and headers of rasters.

    Raises
    ------
    DataError
        If a virtual raster refers to a file that does not exist.
    """
    behind = files_behind(path) if is_virtual(path) else []
    return [part for file in (path, *behind) for part in (file, *_sidecars(file))][1:]


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
