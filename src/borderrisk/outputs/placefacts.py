"""What is known of a place, in numbers and codes: read off a scene for cells and groups of cells.

:mod:`borderrisk.outputs.reasons` says by which rules, and puts the words to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
from scipy.spatial import cKDTree

from borderrisk.outputs.reasons import LEAST, PARTS, Amount, Because, Facts
from borderrisk.outputs.scene import Scene
from borderrisk.scores import DAYS_PER_YEAR, PART_SIZE, chance_of, expected_count, meanings
from borderrisk.words import Near, nearest_places

# A border line or a target farther than this is no reason, unless it is the nearest of them.
LINE_KM, TARGET_HOURS = 150.0, 40.0
MOST, COMPARED = 3, 50
_LINE = re.compile(r"(?:border_distance_|hours_from_border_)([a-z]{3})(?:_km)?")
_HOME = "hours_to_home_settlement"
Named = tuple[tuple[int, float], ...]
Reasons = tuple[Because, ...]


def whole_shares(shares: np.ndarray) -> np.ndarray:
    """Whole per cent of shares that add to 1, by largest remainders; (places, parts) of int.

    Examples
    --------
    >>> whole_shares(np.array([[0.335, 0.335, 0.33, 0.0]])).tolist()
    [[34, 33, 33, 0]]
    """
    exact = 100 * np.asarray(shares, float)
    whole = np.floor(exact + 1e-9)
    left = np.round(100 - whole.sum(axis=1)).astype(int)
    order = np.argsort(whole - exact, axis=1, kind="stable")
    place = np.argsort(order, axis=1, kind="stable")
    return np.asarray(whole + (place < left[:, None]), dtype=int)


def breaks_of(values: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Values below or at which 1, 2, ... 99 % of the area lie, (99,); empty if none is known."""
    known = np.isfinite(values) & (area > 0)
    if not known.any():
        return np.zeros(0)
    order = np.argsort(values[known], kind="stable")
    below = np.cumsum(area[known][order])
    at = np.searchsorted(below, below[-1] * np.arange(1, 100) / 100 * (1 - 1e-12))
    return np.asarray(values[known][order][at], float)


def compared(value: np.ndarray, breaks: np.ndarray) -> np.ndarray:
    """Per cent of the area with less than a value, or, negative, with more; 0 below a half.

    Examples
    --------
    >>> compared(np.array([0.0, 71.5, 50.0]), np.arange(1.0, 100.0)).tolist()
    [-99, 71, 0]
    """
    if not len(breaks):
        return np.zeros(np.shape(value), int)
    more = np.searchsorted(breaks, value, side="left")
    less = 99 - np.searchsorted(breaks, value, side="right")
    than = np.where(more >= less, more, -less)
    return np.where((np.abs(than) >= COMPARED) & np.isfinite(value), than, 0)


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads the facts of the scored cells of a scene, numbered row by row, and of groups of them.

    ``mask`` marks the scored cells on the grid, ``by`` is the score that ranks them.
    """

    scene: Scene
    mask: np.ndarray
    by: str
    _kept: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, scene: Scene) -> Reader:
        """Prepare to read a scene with intensities, or an index."""
        by = "risk" if scene.is_index else "intensity"
        scored = np.isfinite(scene.cells[by].to_numpy())
        return cls(scene, scored & (scene.cells["exposure"].to_numpy() > 0), by)

    def values(self, name: str) -> np.ndarray:
        """Return a variable of the scored cells; NaN where the scene does not have it."""
        if name not in self._kept:
            here = self.scene.cells.get(name)
            nothing = np.full(int(self.mask.sum()), np.nan)
            self._kept[name] = nothing if here is None else here.to_numpy()[self.mask].astype(float)
        return self._kept[name]

    def _three(self, name: str) -> np.ndarray:
        return np.stack([self.values(name.format(k)) for k in (1, 2, 3)], axis=1)

    @cached_property
    def area(self) -> np.ndarray:
        """Share of each cell that is scored."""
        return self.values("exposure")

    @cached_property
    def expected(self) -> np.ndarray:
        """Incidents, and their lower and upper bound, (cells, 3)."""
        found = self._amounts("expected")
        if "expected" not in self.scene.cells and "intensity" in self.scene.cells:
            grid, days = self.scene.grid, self.scene.meta.horizon_days or DAYS_PER_YEAR
            area = self.area * grid.cell_area_km2 / 100
            found[:, 0] = expected_count(self.values("intensity"), area, days)
        return found

    @cached_property
    def shares(self) -> np.ndarray:
        """Exact shares of the parts, (cells, 4); NaN if the scene does not have them all."""
        found = np.stack([self.values(f"share_{name}") for name in PARTS], axis=1)
        some = np.isfinite(found).any(axis=1, keepdims=True)
        found = np.where(some, np.nan_to_num(found), np.nan)
        return np.where(np.abs(found.sum(axis=1, keepdims=True) - 1) < 1e-3, found, np.nan)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Features that the codes of the drivers stand for."""
        first = self.scene.cells.get("driver_1")
        return () if first is None else tuple(meanings(first).values())

    @cached_property
    def codes(self) -> np.ndarray:
        """Position in ``features`` of each driver, (cells, 3); −1 for none."""
        if not self.features:
            return np.full((len(self.area), MOST), -1)
        found = self._three("driver_{}")
        known = np.array(list(meanings(self.scene.cells["driver_1"])))
        at = np.clip(np.searchsorted(known, found), 0, len(known) - 1)
        return np.where(known[at] == found, at, -1)

    @cached_property
    def driver_values(self) -> np.ndarray:
        """Value of each driver's feature, (cells, 3)."""
        found = np.full(self.codes.shape, np.nan)
        for code, name in enumerate(self.features):
            here = self.codes == code
            if here.any():
                found[here] = np.broadcast_to(self.values(name)[:, None], here.shape)[here]
        return found

    @cached_property
    def moved(self) -> np.ndarray:
        """What each driver adds to the expected incidents, as a share of them, (cells, 3).

        Nothing where it is no reason: too little, unknown, or a line too far off.
        """
        effect = self._three("driver_{}_effect")
        # Without shares all of it is the ground's.
        open_ = np.where(np.isfinite(self.shares[:, 0]), self.shares[:, 2:].sum(axis=1), 1.0)
        moved = open_[:, None] * -np.expm1(-np.nan_to_num(effect))
        known = (self.codes >= 0) & np.isfinite(self.driver_values)
        return np.where(known & self._near_enough, moved, 0.0)

    @cached_property
    def named(self) -> dict[str, tuple[str, float]]:
        """Features called after a line or target: what tells how far it is, and how far is far."""
        found = {}
        for name in self.features:
            if match := _LINE.fullmatch(name):
                found[name] = (f"border_distance_{match[1]}_km", LINE_KM)
            elif name.startswith("hours_to_") and name != _HOME:
                found[name] = (name, TARGET_HOURS)
        return found

    @cached_property
    def away(self) -> dict[str, np.ndarray]:
        """Distances (km) of all lines and times (h) to all targets, by variable."""
        names = [str(name) for name in self.scene.cells.data_vars if name != _HOME]
        return {n: self.values(n) for n in names if n.startswith("hours_to_")
                or (n.startswith("border_distance_") and _LINE.fullmatch(n))}  # fmt: skip

    def _is_near(self, name: str, away: Mapping[str, Any]) -> Any:
        """Whether what a feature is called after is the nearest of its kind, or within reach."""
        told, reach = self.named[name]
        if told not in away:
            return False
        kind = told[:9]
        least = np.min([its for other, its in away.items() if other[:9] == kind], axis=0)
        return (away[told] <= reach) | (away[told] <= least)

    @cached_property
    def _near_enough(self) -> np.ndarray:
        """Whether each driver is called after nothing, or after what is near."""
        fine = np.ones(self.codes.shape, bool)
        for code, name in enumerate(self.features):
            if name in self.named:
                near = np.broadcast_to(self._is_near(name, self.away), len(fine))
                fine &= (self.codes != code) | near[:, None]
        return fine

    @cached_property
    def breaks(self) -> dict[str, np.ndarray]:
        """Values of each driver's feature at 1 to 99 % of the area, and of ``far``."""
        found = {name: breaks_of(self.values(name), self.area) for name in self.features}
        return found | {"far": breaks_of(self.far, self.area)}

    @cached_property
    def than(self) -> np.ndarray:
        """How each driver's value compares, as :attr:`Because.than`, (cells, 3)."""
        found = np.zeros(self.codes.shape, int)
        for code, name in enumerate(self.features):
            here = self.codes == code
            found[here] = compared(self.driver_values[here], self.breaks[name])
        return found

    @cached_property
    def xy(self) -> np.ndarray:
        """Centres of the cells, metres, (cells, 2)."""
        return np.stack([axis[self.mask] for axis in self.scene.grid.centres()], axis=1)

    @cached_property
    def incident_xy(self) -> np.ndarray:
        """Incidents of the scene, metres, (incidents, 2)."""
        points = self.scene.incidents.geometry
        return np.stack(self.scene.grid.project(points.x, points.y), axis=1).reshape(-1, 2)

    @cached_property
    def far(self) -> np.ndarray:
        """Kilometres from each cell to the nearest earlier incident; NaN if there is none."""
        if not len(self.incident_xy):
            return np.full(len(self.area), np.nan)
        return np.asarray(cKDTree(self.incident_xy).query(self.xy)[0] / 1000)

    @cached_property
    def far_than(self) -> np.ndarray:
        """How ``far`` compares, as :attr:`Because.than`, (cells,)."""
        return compared(self.far, self.breaks["far"])

    @cached_property
    def behind(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Rows and shares of the incidents behind each cell, (cells, 3), and how many are reasons.

        None if the model cannot say.
        """
        if "incident_1" not in self.scene.cells:
            return None
        rows, shares = self._three("incident_{}"), self._three("incident_{}_share")
        if not (rows >= 0).any():
            return None
        return rows.astype(int), shares, np.nan_to_num(self.values("incident_reasons")).astype(int)

    def places(self, rows: Any = None) -> list[Near | None]:
        """Return the nearest settlement of some cells (default: all)."""
        xy = self.xy if rows is None else self.xy[rows]
        points = gpd.GeoSeries.from_xy(xy[:, 0], xy[:, 1], crs=self.scene.grid.crs)
        return nearest_places(self.scene.settlements, points)

    @cached_property
    def _words(self) -> tuple[np.ndarray, dict[int, str]]:
        """Codes of trust, and what they mean."""
        if "trust" not in self.scene.cells:
            return np.full(len(self.area), -1), {}
        return self.values("trust").astype(int), meanings(self.scene.cells["trust"])

    def cells(self, rows: np.ndarray | None = None) -> list[Facts]:
        """Return the facts of some scored cells (default: all), by their number."""
        rows = np.arange(len(self.area)) if rows is None else np.asarray(rows, int)
        shares = np.full((len(rows), len(PARTS)), -1)
        known = np.isfinite(self.shares[rows, 0])
        shares[known] = whole_shares(self.shares[rows][known])
        codes, words = self._words
        found = zip(
            self.expected[rows].tolist(), self._amounts("probability")[rows].tolist(),
            np.nan_to_num(self.values("risk_class"))[rows].astype(int).tolist(),
            self._amounts("rank")[rows].tolist(), shares.tolist(), self._incidents_of(rows),
            self._features_of(rows), self.far[rows].tolist(), self.far_than[rows].tolist(),
            codes[rows].tolist(),
            strict=True,
        )  # fmt: skip
        return [
            Facts(
                Amount(*expected), Amount(*chance), risk_class, Amount(*rank), len(self.area),
                tuple(share) if share[0] >= 0 else (), incidents[0], incidents[1], features[0],
                features[1], Because("far", far, than) if than > 0 else None, words.get(code, ""),
            )
            for expected, chance, risk_class, rank, share, incidents, features, far, than, code
            in found
        ]  # fmt: skip

    def _amounts(self, name: str) -> np.ndarray:
        """Return a score and its bounds, (cells, 3)."""
        return np.stack([self.values(f"{name}{end}") for end in ("", "_low", "_high")], axis=1)

    def _incidents_of(self, cells: np.ndarray) -> list[tuple[Named, int | None]]:
        if self.behind is None:
            return [((), None)] * len(cells)
        rows, shares, reasons = (part[cells] for part in self.behind)
        named = (rows >= 0) & (shares >= LEAST)
        away = self.incident_xy[rows] - self.xy[cells][:, None]
        km = np.hypot(away[..., 0], away[..., 1]) / 1000
        further = np.maximum(reasons - named.sum(axis=1), 0).tolist()
        listed = zip(named.tolist(), rows.tolist(), km.tolist(), strict=True)
        pairs = [tuple((r, d) for n, r, d in zip(*its, strict=True) if n) for its in listed]
        return list(zip(pairs, further, strict=True))

    def _features_of(self, cells: np.ndarray) -> list[tuple[Reasons, Reasons]]:
        names = self.features
        ground = ~(self.shares[cells, 2] < LEAST)
        each = zip(
            ground.tolist(), self.moved[cells].tolist(), self.codes[cells].tolist(),
            self.driver_values[cells].tolist(), self.than[cells].tolist(), strict=True,
        )  # fmt: skip
        found = []
        for ground_counts, moved, codes, values, than in each:
            why = [
                (m, Because(names[c], v, t))
                for m, c, v, t in zip(moved, codes, values, than, strict=True)
                if abs(m) >= LEAST
            ]
            raising = tuple(b for m, b in why if m > 0 and ground_counts)
            found.append((raising, tuple(b for m, b in why if m < 0)))
        return found

    def group(
        self, weight: np.ndarray, expected: Amount | None = None,
        at: tuple[float, float] | None = None,
    ) -> Facts:  # fmt: skip
        """Return the facts of a group: ``weight`` is the share of each scored cell that is in it.

        ``expected`` is what is known better of it than the sums of the cells: the bounds of sums
        are taken as the sums of the bounds, wider than refits of the whole would have them.
        Incidents are so far from ``at`` (metres); without it no distance is said.
        """
        cells = np.flatnonzero(weight)
        weight = np.asarray(weight, float)[cells]
        part = self.expected[cells] * weight[:, None]
        total = expected or Amount(*part.sum(axis=0).tolist())
        # What is expected of an index is not known: its cells count by their area.
        mass = np.where(np.isfinite(part[:, 0]), part[:, 0], weight * self.area[cells])
        mass = mass / mass.sum() if mass.sum() > 0 else np.zeros(len(mass))
        chance = chance_of(np.array([total.value, total.low, total.high]), PART_SIZE)
        shares = mass @ self.shares[cells]
        facts = Facts(total, Amount(*chance.tolist()))
        if np.isfinite(shares).all() and mass.any():
            facts = replace(facts, shares=tuple(whole_shares(shares[None])[0].tolist()))
        named, further = self._incidents_of_group(cells, mass, at)
        raising, lowering = self._features_of_group(cells, mass, shares)
        trust, doubts, not_ok = self._trust_of(cells, weight * self.area[cells])
        return replace(
            facts, incidents=named, further=further, raising=raising, lowering=lowering,
            trust=trust, doubts=doubts, not_ok=not_ok,
        )  # fmt: skip

    def _incidents_of_group(
        self, cells: np.ndarray, mass: np.ndarray, at: tuple[float, float] | None
    ) -> tuple[Named, int | None]:
        if self.behind is None or not mass.any():
            return (), None
        rows, shares = (part[cells] for part in self.behind[:2])
        listed = rows >= 0
        each = np.bincount(
            rows[listed], (mass[:, None] * shares)[listed], minlength=len(self.incident_xy)
        )
        order = np.argsort(-each, kind="stable")
        reasons = [int(row) for row in order if each[row] >= LEAST]
        middle = np.full(2, np.nan) if at is None else np.asarray(at)
        away = np.hypot(*(self.incident_xy[reasons[:MOST]] - middle).T) / 1000
        return tuple(zip(reasons[:MOST], away.tolist(), strict=True)), len(reasons[MOST:])

    def _features_of_group(
        self, cells: np.ndarray, mass: np.ndarray, shares: np.ndarray
    ) -> tuple[Reasons, Reasons]:
        codes, away = self.codes[cells], {n: float(mass @ v[cells]) for n, v in self.away.items()}
        listed = codes >= 0
        moved = np.bincount(
            codes[listed], (mass[:, None] * self.moved[cells])[listed], minlength=len(self.features)
        )
        found = []
        for k in np.argsort(-np.abs(moved), kind="stable")[:MOST]:
            name = self.features[k]
            if abs(moved[k]) >= LEAST and (name not in self.named or self._is_near(name, away)):
                found.append((moved[k], self._mean(name, cells, mass)))
        ground = not np.isfinite(shares[2]) or shares[2] >= LEAST
        raising = tuple(why for move, why in found if move > 0 and ground)
        return raising, tuple(why for move, why in found if move < 0)

    def _mean(self, name: str, cells: np.ndarray, mass: np.ndarray) -> Because:
        """Mean of a feature where incidents are expected, and how it compares."""
        values = self.values(name)[cells]
        known = np.isfinite(values)
        value = float(mass[known] @ values[known] / max(mass[known].sum(), 1e-300))
        return Because(name, value, int(compared(np.array(value), self.breaks[name])))

    def _trust_of(
        self, cells: np.ndarray, area: np.ndarray
    ) -> tuple[str, tuple[tuple[str, int], ...], float]:
        """Return the worst word of a group, the per cent that each doubt is true of, and of all."""
        codes, words = self._words[0][cells], self._words[1]
        total = area[codes >= 0].sum()
        if not words or not total > 0:
            return "", (), 0.0
        share = {w: float(area[codes == c].sum() / total) for c, w in words.items() if w != "ok"}
        doubts = {w: min(max(round(100 * s), 1), 99 if s < 1 else 100)
                  for w, s in share.items() if s > 0}  # fmt: skip
        ordered = sorted(doubts.items(), key=lambda pair: -pair[1])
        return (ordered[0][0] if ordered else "ok"), tuple(ordered), sum(share.values())
