import numpy as np
import pytest
from benchmarks.studies import planted
from benchmarks.studies.planted import (
    expected_bits,
    interval_coverage,
    over_worlds,
    planted_test,
    sum_coverage,
)
from benchmarks.studies.worlds import make_world

from borderrisk.evaluation.metrics import information_gain
from borderrisk.model.registry import make_model
from borderrisk.model.uncertainty import Intervals
from borderrisk.scores import probability

ORIGIN = "2020-01-01"
MODELS = {
    "glm": make_model("glm", alpha=0.1),
    "border_distance": make_model("border_distance"),
    "even": make_model("even"),
}


@pytest.fixture(scope="module")
def world():
    return make_world(seed=4, incidents=200, shape=(24, 28), cell_size_m=20_000)


@pytest.fixture(scope="module")
def truth(world, cells):
    return world.intensity[cells.mask]


@pytest.fixture(scope="module")
def found(cells, panel, truth):
    return planted_test(cells, panel, truth, ORIGIN, MODELS, replicates=20, seed=0)


def test_expected_bits_by_hand():
    # 3/4 of the incidents in the first of two equal cells: log2(1.5) and log2(0.5).
    truth, area = np.array([3.0, 1.0]), np.ones(2)
    expected = 0.75 * np.log2(1.5) - 0.25
    assert expected_bits(truth, area, truth) == pytest.approx(expected)
    assert expected_bits(np.ones(2), area, truth) == pytest.approx(0)
    # The truth turned round: 3/4 where it expects half of the mean.
    assert expected_bits(truth[::-1], area, truth) == pytest.approx(0.25 * np.log2(1.5) - 0.75)
    # A cell of double area takes double the incidents.
    assert expected_bits(truth, np.array([2.0, 1.0]), truth) == pytest.approx(
        6 / 7 * np.log2(9 / 7) + 1 / 7 * np.log2(3 / 7)
    )


def test_expected_bits_are_what_incidents_drawn_from_the_truth_average_to(cells, truth, world):
    study = cells.study
    area, known = cells.study_area_100km2[study], truth[study]
    intensity = np.exp(-cells.x["border_distance_km"].to_numpy()[study] / 80)
    rng = np.random.default_rng(1)
    drawn = rng.choice(len(known), 20_000, p=known * area / (known * area).sum())
    mass = np.bincount(drawn, minlength=len(known)) / len(drawn)
    from scipy.sparse import csr_matrix

    mean = information_gain(intensity, area, csr_matrix(mass))[0]
    assert expected_bits(intensity, area, known) == pytest.approx(mean, abs=0.03)


def test_no_model_has_more_bits_than_the_truth(found):
    bits = {row["model"]: row["bits"] for row in found["rows"]}
    assert found["ceiling_bits"] > bits["glm"] > bits["border_distance"] > bits["even"]
    assert bits["even"] == pytest.approx(0, abs=1e-9)
    rank = {row["model"]: row["spearman"] for row in found["rows"]}
    assert rank["even"] is None
    assert 0.7 < rank["glm"] <= 1
    assert {row["model"]: row["role"] for row in found["rows"]}["border_distance"] == "baseline"


def test_a_model_that_is_the_truth_has_its_bits_and_ranks(cells, truth):
    class Oracle:
        def fit(self, *_):
            return self

        def intensity(self, _):
            return truth * 7

    out = planted_test(cells, [], truth, ORIGIN, {"decayed_pool": Oracle()}, replicates=0)
    row = out["rows"][0]
    assert row["bits"] == pytest.approx(out["ceiling_bits"])
    assert row["spearman"] == pytest.approx(1)
    assert "coverage" not in out


def test_coverage_is_of_the_first_model(found, cells):
    rows = {row["risk_class"]: row for row in found["coverage"]}
    assert list(rows) == ["all", "1", "2", "3", "4", "5"]
    assert rows["all"]["cells"] == cells.study.sum()
    parts = [rows[k] for k in "12345"]
    assert sum(p["cells"] * p["covered"] for p in parts) / rows["all"]["cells"] == pytest.approx(
        rows["all"]["covered"]
    )
    assert 0.4 < rows["all"]["covered"] < 1


def test_coverage_by_hand(cells, truth, panel):
    model = make_model("glm", alpha=0.1).fit(cells, panel, ORIGIN)
    study = cells.study
    chance = probability(truth[study], cells.study_area_100km2[study], planted.HORIZON_DAYS)
    low, high = np.zeros(len(chance)), np.ones(len(chance))
    low[:30] = 1.0
    n = len(chance)
    ranks, none = np.zeros(n, np.int32), np.zeros((0, n), np.float32)
    bounds = Intervals(low, high, low, high, ranks, ranks, none, 0.9)
    every = interval_coverage(model, bounds, cells, truth[study])[0]
    assert every == {"risk_class": "all", "cells": n, "covered": pytest.approx(1 - 30 / n)}
    exact = Intervals(chance, chance, chance, chance, ranks, ranks, none, 0.9)
    assert interval_coverage(model, exact, cells, truth[study])[0]["covered"] == 1


def test_worlds_are_pooled_by_cells_with_their_range():
    def one(covered, cells, sums):
        rows = [{"risk_class": "all", "cells": cells, "covered": covered}]
        return {"rows": ["own"], "coverage": rows, "sums": {"parts": 4, "covered": sums}}

    found = over_worlds([one(0.8, 100, 1.0), one(1.0, 300, 0.5)])
    assert found["coverage"] == [
        {"risk_class": "all", "cells": 400, "covered": pytest.approx(0.95), "low": 0.8, "high": 1.0}
    ]
    assert found["sums"] == {"parts": 8, "covered": pytest.approx(0.75), "low": 0.5, "high": 1.0}
    assert (found["worlds"], found["rows"]) == (2, ["own"])
    assert over_worlds([one(0.8, 100, 1.0)]) == one(0.8, 100, 1.0)


def test_coverage_of_sums_by_hand():
    # Two parts of two cells; replicates of the first part sum to 3..7, of the second to 10.
    drawn = np.array([[1, 2, 5, 5], [1, 4, 5, 5], [3, 4, 5, 5]], np.float32)
    none = np.zeros(4)
    bounds = Intervals(*[none] * 6, drawn, 0.999)
    parts, area = np.array([7, 7, 9, 9]), np.ones(4)
    point = np.array([2.0, 3.0, 5.0, 5.0])
    for truth, covered in (([1, 5, 5, 5], 1.0), ([1, 7, 5, 5], 0.5), ([1, 7, 6, 5], 0.0)):
        found = sum_coverage(bounds, point, np.array(truth, float), area, parts)
        assert found == {"parts": 2, "covered": covered}
    # The estimate is always within: an interval that misses it is widened.
    wide = sum_coverage(bounds, point * 2, np.array([1, 8, 5, 5.0]), area, parts)
    assert wide["covered"] == 1.0


def test_coverage_by_weight():
    low, high = np.zeros(2), np.ones(2)
    assert planted.coverage(np.array([0.5, 2]), low, high, np.array([3.0, 1])) == 0.75
