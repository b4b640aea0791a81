"""The shipped data: forecasts from yearly origins, scored on the year after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.variants.moments import Record
from borderrisk.config import load_config
from borderrisk.evaluation import metrics
from borderrisk.evaluation.backtest import MIN_LATER, Later, later_incidents, yearly_origins
from borderrisk.model.cells import CellTable
from borderrisk.pipeline.evaluating import evaluation_panel
from borderrisk.pipeline.stages import Stages

CONFIG = Path("configs/eastern-border.yaml")
SHARE = 0.1


@dataclass(frozen=True)
class Test:
    """What was reported within a year of an origin.

    Attributes
    ----------
    origin : Timestamp
        Date of the forecast.
    later : Later
        The incidents.
    """

    origin: pd.Timestamp
    later: Later


@dataclass(frozen=True)
class Score:
    """One forecast at every origin, incident by incident.

    Attributes
    ----------
    bits, captured : ndarray, shape (incidents,)
        Bits over uniform, and the part of the mass in the top tenth of the area.
    new : ndarray of bool, shape (incidents,)
        Whether the place was new.
    block : ndarray of int, shape (incidents,)
        Number of the origin.
    """

    bits: np.ndarray
    captured: np.ndarray
    new: np.ndarray
    block: np.ndarray

    def subset(self, name: str) -> np.ndarray:
        """Mask of the incidents of a subset."""
        return {"all": np.ones(len(self.new), bool), "repeat": ~self.new, "new": self.new}[name]

    def by_origin(self) -> np.ndarray:
        """Mean bits of each origin."""
        return np.bincount(self.block, self.bits) / np.bincount(self.block)


def read() -> tuple[Record, list[Test]]:
    """Read the shipped data, and the tests that enough incidents make."""
    stages = Stages.of(load_config(CONFIG))
    section, panel = stages.config.evaluation, evaluation_panel(stages)
    tests = [
        Test(origin, later_incidents(stages.cells, panel, origin, 1, section.near_km))
        for origin in yearly_origins(section.first_origin, section.last_origin)
    ]
    record = Record(stages.cells, panel, stages.config.seed)
    return record, [test for test in tests if len(test.later.new) >= MIN_LATER]


def scored(cells: CellTable, tests: Sequence[Test], intensities: Sequence[np.ndarray]) -> Score:
    """Score one intensity (of all cells) per test."""
    area = cells.study_area_100km2[cells.study]
    bits, captured = [], []
    for test, intensity in zip(tests, intensities, strict=True):
        here = np.maximum(intensity[cells.study], 1e-300)
        bits.append(metrics.information_gain(here, area, test.later.mass))
        captured.append(metrics.capture(here, area, test.later.mass, SHARE))
    size = [len(test.later.new) for test in tests]
    new = np.concatenate([test.later.new for test in tests])
    block = np.repeat(np.arange(len(tests)), size)
    return Score(np.concatenate(bits), np.concatenate(captured), new, block)
