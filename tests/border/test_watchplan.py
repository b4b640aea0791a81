"""Choices of segments against brute force, and schedules whose chances are exact."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from borderrisk.border.watchplan import allocate, madow, proportional_coverage
from borderrisk.errors import ConfigError


def border(expected, length=None, pairs=None):
    expected = np.asarray(expected, float)
    length = np.full(len(expected), 10.0) if length is None else np.asarray(length, float)
    pair = np.array(["IRN-AFG"] * len(expected) if pairs is None else pairs)
    end = pd.Series(length).groupby(pair).cumsum().to_numpy()
    return pd.DataFrame(
        {
            "segment_id": [f"{p}-{i:03d}" for i, p in enumerate(pair, 1)],
            "pair": pair,
            "from_km": end - length,
            "to_km": end,
            "length_km": length,
            "expected_per_year": expected,
        }
    )


def allowed(table, chosen, km, spacing):
    pair, begin, end = (table[n].to_numpy()[list(chosen)] for n in ("pair", "from_km", "to_km"))
    if (end - begin).sum() > km + 1e-9:
        return False
    return all(
        pair[a] != pair[b] or max(begin[a], begin[b]) - min(end[a], end[b]) >= spacing - 1e-6
        for a, b in combinations(range(len(chosen)), 2)
    )


def brute_force(table, km, spacing):
    gain = table.expected_per_year.to_numpy()
    sets = [c for k in range(len(table) + 1) for c in combinations(range(len(table)), k)]
    return max(gain[list(c)].sum() for c in sets if allowed(table, c, km, spacing))


@settings(max_examples=15, deadline=None)
@example(370, 0.0)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 5.0, 15.0, 40.0]))
def test_the_choice_is_the_best_there_is(seed, spacing):
    rng = np.random.default_rng(seed)
    pairs = ["IRN-AFG"] * 5 + ["IRN-PAK"] * 3
    table = border(rng.exponential(1, 8), rng.uniform(5, 15, 8), pairs)
    km = min(rng.uniform(15, 70), 0.99 * table["length_km"].sum())
    out = allocate(table, km, spacing_km=spacing)
    chosen = np.flatnonzero(table.segment_id.isin(out.segments.segment_id))
    assert allowed(table, chosen, km, spacing)
    best = brute_force(table, km, spacing)
    assert out.segments.expected_per_year.sum() == pytest.approx(best, rel=1e-6)
    assert out.km <= km + 1e-6


def test_hand_computed_choice_and_interval():
    table = border([5, 1, 3, 1])
    replicates = np.stack([[5, 1, 3, 1], [1, 1, 1, 1], [0, 0, 0, 9]])
    out = allocate(table, 20, replicates=replicates, level=1.0)
    assert out.segments.segment_id.tolist() == ["IRN-AFG-001", "IRN-AFG-003"]
    assert out.segments.coverage.tolist() == [1, 1]
    assert (out.km, out.capture) == (20, pytest.approx(0.8))
    assert (out.capture_low, out.capture_high) == (0, pytest.approx(0.8))
    assert out.schedule is None


def test_the_whole_border_is_allowed_and_captures_all():
    assert allocate(border([1, 2, 3]), 30).capture == pytest.approx(1)


def test_spacing_is_along_each_pair_only():
    table = border([9, 8, 1, 8], pairs=["A", "A", "A", "B"])
    out = allocate(table, 40, spacing_km=5)
    assert out.segments.segment_id.tolist() == ["A-001", "B-004", "A-003"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 0.98))
def test_coverage_is_proportional_below_one_and_spends_the_budget(seed, share):
    rng = np.random.default_rng(seed)
    rate, length = rng.exponential(1, 12) ** 2, rng.uniform(5, 15, 12)
    km = share * length.sum()
    chance = proportional_coverage(rate, length, km)
    assert chance.max() <= 1 + 1e-12
    assert chance @ length == pytest.approx(km)
    below = chance < 1 - 1e-9
    if below.sum() > 1:
        ratio = chance[below] / rate[below]
        np.testing.assert_allclose(ratio, ratio[0])
        full = ~below
        assert full.sum() == 0 or rate[full].min() * ratio[0] >= 1 - 1e-6


def test_segments_without_risk_are_never_watched():
    chance = proportional_coverage(np.array([0.0, 1, 3]), np.full(3, 10.0), 25)
    np.testing.assert_allclose(chance, [0, 1, 1])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_madow_includes_each_with_exactly_its_chance(chances, random):
    """Between the fractional parts of the running sum the choice is constant: integrate it."""
    chance = np.round(np.array(chances), 6)
    random.shuffle(chances)
    cuts = np.unique(np.concatenate([[0, 1], np.cumsum(chance) % 1]))
    width = np.diff(cuts)
    keep = width > 1e-7
    total = sum(
        w * madow(chance, m)
        for w, m in zip(width[keep], (cuts[:-1] + width / 2)[keep], strict=True)
    )
    np.testing.assert_allclose(total, chance, atol=1e-5)


def test_schedule_frequencies_and_length():
    rng = np.random.default_rng(4)
    table = border(rng.exponential(1, 25), rng.uniform(9, 11, 25))
    out = allocate(table, 60, randomise=True, draws=4000, seed=7)
    often = out.schedule.segment_id.value_counts().reindex(table.segment_id, fill_value=0) / 4000
    coverage = out.segments.set_index("segment_id").coverage.reindex(table.segment_id, fill_value=0)
    # four standard errors of a share over 4,000 days
    assert (np.abs(often - coverage) <= 4 * np.sqrt(coverage * (1 - coverage) / 4000) + 1e-9).all()
    daily = out.schedule.groupby("day").length_km.sum()
    assert daily.mean() == pytest.approx(60, abs=0.5)
    assert daily.max() <= 60 + 1.5 * 11
    assert out.km == pytest.approx(60)
    assert out.capture < allocate(table, 60).capture


def test_a_schedule_cannot_be_predicted_but_follows_its_seed():
    table = border(np.random.default_rng(1).exponential(1, 20))
    one = allocate(table, 50, randomise=True, seed=1).schedule
    assert one.equals(allocate(table, 50, randomise=True, seed=1).schedule)
    assert not one.equals(allocate(table, 50, randomise=True, seed=2).schedule)
    days = one.groupby("day").segment_id.apply(tuple)
    assert days.nunique() > 20


def test_a_schedule_keeps_the_spacing():
    table = border(1 + np.random.default_rng(2).random(30))
    out = allocate(table, 50, spacing_km=25, randomise=True, draws=200, seed=3)
    begin = table.set_index("segment_id").from_km
    for _, day in out.schedule.groupby("day"):
        gaps = np.diff(np.sort(begin[day.segment_id])) - 10
        assert len(gaps) >= 3
        assert gaps.min() >= 25 - 1e-6


def test_a_spacing_with_no_room_says_what_would_fit():
    table = border([1.0] * 10)
    with pytest.raises(ConfigError, match="at most 33 km"):
        allocate(table, 50, spacing_km=20, randomise=True)
    allocate(table, 33, spacing_km=20, randomise=True)


@pytest.mark.parametrize(
    ("km", "kw", "words"),
    [
        (0, {}, "positive"),
        (np.nan, {}, "positive"),
        (41, {}, "longer than the whole border"),
        (5, {}, "shorter than the shortest"),
        (20, {"spacing_km": -1}, "spacing_km"),
        (20, {"randomise": True, "draws": 0}, "1 day"),
    ],
)
def test_bad_budgets_have_one_clear_error(km, kw, words):
    with pytest.raises(ConfigError, match=words):
        allocate(border([1, 2, 3, 4]), km, **kw)
