import numpy as np
import pytest

from borderrisk.errors import ConfigError, DataError
from borderrisk.model.cells import CellTable


@pytest.fixture
def ds(grid):
    domain = np.ones(grid.shape)
    domain[0] = 0
    domain[1, 0] = 0.25
    exposure = np.zeros(grid.shape)
    exposure[2:4] = 1
    exposure[4, 0] = 0.5
    layers = {
        "elevation_mean": np.arange(grid.size, dtype=float).reshape(grid.shape),
        "hours_from_border": np.full(grid.shape, 2.0),
        "risk": np.full(grid.shape, 9.0),
        "domain": domain,
        "exposure": exposure,
    }
    return grid.dataset().assign(
        {name: (("y", "x"), values.astype("float32")) for name, values in layers.items()}
    )


def test_cells_are_the_domain_in_row_major_order(ds, grid):
    cells = CellTable.from_dataset(ds)
    assert list(cells.x.columns) == ["elevation_mean", "hours_from_border", "x_km", "y_km"]
    assert cells.features == ["elevation_mean", "hours_from_border"]
    assert len(cells) == 40
    assert np.array_equal(cells.x["elevation_mean"], np.arange(8, 48))
    assert cells.x[["x_km", "y_km"]].iloc[0].tolist() == [-35.0, 15.0]
    assert cells.x[["x_km", "y_km"]].iloc[-1].tolist() == [35.0, -25.0]


def test_areas_follow_the_shares(ds):
    cells = CellTable.from_dataset(ds)
    assert cells.area_100km2[:2] == pytest.approx([0.25, 1.0])
    assert cells.study.sum() == 17
    assert cells.study_area_100km2.sum() == pytest.approx(16.5)


def test_values_go_back_to_their_cells(ds):
    cells = CellTable.from_dataset(ds)
    back = cells.to_grid(cells.x["elevation_mean"].to_numpy())
    assert np.isnan(back[0]).all()
    assert np.array_equal(back[1:], ds["elevation_mean"].to_numpy()[1:])
    assert cells.to_grid(np.ones(40, np.int16))[0, 0] == -1
    assert not cells.to_grid(np.ones(40, bool))[0, 0]


def test_named_features_only_and_in_that_order(ds):
    cells = CellTable.from_dataset(ds, ["hours_from_border", "elevation_mean"])
    assert cells.features == ["hours_from_border", "elevation_mean"]


def test_an_unknown_feature_names_the_choices(ds):
    with pytest.raises(ConfigError, match=r"slope_meen.*elevation_mean, hours_from_border"):
        CellTable.from_dataset(ds, ["slope_meen"])


def test_missing_values_name_the_feature_and_the_count(ds):
    ds["hours_from_border"][2:4, :3] = np.nan
    with pytest.raises(DataError, match=r"hours_from_border has no value in 6 of 40 cells"):
        CellTable.from_dataset(ds)


def test_missing_values_become_the_median_of_the_domain_when_asked(ds):
    ds["elevation_mean"][0, :] = 1e6  # outside the domain: must not count
    ds["elevation_mean"][1, 0] = np.nan
    cells = CellTable.from_dataset(ds, missing="median")
    assert cells.x["elevation_mean"][0] == np.median(np.arange(9, 48))
    kept = CellTable.from_dataset(ds, missing="keep")
    assert np.isnan(kept.x["elevation_mean"][0])


def test_what_is_filled_in_scored_cells_is_said_once(ds, caplog):
    ds["elevation_mean"][1, 0] = np.nan  # in the halo
    CellTable.from_dataset(ds, missing="median")
    assert not caplog.records
    ds["elevation_mean"][2, :2] = np.nan
    ds["hours_from_border"][2, 1:3] = np.nan
    CellTable.from_dataset(ds, missing="median")
    (said,) = caplog.records
    scored = int((ds["exposure"] > 0).sum())
    assert said.getMessage().startswith(
        f"3 of {scored} scored cells have no value of elevation_mean, hours_from_border: the median"
    )


def test_a_feature_that_is_missing_everywhere_is_refused_always(ds):
    ds["hours_from_border"][:] = np.nan
    with pytest.raises(DataError, match="hours_from_border has no value in any of the 40 cells"):
        CellTable.from_dataset(ds, missing="keep")
