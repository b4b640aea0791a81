"""What every command shares: options, logging, progress and the two ways to print a result."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from borderrisk.config import Config

PathArgument = click.Path(path_type=Path)


set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one config value."
)


def config_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the CONFIG argument (a file, or a folder of `init`) and ``--set key=value``."""
    return click.argument("config_path", metavar="CONFIG", type=PathArgument)(set_option(command))


def run_argument(name: str = "run_path", metavar: str = "RUN") -> Callable[..., Any]:
    """Add an argument that names a run folder, or the folder of a config (its latest run)."""
    return click.argument(name, metavar=metavar, type=PathArgument)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` and ``-v``."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    verbose = click.option("-v", "--verbose", is_flag=True, help="Log details on stderr.")
    return verbose(as_json(command))


def printed(command: Callable[..., tuple[Any, ...]]) -> Callable[..., Any]:
    """Add ``--json`` and ``-v``, and print what a command returns: a payload, and lines of text.

    A command that takes CONFIG and ``--set`` gets the ``config`` instead.
    """

    @wraps(command)
    def run(*, as_json: bool, verbose: bool, **options: Any) -> None:
        configure_logging(verbose, as_json)
        if {"config_path", "overrides"} <= set(options):
            options["config"] = load(options.pop("config_path"), options.pop("overrides"))
        payload, *text = command(**options)
        emit(payload, as_json, *text)

    return common_options(run)


def prints_json() -> bool:
    """Whether the command that runs was given ``--json``."""
    return bool(click.get_current_context().params["as_json"])


def out_option(description: str) -> Callable[..., Any]:
    """Add ``--out``."""
    return click.option("--out", type=PathArgument, help=description)


def load(config_path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config with its ``--set`` overrides."""
    from borderrisk.config import load_config

    pairs = {}
    for item in overrides:
        key, found, value = item.partition("=")
        if not found:
            raise click.BadParameter(f"{item!r} is not KEY=VALUE", param_hint="--set")
        pairs[key.strip()] = value
    return load_config(config_path, overrides=pairs)


def configure_logging(verbose: bool, as_json: bool = False) -> None:
    """Send logs to stderr: progress lines by default, details with ``-v``."""
    level = logging.DEBUG if verbose else logging.WARNING if as_json else logging.INFO
    handler = _Screen(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(_Once())
    logger = logging.getLogger("borderrisk")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
    warnings.showwarning = _shown_warning
    sys.unraisablehook = _unraisable


class _Screen(logging.StreamHandler):  # type: ignore[type-arg]
    """Log lines, above one line of progress that is written over."""

    status = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, and the line of progress below it again."""
        shown, self.status = self.status, ""
        self._write("")
        super().emit(record)
        self.status = shown
        self._write(shown)

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, as wide as the terminal."""
        return wrapped(super().format(record), self.stream)

    def show(self, text: str) -> None:
        """Write the line of progress over the last one; an empty text takes it away."""
        self.status = text[: (width(self.stream) or 80) - 1]
        self._write(self.status)

    def _write(self, text: str) -> None:
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[2K{text}")
            self.stream.flush()


def width(stream: TextIO) -> int | None:
    """Columns that a text may take; None where nobody reads it on a terminal."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return shutil.get_terminal_size().columns if stream.isatty() else None


def wrapped(text: str, stream: TextIO) -> str:
    """Return a text whose lines end at words, where a line would be too wide."""
    room = width(stream)
    if room is None:
        return text
    lines = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(
            line, max(room, 20), subsequent_indent=f"{indent}  ", break_long_words=False,
            break_on_hyphens=False, drop_whitespace=True,
        ) or [""]  # fmt: skip
    return "\n".join(lines)


class _Once(logging.Filter):
    """Let each warning through once: inputs are read by more than one stage."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is no warning, or one not seen before."""
        if record.levelno < logging.WARNING:
            return True
        text = record.getMessage()
        new = text not in self._said
        self._said.add(text)
        return new


def _shown_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show the warning of a library as one line of plain text."""
    logging.getLogger("borderrisk").warning("%s", " ".join(str(message).split()))


def _unraisable(what: Any) -> None:
    """Keep off the screen what a library cannot raise; the failure itself is told."""
    logging.getLogger("borderrisk").debug("ignored: %r", what.exc_value)


def emit(payload: Mapping[str, Any], as_json: bool, *text: str) -> None:
    """Print a result on stdout: as JSON for scripts, else the lines of text."""
    if as_json:
        click.echo(json.dumps(payload, ensure_ascii=False, default=_plain))
    else:
        click.echo(wrapped("\n".join(text), sys.stdout))


def _plain(value: Any) -> Any:
    """Turn NumPy numbers into plain ones, all else into text."""
    return value.item() if hasattr(value, "item") else str(value)


def facts_text(facts: Mapping[str, Any]) -> str:
    """Return one ``name: value`` line per fact."""
    return "\n".join(f"{key}: {value}" for key, value in facts.items())


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a plain, aligned table, or one below the other where it is too wide."""
    if not rows:
        return "(none)"
    names = list(rows[0])
    cells = [names, *([_text(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(names))]
    room = width(sys.stdout)
    if room is not None and sum(widths) + 2 * (len(names) - 1) > room:
        return "\n\n".join(facts_text(dict(zip(names, line, strict=True))) for line in cells[1:])
    lines = ("  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def wrapped_table(rows: Sequence[Mapping[str, Any]], widths: Mapping[str, int]) -> str:
    """Return rows as a table whose cells are wrapped to so many letters, columns as in widths.

    Where the screen is narrower, they stand one below the other, without what is empty.
    """
    room = width(sys.stdout)
    if room is not None and sum(widths.values()) + 2 * (len(widths) - 1) > room:
        filled = ({k: t for k in widths if (t := _text(row[k]))} for row in rows)
        return "\n\n".join(facts_text(row) for row in filled)
    lines: list[dict[str, str]] = []
    for row in rows:
        cells = {
            name: textwrap.wrap(_text(row[name]), width) or [""] for name, width in widths.items()
        }
        height = max(map(len, cells.values()))
        lines += [
            {name: "".join(parts[k : k + 1]) for name, parts in cells.items()}
            for k in range(height)
        ]
        lines.append(dict.fromkeys(widths, ""))
    return table_text(lines[:-1])


def _text(value: object) -> str:
    if value is None:
        return "–"
    value = _plain(value) if hasattr(value, "item") else value
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextmanager
def progress_line() -> Iterator[Callable[[str, int, int], None] | None]:
    """Yield a ``(stage, done, total)`` callback that writes one line, or None off a terminal."""
    screen = next(
        (h for h in logging.getLogger("borderrisk").handlers if isinstance(h, _Screen)), None
    )
    if screen is None or not screen.stream.isatty():
        yield None
        return
    try:
        yield lambda stage, done, total: screen.show(
            f"{stage}: {done:,} of {total:,}" if done < total else ""
        )
    finally:
        screen.show("")
