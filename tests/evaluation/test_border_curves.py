"""The curve of watched kilometres from the forecasts of a config."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from borderrisk.evaluation.backtest import BorderLine, Forecasts, Later
from borderrisk.evaluation.findings import border_lines
from borderrisk.evaluation.summary import border_curves
from borderrisk.model.cells import CellTable
from borderrisk.model.level import Level


def test_a_forecast_that_knows_the_place_covers_it_with_the_first_kilometres(grid):
    """Ten incidents in one cell: the model expects them there, the KDE everywhere but there."""
    n = grid.size
    x = pd.DataFrame({"x_km": np.zeros(n), "y_km": np.zeros(n)})
    cells = CellTable(grid, np.ones(grid.shape, bool), x, np.ones(n), np.ones(n))
    attribution = np.zeros((n, 3))
    attribution[np.arange(n), np.arange(n) % 3] = 1
    line = BorderLine(csr_matrix(attribution), np.array([30.0, 50.0, 40.0]))
    knowing, missing = np.full(n, 1e-9), np.ones(n)
    knowing[4], missing[4::3] = 1.0, 0.0
    mass = np.zeros((10, n))
    mass[:, 4] = 1
    later = Later(csr_matrix(mass), np.arange(10) < 4, np.ones(10))
    none = Later(csr_matrix(mass[:0]), np.zeros(0, bool), np.zeros(0))
    intensity = {"decayed_pool": knowing, "kde": missing}
    forecast = Forecasts(pd.Timestamp("2020-01-01"), intensity, {1: later, 2: none},
                         np.zeros(n, bool), dict.fromkeys(intensity, Level(1.0, 1.0)))  # fmt: skip
    found = border_curves([forecast], cells, line, "decayed_pool", level=0.9, seed=1)
    assert (found.border_km, found.origins, found.incidents) == (120, 1, 10)
    at = {name: np.interp(50, found.km, values) for name, values in found.captured.items()}
    assert at["decayed_pool"] == pytest.approx(1)
    assert at["kde"] < 0.5
    assert at["length"] == pytest.approx(50 / 120, abs=1e-4)
    assert {name: part.incidents for name, part in found.subsets.items()} == {"repeat": 6, "new": 4}
    for part in found.subsets.values():
        assert part.captured == found.captured
    first, _, repeat, new = border_lines(found)
    assert first.startswith("Watching the 50 km of border ranked first (42% of it) would have")
    assert "covered 100% (100% to 100%) of the later incidents; 42% by length alone." in first
    assert (repeat[:31], new[:28]) == (
        "At repeat places, watching the ", "At new places, watching the ",
    )  # fmt: skip


def test_without_incidents_there_is_no_curve():
    assert border_lines(None) == []
