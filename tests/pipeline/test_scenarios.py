"""What-if runs, and segments against an earlier run."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.config.sections import ScenarioConfig
from borderrisk.errors import ConfigError, DataError
from borderrisk.pipeline import changes, steps
from borderrisk.pipeline import result as results
from borderrisk.pipeline import run as jobs
from borderrisk.pipeline.stages import Stages

# Dogharoun / Islam Qala and the line around it.
GATE = [60.4, 34.2, 61.5, 35.2]


@pytest.fixture(scope="module")
def closed(small, tmp_path_factory):
    """Run a scenario that closes the border around Islam Qala."""
    config = small(**{"outputs.focus": "[mashhad]"}).with_changes(
        {"scenarios": {"closed": {"changes": {"features": {"travel": {"closed": [GATE]}}}}}}
    )
    out = tmp_path_factory.mktemp("scenario") / "closed"
    return changes.scenario(config, "closed", out=out), out


def test_closing_a_stretch_moves_its_risk_to_others_and_keeps_the_rest(closed, finished):
    (facts, rows), out = closed
    table = gpd.read_parquet(out / "segments.parquet")
    middle = table.geometry.to_crs(8857).interpolate(0.5, normalized=True).to_crs(4326)
    shut = middle.within(shapely.box(*GATE))
    assert shut.sum() >= 5
    assert table.expected_per_year[shut].sum() < 0.2 * table.expected_before[shut].sum()
    gained = table[~shut].sort_values("change_per_year").iloc[-1]
    assert gained.change_per_year > 0
    assert gained.pair == "IRN-AFG"
    before = finished.scene.layers["segments"].expected_per_year
    np.testing.assert_allclose(table.expected_before, before, rtol=1e-6)
    assert facts["displaced"] == pytest.approx(table.change_per_year.abs().sum() / 2)
    assert facts["expected_after"] == pytest.approx(table.expected_per_year.sum())
    assert abs(rows[0]["displaced"]) == table.change_per_year.abs().max()


def test_a_scenario_is_a_run_that_says_what_it_is(closed):
    _, out = closed
    result = results.open_run(out)
    assert result.manifest["kind"] == "scenario"
    assert "closed" in result.scene.meta.title
    assert result.scene.meta.notes[0].startswith("What-if")
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "What-if" in report
    assert "rank before" in report
    assert result.scene.meta.statement.startswith("What-if: closed. Relative intensity")
    for name in ("map.html", "map-mashhad.html"):
        assert "What-if: closed." in (out / name).read_text(encoding="utf-8")


def test_compare_shows_the_shift_of_a_scenario(closed, finished, tmp_path):
    _, out = closed
    facts = changes.compare_runs(finished.folder, out, out=tmp_path / "c")
    table = pd.read_csv(tmp_path / "c" / "changes.csv")
    assert (table.risk_change.abs() > 0).any()
    moved = pd.read_csv(tmp_path / "c" / "segments.csv")
    assert facts["segments"] == len(moved)
    assert moved.change_per_year.abs().max() > 0
    assert (tmp_path / "c" / "change.png").exists()


def test_a_scenario_that_changes_nothing_moves_nothing(small, tmp_path):
    config = small().with_changes({"scenarios": {"same": {"changes": {"seed": small().seed}}}})
    facts, _ = changes.scenario(config, "same", out=tmp_path / "s")
    assert facts["displaced"] == pytest.approx(0, abs=1e-9)
    table = gpd.read_parquet(tmp_path / "s" / "segments.parquet")
    assert table["rank"].tolist() == table.rank_before.tolist()


def test_only_the_stages_a_scenario_touches_are_run_again(closed, small):
    _, out = closed
    stages = {s["name"]: s["cached"] for s in results.open_run(out).manifest["stages"]}
    assert not stages["features"]
    assert "model" not in stages
    config = small().with_changes(
        {"scenarios": {"routes": {"changes": {"corridors": {"cost_spread": 0.1}}}}}
    )
    changes.scenario(config, "routes", out=out.with_name("routes"))
    stages = {
        s["name"]: s["cached"] for s in results.open_run(out.with_name("routes")).manifest["stages"]
    }
    assert stages["features"]
    assert not stages["border"]


def test_an_unknown_scenario_is_a_usage_error_and_leaves_nothing(small, tmp_path):
    with pytest.raises(ConfigError, match="no scenario 'flood'"):
        changes.scenario(small(), "flood", out=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_scenario_may_add_and_move_targets_but_not_remove_what_the_model_reads(small, tmp_path):
    config = small(**{"features.exclude": "[hours_to_kerman]"})

    def run(name, moved):
        targets = {"features": {"travel": {"targets": moved}}}
        own = config.model_copy(update={"scenarios": {name: ScenarioConfig(changes=targets)}})
        return changes.scenario(own, name, out=tmp_path / name)[0]

    added = run("added", {"birjand": [59.2, 32.87]})
    assert added["displaced"] == pytest.approx(0, abs=1e-9)
    assert (tmp_path / "added" / "corridors.geojson").read_text("utf-8").count('"birjand"') > 3
    read = Stages.of(config)[steps.model].features
    assert "hours_to_mashhad" in read
    assert "hours_to_kerman" not in read
    assert run("moved", {"mashhad": [60.6, 35.2]})["displaced"] > 0
    assert run("unread", {"kerman": [58.36, 29.1]})["displaced"] == pytest.approx(0, abs=1e-9)
    with pytest.raises(ConfigError, match="hours_to_mashhad, which scenario gone takes away"):
        run("gone", {"mashhad": None})
    assert not (tmp_path / "gone").exists()


def test_an_earlier_run_that_is_none_is_noticed_before_any_work(small, tmp_path):
    config = small(**{"segments.against": str(tmp_path)})
    with pytest.raises(DataError, match="no finished run"):
        jobs.run(config, evaluate=False, out=tmp_path / "r")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("name", ["winter", "closed-harirud"])
def test_shipped_scenarios_load_and_change_travel(small, name):
    config = small()
    changed = config.with_scenario(name)
    assert changed.features.travel != config.features.travel
    assert config.scenarios[name].title
    assert config.scenarios[name].title_fa


def test_what_is_no_run_is_not_taken_for_one(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "evaluation"}))
    with pytest.raises(DataError, match="evaluation of a config, no scored cells"):
        results.open_run(tmp_path)


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_segments_against_an_earlier_run(finished, closed, tmp_path):
    _, out = closed
    file = tmp_path / "segments.csv"
    result = call(
        "segments", out, "--against", finished.folder, "--top", 3, "--out", file, "--json"
    )
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["segments"]
    changes = [abs(row["change_per_year"]) for row in rows]
    assert changes == sorted(changes, reverse=True)
    table = pd.read_csv(file).set_index("segment_id")
    row = table.loc[rows[0]["segment_id"]]
    assert row.change_per_year == pytest.approx(row.expected_per_year - row.expected_before)
    assert set(table.change) == {"no intervals"}
    shown = call("segments", out, "--against", finished.folder)
    assert "change_per_year" in shown.stdout


def test_a_config_that_names_an_earlier_run_ships_the_change(finished, small, tmp_path):
    config = small(**{"segments.against": str(finished.folder)})
    result = jobs.run(config, evaluate=False, replicates=4, out=tmp_path / "r")
    table = gpd.read_parquet(tmp_path / "r" / "segments.parquet")
    np.testing.assert_allclose(table.change_per_year, 0, atol=1e-9)
    assert set(table.change) == {"within intervals"}
    assert result.manifest["stages"][-1]["name"]
    with_it = json.loads((tmp_path / "r" / "segments.geojson").read_text(encoding="utf-8"))
    assert with_it["features"][0]["properties"]["change"] == "within intervals"


def test_a_border_cut_differently_cannot_be_compared(finished, small, tmp_path):
    other = jobs.run(
        small(**{"segments.segment_km": "25"}), evaluate=False, replicates=0, out=tmp_path / "r"
    )
    result = call("segments", other.folder, "--against", finished.folder)
    assert result.exit_code == 2
    assert "cut the border differently" in result.stderr


def test_a_table_needs_a_known_ending(finished, tmp_path):
    result = call("segments", finished.folder, "--out", tmp_path / "a.xls")
    assert result.exit_code == 2
    assert not (tmp_path / "a.xls").exists()
