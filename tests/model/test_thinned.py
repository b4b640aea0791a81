from functools import partial

import numpy as np
import pytest
from benchmarks.studies.worlds import make_world

from borderrisk.model import pooled
from borderrisk.model.pooled_parts import thinned

AFTER = "2020-01-01"


@pytest.fixture(scope="module")
def world():
    return make_world(seed=3, incidents=200)


def test_few_cells_are_all_kept(world):
    cells, panel = world.cells(), world.panel()
    assert thinned(cells, panel, len(cells), 0) == (cells, panel)


def test_what_is_kept_stands_for_all(world):
    cells, panel = world.cells(), world.panel()
    some = [thinned(cells, panel, len(cells) // 3, seed) for seed in range(20)]
    assert np.mean([len(part) for part, _ in some]) == pytest.approx(len(cells) // 3, rel=0.05)
    assert all(len(part) == few.mass.shape[1] == len(part.x) for part, few in some)
    area = np.mean([part.area_100km2.sum() for part, _ in some])
    assert area == pytest.approx(cells.area_100km2.sum(), rel=0.03)
    events = np.mean([few.counts().sum() for _, few in some])
    assert events == pytest.approx(panel.counts().sum(), rel=0.03)


def test_weights_learned_on_a_part_are_about_those_of_all(world, monkeypatch):
    cells, panel = world.cells(), world.panel()
    # Smoothing and models given: a choice that tips would make the weights those of other parts.
    make = partial(pooled.Pooled, bandwidth_km=5.0, models="both", n_estimators=30)
    whole = make().fit_cells(cells, panel, AFTER)
    monkeypatch.setattr(pooled, "MOST_LEARNING_CELLS", len(cells) // 2)
    part = make().fit_cells(cells, panel, AFTER)
    for name, weight in whole.weights_.items():
        assert part.weights_[name] == pytest.approx(weight, abs=0.1), name
    # Only the weights are learned on a part.
    assert whole.features_ == part.features_
    x = cells.x[whole.columns_]
    np.testing.assert_array_equal(whole.forest_.predict(x), part.forest_.predict(x))
