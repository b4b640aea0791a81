from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from benchmarks.studies import hindsight
from benchmarks.studies.worlds import make_world
from scipy.sparse import csr_matrix

from borderrisk.evaluation import backtest as bt
from borderrisk.evaluation import metrics
from borderrisk.model.registry import make_model


@pytest.fixture(scope="module")
def rows():
    world = make_world(seed=5, incidents=200, shape=(24, 28), cell_size_m=20_000)
    cells, panel = world.cells(), world.panel()
    models = {name: make_model(name) for name in ("glm", "history_alone", "even")}
    origins = bt.yearly_origins("2014-01-01", "2016-01-01")
    forecasts = bt.backtest(cells, panel, origins, (1,), models, workers=1)
    found = hindsight.hindsight_rows(cells, panel, forecasts, 1, "glm")
    return cells, panel, forecasts, {row["subset"]: row for row in found}


def test_the_best_pool_by_hand():
    # Three in the first half, one in the second: shares 0.75 and 0.25 of 1.5 and 0.5.
    densities = np.array([[1.5, 0.5], [0.5, 1.5]])
    pool = hindsight.best_pool(densities, csr_matrix([[3.0, 1.0]]))
    assert pool == pytest.approx([1.5, 0.5], abs=0.01)
    pool = hindsight.best_pool(densities, csr_matrix([[1.0, 1.0]]))
    assert pool == pytest.approx([1.0, 1.0], abs=1e-4)


def test_nothing_has_more_than_hindsight(rows):
    cells, panel, forecasts, found = rows
    area = cells.study_area_100km2[cells.study]

    def bits(of):
        gains = [metrics.information_gain(of(f), area, f.tests[1].mass) for f in forecasts]
        return np.concatenate(gains).mean()

    assert found["all"]["model"] == pytest.approx(bits(lambda f: f.intensity["glm"]))
    assert found["all"]["reference"] == pytest.approx(bits(lambda f: f.intensity["history_alone"]))
    assert found["all"]["pool"] >= max(found["all"]["model"], 0) - 0.01
    one = make_model("kde", bandwidth_km=30.0)
    fixed = bits(lambda f: one.fit(cells, panel, f.origin).intensity(cells)[cells.study])
    assert found["all"]["heat_map"] >= fixed


def test_baselines_are_not_in_the_pool(rows):
    cells, panel, forecasts, _ = rows
    first = forecasts[0]
    better = {**first.intensity, "kde": first.tests[1].mass.sum(axis=0).A1 + 1e-3}
    told = replace(first, intensity=better)
    again = hindsight.hindsight_rows(cells, panel, [told], 1, "glm")[0]
    assert again == hindsight.hindsight_rows(cells, panel, [first], 1, "glm")[0]


def test_subsets_part_the_incidents(rows):
    counts = {name: row["incidents"] for name, row in rows[-1].items()}
    assert counts["all"] == counts.get("repeat", 0) + counts.get("new", 0)
    assert isinstance(rows[2][0].origin, pd.Timestamp)
