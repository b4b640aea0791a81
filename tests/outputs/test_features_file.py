import numpy as np
import xarray as xr

from borderrisk.grid import Grid
from borderrisk.outputs.gridfiles import feature_summary, write_features


def test_features_come_back_with_their_projection(make_scene, tmp_path):
    scene = make_scene()
    path = write_features(scene.cells, tmp_path / "features.nc")
    with xr.open_dataset(path, engine="h5netcdf", decode_coords="all") as back:
        assert back.attrs["Conventions"].startswith("CF-")
        assert Grid.from_dataset(back) == scene.grid
        assert back.slope_mean.attrs["units"] == "degree"
        assert back.slope_mean.encoding["grid_mapping"] == "spatial_ref"
        np.testing.assert_array_equal(back.slope_mean, scene.cells.slope_mean)


def test_writing_leaves_the_dataset_as_it_was(make_scene, tmp_path):
    cells = make_scene().cells
    write_features(cells, tmp_path / "features.nc")
    assert "grid_mapping" not in cells.slope_mean.attrs


def test_the_same_features_give_the_same_bytes(make_scene, tmp_path):
    paths = [write_features(make_scene().cells, tmp_path / f"{k}.nc") for k in (1, 2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_summary_counts_missing_land_only(grid):
    values = np.full(grid.shape, np.nan, "float32")
    values[0, :4] = [1, 2, 4, np.nan]
    domain = np.zeros(grid.shape)
    domain[0, :4] = 1
    attrs = {"units": "degree", "long_name": "Mean slope"}
    ds = grid.dataset().assign(slope_mean=(("y", "x"), values, attrs), domain=(("y", "x"), domain))
    row = feature_summary(ds).loc["slope_mean"]
    assert row.tolist() == ["Mean slope", "degree", 1, 2, 4, 0.25]


def test_summary_of_an_empty_feature(grid):
    ds = grid.dataset().assign(slope_mean=(("y", "x"), np.full(grid.shape, np.nan)))
    assert feature_summary(ds).missing_share.tolist() == [1.0]
