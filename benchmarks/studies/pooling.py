"""Ways to pool densities, with weights learned on the years before an origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from borderrisk.model.pooled import MIN_PAST
from borderrisk.model.pooled_fit import PRIOR, VERY_STRONG
from borderrisk.model.pooled_parts import KDE_FLOOR, learning_origins, mixture_weights
from scipy.optimize import minimize
from scipy.sparse import eye_array

from benchmarks.studies.moments import Moment, Record

LEARNING_YEARS = 20
_MOST_POWER = 2.0


@dataclass(frozen=True)
class Pair:
    """What the shipped form chooses besides weights.

    Attributes
    ----------
    bandwidth_km : float
        Fixed part of the smoothing of the history.
    models : tuple of str
        Estimators that make the susceptibility.
    """

    bandwidth_km: float
    models: tuple[str, ...]


Parts = Callable[[Moment, Pair], np.ndarray]


@dataclass(frozen=True)
class Lesson:
    """One earlier year: the densities before it and what happened in it.

    Attributes
    ----------
    densities : ndarray, shape (cells, parts)
        From before the year.
    mass : sparse array, shape (incidents, cells)
        Where each incident of the year may have been.
    weight : ndarray, shape (incidents,)
        What each counts.
    """

    densities: np.ndarray
    mass: Any
    weight: np.ndarray

    @property
    def foreseen(self) -> np.ndarray:
        """Mean density of each part over the disc of each incident, shape (incidents, parts)."""
        return np.asarray(self.mass @ self.densities)

    def by_cells(self) -> Lesson:
        """Return the year as the score reads it: each cell an incident that counts its share."""
        counts = np.asarray(self.mass.T @ self.weight).ravel()
        seen = counts > 0
        return Lesson(self.densities, eye_array(len(counts), format="csr")[seen], counts[seen])


def lessons(record: Record, parts: Parts, pair: Pair, origin: pd.Timestamp) -> list[Lesson]:
    """Years before an origin, each with the densities from its own past."""
    past = record.at(origin).past
    found = []
    for earlier in learning_origins(past, origin, LEARNING_YEARS, MIN_PAST):
        later = past.between(earlier, earlier + pd.DateOffset(years=1))
        if len(later):
            weight = later.incidents["weight"].to_numpy(float)
            found.append(Lesson(parts(record.at(earlier), pair), later.mass, weight))
    return found


def linear_weights(taught: Sequence[Lesson], prior: np.ndarray) -> np.ndarray:
    """Shares of a linear pool, as the shipped model learns them."""
    return report_weights([lesson.by_cells() for lesson in taught], prior)


def report_weights(taught: Sequence[Lesson], prior: np.ndarray) -> np.ndarray:
    """Shares of a linear pool under which the reports of earlier years were most likely."""
    if not taught:
        return prior / prior.sum()
    foreseen = np.concatenate([lesson.foreseen for lesson in taught])
    return mixture_weights(foreseen, np.concatenate([lesson.weight for lesson in taught]), prior)


def linear(densities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean; parts that are empty leave their share to the others.

    Examples
    --------
    >>> linear(np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([0.5, 0.5]))
    array([2., 0.])
    """
    share = np.where(densities.any(axis=0), weights, 0.0)
    return densities @ (share / share.sum())


def evidence(taught: Sequence[Lesson], weights: np.ndarray, prior: np.ndarray) -> float:
    """Log-posterior of the shares of a linear pool, as the shipped model compares its choices."""
    total = float(prior @ np.log(np.maximum(weights, 1e-300)))
    for lesson in taught:
        pool = np.maximum(lesson.foreseen @ weights, 1e-300)
        total += float(lesson.weight @ np.log(pool))
    return total


def geometric(densities: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Product of powers; every part has a floor, so that none rules a place out."""
    return np.exp(np.log((1 - KDE_FLOOR) * densities + KDE_FLOOR) @ powers)


def geometric_weights(taught: Sequence[Lesson], prior: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Powers of a log-linear pool under which earlier years were most likely.

    The prior draws them to the shares of the linear prior, as a Gaussian worth as many incidents.
    """
    start, strength = prior / prior.sum(), float(prior.sum())
    logs = [np.log((1 - KDE_FLOOR) * lesson.densities + KDE_FLOOR) for lesson in taught]

    def loss(powers: np.ndarray) -> float:
        total = strength * float(((powers - start) ** 2).sum()) / 2
        for log, lesson in zip(logs, taught, strict=True):
            value = log @ powers
            density = np.exp(value)
            level = np.log(np.average(density, weights=area))
            total -= float(lesson.weight @ (np.log(lesson.mass @ density) - level))
        return total

    bounds = [(0.0, _MOST_POWER)] * len(start)
    return np.asarray(minimize(loss, start, method="L-BFGS-B", bounds=bounds).x)


@dataclass(frozen=True)
class Recipe:
    """One form of the model.

    Attributes
    ----------
    name : str
        What differs from the shipped form.
    parts : tuple of callables
        Give the densities at a moment, shape (cells, parts).
    pairs : tuple of Pair, optional
        To choose from; the pair that the shipped form chooses at the same origin when None. Of all
        parts and pairs the first is the usual one.
    prior : tuple of float
        Pseudo-incidents of each part.
    pool : {"linear", "by report", "geometric", "fixed"}
        By report is linear with weights that suit the mean density over each disc. Fixed is linear
        with the prior as weights.
    compare : {"reports", "cells"}
        What choices are compared by: likelihood of the reports, or of the soft counts.
    lead : float
        Evidence that it takes to leave the usual choice.
    """

    name: str
    parts: tuple[Parts, ...]
    pairs: tuple[Pair, ...] | None = None
    prior: tuple[float, ...] = PRIOR
    pool: str = "linear"
    lead: float = VERY_STRONG
    compare: str = "reports"


@dataclass(frozen=True)
class Learned:
    """What a form of the model learned at an origin.

    Attributes
    ----------
    parts, pair
        What was chosen.
    weights : ndarray, shape (parts,)
        Shares, or powers of a geometric pool.
    """

    parts: Parts
    pair: Pair
    weights: np.ndarray


def learn(recipe: Recipe, record: Record, origin: pd.Timestamp, usual: Recipe) -> Learned:
    """Choose parts, pair and weights on the years before an origin.

    Parameters
    ----------
    recipe, record, origin
        Form, data and date.
    usual : Recipe
        The shipped form, whose pair is taken over by forms that choose none.
    """
    prior, pairs = np.array(recipe.prior), recipe.pairs
    if pairs is None:
        now = record.at(origin)
        pairs = (now.once("pair", lambda: learn(usual, record, origin, usual).pair),)
    if recipe.pool == "fixed":
        return Learned(recipe.parts[0], pairs[0], prior / prior.sum())
    found, scores = [], []
    for parts, pair in product(recipe.parts, pairs):
        taught = lessons(record, parts, pair, origin)
        if recipe.pool == "geometric":
            cells = [lesson.by_cells() for lesson in taught]
            weights = geometric_weights(cells, prior, record.cells.area_100km2)
            return Learned(parts, pair, weights)
        weights = (report_weights if recipe.pool == "by report" else linear_weights)(taught, prior)
        found.append(Learned(parts, pair, weights))
        compared = [lesson.by_cells() for lesson in taught] if recipe.compare == "cells" else taught
        scores.append(evidence(compared, weights, prior))
    scores[0] += recipe.lead
    return found[int(np.argmax(scores))]


def forecast(recipe: Recipe, record: Record, origin: pd.Timestamp, usual: Recipe) -> np.ndarray:
    """Relative intensity in every cell of the domain after an origin, shape (cells,)."""
    learned = learn(recipe, record, origin, usual)
    densities = learned.parts(record.at(origin), learned.pair)
    pool = geometric if recipe.pool == "geometric" else linear
    return pool(densities, learned.weights)
