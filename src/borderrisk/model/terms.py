"""Terms of the additive models: one column of a table into a few columns of a design matrix.

Every design column has weighted mean 0 on the training table, so a term's effect is relative to
the average; a missing value or an unseen category has the average effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.interpolate import BSpline
from scipy.sparse import csr_array

# Skewness (quartile-style, on the 5th, 50th and 95th percentiles) above which log1p is taken.
SKEWED = 0.5
MIN_MISSING = 5
DEGREE = 3
_QUADRATURE = 200


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


class Sample(NamedTuple):
    """Known values of a column with the exposure and the events of their rows."""

    values: np.ndarray
    weight: np.ndarray
    presence: np.ndarray


class Term:
    """Base: fits its centring on training values; ``design`` gives the columns."""

    def __init__(self, values: np.ndarray, weight: np.ndarray, presence: np.ndarray):
        missing = _missing(values)
        known = ~missing
        self._prepare(Sample(values[known], weight[known], presence[known]))
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
        """Return ``design(values) @ beta``, without building the design where that is slow."""
        missing = _missing(values)
        known = ~missing & self._known(values)
        inner = beta[: len(self.centre)]
        out = np.zeros(len(values))
        out[known] = self._curve(values[known], inner) - self.centre @ inner
        if self.missing_share > 0:
            out += (missing - self.missing_share) * beta[-1]
        return out

    def _curve(self, values: np.ndarray, beta: np.ndarray) -> np.ndarray:
        return self._raw(values) @ beta

    def _known(self, values: np.ndarray) -> np.ndarray:
        return np.ones(len(values), dtype=bool)

    def _prepare(self, sample: Sample) -> None:
        raise NotImplementedError

    def _raw(self, values: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def _missing(values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        return np.array([v is None for v in values], dtype=bool)
    return np.isnan(values)


class Category(Term):
    """One column per label; ridge pulls rare labels to the average."""

    def _prepare(self, sample: Sample) -> None:
        self.levels = sorted(set(sample.values))

    def _known(self, values: np.ndarray) -> np.ndarray:
        return pd.Series(values, dtype=object).isin(self.levels).to_numpy()

    def _raw(self, values: np.ndarray) -> np.ndarray:
        return (values[:, None] == np.array(self.levels, dtype=object)[None, :]).astype(float)


class Polynomial(Term):
    """Powers of a standardised column, held constant beyond the training range."""

    degree = 1

    def _prepare(self, sample: Sample) -> None:
        self.axis = Axis(sample.values, sample.weight)
        self.mean, self.sd = _moments(self.axis(sample.values), sample.weight)

    def _raw(self, values: np.ndarray) -> np.ndarray:
        z = (self.axis(values) - self.mean) / self.sd
        return np.column_stack([z**k for k in range(1, self.degree + 1)])


class Quadratic(Polynomial):
    """A column and its square."""

    degree = 2


class Spline(Term):
    """A straight line and penalised bends.

    The B-spline basis (Eilers & Marx 1996, Statistical Science 11(2)) is turned so that its first
    column is the line and the others are ordered bends whose ridge penalty is the integral of the
    squared second derivative (Wood 2017, Generalized Additive Models, §5.4).
    """

    def __init__(
        self, values: np.ndarray, weight: np.ndarray, presence: np.ndarray, n_knots: int = 6
    ):
        self.n_knots = n_knots
        super().__init__(values, weight, presence)

    def _prepare(self, sample: Sample) -> None:
        values, weight, presence = sample
        self.axis = Axis(values, weight)
        z = self.axis(values)
        self.mean, self.sd = _moments(z, weight)
        # Half of the knots' weight follows the events, so that there is detail where they are.
        share = weight / weight.sum() + presence / max(float(presence.sum()), 1e-300)
        inner = weighted_quantile(z, share, np.linspace(0, 1, self.n_knots)[1:-1])
        distinct = np.unique([z.min(), *inner, z.max()])
        self.knots = np.pad(distinct, DEGREE, mode="edge")
        self.turn = _bends(self.knots)
        self.turn = self.turn / _largest_sd(self._bent(z), weight)

    def _curve(self, values: np.ndarray, beta: np.ndarray) -> np.ndarray:
        z = self.axis(values)
        bends = BSpline(self.knots, self.turn @ beta[1:], DEGREE)
        return (z - self.mean) / self.sd * beta[0] + bends(np.clip(z, *self.knots[[0, -1]]))

    def _bent(self, z: np.ndarray) -> np.ndarray:
        return _basis(z, self.knots) @ self.turn

    def _raw(self, values: np.ndarray) -> np.ndarray:
        z = self.axis(values)
        return np.column_stack([(z - self.mean) / self.sd, self._bent(z)])


def _moments(z: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    mean = np.average(z, weights=weight)
    sd = np.sqrt(np.average((z - mean) ** 2, weights=weight))
    return float(mean), float(sd) if sd > 0 else 1.0


def _basis(z: np.ndarray, knots: np.ndarray) -> csr_array:
    """B-spline basis at points within the knots, shape (points, knots - DEGREE - 1)."""
    return BSpline.design_matrix(np.clip(z, knots[0], knots[-1]), knots, DEGREE)


def _bends(knots: np.ndarray) -> np.ndarray:
    """Directions of the basis that are not straight, scaled to unit integrated curvature."""
    points = _basis(np.linspace(knots[0], knots[-1], _QUADRATURE), knots).toarray()
    curvature = np.diff(points, n=2, axis=0)
    size, direction = np.linalg.eigh(curvature.T @ curvature)
    curved = size > size.max() * 1e-9
    curved[:2] = False
    return direction[:, curved] / np.sqrt(size[curved])


def _largest_sd(columns: np.ndarray, weight: np.ndarray) -> float:
    mean = np.average(columns, axis=0, weights=weight)
    sd = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weight)).max(initial=0.0)
    return float(sd) if sd > 0 else 1.0


def _distinct(values: np.ndarray) -> int:
    """Count distinct numbers; of many only that there are more than three."""
    first = len(np.unique(values[:100]))
    return first if first > 3 else len(np.unique(values))


def make_term(
    values: np.ndarray, weight: np.ndarray, presence: np.ndarray, numeric: Callable[..., Term]
) -> Term | None:
    """Return the term of one column, or None if the column says nothing.

    A numeric column with two or three distinct values is a straight line.
    """
    known = values[~_missing(values)]
    distinct = len(set(known)) if values.dtype == object else _distinct(known)
    if distinct < 2:
        return None
    if values.dtype == object:
        return Category(values, weight, presence)
    make = Polynomial if distinct <= 3 else numeric
    return make(values, weight, presence)
