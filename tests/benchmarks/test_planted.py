import numpy as np
import pytest
from benchmarks.studies.planted import (
    expected_bits,
    holds,
    interval_coverage,
    over_worlds,
    planted_test,
    sum_coverage,
)
from benchmarks.studies.worlds import make_world

from borderrisk.evaluation.metrics import information_gain
from borderrisk.model.registry import make_model
from borderrisk.model.uncertainty import Intervals

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
    class Truth:
        role = "model"

        def fit(self, *_):
            return self

        def intensity(self, _):
            return truth * 7

    out = planted_test(cells, [], truth, ORIGIN, {"oracle": Truth()}, replicates=0)
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


def test_coverage_by_hand():
    # Four cells of rising intensity, the last of half the area, the bounds on incidents a year.
    truth, area = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 1.0, 0.5])
    none = np.zeros((0, 4), np.float32)
    low, high = np.array([0.5, 2.0, 4.0, 1.5]), np.array([0.9, 2.0, 5.0, 2.5])
    bounds = Intervals(low, high, low, high, low, high, none, 0.9)
    found = interval_coverage(np.array([1.0, 2.0, 3.0, 9.0]), bounds, area, truth)
    assert found[0] == {"risk_class": "all", "cells": 4, "covered": 0.5}
    assert sum(row["cells"] for row in found[1:]) == 4
    assert found[-1] == {"risk_class": "4", "cells": 1, "covered": 1.0}


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
    bounds = Intervals(none, none, none, none, none, none, drawn, 0.999)
    parts, area = np.array([7, 7, 9, 9]), np.ones(4)
    point = np.array([2.0, 3.0, 5.0, 5.0])
    for truth, covered in (([1, 5, 5, 5], 1.0), ([1, 7, 5, 5], 0.5), ([1, 7, 6, 5], 0.0)):
        found = sum_coverage(bounds, point, np.array(truth, float), area, parts)
        assert found == {"parts": 2, "covered": covered}
    # The estimate is always within: an interval that misses it is widened.
    wide = sum_coverage(bounds, point * 2, np.array([1, 8, 5, 5.0]), area, parts)
    assert wide["covered"] == 1.0


def test_a_bound_itself_holds():
    found = holds(np.array([0.0, 1.0, 2.0]), np.zeros(3), np.ones(3))
    assert found.tolist() == [True, True, False]
