"""Ways to pool densities, with weights learned on the years before an origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from benchmarks.variants.moments import Moment, Record
from borderrisk.model.pooled import MIN_PAST, PRIOR
from borderrisk.model.pooled_parts import KDE_FLOOR, learning_origins, mixture_weights

LEARNING_YEARS = 20
_MOST_POWER = 2.0
Parts = Callable[[Moment], np.ndarray]


@dataclass(frozen=True)
class Lesson:
    """One earlier year: the densities before it and what happened in it.

    Attributes
    ----------
    densities : ndarray, shape (cells, parts)
        From before the year.
    counts : ndarray, shape (cells,)
        Soft counts of the year.
    """

    densities: np.ndarray
    counts: np.ndarray


def lessons(record: Record, parts: Parts, origin: pd.Timestamp) -> list[Lesson]:
    """Years before an origin, each with the densities from its own past."""
    past = record.at(origin).past
    found = []
    for earlier in learning_origins(past, origin, LEARNING_YEARS, MIN_PAST):
        counts = past.between(earlier, earlier + pd.DateOffset(years=1)).counts()
        if counts.any():
            found.append(Lesson(parts(record.at(earlier)), counts))
    return found


def linear_weights(taught: Sequence[Lesson], prior: np.ndarray) -> np.ndarray:
    """Shares of a linear pool, as the shipped model learns them."""
    if not taught:
        return prior / prior.sum()
    happened = [lesson.counts > 0 for lesson in taught]
    densities = [lesson.densities[h] for lesson, h in zip(taught, happened, strict=True)]
    counts = [lesson.counts[h] for lesson, h in zip(taught, happened, strict=True)]
    return mixture_weights(np.concatenate(densities), np.concatenate(counts), prior)


def linear(densities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean; parts that are empty leave their share to the others.

    Examples
    --------
    >>> linear(np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([0.5, 0.5]))
    array([2., 0.])
    """
    share = np.where(densities.any(axis=0), weights, 0.0)
    return densities @ (share / share.sum())


def log_score(taught: Sequence[Lesson], weights: np.ndarray) -> float:
    """Log-likelihood of the lessons' incidents under a linear pool."""
    return sum(
        float(lesson.counts @ np.log(np.maximum(linear(lesson.densities, weights), 1e-300)))
        for lesson in taught
    )


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
            level = np.log(np.average(np.exp(value), weights=area))
            total -= float(lesson.counts @ (value - level))
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
    choices : tuple of callables
        Give the densities at a moment, shape (cells, parts). Of several, the one under which
        earlier years were most likely.
    prior : tuple of float
        Pseudo-incidents of each part.
    pool : {"linear", "geometric", "fixed"}
        Fixed is linear with the prior as weights.
    """

    name: str
    choices: tuple[Parts, ...]
    prior: tuple[float, ...] = PRIOR
    pool: str = "linear"


@dataclass(frozen=True)
class Learned:
    """What a form of the model learned at an origin.

    Attributes
    ----------
    choice : int
        Which of the recipe's choices.
    weights : ndarray, shape (parts,)
        Shares, or powers of a geometric pool.
    """

    choice: int
    weights: np.ndarray


def learn(recipe: Recipe, record: Record, origin: pd.Timestamp) -> Learned:
    """Choose parts and weights on the years before an origin."""
    prior = np.array(recipe.prior)
    if recipe.pool == "fixed":
        return Learned(0, prior / prior.sum())
    if recipe.pool == "geometric":
        taught = lessons(record, recipe.choices[0], origin)
        return Learned(0, geometric_weights(taught, prior, record.cells.area_100km2))
    scores, weights = [], []
    for parts in recipe.choices:
        taught = lessons(record, parts, origin)
        weights.append(linear_weights(taught, prior))
        scores.append(log_score(taught, weights[-1]))
    best = int(np.argmax(scores))
    return Learned(best, weights[best])


def forecast(
    recipe: Recipe, record: Record, origin: pd.Timestamp, learned: Learned | None = None
) -> np.ndarray:
    """Relative intensity in every cell of the domain after an origin, shape (cells,)."""
    learned = learn(recipe, record, origin) if learned is None else learned
    densities = recipe.choices[learned.choice](record.at(origin))
    pool = geometric if recipe.pool == "geometric" else linear
    return pool(densities, learned.weights)
