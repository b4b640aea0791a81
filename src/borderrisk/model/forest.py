"""A random forest in which every tree sees as many background rows as events."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from borderrisk.model.estimator import IntensityEstimator, Training, covariates, read_table

_LABEL_PRIOR = 5.0
_NO_EFFECT = 1e-12
_FEW_ROWS = 50_000


class TreeColumns:
    """Columns as trees want them: numbers, with labels replaced by the rank of their rate.

    For a split by rate the best grouping of labels is a cut in that order (Fisher 1958, JASA
    53(284)). Rates are shrunk to the mean, and an unseen label is a missing value.
    """

    def __init__(self, training: Training, table: pd.DataFrame):
        self.names = [str(name) for name in table.columns]
        self.ranks: dict[str, dict[str, float]] = {}
        for name in table.columns:
            if table[name].dtype == object:
                self.ranks[str(name)] = _ranks(table[name], training)

    def matrix(self, table: pd.DataFrame) -> np.ndarray:
        """Columns as floats, shape (rows, columns); missing values stay missing."""
        columns = [
            table[name].map(self.ranks[name]).astype(float) if name in self.ranks else table[name]
            for name in self.names
        ]
        return np.column_stack([column.to_numpy(dtype=np.float64) for column in columns])


def _ranks(column: pd.Series, training: Training) -> dict[str, float]:
    sums = pd.DataFrame({"w": training.weight, "n": training.presence}).groupby(
        column.to_numpy(), sort=True
    )
    total = sums.sum()
    rate = (total["n"] + _LABEL_PRIOR) / (total["w"] + _LABEL_PRIOR)
    order = rate.rank(method="dense")
    return {str(label): float(rank) for label, rank in order.items()}


class RandomForest(IntensityEstimator):
    """Random forest in which every tree sees as many background rows as events.

    Down-sampling keeps the few events from drowning (Valavi et al. 2021, Ecography 44(11)). Events
    are drawn in proportion to the counts, background in proportion to the exposure; the forest's
    share of events is turned into a relative intensity by its odds.

    Parameters
    ----------
    n_estimators : int
        Trees.
    min_samples_leaf : int
        Smallest leaf.
    max_features : float or str
        Columns tried at a split.
    sample_size : int, optional
        Events, and background rows, of each tree; the number of events when None.
    n_jobs : int, optional
        Threads that predict.
    random_state : int, optional
        Seed.
    """

    def __init__(
        self,
        n_estimators: int = 300,
        min_samples_leaf: int = 3,
        max_features: float | Literal["sqrt", "log2"] = "sqrt",
        sample_size: int | None = None,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ):
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.sample_size = sample_size
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, training: Training) -> None:
        table = covariates(training.table)
        self.columns_ = TreeColumns(training, table)
        matrix = self.columns_.matrix(table)
        size = self.sample_size or int(np.clip(round(training.events), 10, 20_000))
        rng = np.random.default_rng(self.random_state)
        # Checked once for all trees, which take longer to check their input than to grow.
        whole = bool(np.isfinite(matrix).all())
        rows = matrix.astype(np.float32) if whole else matrix
        with config_context(skip_parameter_validation=True):
            trees = [
                self._tree(rows, training, size, rng, check=not whole)
                for _ in range(self.n_estimators)
            ]
        self.forest_ = _forest(trees, self.n_jobs)
        # Odds are relative: fixed so that the training table expects the events it has.
        self.mean_rate_ = training.mean_rate
        self.scale_ = 1.0
        self.scale_ = float(np.average(self._odds(matrix), weights=training.weight))

    def _tree(
        self,
        matrix: np.ndarray,
        training: Training,
        size: int,
        rng: np.random.Generator,
        check: bool,
    ) -> DecisionTreeRegressor:
        events = _draw(training.presence, size, rng)
        background = _draw(training.weight, size, rng)
        tree = DecisionTreeRegressor(
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            random_state=int(rng.integers(2**31)),
        )
        rows = matrix[np.concatenate([events, background])]
        # Of 0 and 1 the squared error splits as the Gini index does, in half the time.
        return tree.fit(rows, np.repeat([1.0, 0.0], [size, size]), check_input=check)

    def _odds(self, matrix: np.ndarray) -> np.ndarray:
        return self._to_odds(_share(self.forest_, matrix))

    def _to_odds(self, share: np.ndarray) -> np.ndarray:
        edge = 0.5 / self.n_estimators
        return (share + edge) / (1 - share + edge)

    def _relative(self, table: pd.DataFrame) -> np.ndarray:
        return self._odds(self.columns_.matrix(table)) / self.scale_

    def contributions(self, X: Any) -> pd.DataFrame:
        """Effect of each column on log-intensity.

        TreeSHAP is exact for the forest's share of events; each row is then stretched so that it
        sums to the log-odds instead, which keeps signs and order within the row.

        Returns
        -------
        pandas.DataFrame, shape (rows, columns)
            Rows sum to ``log(predict(X))`` minus a constant.
        """
        # Compiled code is only loaded where it is used: that takes a while.
        from borderrisk.model import treeshap

        check_is_fitted(self)
        matrix = self.columns_.matrix(read_table(self, X, reset=False))
        share = treeshap.effects(self.forest_.estimators_, matrix)
        base = _share(self.forest_, matrix) - share.sum(axis=1)
        log = np.log(self._odds(matrix)) - np.log(self._to_odds(base))
        total = share.sum(axis=1)
        slope = np.divide(log, total, out=np.zeros_like(log), where=np.abs(total) > _NO_EFFECT)
        return pd.DataFrame(share * slope[:, None], columns=self.columns_.names)


def _share(forest: RandomForestRegressor, matrix: np.ndarray) -> np.ndarray:
    """Return the forest's share of events in each row.

    Small tables are read tree by tree: handing trees out to workers takes longer than predicting.
    """
    if len(matrix) > _FEW_ROWS:
        return np.asarray(forest.predict(matrix))
    rows = np.ascontiguousarray(matrix, dtype=np.float32)
    total = np.zeros(len(rows))
    for tree in forest.estimators_:
        total += tree.tree_.predict(rows)[:, 0]
    return total / len(forest.estimators_)


def _draw(weight: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    running = np.cumsum(weight)
    index = np.searchsorted(running, rng.uniform(size=size) * running[-1], side="right")
    return np.minimum(index, len(weight) - 1)


def _forest(trees: list[DecisionTreeRegressor], n_jobs: int | None) -> RandomForestRegressor:
    """Bind fitted trees into a forest, which predicts in parallel."""
    forest = RandomForestRegressor(n_estimators=len(trees), n_jobs=n_jobs)
    forest.estimators_, forest.estimator_ = trees, DecisionTreeRegressor()
    forest.n_outputs_, forest.n_features_in_ = 1, trees[0].n_features_in_
    return forest
