"""One way to fit every estimator on cells and dated incidents, and to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.model.cells import CellTable
from borderrisk.model.estimators import ESTIMATORS, make_estimator
from borderrisk.model.estimators.parameters import checked
from borderrisk.model.panel import Panel
from borderrisk.model.point_models import SPATIAL, Cache, fit_points
from borderrisk.model.pooled import Decomposition, Pooled
from borderrisk.model.pooled_parts import annual_rate, reporting_columns, require_past


@dataclass(frozen=True)
class SpatialModel:
    """A fitted estimator and what it says about cells.

    Attributes
    ----------
    name : str
        Name in the config.
    estimator : estimator
        Fitted; predicts incidents per 100 km² per year.
    """

    name: str
    estimator: Any

    def intensity(self, cells: CellTable) -> np.ndarray:
        """Return the expected incidents per 100 km² per year, shape (cells,)."""
        return np.asarray(self.estimator.predict(_inputs(self.estimator, cells.x)))

    def predict(self, cells: CellTable) -> Decomposition:
        """Return the intensity of every cell and its factors."""
        return decompose(self.estimator, cells.x)


def decompose(estimator: Any, table: pd.DataFrame) -> Decomposition:
    """Split any fitted estimator's intensity into susceptibility, history and reporting.

    Estimators of earlier incidents have a flat susceptibility; those of features have no history.
    """
    if isinstance(estimator, Pooled):
        return estimator.decompose(table)
    table = _inputs(estimator, table)
    intensity = np.maximum(np.asarray(estimator.predict(table)), 1e-300)
    ones = np.ones(len(intensity))
    if hasattr(estimator, "source_"):
        even = estimator.mean_rate_
        return Decomposition(intensity, ones * even, intensity / even, ones)
    medians = {n: float(np.nanmedian(table[n].to_numpy(float))) for n in reporting_columns(table)}
    usual = np.maximum(np.asarray(estimator.predict(table.assign(**medians))), 1e-300)
    return Decomposition(intensity, usual, ones, intensity / usual)


def explained(estimator: Any, table: pd.DataFrame) -> np.ndarray:
    """Return the intensity that features and reporting explain: all but ``history``."""
    if isinstance(estimator, Pooled):
        return estimator.explained(table)
    if hasattr(estimator, "source_"):
        return np.full(len(table), float(estimator.mean_rate_))
    return np.asarray(estimator.predict(_inputs(estimator, table)))


def _inputs(estimator: Any, table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns an estimator was fitted on; a radius that cells do not have is missing."""
    return table.reindex(columns=list(estimator.feature_names_in_))


def check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Check the parameters of a model of the config, before there is something to fit it on.

    Raises
    ------
    ConfigError
        If there is no such parameter, or its value cannot be.
    """
    checked(name, Pooled if name == "pooled" else ESTIMATORS[name], parameters)


def fit_spatial(
    name: str,
    parameters: Mapping[str, Any] | None,
    cells: CellTable,
    panel: Panel,
    origin: Any,
    seed: int = 0,
    *,
    cache: Cache | None = None,
) -> SpatialModel:
    """Fit any model on the incidents before an origin: the one door for runs and evaluation.

    Parameters
    ----------
    name : str
        ``pooled``, ``persistence`` (the last two years' KDE) or a registered estimator.
    parameters : mapping or None
        Its arguments. A KDE without ``bandwidth_km`` gets the one that is best on the past.
    cells : CellTable
        Cells of the domain.
    panel : Panel
        Incidents; only those wholly before the origin are used.
    origin : date
        Date of the forecast.
    seed : int
        Seed of estimators that draw.
    cache : dict, optional
        See :meth:`Pooled.fit_cells`.

    Raises
    ------
    ConfigError
        If the name or a parameter is unknown.
    DataError
        If no incident lies before the origin.
    """
    origin, given = pd.Timestamp(origin), dict(parameters or {})
    if name == "pooled":
        check_parameters(name, given)
        model = Pooled(**({"random_state": seed} | given))
        return SpatialModel(name, model.fit_cells(cells, panel, origin, cache=cache))
    past = require_past(panel, origin)
    rate = annual_rate(past, origin)
    if name in SPATIAL:
        return SpatialModel(name, fit_points(name, given, cells, past, origin, rate, cache))
    counts = past.counts()
    estimator = make_estimator(name, given, seed)
    # Counts over the years that give the expected annual rate: the level is the same for all.
    return SpatialModel(
        name, estimator.fit(cells.x, counts, cells.area_100km2 * (counts.sum() / rate))
    )
