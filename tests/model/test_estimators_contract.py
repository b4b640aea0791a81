from sklearn.utils.estimator_checks import parametrize_with_checks

from borderrisk.model.forest import RandomForest
from borderrisk.model.loglinear import Glm

# Weights are exposure: a weight of 2 means twice the area for the same count, which is not the same
# as the row twice.
EXPECTED_TO_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": "sample_weight is exposure, not repetition",
}


@parametrize_with_checks(
    [Glm(0.1), RandomForest(10)], expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
