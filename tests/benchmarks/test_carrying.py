import numpy as np
import pytest
from benchmarks.studies.carried import KINDS, Kind, mostly_in, rows
from benchmarks.studies.worlds import make_world
from scipy.sparse import csr_matrix

from borderrisk.model.pool import Carried
from borderrisk.model.registry import make_model
from borderrisk.pipeline.scoring import leans_on_ground


@pytest.fixture(scope="module")
def world():
    return make_world(seed=3, incidents=160, shape=(24, 28), cell_size_m=20_000)


def kind(own, alone, area=0.5):
    """A kind of cells that the same incidents fell into at each origin."""
    bits = {"carried_model": own, "history_alone": alone, "decayed_pool": own}
    arrays = {name: [np.array(part) for part in parts] for name, parts in bits.items()}
    caught = [np.full(len(part), 0.25) for part in own]
    return Kind(arrays, caught, [area] * len(own))


def test_rows_by_hand():
    found = rows({"all": kind([[1.0, 3.0], [2.0]], [[2.0, 2.0], [0.5]]), "ok": kind([[]], [[]])})
    assert [row["kind"] for row in found] == ["all"]
    row = found[0]
    assert (row["incidents"], row["bits"], row["capture"], row["area"]) == (3, 2.0, 0.25, 0.5)
    assert row["gain"] == pytest.approx((-1 + 1 + 1.5) / 3)
    assert row["low"] <= row["gain"] <= row["high"]


def test_an_incident_belongs_where_most_of_it_lies():
    mass = csr_matrix([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]])
    assert mostly_in(mass, np.array([False, True])).toarray().tolist() == [[0.2, 0.8]]
    assert list(KINDS)[:2] == ["all", "ok"]


def test_fitting_a_carried_model_learns_nothing(cells, panel):
    learned = make_model("decayed_pool", n_estimators=5).fit(cells, panel, "2018-01-01")
    first = Carried(learned=learned).fit(cells, panel, "2015-01-01")
    assert first.ground is learned.ground
    assert np.array_equal(first.weights, learned.weights)
    own = learned.carried(cells, panel, "2015-01-01")
    assert np.array_equal(first.intensity(cells), own.intensity(cells))


def test_a_score_leans_on_the_ground_where_history_gives_less_than_half(cells, panel):
    fitted = make_model("decayed_pool", n_estimators=5).fit(cells, panel, "2018-01-01")
    parts, whole = fitted.parts(cells), fitted.intensity(cells)
    leans = leans_on_ground(cells, fitted)
    assert 0 < leans.sum() < len(leans)
    assert ((parts["ground"] + parts["even"])[leans] > 0.5 * whole[leans]).all()
    assert ((parts["ground"] + parts["even"])[~leans] <= 0.5 * whole[~leans]).all()
