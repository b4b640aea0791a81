"""What cannot be travelled has one clear error, and nothing is written."""

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.outputs.scene import SceneMeta

CONFIG = Path(__file__).parents[2] / "configs" / "eastern-border.yaml"
SMALL = {
    "grid.cell_size_m": "40000", "corridors.routes": "4", "features.concealment.enabled": "false",
}  # fmt: skip


@pytest.fixture
def refuse(tmp_path):
    """Run on 40 km cells and expect one message, an exit code and no folder."""

    def check(code, *words, **settings):
        out = tmp_path / "out"
        arguments = ["run", str(CONFIG), "--no-evaluate", "--out", str(out)]
        own = SMALL | {"compute.cache": str(tmp_path / "cache")} | settings
        for key, value in own.items():
            arguments += ["--set", f"{key}={value}"]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output
        for word in words:
            assert word in result.stderr
        assert "Traceback" not in result.output
        assert not out.exists()

    return check


def write(path, geometry):
    gpd.GeoDataFrame(geometry=[geometry], crs=4326).to_file(path)
    return str(path)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("[59.0, 24.6]", ("Target port", "lies in water")),
        ("[45.0, 36.0]", ("Target port", "outside the grid")),
    ],
    ids=["sea", "outside"],
)
def test_a_target_that_nobody_can_walk_to(refuse, place, words):
    refuse(2, *words, **{"features.travel.targets": f"{{port: {place}}}"})


def test_a_target_on_an_island(refuse, tmp_path):
    moat = write(tmp_path / "moat.geojson", shapely.Point(60.863, 29.496).buffer(0.6).exterior)
    refuse(3, "zahedan", "island", **{"data.barriers": moat})


def test_no_far_side_settlement_is_left(refuse):
    refuse(
        3, "far-side settlement", "threshold",
        **{"features.travel.far_settlement_population": "90000000"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("features.travel.road_speeds_kmh", "{primary: 0}"),
        ("features.travel.road_speeds_kmh", "{primary: -30}"),
        ("features.travel.off_path_factor", "0"),
        ("features.travel.off_path_factor", "-1"),
        ("features.travel.land_cover_factors", '{"10": -1}'),
        ("features.travel.water_speed_factor", "-0.5"),
        ("features.travel.slope_limit_deg", "0"),
        ("segments.segment_km", "0"),
    ],
)
def test_speeds_and_lengths_that_make_no_sense(refuse, key, value):
    refuse(2, key, **{key: value})


def test_posts_in_metres(refuse, tmp_path):
    posts = tmp_path / "posts.csv"
    posts.write_text("name,lon,lat\nA,500000,3300000\n")
    refuse(3, "posts", "degrees", **{"data.posts": str(posts)})


def test_posts_with_swapped_coordinates(refuse, tmp_path):
    posts = tmp_path / "posts.csv"
    posts.write_text("name,lon,lat\nA,29.5,60.9\nB,31.0,61.5\n")
    refuse(3, "posts", "look swapped", **{"data.posts": str(posts)})


def test_a_segment_longer_than_the_border(refuse):
    refuse(2, "segment_km", "longer than the whole border", **{"segments.segment_km": "5000"})


def test_a_closed_box_away_from_the_border(refuse):
    refuse(2, "no box holds", **{"features.travel.closed": "[[57, 30, 58, 31]]"})


def test_a_budget_longer_than_the_border(make_scene, tmp_path):
    """The run is made by hand: only its scene counts."""
    from borderrisk.outputs.gridfiles import save_scene
    from borderrisk.pipeline.result import write_json

    scene = make_scene()
    segments = gpd.GeoDataFrame(
        {
            "segment_id": ["IRN-AFG-001", "IRN-AFG-002"], "pair": "IRN-AFG",
            "from_km": [0.0, 10.0], "to_km": [10.0, 20.0], "length_km": 10.0,
            "expected_per_year": [1.0, 3.0], "rate_per_km": [0.1, 0.3], "rank": [2, 1],
        },
        geometry=[shapely.LineString([(60, y), (60, y + 0.1)]) for y in (31, 31.1)],
        crs=4326,
    )  # fmt: skip
    scene.layers["segments"] = segments
    scene = replace(scene, meta=SceneMeta(seed=1))
    save_scene(scene, tmp_path / "scene")
    write_json({}, tmp_path / "manifest.json")
    result = CliRunner().invoke(app, ["allocate", str(tmp_path), "--km", "50"])
    assert result.exit_code == 2
    assert "longer than the whole border (20 km)" in result.stderr
    result = CliRunner().invoke(app, ["allocate", str(tmp_path), "--km", "10"])
    assert result.exit_code == 0, result.output
    assert "75%" in result.stdout
