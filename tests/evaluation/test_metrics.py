import math

import numpy as np
import pytest
import scoringrules
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix
from scipy.stats import binom

from borderrisk.evaluation import metrics

FOUR = np.array([8.0, 4.0, 2.0, 2.0])
AREA = np.ones(4)


def rows(*values):
    return csr_matrix(np.array(values, dtype=float))


def test_a_uniform_forecast_gains_nothing():
    assert metrics.information_gain(np.ones(4), AREA, rows([0.5, 0.5, 0, 0])) == pytest.approx([0])


def test_gain_is_the_mean_over_where_the_incident_may_have_been():
    gain = metrics.information_gain(FOUR, AREA, rows([1, 0, 0, 0], [0.5, 0, 0.5, 0]))
    assert gain == pytest.approx([1, 0])


def test_a_spike_earns_its_cells_share_only():
    spread = metrics.information_gain(np.array([2.0, 2, 0.1, 0.1]), AREA, rows([0.5, 0.5, 0, 0]))
    spike = metrics.information_gain(np.array([4.0, 0.1, 0.1, 0.1]), AREA, rows([0.5, 0.5, 0, 0]))
    assert spike < spread


def test_gain_counts_area_not_cells():
    gain = metrics.information_gain(np.array([3.0, 1.0]), np.array([1.0, 3.0]), rows([1, 0]))
    assert gain == pytest.approx([1])


def test_top_area_takes_part_of_a_cell_and_part_of_a_tie():
    assert metrics.top_area(FOUR, AREA, 0.125) == pytest.approx([0.5, 0, 0, 0])
    assert metrics.top_area(FOUR, AREA, 0.75) == pytest.approx([1, 1, 0.5, 0.5])


@given(
    arrays(float, st.integers(1, 30), elements=st.sampled_from([0.0, 1.0, 2.0, 5.0])),
    st.floats(0.01, 1),
)
def test_top_area_is_exactly_the_share(intensity, share):
    area = np.linspace(0.2, 1, len(intensity))
    assert metrics.top_area(intensity, area, share) @ area == pytest.approx(share * area.sum())


def test_capture_is_soft():
    mass = rows([1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 1])
    assert metrics.capture(FOUR, AREA, mass, 0.25) == pytest.approx([1, 0.5, 0])


def test_capture_curve_passes_through_its_corners():
    mass = rows([0.5, 0.25, 0.25, 0])
    curve = metrics.capture_curve(FOUR, AREA, mass, np.array([0, 0.25, 0.375, 0.5, 0.75, 1]))
    assert curve == pytest.approx([0, 0.5, 0.625, 0.75, 0.875, 1])


def test_auc_by_hand_with_a_tie():
    # mass in cell 1: half of cell 0 lies above; of the area below, cells 2 and 3, half of its own.
    assert metrics.roc_auc(FOUR, AREA, rows([0, 1, 0, 0])) == pytest.approx(2.5 / 4)
    assert metrics.roc_auc(FOUR, AREA, rows([0, 0, 1, 0])) == pytest.approx(1 / 4)
    assert metrics.roc_auc(np.ones(4), AREA, rows([1, 0, 0, 0])) == pytest.approx(0.5)


def test_occurrence_of_two_possible_incidents():
    assert metrics.occurred(rows([0.5, 0.5], [0.5, 0.5])) == pytest.approx([0.75, 0.75])
    assert metrics.occurred(rows([1, 0])) == pytest.approx([1, 0])


def test_brier_and_log_score_by_hand():
    p, happened = np.array([0.5, 0.2]), np.array([1.0, 0.0])
    assert metrics.brier(p, happened, np.ones(2)) == pytest.approx((0.25 + 0.04) / 2)
    expected = -(np.log(0.5) + np.log(0.8)) / 2
    assert metrics.log_score(p, happened, np.ones(2)) == pytest.approx(expected)
    assert metrics.brier(np.array([0.3]), np.array([0.3]), np.ones(1)) == pytest.approx(0.21)


def test_garwood_interval_of_published_values():
    # Ulm 1990, Am. J. Epidemiology 131(2): 95 % limits of a count of 10.
    assert metrics.poisson_interval(10, 0.95) == pytest.approx((4.795, 18.390), abs=2e-3)


def test_counts_are_summed_by_class():
    found = metrics.class_counts(
        np.array([1.0, 2, 3, 9]), np.array([0.0, 1, 4, 9]), np.array([1, 1, 5, 0], np.uint8)
    )
    assert [(r.risk_class, r.expected, r.observed) for r in found] == [(1, 3, 1), (5, 3, 4)]
    assert (found[0].low, found[0].high) == metrics.poisson_interval(1)


def test_binomial_interval_of_published_values():
    # Clopper & Pearson: 0 of 10 goes up to 1 - (alpha/2)^(1/10).
    assert metrics.binomial_interval(0, 10, 0.95) == pytest.approx((0, 1 - 0.025**0.1))
    assert metrics.binomial_interval(10, 10, 0.95) == pytest.approx((0.025**0.1, 1))
    low, high = metrics.binomial_interval(8, 11, 0.9)
    assert binom.sf(7, 11, low) == pytest.approx(0.05)
    assert binom.cdf(8, 11, high) == pytest.approx(0.05)


def test_the_score_of_a_count_by_hand():
    # Surely nought: off by the count itself. A mean of 1: sum of (F(k) - 1)^2 above, F(0)^2 below.
    assert metrics.count_score(3, 1e-12) == pytest.approx(3)
    cdf = np.cumsum([1 / math.e / math.factorial(k) for k in range(30)])
    assert metrics.count_score(1, 1.0) == pytest.approx(cdf[0] ** 2 + ((1 - cdf[1:]) ** 2).sum())
    # A wide forecast is better than a sharp one where the count is far off.
    assert metrics.count_score(40, 8.0, 2.0) < metrics.count_score(40, 8.0)
    assert metrics.count_score(8, 8.0) < metrics.count_score(8, 8.0, 2.0)


def test_paired_difference_of_a_constant_is_certain():
    found = metrics.paired_difference(np.arange(6) + 0.5, np.arange(6), [1, 1, 2, 2, 3, 3])
    assert found == pytest.approx((0.5, 0.5, 0.5))


def test_blocks_widen_the_interval():
    rng = np.random.default_rng(1)
    block = np.repeat(np.arange(10), 20)
    score = rng.normal(size=10)[block] + 0.1 * rng.normal(size=200)
    wide = metrics.paired_difference(score, np.zeros(200), block)
    narrow = metrics.paired_difference(score, np.zeros(200), np.arange(200))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_no_incidents_no_difference():
    assert np.isnan(metrics.paired_difference([], [], [])).all()


def test_neighbouring_blocks_are_drawn_together_by_hand():
    # Eight origins, the first four worth 0 and the last four 1. One at a time, the sum of eight is
    # binomial: 2 and 6 of 8 at the 5 and 95 % points. In runs of two, worth 0, 1/2 or 1 with
    # chances 3/8, 2/8, 3/8: four of them sum to 0 with chance 0.020, to 1/2 or less with 0.072.
    score, block = np.repeat([0.0, 1.0], 4), np.arange(8)
    alone = metrics.paired_difference(score, np.zeros(8), block, draws=20_000)
    pairs = metrics.paired_difference(score, np.zeros(8), block, span=2, draws=20_000)
    assert alone == (0.5, 0.25, 0.75)
    assert pairs == (0.5, 0.125, 0.875)


def test_overlapping_test_periods_widen_the_interval():
    rng = np.random.default_rng(3)
    for _ in range(20):
        year = rng.normal(size=31)
        score, block = (year[:-1] + year[1:]) / 2, np.arange(30)
        alone, pairs = (
            metrics.paired_difference(score, np.zeros(30), block, span=span) for span in (1, 2)
        )
        assert pairs.high - pairs.low > alone.high - alone.low


def test_one_block_at_a_time_is_the_plain_block_bootstrap():
    rng = np.random.default_rng(5)
    first, second, block = rng.normal(size=40), rng.normal(size=40), np.repeat(np.arange(8), 5)
    total, size = np.bincount(block, weights=first - second), np.bincount(block)
    drawn = np.random.default_rng(7).integers(0, 8, (2000, 8))
    means = total[drawn].sum(axis=1) / size[drawn].sum(axis=1)
    found = metrics.paired_difference(first, second, block, seed=7)
    assert found[1:] == tuple(np.quantile(means, [0.05, 0.95]))


@pytest.mark.parametrize("count", [2, 3])
def test_too_few_blocks_are_drawn_one_at_a_time(count):
    score, block = np.arange(count, dtype=float), np.arange(count)
    wide = metrics.paired_difference(score, np.zeros(count), block, span=2)
    assert wide == metrics.paired_difference(score, np.zeros(count), block)
    assert wide.low < wide.high


@pytest.mark.parametrize(
    ("reported", "mean", "size"), [(0, 1.5, 2.0), (7, 3.2, 0.5), (40, 21.0, 9)]
)
def test_a_count_scores_as_by_other_hands(reported, mean, size):
    """Of scoringrules, which keeps the closed form of Wei & Held (2014, Test 23)."""
    other = scoringrules.crps_negbinom(reported, size, mu=mean)
    assert metrics.count_score(reported, mean, size) == pytest.approx(float(other), rel=1e-6)
    assert metrics.count_score(reported, mean) == pytest.approx(
        float(scoringrules.crps_poisson(reported, mean)), rel=1e-6
    )
