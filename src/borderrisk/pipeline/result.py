"""A finished run: what is in its folder, in numbers, as text and in a notebook."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd

from borderrisk.errors import DataError
from borderrisk.outputs.cells import cells_table
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.store import load_scene
from borderrisk.runs import find_run

SCENE_FOLDER = "scene"


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
    def scorecard(self) -> dict[str, Any] | None:
        """The scorecard, or None if the run was not evaluated."""
        return self.scene.meta.get("scorecard")

    def summary(self) -> dict[str, Any]:
        """Return the run in a few JSON-ready facts."""
        meta = self.scene.meta
        return {
            "folder": str(self.folder),
            "title": meta["title"],
            "run_id": meta["run_id"],
            "origin": meta["origin"],
            "horizon_days": meta["horizon_days"],
            "counts": self.manifest.get("counts", {}),
            "files": sorted(p.name for p in self.folder.iterdir()),
            "skill": self.scorecard.get("headline") if self.scorecard else None,
            "seconds": self.manifest.get("seconds"),
            "statement": meta["statement"],
        }

    def describe(self) -> str:
        """Return the run as a few lines of text."""
        return "\n".join(f"{label}: {text}" for label, text in self._lines())

    def _lines(self) -> list[tuple[str, str]]:
        facts = self.summary()
        counts = ", ".join(f"{value} {name}" for name, value in facts["counts"].items())
        lines = [
            ("run", f"{facts['title']} ({facts['run_id']})"),
            ("forecast", f"{facts['horizon_days']} days from {facts['origin']}"),
            ("counts", counts),
            ("maps", ", ".join(name for name in facts["files"] if name.endswith(".html"))),
            ("folder", facts["folder"]),
            ("note", facts["statement"]),
        ]
        skill = facts["skill"] or ["not evaluated"]
        return lines[:3] + [("skill", line) for line in skill] + lines[3:]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for label, text in self._lines()
        )
        return f"<table>{rows}</table>"


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
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: its manifest.json cannot be read ({error}).") from error
    return Result(folder, load_scene(folder / SCENE_FOLDER), manifest)
