import numpy as np
import pandas as pd
import pytest
from benchmarks.studies import hindsight
from benchmarks.studies.worlds import make_world
from scipy.sparse import csr_matrix

from borderrisk.evaluation import backtest as bt
from borderrisk.evaluation import metrics
from borderrisk.model.cells import CellTable
from borderrisk.model.registry import make_model


@pytest.fixture
def cells(grid):
    n = grid.size
    x = pd.DataFrame({"x_km": np.zeros(n), "y_km": np.zeros(n)})
    return CellTable(grid, np.ones(grid.shape, bool), x, np.ones(n), np.ones(n))


def forecast(cells, places, new):
    """One model that favours the first half of the cells, one the second; a weak baseline."""
    first = np.arange(len(cells)) < len(cells) // 2
    intensity = {
        "decayed_pool": np.where(first, 1.5, 0.5), "glm": np.where(first, 0.5, 1.5),
        "kde": np.where(first, 1.2, 0.8),
    }  # fmt: skip
    mass = np.zeros((len(places), len(cells)))
    mass[np.arange(len(places)), places] = 1
    test = bt.Later(csr_matrix(mass), np.array(new))
    return bt.Forecasts(pd.Timestamp("2014-01-01"), intensity, {1: test})


def test_the_best_pool_by_hand(cells):
    last = len(cells) - 1
    # Three in the first half, one in the second: shares 0.75 and 0.25 of 1.5 and 0.5.
    mixed = forecast(cells, [0, 1, 2, last], [False, False, True, True])
    there = forecast(cells, [last, last - 1], [False, False])
    rows = {row["subset"]: row for row in hindsight.oracle_pools(cells, [mixed, there], 1, "kde")}
    bits = 3 * np.log2(1.5) + np.log2(0.5) + 2 * np.log2(1.5)
    assert rows["all"]["incidents"] == 6
    assert rows["all"]["bits"] == pytest.approx(bits / 6, abs=1e-4)
    reference = [3 * np.log2(1.2) + np.log2(0.8), 2 * np.log2(0.8)]
    assert rows["all"]["gain"] == pytest.approx((bits - sum(reference)) / 6, abs=1e-4)
    worst = (3 * np.log2(1.5) + np.log2(0.5) - reference[0]) / 4
    assert rows["all"]["worst_origin"] == pytest.approx(worst, abs=1e-4)
    # At new places one lies in each half: no share of these models beats an even map.
    assert rows["new"]["incidents"] == 2
    assert rows["new"]["bits"] == pytest.approx(0, abs=1e-4)


def test_no_model_has_more_than_the_pool_and_the_baselines_are_not_in_it(cells):
    rng = np.random.default_rng(0)
    places = rng.integers(0, len(cells), 30).tolist()
    one = forecast(cells, places, [False] * 30)
    one.intensity.update({name: rng.gamma(1, size=len(cells)) for name in ("random_forest", "kde")})
    area, mass = cells.study_area_100km2, one.tests[1].mass
    row = hindsight.oracle_pools(cells, [one], 1, "kde")[0]
    for name in ("decayed_pool", "glm", "random_forest"):
        assert row["bits"] >= metrics.information_gain(one.intensity[name], area, mass).mean()
    one.intensity["kde"] = np.where(np.isin(np.arange(len(cells)), places), 50.0, 0.1)
    assert hindsight.oracle_pools(cells, [one], 1, "kde")[0]["bits"] == row["bits"]


def test_a_bandwidth_with_hindsight_is_at_least_any_fixed_one():
    world = make_world(seed=5, incidents=200, shape=(24, 28), cell_size_m=20_000)
    cells, panel = world.cells(), world.panel()
    origins = bt.yearly_origins("2014-01-01", "2016-01-01")
    models = {"even": make_model("even"), "kde": make_model("kde", bandwidth_km=30.0)}
    forecasts = bt.backtest(cells, panel, origins, (1,), models, near_km=15, least=10, workers=1)
    area = cells.study_area_100km2[cells.study]
<<<<<<< HEAD

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
    told = bt.Forecasts(first.origin, better, first.tests, first.near, first.levels)
    again = hindsight.hindsight_rows(cells, panel, [told], 1, "glm")[0]
    assert again == hindsight.hindsight_rows(cells, panel, [first], 1, "glm")[0]


def test_subsets_part_the_incidents(rows):
    counts = {name: row["incidents"] for name, row in rows[-1].items()}
    assert counts["all"] == counts.get("repeat", 0) + counts.get("new", 0)
    assert isinstance(rows[2][0].origin, pd.Timestamp)
=======
    bits = [metrics.information_gain(f.intensity["kde"], area, f.tests[1].mass) for f in forecasts]
    assert hindsight.oracle_kde_bits(cells, panel, forecasts, 1) >= np.concatenate(bits).mean()
>>>>>>> main
