"""Make the folder of a border: its config, its data cut from the world base, its incidents."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import Geod
from shapely.geometry import MultiLineString

from borderrisk.area import StudyArea
from borderrisk.config.loader import CONFIG_FILE, load_config
from borderrisk.config.whole import Config
from borderrisk.config.yamltext import read_yaml
from borderrisk.errors import ConfigError, OutputError
from borderrisk.pipeline import defaults
from borderrisk.runs import check_target, workplace
from borderrisk.sources import worldbase
from borderrisk.sources.incidents import IncidentTable, read_incidents
from borderrisk.sources.layouts import layout_of
from borderrisk.sources.tables import read_header
from borderrisk.sources.worldbase import Bounds, Country, world

Choose = Callable[[str, list[str]], str]

EXAMPLE = "eastern-border"
STRIP_KM, HALO_KM, APART_KM = 250, 100, 1500
DEFAULT_RADIUS_KM, MAX_RADIUS_KM = 25, 100
_ELEVATION_KM, _VECTORS_KM = 60, 150
_GEOD = Geod(ellps="WGS84")
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


@dataclass(frozen=True)
class _Border:
    """Whose side is studied, km of border by neighbour, and the strip along it."""

    home: Country
    km: dict[str, float]
    area: StudyArea
    window: Bounds | None


def list_neighbours(country: str) -> list[dict[str, Any]]:
    """Return the land neighbours of a country and the length of each border."""
    lengths = _neighbours(world().find(country))
    return [
        {"neighbour": world().countries[code].name, "code": code, "border_km": round(km)}
        for code, km in lengths.items()
    ]


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

    Parameters
    ----------
    folder : Path, optional
        Default: one named after the countries, in the current folder.
    home : str, optional
        Name or ISO code of the country whose side is scored; None copies the example.
    neighbours : sequence of str
        Names or codes; none means all land neighbours.
    incidents : Path, optional
        File of incidents, copied into the folder.
    focus : sequence of str
        ``TOWN`` or ``TOWN:KM``: windows with a map of their own.
    window : tuple of float, optional
        ``(west, south, east, north)``, degrees; only border lines inside it count.
    force : bool
        Whether the config and base data of an earlier ``init`` are replaced.
    choose : callable
        Asked ``(question, options)`` where two columns fit equally well.

    Raises
    ------
    ConfigError
        If the border cannot be studied; nothing is written then.
    DataError
        If the incidents cannot be used.
    OutputError
        If the folder holds something already.
    """
    if home is None:
        return _example(folder or Path(EXAMPLE), force)
    country, notes = world().find(home), list[str]()
    border = _border(country, neighbours, window, notes)
    folder = folder or Path(defaults.slug(" ".join([country.name, *neighbours])))
    _refuse_taken(folder, force)
    incidents = incidents or next(iter(sorted((folder / "data").glob("incidents.*"))), None)
    record = _Record.read(incidents, border, choose, notes)
    cuts = [defaults.lonlat_bounds(border.area, km) for km in (_ELEVATION_KM, _VECTORS_KM)]
    places = worldbase.settlements(cuts[1])
    text = _config_text(folder, border, record, places, focus)

    def fill(data: Path) -> None:
        worldbase.cut(data, country.code, *cuts)
        worldbase.describe_cut(data, _title(border), cuts[1])
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


def _neighbours(home: Country) -> dict[str, float]:
    lengths = world().neighbours(home.code)
    if not lengths:
        raise ConfigError(f"{home.name} has no land border, so there is nothing to study")
    return lengths


def _border(
    home: Country, wanted: Sequence[str], window: Bounds | None, notes: list[str]
) -> _Border:
    """Return the border that was asked for, or refuse it in one sentence."""
    known = _neighbours(home)
    found = [world().find(name) for text in wanted for name in text.split(",") if name.strip()]
    for other in found:
        if other.code not in known:
            raise ConfigError(
                f"{home.name} and {other.name} share no land border; its neighbours are "
                f"{_listed(known)}"
            )
    codes = dict.fromkeys([other.code for other in found] or known)
    lines = {code: _inside(world().border(home.code, code), window) for code in codes}
    lengths = {code: _GEOD.geometry_length(line) / 1000 for code, line in lines.items()}
    least = 2 * defaults.SMALL_CELL_KM
    km = {code: length for code, length in lengths.items() if length >= least}
    if not km:
        where = " inside the window" if window else ""
        raise ConfigError(
            f"the border of {home.name} with {_listed(lines)} has "
            f"{sum(lengths.values()):.1f} km{where}, and a map needs {least} km (2 cells)"
        )
    for code in set(lengths) - set(km):
        reason = f"{lengths[code]:.0f} km{' inside the window' if window else ''}, under {least} km"
        notes.append(f"left out: the border with {_listed([code])} ({reason})")
    kept = {code: lines[code] for code in km}
    _refuse_apart(home, kept)
    area = _area(home, MultiLineString([part for line in kept.values() for part in line.geoms]))
    return _Border(home, km, area, window)


def _inside(line: MultiLineString, window: Bounds | None) -> MultiLineString:
    parts = shapely.get_parts(line if window is None else line.intersection(shapely.box(*window)))
    return MultiLineString([part for part in parts if part.geom_type == "LineString"])


def _refuse_apart(home: Country, lines: dict[str, MultiLineString]) -> None:
    """Refuse border lines in two parts of the world: one map projection cannot hold them."""
    first, *others = lines
    near, waiting, grew = {first}, set(others), True
    while grew:
        close = {c for c in waiting if any(_apart(lines[c], lines[n]) < APART_KM for n in near)}
        near, waiting, grew = near | close, waiting - close, bool(close)
    if waiting:
        raise ConfigError(
            f"the borders of {home.name} with {_listed(near)} and with {_listed(waiting)} lie more "
            f"than {APART_KM:,} km apart; choose one of the two with --neighbours"
        )


def _apart(one: MultiLineString, other: MultiLineString) -> float:
    """Distance between two lines, km."""
    return _GEOD.geometry_length(shapely.shortest_line(one, other)) / 1000


def _area(home: Country, lines: MultiLineString) -> StudyArea:
    area = StudyArea.along_border(
        world().outline(home.code), lines, strip_km=STRIP_KM, halo_km=HALO_KM,
        cell_size_m=1000 * defaults.CELL_KM,
    )  # fmt: skip
    cell = defaults.SMALL_CELL_KM
    if area.polygon.area < defaults.MIN_CELLS * (1000 * cell) ** 2:
        raise ConfigError(
            f"{home.name} has {area.polygon.area / 1e6:,.0f} km² within {STRIP_KM} km of the line "
            f"and a map needs {defaults.MIN_CELLS * cell**2} km² ({defaults.MIN_CELLS} cells); "
            "take the neighbour as --home instead"
        )
    return area


def _listed(codes: Iterable[str], language: str = "name") -> str:
    names = [getattr(world().countries[code], language) for code in codes]
    comma, last = ("، ", " و ") if language == "name_fa" else (", ", " and ")
    return last.join([comma.join(names[:-1]), names[-1]] if names[1:] else names)


@dataclass(frozen=True)
class _Record:
    """What is known of the incidents when the config is written."""

    path: str
    layout: str
    columns: dict[str, str]
    incidents: gpd.GeoDataFrame | None
    here: gpd.GeoDataFrame | None

    @classmethod
    def read(cls, path: Path | None, border: _Border, choose: Choose, notes: list[str]) -> _Record:
        if path is None:
            return cls("data/incidents.csv", "table", {"date": "date"}, None, None)
        layout, columns, understood, _ = describe_incidents(path, choose)
        region = defaults.lonlat_bounds(border.area, 0)
        table = _read(path, layout, columns, region).incidents
        here = defaults.incidents_in(border.area, table)
        notes += [f"incidents: {note}" for note in understood]
        notes.append(f"incidents: {len(here)} of {len(table)} lie in the study area")
        if here.empty:
            raise ConfigError(
                f"{path}: none of its {len(table)} incidents lies in {border.home.name} within "
                f"{STRIP_KM} km of the border; take another --home, or other incidents"
            )
        return cls(f"data/incidents{path.suffix.lower()}", layout, columns, table, here)


def _title(border: _Border, language: str = "name") -> str:
    home, others = getattr(border.home, language), _listed(border.km, language)
    if language == "name_fa":
        return f"مرز زمینی {home}" if len(border.km) > 3 else f"مرز {home} با {others}"
    return f"{home}: land border" if len(border.km) > 3 else f"{home}: border with {others}"


def _config_text(
    folder: Path, border: _Border, record: _Record, places: pd.DataFrame, focus: Sequence[str]
) -> str:
    """Return the config of a folder, with the reasons of what it chooses."""
    area, here = border.area, record.here
    towns = defaults.in_area(area, places)
    radii = np.array([]) if here is None else here["radius_km"].to_numpy()
    cell, why = defaults.cell_km(radii, area.polygon.area / 1e6, sum(border.km.values()))
    windows = [defaults.around(text, area, places) for text in focus]
    if not focus and here is not None:
        windows = defaults.busiest(area, here, towns)
    km = ", ".join(f"{code} {length:,.0f} km" for code, length in border.km.items())
    lines = [
        "# Made by borderrisk init; change what you like.",
        "# borderrisk validate FOLDER says whether it holds, borderrisk run FOLDER makes the map.",
        f"name: {defaults.slug(folder.absolute().name)}",
        f"title: {_quoted(_title(border))}",
        f"title_fa: {_quoted(_title(border, 'name_fa'))}",
        "",
        f"study_area:                     # {STRIP_KM} km deep on the side of {border.home.name}",
        f"  home: {border.home.code}",
        f"  neighbours: [{', '.join(border.km)}]    # length of the border: {km}",
        *(
            [f"  window: {list(border.window)}   # west, south, east, north"]
            if border.window
            else []
        ),
        "",
        "grid:",
        f"  cell_size_m: {cell * 1000}            # {why}",
        *_focus_lines(windows, chosen=bool(focus)),
        "",
        "data:",
        "  package: data/datapackage.json    # publishers, licences and checksums of the base",
        *(f"  {n}: data/{worldbase.CUT[n][0]}" for n in ("borders", "countries", "settlements")),
        f"  elevation: {{path: data/{worldbase.CUT['elevation'][0]}}}",
        *_incident_lines(record),
        *_target_lines(defaults.targets(towns)),
        *_evaluation_lines(record),
        "",
        "compute: {cache: .cache}",
        "outputs: {folder: .}            # results: runs/ in this folder",
    ]
    return "\n".join(lines) + "\n"


def _focus_lines(windows: list[defaults.Focus], *, chosen: bool) -> list[str]:
    if not windows:
        return []
    why = "windows with a map of their own" if chosen else "where most incidents are reported"
    return ["", f"focus:                          # {why}"] + [
        f"  {w.name}: {{bounds: {list(w.bounds)}, title: {_quoted(w.title)}, "
        f"title_fa: {_quoted(w.title_fa)}}}"
        for w in windows
    ]


def _incident_lines(record: _Record) -> list[str]:
    lines = ["  incidents:", f"    path: {record.path}", f"    layout: {record.layout}"]
    if record.incidents is None:
        lines[1] += "    # still missing: one row per incident, with these columns"
    if record.columns:
        lines.append("    columns:                    # ours: the file's")
        lines += [f"      {ours}: {_quoted(theirs)}" for ours, theirs in record.columns.items()]
    if _unlocated(record.layout, record.columns):
        lines.append(f"    default_radius_km: {DEFAULT_RADIUS_KM}       # of rows that do not say")
    return lines


def _target_lines(targets: dict[str, tuple[float, float]]) -> list[str]:
    if not targets:
        return []
    heading = [
        "",
        "features:",
        "  travel:",
        "    targets:                    # largest towns there",
    ]
    return heading + [
        f"      {name}: {list(at)}    # longitude, latitude" for name, at in targets.items()
    ]


def _evaluation_lines(record: _Record) -> list[str]:
    if record.incidents is None or record.here is None:
        return []
    found = defaults.origins(record.here["date"], record.incidents["date_end"].max())
    if found is None:
        return [
            "",
            "evaluation:",
            "  enabled: false                # too few incidents to test with",
        ]
    heading = ["", "evaluation:                     # yearly forecasts that the record can judge"]
    return heading + [f"  {key}: {value}" for key, value in found.items()]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _example(folder: Path, force: bool) -> Started:
    """Copy the shipped example, its data cut from the base like any other."""
    _refuse_taken(folder, force)
    text = worldbase.base_bytes("example.yaml").decode()

    def fill(data: Path) -> None:
        (data / "incidents.csv").write_bytes(worldbase.base_bytes("example_incidents.csv"))
        config = Config.from_data(read_yaml(text).data, data.parent)
        section, notes = config.study_area, list[str]()
        border = _border(world().find(section.home), section.neighbours, section.window, notes)
        cuts = [defaults.lonlat_bounds(border.area, km) for km in (_ELEVATION_KM, _VECTORS_KM)]
        worldbase.cut(data, section.home, *cuts)
        others = {"incidents": ("incidents.csv", "example_incidents")}
        worldbase.describe_cut(data, config.title, cuts[1], others)

    _write(folder, text.replace("FOLDER", str(folder)), fill)
    return Started(folder, ["the shipped example: " + EXAMPLE], ready=True)


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
        load_config(place / CONFIG_FILE, check_paths=ready)
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for path in sorted((place / "data").iterdir()):
            path.replace(folder / "data" / path.name)
        (place / CONFIG_FILE).replace(folder / CONFIG_FILE)
