"""Which columns travel with a map, and how finely, so that the file keeps to its budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from borderrisk.outputs.webmap.codec import (
    COARSE,
    FINE,
    MEDIUM,
    ROUGH,
    Neighbours,
    Reference,
    Scale,
    half_range,
    pack,
)
from borderrisk.outputs.webmap.metrics import Classed, Metric, available, classify, values_of
from borderrisk.outputs.webmap.view import View

DRIVERS = 3
# Cells drawn and bytes the whole file may take; straight lines between.
BUDGET = ((0, 2_000_000), (90_000, 2_000_000), (450_000, 5_000_000), (1_000_000, 10_000_000))
# Leaflet, the map's own script, relief, borders, places, incidents.
SHELL_BYTES = 560_000
# What a popup prints beside the metrics. Ranks are exact or absent.
EXTRAS = ("probability_low", "probability_high", "rank", "rank_low", "rank_high", "exposure")
EXACT = ("rank",)
ENDS = ("probability_low", "probability_high")
# Columns that mostly follow from another one.
FOLLOWS = dict.fromkeys(("risk", "intensity", *ENDS), "probability") | {"width": ENDS[1]}


@dataclass(frozen=True)
class Precision:
    """Levels columns are packed in: probability and risk, ends of its interval, all else."""

    scores: int
    ends: int
    others: int

    @property
    def refers(self) -> bool:
        """Whether columns are packed as differences: only worth its tables in large maps."""
        return self.scores < FINE


# From the finest to the coarsest, and the number of cells from which one is tried first.
PRECISIONS = (
    (0, Precision(FINE, FINE, MEDIUM)),
    (40_000, Precision(MEDIUM, MEDIUM, ROUGH)),
    (150_000, Precision(MEDIUM, ROUGH, COARSE)),
)


@dataclass(eq=False)
class Packed:
    """The columns of one map.

    Attributes
    ----------
    blobs : dict of str to str
        Packed text by column name; ``name.table`` belongs to column ``name``.
    scales : dict of str to dict
        How to unpack each column.
    legends : list of dict
        Classes of each metric that can be coloured by, in list order.
    dropped : list of str
        Columns left out to keep the budget.
    """

    blobs: dict[str, str] = field(default_factory=dict)
    scales: dict[str, dict[str, Any]] = field(default_factory=dict)
    legends: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    _codes: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all packed text."""
        return sum(map(len, self.blobs.values()))

    def add(
        self, name: str, codes: np.ndarray, scale: Scale, near: Neighbours, follows: str = ""
    ) -> None:
        """Pack one column, as differences to the column it ``follows`` if that is here."""
        wide = scale.levels > COARSE
        spec = scale.spec() | {"wide": wide}
        if name in FOLLOWS.values():
            self._codes[name] = codes
        if follows in self._codes:
            levels = self.scales[follows]["n"]
            reference = Reference.of(follows, self._codes[follows], codes, levels)
            self.blobs[f"{name}.table"] = pack(
                reference.table, Neighbours.in_line(levels + 1), wide=wide
            )
            codes = reference.differences(codes, half_range(wide=wide))
            spec["follows"] = follows
        self.blobs[name] = pack(codes, near, wide=wide)
        self.scales[name] = spec

    def drop(self, name: str) -> None:
        """Take a column out again."""
        for blob in (name, f"{name}.table"):
            self.blobs.pop(blob, None)
        self.scales.pop(name, None)
        self._codes.pop(name, None)
        self.dropped.append(name)


def budget(cells: int) -> int:
    """Bytes the columns of a map with so many cells may take."""
    counts, sizes = zip(*BUDGET, strict=True)
    if cells > counts[-1]:
        return int(sizes[-1] * cells / counts[-1]) - SHELL_BYTES
    return int(np.interp(cells, counts, sizes)) - SHELL_BYTES


def pack_columns(view: View) -> Packed:
    """Pack everything the map may show, as finely as its budget lets it.

    When even the coarsest precision is too much, columns that no longer fit are left out and named
    in ``dropped``; scores and what the popup needs come first, so features go first.
    """
    cells = int(view.mask.sum())
    room = budget(cells)
    tried = [precision for least, precision in PRECISIONS if cells < least]
    first = PRECISIONS[len(PRECISIONS) - len(tried) - 1][1]
    for precision in (first, *tried):
        packed = _pack(view, precision, room, last=precision is PRECISIONS[-1][1])
        if not packed.dropped:
            break
    return packed


def _pack(view: View, precision: Precision, room: int, *, last: bool) -> Packed:
    """Pack at one precision; gives up at the first column without room unless it is the last."""
    near, packed = Neighbours.of(view.mask), Packed()
    metrics = {metric.name: metric for metric in available(view)}
    for name in _by_importance(view, list(metrics)):
        if name in metrics:
            _add_metric(packed, view, metrics[name], near, precision)
        else:
            _add_extra(packed, view, name, near, precision)
        if packed.size > room:
            packed.drop(name)
            packed.legends = [legend for legend in packed.legends if legend["name"] != name]
            if not last:
                break
    order = list(metrics)
    packed.legends.sort(key=lambda legend: order.index(legend["name"]))
    return packed


def _by_importance(view: View, metrics: list[str]) -> list[str]:
    drivers = [f"driver_{k}{part}" for k in range(1, DRIVERS + 1) for part in ("", "_effect")]
    first = ["probability", "risk", "risk_change", "change", *ENDS, "trust", "intensity"]
    wanted = [*first, *drivers, "width", "susceptibility", "history", *_driver_features(view)]
    wanted += ["rank", "rank_low", "rank_high", "reporting", *metrics, "exposure"]
    known = set(metrics) | {n for n in (*EXTRAS, *drivers) if view.has(n)}
    return [name for name in dict.fromkeys(wanted) if name in known]


def _driver_features(view: View) -> list[str]:
    """Features named as a driver of some cell here, most often first."""
    counts: dict[str, int] = {}
    for k in range(1, DRIVERS + 1):
        name = f"driver_{k}"
        if not view.has(name):
            continue
        meanings = str(view.scene.cells[name].attrs.get("flag_meanings", "")).split()
        codes, times = np.unique(view.values(name).astype(int), return_counts=True)
        for code, n in zip(codes, times, strict=True):
            if 0 <= code < len(meanings):
                counts[meanings[code]] = counts.get(meanings[code], 0) + int(n)
    return sorted(counts, key=lambda feature: (-counts[feature], feature))


def _add_metric(
    packed: Packed, view: View, metric: Metric, near: Neighbours, precision: Precision
) -> None:
    area = view.area
    levels = _levels(metric.name, precision)
    classed: Classed = classify(metric, values_of(view, metric.name), area, levels)
    follows = FOLLOWS.get(metric.name, "") if precision.refers else ""
    packed.add(metric.name, classed.codes, classed.scale, near, follows)
    packed.legends.append(classed.legend(area))


def _add_extra(
    packed: Packed, view: View, name: str, near: Neighbours, precision: Precision
) -> None:
    values = values_of(view, name)
    if name in EXACT and np.nanmax(values) >= FINE:
        return
    scale = _extra_scale(name, values, _levels(name, precision))
    follows = FOLLOWS.get(name, "") if precision.refers else ""
    packed.add(name, scale.encode(values), scale, near, follows)


def _levels(name: str, precision: Precision) -> int:
    if name in ("probability", "risk", "risk_change", "intensity"):
        return precision.scores
    return precision.ends if name in ENDS else precision.others


def _extra_scale(name: str, values: np.ndarray, levels: int) -> Scale:
    effect = name.endswith("_effect")
    if name.startswith("driver_") and not effect:
        return Scale(0.0, 1.0, COARSE)
    if name in EXACT:
        return Scale(0.0, 1.0, FINE)
    return Scale.fitting(values, COARSE if name == "exposure" else levels, may_log=not effect)
