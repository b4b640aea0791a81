"""Which columns travel with a map, and how finely, so that the file keeps to its budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from borderrisk.outputs.webmap.codec import COARSE, FINE, MEDIUM, Neighbours, Scale, pack
from borderrisk.outputs.webmap.metrics import Classed, Metric, available, classify, values_of
from borderrisk.outputs.webmap.view import View

DRIVERS = 3
# Cells drawn and bytes the whole file may take; straight lines between.
BUDGET = ((0, 2_000_000), (90_000, 2_000_000), (450_000, 5_000_000), (1_000_000, 10_000_000))
# Leaflet, the map's own script, relief, borders, places, incidents.
SHELL_BYTES = 620_000
# What a popup prints beside the metrics. Ranks are exact or absent.
EXTRAS = ("probability_low", "probability_high", "rank", "rank_low", "rank_high", "exposure")
EXACT = ("rank",)


@dataclass(eq=False)
class Packed:
    """The columns of one map.

    Attributes
    ----------
    blobs : dict of str to str
        Packed text by column name.
    scales : dict of str to dict
        How to unpack each.
    legends : list of dict
        Classes of each metric that can be coloured by, in list order.
    dropped : list of str
        Columns left out to keep the budget.
    """

    blobs: dict[str, str] = field(default_factory=dict)
    scales: dict[str, dict[str, Any]] = field(default_factory=dict)
    legends: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of all packed text."""
        return sum(map(len, self.blobs.values()))

    def add(self, name: str, codes: np.ndarray, scale: Scale, near: Neighbours) -> None:
        """Pack one column under a name."""
        wide = scale.levels > COARSE
        self.blobs[name] = pack(codes, near, wide=wide)
        self.scales[name] = scale.spec() | {"wide": wide}


def budget(cells: int) -> int:
    """Bytes the columns of a map with so many cells may take."""
    counts, sizes = zip(*BUDGET, strict=True)
    if cells > counts[-1]:
        return int(sizes[-1] * cells / counts[-1]) - SHELL_BYTES
    return int(np.interp(cells, counts, sizes)) - SHELL_BYTES


def pack_columns(view: View) -> Packed:
    """Pack everything the map may show, most important first, coarser as room runs out.

    A column that no longer fits at 254 levels is left out and named in ``dropped``; scores and what
    the popup needs come first, so features go first.
    """
    near = Neighbours.of(view.mask)
    room = budget(int(view.mask.sum()))
    packed = Packed()
    metrics = {metric.name: metric for metric in available(view)}
    for name in _by_importance(view, list(metrics)):
        if name in metrics:
            _add_metric(packed, view, metrics[name], near, room)
        else:
            _add_extra(packed, view, name, near, room)
    order = list(metrics)
    packed.legends.sort(key=lambda legend: order.index(legend["name"]))
    return packed


def _by_importance(view: View, metrics: list[str]) -> list[str]:
    drivers = [f"driver_{k}{part}" for k in range(1, DRIVERS + 1) for part in ("", "_effect")]
    first = ["risk", "risk_change", "probability", "probability_low", "probability_high", "trust"]
    wanted = [*first, *drivers, "width", "susceptibility", "history", "rank", "intensity"]
    wanted += [*_driver_features(view), "rank_low", "rank_high", "reporting", *metrics, "exposure"]
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


def _add_metric(packed: Packed, view: View, metric: Metric, near: Neighbours, room: int) -> None:
    values, area = values_of(view, metric.name), view.area
    for levels in dict.fromkeys((_finest(metric.levels, packed, room), COARSE)):
        classed: Classed = classify(metric, values, area, levels)
        packed.add(metric.name, classed.codes, classed.scale, near)
        if packed.size <= room:
            packed.legends.append(classed.legend(area))
            return
    _drop(packed, metric.name)


def _add_extra(packed: Packed, view: View, name: str, near: Neighbours, room: int) -> None:
    values = values_of(view, name)
    for levels in dict.fromkeys((_levels_of(name, packed, room), COARSE)):
        scale = _extra_scale(name, values, levels)
        if scale is None:
            break
        packed.add(name, scale.encode(values), scale, near)
        if packed.size <= room:
            return
    _drop(packed, name)


def _finest(levels: int, packed: Packed, room: int) -> int:
    """Full precision while more than half of the room is left, then 4,096 levels."""
    return levels if packed.size < room / 2 else min(levels, MEDIUM)


def _levels_of(name: str, packed: Packed, room: int) -> int:
    if name.endswith("_effect"):
        return MEDIUM
    if name.startswith("driver_") or name == "exposure":
        return COARSE
    return FINE if name in EXACT else _finest(FINE, packed, room)


def _extra_scale(name: str, values: np.ndarray, levels: int) -> Scale | None:
    if name.startswith("driver_") and not name.endswith("_effect"):
        return Scale(0.0, 1.0, COARSE)
    if name in EXACT:
        return Scale(0.0, 1.0, FINE) if np.nanmax(values) < FINE else None
    return Scale.fitting(values, levels, may_log=not name.endswith("_effect"))


def _drop(packed: Packed, name: str) -> None:
    packed.blobs.pop(name, None)
    packed.scales.pop(name, None)
    packed.dropped.append(name)
