"""Bring open data to the folder of a config: what it needs, where it goes, and who made it."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyogrio.errors import DataSourceError, FeatureError
from rasterio.errors import RasterioError
from shapely.errors import ShapelyError

from borderrisk.config import Config, load_config
from borderrisk.config.loader import config_file
from borderrisk.config.yamltext import edit_yaml
from borderrisk.errors import ConfigError, DataError, OutputError, did_you_mean, plain
from borderrisk.outputs.atomic import write_text
from borderrisk.pipeline.inputs import ROLES, Inputs, lay_area, read_resources
from borderrisk.runs.folder import alone
from borderrisk.runs.hashing import read_json, sha256_file
from borderrisk.sources.cutting import Made, Wanted
from borderrisk.sources.downloads import Received, Store, check_room
from borderrisk.sources.upstreams import UPSTREAMS
from borderrisk.sources.world import read_all_borders
from borderrisk.sources.worldbase import PACKAGE

log = logging.getLogger(__name__)
Progress = Callable[[str, int], None]

PLACE, KEPT = Path("data", "fetched"), Path("data", ".fetch")
"""Where the files for the config go, and where what came is kept, in the folder of the config."""

_NEAR_KM, _AROUND_KM = 60, 150
# What the files before needed, and means nothing of those that are fetched.
_OF_OTHERS = {
    "elevation": ("units", "bad_values"),
    "incidents": ("columns", "default_radius_km", "radius_km", "calendar", "kinds"),
}
# MB on the disk while one MB comes: what came, and what is made of it.
_ROOM = 2.5


@dataclass(frozen=True)
class Planned:
    """What one source would bring: an estimate, as nothing has been asked."""

    what: str
    source: str
    files: int
    mb: float
    licence: str


@dataclass(frozen=True)
class Plan:
    """What a fetch brings for a config, and what it leaves alone, with the reasons."""

    config: Config
    path: Path
    wanted: Wanted
    rows: tuple[Planned, ...]
    notes: tuple[str, ...]

    @property
    def mb(self) -> float:
        """Estimate of all that comes."""
        return sum(row.mb for row in self.rows)

    def shared(self, why: str) -> None:
        """Raise ``ConfigError`` if anything of it must not be passed on."""
        if any(UPSTREAMS[row.what].terms for row in self.rows):
            raise ConfigError(f"ACLED {why}: its terms forbid to pass its data on")


def plan(
    path: Path, what: Sequence[str] = (), *, also: Sequence[str] = (),
    accept_acled_terms: bool = False,
) -> Plan:  # fmt: skip
    """Work out what a config needs; ``what`` are keys of ``UPSTREAMS``, none: all that fit.

    Without ``what``, files of the user's own are left alone, but those of ``also``; ACLED always.

    Raises ``ConfigError`` for a word that is none, or ACLED without its terms; ``DataError`` if
    borders, countries or the datapackage of the config cannot be read.
    """
    path = config_file(path)
    config = load_config(path, check_paths=False)
    if wrong := [word for word in what if word not in UPSTREAMS]:
        hint = did_you_mean(wrong[0], UPSTREAMS)
        raise ConfigError(f"--what {wrong[0]}: there is no such source.{hint}")
    if {"acled", "incidents"} <= set(what):
        raise ConfigError("--what: name incidents (UCDP) or acled; a config takes one record")
    if "acled" in what and not accept_acled_terms:
        raise ConfigError(
            "ACLED forbids to pass its data on and restricts machine learning with it, which a "
            "model of this kind may be: read https://acleddata.com/eula, ask ACLED for leave in "
            "writing, then give --accept-acled-terms"
        )
    own = _own(config)
    left = {} if what else {word: file for word, file in own.items() if word not in also}
    chosen = dict.fromkeys(what) or [word for word, row in UPSTREAMS.items() if not row.terms]
    inputs, area = Inputs(config), config.study_area
    around = lay_area(config, inputs).area.around
    wanted = Wanted(
        (area.home, *area.neighbours), around(_NEAR_KM).simplify(0.005), around(_AROUND_KM).bounds,
        config.grid.cell_size_m, read_all_borders(config.data.borders), inputs.countries,
    )  # fmt: skip
    rows = []
    for word in chosen:
        if word not in left:
            row, (files, mb) = UPSTREAMS[word], UPSTREAMS[word].expect(wanted)
            source = ": ".join(dict.fromkeys((row.publisher, row.title)))
            rows.append(Planned(word, source, files, round(mb, 1), row.licence[0]))
    notes = (f"{w}: left as it is, {file.name} is your own (--what {w} if not)"
             for w, file in left.items())  # fmt: skip
    return Plan(config, path, wanted, tuple(rows), tuple(notes))


def _own(config: Config) -> dict[str, Path]:
    """Return, by source, a file of the user's own: neither fetched nor of the base."""
    package, fetched, found = config.data.package, config.folder / PLACE, {}
    listed = read_resources(package) if package and package.is_file() else {}
    for word, upstream in UPSTREAMS.items():
        for key in upstream.keys:
            value: Any = getattr(config.data, key.split(".")[1])
            value = getattr(value, "path", value)
            for path in value if isinstance(value, tuple) else [value]:
                known = word != "incidents" and path and path.resolve() in listed
                if path and path.exists() and fetched not in path.parents and not known:
                    found[word] = path
    return {word: path for word, path in found.items() if not UPSTREAMS[word].terms}


def fetch(
    planned: Plan, *, mirror: str | None = None, progress: Progress | None = None
) -> list[str]:
    """Bring what is planned, write it into config and datapackage, and say what was done.

    Everything is made beside and put in place at the end: until then the config is as it was, and
    what came is kept, so that a fetch that was stopped goes on where it stopped.

    Raises ``DataError`` if a source cannot be had, ``OutputError`` if another fetch is at work in
    the folder, it cannot be written, or the disk has no room.
    """
    folder = planned.path.absolute().parent
    if mirror:
        planned.shared("is no part of a mirror")
    _refuse_links(folder / PLACE, folder / KEPT)
    with alone(folder / KEPT, "fetch"):
        check_room(folder, planned.mb * (1 if mirror else _ROOM), "this fetch")
        store, building = Store(folder / KEPT, mirror, progress), folder / KEPT / "new"
        brought: dict[str, tuple[Made, list[Received]]] = {}
        try:
            building.mkdir(exist_ok=True)
            for row in planned.rows:
                log.info("%s: %s", row.what, row.source)
                upstream = UPSTREAMS[row.what]
                with _as_expected(row.source):
                    remotes = upstream.find(planned.wanted, store)
                    made = upstream.make(planned.wanted, store, remotes, building)
                brought[row.what] = made, [store.received(remote) for remote in remotes]
            _put_in_place(planned, brought)
            shutil.rmtree(building)
        except (OSError, RasterioError, DataSourceError, FeatureError) as error:
            why = f"cannot be written ({plain(error)}); check its permissions and the free space"
            raise OutputError(
                f"{folder / PLACE.parts[0]}: {why}, and repeat the command."
            ) from error
    return [*planned.notes, *(note for made, _ in brought.values() for note in made.notes)]


def export(
    planned: Plan, folder: Path, *, mirror: str | None = None, progress: Progress | None = None
) -> int:
    """Bring every file of the plan whole into a folder that ``mirror`` takes; return how many."""
    planned.shared("is not exported")
    _refuse_links(folder)
    with alone(folder, "fetch"):
        store, names = Store(folder, mirror, progress), set()
        for row in planned.rows:
            log.info("%s: %s", row.what, row.source)
            with _as_expected(row.source):
                remotes = UPSTREAMS[row.what].find(planned.wanted, store)
            names |= {store.get(remote) for remote in remotes}
    return len(names)


def _refuse_links(*folders: Path) -> None:
    """Refuse to write where a folder that somebody sent leads elsewhere."""
    for path in (it for at in folders for it in (at.parent, at, *at.rglob("*"))):
        if path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1):
            raise OutputError(f"{path}: is a link, which is not written through; remove it first.")


@contextmanager
def _as_expected(source: str) -> Iterator[None]:
    """Say whose answer it is that has another form than it had."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, ShapelyError) as error:
        raise DataError(
            f"{source}: its files have another form than expected ({plain(error)}); look for a "
            "newer version of borderrisk, or use another --mirror."
        ) from error


def _put_in_place(planned: Plan, brought: Mapping[str, tuple[Made, list[Received]]]) -> None:
    """Move the files to the config, and name them in it and in its datapackage."""
    folder = planned.path.absolute().parent
    keys: dict[str, object] = {}
    credits: list[dict[str, Any]] = []
    paths = {role.path for role in ROLES.values()}
    for what, (made, came) in brought.items():
        for key, path in made.files.items():
            final = folder / PLACE / path.name
            final.parent.mkdir(parents=True, exist_ok=True)
            path.replace(final)
            named = f"{key}.path" if f"{key}.path" in paths else key
            keys[named] = final.relative_to(folder).as_posix()
            credits.append(_credit(final, what, made, came))
        keys |= made.settings
    package = folder / "data" / PACKAGE
    write_text(_package_text(planned.config, package, credits), package)
    keys["data.package"] = package.relative_to(folder).as_posix()
    write_text(_config_text(planned, keys), planned.path)
    load_config(planned.path, check_paths=False)


def _config_text(planned: Plan, keys: Mapping[str, object]) -> str:
    """Return the text of the config with keys set; settings that it has already are left."""
    text = planned.path.read_text("utf-8-sig")
    for key, value in keys.items():
        *parents, last = key.split(".")
        for other in _OF_OTHERS.get(parents[-1], ()) if last == "path" else ():
            text = edit_yaml(text, ".".join((*parents, other)), None)
        if parents[0] == "data" or not planned.config.value(key):
            text = edit_yaml(text, key, value)
    return text


def _credit(path: Path, what: str, made: Made, came: list[Received]) -> dict[str, Any]:
    row = UPSTREAMS[what]
    name, title, address = row.licence
    return {
        "name": f"fetched-{what}-{path.stem}".lower().replace("_", "-"),
        "path": path,
        "title": row.title,
        "version": made.version,
        "publisher": row.publisher,
        "licenses": [{"name": name, "title": title, "path": address}],
        "attribution": made.attribution or row.attribution,
        "sources": [{"title": row.publisher, "path": it.url[:300]} for it in came],
        "retrieved": max((it.day for it in came), default=""),
        "bytes": path.stat().st_size,
        "hash": f"sha256:{sha256_file(path)}",
    }


def _package_text(config: Config, package: Path, new: list[dict[str, Any]]) -> str:
    """Return the datapackage so far with the new entries in place of those of the same files."""
    old = config.data.package
    document: dict[str, Any] = {"profile": "data-package", "name": "borderrisk-data"}
    if old is not None and old.is_file():
        read_resources(old)
        document = read_json(old)
    start = old.parent if old is not None else package.parent
    new_ones, fetched = {entry["path"] for entry in new}, config.folder / PLACE
    entries = []
    for entry in document.get("resources", []):
        path = Path(os.path.normpath(start / str(entry["path"])))
        replaced = path in new_ones or (fetched in path.parents and not path.exists())
        entries += [] if replaced else [entry | {"path": path}]
    for entry in (entries := entries + new):
        entry["path"] = Path(os.path.relpath(entry["path"], package.parent)).as_posix()
    return json.dumps(document | {"resources": entries}, ensure_ascii=False, indent=2) + "\n"
