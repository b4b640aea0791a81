"""What two versions of the product computed differently, from the files of two runs alone.

``python -m benchmarks.equality RUN_A RUN_B [--sets FBMIXS] [--all]`` decodes what both folders
hold and prints one table. Nothing of the product is imported. The sets: F features, B border
(segments, corridors, routes), M what the model says of cells and segments, I its intervals,
X exports (bytes of GeoJSON, bands of rasters, columns of maps), S numbers of the scorecard,
T text of scorecard and report.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import pandas as pd
import rasterio
import shapely

from benchmarks import mapfile

SETS = "FBMIXST"
EQUAL = "equal"
# What two runs of one version differ in, too.
_OF_ONE_RUN = re.compile(r'[-\s]*"?(run|run_id|started|seconds|peak_memory_mb|cache)"?: ')
# Columns the model fills, in whatever file they stand, and what its refits say of them.
_SCORED = re.compile(
    r"(expected|probability|risk|rank|intensity|susceptibility|history|reporting|trust|share"
    r"|rate|driver|count|why|incidents).*"
)
_BOUND = re.compile(r".*(_low|_high|_median|_replicates)|width")


@dataclass(frozen=True)
class Item:
    """One thing that can be compared: its set, its name, and its value as decoded."""

    set: str
    name: str
    value: Any


@dataclass(frozen=True)
class Verdict:
    """One line of the table."""

    set: str
    name: str
    said: str

    @property
    def equal(self) -> bool:
        """Whether both runs hold the same."""
        return self.said == EQUAL


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if anything in the sets asked for differs or is in one run only."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.equality", description=__doc__)
    parser.add_argument("run_a", type=Path)
    parser.add_argument("run_b", type=Path)
    parser.add_argument("--sets", default=SETS, help=f"letters of {SETS} that count (default all)")
    parser.add_argument("--common", action="store_true", help="what is in one run only may be")
    parser.add_argument("--all", action="store_true", help="print equal items, too")
    options = parser.parse_args(arguments)
    if unknown := set(options.sets) - set(SETS):
        parser.error(f"there is no set {', '.join(sorted(unknown))}; there are {SETS}")
    for run in (options.run_a, options.run_b):
        if not run.is_dir():
            parser.error(f"{run} is not a folder")
    found = [v for v in compared(options.run_a, options.run_b) if v.set in options.sets]
    print(table([v for v in found if options.all or not v.equal]))
    print(summary(found))
    one_sided = ("only in A", "only in B")
    return int(any(not (v.equal or (options.common and v.said in one_sided)) for v in found))


def compared(run_a: Path, run_b: Path) -> list[Verdict]:
    """Every item of either run, in the order of the sets."""
    a, b = ({(i.set, i.name): i.value for i in items(run)} for run in (run_a, run_b))
    verdicts = []
    for key in dict.fromkeys([*a, *b]):
        if key not in b:
            said = "only in A"
        elif key not in a:
            said = "only in B"
        else:
            said = difference(a[key], b[key])
        verdicts.append(Verdict(*key, said))
    return sorted(verdicts, key=lambda v: SETS.index(v.set))


def items(run: Path) -> Iterator[Item]:
    """All that a run folder holds and that can be compared."""
    for path in sorted(p for p in run.rglob("*") if p.is_file()):
        name = path.relative_to(run).as_posix()
        for pattern, read in READERS:
            if re.fullmatch(pattern, name):
                yield from read(path, name)


def _netcdf(set_: str) -> Callable[[Path, str], Iterator[Item]]:
    """Read every variable of a NetCDF file as stored, integers of scaled ones included."""

    def read(path: Path, name: str) -> Iterator[Item]:
        with h5py.File(path) as file:
            found: list[tuple[str, h5py.Dataset]] = []
            file.visititems(
                lambda key, node: found.append((key, node)) if isinstance(node, h5py.Dataset) else 0
            )
            for key, node in found:
                yield Item(_set_of(set_, key), f"{name}: {key}", node[()])

    return read


def _table(set_: str) -> Callable[[Path, str], Iterator[Item]]:
    def read(path: Path, name: str) -> Iterator[Item]:
        if path.suffix == ".csv":
            frame: pd.DataFrame = pd.read_csv(path)
        elif path.suffix == ".parquet":
            frame = gpd.read_parquet(path)
        else:
            frame = gpd.read_file(path)
        for column in frame:
            yield Item(_set_of(set_, str(column)), f"{name}: {column}", frame[column].to_numpy())

    return read


def _set_of(set_: str, column: str) -> str:
    """Set of a column in a file of features, of the border or of cells."""
    if _BOUND.fullmatch(column):
        return "I"
    return "M" if _SCORED.fullmatch(column) else set_


def _bytes(path: Path, name: str) -> Iterator[Item]:
    yield Item("X", f"{name}: bytes", path.read_bytes())


def _bands(path: Path, name: str) -> Iterator[Item]:
    with rasterio.open(path) as raster:
        yield Item("X", f"{name}: place", str((raster.crs.to_wkt(), tuple(raster.transform))))
        for band in range(1, raster.count + 1):
            label = raster.descriptions[band - 1] or band
            yield Item("X", f"{name}: {label}", raster.read(band))


def _map(path: Path, name: str) -> Iterator[Item]:
    for column, values in mapfile.columns(path).items():
        yield Item("X", f"{name}: {column}", values)


def _numbers(set_: str) -> Callable[[Path, str], Iterator[Item]]:
    def read(path: Path, name: str) -> Iterator[Item]:
        for key, value in _leaves(json.loads(path.read_text(encoding="utf-8"))):
            if isinstance(value, int | float):
                yield Item(set_, f"{name}: {key}", value)

    return read


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths of what is no container."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for k, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{k}]")
    else:
        yield path, value


def _lines(path: Path, name: str) -> Iterator[Item]:
    lines = path.read_text(encoding="utf-8").splitlines()
    yield Item("T", name, [line for line in lines if not _OF_ONE_RUN.match(line)])


_BORDER = r"(.*/)?(segments|corridors|routes|crossings|attribution)\.(parquet|csv|geojson)"
READERS: tuple[tuple[str, Callable[[Path, str], Iterator[Item]]], ...] = (
    (r"features\.nc", _netcdf("F")),
    (_BORDER, _table("B")),
    (r"scene/segment_replicates\.npy", lambda path, name: iter([Item("I", name, np.load(path))])),
    (r"cells\.parquet", _table("M")),
    (r"scene/.*\.nc", _netcdf("F")),
    (r"[^/]*\.geojson", _bytes),
    (r"[^/]*\.tif", _bands),
    (r"[^/]*\.html", _map),
    (r"scorecard\.json", _numbers("S")),
    (r"metrics\.json", _numbers("M")),
    (r"scorecard\.txt|report\.md", _lines),
)


def difference(a: Any, b: Any) -> str:
    """``equal``, or how far apart two values are."""
    if isinstance(a, list):
        return _text(a, b)
    if isinstance(a, bytes):
        return EQUAL if a == b else f"bytes differ ({len(a):,} and {len(b):,})"
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return f"shapes {a.shape} and {b.shape}"
    if all(np.issubdtype(v.dtype, np.number) or v.dtype == bool for v in (a, b)):
        return _numeric(a.astype(float), b.astype(float))
    return _others(a, b)


def _numeric(a: np.ndarray, b: np.ndarray) -> str:
    unequal = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if not unequal.any():
        return EQUAL
    gap = np.abs(a - b)[unequal]
    # Where one of the two is missing there is no difference to speak of.
    missing = int(np.isnan(gap).sum())
    largest = f"largest difference {np.nanmax(gap):.3g}" if missing < gap.size else "no difference"
    scale = np.maximum(np.abs(a), np.abs(b))[unequal]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.nanmax(gap / scale) if missing < gap.size else np.nan
    lone = f", {missing:,} missing in one" if missing else ""
    return f"{largest} ({part:.2g} of it) in {unequal.sum():,} of {a.size:,}{lone}"


def _others(a: np.ndarray, b: np.ndarray) -> str:
    """Differences of text, dates and geometries."""
    if a.size and all(isinstance(v.flat[0], shapely.Geometry) for v in (a, b)):
        return _shapes(a, b)
    unequal = sum(
        str(x) != str(y) and not (pd.isna(x) and pd.isna(y))
        for x, y in zip(a.ravel().astype(object), b.ravel().astype(object), strict=True)
    )
    return EQUAL if not unequal else f"{unequal:,} of {a.size:,} differ"


def _shapes(a: np.ndarray, b: np.ndarray) -> str:
    unequal = ~shapely.equals_identical(a, b)
    if not unequal.any():
        return EQUAL
    here, there = shapely.get_coordinates(a), shapely.get_coordinates(b)
    moved = f", by up to {np.abs(here - there).max():.3g}" if here.shape == there.shape else ""
    return f"{unequal.sum():,} of {a.size:,} shapes differ{moved}"


def _text(a: list[str], b: list[str]) -> str:
    if a == b:
        return EQUAL
    marks = [line[0] for line in difflib.ndiff(a, b)]
    return f"{marks.count('-')} lines only in A, {marks.count('+')} only in B"


def table(verdicts: list[Verdict]) -> str:
    """Markdown table."""
    lines = ["| set | item | |", "|---|---|---|"]
    return "\n".join(lines + [f"| {v.set} | {v.name} | {v.said} |" for v in verdicts])


def summary(verdicts: list[Verdict]) -> str:
    """One line: how many items of each set are equal."""
    parts = []
    for letter in SETS:
        of_set = [v for v in verdicts if v.set == letter]
        if of_set:
            parts.append(f"{letter} {sum(v.equal for v in of_set)} of {len(of_set)}")
    return f"Equal: {', '.join(parts) or 'nothing to compare'}."


if __name__ == "__main__":
    sys.exit(main())
