"""What all intensity estimators share: reading tables, exposure, folds for their own tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from borderrisk.compute import one_thread
from borderrisk.errors import DataError
from borderrisk.model.cells import COORDINATES

BLOCKS_ACROSS = 10
# Bound of the linear predictor of log-linear models.
MAX_LOG = 30.0


@dataclass(frozen=True)
class Training:
    """A training table in relative units: its rows with exposure, a rate and a weight for each.

    ``rate`` is counts per exposure over their mean, so the weighted mean is 1. ``weight`` is
    exposure, scaled to sum to the number of events: a unit of penalty is then a unit of evidence,
    whatever the size of the table or the unit of exposure. ``mean_rate`` is events per unit of
    exposure.
    """

    table: pd.DataFrame
    rate: np.ndarray
    weight: np.ndarray
    mean_rate: float

    @property
    def events(self) -> float:
        """Number of events (the sum of the counts)."""
        return float(self.weight.sum())

    @property
    def presence(self) -> np.ndarray:
        """Events of each row, shape (rows,)."""
        return self.weight * self.rate

    def rows(self, index: np.ndarray) -> Training:
        """Return some rows, with rate and weight as they are."""
        return Training(
            self.table.iloc[index], self.rate[index], self.weight[index], self.mean_rate
        )


class IntensityEstimator(RegressorMixin, BaseEstimator):
    """Base of the estimators: relative intensity of events per unit of exposure.

    ``fit(X, y, sample_weight)`` takes counts (fractions allowed) or 0/1 for background and
    presence; ``sample_weight`` is the exposure of each row (area times time), 1 by default.
    Subclasses implement ``_fit(training)`` and ``_relative(table)``.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> IntensityEstimator:
        """Fit on a table.

        Parameters
        ----------
        X : pandas.DataFrame or array-like, shape (rows, features)
            Numbers, strings and categories; missing values are allowed.
        y : array-like, shape (rows,)
            Counts of at least 0.
        sample_weight : array-like, shape (rows,), optional
            Exposure of each row. Rows of zero exposure are left out.

        Raises
        ------
        DataError
            If there is no event in the table.
        """
        table = read_table(self, X, reset=True)
        training = _training(table, y, sample_weight)
        with one_thread():
            self._fit(training)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the intensity of each row, events per unit of exposure, shape (rows,)."""
        check_is_fitted(self)
        table = read_table(self, X, reset=False)
        with one_thread():
            relative = self._relative(table)
        return np.asarray(relative * self.mean_rate_, dtype=np.float64)

    def _fit(self, training: Training) -> None:
        raise NotImplementedError

    def _relative(self, table: pd.DataFrame) -> np.ndarray:
        raise NotImplementedError

    mean_rate_: float

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True
        return tags


def read_table(estimator: BaseEstimator, X: Any, *, reset: bool) -> pd.DataFrame:
    """Return ``X`` as a DataFrame of float and object columns, checked as scikit-learn does.

    Object columns hold category labels as strings, None where missing. Unnamed columns are called
    ``x0, x1, ...``.
    """
    if isinstance(X, pd.DataFrame):
        _refuse_repeats(X)
        if not len(X):
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        validate_data(estimator, X, skip_check_array=True, reset=reset)
        frame = X.reset_index(drop=True)
    else:
        array = validate_data(estimator, X, dtype=None, ensure_all_finite=False, reset=reset)
        frame = pd.DataFrame(array)
    frame.columns = _names(frame.columns)
    if _plain(frame):
        return frame
    columns = {name: _column(frame[name]) for name in frame.columns}
    # The dtype is given because pandas 3 would turn labels into its own strings.
    return pd.DataFrame(
        {name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()}
    )


def _plain(frame: pd.DataFrame) -> bool:
    """Whether all is numbers already, as in the cells of a run, which are read again and again."""
    numbers = all(dtype == np.float64 for dtype in frame.dtypes)
    return numbers and not np.any(np.isinf(frame.to_numpy()))


def _names(columns: pd.Index) -> list[str]:
    """Return the columns' names as text; those that are only numbered become x0, x1, ..."""
    numbered = all(isinstance(name, int | np.integer) for name in columns)
    return [f"x{i}" if numbered else str(name) for i, name in enumerate(columns)]


def _refuse_repeats(X: pd.DataFrame) -> None:
    repeated = X.columns[X.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"Column {repeated[0]!r} occurs more than once.")


def _column(column: pd.Series) -> np.ndarray:
    """One column as float64, or as an object array of labels."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return labels(column)
    if column.dtype.kind == "c":
        raise ValueError("Complex data not supported.")
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except ValueError:
        return labels(column)
    if np.any(np.isinf(values)):
        raise ValueError(f"Column {column.name!r} contains infinity or a value too large.")
    return values


def labels(column: pd.Series) -> np.ndarray:
    """Category labels of a column as strings (1 and 1.0 are one label), None where missing."""
    codes, levels = pd.factorize(column, use_na_sentinel=True)
    names = [f"{v:g}" if isinstance(v, int | float | np.number) else str(v) for v in levels]
    return np.array([*names, None], dtype=object)[codes]


def _training(table: pd.DataFrame, y: Any, sample_weight: Any) -> Training:
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")
    counts = column_or_1d(y, warn=True, dtype=np.float64, input_name="y")
    if len(counts) != len(table):
        raise ValueError(
            f"X and y have inconsistent numbers of rows: [{len(table)}, {len(counts)}]"
        )
    if not np.all(np.isfinite(counts)):
        raise ValueError("Input y contains NaN or infinity.")
    if np.any(counts < 0):
        raise ValueError(f"Counts must be at least 0 (got {counts.min():g}).")
    exposure = _check_sample_weight(
        sample_weight, table, dtype=np.float64, ensure_non_negative=True
    )
    used = exposure > 0
    total, area = counts[used].sum(), exposure[used].sum()
    if not total > 0:
        raise DataError("There is no event to fit on: every count (in rows with exposure) is 0.")
    mean = total / area
    rate = counts[used] / exposure[used] / mean
    return Training(table[used].reset_index(drop=True), rate, exposure[used] * mean, float(mean))


def covariates(table: pd.DataFrame) -> pd.DataFrame:
    """Return the predictors: every column but the cell coordinates, unless nothing else is left."""
    columns = [name for name in table.columns if name not in COORDINATES]
    return table[columns] if columns else table


def folds(training: Training, n: int, random_state: Any) -> np.ndarray:
    """Fold number of each row, for an estimator's own tuning; each fold has about as many events.

    With ``x_km, y_km`` in the table whole square blocks share a fold, so that the mass of one
    incident is not on both sides; otherwise rows are dealt out, those with events evenly.
    """
    rng = np.random.default_rng(
        random_state if not isinstance(random_state, np.random.RandomState) else 0
    )
    if set(COORDINATES) <= set(training.table.columns):
        block = _blocks(training.table)
        mass = np.bincount(block, weights=training.presence)
        return _balanced(mass, n)[block]
    order = rng.permutation(len(training.rate))
    order = order[np.argsort(training.presence[order] > 0, kind="stable")]
    fold = np.empty(len(order), dtype=np.intp)
    fold[order] = np.arange(len(order)) % n
    return fold


def _blocks(table: pd.DataFrame) -> np.ndarray:
    """Return the number of the square block each row lies in."""
    xy = np.nan_to_num(table[list(COORDINATES)].to_numpy(float))
    low, high = xy.min(axis=0), xy.max(axis=0)
    size = max(float((high - low).max()) / BLOCKS_ACROSS, 1e-9)
    cell = np.floor((xy - low) / size).astype(np.intp)
    return np.unique(cell[:, 0] * (BLOCKS_ACROSS + 1) + cell[:, 1], return_inverse=True)[1]


def _balanced(mass: np.ndarray, n: int) -> np.ndarray:
    """Deal blocks to folds, the heaviest first, each to the lightest fold so far.

    Masses are counted in whole millionths of an event: rounding must not decide between equals.
    """
    share = np.round(mass * 1e6).astype(np.int64) + 1
    load, fold = np.zeros(n, dtype=np.int64), np.empty(len(mass), dtype=np.intp)
    for block in np.argsort(-share, kind="stable"):
        fold[block] = np.argmin(load)
        load[fold[block]] += share[block]
    return fold


def information(rate: np.ndarray, weight: np.ndarray, intensity: np.ndarray) -> float:
    """Log-likelihood per event of where events fall, given how many (nats, 0 for uniform)."""
    presence = rate * weight
    share = intensity / max(float(np.average(intensity, weights=weight)), 1e-300)
    return float((presence * np.log(np.maximum(share, 1e-12))).sum() / presence.sum())


def thin(training: Training, max_rows: int, random_state: Any) -> Training:
    """Keep a random part of the rows, most of them where the events are.

    The chance to be kept grows with a row's exposure and with its events, and what is kept is
    weighted up by the inverse of it, so both parts of the likelihood stay unbiased
    (Horvitz & Thompson 1952, JASA 47(260)).
    """
    n = len(training.rate)
    if n <= max_rows:
        return training
    rng = np.random.default_rng(random_state)
    keep = chances(training.weight, training.presence, max_rows)
    index = np.flatnonzero(rng.uniform(size=n) < keep)
    part = training.rows(index)
    weight = part.weight / keep[index]
    mean = np.average(part.rate, weights=weight)
    weight *= training.events / weight.sum()
    table = part.table.reset_index(drop=True)
    return Training(table, part.rate / mean, weight, part.mean_rate * float(mean))


def chances(exposure: np.ndarray, events: np.ndarray, rows: int) -> np.ndarray:
    """Chance of each row to be kept so that about ``rows`` are; it grows with both arguments."""
    importance = exposure / exposure.sum() + events / events.sum()
    factor = rows / importance.sum()
    for _ in range(20):
        factor *= rows / np.minimum(1.0, factor * importance).sum()
    return np.minimum(1.0, factor * importance)
