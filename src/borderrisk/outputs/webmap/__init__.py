"""A risk map in one HTML file that opens with no network."""

from __future__ import annotations

from pathlib import Path

from borderrisk.errors import ConfigError
from borderrisk.outputs.atomic import write_text
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.webmap.columns import pack_columns
from borderrisk.outputs.webmap.maplayers import vectors_json
from borderrisk.outputs.webmap.page import build_page, frame_bytes
from borderrisk.outputs.webmap.payload import payload, sections_blob, to_json
from borderrisk.outputs.webmap.relief import relief_image
from borderrisk.outputs.webmap.view import make_view
from borderrisk.words import LANGUAGES

__all__ = ["LANGUAGES", "render_map", "write_map"]


def render_map(
    scene: Scene, *, focus: str | None = None, language: str = "en", tiles: str | None = None
) -> str:
    """Return the map of a scene, or of one of its focus windows, as one HTML document.

    Scores the scene lacks are left out. The map opens in ``language`` (``en`` or ``fa``; the reader
    can switch). ``tiles`` is the URL template (``https://host/{z}/{x}/{y}.png``) of an online base
    map; without it the page cannot make any network request. Raises ``ConfigError`` for an unknown
    focus or language or an unusable URL, ``DataError`` if no scored cell is to be shown.
    """
    if language not in LANGUAGES:
        raise ConfigError(f"The map speaks {' and '.join(LANGUAGES)}, not {language!r}.")
    view = make_view(scene, focus)
    vectors, relief = to_json(vectors_json(view)), relief_image(view)
    sections = sections_blob(view)
    parts = (vectors, relief.uri if relief else "", *sections.values())
    packed = pack_columns(view, frame_bytes() + sum(len(part.encode()) for part in parts))
    return build_page(
        title=view.title_fa if language == "fa" else view.title,
        language=language,
        bounds=view.bounds,
        config=f"{to_json(payload(view, packed, language))[:-1]},{vectors[1:]}",
        blobs=packed.blobs | sections,
        relief=relief,
        tiles=tiles,
    )


def write_map(
    scene: Scene,
    path: Path,
    *,
    focus: str | None = None,
    language: str = "en",
    tiles: str | None = None,
) -> None:
    """Write :func:`render_map` to a file, or raise ``OutputError`` if that cannot be done."""
    text = render_map(scene, focus=focus, language=language, tiles=tiles)
    write_text(text, path)
