"""The part of a scene one map shows: a window of the grid, its scored cells, its projection.

And the facts of each cell that the sentences of a popup are filled with. The rules of
:mod:`borderrisk.outputs.reasons` are applied here, once; the page only puts the facts into the
sentences (``assets/reasons.js``). Facts travel as whole numbers, which packing keeps as they are,
and the numbers that are said beside them are packed so that they round to the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from pyproj import CRS

from borderrisk.errors import DataError
from borderrisk.grid import WGS84, transformer
from borderrisk.outputs.placefacts import Reader, whole_shares
from borderrisk.outputs.reasons import EVEN_ODDS, LEAST, PARTS, vocabularies
from borderrisk.outputs.scene import Focus, Scene
from borderrisk.scores import Score, shown
from borderrisk.words import persian_places

Bounds = tuple[float, float, float, float]
Map2d = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
MARGIN = 0.08
WEB_MERCATOR = CRS.from_epsg(3857)
# Meshes: how far off they may be, nodes per side that are tried, room around the window.
MAX_ERROR_CELLS = 0.02
NODES = (33, 65, 129)
PAD = 0.02
# A reason is 1 to 199: the per cent of the area it compares with, plus 100; what lowers is LOWERS
# more than that.
ZERO, LOWERS = 100, 200
FACTS = tuple(
    Score(name, "1", name, cuts="codes", popup=114, packed=14, precision="exact")
    for name in ("because_1", "because_2", "because_3", "named_1", "named_2", "named_3",
                 "further", "far_than")
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class View:
    """One map's window.

    ``name`` is that of the focus (``""`` for the whole study area); ``bounds`` are west, south,
    east, north of the opening view, degrees; ``rows`` and ``cols`` cut the grid; ``mask`` are the
    scored cells, bool, shape of the window.
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

    @cached_property
    def places(self) -> dict[str, str]:
        """Persian names of the scene's settlements by :func:`borderrisk.words.slug`."""
        return persian_places(self.scene.settlements)

    @cached_property
    def words(self) -> dict[str, dict[str, Any]]:
        """The :func:`~borderrisk.outputs.reasons.vocabulary` of the scene by language."""
        return vocabularies(self.scene)

    @property
    def extent(self) -> Bounds:
        """West, south, east, north of the grid window, degrees."""
        t = transformer(self.scene.grid.crs, WGS84)
        west, south, east, north = t.transform_bounds(*self.metres, densify_pts=41)
        return west, south, east, north

    @property
    def metres(self) -> Bounds:
        """West, south, east, north of the grid window, grid metres."""
        t, rows, cols = self.scene.grid.transform, self.rows, self.cols
        west, east = (t.c + col * t.a for col in (cols.start, cols.stop))
        south, north = (t.f + row * t.e for row in (rows.stop, rows.start))
        return west, south, east, north


def make_view(scene: Scene, focus: str | None) -> View:
    """Cut a scene to a focus window with a margin, or to its scored cells.

    Raises ``ConfigError`` if there is no such focus, ``DataError`` if it has no scored cell.
    """
    every, its = scored(scene.cells), scene.meta if focus is None else scene.focus(focus)
    titles = (its.title, its.title_fa or its.title)
    window = (slice(None), slice(None)) if focus is None else _window(scene, scene.focus(focus))
    rows, cols = _trim(every, window)
    if rows.stop == rows.start:
        where = f"the window of focus {focus!r}" if focus else "the scene"
        raise DataError(f"No scored cell lies in {where}; there is nothing to draw a map of.")
    mask = every[rows, cols]
    view = View(_with_facts(scene), focus or "", *titles, (0, 0, 0, 0), rows, cols, mask)
    return replace(view, bounds=view.extent if focus is None else scene.focus(focus).bounds)


def marker(cells: xr.Dataset) -> str:
    """Name the score whose finite values mark the scored cells, or raise ``DataError``."""
    names = [score.name for score in shown("band")]
    found = next((name for name in names if name in cells), None)
    if found is None:
        raise DataError(f"The scene's cells have none of {', '.join(names)}; score it first.")
    return found


def scored(cells: xr.Dataset) -> np.ndarray:
    """Whether each cell of the grid is scored, (rows, columns)."""
    return np.isfinite(cells[marker(cells)].to_numpy())


def _window(scene: Scene, focus: Focus) -> tuple[slice, slice]:
    west, south, east, north = focus.bounds
    dx, dy = MARGIN * (east - west), MARGIN * (north - south)
    t = transformer(WGS84, scene.grid.crs)
    return scene.grid.window(t.transform_bounds(west - dx, south - dy, east + dx, north + dy))


def _trim(scored: np.ndarray, window: tuple[slice, slice]) -> tuple[slice, slice]:
    """Shrink a window to the scored cells in it."""
    inside = np.zeros_like(scored)
    inside[window] = scored[window]
    spans = []
    for axis in (1, 0):
        hit = np.flatnonzero(inside.any(axis=axis))
        spans.append(slice(int(hit[0]), int(hit[-1]) + 1) if hit.size else slice(0, 0))
    return spans[0], spans[1]


def meshes(view: View) -> dict[str, Any]:
    """Lay two meshes of nodes, bilinear between them.

    ``toGrid``: mercator metres to (column, row) of the window, dense enough to be right to 1/50
    cell; ``toLonLat``: (column, row) to degrees. Each has ``k`` (nodes per side), ``box`` and the
    node values ``a`` and ``b``, row-major.
    """
    grid = view.scene.grid
    west, _, _, north = view.metres
    size = grid.cell_size_m
    rows, cols = view.mask.shape
    mercator = transformer(WEB_MERCATOR, grid.crs)
    degrees = transformer(grid.crs, WGS84)

    def to_grid(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gx, gy = mercator.transform(x, y)
        return (gx - west) / size, (north - gy) / size

    def to_degrees(col: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lon, lat = degrees.transform(west + col * size, north - row * size)
        return lon, lat

    t = transformer(grid.crs, WEB_MERCATOR)
    left, lower, right, upper = t.transform_bounds(*view.metres, densify_pts=41)
    dx, dy = PAD * (right - left), PAD * (upper - lower)
    box = (left - dx, lower - dy, right + dx, upper + dy)
    for nodes in NODES:
        mesh = _mesh(to_grid, box, nodes, digits=4)
        if _error(mesh, to_grid) <= MAX_ERROR_CELLS:
            break
    whole = (0.0, 0.0, float(cols), float(rows))
    return {"toGrid": mesh, "toLonLat": _mesh(to_degrees, whole, 33, digits=6)}


def _mesh(f: Map2d, box: tuple[float, ...], nodes: int, digits: int) -> dict[str, Any]:
    u, v = np.meshgrid(np.linspace(box[0], box[2], nodes), np.linspace(box[1], box[3], nodes))
    a, b = f(u, v)
    return {
        "k": nodes,
        "box": [round(float(edge), 6) for edge in box],
        "a": np.round(a, digits).ravel().tolist(),
        "b": np.round(b, digits).ravel().tolist(),
    }


def _error(mesh: dict[str, Any], f: Map2d) -> float:
    """Largest distance between mesh and projection at the middle of the mesh's squares."""
    k, box = mesh["k"], mesh["box"]
    mid = (np.arange(k - 1) + 0.5) / (k - 1)
    u, v = np.meshgrid(box[0] + mid * (box[2] - box[0]), box[1] + mid * (box[3] - box[1]))
    near = []
    for part in (mesh["a"], mesh["b"]):
        n = np.reshape(part, (k, k))
        near.append((n[1:, 1:] + n[1:, :-1] + n[:-1, 1:] + n[:-1, :-1]) / 4)
    return float(np.hypot(*(p - q for p, q in zip(near, f(u, v), strict=True))).max())


def _with_facts(scene: Scene) -> Scene:
    """Add the facts of :data:`FACTS` to the cells of a scene; shares become whole per cent.

    ``because_k`` says whether driver k raises or lowers, and how its value compares; ``named_k`` is
    the position of an incident in the scene, ``further`` how many more there are; ``far_than`` is
    the per cent of the area nearer to an earlier incident. A scene without intensities stays as it
    is.
    """
    if not {"intensity", "exposure"} <= set(scene.cells.data_vars):
        return scene
    reader = Reader.of(scene)
    ground = ~(reader.shares[:, 2:3] < LEAST)
    is_reason = (np.abs(reader.moved) >= LEAST) & ((reader.moved < 0) | ground)
    code = reader.than + ZERO + np.where(reader.moved < 0, LOWERS, 0)
    because = np.where(is_reason, code, np.nan).T
    columns = {f"because_{k}": values for k, values in enumerate(because, start=1)}
    if reader.behind is not None:
        rows, shares, reasons = reader.behind
        named = (rows >= 0) & (shares >= LEAST)
        which = np.where(named, rows, np.nan).T
        columns |= {f"named_{k}": values for k, values in enumerate(which, start=1)}
        columns["further"] = np.maximum(reasons - named.sum(axis=1), 0).astype(float)
    columns["far_than"] = np.where(reader.far_than > 0, reader.far_than, np.nan)
    if np.isfinite(reader.shares[:, 0]).all():
        whole = whole_shares(reader.shares) / 100
        columns |= {f"share_{part}": whole[:, k] for k, part in enumerate(PARTS)}
    cells = scene.cells.assign({n: _on_grid(scene, reader, n, v) for n, v in columns.items()})
    return replace(scene, cells=cells)


def _on_grid(scene: Any, reader: Reader, name: str, values: np.ndarray) -> tuple[Any, ...]:
    grid = np.full(reader.mask.shape, np.nan, np.float32)
    grid[reader.mask] = values
    return ("y", "x"), grid, dict(scene.cells[name].attrs) if name in scene.cells else {}


def incidents_named(view: View) -> np.ndarray:
    """Rows of the scene's incidents that some cell of a view names."""
    names = [name for name in ("named_1", "named_2", "named_3") if view.has(name)]
    found = [view.values(name) for name in names]
    rows = np.unique(np.concatenate(found)) if found else np.zeros(0)
    return rows[np.isfinite(rows)].astype(int)


def said(values: np.ndarray, score: Score) -> np.ndarray:
    """Numbers as far as sentences say them, (ways of saying, values): equal if the words are.

    Chances are said as "1 in N" with two figures, or in a hundred; all else like
    :func:`borderrisk.words.numeral`.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if score.format == "probability" or score.name.startswith("probability"):
            often = values >= EVEN_ODDS
            return np.stack([_figures(1 / values), np.rint(100 * values), often.astype(float)])
        if score.name.startswith("rank"):
            return np.rint(values)[None]
        size = 100 * values if score.name.endswith("_share") else values
        small = np.abs(size) < 9.95
        return np.where(small, _figures(size), np.rint(size))[None]


def _figures(values: np.ndarray) -> np.ndarray:
    """Tell numbers apart by their first two figures and their size."""
    size = np.floor(np.log10(np.abs(values)))
    first = np.rint(values / 10.0 ** (size - 1))
    size, first = np.where(np.abs(first) == 100, (size + 1, first / 10), (size, first))
    return np.nan_to_num(first + 1000 * size, nan=0.0, posinf=1e9, neginf=-1e9)
