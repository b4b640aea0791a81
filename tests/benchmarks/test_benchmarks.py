"""The benchmark's steps, rows and targets, without measuring anything."""

import importlib
import json
import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.evaluation.scorecard import (
    ChanceClass,
    Gain,
    Held,
    Prospective,
    Scorecard,
    Skill,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def module(monkeypatch):
    """Import a module of the benchmark, which is not installed."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def verdicts(module):
    """Targets by name, as judged by (step, size, seconds, peak in GB)."""
    row, targets = module("measure").Row, module("targets")

    def judge(*facts):
        rows = [row(step, size, s, peak_mb=gb * targets.GB) for step, size, s, gb in facts]
        return {target.name: target for target in targets.judged(rows)}

    return judge


@pytest.mark.parametrize(("seconds", "met"), [(59.0, True), (60.0, True), (61.0, False)])
def test_intervals_of_the_shipped_run_may_take_a_minute(module, verdicts, seconds, met):
    target = verdicts((module("names").INTERVALS, "", seconds, 0.0))[
        "intervals of the shipped run (200 replicates), s"
    ]
    assert (target.value, target.met) == (seconds, met)


@pytest.mark.parametrize("size", "SML")
@pytest.mark.parametrize(("peak", "met"), [(2.9, True), (3.1, False)])
def test_whole_run_of_any_size_may_hold_three_gigabytes(module, verdicts, size, peak, met):
    found = verdicts((module("names").RUN, size, 1.0, peak))
    target = found[f"peak of a whole run, {size}, GB"]
    assert target.value == pytest.approx(peak)
    assert target.met is met


def test_target_without_its_row_is_neither_met_nor_missed(verdicts):
    assert {(target.value, target.met) for target in verdicts().values()} == {(None, None)}


def test_row_of_the_intervals_is_that_stage_of_the_run(module):
    stages = [
        {"name": "model", "seconds": 7.0},
        {"name": "intervals", "seconds": 42.0},
        {"name": "evaluation: in space", "seconds": 26.0},
    ]
    row = module("runs").intervals(stages)
    assert row.seconds == 42
    assert row.note.startswith("200 replicates")  # what the target is about


def test_shipped_rows_take_the_intervals_from_the_run_that_evaluates(module, monkeypatch, tmp_path):
    runs, measure = module("runs"), module("measure")
    calls = []

    def child(program, arguments, environment=None):
        calls.append(arguments)
        stages = [{"name": "model", "seconds": 7.0}]
        if "--no-evaluate" not in arguments:
            stages.append({"name": "intervals", "seconds": 42.0})
        out = Path(arguments[arguments.index("--out") + 1])
        out.mkdir(exist_ok=True)
        (out / "manifest.json").write_text(json.dumps({"stages": stages, "peak_memory_mb": 9}))
        return measure.Spent(100.0, 150.0, 8.0)

    monkeypatch.setattr(runs, "child", child)
    rows = runs.shipped(tmp_path)
    assert [(row.step, row.seconds) for row in rows] == [
        ("shipped run, first look, nothing kept", 100),
        ("shipped run, nothing kept", 100),
        ("intervals of the shipped run", 42),
    ]
    assert len(calls) == 2


@pytest.mark.parametrize("letters", ["SML", "SM", "L"])
def test_whole_runs_are_of_the_sizes_asked_for(module, tmp_path, letters):
    main = module("__main__")
    sizes = tuple(main.dem.SIZES[letter] for letter in letters)
    named = [name for name, _ in main._steps(["run"], main.Plan(sizes, 1, tmp_path))]
    assert named == [f"whole run, {letter}" for letter in letters]


@pytest.mark.parametrize("name", "TSML")
def test_study_area_of_a_size_lies_on_its_raster(module, tmp_path, name):
    """As the run itself would find, on cells and pixels coarse enough for a test."""
    runs, dem = module("runs"), module("dem")
    size = dem.SIZES[name]
    shape = tuple(n // 20 for n in size.shape)
    elevation = dem.write(replace(size, shape=shape, per_degree=size.per_degree // 20), tmp_path)
    settings = runs.settings(size, elevation) | {"grid.cell_size_m": "10000"}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    done = CliRunner().invoke(app, ["validate", str(runs.CONFIG), *words])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", "TSML")
def test_place_of_a_size_lies_on_its_raster_and_its_window(module, name):
    runs, size = module("runs"), module("dem").SIZES[name]
    rows, cols = size.shape
    (west, south, east, north), _, _ = runs.AREAS[name]
    for lon, lat in runs.PLACES[name].values():
        assert max(west, size.west) < lon < min(east, size.west + cols / size.per_degree)
        assert max(south, size.north - rows / size.per_degree) < lat < min(north, size.north)


def test_extent_tells_pixels_under_the_cells_and_pace(module, monkeypatch):
    """At 60 degrees a pixel is half as wide as high: 10 by 20 pixels lie under a cell."""
    runs, dem = module("runs"), module("dem")
    monkeypatch.setitem(runs.AREAS, "P", ([0.0, 59.0, 1.0, 61.0], 1, 1))
    size = dem.Size("P", (10, 10), 1112, 0.0, 61.0)  # ten pixels a kilometre along the meridian
    assert runs._extent(size, 500_000, 30.0) == (
        "500,000 cells read (100 Mpx), 60 s per million cells"
    )


def test_every_mutant_can_be_planted(module):
    mutants = module("mutants")
    found = [mutants.meet(mutant, ROOT, check=True) for mutant in mutants.MUTANTS]
    assert [f"{f.mutant.name}: {f.note}" for f in found if f.said == mutants.ERROR] == []
    assert len(found) >= 20


def small_tree(tmp_path, test):
    """A tree with one line of product and one test of it."""
    for name, text in (
        ("src/borderrisk/__init__.py", ""),
        ("src/borderrisk/sums.py", "def add(a, b):\n    return a + b\n"),
        ("tests/test_sums.py", f"from borderrisk.sums import add\n\n\n{test}\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("test", "old", "fate"),
    [
        ("def test_sum():\n    assert add(2, 3) == 5", "return a + b", "killed"),
        ("def test_sum():\n    assert add(2, 2) == 4", "return a + b", "ALIVE"),
        ("def test_sum():\n    assert add(2, 3) == 6", "return a + b", "ERROR"),
        ("def test_sum():\n    assert add(2, 3) == 5", "return a - b", "ERROR"),
    ],
)
def test_fate_of_a_mutant(module, tmp_path, test, old, fate):
    mutants = module("mutants")
    tree = small_tree(tmp_path, test)
    mutant = mutants.Mutant("a product", old, "return a * b", ("test_sum",))
    assert mutants.meet(mutant, tree).said == fate
    assert "a + b" in (tree / "src/borderrisk/sums.py").read_text()


def test_case_of_the_fuzzer_is_always_the_same(module, tmp_path):
    cases = module("fuzzcases")
    sound = tmp_path / "sound.json"
    told = set()
    for number in range(20):
        damaged = []
        for _ in range(2):
            sound.write_text('{"features": [{"id": 1, "geometry": null}]}')
            cases.harm(sound, random.Random(f"1 {number}"))
            damaged.append(sound.read_bytes())
        assert damaged[0] == damaged[1]
        told.add(damaged[0])
    assert len(told) > 10


def test_fuzzer_counts_what_is_not_fine(module):
    fuzz = module("fuzz")
    found = [
        fuzz.Outcome(0, "csv", fuzz.FINE, 3, "", 2.5),
        fuzz.Outcome(3, "csv", fuzz.FINE, 3, "", 0.5),
        fuzz.Outcome(1, "csv", fuzz.HANG),
        fuzz.Outcome(2, "csv", fuzz.UNCAUGHT, 1),
    ]
    (row,) = (line for line in fuzz.table(found).splitlines() if line.startswith("| csv"))
    assert row == "| csv | 4 | 0 | 0 | 2 | 1 | 1 | 0 | 0 | 3 | 2.5 |"


def test_page_of_skill_says_what_the_scorecard_says(module):
    skill = module("skill")
    gain = Gain("history_alone", 0.5, -0.1, 0.9)
    made = partial(
        Skill, role="model", horizon_years=1, incidents=5, origins=2, capture_5=0.2,
        capture_20=0.8, auc=0.9,
    )  # fmt: skip
    rows = [
        made("m", subset="all", bits=1.5, capture_10=0.5, gain=gain),
        made("b", subset="all", bits=2.0, capture_10=0.4),
        made("m", subset="new_ground", bits=0.25, capture_10=0.3),
    ]
    likely = [
        ChanceClass("all", 0.5, said, came, 0, 1, n)
        for said, came, n in ((0.6, 0.5, 30), (0.8, 0.9, 10))
    ]
    cards = [
        Scorecard("m", ["No better."], Prospective(
            ["2020-01-01", "2021-01-01"], [1], 5, 15.0, 0.9, [], rows, reliability=[one],
            held=[Held(1, 0.9, 9, 10, 0.6, 1.0), Held(1, 0.9, 8, 10, 0.5, 0.9, "sections")],
        ))
        for one in likely
    ]  # fmt: skip
    made_ = [skill.Evaluated(name, card, 90.0) for name, card in zip("AB", cards, strict=True)]
    page = "\n".join(skill.page([replace(made_[0], title="A border"), made_[1]], ["| a table |"]))
    assert "on all borders (40): 65% was said, it happened in 60%" in page
    assert "90% interval held 8 of 10 sections with something expected (50% to 90%)." in page
    assert page.index("| a table |") < page.index("## A border")
    assert "| A border | 5 | +1.50 | +0.50 (-0.10 to +0.90) | 5 | +0.25 |" in page
    assert page.index("| b | +2.00") < page.index("| m | +1.50 | 50% |")  # the best first
    assert "2 origins, 2020 to 2021; evaluated in 1.5 minutes." in page
    assert "- No better." in page
