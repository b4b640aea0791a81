"""Keys of earlier versions: refused with the reason, let through where they only say off."""

import pytest

SCENARIO = "scenarios: {dry: {changes: {outputs: {features_format: %s}}}}"


@pytest.mark.parametrize("more", ["outputs: {features_format: zarr}", SCENARIO % "zarr"])
def test_a_removed_key_that_asks_for_something_is_refused_with_the_reason(problems, more):
    (line,) = problems(more)
    assert "outputs.features_format: is no longer a key: features are written as NetCDF" in line
    assert line.startswith("c.yaml:9:")
    assert '(got "zarr")' in line


@pytest.mark.parametrize("more", ["outputs: {features_format: nc}", SCENARIO % "nc"])
def test_a_removed_key_that_only_says_off_is_ignored_with_a_note(load, caplog, more):
    config = load(more)
    assert "outputs.features_format is no longer a key and was ignored" in caplog.text
    for name in config.scenarios:
        assert config.with_scenario(name).outputs == config.outputs
