import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from borderrisk.cli.app import app
from borderrisk.config import load_config
from borderrisk.errors import ConfigError, DataError, OutputError
from borderrisk.pipeline import updating
from borderrisk.pipeline.changes import CAUSES, split_change
from borderrisk.pipeline.cycle import past_forecasts, take_in
from borderrisk.pipeline.result import open_run
from borderrisk.pipeline.starting import init
from borderrisk.pipeline.updating import update, update_all
from borderrisk.runs.folder import alone

SMALL = """
grid: {cell_size_m: 40000}
features: {concealment: {enabled: false}}
model: {parameters: {n_estimators: 5}}
corridors: {routes: 0}
uncertainty: {replicates: 4}
evaluation: {enabled: false}
forecasts: {horizons_days: [30, 365]}
outputs: {folder: ., figures: []}
compute: {cache: .cache}
"""
FIRST, LAST = "2024-06-15", "2025-09-20"


@pytest.fixture(scope="module")
def border(tmp_path_factory):
    """Make the shipped example on 40 km cells, with the incidents until the middle of 2024."""
    folder = tmp_path_factory.mktemp("cycle") / "border"
    init(folder)
    kept = [line for line in (folder / "config.yaml").read_text("utf-8").split("\n\n")
            if not line.startswith(("grid", "features", "scenarios", "outputs", "compute", "focus"))
            ]  # fmt: skip
    (folder / "config.yaml").write_text("\n\n".join(kept) + SMALL, encoding="utf-8")
    table = pd.read_csv(folder / "data" / "incidents.csv", dtype=str, keep_default_na=False)
    later = table["date"] >= "2024-06-01"
    fixed = table[~later].tail(1).assign(location_radius_km="33")
    news = pd.concat([table[later & (table["date"] <= "2025-09-01")], fixed])
    news.to_csv(folder.parent / "news.csv", index=False)
    table[~later].to_csv(folder / "data" / "incidents.csv", index=False)
    package = folder / "data" / "datapackage.json"
    facts = json.loads(package.read_text("utf-8"))
    for resource in facts["resources"]:
        if resource["path"] == "incidents.csv":
            del resource["hash"]
    package.write_text(json.dumps(facts), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cycled(border):
    """Update it as of two days, the second with news; what each said."""
    first = update(border, as_of=FIRST)
    second = update(border, border.parent / "news.csv", as_of=LAST)
    return border, first, second


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and ".cache" not in path.parts}  # fmt: skip


def test_forecasts_are_made_from_the_month_and_verified_when_over(cycled):
    border, first, second = cycled
    assert [Path(path).name for path in first.forecasts] == ["2024-06-01-30d", "2024-06-01-365d"]
    assert first.verified == []
    assert [Path(path).name for path in second.forecasts] == ["2025-09-01-30d", "2025-09-01-365d"]
    names = sorted(Path(path).name.rsplit("-", 1)[0] for path in second.verified)
    assert names == ["2024-06-01-30d", "2024-06-01-365d"]
    facts = json.loads((Path(second.verified[0]) / "manifest.json").read_text("utf-8"))
    period = facts["period"]
    table = load_config(border).data.incidents.path.read_text("utf-8")
    assert period["reported"] <= sum("2024-06-" in line[:40] for line in table.splitlines())
    page = (border / "track-record.html").read_text("utf-8")
    assert f"{period['expected']:.1f}" in page and "2025-09-30" in page
    map_page = (Path(second.forecasts[0]) / "map.html").read_text("utf-8")
    assert '"record":"../../track-record.html"' in map_page.replace(": ", ":")


def test_news_are_merged_and_the_config_reads_them(cycled):
    border, _, second = cycled
    config = load_config(border)
    assert config.data.incidents.path == border / "data" / "incidents.csv"
    merged = pd.read_csv(config.data.incidents.path, dtype=str).set_index("incident_id")
    assert second.corrected == 1 and second.added > 10
    changed = pd.read_csv(border / "data" / "incidents-corrected.csv", dtype=str)
    row = changed[changed["column"] == "radius_km"].iloc[0]
    assert row["after"] == "33" and merged.loc[row["incident_id"], "radius_km"] == "33"
    assert "# Iran's eastern border" in (border / "config.yaml").read_text("utf-8")


def test_a_second_time_nothing_is_new(cycled):
    border, _, _ = cycled
    before = files(border)
    again = update(border, border.parent / "news.csv", as_of=LAST)
    assert not again.anything
    assert files(border) == before


def test_exit_codes_and_json(cycled):
    border, _, second = cycled
    command = ["update", str(border), "--as-of", LAST, "--json"]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 4
    assert json.loads(found.stdout)["borders"][0]["new"] is False
    assert second.said[0].startswith(f"Incidents: {second.added} new: ")


def test_incidents_that_a_forecast_does_not_know_yet_are_said(cycled):
    border, _, second = cycled
    known = pd.read_csv(load_config(border).data.incidents.path, dtype=str)
    late = int((known["date_end"] >= "2025-09-01").sum())
    waiting = f"wait for the next, from 2025-10-01: {late}."
    assert second.said[1].endswith(waiting if late else ").")


def test_a_changed_forecast_is_refused_before_anything_is_done(cycled):
    border, _, _ = cycled
    file = border / "forecasts" / "2025-09-01-30d" / "segments.csv"
    was, before = file.read_bytes(), files(border)
    file.write_bytes(was + b"9")
    with pytest.raises(DataError, match=r"segments\.csv: was changed"):
        update(border, border.parent / "news.csv", as_of="2025-10-01")
    file.write_bytes(was)
    sums = file.with_name("SHA256SUMS")
    sums.rename(border / "sums")
    with pytest.raises(DataError, match=r"2025-09-01-30d: is not frozen"):
        update(border, as_of="2025-09-02")
    (border / "sums").rename(sums)
    assert files(border) == before


def test_what_a_killed_update_left_is_no_forecast(cycled):
    """Killed just before its forecast got its name, sums and all."""
    border, _, _ = cycled
    before = files(border)
    rest = border / "forecasts" / ".2025-09-01-30d.0123456789ab.partial"
    shutil.copytree(border / "forecasts" / "2025-09-01-30d", rest)
    assert not update(border, as_of=LAST).anything
    shutil.rmtree(rest)
    assert files(border) == before


@pytest.mark.parametrize("place", [".", "data", "forecasts", "verifications"])
def test_remains_of_a_killed_update_go_where_nothing_is_written_too(cycled, place):
    border, _, _ = cycled
    before = files(border)
    rest = border / place / ".output.0123456789ab.partial"
    rest.mkdir()
    (rest / ".in-use").touch()
    assert not update(border, as_of=LAST).anything
    assert not rest.exists()
    assert files(border) == before


@pytest.mark.parametrize(
    ("day", "said"), [("2025-08-31", "lies before 2025-09-01"), ("2100-01-01", "is yet to come")]
)
def test_days_before_the_latest_forecast_or_after_today_are_refused(cycled, day, said):
    border, _, _ = cycled
    before = files(border)
    with pytest.raises(ConfigError, match=said):
        update(border, as_of=day)
    assert files(border) == before


def test_the_page_says_what_it_cannot_vouch_for(cycled):
    """Forecasts made long after their period are no proof, nor are those that are gone."""
    border, _, _ = cycled
    page = border / "track-record.html"
    was = page.read_text("utf-8")
    assert "2 of 2 forecasts were made when their time was over" in was
    assert "No longer among" not in was and "<title>Track record: " in was
    gone = border / "forecasts" / "2024-06-01-30d"
    gone.rename(border / "elsewhere")
    assert not update(border, as_of=LAST).anything
    assert "No longer among the kept forecasts: 2024-06-01-30d." in page.read_text("utf-8")
    (border / "elsewhere").rename(gone)
    update(border, as_of=LAST)
    assert page.read_text("utf-8") == was


def test_two_updates_of_one_folder_are_kept_apart(cycled):
    border, _, _ = cycled
    with (
        alone(border, "update"),
        pytest.raises(OutputError, match="another update is at work"),
    ):
        update(border, as_of=LAST)


def test_one_border_that_fails_does_not_stop_the_others(cycled, monkeypatch):
    border, _, _ = cycled
    broken = border.parent / "broken"
    broken.mkdir()
    (broken / "config.yaml").write_text("name: broken\n", encoding="utf-8")
    (border.parent / "odd").mkdir()
    (border.parent / "odd" / "config.yaml").write_text("", encoding="utf-8")
    update_one = updating.update

    def odd(folder, **asked):
        return 1 / 0 if folder.name == "odd" else update_one(folder, **asked)

    monkeypatch.setattr(updating, "update", odd)
    done = update_all([border.parent], as_of=LAST, scheduler="threads")
    assert [bool(it.error) for it in done] == [False, True, True]
    page = (border.parent / "update-summary.html").read_text("utf-8")
    assert "study_area" in page and "internal error: ZeroDivisionError" in page
    shutil.rmtree(border.parent / "odd")
    shutil.rmtree(broken)
    with pytest.raises(ConfigError, match="holds no config"):
        update_all([border / "data"])


@pytest.mark.parametrize("text", ["[" * 5000, "{}", "[1]", "\0"])
@pytest.mark.parametrize("pattern", ["verifications/*/manifest.json", "rehearsal.json"])
def test_a_damaged_record_is_named_with_what_to_do(cycled, pattern, text):
    border, _, _ = cycled
    path = next(iter(sorted(border.glob(pattern))), border / pattern)
    before = path.read_bytes() if path.exists() else None
    path.write_text(text)
    with pytest.raises(DataError, match=rf"{path.name}: cannot be read .*; (move|remove)"):
        update(border, as_of=LAST)
    path.unlink() if before is None else path.write_bytes(before)


def test_a_change_is_the_sum_of_its_parts(cycled):
    border, _, _ = cycled
    a, b = (open_run(border / "forecasts" / f"{day}-30d") for day in ("2024-06-01", "2025-09-01"))
    split = split_change(a, b)
    assert set(split.parts) == set(CAUSES)
    total = sum(split.parts.values())
    np.testing.assert_allclose(total, split.after - split.before, rtol=1e-4, atol=1e-6)
    found = split.totals()
    assert found["fading"] < 0 < found["new"]
    same = split_change(a, a)
    for part in same.parts.values():
        np.testing.assert_allclose(np.nan_to_num(part), 0, atol=1e-6)


def test_a_rehearsal_knows_only_what_was_known(cycled):
    """What happens from an origin on changes its score, and nothing that was forecast."""
    config = load_config(cycled[0])
    first, end = pd.Timestamp("2024-01-01"), pd.Timestamp("2024-07-15")
    whole = past_forecasts(config, first, end, (90,))
    assert [period.origin for period in whole] == ["2024-01-01", "2024-04-01"]
    table = pd.read_csv(config.data.incidents.path, dtype=str, keep_default_na=False)
    cut = config.data.incidents.path.with_name("cut.csv")
    table[table["date_end"] < "2024-04-01"].to_csv(cut, index=False)
    past = config.with_changes({"data": {"incidents": {"path": str(cut)}}})
    less = past_forecasts(past, first, end, (90,))
    cut.unlink()
    for a, b in zip(whole, less, strict=True):
        assert (a.expected, a.low, a.high) == (b.expected, b.low, b.high)
        assert [row.expected for row in a.classes] == [row.expected for row in b.classes]
    assert whole[0] == less[0]
    assert less[1].reported == 0 < whole[1].reported


def test_each_month_brings_a_sheet_with_the_same_headings_of_its_own(tmp_path):
    init(tmp_path / "border")
    rows = pd.DataFrame({"S/No": [1, 2], "Date of Incident": "",
                         "Lat (N)": [27.1, 27.4], "Long (E)": 62.5, "Place name": "Iranshahr",
                         "Type of incident": "ambush"})  # fmt: skip
    added = []
    for month in ("11", "12", "12"):
        sheet = tmp_path / "sheet.csv"
        rows.assign(**{"Date of Incident": [f"13.{month}.2025", f"25.{month}.2025"]}).to_csv(
            sheet, index=False
        )
        found = take_in(tmp_path / "border", load_config(tmp_path / "border"), sheet)
        added.append(len(found.new))
    assert added == [2, 2, 0]
    last = found.table.iloc[-1]
    assert (last["place"], last["kind"], float(last["radius_km"])) == ("Iranshahr", "ambush", 25)
    sheet.write_text("event_date,date_start,lat,lon\n2025-12-03,2025-12-04,27.1,62.5\n", "utf-8")
    with pytest.raises(DataError, match="Which column is the date: event_date or date_start"):
        take_in(tmp_path / "border", load_config(tmp_path / "border"), sheet)


def test_late_reports_are_verified_anew_and_a_report_taken_back_is_forgotten(cycled):
    border, _, _ = cycled
    known = pd.read_csv(border / "data" / "incidents.csv", dtype=str, keep_default_na=False)
    late = known[known["date"] < "2024-06-01"].tail(1).assign(incident_id="LATE")
    sheet = border.parent / "late.csv"
    page = (border / "track-record.html").read_text("utf-8")

    def dated(day):
        late.assign(date=day, date_end=day).to_csv(sheet, index=False)
        return update(border, sheet, as_of=LAST)

    told = dated("2024-06-20")
    assert len(told.verified) == 2
    counts = [json.loads((Path(path) / "manifest.json").read_text("utf-8"))["period"]["reported"]
              for path in told.verified]  # fmt: skip
    said = f"2024-06-01 for 30 days, {counts[0]} reported; 2024-06-01 for 365 days, {counts[1]} rep"
    assert any(said in line for line in told.said)
    assert (border / "track-record.html").read_text("utf-8") != page
    back = dated("2020-06-20")
    assert back.corrected == 1 and back.verified == []
    assert (border / "track-record.html").read_text("utf-8") == page
