"""Prospective test: forecasts from yearly origins, each made from its own past only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, diags_array
from scipy.spatial import cKDTree

from borderrisk import scores
from borderrisk.border.ranking import border_capture, observed_by_segment
from borderrisk.compute import map_parallel
from borderrisk.errors import DataError
from borderrisk.evaluation import metrics
from borderrisk.evaluation.scorecard import NEW_GROUND, SUBSETS, Skill
from borderrisk.model import registry
from borderrisk.model.cells import CellTable, as_cells
from borderrisk.model.level import MIN_IN_STUDY, Level
from borderrisk.model.panel import Panel, as_panel
from borderrisk.model.protocol import Cells, Incidents, Memo, Settings, require_past

BASELINES = tuple(registry.models("baseline"))
MIN_LATER = 5
# A quiet end of the record is no missing data.
GRACE = pd.Timedelta(days=60)
NEAR_KM = 15.0
# An incident counts on new ground if at least this much of its mass lies there.
MIN_ON_GROUND = 0.2


def role(name: str) -> str:
    """Whether a name of a table's row is a ``baseline`` or a ``model``."""
    return "baseline" if name in BASELINES else "model"


@dataclass(frozen=True)
class BorderLine:
    """What the capture by border length needs: segments and the cells that belong to them.

    ``attribution`` (grid cells, segments) is the share of each cell that belongs to each segment.
    """

    attribution: csr_matrix
    length_km: np.ndarray


@dataclass(frozen=True)
class Later:
    """Incidents of one horizon on the scored cells: their mass, whose rows sum to 1.

    ``new``: no incident known at the origin lies near; ``weight``: confidence, what models count an
    incident with; ``elsewhere``: how many lie mostly beyond the border, or outside the study area.
    """

    mass: csr_matrix
    new: np.ndarray
    weight: np.ndarray
    elsewhere: int = 0

    @property
    def counted(self) -> csr_matrix:
        """Mass times confidence: what expectations are about."""
        return csr_matrix(diags_array(self.weight) @ self.mass)


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of all models from one origin, and what came of them within each horizon (years).

    ``intensity`` is by model, over the study cells; ``levels`` is what each expects in the whole
    study area. ``near`` marks repeat ground: study cells with an incident known at the origin near
    their centre.
    """

    origin: pd.Timestamp
    intensity: dict[str, np.ndarray]
    tests: dict[int, Later]
    near: np.ndarray
    levels: dict[str, Level]

    @property
    def day(self) -> str:
        """The origin as text."""
        return f"{self.origin:%Y-%m-%d}"

    def ground(self, subset: str) -> np.ndarray:
        """Cells of all ground, of repeat ground or of new ground."""
        if subset == "all":
            return np.ones(len(self.near), bool)
        return self.near if subset == "repeat" else ~self.near

    def scored(self, years: int, subset: str) -> tuple[np.ndarray, csr_matrix]:
        """Cells that a subset is scored among, and its incidents' mass on them; rows sum to 1."""
        test = self.tests[years]
        if subset != NEW_GROUND:
            masks = {"all": np.ones(len(test.new), bool), "repeat": ~test.new, "new": test.new}
            return self.ground("all"), csr_matrix(test.mass[np.flatnonzero(masks[subset])])
        mass = test.mass[np.flatnonzero(test.new)][:, np.flatnonzero(~self.near)]
        return ~self.near, _whole(csr_matrix(mass), MIN_ON_GROUND)[0]


def yearly_origins(first: Any, last: Any) -> list[pd.Timestamp]:
    """Return the same day of every year from the first origin to the last."""
    start, end = pd.Timestamp(first), pd.Timestamp(last)
    steps = range(end.year - start.year + 1)
    days = [start + pd.DateOffset(years=k) for k in steps]
    return [day for day in days if day <= end]


def check_periods(
    panel: Panel, origins: Sequence[pd.Timestamp], horizons: Sequence[int], least: int
) -> None:
    """Raise ``DataError`` if an origin knows too little or a horizon reaches past the data."""
    for origin in origins:
        require_past(panel, origin, least)
    last = panel.incidents["date_end"].max()
    for years in horizons:
        end = max(origins) + pd.DateOffset(years=years)
        if end > last + GRACE:
            raise DataError(
                f"A horizon of {years} year(s) from {max(origins):%Y-%m-%d} ends on "
                f"{end:%Y-%m-%d}, but the last incident is dated {last:%Y-%m-%d}; set "
                "evaluation.last_origin earlier or shorten evaluation.horizons_years."
            )


def later_incidents(
    cells: CellTable, panel: Panel, origin: pd.Timestamp, years: int, near_km: float
) -> Later:
    """Return what was reported within a horizon, mostly inside the study area."""
    later = panel.between(origin, origin + pd.DateOffset(years=years))
    mass, kept = in_study(cells, later)
    known = panel.before(origin).incidents[["x", "y"]].to_numpy()
    here = later.take(kept)
    weight = here.incidents["weight"].to_numpy(float)
    return Later(mass, new_places(known, here, near_km), weight, len(later) - len(kept))


def in_study(cells: CellTable, panel: Panel) -> tuple[csr_matrix, np.ndarray]:
    """Return the mass on study cells of the incidents mostly there, and which those are.

    Rows sum to 1.
    """
    return _whole(panel.home(cells)[0], MIN_IN_STUDY)


def _whole(mass: csr_matrix, least: float) -> tuple[csr_matrix, np.ndarray]:
    """Rows with at least so much mass, scaled to sum to 1, and their numbers."""
    share = np.asarray(mass.sum(axis=1)).ravel()
    kept = np.flatnonzero(share >= least)
    return csr_matrix(diags_array(1 / share[kept]) @ mass[kept]), kept


def new_places(known: np.ndarray, later: Panel, near_km: float) -> np.ndarray:
    """Return whether each incident lies farther than ``near_km`` from all known ones (metres)."""
    return _far(known, later.incidents[["x", "y"]].to_numpy(), near_km)


def repeat_ground(cells: CellTable, past: Panel, near_km: float) -> np.ndarray:
    """Return whether a known incident lies within ``near_km`` of each study cell's centre."""
    centres = np.column_stack([axis[cells.mask][cells.study] for axis in cells.grid.centres()])
    return ~_far(past.incidents[["x", "y"]].to_numpy(), centres, near_km)


def _far(known: np.ndarray, points: np.ndarray, near_km: float) -> np.ndarray:
    distance, _ = cKDTree(known).query(points)
    return np.asarray(distance > near_km * 1000)


def forecast_origin(
    cells: CellTable, panel: Panel, origin: pd.Timestamp, horizons: Sequence[int],
    models: Mapping[str, Settings], *, near_km: float, seed: int, memo: Memo | None = None,
) -> Forecasts:  # fmt: skip
    """Fit every model on the past of one origin; they see no other incident.

    Horizons are in years; an earlier incident within ``near_km`` makes a repeat place; a memo
    shares work between origins.
    """
    past = panel.before(origin)
    found, levels = {}, {}
    for name, settings in models.items():
        fitted = settings.fit(cells, past, origin, seed, memo)
        found[name] = np.maximum(fitted.intensity(cells)[cells.study], 1e-300)
        levels[name] = fitted.level
    tests = {years: later_incidents(cells, panel, origin, years, near_km) for years in horizons}
    return Forecasts(origin, found, tests, repeat_ground(cells, past, near_km), levels)


def backtest(
    cells: Cells,
    incidents: Incidents,
    origins: Sequence[Any],
    horizons: Sequence[int],
    models: Mapping[str, Settings],
    *,
    near_km: float = NEAR_KM,
    least: int = 10,
    seed: int = 0,
    workers: int | None = None,
) -> list[Forecasts]:
    """Forecast from every origin, a date.

    ``DataError`` if one has fewer than ``least`` earlier incidents, or a horizon passes the data.
    """
    table, _ = as_cells(cells)
    panel, days = as_panel(incidents, table), [pd.Timestamp(origin) for origin in origins]
    check_periods(panel, days, horizons, least)
    memo: Memo = {}

    def one(origin: pd.Timestamp) -> Forecasts:
        return forecast_origin(
            table, panel, origin, horizons, models, near_km=near_km, seed=seed, memo=memo
        )

    return list(map_parallel(one, days, workers=workers))


def origin_rows(
    forecasts: Sequence[Forecasts], cells: Cells, line: BorderLine | None = None
) -> list[Skill]:
    """Score every model at every origin, horizon and subset with an incident."""
    table, _ = as_cells(cells)
    return [
        _skill(forecast, name, table, years, subset, line)
        for forecast in forecasts
        for years in forecast.tests
        for subset in SUBSETS
        if forecast.scored(years, subset)[1].shape[0]
        for name in forecast.intensity
    ]


def _skill(
    forecast: Forecasts, name: str, cells: CellTable, years: int, subset: str,
    line: BorderLine | None,
) -> Skill:  # fmt: skip
    ground, mass = forecast.scored(years, subset)
    intensity, area = forecast.intensity[name], cells.study_area_100km2[cells.study]
    found = place_scores(intensity[ground], area[ground], mass)
    if subset == "all":
        found |= chance_scores(intensity, area, forecast.tests[years].counted, years)
    if line is not None and subset != NEW_GROUND:
        found["border_capture_10"] = behind_border(intensity * area, cells, mass, line)
    return Skill(name, role(name), subset, years, mass.shape[0], 1, origin=forecast.day, **found)


def place_scores(intensity: np.ndarray, area: np.ndarray, mass: csr_matrix) -> dict[str, Any]:
    """Bits per incident, captures and AUC of a forecast of places."""
    found = {"bits": float(metrics.information_gain(intensity, area, mass).mean())}
    for share in metrics.SHARES:
        name = f"capture_{share * 100:.0f}"
        found[name] = float(metrics.capture(intensity, area, mass, share).mean())
    return found | {"auc": metrics.roc_auc(intensity, area, mass)}


def chance_scores(
    intensity: np.ndarray, area: np.ndarray, mass: csr_matrix, years: float
) -> dict[str, float]:
    """Brier and log score of the chance of an incident in each cell."""
    chance = scores.probability(intensity, area, years * scores.DAYS_PER_YEAR)
    happened = metrics.occurred(mass)
    return {
        "brier": metrics.brier(chance, happened, area),
        "log_score": metrics.log_score(chance, happened, area),
    }


def behind_border(
    expected: np.ndarray, cells: CellTable, mass: csr_matrix, line: BorderLine
) -> float:
    """Share of the incidents behind the tenth of the border that is watched first."""
    rows = np.flatnonzero(cells.mask.ravel())[cells.study]
    attribution = line.attribution[rows]
    rate = np.asarray(attribution.T @ expected).ravel() / line.length_km
    observed = observed_by_segment(attribution, np.asarray(mass.sum(axis=0)).ravel())
    return border_capture(rate, line.length_km, observed, 0.1)
