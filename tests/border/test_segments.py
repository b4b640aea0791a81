"""Cutting, attribution and ranking of border segments on borders whose answer is known."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from borderrisk.border.ranking import (
    Levels,
    Outlook,
    against_earlier,
    border_capture,
    capture_curve,
    observed_by_segment,
    prospective_curves,
    rank_of,
    segment_table,
    top,
)
from borderrisk.border.segments import attribute_cells, cut_border, route_crossings
from borderrisk.errors import ConfigError, DataError
from borderrisk.evaluation.findings import border_lines
from borderrisk.features.travel import Ground
from borderrisk.grid import Grid, laea_crs

CRS = laea_crs(60, 31)


def borders(*lines, pair="IRN-AFG"):
    geometry = gpd.GeoSeries([shapely.LineString(xy) for xy in lines], crs=CRS).to_crs(4326)
    return gpd.GeoDataFrame({"pair": [pair] * len(lines)}, geometry=geometry)


def test_pieces_are_equal_numbered_from_the_north_and_cover_the_line():
    line = borders([(0, -52_000), (0, 0), (0, 52_000)])
    out = cut_border(line, CRS, 10)
    assert out.segment_id.tolist() == [f"IRN-AFG-{i:03d}" for i in range(1, 11)]
    np.testing.assert_allclose(out.length_km, 10.4, rtol=1e-3)
    assert out.geometry.iloc[0].coords[0][1] > out.geometry.iloc[-1].coords[-1][1]
    assert out.from_km.iloc[0] == 0
    np.testing.assert_allclose(out.to_km[:-1], out.from_km[1:])


def test_ids_do_not_depend_on_the_direction_or_the_parts_of_the_lines():
    whole = cut_border(borders([(0, 40_000), (5_000, 0), (0, -40_000)]), CRS, 8)
    parts = cut_border(borders([(0, -40_000), (5_000, 0)], [(0, 40_000), (5_000, 0)]), CRS, 8)
    assert whole.segment_id.tolist() == parts.segment_id.tolist()
    for one, other in zip(whole.geometry, parts.geometry, strict=True):
        assert shapely.hausdorff_distance(one, other) < 1e-9


def test_each_pair_has_its_own_numbers_and_a_short_line_is_one_segment():
    both = gpd.GeoDataFrame(
        {"pair": ["IRN-AFG", "IRN-PAK"]},
        geometry=[
            borders([(0, 0), (0, 30_000)]).geometry[0],
            borders([(0, -2_000), (0, 0)]).geometry[0],
        ],
        crs=4326,
    )
    ids = cut_border(both, CRS, 10).segment_id.tolist()
    assert ids == ["IRN-AFG-001", "IRN-AFG-002", "IRN-AFG-003", "IRN-PAK-001"]


@pytest.mark.parametrize("km", [0, -3, np.nan, 61])
def test_a_length_that_cannot_be_used_has_one_clear_error(km):
    with pytest.raises(ConfigError, match="segment_km"):
        cut_border(borders([(0, 0), (0, 60_000)]), CRS, km)


def world(rows=12, cols=10, cell=10_000.0, factor=5):
    """A grid whose eastern edge is the border, cut in segments of 20 km."""
    from affine import Affine

    grid = Grid(CRS, Affine(cell, 0, 0, 0, -cell, rows * cell / 2), (rows, cols))
    x = cols * cell - 1
    segments = cut_border(borders([(x, rows * cell / 2), (x, -rows * cell / 2)]), CRS, 20)
    return grid, grid.refine(factor), segments


def through(fine, z=None, start=None):
    ground = Ground(np.zeros(fine.shape) if z is None else z, fine.cell_size_m)
    cells = np.arange(fine.shape[0]) * fine.shape[1] + fine.shape[1] - 1
    return ground.solve((cells, np.zeros(len(cells)) if start is None else start))


def test_flat_land_is_reached_straight_from_the_border():
    grid, fine, segments = world()
    flow = attribute_cells(grid, segments, through(fine), fine)
    np.testing.assert_allclose(np.asarray(flow.sum(axis=1)).ravel(), 1)
    expected = np.repeat(np.arange(6), 2 * grid.shape[1])
    assert np.asarray(flow.argmax(axis=1)).ravel().tolist() == expected.tolist()


def test_a_late_start_on_the_far_side_moves_the_cells_to_the_open_segment():
    grid, fine, segments = world()
    start = np.full(fine.shape[0], 1000.0)
    start[:10] = 0
    flow = attribute_cells(grid, segments, through(fine, start=start), fine)
    assert flow[:, 0].sum() == pytest.approx(grid.size)


def test_cells_no_path_reaches_belong_to_the_nearest_segment():
    grid, fine, segments = world()
    z = np.zeros(fine.shape)
    z[:, 20] = np.nan
    flow = attribute_cells(grid, segments, through(fine, z), fine)
    np.testing.assert_allclose(np.asarray(flow.sum(axis=1)).ravel(), 1)
    assert flow[0, 0] == 1
    assert flow[grid.size - grid.shape[1], 5] == 1


def cells_of(grid, intensity, exposure=None, **more):
    layers = {
        "intensity": np.broadcast_to(intensity, grid.shape).astype("float32"),
        "exposure": np.ones(grid.shape) if exposure is None else exposure,
        **more,
    }
    return grid.dataset().assign({n: (("y", "x"), np.asarray(v)) for n, v in layers.items()})


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_segments_sum_to_the_study_area(seed):
    rng = np.random.default_rng(seed)
    grid, fine, segments = world()
    z = np.where(rng.random(fine.shape) < 0.2, np.nan, rng.uniform(0, 500, fine.shape))
    z[:, -1] = 0
    exposure = np.where(rng.random(grid.shape) < 0.3, 0, rng.random(grid.shape))
    cells = cells_of(grid, rng.exponential(1, grid.shape), exposure)
    flow = attribute_cells(grid, segments, through(fine, z), fine)
    table = segment_table(segments, flow, cells, grid)
    total = (cells.intensity * cells.exposure).sum().item() * grid.cell_area_km2 / 100
    assert table.expected_per_year.sum() == pytest.approx(total, rel=1e-6)
    assert table.share.sum() == pytest.approx(1)
    assert sorted(table["rank"]) == list(range(1, 7))


def two_segments():
    grid, fine, segments = world(rows=4)
    return grid, segments, attribute_cells(grid, segments, through(fine), fine)


def test_hand_computed_table():
    grid, segments, flow = two_segments()
    intensity = np.repeat([0.1, 0.3], 2)[:, None]
    table = segment_table(segments, flow, cells_of(grid, intensity), grid, horizon_days=182.625)
    np.testing.assert_allclose(table.expected_per_year, [2, 6], rtol=1e-6)
    np.testing.assert_allclose(table.expected, [1, 3], rtol=1e-6)
    # Of size 2, by hand: the middle of 3 of a mean of 1 is .92, of 4 it is .97; of 8 of 3, .94.
    assert table.count_low.tolist() == [0, 0]
    assert table.count_high.tolist() == [3, 8]
    np.testing.assert_allclose(table.rate_per_km, [0.1, 0.3], rtol=2e-3)
    assert table["rank"].tolist() == [2, 1]
    assert top(table, 1).segment_id.tolist() == ["IRN-AFG-002"]


def test_intervals_hold_the_replicates():
    grid, segments, flow = two_segments()
    north = np.repeat([True, False], grid.size // 2)
    draws = np.stack([np.where(north, a, 0.2) for a in np.linspace(0.1, 0.3, 101)])
    table = segment_table(segments, flow, cells_of(grid, 0.2), grid, replicates=draws)
    np.testing.assert_allclose(table.expected_low, [2.2, 4], rtol=1e-6)
    np.testing.assert_allclose(table.expected_high, [5.8, 4], rtol=1e-6)
    assert table.rank_low.tolist() == [1, 1]
    assert table.rank_high.tolist() == [2, 2]


def test_what_is_known_along_a_segment_and_behind_it():
    grid, segments, flow = two_segments()
    row = np.arange(grid.shape[0])[:, None] + np.zeros(grid.shape)
    cells = cells_of(
        grid,
        np.repeat([0.1, 0.3], 2)[:, None],
        slope_mean=row * 2,
        hours_to_mashhad=10 + row,
        hours_to_zahedan=12.5 - row,
        hours_to_home_settlement=row * 0,
    )
    table = segment_table(segments, flow, cells, grid)
    np.testing.assert_allclose(table.slope_mean, [1, 5])
    np.testing.assert_allclose(table.hours_to_target, [10.5, 10.0])
    assert table.nearest_target.tolist() == ["mashhad", "zahedan"]
    np.testing.assert_allclose(table.hours_inland, [0, 0])


def test_levels_go_by_shares_of_the_border_or_by_rates():
    length, rate = np.array([50.0, 25.0, 15.0, 10.0]), np.array([0.01, 0.02, 0.03, 0.04])
    assert Levels().of(rate, length).tolist() == ["low", "medium", "high", "critical"]
    assert Levels((20, 30, 99)).of(rate, length).tolist() == ["medium", "high", "high", "high"]
    rates = Levels(rates=(0.5, 3.0, 9.0)).of(rate, length)
    assert rates.tolist() == ["medium", "medium", "high", "high"]


def test_change_against_an_earlier_run_that_lacks_a_segment():
    grid, segments, flow = two_segments()
    before = segment_table(segments, flow, cells_of(grid, 0.1), grid).iloc[[1]]
    table = segment_table(segments, flow, cells_of(grid, 0.25), grid, previous=before)
    np.testing.assert_allclose(table.change_per_year, [np.nan, 3.0], rtol=1e-5)


def test_no_scored_cell_is_a_data_error():
    grid, segments, flow = two_segments()
    with pytest.raises(DataError, match="nothing to rank"):
        segment_table(segments, flow, cells_of(grid, np.nan), grid)


def test_crossings_per_km_from_points():
    grid, segments, flow = two_segments()
    x = np.full(4, grid.bounds[2])
    crossings = route_crossings(
        segments, grid, x, np.array([15_000, -15_000, -15_000, -1_000]), np.array([2, 1, 1, 4])
    )
    np.testing.assert_allclose(crossings, [0.25, 0.75])
    table = segment_table(segments, flow, cells_of(grid, 0.1), grid, crossings=crossings)
    np.testing.assert_allclose(table.crossing_density, crossings / table.length_km)
    assert route_crossings(segments, grid, x[:0], x[:0], x[:0]).tolist() == [0, 0]


def test_ranks_break_ties_by_position():
    assert rank_of(np.array([[1, 3, 3], [5, 0, 9]])).tolist() == [[3, 1, 2], [2, 3, 1]]


def test_capture_of_the_best_kilometres():
    rate, length = np.array([1.0, 3.0, 2.0]), np.array([10.0, 10.0, 20.0])
    observed = np.array([1.0, 6.0, 3.0])
    km, captured = capture_curve(rate, length, observed)
    assert km.tolist() == [0, 10, 30, 40]
    np.testing.assert_allclose(captured, [0, 0.6, 0.9, 1])
    assert border_capture(rate, length, observed, 0.125) == pytest.approx(0.3)


def test_a_constant_rate_captures_by_length_alone():
    length, observed = np.array([10.0, 30.0]), np.array([4.0, 0.0])
    assert border_capture(np.ones(2), length, observed, 0.1) == pytest.approx(0.1)
    assert np.isnan(border_capture(np.ones(2), length, observed * 0, 0.1))


def test_observed_mass_flows_with_the_attribution():
    flow = csr_matrix([[1.0, 0.0], [0.25, 0.75]])
    np.testing.assert_allclose(observed_by_segment(flow, np.array([2.0, 4.0])), [3, 3])


def year(expected, happened):
    """Forecasts and later incidents of four cells, one behind each of four segments."""
    history = np.array([1.0, 2.0, 3.0, 4.0])
    own = np.array(expected, float)
    return Outlook({"decayed_pool": own, "history_alone": history}, np.array(happened, float))


def two_years():
    """The model ranks 1 first, then 2; history 2, then 3. Lengths 50, 50, 100, 200 km."""
    length = np.array([50.0, 50.0, 100.0, 200.0])
    outlooks = [year([8, 4, 1, 1], [3, 1, 0, 0]), year([8, 4, 1, 1], [0, 1, 0, 1])]
    return prospective_curves(outlooks, csr_matrix(np.eye(4)), length, "decayed_pool")


def test_hand_computed_curve_of_watched_kilometres():
    """Of 6 incidents 3 lie behind the first 50 km, 5 behind 100 km, 5 behind 200, 6 behind all."""
    found = two_years()
    at = dict(zip(found.km, found.captured["decayed_pool"], strict=True))
    assert (at[0], at[50], at[100], at[200], at[400]) == (0, 0.5, 0.8333, 0.8333, 1)
    # History per km: 0.02, 0.04, 0.03, 0.02: first 2, then 3, then 1 and 4 together (250 km).
    at = dict(zip(found.km, found.captured["history_alone"], strict=True))
    assert (at[50], at[150]) == (0.3333, 0.3333)
    assert at[280] == pytest.approx((2 + 4 * 130 / 250) / 6, abs=1e-4)
    at = dict(zip(found.km, found.captured["length"], strict=True))
    assert (at[100], at[400]) == (0.25, 1)
    assert (found.origins, found.incidents, found.border_km) == (2, 6, 400)


def test_interval_of_the_curve_spans_the_origins():
    """One origin has 3 of 4 behind the first 50 km, the other none of 2."""
    found = two_years()
    k = found.km.index(50)
    assert found.low[k] == 0
    assert found.high[k] == 0.75
    low, own, high = (np.array(v) for v in (found.low, found.captured["decayed_pool"], found.high))
    assert ((low <= own + 1e-4) & (own <= high + 1e-4)).all()


def test_the_curve_in_words():
    lines = border_lines(two_years())
    assert len(lines) == 3
    assert lines[1] == (
        "Watching the 100 km of border ranked first (25% of it) would have covered 83% (50% to "
        "100%) of the later incidents; 33% as history alone ranks them, 25% by length alone."
    )


def test_without_later_incidents_there_is_no_curve():
    outlooks = [year([1, 1, 1, 1], [0, 0, 0, 0])]
    assert prospective_curves(outlooks, csr_matrix(np.eye(4)), np.ones(4), "decayed_pool") is None


def ranked(best, worst, from_km=0.0):
    n = len(best)
    start = from_km + 10.0 * np.arange(n)
    return gpd.GeoDataFrame(
        {
            "segment_id": [f"IRN-AFG-{i:03d}" for i in range(1, n + 1)],
            "from_km": start, "to_km": start + 10, "expected_per_year": 1.0, "rank": 1,
            "rank_low": best, "rank_high": worst,
        },
        geometry=[shapely.Point(0, 0)] * n, crs=4326,
    )  # fmt: skip


def test_a_segment_rose_or_fell_where_the_intervals_of_its_rank_do_not_meet():
    before = ranked([5, 5, 5, 5], [9, 9, 9, 9])
    after = ranked([1, 10, 9, 2], [4, 12, 11, 5])
    out = against_earlier(after, before)
    assert out.change.tolist() == ["rose", "fell", "within intervals", "within intervals"]
    out = against_earlier(after, before.iloc[:2])
    assert out.change.tolist()[2:] == ["no intervals"] * 2
    assert out.rank_before.isna().tolist() == [False, False, True, True]
    out = against_earlier(after.drop(columns="rank_low"), before)
    assert set(out.change) == {"no intervals"}


@pytest.mark.parametrize(
    "other", [ranked([1], [2], from_km=3), ranked([1], [2]).assign(segment_id="X")]
)
def test_another_cut_of_the_border_cannot_be_compared(other):
    with pytest.raises(ConfigError, match="cut the border differently"):
        against_earlier(ranked([1, 2], [2, 3]), other)
