"""The scorecard as plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from borderrisk.border.capture import capture_lines
from borderrisk.evaluation.backtest import SUBSETS
from borderrisk.model.planted import TRUTH
from borderrisk.model.wording import met_words, share_held

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
                lines += [f"{subset} incidents, {years} year(s) ahead", *_tables(chosen), ""]
    if part["summary"]:
        lines += [*_legend(part["summary"]), ""]
    choices = choice_lines(part.get("choices", []))
    if choices:
        lines += [*choices, ""]
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
        wanted = f"at least {row['target']:.2f}"
        if row.get("at_most") is not None:
            wanted = f"{row['target']:.2f} to {row['at_most']:.2f}"
        if row.get("ceiling") is not None:
            wanted += f"; with hindsight {row['ceiling']:.2f}"
        met = met_words(row).replace("missed", "MISSED")
        lines.append(f"target {met}: {row['name']}: {row['value']:.2f} ({wanted})")
    if (scorecard.get("ceiling") or {}).get("pools"):
        lines.append(f"with hindsight: {scorecard['ceiling']['pool']}; no forecast can know them")
    return lines


def choice_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the pooled model chose at each origin, and how often each feature was chosen."""
    rows = [row for row in rows if "features" in row]
    if not rows:
        return []
    used = Counter(name for row in rows for name in row["features"])
    often: dict[int, list[str]] = {}
    for name, times in used.items():
        often.setdefault(times, []).append(name)
    return [
        f"what {rows[0]['model']} chose at each origin, from what was known there: smoothing of "
        "the history, models, penalty, number of features",
        *(
            f"{row['origin']}: {row['bandwidth_km']:g} km, {row['models']}, {row['alpha']:.2g}, "
            f"{len(row['features'])}"
            for row in rows
        ),
        *(
            f"features at {times} of {len(rows)} origins: {', '.join(sorted(names))}"
            for times, names in sorted(often.items(), reverse=True)
        ),
    ]


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
        lines.append(
            f"cells whose {found['level']:.0%} interval holds the truth "
            f"({found['replicates']} replicates, {found.get('worlds', 1)} world(s), in brackets "
            "the range over single ones), by risk class:"
        )
        each = [f"{row['risk_class']}: {share_held(row)}" for row in found["coverage"]]
        lines.append("  " + ", ".join(each))
    if found.get("sums"):
        lines.append(
            f"the same of the sums over {found['sums']['parts']} border segments: "
            f"{share_held(found['sums'])}"
        )
    return lines


_PARTS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "spatial": spatial_lines,
    "planted": planted_lines,
    "ablation": ablation_lines,
    "robustness": robustness_lines,
}


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
    ("pai_10", "PAI", 9),
    ("pei_10", "PEI", 9),
    ("auc", "AUC", 9),
    ("average_precision", "av. precision", 15),
    ("boyce", "Boyce", 9),
    ("brier", "Brier", 10),
    ("log_score", "log score", 12),
)
_SIGNIFICANT = ("brier", "log_score", "average_precision")


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
        "border's length (by length alone 0.100); PAI, PEI at 10 % of the area"
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
