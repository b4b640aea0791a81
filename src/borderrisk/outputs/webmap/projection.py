"""Lookup meshes between web mercator and the grid, so that the page can draw any grid CRS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pyproj import Transformer

from borderrisk.grid import WGS84
from borderrisk.outputs.webmap.view import WEB_MERCATOR, View

MAX_ERROR_CELLS = 0.02
NODES = (33, 65, 129)
PAD = 0.02

Map2d = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def meshes(view: View) -> dict[str, Any]:
    """Two meshes of nodes, bilinear between them.

    Returns
    -------
    dict
        ``toGrid``: mercator metres to (column, row) of the window; ``toLonLat``: (column, row) to
        degrees. Each has ``k`` (nodes per side), ``box`` and the node values ``a`` and ``b``,
        row-major. ``toGrid`` is dense enough to be right to 1/50 cell.
    """
    grid = view.scene.grid
    west, _, _, north = view.metres
    size = grid.cell_size_m
    rows, cols = view.mask.shape
    mercator = Transformer.from_crs(WEB_MERCATOR, grid.crs, always_xy=True)
    degrees = Transformer.from_crs(grid.crs, WGS84, always_xy=True)

    def to_grid(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gx, gy = mercator.transform(x, y)
        return (gx - west) / size, (north - gy) / size

    def to_degrees(col: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lon, lat = degrees.transform(west + col * size, north - row * size)
        return lon, lat

    box = _mercator_box(view)
    return {
        "toGrid": _fine_enough(to_grid, box),
        "toLonLat": _mesh(to_degrees, (0.0, 0.0, float(cols), float(rows)), 33, digits=6),
    }


def _mercator_box(view: View) -> tuple[float, float, float, float]:
    t = Transformer.from_crs(view.scene.grid.crs, WEB_MERCATOR, always_xy=True)
    west, south, east, north = t.transform_bounds(*view.metres, densify_pts=41)
    dx, dy = PAD * (east - west), PAD * (north - south)
    return (west - dx, south - dy, east + dx, north + dy)


def _fine_enough(f: Map2d, box: tuple[float, float, float, float]) -> dict[str, Any]:
    mesh: dict[str, Any] = {}
    for nodes in NODES:
        mesh = _mesh(f, box, nodes, digits=4)
        if _error(mesh, f) <= MAX_ERROR_CELLS:
            break
    return mesh


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
