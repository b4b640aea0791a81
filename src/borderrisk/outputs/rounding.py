"""Round numbers for text formats."""

from __future__ import annotations

import numpy as np


def round_significant(values: np.ndarray, digits: int = 6) -> np.ndarray:
    """Round to so many significant digits, as float64.

    Examples
    --------
    >>> round_significant(np.array([0.00012345678, 98765432.0]), 3)
    array([1.23e-04, 9.88e+07])
    """
    values = np.asarray(values, dtype="float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        power = digits - 1 - np.floor(np.log10(np.abs(values)))
    power = np.where(np.isfinite(power), power, 0)
    # Powers of ten up to 22 are exact, so multiplying and dividing by them (never by an inverse)
    # gives the double nearest to the decimal.
    up, down = 10.0 ** np.maximum(power, 0), 10.0 ** np.maximum(-power, 0)
    return np.round(values * up / down) / up * down
