"""A score that is declared is in every output, and no other module has to know of it."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from borderrisk import scores
from borderrisk.outputs.compare import compare
from borderrisk.outputs.export import cells_table, write_cells
from borderrisk.outputs.gridfiles import write_risk_tif
from borderrisk.outputs.report import write_report
from borderrisk.outputs.webmap import render_map
from borderrisk.outputs.webmap.columns import pack_columns
from borderrisk.outputs.webmap.view import make_view
from borderrisk.words import CODES, UNITS

CALM = scores.Score(
    "calm", "days", "Days without a report", "Calm", "آرامش", "Days since.", "روزها.", "1",
    "teal", dtype="int16", bounds=("calm_low", "calm_high"),
    table=2, band=4, layer=1, compare=2, popup=2, report=2,
)  # fmt: skip
BOUNDS = tuple(scores.Score(name, "days", "A bound", table=90) for name in CALM.bounds)


@pytest.fixture
def calm_scene(make_scene, monkeypatch):
    """A scene with a made-up score that counts up through the scored cells."""
    monkeypatch.setattr(scores, "SCORES", (*scores.SCORES, CALM, *BOUNDS))
    scene = make_scene()
    inside = np.isfinite(scene.cells["risk"].to_numpy())
    values = np.where(inside, np.cumsum(inside).reshape(inside.shape), np.nan)
    bounds = {
        f"calm_{end}": (("y", "x"), values + step) for end, step in (("low", -2), ("high", 3))
    }
    calm = (("y", "x"), values.astype("float32"), CALM.attrs)
    return replace(scene, cells=scene.cells.assign(calm=calm, **bounds))


def test_a_made_up_score_is_in_tables(calm_scene, tmp_path):
    table = cells_table(calm_scene)
    assert table["calm"].tolist() == list(range(1, len(table) + 1))
    assert table["calm"].dtype == "int16"
    assert table.columns.get_loc("calm") == 3  # behind cell_id and its two neighbours in place
    head = write_cells(table, tmp_path / "c.csv", "csv").read_text().split("\n", 1)[0]
    assert "calm" in head.split(",")
    assert {"calm_a", "calm_b"} <= set(compare(calm_scene, calm_scene).table)


def test_a_made_up_score_is_a_band_with_name_and_unit(calm_scene, tmp_path):
    with rasterio.open(write_risk_tif(calm_scene, tmp_path / "risk.tif")) as tif:
        band = tif.descriptions.index("calm") + 1
        assert tif.units[band - 1] == "days"
        assert tif.tags(band)["long_name"] == "Days without a report"
        np.testing.assert_array_equal(tif.read(band), calm_scene.cells["calm"])


def test_a_made_up_score_is_a_layer_with_its_legend_and_words(calm_scene):
    view = make_view(calm_scene, None)
    legend = next(found for found in pack_columns(view).legends if found["name"] == "calm")
    assert legend["group"] == "scores"
    assert sum(legend["counts"]) == view.mask.sum()
    assert len(legend["colours"]) == 5
    assert legend["label"]["fa"] == "آرامش"
    page = render_map(calm_scene)
    assert 'id="br-col-calm"' in page
    assert '"popup":["calm",' in page
    assert "Days since." in page


def test_a_made_up_score_is_in_the_report_with_its_bounds(calm_scene, tmp_path):
    text = write_report(calm_scene, tmp_path)[1].read_text(encoding="utf-8")
    lines = text.splitlines()
    heading = next(k for k, line in enumerate(lines) if line.startswith("| rank | cell |"))
    column = [part.strip() for part in lines[heading].split("|")].index("calm")
    top = int(cells_table(calm_scene, top=1).calm[0])
    shown = lines[heading + 2].split("|")[column].strip()
    assert shown == f"{top} ({top - 2} to {top + 3})"


def test_every_score_can_be_drawn_and_said():
    names = [score.name for score in scores.SCORES]
    assert len(names) == len(set(names))
    for score in scores.SCORES:
        assert set(score.words) <= CODES.keys()
        assert set(score.bounds) <= set(names)
        assert {score.width_of, score.follows} <= {"", *names}
        if score.layer is not None:
            assert score.en and score.fa and score.note_en and score.note_fa, score.name
            assert score.format in {*UNITS, "probability", "codes"}
    for where in ("table", "band", "layer", "compare", "popup", "report"):
        places = [getattr(score, where) for score in scores.shown(where)]
        assert len(places) == len(set(places)), where
