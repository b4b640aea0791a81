"""Large tables: a part of the rows, chosen so that the events stay and the rest is sampled."""

from __future__ import annotations

from typing import Any

import numpy as np

from borderrisk.model.estimators.base import Training


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
