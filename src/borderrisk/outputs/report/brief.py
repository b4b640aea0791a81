"""A brief: what a focus, or the whole area, has to say on two printed pages of A4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from borderrisk.outputs.atomic import write_text
from borderrisk.outputs.figures import plan
from borderrisk.outputs.headline import doubts, sentences, top_places, top_sections
from borderrisk.outputs.reasons import Answer, made
from borderrisk.outputs.report import environment, picture_source
from borderrisk.outputs.report.blocks import Places
from borderrisk.outputs.report.skill import verdict
from borderrisk.outputs.scene import Scene
from borderrisk.words import PHRASES, numeral

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
    places = [replace(at.said, expected="") for at in top_places(scene, language, focus=window)]
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
        picture=picture_source(name, plan(scene)[name], figures),
        doubts=doubts(scene, language, window),
        left=say["left_out"].format(n=numeral(left, language)) if left else "",
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
