import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.planted import expected_bits

from borderrisk.model.estimators import Glm, relevance
from borderrisk.model.estimators.relevance import curvature, scaled, scales


def planted(seed, rows=1500, noise=15, events=80):
    """Counts of a log-linear rate of two columns, beside columns of noise."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 2 + noise))
    rate = np.exp(1.2 * z[:, 0] - 0.8 * z[:, 1])
    counts = rng.multinomial(events, rate / rate.sum())
    names = ["up", "down", *(f"noise_{k}" for k in range(noise))]
    return pd.DataFrame(z, columns=names), counts, rate


def spread(model, x):
    """Standard deviation of each column's effect."""
    return model.contributions(x).std()


def test_scales_by_hand():
    # Feature 0 has two columns: (0.5 + (1 + 1 + 0.5 + 0.25) / 0.5) / (0.5 + 2) = 2.4; feature 1
    # has one of no effect: (0.5 + 0.1 / 0.5) / 1.5.
    coef, variance = np.array([1.0, -1.0, 0.0]), np.array([0.5, 0.25, 0.1])
    found = scales(coef, variance, np.array([0, 0, 1]), 0.5) ** 2
    assert found == pytest.approx([2.4, 2.4, 0.7 / 1.5])


def test_without_data_the_common_penalty_stays():
    assert scales(np.zeros(2), np.full(2, 3.0), np.array([0, 1]), 3.0) == pytest.approx(1.0)


def test_curvature_by_hand():
    # Two rows of rates 1 and 3 at 0 and 1: variance 3/16 around the mean, 4 events.
    found = curvature(np.array([[0.0], [1.0]]), np.array([1.0, 3.0]))
    assert found == pytest.approx(0.75)


def test_many_rounds_end_where_scales_and_posterior_agree(monkeypatch):
    monkeypatch.setattr(relevance, "ROUNDS", 400)
    x, counts, _ = planted(3, noise=3)
    design, group = ((x - x.mean()) / x.std(ddof=0)).to_numpy(), np.arange(5)
    model = Glm(0.05).fit(x, counts)
    rate, common = model.predict(x), 1 / (0.05 * counts.sum())
    scale = scaled(design, np.ones(len(x)), counts, group, np.zeros(5), common)
    prior = common * scale**2
    assert design.T @ (counts - rate) == pytest.approx(model.coef_ / prior, rel=1e-4)
    variance = np.diag(np.linalg.inv(curvature(design, rate) + np.diag(1 / prior)))
    assert scales(model.coef_, variance, group, common) == pytest.approx(scale, rel=1e-4)


def test_what_says_nothing_shrinks_and_what_matters_is_let_go():
    gains, true = [], ["up", "down"]
    for seed in range(6):
        x, counts, rate = planted(seed)
        own, common = (Glm(relevance=each).fit(x, counts) for each in (True, False))
        assert own.alpha_ == common.alpha_
        after, before = spread(own, x), spread(common, x)
        assert after.drop(true).mean() < 0.95 * before.drop(true).mean()
        assert (after[true] > 1.05 * before[true]).all()
        bits = [expected_bits(m.predict(x), np.ones(len(x)), rate) for m in (own, common)]
        gains.append(bits[0] - bits[1])
    assert np.mean(gains) > 0.02


def test_columns_of_one_feature_share_a_penalty(monkeypatch):
    groups = []
    inner = relevance.scales
    monkeypatch.setattr(
        relevance, "scales", lambda *given: groups.append(given[2]) or inner(*given)
    )
    x, counts, _ = planted(0, noise=0)
    x.loc[:99, "down"] = np.nan
    Glm(0.1).fit(x, counts)
    # The second feature has a column for missing values.
    assert groups[0].tolist() == [0, 1, 1]


def test_without_a_penalty_there_is_none_to_share_out():
    x, counts, _ = planted(1, noise=0)
    free = Glm(0.0).fit(x, counts)
    assert free.coef_ == pytest.approx(Glm(0.0, relevance=False).fit(x, counts).coef_)


def test_rows_and_units_do_not_matter():
    x, counts, _ = planted(2)
    twice = pd.concat([x, x], ignore_index=True)
    halves = np.concatenate([counts, counts]) / 2
    one = Glm(0.05).fit(x, counts)
    two = Glm(0.05).fit(twice, halves, np.full(len(twice), 0.5))
    assert two.coef_ == pytest.approx(one.coef_, rel=1e-5, abs=1e-8)
