"""Columns of a map page as numbers, unpacked from the file as the browser does.

Written anew from what the page's own script does, so that it can judge any version of the packer.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

_DATA = re.compile(r'<script type="application/[a-z-]+" id="br-([^"]+)">(.*?)</script>', re.DOTALL)


def columns(path: Path) -> dict[str, np.ndarray]:
    """Values of every packed column at the scored cells, row-major; empty if it is no map."""
    parts = dict(_DATA.findall(path.read_text(encoding="utf-8")))
    if "config" not in parts:
        return {}
    config = json.loads(parts["config"])
    near = _neighbours(config["grid"])
    line = np.arange(-1, 65_536)
    codes: dict[str, np.ndarray] = {}

    def unpack(name: str) -> np.ndarray:
        if name not in codes:
            spec = config["columns"][name]
            left = _unpredict(parts[f"col-{name}"], spec["wide"], *near)
            if follows := spec.get("follows"):
                table = _unpredict(parts[f"col-{name}.table"], spec["wide"], line, line)
                half = 1 << (15 if spec["wide"] else 7)
                left = (left + table[unpack(follows)] - half) % (2 * half)
            codes[name] = left
        return codes[name]

    return {name: _decoded(unpack(name), spec) for name, spec in config["columns"].items()}


def _neighbours(grid: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Positions to the north and north-west of each cell; the one before where there is none."""
    index = np.full((grid["rows"] + 1, grid["cols"] + 1), -1)
    runs = np.array(grid["runs"], int).reshape(-1, 3)
    at = 0
    for row, col, length in runs:
        index[row + 1, col + 1 : col + 1 + length] = np.arange(at, at + length)
        at += length
    here = index >= 0
    north, corner = (np.roll(index, shift, (0, 1))[here] for shift in ((1, 0), (1, 1)))
    before = np.arange(at) - 1
    north = np.where(north < 0, before, north)
    return north, np.where(corner < 0, north, corner)


def _unpredict(text: str, wide: bool, north: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Undo the median edge prediction."""
    raw = np.frombuffer(gzip.decompress(base64.b64decode(text)), np.uint8).astype(int)
    if wide:
        low, high = raw.reshape(2, -1)
        raw = low | (high << 8)
    left = ((raw >> 1) ^ -(raw & 1)).tolist()
    mask = 65_535 if wide else 255
    ups, corners = north.tolist(), corner.tolist()
    codes: list[int] = []
    for i, residual in enumerate(left):
        a = codes[i - 1] if i else 0
        b = codes[ups[i]] if ups[i] >= 0 else 0
        c = codes[corners[i]] if corners[i] >= 0 else 0
        codes.append((min(max(a + b - c, min(a, b)), max(a, b)) + residual) & mask)
    return np.array(codes, int)


def _decoded(codes: np.ndarray, spec: dict[str, Any]) -> np.ndarray:
    values = spec["o"] + spec["s"] * codes.astype(float)
    return np.where(codes == spec["n"], np.nan, np.exp(values) if spec["log"] else values)
