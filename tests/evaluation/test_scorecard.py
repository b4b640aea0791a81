"""Every figure of a scorecard by hand, and what it says of them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import binom, nbinom, poisson

from borderrisk import scores
from borderrisk.evaluation import backtest as bt
from borderrisk.evaluation import metrics, summary
from borderrisk.evaluation.findings import (
    border_lines,
    count_lines,
    headline,
    render_text,
    transfer_lines,
)
from borderrisk.evaluation.scorecard import Behind, Gain, Scorecard, Transfer
from borderrisk.model.cells import CellTable
from borderrisk.model.level import Level

OWN, PEER = "decayed_pool", "history_alone"
LEVEL = Level(8.0, 2.0)


@pytest.fixture
def cells(grid):
    n = grid.size
    x = pd.DataFrame({"x_km": np.zeros(n), "y_km": np.zeros(n)})
    return CellTable(grid, np.ones(grid.shape, bool), x, np.ones(n), np.ones(n))


def at(cells, places, new=None, weight=1.0, **more):
    mass = np.zeros((len(places), len(cells)))
    mass[np.arange(len(places)), places] = 1
    new = np.zeros(len(places), bool) if new is None else np.array(new)
    return bt.Later(csr_matrix(mass), new, np.full(len(places), weight), **more)


def forecast(cells, year, intensity, tests, near=None, level=LEVEL, **date):
    day = pd.Timestamp(f"{year}-01-01") + pd.DateOffset(**date)
    near = np.zeros(len(cells), bool) if near is None else near
    return bt.Forecasts(day, intensity, tests, near, dict.fromkeys(intensity, level))


def ramp(cells, factor):
    """Half of the cells with a higher intensity: the first half by index."""
    first = np.arange(len(cells)) < len(cells) // 2
    return np.where(first, factor, 2 - factor)


def made(forecasts, cells, model=OWN, **more):
    rows = bt.origin_rows(forecasts, cells)
    return summary.prospective(forecasts, rows, cells, model, near_km=15.0, **more)


def row(part, model, subset="all", years=None):
    return next((r for r in part.of(subset, years) if r.model == model), None)


@pytest.fixture
def forecasts(cells):
    found = []
    for year, factor in ((2014, 1.5), (2015, 1.9), (2016, 1.9)):
        intensity = {OWN: ramp(cells, factor), PEER: ramp(cells, 1.2), "even": np.ones(len(cells))}
        places = [0, 1, 2, 3, 4, 5] if year < 2016 else [0]
        new = [False] * (len(places) - 1) + [True]
        found.append(forecast(cells, year, intensity, {1: at(cells, places, new)}))
    return found


@pytest.fixture
def part(forecasts, cells):
    return made(forecasts, cells)


def test_origins_with_few_later_incidents_do_not_count(part):
    assert (row(part, OWN).origins, row(part, OWN).incidents) == (2, 12)
    assert len(part.origins) == 3


def test_bits_and_gains_by_hand(part):
    own = row(part, OWN)
    assert own.bits == pytest.approx((np.log2(1.5) + np.log2(1.9)) / 2)
    assert (own.gain.baseline, own.gain_best.baseline) == (PEER, "even")
    assert own.gain.bits == pytest.approx(own.bits - np.log2(1.2))
    assert own.gain_best.bits == pytest.approx(own.bits)
    assert own.gain.low <= own.gain.bits <= own.gain.high
    assert row(part, PEER).gain is None
    assert row(part, "even").gain.bits == pytest.approx(-np.log2(1.2))
    assert row(part, "even").gain_best is None


def test_subsets_have_their_own_incidents(part):
    assert row(part, OWN, "new").incidents == 2
    assert row(part, OWN, "repeat").incidents == 10
    assert row(part, "absent") is None


def test_new_ground_has_a_mean_and_a_first_tenth_of_its_own(cells):
    """Of 48 cells 28 are repeat ground, 20 new: two incidents there, one in its best two cells."""
    n = len(cells)
    near = np.arange(n) < n - 20
    intensity = np.full(n, 50.0)
    intensity[n - 20 :] = 1.0
    intensity[n - 2 :] = 6.0
    test = at(cells, [0, 0, 0, n - 1, n - 20], [False] * 3 + [True] * 2)
    part = made([forecast(cells, 2014, {OWN: intensity}, {1: test}, near)], cells)
    fresh, of_all = row(part, OWN, "new_ground"), row(part, OWN, "new")
    mean = (18 * 1 + 2 * 6) / 20
    assert fresh.incidents == 2
    assert fresh.bits == pytest.approx((np.log2(6 / mean) + np.log2(1 / mean)) / 2)
    assert fresh.capture_10 == pytest.approx(0.5)
    assert of_all.capture_10 == 0
    assert of_all.bits < fresh.bits


def test_an_incident_mostly_on_repeat_ground_is_not_one_of_new_ground(cells):
    n = len(cells)
    near = np.arange(n) < n - 20
    mass = np.zeros((2, n))
    mass[0, [0, n - 1]], mass[1, [0, n - 1]] = (0.85, 0.15), (0.5, 0.5)
    test = bt.Later(csr_matrix(mass), np.ones(2, bool), np.ones(2))
    one = forecast(cells, 2014, {OWN: np.ones(n)}, {1: test}, near)
    ground, found = one.scored(1, "new_ground")
    assert (ground.sum(), found.shape) == (20, (1, 20))
    assert found.sum() == pytest.approx(1)


def yearly(cells, horizons, months=12):
    found = []
    for k, factor in enumerate((1.2, 1.3, 1.7, 1.9, 1.8, 1.4)):
        intensity = {OWN: ramp(cells, factor), PEER: ramp(cells, 1.2)}
        tests = dict.fromkeys(horizons, at(cells, [0, 1, 2, 3, 4]))
        found.append(forecast(cells, 2014, intensity, tests, months=months * k))
    return found


def test_origins_whose_horizons_overlap_are_drawn_together(cells):
    found = yearly(cells, (1, 2))
    part = made(found, cells, seed=3)
    area = np.ones(len(cells))
    first, second = (
        np.concatenate(
            [metrics.information_gain(f.intensity[m], area, f.tests[1].mass) for f in found]
        )
        for m in (OWN, PEER)
    )
    blocks = np.repeat(np.arange(6), 5)
    for years, span in ((1, 1), (2, 2)):
        wanted = metrics.paired_difference(first, second, blocks, span=span, seed=3)
        gain = row(part, OWN, years=years).gain
        assert (gain.bits, gain.low, gain.high) == pytest.approx(tuple(wanted))
    assert any("overlap" in note for note in summary.notes(found, part))


# Chances and counts


def test_counts_of_repeat_and_new_ground_add_up(cells):
    near = np.arange(len(cells)) < 10
    one = forecast(cells, 2014, {OWN: ramp(cells, 1.9)}, {1: at(cells, [0, 1, 30, 40, 41])}, near)
    part = made([one], cells)
    for key in ("expected", "observed"):
        sums = {
            ground: sum(getattr(r, key) for r in part.calibration if r.ground == ground)
            for ground in ("all", "repeat", "new")
        }
        assert sums["all"] == pytest.approx(sums["repeat"] + sums["new"])
    assert part.ground_share["repeat"] == pytest.approx(10 / len(cells))
    observed = sum(r.observed for r in part.calibration if r.ground == "repeat")
    assert observed == pytest.approx(2)


def test_cells_with_more_than_an_even_chance_are_told_with_their_interval(cells):
    """Ten cells get a chance of 0.8, something happens in six of them."""
    expected = 0.5 * ((1 - 0.8) ** (-1 / 0.5) - 1)
    intensity = np.where(np.arange(len(cells)) < 10, expected, 1e-6)
    assert scores.probability(expected, 1.0, scores.DAYS_PER_YEAR) == pytest.approx(0.8)
    part = made([forecast(cells, 2014, {OWN: intensity}, {1: at(cells, range(6))})], cells)
    likely = part.likely
    assert (likely.cells, likely.predicted) == (10, pytest.approx(0.8))
    assert likely.observed == pytest.approx(0.6)
    assert binom.sf(5, 10, likely.low) == pytest.approx(0.05)
    assert binom.cdf(6, 10, likely.high) == pytest.approx(0.05)
    (said, *_) = count_lines(part)
    assert "80% was said on average, it happened in 60% of 10 (30% to 85%)" in said


def test_confidence_counts_in_totals_classes_and_chances_not_in_bits(cells):
    whole, half = (
        made([forecast(cells, 2014, {OWN: ramp(cells, 1.9)},
                       {1: at(cells, [0, 1, 2, 3, 4], weight=w)})], cells)
        for w in (1.0, 0.5)
    )  # fmt: skip
    assert whole.totals[0].reported == 5
    assert half.totals[0].reported == 2.5
    assert sum(r.observed for r in half.calibration if r.ground == "all") == pytest.approx(2.5)
    assert row(half, OWN).bits == row(whole, OWN).bits


def test_totals_are_held_or_not_by_the_intervals_of_every_origin(cells):
    """Also of origins that few incidents follow: to leave these out would favour the model."""
    level = Level(8.0, 2.0)
    counts = (0, 3, 8, 40)
    found = [
        forecast(cells, 2014 + k, {OWN: np.ones(len(cells))}, {1: at(cells, [0] * n)}, level=level)
        for k, n in enumerate(counts)
    ]
    part = made(found, cells)
    assert [t.reported for t in part.totals] == list(counts)
    law = nbinom(2.0, 2.0 / 10.0)
    for level_, held in zip((0.8, 0.9), part.held, strict=True):
        low, high = level.interval(365.25, level_)
        assert (held.level, held.periods) == (level_, 4)
        assert held.held == sum(low <= n <= high for n in counts)
        assert (held.low, held.high) == metrics.binomial_interval(held.held, 4)
    k = np.arange(400)
    observed = sum(r.observed for r in part.calibration if r.ground == "all")
    assert observed == pytest.approx(sum(counts))
    crps = [((law.cdf(k) - (k >= n)) ** 2).sum() for n in counts]
    assert [t.crps for t in part.totals] == pytest.approx(crps)
    rule = [((poisson(8).cdf(k) - (k >= n)) ** 2).sum() for n in counts]
    assert [t.crps_poisson for t in part.totals] == pytest.approx(rule)


def test_counts_of_sections_are_held_or_not_where_something_was_expected(cells):
    """Two sections, each half of the cells; of a third next to nothing is expected."""
    n = len(cells)
    section = np.where(np.arange(n) < n // 2, 0, 1)
    section[-1] = 2
    line = bt.BorderLine(csr_matrix(np.eye(3)[section]), np.ones(3))
    intensity = np.where(section == 2, 0.001, 6 / (n / 2))
    places = [[0] * 5 + [n - 2] * 30, [0] * 14 + [n - 1] * 9]
    found = [
        forecast(cells, 2014 + k, {OWN: intensity}, {1: at(cells, p)}) for k, p in enumerate(places)
    ]
    part = made(found, cells, line=line)
    said = np.bincount(section, intensity)[:2]
    counts = np.array([[5, 30], [14, 0]])
    for held in part.held_of("sections"):
        low, high = scores.count_bounds(said, held.level, scores.PART_SIZE)
        inside = ((low <= counts) & (counts <= high)).sum()
        assert (held.held, held.periods) == (inside, 4)
    assert [held.held for held in part.held_of("sections")] == [1, 2]
    assert "Sections of border of which at least 0.5 was expected (4 over" in " ".join(
        count_lines(part)
    )
    assert not made(found, cells).held_of("sections")


# What it says


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.1, 0.3, "is better than"),
        (-0.1, 0.3, "is no better than"),
        (0.0, 0.3, "is no better than"),
        (-0.3, 0.1, "is no better than"),
        (-0.3, -0.1, "is worse than"),
    ],
)
def test_the_first_line_is_the_difference_to_history_alone(part, low, high, said):
    changed = replace(row(part, OWN), gain=Gain(PEER, (low + high) / 2, low, high))
    others = [r for r in part.summary if r != row(part, OWN)]
    first = headline(OWN, replace(part, summary=[changed, *others]))[0]
    assert f"Decayed pool {said} history alone" in first
    assert f"({low:+.2f} to {high:+.2f}) bits per incident" in first
    assert "1 year ahead, 12 incidents after 2 origins" in first


def test_two_years_ahead_alone_have_a_headline(cells):
    part = made(yearly(cells, (2,)), cells)
    assert part.shortest == 2
    assert (
        "bits per incident (2 years ahead, 30 incidents after 6 origins" in headline(OWN, part)[0]
    )


def test_a_record_that_is_too_short_says_so(cells):
    one = forecast(cells, 2014, {OWN: np.ones(len(cells))}, {1: at(cells, [0])})
    part = made([one], cells)
    (said,) = headline(OWN, part)
    assert said.startswith("No bits can be told: none of the 1 origin was followed by 5 incidents")


def test_history_alone_is_compared_with_nothing_but_the_rest(part):
    first, *_ = headline(PEER, part)
    assert first.startswith("History alone has 0.26 bits per incident")


def test_incidents_beyond_the_border_are_told(cells):
    found = [forecast(cells, 2014, {OWN: np.ones(len(cells))}, {1: at(cells, [0], elsewhere=12)})]
    said = " ".join(summary.notes(found, made(found, cells)))
    assert "12 incidents of the test periods are not scored" in said
    assert "beyond the border" in said
    assert "0 of 1 origin count" in said


def a_card(part):
    behind = Behind("all", OWN, "model", 7, 0.5, 0.7, 0.4, Gain("border_distance", 0.2, -0.1, 0.5))
    transfer = Transfer([behind], [behind], 60.0, 20.0, 7, 2, {"AAA": "no column"})
    return Scorecard(OWN, headline(OWN, part), part, None, transfer, ["A note."])


def test_a_scorecard_comes_back_from_json(part):
    card = a_card(part)
    text = json.dumps(card.to_json(), allow_nan=False)
    assert Scorecard.from_json(json.loads(text)) == card
    plain = json.loads(text)
    assert "bits" in plain["headline"][0]
    assert plain["border_capture"] is None
    assert {"subset", "incidents"} <= set(plain["prospective"]["summary"][0])
    with pytest.raises(ValueError, match="headline"):
        Scorecard.from_json({"model": OWN})


def test_the_text_has_every_test(part):
    text = render_text(a_card(part))
    first = text.splitlines()[0]
    assert first == a_card(part).headline[0]
    for words in ("All incidents, 1 year ahead, 12 incidents", "At new places",
                  "There decayed pool is no better than border distance: +0.20 (-0.10 to +0.50)",
                  "Border AAA was not left out: no column.", "A note."):  # fmt: skip
        assert words in text
    line = next(t for t in text.splitlines() if t.startswith(PEER))
    assert line.split()[:4] == [PEER, "baseline", "0.26", "–"]


def test_no_border_left_out_is_said(part):
    assert transfer_lines(None, OWN) == ["No border was left out."]
    assert border_lines(None) == []
