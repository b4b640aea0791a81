"""The scorecard as plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from borderrisk.model.backtest import SUBSETS
from borderrisk.model.border_capture import capture_lines
from borderrisk.model.planted import TRUTH

_SCHEMES = {
    "block": "blocks",
    "random": "random folds",
    "leave_one_border_out": "border left out",
    "transfer_loss": "transfer loss",
    "leave_one_border_out_unnamed": "unnamed",
}


def render_text(scorecard: Mapping[str, Any]) -> str:
    """Return the scorecard as plain text: headline, summary tables, targets and notes."""
    part = scorecard["prospective"]
    lines = [*scorecard.get("headline", []), ""]
    for years in part["horizons_years"]:
        for subset in SUBSETS:
            chosen = [
                row
                for row in part["summary"]
                if (row["horizon_years"], row["subset"]) == (years, subset)
            ]
            if chosen:
                lines += [f"{subset} incidents, {years} year(s) ahead", _table(chosen), ""]
    if any("border_capture_10" in row for row in part["summary"]):
        lines += ["border_capture_10: of border length alone, 0.100", ""]
    if scorecard.get("border_capture"):
        lines += [*capture_lines(scorecard["border_capture"]), ""]
    for name, write in _PARTS.items():
        if scorecard.get(name):
            lines += [*write(scorecard[name]), ""]
    lines += [*_target_lines(scorecard), "", *scorecard.get("notes", [])]
    return "\n".join(lines) + "\n"


def _target_lines(scorecard: Mapping[str, Any]) -> list[str]:
    lines = []
    for row in scorecard.get("targets", []):
        met = "met" if row["met"] else "MISSED"
        wanted = f"at least {row['target']:.2f}"
        if row.get("ceiling") is not None:
            wanted += f"; with hindsight {row['ceiling']:.2f}"
        lines.append(f"target {met}: {row['name']}: {row['value']:.2f} ({wanted})")
    if (scorecard.get("ceiling") or {}).get("pools"):
        lines.append(f"with hindsight: {scorecard['ceiling']['pool']}; no forecast can know them")
    return lines


def spatial_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the tests in space, one model per line, as lines of text."""
    bits: dict[str, dict[str, float | None]] = {}
    for row in found["summary"]:
        bits.setdefault(row["model"], {})[row["scheme"]] = row["bits"]
        if row["scheme"] == "leave_one_border_out":
            bits[row["model"]]["transfer_loss"] = row.get("transfer_loss")
    return [
        f"tests in space ({found['scored']} incidents), bits per incident over uniform: in blocks "
        f"of {found['block_km']:.0f} km with a buffer of {found['buffer_km']:.0f} km, in random "
        "folds, and behind a border left out of training (also without the columns that name it)",
        f"{'model':24}" + "".join(f"{title:>17}" for title in _SCHEMES.values()),
        *(
            f"{model:24}" + "".join(f"{_number(row.get(name)):>17}" for name in _SCHEMES)
            for model, row in bits.items()
        ),
    ]


def ablation_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what leaving out each group of features changes, as lines of text."""
    lines = ["bits per incident with a group of features left out, and the change it makes"]
    for row in found["rows"]:
        bounds = f"({row['low']:+.3f} to {row['high']:+.3f})"
        change = "" if row["left_out"] == "nothing" else f"{row['change']:+12.3f} {bounds}"
        lines.append(f"{row['model']:28}{row['left_out']:16}{row['bits']:8.3f}{change}")
    return lines


def robustness_lines(found: Mapping[str, Any]) -> list[str]:
    """Return how much the ranks depend on the grid, as lines of text."""
    lines = ["ranks on another grid: correlation, and share of the top tenth that stays"]
    for row in found["rows"]:
        grid = f"{row['cell_km']:g} km" + (", shifted by half a cell" if row["shifted"] else "")
        numbers = f"{row['spearman']:10.3f}{row['top_decile_overlap']:10.3f}"
        lines.append(f"{grid:34}{numbers}")
    return lines


def planted_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the test on a world of known truth as lines of text."""
    lines = [
        f"a synthetic world with {found['incidents']} incidents: expected bits per incident, and "
        "rank correlation with the truth",
        f"{'model':24}{'role':10}{'bits':>12}{'spearman':>12}",
        f"{TRUTH:34}{_number(found['ceiling_bits']):>12}{_number(1.0):>12}",
    ]
    for row in found["rows"]:
        numbers = "".join(f"{_number(row[name]):>12}" for name in ("bits", "spearman"))
        lines.append(f"{row['model']:24}{row['role']:10}{numbers}")
    if found.get("coverage"):
        each = ", ".join(f"{r['risk_class']}: {r['covered']:.0%}" for r in found["coverage"])
        lines.append(
            f"cells whose {found['level']:.0%} interval holds the truth "
            f"({found['replicates']} replicates), by risk class: {each}"
        )
    if found.get("sums"):
        lines.append(
            f"the same of the sums over {found['sums']['parts']} border segments: "
            f"{found['sums']['covered']:.0%}"
        )
    return lines


_PARTS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "spatial": spatial_lines,
    "planted": planted_lines,
    "ablation": ablation_lines,
    "robustness": robustness_lines,
}


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = ("bits", "capture_10", "border_capture_10", "auc", "boyce", "brier")
    head = f"{'model':24}{'role':10}{'n':>4}" + "".join(f"{name:>19}" for name in names)
    body = [
        f"{row['model']:24}{row['role']:10}{row['incidents']:4d}"
        + "".join(f"{_number(row.get(name)):>19}" for name in names)
        for row in rows
    ]
    return "\n".join([head, *body])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 3) + 0.0:.3f}"
