from datetime import UTC, datetime, timedelta, timezone

import pytest

from borderrisk.errors import DataError
from borderrisk.runs import RunFolder, find_run, new_run_id

NOON = datetime(2024, 1, 3, 12, 0, 5, tzinfo=UTC)


def make(folder):
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    return folder


def test_run_id_is_utc_and_hash(tmp_path):
    tehran = NOON.astimezone(timezone(timedelta(hours=3.5)))
    assert new_run_id(tmp_path, "0123456789abcdef", tehran) == "20240103T120005Z-01234567"


def test_run_id_is_unused(tmp_path):
    first = new_run_id(tmp_path, "0" * 64, NOON)
    make(tmp_path / first)
    second = new_run_id(tmp_path, "0" * 64, NOON)
    with RunFolder(tmp_path / second):
        assert new_run_id(tmp_path, "0" * 64, NOON) == f"{first}-3"
    assert second == f"{first}-2"


def test_find_run_takes_a_run_or_the_latest_of_a_config(tmp_path):
    old = make(tmp_path / "mashhad" / "20230101T000000Z-ffffffff")
    new = make(tmp_path / "mashhad" / "20240101T000000Z-00000000")
    (tmp_path / "mashhad" / "20250101T000000Z-00000000").mkdir()  # not finished
    make(tmp_path / "mashhad" / ".20260101T000000Z-00000000.abc.partial")
    assert find_run(old) == old
    assert find_run(str(tmp_path / "mashhad")) == new


def test_find_run_says_what_is_there(tmp_path):
    with pytest.raises(DataError, match="no such run"):
        find_run(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"holds no finished run \(no manifest.json\)\.$"):
        find_run(tmp_path)
    make(tmp_path / "b" / "20230101T000000Z-ffffffff")
    make(tmp_path / "a" / "20230101T000000Z-ffffffff")
    with pytest.raises(DataError, match="give one of a, b in it"):
        find_run(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file"):
        find_run(tmp_path / "file")
