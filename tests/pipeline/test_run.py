import json
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import rasterio

from borderrisk.errors import ConfigError, DataError, OutputError
from borderrisk.pipeline import changes, steps
from borderrisk.pipeline import result as results
from borderrisk.pipeline import run as jobs
from borderrisk.pipeline.stages import Stages
from borderrisk.scores import KAPPA

RAW = Path(__file__).parents[2] / "data" / "raw"


def test_the_run_folder_holds_what_it_promises(finished):
    names = {path.name for path in finished.folder.iterdir()}
    promised = {
        "config.yaml", "manifest.json", "model.skops", "metrics.json", "features.nc",
        "cells.parquet", "cells.geojson", "risk.tif", "risk.qml", "map.html", "map-mashhad.html",
        "map-sistan-baluchestan.html", "segments.csv", "segments.geojson", "segments.parquet",
        "corridors.geojson", "report.html", "report.md", "log.jsonl", "rejected.csv",
    }  # fmt: skip
    assert promised <= names
    assert {path.suffix for path in (finished.folder / "figures").iterdir()} == {".png", ".svg"}


def test_scores_follow_their_definitions(finished):
    cells = gpd.read_parquet(finished.folder / "cells.parquet")
    cells = cells.astype(dict.fromkeys(cells.select_dtypes("float32"), "float64"))
    area = cells["exposure"] * 16  # cells of 40 km hold 16 times 100 km²
    shares = cells[[f"share_{part}" for part in ("history", "recent", "ground", "even")]]
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-4)
    parts = shares.mul(cells["intensity"], axis=0)
    np.testing.assert_allclose(parts["share_even"], parts["share_even"].mean(), rtol=1e-4)
    ground = parts["share_ground"] / cells["susceptibility"]
    assert 0 < ground.mean() < 1
    np.testing.assert_allclose(ground, ground.mean(), rtol=1e-4)
    expected = cells["intensity"] * area * 365 / 365.25
    np.testing.assert_allclose(cells["expected"], expected, rtol=1e-4)
    chance = 1 - (1 + expected / KAPPA) ** -KAPPA
    np.testing.assert_allclose(cells["probability"], chance, rtol=1e-4)
    assert np.average(cells["risk"], weights=area) == pytest.approx(50, abs=0.1)
    assert sorted(cells["rank"]) == list(range(1, len(cells) + 1))
    assert (cells.sort_values("rank")["intensity"].diff().dropna() <= 0).all()
    assert (cells["probability_low"] <= cells["probability_high"]).all()


def test_raster_and_table_say_the_same(finished):
    cells = gpd.read_parquet(finished.folder / "cells.parquet")
    with rasterio.open(finished.folder / "risk.tif") as source:
        assert source.descriptions[:3] == ("intensity", "probability", "risk")
        at = [(p.x, p.y) for p in cells.geometry.centroid]
        values = np.array(list(source.sample(at)))
    np.testing.assert_allclose(values[:, 2], cells["risk"], rtol=1e-5)


def test_every_rejected_row_is_listed_with_its_place_in_the_file(finished):
    lines = (finished.folder / "rejected.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "row,incident_id,reason"
    assert lines[1].startswith("7,IPR-2005-02,left out by the filter max_radius_km")
    table = pd.read_csv(RAW / "incidents.csv")
    assert table["incident_id"][7 - 2] == "IPR-2005-02"  # the header is row 1
    assert len(lines) - 1 + finished.manifest["counts"]["incidents used"] == len(table)


def test_a_first_look_has_no_intervals(small, tmp_path):
    first = jobs.run(small(), out=tmp_path / "first", evaluate=False)
    assert first.cells["probability_low"].isna().all()
    assert first.cells["probability"].notna().all()


def test_segments_share_out_the_whole_expectation(finished):
    cells = gpd.read_parquet(finished.folder / "cells.parquet")
    segments = gpd.read_parquet(finished.folder / "segments.parquet")
    total = (cells["intensity"] * cells["exposure"] * 16).sum()
    assert segments["expected_per_year"].sum() == pytest.approx(total, rel=1e-4)
    assert segments["length_km"].sum() == pytest.approx(2302, rel=0.01)


def test_a_second_run_reads_the_cache_and_gives_the_same_bytes(finished, small):
    same = {"outputs.focus": "[mashhad, sistan-baluchestan]"}  # training may keep to the windows
    again = jobs.run(small(**same), evaluate=False, replicates=4)
    cached = {stage["name"]: stage["cached"] for stage in again.manifest["stages"]}
    assert all(cached[name] for name in ("features", "border", "model", "intervals"))
    one, two = (
        (run.folder / "cells.geojson").read_text("utf-8").replace(run.scene.meta.run_id, "RUN")
        for run in (again, finished)
    )
    assert one == two
    tables = [pq.read_table(run.folder / "cells.parquet") for run in (again, finished)]
    assert tables[0].equals(tables[1])


def test_another_model_recomputes_only_the_model(finished, small):
    other = Stages.of(small(**{"model.estimator": "border_distance"}))
    _ = other[steps.model]
    cached = {record.name: record.cached for record in other.cache.records}
    assert cached["features"]
    assert not cached["model"]


def test_nothing_after_the_origin_reaches_the_model(small, tmp_path):
    """Moving every later incident leaves a forecast at the origin as it was."""
    config = small(**{"train.origin": "2020-01-01"})
    table = pd.read_csv(config.data.incidents.path)
    later = pd.to_datetime(table["date"]) >= "2020-01-01"
    table.loc[later, "latitude"] = 30.0
    moved = tmp_path / "moved.csv"
    table.to_csv(moved, index=False)
    other = small(**{"train.origin": "2020-01-01", "data.incidents.path": str(moved)})
    one, two = (Stages.of(c) for c in (config, other))
    np.testing.assert_array_equal(
        one[steps.model].model.intensity(one[steps.cells]),
        two[steps.model].model.intensity(two[steps.cells]),
    )


def test_the_result_opens_again_and_shows_itself(finished):
    again = results.open_run(finished.folder.parent)
    assert again.summary()["counts"]["cells scored"] == len(again.cells)
    assert "reported incidents" in again._repr_html_()


def test_manifest_and_log_hold_no_machine_paths(finished):
    for name in ("manifest.json", "log.jsonl", "config.yaml", "report.md"):
        text = (finished.folder / name).read_text(encoding="utf-8")
        assert str(finished.folder) not in text
        assert str(finished.folder.home()) + "/" not in text


def test_geojson_is_rfc_7946(finished):
    data = json.loads((finished.folder / "cells.geojson").read_text(encoding="utf-8"))
    assert "crs" not in data
    first = data["features"][0]
    assert first["id"] == first["properties"]["cell_id"]
    ring = np.array(first["geometry"]["coordinates"][0])
    x, y = ring[:-1].T
    assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0  # counter-clockwise


def test_a_model_scores_another_config_or_says_what_is_missing(finished, small, tmp_path):
    mashhad = small(**{"outputs.focus": "[mashhad]"})
    scored = jobs.score(finished.folder, mashhad, out=tmp_path / "scored")
    np.testing.assert_allclose(scored.cells["risk"], finished.cells["risk"], rtol=1e-5)
    bare = small(**{"features.travel.enabled": "false"})
    with pytest.raises(ConfigError, match="hours_from_border"):
        jobs.score(finished.folder, bare, out=tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_an_earlier_run_is_not_overwritten_unasked(finished, small):
    with pytest.raises(OutputError, match="--force"):
        jobs.run(small(), out=finished.folder, evaluate=False, replicates=0)


def test_an_origin_before_all_incidents_is_refused_with_no_folder(small, tmp_path):
    early = small(**{"train.origin": "1990-01-01"})
    with pytest.raises(DataError, match="before the origin 1990-01-01"):
        jobs.run(early, out=tmp_path / "none", evaluate=False, replicates=0)
    assert not (tmp_path / "none").exists()


def test_watch_plan_keeps_to_its_budget(finished):
    plan = results.allocate_segments(finished.folder, km=100)
    assert sum(row["length_km"] for row in plan.rows) <= 100
    assert 0 < plan.payload["capture"] < 1
    rows = results.top_segments(finished.folder, 5)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]


def test_maps_are_rebuilt_in_persian_without_training(finished, tmp_path):
    paths = results.write_maps(finished.folder, focus="mashhad", language="fa", out=tmp_path)
    assert [path.name for path in paths] == ["map-mashhad.html"]
    assert 'lang="fa"' in paths[0].read_text(encoding="utf-8")


def test_a_run_is_no_change_of_itself(finished):
    """Incidents across the border count as in the run: by the country that the record names."""
    run = results.open_run(finished.folder)
    incidents = run.scene.incidents
    assert ((incidents["home"] > 0) & (incidents["home"] < 1)).any()
    for part in changes.split_change(run, run).totals().values():
        assert abs(part) < 1e-4
    elsewhere = replace(run.scene, incidents=incidents.assign(home=0.0))
    parts = changes.split_change(replace(run, scene=elsewhere), run).totals()
    assert parts["fading"] < -0.1
    older = replace(run, scene=replace(run.scene, incidents=incidents.drop(columns="home")))
    with pytest.raises(DataError, match="made by an earlier version"):
        changes.split_change(older, run)


def test_two_runs_compare(finished, small, tmp_path):
    kde = small(**{"model.estimator": "kde"})
    other = jobs.run(kde, out=tmp_path / "b", evaluate=False, replicates=0)
    facts = changes.compare_runs(finished.folder, other.folder, out=tmp_path / "change")
    assert facts["cells"] == len(finished.cells)


def test_corridors_and_routes_are_in_one_file_and_in_the_raster(finished):
    features = json.loads((finished.folder / "corridors.geojson").read_text(encoding="utf-8"))
    by_kind = {}
    for feature in features["features"]:
        by_kind.setdefault(feature["properties"]["kind"], []).append(feature)
    assert {f["geometry"]["type"] for f in by_kind["corridor"]} <= {"Polygon", "MultiPolygon"}
    assert {f["geometry"]["type"] for f in by_kind["route"]} == {"LineString"}
    assert all(f["properties"]["slack_to_hours"] > 0 for f in by_kind["corridor"])
    for feature in by_kind["route"]:
        assert feature["properties"]["hours"] > 0
        assert feature["properties"]["length_km"] > 50
    with rasterio.open(finished.folder / "risk.tif") as source:
        bands = dict(zip(source.descriptions, source.units, strict=True))
        slack = source.read(source.descriptions.index("slack_mashhad") + 1)
    assert bands["slack_mashhad"] == bands["slack_zahedan"] == "h"
    assert bands["route_density"] == "1"
    assert np.nanmin(slack) >= -1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluation.horizons_years": "[9]"}, "set evaluation.last_origin earlier"),
        ({"evaluation.first_origin": "2000-01-01"}, "at least 10 needed"),
    ],
)
def test_a_period_that_evaluation_refuses_is_noticed_before_the_model(
    small, tmp_path, monkeypatch, changes, message
):
    result_of = Stages.__getitem__

    def watched(stages, stage):
        assert stage not in (steps.model, steps.intervals), "fitted or resampled first"
        return result_of(stages, stage)

    monkeypatch.setattr(Stages, "__getitem__", watched)
    with pytest.raises(DataError, match=message):
        jobs.run(small(**changes), out=tmp_path / "r", evaluate=True, replicates=4)
    assert not (tmp_path / "r").exists()
