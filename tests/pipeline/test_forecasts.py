import hashlib
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.config import load_config
from borderrisk.errors import DataError, OutputError
from borderrisk.model import ledger
from borderrisk.model.forecast import open_forecast
from borderrisk.model.ledger import check
from borderrisk.pipeline import forecasting
from borderrisk.pipeline import run as jobs

CONFIG = Path(__file__).parents[2] / "configs" / "eastern-border.yaml"
ORIGIN = "2024-01-01"
SMALL = {"grid.cell_size_m": "40000", "features.concealment.enabled": "false"}


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


def test_a_forecast_is_verified_on_what_came_after(frozen, tmp_path):
    config, place, facts = frozen
    found, text = forecasting.verify(
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
        forecasting.verify(
            place / "f", later(config, tmp_path / "all.csv", "2020-01-01"), out=tmp_path / "v"
        )
    assert not (tmp_path / "v").exists()


def test_a_changed_forecast_proves_nothing(frozen, tmp_path):
    config, place, _ = frozen
    copy = shutil.copytree(place / "f", tmp_path / "copy")
    cells = copy / "cells.parquet"
    cells.write_bytes(cells.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="changed"):
        forecasting.verify(copy, later(config, tmp_path / "new.csv"))


def test_the_ledger_vouches_for_the_forecast(frozen, tmp_path):
    config, place, facts = frozen
    found, text = forecasting.verify(
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
    _, text = forecasting.verify(alone, new, out=tmp_path / "v0")
    assert "No ledger was found" in text
    elsewhere = shutil.copy(facts["ledger"], tmp_path / "record.jsonl")
    _, text = forecasting.verify(alone, new, out=tmp_path / "v1", ledger_path=elsewhere)
    assert "entry 0" in text
    shutil.copy(facts["ledger"], alone.parent / "forecasts.jsonl")
    _, text = forecasting.verify(alone, new, out=tmp_path / "v2")
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
        forecasting.verify(copy / "f", later(config, tmp_path / "new.csv"), out=tmp_path / "v")
    assert not (tmp_path / "v").exists()


def test_a_broken_ledger_stops_the_next_forecast(small, tmp_path):
    config = small(**{"outputs.folder": str(tmp_path)})
    record = tmp_path / config.name / "forecasts.jsonl"
    record.parent.mkdir()
    record.write_text("torn")
    with pytest.raises(DataError, match="line 1: is cut off"):
        forecasting.forecast(config, origin=ORIGIN, horizon_days=365, out=tmp_path / "f")
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
    forecasting.forecast(other, origin=ORIGIN, horizon_days=366, out=tmp_path / "f")
    for name in ("cells.parquet", "past.parquet", "border.parquet"):
        assert (tmp_path / "f" / name).read_bytes() == (place / "f" / name).read_bytes(), name
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
    config = small(**{
        "outputs.folder": str(tmp_path), "data.incidents.kinds": "[armed_clash, ambush]",
    })  # fmt: skip
    forecasting.forecast(config, origin=ORIGIN, horizon_days=366, out=tmp_path / "f")
    new = later(config, tmp_path / "new.csv")
    found, _ = forecasting.verify(tmp_path / "f", new)
    table = pd.read_csv(new)
    other = ~table["kind"].isin(["armed_clash", "ambush"])
    assert other.any()
    rejected = pd.read_csv(tmp_path / "f-verified" / "rejected.csv")
    assert set(table["incident_id"][other]) <= set(rejected["incident_id"])
    assert found["incidents"]["rejected"] >= other.sum()


def no_room(*_):
    raise OutputError("the disk is full")


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("failure", "error"), [(no_room, OutputError), (interrupted, KeyboardInterrupt)]
)
def test_a_forecast_that_is_not_recorded_is_not_kept(small, tmp_path, monkeypatch, failure, error):
    config = small(**{"outputs.folder": str(tmp_path)})
    given = {"origin": ORIGIN, "horizon_days": 366, "out": tmp_path / "f"}
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "append", failure)
        with pytest.raises(error):
            forecasting.forecast(config, **given)
    assert not (tmp_path / "f").exists()
    again = forecasting.forecast(config, **given)
    assert [entry["forecast"] for entry in check(again["ledger"])] == [again["hash"]]


def test_an_interrupt_just_after_the_record_keeps_the_forecast(small, tmp_path, monkeypatch):
    config = small(**{"outputs.folder": str(tmp_path)})
    append = ledger.append

    def late(*arguments):
        append(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger, "append", late)
    with pytest.raises(KeyboardInterrupt):
        forecasting.forecast(config, origin=ORIGIN, horizon_days=366, out=tmp_path / "f")
    kept = open_forecast(tmp_path / "f")
    assert check(tmp_path / config.name / "forecasts.jsonl")[0]["forecast"] == kept.hash


def test_the_hash_covers_inputs_and_config_and_no_count_of_what_came_after(frozen):
    config, place, _ = frozen
    facts = json.loads((place / "f" / "forecast.json").read_text(encoding="utf-8"))
    hashes = {entry["path"]: entry["sha256"] for entry in facts["meta"]["inputs"]}
    for path in (config.data.incidents.path, config.data.borders, *config.data.elevation.path):
        assert hashes[f"data/raw/{path.name}"] == hashlib.sha256(path.read_bytes()).hexdigest()
    text = (place / "f" / "config.yaml").read_bytes()
    assert facts["files"]["config.yaml"] == hashlib.sha256(text).hexdigest()
    again = load_config(place / "f" / "config.yaml")
    assert str(again.train.origin) == ORIGIN
    assert again.data.incidents.path.samefile(config.data.incidents.path)
    assert set(facts["meta"]["counts"]) == {
        "cells scored", "cells read", "features", "incidents used",
    }  # fmt: skip
    assert facts["meta"]["notes"] == []
    cells = open_forecast(place / "f").cells
    assert set(cells["trust"]) <= {-1, 0, 1, 2, 3}
    assert ((cells["trust"] == -1) == (cells["exposure"] == 0)).all()


def test_a_forecast_frozen_before_inputs_were_noted_still_verifies(frozen, tmp_path):
    config, place, _ = frozen
    folder = shutil.copytree(place / "f", tmp_path / "f")
    path = folder / "forecast.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    for name in ("inputs", "notes", "kinds", "confidence"):
        del facts["meta"][name]
    del facts["files"]["config.yaml"]
    (folder / "config.yaml").unlink()
    facts["hash"] = ledger.seal(facts)
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    found, text = forecasting.verify(folder, later(config, tmp_path / "new.csv"))
    assert found["incidents"]["scored"] > 20
    assert "No ledger was found" in text


def test_an_origin_long_after_the_record_is_said(small, tmp_path, caplog):
    config = small(**{"outputs.folder": str(tmp_path)})
    with caplog.at_level(logging.WARNING):
        facts = forecasting.forecast(
            config, origin="2031-01-01", horizon_days=365, out=tmp_path / "f"
        )
    # The last shipped incident is dated 2025-12-16.
    said = "is dated 2025-12-16, 1842 days before it"
    assert said in caplog.text
    assert said in facts["notes"][0]
    assert open_forecast(tmp_path / "f").facts["meta"]["notes"] == facts["notes"]


def test_a_verification_is_replaced_with_force_only(frozen, tmp_path):
    config, place, _ = frozen
    new, out = later(config, tmp_path / "new.csv"), tmp_path / "v"
    given = ["verify", str(place / "f"), str(new), "--out", str(out)]
    assert CliRunner().invoke(app, given).exit_code == 0
    again = CliRunner().invoke(app, given)
    assert again.exit_code == 1
    assert "--force" in again.stderr
    assert CliRunner().invoke(app, [*given, "--force"]).exit_code == 0
