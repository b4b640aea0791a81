"""What is known at one origin, and the densities made from it, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from borderrisk.model.combined import FOREST as TREE
from borderrisk.model.combined import GLM as LINEAR
from borderrisk.model.combined import combined
from borderrisk.model.estimators.kernel import kernel_sum
from borderrisk.model.feature_choice import telling
from borderrisk.model.pooled_fit import with_features
from borderrisk.model.pooled_parts import first_occurrence, own_sigma_km
from scipy.sparse import csr_matrix

from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.estimators import Glm, make_estimator
from borderrisk.model.panel import Panel
from borderrisk.model.placement import MOST_ROWS, placed

REACH_KM, TREES = 15.0, 100
GLM, FOREST, GAM, BOOSTING = "glm", "random_forest", "gam", "hist_gradient_boosting"
MONOTONE = "boosting that falls with some columns"
# Those: nearer to a border or to a settlement never lowers the risk.
FALLING = ("border_distance", "settlement_distance", "hours_from_border")


@dataclass(frozen=True)
class Fitting:
    """How models of features are fitted.

    Attributes
    ----------
    trees : int
        Of a forest.
    moving : bool
        Whether the mass of an incident moves within its disc to where it is likely.
    choosing : bool
        Whether features that do not tell are left out.
    apart : bool
        Whether features of the log-linear model have a penalty each.
    held : bool
        Whether the first model of a pair is held near the second.
    """

    trees: int = TREES
    moving: bool = True
    choosing: bool = True
    apart: bool = True
    held: bool = True


AS_SHIPPED = Fitting()


@dataclass(frozen=True)
class Moment:
    """Incidents before an origin, with what was made of them.

    Attributes
    ----------
    cells : CellTable
        Cells of the domain.
    past : Panel
        Incidents before the origin.
    origin : Timestamp
        Date of the forecast.
    seed : int
        Of estimators that draw.
    memo : dict
        Results by name.
    """

    cells: CellTable
    past: Panel
    origin: pd.Timestamp
    seed: int
    memo: dict[Hashable, Any] = field(default_factory=dict)

    def once(self, key: Hashable, work: Callable[[], Any]) -> Any:
        """Return what is kept under a key, made at the first call."""
        if key not in self.memo:
            self.memo[key] = work()
        return self.memo[key]

    def relative(self, values: np.ndarray) -> np.ndarray:
        """Scale to a mean of 1 by area; nothing at all stays nothing."""
        mean = float(np.average(values, weights=self.cells.area_100km2))
        return values / mean if mean > 0 else values

    @property
    def weight(self) -> np.ndarray:
        """Weight of each incident by its confidence."""
        return self.past.incidents["weight"].to_numpy(float)

    @property
    def first(self) -> np.ndarray:
        """Weight of each incident as evidence about places."""
        return self.once("first", lambda: first_occurrence(self.past, REACH_KM))

    def sigma(self, bandwidth_km: float) -> np.ndarray:
        """Bandwidth of each incident from its own radius and a fixed part, km."""
        return own_sigma_km(self.past, bandwidth_km)

    def history(self, key: Hashable, weight: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        """Kernel density of the incidents in every cell."""
        return self.once(("history", key), lambda: self.relative(self._kernel(weight, sigma)))

    def around(self, reach_km: float) -> np.ndarray:
        """Incidents around each cell: a Gaussian count of that width, 1 for one on the spot."""
        width = np.full(len(self.past), reach_km)
        return self._kernel(self.weight, width) * 2 * np.pi * reach_km**2

    def _kernel(self, weight: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        """Density of the incidents in every cell, per km²."""
        source = self.past.incidents[["x", "y"]].to_numpy() / 1000
        target = self.cells.x[list(COORDINATES)].to_numpy(float)
        return kernel_sum(source, weight, sigma, target)

    def fitted(
        self, label: str, key: Hashable, weight: np.ndarray, exposure: np.ndarray, how: Fitting
    ) -> np.ndarray:
        """Intensity that an estimator of features learns from weighted incidents."""

        def work() -> np.ndarray:
            begin = partial(self._begun, weight, exposure, moving=how.moving)
            mass, first = self.once(("begun", key, how.moving), begin)
            counts, table = np.asarray(mass.T @ weight).ravel(), self.cells.x
            if how.choosing:
                table = table[with_features(table, telling(first, table, counts))]
            name, given = self._estimator(label, how, first.alpha_, list(table.columns))
            model = make_estimator(name, given, self.seed).fit(table, counts, exposure)
            return np.asarray(model.predict(table))

        return self.once((label, key, replace(how, held=True)), work)

    def _begun(
        self, weight: np.ndarray, exposure: np.ndarray, *, moving: bool
    ) -> tuple[csr_matrix, Glm]:
        """Mass of the incidents, moved or not, and a first log-linear model of it."""
        mass, table = self.past.mass, self.cells.x
        if moving:
            return placed(mass, weight, table, exposure, random_state=self.seed)
        first = Glm(max_rows=MOST_ROWS, random_state=self.seed)
        return mass, first.fit(table, np.asarray(mass.T @ weight).ravel(), exposure)

    def _estimator(
        self, label: str, how: Fitting, alpha: float, columns: list[str]
    ) -> tuple[str, dict[str, Any]]:
        if label == GLM:
            return GLM, {"alpha": alpha, "relevance": how.apart}
        if label == FOREST:
            return FOREST, {"n_estimators": how.trees}
        if label == MONOTONE:
            names = [name for name in columns if name.startswith(FALLING)]
            return BOOSTING, {"monotone": dict.fromkeys(names, -1)}
        return label, {}

    def susceptibility(
        self,
        models: tuple[str, ...],
        key: Hashable,
        weight: np.ndarray,
        exposure: np.ndarray | None = None,
        how: Fitting = AS_SHIPPED,
    ) -> np.ndarray:
        """One or two models of features, fitted on weighted incidents, as one density.

        Parameters
        ----------
        models : tuple of str
            Names of estimators, or ``MONOTONE``; of two the first may be held near the second.
        key : hashable
            Stands for the weights and the exposure.
        weight : ndarray, shape (incidents,)
            What each incident counts.
        exposure : ndarray, shape (cells,), optional
            What the cells count as background; their area when None.
        how : Fitting
            How the models are fitted.
        """
        area = self.cells.area_100km2 if exposure is None else exposure
        each = [self.fitted(label, key, weight, area, how) for label in models]
        logs = [np.log(np.maximum(fitted, 1e-300)) for fitted in each]
        if how.held:
            return self.relative(np.exp(combined(dict(zip((LINEAR, TREE), logs, strict=False)))))
        return self.relative(np.exp(np.mean(logs, axis=0)))


@dataclass
class Record:
    """Cells and dated incidents of one area, and every moment that was looked at.

    Attributes
    ----------
    cells, panel
        Cells, and all incidents.
    seed : int
        Of estimators that draw.
    """

    cells: CellTable
    panel: Panel
    seed: int = 0
    moments: dict[pd.Timestamp, Moment] = field(default_factory=dict)

    def at(self, origin: pd.Timestamp) -> Moment:
        """Return what is known at an origin."""
        if origin not in self.moments:
            past = self.panel.before(origin)
            self.moments[origin] = Moment(self.cells, past, origin, self.seed)
        return self.moments[origin]
