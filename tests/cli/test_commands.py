import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner

from borderrisk.cli.app import app

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "eastern-border.yaml"
RAW = ROOT / "data" / "raw"


@pytest.fixture
def call(tmp_path):
    """Run a command on 40 km cells; give its exit code, stdout and stderr."""

    def invoke(command, *arguments, **settings):
        given = [str(a) for a in arguments]
        pairs = {"grid.cell_size_m": "40000", "compute.cache": str(tmp_path / "cache")} | settings
        for key, value in pairs.items():
            given += ["--set", f"{key.replace('__', '.')}={value}"]
        return CliRunner().invoke(app, [command, str(CONFIG), *given])

    return invoke


def refused(result, code, *words, out=None):
    assert result.exit_code == code, result.output
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.output
    if out is not None:
        assert not out.exists()


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom borderrisk.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'numpy', 'pandas', 'sklearn', 'xarray', 'geopandas', 'folium', 'numba'}\n"
        "sys.exit(len(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", sorted(app.commands))
def test_every_command_has_an_example(name):
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert f"borderrisk {name} " in result.output


def test_validate_says_what_each_input_holds(call):
    result = call("validate", "--json")
    assert result.exit_code == 0, result.output
    rows = {row["input"]: row["holds"] for row in json.loads(result.stdout)["inputs"]}
    assert "IRN-AFG" in rows["borders"]
    assert "163 incidents on the grid, 11 rejected" in rows["incidents"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            "{n_estimator: 3}",
            ["no parameter 'n_estimator'", "did you mean 'n_estimators'"],
        ),
        ("{n_estimators: 0}", ["n_estimators of model decayed_pool", "got 0"]),
        ("{ground: forrest}", ["Unknown ground 'forrest'", "did you mean 'forest'"]),
    ],
)
def test_wrong_parameters_of_the_model_are_refused_at_once(call, tmp_path, parameters, words):
    out = tmp_path / "out"
    given = {"model.parameters": parameters}
    refused(call("validate", **given), 2, *words)
    refused(call("run", "--out", out, **given), 2, *words, out=out)
    refused(call("forecast", "--origin", "2020-01-01", "--out", out, **given), 2, *words, out=out)


def test_schema_is_the_shipped_one():
    result = CliRunner().invoke(app, ["schema"])
    assert result.stdout == (ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8")


def test_features_prints_ranges(call, tmp_path):
    result = call("features", "--out", tmp_path / "f.nc", "--json")
    assert result.exit_code == 0, result.output
    rows = {row["feature"]: row for row in json.loads(result.stdout)["features"]}
    assert rows["elevation_mean"]["unit"] == "m"
    assert 1500 < rows["elevation_mean"]["maximum"] < 4000


def test_a_missing_config_and_a_bad_override_are_usage_errors(tmp_path):
    refused(CliRunner().invoke(app, ["run", str(tmp_path / "no.yaml")]), 2, "no.yaml")
    result = CliRunner().invoke(app, ["validate", str(CONFIG), "--set", "nonsense"])
    refused(result, 2, "KEY=VALUE")


def test_a_folder_without_a_run_is_a_data_error(tmp_path):
    refused(CliRunner().invoke(app, ["info", str(tmp_path)]), 3, "no finished run")


def copy(name, tmp_path):
    return Path(shutil.copy(RAW / name, tmp_path / name))


def elevation(tmp_path, change):
    """The shipped elevation with its values or header changed."""
    with rasterio.open(RAW / "elevation_5arcmin.tif") as source:
        profile, values = source.profile, source.read(1)
    profile.update(driver="GTiff")
    profile, values = change(profile, values)
    path = tmp_path / "dem.tif"
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)
    return path


def run_refused(call, tmp_path, code, *words, **settings):
    out = tmp_path / "out"
    refused(call("run", "--out", out, "--no-evaluate", **settings), code, *words, out=out)


def test_truncated_raster(call, tmp_path):
    path = copy("elevation_5arcmin.tif", tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    run_refused(call, tmp_path, 3, path.name, data__elevation__path=path)


def test_raster_without_crs(call, tmp_path):
    path = elevation(tmp_path, lambda p, v: ({**p, "crs": None}, v))
    run_refused(call, tmp_path, 3, "dem.tif", "CRS", data__elevation__path=path)


def test_raster_elsewhere(call, tmp_path):
    def move(profile, values):
        shifted = rasterio.Affine.translation(-40, 0) @ profile["transform"]
        return {**profile, "transform": shifted}, values

    path = elevation(tmp_path, move)
    run_refused(call, tmp_path, 3, "does not cover", data__elevation__path=path)


def test_raster_of_nodata(call, tmp_path):
    path = elevation(tmp_path, lambda p, v: (p, np.full_like(v, p["nodata"])))
    run_refused(call, tmp_path, 3, "missing", data__elevation__path=path)


def incidents(tmp_path, change, encoding="utf-8"):
    table = pd.read_csv(RAW / "incidents.csv")
    path = tmp_path / "incidents.csv"
    change(table).to_csv(path, index=False, encoding=encoding)
    return path


def swap(table):
    return table.rename(columns={"latitude": "longitude", "longitude": "latitude"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap, "swapped"),
        (lambda t: t.assign(incident_id="same"), "same"),
        (lambda t: t.assign(date="yesterday"), "date"),
        (lambda t: t.drop(columns="longitude"), "longitude"),
        (lambda t: t.head(0), "incidents"),
    ],
)
def test_bad_incident_tables(call, tmp_path, change, words):
    path = incidents(tmp_path, change)
    run_refused(call, tmp_path, 3, "incidents.csv", words, data__incidents__path=path)


def test_wrong_encoding(call, tmp_path):
    path = incidents(tmp_path, lambda t: t.assign(place="زابل"), encoding="cp1256")
    result = call("validate", data__incidents__path=path)
    assert result.exit_code == 0, result.output
    assert "is not UTF-8" in result.stderr
    assert "read as cp1256" in result.stderr


def test_a_byte_order_mark_is_no_problem(call, tmp_path):
    path = incidents(tmp_path, lambda t: t, encoding="utf-8-sig")
    assert call("validate", data__incidents__path=path).exit_code == 0


def test_no_incident_left_after_filters(call, tmp_path):
    run_refused(call, tmp_path, 3, "kinds", data__incidents__kinds="[earthquake]")


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        ({"type": "Point", "coordinates": [61, 31]}, "Point"),
        ({"type": "LineString", "coordinates": []}, "empty"),
        (
            {"type": "LineString", "coordinates": [[500000, 3400000], [510000, 3500000]]},
            "longitude",
        ),
    ],
)
def test_bad_borders(call, tmp_path, geometry, words):
    data = json.loads((RAW / "borders.geojson").read_text(encoding="utf-8"))
    data["features"][0]["geometry"] = geometry
    path = tmp_path / "borders.geojson"
    path.write_text(json.dumps(data), encoding="utf-8")
    run_refused(call, tmp_path, 3, "borders", words, data__borders=path)


@pytest.mark.parametrize(("size", "words"), [("0", "greater than 0"), ("10", "cells: use ")])
def test_grids_of_no_or_too_many_cells(call, tmp_path, size, words):
    run_refused(call, tmp_path, 2, words, grid__cell_size_m=size)


def test_a_changed_shipped_file_is_noticed(call, tmp_path):
    package = copy("datapackage.json", tmp_path)
    towns = copy("settlements.csv", tmp_path)
    towns.write_text(towns.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    settings = {"data__package": package, "data__settlements": towns}
    run_refused(call, tmp_path, 3, "settlements.csv", "sha256", **settings)


def test_people_are_no_predictors(call, tmp_path):
    table = tmp_path / "more.csv"
    table.write_text("cell_id,ethnic_share\nr001c001,1\n", encoding="utf-8")
    settings = {"features__table": table, "features__columns": "[ethnic_share]"}
    run_refused(call, tmp_path, 2, "ethnic_share", "never used", **settings)


def test_the_output_folder_cannot_be_a_file(call, tmp_path):
    (tmp_path / "out").write_text("mine")
    result = call("run", "--out", tmp_path / "out", "--no-evaluate")
    refused(result, 1, "is a file")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_error(call, tmp_path):
    (tmp_path / "file").write_text("")
    result = call("run", "--out", tmp_path / "file" / "run", "--no-evaluate")
    refused(result, 1, "cannot be written", "--out")


def test_elevation_in_feet_is_noticed(call, tmp_path):
    path = elevation(tmp_path, lambda p, v: (p, np.where(v == p["nodata"], v, v * 3.28084)))
    settings = {"data__elevation__path": path, "features__travel__enabled": "false"}
    result = call("features", "--out", tmp_path / "f.nc", **settings)
    assert result.exit_code == 0, result.output
    assert "feet" in result.stderr


def test_a_feature_without_any_value_is_refused(call, tmp_path):
    """Elevation everywhere, but no number of one's own."""
    rows = "\n".join(f"r{row:03d}c{col:03d}," for row in range(4) for col in range(4))
    table = tmp_path / "more.csv"
    table.write_text(f"cell_id,lights\n{rows}\n", encoding="utf-8")
    settings = {"features__table": table, "features__columns": "[lights]"}
    run_refused(call, tmp_path, 3, "lights has no value in any", **settings)
