import base64
import hashlib
import json
import re
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from tests.webmap.conftest import card_of, skill

from borderrisk.errors import ConfigError, OutputError
from borderrisk.evaluation.scorecard import Gain
from borderrisk.features.catalogue import DECLARED, GROUPS
from borderrisk.outputs.scene import SceneMeta
from borderrisk.outputs.webmap import render_map, write_map
from borderrisk.outputs.webmap.columns import described
from borderrisk.outputs.webmap.maplayers import kind_mark, layer_json, name_spots, plain, worded
from borderrisk.outputs.webmap.page import asset, build_page
from borderrisk.outputs.webmap.payload import headline, to_json
from borderrisk.words import kind_label, slug

STRINGS = json.loads(asset("strings.json"))


@pytest.fixture(scope="module")
def page(scene):
    return render_map(scene)


def policy_of(page):
    return re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]


def test_same_scene_same_bytes(scene, page):
    assert render_map(scene) == page


def test_nothing_is_fetched(page):
    assert not re.findall(r"(?:src|href)=[\"']?(?!data:)[a-z./]", page.split("<script>")[0])
    assert not re.findall(r"<(?:link|iframe|object|embed)\b", page)
    assert not re.findall(r"<script[^>]+src=", page)
    assert "url(" not in re.sub(r"url\(data:", "", page.split("</style>")[0])


def test_only_the_pages_own_scripts_may_run(page):
    policy = policy_of(page)
    assert policy.startswith("default-src 'none'")
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    for code in re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "http" not in policy


def test_tiles_open_the_policy_for_one_host_only(scene):
    page = render_map(scene, tiles="https://{s}.tiles.example.org/{z}/{x}/{y}.png")
    images = policy_of(page).split("img-src")[1].split(";")[0]
    assert images.split() == ["data:", "blob:", "https://*.tiles.example.org"]


@pytest.mark.parametrize(
    "tiles",
    [
        "file:///etc/{z}/{x}/{y}",
        "https://a b/{z}/{x}/{y}",
        "https://h;x/{z}/{x}/{y}",
        "https://h/1",
    ],
)
def test_unusable_tiles_are_refused(scene, tiles):
    with pytest.raises(ConfigError, match="tiles"):
        render_map(scene, tiles=tiles)


def test_unknown_languages_are_refused(scene):
    with pytest.raises(ConfigError, match="'de'"):
        render_map(scene, language="de")


def test_write_map_says_where_it_failed(scene, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_map(scene, tmp_path / "file" / "map.html")
    write_map(scene, tmp_path / "new" / "map.html", focus="east", language="fa")
    assert '<html lang="fa">' in (tmp_path / "new" / "map.html").read_text(encoding="utf-8")


def test_data_cannot_leave_its_script_element(page):
    config = re.search(r'id="br-config">(.*?)</script>', page, flags=re.DOTALL)[1]
    assert "<" not in config
    places = json.loads(config)["places"]
    assert any("<script>" in place["n"] for place in places)
    assert json.loads(to_json({"a": "</script>\u2028&"})) == {"a": "</script>\u2028&"}


def test_a_bare_scene_still_makes_a_map(scene):
    bare = type(scene)(
        area=scene.area,
        cells=scene.cells[["risk"]].assign_coords(spatial_ref=scene.cells["spatial_ref"]),
        borders=scene.borders.iloc[:0],
        settlements=scene.settlements.iloc[:0],
        incidents=scene.incidents.iloc[:0],
        relief=None,
        focuses=(),
        meta=SceneMeta(),
    )
    assert "br-col-risk" in render_map(bare)


def test_both_languages_say_the_same_things():
    texts = STRINGS
    assert texts["en"].keys() == texts["fa"].keys()
    for key, text in texts["en"].items():
        places = set(re.findall(r"\{\w+\}", text))
        assert places == set(re.findall(r"\{\w+\}", texts["fa"][key])), key


def test_every_heading_of_the_list_of_layers_has_a_name():
    for texts in STRINGS.values():
        assert {*GROUPS, "scores", "other"} <= texts.keys()


def test_every_declared_feature_has_a_persian_name():
    examples = {"radius": "5", "ccc": "afg", "size": "100000", "target": "crossings"}
    for feature in DECLARED:
        name = feature.name.format(**examples)
        assert described(name).fa, name
        assert described(name).fa != described(name).en
    assert described("border_distance_afg_km").fa == "فاصله تا مرز افغانستان"
    assert kind_label("border_clash")["fa"] == "درگیری مرزی"
    assert kind_label("new_kind") == {"en": "new kind", "fa": "new kind"}


def test_unknown_layers_get_a_plain_style_and_all_columns():
    frame = gpd.GeoDataFrame(
        {"name": ["a", "b"], "score": [1.23456789, np.nan]},
        geometry=[shapely.Point(60, 31), shapely.Point(80, 31)],
        crs=4326,
    )
    layer = layer_json("night_lights", frame, shapely.box(59, 30, 61, 32))
    assert layer["label"]["en"] == "Night lights"
    assert [field["en"] for field in layer["fields"]] == ["Name", "Score"]
    assert [feature["p"] for feature in layer["features"]] == [["a", 1.23457]]
    assert layer["features"][0]["c"].startswith("#")


def test_segments_are_coloured_by_rank():
    line = shapely.LineString([(60, 31), (60.1, 31)])
    frame = gpd.GeoDataFrame({"rate_per_km": np.arange(100.0)}, geometry=[line] * 100, crs=4326)
    layer = layer_json("segments", frame, shapely.box(59, 30, 61, 32))
    classes = [feature["k"] for feature in layer["features"]]
    assert np.bincount(classes).tolist() == [50, 25, 15, 7, 3]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pd.NaT, None),
        (pd.NA, None),
        (np.float32("inf"), None),
        (np.int64(3), 3),
        (np.True_, True),
        (pd.Timestamp("2020-02-03"), "2020-02-03"),
        ((1, 2), "(1, 2)"),
    ],
)
def test_plain_values(value, expected):
    assert plain(value) == expected


def test_headline_of_a_scorecard(scene):
    line = headline(scene.meta.scorecard)
    assert (line["model"], line["baseline"]) == ("decayed_pool", "history_alone")
    assert (line["origins"], line["incidents"], line["horizon_years"]) == (3, 41, 1)
    assert (line["capture"], line["baseline_capture"]) == (0.78, 0.7)
    assert (line["gain"], line["low"], line["high"]) == (0.31, 0.08, 0.55)


def test_no_evaluation_no_headline():
    assert headline(None) is None
    assert headline(card_of("glm")) is None


def test_headline_is_about_the_configs_model_at_the_shortest_horizon():
    """Never simply the model that scored best."""
    gain = Gain("history_alone", -0.1, -0.2, 0.1)
    card = card_of(
        "glm",
        skill("glm", "model", 9.0, 0.9, horizon_years=3),
        skill("glm", "model", 2.0, 0.5, gain, horizon_years=2),
        skill("random_forest", "model", 2.5, 0.8, horizon_years=2),
        skill("glm", "model", 5.0, 0.6, horizon_years=2, subset="new"),
        skill("history_alone", "baseline", 2.1, 0.6, horizon_years=2),
        years=(2, 3),
    )
    line = headline(card)
    assert (line["model"], line["horizon_years"], line["capture"]) == ("glm", 2, 0.5)
    assert (line["baseline"], line["baseline_capture"], line["gain"]) == (
        "history_alone",
        0.6,
        -0.1,
    )


def test_kinds_never_share_a_mark_but_for_other():
    kinds = [f"kind {i}" for i in range(12)]
    marks = [tuple(kind_mark(kind, i).items()) for i, kind in enumerate(kinds)]
    assert len(set(marks)) == 12
    assert kind_mark("other", 0) == kind_mark("one too many", 12)


def test_names_of_countries_keep_to_their_own_side():
    rng = np.random.default_rng(3)
    west = np.column_stack([rng.uniform(0, 5, 80), rng.uniform(0, 6, 80)])
    east = west + np.array([5, 0])
    nodes = np.column_stack([a.ravel() for a in np.meshgrid(np.arange(0, 10, 0.5), range(6))])
    spots = name_spots(west, east, nodes)
    np.testing.assert_allclose(spots[0], np.median(west, axis=0))
    assert len(spots) > 10
    assert (spots[:, 0] < 5.5).all()
    assert len(name_spots(west, east[:0], nodes)) == 1


def test_codes_of_layers_become_words():
    assert worded("pair", "IRN-TKM")["fa"] == "ایران – ترکمنستان"
    assert worded("target", "zahedan", {"zahedan": "زاهدان"}) == {"en": "Zahedan", "fa": "زاهدان"}
    assert worded("driver_1", "slope_mean")["fa"] == "میانگین شیب"
    assert worded("driver_1", "unheard_of") == "unheard_of"
    assert worded("trust", "sparse")["en"] == "few incidents near"
    assert worded("rank", 3) == 3
    assert worded("pair", None) is None


def test_places_have_their_persian_names_inside_features():
    places = {slug("Chāh Bahār"): "چابهار"}
    assert "چابهار" in described("hours_to_chah_bahar", places=places).fa
    assert described("hours_to_chah_bahar").en == "Walking time to Chah Bahar"
    assert "ترکمنستان" in described("border_distance_tkm_km").fa
    slack = described("slack_kerman", {"long_name": "Slack", "units": "h"}, {"kerman": "کرمان"})
    assert "کرمان" in slack.fa


def test_scripts_planted_in_a_received_run_may_not_run(scene):
    evil = '"></script><script>window.hacked=2</script>'
    variable = scene.cells["slope_mean"]
    cells = scene.cells.assign({evil: variable.assign_attrs(long_name=evil, units=evil)})
    meta = replace(scene.meta, title=evil, statement=evil, run_id=evil)
    page = render_map(replace(scene, cells=cells, meta=meta))
    assert "<script>window.hacked" not in page
    page = build_page(
        title=evil, language="en", bounds=(60, 30, 61, 31), config=to_json({"a": evil}),
        blobs={evil: "AA=="}, relief=None, tiles=None,
    )  # fmt: skip
    assert "<script>window.hacked" not in page
    # Should text reach the page as it is after all, it is not among what may run.
    page = build_page(
        title="t", language="en", bounds=(60, 30, 61, 31), config=evil, blobs={}, relief=None,
        tiles=None,
    )  # fmt: skip
    digest = base64.b64encode(hashlib.sha256(b"window.hacked=2").digest()).decode()
    assert "<script>window.hacked=2</script>" in page
    assert f"'sha256-{digest}'" not in policy_of(page)
