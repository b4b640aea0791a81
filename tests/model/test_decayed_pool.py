from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from benchmarks.studies.worlds import make_world
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import PoissonRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from tests.squares import make_cells, make_panel

import borderrisk
from borderrisk.errors import ConfigError, DataError
from borderrisk.evaluation.backtest import backtest, origin_rows
from borderrisk.model.decayed_pool import DecayedPool, lessons_wanted
from borderrisk.model.level import ending_between
from borderrisk.model.panel import as_panel
from borderrisk.model.registry import make_model, opened, packed, settings
from borderrisk.model.susceptibility import Evidence

ORIGIN = pd.Timestamp("2020-01-01")
# A small forest keeps the tests short.
SMALL = {"n_estimators": 20}


@pytest.fixture(scope="module")
def world():
    return make_world(seed=0, incidents=250, shape=(24, 28), cell_size_m=20_000)


@pytest.fixture(scope="module")
def fitted(cells, panel):
    return make_model("decayed_pool", **SMALL).fit(cells, panel, ORIGIN)


def at(cells, xy_km, dates, radius_km=1.0):
    """Incidents at places of the grid on given days."""
    points = gpd.points_from_xy(*(np.array(xy_km, float).T * 1000))
    table = {"date": pd.to_datetime(dates), "radius_km": radius_km}
    return as_panel(gpd.GeoDataFrame(table, geometry=points, crs=cells.grid.crs), cells)


def test_the_intensity_is_the_sum_of_its_parts(fitted, cells):
    parts, intensity = fitted.parts(cells), fitted.intensity(cells)
    assert sum(parts.values()) == pytest.approx(intensity, rel=1e-12)
    assert all((part >= 0).all() for part in parts.values())
    assert all(parts[name].sum() > 0 for name in ("history", "recent", "ground", "even"))
    assert (intensity * cells.study_area_100km2).sum() == pytest.approx(fitted.level.mean)


def test_nothing_after_the_origin_matters(cells, panel):
    middle = pd.Timestamp("2016-01-01")
    late = panel.subset(panel.incidents["date"] >= middle)
    moved = late.take(np.arange(len(late))[::-1])
    moved = replace(moved, mass=late.mass, incidents=late.incidents.assign(weight=0.1))
    found = [
        make_model("decayed_pool", **SMALL).fit(cells, given, middle).intensity(cells)
        for given in (panel, panel.before(middle), _together(panel.before(middle), moved))
    ]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def _together(first, second):
    from scipy.sparse import vstack

    return replace(
        first,
        mass=vstack([first.mass, second.mass]).tocsr(),
        incidents=pd.concat([first.incidents, second.incidents], ignore_index=True),
    )


def test_earlier_incidents_fade_by_their_half_lives():
    """One incident two years ago, one now: each half-life keeps its own share of the first."""
    cells = make_cells()
    past = at(cells, [(-100, 0), (100, 0)], ["2017-12-31", "2019-12-31"])
    model = DecayedPool(widths_km=(0.0,), half_lives_years=(np.inf, 2.0, 1.0, 0.25))
    counts = model.remember(cells, past, ORIGIN)[0].counts
    west, east = (cells.x["x_km"] < 0).to_numpy(), (cells.x["x_km"] > 0).to_numpy()
    two_years = (ORIGIN - pd.Timestamp("2017-12-31")).days / 365.25
    a_day = 1 / 365.25
    for row, life in zip(counts, model.half_lives_years, strict=True):
        assert row[west].sum() == pytest.approx(0.5 ** (two_years / life))
        assert row[east].sum() == pytest.approx(0.5 ** (a_day / life))
    assert model.remember(cells, past, ORIGIN)[0].groups == ("history", "history", "recent", "recent")  # fmt: skip  # noqa: E501


def test_a_conflict_that_moves_is_followed_and_one_that_stays_is_remembered():
    """Ten years at one place, then at another each year; or always at the same one."""
    cells, rng = make_cells(), np.random.default_rng(0)
    years = np.repeat(np.arange(2005, 2020), 12)
    dates = [f"{year}-{1 + k % 12:02d}-15" for k, year in enumerate(years)]
    place = {year: rng.uniform(-130, 130, 2) for year in range(2005, 2020)}
    moving = at(cells, [place[year] for year in years], dates)
    # Each place is kept for two years, so what was lately tells what comes.
    slow = at(cells, [place[year - year % 2 + 1] for year in years], dates)
    staying = at(cells, [place[2005 + k % 12] for k in range(len(years))], dates)
    share = {
        name: make_model("history_alone").fit(cells, panel, ORIGIN).facts()["weights"]
        for name, panel in (("moving", moving), ("slow", slow), ("staying", staying))
    }
    assert share["slow"]["recent"] > share["staying"]["recent"]
    assert share["staying"]["history"] > share["slow"]["history"]
    assert share["moving"]["even"] > 3 * share["staying"]["even"]


def test_a_lesson_knows_nothing_of_what_it_is_about():
    """Incidents that never come back to a place: to remember places is worth nothing."""
    cells, rng = make_cells(), np.random.default_rng(2)
    dates = pd.date_range("2008-01-01", "2019-12-31", periods=240)
    panel = at(cells, rng.uniform(-140, 140, (240, 2)), dates)
    fitted = make_model("history_alone").fit(cells, panel, ORIGIN)
    assert np.array(fitted.weights)[:4].sum() < 0.2


def test_the_ground_forgets_where_enough_is_left():
    """Four hundred old incidents on low ground, a hundred of the last year on high ground."""
    cells = make_cells(seed=3)
    height = cells.x["elevation_mean"].to_numpy()
    order, rng = np.argsort(height), np.random.default_rng(1)
    chosen = np.r_[rng.choice(order[:200], 400), rng.choice(order[-200:], 100)]
    dates = [*pd.date_range("2005-01-01", "2010-12-31", periods=400),
             *pd.date_range("2019-01-01", "2019-12-31", periods=100)]  # fmt: skip
    panel = at(cells, cells.x[["x_km", "y_km"]].to_numpy()[chosen], dates)
    ground = make_model("decayed_pool", **SMALL).fit(cells, panel, ORIGIN).susceptibility(cells)
    assert ground[order[-200:]].mean() > 3 * ground[order[:200]].mean()


def test_ground_that_explains_the_incidents_gets_the_weight():
    cells = make_cells(seed=3)
    rng = np.random.default_rng(1)
    steep = np.exp(2.5 * cells.x["elevation_mean"].to_numpy())
    chosen = rng.choice(len(cells), 300, p=steep / steep.sum())
    xy = cells.x[["x_km", "y_km"]].to_numpy()[chosen]
    panel = make_panel(cells, *xy.T, radius=2.0)
    weights = make_model("decayed_pool", **SMALL).fit(cells, panel, ORIGIN).facts()["weights"]
    assert weights["ground"] > 0.5


def test_a_short_record_has_a_loglinear_part_besides(cells, panel):
    short = panel.take(np.arange(100))
    model = make_model("decayed_pool", **SMALL)
    assert len(model.fit(cells, short, ORIGIN).ground) == 2
    assert len(model.fit(cells, panel, ORIGIN).ground) == 1
    assert len(make_model("history_alone").fit(cells, short, ORIGIN).ground) == 0


def test_without_lessons_the_weights_are_the_prior():
    cells = make_cells()
    few = at(cells, [(-100, 0), (100, 0), (0, 50)], ["2019-01-31", "2019-06-30", "2019-12-31"])
    model = make_model("decayed_pool", **SMALL).fit(cells, few, ORIGIN)
    # 5 and 1 by width, times .4, .25, .2, .15 by half-life; forest 4, log-linear 2, even .5.
    total = 6 + 4 + 2 + 0.5
    assert model.facts()["weights"] == pytest.approx(
        {"history": 6 * 0.65 / total, "recent": 6 * 0.35 / total, "ground": 6 / total,
         "even": 0.5 / total}
    )  # fmt: skip
    assert model.weights[0] == pytest.approx(5 * 0.4 / total)


def test_the_memo_changes_nothing_and_a_year_needs_one_forest(cells, panel, monkeypatch):
    from borderrisk.model import decayed_pool

    grown = []
    fit = decayed_pool.learned_ground

    def counting(*given):
        grown.append(given)
        return fit(*given)

    monkeypatch.setattr(decayed_pool, "learned_ground", counting)
    model, memo = make_model("decayed_pool", **SMALL), {}
    origins = [pd.Timestamp(f"{year}-01-01") for year in range(2016, 2021)]
    found = [model.fit(cells, panel, day, memo=memo).intensity(cells) for day in origins]
    # 2011 to 2020: the lessons of 2016 reach back five years, those of later ones are shared.
    assert len(grown) == 10
    alone = model.fit(cells, panel, origins[-1]).intensity(cells)
    assert np.array_equal(found[-1], alone)


def test_a_refit_keeps_the_weights_and_learns_the_rest_anew(fitted, cells, panel):
    again = fitted.settings.fit(cells, panel, ORIGIN)
    assert np.array_equal(again.intensity(cells), fitted.intensity(cells))
    other = fitted.settings.fit(cells, panel.take(np.arange(0, 250, 2)), ORIGIN)
    assert np.array_equal(other.weights, fitted.weights)
    assert not np.array_equal(other.intensity(cells), fitted.intensity(cells))
    # With 125 incidents a first fit would have a log-linear part; the refit has the fit's parts.
    assert len(other.ground) == len(fitted.ground)
    with pytest.raises(ConfigError, match=r"10 parts \(got 2\)"):
        make_model("decayed_pool", weights=[0.5, 0.5]).fit(cells, panel, ORIGIN)


def test_the_same_seed_gives_the_same_bytes_and_another_another_forest(cells, panel, fitted):
    again = make_model("decayed_pool", **SMALL).fit(cells, panel, ORIGIN)
    assert again.intensity(cells).tobytes() == fitted.intensity(cells).tobytes()
    other = make_model("decayed_pool", **SMALL).fit(cells, panel, ORIGIN, seed=1)
    assert not np.array_equal(other.intensity(cells), fitted.intensity(cells))


def test_a_month_is_learned_on_months(cells, panel):
    assert [lessons_wanted(days) for days in (10, 30, 90, 365, 730)] == [24, 24, 12, 5, 5]
    month = make_model("decayed_pool", horizon_days=30, **SMALL).fit(cells, panel, ORIGIN)
    year = make_model("decayed_pool", **SMALL).fit(cells, panel, ORIGIN)
    assert not np.allclose(month.weights, year.weights, atol=1e-3)
    last = ending_between(panel, ORIGIN - pd.Timedelta(days=30), ORIGIN)
    assert month.level.mean != year.level.mean
    assert len(last) < len(ending_between(panel, pd.Timestamp("2019-01-01"), ORIGIN))


def test_lessons_on_a_part_of_the_cells_say_the_same(world, cells, panel, monkeypatch):
    from borderrisk.model import lessons

    whole = make_model("decayed_pool", **SMALL).fit(cells, panel, ORIGIN)
    monkeypatch.setattr(lessons, "MOST_CELLS", int(cells.study.sum() * 0.8))
    part = make_model("decayed_pool", **SMALL).fit(cells, panel, ORIGIN)
    assert not np.array_equal(part.weights, whole.weights)
    for name, share in whole.facts()["weights"].items():
        assert part.facts()["weights"][name] == pytest.approx(share, abs=0.12)


def test_a_part_of_the_cells_stands_for_all_incidents(cells, panel, monkeypatch):
    from borderrisk.model import lessons

    def counted():
        memo = {}
        make_model("history_alone").fit(cells, panel, ORIGIN, memo=memo)
        return sum(found.counts.sum() for key, found in memo.items() if key[0] == "lesson")

    whole = counted()
    monkeypatch.setattr(lessons, "MOST_CELLS", int(cells.study.sum() * 0.1))
    assert counted() == pytest.approx(whole, rel=0.25)


def test_a_state_gives_the_model_back(fitted, cells):
    again = opened(packed(fitted))
    assert again.settings == fitted.settings
    assert again.intensity(cells).tobytes() == fitted.intensity(cells).tobytes()


def test_carried_it_keeps_its_weights_and_ground_and_takes_the_other_places_past(cells, fitted):
    other = make_world(seed=5, incidents=120, shape=(24, 28), cell_size_m=20_000)
    there, past = other.cells(), other.panel()
    carried = fitted.carried(there, past, ORIGIN)
    assert np.array_equal(carried.weights, fitted.weights)
    assert carried.ground is fitted.ground
    own = make_model("decayed_pool", **SMALL).fit(there, past, ORIGIN)
    assert carried.level == own.level
    assert np.array_equal(carried.memory[0].counts, own.memory[0].counts)
    assert (carried.intensity(there) * there.study_area_100km2).sum() == pytest.approx(
        own.level.mean
    )
    silent = fitted.carried(there, past, "1990-01-01")
    assert silent.facts()["weights"]["history"] == 0
    per_area = fitted.level.mean / fitted.area
    assert silent.level.mean == pytest.approx(per_area * there.study_area_100km2.sum())


class Slope(RegressorMixin, BaseEstimator):
    """Rate by the first column: what a user might bring."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = X.shape, float(np.average(y, weights=sample_weight))
        return self

    def predict(self, X):
        return np.exp(X[:, 0] / 1000)


def test_a_regressor_of_the_user_can_be_the_ground(cells, panel):
    model = make_model("decayed_pool", ground=Slope()).fit(cells, panel, ORIGIN)
    learned = model.ground[0].estimator.regressor
    assert learned.seen_[0] == (int(cells.study.sum()), len(cells.features))
    assert model.ground[0].density(cells.x) == pytest.approx(np.exp(cells.x.iloc[:, 0] / 1000))
    assert sum(model.parts(cells).values()) == pytest.approx(model.intensity(cells))
    tree = make_model("decayed_pool", ground=DecisionTreeRegressor(max_depth=3))
    found = [tree.fit(cells, panel, ORIGIN).intensity(cells) for _ in range(2)]
    assert np.array_equal(*found)
    assert opened(packed(tree.fit(cells, panel, ORIGIN))).intensity(cells) == pytest.approx(
        found[0]
    )


def test_a_ground_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match=r"Unknown ground 'forst'; did you mean 'forest'"):
        make_model("decayed_pool", ground="forst")
    with pytest.raises(ConfigError, match="ground"):
        make_model("decayed_pool", ground=7)
    with pytest.raises(ConfigError, match="sample_weight"):
        make_model("decayed_pool", ground=KNeighborsRegressor())


@pytest.fixture(scope="module")
def tables(cells, world):
    """Cells and incidents as a researcher has them, the cells in an order of their own."""
    row, col = np.nonzero(cells.mask)
    x, y, half = cells.grid.x[col], cells.grid.y[row], cells.grid.cell_size_m / 2
    squares = gpd.GeoDataFrame(
        cells.x[cells.features].assign(exposure=cells.exposure),
        geometry=shapely.box(x - half, y - half, x + half, y + half), crs=cells.grid.crs,
    ).sample(frac=1, random_state=2)  # fmt: skip
    points = world.incidents[["date", "date_end", "radius_km", "geometry"]]
    return squares, points


def test_plain_tables_give_the_same_without_a_config(tables, cells, panel, fitted):
    squares, points = tables
    model = borderrisk.make_model("decayed_pool", **SMALL)
    found = model.fit(squares, points, "2020-01-01")
    expected = fitted.intensity(cells)[squares.index]
    assert found.intensity(squares) == pytest.approx(expected, rel=1e-9)
    assert sum(found.parts(squares).values()) == pytest.approx(expected, rel=1e-9)
    drivers = fitted.drivers(cells).iloc[squares.index].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.drivers(squares), drivers, rtol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c, i: (c.to_crs(4326), i), "projection in metres"),
        (lambda c, i: (pd.concat([c, c.iloc[:1]]), i), "more than once"),
        (lambda c, i: (c.assign(geometry=c.buffer(1000)), i), "not the squares of one grid|once"),
        (lambda c, i: (c.assign(risk=1.0), i), "risk of the cells are scores"),
        (lambda c, i: (c.assign(slope_mean=np.nan), i), "slope_mean has no value"),
        (lambda c, i: (c.assign(exposure=2.0), i), "exposure"),
        (lambda c, i: (c, i.drop(columns="date")), "lacks the column.*date"),
        (lambda c, i: (c, i.assign(date="yesterday-ish")), "date that cannot be read"),
        (lambda c, i: (c, i.set_crs(None, allow_override=True)), "in which projection"),
        (lambda c, i: (pd.DataFrame(c), i), r"Cells must be a GeoDataFrame.*DataFrame"),
        (lambda c, i: (c, pd.DataFrame(i)), r"Incidents must be a GeoDataFrame.*DataFrame"),
    ],
)
def test_tables_that_cannot_be_are_refused_in_words(spoil, words, tables):
    squares, points = spoil(*tables)
    with pytest.raises(DataError, match=words):
        settings("even").fit(squares, points, "2020-01-01")


def test_a_fit_that_cannot_be_says_why(tables, caplog):
    squares, points = tables
    with pytest.raises(DataError, match=r"origin must be a date.*'soon'"):
        settings("even").fit(squares, points, "soon")
    fitted = settings("glm").fit(squares, points, "2020-01-01")
    with pytest.raises(DataError, match="reads slope_mean, which these cells do not have"):
        fitted.intensity(squares.drop(columns="slope_mean"))
    far = points.assign(geometry=points.translate(60.0))
    with pytest.raises(DataError, match="0 incident"):
        settings("kde").fit(squares, far, "2020-01-01")
    assert f"{len(far)} of {len(far)} incidents lie outside the cells" in caplog.text


def test_a_fitted_model_shows_itself_in_a_line(fitted):
    assert repr(fitted).startswith("<decayed_pool: ")
    assert "incidents a year; history " in repr(fitted)
    assert len(repr(fitted)) < 120


def test_plain_tables_are_tested_against_history_alone(tables, cells, panel):
    squares, points = tables
    models = {name: borderrisk.make_model(name) for name in ("kde", "history_alone")}
    found = origin_rows(backtest(squares, points, ["2018-01-01"], [1], models), squares)
    own = origin_rows(backtest(cells, panel, [pd.Timestamp("2018-01-01")], [1], models), cells)
    assert [row.bits for row in found] == pytest.approx([row.bits for row in own])
    assert {row.model for row in found} == set(models)


def test_the_ground_may_be_a_pipeline_whose_last_step_takes_weights(cells, panel):
    ground = make_pipeline(StandardScaler(), PoissonRegressor(alpha=1e-3))
    plain = make_pipeline(StandardScaler(), KNeighborsRegressor())
    fitted = borderrisk.make_model("decayed_pool", ground=ground).fit(cells, panel, ORIGIN)
    evidence = Evidence.of(cells, panel.before(ORIGIN), pd.Timestamp(ORIGIN))
    area = cells.study_area_100km2[cells.study]
    x = cells.x[cells.features]
    own = clone(ground).fit(
        x[cells.study].to_numpy(), evidence.counts(evidence.faded) / area,
        poissonregressor__sample_weight=area,
    )  # fmt: skip
    said = own.predict(x.to_numpy())
    assert fitted.ground[0].density(cells.x) == pytest.approx(said)
    with pytest.raises(ConfigError, match="Pipeline cannot be the ground"):
        borderrisk.make_model("decayed_pool", ground=plain)


def test_a_regressor_is_found_by_its_entry_point(cells, panel, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from sklearn.tree import DecisionTreeRegressor\n"
        "def steep():\n    return DecisionTreeRegressor(max_depth=2)\n", encoding="utf-8"
    )  # fmt: skip
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[borderrisk.regressors]\nsteep = mine:steep\n")
    monkeypatch.syspath_prepend(tmp_path)
    named = borderrisk.make_model("decayed_pool", ground="steep").fit(cells, panel, ORIGIN)
    given = borderrisk.make_model("decayed_pool", ground=DecisionTreeRegressor(max_depth=2))
    given = given.fit(cells, panel, ORIGIN)
    assert named.intensity(cells) == pytest.approx(given.intensity(cells))
    with pytest.raises(ConfigError, match=r"'stepe'; did you mean 'steep'"):
        borderrisk.make_model("decayed_pool", ground="stepe")
