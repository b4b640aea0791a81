"""What every output (maps, figures, report, GIS files) is drawn from: one finished scoring."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import xarray as xr
from affine import Affine
from pyproj import CRS

from borderrisk.area import StudyArea
from borderrisk.errors import ConfigError
from borderrisk.grid import Grid

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


STATEMENT = "Relative intensity of reported incidents; no statement about any person."


@dataclass(frozen=True)
class Focus:
    """A named window of the study area; ``bounds`` is (west, south, east, north) in degrees.

    Raises
    ------
    ValueError
        For a name that no config can give: files are called after it.
    """

    name: str
    bounds: tuple[float, float, float, float]
    title: str
    title_fa: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a focus")


@dataclass(frozen=True)
class Relief:
    """Elevation to draw hillshade from: metres, NaN where missing, any CRS, north-up."""

    elevation: np.ndarray
    transform: Affine
    crs: CRS


@dataclass(frozen=True)
class SceneMeta:
    """Facts about a run, ready for JSON; a scene that is no run's has the defaults.

    Attributes
    ----------
    title, title_fa, config_name, config_text : str
        Of the config.
    run_id, origin, scenario, compared : str
        Which run; the date its forecast is made at; the scenario it is of; the runs it compares.
    horizon_days : int or None
        Period of the forecast.
    level : float
        Coverage of the intervals.
    language : str
        In which maps open.
    seed : int
        Of everything random.
    statement : str
        What the numbers are, and are not.
    sources : list of dict
        ``title, version, licence, attribution`` and further facts of each input.
    incident_counts, rejected, notes
        What became of the rows of the incident table.
    model : dict
        Estimator, parameters and what it learned.
    effects : dict
        Curves of :func:`borderrisk.model.drivers.by_decile`.
    scorecard : dict or None
        None if the run was not evaluated.
    manifest : dict
        As in ``manifest.json``.
    """

    title: str = "Border risk"
    title_fa: str = ""
    config_name: str = ""
    config_text: str = ""
    run_id: str = ""
    origin: str = ""
    scenario: str = ""
    compared: str = ""
    horizon_days: int | None = None
    level: float = 0.9
    language: str = "en"
    seed: int = 0
    statement: str = STATEMENT
    sources: list[dict[str, Any]] = field(default_factory=list)
    incident_counts: dict[str, Any] = field(default_factory=dict)
    rejected: list[dict[Any, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    effects: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    scorecard: dict[str, Any] | None = None
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """One finished scoring and its surroundings.

    Attributes
    ----------
    area : StudyArea
        Study area, halo and grid.
    cells : xarray.Dataset
        On the grid (``y, x``): features and scores with ``units`` and ``long_name``; scores are
        NaN outside the study area. ``trust`` and ``driver_k`` are integer codes with
        ``flag_values`` and ``flag_meanings`` attributes (−1 = none).
    borders, settlements, incidents : geopandas.GeoDataFrame
        WGS84, in the layout of :mod:`borderrisk.sources`.
    relief : Relief or None
        Backdrop of the maps.
    focuses : tuple of Focus
        Windows with a map and export of their own.
    meta : SceneMeta
        What is known of the run.
    layers : dict of geopandas.GeoDataFrame
        Further vector layers by name (segments, corridors, routes).
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
        """Window by its name.

        Raises
        ------
        ConfigError
            If there is no such window; the message lists those there are.
        """
        for focus in self.focuses:
            if focus.name == name:
                return focus
        known = ", ".join(focus.name for focus in self.focuses) or "none"
        raise ConfigError(f"No focus named {name!r} in this run (it has: {known}).")

    @property
    def has_intervals(self) -> bool:
        """Whether the probability comes with bounds."""
        return {"probability_low", "probability_high"} <= set(self.cells.data_vars)
