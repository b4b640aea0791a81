"""Checksums and credits of the input files, from the data package that describes them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from borderrisk.errors import DataError
from borderrisk.runs.hashing import read_json, sha256_file
from borderrisk.sources.files import existing


@dataclass(frozen=True)
class SourceInfo:
    """What a run records about one input file; texts are empty where no package describes it."""

    title: str
    version: str
    licence: str
    attribution: str
    path: Path
    sha256: str
    bytes: int


def verify(package_path: str | Path | None, files: Iterable[str | Path]) -> list[SourceInfo]:
    """Return what is known about each file, after comparing it with the package's checksum.

    Files that the Frictionless data package does not list are taken as they are. DataError if a
    file is missing, or a listed one differs from its checksum.
    """
    resources = {} if package_path is None else read_resources(package_path)
    return [_info(existing(file, "data"), resources) for file in files]


def read_resources(package_path: str | Path) -> dict[Path, dict[str, str]]:
    """Return title, version, licence, attribution and hash of resources by absolute path."""
    path = existing(package_path, "data package")
    try:
        resources = read_json(path)["resources"]
        return {(path.parent / str(r["path"])).resolve(): _facts(r) for r in resources}
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DataError(
            f"data package: {path} is not a Frictionless data package ({error!r})."
        ) from error


def without_checksum(package_path: str | Path, file: str | Path) -> str | None:
    """Return a data package's text without checksum and size of one file; None if it has none.

    For a file that its user goes on with. ``DataError`` as for :func:`read_resources`.
    """
    read_resources(package_path)
    package = json.loads(Path(package_path).read_text("utf-8"))
    changed = False
    for resource in package["resources"]:
        if (Path(package_path).parent / resource["path"]).resolve() == Path(file).resolve():
            for name in ("hash", "bytes"):
                changed |= resource.pop(name, None) is not None
    return json.dumps(package, ensure_ascii=False, indent=1) + "\n" if changed else None


def _facts(resource: dict[str, Any]) -> dict[str, str]:
    licences = [it.get("title") or it.get("name", "") for it in resource.get("licenses", [])]
    names = ("title", "version", "attribution", "hash")
    found = {name: str(resource[name]) for name in names if name in resource}
    return {**found, "licence": "; ".join(map(str, licences))}


def _info(path: Path, resources: dict[Path, dict[str, str]]) -> SourceInfo:
    actual, facts = sha256_file(path), resources.get(path.resolve(), {})
    expected = facts.get("hash", "").removeprefix("sha256:")
    if expected and actual != expected:
        raise DataError(
            f"data: {path} is not the file its data package describes: sha256 is {actual}, "
            f"expected {expected}. Restore it, or name your own file in the config instead."
        )
    return SourceInfo(
        title=facts.get("title", path.name),
        version=facts.get("version", ""),
        licence=facts.get("licence", ""),
        attribution=facts.get("attribution", ""),
        path=path,
        sha256=actual,
        bytes=path.stat().st_size,
    )
