"""A small scene with known numbers, and a browser that reports every request and error."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine

from borderrisk.area import StudyArea
from borderrisk.evaluation.findings import headline
from borderrisk.evaluation.scorecard import Gain, Prospective, Scorecard, Skill
from borderrisk.grid import Grid, laea_crs
from borderrisk.outputs.scene import Focus, Relief, Scene, SceneMeta, Source
from borderrisk.outputs.webmap import write_map
from borderrisk.scores import probability as chance
from borderrisk.scores import risk_class, risk_percentile

HOSTILE = (
    '<script>window.hacked=1</script> "O\'Hara" \u202eabc\u202c & <img src=x onerror=alert(1)>'
)


def _scores(grid, polygon):
    exposure = grid.coverage(polygon)
    inside = exposure > 0
    xx, yy = grid.centres()
    field = np.exp(-np.hypot(xx - 57_300, yy - 18_700) / 60_000)
    intensity = np.where(inside, 0.001 + 0.4 * field, np.nan)
    probability = chance(intensity, exposure * grid.cell_area_km2 / 100, 365)
    risk = np.full(grid.shape, np.nan)
    risk[inside] = risk_percentile(intensity[inside], exposure[inside])
    classes = np.zeros(grid.shape, np.uint8)
    classes[inside] = risk_class(risk[inside])
    rank = np.full(grid.shape, np.nan)
    rank[inside] = np.argsort(np.argsort(-intensity[inside])) + 1
    return exposure, inside, intensity, probability, risk, classes, rank


def _cells(grid, polygon):
    exposure, inside, intensity, probability, risk, classes, rank = _scores(grid, polygon)
    xx, yy = grid.centres()
    nan = np.where(inside, 0.0, np.nan)
    flags = "border_distance_km slope_mean elevation_mean"
    driver = {"flag_values": [0, 1, 2], "flag_meanings": flags}
    trust = np.where(inside, (xx > 100_000).astype(int), -1).astype(np.int8)
    layers = {
        "exposure": exposure,
        "intensity": intensity,
        "probability": probability,
        "probability_low": probability / 3,
        "probability_high": np.minimum(1, probability * 2.5),
        "risk": risk,
        "risk_class": classes,
        "rank": rank,
        "susceptibility": intensity * 0.8 + nan,
        "share_history": 0.25 + nan,
        "border_distance_km": np.abs(xx) / 1000,
        "slope_mean": 3 + (yy - yy.min()) / 30_000,
        "elevation_mean": 800 + yy / 200,
    }
    ds = grid.dataset().assign(
        {name: (("y", "x"), v.astype(np.float32)) for name, v in layers.items()}
    )
    flags_of_trust = {"flag_values": [0, 1, 2, 3], "flag_meanings": "ok extrapolation sparse edge"}
    ds = ds.assign(trust=(("y", "x"), trust, flags_of_trust))
    for k, effect in enumerate((1.42, -0.61, 0.2), start=1):
        code = np.where(inside, k - 1, -1).astype(np.int16)
        ds = ds.assign(
            {
                f"driver_{k}": (("y", "x"), code, driver),
                f"driver_{k}_effect": (("y", "x"), (effect + nan).astype(np.float32)),
            }
        )
    return ds


def _incidents():
    dates = pd.to_datetime(["2015-03-01", "2019-07-20", "2022-01-01", "2024-05-05"])
    return gpd.GeoDataFrame(
        {
            "incident_id": ["A-1", "A-2", "A-3", "A-4"],
            "date": dates,
            "date_end": pd.to_datetime(["2015-03-01", "2019-07-20", "2022-12-31", "2024-05-05"]),
            "date_precision": ["day", "day", "year", "day"],
            "radius_km": [25.0, 5.0, 50.0, 10.0],
            "kind": ["ambush", "bombing", "ambush", "armed_clash"],
            "confidence": ["high", "medium", "low", "high"],
            "weight": [1.0, 0.7, 0.4, 1.0],
            "place": ["Taybad", HOSTILE, "زاهدان", "Later"],
            "province": ["Razavi Khorasan", "", "", ""],
            "country": ["Iran"] * 4,
            "actor": ["unknown", HOSTILE, "", ""],
            "target": ["post", "", "", ""],
            "deaths_reported": pd.array([3, None, 0, 1], dtype="Int64"),
            "summary": ["Reported ambush.", HOSTILE, "", "After the origin."],
            "source": ["agency", "", "", ""],
        },
        geometry=gpd.points_from_xy([60.6, 60.2, 59.8, 60.5], [31.1, 30.9, 31.4, 30.7]),
        crs=4326,
    )


def _settlements():
    return gpd.GeoDataFrame(
        {
            "name": ["Taybad", "Bīrjand", HOSTILE, "Zahak", "Herat"],
            "name_fa": ["تایباد", "بیرجند", "", "زهک", "هرات"],
            "country": ["IRN", "IRN", "IRN", "IRN", "AFG"],
            "population": [60_000, 350_000, 20_000, 15_000, 600_000],
        },
        geometry=gpd.points_from_xy([60.6, 59.2, 60.3, 60.1, 61.9], [31.3, 31.6, 30.5, 30.9, 31.2]),
        crs=4326,
    )


def skill(model, role, bits, capture, gain=None, **more):
    places = {"capture_5": 0.5, "capture_10": capture, "capture_20": 0.9, "auc": 0.9}
    row = {"subset": "all", "horizon_years": 1, "incidents": 41, "origins": 3, **places, **more}
    return Skill(model, role, bits=bits, gain=gain, **row)


def card_of(model, *rows, years=(1,)):
    part = Prospective(["2018-01-01", "2019-01-01", "2020-01-01"], list(years), 5, 15.0, 0.9,
                       rows=[], summary=list(rows))  # fmt: skip
    return Scorecard(model, headline(model, part), part)


SCORECARD = card_of(
    "decayed_pool",
    skill("decayed_pool", "model", 2.9, 0.78, Gain("history_alone", 0.31, 0.08, 0.55)),
    skill("history_alone", "baseline", 2.6, 0.7),
)


@pytest.fixture(scope="session")
def scene():
    """24 x 30 cells of 10 km around 60 E, 31 N; scored inside a disc of 95 km."""
    crs = laea_crs(60, 31)
    grid = Grid(crs, Affine(10_000, 0, -150_000, 0, -10_000, 120_000), (24, 30))
    polygon = shapely.box(-120_000, -90_000, 130_000, 100_000).difference(
        shapely.Point(130_000, -90_000).buffer(60_000)
    )
    area = StudyArea(grid, polygon, polygon.buffer(20_000))
    rng = np.random.default_rng(5)
    bumps = np.cumsum(np.cumsum(rng.normal(size=(60, 80)), 0), 1)
    borders = gpd.GeoDataFrame(
        {"pair": ["IRN-AFG"], "country_a": ["IRN"], "country_b": ["AFG"]},
        geometry=[shapely.LineString([(61.3, 29.9), (61.35, 30.8), (61.2, 31.9)])],
        crs=4326,
    )
    segments = gpd.GeoDataFrame(
        {"pair": ["IRN-AFG"], "rank": [1], "rate_per_km": [0.4], "note": [HOSTILE]},
        geometry=[shapely.LineString([(61.3, 29.9), (61.35, 30.8)])],
        crs=4326,
    )
    meta = SceneMeta(
        title="Test border",
        title_fa="مرز آزمایشی",
        run_id="2024-01-01-abc",
        origin="2024-01-01",
        horizon_days=365,
        statement="Relative intensity of reported incidents.",
        scorecard=SCORECARD,
        sources=[Source(HOSTILE, "1", "CC BY 4.0", "by them")],
    )
    return Scene(
        area=area,
        cells=_cells(grid, polygon),
        borders=borders,
        settlements=_settlements(),
        incidents=_incidents(),
        relief=Relief(
            (1000 + 20 * bumps).astype("float32"),
            Affine(0.06, 0, 57.6, 0, -0.06, 32.8),
            laea_crs(60, 31).from_epsg(4326),
        ),
        focuses=(Focus("east", (60.3, 30.4, 61.4, 31.9), "East side", "سمت شرق"),),
        meta=meta,
        layers={"segments": segments, "odd-layer": segments[["note", "geometry"]]},
    )


CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def compared(scene):
    """The scene as a comparison leaves it: risk fell in the west, rose in the east."""
    cells = scene.cells
    west = cells["x"] < 0
    change = xr.where(np.isfinite(cells["risk"]), xr.where(west, 2, 1), -1).astype("int8")
    flags = {"flag_values": np.array([-1, 0, 1, 2]), "flag_meanings": "unknown within rose fell"}
    moved = (cells["x"] / 10_000 + 0 * cells["risk"]).astype("float32")
    slack = cells["risk"].assign_attrs(long_name="Slack of the way to Kerman", units="h")
    cells = cells.assign(
        risk_change=moved.transpose("y", "x"), change=change.assign_attrs(flags), slack_kerman=slack
    )
    return replace(scene, cells=cells)


@pytest.fixture(scope="session")
def chromium():
    """Debian's chromium under playwright."""
    if not Path(CHROMIUM).exists():
        pytest.skip("Debian's chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def firefox(tmp_path_factory):
    """An installed Firefox (see ``marionette.py``)."""
    helper = run_path(str(Path(__file__).with_name("marionette.py")))
    if helper["executable"]() is None:
        pytest.skip("Firefox is not installed")
    try:
        browser = helper["Firefox"](tmp_path_factory.mktemp("profile"))
    except OSError as error:
        pytest.skip(f"Firefox does not start here: {error}")
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def map_file(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "map.html"
    write_map(scene, path)
    return path


@pytest.fixture
def open_map(chromium, map_file):
    """Open a map; after the test, no request but the file itself and no error may be on record."""
    opened, heard, own = [], [], set()

    def open_(hash_="", path=map_file, size=(1280, 800), **context):
        viewport = {"width": size[0], "height": size[1]}
        page = chromium.new_page(viewport=viewport, **context)
        opened.append(page)
        own.add(path.as_uri())
        page.on("request", lambda request: heard.append(request.url.split("#")[0]))
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.goto(path.as_uri() + hash_)
        page.wait_for_selector("html[data-warm]", state="attached")
        return page

    yield open_
    for page in opened:
        page.close()
    strange = [text for text in heard if text not in own]
    assert [text[:200] for text in strange if not text.startswith(("data:", "blob:"))] == []
