from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from affine import Affine
from scipy.sparse import csr_matrix

from borderrisk.errors import DataError
from borderrisk.evaluation.backtest import BASELINES, BorderLine
from borderrisk.evaluation.verification import Forecast, check_dates, verify
from borderrisk.grid import WGS84
from borderrisk.model.cells import CellTable
from borderrisk.model.level import Level
from borderrisk.model.panel import Panel
from borderrisk.scores import probability

# Two study cells of 100 km², r000c000 (class 5) and r000c001 (class 1), and one halo cell.
WEST, EAST, HALO = (-35_000.0, 25_000.0), (-25_000.0, 25_000.0), (-15_000.0, 25_000.0)


def cells_of(**columns):
    table = {
        "exposure": [1.0, 1.0, 0.0], "domain": 1.0, "risk_class": [5, 1, 0],
        "forecast": [3.0, 1.0, np.nan], **dict.fromkeys(BASELINES, 1.0), "kde": [1.0, 3.0, 3.0],
    }  # fmt: skip
    return pd.DataFrame(table).assign(**columns)


@pytest.fixture
def frozen(grid):
    """Build a forecast for 2020, made long after."""
    mask = np.zeros(grid.shape, bool)
    mask[0, :3] = True
    places = pd.DataFrame([WEST, EAST, HALO], columns=["x_km", "y_km"]) / 1000

    def build(table=None, origin="2020-01-01", **given):
        table = cells_of() if table is None else table
        land = table["domain"].to_numpy() * grid.cell_area_km2 / 100
        names = [name for name in ("forecast", *BASELINES) if name in table]
        return Forecast(
            origin=pd.Timestamp(origin),
            horizon_days=366,
            made=pd.Timestamp("2026-05-01T12:00", tz="UTC"),
            cells=CellTable(grid, mask, places, land, table["exposure"].to_numpy()),
            risk_class=table["risk_class"].to_numpy(),
            intensity={name: table[name].to_numpy() for name in names},
            level=Level(4.0, 1.0),
            **given,
        )

    return build


def table_of(grid, *rows):
    """Incidents ``(id, date, place in grid metres)`` or with a last day and a radius in km."""
    frame = pd.DataFrame([(*row, row[1], 0.0)[:5] if len(row) < 5 else row for row in rows])
    frame.columns = ["incident_id", "date", "place", "date_end", "radius_km"]
    places = gpd.GeoSeries.from_xy(*zip(*frame["place"], strict=True), crs=grid.crs)
    dates = {name: pd.to_datetime(frame[name]) for name in ("date", "date_end")}
    frame = frame.assign(**dates, weight=1.0, kind="attack").drop(columns="place")
    return gpd.GeoDataFrame(frame, geometry=places.to_crs(WGS84))


def panel_of(forecast: Forecast, *rows) -> Panel:
    return Panel.build(table_of(forecast.cells.grid, *rows), forecast.cells.grid, forecast.domain)


def row_of(found, model, subset="all"):
    table = found.table
    return table[(table["model"] == model) & (table["subset"] == subset)].iloc[0]


def test_two_cells_by_hand(frozen):
    forecast = frozen()
    found = verify(
        forecast,
        panel_of(
            forecast,
            ("a", "2020-02-01", WEST),
            ("b", "2020-03-01", WEST),
            ("c", "2020-12-31", EAST),
        ),
    )
    assert found.table["model"].tolist() == ["forecast", *BASELINES]
    assert found.table["role"].tolist() == ["model"] + ["baseline"] * len(BASELINES)
    assert found.table["incidents"].tolist() == [3] * (1 + len(BASELINES))
    ours, kde, flat = (row_of(found, name) for name in ("forecast", "kde", "even"))
    # Mean intensity 2: log2(3/2) twice and log2(1/2) once; the KDE has it the other way round.
    assert ours["bits"] == pytest.approx((2 * np.log2(1.5) - 1) / 3)
    assert kde["bits"] == pytest.approx((np.log2(1.5) - 2) / 3)
    assert flat["bits"] == pytest.approx(0)
    # A tenth of the area is a fifth of the higher cell.
    assert ours["capture_10"] == pytest.approx(0.2 * 2 / 3)
    assert kde["capture_10"] == pytest.approx(0.2 / 3)
    assert flat["capture_10"] == pytest.approx(0.1)
    assert ours["auc"] == pytest.approx((2 * 0.75 + 0.25) / 3)
    # One incident each at the chance of a cell with so many expected, over 366 days.
    chance = probability(np.array([3.0, 1.0]), 1.0, 366)
    assert ours["brier"] == pytest.approx(((1 - chance) ** 2).mean())
    assert found.gain.baseline == "history_alone"
    assert found.gain.bits == pytest.approx(ours["bits"])
    assert found.gain.low <= found.gain.bits <= found.gain.high


def test_curve_and_calibration_by_hand(frozen):
    forecast = frozen()
    rows = [("a", "2020-02-01", WEST), ("b", "2020-03-01", WEST), ("c", "2020-04-01", EAST)]
    found = verify(forecast, panel_of(forecast, *rows))
    assert list(found.capture_curve) == ["forecast", *BASELINES]
    curve = found.capture_curve["forecast"]
    at = [curve["area_share"].index(share) for share in (0.0, 0.25, 0.5, 1.0)]
    assert [curve["captured"][k] for k in at] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    low, high = found.calibration
    assert (low["risk_class"], low["observed"]) == (1, 1.0)
    assert low["expected"] == pytest.approx(366 / 365.25)
    assert (high["observed"], high["expected"]) == (2.0, pytest.approx(3 * 366 / 365.25))


def test_incidents_in_low_classes_are_listed(frozen):
    forecast = frozen()
    found = verify(
        forecast,
        panel_of(
            forecast,
            ("late", "2020-08-01", EAST),
            ("hit", "2020-02-01", WEST),
            ("early", "2020-03-01", EAST),
        ),
    )
    assert found.missed["incident_id"].tolist() == ["early", "late"]
    assert found.missed["cell_id"].tolist() == ["r000c001"] * 2
    assert found.missed["risk_class"].tolist() == [1, 1]
    assert found.missed["low_share"].tolist() == [1.0, 1.0]


def test_a_point_outside_counts_where_most_of_its_mass_lies(frozen):
    # In the halo, 0.1 km from the class-1 cell; half land, so most of the mass lies in that cell.
    forecast = frozen(cells_of(domain=[1.0, 1.0, 0.5]))
    beside = (-19_900.0, 25_000.0)
    row = ("a", "2020-02-01", beside, "2020-02-01", 3.0)
    found = verify(forecast, panel_of(forecast, row))
    assert found.missed["cell_id"].tolist() == [""]
    assert found.missed["risk_class"].isna().tolist() == [True]
    assert found.missed["low_share"].tolist() == pytest.approx([1.0])


def test_what_is_left_out_is_said(frozen):
    forecast = frozen()
    found = verify(
        forecast,
        panel_of(
            forecast,
            ("first-day", "2020-01-01", WEST),
            ("last-day", "2020-12-31", WEST),
            ("next-day", "2021-01-01", WEST),
            ("over-the-end", "2020-12-01", WEST, "2021-01-31", 0.0),
            ("over-the-origin", "2019-12-01", WEST, "2020-01-31", 0.0),
            ("halo", "2020-02-01", HALO),
            ("far", "2020-02-01", (25_000.0, -25_000.0)),
        ),
    )
    assert found.counts == {
        "given": 7,
        "scored": 2,
        "outside": 2,
        "at_origin": 1,
        "after": 2,
        "rejected": 0,
    }
    text = " ".join(found.notes)
    assert "2 of 7 incident(s) were scored" in text
    assert "2 outside the study area, 1 with a period that begins before the origin, 2 not" in text
    assert "after its origin 2020-01-01" in text
    assert "horizon ends" not in text


def test_a_record_that_stops_before_the_horizon_is_said(frozen):
    forecast = frozen()
    found = verify(forecast, panel_of(forecast, ("a", "2020-02-01", WEST)))
    assert "dated 2020-02-01, the horizon ends on 2020-12-31" in found.notes[-1]


def test_a_forecast_made_before_its_origin_needs_no_excuse(frozen):
    forecast = frozen(origin="2120-01-01")
    found = verify(forecast, panel_of(forecast, ("a", "2120-12-31", WEST)))
    assert found.notes == ["1 of 1 incident(s) were scored."]


def test_earlier_incidents_are_refused_and_listed(frozen):
    forecast = frozen()
    rows = [("a", "2020-02-01", WEST), ("b", "2019-12-31", WEST), ("c", "2012-05-06", EAST)]
    with pytest.raises(DataError, match=r"2 incident\(s\).*b \(2019-12-31\), c \(2012-05-06\)\."):
        verify(forecast, panel_of(forecast, *rows))
    many = [(f"n{k:02}", "2019-01-01", WEST) for k in range(13)]
    with pytest.raises(DataError, match=r"n09 \(2019-01-01\) and 3 more"):
        check_dates(table_of(forecast.cells.grid, *many), forecast)


def test_nothing_to_verify_with(frozen):
    forecast = frozen()
    rows = [("halo", "2020-02-01", HALO), ("next-year", "2021-02-01", WEST)]
    with pytest.raises(DataError, match=r"of 2: 1 outside the study area, 1 not wholly before"):
        verify(forecast, panel_of(forecast, *rows))


def test_a_panel_of_other_cells_is_refused(frozen, grid):
    forecast = frozen()
    incidents = table_of(grid, ("a", "2020-02-01", WEST))
    for panel in (
        Panel.build(incidents, grid, np.ones(grid.shape)),
        Panel.build(
            incidents,
            replace(grid, transform=grid.transform @ Affine.translation(0.5, 0)),
            forecast.domain,
        ),
    ):
        with pytest.raises(DataError, match="other cells than the forecast's"):
            verify(forecast, panel)


def test_repeat_and_new_places(frozen):
    # Known: one incident in the west; the east is 10 km away, a third place 20 km.
    cells = cells_of(exposure=1.0, forecast=[3.0, 1.0, 2.0], risk_class=3)
    forecast = frozen(cells, past=np.array([WEST]))
    rows = [("a", "2020-02-01", WEST), ("b", "2020-02-02", EAST), ("c", "2020-02-03", HALO)]
    found = verify(forecast, panel_of(forecast, *rows))
    ours = found.table[found.table["model"] == "forecast"].set_index("subset")
    assert ours["incidents"].to_dict() == {"all": 3, "repeat": 2, "new": 1}
    assert ours.loc["repeat", "bits"] == pytest.approx((np.log2(1.5) - 1) / 2)
    assert ours.loc["new", "bits"] == pytest.approx(0)
    assert found.missed.empty


def test_a_subset_without_incidents_has_no_metrics(frozen):
    forecast = frozen(past=np.array([WEST]))
    found = verify(forecast, panel_of(forecast, ("a", "2020-02-01", WEST)))
    assert row_of(found, "forecast", "new")["incidents"] == 0
    assert np.isnan(row_of(found, "forecast", "new")["bits"])


def test_capture_by_border_length(frozen, grid):
    # The west lies behind the first, the east behind the second of two segments of 10 km.
    attribution = csr_matrix(([1.0, 1.0], ([0, 1], [0, 1])), shape=(grid.size, 2))
    forecast = frozen(line=BorderLine(attribution, np.array([10.0, 10.0])))
    rows = [("a", "2020-02-01", WEST), ("b", "2020-03-01", WEST), ("c", "2020-04-01", EAST)]
    found = verify(forecast, panel_of(forecast, *rows))
    assert row_of(found, "forecast")["border_capture_10"] == pytest.approx(0.2 * 2 / 3)
    assert row_of(found, "kde")["border_capture_10"] == pytest.approx(0.2 / 3)


def test_a_forecast_without_baselines(frozen):
    forecast = frozen(cells_of().drop(columns=list(BASELINES)))
    found = verify(forecast, panel_of(forecast, ("a", "2020-02-01", WEST)))
    assert found.gain is None
    assert found.table["model"].tolist() == ["forecast"]


def test_an_incident_mostly_outside_is_not_scored(frozen):
    # All land: a disc centred a little into the halo has less than half of its mass inside.
    forecast = frozen()
    inside, outside = (-20_100.0, 25_000.0), (-19_900.0, 25_000.0)
    rows = [(name, "2020-02-01", place, "2020-02-01", 3.0)
            for name, place in (("in", inside), ("out", outside))]  # fmt: skip
    found = verify(forecast, panel_of(forecast, *rows))
    assert (found.counts["scored"], found.counts["outside"]) == (1, 1)
    # Its mass is cut to the study area: wholly in the class-1 cell.
    assert row_of(found, "forecast")["bits"] == pytest.approx(-1)
