"""Zones and crossings on a planted border: a line along x = 0, home to the west of it."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from borderrisk.border.segments import NO_ZONE, Named
from borderrisk.grid import Grid, laea_crs

GRID = Grid.covering((-40_000, -40_000, 40_000, 40_000), laea_crs(61, 31), 10_000.0)
LINE = [shapely.LineString([(0, -40_000), (0, 40_000)])]


def layer(**shapes):
    return gpd.GeoDataFrame(
        {"name": list(shapes)}, geometry=list(shapes.values()), crs=GRID.crs
    ).to_crs(4326)


def segments(*ends):
    lines = [shapely.LineString([(0, a), (0, b)]) for a, b in ends]
    return gpd.GeoDataFrame(geometry=lines, crs=GRID.crs).to_crs(4326)


# The north ends 5 km short of the border, as outlines of two publishers differ.
ZONES = layer(
    north=shapely.box(-40_000, 0, -5_000, 40_000), south=shapely.box(-40_000, -40_000, 0, 0),
    elsewhere=shapely.box(400_000, 0, 440_000, 40_000),
)  # fmt: skip
CROSSINGS = layer(
    gate=shapely.Point(3_000, 20_000), ford=shapely.Point(-1_000, -35_000),
    far=shapely.Point(30_000, 0),
)  # fmt: skip


def test_a_cell_has_the_zone_that_holds_its_centre():
    named = Named.of(GRID, LINE, ZONES, None)
    assert list(named.zones["name"]) == ["north", "south"]
    names = np.append(named.zones["name"].to_numpy(object), "")[named.zone]
    # x of the columns: -35 ... 35 km; the zones end at -5 km and at the border.
    assert names[:4, :3].tolist() == [["north"] * 3] * 4
    assert names[4:, :4].tolist() == [["south"] * 4] * 4
    assert (names[:, 4:] == "").all()
    assert (named.zone[:, 4:] == NO_ZONE).all()
    assert named.variables()["zone"].dtype == np.int16


def test_a_segment_has_the_zone_of_its_middle_or_the_next():
    parts = segments((40_000, 10_000), (10_000, -30_000), (-30_000, -40_000))
    along = Named.of(GRID, LINE, ZONES, CROSSINGS).along(parts)
    assert along["zone"].tolist() == ["north", "south", "south"]


def test_no_zone_is_made_up_far_from_any():
    west = layer(inland=shapely.box(-40_000, -40_000, -25_000, 40_000))
    along = Named.of(GRID, LINE, west, None).along(segments((40_000, -40_000)))
    assert along["zone"].tolist() == [""]
    assert "crossing" not in along


def test_a_segment_has_its_nearest_crossing_with_the_way_there():
    parts = segments((40_000, 10_000), (10_000, -10_000), (-10_000, -40_000))
    named = Named.of(GRID, LINE, None, CROSSINGS)
    along = named.along(parts)
    assert list(named.crossings["name"]) == ["gate", "ford"]  # 30 km off is another border's
    assert along["crossing"].tolist() == ["gate", "gate", "ford"]
    expected = [3, np.hypot(3, 10), 1]
    assert along["crossing_km"] == pytest.approx(expected, rel=1e-3)
    assert "zone" not in along


def test_what_lies_elsewhere_names_nothing():
    named = Named.of(GRID, LINE, ZONES[2:], CROSSINGS[2:])
    assert named.along(segments((40_000, -40_000))) == {}
    assert named.layers() == {}
    assert (named.zone == NO_ZONE).all()


def test_without_files_there_is_nothing():
    named = Named.of(GRID, LINE, None, None)
    assert (named.variables(), named.layers(), named.along(segments((9_000, 0)))) == ({}, {}, {})
