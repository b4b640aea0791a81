import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from borderrisk import pipeline
from borderrisk.cli.app import app
from borderrisk.errors import DataError
from borderrisk.model.ledger import check

CONFIG = Path(__file__).parents[2] / "configs" / "eastern-border.yaml"
ORIGIN = "2024-01-01"
SMALL = {"grid.cell_size_m": "40000", "features.concealment.enabled": "false"}


@pytest.fixture(scope="module")
def frozen(small, tmp_path_factory):
    place = tmp_path_factory.mktemp("forecast")
    config = small(**{"outputs.folder": str(place)})
    facts = pipeline.forecast(config, origin=ORIGIN, horizon_days=366, out=place / "f")
    return config, place, facts


def later(config, path, start=ORIGIN):
    table = pd.read_csv(config.data.incidents.path)
    table[pd.to_datetime(table["date"]) >= start].to_csv(path, index=False)
    return path


def test_a_forecast_is_verified_on_what_came_after(frozen, tmp_path):
    config, place, facts = frozen
    found, text = pipeline.verify(
        place / "f", later(config, tmp_path / "new.csv"), out=tmp_path / "v"
    )
    everything = {row["model"]: row for row in found["scores"] if row["subset"] == "all"}
    assert set(everything) == {"forecast", "uniform", "border_distance", "kde", "persistence"}
    assert everything["uniform"]["bits"] == pytest.approx(0, abs=1e-9)
    assert everything["forecast"]["bits"] > 1
    assert "best baseline" in text
    assert (tmp_path / "v" / "missed.csv").exists()
    curve = pd.read_csv(tmp_path / "v" / "capture.csv").set_index("area_share")
    assert curve.loc[[0, 1], "forecast"].tolist() == [0, pytest.approx(1)]
    ten = next(row for row in found["scores"] if row["model"] == "forecast")["capture_10"]
    assert curve.loc[0.1, "forecast"] == pytest.approx(ten)
    assert [entry["forecast"] for entry in check(facts["ledger"])] == [facts["hash"]]


def test_earlier_incidents_are_refused_and_nothing_is_written(frozen, tmp_path):
    config, place, _ = frozen
    with pytest.raises(DataError, match="before the forecast's origin"):
        pipeline.verify(
            place / "f", later(config, tmp_path / "all.csv", "2020-01-01"), out=tmp_path / "v"
        )
    assert not (tmp_path / "v").exists()


def test_a_changed_forecast_proves_nothing(frozen, tmp_path):
    config, place, _ = frozen
    copy = shutil.copytree(place / "f", tmp_path / "copy")
    cells = copy / "cells.parquet"
    cells.write_bytes(cells.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="changed"):
        pipeline.verify(copy, later(config, tmp_path / "new.csv"))


def test_the_ledger_vouches_for_the_forecast(frozen, tmp_path):
    config, place, facts = frozen
    found, text = pipeline.verify(
        place / "f", later(config, tmp_path / "new.csv"), out=tmp_path / "v"
    )
    assert found["recorded"]["forecast"] == facts["hash"]
    assert "Recorded in the ledger as entry 0" in text
    kept = json.loads((tmp_path / "v" / "manifest.json").read_text())
    assert kept["recorded"]["index"] == 0


def test_a_ledger_that_moved_is_found_beside_the_forecast_or_where_it_is_said(frozen, tmp_path):
    config, place, facts = frozen
    new = later(config, tmp_path / "new.csv")
    alone = shutil.copytree(place / "f", tmp_path / "alone" / "f")
    _, text = pipeline.verify(alone, new, out=tmp_path / "v0")
    assert "No ledger was found" in text
    elsewhere = shutil.copy(facts["ledger"], tmp_path / "record.jsonl")
    _, text = pipeline.verify(alone, new, out=tmp_path / "v1", ledger_path=elsewhere)
    assert "entry 0" in text
    shutil.copy(facts["ledger"], alone.parent / "forecasts.jsonl")
    _, text = pipeline.verify(alone, new, out=tmp_path / "v2")
    assert "entry 0" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.replace(b'"origin":"2024', b'"origin":"2023'), "line 1: was changed"),
        (lambda _: b"", "is not recorded here"),
    ],
)
def test_a_forecast_its_ledger_does_not_hold_is_refused(frozen, tmp_path, change, message):
    config, place, _ = frozen
    copy = shutil.copytree(place, tmp_path / "all")
    record = copy / config.name / "forecasts.jsonl"
    record.write_bytes(change(record.read_bytes()))
    with pytest.raises(DataError, match=message):
        pipeline.verify(copy / "f", later(config, tmp_path / "new.csv"), out=tmp_path / "v")
    assert not (tmp_path / "v").exists()


def test_a_broken_ledger_stops_the_next_forecast(small, tmp_path):
    config = small(**{"outputs.folder": str(tmp_path)})
    record = tmp_path / config.name / "forecasts.jsonl"
    record.parent.mkdir()
    record.write_text("torn")
    with pytest.raises(DataError, match="line 1: is cut off"):
        pipeline.forecast(config, origin=ORIGIN, horizon_days=365, out=tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_a_signal_after_the_origin_leaves_every_byte_as_it_was(frozen, small, tmp_path):
    config, place, _ = frozen
    table = pd.read_csv(config.data.incidents.path)
    last = table[pd.to_datetime(table["date"]) < ORIGIN].iloc[-1:]
    signal = pd.concat([last] * 60, ignore_index=True)
    signal["incident_id"] = [f"SIGNAL-{k}" for k in range(60)]
    signal["date"] = "2024-02-01"
    planted = tmp_path / "planted.csv"
    pd.concat([table, signal]).to_csv(planted, index=False)
    other = small(**{"outputs.folder": str(tmp_path), "data.incidents.path": str(planted)})
    pipeline.forecast(other, origin=ORIGIN, horizon_days=366, out=tmp_path / "f")
    for name in ("cells.parquet", "past.parquet", "border.parquet"):
        assert (tmp_path / "f" / name).read_bytes() == (place / "f" / name).read_bytes(), name
    # The same rows before the origin are seen, so the comparison can fail.
    signal["date"] = "2023-12-01"
    pd.concat([table, signal]).to_csv(planted, index=False)
    pipeline.forecast(other, origin=ORIGIN, horizon_days=366, out=tmp_path / "g")
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
    "after the horizon": ({"date": "2031-05-05"}, "2024-12-31"),
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
        pipeline.evaluate(small(**changes), out=tmp_path / "skill")
    assert not (tmp_path / "skill").exists()
