import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderrisk.outputs.webmap.codec import COARSE, FINE, MEDIUM, Neighbours, Scale, pack, snap
from borderrisk.outputs.webmap.columns import Packed, classify
from borderrisk.outputs.webmap.payload import _runs
from borderrisk.scores import Score

HERE = Path(__file__).parent
node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.sampled_from([COARSE, MEDIUM, FINE])
)
def test_a_value_comes_back_within_half_a_step(values, levels):
    values = np.array([*values, np.nan])
    scale = Scale.fitting(values, levels, may_log=False)
    codes = scale.encode(values)
    assert codes[-1] == levels
    back = scale.decode(codes)
    assert np.isnan(back[-1])
    assert np.abs(back - values)[:-1].max() <= abs(scale.step) * 0.5001 + 1e-9


def test_wide_ranges_are_packed_by_ratio():
    values = np.array([1e-6, 3.3e-4, 0.2])
    scale = Scale.fitting(values, FINE)
    assert scale.log
    assert np.allclose(scale.decode(scale.encode(values)), values, rtol=2e-4)
    assert not Scale.fitting(np.array([0.0, 1.0]), FINE).log
    assert scale.encode(np.array([0.0]))[0] == FINE


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40))
def test_no_cell_changes_class_by_rounding(values):
    values, breaks = np.array(values), np.array([20.0, 50.0, 75.0, 75.9])
    scale = Scale(0.0, 100 / (COARSE - 1), COARSE)
    edges = scale.edge_codes(breaks)
    codes = snap(scale.encode(values), values, breaks, edges)
    by_value = np.searchsorted(breaks, values, side="right")
    assert (np.searchsorted(edges, codes, side="right") == by_value).all()


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=30))
def test_classes_of_any_values_are_told_apart_by_their_codes(values):
    values = np.array(values)
    classed = classify(Score("any", "1", "Any"), values, np.ones(len(values)), COARSE)
    by_value = np.searchsorted(classed.breaks, values, side="right")
    assert (np.searchsorted(classed.edges, classed.codes, side="right") == by_value).all()
    assert (np.diff(classed.edges) > 0).all()


def test_neighbours_by_hand():
    near = Neighbours.of(np.array([[1, 1, 0], [1, 1, 1]], bool))
    assert near.west.tolist() == [-1, 0, 1, 2, 3]
    assert near.north.tolist() == [-1, 0, 0, 1, 3]
    assert near.north_west.tolist() == [-1, 0, 0, 0, 1]


def test_smooth_columns_pack_small():
    mask = np.ones((100, 100), bool)
    y, x = np.mgrid[:100, :100]
    codes = ((x + y) * 50).ravel().astype(np.uint16)
    assert len(pack(codes, Neighbours.of(mask), wide=True)) < 1000


def unpacked(packed, mask, folder):
    """Codes of packed columns as the page's own script reads them."""
    rows, cols = mask.shape
    grid = {"rows": rows, "cols": cols, "row0": 0, "col0": 0, "digits": 3, "runs": _runs(mask)}
    page = {"grid": grid, "columns": packed.scales, "text": packed.blobs}
    (folder / "page.json").write_text(json.dumps(page))
    run = subprocess.run(
        ["node", "js/unpack.mjs", str(folder / "page.json")],
        cwd=HERE, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(run.stdout)


@node
def test_the_page_unpacks_what_was_packed(tmp_path):
    rng = np.random.default_rng(3)
    mask = rng.random((17, 23)) < 0.7
    n = int(mask.sum())
    known = rng.integers(0, MEDIUM, n).astype(np.uint16)
    risk = np.where(rng.random(n) < 0.1, FINE, 15 * known)
    columns = {
        "probability": (known, MEDIUM, ""),
        "risk": (risk.astype(np.uint16), FINE, "probability"),
        "narrow": (rng.integers(0, 256, n).astype(np.uint16), COARSE, ""),
        "trails": ((known // 17).astype(np.uint16), COARSE, "probability"),
    }
    packed = Packed()
    for name, (codes, levels, follows) in columns.items():
        packed.add(name, codes, Scale(0, 1, levels), Neighbours.of(mask), follows)
    assert "follows" in packed.scales["trails"]
    for name, codes in unpacked(packed, mask, tmp_path).items():
        assert codes == columns[name][0].tolist(), name


def test_a_column_that_follows_another_costs_next_to_nothing():
    rng = np.random.default_rng(3)
    mask = np.ones((200, 200), bool)
    probability = rng.integers(0, MEDIUM, mask.sum()).astype(np.uint16)
    packed, near = Packed(), Neighbours.of(mask)
    packed.add("probability", probability, Scale(0, 1, MEDIUM), near)
    risk = (np.sqrt(probability) * 60).astype(np.uint16)
    packed.add("risk", risk, Scale(0, 1, MEDIUM), near, "probability")
    assert len(packed.blobs["risk"]) < len(packed.blobs["probability"]) / 50


@node
def test_the_scripts_own_tests_pass():
    run = subprocess.run(
        ["node", "--test", "js/"], cwd=HERE, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout
