import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist

from borderrisk.errors import ConfigError, DataError
from borderrisk.evaluation import folds as space
from borderrisk.evaluation.transfer import autocorrelation_range_km, restrict, spatial_tests
from borderrisk.grid import Grid, laea_crs
from borderrisk.model.autocorrelation import _correlogram
from borderrisk.model.cells import CellTable
from borderrisk.model.fitting import fit_spatial
from borderrisk.model.panel import Panel

ORIGIN = pd.Timestamp("2020-01-01")
SIDE, CELL = 30, 10.0
DISTANCES = ("border_distance_aaa_km", "border_distance_bbb_km")


def make_cells(seed=0, exposure=None):
    """30 x 30 cells of 10 km: border A along the west edge, border B along the east edge."""
    grid = Grid(
        laea_crs(60, 31),
        Affine(CELL * 1000, 0, -SIDE * CELL * 500, 0, -CELL * 1000, SIDE * CELL * 500),
        (SIDE, SIDE),
    )
    x, y = (axis.ravel() / 1000 for axis in grid.centres())
    west, east = x - x.min() + CELL / 2, x.max() - x + CELL / 2
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "elevation_mean": rng.normal(size=SIDE**2),
            "border_distance_km": np.minimum(west, east),
            "border_distance_aaa_km": west,
            "border_distance_bbb_km": east,
            "x_km": x,
            "y_km": y,
        }
    )
    area = np.full(SIDE**2, CELL**2 / 100)
    exposure = np.ones(SIDE**2) if exposure is None else exposure
    return CellTable(grid, np.ones(grid.shape, bool), table, area, exposure)


def make_panel(cells, x, y, radius=5.0, seed=0):
    """Incidents at grid km, dated evenly over ten years in a random order."""
    lon, lat = cells.grid.unproject(np.asarray(x) * 1000, np.asarray(y) * 1000)
    days = np.random.default_rng(seed).permutation(np.linspace(0, 3600, len(lon)).astype(int))
    date = pd.Timestamp("2010-01-01") + pd.to_timedelta(days, unit="D")
    table = {
        "incident_id": [f"i{k}" for k in range(len(lon))],
        "date": date,
        "date_end": date,
        "radius_km": np.broadcast_to(float(radius), len(lon)) if np.isscalar(radius) else radius,
        "weight": 1.0,
    }
    points = gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(lon, lat), crs=4326)
    return Panel.build(points, cells.grid, cells.mask.astype(float))


def clustered(cells, parents, each, sigma, seed):
    """Thomas process: children around parents, inside the grid."""
    rng = np.random.default_rng(seed)
    half = SIDE * CELL / 2
    centre = np.repeat(rng.uniform(-half * 0.9, half * 0.9, (parents, 2)), each, axis=0)
    xy = centre + rng.normal(scale=sigma, size=centre.shape)
    xy = xy[(np.abs(xy) < half - 1).all(axis=1)]
    return make_panel(cells, xy[:, 0], xy[:, 1], 2.0, seed)


def scattered(cells, n, seed, radius=5.0):
    half = SIDE * CELL / 2 - 1
    x, y = np.random.default_rng(seed).uniform(-half, half, (2, n))
    return make_panel(cells, x, y, radius, seed)


@pytest.fixture(scope="module")
def cells():
    return make_cells()


@pytest.fixture(scope="module")
def clusters(cells):
    return clustered(cells, 12, 10, 8.0, 1)


@pytest.fixture(scope="module")
def result(cells, clusters):
    told = []
    found = spatial_tests(
        cells, clusters, ORIGIN, ["random_forest", "kde", "border_distance", "uniform"],
        {"random_forest": {"n_estimators": 20}}, seed=1, block_km=60,
        neighbour_distances=DISTANCES, progress=lambda done, n: told.append((done, n)),
    )  # fmt: skip
    return found, told


def summary(result, scheme, model):
    return next(
        row for row in result[0]["summary"] if row["scheme"] == scheme and row["model"] == model
    )


# Blocks and folds


def test_blocks_are_counted_by_hand():
    xy = np.array([[0.0, 0.0], [19.9, 0.0], [20.0, 0.0], [0.0, 25.0], [45.0, 25.0]])
    block, corner = space.square_blocks(xy, 20.0)
    assert corner.tolist() == [[0, 0], [0, 1], [1, 0], [2, 1]]
    assert block.tolist() == [0, 0, 2, 1, 3]


def test_incidents_are_dealt_before_area():
    # 5 → A, 3 → B, 2 → B (5 each), then the larger empty block to the smaller ground.
    presence, area = np.array([3, 5, 2, 0, 0]), np.array([1.0, 1.0, 1.0, 4.0, 1.0])
    assert space.balanced_folds(presence, area, 2).tolist() == [1, 0, 1, 0, 1]


@given(st.lists(st.integers(0, 9), min_size=4, max_size=40), st.integers(2, 4))
def test_folds_differ_by_no_more_than_the_heaviest_block(presence, folds):
    presence = np.array(presence)
    fold = space.balanced_folds(presence, np.ones(len(presence)), folds)
    load = np.bincount(fold, presence, minlength=folds)
    assert np.ptp(load) <= presence.max()
    assert load.sum() == presence.sum()


def test_every_block_fold_has_incidents_or_says_what_to_change(cells):
    panel = make_panel(cells, [-100, -99, 100], [-100, -99, 100])
    with pytest.raises(DataError, match=r"Block fold 3 of 3 holds no incident.*fewer folds"):
        space.block_regions(cells, panel, np.ones(3, bool), 3, 100.0)


def test_a_block_stays_in_one_fold_and_regions_part_the_domain(cells, clusters):
    regions, block = space.block_regions(cells, clusters, np.ones(len(clusters), bool), 4, 60.0)
    assert np.sum([region.cells for region in regions], axis=0).tolist() == [1] * len(cells)
    number, _ = space.square_blocks(cells.x[["x_km", "y_km"]].to_numpy(), 60.0)
    for k in range(number.max() + 1):
        assert sum(region.cells[number == k].any() for region in regions) == 1
    assert np.array_equal(block, number[space.nearest_cell(cells, clusters)])


def test_random_folds_hold_every_scored_incident_once():
    scored = np.array([True] * 7 + [False] * 4)
    found = space.random_folds(scored, 5, 3, seed=0)
    assert np.sum([fold.test for fold in found], axis=0).tolist() == scored.astype(int).tolist()
    assert sorted(fold.test.sum() for fold in found) == [2, 2, 3]
    assert all(not np.any(fold.train & fold.test) and fold.cells.all() for fold in found)
    with pytest.raises(DataError, match="too few for 8 random folds"):
        space.random_folds(scored, 5, 8, seed=0)


# What a fold may see


def test_restricting_keeps_columns_with_their_cells(cells):
    panel = make_panel(cells, [-140, 0, 1], [0, 0, 0], [2.0, 30.0, 30.0])
    keep = cells.x["x_km"].to_numpy() > 0
    part, cut = restrict(cells, panel, keep)
    assert len(part) == keep.sum() == cut.mass.shape[1] == cut.domain_mask.sum()
    assert np.array_equal(part.mask, cut.domain_mask)
    assert part.x["x_km"].to_numpy() == pytest.approx(part.grid.centres()[0][part.mask] / 1000)
    assert cut.incidents["incident_id"].tolist() == ["i1", "i2"]
    assert np.asarray(cut.mass.sum(axis=1)).ravel() == pytest.approx([1, 1])
    # Half of the first disc lies east of zero: its mass there is doubled.
    west_to_east = panel.mass[1].toarray().ravel()[keep]
    assert cut.mass[0].toarray().ravel() == pytest.approx(west_to_east / west_to_east.sum())
    assert west_to_east.sum() == pytest.approx(0.5)


@pytest.mark.parametrize("buffer_km", [15.0, 35.0])
def test_training_keeps_the_distance_of_the_buffer(cells, buffer_km):
    panel = scattered(cells, 150, 2, np.where(np.arange(150) % 5 == 0, 60.0, 5.0))
    region = space.block_regions(cells, panel, np.ones(150, bool), 3, 100.0)[0][1]
    fold = space.held_out("block", region, cells, panel, buffer_km)
    xy = cells.x[["x_km", "y_km"]].to_numpy()
    gap = cdist(xy, xy[region.cells]).min(axis=1)
    assert gap[fold.cells].min() > buffer_km
    assert gap[~fold.cells].max() <= buffer_km
    points = panel.incidents[["x", "y"]].to_numpy() / 1000
    gap = cdist(points, xy[region.cells]).min(axis=1)
    radius = panel.incidents["radius_km"].to_numpy()
    assert np.all(gap[fold.train] > np.maximum(buffer_km, radius[fold.train]))
    assert np.array_equal(fold.train, gap > np.maximum(buffer_km, radius))
    assert fold.test.any() and not np.any(fold.train & fold.test)


@pytest.mark.parametrize("model", ["glm", "pooled", "kde", "random_forest"])
def test_where_held_out_incidents_were_does_not_change_the_training(cells, clusters, model):
    from borderrisk.evaluation.transfer import _fit_fold

    everyone = np.ones(len(clusters), bool)
    region = space.block_regions(cells, clusters, everyone, 3, 100.0)[0][0]
    fold = space.held_out("block", region, cells, clusters, 20.0)
    given = {model: {"learning_years": 2, "n_estimators": 5} if model == "pooled" else {}}
    before = _fit_fold(cells, clusters, ORIGIN, given, 0, fold)[model]
    # All held-out incidents go to one cell of their region.
    target = np.flatnonzero(region.cells)[3]
    point = cells.x.iloc[target] * 1000
    held = ~fold.train
    mass = clusters.mass.tolil()
    mass[held] = 0
    mass[held, target] = 1
    moved = Panel(
        clusters.grid,
        clusters.domain,
        csr_matrix(mass),
        clusters.incidents.assign(
            x=np.where(held, point["x_km"], clusters.incidents["x"]),
            y=np.where(held, point["y_km"], clusters.incidents["y"]),
            weight=np.where(held, 0.4, 1.0),
        ),
    )
    again = space.held_out("block", region, cells, moved, 20.0)
    assert np.array_equal(again.cells, fold.cells)
    assert np.array_equal(_fit_fold(cells, moved, ORIGIN, given, 0, fold)[model], before)


@pytest.mark.parametrize("model", ["glm", "kde"])
def test_a_random_fold_does_not_see_its_own_incidents(cells, clusters, model):
    from borderrisk.evaluation.transfer import _fit_fold

    fold = space.random_folds(np.ones(len(clusters), bool), len(cells), 3, seed=0)[0]
    alone = _fit_fold(cells, clusters, ORIGIN, {model: {}}, 0, fold)[model]
    others = clusters.subset(~fold.test)
    expected = fit_spatial(model, {}, cells, others, ORIGIN).intensity(cells)
    assert alone == pytest.approx(expected, rel=1e-9)


def test_a_fold_that_leaves_nothing_to_train_on_is_an_error(cells):
    panel = make_panel(cells, [-100.0, -60.0], [0.0, 0.0])
    region = space.block_regions(cells, panel, np.ones(2, bool), 1, 400.0)[0][0]
    with pytest.raises(DataError, match=r"leaves no incident to train on, 20 km away"):
        space.held_out("block", region, cells, panel, 20.0)


def test_incidents_outside_the_study_area_are_not_scored():
    x = make_cells().x["x_km"].to_numpy()
    cells = make_cells(exposure=(x < 0).astype(float))
    panel = make_panel(cells, [-100, -50, 50, 100], [0, 50, 0, 50])
    regions, _ = space.block_regions(cells, panel, np.ones(4, bool), 2, 50.0)
    scored = np.any([region.incidents for region in regions], axis=0)
    assert scored.tolist() == [True, True, False, False]


# Borders


def test_borders_part_the_domain_at_the_middle(cells, clusters):
    regions, untested = space.border_regions(
        cells, clusters, np.ones(len(clusters), bool), DISTANCES
    )
    west, east = regions
    assert (west.name, east.name, untested) == ("AAA", "BBB", [])
    assert np.array_equal(west.cells, cells.x["x_km"].to_numpy() < 0)
    assert np.array_equal(east.cells, cells.x["x_km"].to_numpy() > 0)


def test_borders_that_cannot_be_left_out_are_named_with_the_reason(cells):
    panel = make_panel(cells, [-100, -50], [0, 50])
    held = space.border_regions(
        cells, panel, np.ones(2, bool), (*DISTANCES, "border_distance_ccc_km")
    )
    assert [region.name for region in held.regions] == ["AAA"]
    assert [row["fold"] for row in held.untested] == ["CCC", "BBB"]
    alone = space.border_regions(cells, panel, np.ones(2, bool), DISTANCES[:1])
    assert alone.untested == [{"fold": "AAA", "reason": "no other border to learn from"}]


# Scores


def test_random_folds_promise_more_than_blocks_where_incidents_cluster(result):
    for model in ("random_forest", "kde"):
        random, block = (summary(result, s, model) for s in ("random", "block"))
        assert random["bits"] > block["bits"] + 0.5
        assert random["auc"] > block["auc"]
        gap = next(row["bits"] for row in result[0]["optimism"] if row["model"] == model)
        assert gap == pytest.approx(random["bits"] - block["bits"])
    assert result[0]["optimism_bits"] == pytest.approx(result[0]["optimism"][0]["bits"])


def test_random_and_block_score_the_same_incidents(result):
    found = result[0]
    counts = {(row["scheme"], row["model"]): row["incidents"] for row in found["summary"]}
    assert counts["random", "kde"] == counts["block", "kde"] == found["scored"]
    assert found["scored"] + found["unscored"] == 120


def test_uniform_knows_nothing(result):
    for scheme in ("block", "random", "leave_one_border_out"):
        row = summary(result, scheme, "uniform")
        assert row["bits"] == pytest.approx(0, abs=1e-9)
        assert row["auc"] == pytest.approx(0.5)
        assert row["capture_10"] == pytest.approx(0.1)


def test_rows_average_to_the_summary_and_gains_are_differences(result):
    rows = pd.DataFrame(result[0]["rows"])
    for row in result[0]["summary"]:
        part = rows[(rows["scheme"] == row["scheme"]) & (rows["model"] == row["model"])]
        assert part["incidents"].sum() == row["incidents"]
        assert np.average(part["bits"], weights=part["incidents"]) == pytest.approx(row["bits"])
        if row["gain"] is not None:
            base = summary(result, row["scheme"], "border_distance")["bits"]
            assert row["gain"]["bits"] == pytest.approx(row["bits"] - base)
            assert row["gain"]["low"] <= row["gain"]["bits"] <= row["gain"]["high"]


def test_transfer_loss_is_what_seeing_the_border_was_worth(result):
    rows = [row for row in result[0]["rows"] if row["scheme"] == "leave_one_border_out"]
    assert {row["fold"] for row in rows} == {"AAA", "BBB"}
    for row in rows:
        assert row["transfer_loss"] == pytest.approx(row["seen_bits"] - row["bits"])
    # A heat map knows nothing on the other side; seen clusters are worth more than a bit.
    assert summary(result, "leave_one_border_out", "kde")["transfer_loss"] > 1
    assert "random_forest" in {
        row["model"] for row in result[0]["rows"] if row["scheme"].endswith("unnamed")
    }


def test_every_incident_of_a_border_was_also_scored_by_a_model_that_saw_it():
    from borderrisk.evaluation.transfer import _plan

    # One block is a hole in the study area: incidents at its corners lie mostly in the others.
    x, y = (make_cells().x[axis].to_numpy() for axis in ("x_km", "y_km"))
    hole = (x > -90) & (x < -30) & (y > -90) & (y < -30)
    cells = make_cells(exposure=(~hole).astype(float))
    corners = np.array([[-85, -85], [-85, -35], [-35, -85], [-35, -35]])
    rest = np.random.default_rng(8).uniform(-145, 145, (60, 2))
    panel = make_panel(cells, *np.concatenate([corners, rest]).T, 20.0)
    plan = _plan(cells, panel, 3, DISTANCES, 20.0, 60.0, seed=0)
    held, mixed = (
        np.any([fold.test for fold in plan.folds if fold.scheme == scheme], axis=0)
        for scheme in ("leave_one_border_out", "random")
    )
    assert held[:4].all() and not plan.scored[:4].all()
    assert not np.any(held & ~mixed)


def test_bits_are_relative_to_the_region_that_is_held_out(cells):
    from borderrisk.evaluation.transfer import _plan, _score_fold

    panel = make_panel(cells, [-104, 104, -92, 96], [5, 5, -5, -5], 0.0)
    plan = _plan(cells, panel, 2, DISTANCES, 50.0, 150.0, seed=0)
    fold = next(f for f in plan.folds if (f.scheme, f.name) == ("leave_one_border_out", "AAA"))
    # Twice as likely in 10 % of the western half; the eastern half has no say.
    order = np.flatnonzero(cells.x["x_km"].to_numpy() < 0)
    intensity = np.where(cells.x["x_km"] < 0, 1.0, 50.0)
    hot = space.nearest_cell(cells, panel)[[0, 2]]
    others = np.setdiff1d(order, hot)[: len(order) // 10 - 2]
    intensity[np.concatenate([hot, others])] = 2.0
    table = _score_fold(fold, {"any": intensity}, cells, plan)
    assert table["bits"].tolist() == pytest.approx([np.log2(2 / 1.1)] * 2)
    assert table["capture_10"].tolist() == pytest.approx([1.0, 1.0])


def test_folds_are_told_and_results_are_json(result):
    found, told = result
    assert told == [(k + 1, 14) for k in range(14)]
    assert json.loads(json.dumps(found, allow_nan=False))["buffer_km"] == found["buffer_km"]
    assert found["block_km"] == 60 and found["untested"] == []


def test_same_seed_same_scores(cells, clusters):
    def run():
        return spatial_tests(
            cells, clusters, ORIGIN, ["random_forest", "border_distance"],
            {"random_forest": {"n_estimators": 5}}, seed=4, folds=3, block_km=60,
        )  # fmt: skip

    assert run() == run()


def test_later_incidents_are_ignored(cells, clusters):
    def run(panel):
        return spatial_tests(
            cells, panel, "2017-01-01", ["kde"], seed=0, folds=3, neighbour_distances=DISTANCES
        )

    assert run(clusters) == run(clusters.before("2017-01-01"))


def test_blocks_are_never_smaller_than_three_buffers(cells):
    panel = scattered(cells, 120, 5, 20.0)
    found = spatial_tests(cells, panel, ORIGIN, ["uniform"], folds=2)
    assert found["buffer_km"] == 20
    assert found["block_km"] == max(60.0, found["range_km"])


def test_one_fold_is_refused(cells, clusters):
    with pytest.raises(ConfigError, match=r"at least 2 folds \(got 1\)"):
        spatial_tests(cells, clusters, ORIGIN, ["uniform"], folds=1)


# Autocorrelation


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
    intensity = fit_spatial("glm", {"alpha": 0.1}, cells, clusters, ORIGIN).intensity(cells)
    first, second = (autocorrelation_range_km(cells, clusters, k * intensity) for k in (1, 1000))
    assert first == pytest.approx(second)


def test_one_incident_has_no_range(cells):
    with pytest.raises(DataError, match=r"needs two incidents \(got 1\)"):
        autocorrelation_range_km(cells, make_panel(cells, [0], [0]), np.ones(len(cells)))
