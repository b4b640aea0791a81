"""Progress of work in other processes, which cannot call back: they leave a note in a folder."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

Teller = Callable[[int, int], None]
# Progress is told in percent.
WHOLE = 100
_INTERVAL_S = 0.2


@dataclass(frozen=True)
class Board:
    """Where each job notes how far it is.

    Attributes
    ----------
    folder : Path or None
        On a disk that all processes see; None if nobody watches.
    """

    folder: Path | None

    def teller(self, job: str) -> Teller | None:
        """Return what a job calls with ``(done, total)``; it can be pickled."""
        return None if self.folder is None else partial(_note, self.folder / job)

    def share(self, job: str) -> float:
        """Return how much of a job is done, 0 to 1."""
        try:
            done, total = (self.folder / job).read_text().split("/")  # type: ignore[operator]
            return int(done) / max(int(total), 1)
        except (OSError, ValueError):
            return 0.0


def _note(path: Path, done: int, total: int) -> None:
    path.write_text(f"{done}/{total}")


@contextmanager
def watched(
    progress: Callable[[str, int, int], None] | None, stage: str, weights: Mapping[str, float]
) -> Iterator[Board]:
    """Tell the progress of several jobs as one.

    Parameters
    ----------
    progress : callable, optional
        Told ``(stage, percent, 100)``; not told anything twice.
    stage : str
        Name of them together.
    weights : mapping of str to float
        Share of the work of each job.

    Yields
    ------
    Board
        To take each job's teller from.
    """
    if progress is None:
        yield Board(None)
        return
    with tempfile.TemporaryDirectory() as place:
        board, stop = Board(Path(place)), threading.Event()
        watcher = threading.Thread(
            target=_watch, args=(board, weights, partial(progress, stage), stop), daemon=True
        )
        watcher.start()
        try:
            yield board
        finally:
            stop.set()
            watcher.join()
    progress(stage, WHOLE, WHOLE)


def _watch(board: Board, weights: Mapping[str, float], tell: Teller, stop: threading.Event) -> None:
    last = -1
    while not stop.wait(_INTERVAL_S):
        done = sum(weight * board.share(job) for job, weight in weights.items())
        percent = min(int(WHOLE * done / sum(weights.values())), WHOLE - 1)
        if percent > last:
            tell(percent, WHOLE)
            last = percent
