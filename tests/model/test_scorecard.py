import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from borderrisk.evaluation import backtest as bt
from borderrisk.evaluation import summary as sc
from borderrisk.evaluation.metrics import capture, information_gain, paired_difference
from borderrisk.evaluation.scorecard import render_text, spatial_lines
from borderrisk.model.cells import CellTable


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
            "decayed_pool": ramp(cells, factor), "kde": ramp(cells, 1.2),
            "even": np.ones(len(cells)),
        }  # fmt: skip
        places = [0, 1, 2, 3, 4, 5] if year < 2016 else [0]
        new = [False] * (len(places) - 1) + [True]
        found.append(
            bt.Forecasts(pd.Timestamp(f"{year}-01-01"), intensity, {1: at(cells, places, new)})
        )
    return found


@pytest.fixture
def part(forecasts, cells):
    return sc.prospective(forecasts, bt.origin_rows(forecasts, cells), cells, "decayed_pool")


def test_every_gain_is_over_history_alone_where_it_is(cells):
    places, best = [0, 1, 2, 3, 4, 5], ramp(cells, 1.9)
    test = at(cells, places, [False] * 6)
    for factor, verdict in ((1.2, "better than history alone, by +0.32"), (1.5, "no better than")):
        intensity = {
            "decayed_pool": ramp(cells, 1.5), "kde": best, "history_alone": ramp(cells, factor),
        }  # fmt: skip
        one = [
            bt.Forecasts(pd.Timestamp(f"{year}-01-01"), intensity, {1: test})
            for year in (2014, 2015, 2016)
        ]
        part = sc.prospective(one, bt.origin_rows(one, cells), cells, "decayed_pool")
        assert sc.pick(part, "decayed_pool", "all")["gain"]["baseline"] == "history_alone"
        assert verdict in sc.headline(part, "decayed_pool")[0]
        assert "bits" in sc.headline(part, "decayed_pool")[0]


def test_origins_with_few_later_incidents_do_not_count(part):
    row = sc.pick(part, "decayed_pool", "all")
    assert (row["origins"], row["incidents"]) == (2, 12)


def test_bits_and_gain_by_hand(part):
    row = sc.pick(part, "decayed_pool", "all")
    assert row["bits"] == pytest.approx((np.log2(1.5) + np.log2(1.9)) / 2)
    assert row["gain"]["baseline"] == "kde"
    assert row["gain"]["bits"] == pytest.approx(row["bits"] - np.log2(1.2))
    assert row["gain"]["low"] <= row["gain"]["bits"] <= row["gain"]["high"]
    assert sc.pick(part, "kde", "all")["gain"] is None
    assert sc.pick(part, "even", "all")["gain"]["bits"] == pytest.approx(-np.log2(1.2))


def test_subsets_have_their_own_incidents(part):
    assert sc.pick(part, "decayed_pool", "new")["incidents"] == 2
    assert sc.pick(part, "decayed_pool", "repeat")["incidents"] == 10
    assert sc.pick(part, "absent", "all") is None


def test_a_gain_in_capture_is_against_the_baseline_that_captures_most(part):
    # A tenth of the area in the half that pooled and kde rank first: 1/5 of what happens there.
    row = sc.pick(part, "even", "all")
    assert row["gain_capture_10"]["baseline"] == "kde"
    assert row["gain_capture_10"]["capture_10"] == pytest.approx(0.1 - 0.2)
    assert sc.pick(part, "kde", "all")["gain_capture_10"] is None
    own = sc.pick(part, "decayed_pool", "all")["gain_capture_10"]
    assert own == {"baseline": "kde", "capture_10": 0.0, "low": 0.0, "high": 0.0}


def test_each_gain_has_the_baseline_that_is_best_at_it(cells):
    # kde has fewer bits than uniform, since half of the incidents are where it expects nearly none,
    # and yet captures the other half in the top tenth of its ranking.
    n = len(cells)
    spike = np.where(np.arange(n) < 0.05 * n, 1.0, 1e-9)
    test = at(cells, [0, 1, 0, n - 1, n - 2, n - 3], [False] * 6)
    uniform = np.ones(n)
    intensity = {"decayed_pool": uniform, "kde": spike, "even": uniform}
    one = bt.Forecasts(pd.Timestamp("2014-01-01"), intensity, {1: test})
    part = sc.prospective([one], bt.origin_rows([one], cells), cells, "decayed_pool")
    row = sc.pick(part, "decayed_pool", "all")
    assert (row["gain"]["baseline"], row["gain_capture_10"]["baseline"]) == ("even", "kde")
    bits = information_gain(uniform, np.ones(n), test.mass)
    assert row["gain"]["bits"] == pytest.approx(bits.mean() - row["bits"])
    caught = capture(spike, np.ones(n), test.mass, 0.1).mean()
    assert row["gain_capture_10"]["capture_10"] == pytest.approx(0.1 - caught)


def yearly(cells, horizons, months=12):
    found = []
    for k, factor in enumerate((1.2, 1.3, 1.7, 1.9, 1.8, 1.4)):
        intensity = {"decayed_pool": ramp(cells, factor), "kde": ramp(cells, 1.2)}
        day = pd.Timestamp("2014-01-01") + pd.DateOffset(months=months * k)
        test = at(cells, [0, 1, 2, 3, 4], [False] * 5)
        found.append(bt.Forecasts(day, intensity, dict.fromkeys(horizons, test)))
    return found


def test_origins_whose_horizons_overlap_are_drawn_together(cells):
    found = yearly(cells, (1, 2))
    part = sc.prospective(found, bt.origin_rows(found, cells), cells, "decayed_pool", seed=3)
    area = np.ones(len(cells))
    first, second = (
        np.concatenate([information_gain(f.intensity[m], area, f.tests[1].mass) for f in found])
        for m in ("decayed_pool", "kde")
    )
    block = np.repeat(np.arange(6), 5)
    for years in (1, 2):
        gain = sc.pick(part, "decayed_pool", "all", years)["gain"]
        wanted = paired_difference(first, second, block, span=years, seed=3)
        assert (gain["bits"], gain["low"], gain["high"]) == wanted
    one, two = (sc.pick(part, "decayed_pool", "all", years)["gain"] for years in (1, 2))
    assert two["high"] - two["low"] > one["high"] - one["low"]


@pytest.mark.parametrize(("months", "years", "span"), [(12, 1, 1), (12, 2, 2), (24, 2, 1),
                                                       (6, 1, 2), (12, 3, 3)])  # fmt: skip
def test_how_many_origins_overlap(cells, months, years, span):
    assert sc._span(yearly(cells, (years,), months), years) == span


def test_capture_curves_of_repeat_and_new_places(forecasts, cells):
    # Repeat places lie in the half that is ranked first, the new one in the other.
    last = len(cells) - 1
    found = [
        replace(f, tests={1: at(cells, [0, 1, 2, 3, 4, last], [False] * 5 + [True])})
        for f in forecasts
    ]
    part = sc.prospective(found, bt.origin_rows(found, cells), cells, "decayed_pool")
    at_half = {
        name: np.interp(0.5, curve["area_share"], curve["captured"])
        for name, curve in [
            ("all", part["capture_curve"]["decayed_pool"]),
            *((k, v["capture_curve"]["decayed_pool"]) for k, v in part["subsets"].items()),
        ]
    }
    assert at_half == pytest.approx({"all": 5 / 6, "repeat": 1, "new": 0}, abs=1e-9)
    assert [v["incidents"] for v in part["subsets"].values()] == [15, 3]


def test_calibration_and_reliability_are_split_by_ground(forecasts, cells):
    near = np.arange(len(cells)) < 3
    found = [replace(f, near=near) for f in forecasts]
    part = sc.prospective(found, bt.origin_rows(found, cells), cells, "decayed_pool")
    repeat, new = (part["subsets"][name] for name in ("repeat", "new"))
    # Cells 0 to 5 have one incident each after the first two origins.
    assert sum(row["observed"] for row in repeat["calibration"]) == pytest.approx(6)
    assert sum(row["observed"] for row in new["calibration"]) == pytest.approx(6)
    expected = 3 * (1.5 + 1.9)
    assert sum(row["expected"] for row in repeat["calibration"]) == pytest.approx(expected)
    assert repeat["ground_share"] == pytest.approx(3 / len(cells))
    assert sum(row["cells"] for row in repeat["reliability"]) == 6
    assert sum(row["cells"] for row in new["reliability"]) == 2 * (len(cells) - 3)
    for each in zip(*(p["calibration"] for p in (part, repeat, new)), strict=True):
        whole, *halves = (row["observed"] for row in each)
        assert whole == pytest.approx(sum(halves))


def test_ground_that_is_not_known_is_left_out(part):
    for found in part["subsets"].values():
        assert (found["calibration"], found["reliability"]) == ([], [])
        assert found["ground_share"] is None


def test_small_scores_keep_three_digits(part):
    row = {
        **sc.pick(part, "decayed_pool", "all"),
        "brier": 0.0021251,
        "log_score": 0.0119,
        "auc": None,
    }
    text = render_text({"prospective": {**part, "summary": [row]}})
    line = next(line for line in text.splitlines() if "0.00213" in line)
    assert line.split()[-3:] == ["–", "0.00213", "0.0119"]
    assert max(map(len, text.splitlines())) < 160


def test_both_tables_have_their_columns(part):
    text = render_text({"prospective": part})
    first, second = (next(x for x in text.splitlines() if word in x) for word in ("5 %", "AUC"))
    assert " ".join(first.split()[3:]) == "bits gain in bits 5 % 10 % 20 % gain at 10 %"
    assert " ".join(second.split()[3:]) == ("border 10 % AUC Brier log score")
    gain = sc.pick(part, "decayed_pool", "all")["gain"]
    assert f"{gain['bits']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})" in text
    assert "gain in bits: over the baseline with the most (all 1y kde" in text


def test_capture_curve_ends_at_one(part):
    curve = part["capture_curve"]["decayed_pool"]
    assert (curve["captured"][0], curve["captured"][-1]) == (0, pytest.approx(1))
    assert part["capture_curve"]["even"]["captured"] == pytest.approx(curve["area_share"])


def test_calibration_counts_every_incident_of_the_used_origins(part, forecasts):
    assert sum(row["observed"] for row in part["calibration"]) == pytest.approx(12)
    expected = sum(f.intensity["decayed_pool"].sum() for f in forecasts[:2])
    assert sum(row["expected"] for row in part["calibration"]) == pytest.approx(expected)


def test_reliability_bins_hold_every_cell(part, cells):
    assert sum(row["cells"] for row in part["reliability"]) == 2 * len(cells)


def test_the_scorecard_is_json_and_text(part):
    card = {
        "headline": sc.headline(part, "decayed_pool"), "prospective": part,
        "notes": ["A note."],
    }  # fmt: skip
    json.dumps(card)
    text = render_text(card)
    assert "better than kde, by +0.49 bits" in text
    assert text.endswith("A note.\n")


def test_no_used_origin_gives_an_empty_part(forecasts, cells):
    few = forecasts[2:]
    part = sc.prospective(few, bt.origin_rows(few, cells), cells, "decayed_pool")
    assert (part["summary"], part["calibration"], part["capture_curve"]) == ([], [], {})


def test_a_border_left_out_has_its_lines():
    gain = {"baseline": "border_distance", "bits": 0.5, "low": -0.1, "high": 1.0}
    row = {"model": "decayed_pool", "role": "model", "bits": 1.25, "gain": gain}
    other = {"model": "border_distance", "role": "baseline", "bits": 0.75, "gain": None}
    found = {"summary": [row, other], "scored": 9, "buffer_km": 50.0, "untested": []}
    title, _, own, reference = spatial_lines(found)
    assert "9 incidents, 50 km around it" in title
    assert own.split() == ["decayed_pool", "model", "1.250", "+0.50", "(-0.10", "to", "+1.00)"]
    assert reference.split() == ["border_distance", "baseline", "0.750", "–"]
    untested = [{"fold": "AAA", "reason": "no other border to learn from"}]
    (line,) = spatial_lines({"summary": [], "untested": untested})
    assert line == "border left out: AAA not tested, no other border to learn from"
