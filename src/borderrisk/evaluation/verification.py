"""Scores a frozen forecast against what was reported since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from borderrisk.errors import DataError, listed
from borderrisk.evaluation import metrics as measures
from borderrisk.evaluation import prospective
from borderrisk.evaluation.backtest import (
    NEAR_KM,
    BorderLine,
    behind_border,
    chance_scores,
    in_study,
    new_places,
    place_scores,
)
from borderrisk.evaluation.prospective import Period, Said
from borderrisk.evaluation.scorecard import GROUNDS, REFERENCE, Gain
from borderrisk.model.cells import CellTable
from borderrisk.model.level import Level
from borderrisk.model.panel import Panel
from borderrisk.scores import DAYS_PER_YEAR

FORECAST = "forecast"
LOW_CLASSES = (1, 2)
SCORED = "scored"
_FATES = {
    "outside": "outside the study area",
    "at_origin": "with a period that begins before the origin",
    "after": "not wholly before the end of the horizon",
    "rejected": "rejected by the reader or its filters",
}


@dataclass(frozen=True)
class Forecast:
    """What a frozen forecast said, for ``horizon_days`` from its ``origin``.

    Nothing dated from the origin on was used; it was frozen when ``made`` says, UTC. Of the columns
    of ``cells`` only the coordinates are used. ``risk_class`` and ``intensity`` have a value per
    cell: a class, 0 outside the study area, and incidents per 100 km² per year, of the forecast
    (``forecast``) and of each baseline; ``level`` is how many incidents it expects. ``past``
    (incidents, 2) are the places of the incidents known at the origin, grid metres.
    """

    origin: pd.Timestamp
    horizon_days: int
    made: pd.Timestamp
    cells: CellTable
    risk_class: np.ndarray
    intensity: dict[str, np.ndarray]
    level: Level
    past: np.ndarray | None = None
    line: BorderLine | None = None

    @property
    def end(self) -> pd.Timestamp:
        """First day after the forecast."""
        return self.origin + pd.Timedelta(days=self.horizon_days)

    @property
    def last_day(self) -> pd.Timestamp:
        """Last day of the forecast."""
        return self.end - pd.Timedelta(days=1)

    @property
    def baselines(self) -> list[str]:
        """Models that the forecast is compared with."""
        return [name for name in self.intensity if name != FORECAST]

    @cached_property
    def said(self) -> Said:
        """What it said of the cells of the study area."""
        study, line = self.cells.study, None
        if self.line is not None:
            line = csr_matrix(self.line.attribution[np.flatnonzero(self.cells.mask.ravel())[study]])
        intensity = {name: values[study] for name, values in self.intensity.items()}
        area = np.asarray(self.cells.study_area_100km2[study])
        return Said(FORECAST, intensity, self.level, self.risk_class[study], area,
                    self.horizon_days, line)  # fmt: skip

    @cached_property
    def domain(self) -> np.ndarray:
        """Land share of each cell, to build a panel of new incidents with; (rows, columns)."""
        share = self.cells.area_100km2 * 100 / self.cells.grid.cell_area_km2
        return np.asarray(np.nan_to_num(self.cells.to_grid(share)))


@dataclass(frozen=True)
class Verification:
    """How a forecast did.

    ``table`` has a row per subset (``all``; ``repeat`` and ``new`` places if the forecast knows its
    past) and model (the forecast, then its baselines): ``model, role, subset, incidents``, metrics.
    ``gain`` is over history alone; None without baselines. ``capture_curve`` has ``area_share`` and
    ``captured`` of each model; ``calibration`` has a row per risk class.

    ``missed`` are the incidents that fell in class 1-2 cells: ``incident_id, date, date_end,
    radius_km, kind, cell_id, risk_class`` (of the cell with the reported point; missing outside the
    study area) and ``low_share`` (part of the mass in class 1-2 cells). ``counts`` says what became
    of the incidents (``given, scored, outside, at_origin, after, rejected``), ``left_out`` why some
    were not scored (``incident_id, reason``); ``notes`` say the same, and all else that a reader
    must know, as sentences. ``period`` are the tests fixed in advance.
    """

    table: pd.DataFrame
    gain: Gain | None
    capture_curve: dict[str, dict[str, list[float]]]
    calibration: list[dict[str, Any]]
    missed: pd.DataFrame
    counts: dict[str, int]
    left_out: pd.DataFrame
    notes: list[str]
    period: Period


def verify(
    forecast: Forecast,
    panel: Panel,
    *,
    rejected: int = 0,
    until: pd.Timestamp | None = None,
) -> Verification:
    """Score the forecast and its baselines on the incidents of its horizon.

    The panel holds new incidents on the forecast's grid, spread over ``forecast.domain``. Those
    whose reported period is not wholly within the horizon are left out and counted, as are
    ``rejected`` rows of the file that are no part of the panel. The metrics of the table are bits,
    captures, AUC, Brier and log score, and the capture along the border. With ``until``, the day
    that the record is known to reach, no incident in the whole horizon is a result, too.

    ``DataError`` if an incident was over before the origin (all are listed), the panel is on
    another grid, or no incident of the horizon lies in the study area.
    """
    check_dates(panel.incidents, forecast)
    mass, later, fates = _on_study_cells(forecast, panel)
    counts = _counts(panel, fates, rejected)
    if not counts[SCORED] and (until is None or until < forecast.end):
        raise DataError(
            f"No incident is dated from {forecast.origin:%Y-%m-%d} to {forecast.last_day:%Y-%m-%d} "
            f"and lies inside the study area (of {counts['given']}: {_fates(counts)}); there is "
            "nothing to verify the forecast with."
        )
    return Verification(
        table=_table(forecast, mass, later),
        gain=_gain(forecast, mass),
        capture_curve=_curves(forecast, mass),
        calibration=_calibration(forecast, mass),
        missed=_missed(forecast, later, mass),
        counts=counts,
        left_out=_left_out(panel, fates),
        notes=_notes(forecast, panel, counts, until),
        period=_period(forecast, mass, later, until),
    )


def _period(
    forecast: Forecast, mass: csr_matrix, later: Panel, until: pd.Timestamp | None
) -> Period:
    if until is None:
        until = min(later.incidents["date_end"].max() + pd.Timedelta(days=1), forecast.end)
    weight = later.incidents["weight"].to_numpy(float)
    return Period(
        kind=prospective.FORECAST,
        origin=f"{forecast.origin:%Y-%m-%d}",
        days=forecast.horizon_days,
        made=f"{forecast.made:%Y-%m-%d}",
        until=f"{until:%Y-%m-%d}",
        **prospective.judged(forecast.said, mass, weight),
    )


def check_dates(incidents: pd.DataFrame, forecast: Forecast) -> None:
    """Refuse incidents that were over before the origin: the forecast may have learned from them.

    Of the whole table, before any is left out for its place; ``DataError`` names ids and dates.
    """
    early = incidents[incidents["date_end"] < forecast.origin]
    if early.empty:
        return
    dated = zip(early["incident_id"], early["date"], strict=True)
    shown = listed([f"{name} ({day:%Y-%m-%d})" for name, day in dated], most=10)
    raise DataError(
        f"{len(early)} incident(s) are dated before the forecast's origin "
        f"{forecast.origin:%Y-%m-%d}: {shown}. A forecast is only verified with "
        "what happened since; remove them from the file."
    )


def _on_study_cells(forecast: Forecast, panel: Panel) -> tuple[csr_matrix, Panel, np.ndarray]:
    """Mass of the incidents of the horizon that lie in the study area, and what became of all."""
    if panel.grid != forecast.cells.grid or not np.array_equal(
        panel.domain_mask, forecast.cells.mask
    ):
        raise DataError(
            "The incidents are spread over other cells than the forecast's; build the panel with "
            "the grid and domain of the forecast."
        )
    first, last = panel.incidents["date"], panel.incidents["date_end"]
    within = np.flatnonzero((first >= forecast.origin) & (last < forecast.end))
    inside = panel.take(within)
    mass, kept = in_study(forecast.cells, inside)
    fates = np.where(first < forecast.origin, "at_origin", "after").astype(object)
    fates[within] = "outside"
    fates[within[kept]] = SCORED
    return mass, inside.take(kept), fates


def _counts(panel: Panel, fates: np.ndarray, rejected: int) -> dict[str, int]:
    found = {name: int((fates == name).sum()) for name in (SCORED, *_FATES)}
    found["outside"] += len(panel.rejected)
    found["rejected"] = rejected
    return {"given": len(panel) + len(panel.rejected) + rejected, **found}


def _left_out(panel: Panel, fates: np.ndarray) -> pd.DataFrame:
    """Incidents that were not scored, those that could not be placed last."""
    out = fates != SCORED
    found = pd.DataFrame(
        {
            "incident_id": panel.incidents["incident_id"].to_numpy(str)[out],
            "reason": [_FATES[fate] for fate in fates[out]],
        }
    )
    parts = [part for part in (found, panel.rejected) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else found


def _table(forecast: Forecast, mass: csr_matrix, later: Panel) -> pd.DataFrame:
    rows = []
    everything = np.arange(len(later))
    subsets = {GROUNDS[0]: everything}
    if forecast.past is not None and len(forecast.past):
        new = new_places(forecast.past, later, NEAR_KM)
        subsets = dict(zip(GROUNDS, (everything, everything[~new], everything[new]), strict=True))
    for subset, index in subsets.items():
        for model, values in forecast.said.intensity.items():
            role = "model" if model == FORECAST else "baseline"
            row = {"model": model, "role": role, "subset": subset, "incidents": len(index)}
            if len(index):
                row |= _scored(forecast, values, mass[index])
            rows.append(row)
    return pd.DataFrame(rows)


def _scored(forecast: Forecast, values: np.ndarray, mass: csr_matrix) -> dict[str, float]:
    years, area = forecast.horizon_days / DAYS_PER_YEAR, forecast.said.area
    found = place_scores(values, area, mass) | chance_scores(values, area, mass, years)
    if forecast.line is not None:
        behind = behind_border(values * area, forecast.cells, mass, forecast.line)
        found["border_capture_10"] = behind
    return found


def _gain(forecast: Forecast, mass: csr_matrix) -> Gain | None:
    """Bits over history alone, or over the best baseline where that was not frozen as well."""
    if not (forecast.baselines and mass.shape[0]):
        return None
    area = forecast.said.area
    bits = {
        name: measures.information_gain(values, area, mass)
        for name, values in forecast.said.intensity.items()
    }
    rival = max(forecast.baselines, key=lambda name: (name == REFERENCE, bits[name].mean()))
    found = measures.paired_difference(bits[FORECAST], bits[rival], np.zeros(mass.shape[0]))
    return Gain(rival, *found)


def _curves(forecast: Forecast, mass: csr_matrix) -> dict[str, dict[str, list[float]]]:
    shares, area = np.linspace(0, 1, 101), forecast.said.area
    if not mass.shape[0]:
        return {}
    return {
        name: {
            "area_share": shares.tolist(),
            "captured": measures.capture_curve(values, area, mass, shares).tolist(),
        }
        for name, values in forecast.said.intensity.items()
    }


def _calibration(forecast: Forecast, mass: csr_matrix) -> list[dict[str, Any]]:
    years = forecast.horizon_days / DAYS_PER_YEAR
    expected = forecast.said.intensity[FORECAST] * forecast.said.area * years
    happened = np.asarray(mass.sum(axis=0)).ravel()
    classes = forecast.said.risk_class
    return [asdict(row) for row in measures.class_counts(expected, happened, classes)]


def _missed(forecast: Forecast, later: Panel, mass: csr_matrix) -> pd.DataFrame:
    """Incidents whose point lies in a low-class cell, or mostly there if it has no such cell."""
    cells, study, classes = forecast.cells, forecast.cells.study, forecast.risk_class
    position = cells.to_grid(np.where(study, np.arange(len(study)), -1))
    row, col = later.grid.rowcol(later.incidents["x"], later.incidents["y"])
    cell = np.where(row >= 0, position[row, col], -1)
    found = later.incidents[["incident_id", "date", "date_end", "radius_km", "kind"]].assign(
        cell_id=np.where(cell >= 0, cells.grid.cell_ids(cells.mask)[cell], ""),
        risk_class=pd.array(np.where(cell >= 0, classes[cell], 0), dtype="Int64"),
        low_share=mass @ np.isin(classes[study], LOW_CLASSES).astype(float),
    )
    scored = cell >= 0
    found.loc[~scored, "risk_class"] = pd.NA
    low = np.where(scored, np.isin(classes[cell], LOW_CLASSES), found["low_share"] > 0.5)
    return found[low].sort_values(["date", "incident_id"]).reset_index(drop=True)


def _fates(counts: Mapping[str, int]) -> str:
    said = [f"{counts[key]} {text}" for key, text in _FATES.items() if counts[key]]
    return ", ".join(said) or "none"


def _notes(
    forecast: Forecast, panel: Panel, counts: Mapping[str, int], until: pd.Timestamp | None
) -> list[str]:
    notes = [f"{counts['scored']} of {counts['given']} incident(s) were scored."]
    if counts["scored"] < counts["given"]:
        notes.append(f"Left out: {_fates(counts)}.")
    made = forecast.made.tz_localize(None)
    if made >= forecast.origin + pd.Timedelta(days=1):
        notes.append(
            f"The forecast was frozen on {made:%Y-%m-%d}, after its origin "
            f"{forecast.origin:%Y-%m-%d}: for incidents before that day nothing but the program "
            "vouches that they were not used."
        )
    last = panel.incidents["date_end"].max()
    if until is None and last < forecast.last_day:
        notes.append(
            f"The last incident is dated {last:%Y-%m-%d}, the horizon ends on "
            f"{forecast.last_day:%Y-%m-%d}: if the record stops before that, "
            "expected and observed numbers cannot be compared."
        )
    return notes
