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
from benchmarks.studies.worlds import make_world

from borderrisk.errors import DataError, OutputError
from borderrisk.model.modelfile import (
    FORMAT,
    TRUSTED,
    ModelFile,
    cell_stats,
    load_model,
    save_model,
)
from borderrisk.model.registry import make_model, models, packed

ORIGIN = pd.Timestamp("2020-01-01")
SMALL = {"n_estimators": 5}


@pytest.fixture(scope="module")
def world():
    return make_world(seed=0, incidents=60, shape=(16, 20), cell_size_m=20_000)


@pytest.fixture(scope="module")
def table(cells, panel):
    return cells, panel


def saved_model(table, name="glm"):
    cells, panel = table
    quick = SMALL if name in ("decayed_pool", "random_forest") else {}
    model = make_model(name, **quick).fit(cells, panel, ORIGIN)
    stats = cell_stats(cells.x)
    return ModelFile(model, cells.features, "2020-01-01", stats, extra={"horizon": 365})


@pytest.mark.parametrize("name", [n for n in models() if n != "walk_and_hide"])
def test_a_model_comes_back_as_it_was(name, table, tmp_path):
    cells, _ = table
    saved = saved_model(table, name)
    save_model(tmp_path / "model.skops", saved)
    back = load_model(tmp_path / "model.skops")
    assert back.model.intensity(cells).tobytes() == saved.model.intensity(cells).tobytes()
    assert back.model.settings == saved.model.settings
    assert back.model.level == saved.model.level
    pd.testing.assert_frame_equal(back.model.drivers(cells), saved.model.drivers(cells))
    assert replace(back, model=None, versions={}) == replace(saved, model=None)
    assert back.versions["scikit-learn"]


def test_a_model_that_was_read_is_written_byte_for_byte(table, tmp_path):
    save_model(tmp_path / "a.skops", saved_model(table, "even"))
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
    content = content_of(saved_model(table)) | {"trust": Fraction(1, 2)}
    path.write_bytes(skops.io.dumps(content))
    with pytest.raises(DataError, match=r"not trusted: fractions\.Fraction"):
        load_model(path)


def test_a_foreign_type_is_refused_on_saving(table, tmp_path):
    with pytest.raises(DataError, match=r"fractions\.Fraction"):
        save_model(tmp_path / "m.skops", replace(saved_model(table), trust=Fraction(1, 2)))
    assert not (tmp_path / "m.skops").exists()


def test_a_renamed_type_is_refused_before_anything_is_built(table, tmp_path):
    path = tmp_path / "model.skops"
    save_model(path, saved_model(table, "border_distance"))
    _rewrite(
        path,
        lambda schema: schema.replace('"Curve"', '"system"').replace(
            "borderrisk.model.baselines", "os"
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
    save_model(path, saved_model(table, "even"))
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


def test_a_damaged_projection_is_one_clear_error(table, tmp_path):
    path = tmp_path / "model.skops"
    save_model(path, saved_model(table, "kde"))
    _rewrite(path, lambda schema: schema.replace("LENGTHUNIT", "LENGTHKNOT"))
    with pytest.raises(DataError, match=r"is damaged or is not one \(.*projection cannot be read"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Cannot read the model .*nowhere\.skops"):
        load_model(tmp_path / "nowhere.skops")


def test_an_unwritable_place_is_named(table, tmp_path):
    with pytest.raises(OutputError, match=r"missing/m\.skops"):
        save_model(tmp_path / "missing" / "m.skops", saved_model(table, "even"))


def test_another_skops_file_is_not_a_model(tmp_path):
    path = tmp_path / "m.skops"
    path.write_bytes(skops.io.dumps({"a": 1}))
    with pytest.raises(DataError, match="not a borderrisk model"):
        load_model(path)


def content_of(saved):
    parts = {name: value for name, value in vars(saved).items() if name != "stored"}
    return parts | {"model": packed(saved.model), "format": FORMAT}


def test_a_newer_format_is_refused(table, tmp_path):
    path = tmp_path / "m.skops"
    path.write_bytes(skops.io.dumps(content_of(saved_model(table, "even")) | {"format": 4}))
    with pytest.raises(DataError, match="format 4, this version reads format 3"):
        load_model(path)


@pytest.mark.parametrize("kept", ["format", "type"])
def test_a_file_of_an_earlier_version_is_one_sentence(kept, table, tmp_path):
    path = tmp_path / "m.skops"
    content = content_of(saved_model(table, "border_distance"))
    path.write_bytes(skops.io.dumps(content | {"format": 2}))
    if kept == "type":
        _rewrite(path, lambda schema: schema.replace('"Curve"', '"Pooled"').replace(
            "borderrisk.model.baselines", "borderrisk.model.pooled"))  # fmt: skip
    with pytest.raises(DataError, match=r"of an earlier version.*; train the model again\.$"):
        load_model(path)


def test_a_state_that_makes_no_sense_is_damage(table, tmp_path):
    content = content_of(saved_model(table, "kde"))
    for spoilt in (
        {"model": "nothing"}, {"weights": None}, {"settings": {"bandwidth_km": -1.0}},
        {"memory": [{}]}, {"weights": np.ones(7)},
    ):  # fmt: skip
        path = tmp_path / "m.skops"
        path.write_bytes(skops.io.dumps(content | {"model": content["model"] | spoilt}))
        with pytest.raises(DataError, match="is damaged or is not one"):
            load_model(path)


def test_a_forest_tree_that_points_outside_is_refused(table, tmp_path):
    saved = saved_model(table, "random_forest")
    tree = saved.model.ground[0].estimator.forest_.estimators_[2].tree_
    state = tree.__getstate__()
    state["nodes"]["feature"][0] = 99
    tree.__setstate__(state)
    save_model(tmp_path / "m.skops", saved)
    with pytest.raises(DataError, match="a tree points outside itself"):
        load_model(tmp_path / "m.skops")


def test_other_versions_are_told(table, tmp_path, caplog, monkeypatch):
    save_model(tmp_path / "m.skops", saved_model(table, "even"))
    monkeypatch.setattr(
        "borderrisk.model.modelfile.package_versions", lambda: {"scikit-learn": "99.0"}
    )
    with caplog.at_level(logging.WARNING):
        load_model(tmp_path / "m.skops")
    assert "(now 99.0)" in caplog.text


def test_equal_models_are_equal_bytes(table, tmp_path):
    for name in ("a", "b"):
        save_model(tmp_path / name, saved_model(table, "random_forest"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_unpacks_to_gigabytes_is_refused_unread(table, tmp_path):
    path = tmp_path / "m.skops"
    save_model(path, saved_model(table, "even"))
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("9.npy", "w", force_zip64=True) as part,
    ):
        for _ in range(1025):
            part.write(bytes(2**20))
    with pytest.raises(DataError, match=r"unpacks to 1\.0 GiB"):
        load_model(path)
