import json

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from borderrisk.model import backtest as bt
from borderrisk.model import scorecard as sc
from borderrisk.model.cells import CellTable
from borderrisk.model.scorecard_text import (
    ablation_lines,
    render_text,
    robustness_lines,
    spatial_lines,
)


@pytest.fixture
def cells(grid):
    n = grid.size
    x = pd.DataFrame({"x_km": np.zeros(n), "y_km": np.zeros(n)})
    return CellTable(grid, np.ones(grid.shape, bool), x, np.ones(n), np.ones(n))


def at(cells, places, new):
    mass = np.zeros((len(places), len(cells)))
    mass[np.arange(len(places)), places] = 1
    return bt.Later(csr_matrix(mass), np.array(new))


def ramp(cells, factor):
    """Half of the cells with a higher intensity: the first half by index."""
    first = np.arange(len(cells)) < len(cells) // 2
    return np.where(first, factor, 2 - factor)


@pytest.fixture
def forecasts(cells):
    found = []
    for year, factor in ((2014, 1.5), (2015, 1.9), (2016, 1.9)):
        intensity = {
            "pooled": ramp(cells, factor), "kde": ramp(cells, 1.2), "uniform": np.ones(len(cells)),
        }  # fmt: skip
        places = [0, 1, 2, 3, 4, 5] if year < 2016 else [0]
        new = [False] * (len(places) - 1) + [True]
        found.append(
            bt.Forecasts(pd.Timestamp(f"{year}-01-01"), intensity, {1: at(cells, places, new)})
        )
    return found


@pytest.fixture
def part(forecasts, cells):
    return sc.prospective(forecasts, bt.origin_rows(forecasts, cells), cells, "pooled")


def test_origins_with_few_later_incidents_do_not_count(part):
    row = sc.pick(part, "pooled", "all")
    assert (row["origins"], row["incidents"]) == (2, 12)


def test_bits_and_gain_by_hand(part):
    row = sc.pick(part, "pooled", "all")
    assert row["bits"] == pytest.approx((np.log2(1.5) + np.log2(1.9)) / 2)
    assert row["gain"]["baseline"] == "kde"
    assert row["gain"]["bits"] == pytest.approx(row["bits"] - np.log2(1.2))
    assert row["gain"]["low"] <= row["gain"]["bits"] <= row["gain"]["high"]
    assert sc.pick(part, "kde", "all")["gain"] is None
    assert sc.pick(part, "uniform", "all")["gain"]["bits"] == pytest.approx(-np.log2(1.2))


def test_subsets_have_their_own_incidents(part):
    assert sc.pick(part, "pooled", "new")["incidents"] == 2
    assert sc.pick(part, "pooled", "repeat")["incidents"] == 10
    assert sc.pick(part, "absent", "all") is None


def test_the_worst_origin_is_named(part):
    origin, bits = sc.worst_origin(part, "pooled")
    assert origin == "2014-01-01"
    assert bits == pytest.approx(np.log2(1.5 / 1.2))


def test_targets_say_what_was_met(part):
    found = {row["name"]: row for row in sc.targets(part, "pooled", None)}
    assert found["all incidents: bits over the best baseline"]["met"]
    missed = found["all incidents: captured in the top 10 % of area"]
    assert not missed["met"]
    assert missed["value"] == pytest.approx(0.2)
    left = sc.targets(part, "pooled", {"leave_one_border_out_gain": 0.2})[-1]
    assert (left["value"], left["met"]) == (0.2, False)


def test_targets_stand_next_to_what_hindsight_would_reach(part):
    pools = [
        {"subset": "all", "bits": 1.5, "gain": 0.9, "capture_10": 0.8, "worst_origin": -0.2},
        {"subset": "new", "bits": 0.7, "gain": 0.1, "capture_10": 0.5, "worst_origin": 0.0},
    ]
    found = {row["name"]: row["ceiling"] for row in sc.targets(part, "pooled", None, pools)}
    new = sc.pick(part, "pooled", "new")
    assert list(found.values()) == [
        0.9, None, 0.8, -0.2, pytest.approx(0.7 - new["bits"] + new["gain"]["bits"]), 0.5,
    ]  # fmt: skip
    card = {"prospective": part, "targets": sc.targets(part, "pooled", None, pools),
            "ceiling": {"pool": "a pool", "pools": pools}}  # fmt: skip
    assert "0.20 (at least 0.75; with hindsight 0.80)" in render_text(card)
    assert "with hindsight: a pool" in render_text(card)


def test_capture_curve_ends_at_one(part):
    curve = part["capture_curve"]["pooled"]
    assert (curve["captured"][0], curve["captured"][-1]) == (0, pytest.approx(1))
    assert part["capture_curve"]["uniform"]["captured"] == pytest.approx(curve["area_share"])


def test_calibration_counts_every_incident_of_the_used_origins(part, forecasts):
    assert sum(row["observed"] for row in part["calibration"]) == pytest.approx(12)
    expected = sum(f.intensity["pooled"].sum() for f in forecasts[:2])
    assert sum(row["expected"] for row in part["calibration"]) == pytest.approx(expected)


def test_reliability_bins_hold_every_cell(part, cells):
    assert sum(row["cells"] for row in part["reliability"]) == 2 * len(cells)


def test_the_scorecard_is_json_and_text(part):
    card = {
        "headline": sc.headline(part, "pooled"), "prospective": part,
        "targets": sc.targets(part, "pooled", None), "notes": ["A note."],
    }  # fmt: skip
    json.dumps(card)
    text = render_text(card)
    assert "beats the best baseline (kde)" in text
    assert "target MISSED: all incidents: captured in the top 10 % of area: 0.20" in text
    assert text.endswith("A note.\n")


def test_tests_in_space_features_left_out_and_other_grids_have_their_lines():
    row = {"model": "pooled", "bits": 1.25}
    border = {**row, "scheme": "leave_one_border_out", "bits": 0.5, "transfer_loss": 2.0}
    spatial = {"summary": [{**row, "scheme": "block"}, border], "scored": 9}
    *_, line = spatial_lines({**spatial, "block_km": 150.0, "buffer_km": 50.0})
    assert line.split() == ["pooled", "1.250", "–", "0.500", "2.000", "–"]
    left = {"model": "pooled", "left_out": "travel", "bits": 1.0, "change": -0.2}
    *_, line = ablation_lines({"rows": [{**left, "low": -0.3, "high": -0.1}]})
    assert line.split() == ["pooled", "travel", "1.000", "-0.200", "(-0.300", "to", "-0.100)"]
    grid = {"cell_km": 10.0, "shifted": True, "spearman": 0.99, "top_decile_overlap": 0.9}
    *_, line = robustness_lines({"rows": [grid]})
    assert line == f"{'10 km, shifted by half a cell':34}     0.990     0.900"


def test_no_used_origin_gives_an_empty_part(forecasts, cells):
    few = forecasts[2:]
    part = sc.prospective(few, bt.origin_rows(few, cells), cells, "pooled")
    assert (part["summary"], part["calibration"], part["capture_curve"]) == ([], [], {})
    assert sc.targets(part, "pooled", None) == []
