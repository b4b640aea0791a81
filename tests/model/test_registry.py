import dataclasses

import numpy as np
import pytest

import borderrisk
from borderrisk.config import ESTIMATOR_NAMES
from borderrisk.errors import ConfigError
from borderrisk.model.protocol import MODELS
from borderrisk.model.registry import make_model, models, settings


def test_the_config_knows_every_model_and_no_other():
    assert set(ESTIMATOR_NAMES) == set(models()) == set(MODELS)
    assert borderrisk.models() == models()
    assert borderrisk.make_model is make_model


def test_settings_are_frozen_and_named():
    made = settings("kde", {"bandwidth_km": 30})
    assert (made.name, made.role, made.bandwidth_km) == ("kde", "baseline", 30.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.bandwidth_km = 10


def test_an_unknown_name_gets_the_choices_and_the_nearest():
    with pytest.raises(ConfigError, match=r"'random_forrest'; did you mean 'random_forest'.*kde"):
        make_model("random_forrest")


def test_an_unknown_parameter_gets_the_choices_and_the_nearest():
    with pytest.raises(ConfigError, match=r"kde has no parameter 'bandwidth'; did you mean 'band"):
        make_model("kde", bandwidth=3)


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("kde", {"bandwidth_km": 0.0}, r"bandwidth_km of model kde: .*greater than 0 \(got 0.0\)"),
        ("kde", {"bandwidth_km": "30"}, r"a valid number \(got '30'\)"),
        ("kde", {"bandwidth_km": float("nan")}, "finite"),
        ("random_forest", {"n_estimators": 2.5}, r"valid integer.*\(got 2.5\)"),
        ("random_forest", {"n_estimators": True}, "valid integer"),
        ("random_forest", {"max_features": "all"}, "max_features"),
        ("glm", {"alpha": -0.1}, "alpha of model glm: input should be greater than or equal"),
        ("decayed_pool", {"widths_km": []}, "widths_km"),
        ("decayed_pool", {"widths_km": [3, -1]}, "widths_km"),
        ("decayed_pool", {"half_lives_years": [0]}, "half_lives_years"),
        ("even", {"horizon_days": 0}, "horizon_days of model even"),
        ("expert_weights", {"importance": ["slope"]}, "importance"),
    ],
)
def test_a_value_that_cannot_be_is_an_error(name, parameters, words):
    with pytest.raises(ConfigError, match=words):
        make_model(name, **parameters)


def test_numbers_of_a_fit_can_be_given_back():
    given = {"horizon_days": np.int64(90), "bandwidth_km": np.float64(10.0)}
    assert settings("kde", given).values() == {"horizon_days": 90, "bandwidth_km": 10.0}
    assert settings("decayed_pool", {"half_lives_years": [float("inf"), 1]}).half_lives_years == (
        np.inf, 1.0,
    )  # fmt: skip
