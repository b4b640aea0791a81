"""Which columns travel with a map, how finely, and the classes each is drawn in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from borderrisk.features import catalogue
from borderrisk.outputs.palette import RAMPS, ramp
from borderrisk.outputs.webmap.codec import (
    COARSE,
    FINE,
    MEDIUM,
    ROUGH,
    Neighbours,
    Reference,
    Scale,
    alike,
    pack,
    snap,
)
from borderrisk.outputs.webmap.view import FACTS, View, said
from borderrisk.scores import CLASS_EDGES, Score, as_index, by_name, meanings, shown

RISK_SHARES = tuple(edge / 100 for edge in CLASS_EDGES)
EVEN_SHARES = (0.2, 0.4, 0.6, 0.8)
# Cells drawn and bytes the whole file may take; straight lines between.
BUDGET = ((0, 2_000_000), (90_000, 2_000_000), (450_000, 5_000_000), (1_000_000, 10_000_000))
# Leaflet, the map's own script, relief, borders, places, incidents, where nobody counted them.
SHELL_BYTES = 560_000
# Where features come in the order of packing: those named as a driver, and all others.
NAMED, OTHERS = 21, 80
DRIVERS = ("driver_1", "driver_2", "driver_3")


@dataclass(frozen=True)
class Precision:
    """Levels columns are packed in: probability and risk, their ends, all else, drivers."""

    fine: int
    ends: int
    rough: int
    named: int

    @property
    def refers(self) -> bool:
        """Whether columns are packed as differences: only worth its tables in large maps."""
        return self.fine < FINE

    def levels(self, layer: Score, *, named: bool = False) -> int:
        """Levels of one column; ``named`` features are said in sentences."""
        known = {"fine": self.fine, "ends": self.ends, "coarse": COARSE, "exact": FINE}
        return known.get(layer.precision, self.named if named else self.rough)


# From the finest to the coarsest, and the number of cells from which one is tried first.
PRECISIONS = (
    (0, Precision(FINE, FINE, MEDIUM, FINE)),
    (40_000, Precision(MEDIUM, MEDIUM, ROUGH, ROUGH)),
    (150_000, Precision(MEDIUM, ROUGH, COARSE, COARSE)),
)


def described(
    name: str, attrs: Mapping[str, Any] | None = None, places: Mapping[str, str] | None = None
) -> Score | None:
    """Describe any variable: a score, a feature, or one that says itself what it is.

    Its own attributes ``attrs`` have ``long_name``; ``places`` are the Persian names of places by
    :func:`borderrisk.words.slug`. None if nothing is known of it.
    """
    if name in by_name():
        return by_name()[name]
    if catalogue.is_feature(name):
        known = catalogue.feature(name, places)
        source = str((attrs or {}).get("source", known.source))
        note = " · ".join(part for part in (source, known.citation) if part)
        return Score(
            name, known.units, known.long_name, known.long_name, known.fa, note, note, known.units,
            group=known.group, packed=OTHERS,
        )  # fmt: skip
    if not attrs or not attrs.get("long_name"):
        return None
    label, unit = str(attrs["long_name"]), str(attrs.get("units", ""))
    return Score(
        name, unit, label, label, catalogue.persian(name, places) or label, format=unit,
        group=str(attrs.get("group", "other")), packed=OTHERS,
    )  # fmt: skip


def label_json(layer: Score) -> dict[str, Any]:
    """Label, unit and explanation in both languages."""
    return {
        "en": layer.en or layer.long_name, "fa": layer.fa or layer.long_name,
        "units": layer.format, "note": {"en": layer.note_en, "fa": layer.note_fa},
    }  # fmt: skip


def available(view: View) -> list[Score]:
    """List what the map can be coloured by: scores first, then features, then other variables."""
    scores = [layer for layer in shown("layer") if _has(view, layer)]
    if view.scene.is_index:
        scores = [as_index(layer) for layer in scores]
    cells = view.scene.cells
    features = catalogue.feature_names(cells)
    # Further variables on the grid that say what they are.
    others = (
        str(name)
        for name, variable in cells.data_vars.items()
        if variable.dtype.kind == "f" and variable.attrs.get("long_name")
        if name not in features and name != "domain" and name not in by_name()
    )
    names = (name for name in (*features, *others) if view.has(name))
    found = (described(name, cells[name].attrs, view.places) for name in names)
    return scores + [layer for layer in found if layer is not None]


def _has(view: View, layer: Score) -> bool:
    """Whether there is what a layer is drawn from."""
    names = by_name()[layer.width_of].bounds if layer.width_of else (layer.name,)
    return all(map(view.has, names))


def values_of(view: View, layer: Score) -> np.ndarray:
    """Values of a layer on the scored cells; −1 of a coded variable is NaN."""
    if layer.width_of:
        low, high = map(view.values, by_name()[layer.width_of].bounds)
        return high - low
    values = view.values(layer.name)
    if "flag_values" in view.scene.cells[layer.name].attrs:
        values = np.where(values < 0, np.nan, values)
    return values


@dataclass(frozen=True, eq=False)
class Classed:
    """A layer's codes on the cells and the classes they fall in.

    ``codes`` are uint16 of shape (cells,), each on its own side of every break; ``breaks`` are the
    values at which classes 2, 3, ... begin, ``edges`` are these as codes.
    """

    layer: Score
    scale: Scale
    codes: np.ndarray
    breaks: np.ndarray
    edges: np.ndarray

    def legend(self, area: np.ndarray) -> dict[str, Any]:
        """JSON-ready classes: breaks, code edges, colours, cells and area share of each."""
        classes = len(self.edges) + 1
        known = self.codes != self.scale.levels
        which = np.searchsorted(self.edges, self.codes[known], side="right")
        weight = np.bincount(which, area[known], minlength=classes)
        total = weight.sum() or 1.0
        coded = self.layer.cuts == "codes"
        values = self.scale.decode(self.codes)
        finite = values[np.isfinite(values)]
        colours, dark = (
            list(RAMPS[self.layer.ramp][:classes])
            if coded
            else ramp(self.layer.ramp, classes, dark=on_dark)
            for on_dark in (False, True)
        )
        return {
            "name": self.layer.name,
            "group": self.layer.group,
            "breaks": self.breaks.tolist(),
            "edges": self.edges.tolist(),
            "colours": colours,
            "dark": dark,
            "counts": np.bincount(which, minlength=classes).tolist(),
            "shares": np.round(weight / total, 6).tolist(),
            "kind": {"codes": "codes", "zero": "diverging"}.get(self.layer.cuts, "sequential"),
            "range": [float(finite.min()), float(finite.max())] if finite.size else [0.0, 0.0],
            "label": label_json(self.layer),
        }


def classify(layer: Score, values: np.ndarray, area: np.ndarray, levels: int) -> Classed:
    """Quantise the values of a layer and sort them into its classes."""
    scale = _scale(layer, values, levels)
    breaks = _breaks(layer, values, area)
    edges, first = np.unique(scale.edge_codes(breaks), return_index=True)
    breaks = breaks[first]
    codes = snap(encoded(layer, values, scale), values, breaks, edges)
    return Classed(layer, scale, codes, breaks, edges)


def encoded(layer: Score, values: np.ndarray, scale: Scale) -> np.ndarray:
    """Codes of values; of numbers in sentences those that are said like them."""
    codes = scale.encode(values)
    if layer.cuts == "codes" or layer.precision in ("exact", "coarse"):
        return codes
    return alike(codes, values, scale, lambda numbers: said(numbers, layer))


def _scale(layer: Score, values: np.ndarray, levels: int) -> Scale:
    if layer.precision == "exact":
        return Scale(0.0, 1.0, levels)
    if layer.cuts == "codes":
        return Scale(0.0, 1.0, COARSE)
    if layer.cuts == "class":
        return Scale(0.0, 100 / (levels - 1), levels)
    return Scale.fitting(values, levels, may_log=layer.cuts != "zero")


def _breaks(layer: Score, values: np.ndarray, area: np.ndarray) -> np.ndarray:
    if layer.cuts == "codes":
        return np.arange(1.0, len(layer.words))
    if layer.cuts == "class":
        return np.asarray(CLASS_EDGES, float)
    if layer.cuts == "zero":
        return _symmetric_breaks(values)
    return share_breaks(values, area, RISK_SHARES if layer.cuts == "area" else EVEN_SHARES)


def share_breaks(values: np.ndarray, area: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """Values below which given shares of the area lie, rounded as far as they stay apart.

    Fewer breaks come back when the values do not spread over that many classes.
    """
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(0)
    order = np.argsort(values[known], kind="stable")
    ordered = values[known][order]
    below = np.cumsum(area[known][order])
    at = np.searchsorted(below, np.asarray(shares) * below[-1], side="right")
    exact = ordered[np.minimum(at, len(ordered) - 1)]
    for digits in (2, 3, 4, 6):
        rounded = np.array([float(f"{value:.{digits}g}") for value in exact])
        if len(np.unique(rounded)) == len(np.unique(exact)):
            break
    breaks = np.unique(rounded)
    return breaks[(breaks > ordered[0]) & (breaks <= ordered[-1])]


def _symmetric_breaks(values: np.ndarray) -> np.ndarray:
    """Six breaks around zero, so that the middle class means "hardly any change"."""
    size = np.abs(values[np.isfinite(values)])
    top = float(f"{np.quantile(size, 0.97) or 1.0:.2g}") if size.size else 1.0
    steps = top * np.array([0.1, 0.4, 1.0])
    return np.concatenate([-steps[::-1], steps])


@dataclass(eq=False)
class Packed:
    """The columns of one map.

    ``blobs`` has packed text by column (``name.table`` belongs to ``name``), ``scales`` how to
    unpack each, ``legends`` the classes of each layer that can be coloured by, in list order,
    ``dropped`` the columns left out to keep the budget.
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
        if any(name == other.follows for other in (*shown("layer"), *shown("popup"))):
            self._codes[name] = codes
        if follows in self._codes:
            levels = self.scales[follows]["n"]
            reference = Reference.of(follows, self._codes[follows], codes, levels)
            line = Neighbours.in_line(levels + 1)
            self.blobs[f"{name}.table"] = pack(reference.table, line, wide=wide)
            codes = reference.differences(codes, wide=wide)
            spec["follows"] = follows
        self.blobs[name] = pack(codes, near, wide=wide)
        self.scales[name] = spec

    def drop(self, name: str) -> None:
        """Take a column out again."""
        for blob in (name, f"{name}.table"):
            self.blobs.pop(blob, None)
        self.scales.pop(name, None)
        self._codes.pop(name, None)
        self.legends = [legend for legend in self.legends if legend["name"] != name]
        self.dropped.append(name)


def budget(cells: int, shell: int = SHELL_BYTES) -> int:
    """Bytes the columns of a map with so many cells may take beside the ``shell`` of the page.

    Half of all at least: however much lies beside, a map shows its scores.
    """
    counts, sizes = zip(*BUDGET, strict=True)
    whole = float(np.interp(cells, counts, sizes)) * max(1, cells / counts[-1])
    return int(max(whole - shell, whole / 2))


def pack_columns(view: View, shell: int = SHELL_BYTES) -> Packed:
    """Pack everything the map may show, as finely as its budget lets it beside the ``shell``.

    When even the coarsest precision is too much, columns that no longer fit are left out and named
    in ``dropped``; scores and what the popup needs come first, so features go first.
    """
    cells = int(view.mask.sum())
    room = budget(cells, shell)
    first = sum(cells >= least for least, _ in PRECISIONS) - 1
    for _, precision in PRECISIONS[first:]:
        packed = _pack(view, precision, room, last=precision is PRECISIONS[-1][1])
        if not packed.dropped:
            break
    return packed


def _pack(view: View, precision: Precision, room: int, *, last: bool) -> Packed:
    """Pack at one precision; gives up at the first column without room unless it is the last."""
    near, packed, area = Neighbours.of(view.mask), Packed(), view.area
    layers = available(view)
    drawn = {layer.name: k for k, layer in enumerate(layers)}
    drivers = set(_driver_features(view))
    for layer in _by_importance(view, layers):
        values = values_of(view, layer)
        levels = precision.levels(layer, named=layer.name in drivers)
        follows = layer.follows if precision.refers else ""
        if layer.name in drawn:
            classed = classify(layer, values, area, levels)
            packed.add(layer.name, classed.codes, classed.scale, near, follows)
            packed.legends.append(classed.legend(area))
        elif layer.precision != "exact" or np.nanmax(values, initial=0) < FINE:
            scale = _scale(layer, values, levels)
            packed.add(layer.name, encoded(layer, values, scale), scale, near, follows)
        if packed.size > room:
            packed.drop(layer.name)
            if not last:
                break
    packed.legends.sort(key=lambda legend: drawn[legend["name"]])
    return packed


def _by_importance(view: View, layers: list[Score]) -> list[Score]:
    """All columns: layers and what a popup reads besides, the most needed first."""
    drawn = {layer.name for layer in layers}
    read = (*shown("popup"), *FACTS)
    further = [extra for extra in read if extra.name not in drawn and _has(view, extra)]
    columns, drivers = [*layers, *further], _driver_features(view)

    def place(k: int) -> tuple[int, int]:
        named = columns[k].packed == OTHERS and columns[k].name in drivers
        return (NAMED, drivers.index(columns[k].name)) if named else (columns[k].packed, k)

    return [columns[k] for k in sorted(range(len(columns)), key=place)]


def _driver_features(view: View) -> list[str]:
    """Features named as a driver of some cell here, most often first."""
    counts: dict[str, int] = {}
    for name in DRIVERS:
        if not view.has(name):
            continue
        words = meanings(view.scene.cells[name])
        codes, times = np.unique(view.values(name).astype(int), return_counts=True)
        for code, n in zip(codes, times, strict=True):
            if code in words:
                counts[words[code]] = counts.get(words[code], 0) + int(n)
    return sorted(counts, key=lambda feature: (-counts[feature], feature))
