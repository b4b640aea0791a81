import io
import json
import logging
import zipfile
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import skops.io
from affine import Affine

from borderrisk.errors import DataError, OutputError
from borderrisk.grid import Grid, laea_crs
from borderrisk.model.cells import CellTable
from borderrisk.model.estimators import ESTIMATORS, make_estimator
from borderrisk.model.modelfile import (
    FORMAT,
    TRUSTED,
    ModelFile,
    as_trained,
    cell_stats,
    load_model,
    save_model,
)

QUICK = {
    "gam": {"alpha": 0.1},
    "glm": {"alpha": 0.1, "squares": True},
    "random_forest": {"n_estimators": 5},
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 400
    x = pd.DataFrame(
        {
            "border_distance_km": rng.exponential(40, n),
            "slope": rng.normal(size=n),
            "cover": pd.Series(rng.choice(["bare", "crop"], n)).where(rng.uniform(size=n) > 0.05),
            "x_km": rng.uniform(0, 300, n),
            "y_km": rng.uniform(0, 300, n),
        }
    )
    return x, rng.poisson(0.3, n)


def saved_model(table, name="gam"):
    x, y = table
    model = make_estimator(name, QUICK.get(name)).fit(x, y)
    return ModelFile(model, list(x.columns), "2024-01-01", cell_stats(x), extra={"horizon": 365})


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_model_comes_back_as_it_was(name, table, tmp_path):
    saved = saved_model(table, name)
    save_model(tmp_path / "model.skops", saved)
    back = load_model(tmp_path / "model.skops")
    assert np.array_equal(back.model.predict(table[0]), saved.model.predict(table[0]))
    assert back.model.get_params() == saved.model.get_params()
    assert replace(back, model=None, versions={}) == replace(saved, model=None)
    assert back.versions["scikit-learn"]


def test_a_model_that_was_read_is_written_byte_for_byte(table, tmp_path):
    save_model(tmp_path / "a.skops", saved_model(table, "uniform"))
    back = load_model(tmp_path / "a.skops")
    save_model(tmp_path / "b.skops", back)
    assert (tmp_path / "a.skops").read_bytes() == (tmp_path / "b.skops").read_bytes()
    save_model(tmp_path / "c.skops", replace(back, origin="2025-01-01"))
    assert load_model(tmp_path / "c.skops").origin == "2025-01-01"


def test_statistics_of_the_cells():
    stats = cell_stats(pd.DataFrame({"a": [1.0, 2.0, 6.0], "label": ["u", "v", "w"]}))
    assert stats == {
        "a": {"min": 1, "median": 2, "max": 6, "mean": 3, "sd": pytest.approx(np.sqrt(7))}
    }


def test_a_foreign_type_is_refused_on_loading_and_named(table, tmp_path):
    path = tmp_path / "model.skops"
    content = vars(saved_model(table)) | {"format": FORMAT, "trust": Fraction(1, 2)}
    path.write_bytes(skops.io.dumps(content))
    with pytest.raises(DataError, match=r"not trusted: fractions\.Fraction"):
        load_model(path)


def test_a_foreign_type_is_refused_on_saving(table, tmp_path):
    with pytest.raises(DataError, match=r"fractions\.Fraction"):
        save_model(tmp_path / "m.skops", replace(saved_model(table), model=Fraction(1, 2)))
    assert not (tmp_path / "m.skops").exists()


def test_a_renamed_type_is_refused_before_anything_is_built(table, tmp_path):
    path = tmp_path / "model.skops"
    save_model(path, saved_model(table, "uniform"))
    _rewrite(
        path,
        lambda schema: schema.replace('"Uniform"', '"system"').replace(
            "borderrisk.model.estimators.baselines", "os"
        ),
    )
    with pytest.raises(DataError, match=r"not trusted: os\.system"):
        load_model(path)


def _rewrite(path, change):
    """Put a changed schema into a skops file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["schema.json"] = change(parts["schema.json"].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def test_the_list_of_types_has_no_functions_or_containers_of_code():
    assert all(name.startswith(("borderrisk.model.", "sklearn.")) for name in TRUSTED)


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "pickle", "no schema"])
def test_a_damaged_file_is_one_clear_error(damage, table, tmp_path):
    path = tmp_path / "model.skops"
    save_model(path, saved_model(table, "uniform"))
    whole = path.read_bytes()
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("schema.json", json.dumps({"protocol": 1}))
    path.write_bytes(
        {
            "truncated": whole[: len(whole) // 2],
            "text": b"not a model",
            "empty": b"",
            "pickle": b"\x80\x04K\x01.",
            "no schema": other.getvalue(),
        }[damage]
    )
    with pytest.raises(DataError, match="is damaged or is not one"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Cannot read the model .*nowhere\.skops"):
        load_model(tmp_path / "nowhere.skops")


def test_an_unwritable_place_is_named(table, tmp_path):
    with pytest.raises(OutputError, match=r"missing/m\.skops"):
        save_model(tmp_path / "missing" / "m.skops", saved_model(table, "uniform"))


def test_another_skops_file_is_not_a_model(tmp_path):
    path = tmp_path / "m.skops"
    path.write_bytes(skops.io.dumps({"a": 1}))
    with pytest.raises(DataError, match="not a borderrisk model"):
        load_model(path)


def test_a_newer_format_is_refused(table, tmp_path):
    path = tmp_path / "m.skops"
    path.write_bytes(skops.io.dumps(vars(saved_model(table, "uniform")) | {"format": 3}))
    with pytest.raises(DataError, match="format 3, this version reads format 2"):
        load_model(path)


def test_a_forest_tree_that_points_outside_is_refused(table, tmp_path):
    saved = saved_model(table, "random_forest")
    tree = saved.model.forest_.estimators_[2].tree_
    state = tree.__getstate__()
    state["nodes"]["feature"][0] = 99
    tree.__setstate__(state)
    save_model(tmp_path / "m.skops", saved)
    with pytest.raises(DataError, match="a tree points outside itself"):
        load_model(tmp_path / "m.skops")


def test_other_versions_are_told(table, tmp_path, caplog, monkeypatch):
    save_model(tmp_path / "m.skops", saved_model(table, "uniform"))
    monkeypatch.setattr(
        "borderrisk.model.modelfile.package_versions", lambda: {"scikit-learn": "99.0"}
    )
    with caplog.at_level(logging.WARNING):
        load_model(tmp_path / "m.skops")
    assert "(now 99.0)" in caplog.text


def cells_on(lon, lat):
    """Three by four cells of 10 km; the middle one is no land."""
    grid = Grid(laea_crs(lon, lat), Affine(10_000, 0, -20_000, 0, -10_000, 15_000), (3, 4))
    domain = np.ones(grid.shape)
    domain[1, 1] = 0
    layers = {"domain": domain, "exposure": domain, "slope_mean": np.ones(grid.shape)}
    ds = grid.dataset().assign({name: (("y", "x"), values) for name, values in layers.items()})
    return CellTable.from_dataset(ds, ["slope_mean"])


def test_places_of_another_grid_are_read_in_the_projection_of_the_training(table):
    home, away = cells_on(60, 31), cells_on(61.5, 33)
    saved = replace(saved_model(table, "kde"), extra={"crs": home.grid.crs.to_wkt()})
    x, y = home.grid.project(*(axis[away.mask] for axis in away.grid.lonlat()))
    found = as_trained(saved, away)
    np.testing.assert_allclose(found.x[["x_km", "y_km"]], np.column_stack([x, y]) / 1000, atol=1e-6)
    # 1.5 degrees east and 2 degrees north of the centre: about 140 by 222 km.
    assert found.x[["x_km", "y_km"]].mean().tolist() == pytest.approx([140, 223], abs=5)
    assert found.x["slope_mean"].equals(away.x["slope_mean"])
    assert as_trained(saved, home) is home


def test_a_model_that_does_not_say_where_its_places_are_cannot_be_carried(table):
    with pytest.raises(DataError, match="Train it again"):
        as_trained(saved_model(table, "kde"), cells_on(61.5, 33))
    away = cells_on(61.5, 33)
    assert as_trained(saved_model(table, "uniform"), away) is away
