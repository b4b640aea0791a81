import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import borderrisk
from borderrisk.errors import DataError, OutputError
from borderrisk.runs import RunFolder, folder

SOURCE = str(Path(borderrisk.__file__).parents[1])


def finished(path, name="one"):
    with RunFolder(path) as run:
        (run.path / "manifest.json").write_text(f'"{name}"')


def everything_below(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


def test_appears_only_when_complete(tmp_path):
    final = tmp_path / "runs" / "a"
    with RunFolder(final) as run:
        (run.path / "cells.txt").write_text("1")
        assert run.path.parent == final.parent
        assert not final.exists()
    assert everything_below(tmp_path) == ["runs", "runs/a", "runs/a/cells.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, DataError, SystemExit])
def test_an_error_in_the_body_leaves_nothing(tmp_path, error):
    with pytest.raises(error), RunFolder(tmp_path / "new" / "deep" / "a") as run:
        (run.path / "half").mkdir()
        raise error("stop")
    assert everything_below(tmp_path) == []


def test_an_error_leaves_parents_that_others_use(tmp_path):
    finished(tmp_path / "runs" / "first")
    with pytest.raises(ValueError, match="stop"), RunFolder(tmp_path / "runs" / "second"):
        raise ValueError("stop")
    assert everything_below(tmp_path) == ["runs", "runs/first", "runs/first/manifest.json"]


BODY = """
    import sys, time
    from borderrisk.runs import RunFolder
    with RunFolder(sys.argv[1]) as run:
        (run.path / "half.txt").write_text("half")
        print("inside", flush=True)
        time.sleep(60)
"""


def start(path):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BODY), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": SOURCE},
    )
    assert child.stdout.readline() == "inside\n"
    return child


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_process_told_to_stop_leaves_nothing(tmp_path, number, code):
    child = start(tmp_path / "runs" / "a")
    child.send_signal(number)
    assert child.wait(20) == code
    assert everything_below(tmp_path) == []


def test_the_next_run_sweeps_up_after_a_killed_one_but_not_after_a_living_one(tmp_path):
    dead, alive = start(tmp_path / "dead"), start(tmp_path / "alive")
    try:
        dead.kill()
        dead.wait(20)
        finished(tmp_path / "b")
        left = {p.name.split(".")[1] for p in tmp_path.glob(".*.partial")}
        assert left == {"alive"}
    finally:
        alive.terminate()
        alive.wait(20)
    assert everything_below(tmp_path) == ["b", "b/manifest.json"]


def test_signals_mean_what_they_did_afterwards(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    finished(tmp_path / "a")
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_existing_run_is_kept_unless_forced(tmp_path):
    finished(tmp_path / "a", "old")
    with (
        pytest.raises(OutputError, match=r"holds a run already; .*--force"),
        RunFolder(tmp_path / "a"),
    ):
        pass
    with RunFolder(tmp_path / "a", force=True) as run:
        (run.path / "manifest.json").write_text('"new"')
    assert (tmp_path / "a" / "manifest.json").read_text() == '"new"'
    assert everything_below(tmp_path) == ["a", "a/manifest.json"]


def test_a_failed_forced_run_keeps_the_old_one(tmp_path):
    finished(tmp_path / "a", "old")
    with pytest.raises(ValueError, match="x"), RunFolder(tmp_path / "a", force=True):
        raise ValueError("x")
    assert (tmp_path / "a" / "manifest.json").read_text() == '"old"'


def test_a_folder_of_something_else_is_never_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with (
        pytest.raises(OutputError, match="holds no run"),
        RunFolder(tmp_path / "photos", force=True),
    ):
        pass
    assert (tmp_path / "photos" / "cat.jpg").exists()


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "a").mkdir()
    finished(tmp_path / "a")
    assert everything_below(tmp_path) == ["a", "a/manifest.json"]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(OutputError, match="is a file"), RunFolder(tmp_path / "a"):
        pass
    with (
        pytest.raises(OutputError, match=r"cannot be written .*--out"),
        RunFolder(tmp_path / "a" / "b"),
    ):
        pass


def test_an_unwritable_parent(tmp_path, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="Permission denied"), RunFolder(tmp_path / "a"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"disk is full; .*--out"), RunFolder(tmp_path / "a"):
        Path("/dev/full").write_text("x")
    assert everything_below(tmp_path) == []


def test_a_full_disk_is_seen_behind_another_librarys_error(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "_free_bytes", lambda _: 10)
    with pytest.raises(OutputError, match="disk is full"), RunFolder(tmp_path / "a"):
        raise RuntimeError("writing band 3 failed")


def test_two_runs_to_one_name_the_second_is_refused(tmp_path):
    with pytest.raises(OutputError, match="holds a run already"), RunFolder(tmp_path / "a") as run:
        (run.path / "manifest.json").write_text('"late"')
        finished(tmp_path / "a", "early")
    assert everything_below(tmp_path) == ["a", "a/manifest.json"]
    assert (tmp_path / "a" / "manifest.json").read_text() == '"early"'
