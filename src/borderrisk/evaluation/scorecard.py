"""The scorecard as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from borderrisk.border.capture import capture_lines
from borderrisk.evaluation.backtest import SUBSETS


def render_text(scorecard: Mapping[str, Any]) -> str:
    """Return the scorecard as plain text: headline, summary tables and notes."""
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
                lines += [f"{subset} incidents, {years} year(s) ahead", *_tables(chosen), ""]
    if part["summary"]:
        lines += [*_legend(part["summary"]), ""]
    if scorecard.get("border_capture"):
        lines += [*capture_lines(scorecard["border_capture"]), ""]
    if scorecard.get("spatial"):
        lines += [*spatial_lines(scorecard["spatial"]), ""]
    lines += scorecard.get("notes", [])
    return "\n".join(lines) + "\n"


def spatial_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the test behind a border left out, one model per line, as lines of text."""
    if not found["summary"]:
        return [f"border left out: {row['fold']} not tested, {row['reason']}"
                for row in found["untested"]]  # fmt: skip
    return [
        f"behind a border left out of training ({found['scored']} incidents, "
        f"{found['buffer_km']:.0f} km around it left out as well)",
        f"{'model':24}{'role':10}{'bits':>8}{'gain over border distance':>28}",
        *(
            f"{row['model']:24}{row['role']:10}{_number(row['bits']):>8}"
            f"{_text('gain', row.get('gain')):>28}"
            for row in found["summary"]
        ),
    ]


# Columns of the two tables of each test: key, heading, width.
_FIRST = (
    ("bits", "bits", 8),
    ("gain", "gain in bits", 26),
    ("capture_5", "5 %", 8),
    ("capture_10", "10 %", 8),
    ("capture_20", "20 %", 8),
    ("gain_capture_10", "gain at 10 %", 26),
)
_SECOND = (
    ("border_capture_10", "border 10 %", 13),
    ("auc", "AUC", 9),
    ("brier", "Brier", 10),
    ("log_score", "log score", 12),
)
_SIGNIFICANT = ("brier", "log_score")


def _tables(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [*_table(rows, _FIRST), "", *_table(rows, _SECOND)]


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str, int]]) -> list[str]:
    head = f"{'model':24}{'role':10}{'n':>4}"
    return [
        head + "".join(f"{title:>{width}}" for _, title, width in columns),
        *(
            f"{row['model']:24}{row['role']:10}{row['incidents']:4d}"
            + "".join(f"{_text(key, row.get(key)):>{width}}" for key, _, width in columns)
            for row in rows
        ),
    ]


def _text(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        size = value["bits"] if "bits" in value else value["capture_10"]
        return f"{size + 0.0:+.2f} ({value['low']:+.2f} to {value['high']:+.2f})"
    if key in _SIGNIFICANT and value is not None:
        return f"{value:#.3g}"
    return _number(value)


def _legend(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what the columns are, and what each gain is measured against."""
    against: dict[tuple[str, int, str], str] = {}
    for row in rows:
        for key in ("gain", "gain_capture_10"):
            if row.get(key):
                test = (key, row["horizon_years"], row["subset"])
                against[test] = row[key]["baseline"]
    lines = [
        "5, 10, 20 %: captured in that share of the area; border 10 %: behind that share of the "
        "border's length (by length alone 0.100)"
    ]
    words_of = {
        "gain": "gain in bits: over the baseline with the most",
        "gain_capture_10": "gain at 10 %: over the baseline that captures most there",
    }
    for key, words in words_of.items():
        each = [f"{s} {y}y {name}" for (k, y, s), name in against.items() if k == key]
        if each:
            lines.append(f"{words} ({', '.join(each)})")
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 3) + 0.0:.3f}"
