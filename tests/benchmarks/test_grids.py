import numpy as np
import pytest
from affine import Affine
from benchmarks.studies.grids import (
    Surface,
    rank_correlation,
    rank_stability,
    resample,
    top_overlap,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from borderrisk.errors import DataError
from borderrisk.grid import Grid, laea_crs

CRS = laea_crs(60, 31)


def grid_of(shape, size=10_000.0, west=0.0, north=0.0, crs=CRS):
    return Grid(crs, Affine(size, 0, west, 0, -size, north), shape)


def surface(values, exposure=None, shifted=False, **where):
    values = np.array(values, dtype=float)
    exposure = np.ones(values.shape) if exposure is None else np.array(exposure, dtype=float)
    return Surface(grid_of(values.shape, **where), values, exposure, shifted)


def test_small_cells_are_averaged_by_their_scored_area():
    # Two 10 km cells from 2 x 4 cells of 5 km; one small cell is half scored, one not at all.
    small = surface(
        [[1, 3, 8, np.nan], [5, 7, 2, 100]],
        exposure=[[1, 1, 0.5, 1], [1, 1, 1, 0]],
        size=5_000.0,
    )
    assert resample(small, grid_of((1, 2))).tolist() == [[4.0, (0.5 * 8 + 2) / 1.5]]


def test_a_shifted_grid_gives_each_cell_the_quarters_it_overlaps():
    # Moved half a cell east and south: the wanted cell is a quarter of each of the four.
    shifted = surface([[1, 2], [3, 6]], west=-5_000.0, north=5_000.0)
    assert resample(shifted, grid_of((1, 1))).tolist() == [[3.0]]
    # Wanted cells further out: two halves, and nothing.
    wide = resample(shifted, grid_of((1, 3)))
    assert wide.tolist()[0][:2] == [3.0, (2 + 6) / 2]
    assert np.isnan(wide[0, 2])


def test_large_cells_are_copied_to_the_small_ones():
    large = surface([[1, 2]], size=20_000.0)
    assert resample(large, grid_of((2, 4))).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


@given(
    st.integers(0, 2**32 - 1),
    st.floats(3_000, 25_000),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_the_expected_number_of_incidents_is_kept(seed, size, east, south):
    rng = np.random.default_rng(seed)
    source = surface(rng.uniform(0, 5, (4, 6)), rng.uniform(0.1, 1, (4, 6)))
    rows, cols = int(40_000 / size) + 3, int(60_000 / size) + 3
    target = grid_of((rows, cols), size, west=-east * size, north=south * size)
    constant = Surface(source.grid, np.full((4, 6), 2.5), source.exposure)
    scored = Surface(source.grid, source.exposure, np.ones((4, 6)))
    area = np.nan_to_num(resample(scored, target)) * coverage_by(source.grid, target)
    total = np.nansum(resample(source, target) * area) * size**2
    assert total == pytest.approx((source.intensity * source.exposure).sum() * 1e8)
    found = resample(constant, target)
    assert found[np.isfinite(found)] == pytest.approx(2.5)


def coverage_by(source, target):
    """Share of each target cell that the source grid covers."""
    from shapely import box

    return target.coverage(box(*source.bounds))


def test_rank_correlation_is_spearmans_for_equal_areas():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 9, 60), rng.integers(0, 9, 60)
    expected = spearmanr(a, b).statistic
    assert rank_correlation(a, b, np.full(60, 0.7)) == pytest.approx(expected)


def test_a_cell_of_twice_the_area_counts_as_two():
    a, b = np.array([1.0, 2, 3, 5]), np.array([3.0, 1, 2, 7])
    twice = [0, 1, 2, 3, 3]
    expected = spearmanr(a[twice], b[twice]).statistic
    assert rank_correlation(a, b, np.array([1, 1, 1, 2.0])) == pytest.approx(expected)


def test_rank_correlation_of_a_constant_is_unknown():
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4.0), np.ones(4)))


def test_overlap_of_the_top_by_hand():
    # Ten cells; the top tenth is one cell: the same, another, or one of unequal size.
    first = np.arange(10.0)
    moved = first.copy()
    moved[[8, 9]] = 9, 8
    assert top_overlap(first, first, np.ones(10)) == pytest.approx((1, 1))
    assert top_overlap(first, moved, np.ones(10)) == pytest.approx((0, 0))
    # Top area 1.1 of 11: cell 9 (2 units) to 0.55 in the first; cell 8 and a twentieth of 9 else.
    area = np.ones(10)
    area[9] = 2
    both = 2 * 0.05
    assert top_overlap(first, moved, area) == pytest.approx((both / 1.1, both / (1 + 1.1)))


def test_rank_stability_rows():
    values = np.arange(100.0).reshape(10, 10)
    reference = surface(values)
    same = surface(np.kron(values, np.ones((2, 2))), size=5_000.0)
    turned = surface(-values)
    # Moved half a cell west: each cell has half of itself and of its eastern neighbour, the last
    # one half of itself alone. The order stays.
    rows = rank_stability(reference, [same, turned, surface(values, shifted=True, west=-5_000.0)])
    assert rows[0] == {
        "cell_km": 5.0,
        "shifted": False,
        "spearman": 1.0,
        "top_decile_overlap": pytest.approx(1.0),
        "top_decile_jaccard": pytest.approx(1.0),
        "shared_area": 1.0,
    }
    assert (rows[1]["cell_km"], rows[1]["spearman"]) == (10.0, -1.0)
    assert rows[1]["top_decile_overlap"] == rows[1]["top_decile_jaccard"] == 0
    assert rows[2]["shifted"] is True
    assert (rows[2]["spearman"], rows[2]["shared_area"]) == (1.0, 1.0)


def test_only_what_both_score_is_compared():
    reference = surface([[1, 2, 3, 4]], exposure=[[1, 1, 1, 0]])
    other = surface([[np.nan, 9, 7, 1]])
    (row,) = rank_stability(reference, [other])
    assert row["spearman"] == -1.0
    assert row["shared_area"] == pytest.approx(2 / 3)


def test_surfaces_that_cannot_be_compared():
    reference = surface([[1, 2]])
    with pytest.raises(DataError, match="same projection"):
        rank_stability(reference, [surface([[1, 2]], crs=laea_crs(61, 31))])
    with pytest.raises(DataError, match="scores no part"):
        rank_stability(reference, [surface([[1, 2]], west=500_000.0)])
    with pytest.raises(DataError, match=r"intensity has the shape \(1, 2\)"):
        Surface(grid_of((2, 2)), np.ones((1, 2)), np.ones((2, 2)))
