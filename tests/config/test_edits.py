"""Keys set and taken out in a config's text, of which all else stays to the letter."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderrisk.config.yamltext import edit_yaml, read_yaml

TEXT = """# Mine.
name: a          # short
data:
  # Where they are.
  elevation:
    path:        # two
      - one.tif
      - two.tif
    units: ft    # feet
  incidents: {path: in.csv, layout: table, columns: {date: day}}

# Far places.
features:
  travel: {enabled: true}
seed: 3
"""


def changed(key, value):
    """Lines that went, and lines that came."""
    before, after = TEXT.splitlines(), edit_yaml(TEXT, key, value).splitlines()
    return [x for x in before if x not in after], [x for x in after if x not in before]


@pytest.mark.parametrize(
    ("key", "value", "gone", "new"),
    [
        ("name", "b c", ["name: a          # short"], ["name: b c          # short"]),
        ("data.elevation.units", None, ["    units: ft    # feet"], []),
        ("data.elevation.path", "dem", ["    path:        # two", "      - one.tif",
                                        "      - two.tif"], ["    path: dem"]),
        ("data.roads", "r.geojson", [], ["  roads: r.geojson"]),
        ("data.elevation.bad_values", [-9], [], ["    bad_values: [-9]"]),
        ("data.none", None, [], []),
        ("grid.cell_size_m", 5, [], ["grid:", "  cell_size_m: 5"]),
    ],
)  # fmt: skip
def test_one_place_changes(key, value, gone, new):
    assert changed(key, value) == (gone, new)


def test_flow_mappings_stay_on_their_line():
    line = "  incidents: {path: in.csv, layout: table, columns: {date: day}}"
    for key, value, after in (
        ("data.incidents.columns", None, "  incidents: {path: in.csv, layout: table}"),
        ("data.incidents.path", None, "  incidents: {layout: table, columns: {date: day}}"),
        ("data.incidents.layout", "gtd", line.replace("table", "gtd")),
        ("data.incidents.end", "2020-01-01", line[:-1] + ", end: '2020-01-01'}"),
    ):
        assert changed(key, value) == ([line], [after])
    speeds = {"trunk": 90, "on": 1}
    (_, (line,)) = changed("features.travel.road_speeds_kmh", speeds)
    assert line == "  travel: {enabled: true, road_speeds_kmh: {trunk: 90, on: 1}}"


def test_a_new_key_stands_before_the_comment_of_the_next_section():
    lines = edit_yaml(TEXT, "data.roads", "r").splitlines()
    at = lines.index("  roads: r")
    assert lines[at - 1].startswith("  incidents:")
    assert lines[at + 1 : at + 3] == ["", "# Far places."]


def test_a_section_that_is_empty_or_at_the_end_without_a_line_end():
    assert edit_yaml("a:\nb: 1", "a.x", 2) == "a: {x: 2}\nb: 1"
    assert edit_yaml("a: 1", "b", 2) == "a: 1\nb: 2\n"
    assert edit_yaml("a: null", "a.x.y", 2) == "a: {x: {y: 2}}"


keys = st.sampled_from([
    "name", "seed", "data.roads", "data.elevation.path", "data.elevation.units", "x.y",
    "data.incidents.layout", "data.incidents.columns", "features.travel.targets", "data.incidents.z"
])  # fmt: skip
values = st.one_of(
    st.integers(-9, 9), st.text("ab: #{}[],'\"\\-?&*!|>%@`é", min_size=1, max_size=6),
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 9), min_size=1),
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(keys, st.one_of(st.none(), values)), max_size=5))
def test_what_is_read_back_is_what_was_set(edits):
    text, expected = TEXT, read_yaml(TEXT).data
    for key, value in edits:
        text = edit_yaml(text, key, value)
        *parents, last = key.split(".")
        place = expected
        for name in parents:
            place = place.setdefault(name, {}) if value is not None else place.get(name, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    found = read_yaml(text)
    assert not found.problems
    assert found.data == expected
    assert text.startswith("# Mine.\n")
