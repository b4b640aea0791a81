import json
import logging
import shutil
import subprocess
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.errors import ConfigError, DataError, OutputError
from borderrisk.evaluation.backtest import BASELINES
from borderrisk.pipeline import forecasting, result
from borderrisk.pipeline import run as jobs
from borderrisk.pipeline.forecasting import open_forecast
from borderrisk.runs.hashing import sha256_file

CONFIG = Path(__file__).parents[2] / "configs" / "eastern-border.yaml"
ORIGIN = "2024-01-01"
SMALL = {"grid.cell_size_m": "40000", "features.concealment.enabled": "false"}
QUICK = {"model.estimator": "kde"}


@pytest.fixture(scope="module")
def frozen(small, tmp_path_factory):
    place = tmp_path_factory.mktemp("forecast")
    config = small(**{"outputs.folder": str(place)})
    facts = forecasting.forecast(config, origin=ORIGIN, horizon_days=366, out=place / "f")
    return config, place, facts


def later(config, path, start=ORIGIN):
    table = pd.read_csv(config.data.incidents.path)
    table[pd.to_datetime(table["date"]) >= start].to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def verified(frozen):
    """Verify it on all that came after: the verification, what is said, and its folder."""
    config, place, _ = frozen
    found, text = forecasting.verify(place / "f", later(config, place / "new.csv"), out=place / "v")
    return found, text, place / "v"


def test_a_forecast_is_verified_on_what_came_after(frozen, verified):
    _, place, facts = frozen
    found, text, folder = verified
    everything = {row["model"]: row for row in found["scores"] if row["subset"] == "all"}
    assert {"forecast", "even", "kde"} < set(everything) <= {"forecast", *BASELINES}
    assert everything["even"]["bits"] == pytest.approx(0, abs=1e-9)
    assert everything["forecast"]["bits"] > 1
    more = everything["forecast"]["bits"] - everything["history_alone"]["bits"]
    assert found["gain"]["baseline"] == "history_alone"
    assert found["gain"]["bits"] == pytest.approx(more)
    assert "bits per incident over history alone" in text
    assert (folder / "missed.csv").exists()
    curve = pd.read_csv(folder / "capture.csv").set_index("area_share")
    assert curve.loc[[0, 1], "forecast"].tolist() == [0, pytest.approx(1)]
    ten = next(row for row in found["scores"] if row["model"] == "forecast")["capture_10"]
    assert curve.loc[0.1, "forecast"] == pytest.approx(ten)
    # As coreutils reads them; what was verified is what was frozen.
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=place / "f", check=True)
    assert found["forecast"] == facts["hash"] == sha256_file(place / "f" / "SHA256SUMS")


def test_a_verification_says_how_far_its_data_go_and_leaves_the_forecast_alone(frozen, tmp_path):
    config, place, facts = frozen
    copy = shutil.copytree(place / "f", tmp_path / "f")
    new = later(config, tmp_path / "new.csv")
    table = pd.read_csv(new)
    table[pd.to_datetime(table["date"]) < "2024-09-01"].to_csv(tmp_path / "early.csv", index=False)
    last = pd.read_csv(tmp_path / "early.csv")["date"].max()
    for path, until in ((tmp_path / "early.csv", last), (new, "2025-12-16")):
        found, text = forecasting.verify(copy, path)
        assert found["data_until"] == until
        assert f"whose last incident is dated {until}" in text
        kept = json.loads((tmp_path / f"f-verified-{until}" / "manifest.json").read_text())
        assert kept["inputs"][0]["sha256"] == sha256_file(path)
        assert kept["data_until"] == until
    open_forecast(copy)
    assert sha256_file(copy / "SHA256SUMS") == facts["hash"]


def add(path):
    (path.parent / "more.txt").write_text("x")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def to_link(path):
    path.rename(path.with_name("away"))
    path.symlink_to("away")


CHANGES = {
    "a byte of the cells": ("cells.parquet", flip, "cells.parquet"),
    "a byte of the scene": ("scene/cells.nc", flip, "scene/cells.nc"),
    "a byte of the manifest": ("manifest.json", flip, "manifest.json"),
    "a byte of the map": ("map.html", flip, "map.html"),
    "a file less": ("risk.tif", Path.unlink, "risk.tif"),
    "a file more": ("risk.tif", add, "more.txt"),
    "a link": ("scene/area.parquet", to_link, "scene/a"),
    "no sums": ("SHA256SUMS", Path.unlink, "is not frozen"),
    "a byte of the sums": ("SHA256SUMS", flip, "SHA256SUMS"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_forecast_is_refused_by_the_name_of_the_file(frozen, tmp_path, case):
    config, place, _ = frozen
    name, change, message = CHANGES[case]
    copy = shutil.copytree(place / "f", tmp_path / "f")
    change(copy / name)
    with pytest.raises(DataError, match=message):
        forecasting.verify(copy, later(config, tmp_path / "new.csv"))


def test_a_forecast_is_a_run_for_every_command_and_none_changes_it(frozen, tmp_path):
    config, place, facts = frozen
    copy = shutil.copytree(place / "f", tmp_path / "f")
    opened = result.open_run(copy)
    assert (opened.manifest["kind"], opened.manifest["origin"]) == ("forecast", ORIGIN)
    cells = gpd.read_parquet(copy / "cells.parquet")
    assert cells["exposure"].between(0, 1).all()
    assert {"cell_id", "intensity", "probability"} <= set(cells)
    assert result.write_maps(copy, out=tmp_path / "maps")
    for own in (
        lambda: result.write_maps(copy),
        lambda: result.export_cells(copy, "csv"),
        lambda: result.write_maps(copy, out=copy / "maps"),
        lambda: result.top_segments(copy, 5, out=copy / "scene" / "s.csv"),
        lambda: forecasting.forecast(config, origin=ORIGIN, horizon_days=30, out=copy),
        lambda: jobs.run(config, out=copy, force=True, evaluate=False, replicates=0),
    ):
        with pytest.raises(OutputError, match="frozen"):
            own()
    assert open_forecast(copy)[0].horizon_days == 366
    assert sha256_file(copy / "SHA256SUMS") == facts["hash"]


def test_nothing_rejected_is_no_crash(frozen, verified, tmp_path):
    config, place, _ = frozen
    table = pd.read_csv(later(config, tmp_path / "new.csv"))
    found, _, folder = verified
    rejected = pd.read_csv(folder / "rejected.csv")
    by_reader = rejected.loc[rejected["row"].notna(), "incident_id"]
    assert len(by_reader) == found["incidents"]["rejected"] > 0
    table[~table["incident_id"].isin(by_reader)].to_csv(tmp_path / "clean.csv", index=False)
    again, _ = forecasting.verify(place / "f", tmp_path / "clean.csv", out=tmp_path / "w")
    assert again["incidents"]["rejected"] == 0
    assert again["scores"] == found["scores"]


def test_no_date_is_no_origin(frozen):
    with pytest.raises(ConfigError, match="a date like 2025-01-01"):
        forecasting.forecast(frozen[0], origin="someday", horizon_days=30, out=None)


def test_earlier_incidents_are_refused_and_nothing_is_written(frozen, tmp_path):
    config, place, _ = frozen
    with pytest.raises(DataError, match="before the forecast's origin"):
        forecasting.verify(
            place / "f", later(config, tmp_path / "all.csv", "2020-01-01"), out=tmp_path / "v"
        )
    assert not (tmp_path / "v").exists()


def test_a_signal_after_the_origin_leaves_every_byte_as_it_was(frozen, small, tmp_path):
    config, place, _ = frozen
    table = pd.read_csv(config.data.incidents.path)
    last = table[pd.to_datetime(table["date"]) < ORIGIN].iloc[-1:]
    signal = pd.concat([last] * 60, ignore_index=True)
    signal["incident_id"] = [f"SIGNAL-{k}" for k in range(60)]
    signal["date"] = "2024-02-01"
    planted = tmp_path / "planted.csv"
    pd.concat([table, signal]).to_csv(planted, index=False)
    own = {"outputs.folder": str(tmp_path), "data.incidents.path": str(planted)}
    other = small(**own)
    forecasting.forecast(other, origin=ORIGIN, horizon_days=366, out=tmp_path / "f")
    for name in ("intensities.parquet", "border.parquet", "segments.csv"):
        assert (tmp_path / "f" / name).read_bytes() == (place / "f" / name).read_bytes(), name
    # The metadata of this one names the run.
    assert pq.read_table(tmp_path / "f" / "cells.parquet").equals(
        pq.read_table(place / "f" / "cells.parquet")
    )
    # The same rows before the origin are seen, so the comparison can fail.
    signal["date"] = "2023-12-01"
    pd.concat([table, signal]).to_csv(planted, index=False)
    forecasting.forecast(other, origin=ORIGIN, horizon_days=366, out=tmp_path / "g")
    seen, unseen = (pd.read_parquet(tmp_path / f / "cells.parquet")["intensity"] for f in "gf")
    assert not np.allclose(seen, unseen)


def replaced(config, path, **columns):
    """Write the later incidents with other columns."""
    table = pd.read_csv(later(config, path)).assign(**columns)
    table.drop(columns=[name for name, value in columns.items() if value is None]).to_csv(
        path, index=False
    )


BAD_FILES = {
    "a missing column": ({"date": None}, "date"),
    "no date": ({"date": "soon"}, "date"),
    "outside the study area": ({"latitude": 51.5, "longitude": -0.1}, "study area"),
    "after the horizon": ({"date": "2025-05-05"}, "2024-12-31"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_verification_file_is_one_clear_error(frozen, tmp_path, case):
    config, place, _ = frozen
    columns, message = BAD_FILES[case]
    replaced(config, tmp_path / "new.csv", **columns)
    out = tmp_path / "v"
    done = CliRunner().invoke(
        app, ["verify", str(place / "f"), str(tmp_path / "new.csv"), "--out", str(out)]
    )
    assert done.exit_code == 3
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not out.exists()


def test_an_origin_with_too_little_past_is_refused(small, tmp_path):
    changes = {"compute.cache": tmp_path / "cache", "outputs.folder": tmp_path / "runs"}
    given = [f"--set={key}={value}" for key, value in {**SMALL, **changes}.items()]
    out = tmp_path / "f"
    done = CliRunner().invoke(
        app, ["forecast", str(CONFIG), "--origin", "2003-01-01", "--out", str(out), *given]
    )
    assert done.exit_code == 3
    assert "at least 10 are needed" in done.stderr
    assert not out.exists()
    assert not (tmp_path / "runs").exists()


BAD_PERIODS = {
    "too few incidents": ({"evaluation.first_origin": "2000-01-01"}, "at least 10 needed"),
    "beyond the data": ({"evaluation.horizons_years": "[9]"}, "set evaluation.last_origin earlier"),
}


@pytest.mark.parametrize("case", BAD_PERIODS)
def test_a_bad_evaluation_period_is_one_clear_error(small, tmp_path, case):
    changes, message = BAD_PERIODS[case]
    with pytest.raises(DataError, match=message):
        jobs.evaluate(small(**changes), out=tmp_path / "skill")
    assert not (tmp_path / "skill").exists()


def test_an_unreadable_date_is_one_clear_error_naming_row_and_value(frozen, tmp_path):
    """A day that cannot be read may lie before the origin: it is not dropped in silence."""
    config, place, _ = frozen
    table = pd.read_csv(later(config, tmp_path / "new.csv"))
    table.loc[3, "date"] = "2024-02-30"
    table.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(DataError, match=r"row 5: date cannot be read: '2024-02-30'"):
        forecasting.verify(place / "f", tmp_path / "new.csv", out=tmp_path / "v")
    assert not (tmp_path / "v").exists()


def test_every_row_that_is_not_scored_is_counted_and_listed(frozen, tmp_path):
    config, place, _ = frozen
    table = pd.read_csv(later(config, tmp_path / "new.csv"))
    table.loc[0, "location_radius_km"] = -1
    table.loc[1, ["latitude", "longitude"]] = [51.5, -0.1]
    table["my_notes"] = "x"
    table.to_csv(tmp_path / "new.csv", index=False)
    found, text = forecasting.verify(place / "f", tmp_path / "new.csv", out=tmp_path / "v")
    counts = found["incidents"]
    assert counts["given"] == len(table)
    assert counts["given"] == sum(n for name, n in counts.items() if name != "given")
    assert f"{counts['scored']} of {len(table)} incident(s) were scored" in text
    assert "1 row(s) rejected: radius is not a positive number of km." in found["notes"]
    assert "Columns that were not read: location_precision, source_found, my_notes." in text
    rejected = pd.read_csv(tmp_path / "v" / "rejected.csv").set_index("incident_id")
    assert len(rejected) == counts["given"] - counts["scored"]
    bad, far = table["incident_id"][:2]
    assert rejected.loc[bad, "row"] == 2
    assert "radius" in rejected.loc[bad, "reason"]
    assert {bad, far} <= set(rejected.index)
    assert "not wholly before the end of the horizon" in set(rejected["reason"])


def test_a_forecast_of_some_kinds_is_verified_with_those(small, tmp_path):
    own = {"outputs.folder": str(tmp_path), "data.incidents.kinds": "[armed_clash, ambush]"}
    config = small(**QUICK, **own)
    forecasting.forecast(config, origin=ORIGIN, horizon_days=366, out=tmp_path / "f")
    new = later(config, tmp_path / "new.csv")
    found, _ = forecasting.verify(tmp_path / "f", new)
    table = pd.read_csv(new)
    other = ~table["kind"].isin(["armed_clash", "ambush"])
    assert other.any()
    rejected = pd.read_csv(tmp_path / "f-verified-2025-12-16" / "rejected.csv")
    assert set(table["incident_id"][other]) <= set(rejected["incident_id"])
    assert found["incidents"]["rejected"] >= other.sum()


def test_an_origin_long_after_the_record_is_said(small, tmp_path, caplog):
    config = small(**QUICK, **{"outputs.folder": str(tmp_path)})
    with caplog.at_level(logging.WARNING):
        facts = forecasting.forecast(
            config, origin="2031-01-01", horizon_days=365, out=tmp_path / "f"
        )
    # The last shipped incident is dated 2025-12-16.
    said = "is dated 2025-12-16, 1842 days before it"
    assert said in caplog.text
    assert said in facts["notes"][0]
    assert set(facts["notes"]) <= set(open_forecast(tmp_path / "f")[1]["notes"])


def test_a_verification_is_replaced_with_force_only(frozen, verified, tmp_path):
    config, place, _ = frozen
    new, out = later(config, tmp_path / "new.csv"), tmp_path / "v"
    shutil.copytree(verified[2], out)
    given = ["verify", str(place / "f"), str(new), "--out", str(out)]
    again = CliRunner().invoke(app, given)
    assert again.exit_code == 1
    assert "--force" in again.stderr
    assert CliRunner().invoke(app, [*given, "--force"]).exit_code == 0
