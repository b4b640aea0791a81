"""Make the folder of a border: its config, its data cut from the world base, its incidents."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from borderrisk.config.loader import CONFIG_FILE, load_config
from borderrisk.config.whole import Config
from borderrisk.config.yamltext import read_yaml, write_yaml
from borderrisk.errors import BorderRiskError, ConfigError, OutputError
from borderrisk.pipeline import limits, study
from borderrisk.pipeline.inputs import Inputs
from borderrisk.pipeline.study import STRIP_KM, Border, choose_border
from borderrisk.runs.folder import check_target, workplace
from borderrisk.sources import worldbase
from borderrisk.sources.files import parts_of
from borderrisk.sources.recognised import Choose, recognise
from borderrisk.sources.worldbase import Bounds, world

EXAMPLE = "eastern-border"


@dataclass(frozen=True)
class Started:
    """A folder that was made, what its user should know, and whether it can make a forecast."""

    folder: Path
    notes: list[str]
    ready: bool


def init(
    folder: Path | None = None,
    *,
    home: str | None = None,
    neighbours: Sequence[str] = (),
    incidents: Path | None = None,
    focus: Sequence[str] = (),
    window: Bounds | None = None,
    force: bool = False,
    choose: Choose = lambda _question, options: options[0],
) -> Started:
    """Make a folder with a config and data for a border, or a copy of the shipped example.

    ``home`` is the country whose side is scored; without it the example is copied. No
    ``neighbours`` means all that share a land border; both go by name or ISO code. ``folder`` is by
    default named after the countries, in the current folder; ``incidents`` is copied into it.
    ``focus`` lists ``TOWN`` or ``TOWN:KM``, windows with a map of their own. Only border lines
    inside ``window`` (west, south, east, north, degrees) count. ``force`` replaces config and base
    data of an earlier ``init``; ``choose`` is asked ``(question, options)`` where two columns fit
    equally well.

    Raises ``ConfigError``, and writes nothing, if the border cannot be studied, ``DataError`` if
    the incidents cannot be used, ``OutputError`` if the folder holds something already.
    """
    if home is None:
        return _example(folder or Path(EXAMPLE), force)
    country, notes = world().find(home), list[str]()
    border = choose_border(country, neighbours, window, notes)
    folder = folder or Path(study.slug(" ".join([country.name, *neighbours])))
    _refuse_taken(folder, force)
    incidents = incidents or _incidents_in(folder)
    record = _Record.read(incidents, border, choose, notes)
    text = _config_text(folder, border, record, worldbase.settlements(border.windows[1]), focus)

    def fill(data: Path) -> None:
        worldbase.cut(data, country.code, *border.windows, border.title())
        for path, name in ({} if incidents is None else _copies(incidents)).items():
            shutil.copyfile(path, data / name)

    notes += _write(folder, text, fill)
    return Started(folder, notes, ready=incidents is not None)


@dataclass(frozen=True)
class _Record:
    """The incidents when the config is written: its section, all rows, those in the study area."""

    section: dict[str, Any]
    comment: str
    incidents: gpd.GeoDataFrame
    here: pd.DataFrame

    @classmethod
    def read(cls, path: Path | None, border: Border, choose: Choose, notes: list[str]) -> _Record:
        if path is None:
            none = gpd.GeoDataFrame({"radius_km": []})
            return cls({}, "Without incidents (data.incidents) a run makes an index", none, none)
        found = recognise(path, border.bounds(0), choose)
        table = found.table.incidents
        at = {"longitude": table.geometry.x, "latitude": table.geometry.y}
        here = study.in_area(border.area, pd.DataFrame(table).assign(**at))
        if here.empty:
            said = "; ".join(found.notes[1:])
            raise ConfigError(
                f"{path}: none of its {len(table)} usable incidents lies in {border.home.name} "
                f"within {STRIP_KM} km of the border ({said}); take another --home, or other "
                "incidents"
            )
        notes += [f"incidents: {note}" for note in found.notes]
        notes.append(f"incidents: {len(here)} of {len(table)} lie in the study area")
        section = {"path": f"data/{_copies(path)[path]}", **found.section()}
        parts = {
            "columns": "columns: our names, and the file's",
            "radius_km": "radius_km: what codes of the place's precision mean, km",
            "default_radius_km": "default_radius_km: where a row does not say it",
        }
        keys = "; ".join(text for key, text in parts.items() if key in section)
        return cls(section, f"Of incidents, {keys}" if keys else "", table, here)


def _config_text(
    folder: Path, border: Border, record: _Record, places: pd.DataFrame, focus: Sequence[str]
) -> str:
    area, here, whole = border.area, record.here, record.incidents
    cell, why = study.cell_km(here["radius_km"], area.polygon.area / 1e6, sum(border.km.values()))
    windows = dict(study.around(text, area, places) for text in focus)
    evaluation: dict[str, Any] = {}
    if len(whole):
        windows = windows or study.busiest(area, here, study.in_area(area, places))
        evaluation = study.origins(here["date"], whole["date_end"].max()) or {"enabled": False}
    km = ", ".join(f"{code} {length:,.0f} km" for code, length in border.km.items())
    part = {"home": border.home.code, "neighbours": list(border.km), "window": border.window}
    data: dict[str, Any] = {"package": f"data/{worldbase.PACKAGE}"}
    data |= {name: f"data/{path}" for name, path in worldbase.CUT.items()}
    data["elevation"] = {"path": data["elevation"]}
    data |= {"incidents": record.section} if record.section else {}
    testing = "Yearly forecasts that the record can be tested with" if len(whole) else ""
    if evaluation.get("enabled") is False:
        testing = "Too few incidents in too few years to test forecasts with"
    sections: list[tuple[str, dict[str, Any]]] = [
        ("Made by borderrisk init; change what you like, then borderrisk validate FOLDER",
         {"name": study.slug(folder.absolute().name), "title": border.title(),
          "title_fa": border.title("name_fa")}),
        (f"The side of {border.home.name}, {STRIP_KM} km deep; length of the border: {km}",
         {"study_area": {key: value for key, value in part.items() if value}}),
        (f"{cell} km: {why}", {"grid": {"cell_size_m": cell * 1000}}),
        ("Maps of their own" + ("" if focus else ": where most incidents are reported"),
         {"focus": {name: window.section() for name, window in windows.items()}}),
        (record.comment, {"data": data}),
        ("Largest towns of the strip: longitude, latitude",
         {"features": {"travel": study.travel(border, places)}}),
        (testing, {"evaluation": evaluation}),
        ("Results are kept in this folder", {"outputs": {"folder": "."}}),
        ("", {"compute": {"cache": ".cache"}}),
    ]  # fmt: skip
    return "\n".join(
        (f"# {comment}\n" if comment else "") + write_yaml(section)
        for comment, section in sections
        if any(section.values())
    )


def _example(folder: Path, force: bool) -> Started:
    """Copy the shipped example, its data cut from the base like any other."""
    _refuse_taken(folder, force)
    text = worldbase.base_bytes("example.yaml").decode()
    config = Config.from_data(read_yaml(text).data, folder)
    area = config.study_area
    border = choose_border(world().find(area.home), area.neighbours, area.window, [])

    def fill(data: Path) -> None:
        (data / "incidents.csv").write_bytes(worldbase.base_bytes("example_incidents.csv"))
        others = {"incidents": ("incidents.csv", "example_incidents")}
        worldbase.cut(data, border.home.code, *border.windows, config.title, others)

    _write(folder, text.replace("FOLDER", str(folder)), fill)
    return Started(folder, [f"the shipped example: {config.title}"], ready=True)


def _copies(path: Path) -> dict[Path, str]:
    """Return the files of an incident table, and their names in the folder: a shapefile is many."""
    packed = path.suffix.lower() in (".gz", ".zip")
    ending = "".join(path.suffixes[-2:]) if packed else path.suffix
    named = {path: f"incidents{ending.lower()}"}
    parts = parts_of(path) if path.suffix.lower() == ".shp" else []
    return named | {part: f"incidents{part.suffix.lower()}" for part in parts}


def _incidents_in(folder: Path) -> Path | None:
    """Return the incidents that are in a folder already: those its config reads, else any."""
    with suppress(BorderRiskError):
        named = load_config(folder, check_paths=False).data.incidents.path
        if named is not None and named.is_file():
            return named
    parts = {".dbf", ".shx", ".prj", ".cpg"}
    found = sorted(p for p in (folder / "data").glob("incidents.*") if p.suffix not in parts)
    return found[0] if found else None


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            f"{folder}: cannot be made ({reason}); give a folder where you may write"
        ) from error


def _refuse_taken(folder: Path, force: bool) -> None:
    with _named(folder):
        check_target(folder / "data")
    for place in (folder, folder / "data"):
        if place.is_symlink():
            raise OutputError(f"{place}: is a link; give the folder it leads to")
    if folder.is_file():
        raise OutputError(f"{folder}: is a file; give another folder")
    ours = (folder / CONFIG_FILE).exists()
    if ours and not force:
        raise OutputError(
            f"{folder}: holds a {CONFIG_FILE} already; give another folder, or replace its config "
            "and base data with --force"
        )
    if not ours and (folder / "data").exists():
        raise OutputError(f"{folder}: holds data/ that is not from init; give another folder")


def _write(folder: Path, config: str, fill: Callable[[Path], None]) -> list[str]:
    """Put config and data in place once all of them are written; other files are left alone.

    Incidents that were there before are put aside, so that nothing is lost and none is taken for
    those in use; returns what was.
    """
    parent = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    with _named(folder), workplace(parent) as place:
        (place / "data").mkdir()
        fill(place / "data")
        (place / CONFIG_FILE).write_text(config, "utf-8")
        loaded = load_config(place / CONFIG_FILE).read_from(None)
        limits.check(loaded, Inputs(loaded))
        (folder / "data").mkdir(parents=True, exist_ok=True)
        notes = _put_aside(folder / "data", place / "data")
        for path in sorted((place / "data").iterdir()):
            path.replace(folder / "data" / path.name)
        (place / CONFIG_FILE).replace(folder / CONFIG_FILE)
    return notes


def _put_aside(old: Path, new: Path) -> list[str]:
    """Rename incidents that differ from those that come, if any come; say so."""
    coming = {path.name: path for path in new.glob("incidents.*")}
    notes = []
    for path in sorted(old.glob("incidents.*")) if coming else []:
        same = path.name in coming and filecmp.cmp(path, coming[path.name], shallow=False)
        if not same:
            path.replace(old / f"earlier-{path.name}")
            notes.append(f"incidents: data/{path.name} is kept as data/earlier-{path.name}, unused")
    return notes
