"""Terms of the log-linear model: one column of a table into a few columns of a design matrix.

Every design column has weighted mean 0 on the training table, so a term's effect is relative to
the average; a missing value or an unseen category has the average effect.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Skewness (quartile-style, on the 5th, 50th and 95th percentiles) above which log1p is taken.
SKEWED = 0.5
MIN_MISSING = 5


def weighted_quantile(values: np.ndarray, weight: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Quantiles of a weighted sample."""
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weight[order])
    position = np.searchsorted(running, q * running[-1])
    return values[order][np.minimum(position, len(values) - 1)]


class Axis:
    """A numeric column brought to a scale on which a curve is easy: log1p where it is skewed."""

    def __init__(self, values: np.ndarray, weight: np.ndarray):
        self.scale = _log_scale(values, weight)
        self.low, self.high = float(values.min()), float(values.max())

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return transformed values, held constant beyond the range of the training data."""
        held = np.clip(values, self.low, self.high)
        return held if self.scale == 0 else np.log1p(held / self.scale)


def _log_scale(values: np.ndarray, weight: np.ndarray) -> float:
    """Scale of log1p, or 0 where the column is left as it is."""
    if values.min() < 0:
        return 0.0
    low, middle, high = weighted_quantile(values, weight, np.array([0.05, 0.5, 0.95]))
    if high <= low or (high + low - 2 * middle) / (high - low) < SKEWED:
        return 0.0
    return float(middle) if middle > 0 else float(np.median(values[values > 0]))


class Term:
    """Base: fits its centring on training values; ``design`` gives the columns."""

    def __init__(self, values: np.ndarray, weight: np.ndarray):
        missing = _missing(values)
        known = ~missing
        self._prepare(values[known], weight[known])
        raw = self._raw(values[known])
        self.centre = np.average(raw, axis=0, weights=weight[known]) if raw.size else np.zeros(0)
        gaps = weight[missing].sum() / weight.sum()
        self.missing_share = float(gaps) if missing.sum() >= MIN_MISSING else 0.0

    def design(self, values: np.ndarray) -> np.ndarray:
        """Design columns, shape (rows, columns)."""
        missing = _missing(values)
        out = np.zeros((len(values), len(self.centre) + (self.missing_share > 0)))
        known = ~missing & self._known(values)
        out[known, : len(self.centre)] = self._raw(values[known]) - self.centre
        if self.missing_share > 0:
            out[:, -1] = missing - self.missing_share
        return out

    def effect(self, values: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """Return ``design(values) @ beta``, shape (rows,)."""
        return self.design(values) @ beta

    def _known(self, values: np.ndarray) -> np.ndarray:
        return np.ones(len(values), dtype=bool)

    def _prepare(self, values: np.ndarray, weight: np.ndarray) -> None:
        raise NotImplementedError

    def _raw(self, values: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def _missing(values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        return np.array([v is None for v in values], dtype=bool)
    return np.isnan(values)


class Category(Term):
    """One column per label; ridge pulls rare labels to the average."""

    def _prepare(self, values: np.ndarray, weight: np.ndarray) -> None:  # noqa: ARG002
        self.levels = sorted(set(values))

    def _known(self, values: np.ndarray) -> np.ndarray:
        return pd.Series(values, dtype=object).isin(self.levels).to_numpy()

    def _raw(self, values: np.ndarray) -> np.ndarray:
        return (values[:, None] == np.array(self.levels, dtype=object)[None, :]).astype(float)


class Line(Term):
    """A standardised column, held constant beyond the training range."""

    def _prepare(self, values: np.ndarray, weight: np.ndarray) -> None:
        self.axis = Axis(values, weight)
        self.mean, self.sd = _moments(self.axis(values), weight)

    def _raw(self, values: np.ndarray) -> np.ndarray:
        return ((self.axis(values) - self.mean) / self.sd)[:, None]


def _moments(z: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    mean = np.average(z, weights=weight)
    sd = np.sqrt(np.average((z - mean) ** 2, weights=weight))
    return float(mean), float(sd) if sd > 0 else 1.0


def make_term(values: np.ndarray, weight: np.ndarray) -> Term | None:
    """Return the term of one column, or None if the column says nothing."""
    known = values[~_missing(values)]
    if len(known) == 0 or (known == known[0]).all():
        return None
    return (Category if values.dtype == object else Line)(values, weight)
