"""Outputs are whole or not there, and nowhere but where they were asked."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import Point

import borderrisk
from borderrisk.errors import DataError, OutputError
from borderrisk.outputs.atomic import write_rows, write_text, writing
from borderrisk.outputs.gridfiles import load_scene, save_scene
from borderrisk.outputs.scene import Focus
from borderrisk.outputs.vectorfiles import write_geopackage, write_layer
from borderrisk.outputs.webmap import write_map

SOURCE = str(Path(borderrisk.__file__).parents[1])
POINTS = gpd.GeoDataFrame({"a": [1, 2]}, geometry=[Point(60, 31), Point(61, 32)], crs=4326)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_only_when_the_new_one_is_whole(tmp_path):
    path = write_text("old", tmp_path / "deep" / "a.txt")
    with pytest.raises(ValueError, match="stop"), writing(path) as partial:
        partial.write_text("half")
        raise ValueError("stop")
    assert (path.read_text(), names(path.parent)) == ("old", ["a.txt"])
    write_text("new", path)
    assert (path.read_text(), names(path.parent)) == ("new", ["a.txt"])


@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_nothing_is_written_through_a_symbolic_link(tmp_path, target):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "map.html").symlink_to(target)
    with pytest.raises(OutputError, match=r"map\.html: is a link"):
        write_text("new", tmp_path / "map.html")
    assert (tmp_path / "victim").read_text() == "precious"
    assert names(tmp_path) == ["map.html", "victim"]


def test_what_a_hard_link_leads_to_stays(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "map.html").hardlink_to(tmp_path / "victim")
    write_text("new", tmp_path / "map.html")
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "map.html").read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_devices_and_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OutputError, match=r"pipe\.html: is no regular file"):
        write_text("new", tmp_path / "pipe.html")
    with pytest.raises(OutputError, match=r"folder\.html: is a folder"):
        write_text("new", tmp_path / "folder.html")


def test_nobody_can_guess_or_enter_where_it_is_written(tmp_path):
    places = []
    for _ in range(2):
        with writing(tmp_path / "a.txt") as partial:
            partial.write_text("x")
            places.append(partial.parent.name)
            assert stat.S_IMODE(partial.parent.stat().st_mode) == 0o700
    assert places[0] != places[1]


def test_the_users_umask_holds(tmp_path):
    before = os.umask(0o026)
    try:
        write_text("x", tmp_path / "a.txt")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


KILLED = """
import os, sys
from pathlib import Path
from borderrisk.outputs.atomic import writing
with writing(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_goes_with_the_next_file(tmp_path):
    env = os.environ | {"PYTHONPATH": SOURCE}
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.txt")], env=env, check=False)
    assert len(names(tmp_path)) == 1
    write_text("x", tmp_path / "b.txt")
    assert names(tmp_path) == ["b.txt"]


@pytest.mark.parametrize("name", ["a!b", "new!data/x", "dots.", "é" * 120, "x" * 250])
def test_unusual_names_work_for_every_format(tmp_path, name):
    path = tmp_path / name
    write_text("x", path.with_name(f"{path.name}.txt"))
    if len(name) < 100:
        write_layer(POINTS, path.with_name(f"{path.name}.geojson"))
        with writing(path.with_name(f"{path.name}.gpkg")) as partial:
            write_geopackage({"cells": POINTS, "more": POINTS}, partial)
        made = {p.suffix for p in path.parent.iterdir()}
        assert made == {".txt", ".geojson", ".gpkg"}
    assert [p for p in Path.cwd().iterdir() if "!" in p.name] == []


@pytest.mark.parametrize("name", ["a\nb", "a\x07", "a\udcff", "x" * 256])
def test_unusable_names_are_refused(tmp_path, name):
    with pytest.raises(OutputError, match="choose another"):
        write_text("x", tmp_path / name)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["x/../../evil", "../evil", "A", "", "a" * 61, "a\n"])
def test_a_received_run_names_no_place_outside(make_scene, tmp_path, name):
    with pytest.raises(ValueError, match="no name of a focus"):
        Focus(name, (0, 0, 1, 1), "title")
    save_scene(make_scene(), tmp_path / "scene")
    facts = tmp_path / "scene" / "scene.json"
    text = facts.read_text(encoding="utf-8")
    first = make_scene().focuses[0].name
    changed = text.replace(f'"name": "{first}"', f'"name": {json.dumps(name)}')
    assert changed != text
    facts.write_text(changed, encoding="utf-8")
    with pytest.raises(DataError, match="not a complete run"):
        load_scene(tmp_path / "scene")


def test_a_map_is_written_by_the_same_writer(make_scene, tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "map.html").symlink_to("victim")
    with pytest.raises(OutputError, match="is a link"):
        write_map(make_scene(), tmp_path / "map.html")
    assert (tmp_path / "victim").read_text() == "precious"


COMPUTED = ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\nx", " =1", "\uff1d1", "-", "+98 21"]
PLAIN = ["-5", "+3.5e-4", "-1,250.5", "12%", "a=b", "", "زابل", "it's"]


def test_text_in_a_csv_is_never_computed(tmp_path):
    table = pd.DataFrame(
        {"id": COMPUTED + PLAIN, "=x": -1.5, "when": pd.Timestamp("2020-01-01"), "n": None}
    )
    write_rows(table, tmp_path / "a.csv")
    back = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False)
    assert back["id"].tolist() == [f"'{text}" for text in COMPUTED] + PLAIN
    assert list(back) == ["id", "'=x", "when", "n"]
    assert set(back["'=x"]) == {"-1.5"}
    write_rows(pd.DataFrame({"a": ["one\rtwo", "\r\n=1"], "b": 1}), tmp_path / "b.csv")
    assert pd.read_csv(tmp_path / "b.csv")["a"].tolist() == ["one\ntwo", "'\n=1"]
