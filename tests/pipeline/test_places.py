"""Files of a run lie in its folder, and nothing else is touched."""

import json
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
