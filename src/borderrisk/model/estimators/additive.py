"""Additive Poisson models: ``gam`` (splines) and ``glm`` (lines and squares)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import PoissonRegressor
from sklearn.utils.validation import check_is_fitted

from borderrisk.model.estimators.base import (
    IntensityEstimator,
    Training,
    covariates,
    folds,
    information,
    read_table,
)
from borderrisk.model.estimators.terms import Polynomial, Quadratic, Spline, Term, make_term

# Penalty per event; the prior variance of a coefficient is 1 / (alpha * events).
ALPHAS = tuple(float(a) for a in np.geomspace(3.0, 1e-3, 8))
FEW_EVENTS = 8
_MAX_LOG = 30.0
_CHUNK = 100_000


class AdditivePoisson(IntensityEstimator):
    """Base: log-intensity is a constant plus one term per column."""

    def _numeric_term(self) -> Callable[..., Term]:
        raise NotImplementedError

    def _fit(self, training: Training) -> None:
        self.mean_rate_ = training.mean_rate
        training = thin(training, self.max_rows, self.random_state)
        table = covariates(training.table)
        numeric = self._numeric_term()
        self.terms_: dict[str, Term] = {}
        for name in table.columns:
            values = table[name].to_numpy()
            term = make_term(values, training.weight, training.presence, numeric)
            if term is not None:
                self.terms_[str(name)] = term
        design = self._design(table)
        self.alpha_ = self._select(design, training) if self.alpha is None else float(self.alpha)
        self.coef_, self.intercept_ = _solve(design, training, self.alpha_)

    def _select(self, design: np.ndarray, training: Training) -> float:
        """Penalty with the best mean held-out information, on the training data only."""
        if training.events < FEW_EVENTS or not design.shape[1]:
            return 1.0
        fold = folds(training, self.n_folds, self.random_state)
        scores = [_path_scores(design, training, fold == k) for k in np.unique(fold)]
        total = np.sum([events * score for events, score in scores], axis=0)
        return ALPHAS[int(np.argmax(total))]

    def _design(self, table: pd.DataFrame) -> np.ndarray:
        columns = [term.design(table[name].to_numpy()) for name, term in self.terms_.items()]
        return np.hstack([np.zeros((len(table), 0)), *columns])

    def _coefficients(self) -> dict[str, np.ndarray]:
        sizes = [len(t.centre) + (t.missing_share > 0) for t in self.terms_.values()]
        parts = np.split(self.coef_, np.cumsum(sizes)[:-1]) if sizes else []
        return dict(zip(self.terms_, parts, strict=True))

    def _effects(self, table: pd.DataFrame) -> np.ndarray:
        """Effect of each term, shape (rows, terms); a chunk at a time, to keep the design small."""
        out = np.empty((len(table), len(self.terms_)))
        for j, (name, beta) in enumerate(self._coefficients().items()):
            values = table[name].to_numpy()
            for start in range(0, len(values), _CHUNK):
                part = slice(start, start + _CHUNK)
                out[part, j] = self.terms_[name].design(values[part]) @ beta
        return out

    def _relative(self, table: pd.DataFrame) -> np.ndarray:
        log = self._effects(table).sum(axis=1) + self.intercept_
        return np.exp(np.clip(log, -_MAX_LOG, _MAX_LOG))

    def contributions(self, X: Any) -> pd.DataFrame:
        """Effect of each column on log-intensity, relative to the training average.

        Returns
        -------
        pandas.DataFrame, shape (rows, columns used)
            Rows sum to ``log(predict(X))`` minus a constant, exactly.
        """
        check_is_fitted(self)
        table = read_table(self, X, reset=False)
        return pd.DataFrame(self._effects(table), columns=list(self.terms_))


class Gam(AdditivePoisson):
    """Generalised additive model: penalised splines in a Poisson regression.

    Parameters
    ----------
    alpha : float, optional
        Ridge penalty per event on lines and bends alike. Chosen by cross-validation on the
        training data when None (blocks if ``x_km, y_km`` are in the table).
    n_knots : int
        Knots of each spline; half follow the events, half the background.
    n_folds : int
        Folds of that cross-validation.
    max_rows : int
        Larger tables keep all rows with events and a random part of the background, reweighted.
    random_state : int, optional
        Seed of the folds and of the thinning.
    """

    def __init__(
        self,
        alpha: float | None = None,
        n_knots: int = 6,
        n_folds: int = 5,
        max_rows: int = 60_000,
        random_state: int | None = 0,
    ):
        self.alpha = alpha
        self.n_knots = n_knots
        self.n_folds = n_folds
        self.max_rows = max_rows
        self.random_state = random_state

    def _numeric_term(self) -> Callable[..., Term]:
        return partial(Spline, n_knots=self.n_knots)


class Glm(AdditivePoisson):
    """Log-linear Poisson model.

    Parameters
    ----------
    alpha, n_folds, max_rows, random_state
        As in :class:`Gam`.
    squares : bool
        Add the square of every numeric column.
    """

    def __init__(
        self,
        alpha: float | None = None,
        squares: bool = False,
        n_folds: int = 5,
        max_rows: int = 200_000,
        random_state: int | None = 0,
    ):
        self.alpha = alpha
        self.squares = squares
        self.n_folds = n_folds
        self.max_rows = max_rows
        self.random_state = random_state

    def _numeric_term(self) -> Callable[..., Term]:
        return Quadratic if self.squares else Polynomial


def thin(training: Training, max_rows: int, random_state: Any) -> Training:
    """Keep rows that hold events and a random part of the others, reweighted to the same total.

    Rows are kept with a probability that falls where they hold little (an event's tail spreads over
    many cells); what is kept is weighted up by its inverse, so both parts of the likelihood stay
    unbiased (Horvitz-Thompson).
    """
    n = len(training.rate)
    if n <= max_rows:
        return training
    rng = np.random.default_rng(random_state)
    importance = training.weight / training.weight.sum() + training.presence / training.events
    keep = np.minimum(1.0, _scale_to(importance, max_rows) * importance)
    index = np.flatnonzero(rng.uniform(size=n) < keep)
    part = training.rows(index)
    weight = part.weight / keep[index]
    mean = np.average(part.rate, weights=weight)
    weight *= training.events / weight.sum()
    table = part.table.reset_index(drop=True)
    return Training(table, part.rate / mean, weight, part.mean_rate * float(mean))


def _scale_to(importance: np.ndarray, rows: int) -> float:
    """Factor with which ``sum(min(1, factor * importance))`` is about ``rows``."""
    factor = rows / importance.sum()
    for _ in range(20):
        factor *= rows / np.minimum(1.0, factor * importance).sum()
    return float(factor)


def _solve(design: np.ndarray, training: Training, alpha: float) -> tuple[np.ndarray, float]:
    if not design.shape[1]:
        return np.zeros(0), 0.0
    model = PoissonRegressor(alpha=alpha, solver="newton-cholesky", max_iter=50, tol=1e-5)
    model.fit(design, training.rate, sample_weight=training.weight)
    return model.coef_, float(model.intercept_)


def _path_scores(
    design: np.ndarray, training: Training, test: np.ndarray
) -> tuple[float, np.ndarray]:
    """Events held out and their mean information under each penalty, from strong to weak."""
    train, held = training.rows(np.flatnonzero(~test)), training.rows(np.flatnonzero(test))
    events = float(held.presence.sum())
    if not (events > 0 and train.presence.sum() > 0):
        return 0.0, np.zeros(len(ALPHAS))
    model = PoissonRegressor(solver="newton-cholesky", max_iter=50, tol=1e-4, warm_start=True)
    scores = []
    for alpha in ALPHAS:
        model.set_params(alpha=alpha)
        model.fit(design[~test], train.rate, sample_weight=train.weight)
        log = np.clip(design[test] @ model.coef_, -_MAX_LOG, _MAX_LOG)
        scores.append(information(held.rate, held.weight, np.exp(log)))
    return events, np.array(scores)
