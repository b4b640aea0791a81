from dataclasses import asdict

import numpy as np
import pytest
from benchmarks.studies import folds
from benchmarks.studies.autocorrelation import _correlogram, autocorrelation_range_km
from hypothesis import given
from hypothesis import strategies as st
from tests.squares import DISTANCES, ORIGIN, clustered, make_cells, make_panel, scattered

from borderrisk.errors import DataError
from borderrisk.evaluation.transfer import nearest_cell, spatial_tests
from borderrisk.model.cells import square_blocks
from borderrisk.model.registry import make_model

MODELS = {name: make_model(name) for name in ("kde", "border_distance", "even")}
MODELS = {"glm": make_model("glm", alpha=0.1), **MODELS}


@pytest.fixture(scope="module")
def cells():
    return make_cells()


@pytest.fixture(scope="module")
def clusters(cells):
    return clustered(cells, 12, 10, 8.0, 1)


def test_incidents_are_dealt_before_area():
    # 5 → A, 3 → B, 2 → B (5 each), then the larger empty block to the smaller ground.
    presence, area = np.array([3, 5, 2, 0, 0]), np.array([1.0, 1.0, 1.0, 4.0, 1.0])
    assert folds.balanced_folds(presence, area, 2).tolist() == [1, 0, 1, 0, 1]


@given(st.lists(st.integers(0, 9), min_size=4, max_size=40), st.integers(2, 4))
def test_folds_differ_by_no_more_than_the_heaviest_block(presence, count):
    presence = np.array(presence)
    fold = folds.balanced_folds(presence, np.ones(len(presence)), count)
    load = np.bincount(fold, presence, minlength=count)
    assert np.ptp(load) <= presence.max()
    assert load.sum() == presence.sum()


def test_every_block_fold_has_incidents_or_says_what_to_change(cells):
    panel = make_panel(cells, [-100, -99, 100], [-100, -99, 100])
    with pytest.raises(DataError, match=r"Block fold 3 of 3 holds no incident.*fewer folds"):
        folds.block_regions(cells, panel, np.ones(3, bool), 3, 100.0)


def test_a_block_stays_in_one_fold_and_regions_part_the_domain(cells, clusters):
    regions, block = folds.block_regions(cells, clusters, np.ones(len(clusters), bool), 4, 60.0)
    assert np.sum([region.cells for region in regions], axis=0).tolist() == [1] * len(cells)
    number, _ = square_blocks(cells.x[["x_km", "y_km"]].to_numpy(), 60.0)
    for k in range(number.max() + 1):
        assert sum(region.cells[number == k].any() for region in regions) == 1
    assert np.array_equal(block, number[nearest_cell(cells, clusters)])


def test_random_folds_hold_every_scored_incident_once():
    scored = np.array([True] * 7 + [False] * 4)
    found = folds.random_folds(scored, 5, 3, seed=0)
    assert np.sum([fold.test for fold in found], axis=0).tolist() == scored.astype(int).tolist()
    assert sorted(fold.test.sum() for fold in found) == [2, 2, 3]
    assert all(not np.any(fold.train & fold.test) and fold.cells.all() for fold in found)
    with pytest.raises(DataError, match="too few for 8 random folds"):
        folds.random_folds(scored, 5, 8, seed=0)


def test_incidents_outside_the_study_area_are_not_scored():
    x = make_cells().x["x_km"].to_numpy()
    cells = make_cells(exposure=(x < 0).astype(float))
    panel = make_panel(cells, [-100, -50, 50, 100], [0, 50, 0, 50])
    regions, _ = folds.block_regions(cells, panel, np.ones(4, bool), 2, 50.0)
    scored = np.any([region.incidents for region in regions], axis=0)
    assert scored.tolist() == [True, True, False, False]


def test_the_range_follows_the_size_of_the_clusters(cells):
    even = np.ones(len(cells))
    narrow, wide = (
        np.median(
            [
                autocorrelation_range_km(cells, clustered(cells, 15, 10, sigma, seed), even)
                for seed in range(5)
            ]
        )
        for sigma in (8.0, 18.0)
    )
    # Pair correlation exp(-d² / 4 sigma²): 5 % is left at 2 sqrt(3) sigma.
    assert 0.5 < narrow / (2 * np.sqrt(3) * 8) < 2
    assert 0.5 < wide / (2 * np.sqrt(3) * 18) < 2
    assert narrow < wide


def test_without_clusters_the_range_is_at_its_lower_bound(cells):
    found = [
        autocorrelation_range_km(cells, scattered(cells, 160, seed), np.ones(len(cells)))
        for seed in range(5)
    ]
    assert np.median(found) == 20


def test_what_the_model_explains_is_no_correlation(cells):
    rng = np.random.default_rng(0)
    xy = rng.normal(scale=40, size=(300, 2))
    panel = make_panel(cells, *xy[(np.abs(xy) < 140).all(axis=1)].T, 2.0)
    hill = np.exp(-(cells.x["x_km"] ** 2 + cells.x["y_km"] ** 2) / (2 * 40**2)).to_numpy()
    assert autocorrelation_range_km(cells, panel, np.ones(len(cells))) > 60
    assert autocorrelation_range_km(cells, panel, hill) == 20


def test_an_incident_is_not_correlated_with_itself(cells):
    # Wide discs, far apart: each is spread over many cells, none is near another.
    at = np.array([-100.0, 0.0, 100.0])
    panel = make_panel(cells, np.repeat(at, 3), np.tile(at, 3), 30.0)
    _, correlation, _ = _correlogram(cells, panel, np.ones(len(cells)))
    # Nobody is met at short distances.
    assert correlation[:4] == pytest.approx([-1] * 4, abs=0.01)


def test_the_scale_of_the_intensity_does_not_matter(cells, clusters):
    intensity = make_model("glm", alpha=0.1).fit(cells, clusters, ORIGIN).intensity(cells)
    first, second = (autocorrelation_range_km(cells, clusters, k * intensity) for k in (1, 1000))
    assert first == pytest.approx(second)


def test_one_incident_has_no_range(cells):
    with pytest.raises(DataError, match=r"needs two incidents \(got 1\)"):
        autocorrelation_range_km(cells, make_panel(cells, [0], [0]), np.ones(len(cells)))


@pytest.fixture(scope="module")
def found(cells, clusters):
    return folds.fold_study(
        cells, clusters, ORIGIN, MODELS, distances=DISTANCES, folds=3, seed=1, workers=1
    )


def test_random_folds_promise_more_than_blocks_where_incidents_cluster(found):
    bits = {way: {row["model"]: row["bits"] for row in rows} for way, rows in found.items()}
    assert bits["random"]["kde"] > bits["block"]["kde"] + 0.5
    for way in ("block", "random"):
        assert bits[way]["even"] == pytest.approx(0, abs=1e-9)


def test_random_and_block_score_the_same_incidents(found):
    for block, random in zip(found["block"], found["random"], strict=True):
        assert block["model"] == random["model"]
        assert block["incidents"] == random["incidents"] > 100


def test_columns_that_name_a_border_are_gone_when_it_is_left_out(found, cells, clusters):
    assert folds.neighbour_columns("AFG") == ("border_distance_afg_km", "hours_from_border_afg")
    assert [row["model"] for row in found["unnamed"]] == ["glm", "border_distance"]
    named = spatial_tests(
        cells, clusters, ORIGIN, {k: MODELS[k] for k in ("glm", "border_distance")}, seed=1,
        neighbour_distances=DISTANCES,
    )  # fmt: skip
    glm, reference = zip(found["unnamed"], map(asdict, named.summary), strict=True)
    assert reference[0]["bits"] == reference[1]["bits"]
    assert glm[0]["bits"] != glm[1]["bits"]
