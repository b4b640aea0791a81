"""A model on another area: places stay where they are, and trust says what is unlike."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.errors import ConfigError
from borderrisk.model.modelfile import load_model
from borderrisk.pipeline import changes, steps
from borderrisk.pipeline import result as results
from borderrisk.pipeline import run as jobs
from borderrisk.pipeline.stages import Stages

INCIDENTS = Path(__file__).parents[2] / "data" / "raw" / "incidents.csv"
# Features that no place or neighbour gives its name to: these can travel.
TRAVELLING = {
    "features.exclude": "[border_distance_afg_km, border_distance_pak_km, border_distance_tkm_km]",
    "features.travel.enabled": "false",
    "corridors.enabled": "false",
}
NORTH = {"study_area.window": "[57, 31, 68, 40]", "study_area.neighbours": "[AFG, TKM]"}
UZBEKISTAN = {
    "study_area.home": "UZB",
    "study_area.neighbours": "[AFG, TJK, TKM]",
    "study_area.window": "[57.9, 31, 67.5, 40]",
    "study_area.border_strip_km": "100",
}


def elsewhere_file(folder):
    """Write the shipped incidents moved to the Uzbek side of the Amu Darya."""
    table = pd.read_csv(INCIDENTS, dtype=str)
    draw = np.random.default_rng(0)
    table["longitude"] = draw.uniform(62.5, 67.0, len(table)).round(4).astype(str)
    table["latitude"] = draw.uniform(38.0, 39.4, len(table)).round(4).astype(str)
    table["country"] = "Uzbekistan"
    table.to_csv(folder / "uz.csv", index=False)
    return folder / "uz.csv"


@pytest.fixture(scope="module")
def place(small, tmp_path_factory):
    """Give configs of this module, and where each estimator's model is."""
    folder = tmp_path_factory.mktemp("carried")

    def load(**overrides):
        if overrides.get("name") == "uz":
            overrides["data.incidents.path"] = str(elsewhere_file(folder))
        return small(**TRAVELLING | overrides)

    def model(estimator):
        path = folder / f"{estimator}.skops"
        if not path.exists():
            jobs.train(load(**{"model.estimator": estimator}), path)
        return path

    return load, model


@pytest.fixture(scope="module")
def north(place, tmp_path_factory):
    """Score the north with a model of the whole."""
    load, model = place
    out = tmp_path_factory.mktemp("north") / "north"
    return jobs.score(model("kde"), load(name="north", **NORTH), out=out)


@pytest.fixture(scope="module")
def uz(place, tmp_path_factory):
    """Score a place that shares no ground with the training area, with its test."""
    load, model = place
    config = load(name="uz", **UZBEKISTAN, **TESTED)
    out = tmp_path_factory.mktemp("uz") / "uz"
    return config, jobs.score(model("decayed_pool"), config, out=out)


@pytest.mark.parametrize("estimator", ["decayed_pool", "kde", "radius_history"])
def test_a_carried_model_takes_its_past_from_the_new_place(place, estimator):
    load, model = place
    home, away = Stages.of(load()), Stages.of(load(name="north", **NORTH))
    assert home[steps.area].grid.crs != away[steps.area].grid.crs
    fitted, record = load_model(model(estimator)).model, away[steps.incidents]
    cells = away[steps.cells]
    own = fitted.settings.fit(cells, record.panel, record.origin)
    carried = fitted.carried(cells, record.panel, record.origin)
    assert np.array_equal(carried.weights, fitted.weights)
    assert carried.level == own.level
    remembered = own.parts(cells)["history"] / carried.parts(cells)["history"]
    assert np.nanmax(remembered) == pytest.approx(np.nanmin(remembered))


def test_the_scores_of_a_carried_model_are_what_it_says_there(place, north, uz):
    load, model = place
    both = (("kde", load(name="north", **NORTH), north), ("decayed_pool", *uz))
    for estimator, config, scored in both:
        away = Stages.of(config)
        cells, record = away[steps.cells], away[steps.incidents]
        carried = load_model(model(estimator)).model.carried(cells, record.panel, record.origin)
        found = scored.scene.cells["intensity"].to_numpy()[cells.mask]
        expected = np.where(cells.study, carried.intensity(cells), np.nan)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_carried_model_says_so_and_can_be_read_again(place, north):
    load, _ = place
    assert "trained elsewhere" in north.scene.meta.notes[0]
    assert (
        "trained elsewhere" in json.loads((north.folder / "manifest.json").read_text())["notes"][0]
    )
    assert "trained elsewhere" in (north.folder / "report.md").read_text(encoding="utf-8")
    again = load_model(north.folder / "model.skops")
    there = Stages.of(load(name="north", **NORTH))[steps.cells]
    found = north.scene.cells["intensity"].to_numpy()[there.mask & (there.to_grid(there.study) > 0)]
    np.testing.assert_allclose(again.model.intensity(there)[there.study], found, rtol=1e-5)


# Two yearly origins of a place that shares no ground with the training area, and of one that does.
TESTED = {
    "evaluation.enabled": "true", "evaluation.first_origin": "2018-01-01",
    "evaluation.last_origin": "2019-01-01", "evaluation.horizons_years": "[1]",
    "model.estimator": "kde",
}  # fmt: skip


def test_it_is_tested_on_the_new_places_past_against_history_alone_there(place, uz):
    _, model = place
    config, scored = uz
    card = scored.scorecard
    assert card.model == "carried_model"
    assert card.headline[0].startswith("Carried model is ")
    assert "than history alone" in card.headline[0]
    assert {"kde", "history_alone", "carried_model"} <= {row.model for row in card.prospective.rows}
    # The same by hand: weights and ground as they were, nothing known after each origin.
    stages, saved = Stages.of(config), load_model(model("decayed_pool"))
    cells, known = stages[steps.cells], stages[steps.incidents].known
    area = cells.study_area_100km2[cells.study]
    for row in card.prospective.rows:
        if row.model != "carried_model" or row.subset != "all":
            continue
        origin = pd.Timestamp(row.origin)
        here = saved.model.carried(cells, known.before(origin), origin)
        later = known.between(origin, origin + pd.DateOffset(years=1))
        mass, inside = later.home(cells)
        mass = mass[inside >= 0.5].multiply(1 / inside[inside >= 0.5][:, None])
        said = here.intensity(cells)[cells.study]
        bits = mass @ np.log2(said / np.average(said, weights=area))
        assert row.bits == pytest.approx(bits.mean(), rel=1e-6)
    said = " ".join(scored.scene.meta.notes)
    assert "on the border of Iran with" in said
    assert f"from {saved.extra['incidents']} incidents before {saved.origin}" in said
    assert f"2 of 2 test periods begin before the model's training ended ({saved.origin})" in said
    assert "of this area is ground that the model was learned on" not in said
    report = (scored.folder / "report.md").read_text(encoding="utf-8")
    assert card.headline[0].split(":")[0] in report
    assert "on the border of Iran with" in (scored.folder / "map.html").read_text(encoding="utf-8")


def test_it_is_not_tested_on_what_it_learned_from(place, tmp_path):
    load, model = place
    scored = jobs.score(model("kde"), load(name="north", **NORTH, **TESTED), out=tmp_path / "n")
    assert scored.scorecard is None
    said = " ".join(scored.scene.meta.notes)
    assert "of this area is ground that the model was learned on" in said
    assert "The model was not tested here: it may have learned from the very incidents" in said


def test_a_place_without_incidents_takes_the_level_learned_there_by_area(place, tmp_path):
    load, model = place
    nowhere = {"data.incidents": "{}"}
    scored = jobs.score(model("decayed_pool"), load(name="empty", **UZBEKISTAN, **nowhere),
                        out=tmp_path / "uz")  # fmt: skip
    learned = load_model(model("decayed_pool")).model
    cells = Stages.of(load(name="empty", **UZBEKISTAN, **nowhere))[steps.cells]
    area = cells.study_area_100km2.sum()
    total = scored.cells["expected"].sum()
    assert total == pytest.approx(learned.level.mean / learned.area * area * 365 / 365.25, rel=1e-3)
    assert (scored.cells["share_history"] == 0).all()
    assert not scored.scene.is_index
    assert "no incident of this area is known" in scored.scene.meta.notes[0]


def test_trust_shows_unknown_conditions_and_cut_off_surroundings(uz):
    """North-east of the training area the elevation ends at 69 E and 41 N."""
    _, scored = uz
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
    jobs.train(named, path)
    with pytest.raises(ConfigError, match="border_distance_pak_km"):
        jobs.score(path, load(name="uz", **UZBEKISTAN), out=tmp_path / "uz")
    assert not (tmp_path / "uz").exists()


def test_not_even_where_the_same_names_are_made(small, tmp_path):
    """The distance to another stretch of the same border is another thing."""
    named = TRAVELLING | {"features.exclude": "[border_distance_pak_km]"}
    path = tmp_path / "m.skops"
    jobs.train(small(**named), path)
    with pytest.raises(ConfigError, match=r"called after places there: border_distance_afg_km"):
        jobs.score(path, small(**named | {"name": "north"} | NORTH), out=tmp_path / "north")
    here = jobs.score(path, small(**named), out=tmp_path / "here")
    assert np.isfinite(here.cells["intensity"]).all()


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


def test_without_a_folder_each_region_gets_a_run_under_its_own(place, files, north, tmp_path):
    _, model = place
    own = {"outputs.folder": str(tmp_path / "runs")}
    paths = [files("north", **NORTH, **own), files("uz", **UZBEKISTAN, **own)]
    found = call("score", model("kde"), *paths, "--json")
    assert found.exit_code == 0, found.output
    runs = json.loads(found.stdout)["runs"]
    under = [Path(run["folder"]).parent for run in runs]
    assert under == [tmp_path / "runs" / name for name in ("north", "uz")]
    opened = {name: results.open_run(tmp_path / "runs" / name) for name in ("north", "uz")}
    assert {name: run.manifest["config"]["name"] for name, run in opened.items()} == {
        "north": "north", "uz": "uz",
    }  # fmt: skip
    together, alone = (run.cells["intensity"] for run in (opened["north"], north))
    np.testing.assert_array_equal(together, alone)


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
    again = call("score", model("kde"), *paths, "--out", out)
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_the_scheduler_of_the_configs_is_used_and_must_be_one(place, monkeypatch, tmp_path):
    load, model = place
    address = "tcp://127.0.0.1:1"
    asked = []

    def there(function, jobs, *, scheduler):
        asked.append(scheduler)
        return [out for _, out in jobs]

    monkeypatch.setattr("borderrisk.pipeline.changes.map_parallel", there)
    one = load(name="one", **{"compute.scheduler": address})
    two = load(name="two", **{"compute.scheduler": address})
    changes.score_regions(model("kde"), [one, two], tmp_path)
    assert asked == [address]
    with pytest.raises(ConfigError, match=r"one compute\.scheduler \(they name tcp.*threads\)"):
        changes.score_regions(model("kde"), [one, load(name="other")], tmp_path)
