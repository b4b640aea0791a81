from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from borderrisk.errors import ConfigError, DataError
from borderrisk.outputs.compare import FELL, ROSE, UNKNOWN, WITHIN, compare, write_comparison


@pytest.fixture(scope="module")
def scene(make_scene):
    return make_scene()


def _with(scene, **values):
    return replace(scene, cells=scene.cells.assign(values))


def _set(variable, cells):
    changed = variable.copy(deep=True)
    for (row, col), value in cells.items():
        changed[row, col] = value
    return changed


def test_a_run_compared_with_itself_did_not_change(scene):
    found = compare(scene, scene)
    assert found.counts == {"no intervals": 0, "within intervals": len(found.table),
                            "rose": 0, "fell": 0}  # fmt: skip
    assert (found.table.risk_change == 0).all()
    assert (found.table.intensity_ratio == 1).all()


def test_only_moves_beyond_both_intervals_count(scene):
    cells = scene.cells
    a = _with(scene, rank_low=_set(cells["rank_low"], {(5, 5): 40, (6, 6): 40, (7, 7): 10}),
              rank_high=_set(cells["rank_high"], {(5, 5): 60, (6, 6): 60, (7, 7): 20}))  # fmt: skip
    b = _with(scene, rank_low=_set(cells["rank_low"], {(5, 5): 5, (6, 6): 5, (7, 7): 21}),
              rank_high=_set(cells["rank_high"], {(5, 5): 39, (6, 6): 40, (7, 7): 50}))  # fmt: skip
    change = compare(a, b).scene_for_map.cells.change
    assert change[5, 5] == ROSE  # worst 39 is better than best 40
    assert change[6, 6] == WITHIN  # they touch at 40
    assert change[7, 7] == FELL
    assert change[0, 0] == UNKNOWN  # outside the study area
    back = compare(b, a).scene_for_map.cells.change
    assert (back[5, 5], back[7, 7]) == (FELL, ROSE)


def test_without_ranks_the_bounds_of_the_probability_decide(scene):
    ranks = ["rank_low", "rank_high"]
    a = replace(scene, cells=scene.cells.drop_vars(ranks))
    high = float(a.cells.probability_high[5, 5])
    b = _with(a, probability_low=_set(a.cells["probability_low"], {(5, 5): high * 1.01}))
    assert compare(a, b).counts["rose"] == 1
    other_horizon = replace(b, meta=replace(b.meta, horizon_days=30))
    assert compare(a, other_horizon).counts["no intervals"] == len(compare(a, b).table)


def test_largest_change_comes_first(scene):
    moved = _with(scene, risk=_set(scene.cells["risk"], {(5, 5): 100.0}))
    found = compare(scene, moved)
    first = found.table.iloc[0]
    assert first.cell_id == "r005c005"
    assert first.risk_change == pytest.approx(100 - float(scene.cells.risk[5, 5]))
    assert (first.risk_a, first.risk_b) == (scene.cells.risk[5, 5], 100)
    np.testing.assert_allclose(found.scene_for_map.cells.risk_change[5, 5], first.risk_change)


def test_what_cannot_be_compared_is_refused(scene, make_scene):
    with pytest.raises(ConfigError, match=r"different grids .12 x 16 cells of 10 km.*12 x 17"):
        compare(scene, make_scene(cols=17))
    with pytest.raises(DataError, match="second run has no scores"):
        compare(scene, replace(scene, cells=scene.cells.drop_vars("risk")))
    nowhere = _with(scene, risk=scene.cells["risk"] * np.nan)
    with pytest.raises(ConfigError, match="do not overlap"):
        compare(scene, nowhere)


def test_files_of_a_comparison(scene, tmp_path):
    moved = _with(scene, risk=_set(scene.cells["risk"], {(5, 5): 100.0}))
    written = write_comparison(compare(scene, moved), tmp_path)
    assert [p.name for p in written] == [
        "changes.csv",
        "changes.geojson",
        "change.tif",
        "map.html",
        "change.png",
    ]
    with rasterio.open(tmp_path / "change.tif") as tif:
        assert tif.descriptions == ("risk_change",)
        assert np.nanmax(tif.read(1)) > 10
    assert gpd.read_file(tmp_path / "changes.geojson").cell_id[0] == "r005c005"
