"""The part of a scene one map shows: a window of the grid and the scored cells in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyproj import CRS, Transformer

from borderrisk.errors import ConfigError, DataError
from borderrisk.grid import WGS84
from borderrisk.outputs.scene import Scene

Bounds = tuple[float, float, float, float]
# Any of these marks a cell as scored, first one present wins.
MARKERS = ("risk", "intensity", "risk_change", "probability")
MARGIN = 0.08
WEB_MERCATOR = CRS.from_epsg(3857)


@dataclass(frozen=True, eq=False)
class View:
    """One map's window.

    Attributes
    ----------
    scene : Scene
        What is drawn.
    name : str
        Name of the focus, ``""`` for the whole study area.
    title, title_fa : str
        Heading of the map.
    bounds : tuple of float
        West, south, east, north of the opening view, degrees.
    rows, cols : slice
        Window of the grid.
    mask : ndarray of bool, shape of the window
        Scored cells.
    """

    scene: Scene
    name: str
    title: str
    title_fa: str
    bounds: Bounds
    rows: slice
    cols: slice
    mask: np.ndarray

    def values(self, name: str) -> np.ndarray:
        """Values of a variable on the scored cells, row-major, float64."""
        window = self.scene.cells[name].to_numpy()[self.rows, self.cols]
        return window[self.mask].astype(np.float64)

    def has(self, name: str) -> bool:
        """Whether the scene has a variable on the grid with a value in this window."""
        cells = self.scene.cells
        return (
            name in cells and cells[name].ndim == 2 and bool(np.isfinite(self.values(name)).any())
        )

    @property
    def area(self) -> np.ndarray:
        """Share of each scored cell inside the study area (1 when the scene does not say)."""
        if "exposure" in self.scene.cells:
            return np.nan_to_num(self.values("exposure"))
        return np.ones(int(self.mask.sum()))

    @property
    def extent(self) -> Bounds:
        """West, south, east, north of the grid window, degrees."""
        box = self.scene.grid.crs
        t = Transformer.from_crs(box, WGS84, always_xy=True)
        return _as_bounds(t.transform_bounds(*self.metres, densify_pts=41))

    @property
    def metres(self) -> Bounds:
        """West, south, east, north of the grid window, grid metres."""
        t = self.scene.grid.transform
        return (
            t.c + self.cols.start * t.a,
            t.f + self.rows.stop * t.e,
            t.c + self.cols.stop * t.a,
            t.f + self.rows.start * t.e,
        )


def make_view(scene: Scene, focus: str | None) -> View:
    """Cut a scene to a focus window with a margin, or to its scored cells.

    Raises
    ------
    ConfigError
        If the scene has no focus of that name.
    DataError
        If no scored cell lies in the window.
    """
    scored = _scored(scene)
    if focus is None:
        window, bounds, titles = (slice(None), slice(None)), None, _scene_titles(scene)
    else:
        window, bounds, titles = _focus_window(scene, focus)
    rows, cols = _trim(scored, window)
    if rows.stop == rows.start:
        where = f"the window of focus {focus!r}" if focus else "the scene"
        raise DataError(f"No scored cell lies in {where}; there is nothing to draw a map of.")
    view = View(scene, focus or "", *titles, (0, 0, 0, 0), rows, cols, scored[rows, cols])
    return View(**{**vars(view), "bounds": bounds or view.extent})


def _scored(scene: Scene) -> np.ndarray:
    for name in MARKERS:
        if name in scene.cells:
            return np.isfinite(scene.cells[name].to_numpy())
    raise DataError(f"The scene's cells have none of {', '.join(MARKERS)}; score it first.")


def _scene_titles(scene: Scene) -> tuple[str, str]:
    title = str(scene.meta.get("title") or "Border risk")
    return title, str(scene.meta.get("title_fa") or title)


def _focus_window(scene: Scene, name: str) -> tuple[tuple[slice, slice], Bounds, tuple[str, str]]:
    by_name = {focus.name: focus for focus in scene.focuses}
    if name not in by_name:
        known = ", ".join(sorted(by_name)) or "none"
        raise ConfigError(f"No focus is named {name!r}; this run has: {known}.")
    focus = by_name[name]
    west, south, east, north = focus.bounds
    dx, dy = MARGIN * (east - west), MARGIN * (north - south)
    t = Transformer.from_crs(WGS84, scene.grid.crs, always_xy=True)
    box = _as_bounds(t.transform_bounds(west - dx, south - dy, east + dx, north + dy))
    return scene.grid.window(box), focus.bounds, (focus.title, focus.title_fa or focus.title)


def _trim(scored: np.ndarray, window: tuple[slice, slice]) -> tuple[slice, slice]:
    """Shrink a window to the scored cells in it."""
    inside = np.zeros_like(scored)
    inside[window] = scored[window]
    spans = []
    for axis in (1, 0):
        hit = np.flatnonzero(inside.any(axis=axis))
        spans.append(slice(int(hit[0]), int(hit[-1]) + 1) if hit.size else slice(0, 0))
    return spans[0], spans[1]


def _as_bounds(values: tuple[float, ...]) -> Bounds:
    west, south, east, north = (float(v) for v in values)
    return west, south, east, north
