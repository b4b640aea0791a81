"""YAML 1.2 text to plain data, with the line and column of every key and value.

Scalars follow the core schema of YAML 1.2.2 (section 10.3.2): ``no`` is a text, ``010`` is ten.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from borderrisk.config.base import Location, Problem

_CORE: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"null|Null|NULL|~|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]{1,300}"), int),
    (re.compile(r"0o[0-7]{1,300}"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]{1,300}"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?(\.inf|\.Inf|\.INF)"), lambda text: float(text.replace(".", ""))),
    (re.compile(r"\.nan|\.NaN|\.NAN"), lambda _: float("nan")),
)
_STANDARD_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null",
                  "map", "seq", "timestamp", "merge", "value")}  # fmt: skip
_MAX_DEPTH = 50
Position = tuple[int, int]


@dataclass
class Document:
    """Plain data of a YAML text (dicts, lists, scalars) and where each part of it stands.

    ``keys`` and ``values`` take a location (a tuple of keys and indices) to (line, column), counted
    from 1; ``problems`` are all that is wrong with the text itself.
    """

    data: Any = None
    keys: dict[Location, Position] = field(default_factory=dict)
    values: dict[Location, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def position(self, location: Location, *, of_key: bool = False) -> Position:
        """Line and column of a key or value, or of the nearest part around it."""
        table = self.keys if of_key else self.values
        for length in range(len(location), 0, -1):
            if location[:length] in table:
                return table[location[:length]]
        return (1, 1)


def read_yaml(text: str) -> Document:
    """Parse a text; problems are collected, not raised."""
    document = Document()
    try:
        refused = list(_refused(text))
        root = YAML(pure=True).compose(io.StringIO(text)) if not refused else None
    except MarkedYAMLError as error:
        document.problems.append(_syntax(error))
        return document
    except ReaderError as error:
        document.problems.append(_bad_character(error, text))
        return document
    document.problems.extend(refused)
    if root is not None:
        document.data = _Reader(document).plain(root, ())
    return document


def parse_value(text: str) -> Any:
    """Return the value of a short YAML text such as ``[1, 2]``; ValueError if it is none."""
    document = read_yaml(text)
    if document.problems:
        raise ValueError(document.problems[0].message)
    return document.data


def write_yaml(data: Any) -> str:
    """Return block-style YAML 1.2 of plain data that reads back to the same data."""
    yaml = YAML(pure=True)
    yaml.width = 100
    out = io.StringIO()
    yaml.dump(_styled(data), out)
    return out.getvalue()


def edit_yaml(text: str, key: str, value: Any) -> str:
    """Return a block-style text with a dotted key set, or taken out where the value is None.

    Everything else stays to the letter, comments and order too.
    """
    node: Any = YAML(pure=True).compose(io.StringIO(text))
    names = key.split(".")
    for depth, name in enumerate(names):
        pair = next((pair for pair in node.value if pair[0].value == name), None)
        if pair is None:
            return text if value is None else _added(text, node, _nested(names[depth:], value))
        if depth + 1 < len(names) and isinstance(pair[1], MappingNode):
            node = pair[1]
        elif value is None:
            return _without(text, node, pair) if depth + 1 == len(names) else text
        else:
            start = pair[0].end_mark.index
            end = _end(pair[1]) if pair[1].value != "" or pair[1].style else start + 1
            return f"{text[:start]}: {_flow(_nested(names[depth + 1 :], value))}{text[end:]}"
    return text


def _nested(names: list[str], value: Any) -> Any:
    for name in reversed(names):
        value = {name: value}
    return value


def _flow(value: Any) -> str:
    """Return a value on one line."""
    yaml = YAML(pure=True)
    yaml.width = 10_000
    out = io.StringIO()
    yaml.dump(_in_flow({"k": value}), out)
    return out.getvalue().strip().removeprefix("{k: ").removesuffix("}")


def _in_flow(value: Any) -> Any:
    if isinstance(value, dict):
        styled: Any = CommentedMap((key, _in_flow(item)) for key, item in value.items())
    elif isinstance(value, list):
        styled = CommentedSeq(_in_flow(item) for item in value)
    else:
        return _styled(value)
    styled.fa.set_flow_style()
    return styled


def _end(node: Any) -> int:
    """Where the last letter of a node stands, comments after it left out."""
    if isinstance(node, ScalarNode) or node.flow_style:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, MappingNode) else last)


def _added(text: str, mapping: Any, more: dict[str, Any]) -> str:
    """Put keys behind the last one of a mapping; what stands after it is about what follows."""
    if mapping.flow_style:
        at = _end(mapping) - 1
        comma = ", " if mapping.value else ""
        return f"{text[:at]}{comma}{_flow(more)[1:-1]}{text[at:]}"
    at = text.find("\n", _end(mapping))
    before, after = (text + "\n", "") if at < 0 else (text[: at + 1], text[at + 1 :])
    indent = " " * mapping.value[0][0].start_mark.column
    lines = "".join(f"{indent}{line}\n" for line in write_yaml(more).splitlines())
    return f"{before}{lines}{after}"


def _without(text: str, mapping: Any, pair: Any) -> str:
    start, end = pair[0].start_mark.index, _end(pair[1])
    if mapping.flow_style:
        comma = re.match(r"\s*,\s*", text[end:])
        if comma:
            return text[:start] + text[end + comma.end() :]
        return re.sub(r"\s*,\s*$", "", text[:start]) + text[end:]
    if len(mapping.value) == 1:
        return f"{text[:start]}{{}}{text[end:]}"
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    return text[:first] + (text[last + 1 :] if last >= 0 else "")


def _styled(data: Any) -> Any:
    """Mark lists of scalars to be written on one line, and text that is no text without quotes."""
    if isinstance(data, dict):
        return {_styled(key): _styled(value) for key, value in data.items()}
    if isinstance(data, str) and (data[:1] in ("?", ":") or "\x85" in data):
        return DoubleQuotedScalarString(data)
    if not isinstance(data, list):
        return data
    items = CommentedSeq(_styled(item) for item in data)
    if not any(isinstance(item, dict | list) for item in data):
        items.fa.set_flow_style()
    return items


class _Reader:
    """Turns composed nodes into plain data and notes their positions."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def plain(self, node: Node, location: Location) -> Any:
        self.document.values[location] = _position(node.start_mark)
        tag = str(node.tag)
        if tag not in _STANDARD_TAGS:
            self._problem(location, f"tags are not supported (got {tag!r})", node)
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, location)
        if isinstance(node, SequenceNode):
            return [self.plain(item, (*location, i)) for i, item in enumerate(node.value)]
        text = _joined(str(node.value))
        return text if getattr(node, "style", None) else _scalar(text)

    def _mapping(self, node: MappingNode, location: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._problem(location, "a key has to be a plain text", key_node)
                continue
            key = _joined(str(key_node.value))
            place = (*location, key)
            if key in data:
                line = self.document.keys[place][0]
                self._problem(place, f"duplicate key; first given on line {line}", key_node)
                continue
            self.document.keys[place] = _position(key_node.start_mark)
            data[key] = self.plain(value_node, place)
        return data

    def _problem(self, location: Location, message: str, node: Node) -> None:
        position = _position(node.start_mark)
        self.document.problems.append(Problem(location, message, position=position))


def _joined(text: str) -> str:
    """Join escaped surrogate pairs; a half without its other half becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _scalar(text: str) -> Any:
    for pattern, convert in _CORE:
        if pattern.fullmatch(text):
            return convert(text)
    return text


def _position(mark: Any) -> Position:
    return (mark.line + 1, mark.column + 1)


def _refused(text: str) -> Iterator[Problem]:
    """Find what YAML allows and a config does not need: aliases, and very deep nesting."""
    depth = 0
    for event in YAML(pure=True).parse(io.StringIO(text)):
        position = _position(event.start_mark)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, AliasEvent):
            message = f"aliases are not supported (got *{event.anchor}); write the value out"
            yield Problem((), message, position=position)
        if depth > _MAX_DEPTH:
            yield Problem((), "not valid YAML: nested too deeply", position=position)
            return


def _bad_character(error: ReaderError, text: str) -> Problem:
    before = text[: error.position]
    position = (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    what = f"character #x{ord(text[error.position]):04x} is not allowed"
    return Problem((), f"not valid YAML: {what}", position=position)


def _syntax(error: MarkedYAMLError) -> Problem:
    what = " ".join(str(part) for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    return Problem((), f"not valid YAML: {what}", position=_position(mark) if mark else (1, 1))
