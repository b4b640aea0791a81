import hashlib
import json
import logging
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from borderrisk.runs import Manifest, StageRecord, project_folder, run_log, shown_path
from borderrisk.runs.log import without_paths


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


def test_paths_outside_the_project_are_names(project):
    assert shown_path(project / "data" / "a.csv", project) == "data/a.csv"
    assert shown_path(project / "data" / ".." / "x.csv", project) == "x.csv"
    assert shown_path(project.parent / "secret" / "dem.tif", project) == "dem.tif"


def test_manifest_says_what_went_in_and_how_it_went(project):
    path = project / "data" / "a.csv"
    path.write_bytes(b"abc")
    facts = manifest(project)
    hashes = facts.add_inputs([path])
    facts.counts["cells"] = 12
    facts.write(project, [StageRecord("fit", 1.23456, cached=True)])
    stored = json.loads((project / "manifest.json").read_text())
    digest = hashlib.sha256(b"abc").hexdigest()
    assert hashes == {"data/a.csv": digest}
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
