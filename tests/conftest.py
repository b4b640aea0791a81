import os

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine
from hypothesis import settings
from pyproj import CRS

from borderrisk.area import StudyArea, reproject
from borderrisk.evaluation.findings import headline
from borderrisk.evaluation.scorecard import (
    CaptureCurve,
    ChanceClass,
    ClassCount,
    Gain,
    Held,
    Prospective,
    Scorecard,
    Skill,
    Total,
)
from borderrisk.features.catalogue import annotate
from borderrisk.grid import WGS84, Grid, laea_crs
from borderrisk.outputs.scene import Focus, Relief, Scene, SceneMeta, Source
from borderrisk.scores import by_name, probability, risk_class, risk_percentile

# Text is not wrapped to the width of the terminal that the tests were started from.
os.environ.pop("COLUMNS", None)

# A busy machine is no failure of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


# Folders, modules and tests that make whole runs or many fits, or else take more than a few seconds
# (`pytest --durations=20` names them). `make test-fast` leaves them out.
SLOW = {
    "pipeline", "test_ablation", "test_backtest", "test_compute", "test_decayed_pool",
    "test_determinism", "test_estimators_contract", "test_studies",
    "test_figures", "test_full_disk", "test_hostile_folders", "test_leaks", "test_planted",
    "test_qgis", "test_report",
    "test_transfer", "test_travel_input", "test_uncertainty",
    "test_fate_of_a_mutant", "test_the_figure_shows_model_baselines_and_length",
    "test_the_report_says_what_watching_would_have_covered",
    "test_a_feature_without_any_value_is_refused",
    "test_distance_is_exact_on_a_large_grid_and_a_winding_line",
    "test_every_config_survives_the_round_trip", "test_features_prints_ranges",
    "test_geographic_raster_agrees_with_the_slow_reference",
    "test_many_sources_and_a_huge_range_of_multipliers",
    "test_peak_memory_is_not_that_of_the_program_that_started_it",
    "test_study_area_of_a_size_lies_on_its_raster",
    "test_window_size_and_threads_do_not_change_a_bit",
}  # fmt: skip


def pytest_collection_modifyitems(items):
    for item in items:
        names = {item.path.parent.name, item.path.stem, getattr(item, "originalname", item.name)}
        if names & SLOW or "cluster" in item.fixturenames:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def grid():
    """6 x 8 cells of 10 km around 60 E, 31 N."""
    return Grid(laea_crs(60, 31), Affine(10_000, 0, -40_000, 0, -10_000, 30_000), (6, 8))


@pytest.fixture(scope="session")
def make_scene():
    """Return a factory of small, complete scenes: home to the west, a border down the east."""
    return _make_scene


def _make_scene(rows=12, cols=16, seed=0, cell_size_m=10_000):
    rng = np.random.default_rng(seed)
    half_w, half_h = cols * cell_size_m / 2, rows * cell_size_m / 2
    transform = Affine(cell_size_m, 0, -half_w, 0, -cell_size_m, half_h)
    grid = Grid(laea_crs(60, 31), transform, (rows, cols))
    area = _area(grid)
    settlements = _settlements(grid)
    incidents = _incidents(grid, rng)
    cells = _with_scores(_with_features(area, rng), area, incidents)
    return Scene(
        area, cells, _borders(area), settlements, incidents, _relief(grid, rng),
        _focuses(grid), _meta(), {},
    )  # fmt: skip


def _area(grid):
    """Study area with a slanting eastern edge (the border) and edges that cut through cells."""
    west, south, east, north = grid.bounds
    size = grid.cell_size_m
    polygon = shapely.Polygon(
        [
            (west + 1.4 * size, south + 1.3 * size),
            (east - 4.5 * size, south + 1.3 * size),
            (east - 3.2 * size, north - 1.2 * size),
            (west + 1.4 * size, north - 1.2 * size),
        ]
    )
    return StudyArea(grid, polygon, shapely.box(*grid.bounds))


def _borders(area):
    (_, a, b, _) = shapely.get_coordinates(area.polygon)[:4]
    middle = (a + b) / 2
    lines = [shapely.LineString([b, middle]), shapely.LineString([middle, a])]
    return gpd.GeoDataFrame(
        {
            "pair": ["IRN-AFG", "IRN-PAK"],
            "country_a": ["IRN", "IRN"],
            "country_b": ["AFG", "PAK"],
        },
        geometry=[reproject(line, area.grid.crs, WGS84) for line in lines],
        crs=4326,
    )


def _points(grid, shares):
    """Points at shares (0-1) of the grid's width and height, WGS84."""
    west, south, east, north = grid.bounds
    xy = np.array([(west + u * (east - west), south + v * (north - south)) for u, v in shares])
    points = gpd.GeoSeries(shapely.points(xy), crs=grid.crs)
    return points.to_crs(4326)


def _settlements(grid):
    shares = [(0.6, 0.75), (0.45, 0.3), (0.25, 0.6), (0.9, 0.5)]
    return gpd.GeoDataFrame(
        {
            "name": ["Zahedan", "Zabol", "Nehbandan", "Zaranj"],
            "name_fa": ["زاهدان", "زابل", "نهبندان", ""],
            "country": ["IRN", "IRN", "IRN", "AFG"],
            "population": [587_730, 134_950, 18_304, 49_851],
        },
        geometry=_points(grid, shares),
        crs=4326,
    )


def _incidents(grid, rng, count=24):
    shares = np.column_stack([rng.beta(6, 3, count), rng.uniform(0.1, 0.9, count)])
    dates = pd.Timestamp("2008-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 6500, count)), "D")
    precision = np.where(np.arange(count) % 6 == 5, "month", "day")
    start = pd.Series(dates.to_numpy().astype("datetime64[ns]"))
    start = start.where(precision == "day", start.dt.to_period("M").dt.start_time)
    end = start.where(precision == "day", start + pd.offsets.MonthEnd(0))
    kinds = np.array(["ambush", "bombing", "border_clash", "armed_clash"])
    confidence = np.array(["high", "medium", "low"])[rng.integers(0, 3, count)]
    table = gpd.GeoDataFrame(
        {
            "incident_id": [f"T-{i:03d}" for i in range(count)],
            "date": start,
            "date_end": end.astype("datetime64[ns]"),
            "date_precision": precision,
            "radius_km": rng.choice([2.0, 10.0, 25.0], count),
            "kind": kinds[rng.integers(0, 4, count)],
            "confidence": confidence,
            "weight": pd.Series(confidence).map({"high": 1.0, "medium": 0.7, "low": 0.4}),
            "place": [f"Place {i}" for i in range(count)],
            "province": "Sistan and Baluchestan",
            "country": "Iran",
            "actor": "Unidentified gunmen",
            "target": "patrol",
            "deaths_reported": pd.array([i % 5 if i % 4 else None for i in range(count)], "Int64"),
            "summary": [f"Report number {i}." for i in range(count)],
            "source": ["" if i % 7 == 0 else "Example Agency" for i in range(count)],
        },
        geometry=_points(grid, shares),
        crs=4326,
    )  # fmt: skip
    return table.sort_values(["date", "incident_id"], ignore_index=True)


def _with_features(area, rng):
    grid = area.grid
    xx, yy = grid.centres()
    km = shapely.distance(
        shapely.points(xx, yy), shapely.LineString(shapely.get_coordinates(area.polygon)[1:3])
    ) / 1000  # fmt: skip
    elevation = 900 + 500 * np.sin(xx / 5e4) * np.cos(yy / 4e4) + rng.normal(0, 60, grid.shape)
    inside = shapely.contains_xy(area.polygon, xx, yy)
    values = {
        "elevation_mean": elevation,
        "slope_mean": np.abs(rng.normal(6, 4, grid.shape)),
        "ruggedness": np.abs(rng.normal(40, 25, grid.shape)),
        "border_distance_km": km,
        "border_side": np.where(inside, 1, -1),
        "population_potential": np.exp(rng.normal(9, 1, grid.shape)),
        "hours_from_border": km / 4 + np.abs(rng.normal(0, 1, grid.shape)),
    }
    values["ruggedness"][0, 0] = np.nan
    ds = grid.dataset().assign(
        exposure=(("y", "x"), grid.coverage(area.polygon).astype("float32"),
                  {"units": "1", "long_name": "Share of the cell inside the study area"}),
        domain=(("y", "x"), np.ones(grid.shape, "float32"),
                {"units": "1", "long_name": "Share of the cell that is land"}),
    )  # fmt: skip
    return annotate(ds.assign({k: (("y", "x"), v.astype("float32")) for k, v in values.items()}))


def _with_scores(ds, area, incidents):
    grid, inside = area.grid, ds.exposure.to_numpy() > 0
    exposure = ds.exposure.to_numpy().astype(float)
    susceptibility = 0.02 * np.exp(-ds.border_distance_km.to_numpy() / 40.0)
    xx, yy = grid.centres()
    history = np.full(grid.shape, 0.5)
    for point in incidents.geometry.to_crs(grid.crs):
        history += np.exp(-((xx - point.x) ** 2 + (yy - point.y) ** 2) / 2 / 2e4**2)
    intensity = susceptibility * history
    area_100 = exposure * grid.cell_area_km2 / 100
    values = {"susceptibility": susceptibility, "intensity": intensity}
    values |= {"share_history": 1 - 0.5 / history, "share_ground": 0.5 / history}
    for name, factor in (("probability", 1), ("probability_low", 0.4), ("probability_high", 2.2)):
        values[name] = probability(intensity * factor, area_100, 365)
    order = np.argsort(np.argsort(-intensity[inside], kind="stable"), kind="stable") + 1.0
    for name, shift in (("rank", 0), ("rank_low", -4), ("rank_high", 6)):
        values[name] = np.zeros(grid.shape)
        values[name][inside] = np.clip(order + shift, 1, inside.sum())
    values["risk"] = np.zeros(grid.shape)
    values["risk"][inside] = risk_percentile(intensity[inside], exposure[inside])
    ds = ds.assign(
        {
            name: (("y", "x"), np.where(inside, value, np.nan).astype("float32"),
                   by_name()[name].attrs)
            for name, value in values.items()
        }
    )  # fmt: skip
    ds["risk_class"] = (
        ("y", "x"),
        np.where(inside, risk_class(values["risk"]), 0).astype("uint8"),
        {"units": "1", "long_name": "Risk class (5 = top 3 % of the area)"},
    )
    return ds.assign(_codes(ds, inside))


def _codes(ds, inside):
    trust = np.where(inside, (ds.exposure.to_numpy() < 0.6) * 3, -1).astype("int8")
    far = inside & (ds.border_distance_km.to_numpy() > 90)
    trust[far] = 1
    features = ["border_distance_km", "elevation_mean", "hours_from_border", "slope_mean"]
    flags = {"flag_values": np.arange(4, dtype="int16"), "flag_meanings": " ".join(features)}
    out = {
        "trust": (("y", "x"), trust, {
            "long_name": "Where the score can be trusted",
            "flag_values": np.arange(4, dtype="int8"),
            "flag_meanings": "ok extrapolation sparse edge"}),
    }  # fmt: skip
    for k in (1, 2, 3):
        code = np.where(inside, (np.arange(inside.size).reshape(inside.shape) + k) % 4, -1)
        effect = np.where(inside, (1.2 / k) * np.where(code % 2 == 0, 1, -1), np.nan)
        out[f"driver_{k}"] = (("y", "x"), code.astype("int16"),
                              {"long_name": f"Driver {k}"} | flags)  # fmt: skip
        effect_attrs = {"units": "1", "long_name": f"Effect of driver {k} on log-intensity"}
        out[f"driver_{k}_effect"] = (("y", "x"), effect.astype("float32"), effect_attrs)
    return out


def _relief(grid, rng):
    """Rolling hills in geographic coordinates over the whole grid."""
    lon, lat = grid.lonlat()
    west, north, step = lon.min() - 0.1, lat.max() + 0.1, 0.05
    shape = (int((lat.max() - lat.min() + 0.2) / step) + 1,
             int((lon.max() - lon.min() + 0.2) / step) + 1)  # fmt: skip
    shape = tuple(min(n, 600) for n in shape)
    j, i = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    elevation = 900 + 400 * np.sin(j / 4) * np.cos(i / 3) + rng.normal(0, 30, shape)
    elevation[0, 0] = np.nan
    return Relief(
        elevation.astype("float32"), Affine(step, 0, west, 0, -step, north), CRS.from_epsg(4326)
    )


def _focuses(grid):
    """Northern and southern half of the grid."""
    lon, lat = grid.lonlat()
    west, east = float(lon.min()), float(lon.max())
    south, middle, north = float(lat.min()), float(lat.mean()), float(lat.max())
    return (
        Focus("mashhad", (west, middle, east, north), "Mashhad", "مشهد"),
        Focus("sistan-baluchestan", (west, south, east, middle), "Sistan-Baluchestan",
              "سیستان و بلوچستان"),
    )  # fmt: skip


def _meta():
    return SceneMeta(
        title="Test region",
        title_fa="منطقهٔ آزمایشی",
        run_id="20240103-abcdef",
        origin="2024-01-03",
        horizon_days=365,
        statement="Relative intensity of reported incidents; not a statement about any person.",
        sources=[
            Source("Border lines", "5.1", "Public domain", "Natural Earth"),
            Source("Settlements", "2024", "CC BY 4.0", "GeoNames"),
        ],
        scorecard=_scorecard(),
    )


_MODELS = (
    ("decayed_pool", "model", 2.9),
    ("history_alone", "baseline", 2.5),
    ("border_distance", "baseline", 1.0),
)


def _scorecard():
    gain = Gain("history_alone", 0.4, 0.1, 0.7)

    def row(subset, incidents, name, role, bits, **more):
        places = {"capture_5": 0.4, "capture_10": 0.6, "capture_20": 0.8, "auc": 0.9}
        chances = {"brier": 0.01, "log_score": 0.05} if subset == "all" else {}
        own = {"gain": gain} if name == "decayed_pool" else {}
        found = {"origins": 1, **places, **chances, **own, "border_capture_10": 0.55, **more}
        return Skill(name, role, subset, 1, incidents, bits=bits, **found)

    origins = ["2021-01-01", "2022-01-01", "2023-01-01"]
    later = {"all": (7, 3, 7), "repeat": (5, 2, 6), "new": (2, 1, 1)}
    share, captured = [0.0, 0.05, 0.1, 0.2, 0.5, 1.0], {
        "decayed_pool": [0, 0.4, 0.6, 0.8, 0.95, 1], "history_alone": [0, 0.35, 0.5, 0.7, 0.9, 1],
    }  # fmt: skip
    parts = {"all": 1.0, "repeat": 0.75, "new": 0.25}
    part = Prospective(
        origins, [1], 5, 15.0, 0.9,
        rows=[
            row(subset, counts[i], name, role, bits + 0.2 * i, origin=origin)
            for subset, counts in later.items()
            for i, origin in enumerate(origins)
            for name, role, bits in _MODELS
        ],
        summary=[
            row(subset, sum(counts[::2]), *model, origins=2)
            for subset, counts in later.items()
            for model in _MODELS
        ],
        capture=[
            CaptureCurve(subset, sum(counts[::2]), share, captured)
            for subset, counts in later.items()
        ],
        ground_share={"repeat": 0.25, "new": 0.75},
        calibration=[
            ClassCount(ground, k, w * k / 2, w * (k - 1), w * (k - 1) * 0.9, w * 2 * k)
            for ground, w in parts.items()
            for k in range(1, 6)
        ],
        reliability=[
            ChanceClass(ground, *values)
            for ground in parts
            for values in ((0.001, 0.002, 0.001, 0.0, 0.01, 90), (0.03, 0.03, 0.04, 0.0, 0.1, 20))
        ],
        totals=[Total(origin, 1, 6.0, 7.0, 2, 11, 1, 13, 1.5, 2.0) for origin in origins],
        held=[Held(1, 0.8, 3, 3, 0.37, 1.0), Held(1, 0.9, 3, 3, 0.37, 1.0)],
    )  # fmt: skip
    said = headline("decayed_pool", part)
    return Scorecard("decayed_pool", said, part, notes=["A small example."])
