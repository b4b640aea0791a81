"""The HTML shell: folium's map with everything it needs inside the file and nothing outside."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import folium
import xstatic.pkg.leaflet as leaflet_package
from branca.element import Element, MacroElement
from folium.template import Template

from borderrisk.errors import ConfigError
from borderrisk.outputs.webmap.relief import ReliefImage
from borderrisk.outputs.webmap.view import Bounds

SCRIPTS = (
    "base.js", "codec.js", "mesh.js", "cells.js", "paint.js", "format.js", "position.js",
    "search.js", "permalink.js", "risklayer.js", "vectors.js", "labels.js", "reasons.js",
    "popup.js", "legend.js", "sums.js", "panel.js", "about.js", "caption.js", "tools.js",
    "files.js", "minimap.js", "paper.js", "picture.js", "app.js", "start.js",
)  # fmt: skip
# Folium's own line about the viewport would forbid readers to zoom with two fingers.
_FOLIUMS_VIEWPORT = re.compile(r'<meta name="viewport"[^>]*user-scalable=no[^>]*>')
_DATA = "<!-- data -->"  # what a run holds goes in last, after the scripts that may run are known
# Meshes, legends, words, sources: what a run says in the config beside its layers.
FACTS_BYTES = 90_000
_HOST = re.compile(r"[A-Za-z0-9.*-]+(:\d+)?")


@cache
def asset(name: str) -> str:
    """Text of a file shipped beside this module."""
    folder = resources.files("borderrisk.outputs.webmap") / "assets"
    return (folder / name).read_text(encoding="utf-8")


class Raw(Element):
    """Markup that goes into the page as it is."""

    _template = Template("{{ this.markup }}")

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.markup = markup


class _Start(MacroElement):
    """The call that starts the map's own script."""

    _template = Template(
        "{% macro script(this, kwargs) %}\n"
        "BR.start({{ this.map }}, {relief: {{ this.relief }}, tiles: {{ this.tiles }}});\n"
        "{% endmacro %}"
    )

    def __init__(self, shell: Element, relief: Element | None, tiles: Element | None) -> None:
        super().__init__()
        self._name = "Start"
        self.parts = (shell, relief, tiles)

    map = property(lambda self: self.parts[0].get_name())
    relief = property(lambda self: self.parts[1].get_name() if self.parts[1] else "null")
    tiles = property(lambda self: self.parts[2].get_name() if self.parts[2] else "null")


def frame_bytes() -> int:
    """Bytes of a page before anything of a run is in it, and what is always said."""
    own = [*map(asset, SCRIPTS), asset("parts.css"), asset("map.css"), asset("strings.json")]
    return FACTS_BYTES + sum(len(text.encode()) for text in (*own, leaflet("leaflet.js"),
                                                             leaflet_css()))  # fmt: skip


def build_page(
    *,
    title: str,
    language: str,
    bounds: Bounds,
    config: str,
    blobs: dict[str, str],
    relief: ReliefImage | None,
    tiles: str | None,
) -> str:
    """Put a map's parts together into one HTML document.

    ``bounds`` are west, south, east, north of the opening view; ``config`` is JSON, safe inside a
    script element; ``blobs`` are the packed columns. The host of the URL template ``tiles`` is the
    only one the page may ask.
    """
    shell = _shell(bounds)
    backdrop = add_relief(shell, relief)
    base = None
    if tiles is not None:
        credit = f"Base map: {html.escape(_tile_host(tiles))}"
        base = folium.TileLayer(tiles=tiles, attr=credit).add_to(shell)
    shell.add_child(_Start(shell, backdrop, base))
    figure: Any = shell.get_root()
    for name, markup in {
        "viewport": '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "referrer": '<meta name="referrer" content="no-referrer">',
        "page-title": f"<title>{html.escape(title)}</title>",
        "page-style": f"<style>{leaflet_css()}\n{asset('parts.css')}\n{asset('map.css')}</style>",
        "leaflet": f"<script>{inline(leaflet('leaflet.js'))}</script>",
        "own-script": f"<script>{scripts(SCRIPTS)}</script>",
    }.items():
        figure.header.add_child(Raw(markup), name=name)
    figure.html.add_child(Raw(_DATA), name="data")
    _fix_ids(figure)
    document = figure.render().replace("<html>", f'<html lang="{language}">', 1)
    document = _FOLIUMS_VIEWPORT.sub("", document)
    return _with_policy(document, tiles).replace(_DATA, _data(config, blobs), 1)


def _shell(bounds: Bounds) -> folium.Map:
    """Return folium's map without the eleven files it would fetch."""
    west, south, east, north = bounds
    shell = folium.Map(
        location=[round((south + north) / 2, 5), round((west + east) / 2, 5)],
        zoom_start=6, tiles=None, prefer_canvas=True, zoom_control=False,
        min_zoom=4, max_zoom=16, zoom_snap=0.5, world_copy_jump=False, fade_animation=False,
    )  # fmt: skip
    shell.default_js, shell.default_css = [], []
    return shell


def add_relief(shell: folium.Map, relief: ReliefImage | None) -> Element | None:
    """Lay a shaded relief under a map, if there is one."""
    if relief is None:
        return None
    west, south, east, north = relief.bounds
    return folium.raster_layers.ImageOverlay(
        relief.uri, bounds=[[south, west], [north, east]], pane="tilePane", zindex=2, alt="",
        pixelated=False,
    ).add_to(shell)  # fmt: skip


def _tile_host(tiles: str) -> str:
    """Scheme and host a tile URL asks, with ``*`` for its subdomains.

    Raises ``ConfigError`` if it is not an http(s) URL template with x, y and z.
    """
    parts = urlsplit(tiles)
    host = parts.netloc.replace("{s}", "*")
    whole = all(f"{{{axis}}}" in tiles for axis in "xyz")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or not whole:
        raise ConfigError(
            f"Cannot use tiles {tiles!r}: give an http(s) URL template with {{z}}, {{x}} and {{y}}."
        )
    return f"{parts.scheme}://{host}"


def _data(config: str, blobs: dict[str, str]) -> str:
    columns = "\n".join(
        f'<script type="application/octet-stream" id="br-col-{html.escape(name)}">{text}</script>'
        for name, text in blobs.items()
    )
    return f'<script type="application/json" id="br-config">{config}</script>\n{columns}'


def leaflet(name: str) -> str:
    """Text of a file of the Leaflet that the product carries."""
    text = (Path(leaflet_package.BASE_DIR) / name).read_text(encoding="utf-8")
    return re.sub(r"\n//# sourceMappingURL=.*", "", text)


def leaflet_css() -> str:
    """Leaflet's style sheet without its pictures: no control of this map shows one."""
    return re.sub(r"url\([^)]*\)", "none", leaflet("leaflet.css"))


def scripts(names: Iterable[str]) -> str:
    """Shipped scripts as one that can stand in the page."""
    return inline("\n".join(map(asset, names)))


def inline(script: str) -> str:
    """Script that cannot end the element it stands in."""
    return script.replace("</script", "<\\/script")


def _fix_ids(figure: Any) -> None:
    """Give every element a number for folium's random id, so that the file stays the same."""
    elements = [figure, figure.header, figure.html, figure.script]
    for number, element in enumerate(elements):
        element._id = f"br{number}"
        elements.extend(element._children.values())


def _with_policy(document: str, tiles: str | None) -> str:
    """Add a Content-Security-Policy that lets run only the product's own scripts."""
    executed = re.findall(r"<script>(.*?)</script>", document, flags=re.DOTALL)
    hashes = " ".join(dict.fromkeys(map(_digest, executed)))
    images = "data: blob:" + (f" {_tile_host(tiles)}" if tiles else "")
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src {images}; "
        "base-uri 'none'; form-action 'none'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return document.replace("<head>", f'<head>\n<meta charset="utf-8">\n{meta}', 1)


def _digest(code: str) -> str:
    digest = hashlib.sha256(code.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
