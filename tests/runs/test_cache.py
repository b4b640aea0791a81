import dataclasses
import logging
import os
import stat
import threading
import time

import pytest

from borderrisk.runs import hashing
from borderrisk.runs.cache import StageCache, StageKey

CODE = ("borderrisk.errors",)
KEY = StageKey("fit", CODE, '{"model":"gam"}', (StageKey("features", CODE),), {"a.csv": "00"})


def save(value, folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "value.txt").write_text(str(value))


def load(folder):
    return int((folder / "sub" / "value.txt").read_text())


def run(cache, key=KEY, value=1):
    return cache.stage(key, lambda: value, save=save, load=load)


def test_second_time_comes_from_the_cache(tmp_path):
    cold, warm = StageCache(tmp_path), StageCache(tmp_path)
    assert run(cold, value=1) == 1
    assert run(warm, value=2) == 1
    assert [(r.name, r.cached) for r in cold.records + warm.records] == [
        ("fit", False),
        ("fit", True),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "fit2"},
        {"code": ("borderrisk.grid",)},
        {"config": '{"model":"glm"}'},
        {"upstream": (StageKey("features", CODE, "other"),)},
        {"upstream": ()},
        {"inputs": {"a.csv": "01"}},
        {"inputs": {"b.csv": "00"}},
    ],
)
def test_anything_that_differs_is_computed(tmp_path, change):
    run(StageCache(tmp_path), value=1)
    assert run(StageCache(tmp_path), dataclasses.replace(KEY, **change), value=2) == 2
    assert run(StageCache(tmp_path), value=3) == 1


def test_a_key_counts_by_content_not_by_order(tmp_path):
    one = dataclasses.replace(KEY, inputs={"a": "0", "b": "1"}, code=("borderrisk.grid", *CODE))
    two = dataclasses.replace(KEY, inputs={"b": "1", "a": "0"}, code=(*CODE, "borderrisk.grid"))
    assert one.digest == two.digest


def test_other_package_versions_are_computed_anew(tmp_path, monkeypatch):
    run(StageCache(tmp_path), value=1)
    monkeypatch.setattr("borderrisk.runs.cache.package_versions", lambda: {"numpy": "99"})
    assert run(StageCache(tmp_path), dataclasses.replace(KEY), value=2) == 2


def test_code_version_follows_the_source(tmp_path, monkeypatch):
    package = tmp_path / "planted_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "__init__.py").write_text("a = 1")
    monkeypatch.syspath_prepend(tmp_path)

    def version(*packages):
        return hashing.code_version(packages)

    before, below = version("planted_package"), version("planted_package", "borderrisk.errors")
    assert before == version("planted_package") != below
    assert below == version("borderrisk.errors", "planted_package")
    (package / "inner" / "__init__.py").write_text("a = 2")
    assert version("planted_package") != before
    assert version("planted_package", "borderrisk.errors") != below
    with pytest.raises(ModuleNotFoundError):
        version("planted_package.absent")


def test_changed_code_is_computed_anew(tmp_path, monkeypatch):
    (tmp_path / "planted_module.py").write_text("a = 1")
    monkeypatch.syspath_prepend(tmp_path)
    key = dataclasses.replace(KEY, code=("planted_module",))
    assert run(StageCache(tmp_path / "cache"), key, value=1) == 1
    (tmp_path / "planted_module.py").write_text("a = 2")
    again = dataclasses.replace(key)
    assert run(StageCache(tmp_path / "cache"), again, value=2) == 2


def test_disabled_keeps_nothing(tmp_path):
    assert run(StageCache(tmp_path / "c", enabled=False), value=1) == 1
    assert not (tmp_path / "c").exists()


def test_refresh_replaces_what_was_kept(tmp_path):
    run(StageCache(tmp_path), value=1)
    assert run(StageCache(tmp_path, refresh=True), value=2) == 2
    assert run(StageCache(tmp_path), value=3) == 2


def test_a_cold_run_goes_on_with_what_a_warm_run_reads(tmp_path):
    def rounded(value, folder):
        save(round(value), folder)

    value = StageCache(tmp_path).stage(KEY, lambda: 2.4, save=rounded, load=load)
    assert value == 2


def damaged(entry, how):
    if how == "changed":
        (entry / "sub" / "value.txt").write_text("9")
    elif how == "missing":
        (entry / "sub" / "value.txt").unlink()
    elif how == "extra":
        (entry / "stray.txt").touch()
    elif how == "no list":
        (entry / "entry.json").write_text("{}")
    else:
        (entry / "entry.json").write_bytes(b"\xff{")


@pytest.mark.parametrize("how", ["changed", "missing", "extra", "no list", "list"])
def test_a_damaged_entry_is_computed_again_with_a_warning(tmp_path, caplog, how):
    run(StageCache(tmp_path), value=1)
    damaged(next(tmp_path.glob("fit-*")), how)
    with caplog.at_level(logging.WARNING, "borderrisk"):
        assert run(StageCache(tmp_path), value=2) == 2
    assert "computed again" in caplog.text
    assert run(StageCache(tmp_path), value=3) == 2


def test_a_reader_that_fails_is_a_miss(tmp_path, caplog):
    run(StageCache(tmp_path), value=1)
    calls = []

    def picky(folder):
        calls.append(folder)
        if len(calls) == 1:
            raise KeyError("version")
        return load(folder)

    assert StageCache(tmp_path).stage(KEY, lambda: 5, save=save, load=picky) == 5


def test_an_error_in_a_stage_poisons_nothing(tmp_path):
    def fail():
        raise ValueError("tile 7")

    def half(value, folder):
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(ValueError, match="tile 7"):
        StageCache(tmp_path).stage(KEY, fail, save=save, load=load)
    with pytest.raises(KeyboardInterrupt):
        StageCache(tmp_path).stage(KEY, lambda: 1, save=half, load=load)
    assert list(tmp_path.iterdir()) == []
    assert run(StageCache(tmp_path), value=3) == 3


def test_a_cache_that_cannot_be_written_does_not_stop_the_run(tmp_path, caplog):
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING, "borderrisk"):
        assert run(StageCache(tmp_path / "file" / "cache"), value=4) == 4
    assert "could not be cached" in caplog.text


def test_runs_at_the_same_time_agree(tmp_path):
    barrier, results = threading.Barrier(8), []

    def work(number):
        barrier.wait()
        results.append(run(StageCache(tmp_path), value=7))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [7] * 8
    assert len(list(tmp_path.glob("fit-*"))) == 1
    assert not list(tmp_path.glob(".writing-*"))


def aged(tmp_path, name, days, size):
    key = dataclasses.replace(KEY, name=name)
    StageCache(tmp_path).stage(
        key, lambda: 0, save=lambda _, f: (f / "x").write_bytes(b"0" * size), load=lambda _: 0
    )
    then = time.time() - days * 86_400
    os.utime(next(tmp_path.glob(f"{name}-*")) / "entry.json", (then, then))


def test_prune_removes_the_least_recently_used(tmp_path):
    for days, name in enumerate(["new", "middle", "old"]):
        aged(tmp_path, name, days, 10_000)
    removed = StageCache(tmp_path, max_bytes=25_000).prune()
    assert [name.split("-")[0] for name in removed] == ["old"]
    assert [n.split("-")[0] for n in StageCache(tmp_path).prune(max_age_days=0.5)] == ["middle"]
    assert [p.name.split("-")[0] for p in tmp_path.glob("*-*")] == ["new"]


def test_use_counts_as_recent(tmp_path):
    aged(tmp_path, "fit", 9, 10)
    StageCache(tmp_path).stage(KEY, lambda: 1, save=save, load=lambda _: 0)
    assert StageCache(tmp_path).prune(max_age_days=1) == []


def test_prune_of_nothing(tmp_path):
    assert StageCache(tmp_path / "absent").prune() == []


@pytest.fixture
def later(monkeypatch):
    """Let a minute pass after a file was written."""
    now = time.time_ns
    monkeypatch.setattr(hashing.time, "time_ns", lambda: now() + 60_000_000_000)


def test_file_hashes_are_remembered_until_the_file_changes(tmp_path, monkeypatch, later):
    path, memory = tmp_path / "dem.tif", tmp_path / "cache" / "hashes.json"
    path.write_text("abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashing.FileHashes(memory)(path) == abc
    assert str(tmp_path) not in memory.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(hashing, "sha256_file", lambda _: pytest.fail("was read again"))
        assert hashing.FileHashes(memory)(path) == abc
    path.write_text("abd")
    assert hashing.FileHashes(memory)(path) != abc
    memory.write_text("[broken")
    assert hashing.FileHashes(memory)(path) != abc


def test_an_edit_in_place_is_seen_though_size_and_time_stay(tmp_path, later):
    path, hashes = tmp_path / "a.csv", hashing.FileHashes(tmp_path / "cache" / "hashes.json")
    path.write_text("id,2013")
    os.utime(path, (1, 1))
    before, state = hashes(path), path.stat()
    with path.open("r+") as file:
        file.write("id,2014")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    now = path.stat()
    assert (now.st_size, now.st_mtime_ns, now.st_ino) == (
        state.st_size, state.st_mtime_ns, state.st_ino,
    )  # fmt: skip
    assert hashes(path) == hashing.sha256_file(path) != before


def test_the_cache_is_its_owners_alone(tmp_path):
    before = os.umask(0o002)
    try:
        run(StageCache(tmp_path / "deep" / "cache"), value=1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "deep" / "cache").stat().st_mode) == 0o700


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX")
def test_a_cache_that_others_can_write_to_is_not_trusted(tmp_path, caplog):
    folder = tmp_path / "cache"
    run(StageCache(folder), value=1)
    folder.chmod(0o770)
    with caplog.at_level(logging.WARNING, "borderrisk"):
        assert run(StageCache(folder), value=2) == 2
    assert "others can write to this cache" in caplog.text
    folder.chmod(0o700)
    assert run(StageCache(folder), value=3) == 1
