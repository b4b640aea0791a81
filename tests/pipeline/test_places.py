"""No command writes through a link, whoever put it there."""

import json
import os
import shutil

import pytest
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.errors import OutputError
from borderrisk.pipeline import run as jobs


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a run, as if received from someone."""
    return shutil.copytree(finished.folder, tmp_path / "run")


def command(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


# What is called how, and a file that it writes (in the run, or beside it).
WRITING = {
    "map": (lambda run, out: ("map", run), "run/map.html"),
    "map elsewhere": (lambda run, out: ("map", run, "--out", out / "maps"), "maps/map.html"),
    "export": (lambda run, out: ("export", run, "--format", "csv"), "run/export.csv"),
    "export gpkg": (
        lambda run, out: ("export", run, "--format", "gpkg", "--out", out / "a.gpkg"), "a.gpkg"),
    "segments": (lambda run, out: ("segments", run, "--out", out / "s.csv"), "s.csv"),
    "segments parquet": (
        lambda run, out: ("segments", run, "--out", out / "s.parquet"), "s.parquet"),
    "compare": (lambda run, out: ("compare", run, run, "--out", out / "c"), "c/changes.csv"),
    "compare picture": (lambda run, out: ("compare", run, run, "--out", out / "c"), "c/change.tif"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
@pytest.mark.parametrize("case", WRITING)
def test_no_command_overwrites_what_a_planted_file_leads_to(run, tmp_path, case, kind):
    words, name = WRITING[case]
    victim, planted = tmp_path / "victim", tmp_path / name
    victim.write_text("precious")
    planted.parent.mkdir(exist_ok=True)
    planted.unlink(missing_ok=True)
    if kind == "link":
        planted.symlink_to(victim)
    elif kind == "hard link":
        planted.hardlink_to(victim)
    else:
        os.mkfifo(planted)
    done = command(*words(run, tmp_path))
    assert victim.read_text() == "precious"
    if kind == "hard link":
        assert done.exit_code == 0, done.stderr
        assert planted.read_bytes() != b"precious"
    else:
        assert done.exit_code == 1
        assert planted.name in done.stderr


def test_a_received_run_makes_no_folder_outside(run, tmp_path):
    facts = run / "scene" / "scene.json"
    content = json.loads(facts.read_text(encoding="utf-8"))
    content["focuses"][0]["name"] = "x/../../evil"
    facts.write_text(json.dumps(content), encoding="utf-8")
    (run / "map-x").mkdir()
    done = command("map", run)
    assert done.exit_code == 3
    assert "x/../../evil" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]


def test_force_names_what_it_would_lose(run, small):
    (run / "my-notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"my-notes\.txt: is no file of the run"):
        jobs.run(small(), out=run, force=True, evaluate=False)
    assert (run / "my-notes.txt").read_text() == "mine"


def test_a_run_lists_its_files(finished):
    listed = finished.manifest["files"]
    there = [path for path in finished.folder.rglob("*") if path.is_file()]
    assert listed == sorted(path.relative_to(finished.folder).as_posix() for path in there)
