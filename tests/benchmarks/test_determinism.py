"""A run depends on its inputs alone, connects to nothing, and says nothing of where it was made."""

import getpass
import platform
import shutil
from pathlib import Path

import pytest

from benchmarks import determinism

LONG = 5  # letters of a name that stands nowhere by chance
VARYING = {
    "config.yaml", "log.jsonl", "manifest.json", "report.html", "report.md", "scene/scene.json",
}  # fmt: skip
SMALL = [
    "grid.cell_size_m=40000", "uncertainty.replicates=2", "evaluation.enabled=false",
    "outputs.focus=[]",
    "features.travel.enabled=false", "features.concealment.enabled=false",
    "corridors.enabled=false", "outputs.figures=[png]", "model.parameters={n_estimators: 20}",
]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("somewhere-odd")
    return place, determinism.pair(determinism.SHIPPED, place, SMALL)


def test_two_runs_are_the_same_bytes_but_for_ids_and_times(runs):
    found = {file.name: file for file in determinism.compared(*runs[1])}
    assert [f for f in found.values() if f.verdict == determinism.DIFFERS] == []
    assert {n for n, f in found.items() if f.verdict != determinism.SAME} <= VARYING
    assert {"model.skops", "cells.parquet", "figures/risk.png", "scene/cells.nc"} <= found.keys()


def test_no_file_of_a_run_tells_the_machine_or_its_user(runs):
    place, made = runs
    told = {str(place), place.name, str(Path.home() / ".cache"), f"/home/{getpass.getuser()}"}
    told |= {platform.node()} if len(platform.node()) > LONG else set()
    for run in made:
        for path in run.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert [word for word in told if word.encode() in content] == [], path


def test_inputs_are_only_read(runs):
    place, _ = runs
    before = determinism.ROOT / "data" / "raw"
    for project in (place / "one" / "project", place / "another place" / "project"):
        after = project / "data" / "raw"
        names = [sorted(p.name for p in folder.iterdir()) for folder in (before, after)]
        assert names[0] == names[1]
        assert all((before / n).read_bytes() == (after / n).read_bytes() for n in names[0])
        assert sorted(p.name for p in project.iterdir()) == ["configs", "data"]


def test_a_difference_is_found(runs, tmp_path):
    one, two = (shutil.copytree(run, tmp_path / str(k)) for k, run in enumerate(runs[1]))
    text = (two / "segments.csv").read_text()
    (two / "segments.csv").write_text(text.replace("1", "2", 1))
    (two / "more.txt").write_text("")
    found = determinism.compared(one, two)
    odd = [file.name for file in found if file.verdict == determinism.DIFFERS]
    assert odd == ["more.txt", "segments.csv"]
