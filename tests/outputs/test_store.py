import geopandas as gpd
import numpy as np
import pyarrow as pa
import pytest
import shapely
import xarray as xr
from affine import Affine
from pyarrow import parquet
from pyproj import CRS

from borderrisk.area import StudyArea
from borderrisk.errors import DataError
from borderrisk.outputs.gridfiles import load_scene, save_scene, write_features
from borderrisk.outputs.scene import Focus, Rejected, Relief, Scene, SceneMeta, Source

META = SceneMeta(
    title="t", sources=[Source("Lines", licence="CC0", bytes=12)], horizon_days=30,
    rejected=[Rejected("3", "a", "no date")], effects={"slope_mean": {"values": [1.0]}},
)  # fmt: skip


@pytest.fixture
def scene(grid):
    cells = grid.dataset().assign(
        risk=(("y", "x"), np.arange(grid.size, dtype="float32").reshape(grid.shape)),
        trust=(("y", "x"), np.full(grid.shape, -1, "int8"), {"flag_meanings": "ok sparse"}),
    )
    points = gpd.GeoDataFrame({"name": ["زابل"]}, geometry=[shapely.Point(61, 31)], crs=4326)
    area = StudyArea(grid, shapely.box(*grid.bounds).buffer(-5000), shapely.box(*grid.bounds))
    relief = Relief(np.array([[1.0, np.nan]]), Affine(0.1, 0, 60, 0, -0.1, 31), CRS.from_epsg(4326))
    return Scene(
        area, cells, points, points, points, relief,
        (Focus("zabol", (60, 30, 62, 32), "Zabol", "زابل"),), META, {"segments": points},
    )  # fmt: skip


def test_a_scene_comes_back_as_it_was(scene, tmp_path):
    save_scene(scene, tmp_path)
    back = load_scene(tmp_path)
    assert back.grid == scene.grid
    np.testing.assert_array_equal(back.cells.risk, scene.cells.risk)
    assert back.cells.trust.attrs["flag_meanings"] == "ok sparse"
    assert back.cells.trust.dtype == "int8"
    assert back.area.polygon.equals(scene.area.polygon)
    assert back.settlements.name.tolist() == ["زابل"]
    assert back.focuses == scene.focuses
    assert back.meta == META
    assert list(back.layers) == ["segments"]
    np.testing.assert_array_equal(back.relief.elevation, [[1, np.nan]])


def test_a_scorecard_comes_back_with_its_scene(make_scene, tmp_path):
    scene = make_scene()
    save_scene(scene, tmp_path)
    assert load_scene(tmp_path).meta == scene.meta


def test_cells_that_lie_in_a_file_already_are_linked(scene, tmp_path):
    file = write_features(scene.cells, tmp_path / "features.nc")
    for folder, cells in (("linked", file), ("written", None)):
        save_scene(scene, tmp_path / folder, cells)
        back = load_scene(tmp_path / folder).cells
        xr.testing.assert_identical(back.load(), scene.cells)
    assert (tmp_path / "linked/cells.nc").samefile(file)
    save_scene(scene, tmp_path / "linked", file)
    assert (tmp_path / "written/cells.nc").read_bytes() == file.read_bytes()


def test_cells_are_copied_where_links_do_not_exist(scene, tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError("no links here")

    monkeypatch.setattr(type(tmp_path), "hardlink_to", refuse)
    file = write_features(scene.cells, tmp_path / "features.nc")
    save_scene(scene, tmp_path / "scene", file)
    assert not (tmp_path / "scene/cells.nc").samefile(file)
    xr.testing.assert_identical(load_scene(tmp_path / "scene").cells, scene.cells)


def test_a_folder_without_a_scene_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a complete run"):
        load_scene(tmp_path)


def test_a_received_run_unpacks_to_no_more_than_it_may(scene, tmp_path):
    import h5py

    save_scene(scene, tmp_path)
    with h5py.File(tmp_path / "cells.nc", "a") as file:
        file.create_dataset("more", (200_000, 200_000), "f4", chunks=(1000, 1000))
    with pytest.raises(DataError, match=r"cells\.nc unpacks to 149 GiB"):
        load_scene(tmp_path)


@pytest.mark.parametrize("mark", [b"FRHP", b"OHDR", b"BTHD", b"TREE"])
def test_cells_that_are_damaged_inside_are_refused_in_a_sentence(scene, tmp_path, mark):
    save_scene(scene, tmp_path)
    file = tmp_path / "cells.nc"
    content = file.read_bytes()
    if mark not in content:
        pytest.skip(f"these cells have no {mark.decode()}")
    file.write_bytes(content.replace(mark, b"x" + mark[1:]))
    with pytest.raises(DataError, match="not a complete run"):
        load_scene(tmp_path)


def test_a_damaged_projection_is_refused_in_a_sentence(scene, tmp_path):
    save_scene(scene, tmp_path)
    file = tmp_path / "cells.nc"
    content = file.read_bytes()
    assert b"LENGTHUNIT" in content
    file.write_bytes(content.replace(b"LENGTHUNIT", b"LENGTHKNOT"))
    with pytest.raises(DataError, match="its projection cannot be read"):
        load_scene(tmp_path)


def test_text_that_is_none_is_refused_in_a_sentence(scene, tmp_path):
    save_scene(scene, tmp_path)
    file = tmp_path / "settlements.parquet"
    table = parquet.read_table(file)
    broken = pa.array([b"\xff\xfe"] * len(table), pa.binary()).view(pa.string())
    at = table.column_names.index("name")
    parquet.write_table(table.set_column(at, "name", broken), file)
    with pytest.raises(DataError, match=r"settlements\.parquet cannot be read as Parquet .*UTF8"):
        load_scene(tmp_path)


def test_the_relief_of_a_received_run_is_a_plain_raster(scene, tmp_path):
    save_scene(scene, tmp_path)
    (tmp_path / "relief.tif").write_text("<GDAL_WMS></GDAL_WMS>")
    with pytest.raises(DataError, match=r"relief\.tif: not a readable raster"):
        load_scene(tmp_path)
