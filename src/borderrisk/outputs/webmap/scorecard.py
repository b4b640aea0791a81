"""The two lines of the scorecard a map must carry: skill, and skill against a baseline."""

from __future__ import annotations

from typing import Any

from borderrisk.outputs.subject import main_model


def headline(scorecard: dict[str, Any] | None) -> dict[str, Any] | None:
    """Pick capture in the riskiest tenth and the gain over the best baseline.

    Parameters
    ----------
    scorecard : dict or None
        ``scene.meta["scorecard"]``; any part may be absent.

    Returns
    -------
    dict or None
        ``model``, ``baseline``, ``origins``, ``incidents``, ``horizon_years``, ``capture``,
        ``baseline_capture`` (shares), ``gain``, ``low``, ``high`` (bits per incident; None where
        not known). None when nothing was evaluated. The shortest horizon over all incidents.
    """
    prospective = (scorecard or {}).get("prospective") or {}
    rows = [row for row in prospective.get("summary") or [] if row.get("subset", "all") == "all"]
    models = [row for row in rows if row.get("role") == "model"]
    if not models:
        return None
    shortest = min(row.get("horizon_years") or 0 for row in models)
    own = main_model(scorecard or {})
    model = _own([row for row in models if (row.get("horizon_years") or 0) == shortest], own)
    baselines = [
        row
        for row in rows
        if row.get("role") == "baseline" and (row.get("horizon_years") or 0) == shortest
    ]
    gain = model.get("gain") or {}
    baseline = _rival(baselines, gain.get("baseline"))
    return {
        "model": model.get("model"),
        "baseline": gain.get("baseline") or baseline.get("model"),
        "origins": _count(model.get("origins"), prospective.get("origins")),
        "incidents": model.get("incidents"),
        "horizon_years": model.get("horizon_years"),
        "capture": model.get("capture_10"),
        "baseline_capture": baseline.get("capture_10"),
        "gain": gain.get("bits"),
        "low": gain.get("low"),
        "high": gain.get("high"),
    }


def _own(models: list[dict[str, Any]], own: str | None) -> dict[str, Any]:
    """Return the model of the config; the first row where an old scorecard does not name it."""
    return next((row for row in models if row.get("model") == own), models[0])


def _rival(baselines: list[dict[str, Any]], name: str | None) -> dict[str, Any]:
    named = [row for row in baselines if row.get("model") == name]
    return named[0] if named else max(baselines, key=_bits, default={})


def _bits(row: dict[str, Any]) -> float:
    bits = row.get("bits")
    return float("-inf") if bits is None else float(bits)


def _count(value: Any, origins: Any) -> int | None:
    if isinstance(value, list):
        return len(value)
    if value is None:
        return len(origins) if origins else None
    return int(value)
