import numpy as np
import pandas as pd
import pytest

from borderrisk.model.drivers import by_decile, importance, top_drivers


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


def test_effects_are_averaged_over_tenths_of_the_area():
    a = np.arange(19.0)
    area = np.where(a == 0, 2.0, 1.0)
    x = pd.DataFrame({"b": np.minimum(a, 1), "a": a}).iloc[::-1]
    parts = pd.DataFrame({"b": 0 * a, "a": a**2, "history": 3 * a})[::-1]
    found = by_decile(parts, x, area[::-1])
    assert list(found) == ["a", "b"]
    assert found["a"]["values"] == pytest.approx([0, *np.arange(1.5, 18, 2)])
    assert found["a"]["effect"] == pytest.approx([0, *((b**2 + (b + 1) ** 2) / 2 for b in a[1::2])])
    assert found["b"] == {"values": [0.0, 1.0], "effect": [0.0, 0.0]}


def test_cells_outside_the_area_have_no_part_in_the_tenths():
    x = pd.DataFrame({"a": [5.0, 1.0, 2.0, 99.0], "b": np.arange(4.0)})
    parts = pd.DataFrame({"a": [1.0, 2.0, 4.0, 100.0], "b": [0.0, 5.0, 0.0, 0.0]})
    found = by_decile(parts, x, np.array([1.0, 1.0, 1.0, 0.0]), most=1)
    assert found == {"b": {"values": [0, 1, 2], "effect": [0, 5, 0]}}
    assert by_decile(parts, x, np.array([1.0, 1.0, 1.0, 0.0]))["a"]["values"] == [1, 2, 5]
