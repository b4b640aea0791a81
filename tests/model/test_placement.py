import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.planted import expected_bits
from benchmarks.studies.worlds import make_world
from borderrisk.model.fitting import fit_spatial
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from borderrisk.model import placement
from borderrisk.model.estimators import Glm
from borderrisk.model.placement import moved, placed
from borderrisk.model.uncertainty import located

AFTER = pd.Timestamp("2020-01-01")


def test_mass_moves_by_bayes_rule():
    mass = csr_matrix([[0.5, 0.25, 0.25, 0.0], [0.0, 0.0, 0.0, 1.0]])
    found = moved(mass, np.array([1.0, 4.0, 2.0, 7.0])).toarray()
    # 0.5 * 1, 0.25 * 4, 0.25 * 2 over their sum, 2; a known place stays.
    assert found == pytest.approx(np.array([[0.25, 0.5, 0.25, 0.0], [0.0, 0.0, 0.0, 1.0]]))


def test_where_the_model_rules_out_all_of_a_disc_the_report_stands():
    mass = csr_matrix([[0.6, 0.4, 0.0], [0.0, 0.0, 0.0]])
    found = moved(mass, np.array([0.0, 0.0, 5.0])).toarray()
    assert found == pytest.approx(mass.toarray())


@given(
    arrays(float, (4, 6), elements=st.floats(0, 1)),
    arrays(float, 6, elements=st.floats(1e-3, 1e3)),
    st.floats(1e-3, 1e3),
)
def test_mass_stays_within_its_disc_whatever_the_unit_of_the_density(values, density, unit):
    values[:, 0] += 0.01
    mass = csr_matrix(values / values.sum(axis=1, keepdims=True))
    found = moved(mass, density)
    assert np.asarray(found.sum(axis=1)).ravel() == pytest.approx(np.ones(4))
    assert np.all(found.toarray()[mass.toarray() == 0] == 0)
    assert moved(mass, density * unit).toarray() == pytest.approx(found.toarray())


def band(known):
    """Incidents at the high values of one feature, reported in discs of five cells or exactly."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"height": np.tile(np.repeat([0.0, 1.0, 0.0, 0.0], 3), 20)})
    place = rng.choice(np.flatnonzero(table["height"] == 1.0), 80)
    mass = np.zeros((80, len(table)))
    for row, cell in zip(mass, place, strict=True):
        report = cell if known else cell + rng.integers(-2, 3)
        row[max(report - 2, 0) : report + 3] = 1
        if known:
            row[:] = np.arange(len(row)) == cell
    return csr_matrix(mass / mass.sum(axis=1, keepdims=True)), table, place


def test_places_and_model_find_each_other():
    mass, table, place = band(known=False)
    area, weight = np.ones(len(table)), np.ones(80)
    found, model = placed(mass, weight, table, area, alpha=0.01)
    high = (table["height"] == 1.0).to_numpy(float)
    assert model.alpha_ == 0.01
    # A quarter of the cells are high; all incidents happened there.
    assert (mass @ high).mean() < 0.6
    assert (found @ high).mean() > 0.8
    assert (found @ high).mean() > (moved(mass, 1 + high) @ high).mean()
    before = Glm(0.01).fit(table, mass.T @ weight, area).predict(table)
    after = Glm(0.01).fit(table, found.T @ weight, area).predict(table)
    truth = np.bincount(place, minlength=len(table)).astype(float)
    assert expected_bits(after, area, truth) > expected_bits(before, area, truth) + 0.3


def test_known_places_stay_and_are_fitted_once(monkeypatch):
    mass, table, _ = band(known=True)
    fits = []
    fit = Glm.fit
    monkeypatch.setattr(Glm, "fit", lambda self, *given: fits.append(1) or fit(self, *given))
    found, model = placed(mass, np.ones(80), table, np.ones(len(table)), random_state=0)
    assert np.array_equal(found.toarray(), mass.toarray())
    assert len(fits) == 1
    monkeypatch.undo()
    assert model.alpha_ == Glm().fit(table, mass.T @ np.ones(80), np.ones(len(table))).alpha_


@pytest.fixture(scope="module")
def world():
    return make_world(seed=7, incidents=250, shape=(24, 28), cell_size_m=20_000)


def bits(world, model):
    cells = world.cells()
    area, inside = cells.study_area_100km2[cells.study], cells.study
    return expected_bits(model.intensity(cells)[inside], area, world.intensity[cells.mask][inside])


def test_the_pooled_model_is_nearer_to_the_truth_than_on_mass_as_reported(world, monkeypatch):
    given = {"n_estimators": 50}
    cells, panel = world.cells(), world.panel()
    found = bits(world, fit_spatial("pooled", given, cells, panel, AFTER))
    monkeypatch.setattr(placement, "moved", lambda mass, density: mass)
    unmoved = bits(world, fit_spatial("pooled", given, cells, panel, AFTER))
    assert found > unmoved + 0.02


def test_replicates_draw_places_from_the_moved_mass(world):
    cells, panel = world.cells(), world.panel()
    model = fit_spatial("pooled", {"n_estimators": 20}, cells, panel, AFTER)
    there = located(model, cells, panel.before(AFTER))
    density = model.estimator.explained(cells.x)
    assert there.mass.toarray() == pytest.approx(moved(panel.before(AFTER).mass, density).toarray())
    assert (there.mass @ density).mean() > 1.02 * (panel.before(AFTER).mass @ density).mean()
    kde = fit_spatial("kde", {}, cells, panel, AFTER)
    assert located(kde, cells, panel) is panel
