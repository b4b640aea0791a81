"""Run a notebook and write it, with what it shows, as a page of Markdown.

No kernel is needed: cells are run in their order in one namespace, in a folder of their own. A
line that begins with ``!`` is a command of ``borderrisk``, as a notebook would hand it on.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from borderrisk.cli.app import app

Space = dict[str, Any]


def command(line: str, *, folder: Path | None = None) -> tuple[int, str]:
    """Run a line of ``borderrisk`` in this process; return its exit code and what it printed.

    Variables of the environment in it are filled in, comments and a redirection are left out.
    """
    words = shlex.split(os.path.expandvars(line), comments=True)
    words = words[: words.index(">")] if ">" in words else words
    with chdir(folder or Path.cwd()):
        result = CliRunner(env={"COLUMNS": "80"}).invoke(app, words[1:], prog_name="borderrisk")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@dataclass(frozen=True)
class Notebook:
    """Cells of a notebook: which kind, and their text."""

    cells: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, path: Path) -> Notebook:
        """Read a ``.ipynb``."""
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return cls(tuple((cell["cell_type"], "".join(cell["source"])) for cell in cells))


def as_page(path: Path, folder: Path) -> tuple[str, Mapping[str, str]]:
    """Run a notebook in a folder; return its page, and its maps by the name the page gives them."""
    space: Space = {"__name__": "__main__"}
    blocks: list[str] = []
    maps: dict[str, str] = {}
    with _workplace(folder):
        for kind, text in Notebook.read(path).cells:
            if kind == "markdown":
                blocks.append(text)
                continue
            blocks.append(f"```{'sh' if text.startswith('!') else 'python'}\n{_shown(text)}\n```")
            printed, value = run_cell(text, space)
            if printed.strip():
                blocks.append(f"```text\n{printed.rstrip()}\n```")
            if value is not None:
                blocks.append(_output(value, f"{path.stem}-{len(maps) + 1}.html", maps))
    return "\n\n".join(blocks) + "\n", maps


def run_cell(text: str, space: Space) -> tuple[str, Any]:
    """Run a cell; return what it printed and the value of its last line, if that is one."""
    printed = io.StringIO()
    commands = [line for line in text.splitlines() if line.startswith("!")]
    for line in commands:
        code, said = command(line[1:])
        if code:
            raise RuntimeError(f"{line} ended with {code}: {said}")
        printed.write(said)
    if commands:
        return printed.getvalue(), None
    tree = ast.parse(text)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), space)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), space) if last else None
    return printed.getvalue(), value


@contextmanager
def _workplace(folder: Path) -> Iterator[None]:
    """Run cells in a folder, with figures that open no window."""
    os.environ.setdefault("MPLBACKEND", "agg")
    folder.mkdir(parents=True, exist_ok=True)
    with chdir(folder):
        yield


def _shown(text: str) -> str:
    return re.sub(r"^!", "", text.strip(), flags=re.MULTILINE)


def _output(value: Any, name: str, maps: dict[str, str]) -> str:
    """Show a value as a notebook does: a map in a frame, a table or card as HTML, else text."""
    if hasattr(value, "get_root"):
        maps[name] = value.get_root().render()
        return f'<iframe src="{name}" title="Map" loading="lazy"></iframe>'
    if hasattr(value, "savefig"):
        picture = io.BytesIO()
        value.savefig(picture, format="png", dpi=110)
        code = base64.b64encode(picture.getvalue()).decode()
        return f'<img alt="Figure" src="data:image/png;base64,{code}">'
    if hasattr(value, "_repr_html_"):
        markup = re.sub(r"<style.*?</style>", "", value._repr_html_(), flags=re.DOTALL)
        markup = "".join(line.strip() + "\n" for line in markup.splitlines() if line.strip())
        return f'<div class="output">\n{markup}</div>'
    return f"```text\n{value!r}\n```"
