import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.parts import Without, left_out, part_bits, worth
from benchmarks.studies.worlds import make_world

from borderrisk.model.registry import make_model

ORIGIN = pd.Timestamp("2018-01-01")


@pytest.fixture(scope="module")
def world():
    return make_world(seed=3, incidents=160, shape=(24, 28), cell_size_m=20_000)


def intensity(model, cells, panel):
    return model.fit(cells, panel, ORIGIN).intensity(cells)


def test_without_nothing_it_is_the_decayed_pool(cells, panel):
    whole = intensity(make_model("decayed_pool", n_estimators=5), cells, panel)
    assert np.array_equal(intensity(Without(n_estimators=5), cells, panel), whole)


def test_without_the_ground_it_is_history_alone(cells, panel):
    alone = intensity(make_model("history_alone"), cells, panel)
    assert intensity(Without(n_estimators=5, left_out="ground"), cells, panel) == pytest.approx(
        alone, rel=1e-6
    )


def test_without_a_width_it_is_the_pool_of_the_other(cells, panel):
    fitted = Without(n_estimators=5, left_out="width 3 km").fit(cells, panel, ORIGIN)
    assert np.array(fitted.weights)[:4].tolist() == [0] * 4
    assert (np.array(fitted.weights)[4:] > 0).all()


@pytest.mark.parametrize("label", left_out()[1:])
def test_what_is_left_out_has_no_share_and_the_rest_sums_to_one(label, cells, panel):
    model = Without(n_estimators=5, left_out=label)
    fitted = model.fit(cells, panel, ORIGIN)
    gone = [label in labels for labels in model.labels(("ground", "loglinear"))]
    assert 0 < sum(gone) < len(gone)
    assert fitted.shares[gone].tolist() == [0] * sum(gone)
    assert fitted.shares.sum() == pytest.approx(1)


def test_bits_are_of_the_same_incidents_whatever_is_left_out(cells, panel):
    origins = [ORIGIN, pd.Timestamp("2019-01-01")]
    found = part_bits(cells, panel, origins, 15.0, 0)
    for subset in ("all", "new_ground"):
        assert list(found[subset]) == left_out()
        sizes = {tuple(len(one) for one in parts) for parts in found[subset].values()}
        assert len(sizes) == 1
    assert sum(map(len, found["new_ground"]["even"])) < sum(map(len, found["all"]["even"]))


def test_worth_by_hand():
    bits = {"nothing": [np.array([1.0, 2.0]), np.array([3.0])],
            "even": [np.array([1.0, 1.0]), np.array([1.0])]}  # fmt: skip
    whole, even = worth(bits)
    assert (whole["incidents"], whole["bits"], whole["change"]) == (3, 2.0, 0.0)
    assert (even["bits"], even["change"]) == (1.0, -1.0)
    assert even["low"] <= even["change"] <= even["high"] <= 0
