"""Roads, land cover, water, posts and limits of the config reach travel and concealment."""

import re

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio.shutil import copy
from rasterio.transform import from_bounds

from borderrisk.errors import DataError
from borderrisk.pipeline import steps
from borderrisk.pipeline.inputs import Inputs
from borderrisk.pipeline.movement import Ground
from borderrisk.pipeline.stages import Stages

ZAHEDAN, MILAK = (60.863, 29.496), (61.6, 30.95)
BOX = (55, 24, 68, 40)


@pytest.fixture(scope="module")
def base(small):
    return Stages.of(small())


def movement(small, base, **settings):
    config = small(**settings)
    return Ground(config, Inputs(config), base[steps.area])


def hours_to(surfaces, name, lonlat):
    solves = surfaces.solves
    row, col = solves.fine.grid.rowcol(*solves.fine.grid.project(*lonlat))
    return float(solves.targets[name].hours[row, col])


def write(path, geometry, **columns):
    gpd.GeoDataFrame({k: [v] for k, v in columns.items()}, geometry=[geometry], crs=4326).to_file(
        path
    )
    return str(path)


def codes(path, west_of_middle, east_of_middle):
    values = np.full((160, 130), east_of_middle, "uint8")
    values[:, :65] = west_of_middle
    profile = {"driver": "GTiff", "width": 130, "height": 160, "count": 1, "dtype": "uint8",
               "crs": "EPSG:4326", "transform": from_bounds(*BOX, 130, 160)}  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)
    return str(path)


@pytest.fixture(scope="module")
def on_foot(small, base):
    return movement(small, base)


def test_a_road_is_driven_at_the_speed_of_its_class(small, base, on_foot, tmp_path):
    """From Milak to Zahedan, 177 km: 58 h on foot, 177/80 = 2.2 h by a straight main road."""
    line = shapely.LineString([MILAK, ZAHEDAN])
    roads = write(tmp_path / "roads.geojson", line, **{"class": "primary"})
    walked = hours_to(on_foot, "zahedan", MILAK)
    assert 50 < walked < 75
    for speed in (80, 40):
        driven = movement(
            small, base,
            **{"data.roads": roads, "features.travel.road_speeds_kmh": f"{{primary: {speed}}}"},
        )  # fmt: skip
        assert hours_to(driven, "zahedan", MILAK) == pytest.approx(177 / speed, rel=0.15)
        # 60 km beside the road: on foot to it, then by vehicle.
        beside = hours_to(driven, "zahedan", (61.0, 30.9))
        assert 177 / speed < beside < 0.6 * hours_to(on_foot, "zahedan", (61.0, 30.9))


def test_land_cover_slows_or_closes_the_ground_of_its_code(small, base, on_foot, tmp_path):
    cover = codes(tmp_path / "cover.tif", 10, 10)
    slow = movement(
        small, base,
        **{"data.land_cover": cover, "features.travel.land_cover_factors": '{"10": 0.5}'},
    )  # fmt: skip
    np.testing.assert_allclose(
        hours_to(slow, "zahedan", MILAK), 2 * hours_to(on_foot, "zahedan", MILAK), rtol=1e-4
    )
    cover = codes(tmp_path / "half.tif", 10, 20)
    shut = movement(
        small, base,
        **{"data.land_cover": cover, "features.travel.land_cover_factors": '{"20": 0}'},
    )  # fmt: skip
    row, col = shut.fine.grid.rowcol(*shut.fine.grid.project(62.5, 30.0))
    assert not shut.fine.ground().open[row, col]
    assert shut.fine.ground().open[shut.fine.grid.rowcol(*shut.fine.grid.project(60.0, 30.0))]


def test_a_damaged_tile_of_a_land_cover_mosaic_is_an_error_not_open_ground(small, base, tmp_path):
    codes(tmp_path / "whole.tif", 10, 10)
    with rasterio.open(tmp_path / "whole.tif") as whole:
        copy(whole, tmp_path / "tile.tif", driver="GTiff", compress="deflate", blockysize=16)
        copy(whole, tmp_path / "cover.vrt", driver="VRT")
    text = (tmp_path / "cover.vrt").read_text().replace("whole.tif", "tile.tif")
    text = re.sub("(<VRTRasterBand[^>]*>)", r"\1<NoDataValue>255</NoDataValue>", text)
    (tmp_path / "cover.vrt").write_text(text)
    data = (tmp_path / "tile.tif").read_bytes()
    (tmp_path / "tile.tif").write_bytes(data[: len(data) * 3 // 5])
    given = {
        "data.land_cover": str(tmp_path / "cover.vrt"),
        "features.travel.land_cover_factors": '{"10": 0.5}',
    }
    with pytest.raises(DataError, match=r"land_cover: .*cover\.vrt cannot be read"):
        hours_to(movement(small, base, **given), "zahedan", MILAK)


def test_water_slows_and_a_bridge_crosses_water_that_cannot_be_waded(
    small, base, on_foot, tmp_path
):
    lake = write(tmp_path / "lake.geojson", shapely.box(*BOX))
    half = movement(
        small, base, **{"data.water": lake, "features.travel.water_speed_factor": "0.5"}
    )
    np.testing.assert_allclose(
        hours_to(half, "zahedan", MILAK), 2 * hours_to(on_foot, "zahedan", MILAK), rtol=1e-4
    )
    moat = write(tmp_path / "moat.geojson", shapely.Point(ZAHEDAN).buffer(0.5).exterior)
    closed = {"data.water": moat, "features.travel.water_speed_factor": "0"}
    assert hours_to(movement(small, base, **closed), "zahedan", MILAK) == np.inf
    line = shapely.LineString([MILAK, ZAHEDAN])
    bridge = {
        "data.roads": write(tmp_path / "roads.geojson", line, **{"class": "primary"}),
        "features.travel.road_speeds_kmh": "{primary: 80}",
    }
    assert hours_to(movement(small, base, **closed, **bridge), "zahedan", MILAK) < 3


def test_a_wall_stays_closed_on_the_coarser_terrain_of_the_random_routes(small, base, tmp_path):
    wall = write(tmp_path / "wall.geojson", shapely.Point(ZAHEDAN).buffer(0.7).exterior)
    closed = movement(small, base, **{"data.barriers": wall})
    for fine in (closed.fine, closed.terrain(closed.fine.grid.size // 3)):
        grid = fine.grid
        inside, outside = (
            np.ravel_multi_index(grid.rowcol(*grid.project(*at)), grid.shape)
            for at in (ZAHEDAN, MILAK)
        )
        hours = fine.ground().solve((np.array([inside]), np.zeros(1))).hours.ravel()
        assert hours[inside] == 0
        assert hours[outside] == np.inf


def test_random_routes_are_drawn_on_fewer_pixels_where_there_are_many(small, base):
    plain = movement(small, base)
    full = plain.fine
    assert plain.drawn().grid == full.grid
    coarse = plain.terrain(full.grid.size // 3)
    assert full.grid.size / 8 < coarse.grid.size <= full.grid.size / 3


def test_snow_and_slopes_leave_less_ground_within_reach(small, base, on_foot):
    def reached(surfaces):
        return np.isfinite(surfaces.solves.border["AFG"].hours).sum()

    snow = movement(small, base, **{"features.travel.blocked_above_m": "1900"})
    assert not snow.fine.ground().open[snow.fine.elevation > 1900].any()
    steep = movement(small, base, **{"features.travel.slope_limit_deg": "1"})
    assert reached(snow) < 0.95 * reached(on_foot)
    assert reached(steep) < reached(on_foot)


def test_posts_are_state_presence_and_see_what_is_near(small, base, tmp_path):
    lonely = (58.6, 31.3)
    path = tmp_path / "posts.csv"
    pd.DataFrame({"name": ["Post"], "lon": [lonely[0]], "lat": [lonely[1]]}).to_csv(
        path, index=False
    )
    settings = {"features.concealment.enabled": "true"}
    grid = base[steps.area].grid
    cell = tuple(int(v) for v in grid.rowcol(*grid.project(*lonely)))

    def there(**more):
        ds = Stages.of(small(**settings, **more))[steps.features]
        return float(ds.remoteness[cell]), float(ds.hidden_share[cell])

    with_post = {"data.posts": str(path)}
    far, hidden = there()
    near, seen = there(**with_post)
    blind = there(**with_post, **{"features.concealment.observers": "[settlements, roads]"})
    assert near < 0.6 * far
    assert seen < hidden
    assert blind == (near, hidden)


def test_people_on_roads_see(small, tmp_path):
    line = shapely.LineString([(58.4, 31.3), (58.8, 31.3)])
    road = write(tmp_path / "roads.geojson", line, **{"class": "track"})
    settings = {
        "features.concealment.enabled": "true", "data.roads": road,
        "features.travel.road_speeds_kmh": "{track: 20}",
    }  # fmt: skip
    stages = Stages.of(small(**settings, **{"features.concealment.observers": "[roads]"}))
    grid = stages[steps.area].grid
    hidden = stages[steps.features].hidden_share
    assert float(hidden[tuple(int(v) for v in grid.rowcol(*grid.project(58.6, 31.3)))]) < 1
    assert float(hidden[tuple(int(v) for v in grid.rowcol(*grid.project(*ZAHEDAN)))]) == 1


@pytest.mark.parametrize("group", ["travel", "concealment"])
def test_a_group_can_be_switched_off(small, group):
    off = {"features.concealment.enabled": "true"} | {f"features.{group}.enabled": "false"}
    stages = Stages.of(small(**off))
    features, names = stages[steps.features], stages[steps.cells].features
    groups = {features[name].attrs.get("group") for name in names}
    assert group not in groups
    assert {"travel", "concealment"} - {group} <= groups
    assert len(stages[steps.border].segments) > 100
