import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from borderrisk.model.combined import MOST_APART, combined, combined_effects
from borderrisk.model.pooled import Pooled

EFFECTS = arrays(float, (4, 3), elements=st.floats(-6, 6))


def test_models_that_agree_have_their_geometric_mean_others_are_held():
    logs = {"glm": np.log([8.0, 100.0, 0.001]), "forest": np.log([2.0, 2.0, 1.0])}
    assert np.exp(combined(logs)) == pytest.approx([4.0, 4.0, 0.5])


def test_one_model_is_left_as_it_is():
    log = np.array([-20.0, 0.0, 20.0])
    for name in ("glm", "forest"):
        assert combined({name: log}) == pytest.approx(log)
        effects = pd.DataFrame({"a": log})
        assert combined_effects({name: effects}, {name: log}).equals(effects)


def test_what_is_taken_comes_from_the_features_that_the_models_differ_on():
    effects = {
        "glm": pd.DataFrame({"a": [5.0], "b": [1.0], "c": [2.0]}),
        "forest": pd.DataFrame({"a": [1.0], "b": [1.0], "d": [1.0]}),
    }
    logs = {"glm": np.array([8.0]), "forest": np.array([3.0])}
    found = combined_effects(effects, logs).iloc[0]
    # Taken: 8 - (3 + log 4), in shares of 4, 0, 2 and 1 of 7.
    taken = 5 - np.log(MOST_APART)
    wanted = {"a": 6 - taken * 4 / 7, "b": 2, "c": 2 - taken * 2 / 7, "d": 1 - taken / 7}
    assert found.to_dict() == pytest.approx({name: value / 2 for name, value in wanted.items()})


@given(EFFECTS, EFFECTS, st.floats(-3, 3), st.floats(-3, 3))
def test_effects_add_up_however_far_the_models_are_apart(glm, forest, a, b):
    names = ["a", "b", "c"]
    effects = {"glm": pd.DataFrame(glm, columns=names), "forest": pd.DataFrame(forest, None, names)}
    logs = {"glm": glm.sum(axis=1) + a, "forest": forest.sum(axis=1) + b}
    gap = combined(logs) - combined_effects(effects, logs).sum(axis=1)
    assert gap.to_numpy() == pytest.approx((a + b) / 2, abs=1e-9)


def test_the_log_linear_model_is_held_beyond_the_training():
    """Where two columns are high at once nothing was learned: the truth is not told from a line."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.uniform(0, 1, 2000), "b": rng.uniform(0, 1, 2000)})
    both = 3 * (table["a"] + table["b"])
    inside = (both < 3.5).to_numpy()
    counts = rng.poisson(np.exp(both - 2))
    held = Pooled(models="both", alpha=0.01, n_estimators=50)
    held.fit(table[inside], counts[inside])
    alone = Pooled(models="glm", alpha=0.01, n_estimators=50).fit(table[inside], counts[inside])
    corner = pd.DataFrame({"a": [1.0], "b": [1.0]})
    highest = held.forest_.predict(table[inside]).max()
    assert alone.predict(corner)[0] > 1.5 * MOST_APART**0.5 * highest
    assert held.predict(corner)[0] < 1.2 * MOST_APART**0.5 * highest
