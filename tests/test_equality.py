"""The comparison of two runs: planted differences of every set are told, nothing else is."""

import importlib
import json
import shutil
from pathlib import Path

import geopandas as gpd
import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely import box

from borderrisk.outputs.webmap.codec import Neighbours, Reference, Scale, pack

ROOT = Path(__file__).parents[1]
MASK = np.array([[0, 1, 1, 0], [1, 1, 0, 1], [0, 1, 1, 1]], bool)
RISK = np.linspace(1, 9, MASK.sum())


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def page(path, values):
    """A map page with a plain column and one packed as differences to it."""
    scale = Scale.fitting(values, 4096)
    codes, other = scale.encode(values), scale.encode(values[::-1].copy())
    near = Neighbours.of(MASK)
    reference = Reference.of("risk", codes, other, 4096)
    line = Neighbours.in_line(4097)
    blobs = {
        "risk": pack(codes, near, wide=True),
        "last": pack(reference.differences(other, wide=True), near, wide=True),
        "last.table": pack(reference.table, line, wide=True),
    }
    edges = np.diff(np.pad(MASK.astype(int), ((0, 0), (1, 1))))
    runs = [
        part
        for row, line in enumerate(edges)
        for start, stop in zip(*(np.nonzero(line == sign)[0] for sign in (1, -1)), strict=True)
        for part in (row, int(start), int(stop - start))
    ]
    spec = scale.spec() | {"wide": True}
    config = {
        "grid": {"rows": 3, "cols": 4, "runs": runs},
        "columns": {"risk": spec, "last": spec | {"follows": "risk"}},
    }
    columns = "\n".join(
        f'<script type="application/octet-stream" id="br-col-{name}">{text}</script>'
        for name, text in blobs.items()
    )
    text = json.dumps(config)
    path.write_text(
        f'<script type="application/json" id="br-config">{text}</script>\n{columns}', "utf-8"
    )


@pytest.fixture
def run(tmp_path):
    """A run folder with a file of each kind."""
    folder = tmp_path / "a"
    folder.mkdir()
    squares = [box(k, 0, k + 1, 1) for k in range(RISK.size)]
    cells = gpd.GeoDataFrame(
        {"risk": RISK, "probability_low": RISK / 9, "trust": ["ok"] * RISK.size},
        geometry=squares,
        crs=4326,
    )
    cells.to_parquet(folder / "cells.parquet")
    cells.to_file(folder / "cells.geojson")
    cells.rename(columns={"trust": "name"}).to_file(folder / "segments.geojson")
    with h5py.File(folder / "features.nc", "w") as file:
        file["slope_mean"] = np.where(MASK, 4.0, np.nan)
        file["intensity"] = np.where(MASK, 1.0, np.nan)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "height": 3, "width": 4}
    with rasterio.open(
        folder / "risk.tif", "w", crs=3857, transform=Affine(2, 0, 0, 0, -2, 0), **profile
    ) as ds:
        ds.write(MASK.astype("float32"), 1)
        ds.descriptions = ("risk",)
    page(folder / "map.html", RISK)
    (folder / "scorecard.json").write_text(json.dumps({"rows": [{"bits": 1.5, "of": "kde"}]}))
    (folder / "report.md").write_text("# Report\n- run: 20260101-a\nThe answer is 3.\n")
    return folder


@pytest.fixture
def other(run):
    return Path(shutil.copytree(run, run.with_name("b")))


def verdicts(module, a, b):
    return {v.name: v for v in module("equality").compared(a, b)}


def changed(module, a, b):
    return {name: v.said for name, v in verdicts(module, a, b).items() if not v.equal}


def test_copy_of_a_run_is_equal_but_for_its_own_id(module, run, other, capsys):
    (other / "report.md").write_text("# Report\n- run: 20270101-b\nThe answer is 3.\n")
    assert module("equality").main([str(run), str(other)]) == 0
    assert "T 1 of 1" in capsys.readouterr().out


def test_columns_of_a_map_are_decoded_as_the_browser_does(module, run):
    columns = module("mapfile").columns(run / "map.html")
    assert columns["risk"] == pytest.approx(RISK, abs=8 / 4095)
    assert columns["last"] == pytest.approx(RISK[::-1], abs=8 / 4095)


def nudge(path, column, k, value):
    table = gpd.read_parquet(path)
    table.loc[k, column] = value
    table.to_parquet(path)


def feature(folder, name="slope_mean"):
    with h5py.File(folder / "features.nc", "a") as file:
        file[name][1, 1] += 1e-9


def band(folder):
    with rasterio.open(folder / "risk.tif", "r+") as ds:
        ds.write(np.zeros((3, 4), "float32"), 1)


PLANTED = [
    ("F", "features.nc: slope_mean", feature),
    ("M", "features.nc: intensity", lambda b: feature(b, "intensity")),
    ("M", "cells.parquet: risk", lambda b: nudge(b / "cells.parquet", "risk", 3, 5.0)),
    ("M", "cells.parquet: trust", lambda b: nudge(b / "cells.parquet", "trust", 3, "few")),
    (
        "I",
        "cells.parquet: probability_low",
        lambda b: nudge(b / "cells.parquet", "probability_low", 3, np.nan),
    ),
    ("X", "risk.tif: risk", band),
    ("X", "map.html: risk", lambda b: page(b / "map.html", RISK**1.01)),
    (
        "S",
        "scorecard.json: rows[0].bits",
        lambda b: (b / "scorecard.json").write_text('{"rows": [{"bits": 1.6}]}'),
    ),
    ("T", "report.md", lambda b: (b / "report.md").write_text("# Report\nThe answer is 4.\n")),
]


@pytest.mark.parametrize(("set_", "name", "plant"), PLANTED, ids=[name for _, name, _ in PLANTED])
def test_planted_difference_is_told_in_its_set(module, run, other, set_, name, plant):
    plant(other)
    found = verdicts(module, run, other)
    assert {v.set for v in found.values() if not v.equal} == {set_}
    assert not found[name].equal
    main = module("equality").main
    assert main([str(run), str(other), "--sets", set_]) == 1
    assert main([str(run), str(other), "--sets", "FBMIXST".replace(set_, "")]) == 0


def test_moved_shape_of_the_border_is_told(module, run, other):
    path = other / "segments.geojson"
    segments = gpd.read_file(path)
    segments.loc[0, "geometry"] = box(0, 0, 1, 1.25)
    segments.to_file(path)
    found = changed(module, run, other)
    assert set(found) == {"segments.geojson: bytes", "segments.geojson: geometry"}
    assert found["segments.geojson: geometry"].endswith("by up to 0.25")


def test_what_is_in_one_run_only_is_listed_and_may_be(module, run, other):
    (run / "features.nc").unlink()
    (other / "risk.tif").unlink()
    found = changed(module, run, other)
    assert found["features.nc: slope_mean"] == "only in B"
    assert found["risk.tif: risk"] == "only in A"
    main = module("equality").main
    assert main([str(run), str(other)]) == 1
    assert main([str(run), str(other), "--common"]) == 0


def test_largest_difference_is_said(module):
    said = module("equality").difference(np.array([1.0, np.nan, 4.0]), np.array([1.0, np.nan, 5.0]))
    assert said == "largest difference 1 (0.2 of it) in 1 of 3"
