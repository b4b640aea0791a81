"""``borderrisk init``: any land border from the base, or one clear sentence."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.config import load_config
from borderrisk.errors import ConfigError, DataError, OutputError
from borderrisk.pipeline.checking import validate
from borderrisk.pipeline.inputs import Inputs, lay_area
from borderrisk.pipeline.starting import init
from borderrisk.pipeline.study import list_neighbours
from borderrisk.runs.manifest import find_run
from borderrisk.sources.worldbase import world

LESOTHO = (28.2, -29.6)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def incidents(tmp_path):
    """Five incidents a year, 2012 to 2021, in Lesotho, known to 10 km; one beyond the line."""
    rng = np.random.default_rng(5)
    count = 50
    table = pd.DataFrame(
        {
            "event_date": [f"{2012 + k // 5}-{k % 5 * 2 + 4:02d}-15" for k in range(count)],
            "lat": LESOTHO[1] + rng.uniform(-0.3, 0.3, count),
            "lon": LESOTHO[0] + rng.uniform(-0.3, 0.3, count),
            "precision_km": 10,
            "fatalities": 1,
        }
    )
    table.loc[len(table)] = ["2015-01-01", -26.2, 28.05, 10, 0]
    path = tmp_path / "mine.csv"
    table.to_csv(path, index=False, sep=";")
    return path


def test_a_border_and_incidents_become_a_folder_that_validates(tmp_path, incidents):
    started = init(tmp_path / "les", home="Lesotho", incidents=incidents)
    config = load_config(tmp_path / "les")
    assert started.ready
    assert (config.name, config.title) == ("les", "Lesotho: border with South Africa")
    assert config.title_fa == "مرز لسوتو با افریقای جنوبی"
    assert config.study_area.neighbours == ("ZAF",)
    assert config.grid.cell_size_m == 10_000
    assert config.data.incidents.columns == {
        "date": "event_date", "latitude": "lat", "longitude": "lon", "radius_km": "precision_km",
        "deaths_reported": "fatalities",
    }  # fmt: skip
    assert next(iter(config.features.travel.targets)) == "maseru"
    rows = {row["input"]: row["holds"] for row in validate(config).inputs}
    assert rows["incidents"] == "50 incidents on the grid, 1 rejected"
    assert "incidents: 50 of 51 lie in the study area" in started.notes
    assert sorted(p.name for p in (tmp_path / "les").iterdir()) == ["config.yaml", "data"]


def test_the_evaluation_fits_the_years_of_the_record(tmp_path, incidents):
    init(tmp_path / "les", home="LSO", incidents=incidents)
    section = load_config(tmp_path / "les").evaluation
    assert section.enabled
    # 20 incidents lie before 2016; the last of ten years ends with 2021.
    assert (section.first_origin.year, section.last_origin.year) == (2016, 2020)
    assert section.horizons_years == (1, 2)


def test_a_short_record_is_not_evaluated(tmp_path, incidents):
    incidents.write_text("\n".join(incidents.read_text().splitlines()[:20]))
    init(tmp_path / "les", home="LSO", incidents=incidents)
    assert not load_config(tmp_path / "les").evaluation.enabled


@pytest.mark.parametrize(("radius", "metres"), [(3, 5_000), (25, 10_000), (80, 20_000)])
def test_cells_fit_how_well_the_places_are_known(tmp_path, radius, metres):
    at = {"latitude": [33.6, 33.7], "longitude": [71.4, 71.5], "radius_km": radius}
    pd.DataFrame({"date": ["2020-01-01", "2020-02-02"], **at}).to_csv(tmp_path / "in.csv")
    init(tmp_path / "pak", home="PAK", neighbours=["AFG"], incidents=tmp_path / "in.csv")
    assert load_config(tmp_path / "pak").grid.cell_size_m == metres
    assert f"known to within {radius} km" in (tmp_path / "pak" / "config.yaml").read_text("utf-8")


def test_without_incidents_the_folder_is_of_an_index_until_there_are_some(tmp_path):
    started = init(tmp_path / "tls", home="East Timor")
    assert not started.ready
    assert load_config(started.folder).data.incidents.path is None
    pd.DataFrame({"date": ["2020-01-01"], "latitude": -9.0, "longitude": 125.2, "radius_km": 5}
                 ).to_csv(tmp_path / "tls" / "data" / "incidents.csv")  # fmt: skip
    again = init(tmp_path / "tls", home="TLS", force=True)
    assert again.ready
    assert (tmp_path / "tls" / "data" / "incidents.csv").exists()
    assert load_config(again.folder).data.incidents.path is not None
    assert validate(load_config(tmp_path / "tls"))


def test_focus_windows_are_found_by_the_name_of_a_town(tmp_path):
    init(tmp_path / "p", home="PAK", neighbours=["afghanistan,IRN"], focus=["کویته:80", "turbat"])
    config = load_config(tmp_path / "p", check_paths=False)
    assert config.study_area.neighbours == ("AFG", "IRN")
    assert list(config.focus) == ["quetta", "turbat"]
    west, south, east, north = config.focus["quetta"].bounds
    assert (west + east) / 2 == pytest.approx(67.0, abs=0.05)
    assert north - south == pytest.approx(160 / 111, rel=0.03)


def test_towns_that_the_raster_has_in_the_sea_are_no_targets(tmp_path):
    init(tmp_path / "p", home="PAK", neighbours=["IRN"])
    found = load_config(tmp_path / "p", check_paths=False).features.travel.targets
    assert "turbat" in found
    assert "gwadar" not in found


def test_towns_beyond_the_sea_are_no_targets(tmp_path):
    init(tmp_path / "esp", home="Spain", neighbours=["Morocco"])
    found = load_config(tmp_path / "esp", check_paths=False).features.travel.targets
    assert set(found) == {"ceuta", "melilla"}


def test_thinly_settled_sides_lower_what_counts_as_a_settlement(tmp_path):
    init(tmp_path / "esh", home="ESH", neighbours=["DZA"])
    travel = load_config(tmp_path / "esh", check_paths=False).features.travel
    assert travel.far_settlement_population == 10_000
    init(tmp_path / "kas", home="Siachen Glacier", neighbours=["PAK"])
    assert not load_config(tmp_path / "kas", check_paths=False).features.travel.enabled


def test_busy_parts_get_a_map_of_their_own(tmp_path):
    rng = np.random.default_rng(1)
    place = np.repeat([(70.2, 32.8), (67.3, 29.6)], [40, 25], axis=0) + rng.normal(0, 0.1, (65, 2))
    table = pd.DataFrame(
        {"date": "2020-05-05", "longitude": place[:, 0], "latitude": place[:, 1], "radius_km": 10}
    )
    table.to_csv(tmp_path / "in.csv")
    init(tmp_path / "p", home="PAK", neighbours=["AFG"], incidents=tmp_path / "in.csv")
    focus = load_config(tmp_path / "p").focus
    assert len(focus) == 2
    for (lon, lat), window in zip([(70.2, 32.8), (67.3, 29.6)], focus.values(), strict=True):
        assert window.bounds[0] < lon < window.bounds[2]
        assert window.bounds[1] < lat < window.bounds[3]
        assert window.title_fa


def test_a_window_narrows_the_border(tmp_path):
    init(tmp_path / "p", home="IRN", neighbours=["TKM"], window=(57, 24, 68, 40))
    config = load_config(tmp_path / "p", check_paths=False)
    assert config.study_area.window == (57, 24, 68, 40)


@pytest.mark.parametrize(
    ("home", "neighbours", "sentence"),
    [
        ("Fiji", [], "Fiji has no land border"),
        ("Pakistan", ["Turkey"], "share no land border; its neighbours are India"),
        ("Pakstan", [], r"did you mean Pakistan \(PAK\)"),
        ("Kaliningrad", [], r"a town in Russia \(RUS\)"),
        ("Vatican", [], "has 0.4 km, and a map needs 10 km"),
        ("San Marino", [], "has 61 km² .* needs 625 km²"),
        ("France", [], "and with Brazil and Suriname lie more than 1,500 km apart"),
    ],
)
def test_what_cannot_be_mapped_is_refused_in_a_sentence(tmp_path, home, neighbours, sentence):
    with pytest.raises(ConfigError, match=sentence):
        init(tmp_path / "x", home=home, neighbours=neighbours)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("home", "neighbours"),
    [
        ("RUS", ["POL"]), ("RUS", ["NOR"]), ("AGO", ["COG"]), ("Kosovo", []), ("Somaliland", []),
        ("PAK", ["KAS"]), ("KAS", []), ("FRA", ["BRA"]), ("MAR", ["ESP"]), ("Egypt", ["PSE"]),
    ],
)  # fmt: skip
def test_the_cut_holds_the_whole_study_area(tmp_path, home, neighbours):
    border = init(tmp_path / "x", home=home, neighbours=neighbours).folder
    places = pd.read_csv(border / "data" / "settlements.csv")
    near = places[places["country"] == world().find(home).code][["latitude", "longitude"]]
    at = near if len(near) else pd.DataFrame({"latitude": [35.4], "longitude": [77.1]})
    at.assign(date="2020-01-01", radius_km=5).to_csv(border / "data" / "incidents.csv")
    config = load_config(border)
    study = lay_area(config, Inputs(config))
    scored = study.area.polygon
    assert study.home.buffer(10).covers(scored)
    assert reprojected(home, study).symmetric_difference(scored).area < 1e-3 * scored.area
    validate(config)


def reprojected(home, study):
    """The strip of the whole, uncut country, in grid metres."""
    outline = shapely.make_valid(world().outline(world().find(home).code))
    strip = shapely.union_all(list(study.lines.values())).buffer(250_000, quad_segs=16)
    return shapely.intersection(shapely.make_valid(study.local(outline)), strip)


def test_short_borders_are_left_out_and_said(tmp_path):
    started = init(tmp_path / "t", home="Turkey")
    assert "AZE" not in load_config(tmp_path / "t", check_paths=False).study_area.neighbours
    assert any("Azerbaijan" in note and "8 km" in note for note in started.notes)


def test_unusable_incidents_leave_nothing_behind(tmp_path, incidents):
    with pytest.raises(ConfigError, match="none of its 51 usable incidents lies in Peru"):
        init(tmp_path / "x", home="Peru", incidents=incidents)
    incidents.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"no column is recognised as date .* \(it has: a, b\)"):
        init(tmp_path / "x", home="Lesotho", incidents=incidents)
    assert not (tmp_path / "x").exists()


def test_an_existing_folder_is_left_alone(tmp_path):
    folder = tmp_path / "x"
    (folder / "data").mkdir(parents=True)
    for force in (False, True):
        with pytest.raises(OutputError, match="not from init"):
            init(folder, home="LSO", force=force)
    shutil.rmtree(folder)
    init(folder, home="LSO")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        init(folder, home="LSO")
    init(folder, home="LSO", force=True)
    assert (folder / "notes.txt").read_text() == "mine"


def test_earlier_incidents_are_put_aside_and_those_in_use_are_kept(tmp_path, incidents):
    folder = tmp_path / "les"
    init(folder, home="LSO", incidents=incidents)
    table = pd.read_csv(incidents, sep=";")
    at = gpd.points_from_xy(table["lon"], table["lat"], crs=4326)
    for name in ("mine.shp", "mine.fgb"):
        gpd.GeoDataFrame(table[["event_date"]], geometry=at).to_file(tmp_path / name)
    started = init(folder, home="LSO", incidents=tmp_path / "mine.shp", force=True)
    names = {path.name for path in (folder / "data").glob("*incidents*")}
    assert {"earlier-incidents.csv", "incidents.shp", "incidents.dbf"} <= names
    assert not {"incidents.csv", "incidents.fgb"} & names
    assert any("kept as data/earlier-incidents.csv, unused" in note for note in started.notes)
    again = init(folder, home="LSO", force=True)
    assert load_config(folder).data.incidents.path.name == "incidents.shp"
    assert not any("kept as" in note for note in again.notes)
    init(folder, home="LSO", incidents=folder / "data" / "earlier-incidents.csv", force=True)
    assert (folder / "data" / "incidents.csv").read_bytes() == incidents.read_bytes()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file/x", "n" * 300):
        with pytest.raises(OutputError, match=r"[xn]: cannot be made"):
            init(tmp_path / name, home="LSO")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_codes_are_in_the_config_and_count_when_changed(tmp_path, incidents):
    table = pd.read_csv(incidents, sep=";").drop(columns="precision_km").assign(geo_precision=1)
    table.to_csv(incidents, index=False)
    init(tmp_path / "les", home="LSO", incidents=incidents)
    text = (tmp_path / "les" / "config.yaml").read_text("utf-8")
    assert load_config(tmp_path / "les").grid.cell_size_m == 5_000
    changed = text.replace("1: 5", "1: 40")
    assert changed != text
    (tmp_path / "les" / "config.yaml").write_text(changed, "utf-8")
    read = Inputs(load_config(tmp_path / "les")).incidents(None).incidents
    assert set(read["radius_km"]) == {40}


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals here")
def test_on_a_terminal_it_asks_which_of_two_columns(tmp_path, incidents):
    text = incidents.read_text().splitlines()
    lines = [text[0] + ";date_start", *(f"{line};2001-01-0{k % 9 + 1}" for k, line in
                                        enumerate(text[1:]))]  # fmt: skip
    incidents.write_text("\n".join(lines))
    ours, theirs = os.openpty()
    command = "import sys; from borderrisk.cli import main; sys.exit(main())"
    words = ["init", str(tmp_path / "x"), "--home", "LSO", "--incidents", str(incidents)]
    with subprocess.Popen(
        [sys.executable, "-c", command, *words],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        os.write(ours, b"nonsense\ndate_start\n")
        out, asked = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert "Which column is the date?" in asked.decode()
    assert "date ← date_start" in out.decode()


def test_towns_elsewhere_and_misspelt_are_told_apart(tmp_path):
    with pytest.raises(ConfigError, match="did you mean Quetta"):
        init(tmp_path / "x", home="PAK", neighbours=["AFG"], focus=["Quetto"])
    with pytest.raises(ConfigError, match=r"Maseru \(LSO\) lies far"):
        init(tmp_path / "x", home="PAK", neighbours=["AFG"], focus=["Maseru"])
    with pytest.raises(ConfigError, match="no number of km"):
        init(tmp_path / "x", home="PAK", neighbours=["AFG"], focus=["Quetta:far"])


def test_the_example_is_the_shipped_eastern_border(tmp_path):
    init(tmp_path / "example")
    config = load_config(tmp_path / "example")
    shipped = load_config(Path(__file__).parents[2] / "configs" / "eastern-border.yaml")
    ours, theirs = config.to_data(), shipped.to_data()
    for key in ("data", "outputs", "compute"):
        ours.pop(key), theirs.pop(key)
    assert ours == theirs
    holds = [{row["input"]: row["holds"] for row in validate(c).inputs} for c in (config, shipped)]
    assert all(holds[0][k] == holds[1][k] for k in ("borders", "incidents"))


def test_results_stay_in_the_folder(tmp_path, incidents):
    folder = tmp_path / "les"
    init(folder, home="LSO", incidents=incidents)
    config = load_config(folder)
    assert config.runs_folder == folder / "runs"
    assert config.forecasts_folder == folder / "forecasts"
    assert config.compute.cache == folder / ".cache"
    run = folder / "runs" / "20240103T101500Z-1a2b3c4d"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text(json.dumps({"kind": "run"}))
    assert find_run(folder) == run


def test_neighbours_are_listed_with_the_length_of_the_border():
    rows = list_neighbours("Pakistan")
    assert [row["code"] for row in rows[:3]] == ["IND", "AFG", "IRN"]
    assert 2_000 < rows[1]["border_km"] < 2_700


def test_the_command_says_what_it_did_and_what_comes_next(tmp_path, incidents):
    folder = tmp_path / "les"
    done = invoke("init", folder, "--home", "lesotho", "--incidents", incidents, "--yes")
    assert done.exit_code == 0, done.output
    assert "date ← event_date" in done.output
    assert f"next: borderrisk run {folder}" in done.output
    assert invoke("validate", folder).exit_code == 0
    again = invoke("init", folder, "--home", "lesotho")
    assert (again.exit_code, "--force" in again.output) == (1, True)
    listed = json.loads(invoke("init", "--list", "LSO", "--json").output)
    assert listed["neighbours"][0]["neighbour"] == "South Africa"


def test_the_command_refuses_half_a_question(tmp_path):
    answer = invoke("init", tmp_path / "x", "--neighbours", "AFG")
    assert answer.exit_code == 2
    assert "need --home" in answer.output
    box = invoke("init", tmp_path / "x", "--home", "PAK", "--window", "68,24,57,40")
    assert box.exit_code == 2
    assert "west,south,east,north" in box.output


def test_of_two_columns_that_fit_the_likelier_is_taken_and_said(tmp_path, incidents):
    text = incidents.read_text().splitlines()
    lines = [text[0] + ";date_start", *(f"{line};2001-01-01" for line in text[1:])]
    incidents.write_text("\n".join(lines))
    done = invoke("init", tmp_path / "x", "--home", "LSO", "--incidents", incidents)
    assert done.exit_code == 0
    assert "Taken: event_date (also possible: date_start)" in done.output
