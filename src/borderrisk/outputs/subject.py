"""Which of the estimators in a scorecard the run is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def main_model(scorecard: Mapping[str, Any]) -> str | None:
    """Name the config's own model: never simply the one that looks best.

    Parameters
    ----------
    scorecard : mapping
        With ``model``; older scorecards lack it, and their first row that is not a baseline is
        taken, because rows follow the order of the config.

    Returns
    -------
    str or None
        None if nothing was scored.
    """
    if scorecard.get("model"):
        return str(scorecard["model"])
    part = scorecard.get("prospective") or {}
    rows = [*(part.get("rows") or []), *(part.get("summary") or [])]
    return next((str(row["model"]) for row in rows if row.get("role") == "model"), None)
