"""What a report is made of: sections of paragraphs, lists, tables, pictures and listings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, ClassVar

import pandas as pd

from borderrisk.outputs.reasons import Answer

ABSENT = "–"
_MOST_ROWS = 200
_DIGESTS = ("sha256", "hash", "digest")
_NUMBER = re.compile(r"(< )?[+−-]?[\d,]*\.?\d+(e[+-]?\d+)?( ?%)?|–")


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list of plain texts."""

    texts: Sequence[str]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Bars:
    """A small histogram in a table cell: heights from 0 to 1."""

    heights: Sequence[float]
    label: str


@dataclass(frozen=True)
class Abridged:
    """A text too long for a table cell: its beginning, and all of it on request."""

    full: str
    letters: int = 12

    def __str__(self) -> str:
        return self.full[: self.letters]


@dataclass(frozen=True)
class Table:
    """Rows of texts (or :class:`Bars` or :class:`Abridged`) under headings."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Bars | Abridged]]
    caption: str = ""
    kind: ClassVar[str] = "table"

    @property
    def numeric(self) -> list[bool]:
        """Whether each column holds numbers only, to be set flush right."""
        columns = ([row[k] for row in self.rows] for k in range(len(self.columns)))
        return [
            all(isinstance(cell, str) and _NUMBER.fullmatch(cell) for cell in column)
            for column in columns
        ]


@dataclass(frozen=True)
class Picture:
    """A figure by name, as :func:`borderrisk.outputs.figures.draw` names it."""

    name: str
    caption: str
    kind: ClassVar[str] = "picture"


@dataclass(frozen=True)
class Listing:
    """Text to be shown as it is, folded away."""

    title: str
    text: str
    kind: ClassVar[str] = "listing"


@dataclass(frozen=True)
class Places:
    """What the highest places say, highest first."""

    title: str
    said: Sequence[Answer]
    rely: str = "Rely on it?"
    kind: ClassVar[str] = "places"


Block = Paragraph | Bullets | Table | Picture | Listing | Places


@dataclass(frozen=True)
class Section:
    """A headed part of the report."""

    anchor: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def show(value: Any) -> str:
    """Value as a reader wants it: three significant digits, thousands apart, yes and no.

    Examples
    --------
    >>> show(0.012345), show(123456), show(None), show(True)
    ('0.0123', '123,456', '–', 'yes')
    """
    if value is None or value is pd.NA or value == "":
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Real):
        return f"{int(value):,}" if isinstance(value, Integral) else _show_real(float(value))
    if isinstance(value, (list, tuple)):
        return ", ".join(show(item) for item in value) or ABSENT
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {show(item)}" for key, item in value.items())
    return str(value)


def _show_real(value: float) -> str:
    if not math.isfinite(value):
        return ABSENT
    if value and abs(value) < 1e-4:
        return f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    text = f"{value:.{min(max(digits, 0), 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float | None) -> str:
    """Share as per cent.

    Examples
    --------
    >>> percent(0.1234), percent(0.004), percent(0.0001)
    ('12 %', '0.4 %', '< 0.1 %')
    """
    if pd.isna(share) or math.isinf(share):
        return ABSENT
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if 0 < abs(share) < 0.0095 else f"{100 * share:.0f} %"


def interval(value: Any, low: Any = None, high: Any = None) -> str:
    """Value with its interval, as far as there is one."""
    if pd.isna(low) or pd.isna(high):
        return show(value)
    return f"{show(value)} ({show(low)} to {show(high)})"


def records(rows: Iterable[Mapping[str, Any]], caption: str = "") -> Table:
    """Table of dicts with the union of their keys as columns; cut at 200 rows."""
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    texts = [[_cell(key, row.get(key)) for key in columns] for row in rows[:_MOST_ROWS]]
    if len(rows) > _MOST_ROWS:
        caption = f"{caption} (first {_MOST_ROWS} of {len(rows):,})".strip()
    return Table([key.replace("_", " ") for key in columns], texts, caption)


def _cell(key: str, value: Any) -> str | Abridged:
    """Text of a value; digests are cut, since nobody reads all their 64 letters in a table."""
    return Abridged(value) if key in _DIGESTS and isinstance(value, str) else show(value)


def facts(pairs: Mapping[str, Any], caption: str = "") -> Table:
    """Two-column table of what is known; absent facts are left out."""
    texts = {key: show(value) for key, value in pairs.items()}
    rows = [[key, text] for key, text in texts.items() if text not in ("", ABSENT)]
    return Table(["", ""], rows, caption)
