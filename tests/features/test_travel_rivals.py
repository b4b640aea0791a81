"""Travel time against solvers of others, on ground where both mean the same."""

import numpy as np
import pytest

from borderrisk.features.travel import Walking, tobler_kmh, travel_time

PATH = Walking(off_path_factor=1.0)
PACE = 1 / tobler_kmh(0)
SIZE = (61, 81)


def sources(*cells):
    mask = np.zeros(SIZE, bool)
    for cell in cells:
        mask[cell] = True
    return mask


def own(starts):
    return travel_time(np.zeros(SIZE), 90.0, starts, walking=PATH, dtype="float64")


def test_agrees_with_an_isotropic_solver_where_its_eight_moves_suffice():
    """scikit-image takes 8 moves: equal along them, at most 8.2 % longer between."""
    graph = pytest.importorskip("skimage.graph", reason="scikit-image is not installed")
    start = (30, 40)
    costs = np.full(SIZE, PACE * 0.09)
    theirs, _ = graph.MCP_Geometric(costs).find_costs([start])
    mine = own(sources(start))
    row, col = np.indices(SIZE)
    dr, dc = np.abs(row - start[0]), np.abs(col - start[1])
    exact = (dr == 0) | (dc == 0) | (dr == dc)
    assert exact.sum() > 200
    np.testing.assert_allclose(mine[exact], theirs[exact], rtol=1e-9)
    ratio = theirs[dr + dc > 0] / mine[dr + dc > 0]
    assert ratio.min() >= 1 - 1e-9
    assert 1.02 < ratio.max() < 1.0824


def test_agrees_with_grass_on_flat_ground():
    """r.walk with the knight's move and the same pace has the same 16 moves."""
    grass = pytest.importorskip("benchmarks.grass")
    if not grass.installed():
        pytest.skip("GRASS is not installed")
    starts = sources((5, 7), (50, 70), (30, 2))
    options = f"walk_coeff={PACE * 3.6:.12f},0,0,0"
    found = grass.r_walk(np.zeros(SIZE, "float32"), 90.0, np.flatnonzero(starts), options)
    np.testing.assert_allclose(own(starts), found.cost / 3600, rtol=1e-6, atol=1e-12)
