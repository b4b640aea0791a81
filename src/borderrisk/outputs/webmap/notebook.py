"""The map as folium elements: for a notebook, and for maps of one's own."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import folium
import xstatic.pkg.leaflet as leaflet_package
from branca.element import Element
from folium.map import Icon, Layer
from folium.template import Template

from borderrisk.errors import ConfigError
from borderrisk.outputs.headline import sentences
from borderrisk.outputs.scene import Scene
from borderrisk.outputs.webmap.columns import pack_columns
from borderrisk.outputs.webmap.maplayers import vectors_json
from borderrisk.outputs.webmap.page import Raw, add_relief, asset, inline, leaflet, scripts
from borderrisk.outputs.webmap.payload import payload, to_json
from borderrisk.outputs.webmap.relief import relief_image
from borderrisk.outputs.webmap.view import make_view
from borderrisk.words import LANGUAGES

SCRIPTS = (
    "base.js", "codec.js", "mesh.js", "cells.js", "paint.js", "format.js", "position.js",
    "search.js", "risklayer.js", "vectors.js", "reasons.js", "popup.js", "legend.js",
    "sums.js", "app.js", "embed.js",
)  # fmt: skip
# What folium's popups ask of jQuery, which no map made here fetches.
_DOLLAR = (
    "globalThis.$ = globalThis.$ || ((markup) => { const t = document.createElement('template');"
    " t.innerHTML = markup.trim(); return t.content.childNodes; });"
)
LEFT_OUT: dict[str, list[Any]] = {"layers": [], "borders": [], "countries": []}


class RiskLayer(Layer):
    """The scored cells as a layer of any folium map, with a legend and popups in sentences.

    Parameters
    ----------
    source : Scene or Result
        What is drawn.
    layer : str
        What the cells are coloured by: ``risk``, ``probability``, a feature, ...
    focus : str, optional
        Only this window.
    language : {"en", "fa"}
        Language of legend and popups.
    opacity : float
        From 0 to 1.
    legend, popups : bool
        Whether there are any.
    name, overlay, control, show
        As of every folium layer.

    Raises
    ------
    ConfigError
        For an unknown layer (the message lists those there are), focus or language.

    Examples
    --------
    Lay it on a map of your own::

        borderrisk.RiskLayer(result, "probability", opacity=0.6).add_to(my_map)
    """

    _template = Template(
        "{% macro script(this, kwargs) %}\n"
        "var {{ this.get_name() }} = BR.embed({{ this.config }}, {{ this.blobs }}, "
        "{{ this.options }});\n"
        "{% endmacro %}"
    )

    def __init__(
        self,
        source: Any,
        layer: str = "risk",
        *,
        focus: str | None = None,
        language: str = "en",
        opacity: float = 1.0,
        legend: bool = True,
        popups: bool = True,
        name: str | None = None,
        overlay: bool = True,
        control: bool = True,
        show: bool = True,
    ) -> None:
        if language not in LANGUAGES:
            raise ConfigError(f"The map speaks {' and '.join(LANGUAGES)}, not {language!r}.")
        view = make_view(_scene(source), focus)
        packed = pack_columns(view)
        labels = {its["name"]: its["label"][language] for its in packed.legends}
        if layer not in labels:
            raise ConfigError(f"No layer named {layer!r}; there are: {', '.join(labels)}.")
        super().__init__(name or labels[layer], overlay, control, show)
        self._name = "RiskLayer"
        self.view = view
        self.config = to_json(payload(view, packed, language) | vectors_json(view) | LEFT_OUT)
        self.blobs = json.dumps(packed.blobs)
        # Of what it is, and whose data it stands on: what a picture of a scene must say.
        credit = html.escape(" · ".join([*view.scene.colophon(), *view.scene.credits]))
        told = {"layer": layer, "opacity": opacity, "legend": legend, "popups": popups,
                "attribution": credit}  # fmt: skip
        self.options = json.dumps(told)

    def render(self, **kwargs: Any) -> Any:
        """Add the layer, and once per page its script and style."""
        header = self.get_root().header  # type: ignore[attr-defined]
        header.add_child(Raw(f"<style>{asset('parts.css')}</style>"), name="borderrisk-style")
        header.add_child(Raw(f"<script>{scripts(SCRIPTS)}</script>"), name="borderrisk-script")
        super().render(**kwargs)


def _scene(source: Any) -> Scene:
    scene = getattr(source, "scene", source)
    if not isinstance(scene, Scene):
        raise ConfigError(f"Give a result of a run or its scene, not {type(source).__name__}.")
    return scene


class RiskMap(folium.Map):
    """A folium map that carries Leaflet with it, so that it opens with no network.

    Only folium's own icons are fetched, where some marker has one.
    """

    def render(self, **kwargs: Any) -> Any:
        """Render the map with what its elements need."""
        if any(isinstance(part, Icon) for part in _parts(self)):
            js, css = folium.Map.default_js, folium.Map.default_css
            self.default_js = [pair for pair in js if pair[0] != "leaflet"]
            self.default_css = [pair for pair in css if pair[0] != "leaflet_css"]
        super().render(**kwargs)


def _parts(element: Element) -> Iterator[Element]:
    for part in element._children.values():
        yield part
        yield from _parts(part)


def risk_map(
    source: Any, layer: str = "risk", *, focus: str | None = None, language: str = "en"
) -> folium.Map:
    """Return a folium map of a scene: terrain, risk, borders.

    It shows itself in a notebook, and takes any further folium layer. Parameters and errors are
    those of :class:`RiskLayer`.
    """
    risk = RiskLayer(source, layer, focus=focus, language=language)
    view = risk.view
    west, south, east, north = view.bounds
    shell = RiskMap(
        location=[(south + north) / 2, (west + east) / 2], tiles=None, prefer_canvas=True,
        min_zoom=4, max_zoom=16, zoom_snap=0.5,
    )  # fmt: skip
    shell.default_js, shell.default_css = [], []
    head: Any = shell.get_root()
    # Leaflet's style sheet with its pictures in it.
    css = re.sub(r"url\(images/([\w-]+\.png)\)", lambda m: f"url({_picture(m[1])})",
                 leaflet("leaflet.css"))  # fmt: skip
    head.header.add_child(Raw(f"<style>{css}</style>"), name="leaflet-style")
    script = f"{leaflet('leaflet.js')}\n{_markers()}\n{_DOLLAR}"
    head.header.add_child(Raw(f"<script>{inline(script)}</script>"), name="leaflet")
    add_relief(shell, relief_image(view))
    risk.add_to(shell)
    style = {"color": "#14181c", "weight": 2.5, "dashArray": "9 4 2 4"}
    lines = view.scene.borders[["pair", view.scene.borders.geometry.name]]
    name = {"en": "Borders", "fa": "مرزها"}[language]
    folium.GeoJson(lines, name=name, style_function=lambda _: style).add_to(shell)
    shell.fit_bounds([[south, west], [north, east]])
    return shell


def card(scene: Scene) -> str:
    """HTML of a scene's answer in a few sentences, then its period, run and skill."""
    meta, said = scene.meta, [html.escape(text) for text in sentences(scene)]
    facts = "".join(f"<br>{html.escape(text)}" for text in scene.colophon())
    body = "".join(f"<p style='margin:.4em 0'>{text}</p>" for text in said)
    return (
        "<div style='max-width:46em;border:1px solid #8886;border-radius:8px;padding:.6em 1em'>"
        f"<strong>{html.escape(meta.title)}</strong>{body}"
        f"<small>{html.escape(meta.statement)}{facts}</small></div>"
    )


def _picture(file: str) -> str:
    """One of Leaflet's pictures as a ``data:`` address."""
    raw = (Path(leaflet_package.BASE_DIR) / "images" / file).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(raw).decode()}"


def _markers() -> str:
    """Script that gives Leaflet the pictures of its plain marker."""
    files = {"iconUrl": "marker-icon.png", "iconRetinaUrl": "marker-icon-2x.png",
             "shadowUrl": "marker-shadow.png"}  # fmt: skip
    options = {key: _picture(file) for key, file in files.items()}
    return f"L.Icon.Default.imagePath = ''; L.Icon.Default.mergeOptions({json.dumps(options)});"
