"""Tree models: ``hist_gradient_boosting`` and ``random_forest`` (down-sampled background)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from borderrisk.errors import ConfigError
from borderrisk.model.estimator import (
    IntensityEstimator,
    Training,
    covariates,
    folds,
    information,
    read_table,
    thin,
)
from borderrisk.model.estimators import treepaths
from borderrisk.model.estimators.parameters import (
    Count,
    NotNegative,
    Positive,
    Seed,
    Several,
    Share,
    WholeNumber,
)
from borderrisk.model.estimators.threads import threads_for

FEW_EVENTS = 8
_LABEL_PRIOR = 5.0
_NO_EFFECT = 1e-12
_FEW_ROWS = 50_000
# Split points of each column that boosting may choose from.
BINS = 63


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


class HistGradientBoosting(IntensityEstimator):
    """Gradient-boosted trees with the Poisson loss, on columns cut into ``BINS`` bins.

    Parameters
    ----------
    learning_rate, max_leaf_nodes, min_samples_leaf, max_features
        As in :class:`sklearn.ensemble.HistGradientBoostingRegressor`.
    l2 : float
        Ridge penalty of the leaves, in events: a leaf that expects fewer events than this is
        drawn more than half way to no effect.
    max_iter : int
        Most trees to grow.
    n_folds : int
        Folds on the training data that choose the number of trees (blocks if ``x_km, y_km`` are in
        the table); 0 grows ``max_iter``.
    monotone : mapping of str to int, optional
        1 for columns that may only raise the intensity, −1 for those that may only lower it.
    max_rows : int
        Larger tables keep a random, reweighted part of their rows, most where the events are.
    random_state : int, optional
        Seed.
    """

    def __init__(
        self,
        learning_rate: Positive = 0.08,
        max_leaf_nodes: Several = 6,
        min_samples_leaf: Count = 20,
        max_features: Share = 0.25,
        l2: NotNegative = 10.0,
        max_iter: Count = 120,
        n_folds: WholeNumber = 3,
        monotone: Mapping[str, int] | None = None,
        max_rows: Count = 60_000,
        random_state: Seed | None = 0,
    ):
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.l2 = l2
        self.max_iter = max_iter
        self.n_folds = n_folds
        self.monotone = monotone
        self.max_rows = max_rows
        self.random_state = random_state

    def _fit(self, training: Training) -> None:
        self.mean_rate_ = training.mean_rate
        training = thin(training, self.max_rows, self.random_state)
        table = covariates(training.table)
        self.columns_ = TreeColumns(training, table)
        matrix = self.columns_.matrix(table)
        self.edges_ = [_edges(column) for column in matrix.T]
        matrix = _binned(matrix, self.edges_)
        with threads_for(matrix):
            self.n_iter_ = self._select(matrix, training)
            self.model_ = self._grow(matrix, training, self.n_iter_)

    def _grow(
        self, matrix: np.ndarray, training: Training, n_iter: int
    ) -> HistGradientBoostingRegressor:
        model = HistGradientBoostingRegressor(
            loss="poisson",
            learning_rate=self.learning_rate,
            max_iter=n_iter,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=min(self.min_samples_leaf, max(1, len(matrix) // 4)),
            max_features=self.max_features,
            l2_regularization=self.l2,
            monotonic_cst=_monotone(self.monotone, self.columns_.names),
            early_stopping=False,
            max_bins=BINS,
            random_state=self.random_state,
        )
        return model.fit(matrix, training.rate, sample_weight=training.weight)

    def _select(self, matrix: np.ndarray, training: Training) -> int:
        """Return the number of trees with the best mean held-out information."""
        if self.n_folds < 2 or training.events < FEW_EVENTS:
            return self.max_iter if self.n_folds < 2 else max(1, self.max_iter // 4)
        fold = folds(training, self.n_folds, self.random_state)
        total = np.zeros(self.max_iter)
        for k in np.unique(fold):
            train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            held = training.rows(test)
            if not (held.presence.sum() > 0 and training.presence[train].sum() > 0):
                continue
            model = self._grow(matrix[train], training.rows(train), self.max_iter)
            staged = model.staged_predict(matrix[test])
            scores = [information(held.rate, held.weight, rate) for rate in staged]
            total += held.presence.sum() * np.array(scores)
        return int(np.argmax(total)) + 1

    def _relative(self, table: pd.DataFrame) -> np.ndarray:
        return self.model_.predict(_binned(self.columns_.matrix(table), self.edges_))

    def contributions(self, X: Any) -> pd.DataFrame:
        """Effect of each column on log-intensity: exact path attribution (TreeSHAP).

        Returns
        -------
        pandas.DataFrame, shape (rows, columns)
            Rows sum to ``log(predict(X))`` minus a constant.
        """
        check_is_fitted(self)
        matrix = _binned(self.columns_.matrix(read_table(self, X, reset=False)), self.edges_)
        return pd.DataFrame(_shap(self.model_, matrix), columns=self.columns_.names)


def _edges(column: np.ndarray) -> np.ndarray:
    """Return where a column is cut into at most ``BINS`` bins of equally many rows, shape (cuts,).

    scikit-learn's own bins, weighted by exposure, take several times as long as the trees.
    """
    values = np.unique(column[~np.isnan(column)])
    if len(values) > BINS:
        quantiles = np.linspace(0, 1, BINS + 1)[1:-1]
        return np.unique(np.quantile(column[~np.isnan(column)], quantiles))
    return (values[1:] + values[:-1]) / 2


def _binned(matrix: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    """Return the number of the bin that each value lies in; missing values stay missing."""
    out = np.full(matrix.shape, np.nan)
    for j, cuts in enumerate(edges):
        known = ~np.isnan(matrix[:, j])
        out[known, j] = np.searchsorted(cuts, matrix[known, j], side="left")
    return out


def _monotone(directions: Mapping[str, int] | None, names: list[str]) -> list[int] | None:
    if not directions:
        return None
    unknown = set(directions) - set(names)
    if unknown or set(directions.values()) - {-1, 0, 1}:
        raise ConfigError(
            "monotone maps column names to -1, 0 or 1 "
            f"(got {dict(directions)}; columns are {', '.join(names)})."
        )
    return [int(directions.get(name, 0)) for name in names]


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
        n_estimators: Count = 300,
        min_samples_leaf: Count = 3,
        max_features: Share | Literal["sqrt", "log2"] = "sqrt",
        sample_size: Count | None = None,
        n_jobs: int | None = None,
        random_state: Seed | None = 0,
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
        check_is_fitted(self)
        matrix = self.columns_.matrix(read_table(self, X, reset=False))
        share = _share_effects(self.forest_, matrix)
        base = _share(self.forest_, matrix) - share.sum(axis=1)
        log = np.log(self._odds(matrix)) - np.log(self._to_odds(base))
        total = share.sum(axis=1)
        slope = np.divide(log, total, out=np.zeros_like(log), where=np.abs(total) > _NO_EFFECT)
        return pd.DataFrame(share * slope[:, None], columns=self.columns_.names)


def _share_effects(forest: RandomForestRegressor, matrix: np.ndarray) -> np.ndarray:
    """Effect of each column on the forest's share of events, shape (rows, columns)."""
    found = treepaths.effects(forest.estimators_, matrix)
    return _shap(forest, matrix) if found is None else found


def _shap(model: Any, matrix: np.ndarray) -> np.ndarray:
    """SHAP values of a tree ensemble; its own check refuses values that do not add up."""
    from shap import TreeExplainer

    explainer = TreeExplainer(model, feature_perturbation="tree_path_dependent")
    return np.asarray(explainer.shap_values(matrix, check_additivity=True))


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
    """Bind fitted trees into a forest, which predicts in parallel and explains itself to SHAP."""
    forest = RandomForestRegressor(n_estimators=len(trees), n_jobs=n_jobs)
    forest.estimators_, forest.estimator_ = trees, DecisionTreeRegressor()
    forest.n_outputs_, forest.n_features_in_ = 1, trees[0].n_features_in_
    return forest
