"""The track record of a border's forecasts, and what changed most among several borders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from borderrisk.evaluation.findings import many
from borderrisk.evaluation.metrics import poisson_interval
from borderrisk.evaluation.prospective import AFTERWARDS, LEVEL, Issued, Period, cumulated
from borderrisk.outputs.figures.charts import add_title, figure_of
from borderrisk.outputs.figures.style import MUTED, render, style
from borderrisk.outputs.palette import INCIDENT_COLOUR, MODEL_COLOUR
from borderrisk.outputs.report import data_uri, render_page
from borderrisk.outputs.report.blocks import Block, Paragraph, Picture, Section, Table, show

RECORD_PAGE, CYCLE_PAGE = "track-record.html", "update-summary.html"
STATEMENT = (
    "Forecasts of reported incidents, each from what was known before its period, and what was "
    "reported. No statement about any person."
)
REHEARSED = (
    "A rehearsal, not a record: what this page would have shown, had forecasts been made then. "
    "Each knew only incidents from before its origin, but the form of the model is of today."
)
_MOST_MAPS, _MOST_ROWS = 12, 400
_TESTS = (
    "The tests were fixed before any period began. Incidents count by their confidence, expected "
    "as well as reported ones. Number: is the reported count in the 90 % "
    "interval. Places: share of drawn sets of as many incidents that fit the forecast no better; "
    "below 0.05 says that the places were others than forecast, or clustered more. Bits: by how "
    "many doublings the places of incidents were likelier than by chance; over history alone: "
    "above 0, the ground and the border said something that the "
    "places of earlier incidents do not. Sections: mean error of the counts behind the sections of "
    "border (CRPS, incidents), of the forecast and of history alone."
)


def record_page(
    title: str,
    periods: Sequence[Period],
    rehearsal: Sequence[Period],
    issued: Sequence[Issued],
    pictures: Mapping[str, Path] | None = None,
) -> str:
    """Return the page of a track record, one HTML file that needs no network.

    ``periods`` are verified forecasts, ``issued`` all that are kept, ``rehearsal`` forecasts from
    past origins, ``pictures`` the outcome of verified forecasts by their folder's name.
    """
    done, kept = ({it.source for it in found} for found in (periods, issued))
    open_ = [it for it in issued if it.source not in done]
    sections: list[Section] = []
    sources: dict[str, str] = {}
    if periods:
        sections += _record("record", periods, sources)
        sections += _maps(periods, pictures or {}, sources)
    sections.append(Section("open", "Forecasts whose time is not over", [_waiting(open_)]))
    if rehearsal:
        for section in _record("rehearsal", rehearsal, sources):
            blocks = [Paragraph(REHEARSED), *section.blocks]
            sections.append(Section(section.anchor, f"Rehearsal: {section.title}", blocks))
    sections.append(Section("tests", "What the figures mean", [Paragraph(_TESTS)]))
    return render_page(
        sections, sources, title=f"Track record: {title}", statement=STATEMENT,
        verdict=_verdict(periods, open_, sorted(done - kept)),
        tiles=[
            ("forecasts verified", show(len(periods))),
            ("incidents in their time", show(sum(period.reported for period in periods))),
            ("still to come to their end", show(len(open_))),
        ],
    )  # fmt: skip


def _verdict(periods: Sequence[Period], open_: Sequence[Issued], gone: Sequence[str]) -> str:
    if not periods and not open_:
        return "No forecast was made yet, so there is nothing to judge."
    if not periods:
        return (
            "No forecast has come to its end yet, so there is nothing to judge. The first ends on "
            f"{min(map(_last_day, open_))}."
        )
    found = _sentences(periods)
    late = [p for p in periods if p.frozen == AFTERWARDS]
    if late:
        found.append(
            f"{len(late)} of {many(len(periods), 'forecast')} were made when their time was over: "
            "nothing but the program vouches that no later incident was used."
        )
    if gone:
        found.append(f"No longer among the kept forecasts: {', '.join(gone)}.")
    return " ".join(found)


def _last_day(it: Issued) -> str:
    return f"{it.end - pd.Timedelta(days=1):%Y-%m-%d}"


def _sentences(periods: Sequence[Period]) -> list[str]:
    """How the forecasts of each length did."""
    found = []
    for days in sorted({period.days for period in periods}):
        part = [period for period in periods if period.days == days]
        expected, reported = sum(p.expected for p in part), sum(p.reported for p in part)
        held = sum(p.held for p in part)
        text = (
            f"{many(len(part), 'forecast')} of {days} days: {expected:.1f} expected and {reported} "
            f"reported in all, {held} of {len(part)} numbers in their interval"
        )
        scored = [p for p in part if p.over_history is not None]
        count = sum(p.reported for p in scored)
        if count:
            gain = cumulated(scored)[-1] / count
            ahead = sum(p.over_history > 0 for p in scored)  # type: ignore[operator]
            text += (
                f"; {gain:+.2f} bits per incident over history alone, ahead of it in {ahead} of "
                f"{len(scored)}"
            )
        found.append(f"{text}.")
    return found


def _record(anchor: str, periods: Sequence[Period], sources: dict[str, str]) -> list[Section]:
    """Sections of some periods, by length; their charts go into ``sources``."""
    found = []
    for days in sorted({period.days for period in periods}):
        part = sorted((p for p in periods if p.days == days), key=lambda p: p.origin)
        name = f"{anchor}-{days}"
        with style():
            sources[name] = data_uri("image/svg+xml", render(record_figure(part), "svg"))
        blocks: list[Block] = [
            Paragraph(" ".join(_sentences(part))),
            Picture(name, "Expected and reported numbers, skill against history alone summed up, "
                    "and what was expected and reported by risk class."),
            _table(part),
        ]  # fmt: skip
        found.append(Section(name, f"Forecasts of {days} days", blocks))
    return found


def _badness(period: Period) -> tuple[bool, float]:
    """Order of a period, worst first: numbers outside their interval, then bits lost."""
    return (period.held, (period.over_history or 0.0) * period.reported)


def _table(periods: Sequence[Period]) -> Table:
    columns = ("from", "expected", "90 % interval", "reported", "number", "bits",
               "over history alone", "over last period", "in the first tenth", "places",
               "sections", "sections, history alone", "record until", "frozen")  # fmt: skip
    rows = []
    for p in sorted(periods, key=_badness)[:_MOST_ROWS]:
        last = None if p.bits is None or p.last_bits is None else p.bits - p.last_bits
        rows.append([
            p.origin, f"{p.expected:.1f}", f"{p.low} to {p.high}", show(p.reported),
            "held" if p.held else "missed", _signed(p.bits), _signed(p.over_history),
            _signed(last), "–" if p.captured is None else f"{p.captured:.0%}",
            "–" if p.places is None else f"{p.places:.2f}", show(p.section_score),
            show(p.history_section_score), p.until, p.made or "–",
        ])  # fmt: skip
    return Table(columns, rows, "Worst first")


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}"


def _maps(
    periods: Sequence[Period], pictures: Mapping[str, Path], sources: dict[str, str]
) -> list[Section]:
    """Pictures of the periods that went worst."""
    shown = [p for p in sorted(periods, key=_badness) if p.source in pictures][:_MOST_MAPS]
    if not shown:
        return []
    blocks: list[Block] = []
    for p in shown:
        name = f"outcome-{p.source}"
        sources[name] = data_uri("image/png", pictures[p.source].read_bytes())
        caption = (
            f"From {p.origin} for {p.days} days: {p.expected:.1f} expected ({p.low} to {p.high}), "
            f"{p.reported} reported."
        )
        blocks.append(Picture(name, caption))
    left = len(periods) - len(shown)
    if left:
        blocks.append(Paragraph(f"{many(left, 'picture')} more in the folder verifications."))
    return [Section("maps", "Hits and misses, worst first", blocks)]


def _waiting(open_: Sequence[Issued]) -> Block:
    if not open_:
        return Paragraph("None.")
    rows = [
        [it.origin, _last_day(it), it.made, show(it.days), f"{it.expected:.1f}",
         f"{it.low} to {it.high}"]
        for it in sorted(open_, key=_last_day)
    ]  # fmt: skip
    return Table(("from", "last day", "frozen", "days", "expected", "90 % interval"), rows)


def record_figure(periods: Sequence[Period]) -> Figure:
    """Draw numbers over time, bits over history alone summed up, and counts by risk class."""
    figure, axes = figure_of(3)
    days = periods[0].days
    add_title(figure, f"Forecasts of {days} days", f"{many(len(periods), 'forecast')}")
    at = pd.DatetimeIndex([p.origin for p in periods])
    _draw_numbers(axes[0], at, periods)
    axes[1].plot(at, cumulated(periods), ".-", drawstyle="steps-post", color=MODEL_COLOUR)
    axes[1].axhline(0, color=MUTED, lw=0.8)
    axes[1].set_title("bits over history alone, summed up", fontsize=8.5, fontweight="normal")
    _draw_classes(axes[2], periods)
    for ax in axes[:2]:
        ax.tick_params(axis="x", rotation=30)
    return figure


def _draw_numbers(ax: Axes, at: pd.DatetimeIndex, periods: Sequence[Period]) -> None:
    low, high = ([getattr(p, end) for p in periods] for end in ("low", "high"))
    ax.vlines(at, low, high, color=MODEL_COLOUR, alpha=0.35, lw=2, label="90 % interval")
    ax.plot(at, [p.expected for p in periods], ".", color=MODEL_COLOUR, label="expected")
    ax.plot(at, [p.reported for p in periods], "x", ms=4, color=INCIDENT_COLOUR, label="reported")
    ax.set_title("incidents", fontsize=8.5, fontweight="normal")
    ax.legend(loc="upper left", fontsize=7)


def _draw_classes(ax: Axes, periods: Sequence[Period]) -> None:
    rows = [row for p in periods for row in p.classes]
    for k in sorted({row.risk_class for row in rows}):
        expected = sum(row.expected for row in rows if row.risk_class == k)
        observed = sum(row.observed for row in rows if row.risk_class == k)
        low, high = poisson_interval(observed, LEVEL)
        ax.plot([k, k], [low, high], color=INCIDENT_COLOUR, alpha=0.5)
        ax.plot(k, observed, "x", color=INCIDENT_COLOUR)
        ax.plot(k, expected, "o", color=MODEL_COLOUR, ms=5)
    ax.set_xticks(range(1, 6))
    ax.set_xlabel("risk class")
    ax.set_title("expected (dot) and reported by class", fontsize=8.5, fontweight="normal")
    if ax.get_ylim()[1] > 0:
        ax.set_ylim(bottom=0)


@dataclass(frozen=True)
class Updated:
    """What an update of one border did.

    ``forecasts`` and ``verified`` are the folders it made; ``said`` what changed, in sentences;
    ``moved`` how far expected incidents differ from the last forecast of the same length, in number
    or place, as a share of both. ``error`` says why it failed, else it is blank.
    """

    folder: Path
    title: str = ""
    origin: str = ""
    forecasts: list[str] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    added: int = 0
    corrected: int = 0
    rehearsed: int = 0
    said: list[str] = field(default_factory=list)
    moved: float = 0.0
    error: str = ""

    @property
    def anything(self) -> bool:
        """Whether anything was new."""
        return bool(
            self.forecasts or self.verified or self.added or self.corrected or self.rehearsed
        )


def cycle_page(updates: Sequence[Updated]) -> str:
    """Return a page that ranks borders by what changed most; those that failed come first."""
    ranked = sorted(updates, key=lambda it: (not it.error, -it.moved))
    rows = [
        [it.title or it.folder.name, it.origin or "–", f"{it.moved:.0%}" if it.moved else "–",
         it.error or " ".join(it.said)]
        for it in ranked
    ]  # fmt: skip
    failed = sum(bool(it.error) for it in updates)
    verdict = f"{many(len(updates), 'border')}, {failed} failed." if failed else ""
    table = Table(("border", "from", "changed", "what changed"), rows)
    section = Section("borders", "What changed most", [
        Paragraph("Changed: how far expected incidents differ from the forecast before, in number "
                  "or place, as a share of both."), table])  # fmt: skip
    return render_page([section], {}, title="Forecasts brought up to date", verdict=verdict)
