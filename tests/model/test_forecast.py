import hashlib
import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from borderrisk.errors import ConfigError, DataError, OutputError
from borderrisk.evaluation.backtest import BorderLine
from borderrisk.grid import WGS84
from borderrisk.model import ledger
from borderrisk.model.forecast import BASELINES, freeze, open_forecast
from borderrisk.model.panel import Panel

PLACE = {"x": [-35_000.0, -25_000.0, -15_000.0], "y": [25_000.0] * 3}


def cells_of(**columns):
    """Three cells in the north-western corner of the 6 x 8 grid; the third is halo."""
    table = pd.DataFrame(
        {"cell_id": ["r000c000", "r000c001", "r000c002"], **PLACE, "exposure": [1.0, 0.5, 0.0]}
    )
    scores = {"intensity": 3.0, "probability": 0.2, "risk": 60.0, "risk_class": 2}
    table = table.assign(**scores, **dict.fromkeys(BASELINES, 1.0), domain=[1.0, 1.0, 0.8])
    return table.assign(**columns)


@pytest.fixture
def write(tmp_path, grid):
    """Freeze a small forecast with every part."""
    model = tmp_path / "trained.skops"
    model.write_bytes(b"a model")
    attribution = csr_matrix(([0.25, 0.75, 1.0], ([0, 0, 1], [0, 2, 2])), shape=(grid.size, 3))

    def build(name="frozen", cells=None, **given_):
        settings_ = {
            "grid": grid,
            "origin": "2025-01-01",
            "horizon_days": 365,
            "model_file": model,
            "past": pd.DataFrame({"x": [1.0, 2.0], "y": [3, 4], "weight": 1.0}),
            "line": BorderLine(attribution, np.array([5.0, 6.0, 7.0])),
            "meta": {"config": "east", "seed": 1, "tuple": (1, 2), "name_fa": "زابل"},
        } | given_
        folder = tmp_path / name
        return folder, freeze(folder, cells_of() if cells is None else cells, **settings_)

    return build


def test_what_was_frozen_comes_back(write, grid):
    folder, facts = write(cells=cells_of(trust=[0, 1, -1]).iloc[[2, 0, 1]])
    found = open_forecast(folder)
    assert found.facts == facts
    pd.testing.assert_frame_equal(found.cells, cells_of(trust=[0, 1, -1]))
    assert found.grid == grid
    assert found.baselines == list(BASELINES)
    assert (f"{found.origin:%Y-%m-%d}", f"{found.last_day:%Y-%m-%d}") == (
        "2025-01-01",
        "2025-12-31",
    )
    assert found.past.to_numpy().tolist() == [[1, 3], [2, 4]]
    assert found.line.length_km.tolist() == [5, 6, 7]
    assert found.line.attribution.shape == (grid.size, 3)
    assert found.line.attribution[:2].toarray().tolist() == [[0.25, 0, 0.75], [0, 0, 1]]
    assert (folder / "model.skops").read_bytes() == b"a model"
    assert facts["meta"] == {"config": "east", "seed": 1, "tuple": [1, 2], "name_fa": "زابل"}


def test_the_domain_rebuilds_the_panel(write, grid):
    found = open_forecast(write()[0])
    assert found.domain[0, :4].tolist() == pytest.approx([1, 1, 0.8, 0])
    assert found.domain.sum() == pytest.approx(2.8)
    day = pd.Timestamp("2025-05-01")
    place = gpd.GeoSeries.from_xy([-15_000.0], [25_000.0], crs=grid.crs).to_crs(WGS84)
    incident = {"incident_id": "a", "date": day, "date_end": day, "radius_km": 0.0, "weight": 1.0}
    panel = Panel.build(gpd.GeoDataFrame([incident], geometry=place), found.grid, found.domain)
    assert panel.mass.toarray().tolist() == [[0, 0, 1]]
    bare = open_forecast(write("bare", cells_of().drop(columns="domain"))[0])
    assert bare.domain[0, :3].tolist() == [1, 0.5, 0]


def test_hashes_by_hand(write):
    folder, facts = write()
    for name in ("cells.parquet", "model.skops", "past.parquet", "border.parquet"):
        assert facts["files"][name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    rest = {key: value for key, value in facts.items() if key != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    assert facts["hash"] == hashlib.sha256(text.encode()).hexdigest()
    assert facts["made_utc"].endswith("+00:00")
    assert sorted(p.name for p in folder.iterdir()) == [
        "border.parquet", "cells.parquet", "forecast.json", "model.skops", "past.parquet",
    ]  # fmt: skip


def test_equal_forecasts_have_equal_files(write):
    one, two = write("one")[0], write("two")[0]
    for path in one.glob("*.parquet"):
        assert path.read_bytes() == (two / path.name).read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_any_changed_byte_is_found(write, tmp_path, data):
    folder = tmp_path / "frozen"
    if not folder.exists():
        write()
    name = data.draw(st.sampled_from(sorted(p.name for p in folder.iterdir())))
    path = folder / name
    original = path.read_bytes()
    content = bytearray(original)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        with pytest.raises(DataError, match=name):
            open_forecast(folder)
    finally:
        path.write_bytes(original)


@pytest.mark.parametrize(
    "change", [(b"\n ", b"\n\t"), (b"\n", b"\r\n"), (b'"seed": 1', b'"seed": 2, "seed": 1')]
)
def test_a_change_that_means_the_same_is_found(write, change):
    folder, facts = write()
    path = folder / "forecast.json"
    path.write_bytes(path.read_bytes().replace(*change))
    assert json.loads(path.read_bytes()) == facts
    with pytest.raises(DataError, match=r"forecast\.json: was changed"):
        open_forecast(folder)


@pytest.mark.parametrize("name", ["cells.parquet", "forecast.json", "model.skops"])
def test_a_missing_file_is_found(write, name):
    folder, _ = write()
    (folder / name).unlink()
    with pytest.raises(DataError, match=name):
        open_forecast(folder)


def rewritten(folder, **changes):
    """Change the facts and make the hash fit again."""
    path = folder / "forecast.json"
    facts = json.loads(path.read_text(encoding="utf-8")) | changes
    facts["hash"] = ledger.seal(facts)
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
    return facts


def test_a_rewritten_forecast_is_not_in_the_ledger(write, tmp_path):
    folder, facts = write()
    record = tmp_path / "forecasts.jsonl"
    ledger.append(record, {"forecast": facts["hash"]})
    rewritten(folder, origin="2024-06-01")
    found = open_forecast(folder)
    assert found.hash not in {entry["forecast"] for entry in ledger.check(record)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 1"),
        ({"files": {"../secret": "0"}}, "does not describe a forecast"),
        ({"files": {}}, "does not describe a forecast"),
        ({"more": 1}, "does not describe a forecast"),
        ({"grid": {"crs": "nonsense", "transform": [1] * 6, "shape": [1, 1]}}, "not a complete"),
        ({"grid": {}}, "not a complete"),
        ({"horizon_days": "many"}, "not a complete"),
        ({"made_utc": "yesterday-ish"}, "not a complete"),
        ({"baselines": ["gut_feeling"]}, "gut_feeling"),
    ],
)
def test_facts_that_make_no_sense(write, changes, message):
    folder, _ = write()
    rewritten(folder, **changes)
    with pytest.raises(DataError, match=message):
        open_forecast(folder)


def test_a_table_that_is_none(write):
    folder, facts = write()
    (folder / "cells.parquet").write_bytes(b"no parquet")
    files = facts["files"] | {"cells.parquet": hashlib.sha256(b"no parquet").hexdigest()}
    rewritten(folder, files=files)
    with pytest.raises(DataError, match="not a complete forecast"):
        open_forecast(folder)


def test_folders_that_hold_no_forecast(tmp_path):
    with pytest.raises(DataError, match=r"forecast\.json: cannot be read"):
        open_forecast(tmp_path)
    (tmp_path / "forecast.json").write_text("[]\n")
    with pytest.raises(DataError, match=r"forecast\.json"):
        open_forecast(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"intensity": [1.0, np.nan, 1.0]}, "intensity must be a number"),
        ({"kde": [1.0, -1.0, 1.0]}, "kde must be a number"),
        ({"exposure": [0.0, 0.0, 0.0]}, "none lies inside"),
        ({"exposure": [1.0, 50.0, 0.0]}, "exposure must be a share"),
        ({"domain": [1.0, np.nan, 0.0]}, "domain must be a share"),
        ({"cell_id": ["r000c000", "r000c001", "r000c003"]}, "not the cells of the grid"),
        ({"x": [-35_000.0, -25_000.0, -25_000.0]}, "not the cells of the grid"),
        ({"x": [-35_000.0, -25_000.0, 9e9]}, "not the cells of the grid"),
        ({"y": [25_000.0, np.nan, 25_000.0]}, "not the cells of the grid"),
    ],
)
def test_cells_that_cannot_be_frozen(write, tmp_path, columns, message):
    with pytest.raises(DataError, match=message):
        write(cells=cells_of(**columns))
    assert [p.name for p in tmp_path.iterdir()] == ["trained.skops"]


def test_a_halo_needs_no_scores(write):
    folder, _ = write(cells=cells_of(intensity=[1.0, 2.0, np.nan], risk=[1.0, 2.0, np.nan]))
    assert np.isnan(open_forecast(folder).cells["intensity"].iloc[2])


def test_missing_columns_are_named(write):
    with pytest.raises(DataError, match="risk, kde are missing"):
        write(cells=cells_of().drop(columns=["kde", "risk"]))
    with pytest.raises(DataError, match="not the cells"):
        write(cells=cells_of().iloc[:0])


@pytest.mark.parametrize(
    ("given_", "error", "message"),
    [
        ({"origin": "someday"}, ConfigError, "someday"),
        ({"origin": None}, ConfigError, "None"),
        ({"horizon_days": 0}, ConfigError, "got 0"),
        ({"horizon_days": 1.5}, ConfigError, "got 1.5"),
        ({"model_file": "no-such-model.skops"}, DataError, "no-such-model.skops: cannot be read"),
    ],
)
def test_settings_that_cannot_be_frozen(write, tmp_path, given_, error, message):
    with pytest.raises(error, match=message):
        write(**given_)
    assert [p.name for p in tmp_path.iterdir()] == ["trained.skops"]


def test_a_forecast_is_never_replaced(write, tmp_path):
    folder, facts = write()
    with pytest.raises(OutputError, match="never replaced"):
        write(horizon_days=30)
    assert open_forecast(folder).facts == facts
    (tmp_path / "empty").mkdir()
    assert open_forecast(write("empty")[0]).horizon_days == 365


def test_a_failed_write_leaves_nothing(write, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write()
    assert [p.name for p in tmp_path.iterdir()] == ["trained.skops"]


def test_a_model_and_history_are_optional(write):
    folder, facts = write(model_file=None, past=None, line=None)
    found = open_forecast(folder)
    assert list(facts["files"]) == ["cells.parquet"]
    assert found.past is None
    assert found.line is None
