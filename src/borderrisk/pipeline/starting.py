"""Make the folder of a border: its config, its data cut from the world base, its incidents."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from borderrisk.config.loader import CONFIG_FILE, load_config
from borderrisk.config.whole import Config
from borderrisk.config.yamltext import read_yaml, write_yaml
from borderrisk.errors import ConfigError, OutputError
from borderrisk.pipeline import defaults, limits
from borderrisk.pipeline.inputs import Inputs
from borderrisk.pipeline.study import STRIP_KM, Border, choose_border
from borderrisk.runs import check_target, workplace
from borderrisk.sources import worldbase
from borderrisk.sources.incidents import IncidentTable, read_incidents
from borderrisk.sources.layouts import layout_of
from borderrisk.sources.tables import read_header
from borderrisk.sources.worldbase import Bounds, world

Choose = Callable[[str, list[str]], str]

EXAMPLE = "eastern-border"
DEFAULT_RADIUS_KM, MAX_RADIUS_KM = 25, 100
_SYNONYMS = {
    "incident_id": ("incident_id", "id", "event_id", "event_id_cnty", "data_id"),
    "date": ("date", "event_date", "date_start", "day"),
    "latitude": ("latitude", "lat", "y"),
    "longitude": ("longitude", "lon", "lng", "long", "x"),
    "radius_km": ("radius_km", "location_radius_km", "radius", "precision_km"),
    "kind": ("kind", "event_type", "type", "category"),
    "place": ("place", "location", "town"),
    "province": ("province", "admin1", "adm_1"),
    "country": ("country",),
    "deaths_reported": ("deaths_reported", "deaths", "fatalities", "best"),
    "actor": ("actor", "actor1", "side_a"),
    "target": ("target", "actor2", "side_b"),
    "summary": ("summary", "notes", "description"),
    "source": ("source",),
}


@dataclass(frozen=True)
class Started:
    """A folder that was made, what its user should know, and whether it can be run as it is."""

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
    folder = folder or Path(defaults.slug(" ".join([country.name, *neighbours])))
    _refuse_taken(folder, force)
    incidents = incidents or next(iter(sorted((folder / "data").glob("incidents.*"))), None)
    record = _Record.read(incidents, border, choose, notes)
    text = _config_text(folder, border, record, worldbase.settlements(border.windows[1]), focus)

    def fill(data: Path) -> None:
        worldbase.cut(data, country.code, *border.windows, border.title())
        for path in [] if incidents is None else _files_of(incidents):
            shutil.copyfile(path, data / f"incidents{path.suffix.lower()}")

    _write(folder, text, fill)
    return Started(folder, notes, ready=incidents is not None)


def describe_incidents(
    path: Path, choose: Choose = lambda _question, options: options[0]
) -> tuple[str, dict[str, str], list[str], dict[str, int]]:
    """Return layout, columns (ours to the file's), what was understood, and counts of rows."""
    header = read_header(path, "incidents")
    layout = layout_of(header)
    columns = dict(_columns(header, choose)) if layout == "table" else {}
    table = _read(path, layout, columns, None)
    fits = "; ".join(f"{ours} ← {theirs}" for ours, theirs in columns.items())
    notes = [f"layout {layout}" + (f": {fits}" if fits else "")]
    if _unlocated(layout, columns):
        notes.append(f"no column says how precisely a place is known: {DEFAULT_RADIUS_KM} km taken")
    counts = {"used": len(table.incidents), "rejected": len(table.rejected)}
    return layout, columns, notes + table.notes, counts


def _columns(header: list[str], choose: Choose) -> Iterator[tuple[str, str]]:
    by_lower = {column.lower().strip().replace(" ", "_"): column for column in header}
    for ours, names in _SYNONYMS.items():
        options = [by_lower[name] for name in names if name in by_lower]
        if options and ours == options[0]:
            yield ours, options[0]
        elif options:
            yield (
                ours,
                choose(f"Which column is the {ours}?", options) if options[1:] else options[0],
            )


def _unlocated(layout: str, columns: dict[str, str]) -> bool:
    return layout == "table" and "radius_km" not in columns


def _read(path: Path, layout: str, columns: dict[str, str], region: Bounds | None) -> IncidentTable:
    radius = DEFAULT_RADIUS_KM if _unlocated(layout, columns) else None
    return read_incidents(
        path, layout, columns or None, radius, max_radius_km=MAX_RADIUS_KM, region=region
    )


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
            columns = {name: name for name in ("date", "latitude", "longitude", "radius_km")}
            missing = {"path": "data/incidents.csv", "layout": "table", "columns": columns}
            none = gpd.GeoDataFrame({"radius_km": []})
            return cls(missing, "Still missing: the incidents, one a row", none, none)
        layout, columns, understood, _ = describe_incidents(path, choose)
        table = _read(path, layout, columns, border.bounds(0)).incidents
        at = {"longitude": table.geometry.x, "latitude": table.geometry.y}
        here = defaults.in_area(border.area, pd.DataFrame(table).assign(**at))
        if here.empty:
            raise ConfigError(
                f"{path}: none of its {len(table)} incidents lies in {border.home.name} within "
                f"{STRIP_KM} km of the border; take another --home, or other incidents"
            )
        notes += [f"incidents: {note}" for note in understood]
        notes.append(f"incidents: {len(here)} of {len(table)} lie in the study area")
        section: dict[str, Any] = {"path": f"data/incidents{path.suffix.lower()}", "layout": layout}
        section |= {"columns": columns} if columns else {}
        section |= {"default_radius_km": DEFAULT_RADIUS_KM} if _unlocated(layout, columns) else {}
        return cls(
            section, "Columns of incidents: ours, and the file's" * bool(columns), table, here
        )


def _config_text(
    folder: Path, border: Border, record: _Record, places: pd.DataFrame, focus: Sequence[str]
) -> str:
    """Return the config of a folder, with the reasons of what it chooses."""
    area, here, whole = border.area, record.here, record.incidents
    cell, why = defaults.cell_km(
        here["radius_km"], area.polygon.area / 1e6, sum(border.km.values())
    )
    windows = dict(defaults.around(text, area, places) for text in focus)
    evaluation: dict[str, Any] = {}
    if len(whole):
        windows = windows or defaults.busiest(area, here, defaults.in_area(area, places))
        evaluation = defaults.origins(here["date"], whole["date_end"].max()) or {"enabled": False}
    km = ", ".join(f"{code} {length:,.0f} km" for code, length in border.km.items())
    study = {"home": border.home.code, "neighbours": list(border.km), "window": border.window}
    base = {name: f"data/{path}" for name, path in worldbase.CUT.items()}
    data = {
        "package": f"data/{worldbase.PACKAGE}",
        **base,
        "elevation": {"path": base["elevation"]},
    }
    testing = "Yearly forecasts that the record can be tested with" if len(whole) else ""
    if evaluation.get("enabled") is False:
        testing = "Too few incidents in too few years to test forecasts with"
    sections: list[tuple[str, dict[str, Any]]] = [
        (
            "Made by borderrisk init; change what you like, then borderrisk validate FOLDER",
            {
                "name": defaults.slug(folder.absolute().name),
                "title": border.title(),
                "title_fa": border.title("name_fa"),
            },
        ),
        (
            f"The side of {border.home.name}, {STRIP_KM} km deep; length of the border: {km}",
            {"study_area": {key: value for key, value in study.items() if value}},
        ),
        (f"{cell} km: {why}", {"grid": {"cell_size_m": cell * 1000}}),
        (
            "Maps of their own" + ("" if focus else ": where most incidents are reported"),
            {"focus": {name: vars(window) for name, window in windows.items()}},
        ),
        (record.comment, {"data": data | {"incidents": record.section}}),
        (
            "Largest towns of the strip: longitude, latitude",
            {"features": {"travel": defaults.travel(border, places)}},
        ),
        (testing, {"evaluation": evaluation}),
        ("Results are kept in this folder", {"outputs": {"folder": "."}}),
        ("", {"compute": {"cache": ".cache"}}),
    ]
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


def _files_of(path: Path) -> list[Path]:
    """Return a file with what belongs to it: a shapefile is several files of one stem."""
    return sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix.lower() == ".shp" else [path]


def _refuse_taken(folder: Path, force: bool) -> None:
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


def _write(folder: Path, config: str, fill: Callable[[Path], None]) -> None:
    """Put config and data in place once all of them are written; other files are left alone."""
    parent = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    with workplace(parent) as place:
        (place / "data").mkdir()
        fill(place / "data")
        (place / CONFIG_FILE).write_text(config, "utf-8")
        ready = any((place / "data").glob("incidents.*"))
        loaded = load_config(place / CONFIG_FILE, check_paths=ready).read_from(None)
        limits.check(loaded, Inputs(loaded))
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for path in sorted((place / "data").iterdir()):
            path.replace(folder / "data" / path.name)
        (place / CONFIG_FILE).replace(folder / CONFIG_FILE)
