"""The scorecard: how well a model did on what it had not seen: typed, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from borderrisk.border.ranking import BorderCapture

# What every headline compares with: the model without what the ground explains.
REFERENCE = "history_alone"
NEW_GROUND = "new_ground"
SUBSETS = ("all", "repeat", "new", NEW_GROUND)
GROUNDS = SUBSETS[:3]
SUBSET_WORDS = {
    "all": "all incidents",
    "repeat": "at repeat places",
    "new": "at new places",
    NEW_GROUND: "within new ground",
}
# Cells that are more likely than not to have an incident.
LIKELY = 0.5
# A section of which less was expected is quiet whatever is said: its interval shows nothing.
LEAST_EXPECTED = 0.5
_FILE = "scorecard.json"


class Plain:
    """A dataclass that is written as plain values and read back, checked."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        found: dict[str, Any] = _form(type(self)).dump_python(self, mode="json")
        return found

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Return what the plain values are of, or raise pydantic's ``ValidationError``."""
        found: Self = _form(cls).validate_python(values)
        return found


_form: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


@dataclass(frozen=True)
class Gain:
    """Difference in bits per incident to a baseline on the same incidents, with its interval."""

    baseline: str
    bits: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or, where the interval includes nought, ``no better``."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "no better"

    def __str__(self) -> str:
        bits, low, high = (round(value, 2) + 0.0 for value in (self.bits, self.low, self.high))
        return f"{bits:+.2f} ({low:+.2f} to {high:+.2f})"


@dataclass(frozen=True)
class Skill:
    """Scores of one model on one subset of incidents, at one origin or over several (``""``).

    Subsets: ``all``; ``repeat`` and ``new`` places (an earlier incident near, or none); and
    ``new_ground``, the new ones scored among the cells with no earlier incident near only. ``bits``
    are per incident, over an even forecast of the same cells; captures are the share of the
    incidents in that percentage of the area, or behind that of the border. Brier and log score are
    of all incidents only: a forecast does not say which will be repeats. ``gain`` is over history
    alone, ``gain_best`` over the best of the other baselines.
    """

    model: str
    role: str
    subset: str
    horizon_years: int
    incidents: int
    origins: int
    bits: float
    capture_5: float
    capture_10: float
    capture_20: float
    auc: float
    border_capture_10: float | None = None
    brier: float | None = None
    log_score: float | None = None
    gain: Gain | None = None
    gain_best: Gain | None = None
    origin: str = ""


@dataclass(frozen=True)
class CaptureCurve:
    """Share of the incidents of a subset in the share of the area that each model ranks first."""

    subset: str
    incidents: int
    area_share: list[float]
    captured: dict[str, list[float]]


@dataclass(frozen=True)
class ClassCount:
    """Incidents expected and observed in the cells of a risk class, on some ground."""

    ground: str
    risk_class: int
    expected: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True)
class ChanceClass:
    """Cells given about the same chance: what was said, and in what share of them it happened."""

    ground: str
    above: float
    predicted: float
    observed: float
    low: float
    high: float
    cells: int


@dataclass(frozen=True)
class Total:
    """Incidents in the whole study area after one origin: expected, reported, intervals.

    Both are counted by confidence. ``crps`` is the continuous ranked probability score of the
    forecast, ``crps_poisson`` that of a Poisson count with the same mean.
    """

    origin: str
    horizon_years: int
    expected: float
    reported: float
    low_80: int
    high_80: int
    low_90: int
    high_90: int
    crps: float
    crps_poisson: float


@dataclass(frozen=True)
class Held:
    """How many counts an interval held, and the binomial interval of that share.

    ``of`` is what was counted over each period: ``totals`` of the study area, or ``sections`` of
    border of which something was expected.
    """

    horizon_years: int
    level: float
    held: int
    periods: int
    low: float
    high: float
    of: str = "totals"


@dataclass(frozen=True)
class Prospective:
    """Forecasts from past origins. Curves and counts are of the shortest horizon.

    ``least_incidents`` must follow an origin for it to count in bits, captures and curves; one
    within ``near_km`` makes a place a repeat; ``level`` is that of all intervals that do not name
    theirs. ``rows`` are of each origin, ``summary`` over the origins that count. ``ground_share``
    is the mean share of the area that is repeat and new ground.
    """

    origins: list[str]
    horizons_years: list[int]
    least_incidents: int
    near_km: float
    level: float
    rows: list[Skill]
    summary: list[Skill]
    capture: list[CaptureCurve] = field(default_factory=list)
    ground_share: dict[str, float] = field(default_factory=dict)
    calibration: list[ClassCount] = field(default_factory=list)
    reliability: list[ChanceClass] = field(default_factory=list)
    totals: list[Total] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)

    @property
    def shortest(self) -> int:
        """The shortest horizon, years."""
        return min(self.horizons_years)

    @property
    def likely(self) -> ChanceClass | None:
        """Cells that were said to be more likely than not to have an incident."""
        found = (row for row in self.reliability if row.ground == "all" and row.above >= LIKELY)
        return next(found, None)

    def held_of(self, of: str) -> list[Held]:
        """How many counts of a kind each interval held, at the shortest horizon."""
        return [h for h in self.held if (h.of, h.horizon_years) == (of, self.shortest)]

    def of(self, subset: str, years: int | None = None) -> list[Skill]:
        """Summary of a subset at a horizon, by default the shortest; the best first."""
        years = self.shortest if years is None else years
        found = [r for r in self.summary if (r.subset, r.horizon_years) == (subset, years)]
        return sorted(found, key=lambda row: -row.bits)


@dataclass(frozen=True)
class Behind:
    """Scores of a model behind a border that was left out of its training, or behind all such."""

    border: str
    model: str
    role: str
    incidents: int
    bits: float
    auc: float
    capture_10: float
    gain: Gain | None = None


@dataclass(frozen=True)
class Transfer:
    """Each border left out in turn: ``rows`` of each, ``summary`` over all of them.

    Incidents of a block are drawn together for intervals; training keeps the buffer away. Those
    ``unscored`` are vaguer than the buffer or outside the study area. ``untested`` names the
    borders that could not be left out, with the reason.
    """

    rows: list[Behind]
    summary: list[Behind]
    block_km: float
    buffer_km: float
    scored: int
    unscored: int
    untested: dict[str, str]


@dataclass(frozen=True)
class Scorecard(Plain):
    """Every test of a model and its baselines.

    ``model`` is the config's own; ``headline`` is what the tests say, the difference to history
    alone first; ``transfer`` is None where the config asks for no border left out; ``notes`` are
    what a reader of the figures must know.
    """

    model: str
    headline: list[str]
    prospective: Prospective
    border_capture: BorderCapture | None = None
    transfer: Transfer | None = None
    notes: list[str] = field(default_factory=list)

    def skill(self, subset: str = "all", years: int | None = None) -> Skill | None:
        """Scores of the config's own model on a subset, at the shortest horizon by default."""
        found = self.prospective.of(subset, years)
        return next((row for row in found if row.model == self.model), None)

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        (folder / _FILE).write_text(json.dumps(self.to_json(), ensure_ascii=False), "utf-8")

    @staticmethod
    def load(folder: Path) -> Scorecard:
        """Read what :meth:`save` wrote."""
        return Scorecard.from_json(json.loads((folder / _FILE).read_text("utf-8")))
