"""What is not declared cannot be read, so no key can be forgotten."""

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from benchmarks.studies.worlds import make_world
from pydantic import BaseModel

from borderrisk.config import Config, load_config
from borderrisk.config.whole import PATH_KEYS
from borderrisk.pipeline import steps
from borderrisk.pipeline.inputs import ROLES, Inputs
from borderrisk.pipeline.stages import Stage, Stages, UndeclaredReadError, Work, stage
from borderrisk.runs.cache import StageCache

CONFIG = Path(__file__).parents[2] / "configs" / "eastern-border.yaml"
STAGES = [value for value in vars(steps).values() if isinstance(value, Stage)]


def open_stages(tmp_path, **changes):
    config = load_config(CONFIG).with_changes(changes)
    return Stages(config, Inputs(config), StageCache(tmp_path / "cache"), Work())


@stage(layer="model", config=["grid"])
def reads_a_key(given):
    return given.config.model.estimator


@stage(layer="model", files=["roads"])
def reads_a_role(given):
    return given.files.water


@stage(layer="model")
def reads_a_stage(given):
    return given[steps.area]


@stage(layer="model", config=["grid.cell_size_m", "features.travel"])
def reads_what_it_may(given):
    return given.config.grid.cell_size_m, given.config.features.travel.targets


@pytest.mark.parametrize("undeclared", [reads_a_key, reads_a_role, reads_a_stage])
def test_reading_what_is_not_declared_raises(tmp_path, undeclared):
    with pytest.raises(UndeclaredReadError, match=undeclared.name):
        open_stages(tmp_path)[undeclared]


def test_a_declared_section_is_seen_whole_and_a_declared_key_alone(tmp_path):
    size, targets = open_stages(tmp_path)[reads_what_it_may]
    assert size == 10_000
    assert "zahedan" in targets


def digest(tmp_path, which, **changes):
    return open_stages(tmp_path, **changes).key(which).digest


@pytest.fixture
def river(tmp_path):
    line = {"type": "LineString", "coordinates": [[60, 30], [61, 31]]}
    feature = {"type": "Feature", "properties": {}, "geometry": line}
    path = tmp_path / "river.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return str(path)


def test_the_same_file_in_another_role_is_another_key(tmp_path, river):
    as_barrier = digest(tmp_path, steps.features, data={"barriers": river})
    as_water = digest(tmp_path, steps.features, data={"water": river})
    assert as_barrier != as_water


@pytest.mark.parametrize(
    "changes", [{"segments": {"segment_km": 25}}, {"corridors": {"routes": 7}}]
)
def test_what_the_border_depends_on_reaches_the_scorecard(tmp_path, changes):
    assert digest(tmp_path, steps.scorecard, **changes) != digest(tmp_path, steps.scorecard)
    assert digest(tmp_path, steps.features, **changes) == digest(tmp_path, steps.features)


def test_the_level_of_the_intervals_is_in_their_key(tmp_path):
    changed = digest(tmp_path, steps.intervals, uncertainty={"level": 0.8})
    assert changed != digest(tmp_path, steps.intervals)


def test_code_of_every_layer_below_is_in_the_key(tmp_path):
    code = open_stages(tmp_path).key(steps.scorecard).code
    for name in ("features", "border", "model", "evaluation", "sources", "pipeline.steps"):
        assert f"borderrisk.{name}" in code


def covering(key):
    """Stages whose declarations, or those of stages before them, hold a key of the config."""

    def holds(which):
        declared = {*which.config, *(k for role in which.files for k in ROLES[role].config)}
        own = any(key == k or key.startswith(f"{k}.") for k in declared)
        return own or any(holds(up) for up in which.after)

    return {which.name for which in STAGES if holds(which)}


def leaves(model, at=""):
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, f"{at}{name}.")
        else:
            yield f"{at}{name}", field


# Another value for what has no obvious one.
OTHER = {
    "study_area.home": "AFG",
    "study_area.neighbours": ["PAK"],
    "study_area.window": [58, 25, 67, 39],
    "data.elevation.units": "ft",
    "data.elevation.bad_values": [-1.0],
    "data.incidents.layout": "ucdp_ged",
    "data.incidents.columns": {"date": "day"},
    "data.incidents.calendar": "jalali",
    "data.incidents.confidence": ["high"],
    "data.incidents.kinds": ["raid"],
    "features.concealment.observers": ["roads"],
    "features.exclude": ["elevation_mean"],
    "features.travel.closed": [[60, 30, 61, 31]],
    "features.travel.targets": {"elsewhere": [60.0, 30.0]},
    "features.travel.road_speeds_kmh": {"track": 20.0},
    "features.travel.land_cover_factors": {"10": 0.5},
    "features.columns": ["a"],
    "model.estimator": "kde",
    "model.parameters": {"alpha": 1.0},
    "focus": {"mashhad": {"bounds": [58, 34, 61, 37]}},
    "outputs.focus": ["mashhad"],
    "outputs.language": "fa",
    "outputs.figures": ["png"],
    "train.area": "focus",
    "compute.scheduler": "processes",
    "compute.workers": 3,
    "data.incidents.default_radius_km": 5.0,
    "segments.level_rates": [0.5, 1.0, 2.0],
    "corridors.slack_hours": [3.0],
    "scenarios": {"other": {"changes": {"seed": 1}}},
}
# They name, show or place results, and are read by no stage.
SHOWN = {
    "name", "title", "title_fa", "scenarios", "evaluation.enabled", "segments.level_shares",
    "segments.level_rates", "forecasts.horizons_days",
}  # fmt: skip


def other(key, value, field):
    if key in OTHER:
        return OTHER[key]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1 if isinstance(value, int) else value * 0.9
    if isinstance(value, str):
        return "2013-01-01" if isinstance(getattr(field, "default", None), date) else f"{value}x"
    if isinstance(value, list):
        return [(item * 2 if not isinstance(item, str) else f"{item}x") for item in value] or [1]
    if isinstance(value, dict):
        return {**value, "more": 1}
    kind = str(field.annotation)
    return "2013-01-01" if "date" in kind else 3.0 if "float" in kind else "other"


def nested(key, value):
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def test_every_key_of_the_config_is_in_the_keys_of_the_stages_that_read_it(tmp_path):
    base = load_config(CONFIG)
    data = base.model_dump(mode="json")
    plain = open_stages(tmp_path)
    before = {which.name: plain.key(which).digest for which in STAGES}
    unread = set()
    for key, field in leaves(Config):
        if tuple(key.split(".")) in PATH_KEYS:  # the roles are the test below
            continue
        value = data
        for part in key.split("."):
            value = value[part]
        changed = open_stages_of(base, nested(key, other(key, value, field)), tmp_path)
        assert changed.config.value(key) != base.value(key), key
        moved = {w.name for w in STAGES if changed.key(w).digest != before[w.name]}
        assert moved == covering(key), key
        if not moved:
            unread.add(key)
    assert {key for key in unread if not key.startswith(("outputs.", "compute."))} <= SHOWN


def open_stages_of(config, changes, tmp_path):
    """Stages of a config with plain changes; keys need no valid combination."""
    data = config.model_dump(mode="json")

    def lay(target, part):
        for name, value in part.items():
            if isinstance(value, dict) and isinstance(target.get(name), dict):
                lay(target[name], value)
            else:
                target[name] = value

    lay(data, changes)
    changed = Config.from_data(data, config.folder)
    return Stages(changed, Inputs(changed), StageCache(tmp_path / "cache"), Work())


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_input_is_in_the_keys_of_the_stages_that_read_its_role(tmp_path, role, river):
    def reads(which):
        return role in which.files or any(reads(up) for up in which.after)

    plain = open_stages(tmp_path)
    before = {which.name: plain.key(which).digest for which in STAGES}
    path = ROLES[role].path
    changed = open_stages(
        tmp_path, **nested(path, [river] if path.endswith("elevation.path") else river)
    )
    moved = {w.name for w in STAGES if changed.key(w).digest != before[w.name]}
    assert moved == {w.name for w in STAGES if reads(w)}


def test_a_record_knows_nothing_after_its_origin():
    panel = make_world(seed=1, incidents=60, shape=(12, 14), cell_size_m=30_000).panel()
    origin = pd.Timestamp("2015-01-01")
    known = steps.Record(None, panel, panel, origin).known
    assert 0 < len(known) < len(panel)
    assert (known.incidents["date_end"] < origin).all()
