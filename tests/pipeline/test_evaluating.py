import numpy as np
import pytest

from borderrisk import pipeline
from borderrisk.evaluation.scorecard import render_text
from borderrisk.outputs.report.scorecard import planted_blocks
from borderrisk.pipeline import evaluating
from borderrisk.pipeline.stages import Stages

QUICK = {
    "model.estimator": "glm",
    "evaluation.first_origin": "2024-01-01",
    "evaluation.last_origin": "2024-01-01",
    "evaluation.horizons_years": "[1]",
    "evaluation.spatial": "false",
    "evaluation.robustness_cell_km": "[]",
}


@pytest.fixture(scope="module")
def evaluated(small, tmp_path_factory):
    heard = []
    with pytest.MonkeyPatch.context() as patch:
        world = {"incidents": 80, "shape": (20, 22), "cell_size_m": 20_000.0}
        patch.setattr(evaluating, "_WORLD", world)
        patch.setattr(evaluating, "_PLANTED_REPLICATES", 4)
        folder, card, text = pipeline.evaluate(
            small(**QUICK),
            out=tmp_path_factory.mktemp("skill") / "s",
            progress=lambda *told: heard.append(told),
        )
    return folder, card, text, heard


def test_every_test_is_in_the_scorecard(evaluated):
    folder, card, text, _ = evaluated
    everyone = {*evaluating.ESTIMATORS, *evaluating.BASELINES}
    assert {row["model"] for row in card["prospective"]["rows"]} == everyone
    assert {row["model"] for row in card["planted"]["rows"]} == everyone
    assert card["planted"]["coverage"][0]["risk_class"] == "all"
    assert card["ablation"]["rows"][0]["left_out"] == "nothing"
    assert "spatial" not in card
    assert (folder / "scorecard.txt").read_text() == text
    for name in ("capture-curve", "reliability", "skill-per-origin"):
        assert {path.suffix for path in (folder / "figures").glob(f"{name}.*")} == {".png", ".svg"}
    for words in (
        "a synthetic world with 80 incidents",
        "interval holds the truth",
        "length alone",
    ):
        assert words in text


def test_features_of_ones_own_keep_the_grid(small, tmp_path):
    ids = Stages.of(small()).inputs.grid.cell_ids()
    table = tmp_path / "more.csv"
    table.write_text("cell_id,lights\n" + "".join(f"{cell},{k}\n" for k, cell in enumerate(ids)))
    off = {"evaluation.planted": "false", "evaluation.ablation": "false"}
    own = {"features.table": str(table), "features.columns": "[lights]"}
    config = small(**QUICK | off | own | {"evaluation.robustness_cell_km": "[80]"})
    _, card, _ = pipeline.evaluate(config, out=tmp_path / "s")
    assert "robustness" not in card
    assert any("bound to the config's cells" in note for note in card["notes"])


def test_progress_and_times_are_told(evaluated):
    folder, _, _, heard = evaluated
    assert heard[-1] == ("evaluation", 100, 100)
    stages = (folder / "manifest.json").read_text()
    for name in ("forward in time", "planted", "ablation", "scores"):
        assert f"evaluation: {name}" in stages


def test_a_run_has_the_same_scorecard_from_the_cache(evaluated, small, tmp_path):
    _, card, text, _ = evaluated
    result = pipeline.run(small(**QUICK), out=tmp_path / "run", replicates=0)
    assert result.scorecard["planted"] == card["planted"]
    assert (tmp_path / "run" / "scorecard.txt").read_text() == text
    stages = {s["name"]: s["cached"] for s in result.manifest["stages"]}
    assert stages["scorecard"] is True


def test_a_run_has_the_mean_effect_of_each_feature_by_tenths(finished):
    curves = finished.scene.meta["effects"]
    assert 1 < len(curves) <= 12
    for name, curve in curves.items():
        assert 1 <= len(curve["values"]) == len(curve["effect"]) <= 10
        assert np.all(np.diff(curve["values"]) > 0)
        inside = finished.scene.cells["exposure"].to_numpy() > 0
        known = finished.scene.cells[name].to_numpy()[inside]
        assert np.nanmin(known) <= curve["values"][0] <= curve["values"][-1] <= np.nanmax(known)


def test_the_report_shows_the_planted_world(evaluated):
    blocks = planted_blocks(evaluated[1])
    assert len(blocks) == 3
    assert planted_blocks({}) == []


def test_without_the_planted_world_the_text_is_silent(evaluated):
    card = {key: value for key, value in evaluated[1].items() if key != "planted"}
    assert "synthetic" not in render_text(card)
