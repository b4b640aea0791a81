import json

import numpy as np
import pandas as pd
import pytest

from borderrisk.errors import DataError
from borderrisk.evaluation.findings import render_text
from borderrisk.evaluation.scorecard import Scorecard
from borderrisk.model.registry import models
from borderrisk.pipeline import run as jobs
from borderrisk.pipeline import steps
from borderrisk.pipeline.stages import Stages

QUICK = {
    "evaluation.first_origin": "2024-01-01",
    "evaluation.last_origin": "2024-01-01",
    "evaluation.horizons_years": "[1]",
}


@pytest.fixture(scope="module")
def evaluated(small, tmp_path_factory):
    heard = []
    folder, card = jobs.evaluate(
        small(**QUICK, **{"outputs.figures": "[png, svg]"}),
        out=tmp_path_factory.mktemp("skill") / "s",
        progress=lambda *told: heard.append(told),
    )
    return folder, card, heard


def test_every_test_is_in_the_scorecard(evaluated):
    folder, card, _ = evaluated
    everyone = set(models()) - {"walk_and_hide"}  # it needs concealment, which is off
    assert {row.model for row in card.prospective.rows} == everyone
    assert {row.model for row in card.transfer.rows} == everyone
    assert {row.border for row in card.transfer.rows} == {"AFG", "PAK", "TKM"}
    text = (folder / "scorecard.txt").read_text()
    assert text == render_text(card)
    kept = json.loads((folder / "scorecard.json").read_text())
    assert Scorecard.from_json(kept) == card
    for name in ("capture-curve", "reliability", "skill-per-origin"):
        assert {path.suffix for path in (folder / "figures").glob(f"{name}.*")} == {".png", ".svg"}
    for words in ("is left out of training and scored in turn", "by length alone", "Totals of"):
        assert words in text


def test_progress_and_times_are_told(evaluated):
    *_, heard = evaluated
    assert [told for told in heard if told[0] == "evaluation"] == [
        ("evaluation", 1, 2),
        ("evaluation", 2, 2),
    ]


def test_a_run_has_the_same_scorecard_from_the_cache(evaluated, small, tmp_path):
    _, card, _ = evaluated
    result = jobs.run(small(**QUICK), out=tmp_path / "run", replicates=0)
    assert result.scorecard == card
    assert (tmp_path / "run" / "scorecard.txt").read_text() == render_text(card)
    stages = {s["name"]: s["cached"] for s in result.manifest["stages"]}
    assert stages["scorecard"] is True


def test_evaluation_sees_nothing_after_the_origin_of_the_run(small, tmp_path):
    """A period that only later incidents could fill is refused before anything is fitted."""
    origin = dict.fromkeys(("evaluation.first_origin", "evaluation.last_origin"), "2019-07-01")
    late = {"train.origin": "2020-01-01", "evaluation.horizons_years": "[1]", **origin}
    config = small(**late)
    known = Stages.of(config)[steps.incidents].known
    assert known.incidents["date_end"].max() < pd.Timestamp("2020-01-01")
    with pytest.raises(DataError, match=r"set evaluation\.last_origin earlier"):
        jobs.evaluate(config, out=tmp_path / "s")


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
    _, card = jobs.evaluate(small(**QUICK, **{"evaluation.spatial": "false"}), out=tmp_path / "s")
    assert card.transfer is None
    assert "No border was left out." in render_text(card)
