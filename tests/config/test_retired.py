"""Keys that there are no more: refused with the why, or passed over where they only say "off"."""

import logging

import pytest

OFF = {"planted": "false", "ablation": "false", "robustness_cell_km": "[]"}


@pytest.mark.parametrize(
    ("key", "value", "study"),
    [
        ("planted", "true", "planted"), ("ablation", "true", "ablation"),
        ("robustness_cell_km", "[5, 20]", "grids"), ("planted", "0", "planted"),
        ("ablation", "null", "ablation"), ("robustness_cell_km", "false", "grids"),
    ],
)  # fmt: skip
def test_a_retired_key_that_asks_for_something_is_refused_with_the_reason(
    problems, key, value, study
):
    (line,) = problems(f"evaluation: {{spatial: true, {key}: {value}}}\n")
    assert line.startswith(f"c.yaml:9:29: evaluation.{key}: there is no such key any more (got ")
    assert f"`python -m benchmarks studies {study}`" in line
    assert line.endswith("; remove it")


def test_keys_that_only_say_off_are_passed_over_with_one_note(load, caplog):
    with caplog.at_level(logging.WARNING, logger="borderrisk"):
        config = load("evaluation: {" + ", ".join(f"{k}: {v}" for k, v in OFF.items()) + "}\n")
    (record,) = caplog.records
    assert record.getMessage() == (
        "c.yaml: evaluation.planted, evaluation.ablation, evaluation.robustness_cell_km: "
        "no effect any more; leave it out"
    )
    assert config == load()


def test_on_the_command_line_and_in_scenarios_they_are_the_same(load, problems, caplog):
    (line,) = problems("", {"evaluation.planted": "true"})
    assert line.startswith("--set evaluation.planted: evaluation.planted: there is no such key")
    scenario = "scenarios: {{quick: {{changes: {{evaluation: {{ablation: {}}}}}}}}}\n"
    (line,) = problems(scenario.format("true"))
    assert line.startswith("c.yaml:9:44: scenarios.quick.changes.evaluation.ablation: there is no")
    assert load(scenario.format("false")).scenarios["quick"].changes == {"evaluation": {}}


def test_other_faults_are_told_beside_it(problems):
    found = problems("evaluation: {planted: true, spatial: 3}\nseed: -1\n")
    assert [line.split(": ")[1] for line in found] == [
        "evaluation.planted", "evaluation.spatial", "seed",
    ]  # fmt: skip


def test_features_are_netcdf(load, problems):
    (line,) = problems("outputs: {features_format: zarr}\n")
    assert "features are written as NetCDF only" in line
    assert load("outputs: {features_format: nc}\n") == load()
