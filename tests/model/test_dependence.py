from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.worlds import make_world
from borderrisk.model.fitting import fit_spatial

from borderrisk.model.dependence import Probes
from borderrisk.model.uncertainty import bootstrap_intervals, load_intervals, save_intervals

ORIGIN = pd.Timestamp("2020-01-01")
COMMON = {"level": 0.9, "horizon_days": 365.0, "seed": 0}


@pytest.fixture(scope="module")
def world():
    return make_world(seed=3, incidents=150, shape=(24, 28), cell_size_m=20_000)


class Planted:
    """Log-intensity of a line in one column and a step in another."""

    mean_rate_ = 1.0
    feature_names_in_ = ("a", "b", "c")

    def predict(self, table):
        return np.exp(2 * table["a"] + 3 * (table["b"] > 0.5))


def table(n=200):
    rng = np.random.default_rng(5)
    return pd.DataFrame(rng.uniform(size=(n, 3)), columns=list("abc"))


def test_curves_are_the_planted_ones():
    values = (np.array([0.1, 0.2, 0.6]), np.array([0.4, 0.6]), np.array([0.0, 1.0]))
    line, step, flat = Probes(("a", "b", "c"), values, table()).split(
        Probes(("a", "b", "c"), values, table()).read(Planted())
    )
    assert line == pytest.approx([-0.4, -0.2, 0.6])
    assert step == pytest.approx([-1.5, 1.5])
    assert flat == pytest.approx([0, 0])


def test_all_other_columns_keep_the_values_of_their_cells():
    sample = table(4)
    probes = Probes(("b",), (np.array([7.0, 8.0]),), sample)
    assert probes.table["b"].tolist() == [7.0] * 4 + [8.0] * 4
    assert probes.table["a"].tolist() == sample["a"].tolist() * 2
    assert list(probes.table.columns) == list(sample.columns)


def test_probes_are_cells_of_the_study_area_and_values_within_it(cells):
    probes = Probes.choose(cells, ["slope_mean", "not_there"], rows=30, points=5, seed=1)
    assert probes.names == ("slope_mean",)
    assert len(probes.sample) == 30
    study = cells.x["slope_mean"][cells.study]
    assert probes.sample["slope_mean"].isin(study).all()
    assert probes.grids[0] == pytest.approx(np.quantile(study, np.linspace(0.02, 0.98, 5)))
    again = Probes.choose(cells, ["slope_mean"], rows=30, points=5, seed=1)
    assert again.sample.equals(probes.sample)


def test_every_replicate_has_its_curves(cells, panel, tmp_path):
    probes = Probes.choose(cells, ["slope_mean", "border_distance_km"], rows=20, points=4)
    given = {"alpha": 0.1}
    found = bootstrap_intervals(
        "glm", given, cells, panel, ORIGIN, replicates=30, probes=probes, **COMMON
    )
    assert found.curves.shape == (30, 8)
    for part in probes.split(found.curves):
        assert part.mean(axis=1) == pytest.approx(np.zeros(30), abs=1e-5)
    own = probes.read(fit_spatial("glm", given, cells, panel, ORIGIN).estimator)
    assert found.curves.mean(axis=0) == pytest.approx(own, abs=0.3)
    # A penalty that allows no effect leaves nothing to be uncertain about.
    flat = bootstrap_intervals(
        "glm", {"alpha": 1e9}, cells, panel, ORIGIN, replicates=2, probes=probes, **COMMON
    )
    assert flat.curves == pytest.approx(np.zeros((2, 8)), abs=1e-6)
    save_intervals(found, tmp_path)
    assert np.array_equal(load_intervals(tmp_path).curves, found.curves)


def test_probes_change_no_interval(cells, panel):
    probes = Probes.choose(cells, ["slope_mean"], rows=20, points=4)
    with_curves, without = (
        bootstrap_intervals("kde", {}, cells, panel, ORIGIN, replicates=3, probes=p, **COMMON)
        for p in (probes, None)
    )
    assert with_curves.curves.shape == (3, 4)
    assert without.curves.size == 0
    for name in ("probability_low", "probability_high", "replicates"):
        assert np.array_equal(getattr(with_curves, name), getattr(without, name))


def test_without_features_there_is_nothing_to_read(cells):
    probes = replace(Probes.choose(cells, ["slope_mean"]), names=(), grids=())
    assert probes.read(Planted()).size == 0
