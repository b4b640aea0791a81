import numpy as np
import pandas as pd
import pytest
from benchmarks.studies.worlds import make_world
from hypothesis import given
from hypothesis import strategies as st

from borderrisk.errors import ConfigError, DataError
from borderrisk.model import rehearsal, uncertainty
from borderrisk.model.panel import RADIUS_PER_SIGMA
from borderrisk.model.registry import make_model
from borderrisk.model.rehearsal import (
    Errors,
    contrasts,
    coupled,
    log_relative,
    sharp,
    sharpened,
    simulate,
)
from borderrisk.model.uncertainty import (
    Refits,
    bootstrap_intervals,
    calibrated,
    load_intervals,
    one_truth,
    rank,
    save_intervals,
    summarise,
)
from borderrisk.scores import probability, risk_class, risk_percentile

ORIGIN = pd.Timestamp("2020-01-01")
# A small forest keeps the test short.
SMALL = {"n_estimators": 30}
COMMON = {"level": 0.9, "horizon_days": 365.0, "seed": 4}


@pytest.fixture(scope="module")
def world():
    return make_world(seed=0, incidents=250, shape=(24, 28), cell_size_m=20_000)


def fit(name, cells, panel, **parameters):
    return make_model(name, **parameters).fit(cells, panel, ORIGIN, COMMON["seed"])


@pytest.fixture(scope="module")
def model(cells, panel):
    return fit("decayed_pool", cells, panel, **SMALL)


@pytest.fixture(scope="module")
def found(cells, panel, model):
    return bootstrap_intervals(model, cells, panel, ORIGIN, replicates=40, **COMMON)


@pytest.fixture(scope="module")
def last(cells, panel):
    """A model that is quickly refitted."""
    return fit("kde", cells, panel)


@pytest.fixture(scope="module")
def kde(cells, panel, last):
    return bootstrap_intervals(last, cells, panel, ORIGIN, replicates=7, **COMMON)


def test_bounds_and_ranks_by_hand():
    drawn = np.array([[1, 50], [2, 40], [3, 30], [4, 0.5], [5, 10]], np.float32)
    area = np.array([1.0, 2.0])
    out = summarise(np.array([3.0, 60.0]), drawn, area, 0.5, 365.25)
    # Each of five draws stands for a fifth: a quarter of them is below 1¾ of 1..5, and below
    # ½ + ¾ · 9½ in the other cell, whose estimate is above all.
    assert out.expected_low == pytest.approx([1.75, 2 * 7.625])
    assert out.expected_high == pytest.approx([4.25, 120])
    # 1 - (1 + 2m)^-0.5 of an expected count m.
    assert out.probability_low == pytest.approx([1 - 4.5**-0.5, 1 - 31.5**-0.5])
    assert out.probability_high == pytest.approx([1 - 9.5**-0.5, 1 - 241**-0.5])
    # The first cell is second in four replicates of five, the second first.
    assert out.rank_low.tolist() == [2, 1]
    assert out.rank_high.tolist() == [2, 1]


def test_the_rank_of_the_estimate_is_within_its_bounds():
    drawn = np.tile(np.array([5.0, 1.0, 3.0], np.float32), (9, 1))
    out = summarise(np.array([1.0, 2.0, 3.0]), drawn, np.ones(3), 0.9, 365.0)
    assert out.rank_low.tolist() == [1, 2, 1]
    assert out.rank_high.tolist() == [3, 3, 2]


def test_equal_intensities_rank_in_order():
    assert rank(np.array([1.0, 7.0, 7.0, 0.0])).tolist() == [3, 1, 2, 4]


def test_intervals_hold_the_planted_truth(found, cells, world, model):
    """Over three worlds: a class of one has a dozen cells, which are right or wrong together."""
    worlds = [held(world, cells, model, found)]
    for seed in (1, 2):
        other = make_world(seed=seed, incidents=250, shape=(24, 28), cell_size_m=20_000)
        there, panel = other.cells(), other.panel()
        fitted = fit("decayed_pool", there, panel, **SMALL)
        drawn = bootstrap_intervals(fitted, there, panel, ORIGIN, replicates=40, **COMMON)
        worlds.append(held(other, there, fitted, drawn))
    inside, classes = (np.concatenate(part) for part in zip(*worlds, strict=True))
    assert 0.85 <= inside.mean() <= 0.95
    for k in range(1, 6):
        assert 0.8 <= inside[classes == k].mean() <= 0.98, k


def held(world, cells, model, found):
    """Whether the interval of each cell holds the truth, and the cell's class."""
    area = cells.study_area_100km2[cells.study]
    truth = probability(world.intensity[cells.mask][cells.study], area, COMMON["horizon_days"])
    inside = (truth >= found.probability_low) & (truth <= found.probability_high)
    return inside, risk_class(risk_percentile(model.intensity(cells)[cells.study], area))


def test_plain_replicates_would_not_hold_it(monkeypatch, found, cells, panel, model, world):
    monkeypatch.setattr(uncertainty, "calibrated", lambda point, refits, *_: refits.drawn)
    monkeypatch.setattr(uncertainty, "ROUNDS", 0)
    monkeypatch.setattr(uncertainty, "LONG", 1)
    plain = bootstrap_intervals(model, cells, panel, ORIGIN, replicates=20, **COMMON)
    area = cells.study_area_100km2[cells.study]
    truth = probability(world.intensity[cells.mask][cells.study], area, COMMON["horizon_days"])
    inside = (truth >= plain.probability_low) & (truth <= plain.probability_high)
    assert inside.mean() < 0.75


@pytest.mark.parametrize("name", ["found", "kde"])
def test_the_estimate_lies_within(name, request, cells, model, last):
    out = request.getfixturevalue(name)
    intensity = (last if name == "kde" else model).intensity(cells)[cells.study]
    area = cells.study_area_100km2[cells.study]
    point = probability(intensity, area, COMMON["horizon_days"])
    assert np.all((out.probability_low <= point) & (point <= out.probability_high))
    assert np.all((out.rank_low <= rank(intensity)) & (rank(intensity) <= out.rank_high))
    assert out.rank_low.min() >= 1
    assert out.rank_high.max() <= cells.study.sum()
    assert out.replicates.dtype == np.float32
    assert np.all(out.replicates > 0)


@pytest.mark.parametrize("work", [("threads", 1), ("threads", 3), ("processes", 2)])
def test_workers_change_nothing(work, kde, last, cells, panel):
    scheduler, workers = work
    again = bootstrap_intervals(
        last, cells, panel, ORIGIN, replicates=7, scheduler=scheduler, workers=workers, **COMMON
    )
    for name, values in vars(kde).items():
        assert np.array_equal(getattr(again, name), values), name


def test_another_seed_is_another_draw(kde, last, cells, panel):
    other = bootstrap_intervals(last, cells, panel, ORIGIN, replicates=7, **COMMON | {"seed": 5})
    assert not np.array_equal(other.replicates, kde.replicates)


def test_nothing_after_the_origin_matters(cells, panel):
    middle = pd.Timestamp("2016-01-01")
    both = [
        bootstrap_intervals(
            make_model("kde").fit(cells, part, middle), cells, part, middle, replicates=3, **COMMON
        )
        for part in (panel, panel.before(middle))
    ]
    assert np.array_equal(both[0].replicates, both[1].replicates)


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_progress_counts_every_refit(scheduler, cells, panel):
    heard = []
    bootstrap_intervals(
        fit("even", cells, panel), cells, panel, ORIGIN, replicates=4,
        scheduler=scheduler, workers=2,
        progress=lambda done, total: heard.append((done, total)), **COMMON,
    )  # fmt: skip
    total = 4 + uncertainty.ROUNDS * uncertainty.SHORT + uncertainty.LONG
    assert heard[-1] == (total, total)
    assert heard == sorted(heard)
    assert len(heard) > 2


def test_a_model_without_contrast_has_the_uncertainty_of_its_level(cells, panel):
    even = fit("even", cells, panel)
    out = bootstrap_intervals(even, cells, panel, ORIGIN, replicates=60, **COMMON)
    assert np.ptp(out.replicates, axis=1) == pytest.approx(np.zeros(60), abs=1e-6)
    mean = out.replicates[:, 0].mean()
    expected = even.intensity(cells)[0]
    assert mean == pytest.approx(expected, rel=0.1)
    # A shape of as many incidents as still count, the prior's two included.
    past = panel.before(ORIGIN).incidents
    age = (ORIGIN - past["date_end"]).dt.days
    counts = (past["weight"] * 0.5 ** (age / 120))[panel.before(ORIGIN).home(cells)[1] >= 0.5]
    assert out.replicates[:, 0].std() / mean == pytest.approx((counts.sum() + 2) ** -0.5, rel=0.1)


@pytest.mark.parametrize("name", ["glm", "random_forest", "radius_history", "kde_pool"])
def test_every_kind_of_model_has_intervals(name, cells, panel):
    small = SMALL if name == "random_forest" else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uncertainty, "SHORT", 1)
        patch.setattr(uncertainty, "LONG", 2)
        model = fit(name, cells, panel, **small)
        out = bootstrap_intervals(model, cells, panel, ORIGIN, replicates=2, **COMMON)
    assert np.all(out.probability_low <= out.probability_high)


def test_what_the_full_fit_chose_is_kept(cells, panel, model):
    """Refits have the weights and the bandwidth of the fit, so they choose nothing."""
    for fitted, name in ((model, "weights"), (fit("kde", cells, panel), "bandwidth_km")):
        chosen = getattr(fitted.settings, name)
        assert chosen is not None
        again = fitted.settings.fit(cells, panel.take(np.arange(40)), ORIGIN)
        assert getattr(again.settings, name) == chosen


def test_a_saved_file_gives_back_the_same(kde, tmp_path):
    save_intervals(kde, tmp_path)
    again = load_intervals(tmp_path)
    assert again.level == 0.9
    assert isinstance(again.level, float)
    for name, values in vars(kde).items():
        assert np.array_equal(getattr(again, name), values), name
        assert np.asarray(getattr(again, name)).dtype == np.asarray(values).dtype


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"replicates": 1}, "at least 2"), ({"level": 1.0}, "between 0 and 1")],
)
def test_impossible_numbers_are_refused(changes, message, cells, panel):
    given = {"replicates": 5, **COMMON, **changes}
    with pytest.raises(ConfigError, match=message):
        bootstrap_intervals(fit("even", cells, panel), cells, panel, ORIGIN, **given)


def test_an_origin_without_past_is_an_error(cells, panel):
    with pytest.raises(DataError, match="0 incident"):
        even = fit("even", cells, panel)
        bootstrap_intervals(even, cells, panel, "1990-01-01", replicates=3, **COMMON)


def test_draws_average_to_the_mass_the_model_was_given(panel):
    rng = np.random.default_rng(0)
    draws = [one_truth(panel, rng) for _ in range(300)]
    assert all((d.incidents["radius_km"] == 0).all() for d in draws)
    sizes = [len(d) for d in draws]
    assert np.mean(sizes) == pytest.approx(len(panel), rel=0.02)
    assert np.var(sizes) == pytest.approx(len(panel), rel=0.3)
    mean, mass = sum(d.counts() for d in draws) / len(draws), panel.counts()
    assert np.corrcoef(mean, mass)[0, 1] > 0.98
    assert mean.sum() == pytest.approx(mass.sum(), rel=0.02)


def test_simulated_incidents_follow_the_pilot_within_their_radius(cells, panel):
    pilot = np.full(len(cells), 1e-9)
    target = len(cells) // 2
    pilot[target] = 1.0
    sample = simulate(panel, pilot, cells, np.random.default_rng(1))
    gap = np.hypot(
        sample.incidents["x"] / 1000 - cells.x["x_km"].iloc[target],
        sample.incidents["y"] / 1000 - cells.x["y_km"].iloc[target],
    )
    # Half a diagonal in the true cell, one across the report's cell, three sigmas along each axis.
    reach = 3 * 14.2 + 3.03 * np.sqrt(2) * sample.incidents["radius_km"] / RADIUS_PER_SIGMA
    assert np.all(gap <= reach)
    assert (
        gap[sample.incidents["radius_km"] == 25].mean()
        > gap[sample.incidents["radius_km"] == 2].mean()
    )
    assert set(sample.incidents["radius_km"]) == set(panel.incidents["radius_km"])
    assert np.asarray(sample.mass.sum(axis=1)).ravel() == pytest.approx(np.ones(len(sample)))


def test_a_pilot_is_the_intensity_to_a_power(cells, model):
    intensity = model.intensity(cells)
    pilot = sharp(intensity, cells, np.array([1.5, 1.5]))
    assert np.average(pilot, weights=cells.area_100km2) == pytest.approx(1)
    apart = np.log(pilot) - 1.5 * np.log(intensity)
    assert apart == pytest.approx(np.full(len(cells), apart[0]))


def test_what_varies_broadly_and_what_varies_locally_are_sharpened_apart(cells):
    """A slope over the whole width is broad; a chequerboard of cells is local."""
    row, col = np.divmod(np.arange(cells.mask.size), cells.mask.shape[1])
    slope, chequers = (v[cells.mask.ravel()] for v in (col / 20, np.where((row + col) % 2, 1, -1)))
    broad, local = contrasts(np.exp(slope + chequers)[cells.study], cells)
    area = cells.study_area_100km2[cells.study]
    mean = np.average(slope[cells.study], weights=area)
    spread = np.sqrt(np.average((slope[cells.study] - mean) ** 2, weights=area))
    assert broad == pytest.approx(spread, rel=0.15)
    assert local == pytest.approx(1, rel=0.15)
    sharper = sharp(np.exp(slope + chequers), cells, np.array([1.0, 2.0]))
    more = contrasts(sharper[cells.study], cells)
    assert more == pytest.approx([broad, 2 * local], rel=0.1)


def test_pilots_have_more_contrast_until_refits_have_the_models():
    def after(exponent, own, refitted):
        both = sharpened(np.array([exponent, 1]), np.array([own, 1]), np.array(refitted))
        assert both[1] == 1
        return both[0]

    assert after(1.0, 1.5, [[1.2, 1], [1.3, 1]]) == pytest.approx(1.2)
    assert after(1.2, 1.5, [[1.5, 1]]) == pytest.approx(1.2)
    assert after(1.0, 1.5, [[3.0, 1]]) == 1.0
    assert after(2.0, 1.5, [[0.1, 1]]) == rehearsal.MOST_SHARPENED
    assert after(1.0, 0.0, [[0.0, 1]]) == 1.0


def test_errors_are_pooled_by_rank():
    found = np.tile(np.log(np.arange(1.0, 1001)), (3, 1))
    # The upper half of the area is 0.7 too low, with errors of up to 0.1 around that.
    truth = found + 0.7 * (np.arange(1000) >= 500) + np.array([[-0.1], [0.0], [0.1]])
    errors = Errors.fit(truth, found, np.ones(1000), 0.9)
    assert errors.at(np.array([25.0]))[:, 0] == pytest.approx([-0.1, 0.0, 0.1], abs=1e-3)
    assert errors.at(np.array([96.0]))[:, 0] == pytest.approx([0.6, 0.7, 0.8], abs=1e-3)


@given(
    st.integers(20, 80),
    st.tuples(st.floats(-3, 0), st.floats(0, 1), st.floats(1, 4)),
    st.integers(0, 9),
)
def test_coupling_gives_the_quantiles_and_keeps_the_order(n, wanted, seed):
    before = np.random.default_rng(seed).standard_cauchy((n, 2))
    quantiles = np.tile(np.array(wanted)[:, None], (1, 2))
    after = coupled(before, quantiles, 0.9)
    in_order = np.take_along_axis(after, np.argsort(before, axis=0), axis=0)
    assert np.all(np.diff(in_order, axis=0) >= 0)
    got = np.quantile(after, [0.05, 0.5, 0.95], axis=0)
    assert got == pytest.approx(quantiles, abs=0.12 * (np.ptp(wanted) + 1e-9))


def test_calibration_gives_each_its_level_and_is_never_narrower():
    rng = np.random.default_rng(2)
    point, area = np.exp(rng.normal(size=300)), rng.uniform(0.2, 1, 300)
    drawn = (point * np.exp(0.3 * rng.normal(size=(50, 300)))).astype(np.float32)
    exact = np.tile(point / np.average(point, weights=area), (4, 1))
    means = 1.1 * (drawn @ area) / area.sum()
    out = calibrated(
        point, Refits(drawn, exact.astype(np.float32), exact, np.zeros(4, int)), means, area, 0.9
    )
    assert out @ area == pytest.approx(means * area.sum(), rel=1e-4)
    before, after = (
        np.ptp(np.quantile(np.log(v), [0.05, 0.95], axis=0), axis=0) for v in (drawn, out)
    )
    assert np.all(after > 0.85 * before)
    wide = exact * np.exp(rng.normal(size=(4, 300)))
    wider = calibrated(
        point, Refits(drawn, exact.astype(np.float32), wide, np.zeros(4, int)), means, area, 0.9
    )
    spread = np.ptp(np.quantile(np.log(wider), [0.05, 0.95], axis=0), axis=0)
    assert np.median(spread) > 2 * np.median(before)


def test_relative_intensity_averages_to_one():
    area = np.array([1.0, 3.0])
    assert log_relative(np.array([6.0, 2.0]), area) == pytest.approx(np.log([2, 2 / 3]))
    assert log_relative(np.zeros(2), area).tolist() == [0, 0]
