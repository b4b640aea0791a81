"""Which incidents are those of the study area, where a border cuts cells."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from borderrisk.evaluation.backtest import in_study
from borderrisk.grid import WGS84
from borderrisk.model.cells import CellTable
from borderrisk.model.level import expected_level
from borderrisk.model.panel import Panel

# The border runs north to south, 7 km into a column of cells of 10 km.
BORDER = 7_000.0


@pytest.fixture
def polygon(grid):
    west, south, _, north = grid.bounds
    return shapely.box(west, south, BORDER, north)


@pytest.fixture
def cells(grid, polygon):
    n = grid.size
    x, y = (axis.ravel() / 1000 for axis in grid.centres())
    table = pd.DataFrame({"x_km": x, "y_km": y})
    exposure = grid.coverage(polygon).ravel()
    return CellTable(grid, np.ones(grid.shape, bool), table, np.ones(n), exposure)


def panel(grid, x, radius_km, domain=None):
    n, day = len(x), pd.Timestamp("2014-06-01")
    places = gpd.GeoSeries.from_xy(x, [1_000.0] * n, crs=grid.crs).to_crs(WGS84)
    names = [f"i{k}" for k in range(n)]
    table = {"incident_id": names, "date": day, "date_end": day, "radius_km": radius_km}
    domain = np.ones(grid.shape) if domain is None else domain
    return Panel.build(gpd.GeoDataFrame(table, geometry=places).assign(weight=1.0), grid, domain)


def home(panel, cells):
    mass, share = panel.home(cells)
    assert np.asarray(mass.sum(axis=1)).ravel() == pytest.approx(share)
    return share


def test_a_border_cell_holds_as_much_as_lies_inside(grid, cells):
    assert home(panel(grid, [3_000.0], 0.1), cells) == pytest.approx([0.7])


def test_a_place_known_well_is_on_its_own_side_of_the_line(grid, cells, polygon):
    """All four lie in border cells, of which 70 % is at home."""
    known = panel(grid, [1_000.0, 6_000.0, 8_000.0, 9_500.0], 0.3)
    cut = known.cut(polygon, cells.exposure.reshape(grid.shape))
    assert cut.incidents["home"].tolist() == [1, 1, 0, 0]
    assert home(cut, cells) == pytest.approx([1, 1, 0, 0])
    mass, kept = in_study(cells, cut)
    assert kept.tolist() == [0, 1]
    assert np.asarray(mass.sum(axis=1)).ravel() == pytest.approx([1, 1])
    one, both = (expected_level(cells, p, pd.Timestamp("2015-01-01"), 365) for p in (cut, known))
    assert one.mean < both.mean


def test_a_disc_on_the_line_counts_half(grid, cells, polygon):
    wide = panel(grid, [BORDER, BORDER - 4_000.0, BORDER + 4_000.0], 10.0)
    cut = wide.cut(polygon, cells.exposure.reshape(grid.shape))
    half, inside, outside = cut.incidents["home"]
    assert half == pytest.approx(0.5, abs=0.02)
    assert inside > 0.7
    assert inside + outside == pytest.approx(1, abs=0.03)
    assert home(cut, cells) == pytest.approx([half, inside, outside])


def test_water_beyond_the_line_holds_no_incident(grid, cells, polygon):
    exposure = cells.exposure.reshape(grid.shape)
    coast = panel(grid, [BORDER], 10.0, domain=exposure.copy())
    assert coast.cut(polygon, exposure).incidents["home"].tolist() == [1]


def test_places_far_from_the_line_are_whole_on_either_side(grid, cells, polygon):
    far = panel(grid, [-25_000.0, 30_000.0], 5.0)
    cut = far.cut(polygon, cells.exposure.reshape(grid.shape))
    assert home(cut, cells) == pytest.approx([1, 0])


def test_the_country_that_a_table_names_decides_across_the_line(grid, cells, polygon):
    """All lie on the line, 5 km within or 20 km beyond it; a country is named for some."""
    x = [BORDER] * 3 + [BORDER - 5_000.0] * 2 + [BORDER + 20_000.0]
    said = np.array([1, 0, np.nan, 0, np.nan, 1])
    wide = panel(grid, x, 10.0)
    exposure = cells.exposure.reshape(grid.shape)
    share = wide.cut(polygon, exposure, polygon, said).incidents["home"]
    plain = wide.cut(polygon, exposure).incidents["home"]
    assert share[[0, 1, 3]].tolist() == [1, 0, 0]
    assert share[[2, 4, 5]].tolist() == plain[[2, 4, 5]].tolist()
    assert home(wide.cut(polygon, exposure, polygon, said), cells)[:2] == pytest.approx([1, 0])


def test_a_strip_that_ends_inland_keeps_its_share(grid, polygon):
    """The study area is 6 km deep, and the disc, whose sigma is 4.66 km, is in its middle."""
    _, south, _, north = grid.bounds
    strip = shapely.box(BORDER - 6_000, south, BORDER, north)
    middle = panel(grid, [BORDER - 3_000.0], 10.0)
    cut = middle.cut(strip, grid.coverage(strip), polygon, np.array([1.0]))
    # Within 0.644 sigma of the middle, of what lies on the home side of the line.
    assert cut.incidents["home"].tolist() == pytest.approx([0.480 / 0.740], abs=0.04)
