import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.ablation import ablation_rows, feature_groups
from benchmarks.studies.worlds import make_world

from borderrisk.errors import DataError
from borderrisk.model.panel import Panel
from borderrisk.model.registry import make_model

GLM = make_model("glm")
ORIGINS = ("2016-01-01", "2017-01-01", "2018-01-01")


@pytest.fixture(scope="module")
def world():
    return make_world(seed=3, incidents=200, shape=(24, 28), cell_size_m=20_000)


@pytest.fixture(scope="module")
def planted(cells):
    """Incidents that follow the distance to the border and nothing else."""
    rng = np.random.default_rng(0)
    chance = np.exp(-cells.x["border_distance_km"].to_numpy() / 25) * cells.study
    cell = rng.choice(len(cells), 300, p=chance / chance.sum())
    date = pd.Timestamp("2010-01-01") + pd.to_timedelta(rng.integers(0, 3600, 300), unit="D")
    table = pd.DataFrame(
        {
            "incident_id": [str(k) for k in range(300)],
            "date": date,
            "date_end": date,
            "radius_km": 5.0,
            "weight": 1.0,
            "kind": "",
            "x": cells.x["x_km"].to_numpy()[cell] * 1000,
            "y": cells.x["y_km"].to_numpy()[cell] * 1000,
        }
    )
    from scipy.sparse import csr_matrix

    mass = csr_matrix((np.ones(300), (np.arange(300), cell)), (300, len(cells)))
    return Panel(cells.grid, cells.mask.astype(float), mass, table)


def by_group(rows, model):
    return {row["left_out"]: row for row in rows if row["model"] == model}


def test_the_group_that_matters_is_missed(cells, planted):
    found = by_group(ablation_rows(cells, planted, ORIGINS, 1, GLM), "glm")
    assert list(found) == ["nothing", "terrain", "border", "settlement"]
    assert found["border"]["change"] < -0.2
    assert found["border"]["high"] < 0
    for group in ("terrain", "settlement"):
        assert abs(found[group]["change"]) < 0.1
    assert found["nothing"]["bits"] > 0.3


def test_rows_are_differences_on_the_same_incidents(cells, panel):
    small = make_model("decayed_pool", n_estimators=5)
    rows = ablation_rows(cells, panel, ORIGINS[:2], 1, small)
    for model in ("decayed_pool", "the ground alone"):
        found = by_group(rows, model)
        full = found["nothing"]
        assert (full["change"], full["low"], full["high"]) == (0, 0, 0)
        for row in found.values():
            assert row["incidents"] == full["incidents"]
            assert row["change"] == pytest.approx(row["bits"] - full["bits"])
            assert row["low"] <= row["change"] <= row["high"]
    assert len(rows) == 8


def test_leaving_a_group_out_is_fitting_without_its_columns(cells, panel):
    from dataclasses import replace

    from borderrisk.evaluation.backtest import later_incidents
    from borderrisk.evaluation.metrics import information_gain

    glm = make_model("glm", alpha=0.2)
    rows = ablation_rows(cells, panel, ORIGINS[:1], 1, glm)
    kept = ["elevation_mean", "elevation_sd", "slope_mean", "settlement_distance_1k_km"]
    kept += ["settlement_distance_10k_km", "population_potential", "x_km", "y_km"]
    part = replace(cells, x=cells.x[kept])
    model = glm.fit(part, panel, ORIGINS[0])
    mass = later_incidents(cells, panel, pd.Timestamp(ORIGINS[0]), 1, 15).mass
    area = cells.study_area_100km2[cells.study]
    expected = information_gain(model.intensity(part)[cells.study], area, mass).mean()
    assert by_group(rows, "glm")["border"]["bits"] == pytest.approx(expected)


def test_incidents_after_the_horizon_change_nothing(cells, panel):
    def run(incidents):
        return ablation_rows(cells, incidents, ORIGINS[:2], 1, GLM)

    assert run(panel) == run(panel.before("2018-01-01"))


def test_a_single_group_is_not_left_out(cells, panel):
    from dataclasses import replace

    part = replace(cells, x=cells.x[["elevation_mean", "slope_mean", "x_km", "y_km"]])
    rows = ablation_rows(part, panel, ORIGINS[:1], 1, GLM)
    assert {row["left_out"] for row in rows} == {"nothing"}


def test_nothing_to_score_is_an_error(cells, panel):
    with pytest.raises(DataError, match=r"follows the 1 origin.*use earlier origins"):
        ablation_rows(cells, panel, ["2030-01-01"], 1, GLM)


def test_unknown_columns_are_a_group_of_their_own():
    groups = feature_groups(["mine", "remoteness", "enclosure", "hours_from_border_afg"])
    assert groups == {
        "travel": ["remoteness", "hours_from_border_afg"],
        "concealment": ["enclosure"],
        "other": ["mine"],
    }
