"""A model on another area: places stay where they are, and trust says what is unlike."""

import json

import geopandas as gpd
import numpy as np
import pytest
from click.testing import CliRunner

from borderrisk import pipeline
from borderrisk.cli.app import app
from borderrisk.errors import ConfigError
from borderrisk.model.modelfile import load_model
from borderrisk.pipeline.stages import Stages

# Features that no place or neighbour gives its name to: these can travel.
TRAVELLING = {
    "features.exclude": "[border_distance_afg_km, border_distance_pak_km, border_distance_tkm_km]",
    "features.travel.enabled": "false",
    "corridors.enabled": "false",
    "outputs.figures": "[]",
    "outputs.focus": "[]",
}
NORTH = {"study_area.window": "[57, 31, 68, 40]", "study_area.neighbours": "[AFG, TKM]"}
UZBEKISTAN = {
    "study_area.home": "UZB",
    "study_area.neighbours": "[AFG, TJK, TKM]",
    "study_area.window": "[57.9, 31, 67.5, 40]",
    "study_area.border_strip_km": "100",
}


@pytest.fixture(scope="module")
def place(small, tmp_path_factory):
    """Give configs of this module, and where each estimator's model is."""
    folder = tmp_path_factory.mktemp("carried")

    def load(**overrides):
        return small(**TRAVELLING | overrides)

    def model(estimator):
        path = folder / f"{estimator}.skops"
        if not path.exists():
            pipeline.train(load(**{"model.estimator": estimator}), path)
        return path

    return load, model


def lonlat(cells, values):
    """Longitude and latitude of the cell with the highest value."""
    at = np.nanargmax(values)
    return tuple(axis.ravel()[at] for axis in cells.grid.lonlat())


@pytest.mark.parametrize("estimator", ["pooled", "kde", "history"])
def test_places_that_a_model_remembers_stay_where_they_are(place, estimator, tmp_path):
    load, model = place
    home, away = Stages.of(load()), Stages.of(load(name="north", **NORTH))
    assert home.inputs.grid.crs != away.inputs.grid.crs
    scored = pipeline.score(model(estimator), away.config, out=tmp_path / "north")
    # What the model says at the same longitudes and latitudes, on the grid it was trained on.
    mask = scored.scene.cells["exposure"].to_numpy() > 0
    x, y = home.inputs.grid.project(*(axis[mask] for axis in away.inputs.grid.lonlat()))
    table = away.cells.x[away.cells.study].assign(x_km=x / 1000, y_km=y / 1000)
    fitted = load_model(model(estimator)).model
    expected = fitted.predict(table.reindex(columns=list(fitted.feature_names_in_)))
    found = scored.scene.cells["intensity"].to_numpy()[mask]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_peak_of_a_carried_history_stays_at_its_place(place, tmp_path):
    load, model = place
    home = Stages.of(load())
    fitted = load_model(model("kde")).model
    own = home.cells.to_grid(fitted.predict(home.cells.x[["x_km", "y_km"]]))
    north = home.inputs.grid.lonlat()[1] > 34
    scored = pipeline.score(model("kde"), load(name="north", **NORTH), out=tmp_path / "north")
    away = Stages.of(load(name="north", **NORTH)).cells
    there = np.where(away.grid.lonlat()[1] > 34, scored.scene.cells["intensity"].to_numpy(), np.nan)
    before = lonlat(home.cells, np.where(north & (home.features["exposure"] > 0), own, np.nan))
    after = lonlat(away, there)
    apart = np.hypot(*(np.subtract(*axis) for axis in zip(
        home.inputs.grid.project(*before), home.inputs.grid.project(*after), strict=True
    )))  # fmt: skip
    assert apart < 1.5 * 40_000


def test_what_was_trained_on_the_same_grid_is_read_bit_by_bit(place):
    load, model = place
    stages = Stages.of(load())
    saved = load_model(model("kde"))
    assert stages.cells_for(saved).x.equals(stages.cells.x)


def test_trust_shows_unknown_conditions_and_cut_off_surroundings(place, tmp_path):
    """North-east of the training area the elevation ends at 69 E and 41 N."""
    load, model = place
    scored = pipeline.score(model("pooled"), load(name="uz", **UZBEKISTAN), out=tmp_path / "uz")
    trust = scored.cells["trust"].astype(str)
    assert (trust == "extrapolation").sum() >= 5
    assert (trust == "edge").sum() >= 3
    assert (trust == "ok").mean() > 0.3
    written = gpd.read_parquet(scored.folder / "cells.parquet")["trust"].astype(str)
    assert written.tolist() == trust.tolist()
    centres = scored.cells.geometry.centroid.to_crs(4326)
    to_the_end_km = np.minimum(
        (69 - centres.x) * 111.3 * np.cos(np.radians(centres.y)), (41 - centres.y) * 111.0
    )
    halo_km, cell_km = 100, 40
    assert (to_the_end_km[trust == "edge"] < halo_km + cell_km).all()
    assert (to_the_end_km[trust == "ok"] > 0.4 * halo_km).all()


def test_features_named_after_a_place_cannot_travel(place, small, tmp_path):
    load, _ = place
    named = small(**TRAVELLING | {"features.exclude": "[]"})
    path = tmp_path / "m.skops"
    pipeline.train(named, path)
    with pytest.raises(ConfigError, match="border_distance_pak_km"):
        pipeline.score(path, load(name="uz", **UZBEKISTAN), out=tmp_path / "uz")
    assert not (tmp_path / "uz").exists()


@pytest.fixture
def files(place, tmp_path):
    """Write configs to files, as the command line reads them."""
    load, _ = place

    def write(name, **overrides):
        path = tmp_path / f"{name}.yaml"
        config = load(name=name, **overrides)
        path.write_text(config.dump_yaml(tmp_path), encoding="utf-8")
        return str(path)

    return write


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_several_configs_are_scored_into_a_folder_each(place, files, tmp_path):
    _, model = place
    paths = [files("north", **NORTH), files("uz", **UZBEKISTAN)]
    found = call("score", model("kde"), *paths, "--out", tmp_path / "regions", "--json")
    assert found.exit_code == 0, found.output
    runs = json.loads(found.stdout)["runs"]
    assert [run["folder"] for run in runs] == [
        str(tmp_path / "regions" / name) for name in ("north", "uz")
    ]
    alone = pipeline.score(model("kde"), place[0](name="north", **NORTH), out=tmp_path / "alone")
    together = pipeline.open_run(tmp_path / "regions" / "north")
    np.testing.assert_array_equal(together.cells["intensity"], alone.cells["intensity"])
    again = call("score", model("kde"), *paths, "--out", tmp_path / "regions")
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_without_a_folder_each_region_gets_a_run_under_its_own(place, files, tmp_path):
    _, model = place
    own = {"outputs.folder": str(tmp_path / "runs")}
    paths = [files("north", **NORTH, **own), files("uz", **UZBEKISTAN, **own)]
    found = call("score", model("kde"), *paths)
    assert found.exit_code == 0, found.output
    for name in ("north", "uz"):
        assert pipeline.open_run(tmp_path / "runs" / name).manifest["config"]["name"] == name


def test_one_region_that_fails_is_named_and_the_others_are_scored(place, files, tmp_path):
    _, model = place
    (tmp_path / "none.csv").write_text("name\nnowhere\n")
    bad = {"data.settlements": str(tmp_path / "none.csv")}
    paths = [files("bad", **NORTH | bad), files("uz", **UZBEKISTAN)]
    out = tmp_path / "regions"
    found = call("score", model("kde"), *paths, "--out", out)
    assert found.exit_code == 3
    assert found.stderr.splitlines()[-2].startswith("bad: settlements: ")
    assert str(out / "uz") in found.stderr.splitlines()[-1]
    assert [path.name for path in out.iterdir()] == ["uz"]


def test_the_scheduler_of_the_configs_is_used_and_must_be_one(place, monkeypatch, tmp_path):
    load, model = place
    address = "tcp://127.0.0.1:1"
    asked = []

    def elsewhere(function, jobs, *, scheduler):
        asked.append(scheduler)
        return [out for _, out in jobs]

    monkeypatch.setattr("borderrisk.pipeline.elsewhere.map_parallel", elsewhere)
    one = load(name="one", **{"compute.scheduler": address})
    two = load(name="two", **{"compute.scheduler": address})
    pipeline.score_regions(model("kde"), [one, two], tmp_path)
    assert asked == [address]
    with pytest.raises(ConfigError, match=r"one compute\.scheduler \(they name tcp.*threads\)"):
        pipeline.score_regions(model("kde"), [one, load(name="other")], tmp_path)
