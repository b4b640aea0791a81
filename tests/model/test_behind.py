import numpy as np
import pandas as pd
import pytest
from tests.squares import make_cells, make_panel

from borderrisk.model.behind import incidents_behind
from borderrisk.model.registry import make_model

ORIGIN = pd.Timestamp("2020-01-01")


@pytest.fixture(scope="module")
def cells():
    return make_cells()


@pytest.fixture(scope="module")
def panel(cells):
    rng = np.random.default_rng(0)
    return make_panel(cells, *rng.uniform(-140, 140, (2, 80)), 8.0)


def test_all_incidents_together_are_the_share_of_history_and_recent(cells, panel):
    model = make_model("history_alone").fit(cells, panel, ORIGIN)
    found = incidents_behind(model, cells, panel, ORIGIN, most=len(panel))
    parts = model.parts(cells)
    share = (parts["history"] + parts["recent"]) / model.intensity(cells)
    assert found.share.sum(axis=1) == pytest.approx(share)
    assert np.all(np.diff(found.share, axis=1) <= 0)


def test_the_nearest_and_latest_comes_first(cells):
    """Three at one place, years apart, and one far away: the latest of the three is strongest."""
    near = make_panel(cells, [5.0, 5.0, 5.0, -105.0], [5.0, 5.0, 5.0, 5.0], 2.0)
    days = pd.to_datetime(["2012-01-01", "2019-12-01", "2016-01-01", "2019-12-30"])
    near = type(near)(
        near.grid, near.domain, near.mass, near.incidents.assign(date=days, date_end=days)
    )
    model = make_model("history_alone").fit(cells, near, ORIGIN)
    here = int(np.argmin(np.hypot(cells.x["x_km"] - 5, cells.x["y_km"] - 5)))
    found = incidents_behind(model, cells, near, ORIGIN)
    assert found.incident[here].tolist() == [1, 2, 0]
    assert found.share[here].sum() < 1
    assert found.reasons[here] == (found.share[here] >= 0.05).sum()


def test_models_that_fade_nothing_name_none(cells, panel):
    model = make_model("even").fit(cells, panel, ORIGIN)
    assert np.all(incidents_behind(model, cells, panel, ORIGIN).incident == -1)
