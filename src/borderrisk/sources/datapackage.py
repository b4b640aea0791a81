"""Checksums and credits of the input files, from the data package that describes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from borderrisk.errors import DataError
from borderrisk.sources.files import existing

_CHUNK = 1 << 20


@dataclass(frozen=True)
class SourceInfo:
    """What a run records about one input file.

    Attributes
    ----------
    title, version, licence, attribution : str
        Empty for files that no data package describes, except the title, which is the file name.
    path : pathlib.Path
        The file.
    sha256 : str
        Computed from its content.
    bytes : int
        Its size.
    """

    title: str
    version: str
    licence: str
    attribution: str
    path: Path
    sha256: str
    bytes: int


def verify(package_path: str | Path | None, files: Iterable[str | Path]) -> list[SourceInfo]:
    """Return what is known about each file, after comparing it with the package's checksum.

    Parameters
    ----------
    package_path : str, Path or None
        A Frictionless ``datapackage.json``; None = none of the files is described.
    files : iterable of str or Path
        Input files; those the package does not list are taken as they are.

    Raises
    ------
    DataError
        If a file is missing, or a listed one differs from its checksum.
    """
    resources = {} if package_path is None else read_resources(package_path)
    return [_info(existing(file, "data"), resources) for file in files]


def read_resources(package_path: str | Path) -> dict[Path, dict[str, Any]]:
    """Return the package's resources by absolute path."""
    path = existing(package_path, "data package")
    try:
        resources = json.loads(path.read_text("utf-8"))["resources"]
        return {(path.parent / str(r["path"])).resolve(): r for r in resources}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"data package: {path} is not a Frictionless data package ({error!r})."
        ) from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _info(path: Path, resources: dict[Path, dict[str, Any]]) -> SourceInfo:
    actual = file_sha256(path)
    resource = resources.get(path.resolve(), {})
    expected = str(resource.get("hash", "")).removeprefix("sha256:")
    if expected and actual != expected:
        raise DataError(
            f"data: {path} is not the file its data package describes: sha256 is {actual}, "
            f"expected {expected}. Restore it, or name your own file in the config instead."
        )
    licences = [licence.get("title") or licence.get("name", "") for licence in _licences(resource)]
    return SourceInfo(
        title=str(resource.get("title", path.name)),
        version=str(resource.get("version", "")),
        licence="; ".join(licences),
        attribution=str(resource.get("attribution", "")),
        path=path,
        sha256=actual,
        bytes=path.stat().st_size,
    )


def _licences(resource: dict[str, Any]) -> list[dict[str, str]]:
    return list(resource.get("licenses", []))
