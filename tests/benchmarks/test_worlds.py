import numpy as np
import pytest
from benchmarks.studies.worlds import FIRST_DAY, RADII_KM, make_world
from scipy.stats import spearmanr

from borderrisk.model.registry import make_model

KDE_BANDWIDTHS_KM = (10, 20, 30, 40, 60)


@pytest.fixture(scope="module")
def world():
    return make_world(seed=1)


def found(world, name, **parameters):
    """Rank correlation of a model with the truth over the study area."""
    cells = world.cells()
    model = make_model(name, **parameters).fit(cells, world.panel(), "2020-01-01")
    truth = world.intensity[cells.mask]
    return spearmanr(model.intensity(cells)[cells.study], truth[cells.study])[0]


def test_the_truth_expects_the_incidents_there_are(world):
    cells = world.cells()
    expected = (world.intensity[cells.mask] * cells.area_100km2).sum() * world.years
    assert expected == pytest.approx(400)
    assert len(world.incidents) == 400
    assert world.panel().rejected.empty


def test_the_same_seed_gives_the_same_world():
    one, two = make_world(seed=3, incidents=20), make_world(seed=3, incidents=20)
    assert one.incidents.equals(two.incidents)
    assert one.dataset.identical(two.dataset)
    assert not make_world(seed=4, incidents=20).dataset.equals(one.dataset)


def test_more_incidents_keep_the_terrain():
    few, many = make_world(seed=3, incidents=20), make_world(seed=3, incidents=50)
    assert few.dataset.identical(many.dataset)
    assert many.intensity == pytest.approx(few.intensity * 2.5)


def test_layers_follow_the_shared_layouts(world):
    assert list(world.borders["pair"]) == ["HOM-FAR"]
    assert list(world.countries["iso_a3"]) == ["HOM", "FAR"]
    assert set(world.settlements["country"]) == {"HOM", "FAR"}
    assert world.incidents.crs.to_epsg() == 4326
    assert set(world.incidents["radius_km"]) == set(RADII_KM)
    assert world.incidents["date"].is_monotonic_increasing
    assert world.incidents["date"].min() >= FIRST_DAY


def test_the_study_area_is_the_home_side_within_the_strip(world):
    cells = world.cells()
    inner = cells.exposure == 1
    assert (cells.x["border_side"][inner] == 1).all()
    assert cells.x["border_distance_km"][cells.study].max() < 250 + 10


def test_incidents_fall_where_the_intensity_is(world):
    grid = world.grid
    x, y = grid.project(world.incidents.geometry.x, world.incidents.geometry.y)
    row, col = grid.rowcol(x, y)
    order = np.sort(world.intensity.ravel())[::-1]
    top = order[: grid.size // 10]
    caught = (world.intensity[row, col] >= top[-1]).mean()
    assert caught == pytest.approx(top.sum() / order.sum(), abs=0.1)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_forest_finds_the_truth_and_a_heat_map_does_not_beat_it(seed):
    world = make_world(seed=seed, incidents=400)
    forest = found(world, "random_forest")
    kde = max(found(world, "kde", bandwidth_km=float(b)) for b in KDE_BANDWIDTHS_KM)
    assert forest >= 0.8
    assert forest > kde
