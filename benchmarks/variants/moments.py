"""What is known at one origin, and the densities made from it, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.model.cells import COORDINATES, CellTable
from borderrisk.model.estimators import make_estimator
from borderrisk.model.estimators.kernel import kernel_sum
from borderrisk.model.panel import Panel
from borderrisk.model.pooled_parts import first_occurrence, own_sigma_km

BANDWIDTH_KM, REACH_KM, TREES = 5.0, 15.0, 100


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

    @property
    def sigma(self) -> np.ndarray:
        """Bandwidth of each incident from its own radius, km."""
        return own_sigma_km(self.past, BANDWIDTH_KM)

    def history(self, key: Hashable, weight: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        """Kernel density of the incidents in every cell."""
        source = self.past.incidents[["x", "y"]].to_numpy() / 1000

        def work() -> np.ndarray:
            target = self.cells.x[list(COORDINATES)].to_numpy(float)
            return self.relative(kernel_sum(source, weight, sigma, target))

        return self.once(("history", key), work)

    def fitted(
        self,
        name: str,
        key: Hashable,
        weight: np.ndarray,
        exposure: np.ndarray | None = None,
        given: dict[str, Any] | None = None,
    ) -> np.ndarray:
        """Density that an estimator of features learns from weighted incidents."""
        area = self.cells.area_100km2 if exposure is None else exposure

        def work() -> np.ndarray:
            model = make_estimator(name, given, self.seed)
            model.fit(self.cells.x, np.asarray(self.past.mass.T @ weight).ravel(), area)
            return self.relative(model.predict(self.cells.x))

        return self.once((name, key), work)


def susceptibility(
    moment: Moment,
    key: Hashable,
    weight: np.ndarray,
    exposure: np.ndarray | None = None,
    models: tuple[str, ...] = ("glm", "random_forest"),
) -> np.ndarray:
    """Geometric mean of models of features, fitted on weighted incidents."""
    logs = []
    for name in models:
        given = {"n_estimators": TREES} if name == "random_forest" else None
        fitted = moment.fitted(name, key, weight, exposure, given)
        logs.append(np.log(np.maximum(fitted, 1e-300)))
    return moment.relative(np.exp(np.mean(logs, axis=0)))


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
