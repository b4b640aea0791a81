"""Pages of the documentation that follow from the code: a hook of mkdocs.

``<!-- generated: NAME -->`` in a page becomes what the function of that name in ``PARTS`` returns;
notebooks become pages with what they show, and the changelog joins. ``DOCS_RUN=0`` leaves
notebooks as they are, for quick looks.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "src")]

import borderrisk  # noqa: E402
from borderrisk.cli.app import app  # noqa: E402
from borderrisk.config import json_schema  # noqa: E402
from borderrisk.features.catalogue import DECLARED  # noqa: E402
from borderrisk.scores import Score, shown  # noqa: E402
from borderrisk.sources.layouts import LAYOUTS  # noqa: E402
from borderrisk.words import UNITS  # noqa: E402
from docs_notebooks import as_page, command  # noqa: E402

MARK = re.compile(r"<!-- generated: (\w+) -->")
TUTORIALS = ("from-data-to-map", "own-border", "forecast-cycle", "python-api")


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )


def commands() -> str:
    """Return every command with its help, as click prints it."""
    context = click.Context(app, info_name="borderrisk")
    found = []
    for name in app.list_commands(context):
        made = app.get_command(context, name)
        assert made is not None
        own = click.Context(made, info_name=name, parent=context, terminal_width=80)
        found.append(f"## {name}\n\n```text\n{made.get_help(own)}\n```")
    return "\n\n".join(found)


def config_keys() -> str:
    """Return every key of the config by its section: type, default, what it does."""
    schema = json_schema()
    found: list[str] = []
    _section("", "", schema, schema["$defs"], found)
    return "\n\n".join(found)


def _section(name: str, what: str, node: dict[str, Any], defs: Any, found: list[str]) -> None:
    keys = node.get("properties", {})
    inner = {key: _inner(value, defs) for key, value in keys.items()}
    required = node.get("required", [])
    rows = (
        (f"`{key}`", _kind(value, inner[key]), _default(value, key in required, inner[key]),
         value.get("description") or _plain(inner[key].get("description", "")))
        for key, value in keys.items()
    )  # fmt: skip
    said = _plain(what or node.get("description", "")).split("\n\n")[0]
    title = f"## {name or 'The whole'}"
    found.append(f"{title}\n\n{said}\n\n{table(('key', 'type', 'default', 'what'), rows)}")
    for key, value in keys.items():
        if inner[key]:
            path = ".".join(filter(None, (name, key)))
            _section(path, value.get("description", ""), inner[key], defs, found)


def _inner(value: dict[str, Any], defs: Any) -> dict[str, Any]:
    """Section that a key holds, by itself, or one of by name."""
    text = str({k: v for k, v in value.items() if k not in ("default", "description")})
    named = re.search(r"#/\$defs/(\w+)", text)
    return defs[named.group(1)] if named else {}


def _kind(value: dict[str, Any], inner: dict[str, Any]) -> str:
    if inner:
        return "named sections" if "patternProperties" in value else "section"
    if "enum" in value:
        return " or ".join(f"`{choice}`" for choice in value["enum"])
    if "anyOf" in value:
        return " or ".join(_kind(one, {}) for one in value["anyOf"])
    if value.get("type") == "array":
        return "list of " + (_kind(value["items"], {}) if "items" in value else "numbers")
    return str(value.get("type", "any"))


def _default(value: dict[str, Any], required: bool, inner: dict[str, Any]) -> str:
    if required:
        return "**needed**"
    return f"`{json.dumps(value['default'])}`" if "default" in value and not inner else ""


def python_names() -> str:
    """Return the public names of the package, with their docstrings."""
    return "\n\n".join(_documented(name) for name in borderrisk.__all__)


def _documented(name: str) -> str:
    thing = getattr(borderrisk, name)
    found = [f"## {name}\n\n```python\n{_signature(name, thing)}\n```\n\n{as_markdown(thing)}"]
    if inspect.isclass(thing) and not issubclass(thing, Exception) and name != "Config":
        for part, member in vars(thing).items():
            bare = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
            called = callable(bare)
            if part.startswith("_") or not inspect.getdoc(bare) or part.startswith("model_"):
                continue
            if called or isinstance(bare, property) or hasattr(bare, "func"):
                head = _signature(part, bare) if called else part
                found.append(f"### {name}.{part}\n\n`{head}`\n\n{as_markdown(bare)}")
    return "\n\n".join(found)


def _signature(name: str, thing: Any) -> str:
    """Return how a thing is called; of the config, whose keys have a page, only its name."""
    if name == "Config":
        return name
    try:
        found = str(inspect.signature(thing))
    except (TypeError, ValueError):
        return name
    found = re.sub(r"(: |-> )'([^']*)'", r"\1\2", found).removesuffix(" -> None")
    return name + re.sub(r"\((self|cls)(, )?", "(", found)


def as_markdown(thing: Any) -> str:
    """Return a numpydoc docstring as Markdown: bold sections, lists, fenced examples."""
    text = inspect.getdoc(thing) or ""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", text, flags=re.MULTILINE)
    found = [_plain(parts[0])]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        found.append(f"**{title}**")
        if title == "Examples":
            found.append(_examples(body))
        else:
            found.append(_entries(body))
    return "\n\n".join(found)


def _plain(text: str) -> str:
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")
    return re.sub(r"::\n\n((?: {4}.*\n?|\n)+)", r":\n\n\1", text).strip()


def _entries(body: str) -> str:
    """Entries of a section: a name with its type, and what is indented below it."""
    found: list[str] = []
    for entry in re.split(r"\n(?=\S)", _plain(body)):
        head, _, rest = entry.partition("\n")
        name, colon, kind = head.partition(" : ")
        text = " ".join(rest.split())
        said = f"`{name}` ({kind})" if colon else f"`{name}`" if text else name
        found.append(f"- {said}{':' if text else ''} {text}".rstrip())
    return "\n".join(found)


def _examples(body: str) -> str:
    found, fenced = [], False
    for line in _plain(body).splitlines():
        if line.startswith(">>>") and not fenced:
            found.append("```pycon")
            fenced = True
        elif not line.strip() and fenced:
            found.append("```")
            fenced = False
        found.append(line)
    return "\n".join([*found, *(["```"] if fenced else [])])


def _unit(score: Score) -> str:
    return UNITS[score.unit]["en"] if score.unit in UNITS else score.unit


def cell_columns() -> str:
    """Return the columns of scored cells in their order."""
    rows = ((f"`{s.name}`", _unit(s), f"{s.note_en or s.long_name}") for s in shown("table"))
    return table(("column", "unit", "what"), rows)


def raster_bands() -> str:
    """Return the bands of ``risk.tif``."""
    bands = (s for s in shown("band") if s.name != "risk_change")
    return table(
        ("band", "unit", "what"), ((f"{s.band} `{s.name}`", _unit(s), s.long_name) for s in bands)
    )


def feature_columns() -> str:
    """Return the features a run can have."""
    rows = (
        (f"`{f.name}`", UNITS.get(f.units, {"en": f.units})["en"], f.long_name) for f in DECLARED
    )
    return table(("feature", "unit", "what"), rows)


def layout_columns() -> str:
    """Return what each published layout of incidents must have, and what becomes of it."""
    rows = (
        (f"`{name}`", ", ".join(f"`{column}`" for column in layout.required))
        for name, layout in LAYOUTS.items()
    )
    return table(("layout", "columns it is told by"), rows)


_CONFIG = (ROOT / "configs" / "mashhad.yaml").read_text(encoding="utf-8")
_PEOPLE = ("features:", "features:\n  table: people.csv\n  columns: [ethnicity]")
# What was done, in words; how the config was changed, if it was; the command; what helps.
CASES = (
    ("A misspelt key", ("border_strip_km", "border_strip"), "validate configs/mine.yaml",
     "The message names line, column and the key that was meant."),
    ("A country that does not exist", None, "init mine --home Pakistn",
     "Names in English and ISO codes are known; `--list COUNTRY` shows neighbours."),
    ("Two countries without a common border", None, "init mine --home Pakistan --neighbours Nepal",
     "Take one of those it lists."),
    ("A file that is not there", ("incidents.csv", "incident.csv"), "validate configs/mine.yaml",
     "Paths are read from the folder of the config."),
    ("Cells that are too many", ("cell_size_m: 10000", "cell_size_m: 20"),
     "run configs/mine.yaml", "Take the cell size that it names, or a smaller area."),
    ("A predictor about people", _PEOPLE,
     "validate configs/mine.yaml", "This is refused on purpose and cannot be switched off."),
    ("A table without dates or places", None, "validate configs/table.yaml",
     "Rename the columns, or name them under `data.incidents`."),
    ("A scenario that is not in the config", None, "scenario configs/mashhad.yaml summer",
     "Scenarios are sections of the config; see [Ask what if](howto/scenarios.md)."),
    ("No run where one is expected", None, "info nowhere",
     "Give a run's folder, or the folder of a border that was run."),
    ("An origin before the record begins", None,
     "forecast configs/mashhad.yaml --origin 1990-01-01 --out f", "Choose a later origin."),
)  # fmt: skip


def real_errors() -> str:
    """Return what common mistakes end with, each made anew and quoted."""
    found = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        shutil.copytree(ROOT / "configs", folder / "configs")
        shutil.copytree(ROOT / "data" / "raw", folder / "data" / "raw")
        (folder / "configs" / "people.csv").write_text("cell_id,ethnicity\nr000c000,1\n")
        (folder / "bad.csv").write_text("what,where\nambush,Khash\n")
        table_config = re.sub(r"incidents: \{.*\}", "incidents: {path: ../bad.csv}", _CONFIG)
        (folder / "configs" / "table.yaml").write_text(table_config, encoding="utf-8")
        for title, change, line, advice in CASES:
            text = _CONFIG.replace(*change) if change else _CONFIG
            (folder / "configs" / "mine.yaml").write_text(text, encoding="utf-8")
            code, said = command(f"borderrisk {line}", folder=folder)
            if code not in (1, 2, 3):
                raise RuntimeError(f"{title}: `borderrisk {line}` ended with {code}: {said}")
            said = said.replace(f"{folder}/", "").strip()
            found.append(
                f"## {title}\n\n```text\n$ borderrisk {line}\n{said}\n```\n\n"
                f"{advice} (Exit code {code}.)"
            )
    return "\n\n".join(found)


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands, "config": config_keys, "python": python_names, "cells": cell_columns,
    "bands": raster_bands, "features": feature_columns, "layouts": layout_columns,
    "errors": real_errors,
}  # fmt: skip


def filled(text: str) -> str:
    """Return a page with its generated parts."""
    return MARK.sub(lambda mark: PARTS[mark.group(1)](), text)


def _as_page_link(link: re.Match[str]) -> str:
    return f"]({link[1]}{'.md' if link[2] else ''})"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what is generated (a hook of mkdocs)."""
    return filled(markdown)


def on_files(files: Any, config: Any) -> Any:
    """Add the changelog, and notebooks with what they show (a hook of mkdocs)."""
    from mkdocs.structure.files import File

    def add(uri: str, text: str) -> None:
        files.append(File.generated(config, uri, content=text))

    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    add("changelog.md", re.sub(r"\]\(docs/(.*?)(\.ipynb)?\)", _as_page_link, changes))
    with tempfile.TemporaryDirectory() as made:
        for name in TUTORIALS:
            text, maps = f"# {name}\n", {}
            if os.environ.get("DOCS_RUN") != "0":
                text, maps = as_page(ROOT / "docs" / "tutorials" / f"{name}.ipynb", Path(made))
                logging.getLogger("mkdocs").info("ran the tutorial %s", name)
            add(f"tutorials/{name}.md", text.replace(f"{Path(made).resolve()}/", ""))
            for uri, page in maps.items():
                add(f"tutorials/{uri}", page)
    return files
