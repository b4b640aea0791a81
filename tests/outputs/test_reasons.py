"""No sentence contradicts its numbers: every cell of several planted worlds is read again."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderrisk.features.catalogue import feature
from borderrisk.outputs.export import cells_table
from borderrisk.outputs.placefacts import Reader, breaks_of, compared, whole_shares
from borderrisk.outputs.reasons import answer, vocabulary
from borderrisk.words import PHRASES

LINES = ("afg", "pak", "tkm")
FEATURES = (
    "border_distance_km", "border_distance_afg_km", "border_distance_pak_km", "elevation_mean",
    "hours_from_border_tkm", "hours_to_kerman", "hidden_share", "border_distance_tkm_km",
    "slope_mean", "elevation_max",
)  # fmt: skip
_NUMBER = re.compile(r"[\d,.]*\d")
_THAN = re.compile(r"(?:^|[:;] )([^:;]+?) \(([^()]+)\) than (\d+) % of the area")


@pytest.fixture(scope="module", params=[0, 1, 2, 3])
def world(request, make_scene):
    """Random features, effects, shares, incidents and trust; the last world is one of ties."""
    seed = request.param
    scene = make_scene(rows=14, cols=18, seed=seed, cell_size_m=25_000)
    rng, cells = np.random.default_rng(seed), scene.cells
    inside = cells.exposure.to_numpy() > 0

    def on_grid(values, dtype="float32", **attrs):
        return (("y", "x"), np.asarray(values).astype(dtype), attrs)

    fields = {name: rng.uniform(1, 400, inside.shape) for name in FEATURES}
    fields["border_distance_km"] = np.min(
        [fields[f"border_distance_{code}_km"] for code in LINES], axis=0
    )
    fields["hidden_share"] = rng.uniform(0, 1, inside.shape)
    if seed == 3:
        fields = {name: np.round(values, -2) for name, values in fields.items()}
        fields["elevation_mean"] = np.full(inside.shape, 700.0)
    shares = rng.dirichlet([0.4] * 4, inside.shape)
    found = {name: on_grid(values) for name, values in fields.items()}
    for k, name in enumerate(("history", "recent", "ground", "even")):
        found[f"share_{name}"] = on_grid(np.where(inside, shares[..., k], np.nan))
    codes = np.argsort(rng.random((*inside.shape, len(FEATURES))))[..., :3]
    effects = np.sort(rng.normal(0, 0.6, (*inside.shape, 3)))[..., ::-1]
    flags = {"flag_values": np.arange(len(FEATURES)), "flag_meanings": " ".join(FEATURES)}
    listed = np.sort(rng.dirichlet([0.5] * 6, inside.shape))[..., ::-1]
    listed *= (shares[..., 0] + shares[..., 1])[..., None]
    rows = np.argsort(rng.random((*inside.shape, len(scene.incidents))))[..., :3]
    for k in range(3):
        code = np.where(inside, codes[..., k], -1)
        found[f"driver_{k + 1}"] = on_grid(code, "int16", **flags)
        found[f"driver_{k + 1}_effect"] = on_grid(np.where(inside, effects[..., k], np.nan))
        found[f"incident_{k + 1}"] = on_grid(np.where(inside, rows[..., k], -1), "int32")
        found[f"incident_{k + 1}_share"] = on_grid(np.where(inside, listed[..., k], np.nan))
    found["incident_reasons"] = on_grid(np.where(inside, (listed >= 0.05).sum(axis=-1), np.nan))
    return replace(scene, cells=cells.assign(found))


@pytest.fixture(scope="module")
def said(world):
    reader = Reader.of(world)
    words = {lang: vocabulary(world, lang) for lang in ("en", "fa")}
    facts = reader.cells()
    return reader, facts, {lang: [answer(f, w) for f in facts] for lang, w in words.items()}


def _area_with(reader, name, value, *, less):
    values = reader.values(name)
    than = values < value if less else values > value
    return 100 * reader.area[than].sum() / reader.area.sum()


def test_every_comparison_is_true_and_tight(said):
    reader, _, texts = said
    seen = 0
    for i, text in enumerate(texts["en"]):
        for more, _, p in _THAN.findall(text.why):
            name, less = next(
                (name, kind == "more")
                for name in FEATURES
                for kind in ("more", "less")
                if getattr(feature(name), kind)[0] == more
            )
            share = _area_with(reader, name, reader.values(name)[i], less=less)
            assert int(p) <= share + 1e-9, (text.why, share)
            assert int(p) >= 50
            seen += 1
    assert seen > 50


def test_what_raises_raises_and_what_lowers_lowers(said):
    reader, facts, _ = said
    effects = np.stack([reader.values(f"driver_{k}_effect") for k in (1, 2, 3)], axis=1)
    open_ = reader.values("share_ground") + reader.values("share_even")
    for i, found in enumerate(facts):
        names = {reader.features[code]: k for k, code in enumerate(reader.codes[i])}
        for because, sign in [(b, 1) for b in found.raising] + [(b, -1) for b in found.lowering]:
            effect = effects[i, names[because.feature]]
            assert np.sign(effect) == sign
            assert open_[i] * abs(1 - np.exp(-effect)) >= 0.05 - 1e-6
            assert because.value == reader.values(because.feature)[i]


def test_a_line_is_named_where_it_is_the_nearest_or_near(said):
    reader, facts, _ = said
    km = {code: reader.values(f"border_distance_{code}_km") for code in LINES}
    named = 0
    for i, found in enumerate(facts):
        nearest = min(km[code][i] for code in LINES)
        for because in (*found.raising, *found.lowering):
            for code in LINES:
                if f"_{code}" in because.feature:
                    assert km[code][i] <= 150 or km[code][i] == nearest
                    named += 1
    assert named > 10
    assert any(k.max() > 150 for k in km.values())


def test_shares_add_to_100_and_are_the_numbers_said(said):
    reader, facts, texts = said
    for i, (found, text) in enumerate(zip(facts, texts["en"], strict=True)):
        assert sum(found.shares) == 100
        assert np.abs(np.array(found.shares) / 100 - reader.shares[i]).max() < 0.01
        history, recent, ground, even = found.shares
        for share, words in (
            (history + recent, "of it from earlier"),
            (ground, "from the ground"),
            (even, "the same everywhere"),
        ):
            assert (f"{share} % {words}" in text.why) == (share >= 5)


def test_incidents_are_in_the_order_of_their_weight(said):
    reader, facts, texts = said
    rows, shares, reasons = reader.behind
    for i, (found, text) in enumerate(zip(facts, texts["en"], strict=True)):
        weight = dict(zip(rows[i], shares[i], strict=True))
        named = [weight[row] for row, _ in found.incidents]
        assert named == sorted(named, reverse=True)
        assert all(share >= 0.05 for share in named)
        assert len(named) + found.further == reasons[i]
        for row, km in found.incidents:
            assert km == pytest.approx(np.hypot(*(reader.incident_xy[row] - reader.xy[i])) / 1000)
        assert text.why.count("place known to") == (len(named) if sum(found.shares[:2]) >= 5 else 0)


def test_chances_lie_within_their_intervals(said):
    for text in said[2]["en"]:
        odds = [float(n.replace(",", "")) for n in re.findall(r"1 in ([\d,.]*\d)", text.chance)]
        assert len(odds) == 3 or "in 100" in text.chance
        if len(odds) == 3:
            assert odds[2] <= odds[0] <= odds[1]


def test_both_languages_say_the_same_numbers(said):
    to_ascii = str.maketrans("۰۱۲۳۴۵۶۷۸۹٬٫", "0123456789,.")
    for english, persian in zip(said[2]["en"], said[2]["fa"], strict=True):
        for name in ("chance", "expected", "rank", "why", "rely"):
            pair = [getattr(text, name).translate(to_ascii) for text in (english, persian)]
            assert sorted(_NUMBER.findall(pair[0])) == sorted(_NUMBER.findall(pair[1])), pair


def test_nothing_speaks_of_what_was_not_loaded(said):
    for text in said[2]["en"]:
        assert not re.search(r"\b(road|post|crossing)s?\b", f"{text.why} {text.rely}")


def test_a_group_of_one_cell_says_what_the_cell_says(said):
    reader, facts, _ = said
    for i in (0, 17, 50):
        weight = (np.arange(len(facts)) == i).astype(float)
        group = reader.group(weight, at=tuple(reader.xy[i]))
        assert group.shares == facts[i].shares
        assert group.incidents == facts[i].incidents
        assert set(group.raising) == set(facts[i].raising)
        assert set(group.lowering) == set(facts[i].lowering)
        assert group.trust == facts[i].trust


def test_all_cells_together_are_the_sum(said):
    reader, facts, _ = said
    whole = reader.group(np.ones(len(facts)))
    assert whole.expected.value == pytest.approx(sum(f.expected.value for f in facts))
    assert whole.chance.value >= max(f.chance.value for f in facts)
    assert sum(whole.shares) == 100
    doubts = dict(whole.doubts)
    codes, area = reader.values("trust"), reader.area
    for word, code in (("extrapolation", 1), ("edge", 3)):
        share = 100 * area[codes == code].sum() / area.sum()
        assert doubts[word] == pytest.approx(share, abs=1)
    assert whole.trust in doubts


def test_a_first_look_says_that_it_has_no_interval(world):
    bare = world.cells.drop_vars([n for n in world.cells if str(n).endswith(("_low", "_high"))])
    scene = replace(world, cells=bare)
    text = answer(Reader.of(scene).cells(np.array([3]))[0], vocabulary(scene, "en"))
    assert "no interval in a first look" in text.chance
    assert "(" not in text.rank


def test_columns_of_tables_hold_the_reasons(world, said):
    reader, facts, texts = said
    table = cells_table(world)
    assert table["why_en"].tolist() == [text.why for text in texts["en"]]
    assert table["why_fa"].tolist() == [text.why for text in texts["fa"]]
    np.testing.assert_array_equal(table["driver_2_value"], reader.driver_values[:, 1])
    top = cells_table(world, top=4)
    order = table.sort_values("intensity", ascending=False, kind="stable").head(4)
    assert top["why_en"].tolist() == order["why_en"].tolist()
    ids = world.incidents["incident_id"].tolist()
    assert table["incidents_near"].tolist() == [
        " ".join(ids[row] for row, _ in found.incidents) for found in facts
    ]


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda s: sum(s) > 0.01))
def test_whole_shares_add_to_100(shares):
    exact = np.array([shares]) / sum(shares)
    found = whole_shares(exact)
    assert found.sum() == 100
    assert np.abs(found / 100 - exact).max() < 0.01 + 1e-9


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(-1, 7))
def test_comparisons_with_ties_are_never_overstated(values, value):
    values, area = np.array(values, float), np.ones(len(values))
    than = int(compared(np.array(float(value)), breaks_of(values, area)))
    share = 100 * np.mean(values < value if than > 0 else values > value)
    assert abs(than) <= share + 1e-9 or than == 0


def test_every_phrase_has_the_same_slots_in_both_languages():
    for key, label in PHRASES.items():
        english, persian = (set(re.findall(r"{(\w+)}", label[lang])) for lang in ("en", "fa"))
        assert english == persian, key
