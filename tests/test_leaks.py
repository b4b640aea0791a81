"""Nothing that came later is known earlier."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.worlds import make_world
from scipy.sparse import csr_matrix

from borderrisk.evaluation import backtest
from borderrisk.model.registry import make_model

ORIGIN = pd.Timestamp("2019-01-01")


@pytest.fixture(scope="module")
def world():
    return make_world(seed=5, incidents=200, shape=(24, 28), cell_size_m=20_000)


def every_year_elsewhere(world, a_year=12, years=range(2008, 2019)):
    """Incidents that strike one cell of their own every year, and never the same cell twice."""
    cells, panel = world.cells(), world.panel()
    spots = np.random.default_rng(0).choice(np.flatnonzero(cells.study), len(years), replace=False)
    columns = np.repeat(spots, a_year)
    count = len(columns)
    mass = csr_matrix((np.ones(count), (range(count), columns)), shape=(count, len(cells)))
    x, y = (axis[cells.mask][columns] for axis in cells.grid.centres())
    day = pd.to_datetime([f"{year}-06-{1 + k}" for year in years for k in range(a_year)])
    table = panel.incidents.iloc[np.zeros(count, int)].reset_index(drop=True)
    table = table.assign(
        incident_id=[f"E{k}" for k in range(count)], radius_km=1.0, weight=1.0,
        x=x, y=y, date=day, date_end=day,
    )  # fmt: skip
    return cells, replace(panel, mass=mass, incidents=table)


def test_weights_are_learned_from_what_was_known_before_each_lesson(world):
    """Where nothing ever strikes twice, places of earlier incidents earn no weight."""
    cells, panel = every_year_elsewhere(world)
    fitted = make_model("decayed_pool", n_estimators=10).fit(cells, panel, ORIGIN)
    weights = fitted.facts()["weights"]
    assert weights["history"] + weights["recent"] < 0.25


def test_a_place_hit_later_is_new_at_the_origin(world):
    cells, panel = world.cells(), world.panel()
    origin = pd.Timestamp("2015-01-01")
    found = backtest.later_incidents(cells, panel, origin, 1, 15.0)
    later = panel.between(origin, "2016-01-01")
    _, kept = backtest.in_study(cells, later)
    here = later.take(kept).incidents[["x", "y"]].to_numpy()
    past = panel.before(origin).incidents[["x", "y"]].to_numpy()
    nearest = np.hypot(*(here[:, None] - past[None]).transpose(2, 0, 1)).min(axis=1)
    assert 0 < found.new.sum() < len(found.new)
    assert np.array_equal(found.new, nearest > 15_000)


def test_an_incident_mostly_elsewhere_is_not_scored(world):
    cells, panel = world.cells(), world.panel().take([0, 1])
    inside, outside = np.flatnonzero(cells.exposure > 0.999)[0], np.flatnonzero(~cells.study)[0]
    shares = [[0.4, 0.6], [0.6, 0.4]]
    columns = ([0, 0, 1, 1], [inside, outside] * 2)
    mass = csr_matrix((np.ravel(shares), columns), shape=(2, len(cells)))
    scored, kept = backtest.in_study(cells, replace(panel, mass=mass))
    assert kept.tolist() == [1]
    assert scored.sum() == pytest.approx(1)
