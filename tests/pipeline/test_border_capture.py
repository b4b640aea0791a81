"""The curve of watched kilometres from the forecasts of a config."""

import numpy as np
import pandas as pd
import pytest
from borderrisk.pipeline.border import capture_curves
from scipy.sparse import csr_matrix

from borderrisk.evaluation.backtest import Forecasts, Later
from borderrisk.pipeline.stages import Stages


def test_a_forecast_that_knows_the_place_covers_it_with_the_first_kilometres(small):
    """Ten incidents in one cell: the model expects them there, the KDE everywhere but there."""
    stages = Stages.of(small())
    cells, border = stages.cells, stages.border
    place = int(np.argmax(cells.study_area_100km2[cells.study]))
    n = int(cells.study.sum())
    knowing, missing = np.full(n, 1e-9), np.ones(n)
    knowing[place], missing[place] = 1.0, 0.0
    mass = np.zeros((10, n))
    mass[:, place] = 1
    forecast = Forecasts(
        pd.Timestamp("2020-01-01"),
        {"decayed_pool": knowing, "kde": missing},
        {
            1: Later(csr_matrix(mass), np.arange(10) < 4),
            2: Later(csr_matrix(mass[:0]), np.zeros(0)),
        },
    )
    found = capture_curves(border, cells, [forecast], "decayed_pool", level=0.9, seed=1)
    total = border.segments.length_km.sum()
    assert found["border_km"] == pytest.approx(total)
    assert (found["origins"], found["incidents"]) == (1, 10)
    row = np.flatnonzero(cells.mask.ravel())[cells.study][place]
    behind = border.segments.length_km[border.attribution[row].toarray().ravel() > 0].sum()
    watched = np.interp(behind + 10, found["km"], found["captured"]["decayed_pool"])
    assert watched == pytest.approx(1)
    assert np.interp(behind + 10, found["km"], found["captured"]["kde"]) < 0.5
    assert found["captured"]["length"][-1] == 1
    counts = {name: part["incidents"] for name, part in found["subsets"].items()}
    assert counts == {"repeat": 6, "new": 4}
    for part in found["subsets"].values():
        assert part["captured"] == found["captured"]
