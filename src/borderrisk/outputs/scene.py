"""What every output (maps, figures, report, GIS files) is drawn from: one finished scoring."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.metadata import version
from typing import Any

import geopandas as gpd
import numpy as np
import xarray as xr
from affine import Affine
from pyproj import CRS

from borderrisk.area import StudyArea
from borderrisk.border.segments import ZONE, names_of
from borderrisk.errors import ConfigError
from borderrisk.evaluation.scorecard import Plain, Scorecard
from borderrisk.grid import Grid
from borderrisk.scores import meanings

STATEMENT = "Relative intensity of reported incidents; no statement about any person."
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@dataclass(frozen=True)
class Focus:
    """A named window of the study area; ``bounds`` is (west, south, east, north) in degrees.

    Raises ``ValueError`` for a name that no config can give: files are called after it.
    """

    name: str
    bounds: tuple[float, float, float, float]
    title: str
    title_fa: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a focus")

    def holds(self, grid: Grid) -> np.ndarray:
        """Whether the centre of each cell lies in the window, bool of shape (rows, columns)."""
        west, south, east, north = self.bounds
        lon, lat = grid.lonlat()
        return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


@dataclass(frozen=True)
class AreaTotal:
    """Incidents to expect within the horizon in the study area (no ``focus``) or in a focus.

    ``expected_low`` and ``expected_high`` are the refits' interval of the mean, None without
    refits; ``count_low`` and ``count_high`` are what may be reported.
    """

    focus: str
    expected: float
    expected_low: float | None
    expected_high: float | None
    count_low: int
    count_high: int


@dataclass(frozen=True)
class Relief:
    """Elevation to draw hillshade from: metres, NaN where missing, any CRS, north-up."""

    elevation: np.ndarray
    transform: Affine
    crs: CRS


@dataclass(frozen=True)
class Source:
    """An input file: what it is, whose, and which bytes were read."""

    title: str
    version: str = ""
    licence: str = ""
    attribution: str = ""
    sha256: str | None = None
    bytes: int | None = None
    path: str = ""


@dataclass(frozen=True)
class InputUse:
    """An input by its role: what was read of it, what was left out, what it does; all text."""

    input: str
    read: str
    left_out: str
    used_for: str


@dataclass(frozen=True)
class Rejected:
    """A row of the incident table that is not used, and why; all text."""

    row: str
    incident_id: str
    reason: str


@dataclass(frozen=True)
class SceneMeta(Plain):
    """Facts of a scoring that are no layers.

    ``origin`` is the first day of the forecast, ``level`` the coverage of the intervals,
    ``language`` what maps speak first, ``statement`` what the numbers are, in a sentence;
    ``statement_fa`` is what is particular to this run, before what every Persian map says.
    ``inputs`` says what each input does, ``incident_counts`` what became of the rows, ``notes``
    what the reader must know about the inputs, ``model`` what the fitted model tells of itself,
    ``effects`` by feature :func:`borderrisk.model.drivers.by_decile`, ``totals`` of the study area
    and of each focus. ``scorecard`` is None if the run was not evaluated; ``manifest`` is as in
    ``manifest.json``; ``compared`` names the two runs of a comparison, ``scenario`` a what-if;
    ``record`` is the way to the track record.
    """

    title: str = "Border risk"
    title_fa: str = ""
    run_id: str = ""
    config_name: str = ""
    origin: str = ""
    horizon_days: int | None = None
    level: float = 0.9
    language: str = "en"
    seed: int = 0
    statement: str = STATEMENT
    statement_fa: str = ""
    sources: list[Source] = field(default_factory=list)
    inputs: list[InputUse] = field(default_factory=list)
    incident_counts: dict[str, int] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    effects: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    totals: list[AreaTotal] = field(default_factory=list)
    scorecard: Scorecard | None = None
    config_text: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)
    compared: str = ""
    scenario: str = ""
    record: str = ""


@dataclass(frozen=True)
class Scene:
    """One finished scoring and its surroundings.

    ``cells`` is on the grid (``y, x``): features and scores with ``units`` and ``long_name``;
    scores are NaN outside the study area. ``trust`` and ``driver_k`` in it are integer codes with
    ``flag_values`` and ``flag_meanings`` attributes (−1 = none). ``borders``, ``settlements`` and
    ``incidents`` are WGS84, in the layout of :mod:`borderrisk.sources`; those that were learned
    from have ``home``, the share of each in the study area. ``relief`` is the backdrop of the maps;
    each focus has a map and export of its own; ``layers`` are further vector layers by name
    (segments, corridors, routes).
    """

    area: StudyArea
    cells: xr.Dataset
    borders: gpd.GeoDataFrame
    settlements: gpd.GeoDataFrame
    incidents: gpd.GeoDataFrame
    relief: Relief | None
    focuses: tuple[Focus, ...]
    meta: SceneMeta
    layers: dict[str, gpd.GeoDataFrame] = field(default_factory=dict)

    @property
    def grid(self) -> Grid:
        """The analysis grid."""
        return self.area.grid

    def focus(self, name: str) -> Focus:
        """Window by its name; a ``ConfigError`` lists those there are if it is none of them."""
        for focus in self.focuses:
            if focus.name == name:
                return focus
        known = ", ".join(focus.name for focus in self.focuses) or "none"
        raise ConfigError(f"No focus named {name!r} in this run (it has: {known}).")

    @property
    def is_index(self) -> bool:
        """Whether the scores are an index and no forecast: there were no incidents."""
        return is_index(self.cells)

    @property
    def zone_names(self) -> np.ndarray | None:
        """Name of the zone of each cell, ``""`` outside all, if the run was given zones."""
        if ZONE not in self.cells or "zones" not in self.layers:
            return None
        return names_of(self.layers["zones"], self.cells[ZONE].to_numpy())

    @property
    def period(self) -> tuple[str, str] | None:
        """First and last day of the forecast, ISO; None if the scene does not say."""
        if not self.meta.origin or not self.meta.horizon_days:
            return None
        first = date.fromisoformat(self.meta.origin[:10])
        last = first + timedelta(days=self.meta.horizon_days - 1)
        return first.isoformat(), last.isoformat()

    @property
    def data_until(self) -> str:
        """Last day of the incidents that were learned from, ISO; ``""`` without any."""
        ends = self.incidents.get("date_end", self.incidents.get("date"))
        if ends is None:
            return ""
        known = ends[ends < self.meta.origin[:10]] if self.meta.origin else ends
        return "" if known.empty else known.max().strftime("%Y-%m-%d")

    @property
    def stamp(self) -> dict[str, str]:
        """What every file of a run says of itself: run, period, data until, version."""
        found = {
            "run_id": self.meta.run_id,
            "forecast_period": " to ".join(self.period or ()),
            "data_until": self.data_until,
            "software": f"borderrisk {version('borderrisk')}",
        }
        return {key: text for key, text in found.items() if text}

    @property
    def credits(self) -> list[str]:
        """Whom a picture of this scene must name, each once."""
        names = (source.attribution or source.title for source in self.meta.sources)
        return list(dict.fromkeys(name for name in names if name))

    def colophon(self) -> list[str]:
        """Say what a picture or file of this scene is of: period, data, run and skill."""
        said = {"forecast_period": "forecast", "data_until": "data until", "run_id": "run"}
        facts = "; ".join(f"{said[k]} {v}" for k, v in self.stamp.items() if k in said)
        card = self.meta.scorecard
        told = card.headline[0] if card and card.headline else "Not evaluated."
        return [part for part in (facts[:1].upper() + facts[1:], told) if part]

    @property
    def has_intervals(self) -> bool:
        """Whether the probability comes with bounds."""
        return {"probability_low", "probability_high"} <= set(self.cells.data_vars)


def is_index(cells: xr.Dataset) -> bool:
    """Whether the scores of some cells are an index: ranked, but by no intensity."""
    return "risk" in cells and "trust" in cells and "index" in meanings(cells["trust"]).values()


def stamped(table: gpd.GeoDataFrame, scene: Scene) -> gpd.GeoDataFrame:
    """Return a table whose ``attrs`` say what it is of; what is written of it says so too."""
    table = table.copy(deep=False)
    table.attrs = {**scene.stamp}
    return table
