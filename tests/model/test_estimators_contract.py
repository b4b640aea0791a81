import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from borderrisk.errors import ConfigError
from borderrisk.model.estimators import ESTIMATORS, make_estimator

QUICK = {
    "gam": {"alpha": 0.1},
    "glm": {"alpha": 0.1},
    "random_forest": {"n_estimators": 10},
}
# Weights are exposure: a weight of 2 means twice the area for the same count, which is not the same
# as the row twice.
EXPECTED_TO_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": "sample_weight is exposure, not repetition",
}


@parametrize_with_checks(
    [make_estimator(name, QUICK.get(name)) for name in ESTIMATORS],
    expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_name_gives_a_clonable_estimator_with_the_seed(name):
    estimator = clone(make_estimator(name, seed=11))
    assert estimator.get_params().get("random_state", 11) == 11


def test_an_unknown_name_gets_the_choices_and_the_nearest():
    with pytest.raises(ConfigError, match=r"'random_forrest'; did you mean 'random_forest'.*gam"):
        make_estimator("random_forrest")


def test_an_unknown_parameter_gets_the_choices_and_the_nearest():
    with pytest.raises(ConfigError, match=r"kde has no parameter 'bandwidth'; did you mean 'band"):
        make_estimator("kde", {"bandwidth": 3})
    with pytest.raises(ConfigError, match="uniform has no parameter 'alpha'; it takes none"):
        make_estimator("uniform", {"alpha": 3})


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("gam", {"alpha": -0.1}, "alpha of estimator gam: input should be greater than or equal"),
        ("gam", {"alpha": float("nan")}, "alpha of estimator gam"),
        ("glm", {"squares": "yes"}, "squares of estimator glm: input should be a valid boolean"),
        ("kde", {"bandwidth_km": 0.0}, r"greater than 0 \(got 0.0\)"),
        ("kde", {"bandwidth_km": "wide"}, r"a valid number \(got 'wide'\)"),
        ("random_forest", {"n_estimators": 2.5}, r"a valid integer \(got 2.5\)"),
        ("random_forest", {"max_features": "all"}, "max_features"),
    ],
)
def test_a_value_that_cannot_be_is_an_error(name, parameters, words):
    with pytest.raises(ConfigError, match=words):
        make_estimator(name, parameters)


def test_numbers_of_a_fit_can_be_given_back():
    given = {"alpha": np.float64(0.1), "max_rows": np.int64(100)}
    made = make_estimator("glm", given).get_params()
    assert made | given == made
    assert make_estimator("glm", {"alpha": None}).alpha is None


def test_a_seed_in_the_parameters_wins():
    assert make_estimator("gam", {"random_state": 5}, seed=1).random_state == 5
