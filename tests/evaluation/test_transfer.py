import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from tests.squares import DISTANCES, ORIGIN, clustered, make_cells, make_panel, scattered

from borderrisk.evaluation import transfer as space
from borderrisk.evaluation.transfer import fit_fold, score_fold, spatial_tests
from borderrisk.model.cells import square_blocks
from borderrisk.model.panel import Panel
from borderrisk.model.registry import settings


def given(*names, **parameters):
    return {name: settings(name, parameters.get(name)) for name in names}


@pytest.fixture(scope="module")
def cells():
    return make_cells()


@pytest.fixture(scope="module")
def clusters(cells):
    return clustered(cells, 12, 10, 8.0, 1)


@pytest.fixture(scope="module")
def result(cells, clusters):
    return spatial_tests(
        cells, clusters, ORIGIN,
        given("random_forest", "kde", "border_distance", "even",
              random_forest={"n_estimators": 20}), seed=1, neighbour_distances=DISTANCES,
    )  # fmt: skip


def corner(cells, panel):
    """A quarter of the domain to hold out."""
    inside = ((cells.x["x_km"] < -30) & (cells.x["y_km"] < -10)).to_numpy()
    return space.region_of("corner", inside, cells, panel, np.ones(len(panel), bool))


def summary(result, model):
    return next(row for row in result.summary if row.model == model)


def test_blocks_are_counted_by_hand():
    xy = np.array([[0.0, 0.0], [19.9, 0.0], [20.0, 0.0], [0.0, 25.0], [45.0, 25.0]])
    block, corner = square_blocks(xy, 20.0)
    assert corner.tolist() == [[0, 0], [0, 1], [1, 0], [2, 1]]
    assert block.tolist() == [0, 0, 2, 1, 3]


# What a fold may see


def test_restricting_keeps_columns_with_their_cells(cells):
    panel = make_panel(cells, [-140, 0, 1], [0, 0, 0], [2.0, 30.0, 30.0])
    keep = cells.x["x_km"].to_numpy() > 0
    part, cut = space.restrict(cells, panel, keep)
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
    region = corner(cells, panel)
    fold = space.held_out(region, cells, panel, buffer_km)
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


@pytest.mark.parametrize("model", ["glm", "decayed_pool", "kde", "random_forest"])
def test_where_held_out_incidents_were_does_not_change_the_training(cells, clusters, model):
    region = corner(cells, clusters)
    fold = space.held_out(region, cells, clusters, 20.0)
    small = {} if model in ("glm", "kde") else {"n_estimators": 5}
    wanted = given(model, **{model: small})
    before = fit_fold(cells, clusters, ORIGIN, wanted, 0, fold)[model]
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
    again = space.held_out(region, cells, moved, 20.0)
    assert np.array_equal(again.cells, fold.cells)
    assert np.array_equal(fit_fold(cells, moved, ORIGIN, wanted, 0, fold)[model], before)


def test_a_border_without_others_to_learn_from_is_not_tested(cells):
    # All within the buffer (the wider radius) of the west: nothing is left to train on.
    panel = make_panel(cells, [-60.0, -50.0, 10.0], [0.0, 50.0, 0.0], 25.0)
    west = space.border_regions(cells, panel, np.ones(3, bool), DISTANCES)[0][0]
    assert space.held_out(west, cells, panel, 25.0) is None
    found = spatial_tests(cells, panel, ORIGIN, given("even"), neighbour_distances=DISTANCES)
    assert found.untested["AAA"] == "no incident left to train on"
    alone = spatial_tests(cells, panel, ORIGIN, given("even"), neighbour_distances=DISTANCES[:1])
    assert (alone.rows, alone.summary, alone.scored) == ([], [], 0)
    assert alone.untested == {"AAA": "no other border to learn from"}


def test_incidents_outside_the_study_area_are_not_scored():
    x = make_cells().x["x_km"].to_numpy()
    cells = make_cells(exposure=(x < 0).astype(float))
    panel = make_panel(cells, [-100, -50, 50, 100], [0, 50, 0, 50])
    found = spatial_tests(cells, panel, ORIGIN, given("even"), neighbour_distances=DISTANCES)
    assert (found.scored, found.unscored) == (2, 2)
    assert list(found.untested) == ["BBB"]


# Borders


def test_borders_part_the_domain_at_the_middle(cells, clusters):
    regions, untested = space.border_regions(
        cells, clusters, np.ones(len(clusters), bool), DISTANCES
    )
    west, east = regions
    assert (west.name, east.name, untested) == ("AAA", "BBB", {})
    assert np.array_equal(west.cells, cells.x["x_km"].to_numpy() < 0)
    assert np.array_equal(east.cells, cells.x["x_km"].to_numpy() > 0)


def test_borders_that_cannot_be_left_out_are_named_with_the_reason(cells):
    panel = make_panel(cells, [-100, -50], [0, 50])
    regions, untested = space.border_regions(
        cells, panel, np.ones(2, bool), (*DISTANCES, "border_distance_ccc_km")
    )
    assert [region.name for region in regions] == ["AAA"]
    assert list(untested) == ["CCC", "BBB"]


# Scores


def test_even_knows_nothing(result):
    row = summary(result, "even")
    assert row.bits == pytest.approx(0, abs=1e-9)
    assert row.auc == pytest.approx(0.5)
    assert row.capture_10 == pytest.approx(0.1)


def test_a_heat_map_knows_nothing_of_a_border_it_has_not_seen(result):
    assert {row.border for row in result.rows} == {"AAA", "BBB"}
    assert summary(result, "kde").bits < 0.3


def test_rows_average_to_the_summary_and_gains_are_differences(result):
    rows = pd.DataFrame([vars(row) for row in result.rows])
    assert (summary(result, "border_distance").gain is None) and len(result.summary) == 4
    for row in result.summary:
        part = rows[rows["model"] == row.model]
        assert part["incidents"].sum() == row.incidents == result.scored
        assert np.average(part["bits"], weights=part["incidents"]) == pytest.approx(row.bits)
        if row.gain is not None:
            base = summary(result, "border_distance").bits
            assert row.gain.bits == pytest.approx(row.bits - base)
            assert row.gain.low <= row.gain.bits <= row.gain.high


def test_bits_are_relative_to_the_region_that_is_held_out(cells):
    panel = make_panel(cells, [-104, 104, -92, 96], [5, 5, -5, -5], 0.0)
    west = space.border_regions(cells, panel, np.ones(4, bool), DISTANCES)[0][0]
    fold = space.held_out(west, cells, panel, 50.0)
    # Twice as likely in 10 % of the western half; the eastern half has no say.
    order = np.flatnonzero(cells.x["x_km"].to_numpy() < 0)
    intensity = np.where(cells.x["x_km"] < 0, 1.0, 50.0)
    hot = space.nearest_cell(cells, panel)[[0, 2]]
    others = np.setdiff1d(order, hot)[: len(order) // 10 - 2]
    intensity[np.concatenate([hot, others])] = 2.0
    table = score_fold(fold, west, {"any": intensity}, cells)
    assert table["bits"].tolist() == pytest.approx([np.log2(2 / 1.1)] * 2)
    assert table["capture_10"].tolist() == pytest.approx([1.0, 1.0])


def test_every_incident_is_accounted_for(result):
    assert result.untested == {}
    assert result.scored + result.unscored == 120


@pytest.mark.parametrize(("radius", "block_km"), [(20.0, 60.0), (0.0, 20.0)])
def test_blocks_of_the_intervals_are_three_buffers_and_two_cells_at_least(cells, radius, block_km):
    panel = scattered(cells, 120, 5, radius)
    found = spatial_tests(cells, panel, ORIGIN, given("even"), neighbour_distances=DISTANCES)
    assert (found.buffer_km, found.block_km) == (radius, block_km)


def test_same_seed_same_scores(cells, clusters):
    def run():
        return spatial_tests(
            cells, clusters, ORIGIN,
            given("random_forest", "border_distance", random_forest={"n_estimators": 5}),
            seed=4, neighbour_distances=DISTANCES,
        )  # fmt: skip

    assert run() == run()


def test_later_incidents_are_ignored(cells, clusters):
    def run(panel):
        return spatial_tests(
            cells, panel, "2017-01-01", given("kde"), seed=0, neighbour_distances=DISTANCES
        )

    assert run(clusters) == run(clusters.before("2017-01-01"))
