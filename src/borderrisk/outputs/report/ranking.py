"""The highest-ranked cells and border segments, with the places near them."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.outputs.cells import cells_table
from borderrisk.outputs.report.blocks import (
    Block,
    Paragraph,
    Table,
    interval,
    percent,
    records,
    show,
)
from borderrisk.outputs.scene import Scene

MOST = 20
ATTRIBUTION = (
    "What is expected in a cell counts for the segment through which it is reached soonest from "
    "the far side, wholly, however close the next one comes; cells that cannot be reached on foot "
    "count for the nearest one. All segments together add up to the study area."
)
NO_INTERVALS = (
    "No interval was computed in this run: probabilities and ranks are bare estimates, and nothing "
    "here says how far off they may be."
)
# Parts of the intensity that are drivers beside the features.
FACTORS = ("history", "reporting", "susceptibility")
_POINTS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


def top_cell_blocks(scene: Scene) -> list[Block]:
    """Build the table of the cells of highest intensity."""
    if "intensity" not in scene.cells:
        return [Paragraph("The scene has no scores.")]
    top = cells_table(scene, top=MOST)
    centres = top.geometry.centroid
    lonlat = centres.to_crs(4326)
    near = nearest_places(scene.settlements, centres)
    rows = [
        _cell_row(scene, row, place, point)
        for row, place, point in zip(top.to_dict("records"), near, lonlat, strict=True)
    ]
    headings = ["rank", "cell", "centre", "near", "class", "probability", "trust", "drivers"]
    table = Table(headings, rows, "Drivers: signed effect on log-intensity")
    return [table] if scene.has_intervals else [Paragraph(NO_INTERVALS), table]


def _cell_row(scene: Scene, row: dict[str, Any], near: str, point: Any) -> list[str]:
    ranks = [_plain(row.get(key)) for key in ("rank", "rank_low", "rank_high")]
    chances = [_plain(row.get(f"probability{end}")) for end in ("", "_low", "_high")]
    drivers = [
        f"{in_words(scene, row[f'driver_{k}'])} {row[f'driver_{k}_effect']:+.2f}"
        for k in (1, 2, 3)
        if row.get(f"driver_{k}") and pd.notna(row.get(f"driver_{k}_effect"))
    ]
    return [
        interval(*ranks),
        row["cell_id"],
        _position(point.x, point.y),
        near,
        show(_plain(row.get("risk_class"))),
        interval(*chances),
        show(row.get("trust")),
        "; ".join(drivers),
    ]


def _position(lon: float, lat: float) -> str:
    return f"{abs(lat):.2f} {'N' if lat >= 0 else 'S'} {abs(lon):.2f} {'E' if lon >= 0 else 'W'}"


def _plain(value: Any) -> Any:
    """Python number of a NumPy one; None where missing."""
    if value is None or pd.isna(value):
        return None
    number = float(value)
    return int(number) if number.is_integer() and abs(number) >= 1 else number


def in_words(scene: Scene, driver: str) -> str:
    """Name a driver inside a sentence: a factor by its own name, a feature by what it measures."""
    if driver in FACTORS or driver not in scene.cells:
        return driver.replace("_", " ")
    text = str(scene.cells[driver].attrs.get("long_name", driver.replace("_", " ")))
    return text[:1].lower() + text[1:]


def nearest_places(settlements: gpd.GeoDataFrame, points: gpd.GeoSeries) -> list[str]:
    """Nearest settlement of each point, like ``42 km NE of Zabol``.

    Parameters
    ----------
    settlements : geopandas.GeoDataFrame
        With ``name``; any CRS.
    points : geopandas.GeoSeries
        In a projected CRS in metres.
    """
    if settlements.empty:
        return [""] * len(points)
    places = settlements.to_crs(points.crs)
    found, distance = places.sindex.nearest(points, return_all=False, return_distance=True)
    near = places.iloc[found[1]]
    east = points.x.to_numpy() - near.geometry.x.to_numpy()
    north = points.y.to_numpy() - near.geometry.y.to_numpy()
    octant = np.round(np.arctan2(east, north) / (np.pi / 4)).astype(int) % 8
    return [
        f"{d / 1000:.0f} km {_POINTS[k]} of {name}" if d >= 1000 else str(name)
        for d, k, name in zip(distance, octant, near["name"], strict=True)
    ]


def segment_blocks(scene: Scene) -> list[Block]:
    """Build the table of the border segments of highest rank, where the run made them."""
    segments = scene.layers.get("segments")
    if segments is None or segments.empty:
        return [Paragraph("Border segments were not ranked in this run.")]
    if "rank" in segments:
        segments = segments.sort_values("rank", kind="stable")
    segments = segments.head(MOST)
    middle = segments.geometry.to_crs(scene.grid.crs).interpolate(0.5, normalized=True)
    near = nearest_places(scene.settlements, middle)
    plain = pd.DataFrame(segments.drop(columns=segments.geometry.name)).to_dict("records")
    rows = [_segment_row(scene, row, place) for row, place in zip(plain, near, strict=True)]
    return [Paragraph(ATTRIBUTION), records(rows, "Incidents expected behind each segment")]


def _segment_row(scene: Scene, row: dict[Any, Any], near: str) -> dict[str, Any]:
    known = {str(key): _clean(value) for key, value in row.items()}
    ends = [known.get(key) for key in ("from_km", "to_km")]
    drivers = [known.get(f"driver_{k}") for k in (1, 2, 3)]
    return {
        "rank": interval(*(known.get(key) for key in ("rank", "rank_low", "rank_high"))),
        "segment": known.get("segment_id"),
        "km": None if None in ends else f"{ends[0]:.0f} to {ends[1]:.0f}",
        "near": near,
        "per year": interval(
            *(known.get(f"expected_{end}") for end in ("per_year", "low", "high"))
        ),
        "per year and 100 km": _times(known.get("rate_per_km"), 100),
        "share": percent(known.get("share")),
        **_change(known),
        "trust": known.get("trust"),
        "drivers": "; ".join(in_words(scene, str(name)) for name in drivers if name),
    }


def _change(known: dict[str, Any]) -> dict[str, Any]:
    """Return what an earlier run, or the run without a scenario, said."""
    if "change_per_year" not in known:
        return {}
    return {
        "rank before": known["rank_before"],
        "per year before": known["expected_before"],
        "change": known["change_per_year"],
    }


def _times(value: Any, factor: float) -> Any:
    return None if value is None else value * factor


def _clean(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is pd.NA or (isinstance(value, float) and np.isnan(value)) else value
