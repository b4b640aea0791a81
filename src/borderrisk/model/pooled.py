"""The pooled model: what happened before, where, and what the ground there is like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from borderrisk.compute import map_parallel
from borderrisk.errors import DataError
from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.combined import FOREST, GLM, combined, combined_effects
from borderrisk.model.estimator import IntensityEstimator, Training, covariates, read_table
from borderrisk.model.estimators import Glm
from borderrisk.model.estimators.kernel import kernel_sum
from borderrisk.model.estimators.parameters import Count, NotNegative, Positive, Seed, WholeNumber
from borderrisk.model.estimators.spatial import RADIUS_COLUMN
from borderrisk.model.estimators.threads import one_thread
from borderrisk.model.panel import RADIUS_PER_SIGMA, Panel
from borderrisk.model.placement import MOST_ROWS
from borderrisk.model.point_models import Cache
from borderrisk.model.pooled_fit import (
    HISTORY_KM,
    MODELS,
    PARTS,
    PRIOR,
    Choice,
    Lesson,
    Moment,
    Settings,
    choose,
    fit_models,
    given_choice,
    log_prediction,
    models_called,
    relative,
)
from borderrisk.model.pooled_parts import (
    annual_rate,
    learning_origins,
    own_sigma_km,
    reporting_columns,
    require_past,
    thinned,
)

MIN_PAST = 8
# Cells that choices are made on; where there are more, a part of them.
MOST_LEARNING_CELLS = 10_000


@dataclass(frozen=True)
class Decomposition:
    """The intensity of each cell and the three factors that multiply to it.

    Attributes
    ----------
    intensity : ndarray, shape (cells,)
        Expected reported incidents per 100 km² per year.
    susceptibility : ndarray, shape (cells,)
        Same unit: what terrain, border and access explain, with reporting effort at its median.
    history : ndarray, shape (cells,)
        Factor that earlier incidents add.
    reporting : ndarray, shape (cells,)
        Factor of reporting effort (settlements and people around), 1 at its median.
    """

    intensity: np.ndarray
    susceptibility: np.ndarray
    history: np.ndarray
    reporting: np.ndarray


class Pooled(IntensityEstimator):
    """History, recent history, susceptibility and an even share, pooled as the past would have it.

    *History* is the kernel density of earlier incidents, each smoothed by its own location radius;
    *recent* history that of the last year's, as incidents tend to be followed by others near by
    (near repeats: Johnson et al. 2007, Journal of Quantitative Criminology 23).
    *Susceptibility* is a log-linear Poisson model, a down-sampled random forest, or their geometric
    mean, fitted on first occurrences: incidents count less the more there were around them before,
    so that it learns about places rather than about recurrence; where in its disc each was is found
    along with it (:mod:`borderrisk.model.placement`), and so is which features tell. Bandwidth,
    models and the weights of the linear pool are those that would have foreseen the years before
    the origin best, each from its own past.

    Parameters
    ----------
    bandwidth_km : float, optional
        Smoothing of the history besides the location radius; chosen on the past when None.
    models : {"both", "glm", "forest"}, optional
        What makes the susceptibility; chosen on the past when None.
    features : list of str, optional
        What those models may use; chosen on the past when None
        (:mod:`borderrisk.model.feature_choice`).
    reach_km : float
        Distance within which an incident counts as a recurrence.
    alpha : float, optional
        Penalty of the log-linear model; chosen by cross-validation on the past when None.
    n_estimators : int
        Trees of the forest.
    learning_years : int
        Most earlier years that choices are made on.
    random_state : int, optional
        Seed.

    Notes
    -----
    ``fit(X, y)`` takes a plain table like the other estimators (``x_km, y_km`` for the history,
    ``radius_km`` of rows with events if known); it has no dates, so nothing is learned about
    weights, recent history and first occurrences, nor are incidents placed. :meth:`fit_cells` uses
    dates and discs.
    """

    def __init__(
        self,
        bandwidth_km: Positive | None = None,
        models: str | None = None,
        features: list[str] | None = None,
        reach_km: Positive = 15.0,
        alpha: NotNegative | None = None,
        n_estimators: Count = 100,
        learning_years: WholeNumber = 20,
        random_state: Seed | None = 0,
    ):
        self.bandwidth_km = bandwidth_km
        self.models = models
        self.features = features
        self.reach_km = reach_km
        self.alpha = alpha
        self.n_estimators = n_estimators
        self.learning_years = learning_years
        self.random_state = random_state

    @property
    def _bandwidths(self) -> tuple[float, ...]:
        return HISTORY_KM if self.bandwidth_km is None else (float(self.bandwidth_km),)

    @property
    def _choices(self) -> tuple[str, ...]:
        return tuple(MODELS) if self.models is None else (self.models,)

    @property
    def _settings(self) -> Settings:
        needed = {name for choice in self._choices for name in models_called(choice)}
        fitted = tuple(name for name in MODELS["both"] if name in needed)
        return Settings(
            self.reach_km, self.alpha, self.n_estimators, self.random_state, fitted, self.features
        )

    def _fit(self, training: Training) -> None:
        self.mean_rate_ = training.mean_rate
        table, area = training.table, training.weight
        inputs = table.drop(columns=RADIUS_COLUMN, errors="ignore")
        first = Glm(self.alpha, max_rows=MOST_ROWS, random_state=self.random_state)
        first.fit(inputs, training.presence, area)
        fitted, columns = fit_models(self._settings, first, inputs, training.presence, area)
        self._set_models(inputs[columns], fitted, self._choices[0])
        used = training.presence > 0
        source = np.zeros((0, 2))
        if set(COORDINATES) <= set(table.columns):
            source = table.loc[used, list(COORDINATES)].to_numpy(float)
            if not np.all(np.isfinite(source)):
                raise DataError("Coordinates x_km and y_km cannot be missing in rows with events.")
        mass = training.presence[used][: len(source)]
        radius = table[RADIUS_COLUMN] if RADIUS_COLUMN in table else pd.Series(0.0, table.index)
        own = np.nan_to_num(radius.to_numpy(float))[used][: len(source)] / RADIUS_PER_SIGMA
        self.bandwidth_km_ = self._bandwidths[0]
        self._set_sources(source, mass, np.zeros(len(mass)), np.hypot(own, self.bandwidth_km_))
        self.susceptibility_scale_ = relative(self._susceptibility(table), area)[1]
        self.history_scale_ = relative(self._history(table), area)[1] if len(source) else 1.0
        self._set_weights(np.array(PRIOR))

    def fit_cells(
        self,
        cells: CellTable,
        panel: Panel,
        origin: Any,
        *,
        weights: Mapping[str, float] | None = None,
        cache: Cache | None = None,
    ) -> Pooled:
        """Fit on the incidents before an origin.

        Parameters
        ----------
        cells : CellTable
            Cells of the domain.
        panel : Panel
            Incidents; those not wholly before the origin are ignored.
        origin : date
            Date of the forecast.
        weights : mapping, optional
            Weight of each of ``PARTS``; learned on earlier origins when None. With weights given
            neither bandwidth nor models are chosen: they are the parameters', or the usual ones.
        cache : dict, optional
            Keeps fits at earlier origins, to be shared between calls with the same cells, panel
            and parameters.

        Raises
        ------
        ConfigError
            If ``models`` is unknown.
        DataError
            If no incident lies before the origin.
        """
        # Held around the fits at earlier origins, which are made at once.
        with one_thread():
            self._fit_at(cells, panel, origin, weights, {} if cache is None else cache)
        return self

    def fit_predict_cells(
        self, cells: CellTable, panel: Panel, origin: Any, *, weights: Mapping[str, float]
    ) -> np.ndarray:
        """Fit as :meth:`fit_cells` does; return ``predict(cells.x)`` without computing it anew."""
        densities = self._fit_at(cells, panel, origin, weights, {})
        return self._pool(densities) * self.mean_rate_

    def _fit_at(
        self,
        cells: CellTable,
        panel: Panel,
        origin: Any,
        weights: Mapping[str, float] | None,
        cache: Cache,
    ) -> np.ndarray:
        """Fit, and return the density of each part in every cell, shape (cells, parts)."""
        origin = pd.Timestamp(origin)
        past = require_past(panel, origin)
        read_table(self, cells.x, reset=True)
        if weights is None:
            choice = self._choose(cells, past, origin, cache)
        else:
            choice = given_choice(self._bandwidths[0], self._choices[0], weights)
        moment = self._at(cells, past, origin, cache)
        self.mean_rate_ = annual_rate(past, origin) / float(cells.area_100km2.sum())
        self.bandwidth_km_, self.alpha_ = choice.bandwidth_km, moment.alpha
        self._set_models(cells.x[moment.columns], moment.fitted, choice.models)
        sigma = own_sigma_km(past, choice.bandwidth_km)
        self._set_sources(moment.source, moment.weight, moment.recent, sigma)
        self.susceptibility_scale_ = moment.susceptibility(choice.models)[1]
        self.history_scale_ = moment.history(choice.bandwidth_km)[1]
        self.recent_scale_ = moment.history(choice.bandwidth_km, recent=True)[1]
        self._set_weights(choice.weights)
        return moment.densities(choice.bandwidth_km, choice.models)

    def _choose(self, cells: CellTable, past: Panel, origin: pd.Timestamp, cache: Cache) -> Choice:
        """Bandwidth, models and weights under which earlier forecasts would have been best.

        The fit on all of the past, which needs none of them, is made and kept alongside.
        """
        whole = partial(self._at, cells, past, origin, cache)
        if len(cells) > MOST_LEARNING_CELLS:
            cells, past = thinned(cells, past, MOST_LEARNING_CELLS, self.random_state)
            cache = {}

        def lesson(earlier: pd.Timestamp) -> Lesson | None:
            later = past.between(earlier, earlier + pd.DateOffset(years=1))
            if not len(later):
                return None
            found = Lesson(self._at(cells, past.before(earlier), earlier, cache), later)
            found.moment.prepare(self._bandwidths, self._choices)
            return found

        origins = learning_origins(past, origin, self.learning_years, MIN_PAST)
        jobs: list[Callable[[], Any]] = [whole, *(partial(lesson, each) for each in origins)]
        _, *lessons = map_parallel(lambda job: job(), jobs)
        return choose([found for found in lessons if found], self._bandwidths, self._choices)

    def _at(self, cells: CellTable, past: Panel, origin: pd.Timestamp, cache: Cache) -> Moment:
        """Return what is fitted on the incidents before an origin (kept by origin)."""
        key = (origin, len(past))
        if key not in cache:
            cache[key] = Moment(cells, past, origin, self._settings)
        return cache[key]

    def _set_models(self, table: pd.DataFrame, fitted: Mapping[str, Any], models: str) -> None:
        self.columns_ = [str(name) for name in table.columns]
        self.features_ = [str(name) for name in covariates(table)]
        self.models_ = models
        self.glm_, self.forest_ = fitted.get("glm"), fitted.get("forest")
        self.susceptibility_scale_ = 1.0
        self.reporting_median_ = {
            name: float(np.nanmedian(table[name].to_numpy(float)))
            for name in reporting_columns(covariates(table))
        }

    def _set_sources(
        self, source: np.ndarray, mass: np.ndarray, recent: np.ndarray, sigma: np.ndarray
    ) -> None:
        self.source_, self.mass_, self.recent_mass_, self.sigma_ = source, mass, recent, sigma
        self.history_scale_ = self.recent_scale_ = 1.0

    @property
    def fitted_models(self) -> dict[str, Any]:
        """Every fitted model of susceptibility by name, used or not."""
        both = {GLM: self.glm_, FOREST: self.forest_}
        return {name: model for name, model in both.items() if model is not None}

    @property
    def used_models(self) -> dict[str, Any]:
        """The fitted models that make the susceptibility together, by name."""
        return {name: self.fitted_models[name] for name in MODELS[self.models_]}

    def _logs(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Log-intensity of each of the used models."""
        inputs = table[self.columns_]
        return {name: log_prediction(model, inputs) for name, model in self.used_models.items()}

    def _susceptibility(self, table: pd.DataFrame) -> np.ndarray:
        return self._together(self._logs(table))

    def _together(self, logs: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.exp(combined(logs)) / self.susceptibility_scale_

    def _history(self, table: pd.DataFrame) -> np.ndarray:
        return self._kernel(table, self.mass_) / self.history_scale_

    def _recent(self, table: pd.DataFrame) -> np.ndarray:
        return self._kernel(table, self.recent_mass_) / self.recent_scale_

    def _kernel(self, table: pd.DataFrame, mass: np.ndarray) -> np.ndarray:
        used = mass > 0
        if not used.any():
            return np.zeros(len(table))
        xy = table[list(COORDINATES)].to_numpy(float)
        return kernel_sum(self.source_[used], mass[used], self.sigma_[used], xy)

    def _densities(self, table: pd.DataFrame, here: np.ndarray) -> np.ndarray:
        parts = [self._history(table), self._recent(table), here]
        return np.column_stack([*parts, np.ones(len(table))])

    def _set_weights(self, found: np.ndarray) -> None:
        used = np.array([self.mass_.any(), self.recent_mass_.any(), True, True])
        share = np.where(used, found, 0.0)
        self.weights_ = dict(zip(PARTS, (share / share.sum()).tolist(), strict=True))

    def _relative(self, table: pd.DataFrame) -> np.ndarray:
        return self._pool(self._densities(table, self._susceptibility(table)))

    def _pool(self, densities: np.ndarray) -> np.ndarray:
        return densities @ np.array([self.weights_[name] for name in PARTS])

    def decompose(self, table: pd.DataFrame) -> Decomposition:
        """Return the intensity of each row and its factors."""
        check_is_fitted(self)
        table = read_table(self, table, reset=False)
        w = self.weights_
        here = w["susceptibility"] * self._susceptibility(table) + w["even"]
        median = table.assign(**self.reporting_median_)
        usual = w["susceptibility"] * self._susceptibility(median) + w["even"]
        before = w["history"] * self._history(table) + w["recent"] * self._recent(table)
        history = 1 + before / here
        susceptibility, reporting = usual * self.mean_rate_, here / usual
        return Decomposition(
            susceptibility * history * reporting, susceptibility, history, reporting
        )

    def explained(self, table: pd.DataFrame) -> np.ndarray:
        """Return the intensity of each row without what earlier incidents add."""
        check_is_fitted(self)
        here = self._susceptibility(read_table(self, table, reset=False))
        w = self.weights_
        return (w["susceptibility"] * here + w["even"]) * self.mean_rate_

    def contributions(self, X: Any) -> pd.DataFrame:
        """Effect of each feature on log-intensity, and of the earlier incidents (``history``).

        Features have their effect on log-susceptibility, the mean of its models' exact effects
        (:func:`borderrisk.model.combined.combined_effects`); ``history`` is all that pooling adds.

        Returns
        -------
        pandas.DataFrame, shape (rows, features + 1)
            Rows sum to ``log(predict(X))`` minus a constant.
        """
        check_is_fitted(self)
        table = read_table(self, X, reset=False)
        inputs = table[self.columns_]
        each = {name: model.contributions(inputs) for name, model in self.used_models.items()}
        logs = self._logs(table)
        parts, here = combined_effects(each, logs), self._together(logs)
        pooled = np.log(self._pool(self._densities(table, here))) - np.log(here)
        return parts.reindex(columns=[c for c in self.columns_ if c in parts]).assign(
            history=pooled
        )
