"""What every command shares: options, logging, progress and the two ways to print a result."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from borderrisk.config import Config

PathArgument = click.Path(path_type=Path)


def config_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the CONFIG argument (a file, or a folder of `init`) and ``--set key=value``."""
    return click.argument("config_path", metavar="CONFIG", type=PathArgument)(set_option(command))


def set_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--set key=value``."""
    return click.option(
        "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one config value."
    )(command)


def run_argument(name: str = "run_path", metavar: str = "RUN") -> Callable[..., Any]:
    """Add an argument that names a run folder, or the folder of a config (its latest run)."""
    return click.argument(name, metavar=metavar, type=PathArgument)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` and ``-v``."""
    command = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(
        command
    )
    return click.option("-v", "--verbose", is_flag=True, help="Log details on stderr.")(command)


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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(_Once())
    logger = logging.getLogger("borderrisk")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
    warnings.showwarning = _shown_warning
    sys.unraisablehook = _unraisable


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
        click.echo("\n".join(text))


def _plain(value: Any) -> Any:
    """Turn NumPy numbers into plain ones, all else into text."""
    return value.item() if hasattr(value, "item") else str(value)


def facts_text(facts: Mapping[str, Any]) -> str:
    """Return one ``name: value`` line per fact."""
    return "\n".join(f"{key}: {value}" for key, value in facts.items())


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a plain, aligned table."""
    if not rows:
        return "(none)"
    names = list(rows[0])
    cells = [names, *([_text(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(names))]
    lines = ("  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def _text(value: object) -> str:
    if value is None:
        return "–"
    value = _plain(value) if hasattr(value, "item") else value
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None] | None]:
    """Yield a ``(stage, done, total)`` callback that draws a bar, or None off a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield update
