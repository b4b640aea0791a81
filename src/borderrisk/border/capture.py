"""How much of what happened later lay behind the border that would have been watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from borderrisk.scores import tails

LENGTH = "length"
_STEP_KM = 10.0
_RESAMPLES = 2000


def capture_curve(
    rate: np.ndarray, length_km: np.ndarray, observed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of later incidents behind the k kilometres of border with the highest rate.

    By segment: ``rate`` is what is watched first, made without the observed incidents (constant:
    the length-only baseline; equal rates are watched in proportion to their length), ``observed``
    the later incidents attributed to it, see :func:`observed_by_segment`. Returns kilometres and
    shares at the corners of the curve, from (0, 0) to (whole border, 1); NaN shares without
    incidents.
    """
    _, group = np.unique(-np.asarray(rate, float), return_inverse=True)
    km = np.cumsum(np.bincount(group, weights=length_km))
    caught = np.cumsum(np.bincount(group, weights=observed))
    share = caught / caught[-1] if caught[-1] > 0 else np.full(len(caught), np.nan)
    return np.concatenate([[0.0], km]), np.concatenate([share[:1] * 0, share])


def border_capture(
    rate: np.ndarray, length_km: np.ndarray, observed: np.ndarray, share: float = 0.1
) -> float:
    """Share of later incidents behind the given share of border length with the highest rate."""
    km, captured = capture_curve(rate, length_km, observed)
    return float(np.interp(share * km[-1], km, captured))


def observed_by_segment(attribution: csr_matrix, mass: np.ndarray) -> np.ndarray:
    """Incidents behind each segment from the incident mass of each grid cell (row-major)."""
    return np.asarray(attribution.T @ np.asarray(mass, float).ravel())


@dataclass(frozen=True)
class Outlook:
    """Incidents that models expected in each cell at one origin, and those reported there later."""

    expected: Mapping[str, np.ndarray]
    happened: np.ndarray


@dataclass(frozen=True)
class BorderCapture:
    """Share of later incidents behind the first kilometres of border, as each model ranks them.

    ``km`` watched go in steps of 10 up to the whole ``border_km``; ``captured`` is by model, and by
    ``length`` alone; ``low`` and ``high`` are about ``model``. ``incidents`` followed the
    ``origins``; ``subsets`` are the same of some of them.
    """

    border_km: float
    origins: int
    incidents: float
    km: list[float]
    captured: dict[str, list[float]]
    model: str
    low: list[float]
    high: list[float]
    subsets: dict[str, BorderCapture] = field(default_factory=dict)


def prospective_curves(
    outlooks: Sequence[Outlook],
    attribution: csr_matrix,
    length_km: np.ndarray,
    model: str,
    *,
    level: float = 0.9,
    seed: int = 0,
) -> BorderCapture | None:
    """Return how much of the next period's incidents lay behind the k kilometres ranked first.

    At each origin every model ranks the segments by what it expects behind them; curves are means
    over all later incidents. Watching by length alone, ``length``, is the straight line.

    All outlooks have the same models; ``attribution`` is the share of each cell (row) that belongs
    to each segment. The curve of ``model`` gets an interval from a bootstrap over origins. None
    without incidents.
    """
    weight = np.array([outlook.happened.sum() for outlook in outlooks])
    if not weight.sum() > 0:
        return None
    total = float(np.sum(length_km))
    km = np.append(np.arange(0, total, _STEP_KM), total)
    curves = {
        name: np.stack([_curve(o, name, attribution, length_km, km) for o in outlooks])
        for name in outlooks[0].expected
    }
    means = {name: np.average(each, axis=0, weights=weight) for name, each in curves.items()}
    low, high = _bounds(curves[model], weight, level, seed)
    captured = {**means, LENGTH: km / total}
    return BorderCapture(
        border_km=total,
        origins=len(outlooks),
        incidents=float(weight.sum()),
        km=km.round(3).tolist(),
        captured={name: values.round(4).tolist() for name, values in captured.items()},
        model=model,
        low=low.round(4).tolist(),
        high=high.round(4).tolist(),
    )


def _curve(
    outlook: Outlook, name: str, attribution: csr_matrix, length_km: np.ndarray, km: np.ndarray
) -> np.ndarray:
    """Share captured at each of ``km``; 0 where nothing happened, which then has no weight."""
    rate = observed_by_segment(attribution, outlook.expected[name]) / length_km
    observed = observed_by_segment(attribution, outlook.happened)
    corners, captured = capture_curve(rate, length_km, observed)
    return np.interp(km, corners, np.nan_to_num(captured))


def _bounds(
    curves: np.ndarray, weight: np.ndarray, level: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of the mean curve over resampled origins."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(weight), (_RESAMPLES, len(weight)))
    times = np.stack([np.bincount(row, minlength=len(weight)) for row in drawn]) * weight
    times = times[times.sum(axis=1) > 0]
    means = (times / times.sum(axis=1, keepdims=True)) @ curves
    low, high = np.quantile(means, tails(level), axis=0)
    return low, high
