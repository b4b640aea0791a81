"""What the ground explains: a forest of the features, and a log-linear model of short records."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, diags_array
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from borderrisk.errors import ConfigError
from borderrisk.model.cells import CellTable
from borderrisk.model.densities import Learned
from borderrisk.model.forest import RandomForest
from borderrisk.model.loglinear import Glm
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import choices
from borderrisk.scores import DAYS_PER_YEAR

# An incident with less of its mass in the study area teaches nothing about it.
MIN_INSIDE = 0.05
# Half-lives of what is learned from, years: the shortest that leaves enough incidents.
FORGETTING, ENOUGH = (1.0, 2.0, 4.0, 8.0, 16.0), 60.0
# Most events, and most background rows, that a tree sees; fewer when there are fewer.
FEWEST_ROWS, MOST_ROWS = 10, 200
# A log-linear model is fitted as well while there are no more incidents than this.
SHORT_RECORD = 150
FOREST, NONE = "forest", "none"
ENTRY_POINTS = "borderrisk.regressors"


@dataclass(frozen=True)
class Evidence:
    """Incidents of the study area, to learn from: rows of ``mass``, over the study cells, sum to 1.

    ``weight`` is confidence times the share of the incident that lies in the study area; ``faded``
    the same, less the older an incident is, as far as enough is left.
    """

    mass: csr_matrix
    weight: np.ndarray
    faded: np.ndarray

    @classmethod
    def of(cls, cells: CellTable, past: Panel, origin: pd.Timestamp) -> Evidence:
        """Take what lies in the study area out of the incidents before an origin."""
        mass, inside = past.home(cells)
        near = np.flatnonzero(inside > MIN_INSIDE)
        weight = (confidence(past) * inside)[near]
        rows = csr_matrix(diags_array(1 / inside[near]) @ mass[near])
        return cls(rows, weight, forgotten(weight, age_years(past, origin)[near]))

    def __len__(self) -> int:
        return len(self.weight)

    def counts(self, weight: np.ndarray) -> np.ndarray:
        """Soft counts of the study cells."""
        return np.asarray(self.mass.T @ weight).ravel()


def confidence(past: Panel) -> np.ndarray:
    """Weight of each incident."""
    return past.incidents["weight"].to_numpy(float)


def age_years(past: Panel, origin: pd.Timestamp) -> np.ndarray:
    """Years from the last possible day of each incident to the origin."""
    age = origin - past.incidents["date_end"]
    return np.asarray(age.dt.total_seconds() / (86_400 * DAYS_PER_YEAR))


def forgotten(weight: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Halve weights as fast as leaves enough of them.

    Examples
    --------
    >>> forgotten(np.full(3, 50.0), np.array([0.0, 1.0, 2.0]))
    array([50. , 25. , 12.5])
    """
    for half_life in FORGETTING:
        faded = weight * 0.5 ** (age / half_life)
        if faded.sum() >= ENOUGH:
            return np.asarray(faded)
    return weight


def learned_ground(
    cells: CellTable, evidence: Evidence, kind: Any, trees: int, seed: int
) -> Learned:
    """Fit the model of the ground on soft counts that fade.

    ``kind`` is ``forest``, the name of a regressor of the entry points, or a scikit-learn
    regressor. One that is not our own is fitted on incidents per area, weighted by area.
    """
    if not len(evidence):
        return Learned(None, ())
    x, area = cells.x[cells.study], cells.study_area_100km2[cells.study]
    counts = evidence.counts(evidence.faded)
    if isinstance(kind, str) and kind == FOREST:
        rows = int(np.clip(round(evidence.faded.sum()), FEWEST_ROWS, MOST_ROWS))
        forest = RandomForest(trees, sample_size=rows, random_state=seed)
        return Learned(forest.fit(x, counts, area), tuple(x.columns))
    regressor, names = clone(regressor_of(kind)), cells.features or list(x.columns)
    drawn = [key for key in regressor.get_params() if key.split("__")[-1] == "random_state"]
    regressor.set_params(**dict.fromkeys(drawn, seed))
    weights = {str(_weight_name(regressor)): area}
    regressor.fit(x[names].to_numpy(), counts / area, **weights)
    return Learned(Plain(regressor), tuple(names))


def learned_loglinear(
    cells: CellTable, evidence: Evidence, seed: int, penalty: float | None
) -> Learned:
    """Fit a log-linear model on all soft counts; its ridge penalty is chosen when None."""
    if not len(evidence):
        return Learned(None, ())
    x, area = cells.x[cells.study], cells.study_area_100km2[cells.study]
    model = Glm(alpha=penalty, random_state=seed).fit(x, evidence.counts(evidence.weight), area)
    return Learned(model, tuple(x.columns))


class Plain:
    """A regressor that reads plain arrays, behind the columns of the cells."""

    def __init__(self, regressor: Any):
        self.regressor = regressor

    def predict(self, x: pd.DataFrame) -> np.ndarray:
        """Incidents per area of each row."""
        return np.asarray(self.regressor.predict(x.to_numpy()), float)


def check_ground(kind: Any) -> None:
    """Raise ``ConfigError`` unless a ground is known and, if a regressor, takes sample weights."""
    if isinstance(kind, str):
        # Entry points last: looking for them takes as long as a tenth of a fit.
        if kind not in (FOREST, NONE) and kind not in _named():
            raise ConfigError(f"Unknown ground {choices(kind, [FOREST, NONE, *_named()])}")
    elif _weight_name(kind) is None:
        raise ConfigError(
            f"{type(kind).__name__} cannot be the ground: its fit takes no sample_weight."
        )


def _weight_name(regressor: Any) -> str | None:
    """Name under which a fit takes weights: of a pipeline, those of its last step."""
    if isinstance(regressor, Pipeline):
        name, last = regressor.steps[-1]
        return f"{name}__sample_weight" if has_fit_parameter(last, "sample_weight") else None
    return "sample_weight" if has_fit_parameter(regressor, "sample_weight") else None


def regressor_of(kind: Any) -> Any:
    """Return a regressor as given, or by its name among the entry points."""
    return _named()[kind].load()() if isinstance(kind, str) else kind


def _named() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}
