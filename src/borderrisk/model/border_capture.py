"""How much of what happened later lay behind the border that would have been watched."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix


def capture_curve(
    rate: np.ndarray, length_km: np.ndarray, observed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share of later incidents behind the k kilometres of border with the highest rate.

    Parameters
    ----------
    rate : ndarray, shape (segments,)
        What is watched first; made without the observed incidents. A constant rate is the
        length-only baseline. Segments of equal rate are watched in proportion to their length.
    length_km : ndarray, shape (segments,)
        Lengths.
    observed : ndarray, shape (segments,)
        Later incidents attributed to each segment; see :func:`observed_by_segment`.

    Returns
    -------
    km, captured : ndarray
        Corners of the curve, from (0, 0) to (whole border, 1); NaN captured without incidents.
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
