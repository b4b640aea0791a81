import numpy as np
import pandas as pd
import pytest

from borderrisk.model.drivers import importance, top_drivers


def test_the_strongest_come_first_with_their_sign():
    parts = pd.DataFrame(
        {"a": [0.1, 0.0, 0.0], "b": [-0.5, 0.0, 0.0], "c": [0.3, 0.0, -2.0], "d": [0.2, 0.0, 2.0]}
    )
    top = top_drivers(parts)
    assert top.features == ("a", "b", "c", "d")
    assert top.codes.tolist() == [[1, 2, 3], [-1, -1, -1], [2, 3, -1]]
    assert top.effects == pytest.approx(np.array([[-0.5, 0.3, 0.2], [0, 0, 0], [-2, 2, 0]]))
    assert top.codes.dtype == np.int16


def test_a_model_of_one_feature_has_one_driver():
    top = top_drivers(pd.DataFrame({"a": [1.0]}))
    assert top.codes.tolist() == [[0, -1, -1]]


def test_without_effects_there_are_no_drivers():
    nothing = pd.DataFrame(index=range(3))
    assert top_drivers(nothing).codes.tolist() == [[-1, -1, -1]] * 3
    assert importance(nothing, np.ones(3)) == {}


def test_importance_is_the_weighted_deviation():
    parts = pd.DataFrame({"a": [0.0, 4.0], "b": [1.0, 1.0]})
    assert importance(parts, np.array([3.0, 1.0])) == pytest.approx({"a": np.sqrt(3), "b": 0})
