"""Totals of the study area and of windows: added by hand, with both kinds of interval."""

from types import SimpleNamespace

import numpy as np
import pytest
from tests.squares import make_cells

from borderrisk.model.level import Level
from borderrisk.outputs.scene import Focus
from borderrisk.pipeline.scoring import area_totals
from borderrisk.scores import DAYS_PER_YEAR, PART_SIZE, count_bounds


@pytest.fixture(scope="module")
def world():
    """Cells of which the northern half has an intensity of 1, the southern of 3."""
    cells = make_cells()
    lon, lat = cells.grid.lonlat()
    north = (lat > np.median(lat))[cells.mask]
    intensity = np.where(north, 1.0, 3.0)
    west, east = float(lon.min()) - 1, float(lon.max()) + 1
    window = Focus("north", (west, float(np.median(lat)), east, 90.0), "North")
    fitted = SimpleNamespace(intensity=lambda cells: intensity, level=Level(40.0, 5.0))
    return cells, fitted, window, north


def totals(world, days, intervals=None):
    cells, fitted, window, _ = world
    return area_totals(cells, fitted, intervals, [window], days, 0.9)


def test_windows_add_up_the_cells_whose_centre_they_hold(world):
    cells, fitted, _, north = world
    area = cells.study_area_100km2
    whole, part = totals(world, DAYS_PER_YEAR / 2)
    assert (whole.focus, part.focus) == ("", "north")
    assert whole.expected == pytest.approx((fitted.intensity(cells) * area).sum() / 2)
    assert part.expected == pytest.approx(area[north].sum() / 2)
    assert whole.expected_low is None and part.expected_high is None


def test_the_whole_scatters_as_its_record_and_a_window_as_windows_do(world):
    whole, part = totals(world, 365.25)
    assert (whole.count_low, whole.count_high) == world[1].level.interval(365.25, 0.9)
    low, high = count_bounds(part.expected, 0.9, PART_SIZE)
    assert (part.count_low, part.count_high) == (low, high)


def test_the_interval_of_the_mean_is_of_sums_not_a_sum_of_intervals(world):
    """One refit has everything in the north, one in the south: the whole does not change."""
    cells, _, _, north = world
    one = np.where(north, 2.0, 0.0) / north.mean()
    other = np.where(north, 0.0, 2.0) / (1 - north.mean())
    drawn = SimpleNamespace(replicates=np.stack([one, other] * 20)[:, cells.study])
    whole, part = totals(world, DAYS_PER_YEAR, drawn)
    assert whole.expected_high - whole.expected_low < 0.1 * whole.expected
    assert part.expected_low == 0
    assert part.expected_high > 1.5 * part.expected
