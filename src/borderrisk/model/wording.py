"""Words about results that the plain text and the report share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def met_words(row: Mapping[str, Any]) -> str:
    """Say whether a target was met, and how far that can be told.

    Examples
    --------
    >>> met_words({"met": True, "low": -0.3, "high": 1.58})
    'met, but the interval includes 0 (-0.30 to +1.58)'
    >>> met_words({"met": False, "low": 0.1, "high": 0.2}), met_words({"met": True})
    ('missed (+0.10 to +0.20)', 'met')
    """
    if row.get("met") is None:
        return "not measured"
    words, low, high = "met" if row["met"] else "missed", row.get("low"), row.get("high")
    if low is None or high is None:
        return words
    if row["met"] and low <= 0 <= high:
        words += ", but the interval includes 0"
    return f"{words} ({low:+.2f} to {high:+.2f})"


def share_held(row: Mapping[str, Any]) -> str:
    """Share of intervals that hold the truth, with its range over several worlds.

    Examples
    --------
    >>> share_held({"covered": 0.93, "low": 0.88, "high": 0.97})
    '93% (88-97)'
    """
    text = f"{row['covered']:.0%}"
    return text + (f" ({row['low'] * 100:.0f}-{row['high'] * 100:.0f})" if "low" in row else "")
