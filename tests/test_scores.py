import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from borderrisk import scores


def test_probability_allows_for_clustering():
    p = scores.probability(np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.5]), 365.25)
    assert p == pytest.approx([0, 1 - 3**-0.5, 1 - 3**-0.5])  # shape 0.5: (1 + 1 / 0.5) ** -0.5
    assert p[1] < 1 - np.exp(-1)  # the Poisson chance, which knows no clusters


def test_a_tiny_rate_keeps_its_digits():
    assert scores.probability(np.array([1e-14]), np.array([1.0]), 365.25)[0] == pytest.approx(1e-14)


def test_percentile_counts_area_not_cells():
    risk = scores.risk_percentile(np.array([3.0, 1.0, 2.0]), np.array([1.0, 8.0, 1.0]))
    assert risk == pytest.approx([95, 40, 85])


def test_ties_share_the_middle():
    assert scores.risk_percentile(np.ones(4), np.ones(4)) == pytest.approx([50] * 4)


@given(arrays(float, st.integers(1, 50), elements=st.floats(0, 1e6)))
def test_percentile_keeps_the_order_and_its_area_mean_is_fifty(intensity):
    area = np.linspace(0.1, 1, len(intensity))
    risk = scores.risk_percentile(intensity, area)
    order = np.argsort(intensity, kind="stable")
    assert np.all(np.diff(risk[order]) >= -1e-9)
    assert np.average(risk, weights=area) == pytest.approx(50)


def test_class_shares_of_a_uniform_ranking():
    risk = scores.risk_percentile(np.arange(1000.0), np.ones(1000))
    shares = np.bincount(scores.risk_class(risk))[1:] / 1000
    assert shares == pytest.approx([0.5, 0.25, 0.15, 0.07, 0.03])


def test_a_class_begins_at_its_edge():
    edges = np.array(scores.CLASS_EDGES)
    assert scores.risk_class(edges).tolist() == [2, 3, 4, 5]
    assert scores.risk_class(np.nextafter(edges, 0)).tolist() == [1, 2, 3, 4]
