"""Size and speed of the map on synthetic scenes, in headless Chromium and in Firefox.

``python -m benchmarks.webmap`` prints one line per size and browser: medians of repeats, beside the
budget. Firefox is measured where it is installed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from runpy import run_path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from affine import Affine
from scipy.ndimage import gaussian_filter, zoom

from borderrisk.area import StudyArea
from borderrisk.features.catalogue import annotate
from borderrisk.grid import WGS84, Grid, laea_crs
from borderrisk.outputs.scene import Relief, Scene, SceneMeta
from borderrisk.outputs.webmap import write_map
from borderrisk.scores import risk_class, risk_percentile

# Cells per side: bytes and milliseconds until usable that a map may take.
BUDGETS = {300: (2e6, 1000), 671: (5e6, 1500), 1000: (10e6, 3000)}
CHROMIUM = "/usr/bin/chromium"
POPUP_MS = 50
FEATURES = (
    "elevation_mean", "elevation_sd", "slope_mean", "ruggedness", "border_distance_km",
    "settlement_distance_100000_km", "population_potential", "hours_from_border",
    "hours_to_home_settlement", "remoteness", "hidden_share", "enclosure",
)  # fmt: skip
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
CLICK = """() => new Promise((done) => {
  const app = BR.app;
  const i = Math.floor(Math.random() * app.cells.count);
  app.map.setView(L.latLngBounds(BR.cellOutline(app, i)).getCenter(), 10, {animate: false});
  setTimeout(async () => {
    app.map.closePopup();
    const start = performance.now();
    await app.select(app.cellAt(app.map.getCenter()), {at: app.map.getCenter()});
    document.querySelector('.leaflet-popup-content').getBoundingClientRect();
    done(performance.now() - start);
  }, 150);
})"""
SWITCH = """async () => {
  const app = BR.app;
  const names = app.config.metrics.map((metric) => metric.name);
  await app.update({layer: names[(names.indexOf(app.state.layer) + 1) % names.length], min: null});
  const start = performance.now();
  await app.paint();
  return performance.now() - start;
}"""


def _field(rng: np.random.Generator, side: int, rough: float) -> np.ndarray:
    """Smooth hills of several sizes with some cell-by-cell noise, mean 0 and spread 1."""
    coarse = zoom(gaussian_filter(rng.normal(size=(40, 40)), 2), side / 40, order=3)[:side, :side]
    fine = gaussian_filter(rng.normal(size=(side, side)), 3)
    return coarse / coarse.std() + 0.2 * fine / fine.std() + rough * rng.normal(size=(side, side))


def _scores(rng: np.random.Generator, side: int) -> dict[str, np.ndarray]:
    log_risk = _field(rng, side, 0.02)
    intensity = 0.02 * np.exp(1.2 * log_risk)
    flat, area = intensity.ravel(), np.ones(side * side)
    risk = risk_percentile(flat, area)
    order = np.argsort(-flat, kind="stable")
    rank = np.empty(flat.size)
    rank[order] = np.arange(1, flat.size + 1)
    probability = -np.expm1(-intensity / 100)
    spread = np.exp(0.6 + 0.2 * np.abs(_field(rng, side, 0.02)))
    return {
        "intensity": intensity,
        "probability": probability,
        "probability_low": probability / spread,
        "probability_high": np.minimum(1, probability * spread),
        "risk": risk.reshape(side, side),
        "risk_class": risk_class(risk).reshape(side, side),
        "rank": rank.reshape(side, side),
        "susceptibility": 0.02 * np.exp(_field(rng, side, 0.01)),
        "share_history": 1 / (1 + np.exp(_field(rng, side, 0.0))),
        "exposure": np.ones((side, side)),
    }


def _coded(rng: np.random.Generator, side: int) -> dict[str, tuple]:
    names = " ".join(FEATURES)
    attrs = {"flag_values": list(range(len(FEATURES))), "flag_meanings": names}
    flags = {"flag_values": [0, 1, 2, 3], "flag_meanings": "ok extrapolation sparse edge"}
    trust = (_field(rng, side, 0.0) > 1.8).astype(np.int8)
    layers: dict[str, tuple] = {"trust": (("y", "x"), trust, flags)}
    for k in (1, 2, 3):
        code = (np.abs(_field(rng, side, 0.0)) * 4).astype(np.int16) % len(FEATURES)
        layers[f"driver_{k}"] = (("y", "x"), code, attrs)
        effect = (_field(rng, side, 0.02) / k).astype(np.float32)
        layers[f"driver_{k}_effect"] = (("y", "x"), effect)
    return layers


def synthetic_scene(side: int, seed: int = 7) -> Scene:
    """Return a square of ``side`` x ``side`` scored cells of 1 km."""
    rng = np.random.default_rng(seed)
    crs = laea_crs(60, 31)
    half = side * 500
    grid = Grid(crs, Affine(1000, 0, -half, 0, -1000, half), (side, side))
    polygon = shapely.box(-half, -half, half, half)
    numbers = _scores(rng, side) | {name: 10 + _field(rng, side, 0.01) for name in FEATURES}
    cells = grid.dataset().assign(
        {name: (("y", "x"), v.astype(np.float32)) for name, v in numbers.items()}
    )
    cells = annotate(cells.assign(_coded(rng, side)))
    heights = (1500 + 400 * _field(rng, 600, 0.0)).astype(np.float32)
    return Scene(
        area=StudyArea(grid, polygon, polygon),
        cells=cells,
        borders=_border(),
        settlements=_places(rng),
        incidents=_incidents(rng),
        relief=Relief(heights, Affine(0.025, 0, 52.5, 0, -0.025, 38.5), WGS84),
        focuses=(),
        meta=SceneMeta(f"{side * side:,} cells", horizon_days=365, origin="2024-01-01"),
    )


def _border() -> gpd.GeoDataFrame:
    line = shapely.LineString([(61, 26), (61.2, 31), (60.8, 36)])
    return gpd.GeoDataFrame({"pair": ["IRN-AFG"]}, geometry=[line], crs=4326)


def _places(rng: np.random.Generator, count: int = 400) -> gpd.GeoDataFrame:
    points = gpd.points_from_xy(rng.uniform(56, 64, count), rng.uniform(27, 35, count))
    people = (10 ** rng.uniform(3, 6, count)).astype(int)
    table = {"name": [f"Place {i}" for i in range(count)], "name_fa": "", "country": "IRN"}
    return gpd.GeoDataFrame(table | {"population": people}, geometry=points, crs=4326)


def _incidents(rng: np.random.Generator, count: int = 300) -> gpd.GeoDataFrame:
    points = gpd.points_from_xy(rng.uniform(57, 63, count), rng.uniform(28, 34, count))
    dates = pd.to_datetime("2000-01-01") + pd.to_timedelta(rng.integers(0, 8700, count), "D")
    table = {
        "incident_id": [f"S-{i}" for i in range(count)], "date": dates, "date_end": dates,
        "date_precision": "day", "radius_km": rng.choice([1.0, 10, 25, 50], count),
        "kind": rng.choice(["ambush", "bombing", "armed_clash"], count), "confidence": "high",
    }  # fmt: skip
    return gpd.GeoDataFrame(table, geometry=points, crs=4326)


Run = Callable[[str], Any]
MARIONETTE = Path(__file__).parents[1] / "tests" / "webmap" / "marionette.py"


def _chromium(stack: ExitStack) -> Callable[[Path], Run]:
    """Open pages in Chromium: a function of a file that returns one of scripts."""
    from playwright.sync_api import sync_playwright

    playwright = stack.enter_context(sync_playwright())
    launch = playwright.chromium.launch
    browser = stack.enter_context(launch(executable_path=CHROMIUM, args=FLAGS))
    page = browser.new_page(viewport={"width": 1280, "height": 800})

    def open_page(path: Path) -> Run:
        page.goto("about:blank")
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-warm]", state="attached", timeout=60_000)
        return page.evaluate

    return open_page


def _firefox(stack: ExitStack) -> Callable[[Path], Run]:
    """Open pages in Firefox, as the map's tests do."""
    profile = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    browser = stack.enter_context(closing(run_path(str(MARIONETTE))["Firefox"](profile)))

    def open_page(path: Path) -> Run:
        browser.open(path.as_uri())
        browser.until("return document.documentElement.dataset.warm !== undefined")
        return lambda script: browser.run(
            f"return ({script})()" if "=>" in script else f"return {script}"
        )

    return open_page


def _browsers(stack: ExitStack) -> Iterator[tuple[str, Callable[[Path], Run]]]:
    yield "chromium", _chromium(stack)
    if run_path(str(MARIONETTE))["executable"]():
        yield "firefox", _firefox(stack)


def measure(open_page: Callable[[Path], Run], path: Path, repeats: int) -> dict[str, float]:
    """Open a map several times; medians in milliseconds."""
    ready: list[float] = []
    popup: list[float] = []
    switch: list[float] = []
    for _ in range(repeats):
        run = open_page(path)
        ready.append(float(run("document.documentElement.dataset.ready")))
        popup.extend(float(run(CLICK)) for _ in range(6))
        switch.extend(float(run(SWITCH)) for _ in range(3))
    return {
        "ready": statistics.median(ready),
        "popup": statistics.median(popup),
        "worst popup": max(popup),
        "recolour": statistics.median(switch),
    }


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=list(BUDGETS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder to leave the maps in")
    args = parser.parse_args(arguments)
    print(
        "cells      build s   MB (budget)  browser   ready ms (budget)  "
        "popup ms (worst)  recolour ms"
    )
    with ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browsers = list(_browsers(stack))
        for side in args.sides:
            scene = synthetic_scene(side)
            path = folder / f"map-{side * side}.html"
            start = time.perf_counter()
            write_map(scene, path)
            built = time.perf_counter() - start
            for name, open_page in browsers:
                _print_row(side, built, path, name, measure(open_page, path, args.repeats))


def _print_row(side: int, built: float, path: Path, browser: str, t: dict[str, float]) -> None:
    size, limit = BUDGETS.get(side, (float("nan"), float("nan")))
    print(
        f"{side * side:>9,}  {built:7.1f}  {path.stat().st_size / 1e6:5.2f} ({size / 1e6:.0f})"
        f"     {browser:<8}  {t['ready']:6.0f} ({limit:.0f})"
        f"       {t['popup']:6.1f} ({t['worst popup']:.0f})     {t['recolour']:6.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
