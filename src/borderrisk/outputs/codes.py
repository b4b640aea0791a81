"""Integer codes with CF flag attributes, as the words they stand for."""

from __future__ import annotations

import numpy as np
import xarray as xr


def meanings(variable: xr.DataArray) -> dict[int, str]:
    """Word of each code, from ``flag_values`` and the space-separated ``flag_meanings``.

    Examples
    --------
    >>> meanings(xr.DataArray(0, attrs={"flag_values": [0, 1], "flag_meanings": "ok sparse"}))
    {0: 'ok', 1: 'sparse'}
    """
    words = variable.attrs.get("flag_meanings", "")
    words = words.split() if isinstance(words, str) else [str(word) for word in words]
    values = np.atleast_1d(variable.attrs.get("flag_values", np.arange(len(words))))
    return {int(value): word for value, word in zip(values, words, strict=True)}


def decode(variable: xr.DataArray) -> np.ndarray:
    """Words of a coded variable, same shape; an empty string where the code has none."""
    codes, inverse = np.unique(variable.to_numpy(), return_inverse=True)
    words = meanings(variable)
    table = np.array([words.get(int(code), "") for code in codes])
    return table[inverse].reshape(variable.shape)
