"""Travel over the shipped terrain against what a map and a calculator say."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod

from borderrisk.config import load_config
from borderrisk.pipeline import steps
from borderrisk.pipeline.stages import Stages

CONFIG = Path(__file__).parents[2] / "configs" / "eastern-border.yaml"
GEOD = Geod(ellps="WGS84")
# Tobler on the level, off paths: 6 exp(-3.5 * 0.05) * 0.6 = 3.02 km/h.
LEVEL_KMH = 6 * np.exp(-0.175) * 0.6
# At the best slope, 5 % downhill: 3.6 km/h. Nobody is faster.
FASTEST_KMH = 3.6
CROSSINGS = {
    "Dogharoun / Islam Qala": (61.06, 34.66),
    "Milak / Zaranj": (61.80, 30.97),
    "Mirjaveh / Taftan": (61.45, 29.03),
}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    cache = str(tmp_path_factory.mktemp("cache"))
    stages = Stages.of(load_config(CONFIG, {"compute.cache": cache}))
    return stages[steps.area], stages[steps.ground].solves


def near(grid, lonlat, pixels):
    """Mask of the pixels around a place."""
    row, col = (int(v) for v in grid.rowcol(*grid.project(*lonlat)))
    mask = np.zeros(grid.shape, bool)
    mask[row - pixels : row + pixels + 1, col - pixels : col + pixels + 1] = True
    return mask


@pytest.mark.parametrize(
    ("crossing", "neighbour", "target", "better", "slack"),
    [
        # The road from Herat to Mashhad: the quickest way there is.
        ("Dogharoun / Islam Qala", "AFG", "mashhad", 0.01, 0.5),
        # The road from Quetta to Zahedan, and on to Kerman.
        ("Mirjaveh / Taftan", "PAK", "zahedan", 0.01, 0.5),
        ("Mirjaveh / Taftan", "PAK", "kerman", 0.01, 0.5),
        # Zaranj lies north of the straight ways on foot, which nobody lives along: to Zahedan a
        # sixth of the Afghan line is quicker, to Kerman a ninth, by 5 h of 155 h at most.
        ("Milak / Zaranj", "AFG", "zahedan", 0.20, 15),
        ("Milak / Zaranj", "AFG", "kerman", 0.12, 6),
    ],
)
def test_known_crossings_lie_on_low_cost_routes(
    shipped, crossing, neighbour, target, better, slack
):
    _, solves = shipped
    far, to = solves.far_sides[neighbour], solves.targets[target]
    line = far.through.is_source
    hours = far.through.hours + to.hours
    # within 10 km of the crossing
    here = hours[line & near(solves.fine.grid, CROSSINGS[crossing], 5)].min()
    assert (hours[line] < here).mean() <= better
    assert here - hours[line].min() <= slack


@pytest.mark.parametrize(
    ("crossing", "target", "km", "hours"),
    [
        # 224 km as the crow flies, over rolling country: 224 / 3.02 = 74 h.
        ("Dogharoun / Islam Qala", "mashhad", 224.5, 74.3),
        # 77 km: 77 / 3.02 = 25.5 h.
        ("Mirjaveh / Taftan", "zahedan", 77.0, 25.5),
        # 187 km: 187 / 3.02 = 62 h.
        ("Milak / Zaranj", "zahedan", 186.6, 61.8),
        # 445 km with mountains between (Taftan, Bazman, the Jebal Barez): 147 h and more.
        ("Mirjaveh / Taftan", "kerman", 445.0, 147.3),
    ],
)
def test_hours_from_a_crossing_to_a_city_by_hand(shipped, crossing, target, km, hours):
    _, solves = shipped
    goal = {"mashhad": (59.606, 36.297), "zahedan": (60.863, 29.496), "kerman": (57.083, 30.283)}
    assert GEOD.inv(*CROSSINGS[crossing], *goal[target])[2] / 1000 == pytest.approx(km, abs=1)
    assert km / LEVEL_KMH == pytest.approx(hours, rel=0.01)
    at = near(solves.fine.grid, CROSSINGS[crossing], 2)
    found = float(np.median(solves.targets[target].hours[at]))
    assert 0.97 * hours < found < 1.12 * hours


@pytest.mark.parametrize(("target", "neighbour"), [("mashhad", "TKM"), ("zahedan", "PAK")])
def test_hours_from_the_nearest_border_to_a_city_by_hand(shipped, target, neighbour):
    """Mashhad lies 73 km from Turkmenistan (24 h), Zahedan 25 km from Pakistan (8 h)."""
    study, solves = shipped
    goal = {"mashhad": (59.606, 36.297), "zahedan": (60.863, 29.496)}[target]
    grid = solves.fine.grid
    x, y = grid.project(*goal)
    km = shapely.Point(float(x), float(y)).distance(study.lines[neighbour]) / 1000
    row, col = (int(v) for v in grid.rowcol(x, y))
    hours = float(solves.border[neighbour].hours[row, col])
    # a pixel of 2 km to either side, and hills
    assert (km - 3) / FASTEST_KMH < hours < 1.1 * (km + 3) / LEVEL_KMH
    assert {"mashhad": 73, "zahedan": 25}[target] == pytest.approx(km, abs=4)
