import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import geopandas as gpd
import pytest
import shapely

from borderrisk.evaluation.scorecard import Behind, Gain, Transfer
from borderrisk.outputs.figures import plan
from borderrisk.outputs.report import escape_markdown, fence, spark, write_report
from borderrisk.outputs.report.blocks import Bars, Table, percent, records, show
from borderrisk.outputs.report.chapters import build_sections
from borderrisk.outputs.report.evidence import verdict
from borderrisk.outputs.scene import Rejected, SceneMeta, Source
from borderrisk.words import nearest_places

HOSTILE = '"><script>alert(1)</script>&\u202e|`'


@pytest.fixture(scope="module")
def scene(make_scene):
    return make_scene()


@pytest.fixture(scope="module")
def hostile(scene):
    meta = replace(
        scene.meta,
        title=HOSTILE,
        config_text=f"name: {HOSTILE}\n```\n# not a heading",
        manifest={"seed": 1, "inputs": [HOSTILE]},
        rejected=[Rejected("3", HOSTILE, "no date")],
        sources=[Source(HOSTILE, licence="CC0", attribution=HOSTILE)],
        notes=[HOSTILE],
        model={"estimator": HOSTILE},
    )
    settlements = scene.settlements.assign(name=HOSTILE)
    incidents = scene.incidents.assign(kind=HOSTILE)
    return replace(scene, meta=meta, settlements=settlements, incidents=incidents)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href", "action", "srcset")]


def _text(paths, suffix):
    return next(p for p in paths if p.suffix == suffix).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def written(scene, tmp_path_factory):
    """The report of the scene, with its pictures."""
    return write_report(scene, tmp_path_factory.mktemp("report"))


@pytest.fixture
def undrawn(monkeypatch):
    """No pictures are drawn: the test is about words."""
    monkeypatch.setattr("borderrisk.outputs.report.plan", lambda scene: {})


def test_text_from_data_stays_text(hostile, undrawn, tmp_path):
    paths = write_report(hostile, tmp_path)
    html, markdown = _text(paths, ".html"), _text(paths, ".md")
    page = _Page()
    page.feed(html)
    assert "script" not in page.tags
    assert html.count("&lt;script&gt;") > 5
    assert "<script>" not in re.sub(r"(`{3,})\n.*?\n\1", "", markdown, flags=re.DOTALL)
    assert "# not a heading" not in re.sub(r"(`{3,})\n.*?\n\1", "", markdown, flags=re.DOTALL)


def test_the_page_needs_no_network(written):
    html = _text(written, ".html")
    page = _Page()
    page.feed(html)
    assert "default-src 'none'" in html
    assert all(link.startswith(("data:image/", "#")) for link in page.links)
    assert "link" not in page.tags
    assert not re.search(r"url\(|@import", html)


def test_every_section_is_linked(scene, written):
    html = _text(written, ".html")
    anchors = re.findall(r'<section id="([a-z]+)"', html)
    assert anchors == [section.anchor for section in build_sections(scene)]
    assert re.findall(r'href="#([a-z]+)"', html)[1:] == anchors


def test_the_numbers_are_those_of_the_scene(scene, written):
    markdown = _text(written, ".md")
    strongest = scene.cells.intensity.to_numpy()
    row, col = divmod(int((-strongest).ravel().argsort()[0]), strongest.shape[1])
    first = next(line for line in markdown.splitlines() if line.startswith("| 1 (1 to 7) |"))
    assert f"| r{row:03d}c{col:03d} |" in first
    assert "Decayed pool is better than history alone: +0.40 (+0.10 to +0.70) bits" in markdown


def test_what_is_absent_is_a_sentence(scene, undrawn, tmp_path):
    bare = replace(
        scene,
        cells=scene.cells[["exposure", "domain", "risk", "risk_class", "intensity"]],
        incidents=scene.incidents.iloc[:0],
        settlements=scene.settlements.iloc[:0],
        relief=None,
        focuses=(),
        meta=SceneMeta(),
    )
    markdown = _text(write_report(bare, tmp_path), ".md")
    for sentence in (
        "not evaluated", "no trust layer", "holds no incidents", "No row of the incident table",
        "was not part of this run", "keeps no features", "were not ranked",
    ):  # fmt: skip
        assert sentence in markdown
    assert "{{" not in markdown
    assert "nan" not in markdown.lower().split()


def test_a_run_without_intervals_says_so(scene):
    cells = scene.cells.drop_vars(["probability_low", "probability_high"])
    for version, said in ((replace(scene, cells=cells), 2), (scene, 0)):
        sections = build_sections(version)
        texts = [getattr(block, "text", "") for section in sections for block in section.blocks]
        assert sum("No interval was computed" in text for text in texts) == said


def test_segments_are_listed_by_rank(scene):
    lines = gpd.GeoDataFrame(
        {
            "segment_id": ["a", "b", "c"], "rank": [3, 1, 2], "rank_low": 1, "rank_high": [3, 2, 3],
            "expected": [0.1, 0.3, float("nan")], "rate_per_km": [0.01, 0.03, 0.02],
            "from_km": [0.0, 10.2, 20.4], "to_km": [10.2, 20.4, 30.6], "pair": "IRN-AFG",
        },
        geometry=[shapely.LineString([(60, 31 + k), (60, 31.1 + k)]) for k in range(3)],
        crs=4326,
    )  # fmt: skip
    sections = build_sections(replace(scene, layers={"segments": lines}))
    _, table = next(s for s in sections if s.anchor == "segments").blocks
    assert [row[1] for row in table.rows] == ["b", "c", "a"]
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert first["rank"] == "1 (1 to 2)"
    assert first["km"] == "10 to 20"
    assert (first["expected"], first["per year and 100 km"]) == ("0.3", "3")
    assert table.rows[1][4] == "–"


def test_the_same_scene_gives_the_same_report(make_scene, written, tmp_path):
    again = write_report(make_scene(), tmp_path)
    assert [p.read_bytes() for p in written] == [p.read_bytes() for p in again]


def test_markdown_links_the_figures_that_exist(scene, undrawn, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "risk.png").write_bytes(b"")
    markdown = _text(write_report(scene, tmp_path), ".md")
    assert re.findall(r"\]\((.*?)\)", markdown) == ["figures/risk.png"]


def with_card(scene, **changes):
    card = replace(scene.meta.scorecard, **changes)
    return replace(scene, meta=replace(scene.meta, scorecard=card))


def section(scene, anchor):
    return next(s for s in build_sections(scene) if s.anchor == anchor).blocks


def test_the_verdict_is_the_first_line_of_the_scorecard(scene):
    assert verdict(scene) == scene.meta.scorecard.headline[0]
    assert "not evaluated" in verdict(replace(scene, meta=SceneMeta()))


def test_counts_are_split_by_ground(scene):
    blocks = next(s for s in build_sections(scene) if s.anchor == "calibration").blocks
    classes, cells, totals = (block for block in blocks if block.kind == "table")
    assert [row[0] for row in classes.rows] == (
        ["all"] * 5 + ["repeat ground"] * 5 + ["new ground"] * 5
    )
    assert [row[:4] for row in classes.rows if row[1] == "5"] == [
        ["all", "5", "2.5", "4"],
        ["repeat ground", "5", "1.88", "3"],
        ["new ground", "5", "0.625", "1"],
    ]
    assert len(cells.rows) == 6
    assert totals.rows[0][:3] == ["2021-01-01", "6", "7"]
    said = " ".join(blocks[0].texts)
    assert "Totals of 3 periods: 18 expected, 21 reported" in said
    assert "the 90% interval held 3 (37% to 100%)" in said
    assert "25% below that of a Poisson count" in said
    assert any("25 % of the area" in block.text for block in blocks if block.kind == "paragraph")


def test_what_scored_higher_than_the_run_is_named(scene):
    part = scene.meta.scorecard.prospective
    rows = [replace(r, bits=3.0) if r.model == "history_alone" else r for r in part.summary]
    blocks = section(with_card(scene, prospective=replace(part, summary=rows)), "scorecard")
    texts = [block.text for block in blocks if block.kind == "paragraph"]
    assert texts[0] == "More bits than decayed pool (2.90): history alone (3.00)."


def test_gains_stand_beside_what_they_are_over(scene):
    table = next(b for b in section(scene, "scorecard") if b.kind == "table")
    assert table.caption == "All incidents, 1 year ahead, 14 incidents"
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert first["model"] == "decayed pool (this run)"
    assert first["over history alone"] == "+0.40 (+0.10 to +0.70)"
    assert [row[0] for row in table.rows[1:]] == [
        "history alone (baseline)", "border distance (baseline)",
    ]  # fmt: skip


def test_the_border_left_out_is_told(scene):
    gain = Gain("border_distance", -0.5, -0.8, -0.2)
    row = Behind("all", "decayed_pool", "model", 9, 1e-17, 0.5, 0.1, gain)
    found = Transfer([row], [row], 75.0, 25.0, 9, 4, {"AAA": "no incident left to train on"})
    blocks = section(with_card(scene, transfer=found), "spatial")
    method, finding, untested, table = blocks
    assert "and 25 km around it" in method.text
    assert "9 incidents; 4 are placed too vaguely" in method.text
    assert "decayed pool is worse than border distance: -0.50 (-0.80 to -0.20)" in finding.text
    assert untested.text == "Border AAA was not left out: no incident left to train on."
    assert table.rows[0][:3] == ["decayed pool (this run)", "9", "0.00"]


def test_nearest_place_with_distance_and_direction():
    places = gpd.GeoDataFrame(
        {"name": ["A", "B"]}, geometry=[shapely.Point(0, 0), shapely.Point(100_000, 0)], crs=32640
    )
    points = gpd.GeoSeries(
        [shapely.Point(3000, 4000), shapely.Point(100_000, -7000), shapely.Point(10, 0)], crs=32640
    )
    assert [str(near) for near in nearest_places(places, points)] == [
        "5 km NE of A",
        "7 km S of B",
        "A",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (float("nan"), "–"), (0.0, "0"), (0.5, "0.5"), (12345.6, "12,346"),
     (1e-6, "1.00e-06"), (True, "yes"), ([1, 2], "1, 2"), ({"a": 1}, "a 1"), ("x", "x"),
     (-0.25, "-0.25"), (100.0, "100")],
)  # fmt: skip
def test_values_are_shown_as_readers_want_them(value, text):
    assert show(value) == text


def test_shares():
    assert [percent(v) for v in (0, 1, 0.005, None, 1e-5)] == [
        "0 %",
        "100 %",
        "0.5 %",
        "–",
        "< 0.1 %",
    ]


def test_numeric_columns_are_found():
    table = Table(["a", "b", "c"], [["1,000", "x", Bars([1], "")], ["-0.5", "2", Bars([], "")]])
    assert table.numeric == [True, False, False]


def test_pictures_already_drawn_are_not_drawn_again(scene, tmp_path, monkeypatch):
    (tmp_path / "figures").mkdir()
    for name in plan(scene):
        for kind in ("png", "svg"):
            (tmp_path / "figures" / f"{name}.{kind}").write_bytes(f"{name}.{kind}".encode())
    monkeypatch.setattr("borderrisk.outputs.report.render", lambda *a, **k: 1 / 0)
    html = _text(write_report(scene, tmp_path), ".html")
    held = {b64decode(code).decode() for code in re.findall(r';base64,(.*?)"', html)}
    maps = [name for name in plan(scene) if name.startswith("risk")]
    charts = ("capture-curve", "reliability", "skill-per-origin")
    assert held == {f"{m}.png" for m in (*maps, "uncertainty")} | {f"{c}.svg" for c in charts}
    assert len(held) == 7


def test_digests_are_cut_but_not_lost(scene, undrawn, tmp_path):
    digest = "0123456789abcdef" * 4
    meta = SceneMeta(sources=[Source("Lines", sha256=digest)])
    html = _text(write_report(replace(scene, meta=meta), tmp_path), ".html")
    assert f'title="{digest}">0123456789ab…<' in html


def test_long_record_lists_say_how_many_there_are():
    table = records(({"row": k} for k in range(300)), "Rejected")
    assert len(table.rows) == 200
    assert table.caption == "Rejected (first 200 of 300)"


def test_markdown_helpers():
    assert escape_markdown("a\nb | c_d") == r"a b \| c\_d"
    assert fence("a ```` b").startswith("`````\n")
    assert spark(Bars([0, 0.5, 1], "")) == " ▄█"
