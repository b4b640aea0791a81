"""What would never end is refused by its key, before any work, with what would be possible."""

import json
import re
import subprocess
import sys
import time
from dataclasses import replace

import geopandas as gpd
import pytest
import shapely

from borderrisk.config import load_config
from borderrisk.errors import ConfigError
from borderrisk.pipeline import costs, limits
from borderrisk.pipeline.costs import WORK, Estimate, in_bytes, measured, spoken
from borderrisk.pipeline.inputs import Inputs

from .conftest import CONFIGS

SHIPPED = CONFIGS / "eastern-border.yaml"
KM_PER_DEGREE = 110.574  # along a meridian at the equator, WGS84
REFUSED = {
    "grid.cell_size_m": ("1", "cells, some", " or more (got 1"),
    "uncertainty.replicates": ("1000000000", "1,000,000,000 refits", "use 10000 or less"),
    "segments.segment_km": ("0.000001", "2,305,", "use 0.12 or more"),
    "evaluation.horizons_years": ("[1, 1000000]", "1,000,000 years", "use 100 or less"),
    "evaluation.first_origin": ("0001-01-01", "2,024 yearly origins", "the most is 100"),
    "study_area.border_strip_km": ("1e300", "1e+300 km", "use 2000 or less"),
    "study_area.halo_km": ("20000", "20,000 km", "use 1000 or less"),
    "corridors.routes": ("1000000000", "1,000,000,000 routes", "use 10000 or less"),
    "features.terrain.tpi_radii_km": ("[10, 999999]", "999,999 km", "use 500 or less"),
    "features.concealment.radius_km": ("1e9", "1,000,000,000 km", "use 100 or less"),
    "model.parameters": ("{n_estimators: 100000000}", "100,000,000 trees", "use 10000 or less"),
}


def check(config):
    return limits.check(config, Inputs(config))


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_a_value_without_end_is_refused_by_its_key_with_one_that_fits(key):
    value, estimate, mend = REFUSED[key]
    config = load_config(SHIPPED, {key: value})
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        check(config)
    assert time.process_time() - start < 2
    said = str(caught.value)
    assert re.match(rf"--set {re.escape(key)}: {re.escape(key)}", said)
    assert estimate in said
    assert mend in said
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "key", ["grid.cell_size_m", "segments.segment_km", "uncertainty.replicates"]
)
def test_the_value_that_is_said_to_fit_does(key):
    with pytest.raises(ConfigError) as caught:
        check(load_config(SHIPPED, {key: REFUSED[key][0]}))
    fits = re.search(r"use ([\d.]+) or", str(caught.value))[1]
    check(load_config(SHIPPED, {key: fits}))


def test_a_problem_stands_at_its_line_and_column(tmp_path):
    text = SHIPPED.read_text().replace("halo_km: 100", "halo_km: 20000")
    path = tmp_path / "c.yaml"
    path.write_text(text.replace("../data", str(CONFIGS.parent / "data")))
    with pytest.raises(ConfigError, match=rf"{re.escape(str(path))}:11:12: study_area.halo_km: "):
        check(load_config(path))


def test_a_size_of_figures_is_no_key():
    with pytest.raises(ConfigError, match=r"outputs.dpi: unknown key"):
        load_config(SHIPPED, {"outputs.dpi": "1000000"})


def test_options_are_held_to_the_same_limits(tmp_path):
    from borderrisk.pipeline.run import run

    with pytest.raises(ConfigError, match=r"uncertainty\.replicates: 1,000,000,000 refits"):
        run(load_config(SHIPPED), replicates=1_000_000_000, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_value_that_no_key_takes_is_a_problem_and_no_traceback():
    with pytest.raises(ConfigError, match=r"outputs\.horizon_days: .*3660 \(got 99999\)"):
        load_config(SHIPPED).with_changes({"outputs": {"horizon_days": 99999}})


@pytest.fixture
def planted(tmp_path):
    """Give a config of a straight border along 2 E: home is to the west of it."""

    def make(south=0.0, north=1.0, **overrides):
        home, other = shapely.box(0, south, 2, north), shapely.box(2, south, 4, north)
        line = shapely.LineString([(2, south), (2, north)]).segmentize(0.1)
        gpd.GeoDataFrame(
            {"iso_a3": ["AAA", "BBB"], "name": ["A", "B"]}, geometry=[home, other], crs=4326
        ).to_file(tmp_path / "countries.geojson")
        gpd.GeoDataFrame({"pair": ["AAA-BBB"]}, geometry=[line], crs=4326).to_file(
            tmp_path / "borders.geojson"
        )
        path = tmp_path / "config.yaml"
        path.write_text(
            json.dumps({
                "name": "planted",
                "study_area": {
                    "home": "AAA", "neighbours": ["BBB"], "border_strip_km": 50, "halo_km": 10
                },
                "grid": {"cell_size_m": 1000},
                "data": {
                    "borders": "borders.geojson", "countries": "countries.geojson",
                    "elevation": {"path": "none"}, "settlements": "none",
                    "incidents": {"path": "none"},
                },
                "features": {"travel": {"enabled": False}},
                "segments": {"segment_km": 5},
                "uncertainty": {"replicates": 50},
                "evaluation": {"first_origin": "2014-01-01", "last_origin": "2018-01-01"},
            })
        )  # fmt: skip
        return load_config(path, overrides, check_paths=False)

    return make


def test_a_planted_border_is_counted(planted):
    config = planted()
    size = measured(config, Inputs(config))
    assert size.km == {"AAA-BBB": pytest.approx(KM_PER_DEGREE, rel=1e-4)}
    assert size.scored == pytest.approx(50 * KM_PER_DEGREE, rel=0.01)
    assert size.read == pytest.approx(70 * KM_PER_DEGREE, rel=0.01)
    assert size.grid == pytest.approx(70 * (KM_PER_DEGREE + 20), rel=0.01)
    assert size.segments == pytest.approx(KM_PER_DEGREE / 5, rel=1e-4)
    assert size.refits == 50 + 36
    assert size.tests == 5 * 2 + 1
    assert size.pixels == size.draws == 0


def test_smaller_cells_are_more_by_the_square(planted):
    config = planted()
    size = measured(config, Inputs(config))
    assert replace(size, cell_km=0.5).scored == pytest.approx(4 * size.scored)


def test_a_border_of_ten_thousand_kilometres_is_answered_at_once(planted):
    config = planted(-45.0, 45.0, **{"grid.cell_size_m": "10000"})
    start = time.process_time()
    size = check(config)
    assert time.process_time() - start < 2
    assert size.border_km == pytest.approx(9_970, rel=0.001)  # a quarter of the way around
    assert size.scored == pytest.approx(50 * size.border_km / 100, rel=0.05)  # far from its middle
    short = {"segments.segment_km": "0.1", "grid.cell_size_m": "10000"}
    with pytest.raises(ConfigError, match=r"9,9\d\d km of border would be cut into 99,\d\d\d segm"):
        check(planted(-45.0, 45.0, **short))


SIZE = Estimate(
    {"AAA-BBB": 1000.0}, 200_000, 350_000, 700_000, 5.0, 90.0, 10.0, 200, 23, 50, 3, 6, 200, 2
)


def test_parts_add_up_and_more_of_anything_is_never_less():
    whole = SIZE
    assert whole.total_seconds == pytest.approx(sum(map(whole.seconds, WORK)))
    assert whole.without_intervals().total_seconds < whole.total_seconds
    for changes in ({"cell_km": 2.5}, {"replicates": 500}, {"tests": 100}, {"incidents": 5000}):
        more = replace(SIZE, **changes)
        assert more.total_seconds > whole.total_seconds
        assert more.total_bytes >= whole.total_bytes


def test_workers_share_what_can_be_shared():
    one, four = (replace(SIZE, workers=n) for n in (1, 4))
    shared = sum(one.seconds(part) for part in WORK if part.parallel)
    assert one.total_seconds - four.total_seconds == pytest.approx(0.75 * shared)


@pytest.mark.parametrize("memory", [1.5e9, 4e9])
def test_more_memory_than_there_is_is_refused_with_cells_that_fit(monkeypatch, memory):
    monkeypatch.setattr(limits, "machine_bytes", lambda: memory)
    fine = {"grid.cell_size_m": "400"}
    with pytest.raises(ConfigError, match=f"twice the {in_bytes(memory)} of this machine") as e:
        check(load_config(SHIPPED, fine))
    key, fits = re.search(r"(\S+): a run would take .*: use (\S+) or", str(e.value)).groups()
    assert key == "grid.cell_size_m"
    check(load_config(SHIPPED, {key: fits}))


def test_more_time_than_anyone_waits_is_refused_with_what_fits(monkeypatch):
    monkeypatch.setattr(limits, "MOST_HOURS", 0.05)
    with pytest.raises(ConfigError, match=r"more than the 0\.05 h of the longest run") as caught:
        check(load_config(SHIPPED, {"uncertainty.replicates": "9000"}))
    key, fits = re.search(r"(\S+): a run would take .*: use (\S+) or", str(caught.value)).groups()
    assert key == "uncertainty.replicates"
    check(load_config(SHIPPED, {key: fits}))


def test_so_many_incidents_count(planted):
    config = planted()
    few, many = (limits.check(config, Inputs(config), n) for n in (100, 50_000))
    assert many.total_seconds > 2 * few.total_seconds


def test_a_machine_says_how_much_memory_it_has(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text("123456789\n")
    monkeypatch.setattr(costs, "_CONTAINER", tmp_path / "memory.max")
    assert costs.machine_bytes() == 123456789
    (tmp_path / "memory.max").write_text("max\n")
    assert costs.machine_bytes() > 123456789


def test_durations_and_sizes_are_spoken():
    assert [spoken(s) for s in (8, 100, 9000, 3e6, 1e9)] == [
        "8 s", "1.7 min", "2.5 h", "35 days", "32 years",
    ]  # fmt: skip
    assert [in_bytes(n) for n in (5e8, 1.25e9, 3e12)] == ["500 MB", "1.2 GB", "3 TB"]


@pytest.mark.slow
def test_the_answer_takes_no_memory():
    cases = [{key: value} for key, (value, _, _) in REFUSED.items()]
    cases.append({"grid.cell_size_m": "300"})
    script = f"""
import resource
from borderrisk.config import load_config
from borderrisk.errors import ConfigError
from borderrisk.pipeline import limits, run
from borderrisk.pipeline.inputs import Inputs
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = used()
for case in {cases!r}:
    config = load_config({str(SHIPPED)!r}, case)
    try:
        limits.check(config, Inputs(config))
    except ConfigError:
        pass
print(used() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 100
