"""What keeps the code liveable: no circles, no name twice, no module too long."""

import ast
import re
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

import borderrisk

ROOT = Path(borderrisk.__file__).parent


def modules():
    """Modules by dotted name; a package by its own."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = path.read_text(encoding="utf-8")
    return found


def imports(name, text, known):
    """Modules that a module imports anywhere, in functions too; names of packages left alone."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & known) or {node.module}
    return {other for other in found & known if other != name and not name.startswith(f"{other}.")}


def circles(graph):
    """Groups of nodes that reach each other."""
    reach = {node: set(graph[node]) for node in graph}
    for _ in graph:
        grown = {n: set().union(reach[n], *(reach[m] for m in reach[n])) for n in graph}
        if grown == reach:
            break
        reach = grown
    return [sorted(m for m in reach[n] if n in reach[m]) for n in graph if n in reach[n]]


@pytest.fixture(scope="module")
def house():
    return modules()


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})[0] == ["a", "b", "c"]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_no_module_imports_itself_by_way_of_others(house):
    known = set(house)
    assert circles({name: imports(name, text, known) for name, text in house.items()}) == []


def test_no_base_name_stands_for_two_modules(house):
    packages = {name.rsplit(".", 1)[0] for name in house}
    names = Counter(name.rsplit(".", 1)[1] for name in house if name not in packages)
    assert [name for name, times in names.items() if times > 1] == []


def test_a_module_tells_one_story(house):
    lines = {name: text.count("\n") for name, text in house.items()}
    assert {name: n for name, n in lines.items() if n > 420} == {}
    assert median(lines.values()) >= 150


def test_every_promise_is_held_by_a_test_that_exists():
    project = Path(__file__).parents[1]
    text = (project / "docs" / "promises.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", text)
    assert len(named) > 30
    for path, test in named:
        assert f"def {test}(" in (project / path).read_text(encoding="utf-8"), test
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert [row for row in rows if "`tests/" not in row and "held by" not in row] == []
