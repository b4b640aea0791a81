import numpy as np
import pytest
from scipy.sparse import csr_matrix, identity
from scipy.stats import nbinom

from borderrisk.evaluation.metrics import count_score
from borderrisk.evaluation.prospective import (
    Period,
    Said,
    count_chance,
    cumulated,
    judged,
    section_score,
    spatial_quantile,
)
from borderrisk.model.level import Level
from borderrisk.scores import DAYS_PER_YEAR, PART_SIZE

ABOUT = {"kind": "forecast", "origin": "2024-01-01", "days": 30, "until": "2024-02-01"}


def said(**changes):
    """Two cells of 100 km² and a year: 3 and 1 incidents expected; two sections, one a cell."""
    given = {
        "name": "own", "intensity": {"own": np.array([3.0, 1.0]), "history_alone": np.ones(2)},
        "level": Level(4.0, 2.0), "risk_class": np.array([5, 1]), "area": np.ones(2),
        "days": DAYS_PER_YEAR, "line": csr_matrix(identity(2)),
    }  # fmt: skip
    return Said(**(given | changes))


def test_two_cells_by_hand():
    mass = csr_matrix(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    found = judged(said(), mass, np.ones(3))
    law = nbinom(2, 2 / 6)
    assert (found["expected"], found["reported"]) == (4, 3)
    assert (found["low"], found["high"]) == Level(4.0, 2.0).interval(DAYS_PER_YEAR, 0.9)
    assert found["at_most"] == pytest.approx(law.cdf(3))
    # Relative densities of 1.5, 1.5 and 0.5.
    assert found["bits"] == pytest.approx(np.log2([1.5, 1.5, 0.5]).mean())
    assert found["history_bits"] == pytest.approx(0)
    by_hand = (count_score(2, 3, PART_SIZE) + count_score(1, 1, PART_SIZE)) / 2
    assert found["section_score"] == pytest.approx(by_hand)
    classes = [(row.risk_class, row.expected, row.observed) for row in found["classes"]]
    assert classes == [(1, 1, 1), (5, 3, 2)]


def test_no_incident_has_a_number_and_no_places():
    found = judged(said(), csr_matrix((0, 2)), np.ones(0))
    assert found["reported"] == 0
    assert found["at_most"] == pytest.approx((2 / 6) ** 2)
    assert "bits" not in found and "places" not in found


def test_the_spatial_test_tells_places_that_were_not_forecast():
    rng = np.random.default_rng(1)
    density = rng.gamma(0.3, size=400)

    def quantile(chance):
        cells = rng.choice(400, 30, p=chance / chance.sum())
        mass = csr_matrix((np.ones(30), (np.arange(30), cells)), shape=(30, 400))
        return spatial_quantile(density, mass)

    as_forecast = [quantile(density) for _ in range(60)]
    assert 0.35 < np.mean(as_forecast) < 0.65
    assert np.mean(np.array(as_forecast) < 0.1) < 0.25
    assert max(quantile(np.ones(400)) for _ in range(20)) < 0.05


def test_cumulated_bits_count_every_incident():
    def period(gain, reported):
        return Period(**ABOUT, expected=1.0, low=0, high=3, reported=reported, at_most=0.5,
                      bits=gain, history_bits=0.0)  # fmt: skip

    assert cumulated([period(0.5, 4), period(-1.0, 1), period(0.25, 0)]) == [2.0, 1.0, 1.0]


def test_a_period_is_what_it_was_after_json():
    found = judged(said(), csr_matrix(np.array([[1.0, 0.0]])), np.ones(1))
    period = Period(**ABOUT, **found)
    assert Period.from_json(period.to_json()) == period
    assert period.over_history == pytest.approx(np.log2(1.5))


def test_a_forecast_says_whether_it_was_frozen_in_time():
    def frozen(made):
        found = {**ABOUT, "expected": 1.0, "low": 0, "high": 3, "reported": 1, "at_most": 0.5}
        return Period(**found, made=made).frozen

    days = ("2023-12-30", "2024-01-01", "2024-01-02", "2024-01-30", "2024-01-31")
    early, late = "by its first day", "within its period"
    assert [frozen(day) for day in days] == [early, early, late, late, "afterwards"]


def test_the_chance_of_a_count_is_that_of_its_law():
    assert count_chance(2, 3.0, 1.5) == pytest.approx(nbinom(1.5, 1.5 / 4.5).cdf(2))
    assert section_score(np.array([2.0]), np.array([0.0])) == count_score(0, 2.0, PART_SIZE)
