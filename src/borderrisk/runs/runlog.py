"""The log of a run: one JSON object per line, without paths of the machine it ran on."""

from __future__ import annotations

import json
import logging
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

LOG = "log.jsonl"
_LOGGERS = ("borderrisk", "py.warnings")
_ABSOLUTE = re.compile(r"(?<![\w.:/…])(?:[A-Za-z]:[\\/]|/)(?:[^\s\\/'\"<>|:,;()]+[\\/])+")


class JsonLinesFormatter(logging.Formatter):
    """One JSON object per record: ``time`` (UTC), ``seconds`` since the start, level, message.

    Paths inside the project are shown relative to it, others by their name alone.
    """

    def __init__(self, project: Path) -> None:
        super().__init__()
        self._project = project
        self._start = time.time()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "seconds": round(record.created - self._start, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_paths(record.getMessage(), self._project),
        }
        if record.exc_info:
            text = self.formatException(record.exc_info)
            entry["exception"] = without_paths(text, self._project)
        return json.dumps(entry, ensure_ascii=False)


def without_paths(text: str, project: Path) -> str:
    """Return a text in which absolute paths are shortened.

    Examples
    --------
    >>> without_paths("read /home/ann/maps/data/a.csv and /srv/dem/b.tif", Path("/home/ann/maps"))
    'read data/a.csv and …/b.tif'
    """
    text = text.replace(f"{project}/", "").replace(str(project), ".")
    for folder in (Path.home(), Path(tempfile.gettempdir())):
        if folder != Path(folder.anchor):
            text = text.replace(f"{folder}/", "/…/")
    return _ABSOLUTE.sub("…/", text)


@contextmanager
def run_log(path: Path, project: Path) -> Iterator[None]:
    """Write what is logged in the body to a file, at level INFO and above.

    What other handlers show stays as it was.
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setLevel(logging.INFO)
    handler.setFormatter(JsonLinesFormatter(project.absolute()))
    with ExitStack() as stack:
        stack.callback(handler.close)
        for name in _LOGGERS:
            stack.enter_context(_attached(logging.getLogger(name), handler))
        yield


@contextmanager
def _attached(logger: logging.Logger, handler: logging.Handler) -> Iterator[None]:
    level, others = logger.level, [(other, other.level) for other in logger.handlers]
    shown = logger.getEffectiveLevel()
    for other, own in others:
        other.setLevel(max(own, shown))
    logger.addHandler(handler)
    logger.setLevel(min(shown, logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        for other, own in others:
            other.setLevel(own)
