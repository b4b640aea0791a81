import json
import os
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from borderrisk.config import ESTIMATOR_NAMES, Config, json_schema, load_config, schema_text
from borderrisk.config.base import merge_patch
from borderrisk.config.sections import INCIDENT_COLUMNS
from borderrisk.config.whole import PATH_KEYS, mapped_focus
from borderrisk.config.yamltext import read_yaml
from borderrisk.errors import ConfigError

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "configs").glob("*.yaml"))
SHARED = ROOT.parent / "shared" / "data"


def test_defaults(load):
    config = load()
    assert config.study_area.border_strip_km == 250
    assert config.evaluation.first_origin == date(2014, 1, 1)
    assert mapped_focus(config) == {}
    assert config.model.estimator == "decayed_pool"


def test_paths_start_at_the_config(load, folder):
    config = load("outputs: {folder: out/../runs}\ncompute: {cache: /somewhere}")
    assert config.data.borders == folder / "in.csv"
    assert config.data.elevation.path == (folder / "in.csv",)
    assert config.outputs.folder == folder / "runs"
    assert config.compute.cache == Path("/somewhere")


def test_default_folders_start_at_the_config_too(load, folder):
    assert load().outputs.folder == folder.parent / "data" / "processed"
    assert load("outputs: {horizon_days: 5}").outputs.folder == folder.parent / "data/processed"
    assert load().compute.cache == folder.parent / ".cache"


def test_several_elevation_files(load, folder, minimal):
    base = minimal.replace("elevation: {path: in.csv}", "elevation: {path: [in.csv, .]}")
    assert load(base=base).data.elevation.path == (folder / "in.csv", folder)


def test_a_faulty_one_of_several_files_is_pointed_at(problems, minimal):
    base = minimal.replace("elevation: {path: in.csv}", "elevation: {path: [in.csv, no.tif]}")
    assert problems(base=base) == [
        'c.yaml:6:30: data.elevation.path[1]: no such file or folder (got "no.tif"); '
        "put it there, or --set data.elevation.path=PATH"
    ]


def test_overrides_replace_and_their_paths_start_here(load, folder, monkeypatch):
    (folder / "elsewhere" / "dem").mkdir(parents=True)
    load()
    monkeypatch.chdir(folder / "elsewhere")
    changes = {"data.elevation.path": "dem", "seed": "7", "model.parameters": "{n_estimators: 1}"}
    config = load_config(folder / "c.yaml", changes)
    assert config.data.elevation.path == (folder / "elsewhere" / "dem",)
    assert (config.seed, config.model.parameters) == (7, {"n_estimators": 1})


def test_a_path_of_an_override_that_does_not_exist(problems):
    assert problems("", {"data.elevation.path": "dem"}) == [
        '--set data.elevation.path: data.elevation.path: no such file or folder (got "dem"); '
        "put it there, or --set data.elevation.path=PATH"
    ]


def test_an_override_mends_the_file(load):
    assert load("seed: many", {"seed": "3"}).seed == 3


def test_a_config_is_immutable(load):
    with pytest.raises(ValidationError):
        load().seed = 4


def test_part_is_canonical_and_holds_no_machine_path(load, folder):
    config = load("seed: 5\nmodel: {estimator: kde, parameters: {bandwidth_km: 30}}\ntitle: فا")
    assert config.part("title", "seed", "model") == (
        '{"model":{"estimator":"kde","parameters":{"bandwidth_km":30}},"seed":5,"title":"فا"}'
    )
    assert json.loads(config.part("features.terrain")) == {
        "features.terrain": {"tpi_radii_km": [10, 50]}
    }
    assert str(folder) not in config.part()
    with pytest.raises(KeyError):
        config.part("modle")


def test_hash_follows_results_only(load):
    plain = load().hash
    assert load("compute: {workers: 2}").hash == plain
    assert load("outputs: {folder: x}").hash == plain
    assert load("# a comment").hash == plain
    assert load("seed: 1").hash != plain
    assert load("outputs: {horizon_days: 30}").hash != plain


def test_hash_is_the_same_in_another_place(load, folder):
    plain = load().hash
    other = folder / "moved"
    other.mkdir()
    (other / "in.csv").touch()
    (folder / "c.yaml").rename(other / "c.yaml")
    assert load_config(other / "c.yaml").hash == plain


SCENARIOS = """
features: {travel: {targets: {a: [60, 30], b: [61, 31]}, blocked_above_m: 3000}}
scenarios:
  snow:
    title: Snow
    changes:
      features: {travel: {blocked_above_m: 2000, targets: {a: null, c: [62, 32]}}}
      data: {posts: in.csv}
  thaw: {changes: {features: {travel: {blocked_above_m: null}}}}
"""


def test_a_scenario_changes_what_it_names(load, folder):
    config = load(SCENARIOS)
    snow = config.with_scenario("snow")
    assert snow.features.travel.blocked_above_m == 2000
    assert list(snow.features.travel.targets) == ["b", "c"]
    assert snow.data.posts == folder / "in.csv"
    assert snow.part("grid", "train") == config.part("grid", "train")
    assert config.features.travel.blocked_above_m == 3000
    assert config.with_scenario("thaw").features.travel.blocked_above_m is None


def test_an_unknown_scenario_names_the_choices(load):
    with pytest.raises(ConfigError, match=r"no scenario 'ice' \(choices: snow, thaw\)"):
        load(SCENARIOS).with_scenario("ice")
    with pytest.raises(ConfigError, match="none are defined"):
        load().with_scenario("ice")


def test_merge_patch_of_rfc_7396():
    target = {"a": "b", "c": {"d": "e", "f": "g"}}
    assert merge_patch(target, {"a": "z", "c": {"f": None}}) == {"a": "z", "c": {"d": "e"}}
    assert merge_patch({"e": None}, {"a": 1}) == {"e": None, "a": 1}
    assert merge_patch([1, 2], {"a": "b", "c": None}) == {"a": "b"}
    assert merge_patch({}, {"a": {"bb": {"ccc": None}}}) == {"a": {"bb": {}}}
    assert target == {"a": "b", "c": {"d": "e", "f": "g"}}


def test_dump_reads_back_from_another_folder(load, folder):
    config = load(SCENARIOS)
    run = folder / "runs" / "x"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config.dump_yaml(run), encoding="utf-8")
    again = load_config(run / "config.yaml")
    assert str(folder) not in config.dump_yaml(run)
    assert (
        again.model_copy(update={"scenarios": {}}).model_dump()
        == config.model_copy(update={"scenarios": {}}).model_dump()
    )
    assert again.with_scenario("snow").data.posts == folder / "in.csv"


RELAXED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
positive = st.floats(1e-3, 1e6) | st.integers(1, 10**6)
days = st.dates().map(date.isoformat)
changes = st.fixed_dictionaries(
    {},
    optional={
        "title": words,
        "title_fa": words,
        "seed": st.integers(0, 2**63),
        "segments": st.fixed_dictionaries({"segment_km": positive}),
        "uncertainty": st.fixed_dictionaries({"level": st.floats(0.01, 0.99)}),
        "train": st.fixed_dictionaries({}, optional={"start": days, "area": st.just("study_area")}),
        "model": st.fixed_dictionaries(
            {
                "estimator": st.sampled_from(ESTIMATOR_NAMES),
                "parameters": st.dictionaries(words, words | st.floats(-1e9, 1e9) | st.booleans()),
            }
        ),
        "features": st.fixed_dictionaries(
            {
                "travel": st.fixed_dictionaries(
                    {"targets": st.dictionaries(
                        st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,9}\Z"),
                        st.tuples(st.floats(-180, 180), st.floats(-90, 90)).map(list),
                    )}
                )
            }
        ),
    },
)  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(changes)
def test_every_config_survives_the_round_trip(tmp_path, minimal, change):
    base = merge_patch(read_yaml(minimal).data, {**change})
    config = Config.from_data(base, tmp_path)
    elsewhere = tmp_path / "a" / "b"
    again = Config.from_data(read_yaml(config.dump_yaml(elsewhere)).data, elsewhere)
    assert again.model_dump() == config.model_dump()
    assert read_yaml(config.dump_yaml()).data == config.to_data()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | words | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*Config.model_fields, "home", "path", "bounds", "changes"])
                | words,
                inner,
                max_size=4,
            )
        ),
    ).filter(lambda data: isinstance(data, dict))
)
def test_any_mapping_gives_a_config_or_a_config_error(tmp_path, data):
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    try:
        load_config(path)
    except ConfigError as error:
        assert all(line.startswith(str(path)) for line in str(error).split("\n"))


def test_schema_in_the_docs_is_the_models():
    stored = (ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8")
    assert stored == schema_text(), "run `make schema`"


def test_every_key_is_described():
    schema = json_schema()
    silent = [
        (part["title"], name)
        for part in [schema, *schema["$defs"].values()]
        for name, value in part["properties"].items()
        if "description" not in value
        and "description" not in schema["$defs"].get(value.get("$ref", "").split("/")[-1], {})
    ]
    assert silent == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_configs_satisfy_the_schema_they_name(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../docs/config.schema.json\n")
    jsonschema.validate(read_yaml(text).data, json_schema())


def test_schema_refuses_what_the_model_refuses(minimal):
    data = read_yaml(minimal).data
    for wrong in ({"titel": "x"}, {"seed": "x"}, {"grid": {"cell_size_m": 0}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data | wrong, json_schema())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_configs_load(path):
    overrides = {"data.elevation.path": "."} if path.stem.endswith("-1km") else {}
    config = load_config(path, overrides)
    assert config.name == path.stem
    assert config.train.area == "study_area"
    assert config.study_area == load_config(ROOT / "configs" / "eastern-border.yaml").study_area


def test_fine_configs_say_that_they_need_a_dem():
    path = ROOT / "configs" / "mashhad-1km.yaml"
    if (ROOT / "data" / "dem").exists():
        pytest.skip("a DEM is there")
    with pytest.raises(ConfigError, match=r"put it there, or --set data\.elevation\.path=PATH$"):
        load_config(path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared/data beside the repository")
def test_fine_configs_take_a_dem_by_override():
    dem = SHARED / "dem_fused_36s_aoi.tif"
    config = load_config(
        ROOT / "configs" / "mashhad-1km.yaml", {"data.elevation.path": os.path.relpath(dem)}
    )
    assert config.data.elevation.path == (dem,)


def test_every_input_path_is_known_as_one():
    inputs = {".".join(key) for key, role in PATH_KEYS.items() if role.is_input}
    assert inputs == {
        "data.package", "data.borders", "data.countries", "data.elevation.path",
        "data.zones", "data.crossings", "data.population",
        "data.settlements", "data.incidents.path", "data.posts", "data.roads", "data.land_cover",
        "data.barriers", "data.water", "features.table", "segments.against",
    }  # fmt: skip


def test_every_incident_column_of_the_reader_can_be_mapped():
    layouts = pytest.importorskip("borderrisk.sources.layouts")
    assert set(INCIDENT_COLUMNS) == {*layouts.FIELDS, *layouts.ALIASES}
