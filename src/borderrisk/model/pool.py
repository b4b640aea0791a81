"""A fitted model as a linear pool of densities."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from affine import Affine

from borderrisk.errors import DataError
from borderrisk.grid import Grid, stored_crs
from borderrisk.model.cells import CellTable, as_cells
from borderrisk.model.densities import Learned, Memory, Points, Remembered, densities
from borderrisk.model.level import Level, expected_level
from borderrisk.model.panel import Panel, as_panel
from borderrisk.model.protocol import PARTS, Cells, Fitted, Incidents, Memo, Settings

_LOWEST = 1e-300
# Largest difference between the sum of the effects and the log-intensity they explain.
TOLERANCE = 1e-3
MOST_ROUNDS, SETTLED = 300, 1e-6


@dataclass(frozen=True)
class Pool:
    """A fitted model: a level, times a weighted mean of relative densities.

    ``weights`` and ``scale`` have one value per density of the memory, then of the ground, then of
    an even one: its share, and its mean over the study area (one that is zero everywhere gives its
    share to the others). ``area`` is the scored area, 100 km².
    """

    settings: Settings
    level: Level
    memory: Remembered
    ground: tuple[Learned, ...]
    weights: np.ndarray
    scale: np.ndarray
    area: float
    _seen: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def make(
        cls,
        settings: Settings,
        cells: CellTable,
        level: Level,
        weights: Any,
        memory: Remembered = (),
        ground: tuple[Learned, ...] = (),
    ) -> Pool:
        """Bind parts to a model of some cells."""
        raw = densities(cells, memory, ground)
        area = cells.study_area_100km2
        if not area.any():
            area = cells.area_100km2
        scale = area @ raw / area.sum()
        pool = cls(settings, level, memory, ground, np.asarray(weights, float), scale, area.sum())
        pool._seen[:] = [(cells, raw)]
        return pool

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.facts()["weights"].items())
        return f"<{self.settings.name}: {self.level.mean:.3g} incidents a year; {shares}>"

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cells that were seen last behind."""
        return {**vars(self), "_seen": []}

    @property
    def columns(self) -> tuple[str, ...]:
        """The part that each density belongs to."""
        remembered = [group for memory in self.memory for group in memory.columns]
        return (*remembered, *["ground"] * len(self.ground), "even")

    @cached_property
    def shares(self) -> np.ndarray:
        """Weights of the densities that are not zero everywhere, sum 1."""
        used = np.where(self.scale > 0, self.weights, 0.0)
        if not used.sum() > 0:
            used = np.where(np.array(self.columns) == "even", 1.0, 0.0)
        return used / used.sum()

    @property
    def _unit(self) -> float:
        """Intensity of a relative density of 1."""
        return self.level.mean / self.area

    def _relative(self, cells: CellTable) -> np.ndarray:
        """Every density over its mean in the study area, shape (cells, columns)."""
        if not (self._seen and self._seen[0][0] is cells):
            self._seen[:] = [(cells, densities(cells, self.memory, self.ground))]
        raw = self._seen[0][1]
        return np.divide(raw, self.scale, out=np.zeros_like(raw), where=self.scale > 0)

    def intensity(self, cells: Cells) -> np.ndarray:
        """Return the expected incidents per 100 km² per year, shape (cells,)."""
        table, back = as_cells(cells)
        return (self._relative(table) @ self.shares * self._unit)[back]

    def parts(self, cells: Cells) -> dict[str, np.ndarray]:
        """Return what each of :data:`PARTS` contributes to the intensity; they sum to it."""
        table, back = as_cells(cells)
        relative, columns = self._relative(table), np.array(self.columns)
        return {
            name: (relative[:, columns == name] @ self.shares[columns == name] * self._unit)[back]
            for name in PARTS
        }

    def susceptibility(self, cells: Cells) -> np.ndarray:
        """Return the intensity if the ground alone decided; the same everywhere without one."""
        table, back = as_cells(cells)
        ground = np.array(self.columns) == "ground"
        share = self.shares[ground]
        if not share.sum() > 0:
            return np.full(len(table), self._unit)[back]
        return (self._relative(table)[:, ground] @ (share / share.sum()) * self._unit)[back]

    def drivers(self, cells: Cells, rows: np.ndarray | None = None) -> pd.DataFrame:
        """Effects of the features, and of ``history``, on log-intensity, for all cells or ``rows``.

        The effects of several models of the ground are mixed, and drawn to nothing by the even
        share, by logarithmic means: exact, with nothing left over (Ang 2005, Energy Policy 33(7)).
        Rows sum to the log-intensity less its area-weighted mean over the study area (of the rows
        asked for); ``DataError`` if they do not.
        """
        table, back = as_cells(cells)
        asked = np.arange(len(table))[back] if rows is None else np.arange(len(table))[back][rows]
        if not any(part.explains for part in self.ground) or not all(
            part.explains or part.estimator is None for part in self.ground
        ):
            return pd.DataFrame(index=range(len(asked)))
        x = table.x.iloc[asked]
        effects = [part.effects(x) for part in self.ground]
        found = self._mixed(self._relative(table)[asked] * self.shares, effects)
        area = table.study_area_100km2[asked]
        found = found - np.average(found.to_numpy(), axis=0, weights=area)
        log = np.log(np.maximum(self._relative(table)[asked] @ self.shares, _LOWEST))
        gap = np.abs(found.sum(axis=1) - (log - np.average(log, weights=area))).max()
        if not gap <= TOLERANCE:
            raise DataError(
                f"The effects of {self.settings.name} miss its log-intensity by up to {gap:.3g}; "
                "its drivers cannot be shown. If it was read from a file, train it again."
            )
        return found

    def _mixed(self, here: np.ndarray, effects: list[pd.DataFrame]) -> pd.DataFrame:
        """Effects on the log of the sum of some parts; ``here`` is (rows, columns)."""
        columns = np.array(self.columns)
        placed = here[:, columns == "ground"]
        total = placed.sum(axis=1) + here[:, -1]
        log = np.log(np.maximum(placed, _LOWEST))
        # What a model says where all its effects are nought.
        usual = [float(np.mean(log[:, k] - found.sum(axis=1))) for k, found in enumerate(effects)]
        plain = float(np.exp(usual).sum() + self.shares[-1])
        names = list(dict.fromkeys(name for found in effects for name in found))
        mixed = np.zeros((len(here), len(names)))
        for k, found in enumerate(effects):
            share = log_mean(placed[:, k], np.exp(usual[k])) / log_mean(total, plain)
            mixed += found.reindex(columns=names, fill_value=0.0).to_numpy() * share[:, None]
        before = here.sum(axis=1) / total
        return pd.DataFrame(mixed, columns=names).assign(history=np.log(before))

    def carried(self, cells: Cells, incidents: Incidents, origin: Any) -> Pool:
        """Return the same model at another place.

        It keeps its weights and what it learned of the ground; its memory and its level are those
        of the other place. Without incidents there it keeps its level per area and forgets.
        """
        table, _ = as_cells(cells)
        day, panel = pd.Timestamp(origin), as_panel(incidents, table)
        past = panel.before(day)
        if len(past):
            level = expected_level(table, past, day, self.settings.horizon_days)
        else:
            level = replace(self.level, mean=self._unit * table.study_area_100km2.sum())
        memory = self.settings.remember(table, past, day)
        return Pool.make(self.settings, table, level, self.weights, memory, self.ground)

    def facts(self) -> dict[str, Any]:
        """Return the shares of the parts and the level, and what the settings say."""
        shares = dict.fromkeys(PARTS, 0.0)
        for name, share in zip(self.columns, self.shares, strict=True):
            shares[name] += float(share)
        return {"weights": shares, "mean": self.level.mean, "size": self.level.size}

    def state(self) -> dict[str, Any]:
        """Return plain values and estimators, from which :meth:`opened` makes it again."""
        return {
            "settings": self.settings.values(),
            "level": [self.level.mean, self.level.size],
            "memory": [_plain(part) for part in self.memory],
            "ground": [[part.estimator, list(part.columns)] for part in self.ground],
            "weights": self.weights,
            "scale": self.scale,
            "area": float(self.area),
        }

    @classmethod
    def opened(cls, settings: Settings, state: dict[str, Any]) -> Pool:
        """Return the model of a :meth:`state`; ``ValueError`` if its parts do not fit together."""
        memory = tuple(_remembered(part) for part in state["memory"])
        ground = tuple(Learned(part, tuple(columns)) for part, columns in state["ground"])
        weights, scale = (np.asarray(state[name], float) for name in ("weights", "scale"))
        pool = cls(settings, Level(*state["level"]), memory, ground, weights, scale, state["area"])
        sizes = {len(weights), len(scale), len(pool.columns)}
        if len(sizes) > 1 or not all(part.is_sound for part in memory):
            raise ValueError("its parts do not fit together")
        return pool


@dataclass(frozen=True)
class Carried(Settings):
    """A model learned elsewhere, as settings: fitting it takes it here, and learns nothing.

    ``learned`` keeps its weights and its ground at every origin; what was before the origin here is
    all that changes.
    """

    learned: Fitted | None = None
    name = "carried_model"
    role = "model"
    needs_incidents = False

    def learn(
        self, cells: CellTable, past: Panel, origin: pd.Timestamp, seed: int, memo: Memo
    ) -> Fitted:
        """Take the model to these cells and what was known of them."""
        assert self.learned is not None
        return self.learned.carried(cells, past, origin)


def _plain(part: Memory | Points) -> dict[str, Any]:
    """Return a part as plain values, its grid among them."""
    grid = part.grid
    where = {"crs": grid.crs.to_wkt(), "transform": list(grid.transform)[:6], "shape": grid.shape}
    return {**vars(part), "grid": where}


def _remembered(plain: dict[str, Any]) -> Memory | Points:
    where, kind = plain["grid"], Points if "xy" in plain else Memory
    grid = Grid(stored_crs(where["crs"]), Affine(*where["transform"]), tuple(where["shape"]))
    return kind(**{**plain, "grid": grid})


def log_mean(a: np.ndarray, b: float) -> np.ndarray:
    """Logarithmic mean of positive numbers, ``(a - b) / log(a / b)``."""
    ratio = np.log(np.maximum(a, _LOWEST) / max(b, _LOWEST))
    near = np.abs(ratio) < 1e-6
    return np.where(near, (a + b) / 2, (a - b) / np.where(near, 1.0, ratio))


def learn_weights(density: np.ndarray, counts: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Shares of a linear pool that best explain what happened next; they sum to 1.

    ``density`` (places, parts) is the relative density of each part where something happened, from
    before it did; ``counts`` how much happened there; ``prior`` the pseudo-incidents of each part.
    The posterior mode by expectation-maximisation (Dempster, Laird & Rubin 1977, JRSS B 39(1);
    linear pooling: Stone 1961).

    Examples
    --------
    >>> learn_weights(np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([3.0, 1.0]), np.ones(2) / 9)
    array([0.73684211, 0.26315789])
    """
    share = prior / prior.sum()
    for _ in range(MOST_ROUNDS):
        told = counts / np.maximum(density @ share, _LOWEST)
        new = share * (density.T @ told) + prior
        new /= new.sum()
        if np.abs(new - share).max() < SETTLED:
            return new
        share = new
    return share
