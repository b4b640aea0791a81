import re
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser

import geopandas as gpd
import pytest
import shapely

from borderrisk.outputs.figures import write_figures
from borderrisk.outputs.report import escape_markdown, fence, spark, write_report
from borderrisk.outputs.report.blocks import Bars, Table, percent, records, show
from borderrisk.outputs.report.chapters import build_sections
from borderrisk.outputs.report.ranked import driver_words
from borderrisk.outputs.report.scorecard import verdict
from borderrisk.outputs.scene import SceneMeta
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
        rejected=[{"row": 3, "incident_id": HOSTILE, "reason": "no date"}],
        sources=[{"title": HOSTILE, "licence": "CC0", "attribution": HOSTILE}],
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


def test_text_from_data_stays_text(hostile, tmp_path):
    paths = write_report(hostile, tmp_path)
    html, markdown = _text(paths, ".html"), _text(paths, ".md")
    page = _Page()
    page.feed(html)
    assert "script" not in page.tags
    assert html.count("&lt;script&gt;") > 5
    assert "<script>" not in re.sub(r"(`{3,})\n.*?\n\1", "", markdown, flags=re.DOTALL)
    assert "# not a heading" not in re.sub(r"(`{3,})\n.*?\n\1", "", markdown, flags=re.DOTALL)


def test_the_page_needs_no_network(scene, tmp_path):
    html = _text(write_report(scene, tmp_path), ".html")
    page = _Page()
    page.feed(html)
    assert "default-src 'none'" in html
    assert all(link.startswith(("data:image/", "#")) for link in page.links)
    assert "link" not in page.tags
    assert not re.search(r"url\(|@import", html)


def test_every_section_is_linked(scene, tmp_path):
    html = _text(write_report(scene, tmp_path), ".html")
    anchors = re.findall(r'<section id="([a-z]+)"', html)
    assert anchors == [section.anchor for section in build_sections(scene)]
    assert re.findall(r'href="#([a-z]+)"', html)[1:] == anchors


def test_the_numbers_are_those_of_the_scene(scene, tmp_path):
    markdown = _text(write_report(scene, tmp_path), ".md")
    strongest = scene.cells.intensity.to_numpy()
    row, col = divmod(int((-strongest).ravel().argsort()[0]), strongest.shape[1])
    first = next(line for line in markdown.splitlines() if line.startswith("| 1 (1 to 7) |"))
    assert f"| r{row:03d}c{col:03d} |" in first
    assert "pooled gains 0.40 bits per incident over the best baseline (kde)" in markdown


def test_what_is_absent_is_a_sentence(scene, tmp_path):
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


def test_drivers_keep_the_case_of_names(scene):
    long_name = {"long_name": "Walking time from the border with Turkmenistan"}
    cells = scene.cells.assign(hours_from_border_tkm=scene.cells["risk"].assign_attrs(long_name))
    bare = replace(scene, cells=cells)
    assert driver_words(bare, "hours_from_border_tkm").endswith("walking time from the border with"
                                                            " Turkmenistan")  # fmt: skip
    assert driver_words(bare, "share_history") == "share history"


def test_segments_are_listed_by_rank(scene):
    lines = gpd.GeoDataFrame(
        {
            "segment_id": ["a", "b", "c"], "rank": [3, 1, 2], "rank_low": 1, "rank_high": [3, 2, 3],
            "expected_per_year": [0.1, 0.3, float("nan")], "rate_per_km": [0.01, 0.03, 0.02],
            "from_km": [0.0, 10.2, 20.4], "to_km": [10.2, 20.4, 30.6], "driver_1": "slope_mean",
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
    assert (first["per year"], first["per year and 100 km"]) == ("0.3", "3")
    assert first["drivers"] == "mean slope"
    assert table.rows[1][4] == "–"


def test_the_same_scene_gives_the_same_report(make_scene, tmp_path):
    first, second = (write_report(make_scene(), tmp_path / str(k)) for k in (1, 2))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_markdown_links_the_figures_that_exist(scene, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "risk.png").write_bytes(b"")
    markdown = _text(write_report(scene, tmp_path), ".md")
    assert re.findall(r"\]\((.*?)\)", markdown) == ["figures/risk.png"]


@pytest.mark.parametrize(
    ("bits", "low", "high", "says"),
    [
        (0.4, 0.1, 0.7, "gains 0.40 bits"),
        (0.2, -0.1, 0.5, "not clearly better"),
        (-0.3, -0.5, 0.1, "use the baseline instead"),
        (0.4, None, None, "gains 0.40 bits per incident over the best baseline (kde)."),
    ],
)
def test_the_verdict_is_honest(scene, bits, low, high, says):
    gain = {"baseline": "kde", "bits": bits, "low": low, "high": high}
    row = {"model": "gam", "role": "model", "subset": "all", "horizon_years": 1, "gain": gain}
    card = {"prospective": {"summary": [row]}}
    assert says in verdict(replace(scene, meta=SceneMeta(scorecard=card)))


def test_counts_are_split_by_ground(scene):
    blocks = next(s for s in build_sections(scene) if s.anchor == "calibration").blocks
    classes, cells = (block for block in blocks if block.kind == "table")
    assert [row[0] for row in classes.rows] == (
        ["all"] * 5 + ["repeat ground"] * 5 + ["new ground"] * 5
    )
    assert [row[:4] for row in classes.rows if row[1] == "5"] == [
        ["all", "5", "2.5", "4"],
        ["repeat ground", "5", "1.88", "3"],
        ["new ground", "5", "0.625", "1"],
    ]
    assert len(cells.rows) == 6
    assert any("25 % of the area" in block.text for block in blocks if block.kind == "paragraph")


def test_older_scorecards_have_counts_of_all_ground(scene):
    card = dict(scene.meta.scorecard)
    card["prospective"] = {k: v for k, v in card["prospective"].items() if k != "subsets"}
    sections = build_sections(replace(scene, meta=SceneMeta(scorecard=card)))
    blocks = next(s for s in sections if s.anchor == "calibration").blocks
    tables = [block for block in blocks if block.kind == "table"]
    assert [len(table.rows) for table in tables] == [5, 2]
    assert tables[0].columns[0] == "risk class"


def test_a_gain_in_capture_is_in_points(scene):
    section = next(s for s in build_sections(scene) if s.anchor == "scorecard")
    table = next(b for b in section.blocks if b.kind == "table" and b.caption.startswith("Forward"))
    assert table.columns[-1] == "gain in capture 10 %"
    assert [row[-1] for row in table.rows] == ["+5.0 (-1.0 to +12.5)", "–", "–"]


def _card(own, rows, **more):
    summary = [
        {"model": m, "role": role, "subset": "all", "horizon_years": 1, "bits": bits,
         "gain": {"baseline": "kde", "bits": gain, "low": gain - 0.1, "high": gain + 0.1}}
        for m, role, bits, gain in rows
    ]  # fmt: skip
    return {"prospective": {"summary": summary}, **more} | ({"model": own} if own else {})


def test_the_verdict_is_about_the_model_of_the_config(scene):
    rows = [("history", "model", 3.0, 0.9), ("gam", "model", 2.0, -0.2)]
    scene = replace(scene, meta=SceneMeta(scorecard=_card("gam", rows)))
    assert "gam loses 0.20 bits" in verdict(scene)
    section = next(s for s in build_sections(scene) if s.anchor == "scorecard")
    texts = [block.text for block in section.blocks if block.kind == "paragraph"]
    assert any("scored higher: history (3.00)" in text for text in texts)
    older = replace(scene, meta=SceneMeta(scorecard=_card(None, rows)))
    assert "history gains" in verdict(older)


def test_headline_and_the_border_left_out_are_told(scene):
    card = _card(
        "gam", [("gam", "model", 2.0, 0.3)], headline=["sixteen words"],
        spatial={
            "summary": [{"fold": "all", "model": "gam", "bits": 1e-17,
                         "gain": {"bits": -0.5, "low": -0.8, "high": -0.2}}],
            "block_km": 75.0, "buffer_km": 25.0, "scored": 9, "unscored": 4,
            "untested": [{"fold": "AAA", "reason": "no incident left to train on"}],
        },
    )  # fmt: skip
    sections = {s.anchor: s for s in build_sections(replace(scene, meta=SceneMeta(scorecard=card)))}
    assert "sixteen words" in sections["scorecard"].blocks[1].texts
    method, border, table, untested = sections["spatial"].blocks
    assert "with 25 km around it" in method.text
    assert "4 incidents are too vaguely placed" in method.text
    assert "gam loses against the distance to the border" in border.text
    assert "-0.50 (-0.80 to -0.20)" in border.text
    assert table.caption == "Behind a border left out"
    assert table.rows[0][:3] == ["gam (this run)", "–", "0.00"]
    assert untested.rows == [["AAA", "no incident left to train on"]]


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


def test_a_gain_that_spans_nought_is_level(scene):
    gain = {"baseline": "kde", "bits": 0.4, "low": -0.3, "high": 1.2}
    row = {"fold": "all", "model": "gam", "gain": gain}
    card = {"model": "gam", "spatial": {"summary": [row]}}
    sections = build_sections(replace(scene, meta=SceneMeta(scorecard=card)))
    text = next(s for s in sections if s.anchor == "spatial").blocks[1].text
    assert "gam is level with the distance to the border" in text
    assert "0.40 (-0.30 to 1.20)" in text


def test_pictures_already_drawn_are_not_drawn_again(scene, tmp_path, monkeypatch):
    write_figures(scene, tmp_path / "figures", ("png", "svg"))
    monkeypatch.setattr("borderrisk.outputs.report.render", lambda *a, **k: 1 / 0)
    html = _text(write_report(scene, tmp_path), ".html")
    drawn = b64encode((tmp_path / "figures" / "risk.png").read_bytes()).decode()
    assert html.count("<img") == 7
    assert drawn in html


def test_digests_are_cut_but_not_lost(scene, tmp_path):
    digest = "0123456789abcdef" * 4
    sources = [{"title": "Lines", "sha256": digest}]
    html = _text(write_report(replace(scene, meta=SceneMeta(sources=sources)), tmp_path), ".html")
    assert f'title="{digest}">0123456789ab…<' in html


def test_long_record_lists_say_how_many_there_are():
    table = records(({"row": k} for k in range(300)), "Rejected")
    assert len(table.rows) == 200
    assert table.caption == "Rejected (first 200 of 300)"


def test_markdown_helpers():
    assert escape_markdown("a\nb | c_d") == r"a b \| c\_d"
    assert fence("a ```` b").startswith("`````\n")
    assert spark(Bars([0, 0.5, 1], "")) == " ▄█"
