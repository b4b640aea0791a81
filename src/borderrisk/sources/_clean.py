"""Stored numbers to metres, in place and in one sweep."""

from __future__ import annotations

import numpy as np

from borderrisk.compute import compiled


@compiled()
def clean(values, missing, scale, offset, low, high):
    """Scale pixels and set to NaN what is missing or impossible.

    Parameters
    ----------
    values : ndarray of float32, shape (rows, columns)
        Changed in place.
    missing : ndarray of float32, shape (n,)
        Stored numbers that mean "missing".
    scale, offset : float
        Metres = number × scale + offset.
    low, high : float
        Metres outside which nothing is an elevation.
    """
    a, b = np.float32(scale), np.float32(offset)
    lowest, highest = np.float32(low), np.float32(high)
    for i in range(values.shape[0]):
        row = values[i]
        for value in missing:
            for j in range(row.size):
                row[j] = np.nan if row[j] == value else row[j]
        for j in range(row.size):
            z = row[j] * a + b
            row[j] = z if lowest < z < highest else np.nan
