"""What the map can colour cells by, and the classes each is drawn in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from borderrisk.features import catalogue
from borderrisk.model.scores import CLASS_EDGES
from borderrisk.outputs.webmap.codec import COARSE, Scale, snap
from borderrisk.outputs.webmap.palette import RAMPS, ramp
from borderrisk.outputs.webmap.view import View

RISK_SHARES = tuple(edge / 100 for edge in CLASS_EDGES)
EVEN_SHARES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Metric:
    """One entry of the list of layers.

    Attributes
    ----------
    name : str
        Variable on the grid; ``width`` is made from the interval's ends.
    ramp : str
        Name in :data:`borderrisk.outputs.webmap.palette.RAMPS`.
    shares : tuple of float
        Area shares at which classes begin (ignored when ``breaks`` is given).
    breaks : tuple of float
        Values at which classes begin.
    group : str
        Heading in the list: ``scores``, a feature group or ``other``.
    """

    name: str
    ramp: str = "viridis"
    shares: tuple[float, ...] = EVEN_SHARES
    breaks: tuple[float, ...] = ()
    group: str = "scores"


# Where two runs are compared, the map opens on what changed.
SCORES: tuple[Metric, ...] = (
    Metric("risk_change", "diverging"),
    Metric("change", "change", breaks=(1, 2)),
    Metric("risk", "inferno", breaks=CLASS_EDGES),
    Metric("probability", "inferno", RISK_SHARES),
    Metric("intensity", "inferno", RISK_SHARES),
    Metric("width", "cividis"),
    Metric("susceptibility", "teal", RISK_SHARES),
    Metric("history", "teal", RISK_SHARES),
    Metric("reporting", "teal"),
    Metric("trust", "trust", breaks=(1, 2, 3)),
)
CODED = ("trust", "change")
# Variables that are never a layer of their own.
_PARTS = re.compile(r"driver_\d+(_effect)?|rank.*|.*_(low|high)|risk_class|exposure|domain")


def values_of(view: View, name: str) -> np.ndarray:
    """Values of a metric on the scored cells; −1 of a coded variable is NaN.

    Examples
    --------
    ``width`` is ``probability_high - probability_low``.
    """
    if name == "width":
        return view.values("probability_high") - view.values("probability_low")
    values = view.values(name)
    if "flag_values" in view.scene.cells[name].attrs:
        values = np.where(values < 0, np.nan, values)
    return values


def available(view: View) -> list[Metric]:
    """Metrics the scene holds: scores first, then its features in their order."""
    ends = view.has("probability_low") and view.has("probability_high")
    scores = [m for m in SCORES if (ends if m.name == "width" else view.has(m.name))]
    names = catalogue.feature_names(view.scene.cells)
    features = [
        Metric(name, group=catalogue.feature(name).group) for name in names if view.has(name)
    ]
    return scores + features + [Metric(name, group=group) for name, group in _others(view, names)]


def _others(view: View, features: list[str]) -> list[tuple[str, str]]:
    """Further variables on the grid that say what they are, each with its heading."""
    known = {metric.name for metric in SCORES} | set(features)
    return [
        (str(name), str(variable.attrs.get("group", "other")))
        for name, variable in view.scene.cells.data_vars.items()
        if variable.dtype.kind == "f" and variable.attrs.get("long_name")
        if name not in known and not _PARTS.fullmatch(str(name)) and view.has(str(name))
    ]


@dataclass(frozen=True, eq=False)
class Classed:
    """A metric's codes on the cells and the classes they fall in.

    Attributes
    ----------
    metric : Metric
        Which.
    scale : Scale
        Of the codes.
    codes : ndarray of uint16, shape (cells,)
        Packed values, each on its own side of every break.
    breaks : ndarray
        Values at which classes 2, 3, ... begin.
    edges : ndarray of int
        The same as codes.
    """

    metric: Metric
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
        return {
            "name": self.metric.name,
            "group": self.metric.group,
            "breaks": self.breaks.tolist(),
            "edges": self.edges.tolist(),
            "colours": _colours(self.metric, classes),
            "counts": np.bincount(which, minlength=classes).tolist(),
            "shares": np.round(weight / total, 6).tolist(),
            "kind": _kind(self.metric),
            "range": _range(self.scale.decode(self.codes)),
        }


def classify(metric: Metric, values: np.ndarray, area: np.ndarray, levels: int) -> Classed:
    """Quantise the values of a metric and sort them into its classes."""
    scale = _scale(metric, values, levels)
    breaks = _breaks(metric, values, area)
    edges, first = np.unique(scale.edge_codes(breaks), return_index=True)
    breaks = breaks[first]
    codes = snap(scale.encode(values), values, breaks, edges)
    return Classed(metric, scale, codes, breaks, edges)


def _scale(metric: Metric, values: np.ndarray, levels: int) -> Scale:
    if metric.name in CODED:
        return Scale(0.0, 1.0, COARSE)
    if metric.name == "risk":
        return Scale(0.0, 100 / (levels - 1), levels)
    return Scale.fitting(values, levels)


def _colours(metric: Metric, classes: int) -> list[str]:
    if metric.name in CODED:
        return list(RAMPS[metric.ramp])
    return ramp(metric.ramp, classes)


def _kind(metric: Metric) -> str:
    if metric.name in CODED:
        return "codes"
    return "diverging" if metric.name == "risk_change" else "sequential"


def _range(values: np.ndarray) -> list[float]:
    finite = values[np.isfinite(values)]
    return [float(finite.min()), float(finite.max())] if finite.size else [0.0, 0.0]


def _breaks(metric: Metric, values: np.ndarray, area: np.ndarray) -> np.ndarray:
    if metric.breaks:
        return np.asarray(metric.breaks, float)
    if metric.name == "risk_change":
        return _symmetric_breaks(values)
    return share_breaks(values, area, metric.shares)


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
