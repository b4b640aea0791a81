"""Every score of a cell, declared once; and how probability, risk and class follow from intensity.

Tables, rasters, maps, legends, comparisons and the report ask :func:`shown` what to hold and
:data:`SCORES` how it is called, coloured and packed. A score that is computed and declared here is
in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy.stats import nbinom

DAYS_PER_YEAR = 365.25
# Shape of the clustering of incidents in a cell: a mean of m has the variance m + m² / KAPPA.
KAPPA = 0.5
# The same of the incidents in a part of the study area, a section of border or a window.
PART_SIZE = 2.0
# Class k + 1 begins where this share of the area has a lower risk.
CLASS_EDGES = (50.0, 75.0, 90.0, 97.0)
RATE = "incidents per 100 km² per year"

Where = Literal["table", "band", "layer", "compare", "popup", "report"]


@dataclass(frozen=True)
class Score:
    """One score: what it is called, where it is shown, and how a map draws and packs it.

    ``name``, ``unit``, ``long_name`` are the variable on the grid and its CF attributes; ``en``,
    ``fa``, ``note_en``, ``note_fa`` are name and explanation on the map.

    ``format`` is how the map writes its numbers: a key of :data:`borderrisk.words.UNITS`, or
    ``probability`` or ``codes``. ``ramp`` names colours of
    :data:`borderrisk.outputs.palette.RAMPS`; ``cuts`` are the map's classes: those of the risk, the
    same shares of the area, fifths of the area, steps around zero, or one per code. ``dtype`` is
    the type in tables (codes are words there); ``words`` are what codes 0, 1, ... mean (a negative
    one: unknown).

    ``bounds`` are the scores that hold its lower and upper bound; ``width_of`` is the score whose
    upper less lower bound it is: it is no variable of its own.

    ``table``, ``band``, ``layer``, ``compare``, ``popup``, ``report`` are its place among the
    columns of cell tables, bands of the raster, layers of the map (under the heading ``group``),
    compared columns, what a popup reads (a line each, if they are layers) and columns of the
    report; None: not there. What has a lower ``packed`` is packed first when a map is full, as
    finely as ``precision`` says; from ``follows`` most of it is known, so that a large map packs
    the difference.
    """

    name: str
    unit: str
    long_name: str
    en: str = ""
    fa: str = ""
    note_en: str = ""
    note_fa: str = ""
    format: str = "1"
    ramp: str = "viridis"
    cuts: Literal["class", "area", "even", "zero", "codes"] = "even"
    dtype: str = "float32"
    words: tuple[str, ...] = ()
    bounds: tuple[str, ...] = ()
    width_of: str = ""
    table: int | None = None
    band: int | None = None
    layer: int | None = None
    compare: int | None = None
    popup: int | None = None
    report: int | None = None
    group: str = "scores"
    packed: int = 50
    precision: Literal["fine", "ends", "rough", "coarse", "exact"] = "rough"
    follows: str = ""

    @property
    def attrs(self) -> dict[str, Any]:
        """CF attributes of the variable."""
        attrs: dict[str, Any] = {"units": self.unit, "long_name": self.long_name}
        if self.words:
            attrs["flag_values"] = np.arange(len(self.words), dtype="int8")
            attrs["flag_meanings"] = " ".join(self.words)
        return attrs


_SHARES = (
    ("history", "Earlier incidents", "رویدادهای پیشین",
     "Share of the intensity from the places of earlier incidents.",
     "سهمی از شدت که از جای رویدادهای پیشین می‌آید."),
    ("recent", "Recent incidents", "رویدادهای اخیر",
     "Share of the intensity from incidents of the last year or so.",
     "سهمی از شدت که از رویدادهای حدود یک سال گذشته می‌آید."),
    ("ground", "Ground and access", "زمین و دسترسی",
     "Share of the intensity that terrain, border and access explain.",
     "سهمی از شدت که ناهمواری، مرز و دسترسی توضیح می‌دهند."),
    ("even", "Evenly everywhere", "یکسان در همه‌جا",
     "Share of the intensity that is the same everywhere.",
     "سهمی از شدت که در همه‌جا یکسان است."),
)  # fmt: skip
SCORES: tuple[Score, ...] = (
    Score(
        "risk", "%", "Percentile rank of intensity by area in the study area",
        "Risk", "ریسک",
        "Share of the study area with a lower intensity, 0 to 100. Class 5 is the top 3% of the "
        "area, class 1 the lower half.",
        "سهمی از محدوده مطالعه که شدت کمتری دارد، از ۰ تا ۱۰۰. رده ۵ بالاترین ۳٪ مساحت و رده ۱ "
        "نیمه پایین است.",
        "percentile", "inferno", "class",
        table=1, band=3, layer=3, compare=1, popup=21, packed=2, precision="fine",
        follows="probability",
    ),
    Score(
        "risk_class", "1", "Risk class, 1-5 by area share",
        dtype="uint8", table=2, compare=2, report=2,
    ),
    Score(
        "intensity", RATE, "Relative intensity of reported incidents",
        "Intensity", "شدت",
        "Expected reported incidents per 100 km² per year.",
        "شمار مورد انتظار رویدادهای گزارش‌شده در هر ۱۰۰ کیلومتر مربع در سال.",
        "per_100km2_year", "inferno", "area",
        table=4, band=1, layer=5, compare=3, popup=22, packed=8, precision="fine",
        follows="probability",
    ),
    Score(
        "probability", "1", "Chance of at least one reported incident within the horizon",
        "Probability", "احتمال",
        "Chance of at least one reported incident in the cell within the horizon.",
        "احتمال دست‌کم یک رویداد گزارش‌شده در سلول در افق پیش‌بینی.",
        "probability", "inferno", "area", bounds=("probability_low", "probability_high"),
        table=10, band=2, layer=4, compare=4, report=3, packed=1, precision="fine",
    ),
    Score(
        "probability_low", "1", "Lower bound of the probability",
        table=11, band=4, compare=5, popup=8, packed=5, precision="ends", follows="probability",
    ),
    Score(
        "probability_high", "1", "Upper bound of the probability",
        table=12, band=5, compare=6, popup=9, packed=6, precision="ends", follows="probability",
    ),
    Score(
        "expected", "1", "Incidents to expect within the horizon",
        "Expected incidents", "رویدادهای مورد انتظار",
        "Reported incidents to expect in the cell within the horizon.",
        "شمار رویدادهای گزارش‌شده مورد انتظار در سلول در افق پیش‌بینی.",
        bounds=("expected_low", "expected_high"), table=5,
    ),
    Score("expected_low", "1", "Lower bound of the incidents to expect", table=6),
    Score("expected_high", "1", "Upper bound of the incidents to expect", table=7),
    Score("count_low", "1", "Fewest incidents within the predictive interval", table=8),
    Score("count_high", "1", "Most incidents within the predictive interval", table=9),
    Score(
        "width", "1", "Width of the interval of the probability",
        "Uncertainty (interval width)", "عدم قطعیت (پهنای بازه)",
        "Width of the interval of the probability: wide means the data leave much open.",
        "پهنای بازه احتمال: هرچه پهن‌تر، داده‌ها کمتر تعیین‌کننده‌اند.",
        "probability", "cividis", width_of="probability",
        layer=6, packed=15, follows="probability_high",
    ),
    Score(
        "susceptibility", RATE, "Intensity if terrain, border and access alone decided",
        "Susceptibility", "آسیب‌پذیری",
        "The intensity if terrain, border and access alone decided.",
        "شدت، اگر تنها ناهمواری، مرز و دسترسی تعیین‌کننده بودند.",
        "per_100km2_year", "teal", "area", table=17, band=6, layer=7, popup=23, packed=16,
    ),
    # Shares of the parts of the intensity; they add to 1.
    *(
        Score(
            f"share_{name}", "1", note.removesuffix("."), en, fa, note, note_fa,
            "probability", "teal", table=13 + k, layer=8 + k, popup=24 + k, packed=17 + k,
            precision="coarse",
        )
        for k, (name, en, fa, note, note_fa) in enumerate(_SHARES)
    ),
    Score(
        "exposure", "1", "Share of the cell inside the study area",
        table=18, popup=13, packed=90, precision="coarse",
    ),
    # The three strongest drivers: which, the values of these features, and their effects.
    *(
        score
        for k in (1, 2, 3)
        for score in (
            Score(
                f"driver_{k}", "1", f"Driver {k} of the part that the ground explains",
                cuts="codes", table=21 + k, popup=2 * k, packed=7 + 2 * k,
            ),
            Score(f"driver_{k}_value", "1", f"Value of driver {k}, in its own unit", table=24 + k),
            Score(
                f"driver_{k}_effect", "1", f"Effect of driver {k} on log-intensity", cuts="zero",
                table=27 + k, popup=2 * k + 1, packed=8 + 2 * k,
            ),
        )
    ),
    # The incidents that account for most of a cell, and the words about it.
    *(Score(f"incident_{k}", "1", f"Position of the incident that weighs most, no. {k}",
            dtype="int32") for k in (1, 2, 3)),
    *(Score(f"incident_{k}_share", "1", f"Share of the intensity of no. {k}") for k in (1, 2, 3)),
    Score("incident_reasons", "1", "Incidents of a twentieth of it at least", dtype="int32"),
    Score("why_en", "1", "Why, in a sentence", dtype="str", table=20),
    Score("why_fa", "1", "Why, in a sentence in Persian", dtype="str", table=21),
    Score("incidents_near", "1", "Incidents that weigh most", dtype="str", table=31),
    Score(
        "rank", "1", "Rank of intensity, 1 = highest", dtype="int32",
        bounds=("rank_low", "rank_high"),
        table=3, compare=7, popup=10, report=1, packed=21, precision="exact",
    ),
    Score(
        "rank_low", "1", "Best rank within the interval", dtype="int32",
        table=32, compare=8, popup=11, packed=22,
    ),
    Score(
        "rank_high", "1", "Worst rank within the interval", dtype="int32",
        table=33, compare=9, popup=12, packed=23,
    ),
    Score(
        "trust", "1", "Whether the score can be relied on",
        "Reliance", "اتکاپذیری",
        "Where not to rely on the number: hatched cells are unlike the places the model learned "
        "from, have too few reports near, or are cut off by the edge of the data.",
        "جایی که نباید به عدد تکیه کرد: سلول‌های هاشورخورده یا ناهمانند جاهای آموخته‌اند، یا گزارش "
        "کافی در نزدیکی ندارند، یا در لبه داده‌ها بریده شده‌اند.",
        "codes", "trust", "codes", words=("ok", "extrapolation", "sparse", "edge"),
        table=19, layer=12, report=4, packed=7,
    ),
    # Where two runs are compared; their map opens on what changed.
    Score(
        "risk_change", "percent", "Change of the risk percentile",
        "Change of risk", "تغییر ریسک",
        "Risk of one run minus risk of another: purple rose, green fell.",
        "ریسک یک اجرا منهای ریسک اجرای دیگر: بنفش افزایش، سبز کاهش.",
        "percentile", "diverging", "zero", band=8, layer=1, popup=20, packed=3, precision="fine",
    ),
    Score(
        "change", "1", "Change beyond the intervals of both runs",
        "Change beyond the intervals", "تغییر فراتر از بازه‌ها",
        "Cells that rose or fell by more than the intervals of both runs allow.",
        "سلول‌هایی که بیش از بازه‌های هر دو اجرا افزایش یا کاهش یافته‌اند.",
        "codes", "change", "codes", words=("within_intervals", "rose", "fell"),
        layer=2, packed=4,
    ),
)  # fmt: skip


# What the scores of a run without incidents are: their texts, where they differ.
_INDEX: dict[str, dict[str, Any]] = {
    "risk": {
        "long_name": "Percentile rank of an index of expert weights by area; not a forecast",
        "en": "Index, not a forecast", "fa": "شاخص، نه پیش‌بینی",
        "note_en": "Share of the study area with a lower index, 0 to 100. The index weighs slope, "
        "elevation and distances as experts do; no incident is behind it, and it says nothing of "
        "how many to expect, or how likely.",
        "note_fa": "سهمی از محدوده مطالعه که شاخص کمتری دارد، از ۰ تا ۱۰۰. شاخص، شیب و ارتفاع و "
        "فاصله‌ها را مانند کارشناسان وزن می‌دهد؛ هیچ رویدادی پشت آن نیست و از شمار یا احتمال "
        "رویدادها چیزی نمی‌گوید.",
    },
    "risk_class": {"long_name": "Class of the index, 1-5 by area share; not a forecast"},
    "rank": {"long_name": "Rank of the index, 1 = highest; not a forecast"},
    "trust": {
        "note_en": "Nothing was learned and nothing was tested: no cell's number can be relied on "
        "as a forecast.",
        "note_fa": "چیزی آموخته و آزموده نشده است: به عدد هیچ سلولی نمی‌توان چون پیش‌بینی تکیه کرد.",
        "words": ("index",),
    },
}  # fmt: skip


def as_index(score: Score) -> Score:
    """Return a score as it is called in a run without incidents: an index, not a forecast.

    Examples
    --------
    >>> as_index(by_name()["rank"]).long_name
    'Rank of the index, 1 = highest; not a forecast'
    """
    return replace(score, **_INDEX.get(score.name, {}))


def shown(where: Where) -> list[Score]:
    """Scores with a place somewhere, in their order there.

    Examples
    --------
    >>> [score.name for score in shown("report")]
    ['rank', 'risk_class', 'probability', 'trust']
    """
    there = [score for score in SCORES if getattr(score, where) is not None]
    return sorted(there, key=lambda score: getattr(score, where))


def by_name() -> dict[str, Score]:
    """Every declared score by its name."""
    return {score.name: score for score in SCORES}


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


def tails(level: float) -> tuple[float, float]:
    """Lower and upper quantile of a central interval, such as 0.05 and 0.95 of a level of 0.9."""
    return (1 - level) / 2, (1 + level) / 2


def probability(intensity: np.ndarray, area_100km2: np.ndarray, horizon_days: float) -> np.ndarray:
    """Return the chance of at least one reported incident in a cell within the horizon.

    The intensity is per 100 km² per year, the area the scored one. The chance is ``1 - (1 +
    m/KAPPA)^-KAPPA`` of an expected count m: the negative binomial chance of a count above zero.
    Incidents cluster, so it is lower than the Poisson chance ``1 - exp(-m)``.

    Examples
    --------
    >>> probability(np.array([1.5]), np.array([1.0]), DAYS_PER_YEAR)
    array([0.5])
    """
    return chance_of(expected_count(intensity, area_100km2, horizon_days))


def chance_of(expected: np.ndarray, size: float = KAPPA) -> np.ndarray:
    """Chance of at least one of the incidents expected in a cell, or a group of ``PART_SIZE``.

    Examples
    --------
    >>> chance_of(np.array([1.5])).tolist()
    [0.5]
    """
    return -np.expm1(-size * np.log1p(np.asarray(expected) / size))


def expected_count(
    intensity: np.ndarray, area_100km2: np.ndarray, horizon_days: float
) -> np.ndarray:
    """Incidents expected in each cell within the horizon."""
    return np.asarray(intensity * area_100km2 * (horizon_days / DAYS_PER_YEAR))


def count_bounds(
    expected: np.ndarray | float, level: float, size: np.ndarray | float = KAPPA
) -> tuple[np.ndarray, np.ndarray]:
    """Predictive interval of negative binomial counts: of cells, of parts, or of the whole.

    It holds the counts whose middle, the chance of fewer and half of that of as many, lies between
    the tails (a mid-P interval: Berry & Armitage 1995, The Statistician 44). Quantiles would hold
    more than is said, the more so the lower a count.

    Examples
    --------
    >>> [bound.tolist() for bound in count_bounds(np.array([0.0, 0.1, 2.0]), 0.9)]
    [[0.0, 0.0, 0.0], [0.0, 0.0, 8.0]]
    """
    law = nbinom(size, size / (size + np.asarray(expected)))
    lowest, highest = tails(level)
    low, high = (np.maximum(law.ppf(q), 0.0) for q in (lowest, highest))
    low = low + (law.cdf(low) - law.pmf(low) / 2 < lowest)
    return low, high - (law.cdf(high) - law.pmf(high) / 2 > highest)


def risk_percentile(intensity: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Rank each cell by intensity: the share of the study area that lies lower, 0-100.

    Cells of equal (finite) intensity share the middle of the area they take up together; ``area``
    may be in any unit.
    """
    if not len(intensity):
        return np.zeros(0)
    _, group = np.unique(intensity, return_inverse=True)
    area_of_group = np.bincount(group, weights=area)
    below = np.concatenate([[0.0], np.cumsum(area_of_group)[:-1]])
    return np.asarray(100 * (below + area_of_group / 2)[group] / area_of_group.sum())


def risk_class(risk: np.ndarray) -> np.ndarray:
    """Class 1-5 of a risk percentile; class 5 is the top 3 % of the area.

    Examples
    --------
    >>> risk_class(np.array([10, 50, 80, 96.9, 99]))
    array([1, 2, 3, 4, 5], dtype=uint8)
    """
    return (1 + np.searchsorted(CLASS_EDGES, risk, side="right")).astype(np.uint8)
