import json
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderrisk.errors import DataError, OutputError
from borderrisk.model import ledger

WORDS = st.text(max_size=8).filter(lambda s: s not in {"index", "utc", "previous", "hash"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
ENTRIES = st.lists(st.dictionaries(WORDS, VALUES, max_size=3), min_size=2, max_size=5)


def written(folder, entries):
    path = folder / "forecasts.jsonl"
    path.unlink(missing_ok=True)
    return path, [ledger.append(path, entry) for entry in entries]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ledger")


def test_hashes_by_hand(tmp_path):
    path, (first, second) = written(tmp_path, [{"name": "a"}, {"name": "b"}])
    text = f'{{"index":0,"name":"a","previous":"{"0" * 64}","utc":"{first["utc"]}"}}'
    assert first["hash"] == sha256(text.encode()).hexdigest()
    assert (second["index"], second["previous"]) == (1, first["hash"])
    assert first["utc"].endswith("+00:00")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [first, second]


@given(ENTRIES)
def test_what_was_appended_is_read_back(folder, entries):
    path, added = written(folder, entries)
    found = ledger.check(path)
    assert found == added
    for entry, given_ in zip(found, entries, strict=True):
        assert {k: v for k, v in entry.items() if k in given_} == given_
        assert set(entry) == set(given_) | {"index", "utc", "previous", "hash"}


@given(ENTRIES, st.data())
def test_any_changed_byte_is_found(folder, entries, data):
    path, _ = written(folder, entries)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    line = bytes(content[:at]).count(b"\n") + 1
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"line {line}: "):
        ledger.check(path)


@given(ENTRIES, st.data())
def test_removed_and_moved_lines_are_found(folder, entries, data):
    path, _ = written(folder, entries)
    lines = path.read_bytes().splitlines(keepends=True)
    gone = data.draw(st.integers(0, len(lines) - 2))
    path.write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
    with pytest.raises(DataError, match=f"line {gone + 1}: does not follow"):
        ledger.check(path)
    lines[gone], lines[gone + 1] = lines[gone + 1], lines[gone]
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=f"line {gone + 1}: does not follow"):
        ledger.check(path)


@pytest.mark.parametrize("change", [(b'":', b'": '), (b'"n":1', b'"n":2,"n":1'), (b"1.5", b"1.50")])
def test_a_change_that_means_the_same_is_found(tmp_path, change):
    path, _ = written(tmp_path, [{"n": 1, "x": 1.5}])
    content = path.read_bytes()
    path.write_bytes(content.replace(*change))
    assert json.loads(path.read_bytes()) == json.loads(content)
    with pytest.raises(DataError, match="line 1: was changed"):
        ledger.check(path)


def test_a_changed_entry_with_a_new_hash_breaks_the_next_line(tmp_path):
    path, (first, _) = written(tmp_path, [{"name": "a"}, {"name": "b"}])
    forged = first | {"name": "better"}
    forged["hash"] = ledger.seal(forged)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(ledger.canonical(forged) + b"\n" + lines[1])
    with pytest.raises(DataError, match="line 2: does not follow"):
        ledger.check(path)


def test_lines_cut_off_at_the_end_show_with_the_last_hash(tmp_path):
    path, added = written(tmp_path, [{"n": 1}, {"n": 2}])
    last = added[1]["hash"]
    assert len(ledger.check(path, holds=last)) == 2
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0])
    assert len(ledger.check(path)) == 1
    with pytest.raises(DataError, match=last):
        ledger.check(path, holds=last)


def test_a_torn_line_is_named_and_nothing_is_added_to_it(tmp_path):
    path, _ = written(tmp_path, [{"n": 1}, {"n": 2}])
    torn = path.read_bytes()[:-10]
    path.write_bytes(torn)
    for use in (ledger.check, lambda p: ledger.append(p, {"n": 3})):
        with pytest.raises(DataError, match="line 2: is cut off"):
            use(path)
    assert path.read_bytes() == torn


@pytest.mark.parametrize("line", ["[1]", "7", "{}", '"text"', "", "[" * 100_000])
def test_lines_that_are_no_entry(tmp_path, line):
    path = tmp_path / "forecasts.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DataError, match="line 1: was changed"):
        ledger.check(path)


def test_concurrent_appends_make_one_chain(tmp_path):
    path = tmp_path / "new" / "forecasts.jsonl"
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda n: ledger.append(path, {"n": n}), range(40)))
    found = ledger.check(path)
    assert sorted(entry["n"] for entry in found) == list(range(40))
    assert sorted(entry["index"] for entry in added) == list(range(40))


def test_a_failed_write_leaves_the_ledger_as_it_was(tmp_path, monkeypatch):
    path, _ = written(tmp_path, [{"n": 1}])
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        ledger.append(path, {"n": 2})
    assert path.read_bytes() == before


def test_entries_that_cannot_be_kept(tmp_path):
    path = tmp_path / "forecasts.jsonl"
    with pytest.raises(ValueError, match="hash"):
        ledger.append(path, {"hash": "mine"})
    with pytest.raises(ValueError, match="JSON"):
        ledger.append(path, {"value": float("nan")})
    assert not path.exists()


def test_a_missing_ledger(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        ledger.check(tmp_path / "none.jsonl")


def test_a_forecast_is_found_by_its_hash(tmp_path):
    path, (_, second) = written(tmp_path, [{"forecast": "aa"}, {"forecast": "bb"}])
    assert ledger.entry_of(path, "bb") == second
    with pytest.raises(DataError, match="cc is not recorded here"):
        ledger.entry_of(path, "cc")
    path.write_bytes(path.read_bytes().replace(b"aa", b"ab"))
    with pytest.raises(DataError, match="line 1: was changed"):
        ledger.entry_of(path, "bb")


def test_an_interrupted_write_leaves_the_ledger_as_it_was(tmp_path, monkeypatch):
    path, _ = written(tmp_path, [{"n": 1}])
    before = path.read_bytes()

    def stop(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", stop)
        with pytest.raises(KeyboardInterrupt):
            ledger.append(path, {"n": 2})
    assert path.read_bytes() == before
    assert ledger.append(path, {"n": 2})["index"] == 1
