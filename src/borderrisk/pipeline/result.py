"""A finished run: what is in its folder, in numbers, as text and in a notebook."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import folium
import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.border.ranking import against_earlier, top
from borderrisk.border.watchplan import Allocation, allocate
from borderrisk.errors import ConfigError, DataError
from borderrisk.evaluation.scorecard import Scorecard
from borderrisk.outputs import headline
from borderrisk.outputs.atomic import check_file, write_rows, write_text, writing
from borderrisk.outputs.export import cells_table, check_format, export
from borderrisk.outputs.gridfiles import load_scene
from borderrisk.outputs.reasons import made
from borderrisk.outputs.report import write_brief
from borderrisk.outputs.scene import AreaTotal, Scene
from borderrisk.outputs.vectorfiles import write_layer
from borderrisk.outputs.webmap import write_map
from borderrisk.outputs.webmap.notebook import card, risk_map
from borderrisk.runs.hashing import read_json
from borderrisk.runs.manifest import find_run
from borderrisk.words import numeral

SCENE_FOLDER = "scene"
WHOLE = "map.html"
MODEL = "model.skops"
_FORMATS = (".geojson", ".csv", ".parquet")
SEGMENT_REPLICATES = f"{SCENE_FOLDER}/segment_replicates.npy"


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes
    ----------
    folder : Path
        Where its files are.
    scene : Scene
        What its maps and tables are drawn from.
    manifest : dict
        Inputs, versions, timings and counts, as in ``manifest.json``.
    """

    folder: Path
    scene: Scene
    manifest: dict[str, Any]

    @cached_property
    def cells(self) -> gpd.GeoDataFrame:
        """Scored cells, one polygon each, in the CRS of the grid."""
        return cells_table(self.scene)

    @property
    def scorecard(self) -> Scorecard | None:
        """The scorecard, or None if the run was not evaluated."""
        return self.scene.meta.scorecard

    def summary(self) -> dict[str, Any]:
        """Return the run in a few JSON-ready facts."""
        meta = self.scene.meta
        return {
            "folder": str(self.folder), "title": meta.title, "run_id": meta.run_id,
            "origin": meta.origin, "horizon_days": meta.horizon_days,
            "data_until": self.scene.data_until, "sentences": headline.sentences(self.scene),
            "counts": self.manifest.get("counts", {}),
            "totals": [asdict(total) for total in meta.totals],
            "files": sorted(p.name for p in self.folder.iterdir()),
            "skill": self.scorecard.headline if self.scorecard else None,
            "seconds": self.manifest.get("seconds"), "statement": meta.statement,
        }  # fmt: skip

    def describe(self) -> str:
        """Return the run as a few lines of text: the answer, its map, and what to do next."""
        facts = (f"{label}: {text}" for label, text in self._lines())
        return "\n".join([*headline.sentences(self.scene), "", *facts])

    def _lines(self) -> list[tuple[str, str]]:
        counts = ", ".join(f"{n:,} {name}" for name, n in self.manifest.get("counts", {}).items())
        skill = self.scorecard.headline[:1] if self.scorecard else ["not evaluated"]
        return [
            ("run", self.scene.meta.title),
            ("index" if self.scene.is_index else "made", made(self.scene, "en")),
            ("counts", counts),
            *(("expected", self._said(total)) for total in self.scene.meta.totals if total.focus),
            *(("skill", line) for line in skill),
            ("note", self.scene.meta.statement),
            ("folder", str(self.folder)),
            ("map", str(self.folder / WHOLE)),
            ("next", f"borderrisk brief {self.folder}"),
        ]

    def _said(self, total: AreaTotal) -> str:
        where = self.scene.focus(total.focus).title
        counts = headline.said_counts(self.scene, total, "en")
        return f"{where}: {numeral(total.expected, 'en')} incidents{counts}"

    @property
    def segments(self) -> gpd.GeoDataFrame:
        """Ranked sections of border in WGS84, or ``DataError`` if the run has none."""
        return segments_of(self.scene)

    def map(
        self, layer: str = "risk", focus: str | None = None, *, language: str | None = None
    ) -> folium.Map:
        """Return a map that shows itself in a notebook and takes any further folium layer.

        Parameters
        ----------
        layer : str
            What the cells are coloured by: ``risk``, ``probability``, a feature, ...
        focus : str, optional
            Only this window of the run.
        language : {"en", "fa"}, optional
            Language of legend and popups; default: the run's.

        Raises
        ------
        ConfigError
            For an unknown layer or focus; the message lists those there are.
        """
        speech = language or self.scene.meta.language
        return risk_map(self.scene, layer, focus=focus, language=speech)

    def _repr_html_(self) -> str:
        return card(self.scene)


def open_run(path: str | Path) -> Result:
    """Open a finished run.

    Parameters
    ----------
    path : str or Path
        A run's folder, or the folder of a config (its latest run).

    Raises
    ------
    DataError
        If there is no complete run.
    """
    folder = find_run(Path(path))
    try:
        manifest = read_json(folder / "manifest.json")
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: its manifest.json cannot be read ({error}).") from error
    return Result(folder, load_scene(folder / SCENE_FOLDER), manifest)


_SHOWN = (
    "rank", "rank_low", "rank_high", "segment_id", "section", "level", "expected", "expected_low",
    "expected_high", "from_km", "length_km", "expected_per_year", "rate_per_km", "near",
    "hours_to_target", "nearest_target", "driver_1", "trust", "share_not_ok", "why_en", "rely_en",
)  # fmt: skip
_CHANGES = (
    "rank", "rank_before", "segment_id", "section", "near", "expected_before", "expected_per_year",
    "change_per_year", "change",
)  # fmt: skip
# Rows of a plan that are printed; --json has all.
_PLAN_ROWS = 20


def write_maps(
    run_path: str | Path,
    *,
    focus: str | None = None,
    language: str | None = None,
    tiles: str | None = None,
    out: str | Path | None = None,
) -> list[Path]:
    """Rebuild the maps of a run; return the files, the one asked for first.

    That is the map of ``focus``, or of the whole area where none is named.
    """
    result = open_run(run_path)
    scene, folder = result.scene, Path(out) if out else result.folder
    check_file(folder / WHOLE)
    if focus is not None:
        scene.focus(focus)
    paths = []
    for name in _windows(scene, focus):
        paths.append(folder / map_name(name))
        speech = language or scene.meta.language
        write_map(scene, paths[-1], focus=name, language=speech, tiles=tiles)
    return paths


def _windows(scene: Scene, focus: str | None) -> list[str | None]:
    """Return one focus, or the whole (None) and all."""
    return [focus] if focus else [None, *(f.name for f in scene.focuses)]


def write_briefs(
    run_path: str | Path,
    *,
    focus: str | None = None,
    language: str | None = None,
    out: str | Path | None = None,
) -> list[Path]:
    """Write the briefs of a run, two printed pages each: of one focus, or of all and the whole."""
    result = open_run(run_path)
    scene, folder = result.scene, Path(out) if out else result.folder
    check_file(folder / "brief.html")
    return [
        write_brief(
            scene, folder / f"brief{f'-{name}' if name else ''}.html", focus=name,
            language=language or scene.meta.language, figures=result.folder / "figures",
        )
        for name in _windows(scene, focus)
    ]  # fmt: skip


def export_cells(
    run_path: str | Path,
    format_: str,
    *,
    focus: str | None = None,
    top: int | None = None,
    min_risk: float | None = None,
    out: str | Path | None = None,
) -> tuple[Path, int]:
    """Export scored cells; return the file and how many cells it holds.

    Raises ``ConfigError`` if the name of ``out`` ends as files of another format do.
    """
    ending = check_format(format_)
    if out is not None and Path(out).suffix.lower() != ending:
        raise ConfigError(
            f"{out}: --format {format_} writes {ending}; name the file so, or choose its format."
        )
    result = open_run(run_path)
    name = "-".join(["export", *([focus] if focus else [])]) + ending
    path = Path(out) if out else result.folder / name
    return path, export(result.scene, path, format_, focus=focus, top=top, min_risk=min_risk)


def top_segments(
    run_path: str | Path,
    count: int,
    *,
    against: str | Path | None = None,
    out: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Rank the border's segments; return the first ``count`` rows.

    With ``against``, an earlier run, rows say what changed since, largest change first. ``out``
    gets all segments with all columns: ``.geojson``, ``.csv`` or ``.parquet``. Raises
    ``ConfigError`` if the earlier run cut the border differently, or the file's ending is none of
    these.
    """
    scene = open_run(run_path).scene
    table = segments_of(scene)
    if against is not None:
        table = against_earlier(table, segments_of(open_run(against).scene))
    if out is not None:
        write_table(table, Path(out))
    table = table.assign(
        near=headline.near_towns(scene, headline.middles(scene, table)),
        section=headline.section_names(scene, table, "en"),
    )
    if against is None:
        return _rows(top(table, count), _SHOWN)
    order = np.argsort(-np.abs(np.nan_to_num(table["change_per_year"])), kind="stable")
    return _rows(table.iloc[order].head(count), _CHANGES)


def told_segments(run_path: str | Path, count: int, *, out: str | Path | None = None) -> str:
    """Return the first ``count`` segments of a run in sentences; ``out`` gets all of them."""
    scene = open_run(run_path).scene
    table = segments_of(scene)
    if out is not None:
        write_table(table, Path(out))
    return headline.as_text(headline.section_answers(scene, top(table, count), "en"))


def _rows(table: pd.DataFrame, names: tuple[str, ...]) -> list[dict[str, Any]]:
    shown = table[[name for name in names if name in table]].astype(object)
    return records(shown.where(shown.notna(), None))


@dataclass(frozen=True)
class Plan:
    """Which segments to watch, and what that is expected to cover.

    ``payload`` is JSON-ready, with every segment; ``rows`` are printed, and ``text`` below them.
    """

    payload: dict[str, Any]
    rows: list[dict[str, Any]]
    text: str


def allocate_segments(
    run_path: str | Path,
    *,
    km: float,
    spacing_km: float = 0.0,
    randomise: bool = False,
    days: int = 30,
    seed: int | None = None,
) -> Plan:
    """Choose border segments within a length budget."""
    result = open_run(run_path)
    if result.scene.is_index:
        raise DataError(
            f"{result.folder}: holds an index, which says nothing of how many incidents to expect "
            "behind a segment; give incidents (data.incidents) and run again to plan on a forecast."
        )
    segments, meta = segments_of(result.scene), result.scene.meta
    found = allocate(
        segments, km, spacing_km=spacing_km, randomise=randomise, draws=days,
        seed=meta.seed if seed is None else seed, level=meta.level,
        replicates=_replicates(result.folder / SEGMENT_REPLICATES),
    )  # fmt: skip
    payload: dict[str, Any] = {
        "km": found.km,
        "capture": found.capture,
        "capture_low": found.capture_low,
        "capture_high": found.capture_high,
        "segments": records(found.segments),
        "schedule": None if found.schedule is None else records(found.schedule),
    }
    placed = segments.set_index("segment_id").loc[found.segments["segment_id"]]
    names = dict(zip(placed.index, headline.section_names(result.scene, placed, "en"), strict=True))
    shown = found.segments.assign(segment_id=found.segments["segment_id"].map(names))
    shown = shown.rename(columns={"segment_id": "section"}).drop(columns="pair")
    return Plan(payload, records(shown.head(_PLAN_ROWS)), _plan_text(found, names))


def _replicates(path: Path) -> np.ndarray | None:
    try:
        # Mapped, a file that says it holds more than it does is noticed.
        return np.array(np.load(path, mmap_mode="r")) if path.exists() else None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); make the run again.") from error


def _plan_text(found: Allocation, names: dict[str, str]) -> str:
    bounds = ""
    if np.isfinite(found.capture_low):
        bounds = f" ({found.capture_low:.0%} to {found.capture_high:.0%})"
    lines = [
        f"{found.km:.0f} km watched at a time; expected share of the reported incidents behind "
        f"them: {found.capture:.0%}{bounds}"
    ]
    left = len(found.segments) - _PLAN_ROWS
    if left > 0:
        part = found.segments.iloc[_PLAN_ROWS:]
        km = float((part["coverage"] * part["length_km"]).sum())
        lines.insert(0, f"... and {left} segments more, {km:.1f} km of the budget among them "
                        "(--json lists all)")  # fmt: skip
    if found.schedule is not None:
        for day, part in found.schedule.groupby("day"):
            lines.append(f"day {day}: {'; '.join(names[name] for name in part['segment_id'])}")
    return "\n".join(lines)


def segments_of(scene: Scene) -> gpd.GeoDataFrame:
    """Return the ranked segments of a scene, or raise ``DataError`` if it has none."""
    segments = scene.layers.get("segments")
    if segments is None or segments.empty:
        raise DataError("This run holds no border segments; make it again with `borderrisk run`.")
    return segments


def map_name(focus: str | None) -> str:
    """File name of a map."""
    return WHOLE if focus is None else f"map-{focus}.html"


def write_table(table: gpd.GeoDataFrame, path: Path) -> None:
    """Write segments with all columns as the file's ending says, or raise ``ConfigError``."""
    if path.suffix not in _FORMATS:
        raise ConfigError(f"{path.name}: write segments to one of {', '.join(_FORMATS)}.")
    if path.suffix == ".geojson":
        write_layer(table, path, "segments")
        return
    with writing(path) as partial:
        if path.suffix == ".parquet":
            table.to_parquet(partial)
        else:
            write_rows(pd.DataFrame(table.drop(columns=table.geometry.name)), partial)


def write_json(value: Any, path: Path) -> None:
    """Write a value as readable JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    write_text(text + "\n", path)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain dicts."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
