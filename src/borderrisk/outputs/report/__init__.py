"""The model card of a run: ``report.html``, one file that needs no network, and ``report.md``."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from borderrisk.outputs.atomic import write_text
from borderrisk.outputs.figures import CHARTS, plan
from borderrisk.outputs.figures.style import render
from borderrisk.outputs.headline import doubts, sentences, top_places, top_sections
from borderrisk.outputs.reasons import Answer, made
from borderrisk.outputs.report.blocks import Abridged, Bars, Places, Section, percent, show
from borderrisk.outputs.report.chapters import build_sections
from borderrisk.outputs.report.evidence import verdict
from borderrisk.outputs.scene import STATEMENT, Scene
from borderrisk.scores import decode
from borderrisk.words import PHRASES, told

_MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]|#~$])")
_SPARKS = " ▁▂▃▄▅▆▇█"


def write_report(scene: Scene, folder: Path) -> list[Path]:
    """Write the model card: ``report.html`` and ``report.md``, in that order.

    It holds purpose and limits, data with sources and rejected rows, grid, features with their
    distributions, model, scorecard with baselines and intervals, calibration, the test behind a
    border left out, trust, the highest-ranked cells and segments, responsible use, config and
    manifest. A part the scene has no numbers for says so in a sentence.

    Figures of this scene in ``figures/`` of the folder
    (:func:`~borderrisk.outputs.figures.write_figures`) are taken as they are: ``report.html`` holds
    them and draws those it lacks, ``report.md`` links them. ``OutputError`` if a file cannot be
    written.
    """
    folder = Path(folder)
    sections = build_sections(scene)
    wanted = [name for name in plan(scene) if not name.startswith("uncertainty-")]
    sources = {name: picture_source(scene, name, folder / "figures") for name in wanted}
    html = render_page(
        sections, {name: src for name, src in sources.items() if src}, **_headline(scene)
    )
    markdown = render_markdown(scene, sections, folder / "figures")
    return [write_text(html, folder / "report.html"), write_text(markdown, folder / "report.md")]


def picture_source(scene: Scene, name: str, figures: Path) -> str | None:
    """``src`` of a chart as SVG or a map as PNG, from the folder ``figures`` or drawn.

    None if the scene lacks the numbers.
    """
    extension, media = ("svg", "image/svg+xml") if name in CHARTS else ("png", "image/png")
    path = figures / f"{name}.{extension}"
    if path.is_file():
        return data_uri(media, path.read_bytes())
    figure = plan(scene)[name]()
    return None if figure is None else data_uri(media, render(figure, extension))


def data_uri(media_type: str, content: bytes) -> str:
    """Content as the ``src`` of a picture."""
    return f"data:{media_type};base64,{b64encode(content).decode('ascii')}"


def _template(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def render_page(
    sections: Sequence[Section], pictures: Mapping[str, str], *, title: str, title_fa: str = "",
    run_id: str = "", statement: str = STATEMENT, verdict: str = "",
    tiles: Sequence[tuple[str, str]] = (), stamp: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """Render sections under a title, what the page is about and its verdict, as one HTML file.

    All text is escaped; figures without a ``src`` in ``pictures`` are left out.
    """
    return environment(autoescape=True).get_template("report.html").render(
        sections=sections, pictures=pictures, title=title, title_fa=title_fa, run_id=run_id,
        statement=statement, verdict=verdict, tiles=tiles, stamp=stamp or {},
    )  # fmt: skip


def render_markdown(scene: Scene, sections: Sequence[Section], figures: Path) -> str:
    """Render the same as Markdown; links the figures that are in the folder ``figures``."""
    plain = environment(autoescape=False)
    plain.filters.update(md=escape_markdown, spark=spark, fence=fence)
    names = {path.stem for path in figures.glob("*.png")} if figures.is_dir() else set()
    text = plain.get_template("report.md").render(
        sections=sections, figures=names, **_headline(scene)
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def environment(*, autoescape: bool) -> Environment:
    """Templates of this package."""
    found = Environment(
        loader=FunctionLoader(_template), autoescape=autoescape, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    found.tests["abridged"] = lambda value: isinstance(value, Abridged)
    found.tests["bars"] = lambda value: isinstance(value, Bars)
    return found


def _headline(scene: Scene) -> dict[str, Any]:
    meta = scene.meta
    return {
        "title": meta.title,
        "title_fa": meta.title_fa,
        "run_id": meta.run_id,
        "stamp": scene.stamp,
        "statement": meta.statement,
        "verdict": verdict(scene),
        "tiles": _tiles(scene),
    }


def _tiles(scene: Scene) -> list[tuple[str, str]]:
    exposure = scene.cells["exposure"].to_numpy()
    tiles = [("scored cells", show(int((exposure > 0).sum())))]
    words = {"incidents read": "incidents read", "incidents used": "of them used",
             "incidents in the study area": "of these in the study area"}  # fmt: skip
    counts = {"incidents used": len(scene.incidents), **scene.meta.incident_counts}
    tiles += [(said, show(counts[key])) for key, said in words.items() if key in counts]
    if scene.data_until:
        tiles.append(("data until", scene.data_until))
    if scene.period:
        tiles.append(("forecast for", " to ".join(scene.period)))
    if "trust" in scene.cells and not scene.is_index:
        words_of = decode(scene.cells["trust"])
        total = exposure[words_of != ""].sum()
        share = float(exposure[words_of == "ok"].sum() / total) if total else None
        tiles.append(("of the area trusted", percent(share)))
    return tiles


def escape_markdown(text: object) -> str:
    r"""Text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escape_markdown("a|b <script> _x_")
    'a\\|b &lt;script&gt; \\_x\\_'
    """
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN_SPECIAL.sub(r"\\\1", line)


def spark(bars: Bars) -> str:
    """Histogram as a line of block characters."""
    return "".join(_SPARKS[round(height * (len(_SPARKS) - 1))] for height in bars.heights)


def fence(text: str) -> str:
    """Put text in a code fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}\n{text.rstrip()}\n{mark}"


# Lines that fit into each half of the second page, in two columns of so many characters.
ROOM = {"en": 57, "fa": 53}
ACROSS = {"en": 58, "fa": 55}


def write_brief(
    scene: Scene,
    path: Path,
    *,
    focus: str | None = None,
    language: str = "en",
    figures: Path = Path(),
) -> Path:
    """Write one HTML file that needs no network and prints to two pages of A4.

    On the first page are the map, what is expected and how sure that is, and what not to rely on;
    on the second the highest places and sections of border, as many as fit. The picture of the map
    is taken from the folder ``figures``, or drawn. Raises ``ConfigError`` if there is no such
    focus, ``OutputError`` if the file cannot be written.
    """  # fmt: skip
    window = scene.focus(focus) if focus else None
    name = f"risk-{focus}" if focus else "risk"
    say = {key: label[language] for key, label in PHRASES.items()}
    places = [replace(said, expected="") for said in top_places(scene, language, focus=window)]
    sections = top_sections(scene, language, focus=window)
    room = ROOM[language] * (1 if sections else 2)
    blocks, left = [], 0
    for title, said in (("places", places), ("sections", sections)):
        shown = fitting(said, room, ACROSS[language])
        left += len(said) - len(shown)
        if shown:
            blocks.append(Places(say[title], shown, say["rely"]))
    title = window.title if window else scene.meta.title
    title_fa = window.title_fa if window else scene.meta.title_fa
    text = environment(autoescape=True).get_template("brief.html").render(
        language=language, direction="rtl" if language == "fa" else "ltr", say=say,
        title=(title_fa or title) if language == "fa" else title, made=made(scene, language),
        stamp=scene.stamp, statement=scene.meta.statement,
        sentences=sentences(scene, language, window),
        verdict=verdict(scene) if language == "en" else "", blocks=blocks,
        picture=picture_source(scene, name, figures),
        doubts=doubts(scene, language, window),
        left=told("left_out", language, n=left) if left else "",
    )  # fmt: skip
    return write_text(text, Path(path))


def fitting(said: Sequence[Answer], room: int, across: int) -> list[Answer]:
    """Return as many of the first answers as have room for so many lines, ``across`` wide.

    Examples
    --------
    >>> one = Answer("head", "", "", "", "x" * 400, "")
    >>> len(fitting([one] * 9, 30, 60))
    3
    """
    found = []
    for answer in said:
        top = " ".join((answer.head, answer.chance, answer.expected, answer.rank))
        rely = f"{answer.rely:>{len(answer.rely) + 20}}" if answer.rely else ""
        room -= 1 + sum(-(-len(text) // across) for text in (top, answer.why, rely))
        if room < 0:
            break
        found.append(answer)
    return found
