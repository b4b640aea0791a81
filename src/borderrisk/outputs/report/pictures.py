"""Figures as data URIs."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from borderrisk.outputs.figures import CHARTS, plan
from borderrisk.outputs.figures.style import render
from borderrisk.outputs.scene import Scene

_LEFT_OUT = "uncertainty-"
_MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def picture_sources(scene: Scene, figures: Path) -> dict[str, str]:
    """``src`` of each figure by name: charts as SVG, maps as PNG.

    Parameters
    ----------
    scene : Scene
        A finished scoring.
    figures : Path
        Folder of figures already drawn of the same scene; those it lacks are drawn.
    """
    sources = {}
    for name, draw_one in plan(scene).items():
        if name.startswith(_LEFT_OUT):
            continue
        extension = "svg" if name in CHARTS else "png"
        path = figures / f"{name}.{extension}"
        if path.is_file():
            content = path.read_bytes()
        elif (figure := draw_one()) is not None:
            content = render(figure, extension)
        else:
            continue
        sources[name] = _uri(_MEDIA_TYPES[extension], content)
    return sources


def _uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(content).decode('ascii')}"
