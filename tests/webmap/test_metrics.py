from itertools import pairwise

import numpy as np
import pytest

from borderrisk.outputs.palette import RAMPS, ramp
from borderrisk.outputs.webmap import columns
from borderrisk.outputs.webmap.codec import COARSE, FINE, MEDIUM
from borderrisk.outputs.webmap.columns import (
    available,
    budget,
    classify,
    pack_columns,
    share_breaks,
    values_of,
)
from borderrisk.outputs.webmap.view import make_view
from borderrisk.scores import by_name, risk_class


@pytest.mark.parametrize("levels", [COARSE, MEDIUM, FINE])
def test_classes_of_risk_are_the_scores_own(scene, levels):
    view = make_view(scene, None)
    risk, area = view.values("risk"), view.area
    classed = classify(by_name()["risk"], risk, area, levels)
    k = 1 + np.searchsorted(classed.edges, classed.codes, side="right")
    assert (k == risk_class(risk)).all()
    legend = classed.legend(area)
    assert legend["counts"] == np.bincount(risk_class(risk), minlength=6)[1:].tolist()
    share = [area[risk_class(risk) == c].sum() / area.sum() for c in range(1, 6)]
    assert legend["shares"] == pytest.approx(share, abs=1e-6)


def test_share_breaks_by_hand():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert share_breaks(values, np.ones(4), (0.5, 0.75)).tolist() == [3, 4]
    assert share_breaks(values, np.array([9, 1, 1, 1.0]), (0.5,)).tolist() == []
    assert share_breaks(np.full(4, 7.0), np.ones(4), (0.5,)).tolist() == []
    assert share_breaks(np.full(4, np.nan), np.ones(4), (0.5,)).tolist() == []
    assert share_breaks(np.array([0.123456, 0.234567]), np.ones(2), (0.5,)).tolist() == [0.23]


def test_a_change_is_classed_around_zero():
    values = np.linspace(-30, 20, 200)
    classed = classify(by_name()["risk_change"], values, np.ones(200), 65_535)
    assert np.allclose(classed.breaks, -classed.breaks[::-1])
    legend = classed.legend(np.ones(200))
    assert len(legend["colours"]) == 7
    assert legend["kind"] == "diverging"


def test_what_the_scene_lacks_is_left_out(scene):
    lean = scene.cells.drop_vars(["probability_low", "trust", "driver_1", "share_history"])
    view = make_view(type(scene)(**{**vars(scene), "cells": lean}), None)
    names = [metric.name for metric in available(view)]
    assert not {"width", "trust", "share_history"} & set(names)
    assert names[:3] == ["risk", "probability", "intensity"]
    assert "slope_mean" in names
    assert "driver_1" not in pack_columns(view).blobs


def test_width_is_the_interval_and_codes_below_zero_are_missing(scene):
    view = make_view(scene, None)
    width = view.values("probability_high") - view.values("probability_low")
    assert np.allclose(values_of(view, by_name()["width"]), width)
    changed = scene.cells.copy(deep=True)
    changed["trust"][:] = -1
    unknown = make_view(type(scene)(**{**vars(scene), "cells": changed}), None)
    assert np.isnan(values_of(unknown, by_name()["trust"])).all()


def test_budget_follows_the_number_of_cells():
    shell = columns.SHELL_BYTES
    assert budget(100) == budget(90_000) == 2_000_000 - shell
    assert budget(450_000) == 5_000_000 - shell
    assert budget(100, 9_000_000) == 1_000_000, "scores are shown, whatever lies beside them"
    assert budget(2_000_000) == 20_000_000 - shell


def test_precision_goes_before_columns_and_features_before_scores(scene, monkeypatch):
    view = make_view(scene, None)
    finest = pack_columns(view)
    assert finest.scales["risk"]["n"] == FINE
    monkeypatch.setattr(columns, "budget", lambda cells, shell=0: finest.size - 1)
    coarser = pack_columns(view)
    assert coarser.dropped == []
    assert coarser.blobs.keys() >= finest.blobs.keys()
    monkeypatch.setattr(columns, "budget", lambda cells, shell=0: 3_600)
    tight = pack_columns(view)
    assert tight.size <= 3_600
    ends = by_name()["probability"].bounds
    assert {"risk", "probability", *ends, "driver_1", "driver_3_effect"} <= set(tight.blobs)
    assert tight.dropped
    assert not set(tight.dropped) & (set(tight.blobs) | {m["name"] for m in tight.legends})
    assert tight.legends[0]["name"] == "risk"


def relative_luminance(colour: str) -> float:
    """Luminance of ``#rrggbb`` between 0 (black) and 1 (white), as WCAG 2 defines it."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["inferno", "cividis", "viridis", "teal"])
def test_ramps_darken_step_by_step(name):
    light = [relative_luminance(colour) for colour in RAMPS[name]]
    assert all(a > b + 0.01 for a, b in pairwise(light))


def test_the_diverging_ramp_is_lightest_in_the_middle():
    light = [relative_luminance(colour) for colour in RAMPS["diverging"]]
    assert light == sorted(light[:4]) + sorted(light[4:], reverse=True)


def test_a_ramp_of_fewer_classes_keeps_its_ends():
    assert ramp("inferno", 2) == [RAMPS["inferno"][0], RAMPS["inferno"][-1]]
    assert ramp("inferno", 1) == [RAMPS["inferno"][2]]


def test_a_comparison_opens_on_what_changed(compared):
    view = make_view(compared, None)
    names = [metric.name for metric in available(view)]
    assert names[:3] == ["risk_change", "change", "risk"]
    legends = {legend["name"]: legend for legend in pack_columns(view).legends}
    fell = int((view.values("change") == 2).sum())
    assert legends["change"]["counts"] == [0, view.mask.sum() - fell, fell]
    assert legends["risk_change"]["kind"] == "diverging"


def test_other_variables_that_say_what_they_are_can_be_shown(compared, scene):
    last = available(make_view(compared, None))[-1]
    assert (last.name, last.group, last.cuts) == ("slack_kerman", "other", "even")
    assert all(metric.group != "other" for metric in available(make_view(scene, None)))
