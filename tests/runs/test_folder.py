import errno
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

import borderrisk
from borderrisk.errors import DataError, OutputError
from borderrisk.runs import folder
from borderrisk.runs.folder import RunFolder, check_target
from borderrisk.runs.hashing import check_sums
from borderrisk.runs.manifest import write_manifest

SOURCE = str(Path(borderrisk.__file__).parents[1])


def finished(path, name="one", **how):
    with RunFolder(path, **how) as run:
        write_manifest(run.path, {"name": name})


def name_of(path):
    return json.loads((path / "manifest.json").read_text())["name"]


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
    from borderrisk.runs.folder import RunFolder
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
    finished(tmp_path / "a", "new", force=True)
    assert name_of(tmp_path / "a") == "new"
    assert everything_below(tmp_path) == ["a", "a/manifest.json"]


def test_a_failed_forced_run_keeps_the_old_one(tmp_path):
    finished(tmp_path / "a", "old")
    with pytest.raises(ValueError, match="x"), RunFolder(tmp_path / "a", force=True):
        raise ValueError("x")
    assert name_of(tmp_path / "a") == "old"


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
    monkeypatch.setattr(folder.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(OutputError, match="disk is full"), RunFolder(tmp_path / "a"):
        raise RuntimeError("writing band 3 failed")


def test_two_runs_to_one_name_the_second_is_refused(tmp_path):
    with pytest.raises(OutputError, match="holds a run already"), RunFolder(tmp_path / "a") as run:
        write_manifest(run.path, {"name": "late"})
        finished(tmp_path / "a", "early")
    assert everything_below(tmp_path) == ["a", "a/manifest.json"]
    assert name_of(tmp_path / "a") == "early"


def test_what_a_run_did_not_write_is_never_replaced(tmp_path):
    finished(tmp_path / "a", "old")
    for name in ("notes.txt", "figures/own.png"):
        own = tmp_path / "a" / name
        own.parent.mkdir(exist_ok=True)
        own.write_text("mine")
        with pytest.raises(OutputError, match=rf"{name}: is no file of the run"):
            finished(tmp_path / "a", "new", force=True)
        assert own.read_text() == "mine"
        own.unlink()
    (tmp_path / "a" / "link").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="link: is no file of the run"):
        finished(tmp_path / "a", "new", force=True)
    (tmp_path / "a" / "link").unlink()
    finished(tmp_path / "a", "new", force=True)
    assert name_of(tmp_path / "a") == "new"


def test_a_folder_with_any_manifest_is_not_taken_for_a_run(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "manifest.json").write_text('{"name": "a browser extension"}')
    (tmp_path / "app" / "code.js").touch()
    with pytest.raises(OutputError, match="is no file of the run"):
        finished(tmp_path / "app", force=True)
    assert everything_below(tmp_path) == ["app", "app/code.js", "app/manifest.json"]


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_a_link_is_no_place_for_a_run(tmp_path, target):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(OutputError, match="link: is a link"):
        finished(tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink()
    assert everything_below(tmp_path) == ["link", "there"]


def test_a_sealed_folder_shows_changes_and_is_never_replaced(tmp_path):
    finished(tmp_path / "a", sealed=True)
    before = check_sums(tmp_path / "a")
    with pytest.raises(OutputError, match="frozen forecast, which is never replaced"):
        finished(tmp_path / "a", force=True)
    with pytest.raises(OutputError, match="lies in a frozen forecast"):
        check_target(tmp_path / "a" / "maps" / "map.html")
    assert check_sums(tmp_path / "a") == before
    (tmp_path / "a" / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match=r"a/manifest\.json: was changed"):
        check_sums(tmp_path / "a")


@pytest.mark.parametrize("name", ["new!data", "dots...", "a b", "é" * 120, "x" * 255, "-n", "%d"])
def test_unusual_names_work(tmp_path, name):
    finished(tmp_path / name)
    finished(tmp_path / name, "again", force=True)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\udcff", "x" * 256, "é" * 128])
def test_unusable_names_are_refused_before_the_work(tmp_path, name):
    with pytest.raises(OutputError, match="--out") as caught, RunFolder(tmp_path / name):
        pytest.fail("the work began")
    assert str(caught.value).isprintable()
    assert everything_below(tmp_path) == []


def test_files_have_the_rights_that_the_user_gives(tmp_path):
    before = os.umask(0o027)
    try:
        finished(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "a" / "manifest.json").stat().st_mode) == 0o640


def test_only_folders_of_runs_are_swept(tmp_path):
    for name in (".mine.partial", ".x.0123456789ab.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".in-use").touch()
    (tmp_path / ".y.0123456789ab.partial").symlink_to(tmp_path / ".mine.partial")
    finished(tmp_path / "a")
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == [".mine.partial", ".y.0123456789ab.partial", "a"]
