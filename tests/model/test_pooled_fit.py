from dataclasses import dataclass
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.worlds import make_world
from scipy.sparse import csr_matrix

from borderrisk.errors import ConfigError
from borderrisk.model import pooled_fit as fit
from borderrisk.model.fitting import fit_spatial
from borderrisk.model.panel import Panel
from borderrisk.model.pooled import Pooled

ORIGIN, AFTER = pd.Timestamp("2019-01-01"), pd.Timestamp("2020-01-01")


@pytest.fixture(scope="module")
def world():
    return make_world(seed=3, incidents=150, shape=(24, 28), cell_size_m=20_000)


@dataclass(frozen=True)
class Year:
    """A lesson in which the susceptibility of each pair of choices foresaw so much."""

    weight: np.ndarray
    foresaw: dict

    def by_report(self, bandwidth_km, models):
        rows = np.ones((len(self.weight), len(fit.PARTS)))
        rows[:, fit.PARTS.index("susceptibility")] = self.foresaw[bandwidth_km, models]
        return rows, self.weight

    by_cell = by_report


def chosen(incidents, other):
    """Choose between (5, both), which is level with the even share, and (20, glm)."""
    foresaw = {(5.0, "both"): 1.0, (5.0, "glm"): 1.0, (20.0, "both"): 1.0, (20.0, "glm"): other}
    year = Year(np.array([incidents]), foresaw)
    return fit.choose([year], (5.0, 20.0), ("both", "glm"))


def test_what_foresaw_the_past_is_taken_if_the_evidence_is_very_strong():
    # With weights that learn, 20 incidents at 4 times the density are worth far more than 5 nats,
    # 2 incidents less.
    assert (chosen(20, 4.0).bandwidth_km, chosen(20, 4.0).models) == (20.0, "glm")
    assert (chosen(2, 4.0).bandwidth_km, chosen(2, 4.0).models) == (5.0, "both")
    assert chosen(20, 4.0).weights[fit.PARTS.index("susceptibility")] > 0.8


def test_a_report_is_as_likely_as_the_mean_of_the_density_over_its_disc():
    """Not as its log-mean, by which an even density would win over one that names the place."""
    mass = csr_matrix([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    table = pd.DataFrame({"weight": [0.7, 0.9]})
    later = SimpleNamespace(mass=mass, incidents=table, counts=lambda: mass.T @ table["weight"])
    sharp = np.array([[2.7, 1.0], [0.15, 1.0], [0.15, 1.0]])
    lesson = fit.Lesson(SimpleNamespace(densities=lambda bandwidth_km, models: sharp), later)
    # An incident that no cell can have seen says nothing.
    densities, weight = lesson.by_report(5.0, "both")
    assert densities == pytest.approx(np.array([[(2.7 + 0.15) / 2, 1.0]]))
    assert weight.tolist() == [0.7]
    densities, counts = lesson.by_cell(5.0, "both")
    assert densities == pytest.approx(sharp[:2])
    assert counts == pytest.approx([0.35, 0.35])
    assert counts @ np.log(densities[:, 0]) < 0


def test_wide_discs_do_not_make_a_wide_history_look_better():
    """By the log-mean over their discs 20 km of smoothing was taken here, against the truth."""
    blurred = make_world(seed=35, incidents=400, shape=(40, 46), cell_size_m=15_000)
    found = fit_spatial("pooled", {"n_estimators": 50}, blurred.cells(), blurred.panel(), AFTER)
    assert (found.estimator.bandwidth_km_, found.estimator.models_) == (5.0, "both")


def test_without_earlier_years_the_usual_is_kept():
    choice = fit.choose([], fit.HISTORY_KM, tuple(fit.MODELS))
    assert (choice.bandwidth_km, choice.models) == (5.0, "both")
    assert choice.weights == pytest.approx(np.array(fit.PRIOR) / 7)


def test_recent_incidents_are_those_of_the_last_year(cells, panel):
    past = panel.before(ORIGIN)
    settings = fit.Settings(15.0, 0.1, 5, 0, ("glm",))
    moment = fit.Moment(cells, past, ORIGIN, settings)
    last = past.incidents["date"] >= "2018-01-01"
    assert np.array_equal(moment.recent, np.where(last, past.incidents["weight"], 0.0))
    densities = moment.densities(5.0, "glm")
    mean = np.average(densities, axis=0, weights=cells.area_100km2)
    assert mean == pytest.approx(np.ones(4), rel=1e-4)
    alone = fit.Moment(cells, past.subset(last), ORIGIN, settings)
    assert densities[:, 1] == pytest.approx(alone.densities(5.0, "glm")[:, 0], rel=1e-5)


def test_a_year_that_repeats_the_last_one_gives_the_recent_part_weight(cells, panel, world):
    """Every year has its own place, and each incident is followed by one there the year after."""
    rng = np.random.default_rng(0)
    centre = rng.uniform(-150_000, 150_000, (11, 2))
    rows = [
        (2008 + k, *xy) for k in range(11) for xy in np.repeat(centre[max(k - 1, 0) : k + 1], 8, 0)
    ]
    table = panel.incidents.iloc[np.zeros(len(rows), int)].reset_index(drop=True)
    day = pd.to_datetime([f"{year}-06-01" for year, *_ in rows])
    table = table.assign(
        incident_id=[f"R{k}" for k in range(len(rows))], radius_km=2.0, weight=1.0,
        x=[x for _, x, _ in rows], y=[y for *_, y in rows], date=day, date_end=day,
    )  # fmt: skip
    repeats = fit_spatial("pooled", {"n_estimators": 10, "alpha": 1.0}, cells,
                          spread(panel, table, world), ORIGIN).estimator.weights_  # fmt: skip
    usual = fit_spatial("pooled", {"n_estimators": 10, "alpha": 1.0}, cells, panel, ORIGIN)
    assert repeats["recent"] > 0.4
    assert usual.estimator.weights_["recent"] < 0.1


def spread(panel, table, world):
    """Return a panel of incidents at given places in grid metres."""
    points = gpd.points_from_xy(table["x"], table["y"], crs=world.grid.crs).to_crs(4326)
    columns = world.incidents.columns.drop("geometry")
    given = world.incidents.iloc[np.zeros(len(table), int)][columns].reset_index(drop=True)
    same = [c for c in ("incident_id", "date", "date_end", "radius_km", "weight") if c in given]
    given = given.assign(**{name: table[name].to_numpy() for name in same})
    return Panel.build(
        gpd.GeoDataFrame(given, geometry=points, crs=4326), world.grid,
        world.dataset["domain"].to_numpy(),
    )  # fmt: skip


@pytest.mark.parametrize("models", ["glm", "forest", "both"])
def test_drivers_add_up_and_factors_multiply_whatever_was_chosen(models, cells, panel):
    model = Pooled(models=models, n_estimators=10, alpha=0.1).fit_cells(cells, panel, ORIGIN)
    assert (model.glm_ is None) == (models == "forest")
    assert (model.forest_ is None) == (models == "glm")
    gap = model.contributions(cells.x).sum(axis=1) - np.log(model.predict(cells.x))
    assert np.ptp(gap) < 1e-6
    d = model.decompose(cells.x)
    assert d.susceptibility * d.history * d.reporting == pytest.approx(model.predict(cells.x))
    weights = model.weights_
    again = Pooled(**{**model.get_params(), "bandwidth_km": model.bandwidth_km_})
    found = again.fit_predict_cells(cells, panel, ORIGIN, weights=weights)
    assert found == pytest.approx(model.predict(cells.x), rel=1e-5)


def test_an_unknown_choice_of_models_is_an_error(cells, panel):
    with pytest.raises(ConfigError, match=r"one of both, glm, forest \(got 'gam'\)"):
        Pooled(models="gam").fit_cells(cells, panel, ORIGIN)
