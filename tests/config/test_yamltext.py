import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderrisk.config.yamltext import parse_value, read_yaml, write_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("y", "y"), ("NO", "NO"),
        ("true", True), ("False", False), ("tRUE", "tRUE"),
        ("010", 10), ("0o10", 8), ("0x1F", 31), ("-7", -7), ("+7", 7),
        ("1_000", "1_000"), ("1:30", "1:30"), ("0b1", "0b1"),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("1.0.0", "1.0.0"),
        ("~", None), ("null", None), ("", None), ("Nil", "Nil"),
        ("2014-01-01", "2014-01-01"), ("'5'", "5"), ('"null"', "null"),
        ('"\\ud83d\\ude00"', "😀"), ('"\\ud83d"', "\ufffd"), ("9" * 5000, math.inf),
        (".inf", math.inf), ("-.Inf", -math.inf), ("[1, a, {b: 2}]", [1, "a", {"b": 2}]),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


def test_a_block_text_is_text():
    assert read_yaml("a: |\n  5\n").data == {"a": "5\n"}


def test_positions_of_keys_and_values_count_from_one():
    document = read_yaml("a:\n  - x\n  - b: {c: 5}\n")
    assert document.keys[("a", 1, "b", "c")] == (3, 9)
    assert document.values[("a", 1, "b", "c")] == (3, 12)
    assert document.values[("a", 0)] == (2, 5)


def test_position_of_an_absent_part_is_that_of_what_is_around_it():
    document = read_yaml("a:\n  b: 1\n")
    assert document.position(("a", "z", 3)) == (2, 3)
    assert document.position(("a", "z"), of_key=True) == (1, 1)
    assert document.position(("z",)) == (1, 1)


def test_a_value_that_is_not_yaml():
    with pytest.raises(ValueError, match="not valid YAML"):
        parse_value("[1")


@pytest.mark.parametrize("text", ["?0", "??", ": ?", ": 0", "?", ":", "a\x85b", "- a", "[", "#"])
def test_text_that_yaml_could_take_for_something_else_is_quoted(text):
    data = {"a": text, text: [text, "b"]}
    assert read_yaml(write_yaml(data)).data == data


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | text
scalars |= st.floats(allow_nan=False) | st.from_regex(r"\A[-+0-9._xobe:~]{1,8}\Z")
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3)
)


@given(trees)
def test_what_is_written_reads_back(data):
    document = read_yaml(write_yaml(data))
    assert document.problems == []
    assert document.data == data
    assert repr(document.data) == repr(data)
