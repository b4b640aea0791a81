"""Figures as data URIs."""

from __future__ import annotations

from base64 import b64encode

from borderrisk.outputs.figures import CHARTS, draw
from borderrisk.outputs.figures.style import render
from borderrisk.outputs.scene import Scene

_MAP_DPI = 110
_LEFT_OUT = "uncertainty-"


def draw_pictures(scene: Scene) -> dict[str, str]:
    """``src`` of each figure by name: charts as SVG, maps as PNG."""
    pictures = {}
    for name, figure in draw(scene):
        if name.startswith(_LEFT_OUT):
            continue
        if name in CHARTS:
            pictures[name] = _uri("image/svg+xml", render(figure, "svg"))
        else:
            pictures[name] = _uri("image/png", render(figure, "png", dpi=_MAP_DPI))
    return pictures


def _uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(content).decode('ascii')}"
