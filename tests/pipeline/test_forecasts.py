import pandas as pd
import pytest

from borderrisk import pipeline
from borderrisk.errors import ConfigError, DataError
from borderrisk.model.ledger import check

ORIGIN = "2024-01-01"


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
    assert [entry["forecast"] for entry in check(facts["ledger"])] == [facts["hash"]]


def test_earlier_incidents_are_refused_and_nothing_is_written(frozen, tmp_path):
    config, place, _ = frozen
    with pytest.raises(DataError, match="before the forecast's origin"):
        pipeline.verify(
            place / "f", later(config, tmp_path / "all.csv", "2020-01-01"), out=tmp_path / "v"
        )
    assert not (tmp_path / "v").exists()


def test_a_changed_forecast_proves_nothing(frozen, tmp_path):
    import shutil

    config, place, _ = frozen
    copy = shutil.copytree(place / "f", tmp_path / "copy")
    cells = copy / "cells.parquet"
    cells.write_bytes(cells.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="changed"):
        pipeline.verify(copy, later(config, tmp_path / "new.csv"))


def test_an_origin_with_too_little_past_is_refused(small, tmp_path):
    with pytest.raises(ConfigError, match="at least 10"):
        pipeline.forecast(small(), origin="2003-01-01", horizon_days=365, out=tmp_path / "f")
    assert not (tmp_path / "f").exists()
