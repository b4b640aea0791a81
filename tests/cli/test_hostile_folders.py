"""Commands write where they were asked and nowhere else, and read no folder that never ends."""

import os
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from borderrisk.cli.app import app

CONFIG = Path(__file__).parents[2] / "configs" / "eastern-border.yaml"
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")


@contextmanager
def alarm(seconds):
    """Nothing here may wait for a pipe or device."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def call(*words):
    with alarm(120):
        return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give a run in a folder of unusual name, and the words that make another of its config."""
    place = tmp_path_factory.mktemp("made")
    pairs = {
        "grid.cell_size_m": "40000", "features.travel.enabled": "false",
        "features.concealment.enabled": "false", "corridors.enabled": "false",
        "outputs.figures": "[]", "outputs.focus": "[]", "compute.cache": place / "cache!",
        "model.parameters": "{n_estimators: 10}",
        "scenarios": "{s: {title: S, changes: {}}}",
    }  # fmt: skip
    settings = [f"{key}={value}" for key, value in pairs.items()]
    config = [CONFIG, *(word for pair in settings for word in ("--set", pair))]
    run = place / "new!data" / "گزارش."
    result = call("run", *config, "--no-evaluate", "--out", run)
    assert result.exit_code == 0, result.output
    return run, config


@pytest.fixture
def copied(made, tmp_path):
    """Give a copy of the run, and a file that nothing may change."""
    shutil.copytree(made[0], tmp_path / "run")
    (tmp_path / "victim").write_text("precious")
    return tmp_path


WRITERS = {
    "map": ("map RUN", "run/map.html"),
    "map --out": ("map RUN --out OUT", "out/map.html"),
    "export": ("export RUN", "run/export.geojson"),
    "export gpkg": ("export RUN --format gpkg --out OUT/x.gpkg", "out/x.gpkg"),
    "segments csv": ("segments RUN --out OUT/s.csv", "out/s.csv"),
    "segments geojson": ("segments RUN --out OUT/s.geojson", "out/s.geojson"),
    "segments parquet": ("segments RUN --out OUT/s.parquet", "out/s.parquet"),
    "compare": ("compare RUN RUN --out OUT", "out/changes.csv"),
    "compare tif": ("compare RUN RUN --out OUT", "out/change.tif"),
    "train": ("train CONFIG --out OUT/model.skops", "out/model.skops"),
    "features": ("features CONFIG --out OUT/features.nc", "out/features.nc"),
}


# All go through one writer, tried with everything that can lie there in `outputs/test_atomic.py`.
IN_THE_WAY = [
    *(("link", name) for name in WRITERS),
    *(("hard link", name) for name in ("map", "export gpkg", "compare tif")),
    ("dangling link", "segments csv"),
    ("pipe", "export gpkg"),
]


@pytest.mark.parametrize(("kind", "name"), IN_THE_WAY)
def test_nothing_is_written_through_what_lies_in_the_way(made, copied, name, kind):
    words, place = WRITERS[name]
    target, victim = copied / place, copied / "victim"
    target.parent.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)
    {
        "link": lambda: target.symlink_to(victim),
        "dangling link": lambda: target.symlink_to(copied / "nowhere"),
        "hard link": lambda: target.hardlink_to(victim),
        "pipe": lambda: os.mkfifo(target),
    }[kind]()
    given = {"RUN": copied / "run", "OUT": copied / "out"}
    line = [str(given.get(word, word)).replace("OUT/", f"{copied}/out/") for word in words.split()]
    at = line.index("CONFIG") if "CONFIG" in line else None
    line = line if at is None else [*line[:at], *made[1], *line[at + 1 :]]
    result = call(*line)
    assert victim.read_text() == "precious"
    assert not (copied / "nowhere").exists()
    assert [p.name for p in copied.rglob(".*.partial")] == []
    if kind == "hard link":
        assert result.exit_code == 0, result.output
        assert target.is_file()
    else:
        assert result.exit_code == 1
        assert f"{target}: is {'no regular file' if kind == 'pipe' else 'a link'}" in result.stderr


MAKERS = {
    "run": ["run", "CONFIG", "--no-evaluate"],
    "evaluate": ["evaluate", "CONFIG"],
    "forecast": ["forecast", "CONFIG", "--origin", "2024-01-01"],
    "scenario": ["scenario", "CONFIG", "s"],
    "score": ["score", "RUN", "CONFIG"],
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_name_of_a_folder_is_refused_before_the_work(made, tmp_path, name):
    given = {"CONFIG": made[1], "RUN": [made[0]]}
    words = [part for word in MAKERS[name] for part in given.get(word, [word])]
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    os.mkfifo(tmp_path / "pipe")
    for out in ("link", "pipe", "a\nb", "a\x1b[2J", "a\udcff", "x" * 256):
        result = call(*words, "--out", tmp_path / out)
        assert result.exit_code == 1, (out, result.output)
        assert "--out" in result.stderr
        assert not any(part in result.stderr for part in ("computed", "from the cache"))
        assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "pipe", "there"]
        assert list((tmp_path / "there").iterdir()) == []


def test_force_replaces_what_a_run_wrote_and_nothing_else(made, copied):
    own = copied / "run" / "figures" / "my notes.txt"
    own.parent.mkdir(exist_ok=True)
    own.write_text("mine")
    words = ("run", *made[1], "--no-evaluate", "--out", copied / "run", "--force")
    result = call(*words)
    assert result.exit_code == 1
    assert "my notes.txt: is no file of the run" in result.stderr
    assert own.read_text() == "mine"
    own.unlink()
    (copied / "photos").mkdir()
    (copied / "photos" / "manifest.json").write_text("{}")
    (copied / "photos" / "cat.jpg").write_text("cat")
    result = call(*words[:-2], copied / "photos", "--force")
    assert result.exit_code == 1
    assert "cat.jpg" in result.stderr
    assert (copied / "photos" / "cat.jpg").read_text() == "cat"


READERS = {
    "info": ["info", "RUN"],
    "map": ["map", "RUN"],
    "export": ["export", "RUN"],
    "segments": ["segments", "RUN"],
    "allocate": ["allocate", "RUN", "--km", "50"],
    "compare": ["compare", "MADE", "RUN"],
}
PARTS = ("scene/scene.json", "scene/cells.nc", "scene/area.parquet", "scene/relief.tif",
         "manifest.json")  # fmt: skip
# Every part, of every kind; every command, once.
UNENDING = [
    *((part, kind, ["info"]) for part in PARTS for kind in ("endless", "folder")),
    *((part, "pipe", ["info"]) for part in PARTS[1:]),
    (PARTS[0], "pipe", list(READERS)),
]


@pytest.mark.parametrize(("part", "kind", "commands"), UNENDING)
def test_a_received_run_that_never_ends_is_refused(made, copied, part, kind, commands):
    path = copied / "run" / part
    path.unlink()
    {
        "pipe": lambda: os.mkfifo(path),
        "endless": lambda: path.symlink_to("/dev/zero"),
        "folder": path.mkdir,
    }[kind]()
    for words in commands:
        given = {"RUN": copied / "run", "MADE": made[0]}
        result = call(*(given.get(word, word) for word in READERS[words]))
        assert result.exit_code == 3, (words, result.output)
        assert str(copied / "run") in result.stderr


def test_no_model_or_config_is_read_from_a_device(made, copied):
    model = copied / "run" / "model.skops"
    model.unlink()
    os.mkfifo(model)
    os.mkfifo(copied / "config.yaml")
    assert call("score", copied / "run", *made[1], "--out", copied / "s").exit_code == 3
    assert call("score", "/dev/zero", *made[1], "--out", copied / "s").exit_code == 3
    assert call("validate", copied / "config.yaml").exit_code == 2
    assert call("validate", "/dev/zero").exit_code == 2
    for role in ("settlements", "borders", "elevation.path", "incidents.path", "roads", "package"):
        result = call("validate", *made[1], "--set", f"data.{role}=/dev/zero")
        assert result.exit_code in (2, 3), (role, result.output)
        assert "/dev/zero" in result.stderr


def test_an_export_is_called_after_its_format(tmp_path):
    done = call("export", tmp_path, "--format", "gpkg", "--out", tmp_path / "cells.csv")
    assert done.exit_code == 2
    assert "--format gpkg writes .gpkg" in " ".join(done.output.split())
    assert not list(tmp_path.glob("cells*"))


def test_signs_in_the_paths_of_inputs_mean_nothing(made, tmp_path):
    project = tmp_path / "new! #1;%20 داده"
    shutil.copytree(CONFIG.parents[1] / "data" / "raw", project / "data" / "raw")
    (project / "configs").mkdir()
    config = Path(shutil.copy(CONFIG, project / "configs"))
    result = call("validate", config, *made[1][1:])
    assert result.exit_code == 0, result.output
