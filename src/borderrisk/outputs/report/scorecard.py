"""How well the model did on what it had not seen."""

from __future__ import annotations

from typing import Any

from borderrisk.border.capture import capture_lines
from borderrisk.outputs.report.blocks import (
    ABSENT,
    Block,
    Bullets,
    Paragraph,
    Picture,
    Table,
    bits,
    bits_interval,
    facts,
    named,
    percent,
    records,
    show,
)
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.subject import main_model

NOT_EVALUATED = "This run was not evaluated; nothing is known about its skill."
_GROUNDS = {"all": "all", "repeat": "repeat ground", "new": "new ground"}
_SUBSETS = {
    "all": "all incidents",
    "repeat": "near earlier incidents",
    "new": "away from earlier incidents",
}


def _scorecard(scene: Scene) -> dict[str, Any]:
    return scene.meta.scorecard or {}


def verdict(scene: Scene) -> str:
    """Say in one sentence whether the config's own model beats its best baseline."""
    card = _scorecard(scene)
    row = _own_row(card)
    if row is None:
        return NOT_EVALUATED
    subject = (
        f"Over {show(row.get('origins'))} past origins and {show(row.get('incidents'))} "
        f"incidents, {_words(row['model'])}"
    )
    gain = row.get("gain")
    if not gain:
        return f"{subject} was compared with no baseline; its skill is unproven."
    against = f"the best baseline ({_words(gain['baseline'])})"
    size, bounds = f"{bits(abs(gain['bits']))} bits per incident", _bounds(gain)
    if gain["bits"] <= 0:
        return f"{subject} loses {size} against {against}{bounds}: use the baseline instead."
    if gain.get("low") is not None and gain["low"] <= 0:
        return (
            f"{subject} is level with {against}: it gains {size}{bounds}, which is not clearly "
            "better."
        )
    return f"{subject} gains {size} over {against}{bounds}."


def _own_row(card: dict[str, Any]) -> dict[str, Any] | None:
    """Summary of the run's own model over all incidents, shortest horizon first."""
    rows = (card.get("prospective") or {}).get("summary") or []
    own = main_model(card)
    found = [r for r in rows if r["model"] == own and r.get("subset", "all") == "all"]
    return min(found, key=lambda r: r.get("horizon_years", 1), default=None)


def _better_ones(card: dict[str, Any]) -> list[Block]:
    """Name what scored higher than the run's own model, so that nobody has to search for it."""
    own = _own_row(card)
    if own is None or own.get("bits") is None:
        return []
    rows = (card.get("prospective") or {}).get("summary") or []
    keys = ("horizon_years", "subset")
    better = [
        f"{_words(r['model'])} ({bits(r['bits'])})"
        for r in rows
        if all(r.get(k) == own.get(k) for k in keys) and (r.get("bits") or 0) > own["bits"]
    ]
    if not better:
        return []
    return [
        Paragraph(
            f"{_words(own['model']).capitalize()} reaches {bits(own['bits'])} bits per incident; "
            f"scored higher: {', '.join(better)}. The headline "
            "stays with the model of the config, which made this ranking."
        )
    ]


def _bounds(gain: dict[str, Any]) -> str:
    if gain.get("low") is None or gain.get("high") is None:
        return ""
    return f", interval {bits(gain['low'])} to {bits(gain['high'])}"


def scorecard_blocks(scene: Scene) -> list[Block]:
    """Prospective skill against the baselines."""
    card = _scorecard(scene)
    part = card.get("prospective") or {}
    if not card:
        return [Paragraph(NOT_EVALUATED)]
    blocks: list[Block] = [Paragraph(verdict(scene))]
    if card.get("headline"):
        blocks.append(Bullets([str(sentence) for sentence in card["headline"]]))
    blocks += _better_ones(card)
    if part.get("summary"):
        blocks += _summary(part["summary"], main_model(card))
        blocks.append(
            Paragraph(
                "Each origin is scored by models that saw nothing dated after it. Bits: mean "
                "log₂ of the predicted density at the test incidents over that of a uniform map; "
                "capture: share of them in the highest-ranked 10 % of the area; along border: "
                "share behind the tenth of the border's length that ranks highest (length alone: "
                "10 %). Each gain is over the baseline that is best at it, with an interval over "
                "origins; that of capture is in points of per cent."
            )
        )
    if part.get("capture_curve"):
        words = "Later incidents captured by the ranking"
        words += ": all, at repeat places, at new places." if part.get("subsets") else "."
        blocks.append(Picture("capture-curve", words))
    blocks += _along_border(card.get("border_capture") or {})
    if part.get("rows"):
        blocks.append(Picture("skill-per-origin", _skill_words(part.get("least_incidents"))))
    if card.get("intervals"):
        blocks.append(facts(_plain(card["intervals"]), "Intervals"))
    if card.get("notes"):
        blocks.append(Bullets([str(note) for note in card["notes"]]))
    return blocks


def _skill_words(least: int | None) -> str:
    words = "Bits per incident at each origin."
    if least is None:
        return words
    return f"{words} Hollow: fewer than {least} incidents followed; averages leave these out."


def _along_border(curves: dict[str, Any]) -> list[Block]:
    """Say what watching some kilometres of border would have covered."""
    if not curves:
        return []
    picture = Picture("border-capture", "Later incidents behind the border ranked first.")
    return [Bullets(capture_lines(curves)), picture]


def _summary(rows: list[dict[str, Any]], own: str | None) -> list[Block]:
    """One table for each horizon and subset, best first."""
    headings = ["model", "incidents", "bits", "capture 10 %", "along border", "AUC", "Brier",
                "gain over best baseline, bits", "gain in capture 10 %"]  # fmt: skip
    tables: dict[tuple[int, str], list[list[str]]] = {}
    for row in sorted(rows, key=_summary_order):
        test = (row.get("horizon_years", 1), str(row.get("subset", "all")))
        tables.setdefault(test, []).append(_summary_row(row, own))
    return [
        Table(headings, texts, f"Forward in time, {show(years)} year{'s' * (years != 1)} ahead: "
              f"{_SUBSETS.get(subset, subset)}")
        for (years, subset), texts in tables.items()
    ]  # fmt: skip


def _summary_order(row: dict[str, Any]) -> tuple[float, int, float]:
    """By horizon, then subset, then skill."""
    subset, skill = row.get("subset", "all"), row.get("bits")
    place = list(_SUBSETS).index(subset) if subset in _SUBSETS else len(_SUBSETS)
    return row.get("horizon_years", 1), place, float("inf") if skill is None else -skill


def _summary_row(row: dict[str, Any], own: str | None) -> list[str]:
    return [
        named(row, own),
        show(row.get("incidents")),
        bits(row.get("bits")),
        percent(row.get("capture_10")),
        percent(row.get("border_capture_10")),
        *(show(row.get(key)) for key in ("auc", "brier")),
        bits_interval(row.get("gain")),
        _points(row.get("gain_capture_10")),
    ]


def _points(gain: dict[str, Any] | None) -> str:
    """Gain in capture, in points of per cent, with its interval."""
    if not gain:
        return ABSENT
    size, low, high = (round(100 * gain[key], 1) + 0.0 for key in ("capture_10", "low", "high"))
    return f"{size:+.1f} ({low:+.1f} to {high:+.1f})"


def calibration_blocks(scene: Scene) -> list[Block]:
    """Compare predicted with observed counts."""
    part = _scorecard(scene).get("prospective") or {}
    blocks: list[Block] = []
    if part.get("calibration") or part.get("reliability"):
        own = main_model(_scorecard(scene))
        of_whom = f", {_words(own)}" if own else ""
        blocks.append(Picture("reliability", f"Predicted against observed{of_whom}."))
    if part.get("subsets"):
        blocks.append(Paragraph(_ground_words(part["subsets"])))
    for key, caption in (
        ("calibration", "Incidents per risk class"),
        ("reliability", "Cells by predicted probability"),
    ):
        if part.get(key):
            blocks.append(records(_by_ground(part, key), caption))
    return blocks or [Paragraph("Calibration was not measured in this run.")]


def _ground_words(subsets: dict[str, Any]) -> str:
    share = (subsets.get("repeat") or {}).get("ground_share")
    size = "" if share is None else f", {percent(share)} of the area on average,"
    return (
        "A forecast does not say how many incidents will be repeats, so counts are split by "
        f"ground: repeat ground{size} is cells near an incident known at the origin, new ground "
        "all others. An incident known to some kilometres counts in part on both."
    )


def _by_ground(part: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Rows of all ground, of repeat and of new ground; of one kind alone without a label."""
    subsets = part.get("subsets") or {}
    if not any(found.get(key) for found in subsets.values()):
        return list(part[key])
    parts = {"all": part, **subsets}
    return [
        {"ground": words, **row}
        for name, words in _GROUNDS.items()
        for row in parts.get(name, {}).get(key) or []
    ]


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _plain(pairs: dict[str, Any]) -> dict[str, Any]:
    return {str(key).replace("_", " "): value for key, value in pairs.items()}
