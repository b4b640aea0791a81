"""The first page and the brief: what they say is read off the scene, and fits on its pages."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from borderrisk.border.ranking import against_earlier, segment_table
from borderrisk.border.segments import cut_border
from borderrisk.errors import ConfigError
from borderrisk.outputs.headline import (
    doubts,
    explained,
    highest,
    sentences,
    top_sections,
)
from borderrisk.outputs.placefacts import Reader
from borderrisk.outputs.report import build_sections, write_brief
from borderrisk.outputs.scene import AreaTotal


@pytest.fixture(scope="module")
def scene(make_scene):
    """A run with sections of border, compared with an earlier one in which the first was lower."""
    scene = make_scene(rows=24, cols=24)
    segments = cut_border(scene.borders, scene.grid.crs, 20)
    rows = np.arange(scene.grid.size) // scene.grid.shape[1]
    behind = (np.arange(scene.grid.size), rows * len(segments) // scene.grid.shape[0])
    flow = csr_matrix((np.ones(scene.grid.size), behind), (scene.grid.size, len(segments)))
    table = segment_table(segments, flow, scene.cells, scene.grid, horizon_days=365)
    table = table.assign(rank_low=table["rank"], rank_high=table["rank"])
    before = table.assign(rank_low=np.where(table["rank"] == 1, 2, table["rank"]),
                          rank_high=np.where(table["rank"] == 1, 3, table["rank"]),
                          expected_per_year=table["expected_per_year"] * 0.9)  # fmt: skip
    told = explained(scene, against_earlier(table, before), flow)
    return replace(scene, layers={"segments": told})


def test_the_sentences_say_what_the_numbers_are(scene):
    where, sure, changed = sentences(scene)
    reader = Reader.of(scene)
    total = reader.expected[:, 0]
    first = total[reader.values("risk") >= 90].sum() / total.sum()
    assert f"holds {round(100 * first)} % of that" in where
    said = float(re.search(r": ([\d.]+\d)", where)[1])
    assert said == pytest.approx(total.sum(), rel=0.06)
    assert "held 60 % of the 14 incidents that followed (history alone: 60 %)" in sure
    codes = reader.values("trust")
    ok = reader.area[codes == 0].sum() / reader.area.sum()
    assert f"{round(100 * ok)} % of the area can be relied on" in sure
    assert "intervals allow: 1 up, 0 down; most of all Iran" in changed


def test_the_first_sentence_says_what_may_be_reported_not_how_sure_the_mean_is(scene):
    totals = [AreaTotal("", 22.4, 21.0, 24.0, 5, 49), AreaTotal("mashhad", 3.2, None, None, 0, 8)]
    told = replace(scene, meta=replace(scene.meta, totals=totals))
    first, focus = sentences(told)[0], sentences(told, focus=scene.focuses[0])[0]
    assert ": 22; with 90 % chance between 5 and 49 will be reported. The tenth" in first
    assert ": 3.2; with 90 % chance between 0 and 8 will be reported. The tenth" in focus
    assert "21" not in first
    assert ": ۲۲؛ به احتمال ۹۰٪ میان ۵ و ۴۹ رویداد گزارش می‌شود. " in sentences(told, "fa")[0]


def test_without_intervals_it_is_said_how_much_moved(scene):
    table = scene.layers["segments"].assign(change="no intervals", change_per_year=0.0)
    table.loc[table.index[:2], "change_per_year"] = [0.5, -0.5]
    bare = replace(scene, layers={"segments": table}, meta=replace(scene.meta, scenario="closed"))
    said = sentences(bare)[2]
    assert said.startswith("Against the run without the scenario, 0.5 of the reported incidents")
    assert "most of all Iran" in said


def test_a_run_that_was_not_tested_says_so(scene):
    bare = replace(scene, meta=replace(scene.meta, scorecard=None))
    assert "not tested" in sentences(bare)[1]
    cells = scene.cells.drop_vars([f"probability_{end}" for end in ("low", "high")])
    assert any("No interval was computed" in text for text in doubts(replace(scene, cells=cells)))


def test_the_highest_places_are_apart_and_in_order(scene):
    reader = Reader.of(scene)
    rows = highest(reader)
    intensity = reader.values("intensity")[rows]
    assert (np.diff(intensity) <= 0).all()
    assert intensity[0] == np.nanmax(reader.values("intensity"))
    away = np.hypot(*(reader.xy[rows][:, None] - reader.xy[rows]).transpose(2, 0, 1))
    assert away[~np.eye(len(rows), dtype=bool)].min() >= 20_000


def test_a_focus_has_its_own(scene):
    focus = scene.focuses[0]
    west, south, east, north = focus.bounds
    reader = Reader.of(scene)
    lon, lat = (axis[reader.mask] for axis in scene.grid.lonlat())
    for row in highest(reader, focus=focus):
        assert west <= lon[row] <= east and south <= lat[row] <= north
    assert len(top_sections(scene, "en", focus=focus)) < len(top_sections(scene, "en"))


def test_the_first_chapter_is_the_answer(scene):
    first = build_sections(scene)[0]
    assert first.anchor == "answer"
    assert [block.kind for block in first.blocks] == [
        "bullets", "picture", "places", "places", "paragraph", "bullets", "paragraph",
    ]  # fmt: skip
    assert len(first.blocks[2].said) == 10
    assert first.blocks[0].texts == sentences(scene)


@pytest.mark.parametrize("language", ["en", "fa"])
@pytest.mark.parametrize("focus", [None, "mashhad"])
def test_a_brief_prints_on_two_pages(scene, tmp_path, language, focus):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed")
    long = scene.incidents.assign(place="A place with rather a long name, in the middle of it")
    path = write_brief(replace(scene, incidents=long), tmp_path / "brief.html", focus=focus,
                       language=language)  # fmt: skip
    subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
         f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={tmp_path / 'brief.pdf'}",
         path.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    printed = (tmp_path / "brief.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 2


def test_no_such_focus(scene, tmp_path):
    with pytest.raises(ConfigError, match="No focus named"):
        write_brief(scene, tmp_path / "brief.html", focus="nowhere")
