import numpy as np
import pytest

from borderrisk.pipeline import evaluating
from borderrisk.pipeline import run as jobs

QUICK = {
    "model.estimator": "glm",
    "evaluation.first_origin": "2024-01-01",
    "evaluation.last_origin": "2024-01-01",
    "evaluation.horizons_years": "[1]",
}


@pytest.fixture(scope="module")
def evaluated(small, tmp_path_factory):
    heard = []
    folder, card, text = jobs.evaluate(
        small(**QUICK),
        out=tmp_path_factory.mktemp("skill") / "s",
        progress=lambda *told: heard.append(told),
    )
    return folder, card, text, heard


def test_every_test_is_in_the_scorecard(evaluated):
    folder, card, text, _ = evaluated
    everyone = {*evaluating.ESTIMATORS, *evaluating.BASELINES}
    assert {row["model"] for row in card["prospective"]["rows"]} == everyone
    assert {row["model"] for row in card["spatial"]["rows"]} == everyone
    assert {row["fold"] for row in card["spatial"]["rows"]} == {"AFG", "PAK", "TKM"}
    assert (folder / "scorecard.txt").read_text() == text
    for name in ("capture-curve", "reliability", "skill-per-origin"):
        assert {path.suffix for path in (folder / "figures").glob(f"{name}.*")} == {".png", ".svg"}
    for words in ("behind a border left out of training", "length alone"):
        assert words in text


def test_progress_and_times_are_told(evaluated):
    *_, heard = evaluated
    assert [told for told in heard if told[0] == "evaluation"] == [
        ("evaluation", 1, 2),
        ("evaluation", 2, 2),
    ]


def test_a_run_has_the_same_scorecard_from_the_cache(evaluated, small, tmp_path):
    _, card, text, _ = evaluated
    result = jobs.run(small(**QUICK), out=tmp_path / "run", replicates=0)
    assert result.scorecard["spatial"] == card["spatial"]
    assert (tmp_path / "run" / "scorecard.txt").read_text() == text
    stages = {s["name"]: s["cached"] for s in result.manifest["stages"]}
    assert stages["scorecard"] is True


def test_a_run_has_the_mean_effect_of_each_feature_by_tenths(finished):
    curves = finished.scene.meta.effects
    assert 1 < len(curves) <= 12
    for name, curve in curves.items():
        assert 1 <= len(curve["values"]) == len(curve["effect"]) <= 10
        assert np.all(np.diff(curve["values"]) > 0)
        inside = finished.scene.cells["exposure"].to_numpy() > 0
        known = finished.scene.cells[name].to_numpy()[inside]
        assert np.nanmin(known) <= curve["values"][0] <= curve["values"][-1] <= np.nanmax(known)


def test_no_border_is_left_out_where_the_config_says_so(small, tmp_path):
    _, card, text = jobs.evaluate(small(**QUICK, **{"evaluation.spatial": "false"}),
                                      out=tmp_path / "s")  # fmt: skip
    assert "spatial" not in card
    assert "left out of training" not in text
