import hashlib
import json
import logging
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from borderrisk.errors import DataError
from borderrisk.runs.cache import StageRecord
from borderrisk.runs.folder import RunFolder
from borderrisk.runs.manifest import (
    Manifest,
    find_run,
    new_run_id,
    project_folder,
    run_log,
    shown_path,
    without_paths,
)

NOON = datetime(2024, 1, 3, 12, 0, 5, tzinfo=UTC)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "project" / "data").mkdir(parents=True)
    (tmp_path / "project" / "configs").mkdir()
    return tmp_path / "project"


def manifest(project):
    return Manifest(run_id="r", config_name="east", config_hash="ab", seed=5, project=project)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the two apart")
def test_peak_memory_is_not_that_of_the_program_that_started_it():
    own = "from borderrisk.runs.manifest import peak_memory_mb; print(peak_memory_mb())"
    large = "import subprocess, sys; x = bytes(range(250)) * 4_000_000; "
    large += f"subprocess.run([sys.executable, '-c', {own!r}])"
    found = subprocess.run([sys.executable, "-c", large], capture_output=True, check=True)
    assert 10 < float(found.stdout) < 800


def test_project_folder_is_the_nearest_with_data(project):
    assert project_folder(project / "configs") == project


def test_project_folder_is_never_the_root_of_the_file_system(monkeypatch):
    """A path from there would tell of the machine."""
    monkeypatch.setattr(Path, "exists", lambda path: path.parent == Path("/"))
    assert project_folder(Path("/home/somebody/border")) != Path("/")


def test_paths_outside_the_project_are_names(project):
    assert shown_path(project / "data" / "a.csv", project) == "data/a.csv"
    assert shown_path(project / "data" / ".." / "x.csv", project) == "x.csv"
    assert shown_path(project.parent / "secret" / "dem.tif", project) == "dem.tif"


def test_manifest_says_what_went_in_and_how_it_went(project):
    path = project / "data" / "a.csv"
    path.write_bytes(b"abc")
    facts = manifest(project)
    facts.add_inputs([path])
    facts.counts["cells"] = 12
    facts.write(project, [StageRecord("fit", 1.23456, cached=True)])
    stored = json.loads((project / "manifest.json").read_text())
    digest = hashlib.sha256(b"abc").hexdigest()
    assert stored["inputs"] == [{"path": "data/a.csv", "sha256": digest, "bytes": 3}]
    assert stored["stages"] == [{"name": "fit", "seconds": 1.235, "cached": True}]
    assert stored["counts"] == {"cells": 12}
    assert stored["config"] == {"name": "east", "sha256": "ab"}
    assert stored["seed"] == 5
    assert stored["packages"]["numpy"] == __import__("numpy").__version__
    assert stored["peak_memory_mb"] > 10


def test_manifest_keeps_the_machine_and_its_user_to_itself(project):
    facts = manifest(project)
    (project.parent / "outside.csv").touch()
    facts.add_inputs([project.parent / "outside.csv"])
    text = json.dumps(facts.to_dict())
    for private in (str(project.parent), str(Path.home()) + "/", platform.node(), sys.prefix):
        assert not private or private not in text


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_log_is_json_lines_without_machine_paths(project):
    path = project / "log.jsonl"
    logger = logging.getLogger("borderrisk.somewhere")
    with run_log(path, project):
        logger.info("reading %s (مشهد)", project / "data" / "a.csv")
        logger.debug("not kept")
        try:
            (project.parent / "private" / "b.csv").read_text()
        except OSError:
            logger.exception("failed")
    logger.warning("after the run")
    first, second = lines(path)
    assert first["message"] == "reading data/a.csv (مشهد)"
    assert (first["level"], first["logger"]) == ("info", "borderrisk.somewhere")
    assert first["time"].endswith("+00:00")
    assert "FileNotFoundError" in second["exception"]
    assert str(project.parent) not in path.read_text()
    assert sys.prefix not in path.read_text()


def test_log_changes_nothing_for_other_handlers(project):
    shown = []
    handler = logging.Handler()
    handler.emit = lambda record: shown.append(record.getMessage())
    logger = logging.getLogger("borderrisk")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    try:
        with run_log(project / "log.jsonl", project):
            logger.info("quiet")
            logger.warning("loud")
        assert logger.level == logging.WARNING
        assert handler.level == logging.NOTSET
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert shown == ["loud"]
    assert [entry["message"] for entry in lines(project / "log.jsonl")] == ["quiet", "loud"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no path", "no path"),
        ("5 km/h and 3/4", "5 km/h and 3/4"),
        ("https://example.org/a/b.zip", "https://example.org/a/b.zip"),
        ("'/srv/dem/tiles/a.tif': no", "'…/a.tif': no"),
        (r"C:\Users\ann\a.csv", "…/a.csv"),
        ("/work/p/data/a.csv:3:4: bad", "data/a.csv:3:4: bad"),
    ],
)
def test_without_paths(text, shown):
    assert without_paths(text, Path("/work/p")) == shown


def made(folder):
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    return folder


def test_run_id_is_utc_and_hash(tmp_path):
    tehran = NOON.astimezone(timezone(timedelta(hours=3.5)))
    assert new_run_id(tmp_path, "0123456789abcdef", tehran) == "20240103T120005Z-01234567"


def test_run_id_is_unused(tmp_path):
    first = new_run_id(tmp_path, "0" * 64, NOON)
    made(tmp_path / first)
    second = new_run_id(tmp_path, "0" * 64, NOON)
    with RunFolder(tmp_path / second):
        assert new_run_id(tmp_path, "0" * 64, NOON) == f"{first}-3"
    assert second == f"{first}-2"


def test_find_run_takes_a_run_or_the_latest_of_a_config(tmp_path):
    old = made(tmp_path / "mashhad" / "20230101T000000Z-ffffffff")
    new = made(tmp_path / "mashhad" / "20240101T000000Z-00000000")
    (tmp_path / "mashhad" / "20250101T000000Z-00000000").mkdir()  # not finished
    made(tmp_path / "mashhad" / ".20260101T000000Z-00000000.abc.partial")
    assert find_run(old) == old
    assert find_run(str(tmp_path / "mashhad")) == new


def test_find_run_says_what_is_there(tmp_path):
    with pytest.raises(DataError, match="no such run"):
        find_run(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"holds no finished run \(no manifest.json\)\.$"):
        find_run(tmp_path)
    made(tmp_path / "b" / "20230101T000000Z-ffffffff")
    made(tmp_path / "a" / "20230101T000000Z-ffffffff")
    with pytest.raises(DataError, match="give one of a, b in it"):
        find_run(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file"):
        find_run(tmp_path / "file")
