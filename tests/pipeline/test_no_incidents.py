"""A run without incidents: an index, named so wherever it is seen, and nothing more."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.config import load_config
from borderrisk.errors import ConfigError, DataError
from borderrisk.model.registry import make_model
from borderrisk.pipeline import changes, forecasting, steps
from borderrisk.pipeline import result as results
from borderrisk.pipeline import run as jobs
from borderrisk.pipeline.stages import Stages

FORECAST = (
    "intensity", "expected", "expected_low", "expected_high", "count_low", "count_high",
    "probability", "probability_low", "probability_high", "share_history", "share_ground",
    "susceptibility", "rank_low",
)  # fmt: skip


@pytest.fixture(scope="module")
def config(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    own = {"data.incidents": "{}", "outputs.folder": str(folder), "outputs.figures": "[png]"}
    return small(name="index", **own)


@pytest.fixture(scope="module")
def index(config):
    return jobs.run(config)


def test_it_ranks_by_the_weights_of_experts_and_says_nothing_more(index, config):
    cells = Stages.of(config)[steps.cells]
    nothing = gpd.GeoDataFrame({"date": pd.to_datetime([])}, geometry=[], crs=4326)
    own = make_model("expert_weights").fit(cells, nothing, "2020-01-01").intensity(cells)
    order = np.argsort(-own[cells.study], kind="stable")
    found = index.cells
    assert np.array_equal(np.argsort(found["rank"].to_numpy()), order)
    assert found["risk"].iloc[order].is_monotonic_decreasing
    assert (found["risk_class"].iloc[order[0]], found["risk_class"].min()) == (5, 1)
    assert found[list(FORECAST)].isna().all(axis=None)
    assert index.scorecard is None
    assert (index.scene.meta.origin, index.scene.meta.horizon_days) == ("", None)
    assert load_config(index.folder / "config.yaml").data.incidents.path is None


def test_every_cell_segment_map_report_and_file_says_what_it_is(index):
    folder = index.folder
    assert set(gpd.read_parquet(folder / "cells.parquet")["trust"]) == {"index"}
    segments = gpd.read_parquet(folder / "segments.parquet")
    assert set(segments["trust"]) == {"index"}
    assert segments[["expected_per_year", "rate_per_km", "count_high"]].isna().all(axis=None)
    assert sorted(segments["rank"]) == list(range(1, len(segments) + 1))
    for name in ("map.html", "report.html", "report.md", "cells.geojson", "manifest.json"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "index" in text, name
        if name != "cells.geojson":
            assert "not a forecast" in text, name
    with rasterio.open(folder / "risk.tif") as tif:
        assert "not a forecast" in tif.tags()["TIFFTAG_IMAGEDESCRIPTION"]
        assert tif.descriptions[0] == "risk"
        assert "not a forecast" in tif.tags(1)["long_name"]
    assert "index: expert weights, no incidents; not a forecast" in index.describe()
    assert "\nforecast: " not in index.describe()


def test_segments_are_ranked_by_the_ground_behind_them(index, config):
    stages = Stages.of(config)
    border, cells = stages[steps.border], stages[steps.cells]
    risk = np.nan_to_num(index.scene.cells["risk"].to_numpy().ravel())
    area = cells.to_grid(cells.study_area_100km2).ravel()
    behind = np.nan_to_num(area)[:, None] * border.attribution.toarray()
    mean = (risk @ behind) / np.maximum(behind.sum(axis=0), 1e-12)
    ranks = index.scene.layers["segments"]["rank"].to_numpy()
    assert (np.diff(mean[np.argsort(ranks)]) <= 1e-6).all()


def test_what_needs_incidents_says_so(config, index, tmp_path):
    for job in (
        lambda: jobs.evaluate(config, out=tmp_path / "e"),
        lambda: jobs.train(config, tmp_path / "m.skops"),
        lambda: forecasting.forecast(config, origin="2020-01-01", horizon_days=365, out=None),
        lambda: changes.scenario(config, "closed", out=tmp_path / "s"),
    ):
        with pytest.raises(ConfigError, match=r"index has no incidents .* give data\.incidents"):
            job()
    with pytest.raises(DataError, match="holds an index, which says nothing of how many"):
        results.allocate_segments(index.folder, km=50)
    assert not list(tmp_path.iterdir())


def test_its_numbers_are_json(index):
    found = CliRunner().invoke(app, ["segments", str(index.folder), "--json"])
    assert found.exit_code == 0, found.output
    assert "NaN" not in found.stdout
    json.loads(found.stdout)


def test_incidents_that_all_lie_elsewhere_are_one_sentence(small, tmp_path):
    table = "date,latitude,longitude,radius_km\n2020-05-01,31.0,69.9,5\n2021-05-01,31.1,69.9,5\n"
    (tmp_path / "far.csv").write_text(table, encoding="utf-8")
    columns = "{path: %s, layout: table, columns: {date: date}}" % (tmp_path / "far.csv")
    config = small(**{"data.incidents": columns, "outputs.folder": str(tmp_path / "runs")})
    with pytest.raises(DataError, match=r"none of the (2|incidents) lies in the (study )?area"):
        jobs.run(config, evaluate=False)


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_incidents_make_a_forecast(small, tmp_path, count):
    rows = ["2020-05-01,34.5,60.8,10", "2021-05-01,33.9,60.5,10"][:count]
    table = "\n".join(["date,latitude,longitude,radius_km", *rows, ""])
    (tmp_path / "few.csv").write_text(table, encoding="utf-8")
    columns = "{path: %s, layout: table, columns: {date: date}}" % (tmp_path / "few.csv")
    config = small(**{"data.incidents": columns, "outputs.folder": str(tmp_path / "runs")})
    found = jobs.run(config, evaluate=False)
    assert (found.cells["probability"] > 0).all()
    top = found.cells.loc[found.cells["rank"].idxmin()]
    at = gpd.GeoSeries.from_xy([60.8, 60.5], [34.5, 33.9], crs=4326).to_crs(found.cells.crs)
    assert min(top.geometry.distance(point) for point in at[:count]) < 40_000


def test_a_key_of_incidents_without_a_file_is_refused(small):
    with pytest.raises(ConfigError, match=r"data\.incidents\.path.*leave all out"):
        small(**{"data.incidents": "{layout: table}"})
